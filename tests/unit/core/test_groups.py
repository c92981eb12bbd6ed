"""Static graphs: edges, rules, branches, conditions, setups and teardowns, exits, hooks, daemons, groups."""

from typing import Any

import pytest
from core_bodies import BOOM
from core_driver import Driver
from core_graphs import call, const, dag, group, out, param, plain, task
from hypothesis import given
from hypothesis import strategies as st

from weft.core.changes import Cause
from weft.core.events import CancelRun, CancelTask
from weft.core.scopes import DEPTH_MAX
from weft.model.attempts import Attempt, Ended, Started
from weft.model.calls import PythonCall
from weft.model.graph import Branch, Hook, HookOn, MapSpec, Node, Outcome, Parameter, Role
from weft.model.inputs import Compare, Fact, HookEvent, Item, Output
from weft.model.policies import Retry
from weft.model.rules import All, Is, Not, TriggerRule
from weft.model.states import RunState, TaskState

S = TaskState


def ran(*nodes: Node, failing: str = "", **options: Any) -> Driver:
    """A run of these nodes to its end, in which the named ones fail."""
    driver = Driver()
    driver.submit(dag(*nodes, **options))
    driver.finish(lambda attempt: BOOM if attempt.key in failing.split() else attempt.key)
    assert not driver.state.runs
    return driver


def received(driver: Driver, key: str) -> dict[str, Any]:
    """The plain inputs of a live attempt."""
    attempt = driver.live[driver.find(key)]
    return {name: plain(bound) for name, bound in attempt.inputs.items()}


# --- edges ------------------------------------------------------------------------------------------------


def test_a_diamond_runs_in_order_and_gives_results_on() -> None:
    """The join starts once both sides have ended and gets what they returned."""
    driver = Driver()
    driver.submit(
        dag(
            task("a"),
            task("b", inputs={"x": out("a")}),
            task("c", "a"),
            task("d", inputs={"b": out("b", "rows", 0), "c": out("c")}),
        )
    )
    assert driver.running() == ["a"]
    driver.end("a", result=1)
    assert driver.running() == ["b", "c"]
    assert received(driver, "b") == {"x": 1}
    driver.end("b", result={"rows": [7, 8]})
    assert driver.running() == ["c"]
    driver.end("c", result=3)
    assert received(driver, "d") == {"b": 7, "c": 3}
    driver.end("d")
    assert driver.run_state() is RunState.SUCCEEDED


def test_no_task_starts_before_its_upstreams_result_is_committed() -> None:
    """The step that ends a task also queues the next, after it in the same transaction (I7)."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    changes, commands = driver.end("a")
    moves = [(each.idx, each.state) for each in changes if hasattr(each, "state")]
    assert moves == [(1, S.SUCCEEDED), (2, S.QUEUED)]
    assert len(commands) == 1


@given(edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_any_graph_runs_each_task_once_after_all_that_it_needs(edges: list[tuple[int, int]]) -> None:
    """Random acyclic graphs end, in an order that respects every edge."""
    needs: dict[int, set[int]] = {at: set() for at in range(8)}
    for one, two in edges:
        if one != two:
            needs[max(one, two)].add(min(one, two))
    driver = Driver(room=3)
    driver.submit(dag(*(task(f"t{at}", *(f"t{up}" for up in sorted(needs[at]))) for at in range(8))))
    order: list[int] = []

    def behave(attempt: Attempt) -> Any:
        order.append(int(attempt.key[1:]))
        assert needs[order[-1]] <= set(order[:-1])
        return None

    driver.finish(behave)
    assert sorted(order) == list(range(8))


def test_failure_goes_down_the_edges_and_no_further() -> None:
    """What needs it is upstream_failed, what does not runs; the run fails as a leaf did."""
    driver = ran(task("a"), task("b", "a"), task("c", "b"), task("d"), failing="a")
    assert driver.states() == {
        "w": "failed",
        "a": "failed",
        "b": "upstream_failed",
        "c": "upstream_failed",
        "d": "succeeded",
    }
    assert driver.row("c").by == driver.row("b").idx


def test_a_handled_failure_is_no_failure_unless_all_count() -> None:
    """With ``leaves`` what a downstream dealt with does not fail the group; with ``all`` it does."""
    nodes = (task("a"), task("b", "a", rule=TriggerRule.ALL_DONE))
    assert ran(*nodes, failing="a").run_state() is RunState.SUCCEEDED
    strict = ran(*nodes, failing="a", main={"outcome": Outcome.ALL})
    assert strict.run_state() is RunState.FAILED


def test_a_node_whose_failure_does_not_count() -> None:
    """``fails_group=False`` leaves the decision to the others."""
    assert ran(task("a", fails_group=False), task("b"), failing="a").run_state() is RunState.SUCCEEDED


def test_depends_decides_once_all_that_it_names_have_ended() -> None:
    """Argo's expressions over states: true runs, false skips."""
    rule = All((Is("a", frozenset({S.FAILED})), Not(Is("b", frozenset({S.FAILED})))))
    assert ran(task("a"), task("b"), task("c", rule=rule), failing="a").states()["c"] == "succeeded"
    driver = ran(task("a"), task("b"), task("c", rule=rule))
    assert (driver.states()["c"], driver.row("c").cause) == ("skipped", Cause.RULE)


