"""Waiting without a worker: timers, events, answers, pokes and a suspended flow's children."""

from collections import deque
from typing import Any

from weft.core.changes import Cause, Signalled
from weft.core.state import Flow, Task
from weft.core.turn import Turn
from weft.model.calls import WaitCall
from weft.model.errors import ErrorInfo
from weft.model.states import TERMINAL, TaskState
from weft.model.values import NONE, Result
from weft.model.waits import ApprovalWait, ChildrenWait, EventWait, PokeWait, TimerWait, Wait

_T = TaskState


def begin_wait(turn: Turn, task: Task, wait: Wait, **facts: Any) -> None:
    """Put a task run to waiting; what it waits for may have come already."""
    turn.release(task)
    task.wait = wait
    if task.first_at is None:
        task.first_at = turn.now
    due_at: float | None = None
    if isinstance(wait, TimerWait):
        due_at = wait.until_s if wait.until_s is not None else turn.now + (wait.delay_s or 0.0)
    elif isinstance(wait, PokeWait):
        pause = min(
            wait.interval_s * wait.factor ** min(task.attempt - 1, 60), wait.interval_s_max or float("inf")
        )
        due_at = turn.now + pause
        if wait.timeout_s is not None:
            due_at = min(due_at, max(task.first_at + wait.timeout_s, turn.now))
    elif isinstance(wait, EventWait | ApprovalWait) and wait.timeout_s is not None:
        due_at = turn.now + wait.timeout_s
    resume_wait(turn, task, wait, due_at, record=True, facts=facts)


def resume_wait(
    turn: Turn, task: Task, wait: Wait, due_at: float | None, *, record: bool, facts: dict[str, Any]
) -> None:
    """Install a wait, as one that begins or (``record`` false) as one that was restored."""
    task.wait = wait
    task.due_at = due_at
    if record:
        turn.move(task, _T.WAITING, Cause.WAITS, wait=wait, due_at=due_at, **facts)
    if due_at is not None:
        turn.timer(due_at, "wait", task, task.attempt + task.generation)
    if isinstance(wait, EventWait):
        for at, (name, signal_id, payload) in enumerate(task.run.signals):
            if name == wait.name:
                del task.run.signals[at]
                consume(turn, task, name, signal_id, payload)
                return
        task.run.waiting_events.setdefault(wait.name, deque()).append(task)
    elif isinstance(wait, ChildrenWait):
        flow = task.body
        assert isinstance(flow, Flow)
        for call in flow.calls.values():
            call.inline = False  # The thread that would have carried it out is gone.
        if any(task.run.state_of(idx)[0] in TERMINAL for idx in wait.tasks):
            turn.enqueue(task)
        else:
            flow.waits_for = set(wait.tasks)


def consume(turn: Turn, task: Task, name: str, signal_id: str, payload: Result) -> None:
    """Give an event to the task run that waits for it."""
    turn.changes.append(Signalled(task.run.id, name, turn.now, payload, signal_id, task.idx))
    satisfy(turn, task, Cause.EVENT, payload)


def deliver(turn: Turn, task_run: "Task", payload: Result) -> None:
    """Give a person's answer to the approval that waits for it."""
    satisfy(turn, task_run, Cause.ANSWER, payload)


def satisfy(turn: Turn, task: Task, cause: Cause, payload: Result) -> None:
    """End a wait: a wait of its own succeeds, a task that deferred itself runs again."""
    task.due_at = None
    if isinstance(task.node.call, WaitCall):
        turn.finish(task, _T.SUCCEEDED, cause, result=payload)
    else:
        task.wait = None
        turn.enqueue(task)


def wait_due(turn: Turn, task: Task) -> None:
    """A wait's timer fired: its moment has come, or its time is over."""
    wait = task.wait
    if isinstance(wait, TimerWait):
        satisfy(turn, task, Cause.DUE, NONE)
    elif isinstance(wait, PokeWait):
        over = wait.timeout_s is not None and task.first_at is not None
        if over and turn.now >= (task.first_at or 0.0) + (wait.timeout_s or 0.0):
            if wait.soft_fail:
                turn.finish(task, _T.SKIPPED, Cause.TIMEOUT)
            else:
                _over(turn, task, f"not so after {wait.timeout_s:g} s of poking")
        else:
            satisfy(turn, task, Cause.DUE, NONE)
    elif isinstance(wait, EventWait):
        if wait.optional:
            _leave_events(task, wait)
            satisfy(turn, task, Cause.TIMEOUT, NONE)
        else:
            _leave_events(task, wait)
            _over(turn, task, f"no event {wait.name!r} came within {wait.timeout_s:g} s")
    elif isinstance(wait, ApprovalWait):
        if wait.default:
            approved = b"\xc3" if wait.default == "approve" else b"\xc2"
            answer = b"\x82\xa8approved" + approved + b"\xa2by\xa7timeout"
            satisfy(turn, task, Cause.TIMEOUT, Result("msgpack", answer, None, len(answer)))
        else:
            _over(turn, task, f"nobody answered within {wait.timeout_s:g} s")


def _leave_events(task: Task, wait: EventWait) -> None:
    waiting = task.run.waiting_events.get(wait.name)
    if waiting is not None and task in waiting:
        waiting.remove(task)


def _over(turn: Turn, task: Task, message: str) -> None:
    turn.finish(task, _T.FAILED, Cause.TIMEOUT, error=ErrorInfo("weft.TaskTimeout", message, "W2001"))
