"""What an executor is.

Rules, which ``tests/conformance/test_executors.py`` checks on every one of them:

1. ``submit`` never blocks on user code and never raises for a task's fault.
2. Each submitted attempt is answered by exactly one ``Ended``, in a list given to the sink: whatever user
   code does, whether or not its process survives. An attempt that was cancelled is answered too.
3. A result reported as succeeded is readable: inline, or already durable in the artifact store.
4. ``Started`` may be left out for an attempt that ends within 50 ms.
5. The sink may be called from any thread, never while a caller is inside ``submit`` or ``cancel``.
6. After ``close`` returns no process of the executor lives and the sink is not called again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from weft.model.attempts import Attempt, AttemptId, Report

Sink = Callable[[Sequence[Report]], None]
"""Where an executor puts what happened, in batches."""


class Executor(Protocol):
    """A place that carries out attempts."""

    name: str
    """As ``Placement.executor`` and ``--executor`` name it."""

    durable: bool
    """Whether its attempts outlive this process, so that a restarted engine can re-attach to them."""

    def start(self, sink: Sink) -> None:
        """Make ready to take attempts; cheap, and lazy about workers. Raises ``ExecutorError``."""

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Carry these out, in this order as far as there is room."""

    def cancel(self, ids: Iterable[AttemptId], *, grace_s: float = 5.0) -> None:
        """Ask each to stop, and after ``grace_s`` make it. Unknown ids are ignored."""

    def capacity(self) -> int:
        """How many attempts it wants to hold at once: those that run, and a little backlog.

        Grows while attempts are so short that handing them over is what takes the time; an executor keeps
        about 20 ms of work waiting and no more, so that priorities and other runs are heard.
        """

    def reattach(self, ids: Iterable[AttemptId]) -> set[AttemptId]:
        """Which of these it still carries out, after the engine restarted. Their ``Ended`` will come."""

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop everything; attempts that still run end as cancelled or lost."""
