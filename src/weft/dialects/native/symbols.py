"""Symbols: what a task call gives while a ``@dag``'s body is traced.

A symbol stands for a value that will exist when the workflow runs. It can be passed to other tasks, picked
apart (``row.field``, ``rows[0]``), ordered (``a >> b``), compared for a condition (``when(size > 10)``) and
told how to start (``rule``, ``as_teardown``). Whatever needs the value itself (``if``, ``for``, ``len``,
arithmetic, text) cannot be traced, and is refused with the user's line and the way to say it instead.

The static type of a task call is what the task returns, so that the body is checked like other code. Where a
method of symbols is wanted in strictly typed code, ``symbol(value)`` gives it its own type.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NoReturn, Self

from weft.dialects.native.drafts import Draft, user_line
from weft.model.errors import InvalidPolicy, SymbolError
from weft.model.graph import Role
from weft.model.inputs import Fact, Input, Output, Param
from weft.model.rules import All, Depends, Is, Not, TriggerRule
from weft.model.rules import Any as AnyRule
from weft.model.states import TERMINAL, TaskState

_DECIDE = (
    "decide with `with when(...)` or with a task that names what follows (branch()), or write a @flow: there "
    "values are real"
)
_ITEMS = "go through its items with a task's .map(), or write a @flow: there values are real"
_INSIDE = "do it inside a task, or write a @flow: there values are real"


class Orderable(ABC):
    """What has a place in a ``@dag``'s order: symbols and groups."""

    __slots__ = ()

    @abstractmethod
    def _first(self) -> list[Draft]:
        """What waits for whatever is put before this."""

    @abstractmethod
    def _last(self) -> list[Draft]:
        """What is waited for by whatever is put after this."""

    def after(self, *others: Any) -> Self:
        """Start only when these symbols, groups or lists of them have ended; their values are not taken."""
        order(others, self)
        return self

    def __rshift__(self, other: Any) -> Any:
        order(self, other)
        return other

    def __lshift__(self, other: Any) -> Any:
        order(other, self)
        return other

    def __rrshift__(self, other: Any) -> Any:
        order(other, self)
        return self

    def __rlshift__(self, other: Any) -> Any:
        order(self, other)
        return self


class Symbol(Orderable):
    """A value to come. See the module's docstring.

    ``symbol[i]`` and ``symbol.field`` stand for a part of it; a field that is named like one of the methods
    here is reached as ``symbol["after"]``.
    """

    __slots__ = ("_draft", "_home", "_source")

    def __init__(self, source: Input, home: object, draft: Draft | None = None) -> None:
        self._source = source
        self._home = home
        self._draft = draft

    def __repr__(self) -> str:
        return f"<Symbol {describe(self)}>"

    # --- parts --------------------------------------------------------------------------------------------

    def __getitem__(self, step: str | int) -> Symbol:
        if isinstance(step, bool) or not isinstance(step, str | int):
            refuse(
                self, f"no part can be taken with {step!r}", "use a name or a number, or do it inside a task"
            )
        return self._part(step)

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("_"):
            raise AttributeError(f"{self!r} has no {name!r}; use [{name!r}] for a part of the value")
        return self._part(name)

    def _part(self, step: str | int) -> Symbol:
        source = self._source
        if isinstance(source, Output):
            part: Input = Output(
                source.node, (*source.path, step), source.name, source.default, source.allow_failure
            )
        elif isinstance(source, Param):
            part = Param(source.name, (*source.path, step))
        elif isinstance(source, Fact):
            part = Fact(source.name, (*source.path, step))
        else:
            refuse(self, "it has no parts", _INSIDE)
        return Symbol(part, self._home, self._draft)

    # --- order and roles ----------------------------------------------------------------------------------

    def _first(self) -> list[Draft]:
        """Its node."""
        return [self._node()]

    def _last(self) -> list[Draft]:
        """Its node."""
        return [self._node()]

    def rule(self, rule: TriggerRule | str) -> Symbol:
        """Start by another rule than "all upstream succeeded".

        Raises:
            InvalidPolicy: There is no such rule.
        """
        self._node().rule = _rule_named(rule)
        return self

    def when_states(self, states: StateSymbol) -> Symbol:
        """Start, once every task named has ended, if this holds: ``succeeded(a) & ~failed(b)``; else skip."""
        if not isinstance(states, StateSymbol):
            refuse(self, f"when_states got {states!r}", "give it succeeded(task), failed(task)... combined")
        draft = self._node()
        for each in states.drafts:
            _same_home(each, draft)
        draft.rule = states.depends
        return self

    def as_setup(self) -> Symbol:
        """Make it a setup: something that teardowns undo."""
        self._node().role = Role.SETUP
        return self

    def as_teardown(self, setups: Any = (), *, fails_dag: bool = False) -> Symbol:
        """Make it a teardown: it runs, whatever happened, once all the work after its setups has ended.

        Args:
            setups: What it undoes, one or a list; each becomes a setup. It runs if one of them succeeded.
                Without it, the setups directly before it count.
            fails_dag: Whether its failure fails the dag too.
        """
        draft = self._node()
        draft.role = Role.TEARDOWN
        draft.fails_group = True if fails_dag else None
        for each in _drafts(setups, "setups"):
            _same_home(each, draft)
            each.role = Role.SETUP
            draft.scope[each.key] = each
        return self

    def _node(self) -> Draft:
        if self._draft is None:
            refuse(self, "it has no place in the order", "only what a task call gives has one")
        return self._draft

    def result(self, timeout: float | None = None) -> Symbol:
        """Itself: what ``.submit`` and ``.map`` give can be written as in a flow, with the same types."""
        return self

    # --- conditions ---------------------------------------------------------------------------------------

    def isin(self, values: Any) -> ConditionSymbol:
        """Whether it is one of these values."""
        return ConditionSymbol("in", (self, values))

    def __eq__(self, other: object) -> ConditionSymbol:  # type: ignore[override]  # a condition, not a bool
        return ConditionSymbol("==", (self, other))

    def __ne__(self, other: object) -> ConditionSymbol:  # type: ignore[override]  # as above
        return ConditionSymbol("!=", (self, other))

    def __lt__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("<", (self, other))

    def __le__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("<=", (self, other))

    def __gt__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol(">", (self, other))

    def __ge__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol(">=", (self, other))

    def __and__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("and", (self, other))

    def __or__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("or", (self, other))

    def __rand__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("and", (other, self))

    def __ror__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("or", (other, self))

    def __invert__(self) -> ConditionSymbol:
        return ConditionSymbol("not", (self,))


