"""OpenLineage events, made from committed changes: which job ran when, how it ended, what it produced.

A workflow is a job, and so is each task in it (``workflow.task``); a run is a run of the first and the parent
of its task runs. What is told of a run or task run follows from one change and the store alone, so that it
does not matter which process tells it. Ids follow from Weft's own.

* ``START`` when a run begins, when a task run's first attempt is handed over, or its group or map opens.
* ``RUNNING`` when a run goes on after a pause or a clear, and with each later attempt.
* ``COMPLETE``, ``FAIL`` and ``ABORT`` (cancelled) at the end. A task run that was skipped before it began, or
  whose upstream failed, is not told of. One that began and then skipped itself completes without outputs.
* Items of a map and hooks are not jobs: the map stands for its items, however many there are.

Datasets are what nodes declare (``Node.outputs``); what a task run reads are the datasets of the nodes whose
results it takes. The format is https://openlineage.io/spec/2-0-2/OpenLineage.json.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

from weft._version import __version__
from weft.core.changes import Cause, Change, RunChanged, TaskChanged
from weft.core.nodes import NodesByRow
from weft.model.calls import GroupCall, PythonCall
from weft.model.errors import ErrorInfo, NotFound, WeftError
from weft.model.graph import Declared, Graph, Node
from weft.model.inputs import Input, TaskOutput, Template, outputs_in
from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState, TaskState
from weft.observability.openlineage import (
    PRODUCER,
    SCHEMA,
    dataset,
    facet,
    moment,
    nominal_time,
    run_uuid,
    task_uuid,
)

RUNS_KEPT = 256
"""Runs whose graph and rows are kept at hand."""

_log = logging.getLogger("weft.lineage")
_T = TaskState
_RUN_ENDS = {RunState.SUCCEEDED: "COMPLETE", RunState.FAILED: "FAIL", RunState.CANCELLED: "ABORT"}
_ENDS = {
    _T.SUCCEEDED: "COMPLETE",
    _T.CACHED: "COMPLETE",
    _T.SKIPPED: "COMPLETE",
    _T.FAILED: "FAIL",
    _T.CANCELLED: "ABORT",
}

LineageEvent = dict[str, Any]
"""A run event of OpenLineage, as JSON has it."""


class Committed(Protocol):
    """A committed change and its place in the log: the store's ``EventRow``."""

    seq: int
    change: Change


class Source(Protocol):
    """Where more about a change is read: the store."""

    def run(self, ref: str) -> RunRow:
        """A run by its public id. Raises ``NotFound``."""

    def run_by_id(self, run: int) -> RunRow:
        """A run. Raises ``NotFound``."""

    def task(self, run: int, idx: int) -> TaskRow:
        """A task run. Raises ``NotFound``."""

    def graph(self, digest: str) -> Graph:
        """A workflow version's graph. Raises ``NotFound``."""

    def nodes(self, run: int) -> dict[str, Node]:
        """The nodes that the run's flows added, by digest."""


class _Run:
    """A run, and what has been read of it."""

    def __init__(self, source: Source, row: RunRow) -> None:
        self.row = row
        self.graph = source.graph(row.graph)
        self.id = run_uuid(row.uid)
        self._source = source
        self._added: dict[str, Node] = {}
        self._rows: dict[int, TaskRow] = {}
        self.nodes = NodesByRow(self.graph, self._added, self._task_or_none)

    def task(self, idx: int) -> TaskRow:
        """A task run's identity; its state is of some moment. Raises ``NotFound``."""
        row = self._rows.get(idx)
        if row is None:
            row = self._rows[idx] = self._source.task(self.row.run, idx)
        return row

    def node(self, row: TaskRow) -> Node:
        """The node of a task run. Raises ``NotFound``."""
        at: TaskRow | None = row
        while at is not None and at.kind not in ("call", "hook"):
            at = None if at.parent < 0 else self.task(at.parent)
        if at is not None and at.node not in self._added:
            self._added.update(self._source.nodes(self.row.run))
        return self.nodes.of(row)

    def _task_or_none(self, idx: int) -> TaskRow | None:
        try:
            return None if idx < 0 else self.task(idx)
        except NotFound:
            return None


