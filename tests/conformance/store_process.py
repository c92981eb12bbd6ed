"""Another process on the same store: run as a script by the tests of stores that processes share.

``write STORE COMMITS`` commits to a run of its own and prints the run, then each commit's number once it has
returned. ``read STORE`` watches run 1 until it has ended, and fails if it ever sees half a commit.
"""

import sys

from store_cases import Engine, run_added, run_changed, task_added, task_changed

from weft.model.errors import NotFound
from weft.model.states import TaskState
from weft.store.open import open_store

TASKS_A_COMMIT = 10


def write(url: str, commits: int) -> None:
    """Commit, and tell what was acknowledged."""
    store = open_store(url)
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


def read(url: str) -> None:
    """Watch until the run has ended."""
    store = open_store(url)
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
