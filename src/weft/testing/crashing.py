"""Does *your* workflow survive a crash? Kill it at its commits, resume it, and compare.

``survive_crashes`` runs a workflow once undisturbed, and then again and again in processes that end without a
word (as ``kill -9`` ends them) just before or just after one of its commits. Each is resumed. The resumed run
must come to the same result, and the store's promises must hold.

What this finds is what Weft cannot give by itself: a flow that decides by the clock or by chance, and a task
whose effect outside may not happen twice.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.core.changes import Change
from weft.dialects.native.functions import needs_payload
from weft.dialects.native.task import Task
from weft.embedded import LocalHost
from weft.engine.verify import verify
from weft.model.calls import PythonCall
from weft.model.errors import UsageError
from weft.model.states import RunState
from weft.runtime import load
from weft.settings import Settings
from weft.store.open import open_store

CRASHED = 137
"""How a process ends that was killed by signal 9, as a shell tells it."""


class CrashPoint(msgspec.Struct, frozen=True):
    """Where the process ended: before or after its ``commit``-th commit."""

    commit: int
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} commit {self.commit}"


class Survived(msgspec.Struct, frozen=True):
    """What ``survive_crashes`` found.

    Attributes:
        result: The workflow's value, the same in every run.
        commits: Commits of the undisturbed run.
        points: Where runs were killed.
    """

    result: Any
    commits: int
    points: tuple[CrashPoint, ...]


class _Job(msgspec.Struct):
    """What a child process is to do."""

    call: PythonCall
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    home: str
    executor: str
    crash: CrashPoint | None = None
    resume: bool = False


def survive_crashes(
    workflow: Task[..., Any], *args: Any, most: int = 12, executor: str = "thread", **kwargs: Any
) -> Survived:
    """Kill a workflow at its commits, resume it each time, and compare with a run that nobody disturbed.

    Args:
        workflow: A flow, dag or task that an import finds: at the top of its module.
        args, kwargs: What to call it with.
        most: Crash points to try; they are spread evenly over the run.
        executor: Where its tasks run.

    Raises:
        AssertionError: A resumed run ended otherwise, or broke a promise; the message says at which point.
        UsageError: No import leads to the workflow, or it fails even undisturbed.
    """
    if needs_payload(workflow.fn):
        raise UsageError(
            f"{workflow.name} was made inside a function, so no other process can run it",
            hint="move it to the top of its module",
        )
    call = workflow.node().call
    if not isinstance(call, PythonCall):
        call = PythonCall(workflow.fn.__module__, workflow.fn.__qualname__)
    with tempfile.TemporaryDirectory(prefix="weft-crash-") as folder:
        first = _Job(call, args, kwargs, f"{folder}/undisturbed", executor)
        commits = _run(first)
        state, expected = _outcome(Path(first.home))
        if state is not RunState.SUCCEEDED:
            raise UsageError(f"{workflow.name} ended as {state} without any crash", hint="mend that first")
        points = _spread(commits, most)
        for number, point in enumerate(points):
            _try(msgspec.structs.replace(first, home=f"{folder}/{number}", crash=point), point, expected)
    return Survived(expected, commits, points)


def _spread(commits: int, most: int) -> tuple[CrashPoint, ...]:
    every = [CrashPoint(commit, after) for commit in range(1, commits + 1) for after in (False, True)]
    if len(every) <= most:
        return tuple(every)
    return tuple(every[round(at * (len(every) - 1) / max(most - 1, 1))] for at in range(most))


def _try(job: _Job, point: CrashPoint, expected: Any) -> None:
    _run(job)
    _run(msgspec.structs.replace(job, crash=None, resume=True))
    state, result = _outcome(Path(job.home))
    assert state is RunState.SUCCEEDED, f"killed {point}, the resumed run ended as {state}: {result}"
    assert _same(result, expected), f"killed {point}, the resumed run gave {result!r}, not {expected!r}"


def _same(left: Any, right: Any) -> bool:
    try:
        return bool(left == right)
    except ValueError:  # Arrays and frames compare item by item.
        return pickle.dumps(left) == pickle.dumps(right)


def _outcome(home: Path) -> tuple[RunState, Any]:
    """How the home's run ended, after checking every promise."""
    store = open_store(home / "weft.db")
    try:
        problems = verify(store)
        assert not problems, "; ".join(f"{each.code} {each.what} ({each.where})" for each in problems)
        row = store.run("@latest")
        if row.result is None:
            return row.state, row.error.message if row.error is not None else None
        return row.state, Artifacts(FileBlobs(home / "artifacts")).loads(row.result)
    finally:
        store.close()


def _run(job: _Job) -> int:
    """Have a process do the job; returns its commits. A child that was to crash must have."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    done = subprocess.run(
        [sys.executable, "-m", "weft.testing.crashing"],
        input=pickle.dumps(job),
        capture_output=True,
        env=environment,
        check=False,
    )
    if job.crash is not None and done.returncode == CRASHED:
        return 0
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")[-2000:]
        raise UsageError(f"the process that ran it ended with {done.returncode}: {said}")
    return int(done.stdout.rpartition(b"commits=")[2] or 0)


class _Counted:
    """Counts a store's commits, and ends the process at one of them."""

    def __init__(self, host: LocalHost, crash: CrashPoint | None) -> None:
        self.count = 0
        self._crash = crash
        self._commit = host.engine.store.commit
        host.engine.store.commit = self.commit  # type: ignore[method-assign]  # this is how it is counted

    def commit(self, changes: Sequence[Change], *, engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        """The store's commit, or the end of the process just before or after it."""
        self.count += 1
        due = self._crash is not None and self._crash.commit == self.count
        if due and self._crash is not None and not self._crash.after:
            os._exit(CRASHED)
        refused = self._commit(changes, engine=engine, epochs=epochs)
        if due:
            os._exit(CRASHED)
        return refused


def _child() -> None:
    """Do the job on standard input."""
    job: _Job = pickle.loads(sys.stdin.buffer.read())
    host = LocalHost(Settings(home=job.home, executor=job.executor, progress="off", keep_days=0))
    counted = _Counted(host, job.crash)
    workflow = load.load(job.call, unpickle=host.artifacts.loads)
    rows = host.store.runs(limit=1)
    try:
        if job.resume and rows:
            if not rows[0].state.terminal:
                host.resume(rows[0].run)
        else:
            host.run(workflow.request(host, job.args, job.kwargs))
    finally:
        host.close()
    print(f"commits={counted.count}")


if __name__ == "__main__":
    _child()
