"""Spans made from committed changes, in memory and over the wire."""

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from embedded_weft import Weft
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from weft import dag, flow, task
from weft.core.changes import Cause, Change, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.model.errors import UsageError
from weft.model.states import RunState, TaskState
from weft.model.traces import FACT, attempt_span, parse, run_span, task_span
from weft.observability import spans as spans_module
from weft.observability.spans import Spans, exporter_for
from weft.observability.tracing import open_tracing
from weft.settings import Settings
from weft.store.memory import MemoryStore

INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ATTEMPTS: list[int] = []


@task
def double(x: int) -> int:
    """Twice as much."""
    return 2 * x


@task(retries=1)
def second_time(x: int) -> int:
    """Works the second time."""
    ATTEMPTS.append(x)
    if len(ATTEMPTS) == 1:
        raise ValueError("not yet")
    return x


@task
def total(xs: list[int], more: int) -> int:
    """All of it."""
    return sum(xs) + more


@flow
def traced(width: int) -> int:
    """A map, and a task that is tried twice."""
    return total(double.map(range(width)).result(), second_time(1))


@dag
def in_turn() -> int:
    """One after the other."""
    return double(double(1))


@pytest.fixture
def memory() -> InMemorySpanExporter:
    """Where spans go."""
    ATTEMPTS.clear()
    return InMemorySpanExporter()


