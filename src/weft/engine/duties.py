"""What an engine does now and then, beside its turns: keep its lease, hear requests, take over runs.

All of it is for engines and people in other processes, who meet this one only in the store. Each duty has a
time of its own, and none is urgent: a commit under a lost lease is refused whenever it comes.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from weft.engine import editing
from weft.engine.recovery import dead_engines
from weft.engine.requests import event_of
from weft.model.errors import NotFound, StoreBusy, WeftError
from weft.store.protocol import Request

if TYPE_CHECKING:
    from weft.engine.engine import Engine

REQUESTS_EVERY_S = 0.25
"""Between two looks at what other processes ask of the runs here."""

CLAIMS_EVERY_S = 0.5
"""Between two looks for runs that nobody runs."""

CLAIMS_MAX = 100
"""Runs taken over at once: other engines want some too."""

OWNED_CHECKS = 32
"""Runs that are looked at with each heartbeat: are they still this engine's?"""

EDITS = frozenset({"clear", "mark"})
"""Kinds of requests that are no event of the core: they change rows, and the run is restored from these."""

_log = logging.getLogger("weft.engine")


class Duties:
    """The duties of one engine.

    Args:
        engine: Whose.
        lease_s: How long after its last heartbeat another engine may take over.
        queues: The queues of runs that it serves; none: it takes over only what it is told to.

    Attributes:
        leased_until: When the lease ends, unless it is prolonged.
    """

    def __init__(self, engine: "Engine", *, lease_s: float, queues: Sequence[str] = ()) -> None:
        self.queues = tuple(queues)
        self._engine = engine
        self._lease_s = lease_s
        self._beat_at = 0.0
        self._ask_at = 0.0
        self._claim_at = 0.0
        self._bury_at = 0.0
        self.leased_until = 0.0
        self._leased_for = 0.0
        self._unchecked: list[int] = []

    def begin(self, now: float) -> None:
        """The engine has just got its lease."""
        self._beat_at = now + self._lease_s / 3
        self.leased_until = now + self._lease_s
        self._leased_for = self._engine.clock.elapsed() + self._lease_s

    def lapsed(self, now: float) -> bool:
        """Whether the lease is over, though nobody may have noticed yet.

        By the clock that others go by or, should that have been set back, by the one that never is.
        """
        return now >= self.leased_until or self._engine.clock.elapsed() >= self._leased_for

    def hurry(self) -> None:
        """Somebody says that there is something to hear: look at the next opportunity."""
        self._ask_at = self._claim_at = 0.0

    def patience_s(self, now: float) -> float:
        """Seconds until the next duty."""
        until = min(self._beat_at, self._ask_at)
        if self.queues:
            until = min(until, self._claim_at)
        return min(max(until - now, 0.0), self._lease_s / 3)

    # --- requests -----------------------------------------------------------------------------------------

    def hear(self) -> list[Request]:
        """Take in what other processes ask of the runs here; returns the requests."""
        engine = self._engine
        now = engine.clock.now()
        if now < self._ask_at <= now + REQUESTS_EVERY_S or engine.halted is not None:
            return []
        self._ask_at = now + REQUESTS_EVERY_S
        runs = engine.state.runs
        if not runs:
            return []
        try:
            found = engine.store.requests(engine.id)
        except WeftError:
            return []  # The store is busy or broken: the next commit tells, and the requests stay.
        # A run that is being restored has none of its own state yet: its requests can wait.
        found = [each for each in found if each.run in runs]
        engine.tell(event for each in found if (event := event_of(each)) is not None)
        return found

    def heard(self, requests: Sequence[Request]) -> None:
        """Forget requests that were taken in, once what they did is durable; else they are taken in again."""
        engine = self._engine
        for each in requests:
            if each.kind in EDITS:
                try:
                    editing.apply(engine, each)
                except WeftError as exc:
                    _log.warning("run %s could not be edited, which is tried again: %s", each.run, exc)
                    return
                engine.pump()
        with engine.turning:
            if engine.coming or engine.halted is not None:
                return
            try:
                engine.store.drop_requests([each.request_id for each in requests])
            except WeftError:
                return

    # --- the lease ----------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Prolong the lease when it is time to."""
        engine = self._engine
        now, elapsed = engine.clock.now(), engine.clock.elapsed()
        # A clock that was set back must not keep it waiting until it has caught up.
        early = self._beat_at - self._lease_s / 3 <= now < self._beat_at
        if early or engine.halted is not None:
            return
        self._beat_at = now + self._lease_s / 3
        with engine.turning:
            try:
                engine.store.heartbeat(engine.id, expires_at=now + self._lease_s)
                lapsed = self.lapsed(now)
                self.leased_until = now + self._lease_s
                self._leased_for = elapsed + self._lease_s
                if lapsed:
                    engine.sharing.lose()
                self._check_ownership(len(engine.state.runs) if lapsed else OWNED_CHECKS)
            except StoreBusy:
                self._beat_at = now + self._lease_s / 10
            except WeftError as exc:
                engine.halt(exc)

    def _check_ownership(self, most: int) -> None:
        """Look whether some runs are still this engine's, in turn.

        A commit would tell, but a run that waits makes none; and another engine's clock may be ahead.
        """
        runs = self._engine.state.runs
        if not self._unchecked:
            self._unchecked = list(runs)
        looked, self._unchecked = self._unchecked[-most:], self._unchecked[:-most]
        self._engine.lose(run for run in looked if run in runs and not self._owns(run))

    def _owns(self, run: int) -> bool:
        try:
            row = self._engine.store.run_by_id(run)
        except NotFound:
            return False
        return (row.owner, row.epoch) == (self._engine.id, self._engine.epochs.get(run))

    # --- runs that nobody runs ----------------------------------------------------------------------------

    def claim(self) -> None:
        """Take over runs of the queues served: new ones, and those whose engine is gone."""
        engine = self._engine
        now = engine.clock.now()
        if not self.queues or engine.leaving or engine.halted is not None:
            return
        if now < self._claim_at <= now + CLAIMS_EVERY_S:
            return
        self._claim_at = now + CLAIMS_EVERY_S
        try:
            dead = self._dead(now)
            taken = engine.recover(queues=self.queues, limit=CLAIMS_MAX, dead=dead, resume=False)
        except WeftError as exc:
            _log.warning("runs could not be taken over, which is tried again: %s", exc)
            return
        if len(taken) == CLAIMS_MAX:
            self._claim_at = now

    def _dead(self, now: float) -> Iterable[int]:
        """Engines of this machine that died: their leases need not be waited for. Looked at now and then."""
        if now < self._bury_at <= now + self._lease_s / 3:
            return ()
        self._bury_at = now + self._lease_s / 3
        engines = self._engine.store.engines()
        return dead_engines(each for each in engines if each.expires_at > now)
