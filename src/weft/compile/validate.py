"""Refuses a graph that cannot run, before anything of it does.

The first thing that is wrong is raised, with its place and a way to mend it. Names come before edges and
edges before policies, so that the error met first is the one that explains the others.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches

import msgspec

from weft.compile.policies import check_limits, check_policies, check_shared_keys
from weft.model.calls import GroupCall
from weft.model.edges import circle, upstream_of
from weft.model.errors import CycleError, DuplicateTask, InvalidWorkflow, UnknownReference, WrongParameterType
from weft.model.graph import Graph, Group, Node, Parameter, Role
from weft.model.inputs import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Expr,
    Input,
    Item,
    NotOf,
    Param,
    Template,
    When,
    outputs_in,
)

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str, bytes),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def validate(graph: Graph) -> None:
    """Check a graph.

    Raises:
        DuplicateTask: Two nodes of a group, or two parameters, have the same name.
        UnknownReference: A node, group or parameter is named that is not there.
        CycleError: Nodes need each other in a circle.
        InvalidPolicy: A policy makes no sense.
        WrongParameterType: A parameter's default does not fit its schema.
        InvalidWorkflow: A definition that could never end, such as work that waits for an exit handler.
    """
    groups = {**graph.root.groups, **graph.groups}
    _check_parameters(graph.params, graph.workflow)
    for name, group in groups.items():
        _check_parameters(group.params, f"group {name}")
        _check_keys(group, name)
    known = set(_parameters(graph, groups))
    mapped = any(node.map is not None for node in _all_nodes(graph.root, groups.values()))
    _check_node(graph.root, "", groups, known, mapped=mapped)
    for name, group in groups.items():
        _check_group(group, name, groups, known, mapped=mapped)
    check_limits(graph)
    for node in _all_nodes(graph.root, groups.values()):
        check_policies(node, node.key)
    check_shared_keys(groups.values(), graph.root)


def _all_nodes(root: Node, groups: Iterable[Group]) -> Iterator[Node]:
    yield root
    for group in groups:
        yield from group.nodes


# --- parameters -------------------------------------------------------------------------------------------


def _check_parameters(params: Iterable[Parameter], where: str) -> None:
    seen: set[str] = set()
    for each in params:
        if each.name in seen:
            raise DuplicateTask(f"two parameters are called {each.name!r}", where=where, hint="rename one")
        seen.add(each.name)
        if each.default is not None and each.required:
            raise InvalidWorkflow(
                f"the parameter {each.name!r} is required and has a default",
                where=where,
                hint="it can be only one of both",
            )
        _check_default(each, where)


def _check_default(parameter: Parameter, where: str) -> None:
    """Hold a plain default against the plain types of its schema; the dialect knows the finer ones."""
    names = parameter.schema.get("type")
    default = parameter.default
    if names is None or default is None or default.format != "msgpack" or default.inline is None:
        return
    allowed = [names] if isinstance(names, str) else list(names)
    try:
        value = msgspec.msgpack.decode(default.inline)
    except msgspec.MsgspecError:
        return
    if isinstance(value, msgspec.msgpack.Ext):
        return
    types = tuple(each for name in allowed for each in _JSON_TYPES.get(name, (object,)))
    if not isinstance(value, types) or (
        isinstance(value, bool) and bool not in types and object not in types
    ):
        raise WrongParameterType(
            f"the default of {parameter.name!r} is {value!r}, which is no {' or '.join(allowed)}",
            where=where,
            hint="change the default or the annotation",
        )


def _parameters(graph: Graph, groups: Mapping[str, Group]) -> Iterator[str]:
    """Every name that a ``Param`` may find: those of the run, of groups, and what callers of groups give."""
    yield from (each.name for each in graph.params)
    for group in groups.values():
        yield from (each.name for each in group.params)
    for node in _all_nodes(graph.root, groups.values()):
        if isinstance(node.call, GroupCall):
            yield from node.inputs


# --- groups and nodes -------------------------------------------------------------------------------------


def _check_keys(group: Group, name: str) -> None:
    seen: set[str] = set()
    for node in group.nodes:
        if not node.key:
            raise InvalidWorkflow("a task has no name", where=f"group {name}", hint="give it one")
        if node.key in seen:
            raise DuplicateTask(
                f"two tasks are called {node.key!r}", where=f"group {name}", hint="rename one of them"
            )
        seen.add(node.key)


def _check_group(
    group: Group, name: str, groups: Mapping[str, Group], known: Collection[str], *, mapped: bool
) -> None:
    by_key = {node.key: node for node in group.nodes}
    for node in group.nodes:
        for key in upstream_of(node):
            if key not in by_key:
                raise _unknown(
                    f"{node.key!r} needs {key!r}, which is not in its group", node.key, key, by_key
                )
        _check_role(node, by_key)
        _check_node(node, name, groups, known, mapped=mapped)
    given = {"returns": group.returns, **group.outputs}
    for label, source in given.items():
        for output in outputs_in(source) if source is not None else ():
            if output.node not in by_key:
                raise _unknown(
                    f"the output {label!r} reads {output.node!r}, which is not in the group",
                    f"group {name}",
                    output.node,
                    by_key,
                )
    keys = [group.nodes[each].key for each in circle(_up(group))]
    if keys:
        raise CycleError(
            "tasks need each other in a circle: " + " -> ".join(keys),
            where=keys[0],
            hint="remove one of these edges",
            cycle=keys,
        )


def _up(group: Group) -> list[list[int]]:
    """For each node the positions of those directly before it."""
    position = {node.key: at for at, node in enumerate(group.nodes)}
    return [[position[key] for key in upstream_of(node)] for node in group.nodes]


def _check_role(node: Node, by_key: Mapping[str, Node]) -> None:
    if node.scope and node.role is not Role.TEARDOWN:
        raise InvalidWorkflow(
            f"{node.key!r} names setups and is no teardown",
            where=node.key,
            hint="only a teardown has a scope",
        )
    for key in node.scope:
        if by_key[key].role is not Role.SETUP:
            raise InvalidWorkflow(
                f"{node.key!r} tears down {key!r}, which is no setup", where=node.key, hint=f"mark {key!r}"
            )
    if node.role is not Role.EXIT:
        for key in upstream_of(node):
            if by_key[key].role is Role.EXIT:
                raise InvalidWorkflow(
                    f"{node.key!r} waits for the exit handler {key!r}, which waits for {node.key!r} to end",
                    where=node.key,
                    hint="make it an exit handler too",
                )
    if node.daemon and (node.map is not None or isinstance(node.call, GroupCall)):
        raise InvalidWorkflow(
            f"{node.key!r} is a daemon and {'a map' if node.map is not None else 'a group'}",
            where=node.key,
            hint="a daemon is one task that runs until its group ends",
        )


def _check_node(
    node: Node, group: str, groups: Mapping[str, Group], known: Collection[str], *, mapped: bool
) -> None:
    if isinstance(node.call, GroupCall) and node.call.group not in groups:
        what = f"{node.key!r} calls the group {node.call.group!r}, which is not defined"
        raise _unknown(what, node.key, node.call.group, groups)
    for source in _sources(node):
        for each in _leaves(source):
            if isinstance(each, Param) and each.name not in known:
                what = f"{node.key!r} reads the parameter {each.name!r}, which is not defined"
                raise _unknown(what, node.key, each.name, known)
            if isinstance(each, Item) and not mapped:
                raise InvalidWorkflow(
                    f"{node.key!r} reads the current item, and nothing is mapped",
                    where=node.key,
                    hint="give it, or a group around it, a map",
                )
    if not group:
        for source in _sources(node):
            for output in outputs_in(source):
                raise UnknownReference(
                    f"the root reads {output.node!r}, and there is nothing before it",
                    where=node.key,
                    hint="put both into a group",
                )


def _sources(node: Node) -> Iterator[Input | Condition]:
    yield from node.inputs.values()
    if node.when is not None:
        yield node.when
    if node.map is not None:
        yield from node.map.over.values()
        for bound in (node.map.start, node.map.end, node.map.count, node.map.step):
            if bound is not None:
                yield bound
    for hook in node.hooks:
        yield from hook.inputs.values()
        if hook.condition is not None:
            yield hook.condition


def _leaves(source: Input | Condition) -> Iterator[Input]:
    """The inputs inside an input or a condition that are read as they are."""
    pending: list[Input | Condition] = [source]
    while pending:
        each = pending.pop()
        if isinstance(each, Template):
            pending.extend(each.refs)
        elif isinstance(each, Expr):
            pending.extend(each.refs.values())
        elif isinstance(each, Compare):
            pending.append(each.left)
            if each.right is not None:
                pending.append(each.right)
        elif isinstance(each, AllOf | AnyOf):
            pending.extend(each.terms)
        elif isinstance(each, NotOf):
            pending.append(each.term)
        elif isinstance(each, When):
            pending.append(each.expr)
        else:
            yield each


def _unknown(what: str, where: str, name: str, known: Collection[str]) -> UnknownReference:
    near = get_close_matches(name, known, n=1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    else:
        hint = "there are: " + ", ".join(sorted(known)) if known else "there are none"
    return UnknownReference(what, where=where, hint=hint, name=name)
