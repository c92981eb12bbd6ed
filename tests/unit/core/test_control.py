"""Pause, resume, cancel, mark; timeouts; reports that are late, repeated or about lost attempts."""

from typing import Any

import pytest
from core_bodies import BOOM
from core_driver import Driver
from core_graphs import call, const, dag, group, task
from msgspec.structs import replace

from weft.core.binding import value
from weft.core.changes import Cause, Showed
from weft.core.commands import Start, Stop
from weft.core.events import CancelRun, CancelTask, Dropped, Mark, PauseRun, Prepared, ResumeRun, Tick
from weft.model.attempts import Ended, Published, Shown, Started
from weft.model.calls import WaitCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Declared, MapSpec, Node
from weft.model.inputs import Compare
from weft.model.policies import Cache, Retry, Timeout
from weft.model.states import RunState, TaskState
from weft.model.values import NONE
from weft.model.waits import EventWait, TimerWait

S = TaskState


# --- pause and resume -------------------------------------------------------------------------------------


def test_a_paused_run_starts_nothing_and_loses_nothing() -> None:
    """What runs ends; what became ready meanwhile starts when the run goes on."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a"), task("m", "a", map=MapSpec(over={"": const([1, 2])}))))
    driver.step(PauseRun(1))
    driver.end("a")
    assert not driver.live
    assert driver.run_state() is RunState.PAUSED
    driver.step(ResumeRun(1))
    assert driver.running() == ["b", "m[0]", "m[1]"]
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_map_that_is_paused_in_the_middle_goes_on_where_it_was() -> None:
    """Its next items start after the resume."""
    driver = Driver(room=1)
    driver.submit(dag(task("m", map=MapSpec(over={"": const([1, 2, 3])}))))
    driver.step(PauseRun(1))
    driver.end("m[0]")
    assert not driver.live
    driver.step(ResumeRun(1))
    assert driver.running() == ["m[1]"]
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED


def test_timers_of_a_paused_run_are_kept() -> None:
    """A retry that came due meanwhile starts after the resume."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=1, delay_s=5.0))))
    driver.end("a", error=BOOM)
    driver.step(PauseRun(1))
    driver.now += 10
    driver.step(Tick())
    assert not driver.live
    driver.step(ResumeRun(1))
    assert driver.running() == ["a"]


def test_a_lost_attempt_of_a_paused_run_waits_too() -> None:
    """It runs again after the resume."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.step(PauseRun(1))
    driver.end("a", Ended(driver.find("a"), S.LOST))
    assert not driver.live
    driver.step(ResumeRun(1))
    assert driver.running() == ["a"]


def test_pausing_is_for_a_run_that_runs() -> None:
    """A second pause, a resume of a running run and either of an unknown one change nothing."""
    driver = Driver()
    driver.submit(dag(task("a")))
    for events in ((ResumeRun(1),), (PauseRun(7), ResumeRun(7))):
        assert driver.step(*events) == ([], [])
    driver.step(PauseRun(1))
    assert driver.step(PauseRun(1)) == ([], [])


def test_a_paused_run_can_be_cancelled() -> None:
    """It runs again just to end."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    driver.step(PauseRun(1))
    driver.end("a")
    driver.step(CancelRun(1))
    driver.finish()
    assert driver.run_state() is RunState.CANCELLED


def test_a_paused_run_stays_paused_over_a_crash_unless_it_is_resumed() -> None:
    """Restoring it without ``resume`` starts nothing."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    driver.step(PauseRun(1))
    driver.end("a")
    driver.crash(resume=False)
    assert (driver.run_state(), driver.running()) == (RunState.PAUSED, [])
    driver.step(ResumeRun(1))
    assert driver.running() == ["b"]


# --- cancelling -------------------------------------------------------------------------------------------


def test_cancelling_asks_attempts_to_stop_and_ends_the_rest_at_once() -> None:
    """The run ends when the last attempt has."""
    driver = Driver(room=1)
    driver.submit(dag(task("a"), task("b"), task("c", "a")))
    _, commands = driver.step(CancelRun(1))
    assert commands == [Stop("default", driver.find("a"))]
    assert driver.states() == {"w": "running", "a": "queued", "b": "cancelled", "c": "cancelled"}
    driver.finish()
    assert driver.run_state() is RunState.CANCELLED


def test_an_attempt_that_ends_well_while_it_is_being_stopped_has_ended_well() -> None:
    """Its result is true; the run is cancelled all the same."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.step(CancelRun(1))
    driver.end("a", result=1)
    assert driver.states() == {"w": "cancelled", "a": "succeeded"}


