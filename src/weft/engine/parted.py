"""Runs that change hands while their attempts go on: whose slots they hold in between.

An attempt on a cluster outlives its engine. Who takes its run over says, in the limits' records, what it
holds; but between the takeover and that moment the new owner may be interrupted, or die. So the takeover
leaves a note (``model.limits.Takeover``) in the same transaction, which the new owner removes once it has
said everything. As long as there is a note, nobody uses what the old owner had:

- of an engine that is gone the slots stay taken (``standing.py``);
- an engine that was silent for longer than its lease, and has come back, keeps away from what its lost runs
  hold (``Parted``).
"""

from collections import Counter
from collections.abc import Mapping

from weft.model.errors import NotFound
from weft.model.limits import TAKEOVER, Takeover
from weft.store.protocol import NOBODY, Reader
from weft.store.records import Collection

TAKEOVERS = Collection(TAKEOVER, Takeover)


class Parted:
    """What one engine has parted with, though it lives."""

    def __init__(self) -> None:
        self._held: dict[int, Mapping[str, int]] = {}
        self._slots: Counter[str] = Counter()

    def add(self, run: int, slots: Mapping[str, int]) -> None:
        """The run is another engine's now; its attempts hold so many slots of each limit."""
        if slots:
            self._held[run] = slots
            self._count()

    def slots(self, key: str) -> int:
        """How many slots of a limit stay taken."""
        return self._slots[key]

    def review(self, store: Reader, me: int) -> set[str]:
        """See whose new owner has said what it holds. Returns the limits concerned.

        Raises:
            StoreError: The store cannot be asked.
        """
        before = self._slots
        for run in list(self._held):
            owner = _owner(store, run)
            if owner in (NOBODY, me) or TAKEOVERS.get(store, str(owner)) is None:
                del self._held[run]
        self._count()
        return {key for key, count in before.items() if self._slots[key] < count}

    def _count(self) -> None:
        self._slots = Counter()
        for slots in self._held.values():
            self._slots.update(slots)


def _owner(store: Reader, run: int) -> int:
    """Whose the run is, if it is open."""
    try:
        row = store.run_by_id(run)
    except NotFound:
        return NOBODY
    return row.owner if row.ended_at is None else NOBODY
