"""``weft check``: mistakes in workflow files, found before they run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, noun
from weft.cli.lint import lint
from weft.cli.output import emit
from weft.cli.style import say
from weft.model.errors import InvalidWorkflow, NotFound
from weft.observability.terminal import count, paint
from weft.projects.loaders import loader_of

app = noun("check")

_SKIPPED = {"node_modules", "site-packages", "__pycache__", "build", "dist", "venv", "env"}
_SIDE_BY_SIDE = 2


@app.default
def check(
    *paths: Annotated[str, Parameter(help="Files and folders; this folder by default.")],
    timeout: Annotated[float, Parameter(help="Seconds that a file may take to import.")] = 30.0,
    strict: Annotated[bool, Parameter(help="Warnings count as errors.")] = False,
    json: Json = False,
) -> int:
    """Find mistakes in workflow files before they run.

    Imports each file in a process of its own, builds the graphs of its dags, and reads the bodies of its
    flows. Of folders only files that import weft are looked at. Exit code 4 if there is an error.
    """
    files = list(dict.fromkeys(_files(paths or (".",))))
    errors = warnings = found = 0
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for path, answer in zip(files, pool.map(lambda each: _look(each, timeout), files), strict=True):
            found += len(answer["workflows"])
            errors += sum(each["level"] == "error" for each in answer["problems"])
            warnings += sum(each["level"] == "warning" for each in answer["problems"])
            if json:
                emit({"file": str(path), **answer})
                continue
            for each in answer["problems"]:
                _show(each)
            for each in answer["workflows"]:
                tasks = f", {count(each['tasks'], 'task')}" if "tasks" in each else ""
                print(f"{path}:{each['variable']}  {each['kind']}({', '.join(each['params'])}){tasks}")
    say(
        f"{count(len(files), 'file')}, {count(found, 'workflow')}, {count(errors, 'error')}, "
        f"{count(warnings, 'warning')}"
    )
    return InvalidWorkflow.exit_code if errors or (strict and warnings) else 0


def _show(each: dict[str, Any]) -> None:
    color = "red" if each["level"] == "error" else "yellow"
    print(f"{each['where']}: {paint(each['level'], color, sys.stdout)} {each['code']}: {each['what']}")
    if each["hint"]:
        print(f"  {paint('hint:', 'dim', sys.stdout)} {each['hint']}")


def _files(paths: tuple[str, ...]) -> Iterator[Path]:
    for text in paths:
        path = Path(text)
        if path.is_file():
            yield path
        elif path.is_dir():
            for folder, names, files in os.walk(path):
                names[:] = sorted(each for each in names if each[0] != "." and each not in _SKIPPED)
                for name in sorted(files):
                    if name.endswith(".py") and loader_of(Path(folder), name) is not None:
                        yield Path(folder, name)
        else:
            raise NotFound(f"there is no file or folder {text}", where=os.getcwd())


def _look(path: Path, timeout_s: float) -> dict[str, Any]:
    """What one file holds, errors and warnings."""
    answer = _inspect(path, timeout_s)
    try:
        findings = lint(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError):
        findings = []  # Its import has said so.
    answer["problems"] += [
        {
            "code": each.code,
            "what": each.what,
            "where": f"{path}:{each.line}",
            "hint": each.hint,
            "level": "warning",
        }
        for each in findings
    ]
    return answer


def _inspect(path: Path, timeout_s: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "weft.cli.inspection", str(path.resolve())]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        what = f"importing it took longer than {timeout_s:g} s"
        return _failed(path, what, "what takes long belongs into a task, not into the file's own text")
    try:
        answer: dict[str, Any] = msgspec.json.decode(done.stdout)
    except msgspec.DecodeError:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        what = f"importing it ended the process with code {done.returncode}"
        return _failed(path, what, last[0] if last else "")
    return answer


def _failed(path: Path, what: str, hint: str) -> dict[str, Any]:
    problem = {"code": "W1105", "what": what, "where": str(path), "hint": hint, "level": "error"}
    return {"workflows": [], "problems": [problem]}
