"""What a ``@dag``'s body becomes: keys, inputs, order, conditions, roles, groups. Nothing runs here."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from weft import (
    Cron,
    Every,
    Schedule,
    allow_failure,
    branch,
    chain,
    cron,
    dag,
    done,
    every,
    fact,
    failed,
    flow,
    group,
    logical_date,
    on_exit,
    shell,
    short_circuit,
    skipped,
    succeeded,
    symbol,
    task,
    unmapped,
    when,
)
from weft.model.calls import GroupCall, PythonCall, ShellCall
from weft.model.errors import (
    CycleError,
    DuplicateTask,
    InvalidPolicy,
    InvalidWorkflow,
    NotSerializable,
    UsageError,
    WrongParameterType,
)
from weft.model.graph import MAIN, Branch, Graph, Group, MapMode, Node, Role
from weft.model.inputs import (
    AllOf,
    AnyOf,
    Compare,
    Const,
    Fact,
    Item,
    NotOf,
    Output,
    Param,
    Template,
)
from weft.model.policies import Timeout
from weft.model.rules import All, Is, Not, TriggerRule
from weft.model.states import TaskState
from weft.model.values import ARGS


@task
def one(x: Any = None) -> Any:
    return x


@task
def two(x: Any = None, y: Any = None) -> Any:
    return x


@task
def three(*xs: Any, **named: Any) -> Any:
    return xs


def nodes(graph: Graph, name: str = MAIN) -> dict[str, Node]:
    """A group's nodes by key."""
    return {each.key: each for each in graph.groups[name].nodes}


def refs(node: Node) -> tuple[Any, ...]:
    """Where a task's arguments come from."""
    found = node.inputs[ARGS]
    return found.refs if isinstance(found, Template) else ()


# --- calls ------------------------------------------------------------------------------------------------


def test_calls_become_nodes_of_main() -> None:
    """The root calls the group ``main``, which holds a node for each call, in the order of the calls."""

    @dag
    def etl(day: str) -> Any:
        return two(one(day), y=3)

    graph = etl.graph()
    assert graph.workflow == "etl"
    assert graph.root.call == GroupCall(MAIN)
    assert graph.root.inputs == {"day": Param("day")}
    assert list(nodes(graph)) == ["one", "two"]
    assert refs(nodes(graph)["one"]) == (Param("day"),)
    assert refs(nodes(graph)["two"]) == (Output("one"),)
    assert graph.groups[MAIN].returns == Output("two")
    call = nodes(graph)["one"].call
    assert isinstance(call, PythonCall)
    assert call.qualname == "one"


def test_second_use_of_a_task_is_numbered() -> None:
    """The second use is ``name_2``, the third ``name_3``; all keep the task's own name."""

    @dag
    def etl() -> None:
        one()
        one()
        one.with_options(retries=2)()

    found = nodes(etl.graph())
    assert list(found) == ["one", "one_2", "one_3"]
    assert {each.name for each in found.values()} == {"one"}
    assert found["one_3"].retry is not None


def test_two_tasks_of_one_name_are_refused() -> None:
    """Two functions that share a name would be told apart by their order alone."""

    @task(name="one")
    def other() -> int:
        return 1

    @dag
    def etl() -> None:
        one()
        other()

    with pytest.raises(DuplicateTask) as caught:
        etl.graph()
    assert "'one'" in caught.value.what
    assert caught.value.where.count("test_dag_graph.py:") == 2


def test_chosen_name_must_be_free() -> None:
    """A name chosen for one use is that use's alone."""

    @dag
    def etl() -> None:
        one.with_options(name="load")()
        one.with_options(name="load")()

    with pytest.raises(DuplicateTask):
        etl.graph()


def test_parts_of_results_and_parameters() -> None:
    """``[i]`` and ``.field`` become paths, and symbols may sit anywhere in an argument."""

    @dag
    def etl(config: dict[str, Any]) -> Any:
        a = symbol(one(config["sizes"].first))
        three({"deep": [a.rows[0], (a["after"], 1)]}, k=a)
        return {"a": a, "n": [1, 2]}

    graph = etl.graph()
    assert refs(nodes(graph)["one"]) == (Param("config", ("sizes", "first")),)
    assert refs(nodes(graph)["three"]) == (
        Output("one", ("rows", 0)),
        Output("one", ("after",)),
        Output("one"),
    )
    returns = graph.groups[MAIN].returns
    assert isinstance(returns, Template)
    assert returns.refs == (Output("one"),)