def test_a_failure_while_being_stopped_is_not_tried_again() -> None:
    """Retries are for runs that go on."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=5))))
    driver.step(CancelRun(1))
    driver.end("a", error=BOOM)
    assert driver.row("a").state is S.FAILED
    assert driver.run_state() is RunState.CANCELLED


def test_cancelling_twice_asks_once_and_forcing_asks_again() -> None:
    """Force is for what does not stop."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.step(CancelRun(1))
    assert driver.step(CancelRun(1)) == ([], [])
    assert driver.step(CancelRun(1, force=True))[1] == [Stop("default", driver.find("a"))]


def test_a_single_task_can_be_stopped() -> None:
    """What needs it cannot run; the rest goes on."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a"), task("c")))
    driver.step(CancelTask(1, driver.row("a").idx))
    driver.finish()
    assert driver.states() == {
        "w": "failed",
        "a": "cancelled",
        "b": "upstream_failed",
        "c": "succeeded",
    }


def test_a_task_between_two_attempts_is_stopped_at_once() -> None:
    """Nobody is there to ask."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=1, delay_s=60.0))))
    driver.end("a", error=BOOM)
    driver.step(CancelTask(1, driver.row("a").idx))
    assert driver.row("a").state is S.CANCELLED
    driver.now += 100
    driver.step(Tick())
    assert not driver.live


# --- marks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.SUCCEEDED, S.FAILED, S.SKIPPED])
def test_a_person_says_how_a_task_ended(state: TaskState) -> None:
    """A running attempt is stopped, and its report comes too late."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    aid = driver.find("a")
    _, commands = driver.step(Mark(1, aid[1], state, value(5) if state.ok else None))
    assert Stop("default", aid) in commands
    driver.end(aid, error=BOOM)
    row = driver.row("a")
    assert (row.state, row.cause) == (state, Cause.MARKED)
    assert driver.running() == (["b"] if state.ok else [])


# --- timeouts ---------------------------------------------------------------------------------------------


def later(driver: Driver, seconds: float) -> None:
    """Let time pass."""
    driver.now += seconds
    driver.step(Tick())


def test_an_attempt_that_waits_too_long_in_a_queue_fails() -> None:
    """The executor is told to forget it; the retry policy decides on the next."""
    driver = Driver()
    driver.submit(dag(task("a", timeout=Timeout(queued_s=5.0), retry=Retry(limit=1))))
    first = driver.find("a")
    later(driver, 5.0)
    assert first in driver.stopped
    assert driver.row("a").attempt == 2
    assert (
        "queued longer than 5 s" in driver.causes("a")[1] or driver.causes("a")[1] == "retrying:queue_timeout"
    )


def test_an_attempt_that_has_started_is_no_longer_queued() -> None:
    """The queue's timeout does not touch it."""
    driver = Driver()
    driver.submit(dag(task("a", timeout=Timeout(queued_s=5.0))))
    driver.step(Started(driver.find("a"), driver.now))
    later(driver, 50.0)
    assert driver.row("a").state is S.RUNNING


def test_the_total_time_covers_all_attempts_and_pauses() -> None:
    """It ends a pause at once, and a running attempt when it has stopped; as a failure."""
    for failing in (True, False):
        driver = Driver()
        policy = {"timeout": Timeout(total_s=10.0), "retry": Retry(limit=9, delay_s=60.0)}
        driver.submit(dag(task("a", **policy)))
        if failing:
            driver.end("a", error=BOOM)
        later(driver, 10.0)
        driver.finish()
        row = driver.row("a")
        assert (row.state, row.cause) == (S.FAILED, Cause.TIMEOUT)
        assert row.error is not None
        assert row.error.code == "W2001"


