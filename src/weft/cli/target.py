"""From ``file.py``, ``file.py:name`` or ``module:name`` to the workflow that is meant."""

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from weft.cli.document import document as document_of
from weft.dialects.native.dag import Dag
from weft.dialects.native.found import Workflow, kind_of, parameters_of, workflows
from weft.dialects.native.parameters import Parameters
from weft.dialects.native.task import Task
from weft.model.errors import NotFound, UsageError, WorkflowImportError
from weft.runtime import load


class Target:
    """A workflow, and where it was found.

    Attributes:
        workflow: The decorated object.
        variable: Its name in its module.
        where: The file or module.
        project: The folder that its imports start from.
    """

    def __init__(self, workflow: Workflow, variable: str, where: str, project: str) -> None:
        self.workflow = workflow
        self.variable = variable
        self.where = where
        self.project = project

    @property
    def kind(self) -> str:
        """``flow``, ``dag`` or ``task``."""
        return kind_of(self.workflow)

    @property
    def parameters(self) -> Parameters:
        """What it takes."""
        return parameters_of(self.workflow)

    def bind(self, pairs: Sequence[str], document: str | None) -> dict[str, Any]:
        """Parameters from ``k=v`` words and a JSON object; the words win.

        Raises:
            UsageError: A word has no ``=``, or the document is no object.
            ParameterError: They do not fit the workflow.
        """
        given: dict[str, Any] = {}
        parameters = self.parameters
        if document is not None:
            given.update(document_of(document))
        for pair in pairs:
            name, equals, text = pair.partition("=")
            if not equals or not name:
                raise UsageError(f"{pair!r} is not a parameter", hint="write -p name=value")
            name = name.replace("-", "_") if name not in parameters.types else name
            given[name] = parameters.parse(name, text)
        bound = parameters.bind((), given)
        return bound if self.kind == "task" else given


def find(text: str) -> Target:
    """The workflow that a word on the command line means.

    Raises:
        NotFound: There is no such file or name.
        UsageError: There are several to choose from.
        WorkflowImportError: The file or module failed to import.
    """
    place, name = _split(text)
    if place.endswith(".py") or os.sep in place or os.path.exists(place):
        path = _file(place)
        module, project, where = load.script(str(path)), str(path.parent), place
    else:
        project = os.getcwd()
        module, where = _module(place, project), place
    found = workflows(module)
    if name:
        return Target(_named(module, found, name, where), name, where, project)
    main = {each: one for each, one in found.items() if kind_of(one) != "task"} or found
    if len(main) == 1:
        [(variable, workflow)] = main.items()
        return Target(workflow, variable, where, project)
    if not main:
        raise NotFound(
            "there is no workflow in it",
            where=where,
            hint="decorate a function at the top with @flow or @dag",
        )
    names = ", ".join(f"{where}:{each}" for each in main)
    raise UsageError(f"there are {len(main)} workflows in it", where=where, hint=f"say which: {names}")


def _split(text: str) -> tuple[str, str]:
    place, colon, name = text.rpartition(":")
    return (place, name) if colon else (text, "")


def _file(place: str) -> Path:
    path = Path(place)
    if path.is_dir():
        inside = sorted(each.name for each in path.glob("*.py"))
        hint = f"say which: {', '.join(str(path / each) for each in inside[:5])}" if inside else ""
        raise UsageError(f"{place} is a folder", where=str(path.resolve()), hint=hint)
    if not path.is_file():
        here = [str(each) for each in (path.parent if path.parent.is_dir() else Path()).glob("*.py")]
        near = difflib.get_close_matches(place, here, n=1)
        hint = f"did you mean {near[0]}?" if near else "give the path of a Python file, or module:name"
        raise NotFound(f"there is no file {place}", where=os.getcwd(), hint=hint)
    return path.resolve()


def _module(name: str, project: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise NotFound(f"there is no file {name}", where=project, hint="give a Python file, or module:name")
    if project not in sys.path:
        sys.path.insert(0, project)
    try:
        return load.module(name)
    except WorkflowImportError as exc:
        if exc.fields.get("missing"):
            raise NotFound(exc.what, where=project, hint=exc.hint) from exc
        raise


def _named(module: ModuleType, found: Mapping[str, Workflow], name: str, where: str) -> Workflow:
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    if isinstance(value, Task | Dag):
        return value
    by_name = [each for each in found.values() if each.name == name]
    if by_name:
        return by_name[0]
    if value is not None:
        raise UsageError(
            f"{name} is not a workflow", where=where, hint="decorate it with @flow, @dag or @task"
        )
    near = difflib.get_close_matches(name, list(found), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(found) or 'none'}"
    raise NotFound(f"there is no {name!r} in it", where=where, hint=hint)
