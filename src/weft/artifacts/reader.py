"""Reading msgpack values back with their exact types.

Reading plain data runs nobody's code. What would run some (pickles, and objects of named classes, which are
rebuilt by importing their class) is read only by a trusted reader.

msgspec decodes, because it is faster than msgpack's own decoder and gives extensions without a copy.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from struct import Struct as Layout
from typing import Any

import msgspec

from weft.artifacts.arrays import NUMPY, decode_array, decode_scalar
from weft.artifacts.blobs import Data
from weft.artifacts.classes import rebuild
from weft.artifacts.codes import PICKLE, Ext, embedded_parts
from weft.artifacts.pickles import load
from weft.artifacts.tables import FORMATS, decode_table
from weft.model.errors import UntrustedValue

_COMPLEX = Layout(">dd")
_decode = msgspec.msgpack.Decoder().decode
_decode_index = msgspec.msgpack.Decoder(int).decode


class Reader:
    """Decodes values.

    Args:
        trusted: Whether pickles and named classes are opened.

    Attributes:
        fills: What stands in for the holes: hole number i is ``fills[i]``.
    """

    def __init__(self, *, trusted: bool) -> None:
        self.trusted = trusted
        self.fills: Sequence[Any] = ()
        self.decode: Callable[[Data], Any]
        self.decode = msgspec.msgpack.Decoder(Any, ext_hook=self.extension).decode

    def extension(self, code: int, data: memoryview) -> Any:
        """One extension's value."""
        return _READ[code](self, data)

    def named(self, kind: str, module: str, qualname: str, state: Any) -> Any:
        """An object of a named class."""
        if not self.trusted:
            raise untrusted(f"an object of class {module}.{qualname}")
        return rebuild(kind, module, qualname, state)

    def embedded(self, format: str, data: memoryview) -> Any:  # noqa: A002 - the name of Result's field
        """A leaf of another format."""
        if format == NUMPY:
            return decode_array(data)
        if format in FORMATS:
            return decode_table(format, data)
        if format != PICKLE:
            raise ValueError(f"unknown format {format!r}")
        if not self.trusted:
            raise untrusted("a pickled object")
        return load(data, self.fills)

    def hole(self, index: int) -> Any:
        """What fills a hole."""
        return self.fills[index]


def untrusted(what: str) -> UntrustedValue:
    """The error for something that only a trusted process opens."""
    return UntrustedValue(
        f"{what} is not opened here, because that would run code of the value's choosing",
        hint="read it in the project's own process, or return plain data",
    )


def _moment(parse: Callable[[str], Any]) -> Callable[[Reader, memoryview], Any]:
    def read(_reader: Reader, data: memoryview) -> Any:
        if data[0] < 0x80:  # Text; else a msgpack array.
            return parse(str(data, "ascii"))
        text, fold, zone = _decode(data)
        return parse(text).replace(fold=fold, tzinfo=_zone(zone))

    return read


def _zone(zone: Any) -> tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - costs start-up time, and few values name a zone

        return ZoneInfo(zone)
    (days, seconds, microseconds), *name = zone
    return timezone(timedelta(days, seconds, microseconds), *name)


def _decimal(_reader: Reader, data: memoryview) -> Any:
    from decimal import Decimal  # noqa: PLC0415 - as above

    return Decimal(str(data, "ascii"))


def _uuid(_reader: Reader, data: memoryview) -> Any:
    from uuid import UUID  # noqa: PLC0415 - as above

    return UUID(bytes=bytes(data))


def _path(reader: Reader, data: memoryview) -> Any:
    import pathlib  # noqa: PLC0415 - as above

    name, text = reader.decode(data)
    if name not in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"):
        raise ValueError(f"unknown path {name!r}")
    return getattr(pathlib, name)(text)


def _buffer(_reader: Reader, data: memoryview) -> memoryview:
    form, shape, raw = _decode(data)
    return memoryview(raw).cast(form, shape) if shape != [len(raw)] or form != "B" else memoryview(raw)


def _arguments(reader: Reader, data: memoryview) -> Any:
    args, kwargs = reader.decode(data)
    return tuple(args), kwargs


_READ: dict[int, Callable[[Reader, memoryview], Any]] = {
    Ext.HOLE: lambda reader, data: reader.hole(_decode_index(data)),
    Ext.TUPLE: lambda reader, data: tuple(reader.decode(data)),
    Ext.ARGUMENTS: _arguments,
    Ext.SET: lambda reader, data: set(reader.decode(data)),
    Ext.FROZENSET: lambda reader, data: frozenset(reader.decode(data)),
    Ext.INT: lambda _, data: int.from_bytes(data, "big", signed=True),
    Ext.COMPLEX: lambda _, data: complex(*_COMPLEX.unpack(data)),
    Ext.DATETIME: _moment(datetime.fromisoformat),
    Ext.DATE: lambda _, data: date.fromisoformat(str(data, "ascii")),
    Ext.TIME: _moment(time.fromisoformat),
    Ext.TIMEDELTA: lambda _, data: timedelta(*_decode(data)),
    Ext.TIMEZONE: lambda _, data: _zone(_decode(data)),
    Ext.DECIMAL: _decimal,
    Ext.UUID: _uuid,
    Ext.PATH: _path,
    Ext.RANGE: lambda reader, data: range(*reader.decode(data)),
    Ext.BYTEARRAY: lambda _, data: bytearray(data),
    Ext.MEMORYVIEW: _buffer,
    Ext.TEXT: lambda _, data: str(data, "utf-8", "surrogatepass"),
    Ext.ORDERED_DICT: lambda reader, data: OrderedDict(reader.decode(data)),
    Ext.COUNTER: lambda reader, data: Counter(reader.decode(data)),
    Ext.DEQUE: lambda reader, data: deque(*reader.decode(data)),
    Ext.OBJECT: lambda reader, data: reader.named(*reader.decode(data)),
    Ext.NUMPY_SCALAR: lambda _, data: decode_scalar(*_decode(data)),
    Ext.EMBEDDED: lambda reader, data: reader.embedded(*embedded_parts(data)),
}
