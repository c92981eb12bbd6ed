"""The trace that an attempt is part of, for user code.

A command gets ``TRACEPARENT`` in its environment, and so does what a traced Python attempt starts from a
process of its own. Where user code has imported OpenTelemetry, the spans that it makes become children of
the attempt's. Nothing of OpenTelemetry is imported here that user code has not imported already, and an
attempt that is part of no trace pays for a look into a dictionary.
"""

import os
import sys
from collections.abc import Mapping

from weft.model.attempts import Attempt
from weft.model.traces import FACT, SpanRef, attempt_span, parse, run_span

VARIABLE = "TRACEPARENT"
"""The environment variable that carries the trace to processes."""

TRACES = "WEFT_TRACES"
"""Where spans go, as the settings name it; workers inherit it. Without it Weft makes no spans."""

SAMPLE = "WEFT_TRACES_SAMPLE"


def traced() -> bool:
    """Whether this process's attempts are spans of Weft's own."""
    return bool(os.environ.get(TRACES))


def span_of(attempt: Attempt) -> SpanRef | None:
    """The span that is the parent of what an attempt does.

    Where Weft makes no spans that is the one the run was submitted from.
    """
    if not traced():
        return parse(attempt.facts.get(FACT))
    run = run_span(attempt.run, attempt.facts, _ratio())
    return attempt_span(run, attempt.run, attempt.id[1], attempt.id[2])


def environment(attempt: Attempt) -> Mapping[str, str]:
    """An attempt's environment variables, with the trace's among them."""
    span = span_of(attempt)
    return attempt.env if span is None else {VARIABLE: str(span), **attempt.env}


def attach(attempt: Attempt, *, variable: bool) -> None:
    """Make the attempt's span the current one, for the context that runs here and what it starts.

    Args:
        attempt: What is carried out in the current context, which is the attempt's own.
        variable: Whether to set ``TRACEPARENT`` for this process, which is the attempt's own. It stays until
            the next attempt sets it.
    """
    span = span_of(attempt)
    if span is None:
        return
    if variable:
        os.environ[VARIABLE] = str(span)
    if "opentelemetry.trace" in sys.modules:
        _attach(span)


def _attach(span: SpanRef) -> None:
    from opentelemetry import context, trace  # noqa: PLC0415 - only who has imported it meets it

    found = trace.SpanContext(
        int(span.trace, 16), int(span.span, 16), is_remote=True, trace_flags=trace.TraceFlags(span.sampled)
    )
    context.attach(trace.set_span_in_context(trace.NonRecordingSpan(found)))


def _ratio() -> float:
    try:
        return float(os.environ.get(SAMPLE) or 1.0)
    except ValueError:
        return 1.0
