"""Tracing: running a ``@dag``'s body once, with symbols, to learn its graph.

Rules:

1. Nothing runs. A task call in the body becomes a node of the group that is being traced; its arguments
   become one input with holes where the symbols are; what is large among them goes to the artifacts.
2. A node's key is its task's name; the second use of a task is ``name_2``, the third ``name_3``. Keys are
   what runs are compared by, so they depend on the order of the calls and on nothing else.
3. A dag called in a dag's body is a group of its own, traced once however often it is called. One that is
   being traced already is only named, so that a dag may call itself; a ``when`` must end that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from types import MethodType
from typing import TYPE_CHECKING, Any, cast

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.dialects.native.arguments import allow_failure, unmapped
from weft.dialects.native.drafts import Draft, user_line
from weft.dialects.native.symbols import ConditionSymbol, Orderable, StateSymbol, Symbol, order, refuse
from weft.model.calls import Call, GroupCall, PythonCall, ShellCall
from weft.model.edges import upstream_of
from weft.model.errors import DuplicateTask, InvalidWorkflow, SymbolError, UsageError
from weft.model.graph import Group, MapSpec, Node, Parameter, Role
from weft.model.inputs import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Const,
    Input,
    Item,
    NotOf,
    Output,
    Param,
    Template,
)
from weft.model.values import ARGS
from weft.runtime.host import Host

if TYPE_CHECKING:
    from weft.dialects.native.shaping import TaskGroup

_TRACE: ContextVar[Trace | None] = ContextVar("weft_trace", default=None)


def current_trace() -> Trace | None:
    """The trace of the ``@dag`` body that is being run, if one is."""
    return _TRACE.get()


class Session:
    """The tracing of one dag and of all the dags that it calls.

    Attributes:
        host: Whose graph this will be; ``None`` when it is only looked at.
        artifacts: Where constants go.
        groups: Those that are complete, by name.
    """

    def __init__(self, host: Host | None) -> None:
        self.host = host
        self.artifacts = host.artifacts if host is not None else Artifacts(MemoryBlobs())
        self.groups: dict[str, Group] = {}
        self._names: dict[Hashable, str] = {}
        self._taken: set[str] = set()

    def group_of(self, identity: Hashable, name: str, make: Callable[[Session], Group]) -> str:
        """The name of a dag's group; made by ``make`` the first time that this identity is met."""
        known = self._names.get(identity)
        if known is not None:
            return known
        free = _numbered(name, self._taken)
        self._taken.add(free)
        self._names[identity] = free
        self.groups[free] = make(self)
        return free


