"""Printing what attempts printed and logged, while they do or afterwards."""

import sys
import time

from weft.cli.output import emit
from weft.cli.reading import Home
from weft.cli.style import say
from weft.model.rows import RunRow, TaskRow
from weft.observability.terminal import paint

_LOOK_S = 0.2


def print_run(opened: Home, row: RunRow, *, follow: bool, json: bool) -> None:
    """All logs of a run, each line with its task's key in front."""
    places: dict[tuple[int, int], int] = {}
    keys: dict[int, str] = {}
    printed = False
    while True:
        over = opened.store.run_by_id(row.run).state.terminal
        for idx, attempt in opened.logs(row):
            if idx not in keys:
                keys[idx] = opened.store.task(row.run, idx).key
            at = places.get((idx, attempt), 0)
            for line, end in opened.lines(row, idx, attempt, at, whole=over or not follow):
                printed = True
                places[idx, attempt] = end
                _print(keys[idx], attempt, line, json=json)
        if over or not follow:
            break
        sys.stdout.flush()
        time.sleep(_LOOK_S)
    if not printed and not json:
        say(f"run {row.uid} has printed nothing")


def print_task(opened: Home, row: RunRow, task: TaskRow, attempt: int | None, *, follow: bool) -> None:
    """The log of one attempt, the latest by default, as it is."""
    at = 0
    while True:
        now = opened.store.task(row.run, task.idx)
        over = now.state.terminal or opened.store.run_by_id(row.run).state.terminal
        for line, end in opened.lines(row, task.idx, attempt or now.attempt, at, whole=over or not follow):
            sys.stdout.write(line + "\n")
            at = end
        if over or not follow:
            break
        sys.stdout.flush()
        time.sleep(_LOOK_S)
    if at == 0:
        say(f"attempt {attempt or task.attempt} of {task.key} has printed nothing")


def _print(key: str, attempt: int, line: str, *, json: bool) -> None:
    if json:
        emit({"task": key, "attempt": attempt, "line": line})
    else:
        label = key if attempt == 1 else f"{key} #{attempt}"
        print(f"{paint(label, 'dim', sys.stdout)} | {line}")
