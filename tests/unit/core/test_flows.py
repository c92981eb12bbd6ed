"""Flows: the journal, its replay, what differs from it, retries, suspension, and what stale bodies may do."""

from typing import Any

import pytest
from core_bodies import BOOM, Ask, Await, Failure, Suspend
from core_driver import Driver
from core_graphs import call, const, dag, flow, flow_node, group, item, plain, task

from weft.core.binding import value
from weft.core.changes import NodeAdded, TaskAdded, TaskChanged, TaskRemade
from weft.core.commands import Accepted, Refused
from weft.core.events import Called, CancelRun, CancelTask, PauseRun, Tick
from weft.core.state import FLOW
from weft.core.turn import digest_of
from weft.model.attempts import Attempt, Ended
from weft.model.calls import MarkCall, WaitCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Graph, MapSpec, Node
from weft.model.inputs import TaskOutput
from weft.model.policies import Retry, Timeout
from weft.model.states import RunState, TaskState
from weft.model.waits import EventWait, TimerWait

S = TaskState


def started(body: Any, graph: Graph | None = None, **flows: Any) -> Driver:
    """A run of a flow with this body."""
    driver = Driver()
    driver.flows = {"main": body, **flows}
    driver.submit(graph or flow())
    return driver


# --- the journal ------------------------------------------------------------------------------------------


def test_calls_are_journaled_in_the_order_in_which_they_are_made() -> None:
    """With their place, name, arguments and node, in the commit that accepts them."""

    def body(_given: dict[str, Any]) -> Any:
        for number in (1, 2):
            yield Ask(task("a"), {"x": const(number)})
        yield Ask(task("b"), key="mine")

    driver = started(body)
    driver.finish()
    calls = [each for each in driver.log if isinstance(each, TaskAdded) and each.kind == "call"]
    places = [(each.key, each.ordinal, each.parent) for each in calls]
    assert places == [("a-1", 0, 0), ("a-2", 1, 0), ("mine", -1, 0)]
    assert calls[0].fingerprint != calls[1].fingerprint
    assert calls[0].node == calls[1].node
    assert [each.digest for each in driver.log if isinstance(each, NodeAdded)] == [
        calls[0].node,
        calls[2].node,
    ]


