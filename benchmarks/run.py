"""Weft's own figures, one JSON line each, and the rivals' beside them in the same call.

    python benchmarks/run.py [--cases chain,fanout] [--reps 3] [--rivals luigi,dbos] [--store postgresql://…]

Each case runs in a process and a home of its own, on the disk that ``--work`` names (a temporary folder by
default: its file system decides what a durable commit costs). Lines are as ``rivals.py`` prints them, with
the ``budget`` of the design beside a figure that has one. Compare ratios of one call, not figures of two.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rivals

CASES = Path(__file__).resolve().parent / "weft_cases.py"

BUDGETS: dict[str, tuple[float, str]] = {
    "import": (0.080, "s"),
    "version": (0.100, "s"),
    "cold": (0.400, "s"),
    "chain_full": (0.5, "ms/task"),
    "chain_relaxed": (0.15, "ms/task"),
    "fanout_threads": (25_000, "tasks/s"),
    "fanout_processes": (12_000, "tasks/s"),
    "diamonds": (15_000, "tasks/s"),
    "latency_p99": (2.0, "ms"),
    "cpu": (0.97, "ideal/actual"),
    "memory_pending": (1024, "bytes/task"),
    "memory_million": (1.5e9, "bytes"),
    "idle_cpu": (0.01, "share"),
    "idle_rss": (150e6, "bytes"),
    "recovery": (5.0, "s"),
}
"""Budget and unit by case, as in the design."""


def run_case(case: str, work: Path, *, reps: int, cap_s: float, store: str = "") -> Iterator[dict[str, Any]]:
    """One case in a process of its own, ``reps`` times; each in a schema of its own of the ``store``."""
    readings: dict[str, list[float]] = {}
    for _ in range(reps):
        home = Path(tempfile.mkdtemp(prefix="weft-bench-", dir=work))
        environment = {**os.environ, "WEFT_HOME": str(home), "WEFT_PROGRESS": "off"}
        if store:
            schema = home.name.replace("-", "_")
            environment["WEFT_STORE"] = f"{store}{'&' if '?' in store else '?'}schema={schema}"
        try:
            done = subprocess.run(
                [sys.executable, str(CASES), case],
                env=environment,
                capture_output=True,
                text=True,
                timeout=cap_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            yield {"system": "weft", "case": case, "skipped": f"longer than {cap_s:.0f} s"}
            return
        finally:
            shutil.rmtree(home, ignore_errors=True)
        if done.returncode:
            yield {"system": "weft", "case": case, "skipped": done.stderr.strip().splitlines()[-1:]}
            return
        for line in done.stdout.splitlines():
            found = json.loads(line)
            readings.setdefault(found["case"], []).append(found["value"])
    for name, values in readings.items():
        budget, unit = BUDGETS.get(name, (None, ""))
        line = {
            "system": "weft",
            "case": name,
            "value": float(f"{statistics.median(values):.5g}"),
            "unit": unit,
            "n": len(values),
            "min": float(f"{min(values):.5g}"),
            "max": float(f"{max(values):.5g}"),
        }
        if budget is not None:
            line["budget"] = budget
        yield line


def main() -> None:
    """Parse the command line, measure, print."""
    names = [
        "start",
        "chain",
        "fanout",
        "diamonds",
        "latency",
        "cpu",
        "memory",
        "million",
        "idle",
        "recovery",
    ]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default=",".join(each for each in names if each != "million"))
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--cap", type=float, default=300.0)
    parser.add_argument(
        "--rivals", default="", help="systems to measure beside it: luigi,dbos,prefect,dask..."
    )
    parser.add_argument("--rival-cases", default="A,B1000,B10000,C,D,E,F")
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--store", default="", help="a PostgreSQL database instead of SQLite, as a URL")
    asked = parser.parse_args()
    for case in asked.cases.split(","):
        if case not in names:
            parser.error(f"no case {case!r}; there are: {', '.join(names)}")
        for line in run_case(
            case,
            asked.work or Path(tempfile.gettempdir()),
            reps=asked.reps,
            cap_s=asked.cap,
            store=asked.store,
        ):
            print(json.dumps(line), flush=True)
    if asked.rivals:
        found = rivals.run(asked.rivals.split(","), asked.rival_cases.split(","), reps=asked.reps)
        for line in found:
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
