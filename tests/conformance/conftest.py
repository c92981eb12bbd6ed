"""Fixtures: each kind of store, and an engine on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_cases import Engine

from weft.store.memory import MemoryStore
from weft.store.postgres import PostgresStore
from weft.store.protocol import Store
from weft.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, empty."""
    made: Store
    if request.param == "memory":
        made = MemoryStore()
    elif request.param == "sqlite":
        made = SqliteStore(tmp_path / "weft.db")
    else:
        made = PostgresStore(request.getfixturevalue("postgres").url())
    yield made
    assert made.check() == []
    made.close()


@pytest.fixture
def engine(store: Store) -> Engine:
    """An engine on the store, with the graph ``g1``."""
    return Engine(store)
