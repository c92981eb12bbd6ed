"""Definitions that cannot run are refused, each with its code, its place and a way to mend it."""

from typing import Any

import msgspec
import pytest

from weft.compile.validate import validate
from weft.model.calls import GroupCall, PythonCall, WaitCall
from weft.model.errors import (
    CycleError,
    DuplicateTask,
    InvalidPolicy,
    InvalidWorkflow,
    UnknownReference,
    WeftError,
    WrongParameterType,
)
from weft.model.graph import MAIN, Branch, Graph, Group, Hook, HookOn, MapMode, MapSpec, Node, Parameter, Role
from weft.model.inputs import Compare, Const, Expr, Item, Output, Param, Template
from weft.model.policies import Backoff, Cache, Concurrency, RateLimit, Resources, Retry, Timeout
from weft.model.rules import All, Is, Not
from weft.model.states import TaskState
from weft.model.values import Result
from weft.model.waits import ApprovalWait, EventWait, PokeWait, TimerWait


def value(plain: Any) -> Result:
    """A plain value as a result."""
    data = msgspec.msgpack.encode(plain)
    return Result("msgpack", data, None, len(data))


def task(key: str, *needs: str, **extra: Any) -> Node:
    """A node that calls a function."""
    return Node(key=key, needs=needs, **{"call": PythonCall("m", "f"), **extra})


def dag(*nodes: Node, groups: dict[str, Group] | None = None, **extra: Any) -> Graph:
    """A graph whose main group holds the nodes."""
    main = Group(nodes=nodes)
    return Graph(
        workflow="w", root=Node(key="w", call=GroupCall(MAIN)), groups={MAIN: main, **(groups or {})}, **extra
    )


ITEMS = Const(value([1, 2]))
FAILED = frozenset({TaskState.FAILED})


def test_a_graph_with_everything_is_accepted() -> None:
    """Groups, maps, parameters, rules, setups, exits, hooks and every policy, all well defined."""
    inner = Group(nodes=(task("x", inputs={"p": Param("p"), "i": Item()}),), returns=Output("x"))
    graph = dag(
        task("up", role=Role.SETUP),
        task("a", "up", inputs={"d": Param("day")}, hooks=(Hook(HookOn.END, PythonCall("m", "h")),)),
        task("b", "a", when=Compare("==", Output("a"), ITEMS), branch=Branch.CHOOSE),
        Node(key="g", call=GroupCall("inner"), inputs={"p": Output("a")}, map=MapSpec(over={"": ITEMS})),
        task(
            "c",
            rule=All((Is("b", frozenset({TaskState.FAILED})), Not(Is("g", frozenset({TaskState.FAILED}))))),
        ),
        task("down", "c", role=Role.TEARDOWN, scope=("up",)),
        task("bye", role=Role.EXIT),
        task("later", "bye", role=Role.EXIT),
        task(
            "all",
            retry=Retry(limit=-1, delay_s=1, backoff=Backoff.LIST, delays_s=(1.0, 2.0), jitter=0.5),
            timeout=Timeout(execution_s=1, queued_s=2, total_s=3),
            cache=Cache(ttl_s=5),
            pools={"p": 2},
            concurrency=(Concurrency("k", 3),),
            rate_limits=(RateLimit("r", 1, 1.0),),
            resources=Resources(cpu=1, custom={"fpga": 0}),
        ),
        groups={"inner": inner},
        params=(Parameter("day", value("2026-01-01"), schema={"type": "string"}),),
    )
    validate(graph)


def refused(graph: Graph, kind: type[WeftError]) -> WeftError:
    """The error with which a graph is refused."""
    with pytest.raises(kind) as caught:
        validate(graph)
    assert caught.value.where
    assert caught.value.hint
    return caught.value


def test_a_circle_is_named_from_task_to_task() -> None:
    """The message walks the circle in the order of the edges; fields give it to machines."""
    error = refused(dag(task("a", "c"), task("b", "a"), task("c", "b"), task("d")), CycleError)
    assert error.fields["cycle"] == ["a", "b", "c", "a"]
    assert "a -> b -> c -> a" in error.what


def test_a_task_that_needs_itself_is_a_circle() -> None:
    """The smallest circle has one task."""
    assert refused(dag(task("a", "a")), CycleError).fields["cycle"] == ["a", "a"]


def test_two_tasks_of_one_name_are_refused() -> None:
    """A key is unique in its group; the same key in another group is another task."""
    assert "'a'" in refused(dag(task("a"), task("a")), DuplicateTask).what
    validate(dag(task("a"), Node(key="g", call=GroupCall("g")), groups={"g": Group(nodes=(task("a"),))}))


