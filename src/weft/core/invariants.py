"""What must hold of the state in memory after every step: invariants I3 and I5, and what they rest on.

``history.py`` has the checks over what was committed. Both are for tests, for the simulation and for ``weft
verify``; the engine itself never calls them, because they look at everything.

The heart is I3: whatever has not ended must have something that will move it on. For each state there is a
short list of such movers (a live attempt, a place in a queue, a limit that somebody will give back, a timer,
a wait, values that are being looked into, a pause), and a task run with none of them is stuck for ever.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NoReturn

from weft.core.events import Dropped, Event, Prepared
from weft.core.policies.rules import Counts, Decision
from weft.core.shares import demands
from weft.core.state import UNBOUNDED, Flow, Map, Run, Scope, State, Task
from weft.model.errors import InvariantViolation
from weft.model.graph import Role
from weft.model.states import LIVE, RUN_TERMINAL, TERMINAL, RunState, TaskState
from weft.model.waits import ApprovalWait, ChildrenWait, EventWait

_T = TaskState


def check_state(state: State, coming: Iterable[Event] = (), *, alone: bool = True) -> None:
    """Check everything that one engine's core knows, between two steps.

    Args:
        state: What the core knows.
        coming: Events that the engine has taken in but not stepped yet; answers to ``Prepare`` among them
            move their task runs on.
        alone: Whether no other engine had any of the runs. One that takes over another's live attempts may
            hold more slots than there are, until they end.

    Raises:
        InvariantViolation: A promise is broken; ``fields`` name the invariant, the run and the task run.
    """
    Check(state, coming, alone).all()


class Check:
    """One look at a state."""

    def __init__(self, state: State, coming: Iterable[Event], alone: bool) -> None:
        self.state = state
        self.alone = alone
        self.inflight: Counter[str] = Counter()
        self.used: Counter[str] = Counter()
        events = list(coming)
        self.preparing = {(each.run, each.idx) for each in events if isinstance(each, Prepared)}
        self.dropped = {each.run for each in events if isinstance(each, Dropped)}
        self.queued = {id(task) for queue in state.queues.values() for _, _, task in queue}
        self.parked = {(id(task), key) for key, parked in state.parked.items() for _, _, task in parked}
        self.woken = {task.holder.line for queue in state.queues.values() for _, _, task in queue}
        self.timers = {
            (kind, run, idx, guard)
            for _, sequence, kind, run, idx, guard in state.timers
            if kind.startswith("rate:") or (run in state.runs and sequence > state.runs[run].born)
        }
        self.held: set[int] = set()

    def all(self) -> None:
        """Check every run, then what the runs share."""
        for run in self.state.runs.values():
            self._run(run)
        self._limits()
        self._queues()

    # --- limits (I5) --------------------------------------------------------------------------------------

    def _limits(self) -> None:
        state = self.state
        for name in self.inflight.keys() | state.inflight.keys():
            told, counted = state.inflight.get(name, 0), self.inflight[name]
            if told != counted:
                _broken("I5", f"executor {name!r} has {counted} attempts, and {told} are counted")
        for key in self.used.keys() | state.used.keys():
            told, counted = state.used.get(key, 0), self.used[key]
            if told != counted:
                _broken("I5", f"live attempts hold {counted} slots of {key}, and {told} are counted")
            if self.alone and key.startswith("key:") and counted > state.slots(key):
                _broken("I5", f"{counted} slots of {key} are held, which has {state.slots(key)}")

    def _queues(self) -> None:
        state = self.state
        for name, queue in state.queues.items():
            room = name in UNBOUNDED or state.inflight.get(name, 0) < state.limits.get(name, 0)
            for _, _, task in queue:
                if room and _stands(task) and task.run.id in state.runs:
                    _broken("I3", f"executor {name!r} has room, and this one is not started", task)
        for key, parked in state.parked.items():
            # Who was woken for the limit wakes the next one when its turn comes.
            if (
                key.startswith("rate:")
                or state.used.get(key, 0) > 0
                or state.slots(key) < 1
                or key in self.woken
            ):
                continue
            if state.room(key) < state.slots(key) and state.room(key) < demands(state, [key], 0.0)[key].need:
                continue  # Other engines have the slots, and this one asks for them.
            for _, _, task in parked:
                if (
                    _stands(task)
                    and task.holder.line == key
                    and task.run.id in state.runs
                    and id(task) not in self.queued
                ):
                    _broken("I3", f"it is parked under {key}, which nobody holds", task)

    # --- runs ---------------------------------------------------------------------------------------------

    def _run(self, run: Run) -> None:
        if run.state in RUN_TERMINAL:
            _broken("I10", f"a run that {run.state} is still in memory", run.root)
        self.held = {id(task) for task in run.held} if run.state is RunState.PAUSED else set()
        hooks = 0
        for idx, task in run.tasks.items():
            if task.idx != idx or task.run is not run:
                _broken("I1", f"index {idx} leads to another task run", task)
            hooks += task.kind == "hook" and task.state not in TERMINAL
            self._task(task)
        if run.open_hooks != hooks:
            _broken("I3", f"{hooks} hooks are open, and {run.open_hooks} are counted", run.root)
        if run.root.state in TERMINAL and not hooks:
            _broken("I3", "the root has ended, no hook is open, and the run goes on", run.root)

    def _task(self, task: Task) -> None:
        if task.executor:
            self.inflight[task.executor] += 1
            for key, slots in task.held:
                self.used[key] += slots
            if task.state not in LIVE:
                _broken("I5", f"it is {task.state} and has room in executor {task.executor!r}", task)
            if isinstance(task.body, Flow):
                self._flow(task, task.body)
            return
        if task.held:
            _broken("I5", f"it has no attempt and holds {task.held}", task)
        if task.state in TERMINAL:
            if task.queued or task.forgotten:
                _broken("I10", f"it {task.state}, and stands in a queue or waits to be called again", task)
            return
        body = task.body
        if isinstance(body, Flow):
            self._flow(task, body)
        if isinstance(body, Scope) and task.state is _T.RUNNING:
            self._scope(task, body)
        elif isinstance(body, Map) and task.state is _T.RUNNING:
            self._map(task, body)
        elif task.state in LIVE:
            _broken("I3", f"it is {task.state} and no executor has it", task)
        else:
            self._resting(task)

    # --- what holds others --------------------------------------------------------------------------------

    def _scope(self, owner: Task, scope: Scope) -> None:
        work = exits = daemons = 0
        for task in scope.tasks:
            ended = task.state in TERMINAL
            if task.node.role is Role.EXIT:
                exits += not ended
            elif task.daemon_up:
                daemons += not ended
                if scope.closing and not ended and task.cancelling is None:
                    _broken("I3", "its group has ended, and nobody stops it", task)
            else:
                work += not ended
            self._counts(scope, task)
        found, counted = (work, exits, daemons), (scope.open, scope.exits_open, scope.daemons)
        if found != counted:
            _broken("I3", f"open work, exits and daemons are {found}, and {counted} are counted", owner)
        if not any(found):
            _broken("I3", "everything in the group has ended, and the group goes on", owner)
        if not work and not scope.closing:
            _broken("I3", "the group's work has ended, and its exit handlers do not start", owner)

    def _counts(self, scope: Scope, task: Task) -> None:
        counts = Counts(len(scope.plan.up[task.pos]))
        for at in scope.plan.up[task.pos]:
            before = scope.tasks[at]
            if before.daemon_up:
                counts.add(_T.SUCCEEDED)
            elif before.state in TERMINAL:
                counts.add(before.state)
        told = task.counts
        if told is None:
            _broken("I3", "it does not count its upstream", task)
        found = (counts.total, counts.done, counts.ok, counts.failed, counts.skipped)
        counted = (told.total, told.done, told.ok, told.failed, told.skipped)
        if found != counted:
            _broken("I3", f"its upstream (all, ended, ok, failed, skipped) is {found}, not {counted}", task)

    def _map(self, owner: Task, body: Map) -> None:
        ended = body.count - body.codes.count(0)
        if body.done != ended:
            _broken("I3", f"{ended} items have ended, and {body.done} are counted", owner)
        for index, item in body.live.items():
            if body.codes[index] or item.state in TERMINAL:
                _broken("I3", f"item {index} has ended and is live", owner)
        for index in range(body.next):
            begun = body.codes[index] or index in body.live or index in body.again
            if not begun and body.stopped is None:
                _broken("I1", f"item {index} was made ready and is forgotten", owner)
        if body.queued:
            self._in_queue(owner)
        elif not body.live and id(owner) not in self.held:
            _broken("I3", "no item is live or in a queue, and the map goes on", owner)

    def _flow(self, task: Task, flow: Flow) -> None:
        calls = sum(call.state not in TERMINAL for call in flow.calls.values())
        if flow.open != calls:
            _broken("I3", f"{calls} calls are open, and {flow.open} are counted", task)
        if flow.closing is not None and not calls:
            _broken("I3", "its body is over and its calls have ended, and the flow goes on", task)

    # --- what waits for something -------------------------------------------------------------------------

    def _resting(self, task: Task) -> None:
        """A task run without an attempt: who will move it on?"""
        if task.queued:
            self._in_queue(task)
            return
        if id(task) in self.held or (task.run.id, task.idx) in self.preparing:
            return
        if task.run.id in self.dropped:
            return  # What its last step decided was refused; another engine goes on with it.
        state, run = task.state, task.run.id
        if state is _T.RETRYING:
            if ("retry", run, task.idx, task.attempt) not in self.timers:
                _broken("I3", "it waits for its next try, without a timer", task)
        elif state is _T.WAITING:
            self._waiting(task)
        elif state is _T.PENDING:
            self._pending(task)
        else:
            _broken("I3", f"it is {state}, and nothing will move it on", task)

    def _in_queue(self, task: Task) -> None:
        if id(task) in self.queued or id(task) in self.held:
            return
        key = task.holder.line
        if (id(task), key) not in self.parked:
            _broken("I3", "it should stand in a queue and does not", task)
        if not key.startswith("rate:") or (self.state.shares is not None and not self.state.shares.get(key)):
            return  # Somebody holds the limit, or other engines have the slots.
        if key not in self.woken and not any(timer[0] == key for timer in self.timers):
            _broken("I3", f"it is parked under {key} without a timer", task)

    def _waiting(self, task: Task) -> None:
        wait, run = task.wait, task.run
        if wait is None:
            _broken("I3", "it waits, and nobody knows for what", task)
        if task.due_at is not None:
            if ("wait", run.id, task.idx, task.attempt + task.generation) not in self.timers:
                _broken("I3", "its wait has an end and no timer", task)
            if not isinstance(wait, EventWait):
                return
        if isinstance(wait, EventWait):
            if task not in run.waiting_events.get(wait.name, ()):
                _broken("I3", f"event {wait.name!r} would not find it", task)
            if any(name == wait.name for name, _, _ in run.signals):
                _broken("I3", f"event {wait.name!r} has come, and it waits for it", task)
        elif isinstance(wait, ChildrenWait):
            flow = task.body
            if not isinstance(flow, Flow) or not flow.waits_for:
                _broken("I3", "a suspended flow waits for nobody", task)
            if any(run.state_of(idx)[0] in TERMINAL for idx in flow.waits_for):
                _broken("I3", "a child that a suspended flow waits for has ended", task)
        elif not isinstance(wait, ApprovalWait):
            _broken("I3", "its wait has no end", task)

    def _pending(self, task: Task) -> None:
        if task.forgotten:
            parent = task.parent
            if parent is None or parent.state in TERMINAL:
                _broken("I3", "it waits to be called again by a flow that has ended", task)
            return
        if task.kind == "call":
            unmet = sum(task.run.state_of(idx)[0] not in TERMINAL for idx, _ in task.upstream or ())
            if not unmet or unmet != task.unmet:
                _broken("I3", f"{unmet} task runs that it reads are open; {task.unmet} are counted", task)
            return
        scope = task.parent.body if task.parent is not None else None
        if task.kind != "node" or not isinstance(scope, Scope) or task.counts is None:
            _broken("I3", "it is pending, and nothing will move it on", task)
        if task.node.role is Role.EXIT and not scope.closing:
            return
        if task.traits.decide is None:
            waits = task.counts.done < task.counts.total
        else:
            waits = task.traits.decide(task.counts) is Decision.WAIT
        if not waits:
            _broken("I3", "its upstream lets it start, and it does not", task)


def _stands(task: Task) -> bool:
    """Whether a place in a queue still counts: places are given up by clearing a flag."""
    return task.holder.queued


def _broken(invariant: str, what: str, task: Task | None = None) -> NoReturn:
    fields: dict[str, Any] = {"invariant": invariant}
    where = ""
    if task is not None:
        fields |= {"run": task.run.id, "idx": task.idx}
        where = f"run {task.run.id}, task run {task.idx} {task.key!r} ({task.state}, attempt {task.attempt})"
    raise InvariantViolation(f"{invariant}: {what}", where=where, **fields)
