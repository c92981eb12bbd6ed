"""A whole store from any database into any other, through a file or not: what it was, to the byte."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from postgres_server import PostgresElsewhere, PostgresServer
from store_cases import BIG, BOOM, ONE, Engine, task_changed

from weft.core.changes import Cached, MapExpanded, NodeAdded, Showed, Signalled
from weft.model.attempts import Published
from weft.model.calls import PythonCall
from weft.model.errors import StoreCorrupt, StoreNotEmpty
from weft.model.graph import Node
from weft.model.states import RunState, TaskState
from weft.store.dump import open_dump, write_dump
from weft.store.memory import MemoryStore
from weft.store.postgres import PostgresStore
from weft.store.protocol import Request, Store, Write
from weft.store.sqlite import SqliteStore
from weft.store.tables import TABLES, Table
from weft.store.transfer import Counters, Movable, Row, Target, copy, digest_of, movable

Make = Callable[[str], Store]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes empty stores of a kind; all are closed in the end."""
    made: list[Store] = []

    def new(kind: str) -> Store:
        if kind == "sqlite":
            made.append(SqliteStore(tmp_path / f"{len(made)}.db"))
        else:
            server: PostgresServer | PostgresElsewhere = request.getfixturevalue("postgres")
            made.append(PostgresStore(server.url()))
        return made[-1]

    yield new
    for each in made:
        each.close()


def fill(store: Store) -> None:
    """A store with something in every table, and gaps where things were deleted."""
    engine = Engine(store)
    for _ in range(3):
        assert store.reserve_runs(1)
    for run in (1, 2, 3):
        engine.start(run, tasks=2, key=f"key {run}\x00\x1a", tags=("a",), params={"x": BIG})
        engine.commit(
            NodeAdded(run, "n1", Node(key="n", call=PythonCall("m", "f"))),
            MapExpanded(run, 1, 21.0, 5, 2, ONE),
            Signalled(run, "go", 22.0, ONE, "s1"),
            Showed(run, 0, 1, 23.0, Published("k", "text", ONE, "t")),
            Cached(run, 0, f"c{run}", ONE, 24.0, None),
            task_changed(run, 0, TaskState.FAILED, at=31.0, error=BOOM),
        )
    store.assign([3], "default")
    engine.end(1)
    store.delete_runs([1])
    store.ask(Request(request_id="r1", run=2, kind="cancel", at=1.0))
    writes = [
        Write(kind="variable", name="ü\x00", body=b"\x01"),
        Write(kind="variable", name="b", body=b"\x02", due_at=5.0),
        Write(kind="variable", name="b", body=None),
    ]
    store.write(writes, at=3.0)


def digests(store: Store) -> dict[str, str]:
    """Of every table but that of the engines, whose leases are given up on the way."""
    with movable(store).outgoing() as source:
        return {each.name: digest_of(source.rows(each)) for each in TABLES if each.name != "engine"}


def move(source: Store, target: Store, *, replace: bool = False) -> dict[str, int]:
    """Copy one store into another."""
    with movable(source).outgoing() as rows, movable(target).incoming() as into:
        return copy(rows, into, replace=replace)


@pytest.mark.parametrize("source", ["sqlite", "postgres"])
@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_a_store_moves_whole(make: Make, source: str, target: str) -> None:
    """Every table arrives as it was, and the new store goes on counting where the old one was."""
    old, new = make(source), make(target)
    fill(old)
    counts = move(old, new)
    assert counts["run"] == 2
    assert counts["request"] == 1
    assert digests(new) == digests(old)
    assert new.last_seq() == old.last_seq()
    assert list(new.all_runs()) == list(old.all_runs())
    assert [each.expires_at for each in new.engines()] == [0.0]
    assert new.claim(9, now=1.0, queues=["default"]) == {3: 2}
    for store in (old, new):
        assert store.reserve_runs(1) == 4
        assert store.write([Write(kind="k", name="n", body=b"")], at=1.0) == [4]
        assert store.open_engine(name="", host="", pid=1, process_started="", at=1.0, expires_at=2.0) == 2
        assert store.ask(Request(request_id="r2", run=2, kind="pause", at=1.0))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_dump_gives_a_store_back(make: Make, kind: str, tmp_path: Path) -> None:
    """What is read from a dump is the store that was written to it, in the other database too."""
    old = make(kind)
    fill(old)
    path = tmp_path / "weft.dump"
    with movable(old).outgoing() as source:
        write_dump(source, path, weft="1", at=1.0)
    assert path.stat().st_mode & 0o077 == 0
    for other in ("sqlite", "postgres"):
        new = make(other)
        with open_dump(path) as dump, movable(new).incoming() as into:
            copy(dump, into)
        assert digests(new) == digests(old)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_target_that_holds_something_is_left_alone(make: Make, kind: str) -> None:
    """A store is replaced only if that was said, and then nothing of it stays."""
    old, new = make("sqlite"), make(kind)
    fill(old)
    Engine(new).start(77, tasks=1)
    before = digests(new)
    with pytest.raises(StoreNotEmpty):
        move(old, new)
    assert digests(new) == before
    move(old, new, replace=True)
    assert digests(new) == digests(old)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_move_that_fails_changes_nothing(make: Make, kind: str) -> None:
    """An error at any table leaves the target as empty as it was, and a second try succeeds."""
    old, new = make("sqlite"), make(kind)
    fill(old)
    empty = digests(new)

    class Cut(Exception):
        pass

    def cut(table: str, done: int, total: int) -> None:
        if table == "record":
            raise Cut

    with pytest.raises(Cut), movable(old).outgoing() as rows, movable(new).incoming() as into:
        copy(rows, into, progress=cut)
    assert digests(new) == empty
    move(old, new)
    assert digests(new) == digests(old)


