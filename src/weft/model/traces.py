"""Where runs, task runs and attempts stand in a distributed trace (W3C Trace Context).

Every id follows from what is traced: an engine that takes a run over, and the worker that carries out an
attempt, find the same ids without being told. A run that was submitted with a ``traceparent`` belongs to
that trace and keeps it as a fact; any other begins a trace of its own.

The format is https://www.w3.org/TR/trace-context/.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

FACT = "traceparent"
"""The fact of a run that holds the ``traceparent`` it was submitted with."""

_FORMAT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class SpanRef(msgspec.Struct, frozen=True):
    """A span in a trace.

    Attributes:
        trace: 32 hexadecimal digits.
        span: 16 hexadecimal digits.
        sampled: Whether it is recorded.
    """

    trace: str
    span: str
    sampled: bool = True

    def __str__(self) -> str:
        """As in a ``traceparent`` header."""
        return f"00-{self.trace}-{self.span}-{'01' if self.sampled else '00'}"


def parse(text: object) -> SpanRef | None:
    """The span that a ``traceparent`` names; ``None`` for one that is none, which the standard ignores."""
    match = _FORMAT.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if match is None:
        return None
    version, trace, span, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace, 16) or not int(span, 16):
        return None
    return SpanRef(trace, span, bool(int(flags, 16) & 1))


def run_span(uid: str, facts: Mapping[str, Any], ratio: float = 1.0) -> SpanRef:
    """A run's own span.

    Args:
        uid: The run's public id.
        facts: Its facts: with ``FACT`` it joins that trace, and is recorded if that one is.
        ratio: The share of the other runs that is recorded; the same runs in every process.
    """
    parent = parse(facts.get(FACT)) if facts else None
    span = _digits(uid, 16)
    if parent is not None:
        return SpanRef(parent.trace, span, parent.sampled)
    trace = _digits(f"trace:{uid}", 32)
    return SpanRef(trace, span, int(trace[16:], 16) < ratio * 2**64)


def task_span(run: SpanRef, uid: str, idx: int, generation: int = 0) -> SpanRef:
    """A task run's span; one that a person cleared has another each time it runs again."""
    return SpanRef(run.trace, _digits(f"{uid}/{idx}/g{generation}", 16), run.sampled)


def attempt_span(run: SpanRef, uid: str, idx: int, attempt: int) -> SpanRef:
    """An attempt's span: what user code meets as its parent."""
    return SpanRef(run.trace, _digits(f"{uid}/{idx}/a{attempt}", 16), run.sampled)


def _digits(text: str, length: int) -> str:
    return sha256(text.encode()).hexdigest()[:length]
