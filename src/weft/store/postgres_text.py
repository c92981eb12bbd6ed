"""Text as PostgreSQL can hold it: everything but U+0000, which is written as an escape.

Names, keys and messages come from anywhere, and the other stores keep every character. The escape is
character by character, so that equal texts stay equal, prefixes stay prefixes and patterns still match.
"""

import re
from typing import TypeVar

MARK = "\x1a"
"""Begins an escape, and is never anything else."""

_NUL, _ITSELF = MARK + "\x1b", MARK + "\x1c"
_ESCAPED = re.compile(f"{MARK}.", re.DOTALL)

_Columns = TypeVar("_Columns", bound=tuple[object, ...])


def written(text: str) -> str:
    """The text as the database holds it."""
    if "\x00" in text or MARK in text:
        return text.replace(MARK, _ITSELF).replace("\x00", _NUL)
    return text


def read(text: str) -> str:
    """The text that was ``written``."""
    if MARK in text:
        return _ESCAPED.sub(lambda found: "\x00" if found[0] == _NUL else MARK, text)
    return text


def read_all(rows: list[_Columns]) -> list[_Columns]:
    """Rows with each of their texts read. That there is nothing to do is found out for all at once."""
    if MARK in "".join([each for row in rows for each in row if type(each) is str]):
        return [tuple(read(each) if isinstance(each, str) else each for each in row) for row in rows]  # type: ignore[misc]  # the same columns
    return rows