class Trace:
    """One group in the making. Tasks that are called meanwhile add themselves here.

    Attributes:
        name: The dag's name, for messages.
        host: See ``Session``.
        drafts: The nodes so far, by key.
    """

    def __init__(self, name: str, session: Session) -> None:
        self.name = name
        self.session = session
        self.host = session.host
        self.drafts: dict[str, Draft] = {}
        self.whens: list[Condition] = []
        self.groups: list[TaskGroup] = []
        self._last: dict[str, int] = {}
        self._aliases: set[str] = set()

    def run(self, body: Callable[[], Any], params: tuple[Parameter, ...], **options: Any) -> Group:
        """Run the body, and give the group that it describes; ``options`` are more fields of the group."""
        token = _TRACE.set(self)
        try:
            returned = body()
            returns = None if returned is None else self.input(returned, f"the result of dag {self.name}")
        finally:
            _TRACE.reset(token)
        self._close_teardowns()
        for draft in self.drafts.values():
            _check_tolerance(draft)
        nodes = tuple(draft.build() for draft in self.drafts.values())
        return Group(nodes=nodes, params=params, returns=returns, **options)

    def parameter(self, name: str) -> Symbol:
        """The symbol of a parameter."""
        return Symbol(Param(name), self)

    # --- what tasks ask -----------------------------------------------------------------------------------

    def call(
        self,
        name: str,
        node: Node,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        wait_for: Sequence[Any] = (),
        *,
        names: Sequence[str] = (),
        alias: bool = False,
    ) -> Symbol:
        """Add a node for a task call; its symbol.

        Args:
            name: The task's name.
            node: The task's node, without inputs.
            args, kwargs: What it is called with.
            wait_for: Symbols that must end first without giving a value.
            names: The task's parameters' names, for messages.
            alias: Whether the name was chosen for this use, so that it must not be taken.

        Raises:
            DuplicateTask: The name is another task's, or was chosen twice.
            NotSerializable: An argument cannot be stored.
        """
        draft = self.add(name, node, wait_for, alias=alias)
        if args or kwargs:
            packed = self._pack(draft, (tuple(args), kwargs), f"an argument of {name}", self._hole, names)
            draft.inputs[ARGS] = packed
        return self._symbol(draft)

    def call_group(
        self,
        name: str,
        node: Node,
        inputs: dict[str, Any],
        wait_for: Sequence[Any] = (),
        *,
        alias: bool = False,
    ) -> Symbol:
        """Add a node for a call with inputs by name: a group's."""
        draft = self.add(name, node, wait_for, alias=alias)
        draft.inputs = {
            each: self.input(value, f"{each!r} of {name}", draft) for each, value in inputs.items()
        }
        return self._symbol(draft)

    def map(
        self,
        name: str,
        node: Node,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        wait_for: Sequence[Any] = (),
        *,
        spec: MapSpec | None = None,
        names: Sequence[str] = (),
        alias: bool = False,
    ) -> Symbol:
        """Add a node for a mapped task call; its symbol stands for the list of results.

        Args:
            spec: How it maps, without ``over``.

        Arguments in ``unmapped()``, text, mappings and single values are given to every item as they are. All
        others are gone through.

        Raises:
            UsageError: There is nothing to go through.
        """
        columns = Columns(self, names)
        args = tuple(columns.place(each, at) for at, each in enumerate(args))
        kwargs = {each: columns.place(value, each) for each, value in kwargs.items()}
        draft = self.add(name, node, wait_for, alias=alias)
        columns.settle(draft, name, spec or MapSpec())
        draft.inputs[ARGS] = self._pack(draft, (args, kwargs), f"an argument of {name}", columns.hole, names)
        return self._symbol(draft)

    def map_group(
        self,
        name: str,
        node: Node,
        inputs: dict[str, Any],
        fixed: dict[str, Any],
        wait_for: Sequence[Any] = (),
        *,
        spec: MapSpec | None = None,
        alias: bool = False,
    ) -> Symbol:
        """Add a node for a mapped group; ``fixed`` inputs are the same for every item."""
        columns = Columns(self, ())
        placed = {each: columns.place(value, each) for each, value in inputs.items()}
        draft = self.add(name, node, wait_for, alias=alias)
        columns.settle(draft, name, spec or MapSpec())
        for each, value in placed.items():
            packed = self._pack(draft, value, f"{each!r} of {name}", columns.hole, ())
            # A bare item needs no template around it.
            draft.inputs[each] = columns.hole_of(value) or packed
        for each, value in fixed.items():
            draft.inputs[each] = self.input(value, f"{each!r} of {name}", draft)
        return self._symbol(draft)

    # --- inputs and conditions ----------------------------------------------------------------------------

    def input(self, value: Any, what: str, draft: Draft | None = None) -> Input:
        """Where a value comes from: a symbol's source, a constant, or a template of both."""
        if isinstance(value, Symbol):
            source: Input = self._source(value)
            return source
        return self._pack(draft, value, what, self._hole, ())

    def condition(self, found: Any) -> Condition:
        """A condition over values, as the graph has it."""
        if isinstance(found, ConditionSymbol):
            op, terms = found.op, found.terms
            if op == "and":
                return AllOf(tuple(self.condition(each) for each in terms))
            if op == "or":
                return AnyOf(tuple(self.condition(each) for each in terms))
            if op == "not":
                return NotOf(self.condition(terms[0]))
            left, right = terms
            return Compare(op, self.input(left, "a condition"), self.input(right, "a condition"))
        if isinstance(found, Symbol):
            return Compare("truthy", self._source(found))
        if isinstance(found, StateSymbol):
            refuse(found, "it is about states, not values", "give it to task.when_states(...)")
        if isinstance(found, bool):
            return Compare("truthy", self.input(found, "a condition"))
        raise SymbolError(
            f"{found!r:.80} is no condition",
            where=user_line(),
            hint="compare symbols: when(size > 10), when(kind.isin(kinds)), when(ok & ~empty)",
        )

    def _source(self, found: Symbol) -> Input:
        if found._home is not None and found._home is not self:
            outer = getattr(found._home, "name", "another dag")
            raise SymbolError(
                f"{found!r} belongs to dag {outer}, and is used in dag {self.name}",
                where=user_line(),
                hint=f"give dag {self.name} a parameter for it",
            )
        return found._source

    def _hole(self, value: Any) -> Input | None:
        if isinstance(value, Symbol):
            return self._source(value)
        if isinstance(value, allow_failure):
            inner = value.future
            source = self._source(inner) if isinstance(inner, Symbol) else None
            if not isinstance(source, Output):
                refuse(inner, "allow_failure is for tasks' results", "pass it as it is")
            return msgspec.structs.replace(source, allow_failure=True)
        if isinstance(value, MethodType) and isinstance(value.__self__, Symbol):
            name = value.__name__
            refuse(value.__self__, f"{name!r} is a method of symbols", f'a field of that name is ["{name}"]')
        if isinstance(value, ConditionSymbol | StateSymbol | Orderable):
            refuse(value, "it is no argument", "conditions are for when() and when_states()")
        return None

    def _pack(
        self,
        draft: Draft | None,
        value: Any,
        what: str,
        hole: Callable[[Any], Input | None],
        names: Sequence[str],
    ) -> Input:
        data, refs = self.session.artifacts.pack(value, cast(Any, hole), what=what, names=names)
        if draft is not None:
            draft.tolerated |= {each.node for each in refs if isinstance(each, Output) and each.allow_failure}
        return Template(data, refs) if refs else Const(data)

    # --- nodes --------------------------------------------------------------------------------------------

    def add(self, name: str, node: Node, wait_for: Sequence[Any] = (), *, alias: bool = False) -> Draft:
        """Add a node without inputs."""
        path = tuple(each.name for each in self.groups)
        base = ".".join((*path, name))
        key = self._key(base, node.call, alias)
        draft = self.drafts[key] = Draft(node, key, path, tuple(self.whens), self)
        for each in self.groups:
            each.drafts.append(draft)
        if wait_for:
            order(list(wait_for), self._symbol(draft))
        return draft

    def _key(self, base: str, call: Call, alias: bool) -> str:
        taken = self.drafts.get(base)
        if taken is None:
            if alias:
                self._aliases.add(base)
            return base
        if alias or base in self._aliases or not _same_code(taken.node.call, call):
            raise DuplicateTask(
                f"two tasks of dag {self.name} are called {base!r}",
                where=f"{user_line()}; the other one at {taken.where}",
                hint='give one another name: task.with_options(name="...")',
                task=base,
            )
        number = self._last.get(base, 1) + 1
        while f"{base}_{number}" in self.drafts:
            number += 1
        self._last[base] = number
        return f"{base}_{number}"

    def _symbol(self, draft: Draft) -> Symbol:
        return Symbol(Output(draft.key), self, draft)

    def _close_teardowns(self) -> None:
        """Let each teardown wait for all the work that comes after its setups."""
        teardowns = [each for each in self.drafts.values() if each.role is Role.TEARDOWN]
        if not teardowns:
            return
        before = {key: upstream_keys(draft) for key, draft in self.drafts.items()}
        for teardown in teardowns:
            if not teardown.scope:
                direct = [self.drafts[key] for key in before[teardown.key]]
                teardown.scope = {each.key: each for each in direct if each.role is Role.SETUP}
                before[teardown.key] |= teardown.scope.keys()
        after: dict[str, list[str]] = {}
        for key, earlier in before.items():
            for each in earlier:
                after.setdefault(each, []).append(key)
        for teardown in teardowns:
            later = _reachable(after, [teardown.key])
            inside = _reachable(after, list(teardown.scope))
            for key in inside:
                draft = self.drafts[key]
                # A teardown of something that was set up in between comes first, as a stack unwinds.
                nested = draft.role is Role.TEARDOWN and bool(draft.scope.keys() & inside.keys())
                if (draft.role is Role.WORK or nested) and key not in later and draft is not teardown:
                    teardown.needs.setdefault(key, draft)


