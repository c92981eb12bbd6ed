"""Two thousand seeds of the whole engine, each with its own workflows, crashes and faults.

A failure names its seed and how to run it again. Seeds that once failed stay in ``regressions.json``.
"""

import json
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import planted
import pytest
from postgres_server import PostgresElsewhere, PostgresServer

from weft.core.changes import TaskChanged
from weft.engine.engine import Engine
from weft.model.errors import InvariantViolation, WeftError
from weft.model.states import TaskState
from weft.store.memory import MemoryStore
from weft.store.postgres import PostgresStore
from weft.store.protocol import Store
from weft.store.sqlite import SqliteStore
from weft.testing.simulation import Simulation, main, simulate

SEEDS = 2000
BATCH = 100
REGRESSIONS = json.loads((Path(__file__).parent / "regressions.json").read_text())

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_every_seed_keeps_the_invariants(first: int) -> None:
    """Whatever goes wrong, every accepted run ends, nothing is done twice, and the store verifies."""
    for seed in range(first, first + BATCH):
        simulate(seed)


@pytest.fixture
def sqlite(tmp_path: Path) -> Callable[[], Store]:
    """Makes stores on files; ``relaxed``, because only the process crashes here."""
    numbers = count()

    def make() -> Store:
        return SqliteStore(tmp_path / f"{next(numbers)}.db", durability="relaxed")

    return make


@pytest.mark.parametrize("first", range(0, SEEDS, 500))
def test_sqlite_tells_the_same_story(first: int, sqlite: Callable[[], Store]) -> None:
    """One seed gives one event log, on memory and on SQLite."""
    for seed in range(first, first + 500, 10):
        assert simulate(seed, sqlite) == simulate(seed)


@pytest.mark.parametrize("seed", range(0, 400, 50))
def test_postgres_tells_the_same_story(seed: int, postgres: PostgresServer | PostgresElsewhere) -> None:
    """One seed gives one event log, on memory and on PostgreSQL."""
    assert simulate(seed, lambda: PostgresStore(postgres.url(), durability="relaxed")) == simulate(seed)


@pytest.mark.parametrize("case", REGRESSIONS, ids=lambda case: f"seed{case['seed']}")
def test_seeds_that_once_failed(case: dict[str, object]) -> None:
    """A seed that found a bug finds it no more."""
    seed = case["seed"]
    assert isinstance(seed, int)
    simulate(seed)


def test_simulations_reach_what_they_should_test() -> None:
    """Some sixty seeds meet every state, crashes, takeovers, replays, retries and every kind of wait."""
    causes: Counter[str] = Counter()
    states: Counter[TaskState] = Counter()
    waits: Counter[str] = Counter()
    crashes = shared = 0
    for seed in range(60):
        store = MemoryStore()
        simulation = Simulation(seed, store)
        crashes += simulation.go().crashes
        shared += not simulation.alone
        for event in store.events_since(0, limit=1_000_000):
            if isinstance(event.change, TaskChanged):
                causes[event.change.cause.value] += 1
                states[event.change.state] += 1
                waits[type(event.change.wait).__name__] += 1
    assert crashes > 60
    assert shared > 10
    assert states.keys() >= set(TaskState) - {TaskState.READY}
    expected = "engine_died worker_died timeout queue_timeout cache_hit satisfied branch retry marked"
    assert causes.keys() >= {"fail_fast", *expected.split()}
    assert waits.keys() >= {"TimerWait", "EventWait", "ApprovalWait", "PokeWait", "ChildrenWait"}


def _caught(seeds: range, store: Callable[[], Store], engine: Callable[..., Engine] = Engine) -> list[int]:
    """The seeds that see a planted bug."""
    seen = []
    for seed in seeds:
        try:
            simulate(seed, store, engine=engine)
        except WeftError:
            seen.append(seed)
    return seen


def test_a_failure_says_how_to_run_it_again() -> None:
    """What a simulation raises names its seed, the invariant and the command line that repeats it."""
    with pytest.raises(InvariantViolation, match=r"I7: .*\n(?s:.*)simulation --seed 3$") as caught:
        simulate(3, MemoryStore, engine=planted.HastyEngine)
    assert caught.value.fields["seed"] == 3


def test_it_sees_a_store_that_does_not_fence() -> None:
    """Without fencing, a stale owner's writes break the history (I2, I8, I9)."""
    assert len(_caught(range(60), planted.UnfencedStore)) >= 3


def test_it_sees_an_engine_that_acts_before_it_commits() -> None:
    """An attempt that an executor gets before it is durable is seen at once (I7)."""
    assert len(_caught(range(20), MemoryStore, planted.HastyEngine)) == 20


def test_it_sees_a_store_that_loses_writes() -> None:
    """A commit that is not whole breaks the run's history or end (I1, I3, I6)."""
    assert len(_caught(range(10), planted.ForgetfulStore)) >= 4


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_hundred_thousand_seeds() -> None:
    """The long run, by hand: no seed finds anything."""
    assert main(["--seeds", "100000", "--jobs", "2"]) == 0
