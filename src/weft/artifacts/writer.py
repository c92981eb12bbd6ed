"""Writing values as msgpack with their exact types.

Objects of named classes (``classes.py``), arrays, tables and pickles are embedded as leaves, so that one odd
leaf does not turn a whole value into a pickle.

A value may have *holes*: leaves for which ``hole(leaf)`` gives a reference. They are met where msgpack asks
about a type it does not know, so finding them costs nothing where there are none.

What is not kept: that two places held the same object (each gets a copy of its own), objects of
msgpack's ``ExtType`` and ``Timestamp``, and the order of sets, whose elements are sorted by their bytes so
that equal sets are equal bytes. Dictionaries keep their order.

A ``Packer`` must not be entered twice, so each level of extensions takes one from a stack. A ``Writer``
is used by one thread at a time; ``serialize.py`` keeps a pool of them.
"""

import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from struct import Struct as Layout
from types import BuiltinFunctionType, FunctionType
from typing import Any

import msgspec
from msgpack import ExtType, Packer

from weft.artifacts.arrays import NUMPY, encode_array, encode_scalar
from weft.artifacts.blobs import Data
from weft.artifacts.classes import plan_for
from weft.artifacts.codes import PICKLE, Ext, array_head
from weft.artifacts.pickles import dump
from weft.artifacts.tables import encode_table

Hole = Callable[[Any], Any]
"""Gives the reference that a leaf stands for, or ``None`` for an ordinary leaf."""

_KEEP_MAX = 1 << 20
"""A packer whose buffer grew past this is dropped instead of kept."""
_COPIES_MAX = 32
"""More leaves than this with copied code are better pickled as one value, which copies it once."""
_COMPLEX = Layout(">dd")
_new_ext = tuple.__new__  # ``ExtType.__new__`` checks its arguments in Python, at three times the price.
_encode = msgspec.msgpack.Encoder().encode
_SIMPLE = frozenset({int, str, float, bool, bytes, type(None)})
_NO_HOLES = _SIMPLE | {list, dict, tuple, set, frozenset, type, FunctionType, BuiltinFunctionType}
"""Types that a pickle holds many of."""
_simple = Packer(strict_types=True).pack  # Calls nobody back, so it may be shared.


class TooManyCopies(Exception):
    """So many leaves hold copied code that the value is better pickled whole."""


