"""Several engines on one store: their shares of pools, keys and rates, as the store has them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.engine.control import QUEUE, Control
from weft.engine.engine import Engine
from weft.engine.explain import why
from weft.engine.parted import TAKEOVERS
from weft.engine.sharing import LIMITS, POOLS
from weft.engine.verify import verify
from weft.model.attempts import Ended
from weft.model.calls import GroupCall, PythonCall
from weft.model.errors import StoreBusy
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.limits import LIMIT, Takeover
from weft.model.policies import Concurrency, RateLimit
from weft.model.pools import Pool
from weft.model.states import RunState, TaskState
from weft.model.values import NONE
from weft.runtime.host import RunRequest
from weft.store.memory import MemoryStore
from weft.store.protocol import Store, Write
from weft.store.sqlite import SqliteStore
from weft.testing.clock import FakeClock
from weft.testing.executor import FakeExecutor

LEASE_S = 5.0
IN_POOL = {"pools": {"db": 1}}


def broad(count: int, **policies: object) -> Graph:
    """A workflow of so many tasks that need nothing but what the policies say."""
    nodes = tuple(Node(key=f"t{at}", call=PythonCall("m", "t"), **policies) for at in range(count))  # type: ignore[arg-type]  # as the caller gives them
    return Graph(
        workflow="broad", root=Node(key="broad", call=GroupCall(MAIN)), groups={MAIN: Group(nodes=nodes)}
    )


class Machine:
    """An engine whose executor does nothing by itself, and which wakes only when it is told to."""

    def __init__(
        self,
        store: Store,
        clock: FakeClock,
        name: str,
        *,
        durable: bool = False,
        held: dict[object, object] | None = None,
        queues: Sequence[str] = (QUEUE,),
    ) -> None:
        self.executor = FakeExecutor("thread", limit=1000, durable=durable, held=held)  # type: ignore[arg-type]  # one cluster for several
        self.engine = Engine(
            store,
            Artifacts(MemoryBlobs()),
            {"thread": self.executor},
            clock=clock,
            name=name,
            pools={"db": 2},
            lease_s=LEASE_S,
            queues=queues,
        )
        self.engine.open()
        self.control = Control(store, self.engine, clock=clock)

    def submit(self, graph: Graph) -> int:
        """Begin a run; returns its id."""
        return self.control.submit([RunRequest(graph, {})])[0].run

    def work(self) -> None:
        """What the engine's own thread does when it wakes."""
        self.engine.duties.hurry()
        self.engine.duties.beat()
        self.engine.sharing.hurry()
        self.engine.sharing.look()
        self.engine.duties.claim()
        while self.engine.turn():
            pass

    def running(self) -> int:
        """Attempts that it has."""
        return sum(each.executor is self.executor for each in self.executor.held.values())

    def finish(self, count: int = 1000) -> int:
        """End so many attempts; returns how many there were."""
        mine = [each for each in self.executor.held.values() if each.executor is self.executor][:count]
        for each in mine:
            self.executor.end(Ended(each.attempt.id, TaskState.SUCCEEDED, result=NONE))
        self.engine.pump()
        return len(mine)


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock(1000.0)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store, which must be healthy in the end."""
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "weft.db")
    yield made
    assert verify(made) == []
    made.close()


Make = Callable[..., Machine]


@pytest.fixture
def machine(store: Store, clock: FakeClock) -> Make:
    """Makes engines on the store."""
    return lambda name, **given: Machine(store, clock, name, **given)


def shares(store: Store, key: str = "pool:db") -> dict[int, int]:
    """Each engine's share, as the store has it."""
    found = LIMITS.get(store, key)
    return {} if found is None else {engine: stake.share for engine, stake in found.value.stakes.items()}


def rounds(clock: FakeClock, machines: Sequence[Machine], count: int = 10, *, each_s: float = 0.25) -> None:
    """Let time pass, and every engine wake in it."""
    for _ in range(count):
        clock.advance(each_s)
        for each in machines:
            each.work()


def all_succeed(store: Store, clock: FakeClock, machines: Sequence[Machine]) -> None:
    """Every attempt ends well from here on, until no engine has a run any more."""
    while sum(each.finish() for each in machines) or any(each.engine.state.runs for each in machines):
        rounds(clock, machines, 1)
    assert {each.state for each in store.runs()} == {RunState.SUCCEEDED}
    assert verify(store) == []


