"""The questions of store/summaries.py, on every store."""

from collections.abc import Callable, Iterator
from math import floor, log2
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PostgresElsewhere, PostgresServer
from store_cases import Engine, run_added, run_changed, task_added, task_changed
from test_store_queries import TEXTS, populate

from weft.model.states import RunState, TaskState
from weft.model.waits import ApprovalWait, EventWait
from weft.store.memory import MemoryStore
from weft.store.postgres import PostgresStore
from weft.store.protocol import Store, Write
from weft.store.sqlite import SqliteStore
from weft.store.summaries import Bars, CellCount, CreatedCount, EndedCount, OpenCount

HOUR_S = 3600


def ran(engine: Engine, run: int, workflow: str, *, at: float, took_s: float, state: RunState) -> None:
    """A run that has ended."""
    engine.commit(
        run_added(run, workflow=workflow, at=at),
        run_changed(run, at=at),
        run_changed(run, state, at=at + took_s),
    )


def test_bars_are_columns_in_pages(store: Store, engine: Engine) -> None:
    """All of one length, by index, without keys unless they are asked for; no such run has none."""
    engine.start(1, tasks=2)
    engine.start(2, tasks=5)
    engine.commit(
        task_changed(2, 1, TaskState.RUNNING, at=40.0, worker="p1", attempt=2),
        task_changed(2, 1, TaskState.FAILED, at=41.5, worker="p1", attempt=2),
    )
    bars = store.bars(2, after=0, limit=2)
    assert {name: list(getattr(bars, name)) for name in Bars.__struct_fields__} == {
        "idx": [1, 2],
        "name": ["load", "load"],
        "kind": ["node", "node"],
        "parent": [store.task(2, 1).parent] * 2,
        "map_index": [-1, -1],
        "state": ["failed", "queued"],
        "attempt": [2, 1],
        "first_at": [20.0, 20.0],
        "changed_at": [41.5, 30.0],
        "started_at": [40.0, None],
        "ended_at": [41.5, None],
        "worker": ["p1", ""],
        "key": [],
    }
    rest = store.bars(2, after=2, keys=True)
    assert (list(rest.idx), list(rest.key)) == ([3, 4], ["load[3]", "load[4]"])
    assert len(store.bars(9).idx) == len(store.bars(2, limit=0).idx) == 0


def test_cells_count_by_task_and_state(store: Store, engine: Engine) -> None:
    """One for each run, name, kind and state: how many, from when to when, and which is the first."""
    engine.start(1, tasks=3)
    engine.commit(
        task_added(1, 3, name="other", kind="call"),
        task_changed(1, 1, TaskState.RUNNING, at=50.0),
        task_changed(1, 2, TaskState.RUNNING, at=40.0, attempt=4),
        task_changed(1, 1, TaskState.SUCCEEDED, at=60.0),
        task_changed(1, 2, TaskState.SUCCEEDED, at=55.0, attempt=4),
    )
    engine.start(2, tasks=1)
    engine.start(3, tasks=1)
    first = store.task(1, 3).state
    assert store.cells([2, 1, 9]) == [
        CellCount(1, "load", "node", "queued", 1, 0, 1, None, None),
        CellCount(1, "load", "node", "succeeded", 2, 1, 4, 40.0, 60.0),
        CellCount(1, "other", "call", str(first), 1, 3, 0, None, None),
        CellCount(2, "load", "node", "queued", 1, 0, 1, None, None),
    ]
    assert store.cells([]) == []


def test_keys_of_some_task_runs(store: Store, engine: Engine) -> None:
    """Those that there are."""
    engine.start(1, tasks=4)
    assert store.task_keys(1, [2, 0, 77, 2]) == {0: "load[0]", 2: "load[2]"}
    assert store.task_keys(1, []) == {}


def test_the_newest_runs_of_some_workflows(store: Store, engine: Engine) -> None:
    """So many of each, all in the order in which they were accepted."""
    for run, workflow in enumerate(["a", "b", "a", "c", "a", "b"], start=1):
        engine.start(run, workflow=workflow)
    engine.end(3, at=77.0)
    found = store.newest_runs(["b", "a", "nobody", "a"], each=2)
    assert [(each.run, each.workflow) for each in found] == [(2, "b"), (3, "a"), (5, "a"), (6, "b")]
    mark = found[1]
    row = store.run_by_id(3)
    assert (mark.uid, mark.state, mark.created_at) == (row.uid, "succeeded", row.created_at)
    assert (mark.started_at, mark.ended_at) == (row.started_at, 77.0)
    assert store.newest_runs([], each=2) == store.newest_runs(["a"], each=0) == []


