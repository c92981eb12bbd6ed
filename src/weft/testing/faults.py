"""A store that fails on purpose, and how often the world misbehaves in a simulation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

import msgspec

from weft.core.changes import Change
from weft.model.errors import CommitUnknown, StoreBusy, StoreFull
from weft.model.rows import Snapshot
from weft.store.protocol import Store, Write


class Crash(BaseException):
    """The process dies here: nothing may catch this but the simulation."""


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities of what may go wrong; all 0 is a perfect world.

    Attributes:
        busy, full: Of a commit that is refused before it is made.
        unknown_made, unknown_lost: Of a commit whose outcome the store cannot tell: it was made, or not.
        crash_before, crash_after: Of the process's death at a commit.
        crash_between: Of its death between two performed commands.
        crash_idle: Of its death between two turns.
        duplicate: Of an executor's report coming again, or late.
        jump: Of the clock jumping, ahead or back.
        takeover: Of an engine hanging for so long that another one takes over its runs.
        race: Of another engine writing records between one's reading and writing them.
    """

    busy: float = 0.0
    full: float = 0.0
    unknown_made: float = 0.0
    unknown_lost: float = 0.0
    crash_before: float = 0.0
    crash_after: float = 0.0
    crash_between: float = 0.0
    crash_idle: float = 0.0
    duplicate: float = 0.0
    jump: float = 0.0
    takeover: float = 0.0
    race: float = 0.0


STORMY = Faults(
    busy=0.02,
    full=0.004,
    unknown_made=0.012,
    unknown_lost=0.012,
    crash_before=0.01,
    crash_after=0.01,
    crash_between=0.01,
    crash_idle=0.01,
    duplicate=0.05,
    jump=0.02,
    takeover=0.02,
    race=0.2,
)
"""Everything goes wrong now and then."""

CommitListener = Callable[[Sequence[Change]], None]


class FaultyStore:
    """A ``Store`` in front of another, whose commits fail as ``faults`` say.

    Args:
        inner: The store that keeps the rows.
        rng: Decides; the same seed gives the same faults.
        faults: May be exchanged at any time.
        committed: Called with the changes of every commit that was made.
        race: Called before records are written, to let another engine do so first.
    """

    def __init__(
        self,
        inner: Store,
        rng: Random,
        faults: Faults,
        committed: CommitListener,
        race: Callable[[], None] = lambda: None,
    ) -> None:
        self.inner = inner
        self.faults = faults
        self.commits = 0
        self._rng = rng
        self._committed = committed
        self._race = race
        self._racing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def commit(self, changes: Sequence[Change], *, engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        """See ``Store.commit``.

        Raises:
            Crash: The process dies, before or after the commit is made.
            StoreBusy, StoreFull: As in ``Store.commit``.
            CommitUnknown: It was made, or not.
        """
        with self._failing("a commit"):
            refused = self.inner.commit(changes, engine=engine, epochs=epochs)
            self.commits += 1
            self._committed([change for change in changes if change.run not in refused])
            return refused

    def claim(self, engine: int, **kwargs: Any) -> dict[int, int]:
        """See ``Store.claim``.

        Raises:
            Crash: The process dies, before or after the claim is made.
            StoreBusy, StoreFull: As in ``Store.commit``.
            CommitUnknown: It was made, or not.
        """
        with self._failing("a claim"):
            return self.inner.claim(engine, **kwargs)

    def load(self, run: int) -> Snapshot:
        """See ``Store.load``.

        Raises:
            StoreBusy: It cannot be read now.
        """
        if self._rng.random() < self.faults.busy:
            raise StoreBusy("the store is away")
        return self.inner.load(run)

    def write(self, writes: Sequence[Write], *, at: float) -> list[int]:
        """See ``Store.write``.

        Raises:
            Crash: The process dies, before or after the records are written.
            StoreBusy, StoreFull: As in ``Store.write``.
            CommitUnknown: They were written, or not.
        """
        with self._failing("records"):
            self._let_race()
            return self.inner.write(writes, at=at)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """A transaction that may be refused, be made without an answer, or see its process die."""
        faults, roll = self.faults, self._rng.random()
        for share, error in (
            (faults.busy, StoreBusy("another process writes")),
            (faults.full, StoreFull("the disk is full")),
            (faults.unknown_lost, CommitUnknown("disk I/O error")),
            (faults.crash_before, Crash(f"before {what}")),
        ):
            if roll < share:
                raise error
            roll -= share
        yield
        if roll < faults.unknown_made:
            raise CommitUnknown("disk I/O error")
        if roll - faults.unknown_made < faults.crash_after:
            raise Crash(f"after {what}")

    def _let_race(self) -> None:
        """Now and then another engine writes at this very moment."""
        if self._racing or self._rng.random() >= self.faults.race:
            return
        self._racing = True
        try:
            self._race()
        finally:
            self._racing = False
