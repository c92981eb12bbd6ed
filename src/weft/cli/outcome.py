"""What ``weft run``, ``runs resume`` and ``runs retry`` say at a run's end, and their exit code."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.cli.output import emit, run_object, task_object
from weft.cli.style import say
from weft.embedded import LocalHost
from weft.model.errors import ErrorInfo, UntrustedValue
from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState
from weft.observability.counting import one_line
from weft.observability.terminal import paint
from weft.runtime.host import Pending
from weft.store.protocol import Reader

_PAGE = 1000
_FAILURES_READ = 100
_PREVIEW = 1000


def finish(host: LocalHost, pending: Pending, *, json: bool) -> int:
    """Say how a run that was seen through ended, and give the exit code.

    Args:
        host: The engine that ran it.
        pending: Its settled handle.
        json: Whether one JSON object is wanted instead of the result.
    """
    return tell(host, host.store.run_by_id(pending.run), json=json)


class Told(Protocol):
    """Where a run that has ended is told from: an engine's process, or what a reading command opened."""

    @property
    def store(self) -> Reader:
        """Its rows."""

    @property
    def artifacts(self) -> Artifacts:
        """Its values."""


def tell(host: Told, row: RunRow, *, json: bool) -> int:
    """Say how a run has ended, and give the exit code."""
    if json:
        emit(whole(row, host.store, host.artifacts))
    elif row.state is not RunState.SUCCEEDED:
        _explain(row, host.store)
    elif row.result is not None:
        try:
            value = host.artifacts.loads(row.result)
        except UntrustedValue:
            print(host.artifacts.preview(row.result, limit=_PREVIEW))
        else:
            if value is not None:
                print(_shown(value))
    return 0 if row.state is RunState.SUCCEEDED else 1


def whole(row: RunRow, reader: Reader, artifacts: Artifacts) -> dict[str, Any]:
    """A run with its result in full and its task runs, as JSON."""
    shown = run_object(row, artifacts, whole=True)
    maps = {each.idx for each in reader.maps(row.run)}
    shown["tasks"] = [
        task_object(each, artifacts) for each in work(reader, row.run) if each.idx not in maps or each.error
    ]
    return shown


def work(reader: Reader, run: int, where: str = "") -> Iterator[TaskRow]:
    """The task runs of a run that stand for a step of the user's: all but the root."""
    after = 0
    while rows := reader.tasks(run, where, after=after, limit=_PAGE):
        yield from rows
        after = rows[-1].idx
        if len(rows) < _PAGE:
            return


def _shown(value: Any) -> str:
    """A result for people."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list | tuple | msgspec.Struct):
        try:
            return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        except (TypeError, ValueError, OverflowError):
            pass
    return repr(value)


def _explain(row: RunRow, reader: Reader) -> None:
    """What failed, with the user's own traceback."""
    failed = list(islice(work(reader, row.run, "state:failed"), _FAILURES_READ))
    # A map or a flow fails because of what is in it: that is what to look at.
    first = next((each for each in failed if each.attempt), next(iter(failed), None))
    cause = row.error if first is None or first.error is None else first.error
    if cause is not None and cause.traceback:
        say(paint(cause.traceback.rstrip(), "dim"))
    report_failure(row, first, row.error)


def report_failure(row: RunRow, task: TaskRow | None, error: ErrorInfo | None) -> None:
    """The ``error:`` lines of a run that did not succeed."""
    cause = error if error is not None else task.error if task is not None else None
    what = "" if cause is None else f": {one_line(cause)}"
    print(f"{paint('error:', 'red')} W2100: run {row.uid} {row.state}{what}", file=sys.stderr)
    if task is not None:
        print(f"  {paint('where:', 'dim')} {task.key}, attempt {task.attempt}", file=sys.stderr)
    ref = row.uid
    print(
        f"  {paint('hint:', 'dim')} weft why {ref} explains it; weft runs retry {ref} tries again",
        file=sys.stderr,
    )