def test_names_of_workflows_that_have_runs(store: Store, engine: Engine) -> None:
    """Each once, in byte order, in pages, by prefix."""
    for run, workflow in enumerate(["b", "a", "ab", "é", "b", "Z"], start=1):
        engine.start(run, workflow=workflow)
    assert store.run_workflows() == ["Z", "a", "ab", "b", "é"]
    assert store.run_workflows(after="a", limit=2) == ["ab", "b"]
    assert store.run_workflows(prefix="a") == ["a", "ab"]
    assert store.run_workflows(prefix="a", after="a") == ["ab"]
    assert store.run_workflows(prefix="x") == store.run_workflows(limit=0) == []


def test_runs_by_the_beginning_of_their_id(store: Store, engine: Engine) -> None:
    """As it is, or as people type it."""
    for run, uid in enumerate(["run_01AAB", "run_01AAC", "run_02"], start=1):
        engine.start(run, uid=uid)
    assert [row.run for row in store.runs_by_prefix("run_01AA", limit=8)] == [1, 2]
    assert [row.run for row in store.runs_by_prefix("01aa", limit=1)] == [1]
    assert store.runs_by_prefix("x", limit=8) == store.runs_by_prefix("", limit=8) == []


def test_open_runs_are_counted_and_listed(store: Store, engine: Engine) -> None:
    """By workflow and state; those that have ended do not count."""
    for run, workflow in enumerate(["a", "b", "a", "a"], start=1):
        engine.start(run, workflow=workflow)
    engine.commit(run_added(5, workflow="a"))
    engine.end(4)
    counts = store.open_counts()
    assert len(counts) == 3
    assert set(counts) == {
        OpenCount("a", "running", 2),
        OpenCount("a", "scheduled", 1),
        OpenCount("b", "running", 1),
    }
    assert store.open_runs(limit=3) == [store.run_by_id(run) for run in (5, 3, 2)]
    assert store.open_runs(limit=0) == []


def test_open_approvals_are_counted(store: Store, engine: Engine) -> None:
    """What waits for a person, in runs that are open."""
    assert store.open_approvals() == 0
    for run in (1, 2):
        engine.start(run, tasks=4)
        engine.commit(
            task_changed(run, 0, TaskState.WAITING, wait=ApprovalWait(prompt="Shall we?", assignees=("me",))),
            task_changed(run, 1, TaskState.WAITING, wait=ApprovalWait()),
            task_changed(run, 2, TaskState.WAITING, wait=EventWait(name="approval")),
        )
    assert store.open_approvals() == 4
    engine.commit(task_changed(1, 0, TaskState.SUCCEEDED))
    engine.end(2)
    assert store.open_approvals() == 1


def test_runs_that_ended_are_counted_and_listed(store: Store, engine: Engine) -> None:
    """Since a moment, in stretches of time; the latest end first."""
    for run, took_s in enumerate([100.0, HOUR_S, HOUR_S + 10.0, 10.0], start=1):
        ran(engine, run, "a", at=2.0 * HOUR_S, took_s=took_s, state=RunState.FAILED)
    ran(engine, 5, "b", at=0.0, took_s=3.0 * HOUR_S, state=RunState.SUCCEEDED)
    engine.start(6)
    counts = store.ended_counts(since=2.0 * HOUR_S + 100.0, every_s=HOUR_S)
    assert len(counts) == 3
    assert set(counts) == {
        EndedCount(2, "failed", 1),
        EndedCount(3, "failed", 2),
        EndedCount(3, "succeeded", 1),
    }
    failed = store.ended_runs("failed", since=2.0 * HOUR_S + 100.0, limit=2)
    assert failed == [store.run_by_id(3), store.run_by_id(2)]
    assert store.ended_runs("cancelled", since=0.0, limit=9) == []