def test_the_first_attempt_waits_for_nobody(store: Store, machine: Make) -> None:
    """The share is asked for in the very call that submits, and there is no other write until the end."""
    here = machine("a")
    here.submit(broad(3, **IN_POOL))
    assert here.running() == 2
    entry = LIMITS.get(store, "pool:db")
    assert entry is not None
    for _ in range(3):
        here.finish()
    after = LIMITS.get(store, "pool:db")
    assert after is not None
    assert after.revision == entry.revision


def test_two_engines_never_have_more_attempts_than_slots(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """Each slot is somebody's; when both want them they come to have one each."""
    first, second = machine("a"), machine("b")
    first.submit(broad(6, **IN_POOL))
    second.submit(broad(6, **IN_POOL))
    assert (first.running(), second.running()) == (2, 0)
    together = []
    while first.running() + second.running():
        rounds(clock, (first, second), 2)
        together.append((first.running(), second.running()))
        first.finish(1)
        second.finish(1)
    assert max(a + b for a, b in together) == 2
    assert (1, 1) in together
    assert all(each.state is RunState.SUCCEEDED for each in store.runs())


def test_slots_that_one_does_not_use_go_to_who_asks(store: Store, clock: FakeClock, machine: Make) -> None:
    """Within a look of each; nobody waits for them to be idle for long."""
    first, second = machine("a"), machine("b")
    first.submit(broad(2, **IN_POOL))
    first.finish()
    assert shares(store) == {first.engine.id: 2}
    second.submit(broad(2, **IN_POOL))
    assert second.running() == 0
    first.work()
    assert shares(store) == {second.engine.id: 2}
    second.work()
    assert second.running() == 2
    second.finish()


def test_idle_slots_are_given_back_and_the_record_goes(store: Store, clock: FakeClock, machine: Make) -> None:
    """So that the next engine gets them at once."""
    here = machine("a")
    here.submit(broad(2, **IN_POOL))
    here.finish()
    rounds(clock, (here,), 20)
    assert LIMITS.get(store, "pool:db") is None
    assert here.engine.state.shares == {"pool:db": 0}


def test_closing_gives_everything_back(store: Store, machine: Make) -> None:
    """No lease has to run out."""
    first, second = machine("a"), machine("b")
    first.submit(broad(2, **IN_POOL))
    second.submit(broad(1, **IN_POOL))
    assert second.running() == 0
    first.finish()
    first.engine.close(grace_s=0.0)
    assert shares(store) == {second.engine.id: 0}
    second.work()
    assert second.running() == 1
    second.finish()


def test_a_dead_engine_s_slots_are_free_when_its_lease_is_over(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """Not before, and a moment later: that is how far clocks may differ."""
    first, second = machine("a", queues=("elsewhere",)), machine("b")
    first.engine.submit(RunRequest(broad(2, **IN_POOL), {}))
    run = second.submit(broad(2, **IN_POOL))
    rounds(clock, (second,), 19)
    assert (clock.now() < 1000.0 + LEASE_S, second.running()) == (True, 0)
    clock.advance(0.25)
    rounds(clock, (second,), 5)
    assert second.running() == 2
    second.finish()
    assert store.run_by_id(run).state is RunState.SUCCEEDED


def test_an_engine_whose_lease_lapsed_starts_nothing_until_it_has_shares_again(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """It was only asleep, and its slots are another's by now; what it has runs on, and counts again."""
    first, second = machine("a", queues=("elsewhere",)), machine("b")
    first.engine.submit(RunRequest(broad(4, **IN_POOL), {}))
    second.submit(broad(4, **IN_POOL))
    clock.advance(LEASE_S)
    rounds(clock, (second,), 6)
    assert (first.running(), second.running()) == (2, 2)
    first.finish(1)
    assert first.running() == 1
    first.work()
    assert shares(store) == {first.engine.id: 1, second.engine.id: 2}
    second.work()
    second.finish(1)
    assert (first.running(), second.running()) == (1, 1)
    for _ in range(12):
        rounds(clock, (first, second), 2)
        assert first.running() + second.running() <= 2
        first.finish(1)
        second.finish(1)
    assert {each.state for each in store.runs()} == {RunState.SUCCEEDED}


def test_a_lease_that_lapsed_unseen_costs_nothing_but_a_write(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """An engine alone (a laptop that slept) goes on as soon as it has told of itself."""
    here = machine("a")
    here.submit(broad(4, **IN_POOL))
    clock.advance(3600.0)
    here.finish()
    assert here.running() == 0
    here.work()
    assert here.running() == 2
    here.finish()


def test_a_clock_that_is_set_back_gives_no_lease_back(store: Store, clock: FakeClock, machine: Make) -> None:
    """By its own count of time the lease is over, and the slots are another engine's by now."""
    first, second = machine("a", queues=("elsewhere",)), machine("b")
    first.engine.submit(RunRequest(broad(4, **IN_POOL), {}))
    second.submit(broad(4, **IN_POOL))
    clock.advance(LEASE_S)
    rounds(clock, (second,), 6)
    assert second.running() == 2
    clock.advance(-LEASE_S)
    first.finish()
    assert first.running() == 0
    for _ in range(20):
        rounds(clock, (first, second), 2)
        assert first.running() + second.running() <= 2
        first.finish()
        second.finish()
    assert {each.state for each in store.runs()} == {RunState.SUCCEEDED}


def test_slots_of_attempts_that_outlive_their_engine_stay_taken(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """Until somebody takes its runs over and says which of them live; then those count there."""
    cluster: dict[object, object] = {}
    first = machine("a", durable=True, held=cluster)
    run = first.submit(broad(2, **IN_POOL))
    stranger = machine("b", durable=True, held=cluster, queues=("elsewhere",))
    stranger.engine.submit(RunRequest(broad(1, **IN_POOL), {}))
    clock.advance(10 * LEASE_S)
    rounds(clock, (stranger,), 10)
    assert stranger.running() == 0
    heir = machine("c", durable=True, held=cluster)
    rounds(clock, (heir, stranger), 10)
    assert store.run_by_id(run).owner == heir.engine.id
    assert (heir.running(), stranger.running()) == (2, 0)
    assert shares(store)[heir.engine.id] == 2
    heir.finish(1)
    rounds(clock, (heir, stranger), 10)
    assert (heir.running(), stranger.running()) == (1, 1)
    heir.finish()
    stranger.finish()


def test_an_engine_that_closes_leaves_its_lasting_attempts_their_slots(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """As in a rolling upgrade: the new engine finds the attempts, and nobody took their slots meanwhile."""
    cluster: dict[object, object] = {}
    first = machine("a", durable=True, held=cluster)
    first.submit(broad(1, **IN_POOL))
    first.engine.close(grace_s=0.0)
    assert shares(store) == {first.engine.id: 1}
    heir = machine("b", durable=True, held=cluster)
    heir.submit(broad(2, **IN_POOL))
    assert heir.running() == 1
    rounds(clock, (heir,), 10)
    assert heir.running() == 2
    heir.finish()
    rounds(clock, (heir,), 10)
    heir.finish()


def test_a_key_is_one_at_a_time_and_changes_hands(store: Store, clock: FakeClock, machine: Make) -> None:
    """Neither engine keeps it for as long as it has something to do."""
    first, second = machine("a"), machine("b")
    mutex = {"concurrency": (Concurrency("ledger"),)}
    first.submit(broad(30, **mutex))
    second.submit(broad(30, **mutex))
    turns = ""
    for _ in range(40):
        rounds(clock, (first, second), 1)
        assert first.running() + second.running() <= 1
        turns += "a" * first.finish() + "b" * second.finish()
    assert "ab" in turns
    assert "ba" in turns
    assert 10 < turns.count("a") < 30
    while first.finish() + second.finish() or first.engine.state.runs or second.engine.state.runs:
        rounds(clock, (first, second), 1)


def test_a_rate_holds_over_engines_and_over_their_death(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """Two starts in any ten seconds, whichever engine makes them and whoever has crashed since."""
    slow = {"rate_limits": (RateLimit("api", 2, 10.0),)}
    first = machine("a")
    first.submit(broad(2, **slow))
    assert first.finish() == 2
    second = machine("b")
    second.submit(broad(2, **slow))
    starts = []
    for _ in range(100):
        rounds(clock, (second,), 1)
        starts += [clock.now()] * second.finish()
    assert len(starts) == 2
    assert starts[0] >= 1010.0


def test_a_clean_end_keeps_the_starts_and_not_a_moment_longer(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """Scripts that run one after the other share a rate as those at once do."""
    slow = {"rate_limits": (RateLimit("api", 2, 10.0),)}
    first = machine("a")
    first.submit(broad(1, **slow))
    first.finish()
    first.engine.close(grace_s=0.0)
    second = machine("b")
    second.submit(broad(2, **slow))
    assert second.finish() == 1
    rounds(clock, (second,), 39)
    assert second.running() == 0
    rounds(clock, (second,), 2)
    assert second.finish() == 1


def test_a_pools_record_wins_over_the_settings_and_is_noticed(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """When it is first used at once, when it changes within a second; without it the settings count again."""
    POOLS.save(store, "db", Pool(slots=3), at=0.0)
    here = machine("a")
    here.submit(broad(12, **IN_POOL))
    assert here.running() == 3
    POOLS.save(store, "db", Pool(slots=5), at=0.0)
    rounds(clock, (here,), 3)
    assert here.running() == 5
    POOLS.save(store, "db", Pool(slots=0), at=0.0)
    rounds(clock, (here,), 3)
    here.finish()
    assert here.running() == 0
    rounds(clock, (here,), 20)
    POOLS.delete(store, ["db"], at=0.0)
    rounds(clock, (here,), 3)
    assert here.running() == 2
    while here.finish():
        rounds(clock, (here,), 2)
    assert {each.state for each in store.runs()} == {RunState.SUCCEEDED}


def test_a_smaller_pool_holds_over_engines(store: Store, clock: FakeClock, machine: Make) -> None:
    """What is beyond it runs on, and nothing starts before there is room again."""
    POOLS.save(store, "db", Pool(slots=4), at=0.0)
    first, second = machine("a"), machine("b")
    first.submit(broad(2, **IN_POOL))
    second.submit(broad(6, **IN_POOL))
    assert (first.running(), second.running()) == (2, 2)
    POOLS.save(store, "db", Pool(slots=1), at=0.0)
    rounds(clock, (first, second), 4)
    second.finish()
    assert (first.running(), second.running()) == (2, 0)
    rounds(clock, (first, second), 4)
    assert second.running() == 0
    first.finish()
    rounds(clock, (first, second), 4)
    assert second.running() == 1
    while second.finish():
        rounds(clock, (first, second), 2)


class Busy(MemoryStore):
    """A store in which nobody can say for a while what he uses."""

    busy = False

    def write(self, writes: Sequence[Write], *, at: float) -> list[int]:
        """See ``Store.write``."""
        if self.busy and any(each.kind == LIMIT for each in writes):
            raise StoreBusy("another process writes")
        return super().write(writes, at=at)


def test_a_share_that_could_not_be_written_is_asked_for_again(clock: FakeClock) -> None:
    """Nothing starts without it, and the next look gets it."""
    store = Busy()
    here = Machine(store, clock, "a")
    store.busy = True
    here.submit(broad(1, **IN_POOL))
    assert here.running() == 0
    store.busy = False
    rounds(clock, (here,), 1)
    assert here.finish() == 1


def test_who_lost_a_run_and_lives_waits_until_its_slots_are_told_of(clock: FakeClock) -> None:
    """It wakes between the moment that its run is another's and the moment that the other one says so."""
    store = Busy()
    cluster: dict[object, object] = {}
    first = Machine(store, clock, "a", durable=True, held=cluster, queues=("mine",))
    run = first.engine.submit(RunRequest(broad(2, **IN_POOL), {}, queue=QUEUE)).run
    first.engine.submit(RunRequest(broad(4, **IN_POOL), {}, queue="mine"))
    clock.advance(LEASE_S + 1.0)
    heir = Machine(store, clock, "b", durable=True, held=cluster)
    store.busy = True
    heir.work()
    assert store.run_by_id(run).owner == heir.engine.id
    assert heir.running() == 2
    store.busy = False
    rounds(clock, (first,), 12)
    assert (heir.running(), first.running()) == (2, 0)
    rounds(clock, (heir, first), 12)
    assert (heir.running(), first.running()) == (2, 0)
    assert shares(store)[heir.engine.id] == 2
    heir.finish(1)
    rounds(clock, (heir, first), 12)
    assert (heir.running(), first.running()) == (1, 1)
    all_succeed(store, clock, (heir, first))


def test_what_ended_after_the_run_was_lost_holds_nothing(clock: FakeClock) -> None:
    """The new owner never had a reason to tell of it."""
    store = MemoryStore()
    cluster: dict[object, object] = {}
    first = Machine(store, clock, "a", durable=True, held=cluster, queues=("mine",))
    first.engine.submit(RunRequest(broad(2, **IN_POOL), {}, queue=QUEUE))
    first.engine.submit(RunRequest(broad(4, **IN_POOL), {}, queue="mine"))
    clock.advance(LEASE_S + 1.0)
    heir = Machine(store, clock, "b", durable=True, held=cluster)
    heir.work()
    assert heir.finish() == 2
    heir.engine.close()
    rounds(clock, (first,), 12)
    assert first.running() == 2
    while first.finish():
        rounds(clock, (first,), 1)


def test_an_heir_that_dies_before_it_tells_leaves_nothing_free(clock: FakeClock) -> None:
    """What the first engine had stays taken until somebody has told of it, however many die in between."""
    store = Busy()
    cluster: dict[object, object] = {}
    first = Machine(store, clock, "a", durable=True, held=cluster)
    run = first.submit(broad(2, **IN_POOL))
    stranger = Machine(store, clock, "b", durable=True, held=cluster, queues=("elsewhere",))
    stranger.engine.submit(RunRequest(broad(2, **IN_POOL), {}))
    clock.advance(LEASE_S + 1.0)
    heir = Machine(store, clock, "c", durable=True, held=cluster)
    stranger.work()
    store.busy = True
    heir.work()
    assert store.run_by_id(run).owner == heir.engine.id
    store.busy = False
    rounds(clock, (stranger,), 3 * int(LEASE_S))
    assert stranger.running() == 0
    last = Machine(store, clock, "d", durable=True, held=cluster)
    rounds(clock, (last, stranger), 20)
    assert (last.running(), stranger.running()) == (2, 0)
    assert list(TAKEOVERS.all(store)) == []
    last.finish(1)
    rounds(clock, (last, stranger), 20)
    assert (last.running(), stranger.running()) == (1, 1)
    while last.finish() + stranger.finish() or last.engine.state.runs or stranger.engine.state.runs:
        rounds(clock, (last, stranger), 1)
    assert {each.state for each in store.runs()} == {RunState.SUCCEEDED}


def test_what_is_found_alive_counts_for_all_that_it_asked_for(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """Who takes it over knows only the settings, and learns later that somebody made the pool larger."""
    POOLS.save(store, "db", Pool(slots=4), at=0.0)
    cluster: dict[object, object] = {}
    first = machine("a", durable=True, held=cluster)
    first.submit(broad(1, pools={"db": 4}))
    assert first.running() == 1
    clock.advance(LEASE_S + 1.0)
    heir = machine("b", durable=True, held=cluster)
    heir.work()
    heir.submit(broad(2, **IN_POOL))
    rounds(clock, (heir,), 20)
    assert shares(store) == {heir.engine.id: 4}
    assert heir.running() == 1
    heir.finish(1)
    rounds(clock, (heir,), 1)
    assert heir.running() == 2
    all_succeed(store, clock, (heir,))


def test_a_note_of_who_has_no_runs_keeps_nothing_from_anybody(
    store: Store, clock: FakeClock, machine: Make
) -> None:
    """An engine took runs over, and lost them again before it died."""
    TAKEOVERS.save(store, "99", Takeover(), at=clock.now())
    first = machine("a", durable=True)
    run = first.submit(broad(2, **IN_POOL))
    clock.advance(LEASE_S + 1.0)
    heir = machine("b")
    rounds(clock, (heir,), 20)
    assert store.run_by_id(run).owner == heir.engine.id
    assert heir.finish() == 2
    assert store.run_by_id(run).state is RunState.SUCCEEDED


def test_why_names_the_engine_that_has_the_slots(store: Store, machine: Make) -> None:
    """Whether its attempts hold them, or it has them and uses none."""
    first, second = machine("oslo"), machine("bergen")
    run = store.run_by_id(first.submit(broad(2, **IN_POOL)))
    waits = store.run_by_id(second.submit(broad(1, **IN_POOL)))
    told = why(store, waits.uid, "t0", now=1000.0, pools={"db": 2})
    assert f"the pool 'db' is full (2 of 2): held by `{run.uid} t0` at the engine 'oslo'" in told.answer
    first.finish()
    told = why(store, waits.uid, "t0", now=1000.0, pools={"db": 2})
    assert told.answer == "is ready, and other engines have the pool 'db', of 2 slots: 'oslo' has 2"
    assert told.blockers[0].tasks == ("oslo",)
    first.work()
    second.work()
    second.finish()


def test_without_sharing_each_engine_has_all_slots(store: Store, clock: FakeClock) -> None:
    """As an engine that has its store to itself."""
    executor = FakeExecutor("thread", limit=1000)
    engine = Engine(
        store,
        Artifacts(MemoryBlobs()),
        {"thread": executor},
        clock=clock,
        pools={"db": 2},
        share_limits=False,
    )
    engine.open()
    engine.submit(RunRequest(broad(3, **IN_POOL), {}))
    assert len(executor.held) == 2
    assert LIMITS.get(store, "pool:db") is None
    for _ in range(2):
        for each in list(executor.held.values()):
            executor.end(Ended(each.attempt.id, TaskState.SUCCEEDED, result=NONE))
        engine.pump()
    assert not engine.state.runs