class ConditionSymbol:
    """A condition over values to come, for ``when``. Combine with ``&``, ``|`` and ``~``.

    ``op`` is a comparison, ``and``, ``or`` or ``not``; ``terms`` are symbols, conditions and plain values.
    """

    __slots__ = ("op", "terms")

    def __init__(self, op: str, terms: tuple[Any, ...]) -> None:
        self.op = op
        self.terms = terms

    def __repr__(self) -> str:
        if self.op == "not":
            return f"not {self.terms[0]!r}"
        return f" {self.op} ".join(map(repr, self.terms))

    def __and__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("and", (self, other))

    def __or__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("or", (self, other))

    def __rand__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("and", (other, self))

    def __ror__(self, other: Any) -> ConditionSymbol:
        return ConditionSymbol("or", (other, self))

    def __invert__(self) -> ConditionSymbol:
        return ConditionSymbol("not", (self,))


class StateSymbol:
    """A condition over how tasks end, for ``when_states``. Combine with ``&``, ``|`` and ``~``."""

    __slots__ = ("depends", "drafts")

    def __init__(self, depends: Depends, drafts: tuple[Draft, ...]) -> None:
        self.depends = depends
        self.drafts = drafts

    def __repr__(self) -> str:
        return f"<StateSymbol of {', '.join(each.key for each in self.drafts)}>"

    def __and__(self, other: StateSymbol) -> StateSymbol:
        return StateSymbol(All((self.depends, other.depends)), self.drafts + other.drafts)

    def __or__(self, other: StateSymbol) -> StateSymbol:
        return StateSymbol(AnyRule((self.depends, other.depends)), self.drafts + other.drafts)

    def __invert__(self) -> StateSymbol:
        return StateSymbol(Not(self.depends), self.drafts)


def succeeded(task: Any, *, items: str = "") -> StateSymbol:
    """Whether a task succeeded. ``items="any"`` or ``"all"`` looks at the items of a mapped one."""
    return _states(task, frozenset({TaskState.SUCCEEDED, TaskState.CACHED}), items)


def failed(task: Any, *, items: str = "") -> StateSymbol:
    """Whether a task failed, could not start because one before it failed, or was cancelled."""
    return _states(task, frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.CANCELLED}), items)


def skipped(task: Any, *, items: str = "") -> StateSymbol:
    """Whether a task was skipped."""
    return _states(task, frozenset({TaskState.SKIPPED}), items)


def done(task: Any, *, items: str = "") -> StateSymbol:
    """Whether a task has ended, however it did."""
    return _states(task, TERMINAL, items)


def symbol(value: Any) -> Symbol:
    """The same value with its type as a symbol, for strictly typed code: ``symbol(load(x)).rule(...)``.

    Raises:
        SymbolError: It is none.
    """
    if not isinstance(value, Symbol):
        raise SymbolError(
            f"{value!r:.80} is not a symbol", where=user_line(), hint="inside a @dag task calls give symbols"
        )
    return value


def chain(*steps: Any) -> None:
    """Put steps one after the other: ``chain(a, [b, c], d)`` is ``a >> [b, c] >> d`` for any types."""
    for before, after in pairwise(steps):
        order(before, after)


