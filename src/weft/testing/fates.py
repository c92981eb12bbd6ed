"""How fake attempts end: drawn from the simulation's seed, and bounded so that every run can end."""

from random import Random

from weft.artifacts.artifacts import Artifacts
from weft.core.state import INLINE
from weft.model.attempts import Attempt, Ended
from weft.model.errors import ErrorInfo
from weft.model.states import TaskState
from weft.model.values import NONE, Result
from weft.model.waits import EventWait, PokeWait, TimerWait
from weft.testing.bodies import Body
from weft.testing.clock import FakeClock
from weft.testing.workload import RETURNS

BOOM = ErrorInfo("builtins.ValueError", "boom", mro=("builtins.ValueError", "builtins.Exception"))

_WAITS = (PokeWait(interval_s=5.0, timeout_s=60.0), TimerWait(delay_s=2.0), EventWait("green"))


class Fates:
    """Decides what becomes of attempts.

    Attributes:
        calm: Whether everything does what it is asked to, so that what is open can end.
    """

    def __init__(self, rng: Random, clock: FakeClock, artifacts: Artifacts) -> None:
        self.calm = False
        self._rng = rng
        self._clock = clock
        self._artifacts = artifacts
        self._values = {name: artifacts.dumps(value) for name, value in RETURNS.items()}

    def of_body(self, body: Body, cancelling: bool) -> Ended | None:
        """How a flow's attempt ends; ``None`` while it goes on."""
        now, rng = self._clock.now(), self._rng
        if cancelling and rng.random() < 0.6:
            return Ended(body.attempt.id, TaskState.CANCELLED, ended_at=now)
        if not self.calm and rng.random() < 0.03:
            return Ended(body.attempt.id, TaskState.FAILED, error=BOOM, ended_at=now)
        if body.waits_for:
            suspends = body.attempt.executor != INLINE and rng.random() < (0.05 if self.calm else 0.3)
            return body.suspend(now) if suspends else None
        return body.advance(now)

    def of_task(self, attempt: Attempt, cancelling: bool) -> Ended | None:
        """How another attempt ends; ``None`` while it goes on."""
        rng, now = self._rng, self._clock.now()
        kind = getattr(attempt.call, "qualname", "int")
        if cancelling and rng.random() < 0.7:
            return Ended(attempt.id, TaskState.CANCELLED, ended_at=now)
        if attempt.phase == "check":
            return self._succeeded(attempt, self._artifacts.dumps(rng.random() < 0.4))
        chance = 1.0 if self.calm else rng.random()
        if chance < 0.05:
            return Ended(attempt.id, TaskState.LOST, ended_at=now)
        # In the calm too a daemon ends by itself now and then: it may hold the last slot of a limit.
        if kind == "daemon" and rng.random() < (0.6 if self.calm else 0.8):
            return None
        if chance < 0.08:
            return Ended(attempt.id, TaskState.SKIPPED, ended_at=now)
        fails = kind == "boom" or (kind == "flaky" and chance < 0.5) or chance < 0.12
        # A task that is tried again for ever must succeed in the end.
        if fails and not (self.calm and attempt.max_tries < 0):
            return Ended(attempt.id, TaskState.FAILED, error=BOOM, started_at=now, ended_at=now)
        if kind == "poke" and not self.calm and chance < 0.6:
            return Ended(attempt.id, TaskState.WAITING, wait=rng.choice(_WAITS), ended_at=now)
        return self._succeeded(attempt, self._values.get(kind, NONE))

    def _succeeded(self, attempt: Attempt, result: Result) -> Ended:
        now, chosen = self._clock.now(), None
        if attempt.branch:
            chosen = self._rng.choice((None, (), (), ("n1",)))
        return Ended(attempt.id, TaskState.SUCCEEDED, result, started_at=now, ended_at=now, chosen=chosen)