class Columns:
    """The arguments of a mapped call: which are gone through, and where their items go."""

    def __init__(self, trace: Trace, names: Sequence[str]) -> None:
        self._trace = trace
        self._names = names
        self._columns: dict[str, tuple[Any, _Spot]] = {}

    def place(self, value: Any, at: int | str) -> Any:
        """The argument, or a hole for its items."""
        if isinstance(value, unmapped):
            return value.value
        if not isinstance(value, Symbol):
            if isinstance(value, str | bytes | bytearray) or hasattr(value, "keys"):
                return value
            if not hasattr(value, "__iter__"):
                return value
            value = value if isinstance(value, list) else list(value)
        label = at if isinstance(at, str) else self._names[at] if at < len(self._names) else f"arg{at}"
        spot = _Spot()
        self._columns[label] = value, spot
        return spot

    def settle(self, draft: Draft, name: str, spec: MapSpec) -> None:
        """Give the node its map, and the holes their items."""
        if not self._columns:
            raise UsageError(
                f"{name}.map has nothing to map over",
                where=user_line(),
                hint="pass a symbol or a list, or call it instead",
            )
        single = len(self._columns) == 1
        over: dict[str, Input] = {}
        for label, (column, spot) in self._columns.items():
            over["" if single else label] = self._trace.input(column, f"{label!r} of {name}.map", draft)
            spot.item = Item() if single else Item((label,))
        draft.map = msgspec.structs.replace(spec, over=over)

    def hole(self, value: Any) -> Input | None:
        """The reference that an argument's leaf stands for."""
        return self.hole_of(value) or self._trace._hole(value)

    @staticmethod
    def hole_of(value: Any) -> Input | None:
        """The item that a hole of a column stands for."""
        return value.item if isinstance(value, _Spot) else None


