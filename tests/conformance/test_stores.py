"""The rules of store/protocol.py, on every store."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from postgres_server import PostgresElsewhere, PostgresServer, wipe
from store_cases import (
    BIG,
    BOOM,
    ONE,
    Engine,
    all_events,
    check_fold,
    flat,
    graph,
    logs,
    run_added,
    run_changed,
    task_added,
    task_changed,
)

from weft.core.changes import (
    Cached,
    Cause,
    Change,
    MapExpanded,
    NodeAdded,
    RunAdded,
    Showed,
    Signalled,
    TaskAdded,
    TaskChanged,
)
from weft.model.attempts import Published
from weft.model.calls import PythonCall
from weft.model.errors import Conflict, InvariantViolation, NotFound, StaleOwner, UsageError
from weft.model.graph import Node
from weft.model.inputs import Const
from weft.model.states import RunState, TaskState
from weft.store.memory import MemoryStore
from weft.store.postgres import PostgresStore
from weft.store.protocol import Record, Request, Store, Write
from weft.store.sqlite import SqliteStore

# Commit


def test_a_commit_is_read_back_whole(store: Store, engine: Engine) -> None:
    """Rows hold what the changes said, with the lease's and the graph's facts beside it."""
    inputs = {"*": Const(ONE)}
    engine.commit(
        run_added(7, params={"day": ONE}, tags=("prod", "eu"), key="k", facts={"n": [1, {"a": None}]}),
        run_changed(7, at=8.0),
        task_added(7, 0, inputs=inputs, kind="call", node="n1", ordinal=3, fingerprint="f"),
        task_changed(7, 0, TaskState.RUNNING, at=9.0),
        task_changed(7, 0, TaskState.FAILED, at=10.0, error=BOOM, worker="p1", failures=1),
    )
    run = store.run_by_id(7)
    assert (run.state, run.started_at, run.ended_at, run.version) == (RunState.RUNNING, 8.0, None, 1)
    assert (run.owner, run.epoch) == (engine.id, 1)
    assert (run.params, run.tags, run.key, run.facts) == (
        {"day": ONE},
        ("prod", "eu"),
        "k",
        {"n": [1, {"a": None}]},
    )
    task = store.task(7, 0)
    assert (task.state, task.error, task.worker, task.failures) == (TaskState.FAILED, BOOM, "p1", 1)
    assert (task.first_at, task.started_at, task.ended_at, task.changed_at) == (20.0, 9.0, 10.0, 10.0)
    assert (task.inputs, task.node, task.ordinal, task.fingerprint) == (inputs, "n1", 3, "f")


def test_an_empty_commit_changes_nothing(store: Store, engine: Engine) -> None:
    """No changes are no event and nobody refused."""
    assert engine.commit() == frozenset()
    assert store.last_seq() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: task_added(1, 0),
        lambda: task_changed(1, 9),
        lambda: run_added(1),
        lambda: run_added(9, uid=run_added(1).uid),
    ],
    ids=["task added twice", "task never added", "run added twice", "public id used twice"],
)
def test_a_broken_batch_changes_nothing(store: Store, engine: Engine, wrong: Callable[[], Change]) -> None:
    """A batch that no log may hold is refused as a whole, and the store goes on."""
    engine.start(1, tasks=1)
    before = all_events(store)
    with pytest.raises(InvariantViolation):
        engine.commit(run_added(2), task_changed(1, 0, TaskState.RUNNING), wrong())
    assert all_events(store) == before
    assert store.task(1, 0).state is TaskState.QUEUED
    engine.start(2)
    check_fold(store)


def test_a_task_changed_before_it_is_added_is_refused(engine: Engine) -> None:
    """The order within a batch counts too."""
    engine.start(1)
    with pytest.raises(InvariantViolation):
        engine.commit(task_changed(1, 0), task_added(1, 0))


def test_a_value_that_cannot_be_encoded_leaves_the_store_as_it_was(store: Store, engine: Engine) -> None:
    """A fault in the middle of a batch undoes what came before it."""
    engine.start(1)
    with pytest.raises(TypeError):
        engine.commit(task_added(1, 0), run_added(2, facts={"x": object()}))
    assert store.tasks(1) == []
    engine.commit(task_added(1, 0))
    check_fold(store)


@pytest.fixture(scope="module")
def spare(postgres: PostgresServer | PostgresElsewhere) -> str:
    """A PostgreSQL store that is wiped and used again."""
    url = postgres.url()
    PostgresStore(url).close()
    return url


@given(batches=logs())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_stores_agree_and_are_the_fold_of_their_log(
    tmp_path_factory: pytest.TempPathFactory, spare: str, batches: list[list[Change]]
) -> None:
    """I6 on each store for any log; and the same batches give the same events and rows on all."""
    memory = MemoryStore()
    sqlite = SqliteStore(tmp_path_factory.mktemp("fold") / "weft.db", durability="relaxed")
    wipe(spare)
    others: list[Store] = [sqlite, PostgresStore(spare, durability="relaxed")]
    try:
        for store in (memory, *others):
            engine = Engine(store)
            for batch in batches:
                assert engine.commit(*batch) == frozenset()
            check_fold(store, flat(batches))
        for other in others:
            assert all_events(memory) == all_events(other)
            assert list(memory.all_runs()) == list(other.all_runs())
            for run in {change.run for change in flat(batches)}:
                assert memory.load(run) == other.load(run)
                assert memory.published(run) == other.published(run)
                assert memory.counts(run) == other.counts(run)
                assert all_events(memory, run) == all_events(other, run)
                for idx in (-1, 0, 3):
                    assert memory.events(run, idx) == other.events(run, idx)
    finally:
        for other in others:
            other.close()


def test_what_goes_in_and_out_shares_nothing_with_what_is_inside(store: Store, engine: Engine) -> None:
    """Changing an argument or an answer in place does not change the store."""
    facts = {"n": [1]}
    inputs = {"x": Const(ONE)}
    engine.commit(run_added(1, facts=facts, params={"p": ONE}), task_added(1, 0, inputs=inputs))
    facts["n"].append(2)
    inputs.clear()
    run, task = store.run_by_id(1), store.task(1, 0)
    run.facts["n"].append(3)
    run.params.clear()
    run.state = RunState.FAILED
    task.inputs.clear()
    store.events(1)[0].change.facts["n"].append(4)  # type: ignore[union-attr]
    store.load(1).run.facts.clear()
    assert store.run_by_id(1).facts == {"n": [1]}
    assert store.run_by_id(1).params == {"p": ONE}
    assert store.run_by_id(1).state is RunState.SCHEDULED
    assert store.task(1, 0).inputs == {"x": Const(ONE)}
    check_fold(store)


# The log


def test_events_tell_each_change_without_its_result(store: Store, engine: Engine) -> None:
    """The log is complete and in order, and result bytes are in the row only."""
    node = Node(key="load", call=PythonCall("m", "load"))
    changes: list[Change] = [
        run_added(1),
        run_changed(1),
        NodeAdded(1, "n1", node),
        task_added(1, 0),
        task_changed(1, 0),
        MapExpanded(1, 0, 30.5, 5, 3, BIG),
        Signalled(1, "go", 30.6, ONE, "s1"),
        Showed(1, 0, 1, 30.7, Published("r", "markdown", ONE)),
        Cached(1, 0, "k", ONE, 30.8),
        task_changed(1, 0, TaskState.SUCCEEDED, result=ONE, chosen=("a",), detail="d", cpu_s=0.5),
        run_changed(1, RunState.SUCCEEDED, result=ONE),
    ]
    engine.commit(*changes)
    events = store.events(1)
    assert [event.seq for event in events] == list(range(1, 12))
    assert [event.idx for event in events] == [-1, -1, -1, 0, 0, 0, -1, 0, 0, 0, -1]
    told = [event.change for event in events]
    assert told[:8] == changes[:8]
    assert told[8] == replace(changes[8], result=replace(ONE, inline=None))
    assert told[9] == replace(changes[9], result=None)
    assert told[10] == replace(changes[10], result=None)
    assert [event.at for event in events if event.idx == 0] == [20.0, 30.0, 30.5, 30.7, 30.8, 30.0]
    assert store.task(1, 0).result == ONE
    assert store.run_by_id(1).result == ONE


def test_events_are_read_in_pages(store: Store, engine: Engine) -> None:
    """``after`` and ``limit`` cut anywhere, inside a commit too, for a run, a task run and all runs."""
    engine.start(1, tasks=5)
    engine.start(2, tasks=5)
    engine.commit(*[task_changed(run, idx, TaskState.RUNNING) for idx in range(5) for run in (1, 2)])
    everything = store.events_since(0, limit=10_000)
    assert [event.seq for event in everything] == list(range(1, store.last_seq() + 1))
    for page in (1, 3, 100):
        assert all_events(store, page=page) == everything
        assert all_events(store, 2, page=page) == [event for event in everything if event.run == 2]
    mine = [event for event in everything if (event.run, event.idx) == (2, 3)]
    assert store.events(2, 3) == mine
    assert len(mine) == 3
    assert store.events(2, 3, after=mine[0].seq, limit=1) == mine[1:2]
    assert store.events(2, limit=0) == []
    assert store.events(99) == []


# Ownership


def test_a_stale_owner_is_refused_and_the_others_are_committed(store: Store, engine: Engine) -> None:
    """I9: the run that was taken over is named and unchanged; the batch's other runs are durable."""
    for run in (1, 2):
        engine.start(run, tasks=1)
    other = Engine(store)
    store.close_engine(engine.id)
    assert store.claim(other.id, now=50.0, runs=[1]) == {1: 2}
    before = store.load(1), store.events(1)
    refused = engine.commit(
        task_changed(1, 0, TaskState.SUCCEEDED, result=ONE),
        task_changed(2, 0, TaskState.SUCCEEDED, result=ONE),
        Cached(1, 0, "k", ONE, 1.0),
    )
    assert refused == {1}
    assert (store.load(1), store.events(1)) == before
    assert store.cached("k", now=0.0) is None
    assert store.task(2, 0).state is TaskState.SUCCEEDED
    other.epochs[1] = 2
    assert other.commit(task_changed(1, 0, TaskState.RUNNING)) == frozenset()
    check_fold(store)


