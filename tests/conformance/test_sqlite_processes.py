"""SQLite stores shared by processes, and what is left when one of them dies."""

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from store_cases import Engine, check_fold, run_added, run_changed, task_added, task_changed

from weft.model.errors import WeftError
from weft.model.states import RunState, TaskState
from weft.store.protocol import Store
from weft.store.sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("store_process.py")
TASKS_A_COMMIT = 10
FRAME = 24 + 4096
"""Bytes of a page in the WAL (https://sqlite.org/fileformat2.html#the_write_ahead_log)."""


def start(*arguments: object) -> subprocess.Popen[str]:
    """Another process on a store."""
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def lines(process: subprocess.Popen[str], count: int) -> list[int]:
    """The next numbers that a process prints."""
    assert process.stdout is not None
    return [int(process.stdout.readline()) for _ in range(count)]


def finish(process: subprocess.Popen[str]) -> list[int]:
    """What a process prints until it ends well."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return [int(line) for line in out.split()]


def test_a_reader_in_another_process_sees_whole_commits_only(tmp_path: Path) -> None:
    """It opens the file while a writer commits, blocks nobody and follows to the end."""
    path = tmp_path / "weft.db"
    store = SqliteStore(path)
    engine = Engine(store)
    reader = start("read", path)
    engine.start(1)
    for first in range(0, 3000, TASKS_A_COMMIT):
        tasks = range(first, first + TASKS_A_COMMIT)
        engine.commit(
            *[task_added(1, idx) for idx in tasks],
            *[task_changed(1, idx, TaskState.SUCCEEDED) for idx in tasks],
        )
    engine.commit(run_changed(1, RunState.SUCCEEDED))
    assert finish(reader) == [3000]
    store.close()


def test_two_processes_write_at_the_same_time(tmp_path: Path) -> None:
    """Both make the file at once and commit in turn; ids, sequence numbers and rows do not mix."""
    path = tmp_path / "weft.db"
    writers = [start("write", path, 60) for _ in range(2)]
    told = [finish(writer) for writer in writers]
    assert told[0][0] != told[1][0]
    assert [each[1:] for each in told] == [list(range(60))] * 2
    store = SqliteStore(path)
    assert [store.counts(each[0]) for each in told] == [{TaskState.SUCCEEDED: 600}] * 2
    events = store.events_since(0, limit=100_000)
    assert [event.seq for event in events] == list(range(1, 2 * (2 + 1200) + 1))
    assert store.run_by_id(told[0][0]).owner != store.run_by_id(told[1][0]).owner
    check_fold(store)
    assert store.check() == []
    store.close()


@pytest.mark.parametrize("round_", range(20))
def test_threads_make_one_store_at_once(tmp_path: Path, round_: int) -> None:
    """However many open a new file together, one makes the schema and all can write."""
    opened: list[Store] = []
    together = threading.Barrier(6)

    def make() -> None:
        together.wait()
        store = SqliteStore(tmp_path / "new" / "weft.db")
        opened.append(store)
        Engine(store)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    assert [row.engine for row in opened[0].engines()] == [1, 2, 3, 4, 5, 6]
    for store in opened:
        store.close()


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, acknowledged: int) -> None:
    """After kill -9 every commit that returned is there, whole, and at most the next one beside it."""
    path = tmp_path / "weft.db"
    writer = start("write", path, 100_000)
    (run,) = lines(writer, 1)
    assert lines(writer, acknowledged) == list(range(acknowledged))
    writer.send_signal(signal.SIGKILL)
    more, _ = writer.communicate()
    known = acknowledged + more.count("\n")
    store = SqliteStore(path)
    counts = store.counts(run)
    assert counts[TaskState.SUCCEEDED] in (known * TASKS_A_COMMIT, (known + 1) * TASKS_A_COMMIT)
    assert len(counts) == 1
    assert store.check() == []
    check_fold_of_many(store, run)
    heir = Engine(store)
    (dead,) = {row.engine for row in store.engines()} - {heir.id}
    assert store.claim(heir.id, now=2.0, dead=[dead]) == {run: 2}
    heir.epochs[run] = 2
    assert heir.commit(run_changed(run, RunState.SUCCEEDED)) == frozenset()
    store.close()


def check_fold_of_many(store: Store, run: int) -> None:
    """I6 for one run with many task runs."""
    told = store.events(run, limit=10_000_000)
    assert [event.seq for event in told] == list(range(1, len(told) + 1))
    assert len({event.idx for event in told}) == sum(store.counts(run).values()) + 1


def committed_twice(folder: Path) -> tuple[int, int]:
    """A store's files as a crash leaves them, after a first and a second commit: the WAL's sizes then."""
    live = folder / "live"
    store = SqliteStore(live / "weft.db")
    engine = Engine(store)
    engine.start(1, tasks=3)
    first = (live / "weft.db-wal").stat().st_size
    engine.commit(run_added(2), *[task_changed(1, idx, TaskState.RUNNING) for idx in range(3)])
    second = (live / "weft.db-wal").stat().st_size
    (folder / "crashed").mkdir()
    for name in ("weft.db", "weft.db-wal"):
        shutil.copy(live / name, folder / "crashed" / name)
    store.close()
    return first, second


def reopened(folder: Path, number: int, change: int | tuple[int, bytes]) -> set[str]:
    """Open a copy whose WAL was cut at a size, or has other bytes at a place; which commits are there."""
    copy = folder / f"copy{number}"
    shutil.copytree(folder / "crashed", copy)
    wal = copy / "weft.db-wal"
    with wal.open("r+b") as file:
        if isinstance(change, int):
            file.truncate(change)
        else:
            file.seek(change[0])
            file.write(change[1])
    store = SqliteStore(copy / "weft.db")
    try:
        assert store.check() == []
        check_fold(store)
        states = store.counts(1)
        second = states == {TaskState.RUNNING: 3}
        assert second or states == {TaskState.QUEUED: 3}
        assert [row.run for row in store.runs()] == ([2, 1] if second else [1])
        assert Engine(store).commit(run_added(3)) == frozenset()
    finally:
        store.close()
    shutil.rmtree(copy)
    return {"first", "second"} if second else {"first"}


def test_a_log_torn_at_any_byte_opens_with_whole_commits(tmp_path: Path) -> None:
    """A WAL that ends inside its last commit gives the commits before it, and can be written again."""
    first, second = committed_twice(tmp_path)
    assert (second - first) % FRAME == 0
    edges = {
        first + frame * FRAME + near
        for frame in range((second - first) // FRAME)
        for near in (0, 1, 23, 24, 25)
    }
    sizes = sorted(edges | set(range(first, second, 397)) | set(range(second - 12, second)))
    for number, size in enumerate(sizes):
        assert reopened(tmp_path, number, size) == {"first"}
    assert reopened(tmp_path, -1, second) == {"first", "second"}


def test_a_log_with_damaged_bytes_opens_with_the_commits_before(tmp_path: Path) -> None:
    """A sector that was not written before the power went is noticed by its checksum."""
    first, second = committed_twice(tmp_path)
    for number, place in enumerate(range(first, second, 1201)):
        assert reopened(tmp_path, number, (place, b"\xa5" * 16)) == {"first"}


def test_a_deletion_that_was_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    """After a crash between its steps the run is gone from every list, and its rows go with the next call."""
    store = SqliteStore(tmp_path / "weft.db")
    engine = Engine(store)
    engine.start(1, tasks=3)
    engine.end(1)
    store.close()

    class Stopped(SqliteStore):
        def _delete_rows(self, run: int) -> None:
            raise WeftError("the process died here")

    store = Stopped(tmp_path / "weft.db")
    with pytest.raises(WeftError, match="died"):
        store.delete_runs([1])
    store.close()
    store = SqliteStore(tmp_path / "weft.db")
    assert store.runs() == []
    assert len(store.tasks(1)) == 3
    assert store.prune(ended_before=0.0) == []
    assert store.tasks(1) == store.events(1) == []
    check_fold(store)
    store.close()