class _Spot:
    """Where an item goes in a mapped call."""

    __slots__ = ("item",)

    item: Item


def _check_tolerance(draft: Draft) -> None:
    """``allow_failure`` needs a rule that lets the task start after a failure."""
    if not draft.tolerated or draft.rule is not None:
        return
    strict = sorted(upstream_keys(draft) - draft.tolerated)
    if strict:
        raise InvalidWorkflow(
            f"{draft.key!r} accepts the failure of {', '.join(sorted(draft.tolerated))} but not of "
            f"{', '.join(strict)}",
            where=draft.where,
            hint='wrap all of them in allow_failure(), or say when it starts with .rule("all_done")',
        )


def upstream_keys(draft: Draft) -> set[str]:
    """Keys of the nodes directly before a draft, as it stands."""
    return set(upstream_of(draft.build()))


def _reachable(after: dict[str, list[str]], start: list[str]) -> dict[str, None]:
    found: dict[str, None] = {}
    pending = list(start)
    while pending:
        for each in after.get(pending.pop(), ()):
            if each not in found:
                found[each] = None
                pending.append(each)
    return found


def _numbered(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _same_code(one: Call, other: Call) -> bool:
    """Whether two calls of one name are uses of one task, perhaps with other options."""
    if isinstance(one, PythonCall) and isinstance(other, PythonCall):
        return (one.module, one.qualname, one.file) == (other.module, other.qualname, other.file)
    named = PythonCall | ShellCall | GroupCall
    return one == other or not (isinstance(one, named) or isinstance(other, named))
