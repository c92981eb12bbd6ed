"""What follows from what: from ready to underway, and from ended to whatever that lets happen.

``activate`` takes a task run whose upstream lets it start and opens its group, expands its map, begins its
wait or queues it. ``propagate`` takes one that ended and tells its downstream, its map, its group, its flow
and its run. Both work on one task run and its direct edges; ``step`` calls them until nothing is left.
"""

from weft.core.cancelling import cancel, cancel_scope
from weft.core.changes import Cause
from weft.core.commands import Prepare
from weft.core.events import RUN_ENDS
from weft.core.failing import drop_scope, end_flow
from weft.core.maps import end_map, expand, tell_dependents
from weft.core.run_end import end_run
from weft.core.scopes import check_scope, follow_branch, note_outcome, open_scope, tell_downstream
from weft.core.state import CODE, Flow, Map, Scope, Task
from weft.core.turn import PAUSED, Turn
from weft.core.waits import begin_wait
from weft.model.calls import GroupCall, MarkCall, WaitCall
from weft.model.graph import HookOn, Role
from weft.model.states import LIVE, TERMINAL, TaskState
from weft.model.values import NONE

_T = TaskState


def activate(turn: Turn, task: Task) -> None:
    """Begin a task run whose upstream allows it."""
    if task.state in TERMINAL or task.state in LIVE or task.forgotten:
        return
    run = task.run
    if run.state is PAUSED:
        run.held.append(task)
        return
    node = task.node
    item = task.kind == "item"
    wants = task.traits.prepares_items if item else task.traits.prepares and task.body is None
    if wants and not task.prepared:
        if task.state is _T.PENDING:
            task.state = _T.READY
        turn.commands.append(Prepare(run.id, task.idx, task.generation))
        return
    call = node.call
    if isinstance(task.body, Map):
        turn.move(task, _T.RUNNING, Cause.ITEMS)
        turn.enqueue(task)
    elif node.map is not None and not item:
        expand(turn, task, node.map.fixed or (), None)
    elif isinstance(call, GroupCall):
        open_scope(turn, task, call)
    elif isinstance(call, WaitCall):
        begin_wait(turn, task, call.wait)
    elif isinstance(call, MarkCall):
        turn.finish(task, _T.SUCCEEDED, Cause.CALLED, result=task.result or NONE)
    else:
        turn.enqueue(task)


_HOOKS = {
    _T.SUCCEEDED: HookOn.SUCCESS,
    _T.CACHED: HookOn.SUCCESS,
    _T.FAILED: HookOn.FAILURE,
    _T.UPSTREAM_FAILED: HookOn.FAILURE,
    _T.SKIPPED: HookOn.SKIP,
    _T.CANCELLED: HookOn.CANCEL,
}


def propagate(turn: Turn, task: Task) -> None:
    """Draw the consequences of a task run's end."""
    if task.node.hooks and (task.node.map is None or task.kind == "item"):
        if task.state is not _T.UPSTREAM_FAILED:
            turn.hook(task, _HOOKS[task.state])
            turn.hook(task, HookOn.END)
        if task.state is _T.SUCCEEDED and any(hook.on is HookOn.ROLLBACK for hook in task.node.hooks):
            task.run.rollbacks.append(task)
    kind = task.kind
    if kind == "item":
        _item_ended(turn, task)
    elif kind == "node":
        _node_ended(turn, task)
    elif kind == "call":
        _call_ended(turn, task)
    elif kind == "hook":
        task.run.open_hooks -= 1
        task.run.tasks.pop(task.idx, None)
        end_run(turn, task.run)
    else:
        task.run.ending = RUN_ENDS[task.state]
        end_run(turn, task.run)
    if task.dependents:
        tell_dependents(turn, task.dependents, task.idx)
        task.dependents = None


def _item_ended(turn: Turn, item: Task) -> None:
    owner = item.parent
    assert owner is not None
    body = owner.body
    assert isinstance(body, Map)
    index = item.map_index
    state = item.state
    body.live.pop(index, None)
    item.run.tasks.pop(item.idx, None)
    drop_scope(item)
    body.codes[index] = CODE[state]
    body.done += 1
    spec = owner.node.map
    assert spec is not None
    if state.ok:
        body.results[index] = item.result if item.result is not None else NONE
    elif state is _T.SKIPPED:
        body.skipped += 1
    else:
        body.errors[index] = item.error
        if state is _T.CANCELLED:
            body.cancelled += 1
        else:
            body.failed += 1
            if body.first_error is None:
                body.first_error = (item.key, item.error)
            if spec.fail_fast and body.failed > spec.tolerate and body.stopped is None:
                body.stopped = Cause.FAIL_FAST
                for other in list(body.live.values()):
                    cancel(turn, other, Cause.FAIL_FAST)
    if body.dependents:
        waiting = body.dependents.pop(index, None)
        if waiting:
            tell_dependents(turn, waiting, item.idx)
    if body.done == body.count or (body.stopped is not None and not body.live):
        end_map(turn, owner, body)
    elif body.more and not body.queued:
        turn.enqueue(owner)


def _node_ended(turn: Turn, task: Task) -> None:
    owner = task.parent
    assert owner is not None
    scope = owner.body
    if not isinstance(scope, Scope):
        return
    node = task.node
    state = task.state
    drop_scope(task)
    if node.role is Role.EXIT:
        scope.exits_open -= 1
    elif task.daemon_up:
        scope.daemons -= 1
    else:
        scope.open -= 1
        note_outcome(scope, task)
        if state is _T.FAILED and scope.plan.group.fail_fast and scope.failed is None:
            scope.failed = task
        if node.branch is not None and state.ok:
            follow_branch(turn, scope, task)
        tell_downstream(turn, scope, task)
        if state is _T.FAILED and scope.plan.group.fail_fast and not scope.cancelled:
            cancel_scope(turn, scope, Cause.FAIL_FAST)
    if node.role is Role.EXIT:
        tell_downstream(turn, scope, task)
    check_scope(turn, owner, scope)


def _call_ended(turn: Turn, task: Task) -> None:
    flow_task = task.parent
    drop_scope(task)
    if flow_task is None or not isinstance(flow_task.body, Flow):
        return
    flow = flow_task.body
    flow.open -= 1
    if flow.waits_for is not None and task.idx in flow.waits_for and flow_task.state is _T.WAITING:
        flow.waits_for = None
        turn.enqueue(flow_task)
    if flow.closing is not None and flow.open == 0:
        end_flow(turn, flow_task, flow)