def test_runs_that_were_accepted_are_counted(store: Store, engine: Engine) -> None:
    """Of one workflow, in stretches of time, with how long those took that succeeded."""
    ran(engine, 1, "a", at=10.0, took_s=5.0, state=RunState.SUCCEEDED)
    ran(engine, 2, "a", at=HOUR_S + 10.0, took_s=5.0, state=RunState.SUCCEEDED)
    ran(engine, 3, "a", at=HOUR_S + 20.0, took_s=5.1, state=RunState.SUCCEEDED)
    ran(engine, 4, "a", at=HOUR_S + 30.0, took_s=0.3, state=RunState.SUCCEEDED)
    ran(engine, 5, "a", at=HOUR_S + 40.0, took_s=0.0, state=RunState.SUCCEEDED)
    ran(engine, 6, "a", at=HOUR_S + 50.0, took_s=5.0, state=RunState.FAILED)
    ran(engine, 7, "b", at=HOUR_S + 60.0, took_s=5.0, state=RunState.FAILED)
    engine.commit(run_added(8, workflow="a", at=9.0 * HOUR_S))
    counts = store.created_counts("a", since=HOUR_S, every_s=HOUR_S)
    assert len(counts) == 5
    assert set(counts) == {
        CreatedCount(1, "succeeded", floor(8 * log2(5.0)), 2),
        CreatedCount(1, "succeeded", floor(8 * log2(0.3)), 1),
        CreatedCount(1, "succeeded", None, 1),
        CreatedCount(1, "failed", None, 1),
        CreatedCount(9, "scheduled", None, 1),
    }


def test_some_records_of_a_kind(store: Store) -> None:
    """Those of the names given, by name, each once."""
    store.write(
        [Write(kind=kind, name=name, body=b"x") for kind in ("a", "b") for name in ("Q", "p", "é")], at=1.0
    )
    found = store.some_records("a", ["é", "p", "none", "p"])
    assert found == [store.record("a", "p"), store.record("a", "é")]
    assert store.some_records("a", []) == store.some_records("c", ["p"]) == []


def test_names_that_hold_a_text(store: Store) -> None:
    """Of one kind, whatever the case of ASCII letters; where it comes earlier is better."""
    names = ["load", "reload", "Upload_all", "LOAD2", "%", "other"]
    store.write([Write(kind="a", name=name, body=b"x") for name in names], at=1.0)
    store.write([Write(kind="b", name="load", body=b"x")], at=1.0)
    assert store.names_with("a", "load", limit=9) == ["LOAD2", "load", "Upload_all", "reload"]
    assert store.names_with("a", "load", limit=1) == ["LOAD2"]
    assert store.names_with("a", "%", limit=9) == ["%"]
    assert store.names_with("c", "load", limit=9) == []


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer | PostgresElsewhere
) -> Iterator[list[Store]]:
    """One of each kind, with the same runs in it."""
    path: Path = tmp_path_factory.mktemp("stores") / "weft.db"
    made: list[Store] = [
        populate(each) for each in (MemoryStore(), SqliteStore(path), PostgresStore(postgres.url()))
    ]
    yield made
    for each in made:
        each.close()


@pytest.mark.parametrize(
    "question",
    [
        lambda store: [list(column) for run in range(42) for column in _columns(store, run)],
        lambda store: store.cells(range(42)),
        lambda store: store.task_keys(1, range(0, 90, 7)),
        lambda store: store.newest_runs(TEXTS, each=2),
        lambda store: store.run_workflows(),
        lambda store: store.run_workflows(prefix="e", after="e*l", limit=2),
        lambda store: _sorted(store.open_counts()),
        lambda store: [row.run for row in store.open_runs(limit=7)],
        lambda store: store.open_approvals(),
        lambda store: [row.run for row in store.ended_runs("failed", since=0.0, limit=7)],
        lambda store: _sorted(store.ended_counts(since=0.0, every_s=7200)),
        lambda store: [_sorted(store.created_counts(name, since=0.0, every_s=900)) for name in TEXTS],
    ],
)
def test_every_store_says_the_same(stores: list[Store], question: Callable[[Store], Any]) -> None:
    """About runs and task runs of every kind."""
    memory, sqlite, postgres = map(question, stores)
    assert memory == sqlite == postgres


def _columns(store: Store, run: int) -> list[Any]:
    bars = store.bars(run, keys=True)
    return [getattr(bars, name) for name in Bars.__struct_fields__]


def _sorted(counts: list[Any]) -> list[Any]:
    return sorted(counts, key=repr)
