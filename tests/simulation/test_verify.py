"""``verify`` finds what is wrong in a store that was damaged, and nothing in one that was not."""

from collections.abc import Callable

import pytest

from weft.core.changes import Cause, RunChanged, TaskChanged
from weft.engine.verify import verify
from weft.model.states import RUN_TERMINAL, RunState, TaskState
from weft.model.values import Result
from weft.store.memory import MemoryStore
from weft.testing.simulation import Simulation

SEED = 4


@pytest.fixture
def store() -> MemoryStore:
    """A store after a whole simulation: every run in it has ended."""
    made = MemoryStore()
    Simulation(SEED, made).go()
    assert all(row.state in RUN_TERMINAL for row in made.runs())
    return made


def _row_differs(store: MemoryStore) -> None:
    store._runs[1].tasks[0].attempt += 1


def _row_is_gone(store: MemoryStore) -> None:
    store._runs[1].tasks.popitem()


def _run_differs(store: MemoryStore) -> None:
    store._runs[1].row.state = RunState.RUNNING


def _log_is_gone(store: MemoryStore) -> None:
    store._runs[1].blocks.clear()


def _graph_is_gone(store: MemoryStore) -> None:
    del store._graphs[store._runs[1].row.graph]


def _key_twice(store: MemoryStore) -> None:
    for each in list(store._runs.values())[:2]:
        each.row.key = "nightly"


def _ended_twice(store: MemoryStore) -> None:
    row = store._runs[1].row
    again = TaskChanged(1, 0, TaskState.FAILED, 1000, 0.0, Cause.RAISED, generation=9)
    store.commit([again], engine=row.owner, epochs={1: row.epoch})


def _reopened(store: MemoryStore) -> None:
    row = store._runs[1].row
    change = RunChanged(1, RunState.RUNNING, 0.0, Cause.CLEARED)
    store.commit([change], engine=row.owner, epochs={1: row.epoch})


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_row_differs, "I6"),
        (_row_is_gone, "I1"),
        (_run_differs, "I6"),
        (_log_is_gone, "I6"),
        (_graph_is_gone, "I1"),
        (_key_twice, "I4"),
        (_ended_twice, "I10"),
        (_reopened, "I3"),
    ],
)
def test_damage_is_found(store: MemoryStore, damage: Callable[[MemoryStore], None], code: str) -> None:
    """Each kind of damage has its code, and a place that names the run."""
    damage(store)
    found = verify(store)
    assert code in {each.code for each in found}
    uids = {row.uid for row in store.runs()}
    assert all(any(uid in each.where for uid in uids) for each in found)
    assert all(each.hint for each in found)


def test_a_result_whose_bytes_are_gone_is_found() -> None:
    """A large result that the store names must be among the artifacts."""
    store = MemoryStore()
    simulation = Simulation(SEED, store)
    simulation.go()
    blobs = simulation.artifacts.blobs
    assert verify(store, blobs=blobs) == []
    store._runs[1].row.result = Result("arrow", None, "ab" * 32, 1 << 20)
    found = verify(store, blobs=blobs)
    assert [each.code for each in found] == ["ARTIFACT"]
    assert verify(store) == []
