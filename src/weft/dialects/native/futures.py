"""Handles on task runs that were submitted: futures, and lists of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from weft.artifacts.artifacts import Artifacts
from weft.model.errors import (
    ErrorInfo,
    NonDeterminism,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSkipped,
    TaskTimeout,
    UpstreamFailed,
)
from weft.model.inputs import TaskOutput
from weft.model.states import TaskState
from weft.model.values import Result
from weft.runtime.flows import Frame
from weft.runtime.host import Pending, Settled, wait_async

T = TypeVar("T")

_BY_CODE: dict[str, type[TaskFailed]] = {
    each.code: each for each in (TaskTimeout, TaskLost, TaskCancelled, UpstreamFailed, TaskSkipped)
}
_BY_STATE: dict[TaskState, type[TaskFailed]] = {
    TaskState.CANCELLED: TaskCancelled,
    TaskState.SKIPPED: TaskSkipped,
    TaskState.UPSTREAM_FAILED: UpstreamFailed,
}


class Future(Generic[T]):
    """A task run that was submitted by a flow.

    Pass it as an argument and the task that gets it waits for it. In an async flow it can be awaited.
    """

    __slots__ = ("_frame", "_index", "_name", "_pending")

    def __init__(self, frame: Frame, pending: Pending, name: str, index: int = -1) -> None:
        self._frame = frame
        self._pending = pending
        self._name = name
        self._index = index

    def __repr__(self) -> str:
        settled = self._settled()
        return f"<Future {self._name} {settled.state if settled else 'running'}>"

    def done(self) -> bool:
        """Whether it has ended, however it did."""
        return self._settled() is not None or self._pending.over

    @property
    def state(self) -> TaskState | None:
        """How it ended; ``None`` while it has not."""
        settled = self._settled()
        return settled.state if settled is not None else None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it ends; False when ``timeout`` seconds passed first."""
        if self._index >= 0:
            self._pending.eager = True
        return self._frame.wait(self._pending, self.done, timeout)

    def result(self, timeout: float | None = None) -> T:
        """Its value.

        Raises:
            TimeoutError: It had not ended after ``timeout`` seconds.
            Exception: What the task raised, where that could be sent here.
            TaskFailed: Or one of its kinds, if it ended without a value in another way.
        """
        if not self.done() and not self.wait(timeout):
            raise TimeoutError(f"{self._name} has not ended after {timeout} s")
        value: T = self._open()
        return value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What ``result`` would raise; ``None`` if it would not."""
        try:
            self.result(timeout)
        except TimeoutError:
            if not self.done():
                raise
            return None
        except Exception as exc:
            return exc
        return None

    def __await__(self) -> Generator[Any, None, T]:
        yield from wait_async(self._pending, self.done, eager=self._index >= 0).__await__()
        value: T = self._open()
        return value

    def output(self, path: tuple[str | int, ...] = (), *, allow_failure: bool = False) -> TaskOutput:
        """This task run's result as an input of another."""
        self._seen()
        idx = self._pending.idx if self._index < 0 else self._pending.base + self._index
        return TaskOutput(idx, path, allow_failure)

    def _settled(self) -> Settled | None:
        pending = self._pending
        if self._index < 0:
            return pending.settled
        settled = pending.items.get(self._index)
        if settled is None and pending.settled is not None:
            # The map was stopped before this item began.
            return Settled(TaskState.CANCELLED, None, pending.settled.error)
        return settled

    def _seen(self) -> None:
        pending = self._pending
        if self._index >= 0:
            pending.seen.add(self._index)
            if len(pending.seen) < pending.count:
                return
        self._frame.open.pop(pending.idx, None)

    def _open(self) -> Any:
        self._seen()
        self._frame.check(self._pending)
        settled = self._settled()
        assert settled is not None
        return value_of(settled, self._frame, self._name)


