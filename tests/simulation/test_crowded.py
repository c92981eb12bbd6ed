"""Several engines that want the same few slots all the time: no attempt begins without one (I5).

Each planted fault takes away one of the rules that ``engine/sharing.py`` rests on, and must be seen.
"""

from collections import Counter
from typing import Any

import pytest

from weft.engine.engine import Engine
from weft.engine.sharing import Sharing
from weft.model.errors import InvariantViolation
from weft.store.memory import MemoryStore
from weft.testing.faults import STORMY, Faults
from weft.testing.simulation import Simulation, simulate

SEEDS = 60
STEPS = 300

SLEEPY = Faults(busy=0.02, jump=0.02, takeover=0.1, race=0.2)
"""Engines hang for longer than their leases all the time."""

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_no_attempt_begins_without_a_slot(first: int) -> None:
    """Whatever crashes, hangs and takes over, and whatever two engines write at the same moment."""
    for seed in range(first, first + 20):
        simulate(seed, steps=STEPS, crowded=True, faults=STORMY if seed % 2 else SLEEPY)


def test_crowded_worlds_are_crowded() -> None:
    """Limits are full, engines lapse, and some wait for what others have."""
    fullest: Counter[str] = Counter()
    shared = 0
    for seed in range(10):
        world = Simulation(seed, MemoryStore(), steps=STEPS, crowded=True)
        world.go()
        fullest |= world.crowding.fullest
        shared += len(world.inner.engines()) > 2
    limits = {"key:a": 1, "key:b": 2, "pool:narrow": 1, "pool:wide": 3}
    assert all(fullest[key] >= slots for key, slots in limits.items())
    assert shared == 10


class _Selfish(Engine):
    """Takes every limit for its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, share_limits=False, **kwargs)


class _Sleepwalking(Engine):
    """Goes on with what it had, whatever became of its lease."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sharing = _NeverLapses(self, pools=kwargs.get("pools") or {})


class _NeverLapses(Sharing):
    def lapsed(self, now: float) -> bool:
        """See ``Sharing.lapsed``."""
        return False

    def lose(self) -> None:
        """See ``Sharing.lose``."""


@pytest.mark.parametrize("engine", [_Selfish, _Sleepwalking])
def test_it_sees_engines_that_do_not_share(engine: type[Engine]) -> None:
    """One that shares nothing, and one that does not notice that its lease was over."""

    def world() -> None:
        for seed in range(60):
            simulate(seed, steps=STEPS, engine=engine, crowded=True, faults=SLEEPY)

    with pytest.raises(InvariantViolation, match="I5"):
        world()
