"""What a symbol refuses, and how it says so: a code, the user's line, and the way to say it instead."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weft import chain, dag, group, on_exit, succeeded, symbol, task, when
from weft.model.errors import InvalidPolicy, SymbolError, UsageError


@task
def one(x: Any = None) -> Any:
    return x


def refused(use: Callable[[Any], Any]) -> SymbolError:
    """The error of using a task's symbol like that in a dag's body."""

    @dag
    def etl() -> None:
        use(one())

    with pytest.raises(SymbolError) as caught:
        etl.graph()
    return caught.value


@pytest.mark.parametrize(
    ("use", "says", "hint"),
    [
        (lambda x: bool(x), "true or false", "when(...)"),
        (lambda x: x and 1, "true or false", "branch()"),
        (lambda x: 1 if x == 3 else 2, "true or false", "@flow"),
        (lambda x: x in [1, 2], "true or false", "@flow"),
        (lambda x: 1 in x, "searched", "isin"),
        (lambda x: list(x), "gone through", ".map()"),
        (lambda x: [each + 1 for each in x], "gone through", ".map()"),
        (lambda x: len(x), "length", ".map()"),
        (lambda x: int(x), "number", "inside a task"),
        (lambda x: range(x), "number", "inside a task"),
        (lambda x: f"{x}", "text", "inside a task"),
        (lambda x: f"{x:>10}", "text", "inside a task"),
        (lambda x: str(x), "text", "inside a task"),
        (lambda x: Path(x), "text", "inside a task"),
        (lambda x: x + 1, "calculated", "inside a task"),
        (lambda x: 2 * x, "calculated", "inside a task"),
        (lambda x: -x, "calculated", "inside a task"),
        (lambda x: x.upper(), "called", "inside a task"),
        (lambda x: {x: 1}, "hashed", "inside a task"),
        (lambda x: x.__setitem__(0, 1), "changed", "inside a task"),
        (lambda x: x[1:2], "no part", "inside a task"),
        (lambda x: x.__enter__(), "entered", "when(...)"),
    ],
)
def test_what_needs_a_value_is_refused(use: Callable[[Any], Any], says: str, hint: str) -> None:
    """Each use of a value that does not exist yet names itself, the task, the dag, the line and a way out."""
    error = refused(use)
    assert error.code == "W1104"
    assert says in error.what
    assert hint in error.hint
    line = inspect.getsourcelines(use)[1]
    assert error.where == f"{__file__}:{line}"


def test_refusal_names_what_the_symbol_is() -> None:
    """A part of a result is described as the user wrote it."""
    error = refused(lambda x: bool(x.rows[0]))
    assert "the result of task 'one'.rows[0]" in error.what
    assert "@dag etl" in error.what


def test_private_names_are_plain_attribute_errors() -> None:
    """Libraries that look for ``__array__`` and the like are told that there is none."""

    @dag
    def etl() -> None:
        found = one()
        assert not hasattr(found, "__array__")
        assert not hasattr(found, "_private")

    etl.graph()


def test_conditions_are_no_arguments() -> None:
    """A comparison is for ``when``; a task cannot be given one."""
    assert "no argument" in refused(lambda x: one(x > 1)).what
    assert "no argument" in refused(lambda x: one([succeeded(x)])).what


def test_field_named_like_a_method() -> None:
    """A method of a symbol that is passed as a value is meant as a field, which is reached with brackets."""
    assert '["rule"]' in refused(lambda x: one(x.rule)).hint


def test_states_are_no_condition_over_values() -> None:
    """``when`` takes values, ``when_states`` takes states; each names the other."""

    def states(x: Any) -> None:
        with when(succeeded(x)):
            one()

    assert "when_states" in refused(states).hint
    assert "succeeded" in refused(lambda x: x.when_states(x > 1)).hint

    def nothing(x: Any) -> None:
        with when("text"):
            one()

    assert "no condition" in refused(nothing).what


def test_what_cannot_be_ordered() -> None:
    """Only nodes have a place in the order, and none comes after itself."""
    assert "cannot be ordered" in refused(lambda x: chain(x, 3)).what
    assert "after itself" in refused(lambda x: x >> x).what

    @dag
    def etl(n: int) -> None:
        chain(n, one())

    with pytest.raises(SymbolError, match="parameter 'n'"):
        etl.graph()


def test_symbol_of_another_dag_is_refused() -> None:
    """A symbol of the outer body is no value of the inner one: it must be a parameter there."""

    @dag
    def outer() -> None:
        found = one()

        @dag
        def inner() -> None:
            one(found)

        inner()

    with pytest.raises(SymbolError) as caught:
        outer.graph()
    assert "belongs to dag outer, and is used in dag inner" in caught.value.what
    assert "parameter" in caught.value.hint


def test_words_of_a_dag_mean_nothing_outside() -> None:
    """``when`` and ``group`` outside a body, and ``on_exit`` and ``symbol`` of no symbol, are refused."""
    with pytest.raises(UsageError, match="outside a @dag"), when(True):
        pass
    with pytest.raises(UsageError, match="outside a @dag"), group("x"):
        pass
    with pytest.raises(SymbolError):
        on_exit(3)
    with pytest.raises(SymbolError):
        symbol(3)


def test_error_in_the_body_leaves_no_trace_behind() -> None:
    """A body that fails is over: the next call of a task is not taken for one of it."""

    @dag
    def etl() -> None:
        with when(one() == 1), group("g"):
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            etl.graph()
    with pytest.raises(UsageError), when(True):
        pass


def test_unknown_items_word() -> None:
    """``items`` is ``any`` or ``all``."""

    @dag
    def etl() -> None:
        succeeded(one(), items="some")

    with pytest.raises(InvalidPolicy):
        etl.graph()
