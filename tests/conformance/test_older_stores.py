"""A store that an older Weft made is brought up to date when it is opened, with all that is in it."""

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace
from postgres_server import PostgresElsewhere, PostgresServer
from store_cases import Engine, check_fold

from weft.store import postgres_schema, sqlite_connection
from weft.store.postgres import PostgresStore
from weft.store.protocol import Store
from weft.store.sqlite import SqliteStore


def filled(store: Store) -> None:
    """Put runs into it."""
    engine = Engine(store)
    engine.start(1, tasks=2, workflow="a", key="k")
    engine.start(2, workflow="b")
    engine.end(2)


def check(old: Callable[[], Store], now: Callable[[], Store]) -> None:
    """Fill a store, open it as it is made today, and see that nothing is lost and new questions answered."""
    store = old()
    filled(store)
    runs = list(store.all_runs())
    store.close()
    store = now()
    assert [replace(row) for row in store.all_runs()] == runs
    check_fold(store)
    assert [mark.run for mark in store.newest_runs(["b"], each=1)] == [2]
    assert [row.run for row in store.ended_runs("succeeded", since=0.0, limit=9)] == [2]
    assert store.check() == []
    store.close()


def test_an_older_file_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite: from the schema before the newest, as a new file has it."""
    path, new = tmp_path / "old.db", tmp_path / "new.db"

    def old() -> Store:
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_connection, "SCHEMA_VERSION", 2)
            return SqliteStore(path)

    check(old, lambda: SqliteStore(path))
    SqliteStore(new).close()
    schemas = [
        sorted(apsw.Connection(str(each)).execute("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL"))
        for each in (path, new)
    ]
    assert schemas[0] == schemas[1]


def test_an_older_database_is_brought_up_to_date(
    postgres: PostgresServer | PostgresElsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL: from the schema before the newest."""
    url = postgres.url()

    def old() -> Store:
        with monkeypatch.context() as patch:
            patch.setattr(postgres_schema, "SCHEMA_VERSION", 1)
            return PostgresStore(url)

    check(old, lambda: PostgresStore(url))
