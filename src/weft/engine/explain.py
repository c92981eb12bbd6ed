"""Why a run or one of its task runs is where it is: ``weft why``.

Reads only. What has ended is explained by its story, from the log; what has not by what it waits for.
"""

from difflib import get_close_matches

import msgspec

from weft.core.state import Flow, Map, Run, Task
from weft.core.story import Step, Teller, duration, moment
from weft.engine.blocking import SHOWN, Blocker, Blocking, is_open
from weft.engine.clock import SystemClock
from weft.model.calls import GroupCall
from weft.model.errors import NotFound
from weft.model.rows import RunRow, TaskRow
from weft.model.states import TERMINAL, RunState, TaskState
from weft.store.protocol import Reader

_T = TaskState


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to "why?".

    Attributes:
        run: The run's public id.
        task: The task run's key; "" for the run itself.
        state: Where it stands; ``not reached`` for a task run that does not exist yet.
        answer: In one sentence.
        blockers: What it waits for; none when it has ended.
        steps: What happened to it, oldest first, each step followed by what led to it.
    """

    run: str
    task: str
    state: str
    answer: str
    blockers: tuple[Blocker, ...] = ()
    steps: tuple[Step, ...] = ()

    def lines(self) -> list[str]:
        """The answer as text, a line each."""
        told = [self.answer]
        told += [f"- {each.text}" for each in self.blockers if each.text != self.answer]
        for step in self.steps:
            name = f"`{step.key}`: " if step.depth else ""
            told.append(f"{moment(step.at)}  {'  ' * step.depth}{name}{step.text}")
        return told


def why(
    reader: Reader,
    run_ref: str,
    task_key: str | None = None,
    *,
    now: float | None = None,
    pools: dict[str, int] | None = None,
) -> Explanation:
    """Explain a run, or one of its task runs.

    Args:
        reader: The store.
        run_ref: The run's public id, a prefix of one, or ``@latest``.
        task_key: The task run's key; ``None`` asks about the run.
        now: The time, Unix seconds; by default the machine's.
        pools: Slots by pool, as the engine has them.

    Raises:
        NotFound: There is no such run, or no such task in it.
    """
    at = SystemClock().now() if now is None else now
    inquiry = _Inquiry(reader, reader.run(run_ref), at, pools)
    return inquiry.about_run() if task_key is None else inquiry.about_task(task_key)


class _Inquiry:
    """One question about one run."""

    def __init__(self, reader: Reader, run: RunRow, now: float, pools: dict[str, int] | None) -> None:
        self.reader = reader
        self.run = run
        self.now = now
        self.blocking = Blocking(reader, run, now, pools)
        self.teller = Teller(self.blocking.row, self.blocking.changes, self.blocking.nodes.of)

    # --- a run --------------------------------------------------------------------------------------------

    def about_run(self) -> Explanation:
        """Why the run is where it is."""
        run = self.run
        if run.state.terminal:
            took = duration((run.ended_at or self.now) - (run.started_at or run.created_at))
            steps = self.teller.ending(0)
            if run.state is RunState.SUCCEEDED:
                answer = f"the run succeeded after {took}"
            else:
                cause = max(steps, key=lambda step: step.depth, default=None)
                answer = (
                    f"the run {'failed' if run.state is RunState.FAILED else 'was cancelled'} after {took}"
                )
                if cause is not None and run.state is RunState.FAILED:
                    own = cause.text.removeprefix("failed: ")
                    answer += f": {own}" if cause.idx == 0 else f": `{cause.key}` {cause.text}"
            return Explanation(run.uid, "", str(run.state), answer, (), tuple(steps))
        blockers = list(self.blocking.stopped())
        blockers += self._open_tasks()
        if blockers and blockers[0].kind in ("engine", "paused"):
            answer = blockers[0].text
        else:
            answer = f"the run is under way since {moment(run.started_at or run.created_at)}"
        return Explanation(run.uid, "", str(run.state), answer, tuple(blockers))

    def _open_tasks(self) -> list[Blocker]:
        """What every open task run that holds no other waits for."""
        scratch = self.blocking.scratch()
        found: list[Blocker] = []
        left = 0
        for task in list(scratch.tasks.values()):
            if task.state in TERMINAL or (task.state is _T.PENDING and task.kind == "node") or is_open(task):
                continue
            if len(found) >= SHOWN:
                left += 1
                continue
            texts = self.blocking.of(task)
            found += [
                msgspec.structs.replace(
                    each, text=f"`{task.key}` {each.text}", tasks=each.tasks or (task.key,)
                )
                for each in texts[:1]
            ]
        if left:
            found.append(Blocker("runs", f"and {left} more"))
        return found

    # --- a task run ---------------------------------------------------------------------------------------

    def about_task(self, key: str) -> Explanation:
        """Why a task run is where it is."""
        try:
            row = self.reader.task_by_key(self.run.run, key)
        except NotFound:
            return self._without_row(key)
        steps = self.teller.story(row.idx)
        if row.state in TERMINAL:
            own = [step for step in steps if step.depth == 0]
            answer = own[-1].text if own else str(row.state)
            if row.state is _T.CACHED:
                answer += self._origin(row)
            return Explanation(self.run.uid, row.key, str(row.state), answer, (), tuple(steps))
        task = self.blocking.scratch().tasks.get(row.idx)
        blockers = [*self.blocking.stopped(), *(self.blocking.of(task) if task is not None else ())]
        return self._open(row.key, str(row.state), blockers, tuple(steps))

    def _open(
        self, key: str, state: str, blockers: list[Blocker], steps: tuple[Step, ...] = ()
    ) -> Explanation:
        answer = blockers[0].text if blockers else f"it is {state}"
        return Explanation(self.run.uid, key, state, answer, tuple(blockers), steps)

    def _origin(self, row: TaskRow) -> str:
        """Whose result was used, and from when."""
        details = [getattr(each, "detail", "") for each in self.blocking.changes(row.idx)]
        run, _, idx = (details[-1] if details else "").partition("/")
        if not (run.isdigit() and idx.isdigit()):
            return ""
        try:
            other = self.reader.run_by_id(int(run))
            maker = self.reader.task(int(run), int(idx))
        except NotFound:
            return ", of a run that has been deleted"
        when = f", {moment(maker.ended_at)}" if maker.ended_at is not None else ""
        return f": that of `{maker.key}` in run {other.uid}{when}"

    def _without_row(self, key: str) -> Explanation:
        """A task run that nothing was recorded of: not ready yet, not begun, or not called."""
        if self.run.state.terminal:
            raise self._unknown(key, [row.key for row in self.blocking.all_rows()])
        scratch = self.blocking.scratch()
        stopped = list(self.blocking.stopped())
        for task in scratch.tasks.values():
            if task.key == key:
                blockers = [*stopped, *self.blocking.of(task)]
                return self._open(key, str(task.state), blockers)
        around = self._nearest(scratch, key)
        if around is None:
            raise self._unknown(key, [task.key for task in scratch.tasks.values()])
        return self._open(key, "not reached", [*stopped, self.blocking.inside(around)])

    def _nearest(self, scratch: Run, key: str) -> Task | None:
        """The open task run that would hold a task run of this key."""
        found = scratch.root if isinstance(scratch.root.body, Flow) or scratch.root.is_flow else None
        for task in scratch.tasks.values():
            holds = isinstance(task.body, Map) or task.is_flow or isinstance(task.node.call, GroupCall)
            begins = key.startswith((f"{task.key}.", f"{task.key}/", f"{task.key}["))
            if (
                holds
                and begins
                and (found is None or len(task.key) > len(found.key) or found is scratch.root)
            ):
                found = task
        return found

    def _unknown(self, key: str, known: list[str]) -> NotFound:
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"weft tasks list {self.run.uid}"
        return NotFound(f"run {self.run.uid} has no task {key!r}", where=self.run.uid, hint=hint)
