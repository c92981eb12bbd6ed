"""How Weft writes to a terminal: colours where they are wanted, spans and counts for people."""

import os
import sys
from typing import Any

_CODES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2", "bold": "1"}

STATE_COLORS = {
    "succeeded": "green",
    "cached": "green",
    "failed": "red",
    "upstream_failed": "red",
    "lost": "red",
    "cancelled": "yellow",
    "skipped": "dim",
    "paused": "yellow",
    "retrying": "yellow",
    "waiting": "cyan",
    "running": "blue",
    "queued": "blue",
}
"""Of run and task run states; the rest have none."""


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal that can move its cursor."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty is not None and isatty()) and os.environ.get("TERM", "") not in ("dumb", "")


def colored(stream: Any = None) -> bool:
    """Whether to use colours on a stream, by default standard error; ``NO_COLOR`` forbids them."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(sys.stderr if stream is None else stream)


def paint(text: str, color: str, stream: Any = None) -> str:
    """The text in a colour, where colours are wanted."""
    code = _CODES.get(color)
    return f"\x1b[{code}m{text}\x1b[0m" if code and colored(stream) else text


def paint_state(state: str, stream: Any = None) -> str:
    """A state in its colour."""
    return paint(state, STATE_COLORS.get(state, ""), stream)


def duration(seconds: float | None) -> str:
    """A span for people: three figures or so; "" for none."""
    if seconds is None:
        return ""
    if seconds < 0.0995:
        return f"{max(seconds, 0.0) * 1000:.0f} ms" if seconds >= 0.00095 else "<1 ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02} h"


def count(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
