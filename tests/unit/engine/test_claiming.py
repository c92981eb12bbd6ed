"""Runs that were claimed and could not be read back: whose they are, and who looks at them again."""

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.engine.claiming import AGAIN_S
from weft.engine.control import QUEUE, Control
from weft.engine.engine import Engine
from weft.engine.verify import verify
from weft.model.attempts import Ended
from weft.model.calls import GroupCall, PythonCall
from weft.model.errors import CommitUnknown, ProjectError, StoreBusy
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.policies import Timeout
from weft.model.rows import RunRow, Snapshot
from weft.model.states import RunState, TaskState
from weft.model.values import NONE
from weft.runtime.host import RunRequest
from weft.store.memory import MemoryStore
from weft.testing.clock import FakeClock
from weft.testing.executor import FakeExecutor

GRAPH = Graph(workflow="job", root=Node(key="job", call=PythonCall("m", "job")))
LEASE_S = 5.0


class Shaky(MemoryStore):
    """Fails as it is told to."""

    away = False
    unsure = False

    def load(self, run: int) -> Snapshot:
        """See ``Store.load``."""
        if self.away:
            raise StoreBusy("the store is away")
        return super().load(run)

    def claim(self, engine: int, **kwargs: object) -> dict[int, int]:  # type: ignore[override]  # passed on whole
        """See ``Store.claim``."""
        claimed = super().claim(engine, **kwargs)  # type: ignore[arg-type]  # passed on whole
        if self.unsure:
            raise CommitUnknown("the connection was lost")
        return claimed


class Machine:
    """An engine that serves a queue, and whose projects may be out of reach."""

    def __init__(self, store: Shaky, clock: FakeClock) -> None:
        self.clock = clock
        self.fetched: list[str] = []
        self.reachable = True
        self.executor = FakeExecutor("thread", limit=1000)
        self.engine = Engine(
            store,
            Artifacts(MemoryBlobs()),
            {"thread": self.executor},
            clock=clock,
            lease_s=LEASE_S,
            queues=(QUEUE,),
            fetch=self._fetch,
        )
        self.engine.open()

    def _fetch(self, project: str) -> None:
        self.fetched.append(project)
        if not self.reachable:
            raise ProjectError("the snapshot is out of reach")

    def wake(self, after_s: float = 1.0) -> None:
        """Time passes, and the engine does its duties."""
        self.clock.advance(after_s)
        self.engine.duties.beat()
        self.engine.duties.claim()
        while self.engine.turn():
            pass

    def finish(self) -> None:
        """End every attempt well."""
        for each in list(self.executor.held.values()):
            self.executor.end(Ended(each.attempt.id, TaskState.SUCCEEDED, result=NONE))
        self.engine.pump()


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock(1000.0)


@pytest.fixture
def store() -> Shaky:
    """A store that works, until it is told not to."""
    return Shaky()


def submitted(store: Shaky, clock: FakeClock, graph: Graph = GRAPH) -> RunRow:
    """A run that waits for an engine."""
    made = Control(store, clock=clock).submit([RunRequest(graph, {})])
    return store.run_by_id(made[0].run)


def test_a_run_whose_project_was_out_of_reach_is_read_again(store: Shaky, clock: FakeClock) -> None:
    """After a while and not at once: the network has time to come back."""
    run = submitted(store, clock)
    here = Machine(store, clock)
    here.reachable = False
    here.wake()
    assert store.run_by_id(run.run).owner == here.engine.id
    assert here.engine.claimer.unread
    here.wake()
    here.wake(AGAIN_S)
    assert len(here.fetched) == 2
    here.reachable = True
    here.wake()
    assert len(here.fetched) == 2
    here.wake(AGAIN_S)
    assert not here.engine.claimer.unread
    here.finish()
    assert store.run_by_id(run.run).state is RunState.SUCCEEDED
    assert verify(store) == []


def test_one_run_that_cannot_be_read_keeps_no_other_waiting(store: Shaky, clock: FakeClock) -> None:
    """What comes later is taken over as ever."""
    lost = submitted(store, clock)
    here = Machine(store, clock)
    store.away = True
    here.wake()
    store.away = False
    fine = submitted(store, clock)
    here.wake(0.5)
    here.finish()
    assert store.run_by_id(fine.run).state is RunState.SUCCEEDED
    assert store.run_by_id(lost.run).state is RunState.SCHEDULED
    here.wake(AGAIN_S)
    here.finish()
    assert store.run_by_id(lost.run).state is RunState.SUCCEEDED


def test_a_run_that_is_another_engines_by_then_is_let_go(store: Shaky, clock: FakeClock) -> None:
    """The lease was over in between."""
    run = submitted(store, clock)
    here = Machine(store, clock)
    store.away = True
    here.wake()
    store.away = False
    clock.advance(LEASE_S + 1.0)
    heir = Machine(store, clock)
    heir.wake(0.0)
    here.wake(0.0)
    assert not here.engine.claimer.unread
    assert (len(here.executor.held), len(heir.executor.held)) == (0, 1)
    assert store.run_by_id(run.run).owner == heir.engine.id


def test_a_run_that_was_deleted_in_between_is_let_go(store: Shaky, clock: FakeClock) -> None:
    """Somebody saw that it does not go on, and threw it away."""
    run = submitted(store, clock)
    here = Machine(store, clock)
    store.away = True
    here.wake()
    store.away = False
    store.delete_runs([run.run])
    here.wake(AGAIN_S)
    assert not here.engine.claimer.unread


def test_an_engine_that_cannot_know_what_it_claimed_stops(store: Shaky, clock: FakeClock) -> None:
    """Otherwise it would prolong its lease on runs that it knows nothing of."""
    run = submitted(store, clock)
    here = Machine(store, clock)
    store.unsure = True
    here.wake()
    assert isinstance(here.engine.halted, CommitUnknown)
    store.unsure = False
    for _ in range(8):
        here.wake()
    heir = Machine(store, clock)
    heir.wake()
    heir.finish()
    assert store.run_by_id(run.run).state is RunState.SUCCEEDED


def test_timers_from_before_a_run_was_lost_count_no_more(store: Shaky, clock: FakeClock) -> None:
    """What began in a step that was refused never was, and its index is another task run's by now."""
    first = Node(key="a", call=PythonCall("m", "a"))
    free = Node(key="b", call=PythonCall("m", "b"), needs=("a",))
    bound = Node(key="c", call=PythonCall("m", "c"), needs=("a",), timeout=Timeout(total_s=20.0))
    root = Node(key="job", call=GroupCall(MAIN))
    graph = Graph(workflow="job", root=root, groups={MAIN: Group(nodes=(first, free, bound))})
    run = submitted(store, clock, graph)
    here = Machine(store, clock)
    here.wake()
    clock.advance(LEASE_S + 1.0)
    heir = Machine(store, clock)
    heir.wake(0.0)
    here.finish()
    heir.engine.close(grace_s=0.0)
    here.wake(15.0)
    assert store.run_by_id(run.run).owner == here.engine.id
    here.finish()
    here.wake(10.0)
    left = here.executor.held.values()
    assert [(each.attempt.key, each.cancelling) for each in left] == [("b", False), ("c", False)]
    here.finish()
    assert store.run_by_id(run.run).state is RunState.SUCCEEDED
    assert verify(store) == []
