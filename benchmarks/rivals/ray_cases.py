"""Ray: remote functions on this machine with two CPUs; nothing is durable."""

import os
import time

import measure

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported

import ray

HOW = "ray.init(num_cpus=2), not durable"


@ray.remote
def add(left: int, right: int) -> int:
    """A trivial task."""
    return left + right


@ray.remote
def total(*parts: int) -> int:
    """A sum."""
    return sum(parts)


@ray.remote
def stamp() -> float:
    """When it ran."""
    return time.time()


@ray.remote
def burn() -> int:
    """CPU-bound."""
    return measure.burn()


def start(options: measure.Options) -> None:
    """Ray with both workers warm."""
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=500 << 20,
        logging_level="ERROR",
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(options.work),
    )
    ray.get([add.remote(1, 1) for _ in range(200)])


def a(options: measure.Options) -> None:
    """A chain of references."""
    start(options)

    def work() -> None:
        last = add.remote(0, 1)
        for _ in range(measure.CHAIN - 1):
            last = add.remote(last, 1)
        assert ray.get(last) == measure.CHAIN

    measure.chain(work, reps=options.reps, how=HOW)


def b(options: measure.Options, width: int) -> None:
    """A fan-out."""
    start(options)

    def work() -> None:
        source = add.remote(0, 0)
        parts = [add.remote(source, each) for each in range(width)]
        assert ray.get(total.remote(*parts)) == width * (width - 1) // 2

    measure.fan_out(width, work, reps=options.reps, how=HOW)


def c(options: measure.Options) -> None:
    """Diamonds."""
    start(options)

    def work() -> None:
        ends = []
        for number in range(measure.DIAMONDS):
            source = add.remote(number, 0)
            ends.append(total.remote(*[add.remote(source, each) for each in range(measure.WIDTH)]))
        assert len(ray.get(ends)) == measure.DIAMONDS

    measure.diamonds(work, reps=options.reps, how=HOW)


def d(options: measure.Options) -> None:
    """Latency."""
    start(options)
    measure.latency(lambda: float(ray.get(stamp.remote())), how=f"{HOW}, remote()")


def f(options: measure.Options) -> None:
    """Both CPUs."""
    start(options)
    measure.cpu(
        lambda: ray.get([burn.remote() for _ in range(measure.BURNS)]),
        reps=options.reps,
        how=HOW,
    )


if __name__ == "__main__":
    measure.main(
        {"A": a, "B1000": lambda o: b(o, 1000), "B10000": lambda o: b(o, 10_000), "C": c, "D": d, "F": f}
    )
