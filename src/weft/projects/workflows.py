"""Runs of deployed workflows, from their records alone: no user code is imported here.

What a run needs was all written down when the workflow was deployed: its graph, its files, and of each
parameter the schema to check a value with and the shape to convert it by.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from weft.artifacts import shapes
from weft.artifacts.artifacts import Artifacts
from weft.artifacts.codes import SHAPED
from weft.model.errors import (
    Conflict,
    MissingParameter,
    NotFound,
    UnknownParameter,
    WorkflowGone,
    WrongParameterType,
)
from weft.model.graph import Graph, Parameter
from weft.model.projects import VersionEntry, WorkflowEntry, version_name
from weft.model.values import Result
from weft.projects import schema
from weft.projects.records import SCHEDULES, TRIGGERS, VERSIONS, WORKFLOWS
from weft.projects.unpack import unpack
from weft.runtime.host import RunRequest
from weft.store.protocol import Store
from weft.store.records import Entry

_GRAPHS_MAX = 256
_TRIES = 5


class Workflows:
    """Deployed workflows, by name.

    Args:
        store: Where their records are.
        artifacts: Keeps parameters and holds snapshots.
        home: Weft's folder, where snapshots are unpacked.
        now: The time, in Unix seconds.
    """

    def __init__(self, store: Store, artifacts: Artifacts, home: Path, now: Callable[[], float]) -> None:
        self._store = store
        self._artifacts = artifacts
        self._home = home
        self._now = now
        self._graph = lru_cache(maxsize=_GRAPHS_MAX)(store.graph)

    def get(self, name: str) -> Entry[WorkflowEntry]:
        """The record of a workflow. Raises ``NotFound``."""
        found = WORKFLOWS.get(self._store, name)
        if found is None:
            names = [each.name for each in WORKFLOWS.page(self._store)]
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "weft workflows list"
            raise NotFound(f"there is no workflow {name!r}", where=name, hint=hint)
        return found

    def request(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        key: str | None = None,
        tags: Sequence[str] = (),
        version: int | None = None,
    ) -> RunRequest:
        """A run of a workflow, ready to be submitted.

        Args:
            name: The workflow's name.
            params: Plain data by parameter name; a ``Result`` is taken as it is.
            facts: Facts of the run; ``logical_date`` among them is the default of parameters that say so.
            key: At most one run is ever made with it.
            tags: Beside the workflow's own.
            version: An older version; ``None`` is the current one, with the newest files.

        Raises:
            NotFound: There is no such workflow, or version.
            WorkflowGone: Its project does not define it any more, and no version is named.
            UnknownParameter, MissingParameter, WrongParameterType: The parameters do not fit.
        """
        entry = self.get(name).value
        if entry.gone and version is None:
            raise WorkflowGone(
                f"workflow {name!r} is gone from project {entry.project!r}",
                where=entry.file,
                hint="deploy the project with it, or name a version of it",
            )
        chosen = entry if version is None or version == entry.version else self._version(name, version)
        graph: Graph = self._graph(chosen.graph)
        facts = dict(facts or {})
        facts["version"] = chosen.version
        moment = _moment(facts.get("logical_date"), self._now())
        facts.setdefault("logical_date", moment)
        return RunRequest(
            graph,
            self.encode(graph, params or {}, moment),
            tags=tuple(dict.fromkeys((*graph.tags, *tags))),
            project=str(unpack(self._home, self._artifacts.blobs, chosen.snapshot)),
            key=key,
            facts=facts,
        )

    def encode(self, graph: Graph, params: Mapping[str, Any], moment: datetime) -> dict[str, Result]:
        """A graph's parameters from plain data, with defaults filled in.

        Raises:
            UnknownParameter, MissingParameter, WrongParameterType: They do not fit.
        """
        known = {each.name: each for each in graph.params}
        for name in params:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known) or 'none'}"
                raise UnknownParameter(
                    f"{graph.workflow} has no parameter {name!r}", hint=hint, parameter=name
                )
        encoded: dict[str, Result] = {}
        for name, each in known.items():
            if name in params:
                encoded[name] = self._value(graph.workflow, each, params[name])
            elif each.fact:
                encoded[name] = self._dated(graph.workflow, each, moment)
            elif each.default is not None:
                encoded[name] = each.default
            elif each.required:
                raise MissingParameter(
                    f"{graph.workflow} needs a value for {name!r}",
                    hint=f"it takes {', '.join(known)}",
                    parameter=name,
                )
        return encoded

    def ready(self, name: str) -> bool:
        """Whether schedules and triggers may run a workflow now: it is there, and neither paused nor gone."""
        found = WORKFLOWS.get(self._store, name)
        return found is not None and not found.value.paused and not found.value.gone

    def pause(self, name: str, *, by: str) -> None:
        """Let a workflow's schedules and triggers rest. Raises ``NotFound``."""
        self._set_paused(name, True)

    def resume(self, name: str, *, by: str) -> None:
        """Let them go on. Raises ``NotFound``."""
        self._set_paused(name, False)

    def forget(self, name: str) -> None:
        """Delete a workflow with versions, schedules and triggers; its runs stay. A deploy brings it back.

        Raises:
            NotFound: There is none of this name.
            Conflict: It was changed meanwhile.
        """
        found = self.get(name)
        store = self._store
        versions = [VERSIONS.drop(each.name) for each in VERSIONS.all(store, prefix=f"{name}@")]
        schedules = [SCHEDULES.drop(each.name) for each in SCHEDULES.all(store, prefix=f"{name}#")]
        triggers = [TRIGGERS.drop(each.name) for each in TRIGGERS.all(store, prefix=f"{name}#")]
        writes = [WORKFLOWS.drop(name, expect=found.revision), *versions, *schedules, *triggers]
        store.write(writes, at=self._now())

    def _set_paused(self, name: str, paused: bool) -> None:
        for last in (*[False] * (_TRIES - 1), True):
            found = self.get(name)
            if found.value.paused == paused:
                return
            changed = msgspec.structs.replace(found.value, paused=paused)
            try:
                WORKFLOWS.save(self._store, name, changed, at=self._now(), expect=found.revision)
                return
            except Conflict:
                if last:
                    raise

    def _version(self, name: str, version: int) -> VersionEntry:
        return VERSIONS.require(self._store, version_name(name, version)).value

    def _value(self, workflow: str, parameter: Parameter, value: Any) -> Result:
        if isinstance(value, Result):
            return value
        what = f"parameter {parameter.name!r}"
        shape = parameter.shape
        schema.check(parameter.name, value, parameter.schema)
        if shape is None:
            return self._artifacts.dumps(value, what=what)
        if shapes.needs_code(shape):
            return self._artifacts.store(SHAPED, shapes.encode(shape, value))
        try:
            typed = shapes.convert(shape, value)
        except WrongParameterType as exc:
            raise WrongParameterType(
                f"{workflow}: {parameter.name!r}: {exc.what}", parameter=parameter.name
            ) from exc
        return self._artifacts.dumps(typed, what=what)

    def _dated(self, workflow: str, parameter: Parameter, moment: datetime) -> Result:
        """A default that is the run's logical date, as the parameter's type wants it."""
        shape = parameter.shape
        value: Any = moment
        if shape == ["date"]:
            value = moment.date()
        elif shape == ["str"]:
            value = moment.isoformat()
        elif shape not in (None, ["datetime"]):
            return self._value(workflow, parameter, moment.isoformat())
        return self._artifacts.dumps(value, what=f"parameter {parameter.name!r}")


def _moment(given: Any, now: float) -> datetime:
    if given is None:
        return datetime.fromtimestamp(now, UTC)
    return datetime.fromisoformat(given) if isinstance(given, str) else given
