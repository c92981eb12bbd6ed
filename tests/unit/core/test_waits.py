"""Waiting without a worker: timers, events, answers, pokes."""

import pytest
from core_driver import Driver
from core_graphs import dag, plain, task

from weft.core.binding import value
from weft.core.events import Answered, CancelRun, Sent, Tick
from weft.model.attempts import Ended
from weft.model.calls import WaitCall
from weft.model.graph import Node
from weft.model.states import RunState, TaskState
from weft.model.values import Plain
from weft.model.waits import ApprovalWait, EventWait, PokeWait, TimerWait, Wait

S = TaskState


def waiting(wait: Wait) -> Driver:
    """A run that waits."""
    driver = Driver()
    driver.submit(dag(task("wait", call=WaitCall(wait))))
    return driver


def at(driver: Driver, now: float) -> None:
    """Let the clock show ``now``."""
    driver.now = now
    driver.step(Tick())


@pytest.mark.parametrize("wait", [TimerWait(delay_s=5.0), TimerWait(until_s=1005.0)])
def test_a_timer_ends_at_its_moment_and_not_before(wait: Wait) -> None:
    """Nothing is held meanwhile."""
    driver = waiting(wait)
    assert not driver.live
    assert driver.state.next_due() == 1005.0
    at(driver, 1004.9)
    assert driver.row("wait").state is S.WAITING
    at(driver, 1005.0)
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_moment_that_has_passed_is_due_at_once() -> None:
    """A timer in the past ends with the next tick."""
    driver = waiting(TimerWait(until_s=1.0))
    at(driver, 1000.0)
    assert driver.run_state() is RunState.SUCCEEDED


@pytest.mark.parametrize("early", [True, False])
def test_an_event_counts_whether_it_comes_before_or_after_the_wait(early: bool) -> None:
    """An event is kept until a wait consumes it; its payload is the result."""
    driver = Driver()
    driver.submit(dag(task("a"), task("wait", "a", call=WaitCall(EventWait("paid")))))
    if early:
        driver.step(Sent(1, "paid", value(7), "s1"))
        driver.end("a")
    else:
        driver.end("a")
        driver.step(Sent(1, "paid", value(7), "s1"))
    assert driver.result("wait") == 7
    (signal,) = driver.store.signals(1)
    assert signal.consumer == driver.row("wait").idx


def test_events_are_consumed_once_and_in_order() -> None:
    """Two waits take two events, oldest first; another name is nobody's."""
    driver = Driver()
    waits = [Node(key=key, call=WaitCall(EventWait("n"))) for key in "ab"]
    driver.submit(dag(*waits))
    driver.step(Sent(1, "other", value(0), "s0"))
    driver.step(Sent(1, "n", value(1), "s1"), Sent(1, "n", value(2), "s2"))
    assert (driver.result("a"), driver.result("b")) == (1, 2)
    assert driver.run_state() is RunState.SUCCEEDED


def test_an_event_sent_twice_counts_once() -> None:
    """The second with the same id is ignored, also after a crash."""
    driver = Driver()
    driver.submit(dag(*(task(key, call=WaitCall(EventWait("n"))) for key in "ab")))
    driver.step(Sent(1, "n", value(1), "same"))
    driver.step(Sent(1, "n", value(1), "same"))
    driver.crash()
    driver.step(Sent(1, "n", value(1), "same"))
    assert driver.run_state() is RunState.RUNNING
    driver.step(Sent(1, "n", value(2), "new"))
    assert driver.run_state() is RunState.SUCCEEDED


@pytest.mark.parametrize(("optional", "state"), [(True, S.SUCCEEDED), (False, S.FAILED)])
def test_an_event_that_does_not_come_in_time(optional: bool, state: TaskState) -> None:
    """Optional: the wait ends with None; else it fails with a timeout's code."""
    driver = waiting(EventWait("n", timeout_s=10.0, optional=optional))
    at(driver, 1010.0)
    row = driver.row("wait")
    assert row.state is state
    assert row.error is None or row.error.code == "W2001"
    driver.step(Sent(1, "n", value(1), "late"))
    assert driver.row("wait").state is state


def test_an_answer_is_the_approvals_result() -> None:
    """And a second one changes nothing."""
    driver = waiting(ApprovalWait("ship?"))
    idx = driver.row("wait").idx
    driver.step(Answered(1, idx, value({"approved": True}), "ann"))
    driver.step(Answered(1, idx, value({"approved": False}), "bob"))
    assert driver.result("wait") == {"approved": True}


