"""Spans for OpenTelemetry, made from committed changes: a run, its task runs, their attempts.

Rules:

1. A span is made when what it is about ends, from what the log tells; nothing is kept open in a library.
   Its ids follow from the run (``model/traces.py``), so a restarted engine goes on with the same trace.
2. The engine only puts its changes into a buffer. A thread makes the spans and sends them; what a slow
   collector leaves no room for is dropped and counted, and never waited for.
3. What is not known, because it began before this process or was dropped, is looked up in the store.

Nothing imports this module unless traces are asked for: it needs the extra ``otel``.
"""

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from weft._version import __version__
from weft.core.changes import Change, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.model.errors import ErrorInfo, NotFound
from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState, TaskState
from weft.model.traces import FACT, SpanRef, attempt_span, parse, run_span, task_span

BUFFER_MAX = 200_000
"""Changes that may wait to become spans."""

RUNS_MAX = 10_000
"""Open runs that are remembered; one that was forgotten is looked up when it goes on."""

SPANS_MAX = 512
"""Spans in one export."""

PATIENCE_S = 1.0
"""Spans wait so long for others, to be sent together."""

FAILED = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.LOST, TaskState.RETRYING})

_SCOPE = InstrumentationScope("weft", __version__)
_log = logging.getLogger("weft.traces")


class Source(Protocol):
    """Where what began earlier is looked up: a store."""

    def run_by_id(self, run: int) -> RunRow:
        """The run. Raises ``NotFound``."""

    def task(self, run: int, idx: int) -> TaskRow:
        """One task run. Raises ``NotFound``."""


class _Task:
    """A task run that has not ended."""

    __slots__ = ("by", "generation", "key", "kind", "map_index", "name", "parent", "since")

    def __init__(
        self, key: str, name: str, kind: str, parent: int, map_index: int, since: float, generation: int = 0
    ) -> None:
        self.key = key
        self.name = name
        self.kind = kind
        self.parent = parent
        self.map_index = map_index
        self.since = since
        self.generation = generation
        self.by: set[int] = set()


class _Run:
    """A run that has not ended."""

    __slots__ = ("added_at", "facts", "generations", "span", "tasks", "uid", "workflow")

    def __init__(
        self, uid: str, workflow: str, added_at: float, facts: Mapping[str, Any], ratio: float
    ) -> None:
        self.uid = uid
        self.workflow = workflow
        self.added_at = added_at
        self.facts = facts
        self.span = run_span(uid, facts, ratio)
        self.tasks: dict[int, _Task] = {}
        self.generations: dict[int, int] = {}

    def span_of(self, idx: int) -> SpanRef:
        """A task run's span."""
        return task_span(self.span, self.uid, idx, self.generations.get(idx, 0))


