"""Prefect: flows called in this process, against a server on SQLite that the case starts."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import measure

HOW = "prefect server, SQLite"
SERVER_START_S = 60.0
DIAMONDS = 20
"""These take about a minute, so 100 would not keep the cap."""


@contextmanager
def flows(options: measure.Options) -> Iterator[SimpleNamespace]:
    """A server, and the flows of all cases; Prefect reads its settings when it is imported."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ.update(
        PREFECT_HOME=str(options.work),
        PREFECT_LOGGING_LEVEL="ERROR",
        PREFECT_SERVER_LOGGING_LEVEL="ERROR",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
    )
    command = [str(Path(sys.executable).with_name("prefect")), "server", "start", "--port", str(port)]
    with (options.work / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1"], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        await_server(f"http://127.0.0.1:{port}/api/health")
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        import prefect_flows

        prefect_flows.chain_of(1)
        yield SimpleNamespace(**vars(prefect_flows))
    finally:
        server.terminate()
        server.wait(20)


def await_server(url: str) -> None:
    """Return when the server answers."""
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def a(options: measure.Options) -> None:
    """A chain of direct calls."""
    with flows(options) as defined:
        measure.chain(
            lambda: defined.chain_of(measure.CHAIN), reps=options.reps, how=f"{HOW}, tasks called directly"
        )


def b(options: measure.Options, width: int) -> None:
    """A fan-out."""
    with flows(options) as defined:
        measure.fan_out(
            width, lambda: defined.fan_of(width), reps=options.reps, how=f"{HOW}, task.map on threads"
        )


def c(options: measure.Options) -> None:
    """Diamonds, each a flow."""
    with flows(options) as defined:

        async def together() -> None:
            await asyncio.gather(*[defined.diamond(number) for number in range(DIAMONDS)])

        measure.diamonds(
            lambda: asyncio.run(together()), reps=options.reps, how=f"{HOW}, gathered flows", count=DIAMONDS
        )


def d(options: measure.Options) -> None:
    """Latency."""
    with flows(options) as defined:
        measure.latency(lambda: defined.stamped(), how=f"{HOW}, flow called directly")


def f(options: measure.Options) -> None:
    """Two processes."""
    with flows(options) as defined:
        measure.cpu(
            lambda: defined.burned(measure.BURNS), reps=options.reps, how=f"{HOW}, ProcessPoolTaskRunner(2)"
        )


if __name__ == "__main__":
    measure.main(
        {"A": a, "B1000": lambda o: b(o, 1000), "B10000": lambda o: b(o, 10_000), "C": c, "D": d, "F": f}
    )
