"""Splitting an iterable value into the results of its items, for maps.

A stored list is cut where its bytes say, without opening any item, so that it works untrusted and its items
read as they would have alone. Mapping a dictionary, a string or a table is refused, because which of
several readings was meant is anyone's guess.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from weft.artifacts.arrays import encode_scalar
from weft.artifacts.blobs import Data
from weft.artifacts.codes import MSGPACK, Ext, embedded_parts, extension_parts
from weft.artifacts.serialize import encode
from weft.model.errors import NotSerializable, UsageError
from weft.model.values import INLINE_MAX, Result

Dumps = Callable[[Any], Result]
Store = Callable[..., Result]

_CONTAINERS = (Ext.TUPLE, Ext.SET, Ext.FROZENSET)
_RAW_LIST = msgspec.msgpack.Decoder(list[msgspec.Raw])


def split_value(value: Any, dumps: Dumps) -> list[Result]:
    """The items of a live iterable, each as its own result; sets in the order of their elements' bytes.

    Raises:
        UsageError: Mapping over such a value is not possible, or could mean several things.
        NotSerializable: About an item.
    """
    _refuse(value)
    if type(value).__module__ == "numpy":
        scalars = _split_array(value)
        if scalars is not None:
            return scalars
    results: list[Result] = []
    for item in value:
        try:
            results.append(dumps(item))
        except NotSerializable:
            encode(item, f"item {len(results)}")  # Raises the same, with the item's name in it.
            raise
    if isinstance(value, set | frozenset):
        results.sort(key=_bytes_or_digest)
    return results


def split_bytes(data: Data, store: Store) -> list[Result] | None:
    """The items of a list, tuple or set stored as msgpack; ``None`` if it holds something else."""
    extension = extension_parts(data)
    if extension is not None:
        if extension[0] not in _CONTAINERS:
            return None
        data = extension[1]
    first = data[0]
    if not (0x90 <= first <= 0x9F or first in (0xDC, 0xDD)):
        return None
    return [_item(bytes(raw), store) for raw in _RAW_LIST.decode(data)]


def _item(data: bytes, store: Store) -> Result:
    size = len(data)
    if size <= INLINE_MAX and not 0xC7 <= data[0] <= 0xD8:
        return Result(MSGPACK, data, None, size)
    extension = extension_parts(data)
    if extension is not None:
        code, payload = extension
        return store(*_flat(embedded_parts(payload))) if code == Ext.EMBEDDED else store(MSGPACK, data)
    if size > INLINE_MAX and (0xC4 <= data[0] <= 0xC6 or 0xD9 <= data[0] <= 0xDB):
        # Large text and bytes have formats of their own when they are alone.
        return store(*_flat_parts(encode(msgspec.msgpack.decode(data), "item")))
    return store(MSGPACK, data)


def _flat(embedded: tuple[str, memoryview]) -> tuple[str, Data]:
    return embedded[0], embedded[1]


def _flat_parts(encoded: tuple[str, tuple[Data, ...]]) -> tuple[Any, ...]:
    return encoded[0], *encoded[1]


def _split_array(array: Any) -> list[Result] | None:
    """The items of a one-dimensional array of scalars, whose bytes all have the same head."""
    if getattr(array, "ndim", 0) != 1 or len(array) == 0 or array.dtype.kind not in "biufcmM":
        return None
    if encode_scalar(array[0]) is None:
        return None
    _, (first,) = encode(array[0], "item 0")
    step = array.dtype.itemsize
    head, size, data = bytes(first[:-step]), len(first), array.tobytes()
    return [Result(MSGPACK, head + data[i : i + step], None, size) for i in range(0, len(data), step)]


def _refuse(value: Any) -> None:
    kind = type(value)
    name = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    hint = ""
    if isinstance(value, Mapping):
        hint = "map over list(d), d.values() or d.items()"
    elif isinstance(value, str | bytes | bytearray | memoryview):
        hint = "give a list; list(text) maps over its characters"
    elif name == "pandas.DataFrame":
        hint = 'give its rows: df.to_dict("records"), or list(df.itertuples())'
    elif name == "polars.DataFrame":
        hint = "give its rows: df.to_dicts()"
    elif name in ("pyarrow.Table", "pyarrow.RecordBatch"):
        hint = "give its rows: table.to_pylist()"
    elif not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        hint = "give something with items, such as a list"
    else:
        return
    raise UsageError(f"a value of type {kind.__qualname__} cannot be mapped over", hint=hint)


def _bytes_or_digest(result: Result) -> bytes:
    return result.inline if result.inline is not None else (result.digest or "").encode()
