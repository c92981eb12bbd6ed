"""From rows back to memory: how an engine goes on with a run that another process left.

Rows hold what is not derivable. Everything else is worked out here: upstream counts from the states of the
nodes, a map's progress from its items' rows, what is ready from both. Attempts that nobody carries out any
more are lost, and are tried again without counting against the task's retries.
"""

from weft.core.cancelling import cancel
from weft.core.changes import Cause, RunAdded, RunChanged
from weft.core.dispatch import hold_found, make_item, note_maxima
from weft.core.events import RUN_ENDS, Restored
from weft.core.flows import link, prefix_of_calls, task_outputs
from weft.core.maps import end_map, install_map, ready_call
from weft.core.nodes import NodesByRow
from weft.core.plan import limits_any
from weft.core.run_end import end_run
from weft.core.scopes import check_scope, consider, install_scope, note_outcome
from weft.core.state import CANCEL, CANCEL_FORCED, CODE, NEVER, Flow, Map, Run, Scope, Task
from weft.core.turn import Turn, executor_of
from weft.core.waits import resume_wait
from weft.model.calls import GroupCall
from weft.model.graph import HookOn, Role
from weft.model.inputs import Const
from weft.model.rows import RunRow, SignalRow, TaskRow
from weft.model.states import LIVE, TERMINAL, RunState, TaskState
from weft.model.values import Plain
from weft.model.waits import ChildrenWait

_T = TaskState


def restore(turn: Turn, event: Restored) -> None:
    """Put a stored run into the state and let it go on."""
    Restoration(turn, event).go()


