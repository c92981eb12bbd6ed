"""Native Python files as discovery sees them; runs in a process of the file's own (``discovering.py``)."""

import time
from typing import Any, cast

import msgspec

import weft
from weft.artifacts import shapes
from weft.artifacts.artifacts import Artifacts
from weft.dialects.native.dag import Dag
from weft.dialects.native.flow import Flow, graph_of_call
from weft.dialects.native.found import kind_of, line_of, parameters_of, workflows
from weft.model.errors import DuplicateWorkflow, InvalidWorkflow, WeftError
from weft.model.graph import Graph
from weft.model.projects import FoundWorkflow, Problem
from weft.runtime import load as loading
from weft.runtime.host import Host

# What every workflow file asks for is loaded with this module, before any of them is.
_ASKED_FOR = (weft.flow, weft.task, weft.dag)
_NAME_MAX = 200
_RESERVED = "#@/"
"""Part of the names of records (``workflow#schedule``, ``workflow@version``) and of addresses."""


class _Shelf:
    """As much of a host as a graph needs to be made: somewhere to put constants."""

    executor = "process"

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts

    def now(self) -> float:
        return time.time()


def load(file: str, artifacts: Artifacts, *, tasks: bool) -> tuple[list[FoundWorkflow], list[Problem]]:
    """See ``loaders.Load``."""
    module = loading.project_module(file)
    shelf = cast(Host, _Shelf(artifacts))
    found: dict[str, FoundWorkflow] = {}
    problems: list[Problem] = []
    for variable, workflow in workflows(module).items():
        kind, line = kind_of(workflow), line_of(workflow)
        if kind == "task" and not tasks:
            continue
        try:
            check_name(workflow.name)
            if workflow.name in found:
                other = found[workflow.name].variable
                raise DuplicateWorkflow(
                    f"two workflows are called {workflow.name!r}: {other} and {variable}",
                    hint="give one of them name=...",
                )
            found[workflow.name] = _describe(workflow, variable, kind, line, shelf)
        except WeftError as exc:
            problems.append(
                Problem(
                    code=exc.code,
                    what=exc.what,
                    file=file,
                    where=exc.where or f"{file}:{line}",
                    hint=exc.hint,
                    workflow=workflow.name,
                )
            )
    return list(found.values()), problems


def check_name(name: str) -> None:
    """Refuse a workflow's name that records could not have. Raises ``InvalidWorkflow``."""
    odd = sorted({each for each in name if each in _RESERVED or not each.isprintable()})
    if odd or not name.strip() or name != name.strip() or len(name) > _NAME_MAX:
        why = (
            f"with {' '.join(map(repr, odd))} in it"
            if odd
            else "that is empty, has spaces around it or is long"
        )
        raise InvalidWorkflow(
            f"a workflow cannot have the name {name[:80]!r}, {why}", hint="give it name=..."
        )


def _describe(workflow: Any, variable: str, kind: str, line: int, shelf: Host) -> FoundWorkflow:
    parameters = parameters_of(workflow)
    graph: Graph = (
        workflow.graph(shelf)
        if isinstance(workflow, Dag | Flow)
        else graph_of_call(workflow, parameters, shelf)
    )
    params = tuple(
        msgspec.structs.replace(each, shape=shapes.shape_of(parameters.types[each.name]))
        for each in graph.params
    )
    return FoundWorkflow(
        name=workflow.name,
        variable=variable,
        kind=kind,
        line=line,
        graph=msgspec.structs.replace(graph, params=params),
        schedules=tuple(getattr(workflow, "schedules", ())),
        triggers=tuple(getattr(workflow, "triggers", ())),
        max_active_runs=getattr(workflow, "max_active_runs", None),
    )
