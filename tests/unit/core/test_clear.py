"""Running parts of an ended run again: what is cleared, what is used again, and that it comes to an end."""

from collections.abc import Callable
from typing import Any

import pytest
from core_bodies import BOOM, Ask, Await, Failure
from core_driver import Driver
from core_graphs import call, const, dag, flow, flow_node, group, item, out, task
from core_strategies import graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.core.binding import value
from weft.core.changes import Cause, RunChanged, TaskChanged
from weft.core.clear import clear, mark
from weft.core.events import Tick
from weft.model.attempts import Attempt
from weft.model.calls import PythonCall
from weft.model.graph import Branch, Graph, Hook, HookOn, MapSpec, Node, Role
from weft.model.inputs import TaskOutput
from weft.model.policies import Retry
from weft.model.rules import TriggerRule
from weft.model.states import RunState, TaskState


def again(driver: Driver, *keys: str, **options: Any) -> list[str]:
    """Clear by keys and commit; the keys that changed, in order."""
    snapshot = driver.store.load(1)
    tasks = [driver.row(key).idx for key in keys]
    driver.now += 100
    changes = clear(snapshot, tasks=tasks, at=driver.now, **options)
    if changes:
        driver.clear(1, changes)
    names = {row.idx: row.key for row in driver.rows()}
    return list(dict.fromkeys(names[each.idx] for each in changes if isinstance(each, TaskChanged)))


class Count:
    """A behaviour that fails what it is told to, and counts what ran."""

    def __init__(self, *failing: str, fails: int = 1) -> None:
        self.failing = dict.fromkeys(failing, fails)
        self.ran: list[str] = []
        self.count = 0

    def __call__(self, attempt: Attempt) -> Any:
        self.ran.append(attempt.key)
        if self.failing.get(attempt.key, 0) > 0:
            self.failing[attempt.key] -= 1
            return BOOM
        self.count += 1
        return self.count

    def take(self) -> list[str]:
        """What ran since the last time."""
        ran, self.ran = self.ran, []
        return ran


def ran_once(graph: Graph, *failing: str, **flows: Callable[[dict[str, Any]], Any]) -> tuple[Driver, Count]:
    """A run that has ended, in which what is named failed once."""
    driver = Driver()
    driver.flows.update(flows)
    behave = Count(*failing)
    driver.submit(graph)
    driver.finish(behave)
    assert driver.run_state().terminal
    behave.take()
    return driver, behave


def test_a_retry_of_the_failed_runs_them_and_what_waited_for_them_and_nothing_else() -> None:
    """What succeeded keeps its result; ``upstream_failed`` follows; the run then succeeds."""
    graph = dag(task("a"), task("b", "a"), task("c", "b"), task("d", "a"), task("e", "c", "d"))
    driver, behave = ran_once(graph, "b")
    assert driver.run_state() is RunState.FAILED
    assert again(driver, only_failed=True) == ["w", "b", "c", "e"]
    driver.finish(behave)
    assert behave.take() == ["b", "c", "e"]
    assert driver.run_state() is RunState.SUCCEEDED
    assert set(driver.states().values()) == {"succeeded"}


def test_the_run_and_the_cleared_say_why_and_their_generation_grows() -> None:
    """Cleared task runs are pending again with one generation more; the run runs, caused by a person."""
    driver, _ = ran_once(dag(task("a"), task("b", "a")), "b")
    changes = clear(driver.store.load(1), only_failed=True, at=5.0)
    assert changes[0] == RunChanged(1, RunState.RUNNING, 5.0, Cause.CLEARED)
    moves = [each for each in changes if isinstance(each, TaskChanged)]
    assert [(each.idx, each.state, each.generation) for each in moves] == [
        (0, TaskState.PENDING, 1),
        (0, TaskState.RUNNING, 1),
        (2, TaskState.PENDING, 1),
    ]
    assert {each.cause for each in moves} == {Cause.CLEARED}


def test_a_rerun_from_a_task_reads_the_results_of_what_precedes_it() -> None:
    """With ``downstream`` all after the task runs again, though it had succeeded, on the old inputs."""
    graph = dag(task("a"), task("b", inputs={"x": out("a")}), task("c", "b"), task("d", "a"))
    driver, behave = ran_once(graph)
    before = driver.result("a")
    assert again(driver, "b", downstream=True) == ["w", "b", "c"]
    attempt = driver.live[driver.find("b")]
    assert attempt.inputs["x"].result == value(before)  # type: ignore[union-attr]  # a plain value
    driver.finish(behave)
    assert behave.take() == ["b", "c"]
    assert driver.row("d").generation == 0


