"""What another process asks of a run, as the event that does it."""

from weft.core.changes import Cause
from weft.core.events import Answered, CancelRun, CancelTask, Event, PauseRun, ResumeRun, Sent
from weft.model.values import NONE
from weft.store.protocol import Request


def event_of(request: Request) -> Event | None:
    """The event, which has no effect the second time; ``None`` for edits and what a newer Weft asks."""
    payload = request.payload or NONE
    if request.kind == "send":
        return Sent(request.run, request.name, payload, request.request_id)
    if request.kind == "answer":
        return Answered(request.run, request.idx, payload, request.by)
    if request.kind == "cancel":
        return CancelRun(request.run, request.force, f"asked by {request.by}" if request.by else "")
    if request.kind == "pause":
        return PauseRun(request.run, Cause.PAUSED)
    if request.kind == "resume":
        return ResumeRun(request.run)
    if request.kind == "cancel_task":
        return CancelTask(request.run, request.idx)
    return None