def test_flow_and_shell_task_are_nodes() -> None:
    """A flow, and a command line, are nodes like any task."""

    @flow
    def inner(x: int) -> int:
        return x

    echo = shell("echo {word}", name="echo")

    @dag
    def etl() -> None:
        echo(word=inner(1))

    found = nodes(etl.graph())
    assert isinstance(found["inner"].call, PythonCall)
    assert found["inner"].call.flow
    assert isinstance(found["echo"].call, ShellCall)
    assert found["echo"].call.script == "echo {word}"
    assert refs(found["echo"]) == (Output("inner"),)


def test_graph_is_the_same_each_time() -> None:
    """Tracing is deterministic, so that a version changes only when the code does."""

    def make() -> Graph:
        @dag
        def etl(n: int = 3) -> Any:
            with group("g"):
                a = one(n)
            return two.map(a)

        return etl.graph()

    assert make() == make()


def test_unstorable_constant_names_its_argument() -> None:
    """A constant that cannot be stored is refused with the argument's name."""

    @dag
    def etl() -> None:
        one(x=(each for each in []))

    with pytest.raises(NotSerializable) as caught:
        etl.graph()
    assert "'x'" in str(caught.value)


# --- maps -------------------------------------------------------------------------------------------------


def test_map_over_a_symbol() -> None:
    """One mapped argument makes each item the bare value; the mapped symbol is the list of results."""

    @dag
    def etl() -> Any:
        return one(two.map(one(), y=unmapped([1])))

    found = nodes(etl.graph())
    spec = found["two"].map
    assert spec is not None
    assert spec.over == {"": Output("one")}
    assert refs(found["two"]) == (Item(),)
    assert refs(found["one_2"]) == (Output("two"),)


def test_map_over_several() -> None:
    """Several mapped arguments go side by side, by name; constants are columns too."""

    @dag
    def etl(ys: list[int]) -> None:
        two.with_options(max_active=2).map([1, 2], y=ys)

    found = nodes(etl.graph())["two"]
    assert found.map is not None
    assert found.map.mode is MapMode.ZIP
    assert found.map.max_active == 2
    assert isinstance(found.map.over["x"], Const)
    assert found.map.over["y"] == Param("ys")
    assert refs(found) == (Item(("x",)), Item(("y",)))


def test_map_product_and_map_over_results() -> None:
    """``map_product`` combines; a mapped symbol can be mapped over, or indexed."""

    @dag
    def etl() -> None:
        a = one.map([1, 2])
        b = two.map_product(a, [3, 4])
        one(symbol(b)[0])

    found = nodes(etl.graph())
    assert found["two"].map is not None
    assert found["two"].map.mode is MapMode.PRODUCT
    assert found["two"].map.over["x"] == Output("one")
    assert refs(found["one_2"]) == (Output("two", (0,)),)


def test_map_over_nothing_is_refused() -> None:
    """A map whose arguments are all the same for every item has no items."""

    @dag
    def etl() -> None:
        two.map(1, y="text")

    with pytest.raises(UsageError, match="nothing to map over"):
        etl.graph()


# --- order, rules, roles ----------------------------------------------------------------------------------


def test_order() -> None:
    """``>>``, ``<<``, ``after``, ``chain`` and ``wait_for`` make edges without values, lists included."""

    @dag
    def etl() -> None:
        a, b, c, d, e, f = (symbol(one.with_options(name=each)()) for each in "abcdef")
        a >> [b, c] >> d
        e << [d]
        f.after(e, [a])
        g = two.after(f)()
        chain(g, [one.with_options(name="h")(), one.with_options(name="i")()])

    needs = {key: node.needs for key, node in nodes(etl.graph()).items()}
    assert needs == {
        "a": (),
        "b": ("a",),
        "c": ("a",),
        "d": ("b", "c"),
        "e": ("d",),
        "f": ("e", "a"),
        "two": ("f",),
        "h": ("two",),
        "i": ("two",),
    }


