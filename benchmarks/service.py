"""The service as its users meet it: ready, idle, triggered through the API, and a thousand runs at once.

``weft up`` runs in a process of its own on an empty home, asked over sockets by this one. Prints one JSON
line a figure. ``--store URL`` names another store than SQLite; ``--postgres`` starts a PostgreSQL of its own,
which syncs as a real one does.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "acceptance")]

FLOWS = """
from weft import cron, dag, task

@task
def one() -> int:
    return 1

@task
def middle(n: int, add: int) -> int:
    return n + add

@task
def last(parts: list[int]) -> int:
    return sum(parts)

@dag
def single():
    one()

@dag
def diamond(n: int = 0) -> int:
    a = one()
    return last([middle(a, add) for add in range(8)])

@dag(schedule=cron("* * * * * *"))
def ticking():
    one()
"""


def say(what: str, **figures: Any) -> None:
    """Print a figure."""
    print(json.dumps({"what": what, **figures}), flush=True)


def quantiles_ms(seconds: list[float]) -> dict[str, float]:
    """The middle and the slow end, in milliseconds."""
    found = statistics.quantiles(seconds, n=100)
    return {"p50_ms": round(found[49] * 1000, 2), "p99_ms": round(found[98] * 1000, 2)}


class Api:
    """One connection that is kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask, and read the answer."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if data else {}
        self._connection.request(method, f"/api/v1{path}", data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return json.loads(text)

    def submit(self, workflow: str, **params: Any) -> str:
        """Start a run; returns its id."""
        return str(self.call("POST", "/runs", {"workflow": workflow, "params": params})["id"])


def moment(text: str) -> float:
    """Unix seconds of a time in an answer."""
    return datetime.fromisoformat(text).timestamp()


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of one's own that syncs as a real one does."""
    from postgres_server import PostgresServer

    server = PostgresServer({"fsync": "on", "full_page_writes": "on"})
    server.start()
    try:
        yield server.url()
    finally:
        server.close()


def idle(pid: int, seconds: float = 10.0) -> None:
    """What an idle service costs."""

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(seconds)
    cpu = (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds * 100
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    say("idle", cpu_percent=round(cpu, 2), rss_mb=round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1))


def trigger(api: Api, count: int) -> None:
    """From a request to the first task's start, one after the other."""
    took: list[float] = []
    answered: list[float] = []
    for _ in range(count + 20):
        sent, began = time.time(), time.perf_counter()
        run = api.submit("single")
        answered.append(time.perf_counter() - began)
        while (shown := api.call("GET", f"/runs/{run}"))["ended_at"] is None:
            time.sleep(0.001)
        assert shown["state"] == "succeeded"
        tasks = api.call("GET", f"/runs/{run}/tasks?where=name:one")["items"]
        took.append(moment(tasks[0]["started_at"]) - sent)
    say("trigger to first task", count=count, **quantiles_ms(took[20:]))
    say("answer to POST /runs", count=count, **quantiles_ms(answered[20:]))


def many(url: str, runs: int, clients: int, batch: int) -> None:
    """Diamonds of ten tasks, all at once."""
    began = time.time()

    def send(part: int) -> None:
        api = Api(url)
        numbers = range(part, runs, clients)
        if batch == 1:
            for number in numbers:
                api.submit("diamond", n=number)
        for begin in range(0, len(numbers), batch) if batch > 1 else ():
            some = numbers[begin : begin + batch]
            wanted = [{"workflow": "diamond", "params": {"n": each}} for each in some]
            api.call("POST", "/runs/batch", {"runs": wanted})

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, range(clients)))
    submitted = time.time()
    api = Api(url)
    while api.call("GET", "/runs?where=workflow:diamond%20state:running,scheduled&limit=1")["items"]:
        time.sleep(0.01)
    ended = time.time()
    starts: list[float] = []
    page = ""
    while True:
        found = api.call("GET", f"/runs?where=workflow:diamond&limit=1000{page}")
        starts += [moment(each["started_at"]) - moment(each["created_at"]) for each in found["items"]]
        assert all(each["state"] == "succeeded" for each in found["items"])
        if found["next"] is None:
            break
        page = f"&page={found['next']}"
    assert len(starts) == runs
    say(
        "diamonds at once",
        runs=runs,
        requests_of=batch,
        submitted_s=round(submitted - began, 2),
        total_s=round(ended - began, 2),
        task_runs_per_s=round(runs * 10 / (ended - began)),
        **{f"start_{name}": value for name, value in quantiles_ms(starts).items()},
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    if given.postgres:
        with postgres() as url:
            measure(given, url)
    else:
        measure(given, given.store)


def measure(given: argparse.Namespace, store: str) -> None:
    """Measure on a store; "" is SQLite in a home of its own."""
    from served import Served, until

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        project.mkdir()
        (project / "flows.py").write_text(FLOWS)
        env = {"WEFT_STORE": store} if store else {}
        began = time.monotonic()
        service = Served(Path(folder, "home"), "up", "--port", "0", **env)
        say("ready", seconds=round(time.monotonic() - began, 2), store=store.partition(":")[0] or "sqlite")
        try:
            idle(service.process.pid)
            deployed = time.time()
            service.weft("deploy", str(project))
            until(lambda: service.get("/runs?where=workflow:ticking%20state:succeeded&limit=1")["items"])
            say("deploy to a scheduled run's end", seconds=round(time.time() - deployed, 2))
            service.weft("schedules", "pause", "ticking#default")
            trigger(Api(service.url), given.count)
            for batch in (1, 250):
                many(service.url, given.runs, given.clients, batch)
                for run in service.get("/runs?where=workflow:diamond&limit=1")["items"]:
                    assert run["state"] == "succeeded"
                service.post(
                    "/runs/bulk", {"where": "workflow:diamond", "action": "delete", "dry_run": False}
                )
        finally:
            service.stop()


if __name__ == "__main__":
    main()
