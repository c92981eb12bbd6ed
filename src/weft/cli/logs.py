"""Reading the files in which attempts' output is kept: ``home/logs/<run>/<idx>.<attempt>.log``."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from weft.cli.output import emit
from weft.cli.reading import Home
from weft.cli.style import say
from weft.model.rows import RunRow, TaskRow
from weft.observability.terminal import paint
from weft.runtime.logs import log_path

_LOOK_S = 0.2


def attempts(home: Path, run: str) -> list[tuple[int, int, Path]]:
    """Index, attempt and file of every log that a run has, in order of their beginning."""
    found = []
    folder = home / "logs" / run
    for path in folder.glob("*.log"):
        idx, dot, attempt = path.stem.partition(".")
        if dot and idx.isdecimal() and attempt.isdecimal():
            found.append((path.stat().st_ctime_ns, int(idx), int(attempt), path))
    return [(idx, attempt, path) for _, idx, attempt, path in sorted(found)]


def print_run(opened: Home, row: RunRow, *, follow: bool, json: bool) -> None:
    """All logs of a run, each line with its task's key in front."""
    files: dict[Path, int] = {}
    keys: dict[int, str] = {}
    printed = False
    while True:
        over = opened.store.run_by_id(row.run).state.terminal
        for idx, attempt, path in attempts(opened.settings.home_path, row.uid):
            if idx not in keys:
                keys[idx] = opened.store.task(row.run, idx).key
            at = files.get(path, 0)
            for line, end in _lines(path, at, whole=over or not follow):
                printed = True
                files[path] = end
                _print(keys[idx], attempt, line, json=json)
        if over or not follow:
            break
        sys.stdout.flush()
        time.sleep(_LOOK_S)
    if not printed and not json:
        say(f"run {row.uid} has printed nothing")


def print_task(opened: Home, row: RunRow, task: TaskRow, attempt: int | None, *, follow: bool) -> None:
    """The log of one attempt, the latest by default, as it is."""
    home = opened.settings.home_path
    at = 0
    while True:
        now = opened.store.task(row.run, task.idx)
        path = log_path(home, row.uid, task.idx, attempt or now.attempt)
        over = now.state.terminal or opened.store.run_by_id(row.run).state.terminal
        for line, end in _lines(path, at, whole=over or not follow):
            sys.stdout.write(line + "\n")
            at = end
        if over or not follow:
            break
        sys.stdout.flush()
        time.sleep(_LOOK_S)
    if at == 0:
        say(f"attempt {attempt or task.attempt} of {task.key} has printed nothing")


def _lines(path: Path, at: int, *, whole: bool) -> Iterator[tuple[str, int]]:
    """The lines after a place, each with the place where it ends; ``whole``: also one without an end."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(at)
        for data in file:
            if not data.endswith(b"\n") and not whole:
                return
            at += len(data)
            yield data.decode("utf-8", "replace").rstrip("\r\n"), at


def _print(key: str, attempt: int, line: str, *, json: bool) -> None:
    if json:
        emit({"task": key, "attempt": attempt, "line": line})
    else:
        label = key if attempt == 1 else f"{key} #{attempt}"
        print(f"{paint(label, 'dim', sys.stdout)} | {line}")