@pytest.mark.parametrize("epoch", [0, 2, None])
def test_a_wrong_or_missing_epoch_is_refused(store: Store, engine: Engine, epoch: int | None) -> None:
    """The right engine with another epoch than the run's is as stale as another engine."""
    engine.start(1)
    epochs = {} if epoch is None else {1: epoch}
    assert store.commit([task_added(1, 0)], engine=engine.id, epochs=epochs) == {1}
    assert store.commit([run_added(2)], engine=engine.id, epochs={}) == {2}
    assert store.tasks(1) == []


def test_a_change_of_an_unknown_run_is_refused(store: Store, engine: Engine) -> None:
    """A run that was deleted has no owner."""
    assert engine.commit(task_added(5, 0)) == {5}
    assert store.last_seq() == 0


def test_claims_take_only_what_no_live_engine_owns(store: Store) -> None:
    """A lease protects until it ends, is given up, or its owner is known to be dead."""
    first, second = Engine(store, expires_at=100.0), Engine(store)
    for run in (1, 2, 3):
        first.start(run)
    first.end(3)
    assert store.claim(second.id, now=99.0) == {}
    assert store.claim(second.id, now=99.0, runs=[1]) == {}
    assert store.claim(second.id, now=99.0, runs=[1], dead=[first.id]) == {1: 2}
    assert store.claim(second.id, now=100.0) == {2: 2}
    assert store.claim(second.id, now=100.0) == {}
    assert [store.run_by_id(run).owner for run in (1, 2, 3)] == [second.id, second.id, first.id]


