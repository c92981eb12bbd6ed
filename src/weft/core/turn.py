"""One step in the making: the changes and commands so far, and the moves that make them.

Everything that alters a task run's state goes through ``Turn.move``, so that no state changes without a
change that says so, and none against the tables. What follows from a move (downstream, hooks, group ends) is
put on the lists ``ended`` and ``ready``, which ``step`` works off: nothing here calls back up.
"""

from collections import deque
from hashlib import blake2b
from heapq import heappush
from typing import Any

import msgspec

from weft.core.changes import Cause, Change, NodeAdded, TaskAdded, TaskChanged
from weft.core.commands import Command, Stop
from weft.core.plan import limits_any
from weft.core.state import FLOW, INLINE, Flow, Map, Run, Scope, State, Task
from weft.core.transitions import TASK, check_task
from weft.model.calls import GroupCall
from weft.model.errors import ErrorInfo
from weft.model.graph import HookOn, Node
from weft.model.inputs import Const
from weft.model.states import RunState, TaskState
from weft.model.values import Plain, Result

_PENDING, _READY = TaskState.PENDING, TaskState.READY
PAUSED = RunState.PAUSED


class Turn:
    """The state, the time, and what this step has decided so far.

    Attributes:
        ended: Task runs that just became terminal, with consequences still to be drawn.
        ready: Task runs whose upstream lets them start.
        freed: Limit keys that got a slot back.
    """

    __slots__ = ("changes", "commands", "ended", "freed", "now", "ready", "state")

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.now = now
        self.changes: list[Change] = []
        self.commands: list[Command] = []
        self.ended: deque[Task] = deque()
        self.ready: deque[Task] = deque()
        self.freed: deque[str] = deque()

    def introduce(self, task: Task) -> None:
        """Write the task run's identity, unless its row exists."""
        task.added = True
        item = task.kind == "item"
        call = task.kind == "call" or task.kind == "hook"
        inputs = task.inputs if call else {}
        if task.bound and isinstance(task.node.call, GroupCall):
            # What its nodes read for as long as it is open cannot be evaluated anew after a crash.
            inputs = inputs | {
                name: Const(each.result) for name, each in task.bound.items() if type(each) is Plain
            }
        self.changes.append(
            TaskAdded(
                task.run.id,
                task.idx,
                task.key,
                task.name,
                self.now,
                task.kind,
                "" if item else task.node_ref if call else task.node.key,
                -1 if task.parent is None else task.parent.idx,
                task.map_index,
                task.ordinal,
                task.fingerprint,
                inputs,
            )
        )

    def move(self, task: Task, new: TaskState, cause: Cause, *, by: int = -1, **extra: Any) -> None:
        """Change a task run's state, durably when this step's changes are committed."""
        if new not in TASK[task.state]:
            check_task(task.state, new)
        if not task.added:
            self.introduce(task)
        task.state = new
        self.changes.append(
            TaskChanged(
                task.run.id,
                task.idx,
                new,
                task.attempt,
                self.now,
                cause,
                by,
                task.generation,
                task.failures,
                **extra,
            )
        )

    def finish(
        self,
        task: Task,
        state: TaskState,
        cause: Cause,
        *,
        by: int = -1,
        result: Result | None = None,
        error: ErrorInfo | None = None,
        **extra: Any,
    ) -> None:
        """End a task run; its consequences are drawn later in this step."""
        if state is TaskState.CANCELLED and task.cancelling is Cause.TIMEOUT:
            state, cause = TaskState.FAILED, Cause.TIMEOUT
            error = ErrorInfo("weft.TaskTimeout", "not done within its time", "W2001")
        task.result = result
        task.error = error
        self.leave_line(task)
        if result is not None:
            extra["result"] = result
        if error is not None:
            extra["error"] = error
        self.release(task)
        self.move(task, state, cause, by=by, **extra)
        task.queued = False
        task.wait = None
        task.due_at = None
        task.cancelling = None
        self.ended.append(task)

    def leave_line(self, task: Task) -> None:
        """Give up the place in a limit's line, if any: the next one there gets its turn."""
        holder = task.holder
        if holder.line:
            self.freed.append(holder.line)
            holder.line = ""

    def release(self, task: Task) -> None:
        """Give back the executor's room and the slots of a live attempt."""
        if not task.executor:
            return
        self.state.inflight[task.executor] -= 1
        task.executor = ""
        self.let_go(task)

    def let_go(self, task: Task) -> None:
        """Give back the slots of a live attempt, which goes on without them."""
        if task.held:
            used = self.state.used
            for key, slots in task.held:
                used[key] -= slots
                self.freed.append(key)
            task.held = ()

    def stop(self, task: Task, cause: Cause) -> None:
        """Ask the executor to stop a live attempt, once unless it is forced."""
        if task.cancelling is None or task.run.force:
            task.cancelling = cause
            self.commands.append(Stop(task.executor, task.id))

    def enqueue(self, task: Task) -> None:
        """Put a task run, or a map with items to start, into its executor's ready queue."""
        run = task.run
        if run.state is PAUSED:
            run.held.append(task)
            return
        body = task.body
        if isinstance(body, Map):
            body.queued = True
        else:
            task.queued = True
            if task.state is _PENDING:
                task.state = _READY
        state = self.state
        state.sequence += 1
        queue = state.queues.setdefault(executor_of(task), [])
        heappush(queue, (-task.node.priority, state.sequence, task))

    def timer(self, at: float, kind: str, task: Task, guard: int) -> None:
        """Fire a timer of ``kind`` at a task run; ``guard`` lets a stale one be told."""
        self.state.sequence += 1
        heappush(self.state.timers, (at, self.state.sequence, kind, task.run.id, task.idx, guard))

    def hook(self, task: Task, moment: HookOn) -> None:
        """Start the hooks that a task run has for this moment."""
        for number, hook in enumerate(task.node.hooks):
            if hook.on is not moment:
                continue
            run = task.run
            node = Node(
                key=f"{hook.name or moment.value}{number}",
                call=hook.call,
                inputs=hook.inputs,
                name=hook.name or f"on_{moment.value}",
            )
            self.start_hook(run, task, node, f"{task.key}!{moment.value}{number}.{task.attempt}")

    def start_hook(self, run: Run, task: Task, node: Node, key: str) -> bool:
        """Add a hook's task run and make it ready; False if it was there already."""
        if key in run.by_key:
            return False
        made = Task(run, run.next_idx, key, node, "hook", task)
        run.next_idx += 1
        made.node_ref = self.intern(run, node)
        run.tasks[made.idx] = made
        run.by_key[key] = made
        run.open_hooks += 1
        self.introduce(made)
        self.ready.append(made)
        return True

    def intern(self, run: Run, node: Node, digest: str = "") -> str:
        """Make sure that the store knows a node which is in no group; returns its digest."""
        if not digest:
            digest = digest_of(node)
        if digest not in run.node_refs:
            run.node_refs[digest] = node
            run.limited = run.limited or limits_any(node.groups)
            self.changes.append(NodeAdded(run.id, digest, node))
        return digest


def digest_of(node: Node) -> str:
    """A stable name for a node: equal nodes have equal ones."""
    return blake2b(msgspec.msgpack.encode(node, order="deterministic"), digest_size=12).hexdigest()


def executor_of(task: Task) -> str:
    """Where the task run's attempts go."""
    if task.inline:
        return INLINE
    if task.is_flow:
        return FLOW
    return task.node.placement.executor or task.run.default_executor


def holds_others(task: Task) -> bool:
    """Whether the task run holds task runs of its own and needs no executor."""
    return isinstance(task.node.call, GroupCall) or isinstance(task.body, Map | Scope)


def children_of(task: Task) -> list[Task]:
    """The task runs in memory that this one holds."""
    body = task.body
    if isinstance(body, Scope):
        return list(body.tasks)
    if isinstance(body, Map):
        return list(body.live.values())
    if isinstance(body, Flow):
        return list(body.calls.values())
    return []