def test_an_attempt_that_overran_is_a_timeout() -> None:
    """The executor kills it and says so; it is a failure like any other for the policy."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=1), timeout=Timeout(execution_s=1.0))))
    error = ErrorInfo("weft.TaskTimeout", "ran longer than 1 s", "W2001")
    driver.end("a", error=error)
    assert driver.causes("a")[1] == "retrying:timeout"
    driver.end("a", error=error)
    assert driver.row("a").state is S.FAILED


def test_a_run_that_takes_too_long_fails_with_all_that_it_holds() -> None:
    """Waits, groups and attempts alike."""
    graph = dag(task("a"), task("e", call=WaitCall(EventWait("n"))), timeout_s=100.0)
    driver = Driver()
    driver.submit(graph)
    later(driver, 100.0)
    driver.finish()
    assert driver.run_state() is RunState.FAILED
    error = driver.row("w").error
    assert error is not None
    assert error.code == "W2001"


@pytest.mark.parametrize("which", ["run", "total", "group"])
def test_timeouts_survive_a_crash(which: str) -> None:
    """They count from the first start, whoever carries on."""
    total = Timeout(total_s=100.0)
    wait = task("e", call=WaitCall(EventWait("n")))
    graph = dag(wait, timeout_s=100.0)
    if which == "total":
        graph = dag(task("a", timeout=total))
    elif which == "group":
        graph = dag(Node(key="g", call=call("g"), timeout=total), groups={"g": group(wait)})
    driver = Driver()
    driver.submit(graph)
    driver.now += 60.0
    driver.crash(alive=list(driver.live))
    later(driver, 39.0)
    assert driver.run_state() is RunState.RUNNING
    later(driver, 1.0)
    driver.finish()
    assert driver.run_state() is RunState.FAILED


# --- reports ----------------------------------------------------------------------------------------------


def test_late_and_repeated_reports_are_ignored() -> None:
    """Of an attempt that was answered, of an earlier attempt, of an unknown run (I2)."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=1)), task("z", call=WaitCall(EventWait("n")))))
    first = driver.find("a")
    driver.end(first, error=BOOM)
    stale = [
        Ended(first, S.SUCCEEDED, result=value(1)),
        Ended(first, S.FAILED, error=BOOM),
        Started(first, 1.0),
        Ended((9, 1, 1), S.SUCCEEDED),
        Started((1, 99, 1), 1.0),
        Shown((9, 1, 1), Published("k", "link", NONE)),
    ]
    for report in stale:
        assert driver.step(report) == ([], [])
    second = driver.find("a")
    driver.end(second, result=2)
    assert driver.step(Ended(second, S.FAILED, error=BOOM)) == ([], [])
    assert driver.result("a") == 2


def test_a_start_that_is_told_twice_is_recorded_once() -> None:
    """The first one gives the time."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.step(Started(driver.find("a"), 5.0, "w1"))
    assert driver.step(Started(driver.find("a"), 6.0, "w2")) == ([], [])
    assert (driver.row("a").started_at, driver.row("a").worker) == (5.0, "w1")


def test_lost_attempts_are_tried_again_up_to_their_own_limit() -> None:
    """They use up no retry; past the limit the task fails."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=0, lost_limit=2))))
    for attempt in (1, 2, 3):
        aid = driver.find("a")
        assert aid[2] == attempt
        driver.end(aid, Ended(aid, S.LOST, error=ErrorInfo("weft.TaskLost", "killed", "W2002")))
    row = driver.row("a")
    assert (row.state, row.cause) == (S.FAILED, Cause.WORKER_DIED)


def test_an_attempt_lost_with_its_engine_uses_up_nothing() -> None:
    """However often the engine dies."""
    driver = Driver()
    driver.submit(dag(task("a")))
    for _ in range(10):
        driver.crash()
    driver.finish()
    row = driver.row("a")
    assert (row.state, row.attempt, row.failures) == (S.SUCCEEDED, 11, 0)


