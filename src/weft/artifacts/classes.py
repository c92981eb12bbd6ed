"""Objects of named classes as plain data: dataclasses, named tuples, enums, msgspec structs, pydantic models.

An object becomes (kind, module, qualified name, state) and is rebuilt by importing its class, so only in a
trusted process. ``state`` is what pickle would keep: no validation, no ``__init__`` for dataclasses and
pydantic models. A class is taken only if its name leads back to it and it does nothing of its own when
pickled; every other class is left to pickle, which does what the class says.
"""

import copyreg
import sys
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter, methodcaller
from typing import Any, NamedTuple

from msgspec import Struct

from weft.artifacts.pickles import main_is_shared
from weft.model.errors import NotFound

_HEAP_TYPE = 1 << 9
"""``Py_TPFLAGS_HEAPTYPE``: the class was made by a ``class`` statement, so it has no hidden C state."""


class Plan(NamedTuple):
    """How the objects of one class are taken apart."""

    kind: str
    module: str
    qualname: str
    parts: tuple[str, ...]
    state: Callable[[Any], Any]


def plan_for(cls: type) -> Plan | None:
    """The plan for a class whose name leads to it right now, else ``None``."""
    plan = _plan(cls)
    if plan is None:
        return None
    found: Any = sys.modules.get(plan.module)
    for part in plan.parts:
        found = getattr(found, part, None)
    if found is not cls or (plan.module == "__main__" and not main_is_shared()):
        return None
    return plan


def rebuild(kind: str, module: str, qualname: str, state: Any) -> Any:
    """The object back from its parts.

    Raises:
        NotFound: No class of that name can be imported here.
    """
    return _REBUILD[kind](find_class(module, qualname), state)


@lru_cache(maxsize=1024)
def _plan(cls: type) -> Plan | None:
    module, qualname = cls.__module__, cls.__qualname__
    if "<locals>" in qualname or not isinstance(module, str):
        return None
    for kind, fits, state in _KINDS:
        made = state(cls) if fits(cls) else None
        if made is not None:
            return Plan(kind, module, qualname, tuple(qualname.split(".")), made)
    return None


def find_class(module: str, qualname: str) -> Any:
    """A class by its name, imported if need be. Raises ``NotFound``."""
    try:
        found: Any = sys.modules.get(module)
        if found is None:
            __import__(module)
            found = sys.modules[module]
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as exc:
        raise NotFound(
            f"a value's class {module}.{qualname} cannot be found in this process: {exc}",
            hint="keep the class in a module that every process of the project can import",
        ) from exc
    return found


def _plain(cls: type, base: type = object, state_modules: tuple[str, ...] = ("dataclasses",)) -> bool:
    """Whether the class is Python down to ``base``, and pickled as its base is, not in a way of its own."""
    getstate = getattr(cls, "__getstate__", None)
    return (
        cls not in copyreg.dispatch_table
        and cls.__reduce_ex__ is base.__reduce_ex__
        and cls.__reduce__ is base.__reduce__
        and not hasattr(cls, "__getnewargs_ex__")
        and (
            getstate is getattr(base, "__getstate__", None)
            or getattr(getstate, "__module__", "").partition(".")[0] in state_modules
        )
        and all(each.__flags__ & _HEAP_TYPE for each in cls.__mro__[: cls.__mro__.index(base)])
    )


def _is_dataclass(cls: type) -> bool:
    return hasattr(cls, "__dataclass_fields__") and not hasattr(cls, "__getnewargs__") and _plain(cls)


def _dataclass_state(cls: type) -> Callable[[Any], Any] | None:
    slots = _slots(cls)
    if any(name.startswith("__") for name in slots):
        return None  # Their attributes have other names.
    if not slots:
        return lambda obj: obj.__dict__
    dictless = cls.__dictoffset__ == 0

    def state(obj: Any) -> dict[str, Any]:
        found: dict[str, Any] = {} if dictless else dict(obj.__dict__)
        for name in slots:
            try:
                found[name] = getattr(obj, name)
            except AttributeError:
                pass  # A slot that was never set.
        return found

    return state


def _slots(cls: type) -> list[str]:
    names: list[str] = []
    for each in cls.__mro__:
        slots = each.__dict__.get("__slots__", ())
        names.extend((slots,) if isinstance(slots, str) else slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _rebuild_dataclass(cls: Any, state: dict[str, Any]) -> Any:
    obj = object.__new__(cls)
    for name, value in state.items():
        object.__setattr__(obj, name, value)  # As frozen dataclasses do it themselves.
    return obj


def _is_namedtuple(cls: type) -> bool:
    return (
        issubclass(cls, tuple)
        and isinstance(getattr(cls, "_fields", None), tuple)
        and cls.__dictoffset__ == 0
        and _plain(cls, tuple)
    )


def _is_enum(cls: type) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(cls, enum.Enum) and cls.__reduce_ex__ is enum.Enum.__reduce_ex__


def _is_flag(cls: type) -> bool:
    return _is_enum(cls) and issubclass(cls, sys.modules["enum"].Flag)


def _is_struct(cls: type) -> bool:
    return issubclass(cls, Struct) and cls.__dictoffset__ == 0 and _plain(cls, Struct)


def _struct_state(cls: Any) -> Callable[[Any], Any]:
    names: tuple[str, ...] = cls.__struct_fields__
    return lambda obj: {name: getattr(obj, name) for name in names}


def _is_model(cls: type) -> bool:
    pydantic = sys.modules.get("pydantic")
    return (
        pydantic is not None
        and issubclass(cls, pydantic.BaseModel)
        and _plain(cls, pydantic.BaseModel, state_modules=("pydantic",))
    )


def _rebuild_model(cls: Any, state: Any) -> Any:
    obj = cls.__new__(cls)
    obj.__setstate__(state)
    return obj


_KINDS: tuple[tuple[str, Callable[[type], bool], Callable[[Any], Callable[[Any], Any] | None]], ...] = (
    ("flag", _is_flag, lambda _cls: attrgetter("_value_")),  # Combined members have no name of their own.
    ("enum", _is_enum, lambda _cls: attrgetter("_name_")),
    ("dataclass", _is_dataclass, _dataclass_state),
    ("namedtuple", _is_namedtuple, lambda _cls: list),
    ("struct", _is_struct, _struct_state),
    ("pydantic", _is_model, lambda _cls: methodcaller("__getstate__")),
)

_REBUILD: dict[str, Callable[[Any, Any], Any]] = {
    "flag": lambda cls, state: cls(state),
    "enum": lambda cls, state: cls[state],
    "dataclass": _rebuild_dataclass,
    "namedtuple": lambda cls, state: tuple.__new__(cls, state),
    "struct": lambda cls, state: cls(**state),
    "pydantic": _rebuild_model,
}