def test_a_false_condition_skips_and_the_skip_goes_on() -> None:
    """``when`` is asked once the inputs are known."""
    when = Compare("==", out("a"), const("yes"))
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a", when=when), task("c", "b")))
    driver.end("a", result="no")
    assert driver.states() | {"w": "", "a": ""} == {"w": "", "a": "", "b": "skipped", "c": "skipped"}
    assert driver.run_state() is RunState.SUCCEEDED


# --- branches ---------------------------------------------------------------------------------------------


def branched(*chosen: str, kind: Branch = Branch.CHOOSE, nodes: tuple[Node, ...]) -> Driver:
    """A run whose ``pick`` chooses, to its end."""
    driver = Driver()
    driver.submit(dag(task("pick", branch=kind), *nodes))
    driver.end("pick", result=None, chosen=chosen)
    driver.finish()
    return driver


def test_a_branch_skips_what_it_did_not_choose() -> None:
    """Only direct downstream is chosen from; what follows the skipped is skipped by its own rule."""
    driver = branched("l", nodes=(task("l", "pick"), task("r", "pick"), task("rr", "r")))
    assert driver.states() == {
        "w": "succeeded",
        "pick": "succeeded",
        "l": "succeeded",
        "r": "skipped",
        "rr": "skipped",
    }
    assert driver.row("r").cause == Cause.BRANCH
    assert driver.row("rr").cause == Cause.RULE


def test_what_the_chosen_branch_leads_to_is_not_skipped() -> None:
    """A task directly after the branch, and also reachable through the chosen one, runs: Airflow's rule."""
    nodes = (task("l", "pick"), task("r", "pick"), task("join", "pick", "l"))
    driver = branched("l", nodes=nodes)
    assert driver.states()["join"] == "succeeded"
    assert branched("r", nodes=nodes).states()["join"] == "skipped"