class FutureList(Sequence[Future[T]], Generic[T]):
    """The futures of a ``.map``, one an item, in item order. Pass it as an argument to reduce over it."""

    __slots__ = ("_frame", "_name", "_pending")

    def __init__(self, frame: Frame, pending: Pending, name: str) -> None:
        self._frame = frame
        self._pending = pending
        self._name = name

    def __repr__(self) -> str:
        return f"<FutureList {self._name} {len(self._pending.items)}/{len(self)}>"

    def __len__(self) -> int:
        return self._pending.count

    @overload
    def __getitem__(self, at: int) -> Future[T]: ...
    @overload
    def __getitem__(self, at: slice) -> list[Future[T]]: ...
    def __getitem__(self, at: int | slice) -> Future[T] | list[Future[T]]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        index = at + len(self) if at < 0 else at
        if not 0 <= index < len(self):
            raise IndexError(f"{self._name} has {len(self)} items, and not item {at}")
        return Future(self._frame, self._pending, f"{self._name}[{index}]", index)

    def __iter__(self) -> Iterator[Future[T]]:
        for index in range(len(self)):
            yield Future(self._frame, self._pending, f"{self._name}[{index}]", index)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every item has ended; False when ``timeout`` seconds passed first."""
        return self._frame.wait(self._pending, None, timeout)

    def done(self) -> bool:
        """Whether every item has ended."""
        return self._pending.over

    def result(self, timeout: float | None = None) -> list[T]:
        """The values in item order. Raises as ``Future.result`` does, for the first item that failed."""
        if not self.wait(timeout):
            raise TimeoutError(f"{self._name} has not ended after {timeout} s")
        return self._open()

    def __await__(self) -> Generator[Any, None, list[T]]:
        yield from wait_async(self._pending, None).__await__()
        return self._open()

    def output(self, *, allow_failure: bool = False) -> TaskOutput:
        """All the values, in order, as one input of another task."""
        self._frame.open.pop(self._pending.idx, None)
        return TaskOutput(self._pending.idx, (), allow_failure)

    def _open(self) -> list[T]:
        self._frame.open.pop(self._pending.idx, None)
        pending = self._pending
        self._frame.check(pending)
        settled = pending.settled
        assert settled is not None
        if settled.state.ok:
            loads = self._frame.host.artifacts.loads
            found = (pending.items.get(index) for index in range(pending.count))
            return [
                loads(item.result) if item is not None and item.result is not None else None  # type: ignore[misc]  # a tolerated failure reads as None
                for item in found
            ]
        for index in range(pending.count):
            item = pending.items.get(index)
            if item is not None and item.state in (TaskState.FAILED, TaskState.UPSTREAM_FAILED):
                value_of(item, self._frame, f"{self._name}[{index}]")
        value_of(settled, self._frame, self._name)
        return []


def value_of(settled: Settled, frame: Frame, name: str) -> Any:
    """The value of a task run that ended, or the exception that says why there is none."""
    if settled.state.ok:
        return None if settled.result is None else frame.host.artifacts.loads(settled.result)
    raise failure(settled.state, settled.error, name, frame.host.artifacts)


def failure(state: TaskState, error: ErrorInfo | None, name: str, artifacts: Artifacts) -> BaseException:
    """The exception for a task run that ended without a value."""
    original: BaseException | None = None
    if error is not None and error.pickled is not None:
        original = _original(error.pickled, artifacts)
        # A task's SystemExit or Fail must not end the flow in the same way.
        if isinstance(original, Exception):
            original.add_note(f"raised in task {name}")
            if error.traceback:
                original.add_note(error.traceback)
            return original
    message = error.message if error is not None else ""
    if error is not None and error.code == NonDeterminism.code:
        return NonDeterminism(message, where=name)
    kind = _BY_STATE.get(state) or (_BY_CODE.get(error.code, TaskFailed) if error is not None else TaskFailed)
    what = f"task {name} {state.value.replace('_', ' ')}"
    if error is not None and error.type and not error.code:
        message = f"{error.type}: {message}"
    failed = kind(f"{what}: {message}" if message else what, where=name, error=error)
    failed.__cause__ = original
    return failed


def _original(pickled: bytes, artifacts: Artifacts) -> BaseException | None:
    """The exception as it was raised, if it can be had again here."""
    try:
        found = artifacts.loads(Result("pickle", pickled, None, len(pickled)))
    except Exception:
        return None
    return found if isinstance(found, BaseException) else None
