"""Maps and calls: giving a map its items and its end, and telling calls that what they read has ended."""

from weft.core.changes import Cause, MapExpanded
from weft.core.state import Map, Run, Task
from weft.core.turn import Turn
from weft.model.errors import ErrorInfo
from weft.model.states import TERMINAL, TaskState
from weft.model.values import NONE, Result

_T = TaskState


def expand(turn: Turn, task: Task, items: tuple[Result, ...], stored: Result | None) -> None:
    """Give a map its items."""
    run = task.run
    spec = task.node.map
    assert spec is not None
    if spec.max_items is not None and len(items) > spec.max_items:
        message = f"{len(items)} items are more than max_items={spec.max_items}"
        turn.finish(task, _T.FAILED, Cause.ITEMS, error=ErrorInfo("weft.InvalidPolicy", message, "W1106"))
        return
    base = run.next_idx
    run.next_idx += len(items)
    if not items:
        skip = spec.empty == "skip"
        task.body = Map((), base)
        turn.finish(task, _T.SKIPPED if skip else _T.SUCCEEDED, Cause.EMPTY)
        return
    body = install_map(run, task, items, base)
    turn.move(task, _T.RUNNING, Cause.ITEMS, detail=f"{len(items)} items")
    reference = stored if stored is not None else NONE
    turn.changes.append(MapExpanded(run.id, task.idx, turn.now, base, len(items), reference, task.generation))
    task.body = body
    turn.enqueue(task)


def install_map(run: Run, task: Task, items: tuple[Result, ...], base: int) -> Map:
    """Make the map's body and let its items be found by index."""
    body = task.body = Map(items, base)
    run.maps[base] = task
    bases = run.map_bases
    if bases and bases[-1] > base:
        bases.append(base)
        bases.sort()
    else:
        bases.append(base)
    return body


def end_map(turn: Turn, owner: Task, body: Map) -> None:
    """End a map whose items have."""
    if owner.state in TERMINAL:
        return
    body.queued = False
    spec = owner.node.map
    assert spec is not None
    if body.dependents:
        # Items that will never start leave nobody waiting.
        for waiting in body.dependents.values():
            tell_dependents(turn, waiting, owner.idx)
        body.dependents = None
    if body.failed > spec.tolerate:
        key, first = body.first_error or ("", None)
        message = f"{body.failed} of {body.count} items failed; {key}: {first.message if first else ''}"
        error = ErrorInfo(
            first.type if first else "weft.TaskFailed",
            message[:2000],
            first.code if first else "W2000",
            first.traceback if first else "",
        )
        turn.finish(owner, _T.FAILED, Cause.ITEMS, by=body.base, error=error)
    elif body.stopped is not None or body.cancelled:
        turn.finish(owner, _T.CANCELLED, body.stopped or Cause.CANCELLED)
    elif body.skipped == body.count:
        turn.finish(owner, _T.SKIPPED, Cause.ITEMS)
    else:
        turn.finish(owner, _T.SUCCEEDED, Cause.ITEMS)


def tell_dependents(turn: Turn, dependents: list[Task], by: int) -> None:
    """Tell calls that something which they read has ended."""
    for each in dependents:
        each.unmet -= 1
        if each.unmet == 0:
            ready_call(turn, each, by=by)


def ready_call(turn: Turn, task: Task, *, by: int = -1) -> None:
    """Start a flow's call whose upstream has all ended, or end it if it cannot use how they did."""
    if task.state is not _T.PENDING or task.forgotten:
        return
    for upstream, tolerated in task.upstream_states():
        state, error = upstream
        if not state.ok and not tolerated:
            reason = f"an argument's task {state}" + (f": {error.message}" if error and error.message else "")
            info = ErrorInfo("weft.UpstreamFailed", reason[:500], "W2004")
            if state is _T.SKIPPED:
                turn.finish(task, _T.SKIPPED, Cause.UPSTREAM, by=by)
            else:
                turn.finish(task, _T.UPSTREAM_FAILED, Cause.UPSTREAM, by=by, error=info)
            return
    task.state = _T.READY
    turn.ready.append(task)
