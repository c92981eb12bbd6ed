"""What an SQLite store does when the world fails: the right error, and no transaction left open."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from store_cases import ONE, Engine, check_fold, run_added, run_changed, task_added, task_changed

from weft.model.errors import (
    CommitUnknown,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    UsageError,
)
from weft.model.states import TaskState
from weft.store import sqlite_connection
from weft.store.sqlite import SqliteStore
from weft.store.sqlite_connection import APPLICATION_ID, SCHEMA_VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "weft.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store that does not wait long."""
    made = SqliteStore(path, busy_timeout_s=0.02)
    yield made
    made.close()


def test_a_store_that_is_being_written_is_busy(store: SqliteStore, path: Path) -> None:
    """Another writer's lock is waited for, then told; reading goes on; afterwards the commit works."""
    engine = Engine(store)
    engine.start(1, tasks=1)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy) as caught:
        engine.commit(task_changed(1, 0, TaskState.RUNNING))
    assert caught.value.where == str(path)
    assert store.task(1, 0).state is TaskState.QUEUED
    other.execute("ROLLBACK")
    assert engine.commit(task_changed(1, 0, TaskState.RUNNING)) == frozenset()
    other.close()
    check_fold(store)


def test_a_full_disk_undoes_the_commit(store: SqliteStore) -> None:
    """Nothing of it was made, and once there is room the store goes on."""
    engine = Engine(store)
    engine.start(1)
    with store._writer.transaction() as db:
        pages = db.pragma("page_count")
        db.pragma("max_page_count", pages + 2)
    last = store.last_seq()
    with pytest.raises(StoreFull):
        engine.commit(*[task_added(1, idx, key="k" * 500) for idx in range(200)])
    assert store.last_seq() == last
    assert store.tasks(1) == []
    with store._writer.transaction() as db:
        db.pragma("max_page_count", 1_000_000)
    assert engine.commit(task_added(1, 0)) == frozenset()
    check_fold(store)


