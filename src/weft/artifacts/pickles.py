"""Pickling, the last resort: for objects that no safe format knows, between processes of one trust domain.

Standard pickle goes first, because it names classes and functions instead of copying them, so that what
comes back has the very same type; it is also faster. What it refuses (closures, local classes) and what
no other process could find by name (a notebook's ``__main__``) goes to cloudpickle, which copies code.

Unpickling runs whatever the bytes say. Callers check trust before they call ``load``.
"""

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from weft.artifacts.blobs import Data
from weft.model.errors import NotSerializable, WeftError

HoleIndex = Callable[[object], int | None]
"""The number of the hole that an object stands for, or ``None`` for an ordinary object."""


class Unpicklable(Exception):
    """An object inside a value cannot be pickled; ``explain.py`` finds out which."""


def dump(value: object, hole_index: HoleIndex | None = None) -> tuple[bytes, bool]:
    """Pickle a value.

    Returns:
        The bytes, and whether code had to be copied into them (which is slow and large).

    Raises:
        Unpicklable: Neither kind of pickle takes it.
    """
    if not _by_value_modules():
        try:
            data = _dump(pickle.Pickler, value, hole_index)
        except (MemoryError, WeftError):
            raise
        except Exception:
            pass  # Anything a user's object raises here; cloudpickle has the last word.
        else:
            if main_is_shared() or b"__main__" not in data:
                return data, False
    import cloudpickle  # noqa: PLC0415 - 30 ms that most runs never need

    try:
        return _dump(cloudpickle.Pickler, value, hole_index), True
    except (MemoryError, WeftError):
        raise
    except Exception as exc:
        raise Unpicklable(f"{type(exc).__name__}: {exc}") from exc


def load(data: Data, fills: Sequence[object] = ()) -> Any:
    """Unpickle; hole number i becomes ``fills[i]``.

    Raises:
        NotSerializable: The pickled object cannot be rebuilt in this process.
    """
    try:
        return _Unpickler(data, fills).load() if fills else pickle.loads(data)
    except (MemoryError, WeftError):
        raise
    except Exception as exc:
        raise NotSerializable(
            f"a pickled value cannot be rebuilt here: {type(exc).__name__}: {exc}",
            hint="its class must be importable, and its pickling must work both ways",
        ) from exc


def main_is_shared() -> bool:
    """Whether workers can find ``__main__`` classes by name: this is a script, not a notebook."""
    return getattr(sys.modules.get("__main__"), "__file__", None) is not None


def _by_value_modules() -> bool:
    """Whether the user asked cloudpickle to copy some modules' code (``register_pickle_by_value``)."""
    cloudpickle: ModuleType | None = sys.modules.get("cloudpickle")
    return cloudpickle is not None and bool(cloudpickle.list_registry_pickle_by_value())


def _dump(base: Any, value: object, hole_index: HoleIndex | None) -> bytes:
    file = io.BytesIO()
    if hole_index is not None:
        find = hole_index
        base = type("HolePickler", (base,), {"persistent_id": lambda _self, obj: find(obj)})
    base(file, protocol=5).dump(value)
    return file.getvalue()


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: Data, fills: Sequence[object]) -> None:
        super().__init__(io.BytesIO(data))
        self.fills = fills

    def persistent_load(self, index: Any) -> object:
        return self.fills[index]
