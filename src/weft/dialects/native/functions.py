"""What is known of a user's function: where it is found again, and which version of the code it is."""

import functools
import inspect
import os
import re
import sys
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from types import CodeType
from typing import Any

import cloudpickle

from weft.artifacts.artifacts import Artifacts
from weft.model.calls import PythonCall
from weft.model.values import Result
from weft.runtime import load

_SCRIPTS = ("__main__", load.SCRIPT)
_MARKS = count(1)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def name_of(fn: Callable[..., Any]) -> str:
    """The function's own name; ``lambda`` for one without."""
    name = getattr(fn, "__name__", type(fn).__name__)
    return "lambda" if name == "<lambda>" else name


def place_of(fn: Callable[..., Any]) -> tuple[str, str]:
    """The function's module and qualified name; an object that is callable has no name that leads to it."""
    module = getattr(fn, "__module__", None) or "__main__"
    qualname = getattr(fn, "__qualname__", None)
    return module, qualname or f"<locals>.{type(fn).__qualname__}"


def script_of(module: str) -> str | None:
    """The file that a call must name: of the script that was run, or of a deployed project's module."""
    if module not in _SCRIPTS:
        return load.project_file(module)
    return getattr(sys.modules.get(module), "__file__", None)


def needs_payload(fn: Callable[..., Any]) -> bool:
    """Whether no name leads to the function: a closure, a lambda, something typed at a prompt."""
    module, qualname = place_of(fn)
    if "<locals>" in qualname or "<lambda>" in qualname:
        return True
    return module == "__main__" and script_of(module) is None


class Conditional:
    """A function with its retry condition, for a process that cannot import the task that has both."""

    def __init__(self, fn: Callable[..., Any], condition: Callable[[BaseException], bool]) -> None:
        self.fn = fn
        self.retry_if = condition


def payload_of(fn: Callable[..., Any], artifacts: Artifacts, found: Any) -> Result:
    """What leads to a function that has no name, as ``found``: its pickle, which other processes open too.

    One that cannot be pickled is known to this process alone. Two that look the same, such as closures over
    two empty lists, are told apart.
    """
    mark = f"{os.getpid()}.{next(_MARKS)}".encode()
    condition = getattr(found, "condition", None)
    try:
        data: bytes = cloudpickle.dumps(fn if condition is None else Conditional(fn, condition))
    except Exception:
        return Result(load.LOCAL, mark, None, len(mark))
    payload = artifacts.store("pickle", data)
    if load.pickled(payload) not in (None, found):
        # A pickle ends before its last byte if more follow.
        payload = artifacts.store("pickle", data + mark)
    return payload


def python_call(
    fn: Callable[..., Any], found: Any, artifacts: Artifacts | None, *, flow: bool = False, version: str = ""
) -> PythonCall:
    """How the function is named in a graph; this process finds it as ``found`` from now on.

    Args:
        fn: The function.
        found: It, or the decorated object that holds it.
        artifacts: Where the function goes if no name leads to it; ``None``: only its name counts.
        flow: Whether it is a flow.
        version: Stands for its source.
    """
    module, qualname = place_of(fn)
    payload: Result | None = None
    if artifacts is not None and needs_payload(fn):
        payload = payload_of(fn, artifacts, found)
    file = script_of(module)
    load.register(module, qualname, found, payload=payload)
    # A script has one name in graphs and cache keys, whichever command runs it.
    name = "__main__" if file is not None and module in _SCRIPTS else module
    return PythonCall(name, qualname, file, flow, payload, version or code_version(fn))


def by_name(bound: inspect.BoundArguments) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A call's arguments with as many as can be given by name, in the order of the signature."""
    parameters = bound.signature.parameters
    variadic = [each.name for each in parameters.values() if each.kind is each.VAR_POSITIONAL]
    if variadic and bound.arguments.get(variadic[0]):
        return bound.args, bound.kwargs
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = parameters[name].kind
        if kind is inspect.Parameter.POSITIONAL_ONLY:
            args.append(value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            kwargs.update(value)
        elif kind is not inspect.Parameter.VAR_POSITIONAL:
            kwargs[name] = value
    return tuple(args), kwargs


def code_version(fn: Callable[..., Any]) -> str:
    """A digest of what the function does: its code, the code nested in it, and its defaults.

    Comments, line numbers and names of files do not count. What it calls elsewhere does not either: give
    ``version=`` to a task whose helpers matter to its cache.
    """
    parts = sha256()
    _feed_function(fn, parts.update)
    return parts.hexdigest()[:16]


def _feed_function(fn: Any, update: Callable[[bytes], None]) -> None:
    if isinstance(fn, functools.partial):
        _feed_function(fn.func, update)
        _feed_value((fn.args, fn.keywords), update)
        return
    inner = inspect.unwrap(fn)
    if not hasattr(inner, "__code__"):
        inner = getattr(type(inner), "__call__", inner)  # noqa: B004 - its code is wanted, not an answer
    code = getattr(inner, "__code__", None)
    if code is None:
        return
    _feed(code, update)
    _feed_value(getattr(inner, "__defaults__", None), update)
    if getattr(inner, "__kwdefaults__", None):
        _feed_value(inner.__kwdefaults__, update)


def _feed(code: CodeType, update: Callable[[bytes], None]) -> None:
    update(code.co_code)
    update(repr(code.co_names).encode())
    for const in code.co_consts:
        if isinstance(const, CodeType):
            _feed(const, update)
        elif isinstance(const, frozenset):
            update(repr(sorted(map(repr, const))).encode())
        else:
            update(repr(const).encode())


def _feed_value(value: Any, update: Callable[[bytes], None]) -> None:
    # An address in a text differs from process to process.
    update(_ADDRESS.sub("", repr(value)).encode())
