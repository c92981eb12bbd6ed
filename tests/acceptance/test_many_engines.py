"""Three engines and two servers on one PostgreSQL, while engines are killed and the database is restarted.

The default suite has a small campaign. The whole one, with its figures::

    PYTHONPATH=tests python tests/acceptance/test_many_engines.py --runs 2000 --restarts 5
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from postgres_server import PostgresServer
from served import Served

from weft.engine.verify import verify
from weft.model.errors import WeftError
from weft.store.open import open_store
from weft.store.protocol import Store

FLOWS = """
import time
from weft import dag, flow, task

@task
def first(n: int) -> int:
    return n

@task
def middle(n: int, add: int) -> int:
    time.sleep(0.01)
    return n + add

@task
def last(parts: list[int]) -> int:
    return sum(parts)

@dag
def diamond(n: int = 0) -> int:
    a = first(n)
    return last([middle(a, add) for add in range(8)])

@flow
def steps(n: int = 0) -> int:
    return last([middle(n, add) for add in range(3)])
"""

ENGINES = 3
PATIENCE_S = 900.0


class Campaign:
    """See the module.

    Args:
        folder: For homes and logs.
        database: The server that is restarted.
        runs: How many are submitted; every tenth is a flow.
        kill_every_s: Between two kills of an engine.
        restarts: How often the database is restarted.
        seed: Chooses whom to kill.
    """

    def __init__(
        self,
        folder: Path,
        database: PostgresServer,
        *,
        runs: int,
        kill_every_s: float,
        restarts: int,
        seed: int = 0,
    ) -> None:
        self.folder = folder
        self.database = database
        self.runs = runs
        self.kill_every_s = kill_every_s
        self.restarts = restarts
        self.random = random.Random(seed)
        self.url = database.url()
        self.env = {"WEFT_STORE": self.url, "WEFT_WORKERS": "2", "WEFT_KEEP_DAYS": "0"}
        self.engines: list[Served] = []
        self.servers: list[Served] = []
        self.kills = 0
        self.takeovers_s: list[float] = []
        self.submitted: dict[int, str] = {}
        self._over = threading.Event()

    def go(self) -> dict[str, Any]:
        """Run it; returns its figures."""
        project = self.folder / "project"
        project.mkdir()
        (project / "flows.py").write_text(FLOWS)
        began = time.monotonic()
        try:
            self.servers = [self._start("server", "--port", "0") for _ in range(2)]
            self.servers[0].weft("deploy", str(project))
            self.engines = [self._engine() for _ in range(ENGINES)]
            threads = [threading.Thread(target=self._kill_engines), threading.Thread(target=self._restart)]
            for each in threads:
                each.start()
            self._submit()
            self._wait()
            self._over.set()
            for each in threads:
                each.join()
            return self._figures(time.monotonic() - began)
        finally:
            self._over.set()
            for starting in [each for each in threading.enumerate() if each.name.startswith("engine-")]:
                starting.join()
            for served in (*self.engines, *self.servers):
                served.kill()

    # --- what goes on -------------------------------------------------------------------------------------

    def _start(self, *words: str) -> Served:
        return Served(self.folder / "home", *words, **self.env)

    def _engine(self) -> Served:
        return self._start("engine")

    def _submit(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._submit_one, range(self.runs)))

    def _submit_one(self, number: int) -> None:
        workflow = "steps" if number % 10 == 0 else "diamond"
        body = {"workflow": workflow, "params": {"n": number}}
        deadline = time.monotonic() + PATIENCE_S
        while True:
            server = self.servers[number % 2]
            try:
                # The key makes repeating it harmless: the answer may be lost with the database.
                made = server.post("/runs", body, **{"Idempotency-Key": f"n{number}"})
                self.submitted[number] = made["id"]
                return
            except (AssertionError, OSError):
                assert time.monotonic() < deadline, server.said[-2000:]
                time.sleep(0.2)

    def _kill_engines(self) -> None:
        while not self._over.wait(self.kill_every_s):
            if not self.engines:
                continue
            victim = self.random.choice(self.engines)
            self.engines.remove(victim)
            owned = self._owned(victim.process.pid)
            victim.kill()
            self.kills += 1
            died = time.monotonic()
            name = f"engine-{self.kills}"
            threading.Thread(target=lambda: self.engines.append(self._engine()), name=name).start()
            if owned:
                threading.Thread(target=self._time_takeover, args=(owned, died), daemon=True).start()

    def _owned(self, pid: int) -> dict[int, int]:
        """Open runs of the engine with this process, by their epochs."""
        try:
            with _reader(self.url) as store:
                engines = [each.engine for each in store.engines() if each.pid == pid]
                rows = store.runs("state:running", limit=5000)
                return {row.run: row.epoch for row in rows if row.owner in engines}
        except WeftError:
            return {}  # The database is away: this kill is not timed.

    def _time_takeover(self, owned: dict[int, int], died: float) -> None:
        left = set(owned)
        while left and not self._over.is_set() and time.monotonic() < died + 120:
            try:
                with _reader(self.url) as store:
                    for run in list(left):
                        row = store.run_by_id(run)
                        if row.epoch > owned[run] or row.state.terminal:
                            left.discard(run)
            except WeftError:
                return  # The database went away: this takeover is not timed.
            time.sleep(0.05)
        self.takeovers_s.append(round(time.monotonic() - died, 2))

    def _restart(self) -> None:
        for _ in range(self.restarts):
            if self._over.wait(self.kill_every_s * 2.3):
                return
            self.database.stop(self.random.choice(("fast", "immediate")))
            time.sleep(self.random.choice((0.0, 1.0, 4.0)))
            self.database.start()

    def _wait(self) -> None:
        assert len(self.submitted) == self.runs
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with _reader(self.url) as store:
                    left = len(store.runs("state:scheduled,queued,running,paused", limit=5000))
            except WeftError:
                left = -1
            if left == 0:
                return
            said = [each.said[-2000:] for each in self.engines[:1]]
            assert time.monotonic() < deadline, f"{left} runs are still open: {said}"
            time.sleep(0.2)

    # --- what came of it ----------------------------------------------------------------------------------

    def _figures(self, seconds: float) -> dict[str, Any]:
        with _reader(self.url) as store:
            rows = list(store.all_runs())
            states = Counter(row.state.value for row in rows)
            wrong = [row.uid for row in rows if not _right(row, store)]
            problems = verify(store)
        engines = len({row.owner for row in rows})
        return {
            "runs": len(rows),
            "states": dict(states),
            "wrong_results": wrong[:5],
            "kills": self.kills,
            "restarts": self.restarts,
            "takeovers_s": sorted(self.takeovers_s),
            "engines_that_ended_runs": engines,
            "seconds": round(seconds, 1),
            "problems": [msgspec.to_builtins(each) for each in problems[:5]],
        }


class _reader:
    """A store of one's own for a moment: the database may have been restarted since the last."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _right(row: Any, store: Store) -> bool:
    number = int(row.key.rpartition("n")[2])
    expected = sum(number + add for add in range(3 if row.workflow == "steps" else 8))
    return row.result is not None and msgspec.msgpack.decode(row.result.inline) == expected


