"""Which part of a value cannot be stored: a search that runs only once storing it has failed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from weft.model.errors import NotSerializable

Fails = Callable[[Any], Exception | None]
"""Tries to store a value: the error, or ``None`` if it can be stored."""

_DEPTH_MAX = 50

_HINTS = (
    (("generator", "async_generator"), "return a list of its items instead"),
    (("coroutine",), "await it first"),
    (("lock", "RLock", "Condition", "Event", "Semaphore", "Thread"), "make it inside the task that uses it"),
    (
        ("socket", "Connection", "Cursor", "Session", "Engine"),
        "connect inside the task that uses it",
    ),
    (
        ("TextIOWrapper", "BufferedReader", "BufferedWriter", "FileIO"),
        "open it inside the task that uses it",
    ),
    (("module",), "import it inside the task"),
    (("memoryview",), "pass bytes"),
)


def not_serializable(
    value: Any, what: str, failure: Exception, fails: Fails, names: Sequence[str] | None = None
) -> NotSerializable:
    """The error that names the innermost part that cannot be stored.

    Args:
        value: What could not be stored.
        what: What it is to the user (``result``, ``arguments of load``).
        failure: Why.
        fails: See ``Fails``.
        names: Given for a call's ``(args, kwargs)``: the positional parameters' names, as far as known.
    """
    parts = _children(value, what)
    if names is not None and type(value) is tuple and len(value) == 2 and isinstance(value[1], dict):
        parts = _arguments(*value, names)
    path, culprit, failure = _search(value, what, failure, parts, fails)
    kind = type(culprit)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return NotSerializable(
        f"{path} cannot be stored or sent: it is of type {name} ({failure})",
        where=what,
        hint=_hint(kind.__qualname__),
        path=path,
        type=name,
    )


def _search(
    value: Any, path: str, failure: Exception, parts: Iterator[tuple[str, Any]], fails: Fails
) -> tuple[str, Any, Exception]:
    seen: set[int] = set()
    for _ in range(_DEPTH_MAX):
        seen.add(id(value))
        for label, part in parts:
            if id(part) not in seen and (found := fails(part)) is not None:
                path, value, failure = label, part, found
                parts = _children(part, label)
                break
        else:
            break
    return path, value, failure


def _children(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The parts of a value, each with the path that leads to it."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield f"{path}[{_short(key)}]", each
            yield f"key {_short(key)} of {path}", key
    elif isinstance(value, list | tuple):
        names = getattr(value, "_fields", None)
        for i, each in enumerate(value):
            yield (f"{path}.{names[i]}" if names else f"{path}[{i}]"), each
    elif isinstance(value, set | frozenset):
        for each in value:
            yield f"an element of {path}", each
    elif not isinstance(value, type):
        for name, each in _attributes(value):
            yield f"{path}.{name}", each
        code, cells = getattr(value, "__code__", None), getattr(value, "__closure__", None)
        for name, cell in zip(getattr(code, "co_freevars", ()), cells or (), strict=False):
            try:
                yield f"variable {name!r} that {path} uses", cell.cell_contents
            except ValueError:
                pass  # Not assigned yet.


def _arguments(args: Any, kwargs: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for i, each in enumerate(args):
        yield (f"argument {names[i]!r}" if i < len(names) else f"argument {i + 1}"), each
    for name, each in kwargs.items():
        yield f"argument {name!r}", each


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    own = getattr(value, "__dict__", None)
    if isinstance(own, dict):
        yield from own.items()
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


def _short(key: Any) -> str:
    text = repr(key)
    return text if len(text) <= 60 else text[:57] + "..."


def _hint(name: str) -> str:
    for names, hint in _HINTS:
        if name in names:
            return hint
    return "pass plain data, or give its class __getstate__ so that it can be pickled"
