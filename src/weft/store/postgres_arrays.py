"""Columns of rows as PostgreSQL's binary arrays: how a commit sends many rows as few values.

The driver's own lists are made element by element in Python and cost more than the rest of a commit. Here a
column of numbers is one ``struct.pack``, and a column that is the same in every row (most are) is one value
repeated. The format is array_send's: dimensions, nulls?, element type; length and lower bound; then each
element with its length in front (https://www.postgresql.org/docs/current/xfunc-c.html points to its source,
src/backend/utils/adt/arrayfuncs.c).
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from struct import Struct
from typing import Any

from weft.store.postgres_text import MARK, written

_HEADER = Struct("!iiIii")
_NO_DIMENSION = Struct("!iiI")
_LENGTH = Struct("!i").pack
_NULL = _LENGTH(-1)

BOOL, BYTEA, INT8, INT4, TEXT, FLOAT8 = 16, 17, 20, 23, 25, 701
"""Types by oid (pg_type.dat); they never change."""


class Binary(bytes):
    """A value in the database's own binary format; the statement names its type."""


Codec = Callable[[Sequence[Any]], Binary]


def _array(oid: int, values: Sequence[Any], body: bytes, nulls: bool = False) -> Binary:
    return Binary(_HEADER.pack(1, nulls, oid, len(values), 1) + body)


def _numbers(oid: int, size: int, letter: str) -> Codec:
    """Of a type with elements of one size."""

    one = Struct(f"!i{letter}").pack
    alone = Struct(f"!{letter}").pack

    def encode(values: Sequence[Any]) -> Binary:
        if not values:
            return _empty(oid)
        first = values[0]
        if _constant(values):
            return _repeated(oid, values, None if first is None else alone(first))
        if None in values:
            body = b"".join([_NULL if each is None else one(size, each) for each in values])
            return _array(oid, values, body, nulls=True)
        return _array(oid, values, b"".join(map(one, repeat(size), values)))

    return encode


def _empty(oid: int) -> Binary:
    return Binary(_NO_DIMENSION.pack(0, 0, oid))


def _constant(values: Sequence[Any]) -> bool:
    """Whether every row has the same value."""
    first = values[0]
    return bool(first == values[-1]) and values.count(first) == len(values)


def _repeated(oid: int, values: Sequence[Any], value: bytes | None) -> Binary:
    """Of one value in every row."""
    if value is None:
        return _array(oid, values, _NULL * len(values), nulls=True)
    return _array(oid, values, (_LENGTH(len(value)) + value) * len(values))


def texts(values: Sequence[str | None]) -> Binary:
    """A column of text, as ``postgres_text`` has it written."""
    if not values:
        return _empty(TEXT)
    first = values[0]
    if _constant(values):
        return _repeated(TEXT, values, None if first is None else written(first).encode())
    nulls = None in values
    joined = "".join([each for each in values if each is not None] if nulls else values)  # type: ignore[arg-type]  # no None
    if "\x00" in joined or MARK in joined:
        values = [None if each is None else written(each) for each in values]
    return _array(TEXT, values, _pieces([None if each is None else each.encode() for each in values]), nulls)


def blobs(values: Sequence[bytes | None]) -> Binary:
    """A column of bytes."""
    if not values:
        return _empty(BYTEA)
    if _constant(values):
        return _repeated(BYTEA, values, values[0])
    return _array(BYTEA, values, _pieces(values), None in values)


def _pieces(values: Sequence[bytes | None]) -> bytes:
    """Elements of any length, each with its length in front."""
    pieces: list[bytes] = []
    for each in values:
        if each is None:
            pieces.append(_NULL)
        else:
            pieces.append(_LENGTH(len(each)))
            pieces.append(each)
    return b"".join(pieces)


bools = _numbers(BOOL, 1, "?")
int4s = _numbers(INT4, 4, "i")
int8s = _numbers(INT8, 8, "q")
floats = _numbers(FLOAT8, 8, "d")

_CODECS: dict[str, Codec] = {"?": bools, "i": int4s, "q": int8s, "d": floats, "t": texts, "b": blobs}


def columns(shape: str, rows: Sequence[tuple[Any, ...]]) -> tuple[Binary, ...]:
    """Rows as one array a column.

    Args:
        shape: A letter for each column: ``?`` bool, ``i`` int4, ``q`` int8, ``d`` float8, ``t`` text,
            ``b`` bytes. Blanks are for people.
        rows: At least one.
    """
    letters = shape.replace(" ", "")
    transposed = zip(*rows, strict=True)
    return tuple(_CODECS[letter](values) for letter, values in zip(letters, transposed, strict=True))