class Spans:
    """Makes and sends spans.

    Args:
        source: The store.
        exporter: Where spans go.
        ratio: The share of runs that is traced, of those that were not submitted from a trace.
        resource: More about this process, beside its service's name and version.
    """

    def __init__(
        self,
        source: Source,
        exporter: SpanExporter,
        *,
        ratio: float = 1.0,
        resource: Mapping[str, str] | None = None,
    ) -> None:
        self.sent = 0
        self.dropped = 0
        self._source = source
        self._exporter = exporter
        self._ratio = ratio
        # What the standard environment variables say of the resource is heard too.
        self._resource = Resource.create(
            {"service.name": "weft", "service.version": __version__, **(resource or {})}
        )
        self._buffer: deque[Sequence[Change]] = deque()
        self._waiting = 0
        self._runs: dict[int, _Run] = {}
        self._spans: list[ReadableSpan] = []
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make and send spans in a thread of its own."""
        self._thread = threading.Thread(target=self._work, name="weft-traces", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what there is, and stop."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.step()
        self._exporter.shutdown()

    def take(self, changes: Sequence[Change]) -> None:
        """Take in committed changes; a listener of the engine."""
        if not changes:
            return
        if self._waiting + len(changes) > BUFFER_MAX:
            self.dropped += len(changes)
            return
        self._waiting += len(changes)
        self._buffer.append(changes)

    def step(self) -> int:
        """Make spans of all that has been taken in, and send them. Returns how many were sent."""
        before = self.sent
        while self._buffer:
            changes = self._buffer.popleft()
            self._waiting -= len(changes)
            for change in changes:
                self._fold(change)
                if len(self._spans) >= SPANS_MAX:
                    self._send()
        self._send()
        return self.sent - before

    def _work(self) -> None:
        while not self._closing:
            self._wake.wait(PATIENCE_S)
            try:
                self.step()
            except Exception:
                _log.exception("spans could not be made, and the next ones are tried all the same")

    def _send(self) -> None:
        spans, self._spans = self._spans, []
        if not spans:
            return
        if self._exporter.export(spans) is SpanExportResult.SUCCESS:
            self.sent += len(spans)
        else:
            self.dropped += len(spans)
            _log.warning("%d spans could not be sent", len(spans))

    # --- making -------------------------------------------------------------------------------------------

    def _fold(self, change: Change) -> None:
        if isinstance(change, RunAdded):
            self._runs[change.run] = _Run(change.uid, change.workflow, change.at, change.facts, self._ratio)
            return
        run = self._runs.get(change.run) or self._look_up(change.run)
        if run is None or not run.span.sampled:
            if isinstance(change, RunChanged) and change.state.terminal:
                self._runs.pop(change.run, None)
            return
        if isinstance(change, TaskChanged):
            self._task_changed(run, change)
        elif isinstance(change, TaskAdded):
            run.tasks[change.idx] = _Task(
                change.key, change.name, change.kind, change.parent, change.map_index, change.at
            )
        elif isinstance(change, RunChanged) and change.state.terminal:
            self._end_run(run, change)
            del self._runs[change.run]

    def _look_up(self, run: int) -> _Run | None:
        try:
            row = self._source.run_by_id(run)
        except NotFound:
            return None
        return self._remember(run, row.uid, row.workflow, row.created_at, row.facts)

    def _remember(self, run: int, uid: str, workflow: str, at: float, facts: Mapping[str, Any]) -> _Run:
        if len(self._runs) >= RUNS_MAX:
            self._runs.pop(next(iter(self._runs)))
        found = self._runs[run] = _Run(uid, workflow, at, facts, self._ratio)
        return found

    def _task(self, run: _Run, change: TaskChanged) -> _Task | None:
        task = run.tasks.get(change.idx)
        if task is None:
            try:
                row = self._source.task(change.run, change.idx)
            except NotFound:
                return None
            since = row.first_at if change.generation == 0 else change.at
            task = _Task(row.key, row.name, row.kind, row.parent, row.map_index, since, change.generation)
            run.tasks[change.idx] = task
        if change.generation != task.generation:
            task.generation, task.since = change.generation, change.at
            task.by.clear()
        if change.generation:
            run.generations[change.idx] = change.generation
        return task

    def _task_changed(self, run: _Run, change: TaskChanged) -> None:
        task = self._task(run, change)
        if task is None:
            return
        if change.by >= 0 and change.by != task.parent:
            task.by.add(change.by)
        about: dict[str, Any] = {
            "weft.run.id": run.uid,
            "weft.workflow.name": run.workflow,
            "weft.task.key": task.key,
            "weft.task.state": str(change.state),
            "weft.cause": str(change.cause),
        }
        if task.map_index >= 0:
            about["weft.task.map_index"] = task.map_index
        if change.started_at is not None and change.state is not TaskState.RUNNING:
            self._spans.append(
                self._span(
                    f"{task.name} attempt {change.attempt}",
                    attempt_span(run.span, run.uid, change.idx, change.attempt),
                    run.span_of(change.idx),
                    change.started_at,
                    change.at,
                    about | _measured(change),
                    failed=change.state in FAILED,
                    error=change.error,
                )
            )
        if change.state.terminal:
            parent = run.span if task.parent < 0 else run.span_of(task.parent)
            self._spans.append(
                self._span(
                    task.name,
                    run.span_of(change.idx),
                    parent,
                    task.since,
                    change.at,
                    about | {"weft.task.kind": task.kind},
                    failed=change.state in FAILED,
                    error=change.error,
                    links=[run.span_of(each) for each in sorted(task.by)],
                )
            )
            del run.tasks[change.idx]

    def _end_run(self, run: _Run, change: RunChanged) -> None:
        self._spans.append(
            self._span(
                run.workflow,
                run.span,
                parse(run.facts.get(FACT)),
                run.added_at,
                change.at,
                {
                    "weft.run.id": run.uid,
                    "weft.workflow.name": run.workflow,
                    "weft.run.state": str(change.state),
                    "weft.cause": str(change.cause),
                },
                failed=change.state is RunState.FAILED,
                error=change.error,
                kind=SpanKind.SERVER,
            )
        )

    def _span(
        self,
        name: str,
        span: SpanRef,
        parent: SpanRef | None,
        began: float,
        ended: float,
        attributes: dict[str, Any],
        *,
        failed: bool,
        error: ErrorInfo | None,
        links: Sequence[SpanRef] = (),
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> ReadableSpan:
        status = Status(StatusCode.UNSET)
        events: list[Event] = []
        if failed:
            status = Status(StatusCode.ERROR, error.message if error is not None else None)
        if error is not None:
            told = {
                "exception.type": error.type,
                "exception.message": error.message,
                "exception.stacktrace": error.traceback,
            }
            events.append(Event("exception", told, _nanoseconds(ended)))
        return ReadableSpan(
            name=name,
            context=_context(span, remote=False),
            # A parent that Weft did not make was made elsewhere.
            parent=None if parent is None else _context(parent, remote=kind is SpanKind.SERVER),
            resource=self._resource,
            attributes=attributes,
            events=events,
            links=[Link(_context(each, remote=False)) for each in links],
            kind=kind,
            status=status,
            start_time=_nanoseconds(min(began, ended)),
            end_time=_nanoseconds(ended),
            instrumentation_scope=_SCOPE,
        )


def _measured(change: TaskChanged) -> dict[str, Any]:
    """What is known of an attempt that ended; each attribute costs more to send than to find out."""
    found: dict[str, Any] = {"weft.attempt": change.attempt, "weft.worker": change.worker}
    if change.cpu_s:
        found["weft.cpu_seconds"] = change.cpu_s
    if change.rss_peak:
        found["weft.memory_peak_bytes"] = change.rss_peak
    return found


def exporter_for(where: str) -> SpanExporter:
    """The exporter that ``settings.traces`` names: ``console``, or the address of an OTLP/HTTP collector.

    An address without a path gets the standard one, ``/v1/traces``. Headers, certificates and time-outs come
    from OpenTelemetry's own environment variables.
    """
    if where == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - seldom asked for

        return ConsoleSpanExporter()
    # The exporter and what it needs of HTTP and protocol buffers: 100 ms that tests and consoles are spared.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    scheme, _, rest = where.partition("://")
    host, _, path = rest.partition("/")
    return OTLPSpanExporter(endpoint=where if path else f"{scheme}://{host}/v1/traces")


def _context(span: SpanRef, *, remote: bool) -> SpanContext:
    return SpanContext(
        int(span.trace, 16), int(span.span, 16), is_remote=remote, trace_flags=TraceFlags(span.sampled)
    )


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
