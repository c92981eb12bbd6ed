"""The layout of stored values: formats, msgpack extension codes, and the heads of extensions and arrays.

Plain data is msgpack. Its own types carry ``None``, booleans, numbers, text, bytes, lists and dictionaries.
Everything else is an extension: a code of ``Ext`` and bytes, usually msgpack again. Stored values hold these
numbers, so a number is never used again for another meaning.
"""

from weft.artifacts.blobs import Data

MSGPACK = "msgpack"
PICKLE = "pickle"
BYTES = "bytes"
TEXT = "text"
JSON = "json"
SHAPED = "shaped"
"""Plain data and the type that a trusted process makes of it; see ``shapes.py``."""


class Ext:
    """The extension codes: plain numbers, because Python 3.11 looks an enum's members up slowly."""

    HOLE = 0
    TUPLE = 1
    ARGUMENTS = 2
    """A pair of a tuple and a dictionary, as two plain containers: every call's ``(args, kwargs)``."""
    SET = 3
    FROZENSET = 4
    INT = 5
    COMPLEX = 6
    DATETIME = 7
    DATE = 8
    TIME = 9
    TIMEDELTA = 10
    TIMEZONE = 11
    DECIMAL = 12
    UUID = 13
    PATH = 14
    RANGE = 15
    BYTEARRAY = 16
    MEMORYVIEW = 17
    TEXT = 18
    """Text that is not valid Unicode (lone surrogates, as in odd file names)."""
    ORDERED_DICT = 19
    COUNTER = 20
    DEQUE = 21
    OBJECT = 32
    """An object of a named class: kind, module, qualified name, state."""
    NUMPY_SCALAR = 33
    EMBEDDED = 34
    """A value of another format: the format's name, a zero byte, the bytes."""


def extension_head(code: int, size: int) -> bytes:
    """What precedes an extension's payload (msgpack's specification, "ext format family").

    Raises:
        OverflowError: The payload has 4 GB or more.
    """
    if size in (1, 2, 4, 8, 16):
        return bytes((0xD3 + size.bit_length(), code))
    if size < 1 << 8:
        return bytes((0xC7, size, code))
    if size < 1 << 16:
        return b"\xc8" + size.to_bytes(2, "big") + bytes((code,))
    return b"\xc9" + size.to_bytes(4, "big") + bytes((code,))


def extension_parts(data: Data) -> tuple[int, memoryview] | None:
    """The code and the payload of an extension; ``None`` if the bytes are another msgpack value."""
    view = memoryview(data)
    first = view[0] if view else 0
    if 0xD4 <= first <= 0xD8:
        return view[1], view[2:]
    if 0xC7 <= first <= 0xC9:
        skip = 1 + (1 << first - 0xC7)
        return view[skip], view[skip + 1 :]
    return None


def array_head(size: int) -> bytes:
    """What precedes the elements of an array of ``size``."""
    if size < 16:
        return bytes((0x90 + size,))
    if size < 1 << 16:
        return b"\xdc" + size.to_bytes(2, "big")
    return b"\xdd" + size.to_bytes(4, "big")


def embedded_parts(data: Data) -> tuple[str, memoryview]:
    """The format and the bytes of the payload of an ``Ext.EMBEDDED``."""
    view = memoryview(data)
    end = bytes(view[:64]).index(0)
    return str(view[:end], "ascii"), view[end + 1 :]