def test_an_ended_run_is_claimed_only_by_name(store: Store, engine: Engine) -> None:
    """A retry of an ended run needs its ownership; taking over a dead engine's work does not."""
    engine.start(1)
    engine.end(1)
    other = Engine(store)
    store.close_engine(engine.id)
    assert store.claim(other.id, now=2.0) == {}
    assert store.claim(other.id, now=2.0, runs=[1, 1, 9]) == {1: 2}
    other.epochs[1] = 2
    assert other.commit(run_changed(1, RunState.RUNNING, at=200.0)) == frozenset()
    row = store.run_by_id(1)
    assert (row.state, row.started_at, row.ended_at, row.result) == (RunState.RUNNING, 10.0, None, None)


def test_an_engine_may_claim_again_what_it_let_expire(store: Store) -> None:
    """Its old epoch is fenced like anybody else's."""
    engine = Engine(store, expires_at=5.0)
    engine.start(1)
    assert store.claim(engine.id, now=6.0) == {1: 2}
    assert engine.commit(task_added(1, 0)) == {1}


def test_heartbeats_prolong_and_engines_are_listed(store: Store) -> None:
    """A prolonged lease protects; an engine that the store does not know is told so."""
    first, second = Engine(store, expires_at=10.0), Engine(store)
    first.start(1)
    store.heartbeat(first.id, expires_at=20.0)
    assert store.claim(second.id, now=15.0) == {}
    rows = store.engines()
    assert [row.engine for row in rows] == [first.id, second.id]
    assert (rows[0].name, rows[0].host, rows[0].pid, rows[0].process_started) == ("test", "here", 1, "1.5")
    assert (rows[0].started_at, rows[0].expires_at) == (1.0, 20.0)
    with pytest.raises(StaleOwner):
        store.heartbeat(999, expires_at=1.0)


def test_reserved_run_ids_are_never_given_twice(store: Store) -> None:
    """Each caller gets a range of its own."""
    first = store.reserve_runs(10)
    second = store.reserve_runs(1)
    assert second >= first + 10
    assert store.reserve_runs(5) > second


