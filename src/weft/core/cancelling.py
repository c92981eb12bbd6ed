"""Stopping task runs and what they hold."""

from weft.core.changes import Cause
from weft.core.failing import end_flow
from weft.core.maps import end_map
from weft.core.scopes import SURVIVES_CANCEL, check_scope
from weft.core.state import Flow, Map, Scope, Task
from weft.core.turn import Turn
from weft.model.attempts import Ended
from weft.model.states import TERMINAL, TaskState

_T = TaskState


def cancel(turn: Turn, task: Task, cause: Cause) -> None:
    """Stop a task run and what it holds; teardowns and exit handlers of a stopped group still run."""
    state = task.state
    if state in TERMINAL:
        return
    body = task.body
    if task.executor:
        turn.stop(task, cause)
        if isinstance(body, Flow):
            for call in list(body.calls.values()):
                cancel(turn, call, cause)
        return
    task.cancelling = cause
    task.forgotten = False
    if isinstance(body, Scope) and state is _T.RUNNING:
        cancel_scope(turn, body, cause)
        check_scope(turn, task, body)
    elif isinstance(body, Map) and state is _T.RUNNING:
        body.stopped = body.stopped or cause
        for item in list(body.live.values()):
            cancel(turn, item, cause)
        if not body.live:
            end_map(turn, task, body)
    elif isinstance(body, Flow) and body.open:
        # A suspended flow ends once its calls have.
        body.closing = Ended(task.id, _T.CANCELLED)
        for call in list(body.calls.values()):
            cancel(turn, call, cause)
        if body.open == 0 and body.closing is not None:
            end_flow(turn, task, body)
    else:
        turn.finish(task, _T.CANCELLED, cause)


def cancel_scope(turn: Turn, scope: Scope, cause: Cause) -> None:
    """Stop the nodes of a group, but for those that run because it is being stopped."""
    scope.cancelled = True
    force = bool(scope.tasks) and scope.tasks[0].run.force
    for task in scope.tasks:
        if force or task.node.role not in SURVIVES_CANCEL:
            cancel(turn, task, cause)