@pytest.mark.parametrize(("default", "approved"), [("approve", True), ("reject", False)])
def test_an_approval_that_nobody_gives_has_its_default(default: str, approved: bool) -> None:
    """After its time the default is the answer."""
    driver = waiting(ApprovalWait(timeout_s=10.0, default=default))
    at(driver, 1010.0)
    row = driver.row("wait")
    assert row.result is not None
    assert plain(Plain(row.result)) == {"approved": approved, "by": "timeout"}


def test_an_approval_without_default_fails_after_its_time() -> None:
    """Nobody answered."""
    driver = waiting(ApprovalWait(timeout_s=10.0))
    at(driver, 1010.0)
    assert driver.run_state() is RunState.FAILED


def test_an_answer_to_something_else_is_ignored() -> None:
    """Only an approval that waits can be answered."""
    driver = waiting(EventWait("n"))
    driver.step(Answered(1, driver.row("wait").idx, value(1)))
    driver.step(Answered(9, 9, value(1)))
    assert driver.row("wait").state is S.WAITING


def poke(driver: Driver, wait: PokeWait) -> None:
    """The sensor looks and finds nothing."""
    driver.end("sensor", Ended(driver.find("sensor"), S.WAITING, wait=wait))


def test_a_poke_holds_nothing_and_comes_again() -> None:
    """Attempt after attempt until the task returns."""
    driver = Driver(room=1)
    driver.submit(dag(task("sensor"), task("other")))
    wait = PokeWait(interval_s=60.0)
    poke(driver, wait)
    assert driver.running() == ["other"]
    driver.end("other")
    at(driver, 1059.0)
    assert not driver.live
    at(driver, 1060.0)
    poke(driver, wait)
    at(driver, 1120.0)
    driver.end("sensor", result="found")
    assert (driver.result("sensor"), driver.row("sensor").failures) == ("found", 0)


def test_a_poke_grows_to_its_longest_interval() -> None:
    """By the factor, each time."""
    driver = Driver()
    driver.submit(dag(task("sensor")))
    wait = PokeWait(interval_s=10.0, factor=2.0, interval_s_max=30.0)
    pauses = []
    for _ in range(4):
        poke(driver, wait)
        due = driver.state.next_due()
        assert due is not None
        pauses.append(due - driver.now)
        at(driver, due)
    assert pauses == [10.0, 20.0, 30.0, 30.0]


@pytest.mark.parametrize(("soft", "state"), [(True, S.SKIPPED), (False, S.FAILED)])
def test_a_poke_ends_after_its_time(soft: bool, state: TaskState) -> None:
    """Failed, or skipped if it is soft; the last pause is cut to the moment."""
    driver = Driver()
    driver.submit(dag(task("sensor")))
    poke(driver, PokeWait(interval_s=60.0, timeout_s=90.0, soft_fail=soft))
    at(driver, 1060.0)
    poke(driver, PokeWait(interval_s=60.0, timeout_s=90.0, soft_fail=soft))
    at(driver, 1090.0)
    assert driver.row("sensor").state is state


@pytest.mark.parametrize("wait", [TimerWait(delay_s=5.0), EventWait("n"), ApprovalWait()])
def test_a_cancelled_wait_ends_and_what_comes_later_is_ignored(wait: Wait) -> None:
    """Nobody is there to stop: it ends in the same step."""
    driver = waiting(wait)
    idx = driver.row("wait").idx
    driver.step(CancelRun(1))
    assert driver.run_state() is RunState.CANCELLED
    driver.step(Sent(1, "n", value(1), "s"), Answered(1, idx, value(1)))
    at(driver, 2000.0)
    assert driver.row("wait").state is S.CANCELLED


@pytest.mark.parametrize("wait", [TimerWait(delay_s=5.0), EventWait("n", timeout_s=5.0, optional=True)])
def test_a_wait_survives_a_crash_with_its_moment(wait: Wait) -> None:
    """The time that passed while nobody was there counts."""
    driver = waiting(wait)
    driver.now = 1003.0
    driver.crash()
    assert driver.state.next_due() == 1005.0
    driver.now = 2000.0
    driver.crash()
    driver.step(Tick())
    assert driver.run_state() is RunState.SUCCEEDED
