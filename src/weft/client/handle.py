"""A run that was started: wait for it, get its result, stop it.

Waiting asks again and again, at first often, then once a second: it holds no connection, so that a thousand
waiting clients cost the service as many small requests and nothing else, and a service that is started anew
meanwhile is not noticed.
"""

from typing import Any

from msgspec import UNSET

from weft.client import operations
from weft.client.call import Sleep, Steps
from weft.client.face import F, Handle, procedure
from weft.client.models import Asked, Cancel, RunDetail
from weft.client.patience import Patience, exchange
from weft.model.errors import RunFailed, TimedOut, UntrustedValue
from weft.model.states import RunState

_FIRST_S = 0.02
_LONGEST_S = 1.0
_GROWTH = 1.5


def _wait(run: "RunHandle[Any]", *, timeout_s: float | None = None) -> Steps[RunDetail]:
    """Wait for the run's end, however it ends.

    Args:
        timeout_s: How long at most; ``None`` is for ever.

    Returns:
        The run.

    Raises:
        TimedOut: It has not ended in time; it goes on.
    """
    begin: float = yield Sleep(0)
    pause_s = _FIRST_S
    while True:
        found = yield from exchange(operations.show_run(run.id), run.patience)
        if RunState(found.state).terminal:
            return found
        now: float = yield Sleep(0)
        if timeout_s is not None and now - begin + pause_s > timeout_s:
            raise TimedOut(
                f"run {run.id} has not ended within {timeout_s:g} s: it is {found.state}",
                where=run.id,
                hint="it goes on; wait again",
            )
        yield Sleep(pause_s)
        pause_s = min(pause_s * _GROWTH, _LONGEST_S)


def _result(run: "RunHandle[Any]", *, timeout_s: float | None = None) -> Steps[Any]:
    """Wait for the run's end, and get what it returned.

    Raises:
        RunFailed: It did not succeed; the fields ``state`` and ``error`` tell more.
        UntrustedValue: It returned what is no plain data, or too much to send; a task can publish a part.
        TimedOut: It has not ended in time.
    """
    found = yield from _wait(run, timeout_s=timeout_s)
    if found.state != RunState.SUCCEEDED:
        error = found.error
        raise RunFailed(
            f"run {found.id} {found.state}" + (f": {error.type}: {error.message}" if error else ""),
            where=found.workflow,
            hint=f"weft why {found.id} explains it",
            state=found.state,
            error=error,
        )
    view = found.result
    if view is not None and view.value is UNSET:
        root = yield from exchange(operations.show_result(run.id, 0), run.patience)
        view = root.value or view
    if view is None:
        return None
    if view.value is UNSET:
        raise UntrustedValue(
            f"the result of run {run.id} is {view.format} of {view.size:,} bytes, and is not sent",
            where=run.id,
            hint="return plain data of at most 1 MB, or read it where the run ran",
            preview=view.preview,
        )
    return view.value


def _show(run: "RunHandle[Any]") -> Steps[RunDetail]:
    """How the run stands now."""
    return (yield from exchange(operations.show_run(run.id), run.patience))


def _cancel(run: "RunHandle[Any]", *, force: bool = False) -> Steps[Asked]:
    """Stop the run.

    Args:
        force: Without teardowns and exit handlers.
    """
    return (yield from exchange(operations.cancel_run(run.id, Cancel(force=force)), run.patience))


class RunHandle(Handle[F]):
    """A run of a ``Client`` (``RunHandle[Sync]``) or of an ``AsyncClient`` (``RunHandle[Async]``)."""

    wait = procedure(_wait)
    result = procedure(_result)
    show = procedure(_show)
    cancel = procedure(_cancel)

    @property
    def patience(self) -> Patience:
        """How often its calls are sent."""
        face: Any = self._face
        return face.patience  # type: ignore[no-any-return]  # both faces have one