def test_a_retry_that_is_not_allowed_says_why() -> None:
    """The reason is kept with the failure."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=3, not_on=("builtins.ValueError",)))))
    changes, _ = driver.end("a", error=BOOM)
    assert "builtins.ValueError is never retried" in [getattr(each, "detail", "") for each in changes]


def test_what_a_task_shows_is_recorded() -> None:
    """For people, with the attempt that showed it."""
    driver = Driver()
    driver.submit(dag(task("a")))
    shown = Published("progress", "progress", value(0.5))
    changes, _ = driver.step(Shown(driver.find("a"), shown))
    assert changes == [Showed(1, 1, 1, driver.now, shown)]


def test_an_output_that_is_there_already_saves_the_run() -> None:
    """The first attempt only asks; if it is not there the second one makes it."""
    target = (Declared("file", check=task("check").call),)
    for there, state, attempts in ((True, S.CACHED, 1), (False, S.SUCCEEDED, 2)):
        driver = Driver()
        driver.submit(dag(task("a", outputs=target)))
        assert driver.live[driver.find("a")].phase == "check"
        driver.end("a", result=there)
        driver.finish()
        assert (driver.row("a").state, driver.row("a").attempt) == (state, attempts)


def test_a_cached_result_stands_in_until_it_is_too_old() -> None:
    """The same inputs within the time to live; other inputs and a later time run."""
    driver = Driver()

    def run(x: int) -> TaskState:
        number = driver.submit(dag(task("a", cache=Cache(ttl_s=60.0), inputs={"x": const(x)})))
        driver.finish()
        return driver.row("a", number).state

    assert [run(1), run(1), run(2)] == [S.SUCCEEDED, S.CACHED, S.SUCCEEDED]
    driver.now += 61.0
    assert run(1) is S.SUCCEEDED


def test_answers_about_an_earlier_generation_are_ignored() -> None:
    """A preparation that was overtaken, repeated, or about something that has ended."""
    driver = Driver()
    driver.auto_prepare = False
    driver.submit(dag(task("a", when=Compare("truthy", const(1)))))
    (wanted,) = driver.prepares
    stale = Prepared(wanted.run, wanted.idx, wanted.generation + 1, skip=True)
    assert driver.step(stale) == ([], [])
    answer = Prepared(wanted.run, wanted.idx, wanted.generation)
    assert isinstance(driver.step(answer)[1][0], Start)
    assert driver.step(replace(answer, skip=True)) == ([], [])


def test_a_preparation_that_failed_fails_the_task_without_a_retry() -> None:
    """The same values would give the same error."""
    driver = Driver()
    driver.auto_prepare = False
    driver.submit(dag(task("a", when=Compare("truthy", const(1)), retry=Retry(limit=9))))
    (wanted,) = driver.prepares
    driver.step(Prepared(wanted.run, wanted.idx, wanted.generation, error=BOOM))
    assert (driver.row("a").state, driver.row("a").attempt) == (S.FAILED, 0)


def test_a_run_that_another_engine_took_over_leaves_its_slots() -> None:
    """Whoever waited for them here goes on."""
    driver = Driver(pools={"p": 1})
    for _ in range(2):
        driver.submit(dag(task("a", pools={"p": 1})))
    assert len(driver.live) == 1
    gone = next(iter(driver.live))
    driver.live.pop(gone)
    driver.step(Dropped(1))
    assert [aid[0] for aid in driver.live] == [2]


def test_two_steps_of_the_same_history_are_equal() -> None:
    """The core is deterministic: the same events at the same times give the same changes and commands."""

    def history() -> tuple[list[Any], dict[str, str]]:
        driver = Driver(room=2, pools={"p": 1})
        retry = Retry(limit=2, delay_s=1.0, jitter=1.0)
        driver.submit(
            dag(
                task("a", retry=retry),
                task("m", map=MapSpec(over={"": const(list(range(5)))}), retry=retry, pools={"p": 1}),
                task("t", "a", call=WaitCall(TimerWait(delay_s=3.0))),
            )
        )
        driver.finish(lambda attempt: BOOM if attempt.try_number == 1 else attempt.key)
        return driver.log, driver.states()

    assert history() == history()
