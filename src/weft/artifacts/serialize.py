"""From values to bytes and back: which format a value gets, in order.

1. ``bytes`` and ``text`` for large bytes and strings, as they are;
2. ``numpy`` and ``arrow...`` for arrays and tables (``arrays.py``, ``tables.py``);
3. ``msgpack`` for plain data, with leaves of the other formats embedded (``writer.py``);
4. ``pickle`` for what is left (``pickles.py``), opened only within one trust domain;
5. else ``NotSerializable``, which names the part that is to blame.

``json`` and ``image/...`` are written by ``publish.py`` and only read here.

Parts of the result are buffers to be joined: the large ones are the value's own memory.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgpack import Packer

from weft.artifacts.arrays import NUMPY, decode_array
from weft.artifacts.blobs import Data
from weft.artifacts.codes import BYTES, JSON, MSGPACK, PICKLE, SHAPED, TEXT, Ext, extension_head
from weft.artifacts.explain import not_serializable
from weft.artifacts.pickles import dump, load
from weft.artifacts.reader import Reader, untrusted
from weft.artifacts.tables import FORMATS, decode_table
from weft.artifacts.writer import EXACT, Hole, TooManyCopies, Writer, encode_leaf
from weft.model.errors import ArtifactCorrupt, WeftError
from weft.model.values import INLINE_MAX

Encoded = tuple[str, tuple[Data, ...]]
"""A format, and parts to be joined."""

SCALARS = frozenset({int, str, float, bool})
pack_scalar = Packer(strict_types=True).pack
"""Packs a scalar: it calls nobody back and allocates nothing that could run code, so threads may share it."""

_PLAIN = frozenset({int, float, bool, type(None), list, dict, str, bytes, bytearray, memoryview})
_KEEP = 32
_writers: list[Writer] = []
_fillers: dict[bool, list[Reader]] = {True: [], False: []}
_READERS = {True: Reader(trusted=True), False: Reader(trusted=False)}


def encode(value: Any, what: str) -> Encoded:
    """The format and the parts of a value; ``what`` names it in the error.

    Raises:
        NotSerializable: A part of it cannot be stored.
    """
    try:
        return _encode(value, None)[0]
    except (WeftError, MemoryError):
        raise
    except Exception as exc:
        raise _blame(value, what, exc, None, None) from exc.__cause__


def encode_with_holes(
    value: Any, hole: Hole, what: str, names: Sequence[str] = ()
) -> tuple[Encoded, Sequence[Any]]:
    """The same for a value with holes, and the references in the order of the holes' numbers.

    ``names`` are the positional parameters' names if the value is an ``(args, kwargs)`` pair.
    """
    try:
        return _encode(value, hole)
    except (WeftError, MemoryError):
        raise
    except Exception as exc:
        raise _blame(value, what, exc, hole, names) from exc.__cause__


def decode(format: str, data: Data, *, trusted: bool, fills: Sequence[Any] = ()) -> Any:  # noqa: A002 - the name of Result's field
    """The value back.

    Args:
        format: As ``encode`` gave it.
        data: The joined parts. Arrays and tables share it.
        trusted: Whether pickles and objects of named classes are opened.
        fills: What stands in for the holes.

    Raises:
        UntrustedValue: Opening it would run code, and ``trusted`` is false.
        ArtifactCorrupt: The bytes are not of this format.
        NotFound, NotSerializable: Its class is not here, or refuses to be rebuilt.
    """
    try:
        if format == MSGPACK:
            return _decode_filled(data, trusted, fills) if fills else _READERS[trusted].decode(data)
        if format == PICKLE:
            if not trusted:
                raise untrusted("a pickled value")
            return load(data, fills)
        return _decode_other(format, data, trusted)
    except (WeftError, MemoryError, ImportError):
        raise
    except Exception as exc:
        raise ArtifactCorrupt(
            f"a stored value of format {format!r} cannot be read: {type(exc).__name__}: {exc}",
            where=f"{len(data)} bytes",
            hint="it was damaged, or its class changed so that old values no longer fit it",
        ) from exc


def _decode_filled(data: Data, trusted: bool, fills: Sequence[Any]) -> Any:
    pool = _fillers[trusted]
    try:
        reader = pool.pop()
    except IndexError:
        reader = Reader(trusted=trusted)
    reader.fills = fills
    try:
        return reader.decode(data)
    finally:
        reader.fills = ()
        if len(pool) < _KEEP:
            pool.append(reader)


def _decode_other(format: str, data: Data, trusted: bool) -> Any:  # noqa: A002 - as above
    if format == BYTES or format.startswith("image/"):
        return data if type(data) is bytes else bytes(data)
    if format == TEXT:
        return str(data, "utf-8")
    if format == NUMPY:
        return decode_array(bytearray(data) if type(data) is bytes else data)
    if format in FORMATS:
        return decode_table(format, data)
    if format == JSON:
        return msgspec.json.decode(data)
    if format == SHAPED:
        from weft.artifacts import shapes  # noqa: PLC0415 - only runs that came through the API have one

        return shapes.decode(data, trusted=trusted)
    raise ValueError("unknown format")


def _encode(value: Any, hole: Hole | None) -> tuple[Encoded, Sequence[Any]]:
    try:
        writer = _writers.pop()
    except IndexError:
        writer = Writer()
    try:
        if hole is not None:
            writer.begin(hole)
        try:
            encoded = _by_format(writer, value)
        except (ValueError, OverflowError, RecursionError, TooManyCopies):
            # Circular, too deep or too large for msgpack, or cheaper whole: pickle has no such limits.
            writer.begin(hole)
            data, _ = dump(value, None if hole is None else writer.hole_index)
            encoded = PICKLE, (data,)
        return encoded, writer.refs if hole is not None else ()
    finally:
        if hole is not None or writer.copies:
            writer.begin(None)
        if len(_writers) < _KEEP:
            _writers.append(writer)


def _by_format(writer: Writer, value: Any) -> Encoded:
    kind = type(value)
    if kind is tuple:
        return MSGPACK, _tuple(writer, value)
    if kind in _PLAIN:
        if kind is bytes and len(value) > INLINE_MAX:
            return BYTES, (value,)
        if kind is str and len(value) > INLINE_MAX:
            try:
                return TEXT, (value.encode(),)
            except UnicodeEncodeError:
                pass  # Lone surrogates: the writer knows how to keep them.
        return MSGPACK, (writer.pack_whole(value),)
    if kind in EXACT:
        return MSGPACK, (writer.pack_whole(value),)
    leaf = encode_leaf(value)
    if leaf is not None:
        return leaf
    if writer.knows(value):
        return MSGPACK, (writer.pack_whole(value),)
    data, _ = dump(value, writer.hole_index)
    return PICKLE, (data,)


def _tuple(writer: Writer, value: tuple[Any, ...]) -> tuple[Data, ...]:
    code: int
    if len(value) == 2 and type(value[0]) is tuple and type(value[1]) is dict:
        code, payload = Ext.ARGUMENTS, writer.pack_whole([list(value[0]), value[1]])
    else:
        code, payload = Ext.TUPLE, writer.pack_whole(list(value))
    return extension_head(code, len(payload)), payload


def _blame(
    value: Any, what: str, exc: Exception, hole: Hole | None, names: Sequence[str] | None
) -> Exception:
    def fails(part: Any) -> Exception | None:
        try:
            _encode(part, hole)
        except Exception as found:
            return found
        return None

    return not_serializable(value, what, exc, fails, names)
