"""The one way in, with an engine here, with one elsewhere, and with none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.engine.control import NOBODY, QUEUE, Control
from weft.engine.engine import Engine
from weft.engine.verify import verify
from weft.model.attempts import Ended
from weft.model.calls import GroupCall, PythonCall
from weft.model.errors import ErrorInfo, RunNotResumable, UsageError
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.states import RunState, TaskState
from weft.model.values import NONE
from weft.runtime.host import RunRequest
from weft.store.memory import MemoryStore
from weft.store.protocol import Store
from weft.store.sqlite import SqliteStore
from weft.testing.clock import FakeClock
from weft.testing.executor import FakeExecutor

GRAPH = Graph(workflow="job", root=Node(key="job", call=PythonCall("m", "job")))


class Machine:
    """An engine that serves a queue, its fake executor, and a control beside it."""

    def __init__(self, store: Store, clock: FakeClock, *, queues: tuple[str, ...] = (QUEUE,)) -> None:
        self.executor = FakeExecutor("thread", limit=1000)
        self.engine = Engine(
            store,
            Artifacts(MemoryBlobs()),
            {"thread": self.executor},
            clock=clock,
            lease_s=5.0,
            queues=queues,
        )
        self.engine.open()
        self.control = Control(store, self.engine, clock=clock)

    def work(self) -> None:
        """What the engine's own thread does when it wakes."""
        self.engine.duties.hurry()
        self.engine.duties.beat()
        asked = self.engine.duties.hear()
        self.engine.pump()
        self.engine.duties.heard(asked)
        self.engine.duties.claim()
        self.engine.pump()

    def running(self) -> list[str]:
        """The keys of the attempts that it has."""
        return [each.attempt.key for each in self.executor.held.values()]

    def finish(self, state: TaskState = TaskState.SUCCEEDED, key: str | None = None) -> int:
        """End every attempt that it has (of this key), in this way; returns how many there were."""
        held = [each for each in self.executor.held.values() if key in (None, each.attempt.key)]
        error = ErrorInfo("ValueError", "boom") if state is TaskState.FAILED else None
        result = NONE if state is TaskState.SUCCEEDED else None
        for each in held:
            self.executor.end(Ended(each.attempt.id, state, result=result, error=error))
        self.engine.pump()
        return len(held)


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock(1000.0)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    """A store, which must be healthy in the end."""
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "weft.db")
    yield made
    assert verify(made) == []
    made.close()


def request(**given: object) -> RunRequest:
    """A run of the smallest workflow."""
    return RunRequest(GRAPH, {}, **given)  # type: ignore[arg-type]  # as the caller gives them


def test_a_run_begins_at_once_where_an_engine_lives(store: Store, clock: FakeClock) -> None:
    """It is durable, owned and started when ``submit`` returns."""
    here = Machine(store, clock)
    (row,) = here.control.submit([request(tags=("a",))])
    assert (row.state, row.owner, row.queue, row.tags) == (RunState.RUNNING, here.engine.id, QUEUE, ("a",))
    assert here.finish() == 1
    assert store.run_by_id(row.run).state is RunState.SUCCEEDED


def test_without_an_engine_a_run_waits_for_one_that_serves_its_queue(store: Store, clock: FakeClock) -> None:
    """An engine of another queue leaves it alone."""
    server = Control(store, clock=clock)
    (row,) = server.submit([request()])
    assert (row.state, row.owner) == (RunState.SCHEDULED, NOBODY)
    other = Machine(store, clock, queues=("gpu",))
    other.work()
    assert store.run_by_id(row.run).owner == NOBODY
    engine = Machine(store, clock)
    engine.work()
    assert store.run_by_id(row.run).owner == engine.engine.id
    assert engine.finish() == 1
    assert store.run_by_id(row.run).state is RunState.SUCCEEDED
    (row,) = engine.control.submit([request(queue="gpu")])
    other.work()
    assert other.finish() == 1


def test_a_key_makes_one_run_whoever_uses_it(store: Store, clock: FakeClock) -> None:
    """The second request gives the first one's run, at the same control or at another."""
    here, server = Machine(store, clock), Control(store, clock=clock)
    (first, second) = here.control.submit([request(key="k"), request()])
    assert server.submit([request(key="k")])[0].uid == first.uid
    assert here.control.submit([request(key="k")])[0].uid == first.uid
    assert second.uid != first.uid
    assert here.finish() == 2


def test_of_two_requests_of_one_key_in_one_call_one_is_made(store: Store, clock: FakeClock) -> None:
    """They are looked at one after the other, and take no others along."""
    server = Control(store, clock=clock)
    rows = server.submit([request(key="k"), request(key="k"), request()])
    assert rows[0].uid == rows[1].uid != rows[2].uid
    assert len(store.runs()) == 2


def test_a_held_run_is_taken_once_it_is_released_or_cancelled(store: Store, clock: FakeClock) -> None:
    """Until then no engine touches it."""
    here = Machine(store, clock)
    released, cancelled = here.control.submit([request(), request()], hold=True)
    here.work()
    assert here.executor.held == {}
    here.control.release([released.run])
    here.work()
    assert here.finish() == 1
    here.control.ask(cancelled, "cancel")
    here.work()
    here.work()
    here.finish(TaskState.CANCELLED)
    assert store.run_by_id(released.run).state is RunState.SUCCEEDED
    assert store.run_by_id(cancelled.run).state is RunState.CANCELLED


