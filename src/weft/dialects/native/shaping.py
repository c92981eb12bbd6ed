"""The words that shape a ``@dag`` besides its task calls: conditions, branches, groups, exits, facts.

Each is a statement of the body while it is traced, and means nothing anywhere else.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

from weft.dialects.native.drafts import Draft, user_line
from weft.dialects.native.symbols import Orderable, Symbol
from weft.dialects.native.task import Task
from weft.dialects.native.tracing import Trace, current_trace, upstream_keys
from weft.model.errors import InvalidWorkflow, SymbolError, UsageError
from weft.model.graph import Branch, Role
from weft.model.inputs import Fact

T = TypeVar("T")


class TaskGroup(Orderable):
    """The nodes made inside a ``with group(...)``."""

    __slots__ = ("_trace", "drafts", "name")

    def __init__(self, name: str) -> None:
        if not name or "." in name:
            raise InvalidWorkflow(
                f"a group cannot be called {name!r}", where=user_line(), hint="use a word without dots"
            )
        self.name = name
        self.drafts: list[Draft] = []
        self._trace: Trace | None = None

    def __repr__(self) -> str:
        return f"<TaskGroup {self.name}>"

    def __enter__(self) -> TaskGroup:
        self._trace = tracing("group()")
        self._trace.groups.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._trace is not None
        self._trace.groups.remove(self)

    def _first(self) -> list[Draft]:
        """Its nodes that need no other of its nodes."""
        inside = {each.key for each in self.drafts}
        return [each for each in self.drafts if not upstream_keys(each) & inside]

    def _last(self) -> list[Draft]:
        """Its nodes that no other of its nodes needs."""
        needed: set[str] = set()
        for each in self.drafts:
            needed |= upstream_keys(each)
        return [each for each in self.drafts if each.key not in needed]


class when:
    """``with when(condition):`` what is called inside runs only if the condition holds, else is skipped.

    Conditions are comparisons of symbols (``size > 10``, ``kind.isin(kinds)``), a symbol itself (true or
    false), and these with ``&``, ``|`` and ``~``. Nested ones must all hold.
    """

    __slots__ = ("_condition", "_trace")

    def __init__(self, condition: Any) -> None:
        self._condition = condition
        self._trace: Trace | None = None

    def __enter__(self) -> None:
        self._trace = tracing("when()")
        self._trace.whens.append(self._trace.condition(self._condition))

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._trace is not None
        self._trace.whens.pop()


def group(name: str) -> TaskGroup:
    """``with group("load"):`` a visual group: the keys of what is called inside begin with ``load.``.

    The group itself can be ordered: ``extract >> load_group >> report``.
    """
    return TaskGroup(name)


def branch(chooser: T) -> T:
    """Let a task's result name the tasks directly after it that are followed; the others are skipped.

    Takes a task, and gives one that chooses (``@task(branch=True)`` says the same), or what calling it gave.
    The result is a name, a list of names, or nothing to skip them all.
    """
    return _steering(chooser, Branch.CHOOSE)


def short_circuit(gate: T, *, direct: bool = False) -> T:
    """Let a false result of a task skip all that comes after it, whatever its rule.

    Args:
        gate: As for ``branch``; ``@task(short_circuit=True)`` says the same.
        direct: Skip only what comes directly after it; the rest obeys its own rules.
    """
    return _steering(gate, Branch.SHORT_CIRCUIT_DIRECT if direct else Branch.SHORT_CIRCUIT)


def _steering(found: T, how: Branch) -> T:
    if isinstance(found, Symbol):
        found._node().branch = how
        return found
    if not isinstance(found, Task):
        raise UsageError(f"{found!r:.80} cannot steer a dag", where=user_line(), hint="give it a task")
    if how is Branch.CHOOSE:
        return found.with_options(branch=True)
    return found.with_options(short_circuit=True if how is Branch.SHORT_CIRCUIT else "direct")


def on_exit(handler: Any) -> Any:
    """Make a task an exit handler: it runs once everything else in the dag has ended, however it ended.

    It may read ``fact("status")`` and ``fact("failures")``. Returns its symbol.
    """
    if not isinstance(handler, Symbol) or handler._draft is None:
        raise SymbolError(
            f"{handler!r:.80} cannot be an exit handler", where=user_line(), hint="on_exit(notify(...))"
        )
    handler._draft.role = Role.EXIT
    return handler


def fact(name: str) -> Any:
    """A fact about the run, as an argument or a condition.

    ``run_id``, ``workflow``, ``logical_date`` (a UTC datetime), ``key``, ``map_index``, ``attempt``; in an
    exit handler also ``status`` ("succeeded", "failed", "cancelled") and ``failures`` (mappings with ``key``,
    ``name`` and ``message``).
    """
    return Symbol(Fact(name), None)


def logical_date() -> Any:
    """The moment that a run is for: its schedule's tick, or when it was started by hand.

    As a parameter's default it becomes what the annotation says: a ``datetime`` in UTC, a ``date`` or text.
    """
    return fact("logical_date")


def tracing(what: str) -> Trace:
    """The trace that is under way.

    Raises:
        UsageError: None is.
    """
    trace = current_trace()
    if trace is None:
        raise UsageError(
            f"{what} was called outside a @dag",
            where=user_line(),
            hint="call it in a @dag's body; a @flow uses if",
        )
    return trace
