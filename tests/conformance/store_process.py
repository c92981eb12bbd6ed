"""Another process on the same SQLite file: run as a script by test_sqlite_processes.py.

``write PATH COMMITS`` commits to a run of its own and prints the run, then each commit's number once it has
returned. ``read PATH`` watches run 1 until it has ended, and fails if it ever sees half a commit.
"""

import sys
from pathlib import Path

from store_cases import Engine, run_added, run_changed, task_added, task_changed

from weft.model.errors import NotFound
from weft.model.states import TaskState
from weft.store.sqlite import SqliteStore

TASKS_A_COMMIT = 10


def write(path: str, commits: int) -> None:
    """Commit, and tell what was acknowledged."""
    store = SqliteStore(Path(path))
    engine = Engine(store)
    run = store.reserve_runs(1)
    engine.commit(run_added(run), run_changed(run))
    print(run, flush=True)
    for commit in range(commits):
        first = commit * TASKS_A_COMMIT
        tasks = range(first, first + TASKS_A_COMMIT)
        engine.commit(
            *[task_added(run, idx) for idx in tasks],
            *[task_changed(run, idx, TaskState.SUCCEEDED) for idx in tasks],
        )
        print(commit, flush=True)
    store.close()


def read(path: str) -> None:
    """Watch until the run has ended."""
    store = SqliteStore(Path(path))
    last = 0
    while True:
        try:
            ended = store.run_by_id(1).ended_at is not None
        except NotFound:
            ended = False
        counts = store.counts(1)
        total = sum(counts.values())
        assert total % TASKS_A_COMMIT == 0, counts
        assert total >= last, (total, last)
        assert set(counts) <= {TaskState.SUCCEEDED}, counts
        last = total
        if ended:
            break
    print(last, flush=True)
    store.close()


if __name__ == "__main__":
    {"write": lambda: write(sys.argv[2], int(sys.argv[3])), "read": lambda: read(sys.argv[2])}[sys.argv[1]]()