def by_name(memory: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    """The spans that were sent."""
    found: dict[str, list[ReadableSpan]] = {}
    for span in memory.get_finished_spans():
        found.setdefault(span.name, []).append(span)
    return found


def number(text: str) -> int:
    """An id as OpenTelemetry has it."""
    return int(text, 16)


def test_a_flow_is_a_tree(weft: Weft, memory: InMemorySpanExporter) -> None:
    """Run, task runs, items and attempts are one trace, each below what it belongs to."""
    spans = Spans(weft.host.store, memory)
    weft.host.engine.listen(spans.take)
    assert traced(3) == 7
    assert spans.step() == len(memory.get_finished_spans())
    uid = weft.run().uid
    run = run_span(uid, {})
    found = by_name(memory)
    assert {span.context.trace_id for each in found.values() for span in each} == {number(run.trace)}
    (run_found, root) = sorted(found["traced"], key=lambda span: span.parent is not None)
    assert run_found.parent is None
    assert run_found.context.span_id == number(run.span)
    assert root.parent is not None
    assert root.parent.span_id == number(run.span)
    the_map, *items = sorted(found["double"], key=lambda span: "weft.task.map_index" in span.attributes)
    assert the_map.parent.span_id == root.context.span_id
    assert [item.parent.span_id for item in items] == [the_map.context.span_id] * 3
    assert sorted(item.attributes["weft.task.map_index"] for item in items) == [0, 1, 2]
    (tried,) = found["second_time"]
    (first,), (second,) = found["second_time attempt 1"], found["second_time attempt 2"]
    assert first.parent.span_id == second.parent.span_id == tried.context.span_id
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    (event,) = first.events
    assert event.attributes["exception.type"] == "builtins.ValueError"
    assert tried.start_time <= first.start_time <= first.end_time <= second.start_time <= second.end_time


def test_a_run_joins_the_submitters_trace(weft: Weft, memory: InMemorySpanExporter) -> None:
    """The run's span is a child of the span that it was submitted from."""
    spans = Spans(weft.host.store, memory, ratio=0.0)
    weft.host.engine.listen(spans.take)
    request = in_turn.request(weft.host, (), {})
    request.facts[FACT] = INCOMING
    weft.host.run(request)
    spans.step()
    incoming = parse(INCOMING)
    assert incoming is not None
    (run,) = [span for span in memory.get_finished_spans() if span.kind is trace.SpanKind.SERVER]
    assert run.context.trace_id == number(incoming.trace)
    assert run.parent.span_id == number(incoming.span)
    assert run.parent.is_remote


def test_runs_that_are_not_sampled_make_no_spans(weft: Weft, memory: InMemorySpanExporter) -> None:
    """With a share of 0 only runs that were submitted from a recorded trace are traced."""
    spans = Spans(weft.host.store, memory, ratio=0.0)
    weft.host.engine.listen(spans.take)
    in_turn()
    assert spans.step() == 0
    assert memory.get_finished_spans() == ()


def test_another_process_goes_on_with_the_trace(weft: Weft, memory: InMemorySpanExporter) -> None:
    """What began before this process is looked up, and gets the ids that the first one would have given."""
    kept: list[Sequence[Change]] = []
    weft.host.engine.listen(kept.append)
    traced(2)
    whole = Spans(weft.host.store, memory)
    for changes in kept:
        whole.take(changes)
    whole.step()
    expected = {
        (span.name, span.context.span_id, span.parent and span.parent.span_id)
        for span in memory.get_finished_spans()
    }
    memory.clear()
    late = Spans(weft.host.store, memory)
    for changes in kept:
        late.take([each for each in changes if isinstance(each, TaskChanged | RunChanged)])
    late.step()
    found = {
        (span.name, span.context.span_id, span.parent and span.parent.span_id)
        for span in memory.get_finished_spans()
    }
    assert found == expected


def test_a_cleared_task_run_has_a_span_for_each_time() -> None:
    """Running again makes new spans in the same trace, and what it led to is linked to the new one."""
    memory = InMemorySpanExporter()
    spans = Spans(MemoryStore(), memory)
    run = run_span("run_A", {})
    spans.take(
        [
            RunAdded(1, "run_A", "w", "g", 1.0),
            TaskAdded(1, 1, "a", "a", 1.0),
            TaskAdded(1, 2, "b", "b", 1.0),
            TaskChanged(1, 1, TaskState.SUCCEEDED, 1, 2.0, Cause.RETURNED, started_at=1.5),
            TaskChanged(1, 2, TaskState.UPSTREAM_FAILED, 0, 3.0, Cause.UPSTREAM, by=1),
        ]
    )
    spans.step()
    first = memory.get_finished_spans()
    assert [link.context.span_id for link in first[-1].links] == [number(task_span(run, "run_A", 1).span)]
    assert first[0].context.span_id == number(attempt_span(run, "run_A", 1, 1).span)
    spans.take(
        [
            TaskAdded(1, 1, "a", "a", 1.0),
            TaskChanged(1, 1, TaskState.PENDING, 1, 9.0, Cause.CLEARED, generation=1),
            TaskChanged(1, 1, TaskState.SUCCEEDED, 2, 10.0, Cause.RETURNED, generation=1, started_at=9.5),
            RunChanged(1, RunState.SUCCEEDED, 11.0, Cause.CHILDREN),
        ]
    )
    memory.clear()
    spans.step()
    _, again, _ = memory.get_finished_spans()
    assert again.context.span_id == number(task_span(run, "run_A", 1, 1).span)
    assert again.start_time == 9_000_000_000


def test_a_slow_collector_costs_spans_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finds no room is counted as dropped; the engine is never kept waiting."""
    monkeypatch.setattr(spans_module, "BUFFER_MAX", 3)
    spans = Spans(MemoryStore(), InMemorySpanExporter())
    for run in range(5):
        spans.take([RunAdded(run, f"run_{run}", "w", "g", 1.0)])
    assert spans.dropped == 2
    spans.step()
    spans.take([RunAdded(9, "run_9", "w", "g", 1.0)])
    assert spans.dropped == 2


def test_a_collector_that_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """Spans that could not be sent are counted and said."""

    class Refusing(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.FAILURE

    spans = Spans(MemoryStore(), Refusing())
    spans.take([RunAdded(1, "run_1", "w", "g", 1.0), RunChanged(1, RunState.FAILED, 2.0, Cause.CHILDREN)])
    assert spans.step() == 0
    assert spans.dropped == 1
    assert "could not be sent" in caplog.text


class Collector(BaseHTTPRequestHandler):
    """A receiver of OTLP over HTTP."""

    got: list[tuple[str, ExportTraceServiceRequest]]

    def do_POST(self) -> None:
        """Take spans."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A collector that listens here."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Collector.got = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_the_wire(weft: Weft, collector: ThreadingHTTPServer) -> None:
    """A collector gets the spans as OTLP, at the standard path, with the service's name."""
    host = weft.host
    where = f"http://127.0.0.1:{collector.server_port}"
    spans = open_tracing(Settings(traces=where), host.store, resource={"service.instance.id": "e1"})
    assert spans is not None
    host.engine.listen(spans.take)
    in_turn()
    spans.close()
    assert {path for path, _ in Collector.got} == {"/v1/traces"}
    (resource,) = Collector.got[0][1].resource_spans
    told = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (told["service.name"], told["service.instance.id"]) == ("weft", "e1")
    names = [span.name for scope in resource.scope_spans for span in scope.spans]
    # The run and its root, two task runs with an attempt each.
    assert sorted(names) == ["double", "double", "double attempt 1", "double attempt 1", "in_turn", "in_turn"]
    assert spans.sent == 6


def test_nothing_is_loaded_unless_it_is_asked_for() -> None:
    """Without the setting there are no spans; an address that is none is refused."""
    assert open_tracing(Settings(), MemoryStore()) is None
    with pytest.raises(UsageError, match="cannot be sent"):
        open_tracing(Settings(traces="collector:4318"), MemoryStore())


def test_an_address_with_a_path_is_used_as_it_is() -> None:
    """The standard path is added only where there is none."""
    assert exporter_for("http://a:1/otlp/traces")._endpoint == "http://a:1/otlp/traces"  # type: ignore[attr-defined]
    assert exporter_for("http://a:1/")._endpoint == "http://a:1/v1/traces"  # type: ignore[attr-defined]
    assert type(exporter_for("console")).__name__ == "ConsoleSpanExporter"
