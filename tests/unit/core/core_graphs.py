"""Short ways to build graphs and to read values, for the core's tests."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from weft.core.binding import value
from weft.model.bound import BOUND, decode_bound
from weft.model.calls import GroupCall, PythonCall
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.inputs import Const, Item, Output, Param
from weft.model.values import Absent, Bound, Named, Pick, Plain, Result, ResultList

# --- building graphs --------------------------------------------------------------------------------------


def const(plain: Any) -> Const:
    """A constant input."""
    return Const(value(plain))


def out(node: str, *path: str | int, **extra: Any) -> Output:
    """Another node's result, or a part of it."""
    return Output(node, path, **extra)


def param(name: str) -> Param:
    """A parameter of the scope."""
    return Param(name)


def task(key: str, *needs: str, **extra: Any) -> Node:
    """A node that calls the function of its own name."""
    extra.setdefault("call", PythonCall("tasks", re.sub(r"\W", "_", key)))
    return Node(key=key, needs=needs, **extra)


def group(*nodes: Node, **extra: Any) -> Group:
    """A group of nodes."""
    return Group(nodes=nodes, **extra)


def call(name: str) -> GroupCall:
    """A call of a group."""
    return GroupCall(name)


def dag(*nodes: Node, groups: dict[str, Group] | None = None, main: Any = None, **extra: Any) -> Graph:
    """A static workflow whose main group holds ``nodes``; ``main`` are the group's other fields."""
    groups = {MAIN: Group(nodes=nodes, **(main or {})), **(groups or {})}
    return Graph(workflow="w", root=Node(key="w", call=GroupCall(MAIN)), groups=groups, **extra)


def flow_node(name: str = "main", **extra: Any) -> Node:
    """A node that calls the flow ``name``."""
    return Node(key=name, call=PythonCall("flows", name, flow=True), **extra)


def flow(name: str = "main", **extra: Any) -> Graph:
    """A dynamic workflow whose root is the flow ``name``."""
    return Graph(workflow=name, root=flow_node(name, **extra))


# --- values -----------------------------------------------------------------------------------------------


def plain(bound: Bound) -> Any:
    """What a bound tree comes to, as plain values."""
    if isinstance(bound, Plain):
        if bound.result.format == BOUND:
            return plain(decode_bound(bound.result))
        return msgspec.msgpack.decode(bound.result.inline or b"")
    if isinstance(bound, ResultList):
        return [None if each is None else plain(Plain(each)) for each in bound.items]
    if isinstance(bound, Pick):
        found = plain(bound.of)
        for step in bound.path:
            found = found[step]
        return found
    if isinstance(bound, Named):
        return {name: plain(each) for name, each in bound.items.items()}
    if isinstance(bound, Absent):
        return f"<{bound.state}>"
    return [plain(each) for each in bound.refs]


def packed(items: Iterable[Result]) -> Result:
    """A map's items as one stored value."""
    data = msgspec.msgpack.encode(tuple(items))
    return Result("items", data, None, len(data))


def unpacked(stored: Result) -> tuple[Result, ...]:
    """The items in what ``packed`` made."""
    return msgspec.msgpack.decode(stored.inline or b"", type=tuple[Result, ...])


def item(*path: str | int) -> Item:
    """The current item of the nearest map."""
    return Item(path)