def test_a_key_makes_one_run(store: Store, engine: Engine) -> None:
    """A second submission with the same key is refused and can be looked up; other runs are committed."""
    engine.start(1, key="nightly:2026-01-01")
    assert engine.commit(run_added(2, key="nightly:2026-01-01"), run_changed(2), run_added(3)) == {2}
    assert engine.commit(run_added(4, key="a"), run_added(5, key="a")) == {5}
    found = store.run_by_key("nightly:2026-01-01")
    assert found is not None
    assert found.run == 1
    assert store.run_by_key("b") is None
    assert [row.run for row in store.runs()] == [4, 3, 1]


# Reading


def test_runs_are_named_by_id_prefix_or_latest(store: Store, engine: Engine) -> None:
    """Whole ids, unique beginnings of them as people type them, and the newest."""
    with pytest.raises(NotFound, match="no runs yet"):
        store.run("@latest")
    engine.commit(
        run_added(1, uid="run_01ABC000"), run_added(2, uid="run_01ABD000"), run_added(3, uid="run_01ABD0001")
    )
    assert store.run("run_01ABC000").run == 1
    assert store.run("01abc").run == 1
    assert store.run("run_01ABD000").run == 2
    assert store.run("@latest").run == 3
    with pytest.raises(UsageError, match="more than one"):
        store.run("01ab")
    for unknown in ("run_02", "", "%", "run_01ABC000x"):
        with pytest.raises(NotFound):
            store.run(unknown)
    with pytest.raises(NotFound):
        store.run_by_id(99)


def test_runs_are_listed_newest_first_in_pages(store: Store, engine: Engine) -> None:
    """``before`` and ``limit`` page; ``where`` picks."""
    for run in range(1, 8):
        engine.start(run, tags=("odd",) if run % 2 else ())
    assert [row.run for row in store.runs(limit=3)] == [7, 6, 5]
    assert [row.run for row in store.runs(limit=3, before=5)] == [4, 3, 2]
    assert [row.run for row in store.runs("tag:odd", limit=2, before=7)] == [5, 3]
    assert store.runs(limit=0) == []
    assert [row.run for row in store.all_runs()] == list(range(1, 8))
    with pytest.raises(UsageError):
        store.runs("nonsense")


def test_tasks_are_listed_by_index_in_pages(store: Store, engine: Engine) -> None:
    """``after``, ``limit``, ``parent`` and ``where`` combine."""
    engine.start(1)
    engine.commit(*[task_added(1, idx, parent=idx % 2) for idx in (5, 3, 9, 1, 4)], task_changed(1, 4))
    assert [row.idx for row in store.tasks(1)] == [1, 3, 4, 5, 9]
    assert [row.idx for row in store.tasks(1, after=1, limit=2)] == [3, 4]
    assert [row.idx for row in store.tasks(1, parent=1, after=1)] == [3, 5, 9]
    assert [row.idx for row in store.tasks(1, "-state:pending")] == [4]
    assert store.tasks(1, "state:pending", parent=0) == []
    assert store.tasks(2) == []
    assert store.counts(1) == {TaskState.PENDING: 4, TaskState.QUEUED: 1}
    assert store.counts(2) == {}
    assert store.task_by_key(1, "load[9]").idx == 9
    engine.commit(task_added(1, 20, key="load[9]"))
    assert store.task_by_key(1, "load[9]").idx == 20
    for ask in (lambda: store.task(1, 2), lambda: store.task_by_key(1, "x"), lambda: store.task(2, 0)):
        with pytest.raises(NotFound):
            ask()


def test_graphs_are_stored_once_and_numbered(store: Store) -> None:
    """A version's number grows per workflow; a known digest keeps its own."""
    assert store.put_graph("a", graph("etl"), at=1.0) == 1
    assert store.put_graph("b", graph("etl"), at=2.0) == 2
    assert store.put_graph("c", graph("report"), at=3.0) == 1
    assert store.put_graph("a", graph("etl"), at=4.0) == 1
    assert store.graph("c") == graph("report")
    assert store.workflows() == [("etl", 2, "b", 2.0), ("report", 1, "c", 3.0)]
    with pytest.raises(NotFound):
        store.graph("z")