def test_a_flow_holds_no_slot_and_its_calls_take_an_executors_room() -> None:
    """Its attempt is where flows are, which is without bound."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))

    driver = started(body)
    assert driver.live[driver.find("main")].executor == FLOW
    assert driver.state.inflight == {FLOW: 1, "default": 1}


def test_a_call_waits_for_the_results_that_it_reads() -> None:
    """Futures as arguments are edges; a failed one fails the reader, unless that allows it."""

    def body(_given: dict[str, Any]) -> Any:
        first = yield Ask(task("a"), wait=False)
        strict = yield Ask(task("b"), {"x": TaskOutput(first)}, wait=False)
        lenient = yield Ask(task("c"), {"x": TaskOutput(first, allow_failure=True)}, wait=False)
        for handle in (strict, lenient):
            yield Await(handle)

    driver = started(body)
    assert driver.running() == ["a-1"]
    driver.end("a-1", error=BOOM)
    assert driver.running() == ["c-1"]
    assert driver.row("b-1").state is S.UPSTREAM_FAILED
    assert plain(driver.live[driver.find("c-1")].inputs["x"]) == "<failed>"


def test_marks_are_recorded_once() -> None:
    """A random number or the time: the value of the first run of the body is given for ever."""
    drawn: list[int] = []
    seen: list[int] = []

    def body(_given: dict[str, Any]) -> Any:
        drawn.append(len(drawn))
        seen.append((yield Ask(task("random", call=MarkCall()), mark=value(drawn[-1]))).plain)
        yield Ask(task("a"))

    driver = started(body)
    driver.crash()
    driver.finish()
    assert (drawn, seen) == ([0, 1], [0, 0])


# --- replay -----------------------------------------------------------------------------------------------


def test_a_replay_answers_recorded_calls_and_makes_the_rest() -> None:
    """Nothing that ended runs again; the attempt that was lost does."""

    def body(_given: dict[str, Any]) -> Any:
        total = 0
        for _ in range(3):
            total += (yield Ask(task("a"))).plain
        return total

    driver = started(body)
    driver.end("a-1", result=1)
    driver.end("a-2", result=2)
    driver.crash()
    assert sorted(driver.running()) == ["a-3"]
    driver.end("a-3", result=3)
    assert driver.result() == 6
    assert [driver.attempts(f"a-{at}") for at in (1, 2, 3)] == [1, 1, 2]


def test_a_replayed_map_tells_which_items_have_ended() -> None:
    """The rest is awaited as before."""
    outcomes: list[Any] = []

    def body(_given: dict[str, Any]) -> Any:
        items = tuple(value(each) for each in range(3))
        outcomes.append((yield Ask(task("m", map=MapSpec(fixed=())), {"x": item()}, items=items)).state)

    driver = started(body)
    driver.end("m-1[1]", result="one")
    driver.crash()
    answer = driver.answers[1]
    assert isinstance(answer, Accepted)
    assert (answer.replayed, answer.count) == (True, 3)
    assert [(each.index, each.state) for each in answer.items] == [(1, S.SUCCEEDED)]
    driver.finish()
    assert outcomes == [S.SUCCEEDED]
    assert driver.attempts("m-1[1]") == 1


LAST = Ask(task("last"))


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ([Ask(task("b"), {"x": const(1)}), LAST], ["call 1 of main was 'a-1'", "is 'b-1' now"]),
        ([Ask(task("a"), {"x": const(2)}), LAST], ["the arguments of 'a-1' differ", "then,", "now"]),
        ([LAST, Ask(task("a"), {"x": const(1)})], ["call 1 of main was 'a-1'", "is 'last-1' now"]),
    ],
    ids=["name", "arguments", "order"],
)
def test_a_replay_that_differs_is_refused_with_both_sides(then: list[Ask], words: list[str]) -> None:
    """Another name, other arguments, another order: the flow fails and the message says what was recorded."""
    driver = Driver()
    bodies = [[Ask(task("a"), {"x": const(1)}), LAST], then]

    def body(_given: dict[str, Any]) -> Any:
        for ask in bodies.pop(0):
            outcome = yield ask
            assert outcome.state.ok

    driver.flows["main"] = body
    driver.submit(flow())
    driver.end("a-1", result=1)
    driver.crash()
    driver.finish()
    error = driver.row("main").error
    assert error is not None
    assert error.code == "W1400"
    assert all(word in error.message for word in words), error.message
    assert driver.run_state() is RunState.FAILED


def test_a_flow_may_call_less_or_more_than_it_did_at_the_end() -> None:
    """New calls after the recorded ones are fine; so is a crash before any."""

    def body(_given: dict[str, Any]) -> Any:
        for _ in range(counts.pop(0)):
            yield Ask(task("a"))

    counts = [1, 3]
    driver = started(body)
    driver.crash()
    driver.finish()
    assert list(driver.states()) == ["main", "a-1", "a-2", "a-3"]
    assert driver.run_state() is RunState.SUCCEEDED


@pytest.mark.parametrize("key", ["x/y", "inner-1/x", "a.b", "a[0]", "é"])
def test_a_key_of_its_own_may_be_any_text(key: str) -> None:
    """Also one that looks like a path; it is found again after a crash, inside a nested flow too."""

    def inner(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"), key=key)
        yield Ask(task("z"))

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"), key=key)
        yield Ask(flow_node("inner"))

    driver = started(body, inner=inner)
    driver.end(key)
    driver.end(f"inner-1/{key}")
    driver.crash()
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    keys = [row.key for row in driver.rows()]
    assert len(keys) == len(set(keys)) == 5


def test_calls_with_a_key_of_their_own_may_come_in_any_order() -> None:
    """They have no place in the journal, and are found by key."""

    def body(_given: dict[str, Any]) -> Any:
        for key in orders.pop(0):
            yield Ask(task("a"), key=key, wait=False)
        yield Ask(task("z"))

    orders = ["xyz", "zxy"]
    driver = started(body)
    driver.crash()
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    assert sum(isinstance(each, TaskAdded) and each.kind == "call" for each in driver.log) == 4


# --- retries ----------------------------------------------------------------------------------------------


def test_a_retried_flow_makes_its_failed_calls_again_and_replays_the_others() -> None:
    """In a new generation of the same task run."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))
        outcome = yield Ask(task("b"))
        if not outcome.state.ok:
            raise Failure(outcome.error)
        yield Ask(task("c"))

    driver = started(body, flow(retry=Retry(limit=1)))
    driver.end("a-1")
    driver.end("b-1", error=BOOM)
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    assert [driver.attempts(f"{key}-1") for key in "abc"] == [1, 2, 1]
    assert (driver.row("b-1").generation, driver.row("b-1").failures) == (1, 0)


