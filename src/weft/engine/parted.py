"""Slots of attempts that go on in runs which another engine took over from this one, though it lives.

The engine was silent for longer than its lease, and has come back. What it started on a cluster holds its
slots still, and the runs' new owner is the one to say so, in the limits' records. Until it has, the slots are
as much taken here as if nothing had happened.
"""

from collections.abc import Collection as Container
from collections.abc import Iterable, Mapping

from weft.engine.standing import GRACE_S
from weft.model.attempts import AttemptId
from weft.model.errors import NotFound
from weft.model.limits import Limit
from weft.model.states import LIVE
from weft.store.protocol import Reader
from weft.store.records import Collection

LOOKED_AT = 100
"""Attempts whose state is read in one review."""


class Parted:
    """What one engine has parted with.

    Args:
        store: Where attempts end and runs are owned.
        limits: The limits' records there.
    """

    def __init__(self, store: Reader, limits: Collection[Limit]) -> None:
        self._store = store
        self._limits = limits
        self._held: dict[AttemptId, dict[str, int]] = {}
        self._slots: dict[str, int] = {}
        self._review_at = 0.0

    def add(self, held: Mapping[AttemptId, Mapping[str, int]], elapsed: float) -> None:
        """These attempts, with the slots that they hold, are another engine's now."""
        for attempt, slots in held.items():
            self._held[attempt] = dict(slots)
        self._review_at = elapsed + GRACE_S
        self._count()

    def slots(self, key: str) -> int:
        """How many slots of a limit stay taken."""
        return self._slots.get(key, 0)

    def review(self, me: int, elapsed: float) -> Iterable[str]:
        """See what has ended, and whose new owner has said what it holds. Returns the limits concerned."""
        if not self._held or elapsed < self._review_at:
            return ()
        before = self._slots
        owners = {run: self._owner(run) for run in {attempt[0] for attempt in self._held}}
        for attempt in list(self._held)[:LOOKED_AT]:
            slots = self._held.pop(attempt)
            if owners[attempt[0]] not in (0, me) and self._lives(attempt):
                self._held[attempt] = slots  # At the end: the others have their turn at the next review.
        needed: dict[str, dict[int, int]] = {}
        for attempt, slots in self._held.items():
            for key, count in slots.items():
                of_key = needed.setdefault(key, {})
                of_key[owners[attempt[0]]] = of_key.get(owners[attempt[0]], 0) + count
        self._forget({key for key, by_owner in needed.items() if self._told(key, by_owner)})
        self._review_at = elapsed + GRACE_S
        self._count()
        return {key for key, count in before.items() if self._slots.get(key, 0) < count}

    def _told(self, key: str, needed: Mapping[int, int]) -> bool:
        """Whether the record has so many slots for each of these engines."""
        found = self._limits.get(self._store, key)
        stakes = {} if found is None else found.value.stakes
        return all(owner in stakes and stakes[owner].share >= count for owner, count in needed.items())

    def _forget(self, keys: Container[str]) -> None:
        for attempt, slots in list(self._held.items()):
            left = self._held[attempt] = {key: count for key, count in slots.items() if key not in keys}
            if not left:
                del self._held[attempt]

    def _count(self) -> None:
        self._slots = {}
        for slots in self._held.values():
            for key, count in slots.items():
                self._slots[key] = self._slots.get(key, 0) + count

    def _owner(self, run: int) -> int:
        try:
            return self._store.run_by_id(run).owner
        except NotFound:
            return 0

    def _lives(self, attempt: AttemptId) -> bool:
        try:
            row = self._store.task(attempt[0], attempt[1])
        except NotFound:
            return False  # Its start was refused, because the run was another engine's by then.
        return row.attempt == attempt[2] and row.state in LIVE
