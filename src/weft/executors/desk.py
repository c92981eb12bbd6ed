"""What flows in another process ask of the engine, on the engine's side: one ``Counter`` a process.

The engine wakes a handle from inside its turn, once for each change. Nothing is sent then: the handle is
noted, and whoever owns the counter takes everything that has changed meanwhile as one batch (``answers``). So
a map of ten thousand items costs a few messages, and a turn never waits for a socket.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from weft.core.events import Called
from weft.model.attempts import AttemptId
from weft.model.errors import WeftError
from weft.model.graph import Node
from weft.runtime.host import Pending, RunRequest, Settled
from weft.wire.hosting import (
    CallAccepted,
    CallHalted,
    CallRefused,
    Calls,
    CallSettled,
    Fault,
    ItemEnd,
    ItemsSettled,
    ToHost,
    Wants,
)

Call = tuple[Pending, Callable[[int], Called]]
"""A handle, and what makes the call once the handle has its token."""


class Desk(Protocol):
    """The engine, as an executor of flows sees it."""

    def call_all(self, calls: Sequence[Call]) -> None:
        """Post flows' calls as one batch."""

    def submit(self, request: RunRequest) -> Pending:
        """Start a run; returns once it is durable. Raises ``WeftError``."""

    def leave(self, run: int, error: WeftError) -> None:
        """Leave a run as it is, to be resumed."""


class Counter:
    """The requests of one process.

    Args:
        desk: The engine.
        ring: Called when there is something for ``answers``, from any thread, once until that is called.
    """

    def __init__(self, desk: Desk, ring: Callable[[], None]) -> None:
        self._desk = desk
        self._ring = ring
        self._nodes: dict[str, Node] = {}
        self._handles: dict[AttemptId, set[_Handle]] = {}
        self._changed: list[_Handle] = []
        self._runs = 0

    @property
    def runs(self) -> int:
        """Runs that the process started and that have not ended."""
        return self._runs

    def called(self, message: Calls) -> Call:
        """The call that a message makes, for ``Desk.call_all``."""
        node = message.node
        if node is None:
            node = self._nodes[message.digest]
        else:
            # One object for one digest: the engine keeps what it knows of a node beside it.
            node = self._nodes.setdefault(message.digest, node)
        attempt = (message.run, message.parent, message.attempt)
        handle = _Handle(self, message.token, attempt)
        self._handles.setdefault(attempt, set()).add(handle)

        def make(token: int) -> Called:
            return Called(
                message.run,
                message.parent,
                message.attempt,
                token,
                message.key,
                message.ordinal,
                node,
                message.digest,
                message.fingerprint,
                message.inputs,
                message.items,
                message.items_ref,
                message.result,
            )

        return handle, make

    def wants(self, message: Wants) -> ToHost:
        """Start the run that a message asks for; its end is told by ``answers``."""
        request = RunRequest(
            message.graph,
            message.params,
            tags=message.tags,
            project=message.project,
            key=message.key,
            facts=message.facts,
        )
        try:
            pending = self._desk.submit(request)
        except WeftError as exc:
            return CallHalted(message.token, Fault.of(exc))
        self._runs += 1
        run = _Handle(self, message.token, (pending.run, 0, 0), of=pending)
        accepted = CallAccepted(message.token, pending.run, 0, -1, 0, False, False, pending.uid)
        run.told = True
        run.listen()
        return accepted

    def anew(self) -> None:
        """The process names no node that it sent so far."""
        self._nodes.clear()

    def over(self, attempt: AttemptId) -> None:
        """A flow's attempt has ended: it is told nothing more."""
        for handle in self._handles.pop(attempt, ()):
            handle.deaf = True

    def close(self) -> None:
        """The process is gone."""
        for attempt in list(self._handles):
            self.over(attempt)
        self._runs = 0

    def changed(self, handle: "_Handle") -> None:
        """Note a handle for ``answers``."""
        self._changed.append(handle)
        # In this order: whoever finds company here was added before ``answers`` looked for the last time.
        if len(self._changed) <= 1:
            self._ring()

    def answers(self) -> list[ToHost]:
        """All that has changed since the last time."""
        changed = self._changed
        found: list[ToHost] = []
        while changed:
            taken = changed[:]
            del changed[: len(taken)]
            for handle in taken:
                handle.noted = False
                if not handle.deaf and handle.tell(found):
                    handle.deaf = True
                    self._forget(handle)
        return found

    def _forget(self, handle: "_Handle") -> None:
        """A handle has been told all."""
        if handle.of is not None:
            self._runs -= 1
            return
        handles = self._handles.get(handle.attempt)
        if handles is not None:
            handles.discard(handle)
            if not handles:
                del self._handles[handle.attempt]


class _Items(dict[int, Settled]):
    """Takes the items that have ended out of the engine's hands instead of keeping them."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh: list[ItemEnd] = []

    def __setitem__(self, index: int, settled: Settled) -> None:
        self.fresh.append((index, settled.state, settled.result, settled.error))


class _Handle(Pending):
    """A handle whose owner waits in another process.

    Attributes:
        told: Whether its acceptance was told.
        noted: Whether it is among the changed.
        deaf: Whether its owner is gone, or knows all.
        attempt: The flow's attempt that owns it.
        of: The handle of a run that the process started; it is the engine's own.
    """

    __slots__ = ("_counter", "_token", "attempt", "deaf", "noted", "of", "told")

    def __init__(
        self, counter: Counter, token: int, attempt: AttemptId, *, of: Pending | None = None
    ) -> None:
        super().__init__()
        self.eager = True
        self.items = _Items()
        self._counter = counter
        self._token = token
        self.attempt = attempt
        self.of = of
        self.told = False
        self.noted = False
        self.deaf = False

    def wake(self) -> None:
        """Something changed; called by the engine."""
        if not self.noted and not self.deaf:
            self.noted = True
            self._counter.changed(self)

    def listen(self) -> None:
        """Be woken by the handle of a run, which the engine made."""
        if self.of is not None:
            self.of.when(self.wake)

    def tell(self, found: list[ToHost]) -> bool:
        """Add what its owner has not been told yet; returns whether that was the last."""
        if self.of is not None:
            return self._tell_of_run(self.of, found)
        # How it ended is read first: all items that had ended by then are among the fresh ones.
        settled, halted = self.settled, self.halted
        if self.refused is not None:
            found.append(CallRefused(self._token, self.refused))
            return True
        if self.accepted and not self.told:
            self.told = True
            found.append(
                CallAccepted(
                    self._token, self.run, self.idx, self.base, self.count, self.replayed, self.more, self.uid
                )
            )
        assert isinstance(self.items, _Items)
        fresh = self.items.fresh
        if fresh:
            items = fresh[:]
            del fresh[: len(items)]
            found.append(ItemsSettled(self._token, self.base, self.count, items))
        return self._tell_end(settled, halted, found)

    def _tell_of_run(self, run: Pending, found: list[ToHost]) -> bool:
        self.listen()
        return self._tell_end(run.settled, run.halted, found)

    def _tell_end(self, settled: Settled | None, halted: WeftError | None, found: list[ToHost]) -> bool:
        if settled is not None:
            found.append(CallSettled(self._token, settled.state, settled.result, settled.error))
        elif halted is not None:
            found.append(CallHalted(self._token, Fault.of(halted)))
        return settled is not None or halted is not None
