"""Where a node's inputs come from, before they are bound, and conditions over them.

``core/binding.py`` turns these into ``model.values.Bound`` trees when the task run starts.
"""

import msgspec

from weft.model.values import Result


class Const(msgspec.Struct, frozen=True, tag="const"):
    """A value fixed in the definition."""

    value: Result


class Param(msgspec.Struct, frozen=True, omit_defaults=True, tag="param"):
    """A parameter of the scope: the run's at the top, a group's own inside it."""

    name: str
    path: tuple[str | int, ...] = ()


class Output(msgspec.Struct, frozen=True, omit_defaults=True, tag="output"):
    """Another node's result in the same scope, or a part of it.

    Attributes:
        node: The producer's key.
        path: ``.field`` and ``[i]`` steps into the value.
        name: A named output of the producer; "" is its result.
        default: Used when the producer was skipped.
        allow_failure: Whether a failed producer is accepted, as ``Absent``.
    """

    node: str
    path: tuple[str | int, ...] = ()
    name: str = ""
    default: Result | None = None
    allow_failure: bool = False


class TaskOutput(msgspec.Struct, frozen=True, omit_defaults=True, tag="task"):
    """The result of a task run of the same run, by its index: how a flow's futures become edges."""

    idx: int
    path: tuple[str | int, ...] = ()
    allow_failure: bool = False


class Item(msgspec.Struct, frozen=True, omit_defaults=True, tag="item"):
    """The current item of the nearest map around the node.

    Attributes:
        path: Steps into the item; for a map over several names the first step is the name.
        depth: How many maps further out: 0 is the nearest.
    """

    path: tuple[str | int, ...] = ()
    depth: int = 0


class Fact(msgspec.Struct, frozen=True, omit_defaults=True, tag="fact"):
    """A fact about the run or the scope, or a part of it.

    ``run_id``, ``workflow``, ``logical_date`` (UTC; when the run was accepted, if nobody said), ``key``,
    ``map_index``, ``attempt``; in an exit handler also ``status`` and ``failures`` of the scope that ended.
    """

    name: str
    path: tuple[str | int, ...] = ()


class HookEvent(msgspec.Struct, frozen=True, tag="hook_event"):
    """For a hook: what happened to the task run that it belongs to, as a mapping.

    Keys: ``run_id``, ``workflow``, ``key``, ``name``, ``state``, ``attempt``, ``error``, ``result``,
    ``idempotency_key``.
    """


class Template(msgspec.Struct, frozen=True, tag="template"):
    """A value with holes, such as a list that holds another node's output."""

    data: Result
    refs: tuple["Input", ...]


class Expr(msgspec.Struct, frozen=True, omit_defaults=True, tag="expr"):
    """Text in a dialect's expression language, evaluated when the inputs are known."""

    language: str
    text: str
    refs: dict[str, "Input"] = {}


Input = Const | Param | Output | TaskOutput | Item | Fact | HookEvent | Template | Expr


class Compare(msgspec.Struct, frozen=True, tag="compare"):
    """``left op right`` over values: ``== != < <= > >= in not_in truthy``."""

    op: str
    left: Input
    right: Input | None = None


class AllOf(msgspec.Struct, frozen=True, tag="allof"):
    """Every condition holds."""

    terms: tuple["Condition", ...]


class AnyOf(msgspec.Struct, frozen=True, tag="anyof"):
    """At least one condition holds."""

    terms: tuple["Condition", ...]


class NotOf(msgspec.Struct, frozen=True, tag="notof"):
    """The condition does not hold."""

    term: "Condition"


class When(msgspec.Struct, frozen=True, tag="when"):
    """A dialect's expression whose value is a boolean."""

    expr: Expr


Condition = Compare | AllOf | AnyOf | NotOf | When


def outputs_in(source: "Input | Condition") -> list[Output]:
    """The node outputs that an input or a condition reads, in order."""
    found: list[Output] = []
    pending: list[Input | Condition] = [source]
    while pending:
        each = pending.pop()
        if isinstance(each, Output):
            found.append(each)
        elif isinstance(each, Template):
            pending.extend(reversed(each.refs))
        elif isinstance(each, Expr):
            pending.extend(reversed(each.refs.values()))
        elif isinstance(each, Compare):
            if each.right is not None:
                pending.append(each.right)
            pending.append(each.left)
        elif isinstance(each, AllOf | AnyOf):
            pending.extend(reversed(each.terms))
        elif isinstance(each, NotOf):
            pending.append(each.term)
        elif isinstance(each, When):
            pending.append(each.expr)
    return found
