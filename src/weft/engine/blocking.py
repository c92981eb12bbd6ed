"""What keeps an open task run from starting or ending, worked out beside the engine that owns the run.

The run's rows are restored into a scratch ``State``, which tells what is ready and what is unmet: the code
that decides in the engine decides here too, but nothing is committed and nothing starts. Limits that are full
are traced to the attempts that hold them, in this run and in others, and to the engines that have shares of
them. How much room an executor has, only its engine knows.
"""

from collections.abc import Iterator

import msgspec

from weft.core.changes import Change
from weft.core.dispatch import limits_of, note_maxima
from weft.core.events import Restored
from weft.core.nodes import NodesByRow
from weft.core.restore import Restoration
from weft.core.state import LOCAL, Flow, Map, Run, Scope, State, Task
from weft.core.step import settle
from weft.core.story import duration, for_what, moment, of_error
from weft.core.turn import Turn, executor_of, holds_others
from weft.engine.sharing import LIMITS, POOLS
from weft.model.calls import GroupCall
from weft.model.errors import NotFound
from weft.model.graph import Node, Role
from weft.model.policies import RateLimit
from weft.model.rows import RunRow, Snapshot, TaskRow
from weft.model.rules import TriggerRule
from weft.model.states import LIVE, TERMINAL, RunState, TaskState
from weft.model.values import NONE
from weft.store.protocol import Reader

_T = TaskState
SHOWN = 20
"""Task runs that are named one by one in an answer."""

PAGE = 10_000
"""Rows read at a time."""