def order(before: Any, after: Any) -> None:
    """Let what is in ``after`` wait for what is in ``before``: symbols, groups, lists of them."""
    for late in _drafts(after, "order", first=True):
        for early in _drafts(before, "order"):
            _same_home(early, late)
            if early is late:
                raise SymbolError(
                    f"{late.key!r} cannot come after itself", where=user_line(), hint="remove this edge"
                )
            late.needs[early.key] = early


def _drafts(found: Any, what: str, *, first: bool = False) -> list[Draft]:
    if isinstance(found, Orderable):
        return found._first() if first else found._last()
    if isinstance(found, list | tuple):
        return [draft for each in found for draft in _drafts(each, what, first=first)]
    raise SymbolError(
        f"{found!r:.80} cannot be ordered",
        where=user_line(),
        hint="order what task calls give, groups, and lists of these",
    )


def _states(task: Any, states: Iterable[TaskState], items: str) -> StateSymbol:
    if items not in ("", "any", "all"):
        raise InvalidPolicy(f"items={items!r} is not known", hint='use "any" or "all"')
    draft = symbol(task)._node()
    return StateSymbol(Is(draft.key, frozenset(states), items), (draft,))


def _same_home(one: Draft, other: Draft) -> None:
    if one.home is not other.home:
        raise SymbolError(
            f"{one.key!r} and {other.key!r} are in different dags",
            where=user_line(),
            hint="order the inner dag's symbol as a whole, or pass values as its arguments",
        )


def _rule_named(rule: TriggerRule | str) -> TriggerRule:
    try:
        return TriggerRule(rule)
    except ValueError:
        names = [each.value for each in TriggerRule]
        near = difflib.get_close_matches(str(rule), names, n=1)
        raise InvalidPolicy(
            f"there is no trigger rule {rule!r}",
            where=user_line(),
            hint=f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}",
        ) from None


# --- what cannot be traced --------------------------------------------------------------------------------


def describe(found: object) -> str:
    """A symbol in words."""
    if not isinstance(found, Symbol):
        return repr(found)
    source = found._source
    path = "".join(
        f"[{each}]" if isinstance(each, int) else f".{each}" for each in getattr(source, "path", ())
    )
    if isinstance(source, Output):
        return f"the result of task {source.node!r}{path}"
    if isinstance(source, Param):
        return f"parameter {source.name!r}{path}"
    if isinstance(source, Fact):
        return f"fact {source.name!r}{path}"
    return "a value to come"


def refuse(found: object, what: str, hint: str) -> NoReturn:
    """Say that something needs a value which exists only when the workflow runs."""
    name = getattr(getattr(found, "_home", None), "name", "")
    of = f" while @dag {name} is traced" if name else " while a @dag is traced"
    raise SymbolError(f"{describe(found)} has no value{of}: {what}", where=user_line(), hint=hint)


def _refusal(what: str, hint: str) -> Callable[..., NoReturn]:
    def refused(self: object, *args: object, **kwargs: object) -> NoReturn:
        refuse(self, what, hint)

    return refused


_REFUSED = {
    "it cannot be true or false (if, while, and, or, not)": (_DECIDE, "__bool__"),
    "it cannot be searched (in)": (_DECIDE + "; value.isin(values) is a condition", "__contains__"),
    "its items cannot be gone through": (_ITEMS, "__iter__ __reversed__ __next__"),
    "its length is not known": (_ITEMS, "__len__ __length_hint__"),
    "it cannot become a number": (_INSIDE, "__int__ __float__ __complex__ __index__ __round__ __trunc__"),
    "it cannot become text": (_INSIDE, "__str__ __format__ __bytes__ __fspath__"),
    "it cannot be called": (_INSIDE, "__call__"),
    "it cannot be awaited": ("a @dag's body is no coroutine: use the symbol as it is", "__await__ __aiter__"),
    "it cannot be hashed (as a dictionary's key, in a set)": (_INSIDE, "__hash__"),
    "it cannot be changed": (_INSIDE, "__setitem__ __delitem__"),
    "it cannot be entered": ("`with when(...)` takes conditions", "__enter__ __exit__"),
    "it cannot be pickled": ("pass it as an argument", "__reduce__ __reduce_ex__"),
    "it cannot be calculated with": (
        _INSIDE,
        "__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __floordiv__ "
        "__rfloordiv__ __mod__ __rmod__ __pow__ __rpow__ __matmul__ __rmatmul__ __divmod__ __rdivmod__ "
        "__neg__ __pos__ __abs__ __xor__ __rxor__",
    ),
}

for _what, (_hint, _names) in _REFUSED.items():
    for _name in _names.split():
        for _kind in (Symbol, ConditionSymbol, StateSymbol):
            setattr(_kind, _name, _refusal(_what, _hint))
