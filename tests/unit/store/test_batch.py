"""What one commit writes: each task row once, whatever happened to it."""

import pytest

from weft.core.changes import Cause, RunAdded, TaskAdded, TaskChanged
from weft.model.errors import ErrorInfo, InvariantViolation
from weft.model.states import TaskState
from weft.store.batch import plan
from weft.store.event_log import pack


def added(run: int, idx: int) -> TaskAdded:
    """A task run that is known."""
    return TaskAdded(run, idx, f"k{idx}", "k", 1.0)


def changed(run: int, idx: int, state: TaskState, attempt: int = 1, at: float = 2.0) -> TaskChanged:
    """A task run that moved."""
    return TaskChanged(run, idx, state, attempt, at, Cause.UPSTREAM)


def test_added_and_changed_is_one_insert() -> None:
    """The row goes in with its latest state."""
    batch = plan(
        [added(1, 0), changed(1, 0, TaskState.QUEUED), changed(1, 0, TaskState.RUNNING, at=3.0), added(1, 1)]
    )
    assert batch.changed == []
    assert [row[:3] for row in batch.added] == [(1, 0, TaskState.RUNNING), (1, 1, TaskState.PENDING)]
    assert batch.added[0][8:12] == (1.0, 3.0, 3.0, None)


def test_changed_twice_is_one_update() -> None:
    """Only the latest is written, and the log has both."""
    first = changed(1, 0, TaskState.RUNNING)
    second = TaskChanged(1, 0, TaskState.FAILED, 1, 3.0, Cause.RAISED, error=ErrorInfo("a.B", "c"))
    batch = plan([first, second])
    assert batch.added == []
    ((state, *_, error, run, idx),) = batch.changed
    assert (state, error, run, idx) == (TaskState.FAILED, '{"type":"a.B","message":"c"}', 1, 0)
    assert batch.blocks == {1: [pack(first), pack(second)]}


@pytest.mark.parametrize(
    ("moves", "decided", "start"),
    [
        ([(TaskState.QUEUED, 1)], False, None),
        ([(TaskState.RUNNING, 1)], True, 2.0),
        ([(TaskState.RUNNING, 1), (TaskState.LOST, 1)], True, 2.0),
        ([(TaskState.RUNNING, 1), (TaskState.QUEUED, 2)], True, None),
        ([(TaskState.RETRYING, 1), (TaskState.QUEUED, 2)], True, None),
        ([(TaskState.RETRYING, 1), (TaskState.CANCELLED, 1)], False, None),
    ],
)
def test_the_start_time_is_the_latest_attempts(
    moves: list[tuple[TaskState, int]], decided: bool, start: float | None
) -> None:
    """The batch decides it where it knows; else the row does, by its attempt."""
    batch = plan([changed(1, 0, state, attempt) for state, attempt in moves])
    assert batch.changed[0][7:9] == (decided, start)


def test_runs_follow_each_other_in_order_of_appearance() -> None:
    """Each run's changes are one block, in which other changes know their place."""
    run = RunAdded(2, "u", "w", "g", 1.0)
    batch = plan([added(3, 0), run, added(3, 1), added(2, 0)])
    assert list(batch.blocks) == [3, 2]
    assert [len(block) for block in batch.blocks.values()] == [2, 2]
    assert batch.others == [(0, run)]


@pytest.mark.parametrize(
    "changes", [[added(1, 0), added(1, 0)], [changed(1, 0, TaskState.QUEUED), added(1, 0)]]
)
def test_a_batch_that_no_log_may_hold_is_refused(changes: list[TaskAdded | TaskChanged]) -> None:
    """Coalescing must not hide a broken order."""
    with pytest.raises(InvariantViolation):
        plan(changes)