def test_one_task_alone_can_run_again() -> None:
    """Without ``downstream`` what came after a cleared task and succeeded stays as it is."""
    driver, behave = ran_once(dag(task("a"), task("b", "a"), task("c", "b")))
    assert again(driver, "a") == ["w", "a"]
    driver.finish(behave)
    assert behave.take() == ["a"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_the_retry_limit_counts_anew_after_a_clear() -> None:
    """A task run that used all its retries gets them again."""
    graph = dag(task("a", retry=Retry(limit=1)))
    driver = Driver()
    driver.submit(graph)
    driver.finish(Count("a", fails=2))
    assert driver.row("a").failures == 2
    again(driver, only_failed=True)
    driver.finish(Count("a", fails=1))
    assert (driver.row("a").state, driver.row("a").failures) == (TaskState.SUCCEEDED, 1)


def test_nothing_is_cleared_where_nothing_failed() -> None:
    """A retry of a run that succeeded changes nothing."""
    driver, _ = ran_once(dag(task("a")))
    assert clear(driver.store.load(1), only_failed=True, at=1.0) == []


def test_a_whole_run_can_run_again() -> None:
    """Clearing without naming a task starts everything anew, in a new instance of the main group."""
    driver, behave = ran_once(dag(task("a"), task("b", "a")))
    assert again(driver) == ["w"]
    driver.finish(behave)
    assert behave.take() == ["w~2.a", "w~2.b"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_whole_run_that_runs_again_has_all_its_time_again() -> None:
    """What the engine remembers of the first time does not cut the second one short."""
    driver, behave = ran_once(dag(task("a"), timeout_s=150.0), "a")
    again(driver)
    driver.now += 60.0
    driver.step(Tick())
    driver.finish(behave)
    assert driver.run_state() is RunState.SUCCEEDED


def test_what_a_branch_skipped_is_decided_again_with_the_branch_only() -> None:
    """Clearing a branch clears what it skipped; clearing something else upstream of that does not."""
    graph = dag(task("pick", branch=Branch.CHOOSE), task("x"), task("l", "pick"), task("r", "pick", "x"))

    driver = Driver()
    driver.submit(graph)
    driver.end("pick", result="l", chosen=("l",))
    driver.end("x", error=BOOM)
    driver.finish()
    assert driver.row("r").cause == Cause.BRANCH
    assert again(driver, only_failed=True) == ["w", "x"]
    driver.finish()
    assert driver.states()["r"] == "skipped"
    assert again(driver, "pick") == ["w", "pick", "r"]
    driver.end("pick", result="r", chosen=("r",))
    driver.finish()
    assert driver.states()["r"] == "succeeded"
    assert driver.states()["l"] == "succeeded"


def test_only_the_failed_items_of_a_map_run_again() -> None:
    """The map is opened again with the same items; the results of the others are used."""
    graph = dag(
        task("m", map=MapSpec(over={"": const([10, 20, 30])}), inputs={"x": item()}),
        task("sum", inputs={"x": out("m")}),
    )
    driver, behave = ran_once(graph, "m[1]")
    kept = driver.result("m[0]")
    assert again(driver, only_failed=True) == ["w", "m", "sum", "m[1]"]
    driver.finish(behave)
    assert behave.take() == ["m[1]", "sum"]
    assert driver.result("m[0]") == kept
    assert driver.run_state() is RunState.SUCCEEDED
    assert driver.row("m[1]").generation == 1


def test_cleared_items_obey_the_maps_limit() -> None:
    """Many failed items of a map with ``max_active`` do not all start at once."""
    spec = MapSpec(over={"": const(list(range(5)))}, max_active=2)
    driver = Driver()
    driver.submit(dag(task("m", map=spec)))
    driver.finish(lambda attempt: BOOM)
    again(driver, only_failed=True)
    assert driver.running() == ["m[0]", "m[1]"]
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_map_cleared_whole_expands_anew() -> None:
    """New items with indexes of their own, in a new generation."""
    graph = dag(task("a"), task("m", map=MapSpec(over={"": out("a")}), inputs={"x": item()}))
    driver = Driver()
    driver.submit(graph)
    driver.end("a", result=[1, 2])
    driver.finish()
    again(driver, "a", downstream=True)
    driver.end("a", result=[1, 2, 3])
    assert driver.running() == ["m[0]", "m[1]", "m[2]"]
    driver.finish()
    assert driver.result("m") is None
    assert [driver.row(f"m[{at}]").state for at in range(3)] == [TaskState.SUCCEEDED] * 3


def test_a_failed_task_inside_nested_groups_is_all_that_runs_again() -> None:
    """The groups around it are opened again; what had succeeded in them is not done again."""
    inner = group(task("x"), task("y", "x"), task("z", "y"))
    middle = group(task("p"), Node(key="in", call=call("inner"), needs=("p",)), task("q", "in"))
    graph = dag(
        Node(key="g", call=call("middle")), task("end", "g"), groups={"inner": inner, "middle": middle}
    )
    driver, behave = ran_once(graph, "g.in.y")
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["g.in.y", "g.in.z", "g.q", "end"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_group_whose_input_is_cleared_starts_anew() -> None:
    """A group that failed, and reads something that failed too, is done again from its beginning."""
    inner = group(task("x"), task("y", "x"))
    graph = dag(
        task("a"),
        Node(key="g", call=call("inner"), needs=("a",), rule=TriggerRule.ALL_DONE),
        groups={"inner": inner},
    )
    driver, behave = ran_once(graph, "a", "g.y")
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["a", "g~2.x", "g~2.y"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_mapped_groups_failed_item_is_opened_again() -> None:
    """Only the failed node of the failed item's group runs again."""
    inner = group(task("x"), task("y", "x"))
    graph = dag(
        Node(key="g", call=call("inner"), map=MapSpec(over={"": const([1, 2])})), groups={"inner": inner}
    )
    driver, behave = ran_once(graph, "g[1].y")
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["g[1].y"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_setup_and_teardown_run_again_around_the_work() -> None:
    """Work between a setup and its teardown brings both along, and not what else needs the setup."""
    graph = dag(
        task("up", role=Role.SETUP),
        task("a", "up"),
        task("b", "up"),
        task("down", "a", "b", role=Role.TEARDOWN, scope=("up",), rule=TriggerRule.ALL_DONE_SETUP_SUCCESS),
        task("note", role=Role.EXIT),
    )
    driver, behave = ran_once(graph, "a")
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["up", "a", "down", "note"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_what_was_rolled_back_is_done_again() -> None:
    """A task whose rollback ran has no effect left: a retry of the failed runs it too."""
    undo = Hook(HookOn.ROLLBACK, PythonCall("tasks", "undo"))
    driver, behave = ran_once(dag(task("a", hooks=(undo,)), task("b", "a")), "b")
    assert driver.states()["a!rollback0.0"] == "succeeded"
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["a", "b"]
    assert driver.run_state() is RunState.SUCCEEDED


def three_steps(_given: dict[str, Any]) -> Any:
    """A flow of three calls, each with the value of the one before."""
    last: Any = 0
    for name in ("a", "b", "c"):
        outcome = yield Ask(task(name), {"x": const(last)})
        if not outcome.state.ok:
            raise Failure(outcome.error)
        last = outcome.plain
    return last


def test_a_retry_of_a_failed_flow_replays_what_succeeded() -> None:
    """The root runs again, is given the recorded results, and only the failed call and the rest run."""
    driver, behave = ran_once(flow(), "b-1", main=three_steps)
    assert driver.states() == {"main": "failed", "a-1": "succeeded", "b-1": "failed"}
    assert again(driver, only_failed=True) == ["main", "b-1"]
    driver.finish(behave)
    assert behave.take() == ["b-1", "c-1"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_flow_that_raised_itself_is_replayed() -> None:
    """No call failed, so only the flow's body runs again."""
    tries = []

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))
        tries.append(1)
        if len(tries) == 1:
            raise Failure
        yield Ask(task("b"))

    driver, behave = ran_once(flow(), main=body)
    assert again(driver, only_failed=True) == ["main"]
    driver.finish(behave)
    assert behave.take() == ["b-1"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_call_made_again_with_another_result_makes_the_later_ones_again() -> None:
    """What was passed on by value differs now: those calls are made again, not refused."""
    driver, behave = ran_once(flow(), main=three_steps)
    assert again(driver, "a-1") == ["main", "a-1"]
    driver.finish(behave)
    assert behave.take() == ["a-1", "b-1", "c-1"]
    assert driver.run_state() is RunState.SUCCEEDED
    assert driver.row("b-1").inputs["x"] == const(driver.result("a-1"))


def test_a_call_made_again_with_the_same_result_leaves_the_later_ones() -> None:
    """The replay meets the recorded calls with the same arguments and uses their results."""
    driver, _ = ran_once(flow(), main=three_steps)
    again(driver, "a-1")
    ran: list[str] = []

    def same(attempt: Attempt) -> Any:
        ran.append(attempt.key)
        return driver.result("b-1") - 1  # what a-1 gave before

    driver.finish(same)
    assert ran == ["a-1"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_downstream_of_a_call_is_all_that_was_called_after_it() -> None:
    """With ``downstream`` every later call of the flow is made again, whatever it reads."""

    def body(_given: dict[str, Any]) -> Any:
        for name in ("a", "b", "c"):
            yield Ask(task(name))

    driver, behave = ran_once(flow(), main=body)
    assert again(driver, "b-1", downstream=True) == ["main", "b-1", "c-1"]
    driver.finish(behave)
    assert behave.take() == ["b-1", "c-1"]


def test_calls_that_read_a_cleared_calls_result_are_cleared_with_it() -> None:
    """A future given as an argument is an edge: its reader runs again, an independent call does not."""

    def body(_given: dict[str, Any]) -> Any:
        first = yield Ask(task("a"), wait=False)
        second = yield Ask(task("b"), {"x": TaskOutput(first)}, wait=False)
        third = yield Ask(task("c"), wait=False)
        for handle in (first, second, third):
            yield Await(handle)

    driver, behave = ran_once(flow(), main=body)
    assert again(driver, "a-1") == ["main", "a-1", "b-1"]
    driver.finish(behave)
    assert behave.take() == ["a-1", "b-1"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_failed_items_of_a_flows_map_run_again() -> None:
    """The map keeps its items; the flow is replayed and gets the whole list."""

    def body(_given: dict[str, Any]) -> Any:
        items = tuple(value(each) for each in range(3))
        outcome = yield Ask(task("m", map=MapSpec(fixed=())), {"x": item()}, items=items)
        if not outcome.state.ok:
            raise Failure(outcome.error)
        yield Ask(task("z"))

    driver, behave = ran_once(flow(), "m-1[2]", main=body)
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["m-1[2]", "z-1"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_nested_flow_keeps_its_own_journal() -> None:
    """A failed call inside a nested flow: both flows are replayed, and only the call runs again."""

    def outer(_given: dict[str, Any]) -> Any:
        yield Ask(task("before"))
        outcome = yield Ask(flow_node("inner"))
        if not outcome.state.ok:
            raise Failure(outcome.error)
        yield Ask(task("after"))

    driver, behave = ran_once(flow(), "inner-1/b-1", main=outer, inner=three_steps)
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["inner-1/b-1", "inner-1/c-1", "after-1"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_nested_flow_cleared_by_name_runs_all_its_calls_again() -> None:
    """Asked for the flow itself, nothing that it recorded is used."""

    def outer(_given: dict[str, Any]) -> Any:
        yield Ask(task("before"))
        yield Ask(flow_node("inner"))

    driver, behave = ran_once(flow(), main=outer, inner=three_steps)
    again(driver, "inner-1")
    driver.finish(behave)
    assert behave.take() == ["inner-1/a-1", "inner-1/b-1", "inner-1/c-1"]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_group_called_by_a_flow_is_opened_again() -> None:
    """A ``@dag`` as a task of a flow: only its failed node runs again."""

    def body(_given: dict[str, Any]) -> Any:
        outcome = yield Ask(Node(key="g", call=call("g"), groups={"g": group(task("a"), task("b", "a"))}))
        if not outcome.state.ok:
            raise Failure(outcome.error)

    driver, behave = ran_once(flow(), "g-1.b", main=body)
    again(driver, only_failed=True)
    driver.finish(behave)
    assert behave.take() == ["g-1.b"]
    assert driver.run_state() is RunState.SUCCEEDED


@pytest.mark.parametrize("times", [2, 3])
def test_a_run_can_be_retried_as_often_as_it_fails(times: int) -> None:
    """Each retry is a generation of its own, and the last one ends the run."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    behave = Count("b", fails=times)
    driver.finish(behave)
    for _ in range(times):
        assert driver.run_state() is RunState.FAILED
        again(driver, only_failed=True)
        driver.finish(behave)
    assert driver.run_state() is RunState.SUCCEEDED
    assert driver.row("b").generation == times


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs(), failing=st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=3))
def test_any_failed_run_succeeds_when_its_cause_is_gone(graph: Graph, failing: set[str]) -> None:
    """Random graphs: a retry of the failed does not redo successes, and ends as a run without failures."""

    def behave(attempt: Attempt) -> Any:
        failed = attempt.key.rpartition(".")[2][:1] in failing and "!" not in attempt.key
        return BOOM if failed else attempt.key

    driver = Driver()
    driver.submit(graph)
    driver.finish(behave)
    if driver.run_state() is RunState.SUCCEEDED:
        return
    again(driver, only_failed=True)
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED, driver.states()
    assert not driver.state.runs
    assert not driver.live


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs(), pick=st.integers(0, 100), downstream=st.booleans())
def test_any_task_of_an_ended_run_can_run_again(graph: Graph, pick: int, downstream: bool) -> None:
    """Random graphs and any task run of theirs: it runs again once, and the run ends as before."""
    driver = Driver()
    driver.submit(graph)
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    rows = [row for row in driver.rows() if row.kind != "hook"]
    chosen = rows[pick % len(rows)]
    changes = clear(driver.store.load(1), tasks=[chosen.idx], downstream=downstream, at=driver.now)
    driver.clear(1, changes)
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED, driver.states()
    again_row = driver.store.task(1, chosen.idx)
    assert again_row.generation == 1
    assert again_row.state.ok or again_row.state == chosen.state


# --- upstream, and marking --------------------------------------------------------------------------------


def test_what_comes_before_can_run_again_too() -> None:
    """All of it, through any number of steps; what is beside it keeps its result."""
    driver, count = ran_once(
        dag(task("a"), task("b", "a"), task("side"), task("c", "b", "side"), task("d", "c")), "d"
    )
    count.take()
    assert again(driver, "b", upstream=True, downstream=True) == ["w", "a", "b", "c", "d"]
    driver.finish(count)
    assert count.take() == ["a", "b", "c", "d"]
    assert driver.run_state() is RunState.SUCCEEDED


def marked(driver: Driver, key: str, state: TaskState) -> list[str]:
    """Mark by key and commit; the keys that changed, in order."""
    driver.now += 100
    changes = mark(driver.store.load(1), driver.row(key).idx, state, at=driver.now)
    if changes:
        driver.clear(1, changes)
    names = {row.idx: row.key for row in driver.rows()}
    return list(dict.fromkeys(names[each.idx] for each in changes if isinstance(each, TaskChanged)))


def test_a_failed_task_run_that_is_marked_lets_the_rest_go_on() -> None:
    """It does not run again, and what could not start because of it does."""
    driver, count = ran_once(dag(task("a"), task("b", "a"), task("c", "b")), "b")
    assert driver.run_state() is RunState.FAILED
    count.take()
    assert marked(driver, "b", TaskState.SUCCEEDED) == ["w", "b", "c"]
    driver.finish(count)
    assert count.take() == ["c"]
    assert driver.states() == {"w": "succeeded", "a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert (driver.row("b").cause, driver.row("b").generation) == (Cause.MARKED, 1)
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_success_that_is_marked_failed_fails_its_run_and_undoes_nothing_else() -> None:
    """What ran after it stays as it is: that is what marking means."""
    driver, count = ran_once(dag(task("a"), task("b", "a"), task("c", "b")))
    count.take()
    marked(driver, "c", TaskState.FAILED)
    driver.finish(count)
    assert count.take() == []
    assert driver.states()["b"] == "succeeded"
    assert driver.run_state() is RunState.FAILED


def test_an_item_of_a_map_can_be_marked() -> None:
    """The map ends again, with the item as it is now."""
    driver, count = ran_once(dag(task("x", map=MapSpec(over={"": const([1, 2, 3])}))), "x[1]")
    assert driver.run_state() is RunState.FAILED
    count.take()
    marked(driver, "x[1]", TaskState.SUCCEEDED)
    driver.finish(count)
    assert count.take() == []
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_call_that_is_marked_answers_its_flow() -> None:
    """The flow is replayed and finds the call ended well; only what follows runs."""

    driver, count = ran_once(flow(), "b-1", main=three_steps)
    assert driver.run_state() is RunState.FAILED
    count.take()
    marked(driver, "b-1", TaskState.SUCCEEDED)
    driver.finish(count)
    assert count.take() == ["c-1"]
    assert driver.states()["b-1"] == "succeeded"
    assert driver.run_state() is RunState.SUCCEEDED


def test_there_is_nothing_to_mark_in_what_has_that_end_or_none() -> None:
    """No change is made, so nothing is committed."""
    driver, _ = ran_once(dag(task("a")))
    snapshot = driver.store.load(1)
    assert mark(snapshot, driver.row("a").idx, TaskState.SUCCEEDED, at=1.0) == []
    assert mark(snapshot, 999, TaskState.FAILED, at=1.0) == []
