"""Sleeps, events, approvals, recorded chance and time, and patches: in one process, and across crashes."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from embedded_weft import Said, Weft, crash

import weft as w
from weft import flow, task
from weft.model.errors import TaskTimeout, UsageError
from weft.model.states import TaskState
from weft.model.waits import ApprovalWait


def when_waiting(weft: Weft, key: str, then: Any) -> threading.Thread:
    """Call ``then`` with the task run once it waits."""

    def watch() -> None:
        store = weft.host.store
        while True:
            rows = store.tasks(store.runs()[0].run) if store.runs() else []
            found = [each for each in rows if each.key == key and each.state is TaskState.WAITING]
            if found:
                then(found[0])
                return
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


# --- sleep ------------------------------------------------------------------------------------------------


def test_sleep_waits_without_a_worker(weft: Weft) -> None:
    """A sleep is a step that waits for its time; outside a flow it is an ordinary sleep."""

    @flow
    def main() -> float:
        began = time.monotonic()
        w.sleep("50ms")
        return time.monotonic() - began

    assert main() >= 0.05
    assert weft.task("sleep-0").kind == "call"
    began = time.monotonic()
    w.sleep(0.01)
    assert time.monotonic() - began >= 0.01


@flow
def sleeps_and_crashes(said: Said) -> str:
    said.say("began")
    if len(said.lines) == 1:
        threading.Timer(0.1, crash).start()
    w.sleep(0.5)
    return "woke"


def test_crash_does_not_restart_a_sleep(weft: Weft, said: Said) -> None:
    """A sleep that a crash interrupts ends when it would have ended."""
    weft.crash(lambda: sleeps_and_crashes(said))
    due_at = weft.task("sleep-0").due_at
    assert weft.value() == "woke"
    woke = weft.events("sleep-0")[-1]
    assert woke.change.state is TaskState.SUCCEEDED  # type: ignore[union-attr]
    assert due_at is not None
    assert 0 <= woke.at - due_at < 0.4
    assert said.lines == ["began", "began"]


# --- events -----------------------------------------------------------------------------------------------


def test_event_sent_while_waiting_and_before(weft: Weft) -> None:
    """An event wakes the wait for it; one that came earlier counts; each wakes one wait."""

    @flow
    def main() -> list[Any]:
        first = w.wait_for_event("go")
        return [first, w.wait_for_event("go"), w.wait_for_event("other")]

    def send(row: Any) -> None:
        host = weft.host
        for number, (name, value) in enumerate([("other", "o"), ("go", {"n": 1}), ("go", 2)]):
            host.engine.send(row.run, name, host.artifacts.dumps(value), f"signal-{number}")

    sender = when_waiting(weft, "wait_for_event-0", send)
    assert main() == [{"n": 1}, 2, "o"]
    sender.join()


def test_event_that_does_not_come(weft: Weft) -> None:
    """Past its timeout a wait fails, or gives ``None`` if the event was optional."""

    @flow
    def main() -> Any:
        with pytest.raises(TaskTimeout, match=r"no event 'never' came within 0\.02 s"):
            w.wait_for_event("never", timeout=0.02)
        return w.wait_for_event("never", timeout=0.02, optional=True)

    assert main() is None


@flow
def waits_and_crashes(said: Said) -> Any:
    said.say("began")
    if len(said.lines) == 1:
        threading.Timer(0.1, crash).start()
    return w.wait_for_event("go")


def test_wait_outlives_a_crash(weft: Weft, said: Said) -> None:
    """A wait goes on after a crash, and an event sent then ends it."""
    weft.crash(lambda: waits_and_crashes(said))
    host = weft.host

    def send(row: Any) -> None:
        while host.store.run_by_id(row.run).owner != host.engine.id:
            time.sleep(0.002)
        host.engine.send(row.run, "go", host.artifacts.dumps("there"), "signal-1")

    sender = when_waiting(weft, "wait_for_event-0", send)
    assert weft.value() == "there"
    sender.join()


def test_steps_need_a_flow(weft: Weft) -> None:
    """What only a flow can wait for says so elsewhere."""
    for step in (lambda: w.wait_for_event("x"), w.approval, lambda: w.patch("p")):
        with pytest.raises(UsageError, match="outside a flow"):
            step()


# --- approvals --------------------------------------------------------------------------------------------


def test_approval_is_answered(weft: Weft) -> None:
    """A person's answer, with what they filled in, is the approval's value."""

    @flow
    def main() -> w.Approval:
        return w.approval("**Deploy** to production?", form={"type": "object"}, assignees=("ada",))

    def answer(row: Any) -> None:
        assert isinstance(row.wait, ApprovalWait)
        assert row.wait.prompt == "**Deploy** to production?"
        assert row.wait.assignees == ("ada",)
        host = weft.host
        value = {"approved": True, "by": "ada", "input": {"where": "eu"}, "comment": "go"}
        host.engine.answer(row.run, row.idx, host.artifacts.dumps(value), "ada")

    person = when_waiting(weft, "approval-0", answer)
    found = main()
    person.join()
    assert bool(found)
    assert (found.by, found.input, found.comment) == ("ada", {"where": "eu"}, "go")


def test_approval_nobody_answers(weft: Weft) -> None:
    """Past its timeout an approval has its default, or fails without one."""

    @flow
    def main() -> list[Any]:
        rejected = w.approval(timeout=0.02, default=False)
        accepted = w.approval(timeout="20ms", default=True)
        with pytest.raises(TaskTimeout, match="nobody answered"):
            w.approval(timeout=0.02)
        return [bool(rejected), rejected.by, bool(accepted)]

    assert main() == [False, "timeout", True]


# --- chance and time --------------------------------------------------------------------------------------


@flow
def chance_and_time(said: Said) -> list[Any]:
    found = [w.random(), w.random(), w.now()]
    said.say(found)
    if len(said.lines) == 1:
        crash()
    return found


def test_chance_and_time_are_recorded(weft: Weft, said: Said) -> None:
    """A resumed flow sees the random numbers and times that it saw before."""
    weft.crash(lambda: chance_and_time(said))
    first, second, moment = weft.value()
    assert said.lines[0] == said.lines[1]
    assert 0 <= first < 1
    assert first != second
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_chance_and_time_outside_a_flow(weft: Weft) -> None:
    """Outside a flow they are what they always are, and make no run."""
    assert w.random() != w.random()
    assert w.now().tzinfo is UTC
    assert weft.runs() == []


# --- patches ----------------------------------------------------------------------------------------------


@task
def old_way() -> str:
    return "old"


@task
def new_way() -> str:
    return "new"


@task
def after() -> str:
    return "after"


CODE = {"version": 1}


@flow
def patched(said: Said) -> list[str]:
    found = []
    if CODE["version"] == 1:
        found.append(old_way())
    else:
        found.append(new_way() if w.patch("better") else old_way())
    said.say("passed")
    if len(said.lines) == 1:
        crash()
    found.append(after())
    if CODE["version"] == 2 and w.patch("later"):
        found.append(new_way())
    return found


def test_patch_keeps_old_runs_on_the_old_path(weft: Weft, said: Said) -> None:
    """A run that passed a change's place before the change stays on the old path; new runs take the new."""
    CODE["version"] = 1
    weft.crash(lambda: patched(said))
    CODE["version"] = 2
    try:
        # The second patch comes where nothing was recorded yet, so the old run takes that one.
        assert weft.value() == ["old", "after", "new"]
        assert patched(said) == ["new", "after", "new"]
    finally:
        CODE["version"] = 1


@flow
def patched_before_the_crash(said: Said) -> list[Any]:
    found = [w.patch("one"), new_way()]
    said.say("passed")
    if len(said.lines) == 1:
        crash()
    return [*found, w.patch("one")]


def test_patch_answers_the_same_for_ever(weft: Weft, said: Said) -> None:
    """A patch that a run once took it takes again, wherever it is asked."""
    weft.crash(lambda: patched_before_the_crash(said))
    assert weft.value() == [True, "new", True]
