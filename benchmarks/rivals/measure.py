"""Takes readings in a rival's process and prints them as JSON lines.

A script gives ``main`` a function for each case that it can do. The function sets the system up, outside what
is timed, and calls ``report`` with another that gives one reading.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

CHAIN = 200
DIAMONDS = 100
WIDTH = 8
TRIGGERS = 20
BURNS = 64
BURN_LOOPS = 700_000
"""About 50 ms of pure Python."""

BUDGET_S = 60.0
"""No new reading starts after this long, so that what was measured is printed before the cap."""


class Options(NamedTuple):
    """What the runner asks for."""

    work: Path
    reps: int


def main(cases: Mapping[str, Callable[[Options], None]]) -> None:
    """Carry out the case that the command line names, or say that the system cannot do it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--reps", type=int, default=3)
    asked = parser.parse_args()
    if asked.case in cases:
        cases[asked.case](Options(asked.work, asked.reps))
    else:
        print(json.dumps({"case": asked.case, "skipped": "the script leaves it out and says why"}))


def report(case: str, unit: str, reading: Callable[[], float], *, reps: int, how: str = "") -> None:
    """Take up to ``reps`` readings and print their median and range."""
    busy = busy_share()
    begin = time.perf_counter()
    readings: list[float] = []
    while len(readings) < reps and (not readings or time.perf_counter() - begin < BUDGET_S):
        readings.append(reading())
    line = {
        "case": case,
        "value": significant(statistics.median(readings)),
        "unit": unit,
        "n": len(readings),
        "min": significant(min(readings)),
        "max": significant(max(readings)),
        "how": how,
        "busy": busy,
    }
    print(json.dumps(line), flush=True)


def chain(work: Callable[[], object], *, reps: int, how: str, length: int = CHAIN) -> None:
    """Report case A; ``work`` runs the whole chain."""
    report(f"A chain {length}", "ms/task", lambda: seconds(work) / length * 1e3, reps=reps, how=how)


def fan_out(width: int, work: Callable[[], object], *, reps: int, how: str) -> None:
    """Report case B; ``work`` runs the source, the tasks and the sum."""
    report(f"B fan-out {width}", "tasks/s", lambda: (width + 2) / seconds(work), reps=reps, how=how)


def diamonds(work: Callable[[], object], *, reps: int, how: str, count: int = DIAMONDS) -> None:
    """Report case C; ``work`` runs them all."""
    tasks = count * (WIDTH + 2)
    report(f"C {count} diamonds of 10", "tasks/s", lambda: tasks / seconds(work), reps=reps, how=how)


def latency(first_task_at: Callable[[], float], *, how: str) -> None:
    """Report case D; ``first_task_at`` starts a run and returns the ``time.time()`` that its task saw."""

    def reading() -> float:
        begin = time.time()
        return (first_task_at() - begin) * 1e3

    reading()
    report("D trigger to first task", "ms", reading, reps=TRIGGERS, how=how)


def cpu(work: Callable[[], object], *, reps: int, how: str, tasks: int = BURNS) -> None:
    """Report case F; ``work`` burns ``tasks`` times on two processes."""

    def reading() -> float:
        alone = statistics.median(seconds(burn) for _ in range(7))
        return tasks * alone / 2 / seconds(work)

    report(f"F cpu {tasks} x 50 ms", "ideal/actual", reading, reps=reps, how=how)


def burn() -> int:
    """A fixed amount of pure Python."""
    total = 0
    for number in range(BURN_LOOPS):
        total += number * number % 7
    return total


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def significant(value: float) -> float:
    """Four significant digits."""
    return float(f"{value:.4g}")


def busy_share(over_s: float = 0.2) -> float | None:
    """The share of all CPU time that was in use just now; ``None`` where /proc does not tell."""
    before = _cpu_times()
    time.sleep(over_s)
    after = _cpu_times()
    if before is None or after is None:
        return None
    return round(1 - (after[0] - before[0]) / max(1, after[1] - before[1]), 2)


def _cpu_times() -> tuple[int, int] | None:
    """Idle and total ticks since boot."""
    try:
        text = Path("/proc/stat").read_text()
    except OSError:
        return None
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