def test_a_retried_flow_may_take_another_way_after_the_call_that_failed() -> None:
    """The first try fell back to something else; the second one need not, and may call new things."""

    def body(_given: dict[str, Any]) -> Any:
        outcome = yield Ask(task("try"))
        if outcome.state.ok:
            yield Ask(task("use"))
        else:
            yield Ask(task("fallback"))
            raise Failure(outcome.error)

    driver = started(body, flow(retry=Retry(limit=1)))
    driver.end("try-1", error=BOOM)
    driver.end("fallback-1")
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    assert driver.states()["use-1"] == "succeeded"
    assert driver.attempts("fallback-1") == 1


def test_that_other_way_survives_a_crash() -> None:
    """The journal that is read back has the newer call at its place."""

    def body(_given: dict[str, Any]) -> Any:
        outcome = yield Ask(task("try"))
        if not outcome.state.ok:
            yield Ask(task("fallback"))
            raise Failure(outcome.error)
        yield Ask(task("use"))
        yield Ask(task("more"))

    driver = started(body, flow(retry=Retry(limit=1)))
    driver.end("try-1", error=BOOM)
    driver.end("fallback-1")
    driver.end("try-1")
    driver.end("use-1")
    driver.crash()
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    assert [driver.attempts(key) for key in ("try-1", "fallback-1", "use-1")] == [2, 1, 1]


def test_a_call_made_again_with_other_arguments_is_recorded_with_those() -> None:
    """So that the next replay compares with what was really called."""

    def body(_given: dict[str, Any]) -> Any:
        number.append(1)
        outcome = yield Ask(task("a"), {"x": const(len(number[:2]))})
        if not outcome.state.ok:
            raise Failure(outcome.error)
        yield Ask(task("b"))

    number: list[int] = []
    driver = started(body, flow(retry=Retry(limit=1)))
    driver.end("a-1", error=BOOM)
    (remade,) = [each for each in driver.log if isinstance(each, TaskRemade)]
    assert remade.inputs == {"x": const(2)}
    driver.end("a-1")
    driver.crash()
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    assert driver.row("a-1").inputs == {"x": const(2)}


def test_a_call_made_again_as_it_was_records_nothing_new() -> None:
    """Its identity is known."""

    def body(_given: dict[str, Any]) -> Any:
        outcome = yield Ask(task("a"))
        if not outcome.state.ok:
            raise Failure(outcome.error)

    driver = started(body, flow(retry=Retry(limit=1)))
    driver.end("a-1", error=BOOM)
    driver.end("a-1")
    assert driver.run_state() is RunState.SUCCEEDED
    assert not any(isinstance(each, TaskRemade) for each in driver.log)


def test_a_forgotten_call_that_is_not_made_again_is_cancelled() -> None:
    """When its flow ends; nothing stays open."""

    def body(_given: dict[str, Any]) -> Any:
        tries.append(1)
        if len(tries) == 1:
            outcome = yield Ask(task("a"))
            raise Failure(outcome.error)
        yield Ask(task("b"))

    tries: list[int] = []
    driver = started(body, flow(retry=Retry(limit=1)))
    driver.end("a-1", error=BOOM)
    driver.finish()
    assert driver.states() == {"main": "succeeded", "a-1": "cancelled", "b-1": "succeeded"}


def test_a_nested_flow_that_is_made_again_is_replayed_too() -> None:
    """Its own journal is kept: only what failed in it runs again."""

    def inner(_given: dict[str, Any]) -> Any:
        yield Ask(task("x"))
        outcome = yield Ask(task("y"))
        if not outcome.state.ok:
            raise Failure(outcome.error)

    def body(_given: dict[str, Any]) -> Any:
        outcome = yield Ask(flow_node("inner"))
        if not outcome.state.ok:
            raise Failure(outcome.error)

    driver = started(body, flow(retry=Retry(limit=1)), inner=inner)
    driver.end("inner-1/x-1")
    driver.end("inner-1/y-1", error=BOOM)
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    assert [driver.attempts(f"inner-1/{key}-1") for key in "xy"] == [1, 2]


def test_a_nested_flow_made_again_with_other_arguments_starts_anew() -> None:
    """What it had recorded was about other arguments."""

    def inner(_given: dict[str, Any]) -> Any:
        yield Ask(task("x"))
        if len(tries) == 1:
            raise Failure

    def body(_given: dict[str, Any]) -> Any:
        tries.append(1)
        outcome = yield Ask(flow_node("inner"), {"n": const(len(tries))})
        if not outcome.state.ok:
            raise Failure(outcome.error)

    tries: list[int] = []
    driver = started(body, flow(retry=Retry(limit=1)), inner=inner)
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED
    assert driver.attempts("inner-1/x-1") == 2


# --- suspension -------------------------------------------------------------------------------------------