def test_a_dead_engine_s_runs_go_on_at_another_once_its_lease_is_over(store: Store, clock: FakeClock) -> None:
    """What the old one still says is refused; a lease that holds is respected."""
    first = Machine(store, clock)
    (row,) = first.control.submit([request()])
    second = Machine(store, clock)
    second.work()
    assert store.run_by_id(row.run).owner == first.engine.id
    clock.advance(6.0)
    second.work()
    assert store.run_by_id(row.run).owner == second.engine.id
    first.finish()
    assert store.run_by_id(row.run).state is RunState.RUNNING
    second.finish()
    assert store.run_by_id(row.run).state is RunState.SUCCEEDED


def test_a_failed_run_runs_again_at_any_engine(store: Store, clock: FakeClock) -> None:
    """A server without an engine can ask for it; a dry run changes nothing."""
    here = Machine(store, clock)
    (row,) = here.control.submit([request()])
    server = Control(store, clock=clock)
    here.finish(TaskState.FAILED)
    row = store.run_by_id(row.run)
    assert [each.key for each in server.clear(row, only_failed=True, dry_run=True)] == ["job"]
    assert store.run_by_id(row.run).state is RunState.FAILED
    server.clear(row, only_failed=True)
    here.work()
    assert here.finish() == 1
    row = store.run_by_id(row.run)
    assert row.state is RunState.SUCCEEDED
    with pytest.raises(RunNotResumable, match="nothing to run again"):
        server.clear(row, only_failed=True)
    with pytest.raises(RunNotResumable, match="succeeded already"):
        server.ask(row, "cancel")


def test_a_paused_run_stays_paused_when_it_is_taken_over(store: Store, clock: FakeClock) -> None:
    """Only who paused it lets it go on; the request is heard by the new owner."""
    first = Machine(store, clock)
    (row,) = first.control.submit([request()], hold=True)
    first.control.release([row.run])
    first.work()
    first.control.ask(row, "pause")
    first.work()
    clock.advance(6.0)
    second = Machine(store, clock)
    second.work()
    row = store.run_by_id(row.run)
    assert (row.owner, row.state) == (second.engine.id, RunState.PAUSED)
    second.control.ask(row, "resume")
    second.work()
    assert second.finish() == 1
    assert store.run_by_id(row.run).state is RunState.SUCCEEDED


BROAD = Graph(
    workflow="broad",
    root=Node(key="broad", call=GroupCall(MAIN)),
    groups={
        MAIN: Group(
            nodes=tuple(
                Node(key=key, call=PythonCall("m", key), needs=needs)
                for key, needs in {"a": (), "b": ("a",), "slow": ()}.items()
            )
        )
    },
)


def test_part_of_a_run_that_goes_on_can_run_again(store: Store, clock: FakeClock) -> None:
    """What runs meanwhile is neither stopped nor started a second time."""
    here = Machine(store, clock)
    (row,) = here.control.submit([RunRequest(BROAD, {})])
    here.finish(TaskState.FAILED, "a")
    task = store.task_by_key(row.run, "a")
    assert [each.key for each in here.control.clear(row, tasks=[task.idx], dry_run=True)] == ["a", "b"]
    here.control.clear(row, tasks=[task.idx])
    here.work()
    assert here.running() == ["slow", "a"]
    here.finish(TaskState.SUCCEEDED, "a")
    here.finish()
    assert {each.key: each.attempt for each in store.tasks(row.run) if each.kind == "node"} == {
        "a": 2,
        "b": 1,
        "slow": 1,
    }
    assert store.run_by_id(row.run).state is RunState.SUCCEEDED


def test_an_edit_that_is_heard_twice_is_made_once(store: Store, clock: FakeClock) -> None:
    """The engine may crash after it made it and before it forgot the request."""
    here = Machine(store, clock)
    (row,) = here.control.submit([RunRequest(BROAD, {})])
    here.finish(TaskState.FAILED, "a")
    here.control.clear(row, only_failed=True)
    (request,) = store.requests(here.engine.id)
    here.work()
    here.finish(TaskState.FAILED, "a")
    store.ask(request)
    here.work()
    assert here.running() == ["slow"]
    assert store.requests(here.engine.id) == []
    here.finish()


def test_a_task_run_can_be_marked_while_the_run_goes_on_and_after(store: Store, clock: FakeClock) -> None:
    """Running, its attempt is stopped; ended, what it decided is decided anew."""
    here = Machine(store, clock)
    (row,) = here.control.submit([RunRequest(BROAD, {})])
    index = {each.key: each.idx for each in store.tasks(row.run)}
    here.control.mark(row, index["slow"], TaskState.SUCCEEDED)
    here.work()
    assert [each.attempt.key for each in here.executor.held.values() if each.cancelling] == ["slow"]
    here.finish(TaskState.CANCELLED, "slow")
    here.finish(TaskState.FAILED, "a")
    row = store.run_by_id(row.run)
    assert row.state is RunState.FAILED
    marked = here.control.mark(row, index["a"], TaskState.SUCCEEDED)
    assert {each.key for each in marked} == {"broad", "a", "b"}
    here.work()
    assert here.running() == ["b"]
    here.finish()
    row = store.run_by_id(row.run)
    assert row.state is RunState.SUCCEEDED
    assert here.control.mark(row, index["a"], TaskState.SUCCEEDED) == []
    with pytest.raises(UsageError, match="cannot be marked running"):
        here.control.mark(row, index["a"], TaskState.RUNNING)
