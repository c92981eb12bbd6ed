"""The story of a task run in plain English: what happened to it, why, and what led to that."""

from typing import Any

import pytest
from core_bodies import BOOM, Ask, Await, Failure
from core_driver import Driver
from core_graphs import call, const, dag, flow, group, item, task

from weft.core.binding import value
from weft.core.changes import Cause
from weft.core.clear import clear
from weft.core.events import Answered, CancelRun, Mark, Sent
from weft.core.nodes import NodesByRow
from weft.core.story import Step, duration, for_what, moment, of_error, story
from weft.model.attempts import Ended
from weft.model.calls import MarkCall, WaitCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Branch, Declared, MapSpec, Node
from weft.model.inputs import Compare, TaskOutput
from weft.model.policies import Cache, Retry
from weft.model.rules import TriggerRule
from weft.model.states import TaskState
from weft.model.waits import ApprovalWait, ChildrenWait, EventWait, PokeWait, TimerWait

S = TaskState


def steps(driver: Driver, key: str) -> list[Step]:
    """The story of a task run of run 1."""
    nodes = NodesByRow.of_snapshot(driver.store.load(1))
    rows = {row.idx: row for row in driver.rows()}
    return story(driver.row(key).idx, rows, driver.log, nodes.of)


def told(driver: Driver, key: str) -> list[str]:
    """The same as sentences, those of other task runs with their key."""
    return [("" if not step.depth else f"{step.key}: ") + step.text for step in steps(driver, key)]


def test_a_plain_success_is_three_steps() -> None:
    """Handed over, started, succeeded."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.finish()
    assert told(driver, "a") == ["handed to its executor", "succeeded"]


def test_a_retried_failure_counts_its_attempts() -> None:
    """Each failure says why, when it is tried again and which attempt that is; the last why it is not."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=1, delay_s=2.0))))
    driver.finish(lambda attempt: BOOM)
    assert told(driver, "a") == [
        "handed to its executor (attempt 1 of 2)",
        "failed: ValueError: boom; tried again after 2 s (attempt 2 of 2)",
        "handed to its executor (attempt 2 of 2)",
        "failed: ValueError: boom; not tried again: all 1 retries are used",
    ]


def test_what_did_not_run_names_the_failure_that_stopped_it_however_far_away() -> None:
    """``by`` is followed from task to task, one level deeper each."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a"), task("c", "b")))
    driver.finish(lambda attempt: BOOM)
    found = steps(driver, "c")
    assert [(step.key, step.depth, step.text) for step in found] == [
        ("c", 0, "did not run because `b`, which it needs, did not succeed"),
        ("b", 1, "did not run because `a`, which it needs, did not succeed"),
        ("a", 2, "failed: ValueError: boom"),
    ]
    assert [step.cause for step in found] == [Cause.UPSTREAM, Cause.UPSTREAM, Cause.RAISED]


def test_a_run_says_which_task_failed_it() -> None:
    """A group's failure leads to the node that failed."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.finish(lambda attempt: BOOM)
    assert told(driver, "w")[-2:] == ["failed, because `a` in it did", "a: failed: ValueError: boom"]


def test_a_branch_says_what_it_chose() -> None:
    """What was not chosen names the branch and its choice."""
    driver = Driver()
    driver.submit(dag(task("pick", branch=Branch.CHOOSE), task("l", "pick"), task("r", "pick")))
    driver.end("pick", result="l", chosen=("l",))
    driver.finish()
    assert told(driver, "r") == ["skipped because branch `pick` chose `l`", "pick: succeeded"]


def test_a_short_circuit_said_not_to_go_on() -> None:
    """Choosing nothing is told as that."""
    driver = Driver()
    driver.submit(dag(task("go", branch=Branch.SHORT_CIRCUIT), task("x", "go")))
    driver.end("go", result=False, chosen=())
    assert told(driver, "x")[0] == "skipped because `go` said not to go on"


def test_skips_say_why() -> None:
    """By a rule, by a condition, by an empty map, by itself."""
    driver = Driver()
    driver.submit(
        dag(
            task("cond", when=Compare("truthy", const(0))),
            task("after", "cond"),
            task("good"),
            task("sad", "good", rule=TriggerRule.ALL_FAILED),
            task("none", map=MapSpec(over={"": const([])}, empty="skip")),
            task("own"),
        )
    )
    driver.end("own", Ended(driver.find("own"), S.SKIPPED, error=BOOM))
    driver.finish()
    assert told(driver, "cond") == ["skipped because its condition is false"]
    assert told(driver, "after")[0] == "skipped because `cond` was skipped (rule all_success)"
    assert told(driver, "sad")[0] == "skipped because `good` succeeded (rule all_failed)"
    assert told(driver, "none") == ["skipped because there was nothing to map over"]
    assert told(driver, "own")[-1] == "skipped itself: ValueError: boom"