def test_a_suspended_flow_holds_nothing_and_goes_on_when_a_child_ends() -> None:
    """The body runs again from the top and is answered from the journal."""
    begun: list[int] = []

    def body(_given: dict[str, Any]) -> Any:
        begun.append(1)
        handle = yield Ask(task("a"), wait=False)
        yield Suspend((handle,))
        return (yield Await(handle)).plain

    driver = started(body)
    assert driver.row("main").state is S.WAITING
    assert driver.running() == ["a-1"]
    driver.end("a-1", result=5)
    assert (driver.result(), len(begun)) == (5, 2)
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_suspended_flow_survives_a_crash() -> None:
    """With nothing of it in memory; its child, and then it, go on."""

    def body(_given: dict[str, Any]) -> Any:
        handle = yield Ask(task("t", call=WaitCall(TimerWait(delay_s=60.0))), wait=False)
        yield Suspend((handle,))
        yield Await(handle)
        yield Ask(task("a"))

    driver = started(body)
    driver.crash()
    driver.crash()
    assert not driver.live
    driver.now += 60.0
    driver.step(Tick())
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_suspended_flow_can_be_cancelled() -> None:
    """It ends once its calls have."""

    def body(_given: dict[str, Any]) -> Any:
        handle = yield Ask(task("a"), wait=False)
        yield Suspend((handle,))

    driver = started(body)
    driver.step(CancelRun(1))
    assert driver.run_state() is RunState.RUNNING
    driver.finish()
    assert driver.states() == {"main": "cancelled", "a-1": "cancelled"}


# --- ends -------------------------------------------------------------------------------------------------


def test_a_flow_that_returns_early_stops_what_it_did_not_wait_for() -> None:
    """And ends after that; its result is what it returned."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"), wait=False)
        return 7

    driver = started(body)
    assert driver.run_state() is RunState.RUNNING
    driver.finish()
    assert driver.states() == {"main": "succeeded", "a-1": "cancelled"}
    assert driver.result() == 7


def test_a_flow_that_fails_is_failed_after_its_calls_have_ended() -> None:
    """No call outlives its flow."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"), wait=False)
        raise Failure

    driver = started(body)
    (a,) = [aid for aid in driver.live if driver.live[aid].key == "a-1"]
    assert a in driver.stopped
    driver.finish()
    assert driver.states() == {"main": "failed", "a-1": "cancelled"}


def test_a_flow_lost_too_often_fails_after_its_calls_have_ended() -> None:
    """Its calls are stopped, so that none is left without a flow."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))

    driver = started(body, flow(retry=Retry(lost_limit=1)))
    for _ in range(2):
        aid = driver.find("main")
        driver.end(aid, Ended(aid, S.LOST, error=ErrorInfo("weft.TaskLost", "killed", "W2002")))
    assert driver.run_state() is RunState.RUNNING
    driver.finish()
    assert driver.states() == {"main": "failed", "a-1": "cancelled"}
    assert not driver.state.inflight.get("default")


def test_a_flow_that_gets_on_is_never_lost_too_often() -> None:
    """Only losses without a new call in between are counted: others share its process."""

    def body(_given: dict[str, Any]) -> Any:
        for _ in range(5):
            yield Ask(task("a"))
        return "done"

    driver = started(body, flow(retry=Retry(lost_limit=1)))
    for number in range(1, 6):
        main = driver.find("main")
        driver.end(main, Ended(main, S.LOST))
        driver.end(driver.find(f"a-{number}"), result=number)
    assert driver.result() == "done"
    assert driver.attempts("main") == 6


def test_a_lost_flow_finds_the_calls_that_went_on_without_it() -> None:
    """Only its body died: what it called is not touched."""

    def body(_given: dict[str, Any]) -> Any:
        return (yield Ask(task("a"))).plain

    driver = started(body)
    a = driver.find("a-1")
    main = driver.find("main")
    driver.end(main, Ended(main, S.LOST))
    assert a in driver.live
    driver.end(a, result=3)
    assert driver.result() == 3
    assert driver.attempts("a-1") == 1


@pytest.mark.parametrize("waiting", [True, False])
def test_cancelling_a_flow_cancels_what_it_called(waiting: bool) -> None:
    """Attempts are asked to stop, waits end at once, and so does the flow after them."""

    def body(_given: dict[str, Any]) -> Any:
        node = task("e", call=WaitCall(EventWait("n"))) if waiting else task("a")
        outcome = yield Ask(node)
        raise Failure(outcome.error or ErrorInfo("weft.TaskCancelled", "cancelled", "W2003"))

    driver = started(body)
    driver.step(CancelRun(1))
    driver.finish()
    assert set(driver.states().values()) == {"cancelled"}
    assert driver.run_state() is RunState.CANCELLED


def test_a_single_call_can_be_cancelled_and_the_flow_decides() -> None:
    """It gets the outcome and may go on."""

    def body(_given: dict[str, Any]) -> Any:
        outcome = yield Ask(task("a"))
        return str(outcome.state)

    driver = started(body)
    driver.step(CancelTask(1, driver.row("a-1").idx))
    driver.finish()
    assert driver.result() == "cancelled"
    assert driver.run_state() is RunState.SUCCEEDED


# --- refusals ---------------------------------------------------------------------------------------------


def asked(run: int = 1, parent: int = 0, attempt: int = 1, **extra: Any) -> Called:
    """A call, as a worker would send it."""
    node = task("x")
    return Called(run, parent, attempt, 99, "x-1", 0, node, digest_of(node), "f", {}, **extra)


@pytest.mark.parametrize("event", [asked(run=9), asked(parent=9), asked(attempt=0), asked(attempt=2)])
def test_a_call_by_an_attempt_that_is_over_is_refused(event: Called) -> None:
    """A stale body must not act (I9): the run, the flow or the attempt is another."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))

    driver = started(body)
    driver.step(event)
    answer = driver.answers[99]
    assert isinstance(answer, Refused)
    assert answer.error.code == "W2003"