def test_a_join_after_a_branch_needs_a_rule_that_bears_skips() -> None:
    """The classic: ``none_failed_min_one_success``."""
    join = task("join", "l", "r", rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    driver = branched("l", nodes=(task("l", "pick"), task("r", "pick"), join))
    assert driver.states()["join"] == "succeeded"


def test_several_or_none_can_be_chosen() -> None:
    """An empty choice skips all direct downstream."""
    nodes = (task("l", "pick"), task("r", "pick"))
    assert set(branched("l", "r", nodes=nodes).states().values()) == {"succeeded"}
    none = branched(nodes=nodes).states()
    assert (none["l"], none["r"]) == ("skipped", "skipped")


def test_a_task_can_be_chosen_by_its_name() -> None:
    """Users know functions by name; nodes of the same function by key."""
    driver = branched("load", nodes=(task("l1", "pick", name="load"), task("r", "pick")))
    assert driver.states()["l1"] == "succeeded"


def test_an_unknown_choice_fails_the_branch_and_says_what_there_is() -> None:
    """It is not tried again: the code would choose the same."""
    driver = Driver()
    pick = task("pick", branch=Branch.CHOOSE, retry=Retry(limit=5))
    driver.submit(dag(pick, task("l", "pick"), task("r", "pick")))
    driver.end("pick", result="x", chosen=("x",))
    row = driver.row("pick")
    assert (row.state, row.attempt) == (S.FAILED, 1)
    assert row.error is not None
    assert row.error.code == "W1103"
    assert "there are: l, r" in row.error.message


CHAIN = (task("b", "pick"), task("c", "b"), task("d", "c", rule=TriggerRule.ALL_DONE))


def test_a_short_circuit_skips_all_that_follows_whatever_its_rule() -> None:
    """False ends the path."""
    states = branched(kind=Branch.SHORT_CIRCUIT, nodes=CHAIN).states()
    assert [states[key] for key in "bcd"] == ["skipped"] * 3


def test_a_direct_short_circuit_leaves_the_rest_to_its_rules() -> None:
    """Only the direct downstream is skipped; ``all_done`` further down runs."""
    states = branched(kind=Branch.SHORT_CIRCUIT_DIRECT, nodes=CHAIN).states()
    assert [states[key] for key in "bcd"] == ["skipped", "skipped", "succeeded"]


def test_a_true_short_circuit_changes_nothing() -> None:
    """No choice is reported, so all goes on."""
    driver = Driver()
    driver.submit(dag(task("pick", branch=Branch.SHORT_CIRCUIT), *CHAIN))
    driver.finish()
    assert set(driver.states().values()) == {"succeeded"}


# --- setup, teardown, exit --------------------------------------------------------------------------------

WORK = (
    task("up", role=Role.SETUP),
    task("a", "up"),
    task("down", "a", role=Role.TEARDOWN, scope=("up",), rule=TriggerRule.ALL_DONE_SETUP_SUCCESS),
)


def test_a_teardown_runs_after_success_and_after_failure() -> None:
    """It is no part of the outcome: the work decides."""
    good, bad = ran(*WORK), ran(*WORK, failing="a")
    assert good.states()["down"] == bad.states()["down"] == "succeeded"
    assert (good.run_state(), bad.run_state()) == (RunState.SUCCEEDED, RunState.FAILED)
    assert ran(*WORK, failing="down").run_state() is RunState.SUCCEEDED


def test_a_teardown_does_not_run_when_its_setup_failed() -> None:
    """There is nothing to tear down."""
    driver = ran(*WORK, failing="up")
    assert driver.attempts("down") == 0
    assert driver.run_state() is RunState.FAILED


@pytest.mark.parametrize(("after_setup", "runs"), [(True, 1), (False, 0)])
def test_a_cancelled_run_tears_down_what_was_set_up(after_setup: bool, runs: int) -> None:
    """After a cancel the teardown runs if the setup succeeded, and not otherwise."""
    driver = Driver()
    driver.submit(dag(*WORK))
    if after_setup:
        driver.end("up")
    driver.step(CancelRun(1))
    driver.finish()
    assert driver.attempts("down") == runs
    assert driver.run_state() is RunState.CANCELLED


def test_a_forced_cancel_tears_nothing_down() -> None:
    """Everything stops."""
    driver = Driver()
    driver.submit(dag(*WORK, task("bye", role=Role.EXIT)))
    driver.end("up")
    driver.step(CancelRun(1, force=True))
    driver.finish()
    assert driver.attempts("down") == 0
    assert driver.states()["bye"] == "cancelled"
    assert driver.run_state() is RunState.CANCELLED


def test_exit_handlers_run_last_and_know_how_it_ended() -> None:
    """``status`` and ``failures`` of the group that ended, whatever that was."""
    bye = task("bye", role=Role.EXIT, inputs={"s": Fact("status"), "f": Fact("failures")})
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a"), bye))
    driver.end("a", error=BOOM)
    assert driver.running() == ["bye"]
    failure = {"key": "a", "name": "a", "message": "boom"}
    assert received(driver, "bye") == {"s": "failed", "f": [failure]}
    driver.finish()
    assert driver.run_state() is RunState.FAILED


@pytest.mark.parametrize(("cancel", "status"), [(False, "succeeded"), (True, "cancelled")])
def test_exit_handlers_are_told_of_success_and_of_a_cancel(cancel: bool, status: str) -> None:
    """They run in both cases."""
    driver = Driver()
    driver.submit(dag(task("a"), task("bye", role=Role.EXIT, inputs={"s": Fact("status")})))
    if cancel:
        driver.step(CancelRun(1))
        driver.end("a", Ended(driver.find("a"), S.CANCELLED))
    else:
        driver.end("a")
    assert received(driver, "bye") == {"s": status}


def test_exit_handlers_can_need_each_other() -> None:
    """They have an order of their own."""
    driver = Driver()
    driver.submit(dag(task("a"), task("x", role=Role.EXIT), task("y", "x", role=Role.EXIT)))
    driver.end("a")
    assert driver.running() == ["x"]
    driver.end("x")
    assert driver.running() == ["y"]


# --- hooks and rollback -----------------------------------------------------------------------------------

HOOK = PythonCall("tasks", "hook")


@pytest.mark.parametrize(
    ("moment", "fails", "runs"),
    [
        (HookOn.SUCCESS, 0, ["a!success0.1"]),
        (HookOn.SUCCESS, 9, []),
        (HookOn.FAILURE, 9, ["a!failure0.2"]),
        (HookOn.FAILURE, 1, []),
        (HookOn.RETRY, 1, ["a!retry0.1"]),
        (HookOn.END, 0, ["a!end0.1"]),
        (HookOn.END, 9, ["a!end0.2"]),
        (HookOn.SKIP, 0, []),
        (HookOn.ROLLBACK, 0, []),
    ],
)
def test_a_hook_runs_at_its_moment_and_no_other(moment: HookOn, fails: int, runs: list[str]) -> None:
    """A hook is a task run of its own, and the run ends after it."""
    driver = Driver()
    driver.submit(dag(task("a", hooks=(Hook(moment, HOOK),), retry=Retry(limit=1))))
    driver.finish(lambda attempt: BOOM if attempt.try_number <= fails and attempt.key == "a" else 1)
    assert [row.key for row in driver.rows() if row.kind == "hook"] == runs
    assert driver.run_state().terminal


def test_hooks_run_at_start_skip_and_cancel() -> None:
    """The other three moments."""
    hooks = tuple(Hook(each, HOOK) for each in (HookOn.START, HookOn.SKIP, HookOn.CANCEL))
    driver = Driver()
    driver.submit(dag(task("a", hooks=hooks), task("b", hooks=hooks, when=Compare("truthy", const(0)))))
    driver.step(Started(driver.find("a"), driver.now))
    driver.step(CancelTask(1, driver.row("a").idx))
    driver.finish()
    hooked = {row.key for row in driver.rows() if row.kind == "hook"}
    assert hooked == {"a!start0.1", "a!cancel2.1", "b!skip1.0"}


def test_a_failing_hook_changes_nothing_else() -> None:
    """It is recorded, and the run ends as it would have."""
    driver = Driver()
    driver.submit(dag(task("a", hooks=(Hook(HookOn.SUCCESS, HOOK),))))
    driver.finish(lambda attempt: BOOM if "!" in attempt.key else 1)
    assert driver.row("a!success0.1").state is S.FAILED
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_hook_is_told_what_happened() -> None:
    """Its event is a mapping about the task run that it belongs to."""
    driver = Driver()
    driver.submit(dag(task("a", hooks=(Hook(HookOn.FAILURE, HOOK, inputs={"e": HookEvent()}),))))
    driver.end("a", error=BOOM)
    event = received(driver, "a!failure0.1")["e"]
    assert (event["key"], event["state"], event["error"], event["attempt"]) == ("a", "failed", "boom", 1)


def test_rollbacks_run_last_succeeded_first_and_one_at_a_time() -> None:
    """After a failed run, for what had succeeded and only for that."""
    undo = (Hook(HookOn.ROLLBACK, HOOK),)
    driver = Driver()
    driver.submit(
        dag(task("a", hooks=undo), task("b", "a", hooks=undo), task("c", "b", hooks=undo), task("d", "c"))
    )
    for key in "abc":
        driver.end(key)
    driver.end("d", error=BOOM)
    order = []
    while driver.live:
        (key,) = driver.running()
        order.append(key)
        driver.end(key)
    assert order == ["c!rollback0.0", "b!rollback0.0", "a!rollback0.0"]
    assert driver.run_state() is RunState.FAILED


def test_a_cancelled_run_rolls_back_too_and_a_good_one_does_not() -> None:
    """Rollback is for runs that did not succeed."""
    nodes = (task("a", hooks=(Hook(HookOn.ROLLBACK, HOOK),)), task("b", "a"))
    assert "a!rollback0.0" not in ran(*nodes).states()
    driver = Driver()
    driver.submit(dag(*nodes))
    driver.end("a")
    driver.step(CancelRun(1))
    driver.finish()
    assert driver.states()["a!rollback0.0"] == "succeeded"


# --- daemons ----------------------------------------------------------------------------------------------


def test_a_daemon_counts_once_it_runs_and_stops_with_its_group() -> None:
    """What needs it starts when it has started; the group's end stops it, and that is a success."""
    driver = Driver()
    driver.submit(dag(task("db", daemon=True), task("a", "db")))
    assert driver.running() == ["db"]
    driver.step(Started(driver.find("db"), driver.now))
    assert driver.running() == ["db", "a"]
    driver.end("a")
    daemon = driver.find("db")
    assert daemon in driver.stopped
    assert driver.run_state() is RunState.RUNNING
    driver.end(daemon, Ended(daemon, S.CANCELLED))
    assert driver.states() == {"w": "succeeded", "db": "succeeded", "a": "succeeded"}


def test_a_daemon_that_fails_to_start_fails_what_needs_it() -> None:
    """Before it is up it is like any other task."""
    driver = ran(task("db", daemon=True), task("a", "db"), failing="db")
    assert driver.states()["a"] == "upstream_failed"


# --- groups inside groups ---------------------------------------------------------------------------------


def test_groups_nest_with_parameters_and_results_of_their_own() -> None:
    """A parameter is found in the nearest scope that has it; a group's result is what it returns."""
    inner = group(
        task("y", inputs={"p": param("p"), "day": param("day")}),
        params=(Parameter("p"),),
        returns=Output("y"),
    )
    outer = group(
        Node(key="in", call=call("inner"), inputs={"p": param("p")}),
        returns=Output("in", ("v",)),
    )
    driver = Driver()
    driver.submit(
        dag(
            Node(key="g", call=call("outer"), inputs={"p": const(5)}),
            task("z", inputs={"x": out("g")}),
            groups={"inner": inner, "outer": outer},
        ),
        day="monday",
    )
    assert received(driver, "g.in.y") == {"p": 5, "day": "monday"}
    driver.end("g.in.y", result={"v": 42})
    assert received(driver, "z") == {"x": 42}


def test_a_groups_default_is_used_when_nobody_gives_the_parameter() -> None:
    """And a given one wins."""
    inner = group(task("x", inputs={"p": param("p")}), params=(Parameter("p", const("d").value),))
    driver = Driver()
    driver.submit(
        dag(
            Node(key="one", call=call("g")),
            Node(key="two", call=call("g"), inputs={"p": const("given")}),
            groups={"g": inner},
        )
    )
    assert received(driver, "one.x") == {"p": "d"}
    assert received(driver, "two.x") == {"p": "given"}


def test_named_outputs_of_a_group_are_read_by_name() -> None:
    """A group without a result gives a mapping of its outputs."""
    inner = group(task("x"), task("y"), outputs={"left": Output("x"), "right": Output("y")})
    driver = Driver()
    driver.submit(
        dag(
            Node(key="g", call=call("g")),
            task("z", inputs={"r": Output("g", name="right")}),
            groups={"g": inner},
        )
    )
    driver.end("g.x", result=1)
    driver.end("g.y", result=2)
    assert received(driver, "z") == {"r": 2}


def test_an_empty_group_succeeds_at_once() -> None:
    """Nothing is to wait for."""
    driver = ran(Node(key="g", call=call("g")), task("a", "g"), groups={"g": group()})
    assert driver.states() == {"w": "succeeded", "g": "succeeded", "a": "succeeded"}


def test_a_failing_group_fails_its_caller_and_names_the_task() -> None:
    """The error says which task, and keeps the original's type."""
    driver = ran(Node(key="g", call=call("g")), groups={"g": group(task("x"))}, failing="g.x")
    error = driver.row("g").error
    assert error is not None
    assert (error.type, error.message) == ("builtins.ValueError", "g.x failed: boom")


def test_a_group_can_be_retried_as_a_whole() -> None:
    """Another instance with keys of its own; the first one's rows stay."""
    driver = Driver()
    driver.submit(
        dag(Node(key="g", call=call("g"), retry=Retry(limit=1, delay_s=5.0)), groups={"g": group(task("x"))})
    )
    driver.end("g.x", error=BOOM)
    assert driver.row("g").state is S.RETRYING
    driver.finish()
    assert driver.states()["g~2.x"] == "succeeded"
    assert driver.run_state() is RunState.SUCCEEDED


def test_fail_fast_stops_the_rest_of_the_group() -> None:
    """What runs is stopped, what has not started is cancelled, teardowns and exits still run."""
    inner = group(*WORK, task("slow"), task("after", "slow"), task("bye", role=Role.EXIT), fail_fast=True)
    driver = Driver()
    driver.submit(dag(Node(key="g", call=call("g")), groups={"g": inner}))
    driver.end("g.up")
    driver.end("g.a", error=BOOM)
    assert driver.find("g.slow") in driver.stopped
    driver.finish()
    states = driver.states()
    assert (states["g.slow"], states["g.after"]) == ("cancelled", "cancelled")
    assert (states["g.down"], states["g.bye"]) == ("succeeded", "succeeded")
    assert driver.row("g.after").cause == Cause.FAIL_FAST
    assert driver.run_state() is RunState.FAILED


def test_recursion_makes_each_instance_when_it_is_reached() -> None:
    """A group that calls itself ends where its condition says so."""
    again = Node(
        key="again",
        call=call("count"),
        inputs={"n": out("less")},
        when=Compare("truthy", out("less")),
    )
    count = group(task("less", inputs={"n": param("n")}), again, params=(Parameter("n"),))
    driver = Driver()
    driver.submit(dag(Node(key="c", call=call("count"), inputs={"n": const(2)}), groups={"count": count}))
    assert len(driver.rows()) == 3
    driver.finish(lambda attempt: plain(attempt.inputs["n"]) - 1)
    states = driver.states()
    assert (states["c.again.less"], states["c.again.again"]) == ("succeeded", "skipped")
    assert driver.run_state() is RunState.SUCCEEDED


def test_endless_recursion_ends_with_an_error() -> None:
    """At a bound, with the group's name; nothing is left open."""
    driver = Driver()
    driver.submit(dag(Node(key="c", call=call("r")), groups={"r": group(Node(key="c", call=call("r")))}))
    deepest = driver.rows()[-1]
    assert driver.run_state() is RunState.FAILED
    assert len(driver.rows()) == DEPTH_MAX + 2
    assert deepest.error is not None
    assert "r recurses" in deepest.error.message


def test_a_mapped_group_gives_each_instance_its_item() -> None:
    """Nested maps read the nearest item, and outer ones by depth."""
    inner = group(
        task("x", map=MapSpec(over={"": const([10, 20])}), inputs={"near": Item(), "far": Item(depth=1)}),
        returns=Output("x"),
    )
    driver = Driver()
    driver.submit(
        dag(
            Node(key="g", call=call("g"), map=MapSpec(over={"": const(["a", "b"])})),
            task("z", inputs={"all": out("g")}),
            groups={"g": inner},
        )
    )
    assert received(driver, "g[1].x[0]") == {"near": 10, "far": "b"}
    driver.finish(lambda attempt: [plain(each) for each in attempt.inputs.values()])
    assert driver.result("z") == [[[[10, "a"], [20, "a"]], [[10, "b"], [20, "b"]]]]
