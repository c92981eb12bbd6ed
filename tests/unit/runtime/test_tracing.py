"""The trace as user code meets it."""

import subprocess
import sys

import pytest
from embedded_weft import Weft

from weft import flow, shell, task
from weft.model.attempts import Attempt
from weft.model.calls import PythonCall
from weft.model.traces import FACT, attempt_span, run_span
from weft.runtime import tracing

INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@task
def here() -> tuple[str, int, str]:
    """The run, the attempt's index and the current span, as OpenTelemetry tells it."""
    from opentelemetry import trace

    from weft import current

    found = trace.get_current_span().get_span_context()
    context = current()
    return context.run_id, context.spec.id[1], f"{found.trace_id:032x}-{found.span_id:016x}"


@task(executor="process")
def started_by_python() -> str:
    """What a process sees that a Python task starts."""
    return subprocess.run(
        ["sh", "-c", "echo $TRACEPARENT"], capture_output=True, text=True, check=True
    ).stdout


command = shell("echo ${TRACEPARENT:-none}", name="command")


@flow
def both() -> list[str]:
    """A command, and a process that Python starts."""
    return [command(), started_by_python().strip()]


@flow
def inside() -> list[tuple[str, int, str]]:
    """Two attempts, each with a span of its own."""
    return [here(), here()]


def attempt(**facts: str) -> Attempt:
    """An attempt of a run with these facts."""
    return Attempt((1, 2, 3), "run_A", "w", "k", "n", PythonCall("m", "f"), facts=facts)


def test_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is traced, an attempt's environment is its own and no more."""
    monkeypatch.delenv("WEFT_TRACES", raising=False)
    assert tracing.span_of(attempt()) is None
    assert tracing.environment(attempt()) == {}


def test_the_submitters_trace_is_handed_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Weft makes no spans, user code's are children of the submitter's."""
    monkeypatch.delenv("WEFT_TRACES", raising=False)
    assert tracing.environment(attempt(traceparent=INCOMING)) == {"TRACEPARENT": INCOMING}


def test_the_attempts_own_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Weft traces, user code's parent is the attempt; what a task sets itself is kept."""
    monkeypatch.setenv("WEFT_TRACES", "http://collector")
    monkeypatch.setenv("WEFT_TRACES_SAMPLE", "nonsense")
    made = attempt(**{FACT: INCOMING})
    run = run_span("run_A", {FACT: INCOMING})
    assert tracing.span_of(made) == attempt_span(run, "run_A", 2, 3)
    monkeypatch.setenv("WEFT_TRACES_SAMPLE", "0")
    unsampled = tracing.span_of(attempt())
    assert unsampled is not None
    assert not unsampled.sampled


def test_python_attempts_have_a_current_span(weft: Weft, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans that a task makes belong under its attempt, not under another task's."""
    monkeypatch.setenv("WEFT_TRACES", "http://collector")
    import opentelemetry.trace  # noqa: F401 - user code that traces has imported it

    weft.open()
    found = inside()
    for run, idx, told in found:
        span = attempt_span(run_span(run, {}), run, idx, 1)
        assert told == f"{span.trace}-{span.span}"
    assert found[0] != found[1]


def test_commands_and_what_processes_start(weft: Weft, monkeypatch: pytest.MonkeyPatch) -> None:
    """``TRACEPARENT`` names the attempt in a command, and in what a worker's Python starts."""
    monkeypatch.setenv("WEFT_TRACES", "http://collector")
    weft.open()
    found = both()
    uid = weft.run().uid
    run = run_span(uid, {})
    by_key = {each.key.partition("-")[0]: each.idx for each in weft.tasks()}
    expected = [str(attempt_span(run, uid, by_key[name], 1)) for name in ("command", "started_by_python")]
    assert found == expected


def test_opentelemetry_is_not_imported_for_user_code() -> None:
    """A process whose code does not trace never loads it, traced or not."""
    script = (
        "import os, sys, tempfile\n"
        "os.environ.update(WEFT_HOME=tempfile.mkdtemp(), WEFT_PROGRESS='off', WEFT_TRACES='http://x')\n"
        "from weft import task\n"
        "@task\n"
        "def one(): return 1\n"
        "assert one() == 1\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