class Lineage:
    """Makes events.

    Args:
        source: The store.
        namespace: Of the jobs, and of assets without an address.
    """

    def __init__(self, source: Source, *, namespace: str = "weft") -> None:
        self._source = source
        self._namespace = namespace
        self._runs: OrderedDict[int, _Run] = OrderedDict()

    def events(self, rows: Iterable[Committed]) -> list[LineageEvent]:
        """What a batch of changes means. A run that has been deleted means nothing any more."""
        found: list[LineageEvent] = []
        for each in rows:
            change = each.change
            try:
                if isinstance(change, TaskChanged):
                    found += self._task_events(change)
                elif isinstance(change, RunChanged):
                    found += self._run_events(change)
            except NotFound:
                continue
            except WeftError:
                raise  # The store is away: the whole batch is read again.
            except Exception:
                # One change that cannot be told must not keep those behind it for ever.
                _log.exception("event %d cannot be told as lineage", each.seq)
        return found

    # --- runs ---------------------------------------------------------------------------------------------

    def _run_events(self, change: RunChanged) -> list[LineageEvent]:
        if change.state is RunState.RUNNING:
            # The row is read anew: a retried run has the same id and an earlier start.
            self._runs.pop(change.run, None)
            run = self._run(change.run)
            first = change.cause is Cause.SUBMITTED or run.row.started_at == change.at
            return [self._run_event(run, "START" if first else "RUNNING", change)]
        kind = _RUN_ENDS.get(change.state)
        return [] if kind is None else [self._run_event(self._run(change.run), kind, change)]

    def _run_event(self, run: _Run, kind: str, change: RunChanged) -> LineageEvent:
        graph = run.graph
        outputs = graph.root.outputs if kind == "COMPLETE" else ()
        return self._event(
            kind,
            change.at,
            run.id,
            self._run_facets(run, change.error) | self._parent_of_run(run),
            graph.workflow,
            _job_facets(
                "DAG" if isinstance(graph.root.call, GroupCall) else "FLOW", graph.root, run, graph.doc
            ),
            [],
            outputs,
        )

    def _parent_of_run(self, run: _Run) -> dict[str, Any]:
        """The run that started this one, if it is still known."""
        if not run.row.parent_run:
            return {}
        try:
            parent = self._run(self._source.run(run.row.parent_run).run)
            if run.row.parent_task < 0:
                return self._parent(parent.id, parent.graph.workflow, parent)
            holder = parent.task(run.row.parent_task)
            return self._parent(task_uuid(parent.row.uid, holder.idx), _job(parent, holder), parent)
        except NotFound:
            return {}

    # --- task runs ----------------------------------------------------------------------------------------

    def _task_events(self, change: TaskChanged) -> list[LineageEvent]:
        kind = _kind_of(change)
        if kind is None or change.idx == 0:
            return []  # The root is the run itself.
        run = self._run(change.run)
        row = run.task(change.idx)
        if row.kind not in ("node", "call"):
            return []
        node = run.node(row)
        unstarted = change.state.terminal and change.attempt == 0 and node.map is None and not _waited(change)
        if unstarted and change.state in (_T.SKIPPED, _T.CANCELLED):
            return []
        kinds = ["START", kind] if unstarted else [kind]
        outputs = node.outputs if kind == "COMPLETE" and change.state is not _T.SKIPPED else ()
        return [
            self._event(
                each,
                change.at,
                task_uuid(run.row.uid, row.idx),
                self._run_facets(run, change.error) | self._parent_of_task(run, row),
                _job(run, row),
                _job_facets(_job_type(node, "GROUP", "TASK"), node, run, node.doc),
                self._inputs(run, row, node),
                outputs if each == "COMPLETE" else (),
            )
            for each in kinds
        ]

    def _parent_of_task(self, run: _Run, row: TaskRow) -> dict[str, Any]:
        """The nearest task run around it that is a job; else the run."""
        at = row.parent
        while at > 0:
            holder = run.task(at)
            if holder.kind in ("node", "call"):
                return self._parent(task_uuid(run.row.uid, at), _job(run, holder), run)
            at = holder.parent
        return self._parent(run.id, run.graph.workflow, run)

    def _inputs(self, run: _Run, row: TaskRow, node: Node) -> list[Declared]:
        """What the nodes produce whose results this one takes."""
        found: dict[str, Declared] = {}
        if row.kind == "call":
            for source in row.inputs.values():
                for idx in _task_outputs(source):
                    found |= {each.name: each for each in run.node(run.task(idx)).outputs}
            return list(found.values())
        holder = run.task(row.parent)
        call = run.node(holder).call
        if isinstance(call, GroupCall):
            keys = {output.node for source in node.inputs.values() for output in outputs_in(source)}
            if node.map is not None:
                keys |= {output.node for source in node.map.over.values() for output in outputs_in(source)}
            for each in run.nodes.groups_of(holder)[call.group].nodes:
                if each.key in keys:
                    found |= {output.name: output for output in each.outputs}
        return list(found.values())

    # --- both ---------------------------------------------------------------------------------------------

    def _run(self, run: int) -> _Run:
        found = self._runs.get(run)
        if found is None:
            found = self._runs[run] = _Run(self._source, self._source.run_by_id(run))
            if len(self._runs) > RUNS_KEPT:
                self._runs.popitem(last=False)
        else:
            self._runs.move_to_end(run)
        return found

    def _run_facets(self, run: _Run, error: ErrorInfo | None) -> dict[str, Any]:
        facets: dict[str, Any] = {
            "processing_engine": facet(
                "processing_engine", version=__version__, name="weft", openlineageAdapterVersion=__version__
            )
        }
        nominal = nominal_time(run.row.facts)
        if nominal:
            facets["nominalTime"] = facet("nominalTime", **nominal)
        if run.row.tags:
            tags = [{"key": tag, "value": "true", "source": "WEFT"} for tag in run.row.tags]
            facets["tags"] = facet("tags", tags=tags)
        if error is not None:
            told = {"message": error.message or error.type, "programmingLanguage": "python"}
            if error.traceback:
                told["stackTrace"] = error.traceback
            facets["errorMessage"] = facet("errorMessage", **told)
        return facets

    def _parent(self, run_id: str, job: str, root: _Run) -> dict[str, Any]:
        return {
            "parent": facet(
                "parent",
                run={"runId": run_id},
                job={"namespace": self._namespace, "name": job},
                root={
                    "run": {"runId": root.id},
                    "job": {"namespace": self._namespace, "name": root.graph.workflow},
                },
            )
        }

    def _event(
        self,
        kind: str,
        at: float,
        run_id: str,
        run_facets: dict[str, Any],
        job: str,
        job_facets: dict[str, Any],
        inputs: Iterable[Declared],
        outputs: Iterable[Declared],
    ) -> LineageEvent:
        return {
            "eventType": kind,
            "eventTime": moment(datetime.fromtimestamp(at, UTC)),
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
            "run": {"runId": run_id, "facets": run_facets},
            "job": {"namespace": self._namespace, "name": job, "facets": job_facets},
            "inputs": [self._dataset(each) for each in inputs],
            "outputs": [self._dataset(each) for each in outputs],
        }

    def _dataset(self, declared: Declared) -> dict[str, str]:
        return dataset(declared, self._namespace)


