"""What is known of a user's function: where it is found again, and which version of the code it is."""

import inspect
import sys
from collections.abc import Callable
from hashlib import sha256
from types import CodeType
from typing import Any

import cloudpickle

from weft.artifacts.artifacts import Artifacts
from weft.model.calls import PythonCall
from weft.model.values import Result


def name_of(fn: Callable[..., Any]) -> str:
    """The function's own name; ``lambda`` for one without."""
    name = getattr(fn, "__name__", type(fn).__name__)
    return "lambda" if name == "<lambda>" else name


def script_of(module: str) -> str | None:
    """The file of a module that no import leads to: the script that was run."""
    if module not in ("__main__", "__weft_main__"):
        return None
    return getattr(sys.modules.get(module), "__file__", None)


def needs_payload(fn: Callable[..., Any]) -> bool:
    """Whether no name leads to the function: a closure, a lambda, something typed at a prompt."""
    qualname = getattr(fn, "__qualname__", "")
    if "<locals>" in qualname or "<lambda>" in qualname:
        return True
    module = getattr(fn, "__module__", None) or "__main__"
    return module == "__main__" and script_of(module) is None


def payload_of(fn: Callable[..., Any], artifacts: Artifacts) -> Result | None:
    """The pickled function, for processes that cannot import it; ``None`` if it cannot be pickled."""
    try:
        data = cloudpickle.dumps(fn)
    except Exception:
        return None
    return artifacts.store("pickle", data)


def python_call(
    fn: Callable[..., Any], *, flow: bool = False, version: str = "", payload: Result | None = None
) -> PythonCall:
    """How the function is named in a graph."""
    module = getattr(fn, "__module__", None) or "__main__"
    qualname = getattr(fn, "__qualname__", type(fn).__qualname__)
    return PythonCall(module, qualname, script_of(module), flow, payload, version or code_version(fn))


def code_version(fn: Callable[..., Any]) -> str:
    """A digest of what the function does: its code, the code nested in it, and its defaults.

    Comments, line numbers and names of files do not count. What it calls elsewhere does not either: give
    ``version=`` to a task whose helpers matter to its cache.
    """
    inner = inspect.unwrap(fn)
    code = getattr(inner, "__code__", None)
    if code is None:
        return ""
    parts = sha256()
    _feed(code, parts.update)
    parts.update(repr(getattr(inner, "__defaults__", None)).encode())
    return parts.hexdigest()[:16]


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
