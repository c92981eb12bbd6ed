"""A graph as pages draw it: nodes with their edges, group by group. What it leaves out is not for drawing."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from weft.artifacts.artifacts import Artifacts
from weft.model.calls import Call, ContainerCall, GroupCall, PythonCall, WaitCall
from weft.model.edges import upstream_of
from weft.model.graph import Graph, Group, Node, Parameter
from weft.model.rules import TriggerRule
from weft.server.views import json_of


class NodeView(msgspec.Struct, kw_only=True):
    """A task's place in a group.

    Attributes:
        key: Its key in the group.
        name: The task's name.
        kind: What it does: ``python``, ``shell``, ``group``, ``wait``...
        upstream: Keys of the nodes directly before it.
        rule: When it may start: a trigger rule, or ``depends`` for an expression.
        conditional: Whether it also has a condition over values.
        mapped: Whether it runs once for each item of something.
        branch: How its result steers what follows.
        role: ``work``, ``setup``, ``teardown`` or ``exit``.
        group: Name of the group whose nodes it holds.
        call: What it calls: a function, an image.
        path: Names of the visual groups around it.
        label: Shown instead of its name.
        doc: For people, Markdown.
        tags: For people.
        retries: Attempts after the first; -1 is no limit.
        timeout_s: Longest execution of one attempt.
        cached: Whether its results are reused.
        priority: Higher first.
        pools: Slots that it takes, by pool.
        executor: Where it runs; empty is the default.
    """

    key: str
    name: str
    kind: str
    upstream: list[str]
    rule: str
    conditional: bool = False
    mapped: bool = False
    branch: str = ""
    role: str = "work"
    group: str = ""
    call: str = ""
    path: list[str] = []
    label: str = ""
    doc: str = ""
    tags: list[str] = []
    retries: int = 0
    timeout_s: float | None = None
    cached: bool = False
    priority: int = 0
    pools: dict[str, int] = {}
    executor: str = ""


class ParameterView(msgspec.Struct, kw_only=True):
    """A parameter of a workflow.

    Attributes:
        name: Its name.
        required: Whether it needs a value.
        schema: JSON Schema of its type.
        fact: The fact of the run that is its default, such as ``logical_date``.
        default: What it is if it is left out; absent if that is no plain data, large, or nothing.
        doc: For people.
    """

    name: str
    required: bool
    schema: dict[str, object] = {}
    fact: str = ""
    default: Any | UnsetType = UNSET
    doc: str = ""


class GraphView(msgspec.Struct, kw_only=True):
    """A workflow version's graph.

    Attributes:
        workflow: The workflow's name.
        dialect: How it is written.
        root: What a run runs: a flow, a single task, or the group ``main``.
        groups: Nodes by group.
        params: What it takes.
        doc: For people, Markdown.
        tags: For people.
    """

    workflow: str
    dialect: str
    root: NodeView
    groups: dict[str, list[NodeView]]
    params: list[ParameterView]
    doc: str = ""
    tags: list[str] = []


def graph_view(graph: Graph, artifacts: Artifacts) -> GraphView:
    """A graph for drawing."""
    return GraphView(
        workflow=graph.workflow,
        dialect=graph.dialect,
        root=_node(graph.root),
        groups={name: _nodes(group) for name, group in graph.groups.items()},
        params=[parameter_view(each, artifacts) for each in graph.params],
        doc=graph.doc,
        tags=list(graph.tags),
    )


def parameter_view(parameter: Parameter, artifacts: Artifacts) -> ParameterView:
    """A parameter for a form."""
    default = parameter.default
    return ParameterView(
        name=parameter.name,
        required=parameter.required,
        schema=parameter.schema,
        fact=parameter.fact,
        default=UNSET if default is None or default.inline is None else json_of(default, artifacts),
        doc=parameter.doc,
    )


def _nodes(group: Group) -> list[NodeView]:
    return [_node(each) for each in group.nodes]


def _node(node: Node) -> NodeView:
    call = node.call
    return NodeView(
        key=node.key,
        name=node.name or node.key,
        kind="flow" if isinstance(call, PythonCall) and call.flow else str(call.__struct_config__.tag),
        upstream=upstream_of(node),
        rule=str(node.rule) if isinstance(node.rule, TriggerRule) else "depends",
        conditional=node.when is not None,
        mapped=node.map is not None,
        branch=str(node.branch) if node.branch is not None else "",
        role=str(node.role),
        group=call.group if isinstance(call, GroupCall) else "",
        call=_called(call),
        path=list(node.path),
        label=node.label,
        doc=node.doc,
        tags=list(node.tags),
        retries=node.retry.limit if node.retry is not None else 0,
        timeout_s=node.timeout.execution_s if node.timeout is not None else None,
        cached=node.cache is not None,
        priority=node.priority,
        pools=node.pools,
        executor=node.placement.executor,
    )


def _called(call: Call) -> str:
    if isinstance(call, PythonCall):
        return f"{call.module}:{call.qualname}"
    if isinstance(call, ContainerCall):
        return call.image
    if isinstance(call, WaitCall):
        return str(call.wait.__struct_config__.tag)
    return ""