def test_runs_end_once_whatever_dies(tmp_path: Path) -> None:
    """Two servers, three engines, kills and a restart of the database: every run succeeds, once."""
    database = PostgresServer()
    database.start()
    try:
        found = Campaign(tmp_path, database, runs=60, kill_every_s=2.0, restarts=1).go()
    finally:
        database.close()
    assert found["states"] == {"succeeded": 60}, found
    assert found["wrong_results"] == found["problems"] == [], found
    assert found["kills"] >= 1


@pytest.mark.slow
def test_a_long_campaign(tmp_path: Path) -> None:
    """The same for longer."""
    database = PostgresServer()
    database.start()
    try:
        found = Campaign(tmp_path, database, runs=2000, kill_every_s=3.0, restarts=5).go()
    finally:
        database.close()
    assert found["states"] == {"succeeded": 2000}, found
    assert found["wrong_results"] == found["problems"] == [], found


def main() -> None:
    """Run a campaign by hand, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--kill-every-s", type=float, default=3.0)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    database = PostgresServer()
    database.start()
    folder = Path(tempfile.mkdtemp(prefix="weft-campaign-"))
    try:
        campaign = Campaign(
            folder,
            database,
            runs=given.runs,
            kill_every_s=given.kill_every_s,
            restarts=given.restarts,
            seed=given.seed,
        )
        print(json.dumps(campaign.go()))
    finally:
        database.close()
    print(f"logs are in {folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