class Restoration:
    """The work of restoring one run."""

    def __init__(self, turn: Turn, event: Restored) -> None:
        self.turn = turn
        self.event = event
        snapshot = event.snapshot
        self.run = Run(
            run_added(snapshot.run),
            turn.state.compiled(snapshot.run.graph, snapshot.graph),
            event.epoch,
            turn.state.executor,
        )
        self.run.born = turn.state.sequence
        self.run.node_refs = dict(snapshot.nodes)
        self.run.limited = self.run.limited or any(
            limits_any(node.groups) for node in snapshot.nodes.values()
        )
        self.rows: dict[int, list[TaskRow]] = {}
        self.root_row: TaskRow | None = None
        self.hooks: list[TaskRow] = []
        self.maps = {each.idx: each for each in snapshot.maps}
        self.unfinished: list[Task] = []
        self.scopes: list[Task] = []
        self.open_maps: list[Task] = []
        self.causes: dict[int, str] = {}

    def go(self) -> None:
        """Rebuild, then resume."""
        turn, run, row = self.turn, self.run, self.event.snapshot.run
        turn.state.runs[run.id] = run
        run.state = row.state
        run.started_at = row.started_at or row.created_at
        self._sort_rows()
        self._signals()
        if run.state in (RunState.QUEUED, RunState.SCHEDULED) or (
            run.state is RunState.PAUSED and self.event.resume
        ):
            run.state = RunState.RUNNING
            turn.changes.append(RunChanged(run.id, run.state, turn.now, Cause.RESUMED))
        root = run.root
        root.inline = self.event.inline
        if self.root_row is not None:
            self._apply(root, self.root_row)
        self._build(root)
        self._hooks()
        self._rollbacks()
        if run.graph.timeout_s is not None and root.state not in TERMINAL:
            # A run that a person runs again gets its time anew.
            since = turn.now if root.generation else run.started_at
            turn.timer(since + run.graph.timeout_s, "run", root, 0)
        had_ended = root.state in TERMINAL
        self._resume()
        if had_ended:
            run.ending = RUN_ENDS[root.state]
            end_run(turn, run)
            return
        if root.state in TERMINAL:
            return  # All of it had ended, as a person's mark can make it: its end goes the usual way.
        if self.root_row is None or root.state is _T.PENDING:
            root.state = _T.READY
            turn.ready.append(root)
        if run.cancelling:
            cancel(turn, root, Cause.CANCELLED)

    def _sort_rows(self) -> None:
        last = 0
        for row in self.event.snapshot.tasks:
            last = max(last, row.idx)
            if row.kind == "root":
                self.root_row = row
            elif row.kind == "hook":
                self.hooks.append(row)
            else:
                self.rows.setdefault(row.parent, []).append(row)
        for spread in self.maps.values():
            last = max(last, spread.base + spread.count - 1)
        self.run.next_idx = last + 1

    def _signals(self) -> None:
        for signal in self.event.snapshot.signals:
            if signal.name == CANCEL:
                self._cancelled(signal)
                continue
            self.run.seen_signals.add(signal.signal_id)
            if signal.consumer < 0:
                self.run.signals.append((signal.name, signal.signal_id, signal.payload))

    def _cancelled(self, signal: SignalRow) -> None:
        """Somebody cancelled the run; unless that was carried out, it still holds."""
        if signal.consumer < 0:
            self.run.seen_signals.add(signal.signal_id)
            self.run.cancelling = True
            self.run.force = self.run.force or signal.signal_id == CANCEL_FORCED

    def _apply(self, task: Task, row: TaskRow) -> None:
        task.added = True
        if task.node.daemon:
            self.causes[task.idx] = row.cause
        task.state = row.state
        task.attempt = row.attempt
        task.generation = row.generation
        task.failures = row.failures
        task.result = row.result
        task.error = row.error
        task.due_at = row.due_at
        task.wait = row.wait
        task.chosen = row.chosen
        if row.state is not _T.PENDING:
            # Of a later generation the start is known only as far as its latest attempt.
            task.first_at = row.first_at if not row.generation else row.started_at or row.changed_at
        if row.inputs and row.kind not in ("call", "hook"):
            given = row.inputs.items()
            task.bound = {name: Plain(each.value) for name, each in given if isinstance(each, Const)}
        task.forgotten = row.kind == "call" and row.state is _T.PENDING and row.generation > 0

    def _build(self, top: Task) -> None:
        pending = [top]
        while pending:
            task = pending.pop()
            pending.extend(self._children(task))
            if task.state not in TERMINAL:
                self.unfinished.append(task)

    def _children(self, task: Task) -> list[Task]:
        if task.node.map is not None and task.kind != "item":
            return self._items(task)
        if isinstance(task.node.call, GroupCall):
            return self._nodes(task, task.node.call) if task.state is _T.RUNNING else []
        if task.is_flow:
            return self._calls(task)
        return []

    def _nodes(self, task: Task, call: GroupCall) -> list[Task]:
        scope = install_scope(task, call)
        rows = {row.key: row for row in self.rows.get(task.idx, ())}
        for made in scope.tasks:
            row = rows.get(made.key)
            if row is not None:
                self.run.tasks.pop(made.idx, None)
                made.idx = row.idx
                self.run.tasks[made.idx] = made
                self._apply(made, row)
        self.scopes.append(task)
        return scope.tasks

    def _items(self, task: Task) -> list[Task]:
        spread = self.maps.get(task.idx)
        if spread is None or spread.generation != task.generation:
            return []
        # The items of a graph's own constant map are in the graph only.
        fixed = task.node.map.fixed if task.node.map is not None else None
        items = self.event.items.get(task.idx, fixed or ())
        body = install_map(self.run, task, items, spread.base)
        live: list[Task] = []
        for row in self.rows.get(task.idx, ()):
            index = row.map_index
            if row.idx != spread.base + index:
                continue
            body.next = max(body.next, index + 1)
            if row.state in TERMINAL:
                self._count_item(body, row)
            elif task.state not in TERMINAL:
                item = make_item(task, body, index)
                self._apply(item, row)
                if row.state is _T.PENDING:
                    body.cleared[index] = body.live.pop(index)
                    self.run.tasks.pop(item.idx)
                else:
                    live.append(item)
        self._gaps(body)
        if task.state is _T.RUNNING:
            self.open_maps.append(task)
        return live

    @staticmethod
    def _count_item(body: Map, row: TaskRow) -> None:
        index = row.map_index
        body.codes[index] = CODE[row.state]
        body.done += 1
        if row.state.ok:
            body.results[index] = row.result
        elif row.state is _T.SKIPPED:
            body.skipped += 1
        elif row.state is _T.CANCELLED:
            body.cancelled += 1
        else:
            body.failed += 1
            body.errors[index] = row.error
            if body.first_error is None:
                body.first_error = (row.key, row.error)

    @staticmethod
    def _gaps(body: Map) -> None:
        """Items below the highest one started that have no row: they had been made ready, not begun."""
        body.again.extend(
            index for index in range(body.next) if not body.codes[index] and index not in body.live
        )

    def _calls(self, task: Task) -> list[Task]:
        flow = task.body = Flow()
        begin = len(prefix_of_calls(task))
        made: list[Task] = []
        for row in sorted(self.rows.get(task.idx, ()), key=lambda each: each.idx):
            node = self.run.node_refs[row.node]
            call = Task(self.run, row.idx, row.key, node, "call", task)
            call.node_ref = row.node
            call.ordinal = row.ordinal
            call.fingerprint = row.fingerprint
            call.inputs = row.inputs
            self._apply(call, row)
            self.run.tasks[call.idx] = call
            flow.calls[call.key[begin:]] = call
            if call.state not in TERMINAL:
                flow.open += 1
            made.append(call)
        # In order of index, so that of two calls at one place the later one is found there.
        places = {call.ordinal: call for call in made if call.ordinal >= 0}
        flow.journal = [places[at] for at in sorted(places)]
        flow.anew = min(
            (call.ordinal for call in made if call.generation and call.ordinal >= 0), default=NEVER
        )
        return made

    def _hooks(self) -> None:
        for row in self.hooks:
            holder = self.run.tasks.get(row.parent, self.run.root)
            hook = Task(self.run, row.idx, row.key, self.run.node_refs[row.node], "hook", holder)
            hook.node_ref = row.node
            hook.inputs = row.inputs
            self._apply(hook, row)
            self.run.by_key[row.key] = hook
            if hook.state not in TERMINAL:
                self.run.tasks[hook.idx] = hook
                self.run.open_hooks += 1
                self.unfinished.append(hook)

    def _rollbacks(self) -> None:
        succeeded = [row for row in self.event.snapshot.tasks if row.state is _T.SUCCEEDED]
        nodes = NodesByRow.of_snapshot(self.event.snapshot)
        for row in sorted(succeeded, key=lambda each: (each.changed_at, each.idx)):
            node = nodes.of(row)
            if (node.map is not None and row.kind != "item") or row.kind == "hook":
                continue
            numbers = [at for at, hook in enumerate(node.hooks) if hook.on is HookOn.ROLLBACK]
            if not numbers or f"{row.key}!rollback{numbers[0]}.{row.generation}" in self.run.by_key:
                continue
            task = self.run.tasks.get(row.idx)
            if task is None:
                # Its group or map has ended and is not rebuilt.
                task = Task(self.run, row.idx, row.key, node, row.kind, self.run.root)
                self._apply(task, row)
            self.run.rollbacks.append(task)

    def _resume(self) -> None:
        for owner in self.scopes:
            assert isinstance(owner.body, Scope)
            self._count(owner.body)
        for task in self.unfinished:
            if isinstance(task.wait, ChildrenWait) and task.state is _T.WAITING:
                self._remember(task.wait)
        for task in self.unfinished:
            self._resume_task(task)
        for owner in self.open_maps:
            body = owner.body
            assert isinstance(body, Map)
            if body.done == body.count:
                end_map(self.turn, owner, body)
            elif body.more and not body.queued:
                self.turn.enqueue(owner)
        for owner in reversed(self.scopes):
            scope = owner.body
            if isinstance(scope, Scope):
                for task in scope.tasks:
                    if task.node.role is not Role.EXIT:
                        consider(self.turn, task)
                check_scope(self.turn, owner, scope)
                if scope.closing:
                    for at in scope.plan.exits:
                        consider(self.turn, scope.tasks[at])

    def _remember(self, wait: ChildrenWait) -> None:
        """What a suspended flow waits for it has called again, with all that this reads."""
        pending = list(wait.tasks)
        while pending:
            idx = pending.pop()
            task = self.run.tasks.get(idx)
            if task is None:
                found = self.run.map_at(idx)
                task = None if found is None else found[0]
            if task is not None and task.state not in TERMINAL:
                task.forgotten = False
                pending += [each.idx for source in task.inputs.values() for each in task_outputs(source)]

    def _count(self, scope: Scope) -> None:
        for task in scope.tasks:
            ended = task.state in TERMINAL
            if task.node.daemon:
                task.daemon_up = self._was_up(task)
            if not ended and not task.daemon_up:
                continue
            if task.node.role is Role.EXIT:
                scope.exits_open -= 1
            else:
                scope.open -= 1
                scope.daemons += not ended
                if not task.daemon_up:
                    note_outcome(scope, task)
            state = _T.SUCCEEDED if task.daemon_up else task.state
            for at in scope.plan.down[task.pos]:
                counts = scope.tasks[at].counts
                assert counts is not None
                counts.add(state, setup=task.node.role is Role.SETUP)

    def _was_up(self, daemon: Task) -> bool:
        """Whether a daemon counts as done: it runs still, or was stopped because its group had ended."""
        if daemon.state is _T.RUNNING:
            return daemon.id in self.event.alive
        return daemon.state in TERMINAL and self.causes.get(daemon.idx) == Cause.SCOPE_ENDED

    def _resume_task(self, task: Task) -> None:
        turn, state = self.turn, task.state
        timeout = task.node.timeout
        a_map = isinstance(task.body, Map)
        if timeout is not None and timeout.total_s is not None and task.first_at is not None and not a_map:
            turn.timer(task.first_at + timeout.total_s, "total", task, task.generation)
        if isinstance(task.body, Scope | Map) and state is _T.RUNNING:
            return
        if state in LIVE:
            self._reattach(task)
        elif state is _T.LOST:
            turn.enqueue(task)
        elif state is _T.RETRYING:
            if task.due_at is not None and task.due_at > turn.now:
                turn.timer(task.due_at, "retry", task, task.attempt)
            else:
                turn.ready.append(task)
        elif state is _T.WAITING and task.wait is not None:
            resume_wait(turn, task, task.wait, task.due_at, record=False, facts={})
        elif state is _T.PENDING and task.kind == "hook":
            turn.ready.append(task)
        elif state is _T.PENDING and task.kind == "call" and not task.forgotten:
            link(task)
            if task.unmet == 0:
                ready_call(turn, task)

    def _reattach(self, task: Task) -> None:
        turn = self.turn
        if task.id in self.event.alive:
            task.executor = executor_of(task)
            turn.state.inflight[task.executor] = turn.state.inflight.get(task.executor, 0) + 1
            note_maxima(turn.state, task)
            hold_found(turn.state, task)
            timeout = task.node.timeout
            if task.state is _T.QUEUED and timeout is not None and timeout.queued_s is not None:
                turn.timer(turn.now + timeout.queued_s, "queued", task, task.attempt)
            return
        if isinstance(task.node.call, GroupCall):
            # Its instance was never written: open it again.
            turn.move(task, _T.PENDING, Cause.RECOVERED)
            turn.ready.append(task)
            return
        turn.move(task, _T.LOST, Cause.ENGINE_DIED)
        turn.enqueue(task)


def run_added(row: RunRow) -> RunAdded:
    """The change that made a run, from its row."""
    return RunAdded(
        row.run,
        row.uid,
        row.workflow,
        row.graph,
        row.created_at,
        row.dialect,
        row.params,
        row.tags,
        row.project,
        row.key,
        row.parent_run,
        row.parent_task,
        row.facts,
        row.queue,
    )
