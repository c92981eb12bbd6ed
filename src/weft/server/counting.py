"""How many task runs of a run are in each state, remembered for a while where counting takes long.

Counting reads every row of the run: 0.4 s for a million. The counts of a run that has ended hold until it is
cleared; those of an open one are given again for ten times as long as they took, so that a page that asks
again and again keeps the store busy a tenth of the time at most, and a small run is always counted anew.
"""

from time import monotonic

import msgspec

from weft.model.rows import RunRow
from weft.model.states import TaskState
from weft.store.protocol import Reader

REST = 10.0
"""Times as long as counting took that its result is good for."""

_RUNS_MAX = 500


class _Counted(msgspec.Struct):
    """Counts, with the end of the run that they belong to and until when they hold."""

    ended_at: float | None
    until: float
    counts: dict[TaskState, int]


class Counts:
    """Counts task runs."""

    def __init__(self) -> None:
        self._known: dict[int, _Counted] = {}
        self._approvals = (0, -1.0)

    def approvals(self, store: Reader) -> int:
        """How many task runs wait for a person."""
        count, until = self._approvals
        began = monotonic()
        if began >= until:
            count = store.open_approvals()
            ended = monotonic()
            self._approvals = (count, ended + REST * (ended - began))
        return count

    def of(self, store: Reader, run: RunRow) -> dict[TaskState, int]:
        """The task runs of a run by state."""
        known = self._known.get(run.run)
        began = monotonic()
        same = known is not None and known.ended_at == run.ended_at
        if known is not None and same and (run.ended_at is not None or began < known.until):
            return known.counts
        counts = store.counts(run.run)
        ended = monotonic()
        if len(self._known) >= _RUNS_MAX:
            self._known.clear()
        self._known[run.run] = _Counted(run.ended_at, ended + REST * (ended - began), counts)
        return counts
