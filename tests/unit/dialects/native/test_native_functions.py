"""How functions are named in graphs, and when two of them count as the same code."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.dialects.native.functions import (
    by_name,
    code_version,
    name_of,
    needs_payload,
    place_of,
    python_call,
)
from weft.runtime import load


def plain(x: int, y: int = 2) -> int:
    return x + y


def made(text: str) -> Callable[..., Any]:
    """The function ``f`` of some source."""
    names: dict[str, Any] = {}
    exec(text, names)
    function: Callable[..., Any] = names["f"]
    return function


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return x", "\n\n# moved\ndef f(x):  # comment\n    return x"),
        ("def f(x): return x in {'a', 'b', 'c'}", "def f(x): return x in {'c', 'b', 'a'}"),
        ("def f(x): return [y for y in x]", "def f(x):\n    return [y for y in x]"),
    ],
)
def test_same_code(one: str, other: str) -> None:
    """Comments, places and the order of a set do not change the version."""
    assert code_version(made(one)) == code_version(made(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x): return x", "def f(x): return x + 1"),
        ("def f(x): return 1", "def f(x): return 2"),
        ("def f(x): return 1", "def f(x): return True"),
        ("def f(x): return x.a", "def f(x): return x.b"),
        ("def f(x=1): return x", "def f(x=2): return x"),
        ("def f(*, x=1): return x", "def f(*, x=2): return x"),
        ("def f(x): return [y for y in x]", "def f(x): return [y + 1 for y in x]"),
        ("def f(x): return lambda: 1", "def f(x): return lambda: 2"),
    ],
)
def test_other_code(one: str, other: str) -> None:
    """Another constant, name, default or inner function is another version."""
    assert code_version(made(one)) != code_version(made(other))


def test_version_of_objects_is_stable() -> None:
    """Defaults and objects without code give versions that hold from process to process."""
    text = "class C: pass\ndef f(x=C()): return x"
    assert code_version(made(text)) == code_version(made(text))
    assert code_version(functools.partial(plain, 1)) != code_version(functools.partial(plain, 2))


def test_names() -> None:
    """Functions, lambdas and objects have names for people."""
    assert name_of(plain) == "plain"
    assert name_of(lambda: 0) == "lambda"
    assert name_of(functools.partial(plain, 1)) == "partial"


def test_what_needs_a_payload() -> None:
    """What a name leads to needs none; closures, lambdas and objects do."""

    def closure() -> None: ...

    assert not needs_payload(plain)
    assert needs_payload(closure)
    assert needs_payload(lambda: 0)
    assert needs_payload(functools.partial(plain, 1))
    assert place_of(plain) == (__name__, "plain")


def test_call_of_a_named_function_holds_no_code() -> None:
    """A function at the top of a module is only named."""
    call = python_call(plain, plain, Artifacts(MemoryBlobs()))
    assert (call.module, call.qualname, call.payload, call.file) == (__name__, "plain", None, None)


def test_closures_that_look_the_same_are_told_apart() -> None:
    """Two closures over equal values are each found as themselves."""
    artifacts = Artifacts(MemoryBlobs())

    def make(into: list[int]) -> Callable[[], None]:
        def closure() -> None:
            into.append(1)

        return closure

    one, other = make([]), make([])
    calls = [python_call(each, each, artifacts) for each in (one, other, one)]
    assert calls[0].payload != calls[1].payload
    found = [load.load(each, unpickle=artifacts.loads) for each in calls]
    assert found[0] is one
    assert found[1] is other


def test_closure_is_opened_from_its_pickle_elsewhere() -> None:
    """Where the closure itself is gone, its pickle does the same; with a mark behind it too."""
    artifacts = Artifacts(MemoryBlobs())

    def make(n: int) -> Callable[[int], int]:
        def closure(x: int) -> int:
            return x + n

        return closure

    first, second = make(1), make(1)
    calls = [python_call(each, each, artifacts) for each in (first, second)]
    del first, second
    for call in calls:
        assert load.load(call, unpickle=artifacts.loads)(2) == 3


def test_unpicklable_closures_are_told_apart() -> None:
    """Closures over what cannot be pickled are each found as themselves, in this process."""
    import threading

    artifacts = Artifacts(MemoryBlobs())

    def make(lock: Any) -> Callable[[], Any]:
        def closure() -> Any:
            return lock

        return closure

    locks = [threading.Lock(), threading.Lock()]
    calls = [python_call(closure, closure, artifacts) for closure in map(make, locks)]
    assert [load.load(each, unpickle=artifacts.loads)() for each in calls] == locks


def test_arguments_by_name() -> None:
    """As many arguments as can be are given by name, in the signature's order."""

    def fn(a: int, b: int = 2, /, c: int = 3, *, d: int = 4, **more: int) -> None: ...

    def bound(*args: Any, **kwargs: Any) -> Any:
        return by_name(inspect.signature(fn).bind(*args, **kwargs))

    assert bound(1, 2, 3, d=4, e=5) == ((1, 2), {"c": 3, "d": 4, "e": 5})
    assert list(bound(1, d=4, c=3)[1]) == ["c", "d"]

    def variadic(a: int, *rest: int, b: int = 1) -> None: ...

    signature = inspect.signature(variadic)
    assert by_name(signature.bind(1, 2, 3, b=4)) == ((1, 2, 3), {"b": 4})
    assert by_name(signature.bind(1, b=4)) == ((), {"a": 1, "b": 4})