def test_circle_is_refused() -> None:
    """Tasks that need each other are named in the error."""

    @dag
    def etl() -> None:
        a, b = symbol(one()), symbol(two())
        chain(a, b, a)

    with pytest.raises(CycleError, match="in a circle") as caught:
        etl.graph()
    assert set(caught.value.fields["cycle"]) == {"one", "two"}


def test_trigger_rule() -> None:
    """A rule is known by its name; a wrong name is answered with the nearest."""

    @dag
    def etl() -> None:
        symbol(one()).rule("one_failed")

    assert nodes(etl.graph())["one"].rule is TriggerRule.ONE_FAILED

    @dag
    def wrong() -> None:
        symbol(one()).rule("one_faild")

    with pytest.raises(InvalidPolicy) as caught:
        wrong.graph()
    assert "one_failed" in caught.value.hint


def test_depends_on_states() -> None:
    """``when_states`` is a boolean expression over how others ended."""

    @dag
    def etl() -> None:
        a, b = one(), two.map([1])
        symbol(three()).when_states(succeeded(a) & ~failed(b, items="any"))
        symbol(three()).when_states(skipped(a) | done(b))

    found = nodes(etl.graph())
    ok = frozenset({TaskState.SUCCEEDED, TaskState.CACHED})
    bad = frozenset({TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.CANCELLED})
    assert found["three"].rule == All((Is("one", ok), Not(Is("two", bad, "any"))))
    assert not isinstance(found["three_2"].rule, TriggerRule)


def test_teardown_waits_for_all_work_after_its_setup() -> None:
    """A teardown gets its setups as scope, and waits for the work after them that is not after itself."""

    @dag
    def etl() -> None:
        made = one.with_options(name="make")()
        a = one.with_options(name="a")(made)
        b = one.with_options(name="b")(a)
        gone = symbol(two.with_options(name="drop")(made)).as_teardown(setups=made)
        gone >> one.with_options(name="report")(b)

    found = nodes(etl.graph())
    assert found["make"].role is Role.SETUP
    drop = found["drop"]
    assert drop.role is Role.TEARDOWN
    assert drop.rule is TriggerRule.ALL_DONE_SETUP_SUCCESS
    assert drop.scope == ("make",)
    assert drop.needs == ("a", "b")
    assert found["report"].needs == ("drop",)


def test_nested_teardowns_unwind() -> None:
    """What was set up later is torn down earlier; a teardown finds the setup directly before it."""

    @dag
    def etl() -> None:
        outer = symbol(one.with_options(name="outer")()).as_setup()
        inner = symbol(one.with_options(name="inner")(outer)).as_setup()
        symbol(two.with_options(name="drop_outer")(outer)).as_teardown()
        symbol(two.with_options(name="drop_inner")(inner)).as_teardown(fails_dag=True)

    found = nodes(etl.graph())
    assert found["drop_outer"].scope == ("outer",)
    assert found["drop_inner"].scope == ("inner",)
    assert found["drop_outer"].needs == ("drop_inner",)
    assert found["drop_inner"].fails_group is True


def test_exit_handler_reads_facts() -> None:
    """An exit handler runs whatever happened, and facts and their parts are inputs."""

    @dag
    def etl() -> None:
        one()
        on_exit(two(fact("status"), fact("failures")[0].key))

    found = nodes(etl.graph())["two"]
    assert found.role is Role.EXIT
    assert found.rule is TriggerRule.ALL_DONE
    assert refs(found) == (Fact("status"), Fact("failures", (0, "key")))


def test_branch_and_short_circuit() -> None:
    """An option, a function over a task and one over a symbol say the same."""

    @task(branch=True)
    def choose() -> str:
        return "one"

    @dag
    def etl() -> None:
        choose()
        branch(one)()
        branch(one())
        short_circuit(two)()
        short_circuit(two(), direct=True)

    found = {key: node.branch for key, node in nodes(etl.graph()).items()}
    assert found == {
        "choose": Branch.CHOOSE,
        "one": Branch.CHOOSE,
        "one_2": Branch.CHOOSE,
        "two": Branch.SHORT_CIRCUIT,
        "two_2": Branch.SHORT_CIRCUIT_DIRECT,
    }


def test_branch_and_short_circuit_exclude_each_other() -> None:
    """A task cannot both name what follows and end it."""
    with pytest.raises(InvalidPolicy):
        task(branch=True, short_circuit=True)(lambda: None)