@pytest.mark.parametrize(
    "node",
    [
        task("b", "extrcat"),
        task("b", inputs={"x": Output("extrcat")}),
        task("b", inputs={"x": Template(value([None]), (Output("extrcat"),))}),
        task("b", inputs={"x": Expr("jinja", "x", {"x": Output("extrcat")})}),
        task("b", when=Compare("truthy", Output("extrcat"))),
        task("b", rule=Is("extrcat", frozenset({TaskState.FAILED}))),
        task("b", map=MapSpec(over={"x": Output("extrcat")})),
        task("b", map=MapSpec(mode=MapMode.SEQUENCE, count=Output("extrcat"))),
        task("b", role=Role.TEARDOWN, scope=("extrcat",)),
    ],
    ids=["needs", "input", "template", "expression", "when", "rule", "map", "sequence", "scope"],
)
def test_a_task_that_is_not_there_is_unknown_wherever_it_is_named(node: Node) -> None:
    """Each place that names a node is checked, and a near name is offered."""
    error = refused(dag(task("extract"), node), UnknownReference)
    assert error.hint == "did you mean 'extract'?"
    assert error.where == "b"


def test_a_groups_outputs_must_come_from_its_nodes() -> None:
    """``returns`` and named outputs read nodes of the group itself."""
    for given in ({"returns": Output("lode")}, {"outputs": {"x": Output("lode")}}):
        group = Group(nodes=(task("load"),), **given)  # type: ignore[arg-type]  # one of the two
        graph = dag(Node(key="g", call=GroupCall("g")), groups={"g": group})
        assert refused(graph, UnknownReference).hint == "did you mean 'load'?"


def test_an_unknown_group_is_refused() -> None:
    """A call of a group that is not defined names the ones that are."""
    error = refused(
        dag(Node(key="g", call=GroupCall("iner")), groups={"inner": Group(nodes=())}), UnknownReference
    )
    assert error.hint == "did you mean 'inner'?"


def test_an_unknown_parameter_is_refused() -> None:
    """A parameter must be the run's, a group's, or given by a caller of a group."""
    graph = dag(task("a", inputs={"x": Param("dya")}), params=(Parameter("day"),))
    assert refused(graph, UnknownReference).hint == "did you mean 'day'?"
    inner = Group(nodes=(task("x", inputs={"p": Param("given")}),))
    validate(dag(Node(key="g", call=GroupCall("g"), inputs={"given": ITEMS}), groups={"g": inner}))


def test_the_current_item_needs_a_map_somewhere() -> None:
    """Reading the item where nothing is mapped can only be a mistake."""
    refused(dag(task("a", inputs={"x": Item()})), InvalidWorkflow)


def test_the_root_has_nothing_before_it() -> None:
    """A root that reads another node's output is refused."""
    graph = Graph(workflow="w", root=task("w", inputs={"x": Output("a")}))
    refused(graph, UnknownReference)


def test_work_that_waits_for_an_exit_handler_is_refused() -> None:
    """The exit handler waits for the work, so neither would ever start."""
    error = refused(dag(task("bye", role=Role.EXIT), task("a", "bye")), InvalidWorkflow)
    assert "'bye'" in error.what


def test_a_teardown_belongs_to_setups_only() -> None:
    """Its scope names setups, and only a teardown has one."""
    refused(dag(task("a"), task("t", role=Role.TEARDOWN, scope=("a",))), InvalidWorkflow)
    refused(dag(task("a", role=Role.SETUP), task("t", scope=("a",))), InvalidWorkflow)


@pytest.mark.parametrize("extra", [{"map": MapSpec(over={"": ITEMS})}, {"call": GroupCall("g")}])
def test_a_daemon_is_a_single_task(extra: dict[str, Any]) -> None:
    """A mapped daemon or a group as a daemon would never count as up."""
    refused(dag(task("d", daemon=True, **extra), groups={"g": Group(nodes=())}), InvalidWorkflow)


def test_a_task_without_a_name_is_refused() -> None:
    """An empty key names nothing."""
    refused(dag(task("")), InvalidWorkflow)


@pytest.mark.parametrize(
    ("default", "schema", "good"),
    [
        (1, {"type": "integer"}, True),
        (1, {"type": "number"}, True),
        (1.5, {"type": "number"}, True),
        (None, {"type": ["integer", "null"]}, True),
        ("x", {}, True),
        ("x", {"type": "integer"}, False),
        (True, {"type": "integer"}, False),
        (1.5, {"type": "integer"}, False),
        ([1], {"type": "object"}, False),
    ],
)
def test_a_default_must_fit_its_parameter(default: Any, schema: dict[str, Any], good: bool) -> None:
    """Plain defaults are held against the plain types of the schema."""
    graph = dag(task("a"), params=(Parameter("p", value(default), schema=schema),))
    if good:
        validate(graph)
    else:
        assert "'p'" in refused(graph, WrongParameterType).what