def test_a_call_by_a_flow_that_is_being_cancelled_is_refused() -> None:
    """So the body stops at its next call."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))

    driver = started(body)
    driver.step(CancelRun(1))
    driver.step(asked())
    assert isinstance(driver.answers[99], Refused)


def test_a_paused_run_accepts_calls_and_starts_none() -> None:
    """The journal goes on; the work waits."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))
        yield Ask(task("b"))

    driver = started(body)
    driver.step(PauseRun(1))
    driver.end("a-1")
    assert driver.row("b-1").state is S.PENDING
    assert driver.running() == []


# --- flows among others -----------------------------------------------------------------------------------


def test_a_flow_can_be_a_node_of_a_dag_and_a_group_a_call_of_a_flow() -> None:
    """Keys tell where each is: dots inside groups, slashes below flows."""

    def inner(_given: dict[str, Any]) -> Any:
        groups = {"h": group(task("p"), task("q", "p"))}
        yield Ask(Node(key="h", call=call("h"), groups=groups))

    driver = Driver()
    driver.flows = {"inner": inner}
    driver.submit(dag(task("a"), flow_node("inner", needs=("a",)), task("z", "inner")))
    driver.finish()
    keys = {"w", "a", "inner", "inner/h-1", "inner/h-1.p", "inner/h-1.q", "z"}
    assert set(driver.states()) == keys
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_map_of_flows_runs_each_with_its_own_journal() -> None:
    """Items are flows; their calls have keys below them."""

    def inner(given: dict[str, Any]) -> Any:
        return (yield Ask(task("t"), {"x": const(given["n"])})).plain

    driver = Driver()
    driver.flows = {"inner": inner}
    mapped = flow_node("inner", map=MapSpec(over={"": const([4, 5])}), inputs={"n": item()})
    driver.submit(dag(mapped))

    def behave(attempt: Attempt) -> Any:
        return plain(attempt.inputs["x"]) * 10

    driver.finish(behave)
    assert driver.result("inner[0]") == 40
    assert driver.result("inner[1]") == 50
    assert "inner[1]/t-1" in driver.states()


def test_a_flows_total_time_stops_it_with_its_calls() -> None:
    """As a failure, with a timeout's code."""

    def body(_given: dict[str, Any]) -> Any:
        outcome = yield Ask(task("a"))
        raise Failure(outcome.error or ErrorInfo("weft.TaskCancelled", "cancelled", "W2003"))

    driver = started(body, flow(timeout=Timeout(total_s=10.0)))
    driver.now += 10.0
    driver.step(Tick())
    driver.finish()
    error = driver.row("main").error
    assert error is not None
    assert error.code == "W2001"
    assert driver.run_state() is RunState.FAILED


def test_every_change_of_a_call_is_committed_once() -> None:
    """One result for each task run (I2), whatever was replayed."""

    def body(_given: dict[str, Any]) -> Any:
        for _ in range(3):
            yield Ask(task("a"))

    driver = started(body)
    for _ in range(3):
        driver.crash()
        driver.end(driver.running()[0])
    driver.finish()
    ends = [each.idx for each in driver.log if isinstance(each, TaskChanged) and each.state is S.SUCCEEDED]
    assert len(ends) == len(set(ends)) == 4
