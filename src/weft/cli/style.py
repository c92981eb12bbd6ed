"""How commands write for people: aligned columns, times, and asides.

No library for this: the one that draws boxes costs a tenth of a second to load, and these few forms are
all that a list needs.
"""

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from weft.observability.terminal import paint, paint_state


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