def test_allow_failure_starts_after_a_failure() -> None:
    """A reader whose upstream may all fail starts when they are done; a mixed one must say its rule."""

    @dag
    def etl() -> None:
        two(allow_failure(one()), allow_failure(one()))

    found = nodes(etl.graph())["two"]
    assert found.rule is TriggerRule.ALL_DONE
    assert refs(found) == (Output("one", allow_failure=True), Output("one_2", allow_failure=True))

    @dag
    def mixed() -> None:
        two(allow_failure(one()), one())

    with pytest.raises(InvalidWorkflow, match="accepts the failure of one but not of one_2"):
        mixed.graph()


# --- conditions and groups --------------------------------------------------------------------------------


def test_when() -> None:
    """Nodes inside get the condition; nested ones must all hold; outside they do not count."""

    @dag
    def etl(kind: str, size: int) -> None:
        a = symbol(one())
        with when((size > 10) & ~(symbol(kind).isin(["x", "y"]) | a.ok)):
            two()
            with when(a):
                three()
        one()

    found = nodes(etl.graph())
    outer = found["two"].when
    assert isinstance(outer, AllOf)
    left, right = outer.terms
    assert isinstance(left, Compare)
    assert (left.op, left.left) == (">", Param("size"))
    assert isinstance(right, NotOf)
    assert isinstance(right.term, AnyOf)
    assert isinstance(right.term.terms[0], Compare)
    assert right.term.terms[0].op == "in"
    assert right.term.terms[1] == Compare("truthy", Output("one", ("ok",)))
    assert found["three"].when == AllOf((outer, Compare("truthy", Output("one"))))
    assert found["one_2"].when is None


def test_visual_groups() -> None:
    """A group prefixes keys and is a path; it is ordered by its first and last nodes."""

    @dag
    def etl() -> None:
        start = symbol(one.with_options(name="start")())
        with group("load") as load:
            a = one()
            with group("deep"):
                two(a)
        start >> load >> symbol(one.with_options(name="end")())

    found = nodes(etl.graph())
    assert list(found) == ["start", "load.one", "load.deep.two", "end"]
    assert found["load.deep.two"].path == ("load", "deep")
    assert found["load.one"].needs == ("start",)
    assert found["load.deep.two"].needs == ()
    assert found["end"].needs == ("load.deep.two",)


# --- dags in dags -----------------------------------------------------------------------------------------


def test_dag_in_a_dag_is_a_group() -> None:
    """It is traced once, and each call is a node that binds its parameters."""
    traced = []

    @dag(max_active_tasks=2, timeout="5m", retries=1)
    def inner(n: int, k: int = 3) -> Any:
        traced.append(n)
        return one(n)

    @dag
    def outer() -> Any:
        a = inner(1)
        inner.with_options(name="again")(a, k=a)
        return inner.map([1, 2], k=unmapped(4))

    graph = outer.graph()
    assert len(traced) == 1
    found = nodes(graph)
    assert list(graph.groups) == [MAIN, "inner"]
    assert {key: node.call for key, node in found.items()} == dict.fromkeys(
        ["inner", "again", "inner_2"], GroupCall("inner")
    )
    assert isinstance(found["inner"].inputs["n"], Const)
    assert found["again"].inputs == {"n": Output("inner"), "k": Output("inner")}
    assert found["inner_2"].inputs["n"] == Item()
    assert isinstance(found["inner_2"].inputs["k"], Const)
    assert found["inner"].timeout == Timeout(total_s=300)
    assert found["inner"].retry is not None
    body: Group = graph.groups["inner"]
    assert body.max_active == 2
    assert body.returns == Output("one")


def test_dag_may_call_itself() -> None:
    """A dag that is being traced is only named, so recursion is a graph of one group."""

    @dag
    def down(n: int) -> None:
        left = one(n)
        with when(left > 0):
            down(left)

    graph = down.graph()
    assert list(graph.groups) == [MAIN]
    inner = nodes(graph)["down"]
    assert inner.call == GroupCall(MAIN)
    assert inner.inputs == {"n": Output("one")}
    assert inner.when is not None