def _kind_of(change: TaskChanged) -> str | None:
    """Which event a change of a task run is; ``None`` is none."""
    state = change.state
    if state is _T.QUEUED:
        return "START" if change.attempt <= 1 else "RUNNING"
    if state is _T.RUNNING and change.started_at is None:
        return "START" if change.attempt <= 1 and not change.generation else "RUNNING"  # A group or a map.
    if state is _T.WAITING and change.attempt == 0:
        return "START"
    return _ENDS.get(state)


def _waited(change: TaskChanged) -> bool:
    """Whether a task run that had no attempt had begun to wait."""
    return change.cause in (Cause.DUE, Cause.EVENT, Cause.ANSWER, Cause.ITEMS, Cause.CHILDREN)


def _job(run: _Run, row: TaskRow) -> str:
    """A task's job: the same in every run."""
    name = row.name if row.kind == "call" else re.sub(r"\[\d+\]", "", row.key)
    return f"{run.graph.workflow}.{name}"


def _job_type(node: Node, group: str, other: str) -> str:
    return group if isinstance(node.call, GroupCall) else other


def _job_facets(job_type: str, node: Node, run: _Run, doc: str) -> dict[str, Any]:
    facets = {"jobType": facet("jobType", processingType="BATCH", integration="WEFT", jobType=job_type)}
    if doc:
        facets["documentation"] = facet("documentation", description=doc)
    call = node.call
    if isinstance(call, PythonCall):
        path = call.file or f"{call.module.replace('.', '/')}.py"
        whole = path if path.startswith("/") or not run.row.project else f"{run.row.project}/{path}"
        told = {"type": "file", "url": f"file://{quote(str(PurePosixPath('/') / whole))}", "path": path}
        if call.version:
            told["version"] = call.version
        facets["sourceCodeLocation"] = facet("sourceCodeLocation", **told)
    return facets


def _task_outputs(source: Input) -> list[int]:
    """The task runs whose results an input of a call takes."""
    if isinstance(source, TaskOutput):
        return [source.idx]
    return (
        [idx for each in source.refs for idx in _task_outputs(each)] if isinstance(source, Template) else []
    )
