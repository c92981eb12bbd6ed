"""The endings that no user code wrote: what an executor answers for an attempt that it stopped or lost."""

import signal
import time

import msgspec

from weft.model.attempts import Attempt, Ended
from weft.model.errors import ErrorInfo, ExecutorError, NotSerializable, TaskCancelled, TaskLost, TaskTimeout
from weft.model.states import TaskState
from weft.runtime.failure import named

_OOM_HINT = (
    "; the kernel does that when memory runs out: look for 'out of memory' in its log, "
    "give the task more memory or run fewer at once"
)


def cancelled(attempt: Attempt) -> Ended:
    """It was cancelled before it began."""
    error = named(TaskCancelled, "it was cancelled before it began")
    return Ended(attempt.id, TaskState.CANCELLED, error=error, ended_at=time.time())


def stopped(attempt: Attempt, ended: Ended, *, timed_out: bool, killed: bool = False) -> Ended:
    """It ended because it was asked to, or killed because it did not listen; ``ended`` has the facts."""
    how = ", and was killed because it did not stop when asked" if killed else ""
    if timed_out:
        state = TaskState.FAILED
        error = named(TaskTimeout, f"it ran longer than its limit of {attempt.timeout_s:g} s{how}")
    else:
        state = TaskState.CANCELLED
        error = named(TaskCancelled, f"it was cancelled while it ran{how}")
    trace = ended.error.traceback if ended.error is not None else ""
    exit_code = ended.error.exit_code if ended.error is not None else None
    error = msgspec.structs.replace(error, traceback=trace, exit_code=exit_code)
    return msgspec.structs.replace(
        ended, state=state, error=error, result=None, retry=None, chosen=None, wait=None, outputs={}
    )


def lost(
    attempt: Attempt, exit_code: int, *, worker: str = "", started_at: float = 0.0, log_size: int = 0
) -> Ended:
    """The process that carried it out is dead."""
    if exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        what = f"its process was killed by {name}"
        if -exit_code == signal.SIGKILL:
            what += _OOM_HINT
    else:
        what = f"its process exited with code {exit_code}"
    return Ended(
        attempt.id,
        TaskState.LOST,
        error=msgspec.structs.replace(named(TaskLost, what), exit_code=exit_code),
        started_at=started_at,
        ended_at=time.time(),
        worker=worker,
        log_size=log_size,
    )


def unstarted(attempt: Attempt, what: str) -> Ended:
    """No worker could be started for it."""
    error = ErrorInfo(ExecutorError.__name__, what, ExecutorError.code)
    return Ended(attempt.id, TaskState.LOST, error=error, ended_at=time.time())


def unsendable(attempt: Attempt, exc: Exception) -> Ended:
    """It cannot be encoded for its way to a worker."""
    error = ErrorInfo(NotSerializable.__name__, f"it cannot be sent to a worker: {exc}", NotSerializable.code)
    return Ended(attempt.id, TaskState.FAILED, error=error, ended_at=time.time())
