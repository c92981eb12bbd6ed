"""service/collection.py: what a home's store refers to, in every way that it can, is kept."""

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from weft.artifacts.blobs import FileBlobs
from weft.artifacts.collect import GRACE_S
from weft.artifacts.items import pack_items
from weft.core.changes import (
    Cached,
    Cause,
    Change,
    MapExpanded,
    RunAdded,
    RunChanged,
    Showed,
    Signalled,
    TaskAdded,
    TaskChanged,
)
from weft.engine.clock import SystemClock
from weft.model.attempts import Published
from weft.model.calls import PythonCall
from weft.model.graph import Graph, Node
from weft.model.inputs import Const
from weft.model.projects import Environment, ProjectEntry
from weft.model.states import RunState, TaskState
from weft.model.values import Result
from weft.projects.records import PROJECTS
from weft.projects.snapshot import take
from weft.projects.unpack import unpack
from weft.service.collection import COLLECTIONS, EVERY_S, collect_home, collect_if_due
from weft.service.retention import Retention
from weft.store.memory import MemoryStore
from weft.store.sqlite import SqliteStore

OLD = time.time() - 2 * GRACE_S


class House:
    """A home with a store and blobs whose bytes all look old."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        self.store = SqliteStore(home / "weft.db")
        self.blobs = FileBlobs(home / "artifacts", durable=False)
        self.engine = self.store.open_engine(
            name="", host="", pid=1, process_started="", at=1.0, expires_at=9e9
        )

    def put(self, data: bytes) -> Result:
        """A value with bytes of its own."""
        return Result("bytes", None, self.blobs.put(data), len(data))

    def age(self) -> None:
        """Let two days pass."""
        for digest in self.blobs:
            os.utime(self.blobs.path(digest), (OLD, OLD))
        for folder in (self.home / "projects").glob("*"):
            os.utime(folder, (OLD, OLD))

    def commit(self, *changes: Change) -> None:
        """Make changes of run 1."""
        assert not self.store.commit(changes, engine=self.engine, epochs={1: 1})

    def run(self, **given: Any) -> None:
        """Begin run 1."""
        graph = Graph(workflow="w", root=Node(key="w", call=PythonCall("m", "f", flow=True)))
        self.store.put_graph("g", graph, at=1.0)
        fields: dict[str, Any] = {"uid": "run_1", "workflow": "w", "graph": "g", "at": 1.0, **given}
        self.commit(RunAdded(run=1, **fields), RunChanged(1, RunState.RUNNING, 2.0, Cause.SUBMITTED))


@pytest.fixture
def house(tmp_path: Path) -> Any:
    """An empty home."""
    made = House(tmp_path / "home")
    yield made
    made.store.close()


def test_whatever_a_run_refers_to_is_kept_until_it_is_deleted(house: House) -> None:
    """Parameters, inputs, results, items, events, what is shown and cached: all of it, and then none."""
    value = {name: house.put(name.encode() * 20) for name in ("p", "i", "r", "m", "s", "v", "c", "end")}
    items = [house.put(bytes([each]) * 9) for each in range(100)]
    packed = pack_items(tuple(items), house.blobs)
    assert packed.digest is not None
    house.run(params={"x": value["p"]})
    house.commit(
        TaskAdded(1, 0, "t", "t", 3.0, inputs={"*": Const(value["i"])}),
        TaskChanged(1, 0, TaskState.SUCCEEDED, 1, 4.0, Cause.UPSTREAM, result=value["r"]),
        MapExpanded(1, 0, 4.0, 5, 100, packed),
        Signalled(1, "go", 5.0, value["s"], "s1"),
        Showed(1, 0, 1, 5.0, Published("k", "text", value["v"])),
        Cached(1, 0, "key", value["c"], 6.0),
        RunChanged(1, RunState.SUCCEEDED, 7.0, Cause.UPSTREAM, result=value["end"]),
    )
    stray = house.put(b"stray")
    house.age()
    done = collect_home(house.store, house.home)
    assert done.removed == 2, "the stray one, and the one that nothing here took"
    assert not house.blobs.exists(stray.digest or "")
    assert set(house.blobs) == {each.digest for name, each in value.items() if name != "m"} | {
        packed.digest
    } | {each.digest for each in items}
    house.store.delete_runs([1])
    assert collect_home(house.store, house.home).removed == len(value) + len(items)
    assert set(house.blobs) == set()


def test_a_deployed_project_is_kept_and_unpacked_folders_go_with_the_need(
    house: House, tmp_path: Path
) -> None:
    """The files of a snapshot that a record names stay; without it, its bytes and folder go."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "flows.py").write_text("x = 1\n")
    snapshot = take(code, house.blobs)
    folder = unpack(house.home, house.blobs, snapshot.digest)
    entry = ProjectEntry(source=str(code), snapshot=snapshot.digest, environment=Environment(python="3.11"))
    PROJECTS.save(house.store, "p", entry, at=1.0)
    house.age()
    assert collect_home(house.store, house.home).removed == 0
    assert unpack(house.home, house.blobs, snapshot.digest) == folder
    house.age()
    PROJECTS.delete(house.store, ["p"], at=2.0)
    seen = collect_home(house.store, house.home, dry_run=True)
    assert (seen.removed, seen.folders) == (2, 1)
    assert folder.is_dir()
    assert collect_home(house.store, house.home) == seen
    assert not folder.exists()
    assert set(house.blobs) == set()


