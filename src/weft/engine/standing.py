"""Which engines stand: whose leases hold, and what those leave taken that are gone.

An engine that is gone leaves slots of shared limits behind. When they are free depends on whether what it
started can still be running, and on whether somebody can say so.
"""

from collections.abc import Set

from msgspec.structs import replace

from weft.engine.parted import TAKEOVERS
from weft.engine.recovery import dead_engines
from weft.model.limits import Stake
from weft.model.states import RunState
from weft.store.protocol import EngineRow, Reader

GRACE_S = 1.0
"""How long the slots of an engine whose lease is over stay taken. Also how far engines' clocks may differ."""

RUNS_PAGE = 500
"""Runs read at a time."""

_OPEN = "state:" + ",".join(state for state in RunState if not state.terminal)


class Standing:
    """One look at the engines, which reads each thing from the store at most once.

    Args:
        store: Where engines are registered, and runs owned.
        dead: Engines that are known to be dead, whatever their leases say.
    """

    def __init__(self, store: Reader, dead: Set[int]) -> None:
        self._store = store
        self._dead = dead
        self._rows: dict[int, EngineRow] | None = None
        self._owners: set[int] | None = None

    def live(self, engine: int, now: float) -> bool:
        """Whether its lease holds, and it is not known to be dead."""
        row = self._row(engine)
        return row is not None and row.expires_at > now and not self._died(row)

    def left(self, engine: int, stake: Stake, per_s: float, now: float) -> Stake | None:
        """What an engine that is gone leaves taken; ``None`` for nothing (any more)."""
        stake = replace(stake, want=0, need=0)
        if not stake.until:
            row = self._row(engine)
            closed = row is None or row.expires_at <= 0
            if per_s:
                if row is None or closed:
                    return None
                stake = replace(stake, until=min(row.expires_at, now) + per_s + GRACE_S)
            elif stake.outlives:
                if self._owns_runs(engine) or self._untold(now):
                    return stake
                stake = replace(stake, until=now + GRACE_S)
            elif row is None or closed or self._died(row):
                return None
            else:
                stake = replace(stake, until=now + GRACE_S)
        # A clock that was set back must not keep slots from everybody until it has caught up.
        stake = replace(stake, until=min(stake.until, now + per_s + GRACE_S))
        return stake if stake.until > now else None

    def bereft(self, engine: int, now: float) -> bool:
        """Whether it is gone, and has no open runs any more."""
        return not self.live(engine, now) and not self._owns_runs(engine)

    def _died(self, row: EngineRow) -> bool:
        return row.engine in self._dead or bool(dead_engines([row]))

    def _row(self, engine: int) -> EngineRow | None:
        if self._rows is None:
            self._rows = {row.engine: row for row in self._store.engines()}
        return self._rows.get(engine)

    def _untold(self, now: float) -> bool:
        """Whether somebody took runs over and has not told of them, and is not without runs itself by now."""
        return any(not self.bereft(int(each.name), now) for each in TAKEOVERS.all(self._store))

    def _owns_runs(self, engine: int) -> bool:
        """Whether it has open runs that nobody has taken over."""
        if self._owners is None:
            self._owners = set()
            before: int | None = None
            while rows := self._store.runs(_OPEN, limit=RUNS_PAGE, before=before):
                self._owners.update(row.owner for row in rows)
                before = rows[-1].run
        return engine in self._owners
