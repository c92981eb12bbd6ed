"""Runs in a process of its own for ``weft check``: load one file, and say what is in it and what is wrong.

The file is user code: it may fail, hang, print or end the process, none of which may harm the command.
"""

import os
import sys
from typing import Any

import msgspec

from weft.dialects.native.dag import Dag
from weft.dialects.native.found import kind_of, line_of, parameters_of, workflows
from weft.model.errors import DuplicateTask, WeftError
from weft.runtime import load


def inspect_file(path: str) -> dict[str, Any]:
    """What a file defines: ``workflows`` and ``problems``."""
    try:
        module = load.script(path)
    except WeftError as exc:
        return {"workflows": [], "problems": [problem(exc)]}
    found: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for variable, workflow in workflows(module).items():
        kind, line = kind_of(workflow), line_of(workflow)
        where = f"{path}:{line}" if line else path
        try:
            if kind != "task":
                if workflow.name in names:
                    raise DuplicateTask(
                        f"two workflows are called {workflow.name!r}: {names[workflow.name]} and {variable}",
                        hint="give one of them name=...",
                    )
                names[workflow.name] = variable
                found.append(
                    {
                        "name": workflow.name,
                        "variable": variable,
                        "kind": kind,
                        "line": line or None,
                        "params": [str(each) for each in parameters_of(workflow)],
                    }
                )
            if isinstance(workflow, Dag):
                found[-1]["tasks"] = len(workflow.graph().groups["main"].nodes)
        except WeftError as exc:
            problems.append({**problem(exc), "where": exc.where or where})
    return {"workflows": found, "problems": problems}


def problem(exc: WeftError) -> dict[str, Any]:
    """An error as data."""
    return {"code": exc.code, "what": exc.what, "where": exc.where, "hint": exc.hint, "level": "error"}


def main() -> None:
    """Inspect the file that the command line names; the answer goes where standard output went before."""
    answer = os.dup(1)
    os.dup2(2, 1)  # What the file prints is no part of the answer.
    data = msgspec.json.encode(inspect_file(sys.argv[1]))
    with os.fdopen(answer, "wb") as file:
        file.write(data)
    os._exit(0)  # Whatever threads the file has started.


if __name__ == "__main__":
    main()