def test_the_project_of_an_open_run_stays_unpacked(house: House, tmp_path: Path) -> None:
    """A run keeps its files as long as it is in the store, and its folder as long as it is open."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "flows.py").write_text("x = 1\n")
    snapshot = take(code, house.blobs)
    folder = unpack(house.home, house.blobs, snapshot.digest)
    house.run(project=str(folder))
    house.age()
    assert collect_home(house.store, house.home) == msgspec.structs.replace(
        collect_home(house.store, house.home, dry_run=True), removed=0, freed=0, folders=0
    )
    assert folder.is_dir()
    house.commit(RunChanged(1, RunState.SUCCEEDED, 7.0, Cause.UPSTREAM))
    done = collect_home(house.store, house.home)
    assert (done.removed, done.folders) == (0, 1)
    assert unpack(house.home, house.blobs, snapshot.digest) == folder


def test_the_homes_own_store_counts_beside_another(house: House, tmp_path: Path) -> None:
    """A service on another store forgets nothing that the scripts of the same home refer to."""
    value = house.put(b"scripts")
    house.run(params={"x": value})
    house.age()
    elsewhere = SqliteStore(tmp_path / "elsewhere.db")
    assert collect_home(elsewhere, house.home).removed == 0
    elsewhere.close()
    assert house.blobs.exists(value.digest or "")


def test_a_home_is_collected_once_a_day(house: House) -> None:
    """Whoever comes first does it; the record tells when, and what came of it."""
    house.put(b"stray")
    house.age()
    first = collect_if_due(house.store, house.home, now=1000.0)
    assert first is not None
    assert first.removed == 1
    assert collect_if_due(house.store, house.home, now=1000.0 + EVERY_S - 1) is None
    assert collect_if_due(house.store, house.home, now=1000.0 + EVERY_S) is not None
    (entry,) = COLLECTIONS.all(house.store)
    assert entry.value.began_at == 1000.0 + EVERY_S


def test_a_store_in_memory_collects_nothing(tmp_path: Path) -> None:
    """Nobody knows what it refers to after it is gone, so nothing is forgotten for its sake."""
    assert collect_if_due(MemoryStore(), tmp_path, now=1.0) is None


def test_retention_keeps_runs_for_ever_if_so_set(house: House) -> None:
    """Zero days is no limit."""
    house.run()
    house.commit(RunChanged(1, RunState.SUCCEEDED, 7.0, Cause.UPSTREAM))
    assert Retention(house.store, house.home, 0.0, clock=SystemClock()).step() == 0
    assert Retention(house.store, house.home, 1.0, clock=SystemClock()).step() == 1
