"""An exception as data: what the store keeps and people read about a failed attempt.

Making it must never fail itself, whatever user code raised: an exception may have a ``__str__`` that raises,
a pickle that does not open, or come when no memory is left.
"""

import os
import traceback
from types import TracebackType

from weft.model.errors import ErrorInfo, TaskFailed, WeftError
from weft.runtime import masking

MESSAGE_MAX = 4096
TRACEBACK_MAX = 16384
PICKLE_MAX = 65536

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PACKAGE = os.path.dirname(_OURS.rstrip(os.sep)) + os.sep


def describe(exc: BaseException, *, code: str = "", exit_code: int | None = None) -> ErrorInfo:
    """The exception as an ``ErrorInfo``.

    Args:
        exc: What was raised.
        code: A Weft code; by default that of a ``WeftError``.
        exit_code: Of a process, or of ``SystemExit``.
    """
    user_frames(exc)
    if isinstance(exc, WeftError) and not code:
        code = exc.code
    kind = type(exc)
    try:
        if isinstance(exc, MemoryError):
            traceback.clear_frames(exc.__traceback__)
        return ErrorInfo(
            type=qualified(kind),
            message=cut(masking.mask_text(_message(exc)), MESSAGE_MAX),
            code=code,
            traceback=cut(masking.mask_text(_format(exc)), TRACEBACK_MAX),
            mro=tuple(qualified(each) for each in kind.__mro__ if each is not object),
            exit_code=exit_code,
            pickled=pickle_exception(exc),
        )
    except MemoryError:
        exc.__traceback__ = None
        return ErrorInfo(qualified(kind), "no memory was left to describe it", code, exit_code=exit_code)


def named(error: type[TaskFailed], message: str, exc: BaseException | None = None) -> ErrorInfo:
    """A failure that Weft itself names (a timeout, a cancellation...), with where user code was, if known."""
    text = ""
    if exc is not None:
        user_frames(exc)
        text = cut(masking.mask_text(_format(exc)), TRACEBACK_MAX)
    return ErrorInfo(error.__name__, message, error.code, text)


def qualified(kind: type) -> str:
    """``module.Name`` of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters: the first quarter and the end, which says what happened."""
    if len(text) <= limit:
        return text
    mark = f"\n... {len(text) - limit} characters left out ...\n"
    head = limit // 4
    return text[:head] + mark + text[-(limit - head - len(mark)) :]


def user_frames(exc: BaseException) -> None:
    """Drop the runtime's own frames from the top of the traceback, unless all are."""
    tb: TracebackType | None = exc.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_OURS):
        tb = tb.tb_next
    if tb is not None:
        exc.__traceback__ = tb


def pickle_exception(exc: BaseException) -> bytes | None:
    """The exception by cloudpickle, if it is small and opens again as the same class."""
    import cloudpickle  # noqa: PLC0415 - takes 15 ms to import, and most runs have no failure

    try:
        data: bytes = cloudpickle.dumps(exc)
        if len(data) > PICKLE_MAX or (masking.hidden and masking.mask(data) != data):
            return None
        if type(cloudpickle.loads(data)) is type(exc):
            return data
    except Exception:  # Classes of the user's may raise anything here; then the description has to do.
        pass
    return None


def _message(exc: BaseException) -> str:
    try:
        return str(exc)
    except Exception as broken:
        return f"(its text could not be made: {type(broken).__name__})"


def _format(exc: BaseException) -> str:
    try:
        if isinstance(exc, WeftError):
            return _format_coded(exc)
        return "".join(traceback.format_exception(exc))
    except Exception as broken:
        frames = "".join(traceback.format_tb(exc.__traceback__))
        return f"{frames}{qualified(type(exc))} (its text could not be made: {type(broken).__name__})"


def _format_coded(exc: WeftError) -> str:
    """A coded error says all itself: where user code was is worth adding, what Weft did inside is not."""
    frames = [
        frame for frame in traceback.extract_tb(exc.__traceback__) if not frame.filename.startswith(_PACKAGE)
    ]
    head = "Traceback (most recent call last):\n" if frames else ""
    return head + "".join(traceback.format_list(frames)) + f"{qualified(type(exc))}: {exc}\n"
