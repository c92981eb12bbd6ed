"""An executor that carries nothing out: whoever holds it says what becomes of each attempt, and when."""

from collections.abc import Callable, Iterable, Sequence

from weft.executors.protocol import Sink
from weft.model.attempts import Attempt, AttemptId, Ended, Report, Started


class Held:
    """An attempt that a ``FakeExecutor`` was given.

    Attributes:
        attempt: The attempt.
        executor: Through which its reports go; another one after a re-attachment.
        started: Whether ``Started`` was reported.
        cancelling: Whether it was asked to stop.
    """

    __slots__ = ("attempt", "cancelling", "executor", "started")

    def __init__(self, attempt: Attempt, executor: "FakeExecutor") -> None:
        self.attempt = attempt
        self.executor = executor
        self.started = False
        self.cancelling = False


class FakeExecutor:
    """Implements ``executors.protocol.Executor``; reports only what it is told to.

    Args:
        name: As placements name it.
        limit: Attempts that it takes at once; may be changed at any time.
        held: Where its attempts are. Executors that share this mapping are one durable service, as several
            clients of one cluster are: what one was given another can re-attach to.
        durable: Whether attempts outlive the engine's process.
        accept: Called with each attempt before it is taken; what it raises comes out of ``submit``.
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int = 8,
        held: dict[AttemptId, Held] | None = None,
        durable: bool = False,
        accept: Callable[[Attempt], None] | None = None,
    ) -> None:
        self.name = name
        self.durable = durable
        self.limit = limit
        self.held = held if held is not None else {}
        self._accept = accept
        self._sink: Sink | None = None

    def start(self, sink: Sink) -> None:
        """See ``Executor.start``."""
        self._sink = sink

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """See ``Executor.submit``."""
        for attempt in attempts:
            if self._accept is not None:
                self._accept(attempt)
            self.held[attempt.id] = Held(attempt, self)

    def cancel(self, ids: Iterable[AttemptId], *, grace_s: float = 5.0) -> None:
        """See ``Executor.cancel``: marks them, and waits to be told how they end."""
        for each in ids:
            if each in self.held:
                self.held[each].cancelling = True

    def capacity(self) -> int:
        """See ``Executor.capacity``."""
        return self.limit

    def reattach(self, ids: Iterable[AttemptId]) -> set[AttemptId]:
        """See ``Executor.reattach``."""
        if not self.durable:
            return set()
        found = {each for each in ids if each in self.held}
        for each in found:
            self.held[each].executor = self
        return found

    def close(self, *, grace_s: float = 5.0) -> None:
        """See ``Executor.close``: from now on nobody listens."""
        self._sink = None

    def report(self, *reports: Report) -> None:
        """Give reports to the engine; after ``close`` they are lost."""
        if self._sink is not None:
            self._sink(reports)

    def begin(self, held: Held, at: float) -> Started:
        """Report that an attempt is being carried out."""
        held.started = True
        started = Started(held.attempt.id, at, self.name)
        self.report(started)
        return started

    def end(self, ended: Ended) -> None:
        """Report how an attempt ended, and let go of it."""
        self.held.pop(ended.id, None)
        self.report(ended)