def test_a_snapshot_holds_all_that_a_run_needs(store: Store, engine: Engine) -> None:
    """Run, graph, nodes, task runs by index, maps of the latest generation, signals as they came."""
    node = Node(key="load", call=PythonCall("m", "load"))
    engine.start(1, tasks=3)
    engine.start(2, tasks=1)
    engine.commit(
        NodeAdded(1, "n1", node),
        NodeAdded(1, "n1", node),
        MapExpanded(1, 2, 1.0, 10, 5, ONE),
        MapExpanded(1, 2, 2.0, 20, 6, BIG, generation=1),
        Signalled(1, "go", 1.0, ONE, "z"),
        Signalled(1, "go", 1.0, ONE, "a"),
    )
    engine.commit(Signalled(1, "go", 1.0, ONE, "z", consumer=2))
    snapshot = store.load(1)
    assert snapshot.run == store.run_by_id(1)
    assert snapshot.graph == graph()
    assert snapshot.nodes == {"n1": node} == store.nodes(1)
    assert snapshot.tasks == store.tasks(1)
    assert [(row.idx, row.base, row.generation) for row in snapshot.maps] == [(2, 20, 1)]
    assert [(row.signal_id, row.consumer) for row in snapshot.signals] == [("z", 2), ("a", -1)]
    with pytest.raises(NotFound):
        store.load(9)


def test_the_latest_of_each_published_key_is_shown(store: Store, engine: Engine) -> None:
    """A later one replaces an earlier, in its place."""
    engine.start(1, tasks=2)

    def shown(idx: int, key: str, title: str, attempt: int = 1) -> Showed:
        return Showed(1, idx, attempt, 5.0, Published(key, "markdown", ONE, title))

    engine.commit(shown(0, "b", "first"), shown(0, "a", "second"), shown(1, "b", "third"))
    engine.commit(shown(0, "b", "fourth", attempt=2))
    assert [(row.idx, row.published.title) for row in store.published(1)] == [
        (0, "fourth"),
        (0, "second"),
        (1, "third"),
    ]
    assert [row.attempt for row in store.published(1, 0)] == [2, 1]
    assert store.published(2) == []


def test_cache_records_expire_and_are_replaced(store: Store, engine: Engine) -> None:
    """A record is valid until ``expires_at``, and the latest of a key counts."""
    engine.start(1, tasks=2)
    engine.commit(Cached(1, 0, "k", ONE, 1.0, expires_at=10.0), Cached(1, 0, "ever", BIG, 1.0))
    row = store.cached("k", now=9.9)
    assert row is not None
    assert (row.result, row.run, row.idx, row.at, row.expires_at) == (ONE, 1, 0, 1.0, 10.0)
    assert store.cached("k", now=10.0) is None
    assert store.cached("none", now=0.0) is None
    engine.commit(Cached(1, 1, "k", BIG, 11.0))
    row = store.cached("k", now=1e9)
    assert row is not None
    assert (row.result, row.idx) == (BIG, 1)


def test_a_takeover_leaves_its_note(store: Store, engine: Engine) -> None:
    """In the same transaction, if a run had an owner before; a run that is new leaves none."""
    note = Write(kind="takeover", name="x", body=b"1")
    engine.start(1)
    heir = Engine(store)
    assert store.claim(heir.id, now=50.0, runs=[9], note=note) == {}
    assert store.record("takeover", "x") is None
    assert store.claim(heir.id, now=50.0, runs=[1], dead=[engine.id], note=note) == {1: 2}
    found = store.record("takeover", "x")
    assert found is not None
    assert (found.body, found.at) == (b"1", 50.0)


def test_of_one_commit_the_logs_last_word_counts_in_the_cache(store: Store, engine: Engine) -> None:
    """A block of the log holds one run's changes: the second run's come last, whatever came in between."""
    engine.start(1)
    engine.start(2)
    engine.commit(
        run_changed(1),
        Cached(2, 0, "k", ONE, 1.0),
        Cached(1, 0, "k", BIG, 1.0),
    )
    row = store.cached("k", now=0.0)
    assert row is not None
    assert (row.run, row.result) == (2, ONE)
    check_fold(store)


# Deleting


def test_deleting_forgets_ended_runs_whole(store: Store, engine: Engine) -> None:
    """Every row of an ended run goes; open runs stay; sequence numbers and ids are not used again."""
    for run in (1, 2, 3):
        engine.start(run, tasks=3, key=f"key-{run}")
        engine.commit(
            Cached(run, 0, f"k{run}", ONE, 1.0),
            Showed(run, 0, 1, 1.0, Published("r", "link", ONE)),
            Signalled(run, "s", 1.0, ONE, "s"),
            MapExpanded(run, 0, 1.0, 1, 1, ONE),
        )
    engine.end(1)
    engine.end(3)
    newest = store.last_seq()
    assert store.delete_runs([1, 2, 3, 99]) == 2
    assert [row.run for row in store.all_runs()] == [2]
    for run in (1, 3):
        assert store.tasks(run) == store.events(run) == store.published(run) == []
        assert store.maps(run) == store.signals(run) == []
        assert store.cached(f"k{run}", now=0.0) is None
        assert store.run_by_key(f"key-{run}") is None
    assert store.cached("k2", now=0.0) is not None
    assert store.last_seq() == newest
    assert all(event.run == 2 for event in store.events_since(0))
    engine.start(4)
    assert [event.seq for event in store.events(4)] == [newest + 1, newest + 2]
    check_fold(store)


