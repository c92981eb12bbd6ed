"""Types as data, so that a plain value from outside becomes what a parameter's annotation wants.

A run that is started through the API brings JSON. Its workflow wants dates, sets and objects of classes of
its own, and whoever takes the JSON in must not import the workflow. So discovery writes down each parameter's
type as a *shape*: plain data such as ``["list", ["date"]]``. Types of the standard library are built from a
shape anywhere. One with classes of the project is built only beside the project's code: such a value is
stored ``SHAPED``, as its shape and the plain data, and converted where it is opened.

A shape is a list: the kind, then its parts. ``class`` holds module and qualified name, ``literal`` the values
themselves, ``tuple`` its members, and ``vector`` the member of a tuple of any length.
"""

import dataclasses
import datetime
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

import msgspec

from weft.artifacts.blobs import Data
from weft.artifacts.classes import find_class
from weft.artifacts.conversion import converted
from weft.model.errors import UntrustedValue, WrongParameterType

Shape = list[Any]

_ATOMS: dict[str, Any] = {
    "any": Any,
    "none": type(None),
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "bytearray": bytearray,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "decimal": Decimal,
    "uuid": UUID,
    "path": Path,
    "purepath": PurePath,
    "list": list,
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
}
_NAMES: dict[Any, str] = {kind: name for name, kind in _ATOMS.items()} | {None: "none"}
_GENERIC: dict[Any, str] = {
    list: "list",
    set: "set",
    frozenset: "frozenset",
    dict: "dict",
    Sequence: "list",
    Collection: "list",
    Mapping: "dict",
    typing.get_origin(typing.Iterable[int]): "list",
}


def shape_of(kind: Any) -> Shape | None:
    """The shape of a type; ``None`` if it has none, or there is nothing to convert to."""
    try:
        shape = _shape(kind)
    except LookupError:
        return None
    return None if shape == ["any"] else shape


def needs_code(shape: Shape) -> bool:
    """Whether only a process with the project's code can build its type."""
    return shape[0] == "class" or any(needs_code(each) for each in _parts(shape))


def convert(shape: Shape, value: Any) -> Any:
    """Plain data as the type that a shape stands for.

    Raises:
        WrongParameterType: It does not fit.
        NotFound: A class is not in this process.
    """
    try:
        return converted(value, build(shape))
    except msgspec.ValidationError as exc:
        raise WrongParameterType(f"{value!r:.80} does not fit: {exc}") from exc


def encode(shape: Shape, value: Any) -> bytes:
    """The bytes of a ``SHAPED`` value."""
    return msgspec.msgpack.encode([shape, value])


def decode(data: Data, *, trusted: bool) -> Any:
    """The value of such bytes.

    Raises:
        UntrustedValue: Its type is one of the project's classes, and this process opens none.
        WrongParameterType, NotFound: As ``convert``.
    """
    shape, value = msgspec.msgpack.decode(data)
    if not trusted and needs_code(shape):
        raise UntrustedValue(
            "a parameter of a class of the project's own is not opened here",
            hint="read it in the project's own process",
        )
    return convert(shape, value)


def plain(data: Data) -> Any:
    """The plain data of such bytes, for a look at it."""
    return msgspec.msgpack.decode(data)[1]


def build(shape: Shape) -> Any:
    """The type that a shape stands for. Raises ``NotFound`` for a class that is not in this process."""
    name = shape[0]
    if name == "class":
        return find_class(shape[1], shape[2])
    if name == "literal":
        return typing.Literal[tuple(shape[1])]
    parts = [build(each) for each in _parts(shape)]
    if name == "union":
        return typing.Union[tuple(parts)]  # noqa: UP007 - of parts known only now
    if name == "vector":
        return tuple[parts[0], ...]  # type: ignore[valid-type]  # of a part known only now
    if name == "tuple" and len(shape) > 1:
        return tuple[tuple(parts)]  # type: ignore[misc]  # as above
    kind = _ATOMS[name]
    return kind[tuple(parts)] if parts else kind


def _parts(shape: Shape) -> list[Shape]:
    return [] if shape[0] in ("class", "literal") else shape[1:]


def _shape(kind: Any) -> Shape:
    """Raises ``LookupError`` where there is no shape."""
    try:
        if kind in _NAMES:
            return [_NAMES[kind]]
    except TypeError:
        raise LookupError(kind) from None  # An unhashable annotation is no type.
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _shape(args[0])
    if origin in (typing.Union, types.UnionType):
        return ["union", *map(_shape, args)]
    if origin is typing.Literal:
        return ["literal", list(args)]
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return ["vector", _shape(args[0])]
        return ["tuple", *map(_shape, args)]
    if origin in _GENERIC:
        return [_GENERIC[origin], *map(_shape, args)]
    supertype = getattr(kind, "__supertype__", None)
    if supertype is not None:
        return _shape(supertype)
    if isinstance(kind, type) and origin is None and _is_known(kind):
        return ["class", kind.__module__, kind.__qualname__]
    raise LookupError(kind)


def _is_known(kind: type) -> bool:
    """Whether plain data can become an object of this class, and its name leads to it."""
    if "<locals>" in kind.__qualname__:
        return False
    tests: tuple[Callable[[Any], bool], ...] = (
        dataclasses.is_dataclass,
        typing.is_typeddict,
        lambda each: issubclass(each, Enum | msgspec.Struct | PurePath),
        lambda each: issubclass(each, tuple) and hasattr(each, "_fields"),
        lambda each: hasattr(each, "model_validate") or hasattr(each, "__attrs_attrs__"),
    )
    return any(test(kind) for test in tests)
