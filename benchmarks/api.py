"""How quickly the REST API answers: starting a run on an idle service, and lists with a million task runs.

The service runs in a process of its own on SQLite (FULL), with the engine in it, and is asked over a socket
by one client, one request after the other. Prints one JSON line a figure: milliseconds at the 50th and 99th
percentile. ``--rows`` says how many task runs the store holds before the lists are read.
"""

import argparse
import http.client
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "api")]

TASKS = 10
WARM = 20
BIG = 100_000
"""Task runs of the one run that is large."""


def serve(home: str, ready: Connection) -> None:
    """The service's process: tells its port, and goes down when told to."""
    from api_flows import WORKFLOWS
    from api_service import Service

    from weft.embedded import open_host
    from weft.server.app import create_app
    from weft.server.serve import HttpServer
    from weft.settings import Settings

    host = open_host(Settings(home=home, progress="off"))
    host.thread.capture.tee = False
    service = Service(host, Path(home))
    service.deploy(*WORKFLOWS)
    server = HttpServer(create_app(service.services), service.services, port=0)
    server.start()
    ready.send(server.url)
    ready.recv()
    server.stop()


def fill(home: str, rows: int) -> None:
    """Put ended runs into the store: many small ones, and one large one."""
    from weft.core.changes import Cause, Change, RunAdded, RunChanged, TaskAdded, TaskChanged
    from weft.model.ids import ulid
    from weft.model.states import RunState, TaskState
    from weft.store.open import open_store

    store = open_store(f"{home}/weft.db", durability="relaxed")
    now = time.time() - 1e6
    left = rows
    number = 0
    while left > 0:
        batch: list[Change] = []
        runs = store.reserve_runs(500)
        for run in range(runs, runs + 500):
            number += 1
            size = BIG if number == 1 and left > 2 * BIG else min(TASKS, left)
            left -= size
            failed = number % 100 == 7
            at = now + number
            name = "large" if size == BIG else f"flow{number % 50}"
            uid = ulid("run", int(at * 1000), run.to_bytes(10, "big"))
            batch.append(RunAdded(run, uid, name, "no-graph", at, tags=("nightly",)))
            for idx in range(size):
                batch.append(TaskAdded(run, idx, f"task[{idx}]", "task", at, parent=-1 if idx == 0 else 0))
                state = TaskState.FAILED if failed and idx == size - 1 else TaskState.SUCCEEDED
                batch.append(TaskChanged(run, idx, state, 1, at + 1, Cause.RETURNED, started_at=at))
            state = RunState.FAILED if failed else RunState.SUCCEEDED
            batch.append(RunChanged(run, state, at + 2, Cause.RETURNED))
            if left <= 0:
                break
        touched = {each.run: 0 for each in batch}
        store.commit(batch, engine=0, epochs=touched)
    store.close()


def measure(name: str, ask: Callable[[], object], count: int, *, pause_s: float = 0.0) -> None:
    """Ask so many times, with a pause after each, and print how long it took."""
    times: list[float] = []
    for _ in range(count + WARM):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(pause_s)
    cuts = statistics.quantiles(times[WARM:], n=100)
    figures = {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3), "count": count}
    print(json.dumps({"name": name, **figures}), flush=True)


class Client:
    """One connection that is kept."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """An answer, which must be well."""
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"content-type": "application/json"}
        self._connection.request(method, f"/api/v1{path}", data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return json.loads(text)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=0, help="task runs in the store before lists are read")
    parser.add_argument("--count", type=int, default=500, help="requests a figure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        context = multiprocessing.get_context("spawn")
        if options.rows:
            filling = context.Process(target=fill, args=(home, options.rows))
            filling.start()
            filling.join()
        mine, theirs = context.Pipe()
        server = context.Process(target=serve, args=(home, theirs))
        server.start()
        client = Client(mine.recv())
        try:
            figures(client, options.count)
        finally:
            mine.send("stop")
            server.join()


def figures(client: Client, count: int) -> None:
    """Every figure."""
    few = max(count // 5, 50)

    def get(name: str, path: str, times: int) -> None:
        measure(f"GET {name}", lambda: client.ask("GET", path), times)

    get("health", "/health", count)
    body = {"workflow": "doubled", "params": {"number": 1}}
    measure("POST runs, idle", lambda: client.ask("POST", "/runs", body), count, pause_s=0.02)
    get("runs", "/runs", few)
    get("runs, 1000 of them", "/runs?limit=1000", few)
    get("runs that failed", "/runs?where=state:failed", few)
    get("runs of a workflow", "/runs?where=workflow:flow7", few)
    get("runs, where none fits", "/runs?where=workflow:nobody", few)
    get("runs, where none has the tag", "/runs?where=tag:nothing", few)
    get("status", "/status", few)
    small = client.ask("GET", "/runs?where=workflow:flow8&limit=1")["items"]
    if not small:
        return
    run = small[0]["id"]
    get("run", f"/runs/{run}", count)
    get("tasks of a run", f"/runs/{run}/tasks", count)
    get("task", f"/runs/{run}/tasks/3", count)
    (large,) = client.ask("GET", "/runs?where=workflow:large")["items"]
    run = large["id"]
    get(f"tasks of a run of {BIG}", f"/runs/{run}/tasks", few)
    get(f"tasks of a run of {BIG}, 1000 of them", f"/runs/{run}/tasks?limit=1000", few)
    get(f"tasks of a run of {BIG} that failed", f"/runs/{run}/tasks?where=state:failed", few)
    get(f"counts of a run of {BIG}", f"/runs/{run}/counts", few)


if __name__ == "__main__":
    main()
