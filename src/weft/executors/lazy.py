"""An executor that is built when its first attempt comes: a script that never uses it never loads it."""

import threading
from collections.abc import Callable, Iterable, Sequence

from weft.executors.protocol import Executor, Sink
from weft.model.attempts import Attempt, AttemptId


class LazyExecutor:
    """Stands in for an executor until it is needed.

    Args:
        name: The executor's name.
        build: Makes it.
        capacity: What to say of its capacity before it exists.
    """

    durable = False

    def __init__(self, name: str, build: Callable[[], Executor], *, capacity: int) -> None:
        self.name = name
        self._build = build
        self._capacity = capacity
        self._built: Executor | None = None
        self._sink: Sink | None = None
        self._closed = False
        self._lock = threading.Lock()

    def start(self, sink: Sink) -> None:
        """See ``Executor.start``."""
        self._sink = sink

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """See ``Executor.submit``; the first one builds and starts the executor."""
        self._real().submit(attempts)

    def cancel(self, ids: Iterable[AttemptId], *, grace_s: float = 5.0) -> None:
        """See ``Executor.cancel``."""
        if self._built is not None:
            self._built.cancel(ids, grace_s=grace_s)

    def capacity(self) -> int:
        """See ``Executor.capacity``."""
        return self._capacity if self._built is None else self._built.capacity()

    def reattach(self, ids: Iterable[AttemptId]) -> set[AttemptId]:
        """See ``Executor.reattach``: what does not exist carries nothing out."""
        return set() if self._built is None else self._built.reattach(ids)

    def close(self, *, grace_s: float = 5.0) -> None:
        """See ``Executor.close``."""
        with self._lock:
            self._closed = True
        if self._built is not None:
            self._built.close(grace_s=grace_s)

    def _real(self) -> Executor:
        with self._lock:
            if self._built is None:
                built = self._build()
                assert self._sink is not None
                built.start(self._sink)
                self._built = built
            return self._built