class Writer:
    """Encodes values.

    Attributes:
        refs: The references of the holes met since ``begin``; hole number i is ``refs[i]``.
        copies: Leaves since ``begin`` that hold copied code.
    """

    __slots__ = ("_hole", "_indexes", "_packers", "_whole", "copies", "refs")

    def __init__(self) -> None:
        self._packers: list[Any] = []
        self._whole: Any = None
        self.begin(None)

    def begin(self, hole: Hole | None) -> None:
        """Forget the value before."""
        self._hole = hole
        self.copies = 0
        self._indexes: dict[int, tuple[int, Any]] = {}
        self.refs: list[Any] = []

    def pack(self, value: Any) -> bytes:
        """One value as msgpack.

        Raises:
            ValueError, OverflowError, RecursionError: msgpack cannot hold it: too deep, circular, too large.
            Unpicklable, TooManyCopies: About a leaf.
        """
        packers = self._packers
        packer = packers.pop() if packers else Packer(default=self._unknown, strict_types=True, buf_size=1024)
        try:
            data: bytes = packer.pack(value)
            # msgpack writes other buffers as bytes without asking. These codes precede such an object.
            if (0xC4 in data or 0xC5 in data or 0xC6 in data) and _holds_buffer(value):
                data = packer.pack(_with_stands(value))
        except UnicodeEncodeError:
            data = packer.pack(_with_stands(value))
        if len(data) < _KEEP_MAX:
            packers.append(packer)
        return data

    def pack_whole(self, value: Any) -> Data:
        """The same for a whole value, of which a large one is not copied out of the packer's buffer."""
        packer = self._whole
        self._whole = None
        if packer is None:
            packer = Packer(default=self._unknown, strict_types=True, buf_size=1024, autoreset=False)
        try:
            packer.pack(value)
        except UnicodeEncodeError:
            return self.pack(value)
        data = packer.getbuffer()
        if len(data) >= _KEEP_MAX:
            return self.pack(value) if _holds_buffer(value) else data
        data = bytes(data)
        packer.reset()
        self._whole = packer
        if (0xC4 in data or 0xC5 in data or 0xC6 in data) and _holds_buffer(value):
            return self.pack(value)
        return data

    def hole_index(self, obj: Any) -> int | None:
        """The number of the hole that ``obj`` is; ``None`` if it is none."""
        if self._hole is None or type(obj) in _NO_HOLES:
            return None
        known = self._indexes.get(id(obj))
        if known is not None:
            return known[0]
        ref = self._hole(obj)
        if ref is None:
            return None
        # The object is kept alive, so that nobody else gets its id.
        self._indexes[id(obj)] = len(self.refs), obj
        self.refs.append(ref)
        return len(self.refs) - 1

    def knows(self, obj: Any) -> bool:
        """Whether an object that is no plain container is kept without a pickle of its own."""
        cls = type(obj)
        return (
            cls in EXACT
            or self.hole_index(obj) is not None
            or _late_type(cls) is not None
            or plan_for(cls) is not None
            or (cls.__module__ == "numpy" and isinstance(obj, sys.modules["numpy"].generic))
        )

    def _unknown(self, obj: Any) -> Any:
        """Make an extension of an object whose type msgpack does not know."""
        cls = type(obj)
        write = EXACT.get(cls)
        if write is None:
            if self._hole is not None and (index := self.hole_index(obj)) is not None:
                return _new_ext(ExtType, (Ext.HOLE, _encode(index)))
            write = _late_type(cls)
        if write is not None:
            made = write(self, obj)
            if made is not None:
                return made
        plan = plan_for(cls)
        if plan is not None:
            parts = [plan.kind, plan.module, plan.qualname, plan.state(obj)]
            return _new_ext(ExtType, (Ext.OBJECT, self.pack(parts)))
        return self._foreign(obj)

    def _foreign(self, obj: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(obj, numpy.generic):
            scalar = encode_scalar(obj)
            if scalar is not None:
                return _new_ext(ExtType, (Ext.NUMPY_SCALAR, _encode(scalar)))
        made = encode_leaf(obj)
        if made is not None:
            return _embedded(*made)
        data, copied = dump(obj, self.hole_index if self._hole is not None else None)
        self.copies += copied
        if self.copies > _COPIES_MAX:
            raise TooManyCopies
        return _embedded(PICKLE, (data,))


def encode_leaf(obj: Any) -> tuple[str, tuple[Data, ...]] | None:
    """The format and parts of an array or a table; ``None`` for anything else."""
    root = type(obj).__module__.partition(".")[0]
    if root == "numpy":
        array = encode_array(obj) if isinstance(obj, sys.modules["numpy"].ndarray) else None
        return None if array is None else (NUMPY, array)
    if root in ("pandas", "polars", "pyarrow"):
        return encode_table(obj)
    return None


def _embedded(format: str, parts: Sequence[Data]) -> Any:  # noqa: A002 - the name of Result's field
    return _new_ext(ExtType, (Ext.EMBEDDED, b"".join((format.encode(), b"\0", *parts))))


# Objects that msgpack would write as something else (buffers) or not at all (text with lone surrogates).


class _Stand:
    """Stands for such an object in a copy of the value."""

    __slots__ = ("code", "payload")

    def __init__(self, code: int, payload: bytes) -> None:
        self.code = code
        self.payload = payload


def _holds_buffer(value: Any) -> bool:
    """Whether a ``bytearray`` or ``memoryview`` is among the plain data."""
    pending: list[Any] = [[value]]
    while pending:
        each = pending.pop()
        if type(each) is dict:
            each = [*each, *each.values()]
        kinds = set(map(type, each))
        if bytearray in kinds or memoryview in kinds:
            return True
        if list in kinds or dict in kinds:
            pending.extend(one for one in each if type(one) is list or type(one) is dict)
    return False


def _with_stands(value: Any) -> Any:
    """A copy of the plain containers with stands in place of such objects."""
    kind = type(value)
    if kind is list:
        return [_with_stands(each) for each in value]
    if kind is dict:
        return {_with_stands(key): _with_stands(each) for key, each in value.items()}
    if kind is bytearray:
        return _Stand(Ext.BYTEARRAY, bytes(value))
    if kind is memoryview:
        return _Stand(Ext.MEMORYVIEW, _encode((value.format, value.shape, value.tobytes())))
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return _Stand(Ext.TEXT, value.encode("utf-8", "surrogatepass"))
    return value


# Writers give ``None`` for an object that is left to what comes after: classes, arrays, pickle.


def _write_tuple(writer: Writer, obj: Any) -> Any:
    return _new_ext(ExtType, (Ext.TUPLE, writer.pack(list(obj))))


def _sorted_elements(writer: Writer, elements: Collection[Any]) -> bytes:
    pack = _simple if _SIMPLE.issuperset(map(type, elements)) else writer.pack
    try:
        packed = sorted(map(pack, elements))
    except (OverflowError, UnicodeEncodeError):
        packed = sorted(map(writer.pack, elements))
    return b"".join((array_head(len(packed)), *packed))


def _write_int(_writer: Writer, obj: int) -> Any:
    return _new_ext(ExtType, (Ext.INT, obj.to_bytes(obj.bit_length() // 8 + 1, "big", signed=True)))


def _zone(zone: tzinfo | None) -> Any:
    """A time zone as plain data: ``None``, an IANA key, or offset and perhaps name. ``False``: unknown."""
    if zone is None:
        return None
    if type(zone) is timezone:
        # ``__getinitargs__`` is pickle's way in: it alone tells whether a name was given.
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        return [_span(offset), *name]
    zoneinfo = sys.modules.get("zoneinfo")
    if zoneinfo is not None and type(zone) is zoneinfo.ZoneInfo:
        return getattr(zone, "key", None) or False
    return False


def _span(span: timedelta) -> tuple[int, int, int]:
    return span.days, span.seconds, span.microseconds


def _write_moment(code: int) -> Callable[[Writer, Any], Any]:
    def write(_writer: Writer, obj: Any) -> Any:
        zone = _zone(obj.tzinfo)
        if zone is False:
            return None
        if not obj.fold and (zone is None or (type(zone) is list and len(zone) == 1)):
            # ISO text says it all, a nameless offset included.
            return _new_ext(ExtType, (code, obj.isoformat().encode()))
        return _new_ext(ExtType, (code, _encode((obj.replace(tzinfo=None).isoformat(), obj.fold, zone))))

    return write


def _write_zone(_writer: Writer, obj: Any) -> Any:
    zone = _zone(obj)
    return None if zone is False else _new_ext(ExtType, (Ext.TIMEZONE, _encode(zone)))


def _write_path(writer: Writer, obj: Any) -> Any:
    return _new_ext(ExtType, (Ext.PATH, writer.pack([type(obj).__name__, str(obj)])))


def _write_range(writer: Writer, obj: range) -> Any:
    return _new_ext(ExtType, (Ext.RANGE, writer.pack([obj.start, obj.stop, obj.step])))


def _write_deque(writer: Writer, obj: Any) -> Any:
    return _new_ext(ExtType, (Ext.DEQUE, writer.pack([list(obj), obj.maxlen])))


def _write_mapping(code: int) -> Callable[[Writer, Any], Any]:
    def write(writer: Writer, obj: Any) -> Any:
        # An attribute set on the object is beyond a mapping's bytes.
        return None if vars(obj) else _new_ext(ExtType, (code, writer.pack(dict(obj))))

    return write


EXACT: dict[type, Callable[[Writer, Any], Any]] = {
    tuple: _write_tuple,
    set: lambda writer, obj: _new_ext(ExtType, (Ext.SET, _sorted_elements(writer, obj))),
    frozenset: lambda writer, obj: _new_ext(ExtType, (Ext.FROZENSET, _sorted_elements(writer, obj))),
    int: _write_int,
    complex: lambda _, obj: _new_ext(ExtType, (Ext.COMPLEX, _COMPLEX.pack(obj.real, obj.imag))),
    datetime: _write_moment(Ext.DATETIME),
    time: _write_moment(Ext.TIME),
    date: lambda _, obj: _new_ext(ExtType, (Ext.DATE, obj.isoformat().encode())),
    timedelta: lambda _, obj: _new_ext(ExtType, (Ext.TIMEDELTA, _encode(_span(obj)))),
    timezone: _write_zone,
    range: _write_range,
    OrderedDict: _write_mapping(Ext.ORDERED_DICT),
    Counter: _write_mapping(Ext.COUNTER),
    deque: _write_deque,
    _Stand: lambda _, obj: _new_ext(ExtType, (obj.code, obj.payload)),
}
"""Exact types beside msgpack's own, and how each becomes an extension."""

_LATE: dict[str, dict[str, Callable[[Writer, Any], Any]]] = {
    "decimal": {"Decimal": lambda _, obj: _new_ext(ExtType, (Ext.DECIMAL, str(obj).encode()))},
    "uuid": {"UUID": lambda _, obj: _new_ext(ExtType, (Ext.UUID, obj.bytes))},
    "zoneinfo": {"ZoneInfo": _write_zone},
    "pathlib": dict.fromkeys(("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"), _write_path),
}
"""Types of modules that cost start-up time: a value of such a type has brought the module along."""


def _late_type(cls: type) -> Callable[[Writer, Any], Any] | None:
    for module in [name for name in list(_LATE) if name in sys.modules]:
        for name, write in _LATE.get(module, {}).items():
            EXACT[getattr(sys.modules[module], name)] = write
        _LATE.pop(module, None)
    return EXACT.get(cls)