class FailingFile(apsw.VFSFile):
    """A file whose ``fsync`` fails while ``vfs.broken`` is set."""

    def __init__(self, vfs: "FailingDisk", name: Any, flags: list[int]) -> None:
        super().__init__(vfs.base, name, flags)
        self.vfs = vfs

    def xSync(self, flags: int) -> None:
        """Fail like a disk does: after the data may or may not have reached it."""
        if self.vfs.broken:
            raise apsw.IOError("the disk is gone")
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """The system's files, until it is broken."""

    def __init__(self) -> None:
        self.base = "unix"
        self.broken = False
        super().__init__("failing", self.base, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> FailingFile:
        """Open a file that can fail."""
        return FailingFile(self, name, flags)


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    """A disk to break, under every store opened meanwhile."""
    made = FailingDisk()
    yield made
    made.unregister()


def test_a_failed_sync_leaves_the_outcome_to_be_read_back(disk: FailingDisk, path: Path) -> None:
    """The error says so; reading back tells; and when the disk works again the store goes on."""
    store = SqliteStore(path)
    engine = Engine(store)
    engine.start(1, tasks=1)
    last = store.last_seq()
    disk.broken = True
    with pytest.raises(CommitUnknown):
        engine.commit(task_changed(1, 0, TaskState.SUCCEEDED, result=ONE))
    disk.broken = False
    made = store.last_seq() > last
    assert store.task(1, 0).state is (TaskState.SUCCEEDED if made else TaskState.QUEUED)
    assert engine.commit(task_changed(1, 0, TaskState.FAILED)) == frozenset()
    check_fold(store)
    store.close()
    reopened = SqliteStore(path)
    assert reopened.task(1, 0).state is TaskState.FAILED
    assert reopened.check() == []
    reopened.close()


def test_a_fault_inside_a_transaction_leaves_none_open(store: SqliteStore, path: Path) -> None:
    """Also an exception that is not the driver's, such as Ctrl-C, gives the lock back."""
    engine = Engine(store)

    def interrupted() -> None:
        with store._writer.transaction() as db:
            db.execute("UPDATE meta SET value = 99")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    other = SqliteStore(path, busy_timeout_s=0.0)
    assert other.reserve_runs(1) == 1
    other.close()
    engine.start(1)


def test_a_folder_that_cannot_be_made_is_told() -> None:
    """With the path and what to do; nobody, not even root, makes folders in /proc."""
    with pytest.raises(StoreReadOnly) as caught:
        SqliteStore(Path("/proc/weft/weft.db"))
    assert caught.value.where == "/proc/weft/weft.db"
    assert "WEFT_HOME" in caught.value.hint


def test_a_file_that_cannot_be_made_is_told() -> None:
    """The folder is there but takes no files."""
    with pytest.raises(StoreReadOnly) as caught:
        SqliteStore(Path(f"/proc/{os.getpid()}/weft.db"))
    assert "WEFT_HOME" in caught.value.hint


def test_a_file_that_cannot_be_written_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite falls back to reading such a file; so does the store, and only a write is refused."""
    store = SqliteStore(path)
    Engine(store).start(1)
    with monkeypatch.context() as patch:
        # What the driver does by itself for anyone but root, whom permissions do not bind.
        patch.setattr(sqlite_connection, "_WRITE", apsw.SQLITE_OPEN_READONLY)
        looking = SqliteStore(path)
    assert looking.run("@latest").run == 1
    with pytest.raises(StoreReadOnly, match="read"):
        looking.reserve_runs(1)
    looking.close()
    store.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_told_and_left_alone(path: Path, content: bytes) -> None:
    """Whatever it is, it is not overwritten."""
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt) as caught:
        SqliteStore(path)
    assert caught.value.where == str(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """An SQLite file that is not ours is not migrated."""
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE songs (title)")
    other.close()
    content = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="not a Weft store"):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_damage_inside_the_file_is_found(path: Path) -> None:
    """Reading what is damaged raises, and ``check`` lists it."""
    store = SqliteStore(path)
    Engine(store).start(1, tasks=400)
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\x5a" * (size - size // 2))
    store = SqliteStore(path)
    with pytest.raises(StoreCorrupt):
        store.tasks(1)
    assert store.check() != []
    store.close()


def test_a_newer_store_is_refused_unchanged(path: Path) -> None:
    """An older Weft must not guess what a newer one wrote."""
    SqliteStore(path).close()
    newer = apsw.Connection(str(path))
    newer.pragma("user_version", SCHEMA_VERSION + 1)
    newer.close()
    with pytest.raises(StoreTooNew) as caught:
        SqliteStore(path)
    assert caught.value.fields == {"version": SCHEMA_VERSION + 1, "known": SCHEMA_VERSION}


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """The path must name a file."""
    with pytest.raises(UsageError, match="folder"):
        SqliteStore(tmp_path)


def test_an_unknown_durability_is_refused(path: Path) -> None:
    """Nobody should believe in a promise that was misspelt."""
    with pytest.raises(UsageError, match="durability"):
        SqliteStore(path, durability="ful")
    assert not path.exists()


def test_a_closed_store_says_so(path: Path) -> None:
    """It does not open its file again behind one's back; closing twice is fine."""
    store = SqliteStore(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.runs()
    with pytest.raises(StoreError, match="closed"):
        store.reserve_runs(1)


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("relaxed", 1)])
def test_durability_is_how_a_commit_is_synced(path: Path, durability: str, level: int) -> None:
    """Write-ahead log always; FULL syncs each commit, NORMAL each checkpoint."""
    store = SqliteStore(path, durability=durability)
    with store._writer.transaction() as db:
        assert db.pragma("synchronous") == level
        assert db.pragma("journal_mode") == "wal"
        assert db.pragma("application_id") == APPLICATION_ID
    store.close()


def test_the_log_is_copied_back_while_writing_and_at_the_end(path: Path) -> None:
    """The WAL does not grow for ever, and is empty or gone after a clean close."""
    store = SqliteStore(path)
    engine = Engine(store)
    engine.start(1)
    wal = path.with_name("weft.db-wal")
    for first in range(0, 15_000, 1000):
        engine.commit(*[task_added(1, idx, key="k" * 1200) for idx in range(first, first + 1000)])
    written = path.stat().st_size
    assert written > 30_000_000
    assert wal.stat().st_size < written
    engine.commit(run_added(2), run_changed(2))
    store.close()
    assert not wal.exists()