def test_deleting_takes_many_rows_in_small_steps(store: Store, engine: Engine) -> None:
    """A run larger than one transaction's share goes completely."""
    engine.start(1, tasks=4500)
    engine.end(1)
    assert store.delete_runs([1]) == 1
    assert store.tasks(1) == store.events(1) == []
    assert store.check() == []


def test_pruning_goes_by_the_time_of_the_end(store: Store, engine: Engine) -> None:
    """Oldest first, up to the limit, answering their public ids; old caches and engines go too."""
    for run in range(1, 6):
        engine.start(run)
        engine.end(run, at=100.0 + run)
    engine.start(6)
    engine.commit(Cached(6, 0, "old", ONE, 1.0, expires_at=50.0), Cached(6, 0, "new", ONE, 1.0))
    gone = Engine(store, expires_at=60.0)
    assert store.prune(ended_before=104.0, limit=2) == [run_added(1).uid, run_added(2).uid]
    assert store.prune(ended_before=104.0) == [run_added(3).uid]
    assert store.prune(ended_before=104.0) == []
    assert [row.run for row in store.runs()] == [6, 5, 4]
    assert [row.engine for row in store.engines()] == [engine.id]
    assert gone.id not in [row.engine for row in store.engines()]
    assert store.cached("old", now=0.0) is None
    assert store.cached("new", now=0.0) is not None


# Threads


def test_many_threads_read_while_one_writes(store: Store, engine: Engine) -> None:
    """A reader never sees half a commit, and each sees later ones later."""
    engine.start(1)
    done = threading.Event()
    faults: list[str] = []

    def read() -> None:
        last = 0
        while not done.is_set():
            count = len(store.tasks(1, limit=10_000))
            if count % 10 or count < last:
                faults.append(f"{count} after {last}")
            last = count

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for first in range(0, 600, 10):
        engine.commit(*[task_added(1, idx) for idx in range(first, first + 10)])
    done.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert len(store.tasks(1, limit=10_000)) == 600


def test_a_snapshot_is_of_one_instant(store: Store, engine: Engine) -> None:
    """Its parts come from the same commit, however many are made meanwhile."""
    engine.start(1)
    done = threading.Event()
    faults: list[tuple[int, int, int]] = []

    def read() -> None:
        while not done.is_set():
            snapshot = store.load(1)
            parts = len(snapshot.tasks), len(snapshot.maps), len(snapshot.signals)
            if len(set(parts)) > 1:
                faults.append(parts)

    reader = threading.Thread(target=read)
    reader.start()
    for idx in range(150):
        engine.commit(
            task_added(1, idx), MapExpanded(1, idx, 1.0, 0, 0, ONE), Signalled(1, "s", 1.0, ONE, str(idx))
        )
    done.set()
    reader.join()
    assert faults == []
    assert len(store.load(1).signals) == 150


