"""From a failed attempt to the next one, or to the end; and the end of a flow, whose calls end before it."""

from typing import Any

from weft.core.changes import Cause
from weft.core.policies.retrying import retries
from weft.core.state import Flow, Map, Scope, Task
from weft.core.turn import Turn
from weft.model.attempts import Ended
from weft.model.errors import ErrorInfo
from weft.model.graph import HookOn
from weft.model.states import TERMINAL, TaskState

_T = TaskState


def fail(
    turn: Turn,
    task: Task,
    cause: Cause,
    error: ErrorInfo | None,
    *,
    verdict: bool | None = None,
    by: int = -1,
    **facts: Any,
) -> None:
    """End an attempt as failed: try again if the policy says so, else end the task run."""
    task.failures += 1
    first = task.first_at if task.first_at is not None else turn.now
    seed = f"{task.run.uid}/{task.idx}"
    pause, why = retries(
        task.node.retry,
        failures=task.failures,
        error=error,
        verdict=verdict,
        first_at=first,
        now=turn.now,
        seed=seed,
    )
    if task.cancelling is not None:
        pause, why = None, "it is being cancelled"
    if pause is None:
        detail = why if task.node.retry is not None else ""
        turn.finish(task, _T.FAILED, cause, by=by, error=error, detail=detail, **facts)
        return
    again(turn, task, pause, cause, error=error, by=by, **facts)


def again(
    turn: Turn,
    task: Task,
    pause_s: float,
    cause: Cause,
    *,
    error: ErrorInfo | None = None,
    by: int = -1,
    **facts: Any,
) -> None:
    """Schedule the next attempt after a pause."""
    turn.release(task)
    forget_failures(turn, task)
    due_at = turn.now + pause_s
    task.due_at = due_at
    task.error = error
    drop_scope(task)
    turn.move(task, _T.RETRYING, cause, by=by, error=error, due_at=due_at, **facts)
    turn.hook(task, HookOn.RETRY)
    if pause_s > 0:
        turn.timer(due_at, "retry", task, task.attempt)
    else:
        task.due_at = None
        turn.ready.append(task)


def forget_failures(turn: Turn, task: Task) -> None:
    """Before a flow is retried: its calls that failed are made again, the rest is replayed."""
    flow = task.body
    if not isinstance(flow, Flow):
        return
    for call in flow.calls.values():
        if call.state in (_T.FAILED, _T.UPSTREAM_FAILED, _T.CANCELLED):
            forget_call(turn, call, Cause.RETRY)


def forget_journal(turn: Turn, flow: Flow, cause: Cause) -> None:
    """Clear all of a flow's calls, because it is made again with other arguments."""
    for call in flow.calls.values():
        if call.state in TERMINAL:
            forget_call(turn, call, cause)
        if isinstance(call.body, Flow):
            forget_journal(turn, call.body, cause)


def forget_call(turn: Turn, call: Task, cause: Cause) -> None:
    """Clear a call that ended, so that it is made anew when the flow calls it again."""
    parent = call.parent
    assert parent is not None
    assert isinstance(parent.body, Flow)
    call.generation += 1
    call.failures = 0
    call.first_at = None
    turn.move(call, _T.PENDING, cause)
    call.forgotten = True
    call.prepared = call.checked = False
    parent.body.open += 1
    if isinstance(call.body, Map):
        call.body = None
    # A flow keeps its own journal: made again with the same arguments, it is replayed up to what failed.
    forget_failures(turn, call)


def end_flow(turn: Turn, task: Task, flow: Flow) -> None:
    """End a flow whose body has returned and whose calls have all ended."""
    ended = flow.closing
    assert ended is not None
    flow.closing = None
    facts: dict[str, Any] = {
        "worker": ended.worker,
        "started_at": ended.started_at,
        "cpu_s": ended.cpu_s,
        "rss_peak": ended.rss_peak,
        "log_size": ended.log_size,
    }
    if ended.state is _T.FAILED and (task.cancelling is None or not _was_stopped(ended)):
        fail(turn, task, Cause.RAISED, ended.error, verdict=ended.retry, **facts)
    elif ended.state is _T.SUCCEEDED:
        turn.finish(task, _T.SUCCEEDED, Cause.RETURNED, result=ended.result, **facts)
    elif ended.state is _T.SKIPPED:
        turn.finish(task, _T.SKIPPED, Cause.RAISED, error=ended.error, **facts)
    else:
        turn.finish(task, _T.CANCELLED, task.cancelling or Cause.CANCELLED, error=ended.error, **facts)


def _was_stopped(ended: Ended) -> bool:
    """Whether a flow failed because what it waited for was cancelled."""
    return ended.error is not None and ended.error.code == "W2003"


def drop_scope(task: Task) -> None:
    """Forget the task runs of a group that has ended; what reads it has its result."""
    scope = task.body
    if isinstance(scope, Scope):
        for each in scope.tasks:
            task.run.tasks.pop(each.idx, None)
        task.body = None