def test_two_dags_of_one_name_are_two_groups() -> None:
    """Groups are told apart by what they are, not by what they are called."""

    def make(extra: Any) -> Any:
        @dag(name="part")
        def part() -> Any:
            return extra()

        return part

    first, second = make(one), make(two)

    @dag
    def outer() -> None:
        first()
        second.with_options(name="other")()

    graph = outer.graph()
    assert list(graph.groups) == [MAIN, "part", "other"]
    assert list(nodes(graph, "part")) == ["one"]
    assert list(nodes(graph, "other")) == ["two"]


def test_constants_of_a_nested_call_are_checked() -> None:
    """What is known while tracing is held against the annotation then."""

    @dag
    def inner(day: date) -> None:
        one(day)

    @dag
    def right() -> None:
        inner("2026-01-02")  # type: ignore[arg-type]  # converted

    @dag
    def wrong() -> None:
        inner("soon")  # type: ignore[arg-type]  # the point

    assert isinstance(nodes(right.graph())["inner"].inputs["day"], Const)
    with pytest.raises(WrongParameterType):
        wrong.graph()


# --- options ----------------------------------------------------------------------------------------------


def test_options_and_parameters() -> None:
    """Options land in the graph or, for the service, on the object; parameters carry schema and default."""

    @dag(
        name="nightly",
        schedule=cron("0 6 * * *", tz="Europe/Stockholm"),
        catchup=True,
        start=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=3,
        max_active_tasks=7,
        timeout="1h",
        fail_fast=True,
        tags=["a"],
        doc="What it does.",
    )
    def etl(n: int, day: date = logical_date(), k: str = "x") -> None:
        one(n)

    (schedule,) = etl.schedules
    assert schedule.timing == Cron("0 6 * * *", "Europe/Stockholm")
    assert (schedule.catchup, schedule.start, schedule.end) == (True, datetime(2026, 1, 1, tzinfo=UTC), None)
    assert etl.max_active_runs == schedule.max_active_runs == 3
    graph = etl.graph()
    assert (graph.workflow, graph.max_active, graph.timeout_s) == ("nightly", 7, 3600)
    assert (graph.tags, graph.doc) == (("a",), "What it does.")
    assert graph.groups[MAIN].fail_fast
    assert graph.groups[MAIN].max_active is None
    n, day, k = graph.params
    assert n.required
    assert n.schema == {"type": "integer"}
    assert day.fact == "logical_date"
    assert not day.required
    assert k.default is not None


def test_schedules() -> None:
    """A schedule is data: text is cron, a timedelta an interval; nonsense is refused."""
    assert dag(schedule="@daily")(lambda: None).schedules == (Schedule(Cron("@daily")),)
    assert dag(schedule=timedelta(minutes=5))(lambda: None).schedules == (Schedule(Every(300)),)
    anchor = datetime(2026, 1, 1, tzinfo=UTC)
    assert every("5m", anchor=anchor).timing == Every(300, anchor)
    for wrong in (lambda: cron("0 6 * *"), lambda: cron("0 6 * * ;"), lambda: cron("0 6 * * *", tz="Mars/X")):
        with pytest.raises(InvalidPolicy):
            wrong()
    with pytest.raises(InvalidPolicy):
        every(0)
    with pytest.raises(InvalidPolicy):
        every("1m", anchor=datetime(2026, 1, 1))


def test_options_of_tasks_are_refused() -> None:
    """A dag runs nothing itself, so it has no cache, executor or pool."""

    @dag
    def etl() -> None:
        one()

    with pytest.raises(InvalidPolicy, match="cache"):
        etl.with_options(cache=True)
    with pytest.raises(InvalidPolicy, match="max_active_runs"):
        dag(max_active_runs=0)(lambda: None)


def test_coroutines_and_generators_cannot_be_traced() -> None:
    """The body is run once, so it must be a plain function; the error names its line."""

    async def coroutine() -> None: ...

    def generator() -> Any:
        yield 1

    for fn in (coroutine, generator):
        with pytest.raises(InvalidWorkflow, match="run once") as caught:
            dag(fn)
        assert "test_dag_graph.py:" in caught.value.where


def test_only_the_logical_date_can_be_a_default() -> None:
    """Other facts are not known when a run is asked for."""

    @dag
    def etl(x: Any = fact("status")) -> None:
        one(x)

    with pytest.raises(InvalidWorkflow, match="default"):
        etl.graph()
