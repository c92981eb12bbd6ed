"""Runs other workflow systems on the work of Weft's own benchmarks, one JSON line a figure.

    python benchmarks/rivals.py [--systems luigi,dask] [--cases A,B1000] [--reps 3] [--cap 120]

Each system has an environment of its own in ``$WEFT_PEERS/<system>`` (default ``~/.cache/weft-peers``;
``benchmarks/rivals/README.md`` says how to make them); one that is absent gives a ``skipped`` line. Each case
is a process group of its own, ended after ``--cap`` seconds, so that no system leaves anything for the next.

Lines: ``{"system", "case", "value", "unit", "n", "min", "max", "how", "busy"}``, where ``value`` is the
median of ``n`` readings and ``busy`` the share of all CPU time in use just before; or ``{"system", "case",
"skipped"}``.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parent / "rivals"
IMPORTS = {
    "luigi": "luigi",
    "prefect": "prefect",
    "dask": "dask.distributed",
    "dbos": "dbos",
    "dagster": "dagster",
    "ray": "ray",
}
"""System to the module that its users import."""

CASES = ("A", "B1000", "B10000", "C", "D", "E", "F")
IMPORT_READINGS = 5

Line = dict[str, Any]


def peers() -> Path:
    """The folder with one environment for each system."""
    return Path(os.environ.get("WEFT_PEERS") or Path.home() / ".cache" / "weft-peers")


def run(
    systems: Sequence[str] = tuple(IMPORTS),
    cases: Sequence[str] = CASES,
    *,
    reps: int = 3,
    cap_s: float = 120.0,
) -> Iterator[Line]:
    """Measure, and yield each line as soon as it is known."""
    for system in systems:
        python = peers() / system / "bin" / "python"
        if not python.exists():
            yield {"system": system, "case": "all", "skipped": "no environment"}
            continue
        for case in cases:
            if case == "E":
                yield import_time(system, python)
            else:
                yield from case_lines(system, case, python, reps=reps, cap_s=cap_s)


def import_time(system: str, python: Path) -> Line:
    """Wall time of a whole process that only imports the system, after one that warms the caches."""
    command = [str(python), "-c", f"import {IMPORTS[system]}"]
    readings = []
    for _ in range(IMPORT_READINGS + 1):
        begin = time.perf_counter()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(), check=False
        )
        readings.append(time.perf_counter() - begin)
        if done.returncode != 0:
            return {"system": system, "case": "E import", "skipped": last_line(done.stderr)}
    readings = readings[1:]
    return {
        "system": system,
        "case": "E import",
        "value": round(statistics.median(readings), 4),
        "unit": "s",
        "n": len(readings),
        "min": round(min(readings), 4),
        "max": round(max(readings), 4),
        "how": f"python -c 'import {IMPORTS[system]}'",
    }


def case_lines(system: str, case: str, python: Path, *, reps: int, cap_s: float) -> list[Line]:
    """Run one case of one system in a process group of its own, and read what it printed."""
    with tempfile.TemporaryDirectory(prefix=f"rival-{system}-", ignore_cleanup_errors=True) as work:
        errors_path = Path(work) / "stderr"
        with errors_path.open("wb") as errors:
            process = subprocess.Popen(
                [str(python), str(SCRIPTS / f"{system}_cases.py"), case, "--work", work, "--reps", str(reps)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(),
                cwd=work,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate(timeout=cap_s)
                trouble = "" if process.returncode == 0 else f"exit code {process.returncode}"
            except subprocess.TimeoutExpired:
                trouble = f"longer than {cap_s:g} s"
                output = ""
            finally:
                end_group(process.pid)
            if not output:
                output, _ = process.communicate()
        lines = [{"system": system} | line for line in parsed(output)]
        if trouble:
            detail = last_line(errors_path.read_text(errors="replace")) if trouble.startswith("exit") else ""
            reason = f"{trouble}: {detail}" if detail else trouble
            lines.append({"system": system, "case": case, "skipped": reason})
        return lines


def parsed(output: str) -> Iterator[Line]:
    """The figures among what a case printed; systems print banners as well."""
    for text in output.splitlines():
        if text.startswith('{"case"'):
            yield json.loads(text)


def end_group(leader: int) -> None:
    """End whatever is left of a case: its servers and workers are in its process group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def environment() -> dict[str, str]:
    """This process's environment without what would slow or mislead another interpreter."""
    hidden = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONHOME", "VIRTUAL_ENV"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return kept | {"PYTHONPATH": str(SCRIPTS), "DO_NOT_TRACK": "1"}


def last_line(text: str) -> str:
    """The last line that says anything, cut to what fits beside a figure."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def main() -> int:
    """Print a line for each figure; returns 2 for an unknown system or case."""
    parser = argparse.ArgumentParser(description="Measure other workflow systems.")
    parser.add_argument("--systems", default=",".join(IMPORTS))
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--reps", type=int, default=3, help="readings a figure")
    parser.add_argument("--cap", type=float, default=120.0, help="seconds after which a case is ended")
    options = parser.parse_args()
    systems, cases = options.systems.split(","), options.cases.split(",")
    unknown = sorted({*systems, *cases} - {*IMPORTS, *CASES})
    if unknown:
        print(f"unknown: {', '.join(unknown)}", file=sys.stderr)
        return 2
    for line in run(systems, cases, reps=options.reps, cap_s=options.cap):
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