class _Forgetful:
    """A target that loses rows."""

    def __init__(self, real: Target) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def put(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self._real.put(table, columns, rows[:1])


def test_a_row_that_arrives_changed_undoes_the_move(make: Make) -> None:
    """What was written is compared with what was read before it is kept."""
    old, new = make("sqlite"), make("sqlite")
    fill(old)
    with pytest.raises(StoreCorrupt), movable(old).outgoing() as rows, movable(new).incoming() as into:
        copy(rows, _Forgetful(into))
    assert list(new.all_runs()) == []


@pytest.mark.parametrize("spoil", ["cut", "changed", "other"])
def test_a_damaged_dump_is_refused(make: Make, tmp_path: Path, spoil: str) -> None:
    """A dump that lost its end, or a byte, fills no store."""
    old, new = make("sqlite"), make("sqlite")
    fill(old)
    path = tmp_path / "weft.dump"
    with movable(old).outgoing() as source:
        write_dump(source, path, weft="1", at=1.0)
    data = bytearray(path.read_bytes())
    if spoil == "cut":
        del data[len(data) // 2 :]
    elif spoil == "changed":
        data[len(data) // 2] ^= 0xFF
    else:
        data = bytearray(b"something else")
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt), open_dump(path) as dump, movable(new).incoming() as into:
        copy(dump, into)
    assert list(new.all_runs()) == []


def test_a_backup_is_one_instant_of_a_store_in_use(tmp_path: Path) -> None:
    """While commits go on, an SQLite backup holds a prefix of the log with the rows that belong to it."""
    store = SqliteStore(tmp_path / "weft.db")
    engine = Engine(store)
    for run in range(1, 200):
        engine.start(run, tasks=5)
    stop, begun = threading.Event(), threading.Event()

    def write() -> None:
        run = 1000
        while not stop.is_set():
            engine.start(run, tasks=1)
            begun.set()
            run += 1

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(30)
    try:
        store.backup(tmp_path / "backup.db")
    finally:
        stop.set()
        writer.join()
    copied = SqliteStore(tmp_path / "backup.db")
    assert copied.check() == []
    runs = list(copied.all_runs())
    assert 200 <= len(runs) <= len(list(store.all_runs()))
    assert copied.events_since(0, limit=10**6) == store.events_since(0, limit=10**6)[: copied.last_seq()]
    assert all(each.state is RunState.RUNNING for each in runs)
    copied.close()
    store.close()


def test_every_column_of_both_schemas_moves(make: Make, tmp_path: Path) -> None:
    """The list of tables is what the databases have, but for what travels in another way."""
    elsewhere = {"meta", "receipt", "sqlite_sequence"}
    listed = {each.name: set(each.columns) for each in TABLES}
    sqlite = make("sqlite")
    assert isinstance(sqlite, SqliteStore)
    db = apsw.Connection(str(sqlite.path))
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = {each: {name for _, name, *_ in db.execute(f"PRAGMA table_info({each})")} for each in names}
    assert {name: each for name, each in found.items() if name not in elsewhere} == listed
    db.close()
    postgres = make("postgres")
    assert isinstance(postgres, PostgresStore)
    at = place_of(postgres)
    with psycopg.connect(at[0]) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s", (at[1],)
        ).fetchall()
    there: dict[str, set[str]] = {}
    for table, column in columns:
        there.setdefault(table, set()).add(column)
    assert {name: each for name, each in there.items() if name not in elsewhere} == listed


def place_of(store: PostgresStore) -> tuple[str, str]:
    """Where a PostgreSQL store is: for the driver, and its schema."""
    return store.place.conninfo, store.place.schema


def test_a_store_in_memory_is_not_moved() -> None:
    """It says so instead of failing half-way."""
    assert not isinstance(MemoryStore(), Movable)


def test_counters_of_an_empty_store(make: Make) -> None:
    """Both databases begin to count at the same numbers."""
    for kind in ("sqlite", "postgres"):
        with movable(make(kind)).outgoing() as source:
            assert source.counters() == Counters(next_run=1, next_engine=1, revision=0)
