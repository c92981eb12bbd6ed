"""What user code raises to end its attempt in another way, and what an executor raises to stop it.

All derive from ``BaseException``, as ``asyncio.CancelledError`` does, so that a task's own
``except Exception`` does not swallow them.
"""

from weft.model.waits import Wait


class Signal(BaseException):
    """Raised by user code: the attempt ends as the signal says."""


class Skip(Signal):
    """End this task as skipped.

    Args:
        reason: Shown to people.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Fail(Signal):
    """Fail this task now, without another try whatever its retry policy says.

    Args:
        reason: Shown to people.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class WaitFor(Signal):
    """Let go of the worker and run again when the wait is over.

    Args:
        wait: What to wait for.
    """

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait)
        self.wait = wait


class Interrupt(BaseException):
    """Raised inside user code by an executor that wants it to stop; never by user code."""


class TimedOut(Interrupt):
    """The attempt ran longer than its timeout."""


class Cancelled(Interrupt):
    """The attempt was cancelled."""
