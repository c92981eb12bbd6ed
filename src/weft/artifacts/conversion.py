"""How a plain value becomes what an annotation wants: one rule, wherever it is applied."""

import typing
from pathlib import PurePath
from typing import Any

import msgspec


def converted(value: Any, wanted: Any) -> Any:
    """The value as the type ``wanted``; text is read leniently (``"5"`` is an ``int``).

    Raises:
        msgspec.ValidationError: It does not fit.
    """
    if wanted is Any or wanted is None or type(value) is wanted:
        return value
    try:
        return msgspec.convert(value, wanted, strict=not isinstance(value, str), dec_hook=_custom)
    except msgspec.ValidationError:
        raise
    except TypeError:
        return value  # A type that msgspec does not know is the function's own business.


def _custom(wanted: Any, value: Any) -> Any:
    """A value of a class that msgspec does not know; what it raises says why it does not fit."""
    kind = typing.get_origin(wanted) or wanted
    if isinstance(value, kind):
        return value
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    if issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