def test_lost_attempts_say_who_died() -> None:
    """The worker's death and the engine's are told apart, and use up no retry."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.end("a", Ended(driver.find("a"), S.LOST))
    driver.crash()
    driver.finish()
    assert told(driver, "a") == [
        "handed to its executor",
        "lost, because the process that ran it died; it runs again and no retry is used up",
        "handed to its executor (attempt 2)",
        "lost, because the engine that ran it ended; it runs again and no retry is used up",
        "handed to its executor (attempt 3)",
        "succeeded",
    ]


def test_waits_say_for_what_and_what_came() -> None:
    """A timer, an event, an approval."""
    driver = Driver()
    driver.submit(
        dag(
            task("t", call=WaitCall(TimerWait(delay_s=5.0))),
            task("e", call=WaitCall(EventWait("paid"))),
            task("p", call=WaitCall(ApprovalWait("ship?", assignees=("ann", "bob")))),
        )
    )
    driver.step(Sent(1, "paid", value(1), "s1"))
    driver.step(Answered(1, driver.row("p").idx, value(True)))
    driver.finish()
    assert told(driver, "t") == [f"waits until {moment(1005.0)}", "its time came"]
    assert told(driver, "e") == ["waits for the event 'paid'", "the event 'paid' came"]
    assert told(driver, "p") == ["waits for the answer of ann or bob", "answered by a person"]


def test_maps_say_how_many_items_they_have() -> None:
    """A map expands, and each item names its map."""
    driver = Driver()
    driver.submit(dag(task("m", map=MapSpec(over={"": const([1, 2])}), inputs={"x": item()})))
    driver.finish(lambda attempt: BOOM if attempt.map_index == 1 else 1)
    found = told(driver, "m")
    assert found[0] == "expanded to 2 items"
    assert "1 of 2 items failed" in found[1]
    assert told(driver, "m[1]")[0] == "item 1 of `m`"


def test_results_that_stood_in_say_so() -> None:
    """A cache hit and an output that was there already."""
    driver = Driver()
    declared = Declared("file", check=task("check").call)
    driver.submit(dag(task("a", cache=Cache(), inputs={"x": const(1)}), task("o", outputs=(declared,))))
    driver.end("o", result=True)
    driver.finish()
    driver.submit(dag(task("a", cache=Cache(), inputs={"x": const(1)})))
    driver.finish()
    assert told(driver, "o")[-1] == "did not run: its output 'file' was there already"
    rows = {row.idx: row for row in driver.rows(2)}
    changes = [change for change in driver.log if change.run == 2]
    (hit,) = story(driver.row("a", 2).idx, rows, changes)
    assert hit.text == "did not run: an earlier result with the same inputs was used"


def test_calls_say_who_called_them_and_that_they_are_made_again() -> None:
    """A flow's retry clears its failed call, which is then made again."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("now", call=MarkCall()), mark=value(7))
        outcome = yield Ask(task("a"))
        if not outcome.state.ok:
            raise Failure(outcome.error)

    driver = Driver()
    driver.flows["main"] = body
    driver.submit(flow(retry=Retry(limit=1)))
    tries: list[int] = []
    driver.finish(lambda attempt: BOOM if not tries and not tries.append(1) else 1)  # type: ignore[func-returns-value]  # append is None
    assert told(driver, "now-1") == ["called by `main`", "recorded"]
    assert told(driver, "a-1") == [
        "called by `main`",
        "handed to its executor",
        "failed: ValueError: boom",
        "to be made again, because its flow is tried again",
        "handed to its executor (attempt 2)",
        "succeeded",
    ]


def test_a_reader_of_a_skipped_call_says_so() -> None:
    """A future as an argument that was skipped skips its reader."""

    def body(_given: dict[str, Any]) -> Any:
        first = yield Ask(task("a"), wait=False)
        second = yield Ask(task("b"), {"x": TaskOutput(first)}, wait=False)
        yield Await(second)

    driver = Driver()
    driver.flows["main"] = body
    driver.submit(flow())
    driver.end("a-1", Ended(driver.find("a-1"), S.SKIPPED))
    assert told(driver, "b-1")[1] == "skipped because `a-1`, whose result it reads, was skipped"


def test_a_person_is_named_as_the_cause() -> None:
    """Marks, cancellations and clears."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b"), task("c", "a")))
    driver.step(Mark(1, driver.row("a").idx, S.SUCCEEDED))
    driver.step(CancelRun(1))
    driver.finish()
    assert told(driver, "a")[-1] == "a person said that it succeeded"
    assert told(driver, "b")[-1] == "cancelled"
    driver.clear(1, clear(driver.store.load(1), only_failed=True, at=driver.now))
    driver.finish()
    assert "a person asked for it to run again" in told(driver, "b")
    assert "opened again, because something in it runs again" in told(driver, "w")


def test_fail_fast_says_that_something_else_failed() -> None:
    """What was stopped beside a failure names it as the cause."""
    driver = Driver()
    inner = group(task("a"), task("b"), fail_fast=True)
    driver.submit(dag(Node(key="g", call=call("g")), groups={"g": inner}))
    driver.end("g.a", error=BOOM)
    driver.finish()
    assert told(driver, "g.b")[-1] == "cancelled because something beside it failed"


def test_an_unknown_task_run_has_no_story() -> None:
    """An index without a row tells nothing."""
    assert story(9, {}, []) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (2.0, "2 s"), (90.0, "90 s"), (600, "10 min"), (7500, "2 h 5 min"), (2e6, "23 days")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """The unit grows with the length."""
    assert duration(seconds) == text


def test_errors_are_one_line() -> None:
    """The type's own name and the first line of the message; a coded error speaks for itself."""
    assert of_error(ErrorInfo("my.pkg.Oops", "no\nmore")) == "Oops: no"
    assert of_error(ErrorInfo("weft.TaskTimeout", "too long", "W2001")) == "too long"
    assert of_error(ErrorInfo("my.Oops")) == "Oops"
    assert of_error(None) == "no error was given"


def test_every_wait_can_be_told() -> None:
    """Each kind has words of its own."""
    assert for_what(EventWait("e"), 10.0) == f"for the event 'e', until {moment(10.0)} at most"
    assert for_what(ApprovalWait(), None) == "for the answer of a person"
    assert for_what(PokeWait(), 10.0) == f"to look again at {moment(10.0)}"
    assert for_what(ChildrenWait((1,)), None) == "for what it called"
    assert for_what(TimerWait(), None) == "for a while"
