"""DBOS: steps of workflows in this process, rows in SQLite."""

import asyncio

# DBOS needs SQLite 3.42 (unixepoch('subsec')); an older one gives way to the wheel that brings its own.
import sqlite3  # noqa: TID251 - a rival's process; Weft is not in it
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import measure

if sqlite3.sqlite_version_info < (3, 42):
    import pysqlite3

    sys.modules["sqlite3"] = pysqlite3
    sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

from dbos import DBOS

HOW = "SQLite"
WORKER = "--worker"


@DBOS.step()
def add(left: int, right: int) -> int:
    """A trivial step."""
    return left + right


@DBOS.step()
async def add_async(left: int, right: int) -> int:
    """A trivial step for gathering."""
    return left + right


@DBOS.step()
def now() -> float:
    """When it ran."""
    return time.time()


@DBOS.workflow()
def chain_of(length: int) -> int:
    """Steps one after another."""
    value = 0
    for _ in range(length):
        value = add(value, 1)
    return value


@DBOS.workflow()
async def fan_of(width: int) -> int:
    """Steps at once, as the documentation has it: coroutines, gathered."""
    source = await add_async(0, 0)
    parts = await asyncio.gather(*[add_async(source, each) for each in range(width)])
    return await add_async(sum(parts), 0)


@DBOS.workflow()
def stamped() -> float:
    """One step."""
    return now()


@DBOS.workflow()
def burned(_: int) -> int:
    """CPU-bound."""
    return measure.burn()


def launch(work: Path, executor: str = "main") -> Any:
    """Start DBOS on a database in ``work``; returns the queue of case F."""
    DBOS(
        config={
            "name": "rival",
            "system_database_url": f"sqlite:///{work}/dbos.sqlite",
            "log_level": "ERROR",
            "run_admin_server": False,
            "executor_id": executor,
            "application_version": "1",
        }
    )
    DBOS.launch()
    return DBOS.register_queue("cpu", worker_concurrency=1, polling_interval_sec=0.1)


def a(options: measure.Options) -> None:
    """A chain."""
    launch(options.work)
    chain_of(2)

    def work() -> None:
        assert chain_of(measure.CHAIN) == measure.CHAIN

    measure.chain(work, reps=options.reps, how=f"{HOW}, steps of one workflow")


def b(options: measure.Options, width: int) -> None:
    """A fan-out."""
    launch(options.work)

    def work() -> None:
        assert asyncio.run(fan_of(width)) == width * (width - 1) // 2

    measure.fan_out(width, work, reps=options.reps, how=f"{HOW}, gathered async steps")


def c(options: measure.Options) -> None:
    """Diamonds, each a workflow."""
    launch(options.work)

    async def together() -> list[int]:
        handles = [await DBOS.start_workflow_async(fan_of, measure.WIDTH) for _ in range(measure.DIAMONDS)]
        return [await handle.get_result() for handle in handles]

    def work() -> None:
        assert len(asyncio.run(together())) == measure.DIAMONDS

    measure.diamonds(work, reps=options.reps, how=f"{HOW}, start_workflow each")


def d(options: measure.Options) -> None:
    """Latency."""
    launch(options.work)
    measure.latency(lambda: DBOS.start_workflow(stamped).get_result(), how=f"{HOW}, start_workflow")


def f(options: measure.Options) -> None:
    """A queue over this process and another."""
    queue = launch(options.work)
    command = [sys.executable, __file__, WORKER, str(options.work)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdout.readline()  # it says when it is ready

        def work() -> None:
            handles = [queue.enqueue(burned, each) for each in range(measure.BURNS)]
            for handle in handles:
                handle.get_result()

        measure.cpu(work, reps=options.reps, how=f"{HOW}, queue over 2 processes, poll 0.1 s (default 1 s)")
        worker.stdin.close()


def serve_queue(work: Path) -> None:
    """The other process of case F; ends when its input does."""
    launch(work, executor="other")
    print("ready", flush=True)
    sys.stdin.read()
    DBOS.destroy()


if __name__ == "__main__":
    if sys.argv[1] == WORKER:
        serve_queue(Path(sys.argv[2]))
    else:
        measure.main(
            {"A": a, "B1000": lambda o: b(o, 1000), "B10000": lambda o: b(o, 10_000), "C": c, "D": d, "F": f}
        )
