"""How commands write for people: colours, aligned columns, times and durations.

No library for this: the one that draws boxes costs a tenth of a second to load, and these few forms are
all that a list needs.
"""

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

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


def colored(stream: object = None) -> bool:
    """Whether to use colours on a stream; standard error by default."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    isatty = getattr(sys.stderr if stream is None else stream, "isatty", None)
    return bool(isatty is not None and isatty()) and os.environ.get("TERM") != "dumb"


def paint(text: str, color: str, stream: object = None) -> str:
    """The text in a colour, where colours are wanted."""
    code = _CODES.get(color)
    return f"\x1b[{code}m{text}\x1b[0m" if code and colored(stream) else text


def paint_state(state: str, stream: object = None) -> str:
    """A state in its colour."""
    return paint(state, STATE_COLORS.get(state, ""), stream)


def quiet() -> bool:
    """Whether the user asked for silence."""
    return bool(os.environ.get("WEFT_QUIET"))


def say(text: str) -> None:
    """Tell a person something that is not data."""
    if not quiet():
        print(text, file=sys.stderr)


def table(
    rows: Iterable[Sequence[str]], head: Sequence[str], *, state: int | None = None, cut: int = 60
) -> None:
    """Print rows in aligned columns on standard output.

    Args:
        rows: Cells as text.
        head: Column names.
        state: The column to colour as a state.
        cut: Widest cell; longer ones lose their end. The last column is never cut.
    """
    cells = [[_clean(cell) for cell in row] for row in rows]
    last = len(head) - 1
    cells = [[cell if at == last else _cut(cell, cut) for at, cell in enumerate(row)] for row in cells]
    widths = [max(map(_width, column)) for column in zip(head, *cells, strict=True)]
    print(paint(_line(head, widths), "dim", sys.stdout))
    for row in cells:
        shown = [_pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        if state is not None:
            shown[state] = shown[state].replace(row[state], paint_state(row[state], sys.stdout), 1)
        print("  ".join(shown).rstrip())


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _clean(text: str) -> str:
    """On one line, and without anything that steers the terminal."""
    return "".join(each if each.isprintable() else " " for each in text)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def moment(at: float | None) -> str:
    """A time for people, in their own zone; "" for none."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(at: float | None) -> str | None:
    """A time for machines: ISO 8601, UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def duration(seconds: float | None) -> str:
    """A span for people: three figures or so."""
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
