"""Values as short text for people, whatever they are and however large.

Plain data reads like Python. What would have to run code to be read is described instead: a named class's
object by its name and fields, a pickle by its size (a trusted process opens small ones). A large blob is
described from its first bytes. Text is escaped, so that no value can send control codes to a terminal.
"""

import io
from collections.abc import Iterable
from typing import Any

import msgspec
from msgpack import Unpacker

from weft.artifacts.arrays import NUMPY, describe_array
from weft.artifacts.blobs import Blobs, Data
from weft.artifacts.codes import BYTES, JSON, MSGPACK, PICKLE, SHAPED, TEXT
from weft.artifacts.pickles import load
from weft.artifacts.reader import Reader
from weft.artifacts.tables import FORMATS, first_rows
from weft.model.bound import BOUND, decode_bound
from weft.model.errors import WeftError
from weft.model.values import Absent, Bound, Packed, Pick, Plain, Result, ResultList

_WHOLE_MAX = 1 << 20
"""A larger value is described from its start."""
_ROWS = 10
_CELL_MAX = 40
_DEPTH_MAX = 12


def preview_of(result: Result, blobs: Blobs, *, trusted: bool, limit: int) -> str:
    """At most about ``limit`` characters about a result. Never raises for a value that cannot be shown."""
    try:
        text = _describe(result, blobs, trusted, limit)
    except WeftError as exc:
        text = f"{_name(result.format)}, {human_size(result.size)} ({exc.what})"
    except Exception as exc:
        text = f"{_name(result.format)}, {human_size(result.size)} (cannot be shown: {type(exc).__name__})"
    if not text.isprintable():
        text = "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def human_size(size: int) -> str:
    """A number of bytes for people."""
    amount, unit = float(size), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if amount < 9.95 and unit != "B" else f"{amount:.0f} {unit}"


def _name(format: str) -> str:  # noqa: A002 - the name of Result's field
    return {PICKLE: "pickled value", MSGPACK: "value"}.get(format, f"{format} value")


def _describe(result: Result, blobs: Blobs, trusted: bool, limit: int) -> str:
    format = result.format  # noqa: A001 - as above
    if format == BOUND:
        return _bound(decode_bound(result), blobs, trusted, limit)
    if format in (TEXT, BYTES):
        start = _start(result, blobs, 4 * limit)
        return short(start.decode("utf-8", "ignore") if format == TEXT else start, limit)
    if format == NUMPY:
        return f"{describe_array(_start(result, blobs, 1 << 16))}, {human_size(result.size)}"
    if format in FORMATS:
        return _table(format, _all(result, blobs))
    if format == MSGPACK:
        if result.size > _WHOLE_MAX:
            return _large(result, blobs, limit)
        return short(_READER.decode(_all(result, blobs)), limit)
    if format == JSON and result.size <= _WHOLE_MAX:
        return short(msgspec.json.decode(_all(result, blobs)), limit)
    if format == SHAPED and result.size <= _WHOLE_MAX:
        from weft.artifacts import shapes  # noqa: PLC0415 - only runs that came through the API have one

        return short(shapes.plain(_all(result, blobs)), limit)
    if format == PICKLE and trusted and result.size <= _WHOLE_MAX:
        return short(load(_all(result, blobs)), limit)
    return f"{_name(format)}, {human_size(result.size)}"


def _bound(bound: Bound, blobs: Blobs, trusted: bool, limit: int) -> str:
    if isinstance(bound, Plain):
        return _describe(bound.result, blobs, trusted, limit)
    if isinstance(bound, ResultList):
        parts: list[str] = []
        length = 0
        for each in bound.items:
            if length > limit:
                parts.append("…")
                break
            parts.append("None" if each is None else preview_of(each, blobs, trusted=trusted, limit=200))
            length += len(parts[-1]) + 2
        return f"[{', '.join(parts)}]"
    if isinstance(bound, Pick):
        steps = "".join(f".{each}" if isinstance(each, str) else f"[{each}]" for each in bound.path)
        return f"({_bound(bound.of, blobs, trusted, limit)}){steps}"
    if isinstance(bound, Packed):
        return _describe(bound.data, blobs, trusted, limit)
    return f"<{bound.state}>" if isinstance(bound, Absent) else ""


def _all(result: Result, blobs: Blobs) -> Data:
    return result.inline if result.inline is not None else blobs.view(result.digest or "")


def _start(result: Result, blobs: Blobs, size: int) -> bytes:
    if result.inline is not None:
        return result.inline[:size]
    with blobs.open(result.digest or "") as file:
        return file.read(size)


def _large(result: Result, blobs: Blobs, limit: int) -> str:
    """The first items of a container of which only the start is read."""
    start = _start(result, blobs, 1 << 16)
    kind, skip, count = _head(start)
    if not kind:
        return f"value, {human_size(result.size)}"
    unpacker = Unpacker(io.BytesIO(start[skip:]), strict_map_key=False, ext_hook=_unopened)
    items: list[Any] = []
    try:
        for _ in range(min(count, _ROWS) * (2 if kind == "dict" else 1)):
            items.append(unpacker.unpack())
    except Exception:
        pass  # The next item goes on past what was read.
    shown = dict(zip(items[::2], items[1::2], strict=False)) if kind == "dict" else items
    return f"{kind} of {count} items, {human_size(result.size)}: {short(shown, limit)} …"


