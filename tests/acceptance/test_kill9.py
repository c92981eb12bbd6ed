"""``kill -9`` at random moments: nothing is lost, and nothing that was done is done again.

By hand: ``python tests/acceptance/test_kill9.py --kills 200`` prints a line of figures.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import kill9_flow

from weft.artifacts.blobs import FileBlobs
from weft.core.changes import TaskChanged
from weft.engine.verify import verify
from weft.model.states import RunState, TaskState
from weft.store.open import open_store

SCRIPT = Path(kill9_flow.__file__)
PATIENCE_S = 60.0


class Battle:
    """One run that is killed again and again until it is let finish.

    Args:
        home: Its folder.
        executor: ``thread`` or ``process``.
        seed: Decides when and whom to kill.
    """

    def __init__(self, home: Path, executor: str, seed: int) -> None:
        self.home = home
        self.said = home / "said"
        self.executor = executor
        self.random = random.Random(seed)
        self.env = {
            **os.environ,
            "WEFT_HOME": str(home),
            "WEFT_EXECUTOR": executor,
            "WEFT_PROGRESS": "off",
            "WEFT_WORKERS": "2",
            "WEFT_SAID": str(self.said),
        }
        home.mkdir(parents=True)
        self.engine_kills = 0
        self.worker_kills = 0
        self.resumes = 0
        self.committed: set[str] = set()
        self.ran: Counter[str] = Counter()

    @property
    def kills(self) -> int:
        """Kills so far."""
        return self.engine_kills + self.worker_kills

    def fight(self, kills: int, *, workers: bool) -> None:
        """Run, kill, resume; then let it finish and look at what is left."""
        started = False
        while self.kills < kills and not (started and self._over()):
            with self._process("resume" if started else "start") as process:
                while self.kills < kills and self._wait_for_moment(process):
                    if workers and self.random.random() < 0.5:
                        self.worker_kills += self._kill_worker(process)
                        continue
                    process.kill()
                    self.engine_kills += 1
                    break
                _, error = process.communicate(timeout=PATIENCE_S)
                assert process.returncode in (0, -signal.SIGKILL), error.decode()
            started = self._look() or started
        while not (started and self._over()):
            with self._process("resume" if started else "start") as process:
                _, error = process.communicate(timeout=PATIENCE_S)
                assert process.returncode == 0, error.decode()
            started = self._look() or started
        self._judge()

    def _process(self, how: str) -> "subprocess.Popen[bytes]":
        if how == "resume":
            self.resumes += 1
        command = [sys.executable, str(SCRIPT), how]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def _wait_for_moment(self, process: "subprocess.Popen[bytes]") -> bool:
        """Until so many more tasks have begun as chance says; False if the process ended before."""
        target = self._lines() + self.random.randrange(0, kill9_flow.TASKS // 2)
        give_up = time.monotonic() + PATIENCE_S
        while process.poll() is None:
            if self._lines() >= target:
                return True
            assert time.monotonic() < give_up, "the run is stuck"
            time.sleep(0.0005)
        return False

    def _lines(self) -> int:
        try:
            return self.said.read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def _kill_worker(self, process: "subprocess.Popen[bytes]") -> bool:
        """Kill one of the processes below the engine's; False if there is none."""
        workers = _descendants(process.pid)
        if not workers:
            return False
        try:
            os.kill(self.random.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _look(self) -> bool:
        """After a process has ended: what is committed, and that none of it ran again since the last look."""
        if not (self.home / "weft.db").exists():
            return False
        store = open_store(self.home / "weft.db")
        try:
            runs = store.runs()
            if not runs:
                return False
            time.sleep(0.02)  # A worker whose engine was killed may still write its last line.
            ran = Counter(self.said.read_text().splitlines()) if self.said.exists() else Counter()
            for key in self.committed:
                assert ran[key] == self.ran[key], f"{key} had succeeded, and ran again"
            self.ran = ran
            rows = store.tasks(runs[0].run, limit=10_000)
            self.committed = {row.key for row in rows if row.state is TaskState.SUCCEEDED}
            return True
        finally:
            store.close()

    def _over(self) -> bool:
        store = open_store(self.home / "weft.db")
        try:
            return store.runs()[0].state is RunState.SUCCEEDED
        finally:
            store.close()

    def _judge(self) -> None:
        """The run is complete and right, each result was committed once, and the store is healthy."""
        store = open_store(self.home / "weft.db")
        blobs = FileBlobs(self.home / "artifacts")
        try:
            (run,) = store.runs()
            assert run.state is RunState.SUCCEEDED
            rows = store.tasks(run.run, limit=10_000)
            root = rows[0]
            assert root.result is not None
            assert root.result.inline is not None
            import msgpack

            assert msgpack.unpackb(root.result.inline) == kill9_flow.expected()
            assert len(rows) == 1 + kill9_flow.TASKS
            assert {row.state for row in rows} == {TaskState.SUCCEEDED}
            successes: Counter[tuple[int, int]] = Counter()
            after = 0
            while page := store.events(run.run, after=after, limit=5000):
                after = page[-1].seq
                for event in page:
                    change: Any = event.change
                    if isinstance(change, TaskChanged) and change.state is TaskState.SUCCEEDED:
                        successes[change.idx, change.generation] += 1
            assert set(successes.values()) == {1}
            assert len(successes) == len(rows)
            assert verify(store, blobs=blobs) == []
        finally:
            store.close()


def _descendants(pid: int) -> list[int]:
    """Processes below ``pid`` at any depth."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    pending = [pid]
    while pending:
        below = parents.get(pending.pop(), [])
        found += below
        pending += below
    return found


@pytest.mark.parametrize(
    ("executor", "seed", "kills", "workers"),
    [("thread", 1, 2, False), ("process", 2, 2, False), ("process", 3, 2, True)],
)
def test_killed_run_completes(tmp_path: Path, executor: str, seed: int, kills: int, workers: bool) -> None:
    """A run that is killed at random moments completes, and no completed task runs again."""
    Battle(tmp_path / "home", executor, seed).fight(kills, workers=workers)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("executor", ["thread", "process"])
def test_many_kills(tmp_path: Path, executor: str) -> None:
    """The same, a hundred times."""
    campaign(tmp_path, executor, 100)


def campaign(folder: Path, executor: str, kills: int, seed: int = 0) -> dict[str, Any]:
    """Fight until so many kills have hit; returns figures."""
    figures: Counter[str] = Counter()
    began = time.monotonic()
    while figures["kills"] < kills:
        battle = Battle(folder / f"{executor}-{seed}", executor, seed)
        battle.fight(min(4, kills - figures["kills"]), workers=executor == "process")
        figures["runs"] += 1
        figures["engine_kills"] += battle.engine_kills
        figures["worker_kills"] += battle.worker_kills
        figures["kills"] += battle.kills
        figures["resumes"] += battle.resumes
        figures["tasks"] += kill9_flow.TASKS
        figures["repeated_attempts"] += sum(battle.ran.values()) - kill9_flow.BODIES
        seed += 1
    return {"executor": executor, **figures, "seconds": round(time.monotonic() - began, 1), "violations": 0}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill a run again and again.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for each in ("thread", "process"):
            print(json.dumps(campaign(Path(place), each, wanted.kills // 2, wanted.seed)), flush=True)
