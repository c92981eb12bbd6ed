"""Dask: futures on a LocalCluster of two one-thread processes; nothing is durable."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import measure
from dask.distributed import Client, LocalCluster

HOW = "LocalCluster of 2 processes, futures, not durable"


def add(left: int, right: int) -> int:
    """A trivial task."""
    return left + right


def stamp() -> float:
    """When it ran."""
    return time.time()


def burn(_: int) -> int:
    """CPU-bound."""
    return measure.burn()


@contextmanager
def client() -> Iterator[Client]:
    """A warm cluster."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as connected,
    ):
        connected.gather(connected.map(add, range(10), range(10), pure=False))
        yield connected


def a(options: measure.Options) -> None:
    """A chain of futures."""
    with client() as dask:

        def work() -> None:
            last = dask.submit(add, 0, 1, pure=False)
            for _ in range(measure.CHAIN - 1):
                last = dask.submit(add, last, 1, pure=False)
            assert last.result() == measure.CHAIN

        measure.chain(work, reps=options.reps, how=HOW)


def b(options: measure.Options, width: int) -> None:
    """A fan-out."""
    with client() as dask:

        def work() -> None:
            source = dask.submit(add, 0, 0, pure=False)
            parts = dask.map(add, [source] * width, range(width), pure=False)
            assert dask.submit(sum, parts, pure=False).result() == width * (width - 1) // 2

        measure.fan_out(width, work, reps=options.reps, how=HOW)


def c(options: measure.Options) -> None:
    """Diamonds."""
    with client() as dask:

        def work() -> None:
            ends = []
            for number in range(measure.DIAMONDS):
                source = dask.submit(add, number, 0, pure=False)
                parts = [dask.submit(add, source, each, pure=False) for each in range(measure.WIDTH)]
                ends.append(dask.submit(sum, parts, pure=False))
            assert len(dask.gather(ends)) == measure.DIAMONDS

        measure.diamonds(work, reps=options.reps, how=HOW)


def d(options: measure.Options) -> None:
    """Latency."""
    with client() as dask:
        measure.latency(lambda: float(dask.submit(stamp, pure=False).result()), how=f"{HOW}, submit")


def f(options: measure.Options) -> None:
    """Both processes."""
    with client() as dask:

        def work() -> None:
            dask.gather(dask.map(burn, range(measure.BURNS), pure=False))

        measure.cpu(work, reps=options.reps, how=HOW)


if __name__ == "__main__":
    measure.main(
        {"A": a, "B1000": lambda o: b(o, 1000), "B10000": lambda o: b(o, 10_000), "C": c, "D": d, "F": f}
    )