def test_parameters_are_unique_and_either_required_or_defaulted() -> None:
    """Two of one name, or a required one with a default, make no sense."""
    refused(dag(task("a"), params=(Parameter("p"), Parameter("p"))), DuplicateTask)
    refused(dag(task("a"), params=(Parameter("p", value(1), required=True),)), InvalidWorkflow)


@pytest.mark.parametrize(
    "extra",
    [
        {"retry": Retry(limit=-2)},
        {"retry": Retry(limit=1, delay_s=-1)},
        {"retry": Retry(limit=1, max_delay_s=-1)},
        {"retry": Retry(limit=1, jitter=-0.1)},
        {"retry": Retry(limit=1, factor=0)},
        {"retry": Retry(limit=1, lost_limit=-1)},
        {"retry": Retry(limit=1, max_duration_s=0)},
        {"retry": Retry(limit=1, backoff=Backoff.LIST)},
        {"retry": Retry(limit=1, backoff=Backoff.LIST, delays_s=(1, -1))},
        {"timeout": Timeout(execution_s=0)},
        {"timeout": Timeout(queued_s=-1)},
        {"timeout": Timeout(total_s=float("nan"))},
        {"cache": Cache(ttl_s=-1)},
        {"pools": {"p": 0}},
        {"concurrency": (Concurrency("k", 0),)},
        {"rate_limits": (RateLimit("r", 0, 1),)},
        {"rate_limits": (RateLimit("r", 1, 0),)},
        {"resources": Resources(cpu=-1)},
        {"resources": Resources(custom={"fpga": -1})},
        {"deadline_s": -1},
        {"map": MapSpec(over={"": ITEMS}, max_active=0)},
        {"map": MapSpec(over={"": ITEMS}, max_items=-1)},
        {"map": MapSpec(over={"": ITEMS}, tolerate=-1)},
        {"map": MapSpec(over={"": ITEMS}, empty="fail")},
        {"map": MapSpec()},
        {"map": MapSpec(mode=MapMode.SEQUENCE)},
        {"map": MapSpec(mode=MapMode.SEQUENCE, count=ITEMS, end=ITEMS)},
        {"call": WaitCall(TimerWait())},
        {"call": WaitCall(TimerWait(until_s=1, delay_s=1))},
        {"call": WaitCall(TimerWait(delay_s=-1))},
        {"call": WaitCall(EventWait(""))},
        {"call": WaitCall(EventWait("e", timeout_s=0))},
        {"call": WaitCall(ApprovalWait(default="maybe"))},
        {"call": WaitCall(ApprovalWait(timeout_s=0))},
        {"call": WaitCall(PokeWait(interval_s=0))},
        {"call": WaitCall(PokeWait(factor=0))},
        {"call": WaitCall(PokeWait(timeout_s=-1))},
    ],
    ids=repr,
)
def test_a_policy_that_makes_no_sense_is_refused(extra: dict[str, Any]) -> None:
    """Negative times, limits below one and empty lists are refused where they are written."""
    assert refused(dag(task("a", **extra)), InvalidPolicy).where == "a"


@pytest.mark.parametrize("extra", [{"max_active": 0}, {"timeout_s": 0}, {"deadline_s": -1}])
def test_the_runs_own_limits_are_checked(extra: dict[str, Any]) -> None:
    """The graph's limits follow the same rules as a node's."""
    refused(dag(task("a"), **extra), InvalidPolicy)


def test_a_groups_limit_is_checked() -> None:
    """A group in which nothing may run cannot end."""
    group = Group(nodes=(task("a"),), max_active=0)
    refused(dag(Node(key="g", call=GroupCall("g")), groups={"g": group}), InvalidPolicy)


def test_one_key_has_one_limit() -> None:
    """Two tasks that give a shared key different limits contradict each other."""
    one, two = Concurrency("k", 1), Concurrency("k", 2)
    error = refused(dag(task("a", concurrency=(one,)), task("b", concurrency=(two,))), InvalidPolicy)
    assert "'a'" in error.what
    validate(dag(task("a", concurrency=(one,)), task("b", concurrency=(one,))))
    slow, fast = RateLimit("r", 1, 1.0), RateLimit("r", 2, 1.0)
    refused(dag(task("a", rate_limits=(slow,)), task("b", rate_limits=(fast,))), InvalidPolicy)
