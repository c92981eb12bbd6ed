"""Luigi: a file a task, the scheduler in the process."""

import tempfile
import time
from pathlib import Path
from typing import Any

import luigi
import measure

HOW = "local scheduler, LocalTarget a task"


class Step(luigi.Task):
    """A task whose result is the text of a file."""

    root = luigi.Parameter()
    number = luigi.IntParameter()

    def output(self) -> Any:
        return luigi.LocalTarget(f"{self.root}/{type(self).__name__}-{self.number}")

    def write(self, value: object) -> None:
        with self.output().open("w") as file:
            file.write(repr(value))


def value(target: Any) -> float:
    """What a task left."""
    with target.open() as file:
        return float(file.read())


class Link(Step):
    """One of a chain."""

    def requires(self) -> Any:
        return Link(root=self.root, number=self.number - 1) if self.number > 1 else []

    def run(self) -> None:
        self.write(value(self.input()) + 1 if self.number > 1 else 1)


class Source(Step):
    """What the tasks of a fan-out read."""

    def run(self) -> None:
        self.write(0)


class Part(Step):
    """One of a fan-out."""

    def requires(self) -> Any:
        return Source(root=self.root, number=0)

    def run(self) -> None:
        self.write(value(self.input()) + self.number)


class Total(Step):
    """The sum of a fan-out of ``number``."""

    def requires(self) -> Any:
        return [Part(root=self.root, number=each) for each in range(self.number)]

    def run(self) -> None:
        self.write(sum(value(target) for target in self.input()))


class Stamp(Step):
    """When it ran."""

    def run(self) -> None:
        self.write(time.time())


class Burn(Step):
    """CPU-bound."""

    def run(self) -> None:
        measure.burn()
        self.write(1)


def build(tasks: list[Step], workers: int = 1) -> None:
    """Run to the end, or end the case."""
    if not luigi.build(tasks, workers=workers, local_scheduler=True, no_lock=True, log_level="CRITICAL"):
        raise SystemExit("luigi.build failed")


def fresh(options: measure.Options) -> str:
    """A folder without targets, so that nothing counts as done."""
    return tempfile.mkdtemp(dir=options.work)


def a(options: measure.Options) -> None:
    """A chain."""
    measure.chain(
        lambda: build([Link(root=fresh(options), number=measure.CHAIN)]),
        reps=options.reps,
        how=f"{HOW}, 1 worker",
    )


def b(options: measure.Options, width: int) -> None:
    """A fan-out; its scheduling grows with the square of the width."""
    measure.fan_out(
        width,
        lambda: build([Total(root=fresh(options), number=width)]),
        reps=options.reps,
        how=f"{HOW}, 1 worker",
    )


def c(options: measure.Options) -> None:
    """Diamonds: Luigi has no runs, so they are the roots of one build."""

    def work() -> None:
        roots = [fresh(options) for _ in range(measure.DIAMONDS)]
        build([Total(root=root, number=measure.WIDTH) for root in roots])

    measure.diamonds(work, reps=options.reps, how=f"{HOW}, 1 worker, one build")


def d(options: measure.Options) -> None:
    """Latency."""

    def first_task_at() -> float:
        root = fresh(options)
        build([Stamp(root=root, number=1)])
        return float(Path(root, "Stamp-1").read_text())

    measure.latency(first_task_at, how=f"{HOW}, luigi.build")


def f(options: measure.Options) -> None:
    """Two forked workers."""

    def work() -> None:
        root = fresh(options)
        build([Burn(root=root, number=number) for number in range(measure.BURNS)], workers=2)

    measure.cpu(work, reps=options.reps, how=f"{HOW}, 2 workers")


if __name__ == "__main__":
    measure.main(
        {"A": a, "B1000": lambda o: b(o, 1000), "B10000": lambda o: b(o, 3000), "C": c, "D": d, "F": f}
    )