def test_the_writer_may_move_between_threads(store: Store, engine: Engine) -> None:
    """Any thread may commit, one at a time; those that come at once wait for each other."""
    engine.start(1)
    threads = [
        threading.Thread(
            target=lambda first=first: [engine.commit(task_added(1, first + i)) for i in range(20)]
        )
        for first in range(0, 80, 20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts(1) == {TaskState.PENDING: 80}
    check_fold(store)


def test_identities_and_causes_survive_the_store(store: Store, engine: Engine) -> None:
    """Every cause and every state can be written and read back."""
    engine.start(1)
    for idx, cause in enumerate(Cause):
        engine.commit(task_added(1, idx), task_changed(1, idx, cause=cause))
    for offset, state in enumerate(TaskState):
        engine.commit(task_changed(1, offset, state, attempt=2))
    assert [row.cause for row in store.tasks(1)][len(TaskState) :] == [
        cause.value for cause in list(Cause)[len(TaskState) :]
    ]
    told = [event.change for event in store.events(1, limit=10_000)]
    assert {change.cause for change in told if isinstance(change, TaskChanged)} == set(Cause)
    assert sum(isinstance(change, TaskAdded | RunAdded) for change in told) == len(Cause) + 1
    check_fold(store)


# Requests


def request(name: str, run: int = 1, **given: Any) -> Request:
    """What somebody asks of the run's engine."""
    return Request(request_id=name, run=run, kind="send", at=1.0, name="go", payload=ONE, **given)


def test_requests_come_to_the_owner_in_order_until_dropped(store: Store, engine: Engine) -> None:
    """Each engine sees what is asked of its own open runs, oldest first, again and again until it is done."""
    other = Engine(store)
    engine.start(1)
    other.start(2)
    asked = [request("b", by="me"), request("a"), request("c", run=2)]
    assert [store.ask(each) for each in asked] == [True, True, True]
    assert store.requests(engine.id) == asked[:2]
    assert store.requests(other.id) == asked[2:]
    store.drop_requests(["b", "never asked"])
    assert store.requests(engine.id) == asked[1:2]


def test_a_request_counts_once(store: Store, engine: Engine) -> None:
    """A second one of the same id changes nothing, whatever it says."""
    engine.start(1)
    assert store.ask(request("a", by="first"))
    assert not store.ask(request("a", by="second"))
    assert [each.by for each in store.requests(engine.id)] == ["first"]


def test_a_request_follows_the_run_to_its_next_owner(store: Store, engine: Engine) -> None:
    """Asked while nobody runs the run, it is there for whoever takes the run over."""
    engine.start(1)
    store.close_engine(engine.id)
    store.ask(request("a"))
    heir = Engine(store)
    assert store.requests(heir.id) == []
    store.claim(heir.id, now=5.0, runs=[1])
    assert [each.request_id for each in store.requests(heir.id)] == ["a"]
    assert store.requests(engine.id) == []


def test_requests_end_with_their_run(store: Store, engine: Engine) -> None:
    """An ended run is asked nothing any more, and a deleted one leaves nothing behind."""
    engine.start(1)
    store.ask(request("a"))
    engine.commit(run_changed(1, RunState.SUCCEEDED))
    assert store.requests(engine.id) == []
    store.delete_runs([1])
    assert store.ask(request("a"))


# Runs that nobody owns yet


def test_a_run_that_nobody_owns_goes_to_the_first_engine_that_claims_it(store: Store, engine: Engine) -> None:
    """A server only accepts it; one engine of its queue gets it, under an epoch of its own."""
    store.commit([run_added(7, queue="default")], engine=0, epochs={7: 0})
    assert (store.run_by_id(7).owner, store.run_by_id(7).queue) == (0, "default")
    assert store.claim(engine.id, now=1.0, queues=["gpu"]) == {}
    assert store.claim(engine.id, now=1.0, queues=["gpu", "default"]) == {7: 1}
    assert store.claim(Engine(store).id, now=1.0, queues=["default"]) == {}
    assert store.commit([run_changed(7)], engine=0, epochs={7: 0}) == {7}
    assert store.commit([run_changed(7)], engine=engine.id, epochs={7: 1}) == frozenset()


def test_an_engine_takes_no_more_runs_than_it_asks_for(store: Store, engine: Engine) -> None:
    """The oldest come first, so that several engines share what there is."""
    store.commit([run_added(n, queue="q") for n in (3, 1, 2)], engine=0, epochs={1: 0, 2: 0, 3: 0})
    assert store.claim(engine.id, now=1.0, queues=["q"], limit=2) == {1: 1, 2: 1}
    assert store.claim(engine.id, now=1.0, queues=["q"], limit=2) == {3: 1}


def test_a_run_can_be_kept_back_and_put_into_a_queue_later(store: Store, engine: Engine) -> None:
    """A run in no queue is taken by nobody of itself; one that has ended is in none."""
    store.commit([run_added(7), run_added(8)], engine=0, epochs={7: 0, 8: 0})
    assert store.claim(engine.id, now=1.0, queues=["default"]) == {}
    store.assign([7, 999], "default")
    assert store.run_by_id(7).queue == "default"
    assert store.claim(engine.id, now=1.0, queues=["default"]) == {7: 1}
    engine.epochs[7] = 1
    engine.commit(run_changed(7, RunState.SUCCEEDED))
    store.assign([7], "other")
    assert store.run_by_id(7).queue == "default"


# Records


def _put(name: str, body: bytes = b"x", **given: Any) -> Write:
    return Write(kind="variable", name=name, body=body, **given)


def test_a_record_is_read_back_as_it_was_written(store: Store) -> None:
    """Kind and name are its identity; each write gives it a new, higher revision."""
    first, second = store.write([_put("a", b"1"), _put("b", b"2", due_at=7.5)], at=3.0)
    assert 0 < first < second
    assert store.record("variable", "b") == Record(
        kind="variable", name="b", body=b"2", revision=second, at=3.0, due_at=7.5
    )
    assert store.record("schedule", "b") is None
    (third,) = store.write([_put("a", b"3")], at=4.0)
    found = store.record("variable", "a")
    assert found is not None
    assert (found.body, found.revision, found.at, found.due_at) == (b"3", third, 4.0, None)
    assert third > second


def test_writes_are_made_together_or_not_at_all(store: Store) -> None:
    """One write that is not as expected takes the others with it."""
    (revision,) = store.write([_put("a", b"1", expect=0)], at=1.0)
    for expect in (0, revision + 1):
        with pytest.raises(Conflict, match="'a'"):
            store.write([_put("b"), _put("a", b"2", expect=expect)], at=2.0)
    with pytest.raises(Conflict, match="is gone"):
        store.write([_put("c", expect=revision)], at=2.0)
    assert [each.name for each in store.records("variable")] == ["a"]
    store.write([_put("a", b"2", expect=revision), _put("b", expect=0)], at=2.0)
    assert [each.name for each in store.records("variable")] == ["a", "b"]


def test_a_deleted_record_is_gone_and_its_revision_never_comes_again(store: Store) -> None:
    """Who remembers the old one cannot take the new one of the same name for it."""
    (old,) = store.write([_put("a")], at=1.0)
    store.write([Write(kind="variable", name="a", body=None, expect=old)], at=1.0)
    store.write([Write(kind="variable", name="a", body=None)], at=1.0)
    assert store.record("variable", "a") is None
    (new,) = store.write([_put("a", expect=0)], at=1.0)
    assert new > old


def test_records_are_paged_by_name_in_byte_order(store: Store) -> None:
    """A prefix narrows them; the page after a name begins behind it."""
    names = ["b/1", "a", "B", "b/2", "b", "ä", "b/10", "c"]
    store.write([_put(each) for each in names], at=1.0)
    store.write([Write(kind="other", name="b/3", body=b"")], at=1.0)
    ordered = ["B", "a", "b", "b/1", "b/10", "b/2", "c", "ä"]
    assert [each.name for each in store.records("variable")] == ordered
    assert [each.name for each in store.records("variable", prefix="b/")] == ["b/1", "b/10", "b/2"]
    assert [each.name for each in store.records("variable", after="b", limit=2)] == ["b/1", "b/10"]
    assert [each.name for each in store.records("variable", prefix="b/", after="b/1")] == ["b/10", "b/2"]


def test_records_are_paged_from_the_last_name_down(store: Store) -> None:
    """In byte order turned round; the page before a name ends in front of it, and a prefix narrows it."""
    names = ["b/1", "a", "B", "b/2", "b", "ä", "b/10", "c"]
    store.write([_put(each) for each in names], at=1.0)
    store.write([Write(kind="other", name="b/3", body=b"")], at=1.0)
    ordered = ["ä", "c", "b/2", "b/10", "b/1", "b", "a", "B"]
    assert [each.name for each in store.last_records("variable")] == ordered
    assert [each.name for each in store.last_records("variable", before="b/2", limit=2)] == ["b/10", "b/1"]
    assert [each.name for each in store.last_records("variable", prefix="b/")] == ["b/2", "b/10", "b/1"]
    assert [each.name for each in store.last_records("variable", before="b/2", prefix="b/", limit=1)] == [
        "b/10"
    ]
    assert len(store.last_records("variable", prefix="b/", before="z")) == 3
    assert store.last_records("variable", prefix="b/", before="b/1") == []


def test_records_that_are_due_come_earliest_first(store: Store) -> None:
    """Those without a time, and those of the future, are left out; a write can take the time away."""
    store.write([_put("a", due_at=5.0), _put("b", due_at=3.0), _put("c"), _put("d", due_at=9.0)], at=1.0)
    assert [each.name for each in store.due("variable", before=5.0)] == ["b", "a"]
    assert [each.name for each in store.due("variable", before=9.0, limit=1)] == ["b"]
    store.write([_put("b")], at=2.0)
    assert [each.name for each in store.due("variable", before=5.0)] == ["a"]


def test_of_two_writers_that_expect_the_same_one_fails(store: Store) -> None:
    """Compare-and-set, from many threads: the counter loses no step."""
    store.write([_put("n", b"0")], at=1.0)

    def count() -> None:
        done = 0
        while done < 20:
            found = store.record("variable", "n")
            assert found is not None
            try:
                store.write([_put("n", b"%d" % (int(found.body) + 1), expect=found.revision)], at=2.0)
            except Conflict:
                continue
            done += 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = store.record("variable", "n")
    assert found is not None
    assert found.body == b"80"