class Blocker(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that keeps a task run from starting or ending.

    Attributes:
        kind: ``upstream``, ``holder``, ``flow``, ``map``, ``limit``, ``rate``, ``executor``, ``wait``,
            ``retry``, ``runs``, ``paused`` or ``engine``.
        text: As a sentence without a full stop.
        name: The limit, event or executor that it is about.
        tasks: Keys of the task runs that it is about: upstream, or who holds the slots; of slots that no
            task run uses, the names of the engines that have them.
        until: When it is over by itself, Unix seconds.
    """

    kind: str
    text: str
    name: str = ""
    tasks: tuple[str, ...] = ()
    until: float | None = None


class Blocking:
    """What the open task runs of one run wait for.

    Args:
        reader: The store.
        run: The run.
        now: The time, Unix seconds.
        pools: Slots by pool, as the engine's settings have them.
    """

    def __init__(self, reader: Reader, run: RunRow, now: float, pools: dict[str, int] | None) -> None:
        self.reader = reader
        self.run = run
        self.now = now
        self.graph = reader.graph(run.graph)
        self.added = reader.nodes(run.run)
        self._rows: dict[int, TaskRow | None] = {}
        self.nodes = NodesByRow(self.graph, self.added, self.row)
        sizes = {entry.name: entry.value.slots for entry in POOLS.all(reader)}
        self.state = State(pools={**(pools or {}), **sizes})
        self._names: dict[int, str] = {}
        self._restored: Run | None = None

    # --- reading ------------------------------------------------------------------------------------------

    def row(self, idx: int) -> TaskRow | None:
        """A task run's row."""
        if idx not in self._rows:
            try:
                self._rows[idx] = self.reader.task(self.run.run, idx) if idx >= 0 else None
            except NotFound:
                self._rows[idx] = None
        return self._rows[idx]

    def changes(self, idx: int) -> Iterator[Change]:
        """The changes of a task run, oldest first."""
        after = 0
        while True:
            page = self.reader.events(self.run.run, idx, after=after, limit=PAGE)
            for event in page:
                yield event.change
            if len(page) < PAGE:
                return
            after = page[-1].seq

    def all_rows(self) -> list[TaskRow]:
        """Every row of the run."""
        rows: list[TaskRow] = []
        while True:
            page = self.reader.tasks(self.run.run, after=rows[-1].idx if rows else -1, limit=PAGE)
            rows += page
            if len(page) < PAGE:
                self._rows.update({row.idx: row for row in rows})
                return rows

    def scratch(self) -> Run:
        """The run as the core would have it in memory, with all its attempts alive."""
        if self._restored is None:
            run = self.run.run
            rows, maps = self.all_rows(), self.reader.maps(run)
            snapshot = Snapshot(
                run=self.run,
                graph=self.graph,
                nodes=self.added,
                tasks=rows,
                maps=maps,
                signals=self.reader.signals(run),
            )
            # What the items are does not matter here, only how many there are.
            items = {each.idx: (NONE,) * each.count for each in maps}
            alive = frozenset((run, row.idx, row.attempt) for row in rows if row.state in LIVE)
            turn = Turn(self.state, self.now)
            event = Restored(snapshot, self.run.epoch, items, alive, resume=False)
            restoration = Restoration(turn, event)
            restoration.go()
            settle(turn)
            self._restored = restoration.run
        return self._restored

    # --- what stops everything ----------------------------------------------------------------------------

    def stopped(self) -> Iterator[Blocker]:
        """What keeps the whole run from going on."""
        run = self.run
        if run.state.terminal:
            return
        resume = f"weft runs resume {run.uid}"
        if run.state is RunState.PAUSED:
            yield Blocker("paused", f"the run is paused: {resume}", run.uid)
            return
        owner = next((each for each in self.reader.engines() if each.engine == run.owner), None)
        if owner is None or owner.expires_at <= self.now:
            when = f" since {moment(owner.expires_at)}" if owner is not None and owner.expires_at > 0 else ""
            name = f" {owner.name!r}" if owner is not None else ""
            yield Blocker("engine", f"the engine{name} that owned the run is gone{when}: {resume}", run.uid)

    # --- what it waits for --------------------------------------------------------------------------------

    def of(self, task: Task) -> list[Blocker]:
        """What keeps an open task run from starting, or from ending."""
        state = task.state
        if state is _T.WAITING:
            name = getattr(task.wait, "name", "")
            return [Blocker("wait", "waits " + for_what(task.wait, task.due_at), name, (), task.due_at)]
        if state is _T.RETRYING and task.due_at is not None and task.due_at > self.now:
            pause = duration(task.due_at - self.now)
            text = f"failed: {of_error(task.error)}; tried again in {pause}"
            return [Blocker("retry", text, "", (), task.due_at)]
        if is_open(task):
            return self._held_by(task)
        if state in LIVE:
            return [self._runs(task)]
        if state is _T.PENDING and task.kind == "call":
            return self._unmet_call(task) or self._limits(task)
        if state is _T.PENDING and task.kind == "node":
            return self._unmet_node(task) or self._limits(task)
        return self._limits(task)

    def _runs(self, task: Task) -> Blocker:
        row = self.row(task.idx)
        since = row.started_at if row is not None else None
        worker = f" on {row.worker}" if row is not None and row.worker else ""
        if task.state is _T.QUEUED and since is None:
            at = moment(row.changed_at) if row is not None else "just now"
            return Blocker(
                "executor", f"was handed to its executor at {at} and has not begun", executor_of(task)
            )
        return Blocker("runs", f"runs{worker} since {moment(since or self.now)} (attempt {task.attempt})")

    def _held_by(self, task: Task) -> list[Blocker]:
        """A group, map or flow that is under way: what in it has not ended."""
        body = task.body
        if isinstance(body, Map):
            text = f"has {body.done} of {body.count} items ended, {len(body.live)} under way"
            live = tuple(item.key for item in body.live.values())[:SHOWN]
            return [Blocker("map", text, task.key, live), *(self._full(task) if body.more else ())]
        inner = (
            body.tasks
            if isinstance(body, Scope)
            else list(body.calls.values())
            if isinstance(body, Flow)
            else []
        )
        waits = [each.key for each in inner if each.state not in TERMINAL]
        text = f"has begun, and in it {len(waits)} of {len(inner)} have not ended"
        return [Blocker("runs", text, task.key, tuple(waits[:SHOWN]))]

    def _unmet_call(self, task: Task) -> list[Blocker]:
        if task.forgotten:
            holder = task.parent.key if task.parent is not None else ""
            return [Blocker("flow", f"runs again once the flow `{holder}` calls it again", holder)]
        found: list[Blocker] = []
        for idx, _ in task.upstream or ():
            state, _error = task.run.state_of(idx)
            if state not in TERMINAL:
                found.append(self._upstream(idx, state))
        return found

    def _upstream(self, idx: int, state: TaskState) -> Blocker:
        row = self.row(idx)
        upstream = self.scratch().tasks.get(idx)
        key = row.key if row is not None else upstream.key if upstream is not None else f"task run {idx}"
        return Blocker("upstream", f"waits for `{key}`, which is {state}", key, (key,))

    def _unmet_node(self, task: Task) -> list[Blocker]:
        holder = task.parent
        if holder is None or not isinstance(holder.body, Scope):
            return []
        scope = holder.body
        found = [
            self._upstream(up.idx, up.state)
            for up in (scope.tasks[at] for at in scope.plan.up[task.pos])
            if up.state not in TERMINAL and not up.daemon_up
        ]
        if task.node.role is Role.EXIT and not scope.closing:
            work = [each for each in scope.tasks if each.node.role is not Role.EXIT]
            found = [self._upstream(each.idx, each.state) for each in work if each.state not in TERMINAL]
        if (
            found
            and task.node.rule is not TriggerRule.ALL_SUCCESS
            and isinstance(task.node.rule, TriggerRule)
        ):
            text = f"{found[0].text} (its rule is {task.node.rule})"
            found[0] = msgspec.structs.replace(found[0], text=text)
        return found

    # --- limits -------------------------------------------------------------------------------------------

    def _limits(self, task: Task) -> list[Blocker]:
        """What a task run that is ready lacks: the limits that are full, or else room in its executor."""
        if self.run.state is RunState.PAUSED:
            return []
        if holds_others(task):
            return [Blocker("executor", "is ready and is about to begin")]
        found = self._full(task)
        if not found:
            executor = executor_of(task)
            text = f"is ready, and waits for room in the executor {executor!r}"
            found.append(Blocker("executor", text, executor))
        return found

    def _full(self, task: Task) -> list[Blocker]:
        """The limits that let no attempt of a task run, or of an item of it, start now."""
        if isinstance(task.node.call, GroupCall):
            return []
        note_maxima(self.state, task)
        found: list[Blocker] = []
        for key, slots in limits_of(task):
            holders = list(self._holders(key))
            used = sum(each for _, each, _ in holders)
            room = self.state.slots(key)
            wanted = min(slots, max(room, 1))
            if used + wanted > room:
                who = tuple(name for name, _, _ in holders)
                text = f"is ready, and {_limit_name(key)} is full ({used} of {room})"
                told = [f"`{name}`{self._elsewhere(owner)}" for name, _, owner in holders[:SHOWN]]
                text += ": held by " + ", ".join(told) if told else ""
                found.append(Blocker("limit", text, key, who[:SHOWN]))
            elif (elsewhere := self._shared_out(key, wanted, room)) is not None:
                found.append(elsewhere)
        return found + [each for each in map(self._rate, task.node.rate_limits) if each is not None]

    def _holders(self, key: str) -> Iterator[tuple[str, int, int]]:
        """Who holds how many slots of a limit, and at which engine; those of other runs by run and key."""
        for task in self.scratch().tasks.values():
            yield from ((task.key, slots, self.run.owner) for held, slots in task.held if held == key)
        if key.startswith(("run:", "scope:")):
            return
        for other, row, node in self._others():
            slots = node.pools.get(key[5:], 0) if key.startswith("pool:") else 0
            if key.startswith("key:") and any(each.key == key[4:] for each in node.concurrency):
                slots = 1
            if slots:
                yield f"{other.uid} {row.key}", min(slots, max(self.state.slots(key), 1)), other.owner

    def _elsewhere(self, owner: int) -> str:
        return f" at the engine {self._name(owner)!r}" if owner != self.run.owner else ""

    def _name(self, engine: int) -> str:
        if not self._names:
            self._names = {each.engine: each.name for each in self.reader.engines()}
        return self._names.get(engine) or str(engine)

    def _shared_out(self, key: str, wanted: int, room: int) -> Blocker | None:
        """Slots that nobody uses, or none that is seen to, but that other engines have for theirs."""
        found = None if key.startswith(LOCAL) else LIMITS.get(self.reader, key)
        if found is None:
            return None
        stakes = {each: stake for each, stake in found.value.stakes.items() if each != self.run.owner}
        shares = {each: stake for each, stake in stakes.items() if stake.share > 0}
        if sum(stake.share for stake in shares.values()) + wanted <= room:
            return None
        names = tuple(self._name(each) for each in shares)
        told = [
            f"{self._name(each)!r} has {stake.share}{' and is gone' if stake.until else ''}"
            for each, stake in shares.items()
        ]
        text = f"is ready, and other engines have {_limit_name(key)}, of {room} slots: {', '.join(told)}"
        return Blocker("limit", text, key, names)

    def _others(self) -> Iterator[tuple[RunRow, TaskRow, Node]]:
        """The attempts under way of other open runs."""
        for other in self.reader.runs("state:running,paused", limit=1000):
            if other.run == self.run.run:
                continue
            rows = {row.idx: row for row in self.reader.tasks(other.run, limit=1_000_000)}
            nodes = NodesByRow(self.reader.graph(other.graph), self.reader.nodes(other.run), rows.get)
            waited_for = {
                row.parent for row in rows.values() if row.kind == "call" and not row.state.terminal
            }
            for row in rows.values():
                if row.state not in LIVE or row.idx in waited_for:
                    continue  # A flow that waits for its calls holds nothing.
                node = nodes.of(row)
                if not isinstance(node.call, GroupCall) and (node.map is None or row.kind == "item"):
                    yield other, row, node

    def _rate(self, rate: RateLimit) -> Blocker | None:
        """A rate limit that allows no start now, judged by the latest start of each attempt."""
        since = self.now - rate.per_s
        starts: list[float] = []
        for row in self.all_rows():
            node = self.nodes.of(row)
            if row.started_at is not None and row.started_at > since and _names_rate(node, row, rate.key):
                starts.append(row.started_at)
        if len(starts) < rate.count:
            return self._shared_out(f"rate:{rate.key}", 1, rate.count)
        until = min(starts) + rate.per_s
        allowed = f"{rate.count} starts in {duration(rate.per_s)}"
        text = f"is ready, and the rate limit {rate.key!r} allows {allowed}: it goes on at {moment(until)}"
        return Blocker("rate", text, rate.key, (), until)

    def inside(self, holder: Task) -> Blocker:
        """Why something that an open task run would hold is not there."""
        if isinstance(holder.body, Map):
            limit = holder.node.map.max_active if holder.node.map is not None else None
            live = [item.key for item in holder.body.live.values()]
            ended = f"{holder.body.done} of {holder.body.count} have ended"
            text = f"is an item of `{holder.key}` that has not started: {ended}"
            if limit is not None and len(live) >= limit:
                text += f", and {limit} at once are allowed"
            elif full := self._full(holder):
                text += f"; it {full[0].text}"
            return Blocker("map", text, holder.key, tuple(live[:SHOWN]))
        if holder.is_flow:
            calls = list(holder.body.calls.values()) if isinstance(holder.body, Flow) else []
            waits = [call.key for call in calls if call.state not in TERMINAL]
            text = f"the flow `{holder.key}` has not called it"
            if waits:
                text += ": it waits for " + ", ".join(f"`{each}`" for each in waits[:SHOWN])
            return Blocker("flow", text, holder.key, tuple(waits[:SHOWN]))
        first = self.of(holder)[:1]
        text = f"`{holder.key}`, which holds it, has not begun"
        return Blocker("holder", f"{text}: {first[0].text}" if first else text, holder.key, (holder.key,))


def is_open(task: Task) -> bool:
    """Whether it is under way and holds others that are."""
    return task.state is _T.RUNNING and (isinstance(task.body, Scope | Map) or _has_open_calls(task))


def _has_open_calls(task: Task) -> bool:
    body = task.body
    return isinstance(body, Flow) and any(call.state not in TERMINAL for call in body.calls.values())


def _limit_name(key: str) -> str:
    kind, _, name = key.partition(":")
    if kind == "pool":
        return f"the pool {name!r}"
    if kind == "key":
        return f"the concurrency key {name!r}"
    if kind == "rate":
        return f"the rate limit {name!r}"
    return "the run's max_active" if kind == "run" else "its group's max_active"


def _names_rate(node: Node, row: TaskRow, key: str) -> bool:
    """Whether the row's attempts count for a rate limit."""
    if isinstance(node.call, GroupCall) or (node.map is not None and row.kind != "item"):
        return False
    return any(rate.key == key for rate in node.rate_limits)