def _head(start: bytes) -> tuple[str, int, int]:
    """What a large msgpack value is, where its first item begins, and how many there are."""
    first = start[0]
    for code, kind in ((0xDC, "list"), (0xDE, "dict")):
        if first == code:
            return kind, 3, int.from_bytes(start[1:3], "big")
        if first == code + 1:
            return kind, 5, int.from_bytes(start[1:5], "big")
    if 0x80 <= first <= 0x8F:
        return "dict", 1, first - 0x80
    if 0x90 <= first <= 0x9F:
        return "list", 1, first - 0x90
    if first == 0xC9 and start[5] in _SEQUENCES:
        _, skip, count = _head(start[6:])
        return _SEQUENCES[start[5]], 6 + skip, count
    return "", 0, 0


_SEQUENCES = {1: "tuple", 3: "set", 4: "frozenset"}


def _unopened(code: int, data: bytes) -> Any:
    return _READER.extension(code, memoryview(data))


def _table(format: str, data: Data) -> str:  # noqa: A002 - as above
    names, rows, count = first_rows(format, data, _ROWS)
    lines = [f"table of {count} rows x {len(names)} columns"]
    lines.append(" | ".join(_cut(str(name)) for name in names))
    lines.extend(" | ".join(_cut(short(cell, _CELL_MAX)) for cell in row) for row in rows)
    if count > len(rows):
        lines.append("…")
    return "\n".join(lines)


def _cut(text: str) -> str:
    return text if len(text) <= _CELL_MAX else text[: _CELL_MAX - 1] + "…"


class _Shown:
    """A description in place of something that is not opened."""

    def __init__(self, text: str, fields: Any = None) -> None:
        self.text = text
        self.fields = fields


class _PreviewReader(Reader):
    """Reads plain data, and describes the rest."""

    def named(self, kind: str, module: str, qualname: str, state: Any) -> Any:
        name = qualname.rpartition(".")[2]
        if kind in ("enum", "flag"):
            return _Shown(f"{name}.{state}" if kind == "enum" else f"{name}({state})")
        if kind == "pydantic" and isinstance(state, dict):
            state = state.get("__dict__")
        return _Shown(name, state)

    def embedded(self, format: str, data: memoryview) -> Any:  # noqa: A002 - as above
        if format == NUMPY:
            return _Shown(f"<{describe_array(data)}>")
        kind = "table" if format in FORMATS else "pickled" if format == PICKLE else format
        return _Shown(f"<{kind}, {human_size(len(data))}>")

    def hole(self, index: int) -> Any:
        return _Shown("<to come>")


_READER = _PreviewReader(trusted=False)


def short(value: Any, limit: int) -> str:
    """``repr`` that stops at about ``limit`` characters, and does not fail."""
    out: list[str] = []
    _write(value, out, [limit], 0)
    return "".join(out)


_ENDS: dict[Any, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


def _write(value: Any, out: list[str], left: list[int], depth: int) -> None:
    kind = type(value)
    if left[0] <= 0 or depth > _DEPTH_MAX:
        text = "…"
    elif kind in _ENDS and (value or kind in (list, tuple)):
        ends = (_ENDS[kind][0], ",)") if kind is tuple and len(value) == 1 else _ENDS[kind]
        _write_items(((None, each) for each in value), ends, out, left, depth)
        return
    elif kind is dict:
        _write_items(
            ((_text(key, 100), each) for key, each in value.items()), ("{", "}"), out, left, depth, ": "
        )
        return
    elif kind is _Shown and value.fields is not None:
        out.append(value.text)
        fields = value.fields
        pairs = fields.items() if isinstance(fields, dict) else ((None, each) for each in fields)
        _write_items(pairs, ("(", ")"), out, left, depth, "=")
        return
    else:
        text = _text(value, left[0])
    out.append(text)
    left[0] -= len(text)


def _write_items(
    items: Iterable[tuple[Any, Any]],
    ends: tuple[str, str],
    out: list[str],
    left: list[int],
    depth: int,
    colon: str = "",
) -> None:
    out.append(ends[0])
    for i, (key, each) in enumerate(items):
        if i:
            out.append(", ")
            left[0] -= 2
        if left[0] <= 0:
            out.append("…")
            break
        if key is not None:
            out.append(f"{key}{colon}")
            left[0] -= len(out[-1])
        _write(each, out, left, depth + 1)
    out.append(ends[1])


def _text(value: Any, limit: int) -> str:
    if isinstance(value, _Shown):
        return value.text
    if isinstance(value, str | bytes) and len(value) > limit:
        return repr(value[:limit]) + "…"
    try:
        text = repr(value)
    except Exception as exc:  # A user's ``__repr__``, or an integer of too many digits.
        if isinstance(value, int):
            return f"<integer of {value.bit_length()} bits>"
        return f"<{type(value).__qualname__} ({type(exc).__name__})>"
    return text if len(text) <= limit + 20 else text[:limit] + "…"
