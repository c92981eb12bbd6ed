"""What rows a log amounts to."""

from collections.abc import Callable

import pytest

from weft.core.changes import (
    Cached,
    Cause,
    Change,
    MapExpanded,
    NodeAdded,
    RunAdded,
    RunChanged,
    Showed,
    Signalled,
    TaskAdded,
    TaskChanged,
)
from weft.core.fold import Folded, apply, fold
from weft.model.attempts import Published
from weft.model.calls import PythonCall
from weft.model.errors import ErrorInfo, InvariantViolation
from weft.model.graph import Node
from weft.model.rows import MapRow, RunRow, SignalRow, TaskRow
from weft.model.states import RUN_TERMINAL, TERMINAL, RunState, TaskState
from weft.model.values import Result
from weft.model.waits import TimerWait

ONE = Result("msgpack", b"\x01", None, 1)
TWO = Result("msgpack", b"\x02", None, 1)
BOOM = ErrorInfo("builtins.ValueError", "boom")
RUN = RunAdded(1, "run_a", "etl", "g1", 5.0, tags=("t",), params={"p": ONE}, facts={"f": 1}, key="k")
TASK = TaskAdded(1, 0, "load[0]", "load", 6.0, kind="item", parent=3, map_index=0)


def moved(state: TaskState, attempt: int = 1, at: float = 7.0, **given: object) -> TaskChanged:
    """A change of the only task run."""
    return TaskChanged(1, 0, state, attempt, at, Cause.UPSTREAM, **given)  # type: ignore[arg-type]


def task(*changes: TaskChanged) -> TaskRow:
    """The only task run after these."""
    return fold([RUN, TASK, *changes]).tasks[1, 0]


def run(*changes: RunChanged) -> RunRow:
    """The only run after these."""
    return fold([RUN, *changes]).runs[1]


def ran(state: RunState, at: float, **given: object) -> RunChanged:
    """A change of the only run."""
    return RunChanged(1, state, at, Cause.CHILDREN, **given)  # type: ignore[arg-type]


def test_an_accepted_run_is_scheduled() -> None:
    """Its row is what was submitted, and nothing has happened to it."""
    row = run()
    assert (row.uid, row.workflow, row.graph, row.tags, row.params) == (
        "run_a",
        "etl",
        "g1",
        ("t",),
        {"p": ONE},
    )
    assert (row.facts, row.key, row.created_at) == ({"f": 1}, "k", 5.0)
    assert (row.state, row.started_at, row.ended_at) == (RunState.SCHEDULED, None, None)
    assert (row.owner, row.epoch, row.version) == (0, 0, 0)


def test_a_run_starts_once_and_ends_while_it_is_over() -> None:
    """A pause does not start it again; a clear takes its end, result and error away."""
    first = [ran(RunState.RUNNING, 7.0), ran(RunState.PAUSED, 8.0), ran(RunState.RUNNING, 9.0)]
    assert run(*first).started_at == 7.0
    failed = [*first, ran(RunState.FAILED, 10.0, error=BOOM)]
    assert (run(*failed).ended_at, run(*failed).error) == (10.0, BOOM)
    again = [*failed, ran(RunState.RUNNING, 11.0)]
    assert (run(*again).started_at, run(*again).ended_at, run(*again).error) == (7.0, None, None)
    ended = run(*again, ran(RunState.SUCCEEDED, 12.0, result=TWO))
    assert (ended.ended_at, ended.result, ended.error) == (12.0, TWO, None)


def test_a_new_task_run_is_pending() -> None:
    """Its row is its identity."""
    row = task()
    assert (row.key, row.name, row.kind, row.parent, row.map_index) == ("load[0]", "load", "item", 3, 0)
    assert (row.state, row.attempt, row.cause, row.by) == (TaskState.PENDING, 0, "", -1)
    assert (row.first_at, row.changed_at, row.started_at, row.ended_at) == (6.0, 6.0, None, None)


def test_the_latest_change_overlays_every_field() -> None:
    """Nothing of an earlier state is left: not its error, its wait, its due time, nor its choice."""
    full = moved(
        TaskState.FAILED,
        failures=2,
        generation=1,
        by=4,
        result=ONE,
        error=BOOM,
        due_at=9.0,
        wait=TimerWait(9.0),
        worker="w",
        chosen=("a",),
    )
    row = task(full)
    assert (row.failures, row.generation, row.by, row.result, row.error) == (2, 1, 4, ONE, BOOM)
    assert (row.due_at, row.wait, row.worker, row.chosen, row.cause) == (
        9.0,
        TimerWait(9.0),
        "w",
        ("a",),
        "upstream",
    )
    assert task(full, moved(TaskState.QUEUED)) == task(moved(TaskState.QUEUED))


@pytest.mark.parametrize(
    ("changes", "started_at"),
    [
        ([moved(TaskState.QUEUED)], None),
        ([moved(TaskState.RUNNING, at=8.0)], 8.0),
        ([moved(TaskState.RUNNING, at=8.0, started_at=7.5)], 7.5),
        ([moved(TaskState.SUCCEEDED, at=9.0, started_at=7.5)], 7.5),
        ([moved(TaskState.RUNNING, at=8.0), moved(TaskState.CANCELLED, at=9.0)], 8.0),
        ([moved(TaskState.RUNNING, at=8.0), moved(TaskState.QUEUED, attempt=2)], None),
        ([moved(TaskState.RUNNING), moved(TaskState.LOST), moved(TaskState.RUNNING, attempt=2, at=9.0)], 9.0),
    ],
)
def test_a_task_run_started_when_its_latest_attempt_did(
    changes: list[TaskChanged], started_at: float | None
) -> None:
    """The executor's own time if told, else when it was seen to run; another attempt has not started."""
    assert task(*changes).started_at == started_at


@pytest.mark.parametrize("state", TaskState)
def test_a_task_run_has_an_end_exactly_while_it_is_terminal(state: TaskState) -> None:
    """For every state."""
    assert task(moved(TaskState.FAILED), moved(state, at=9.0)).ended_at == (
        9.0 if state in TERMINAL else None
    )


@pytest.mark.parametrize("state", RunState)
def test_a_run_has_an_end_exactly_while_it_is_terminal(state: RunState) -> None:
    """For every state."""
    assert run(ran(RunState.FAILED, 8.0), ran(state, 9.0)).ended_at == (
        9.0 if state in RUN_TERMINAL else None
    )


def test_the_latest_record_of_an_identity_counts() -> None:
    """Maps, signals, cache records and publications are replaced in place; a node is for ever."""
    node = Node(key="a", call=PythonCall("m", "a"))
    shown = Published("r", "markdown", ONE)
    state = fold(
        [
            RUN,
            NodeAdded(1, "n1", node),
            MapExpanded(1, 0, 1.0, 5, 3, ONE),
            MapExpanded(1, 0, 2.0, 8, 4, TWO, generation=1),
            Signalled(1, "go", 1.0, ONE, "b"),
            Signalled(1, "go", 1.0, ONE, "a"),
            Signalled(1, "go", 2.0, ONE, "b", consumer=3),
            Cached(1, 0, "k", ONE, 1.0),
            Cached(1, 1, "k", TWO, 2.0),
            Showed(1, 0, 1, 1.0, shown),
            Showed(1, 0, 2, 2.0, shown),
        ]
    )
    assert state.nodes == {(1, "n1"): node}
    assert list(state.maps.values()) == [
        MapRow(run=1, idx=0, at=2.0, base=8, count=4, items=TWO, generation=1)
    ]
    assert list(state.signals.values()) == [
        SignalRow(run=1, name="go", at=2.0, payload=ONE, signal_id="b", consumer=3),
        SignalRow(run=1, name="go", at=1.0, payload=ONE, signal_id="a"),
    ]
    assert [(cached.idx, cached.result) for cached in state.cached.values()] == [(1, TWO)]
    assert [showed.attempt for showed in state.shown.values()] == [2]


@pytest.mark.parametrize(
    "broken",
    [
        lambda: RUN,
        lambda: TASK,
        lambda: TaskAdded(9, 0, "", "", 1.0),
        lambda: TaskChanged(1, 9, TaskState.QUEUED, 1, 1.0, Cause.CALLED),
        lambda: RunChanged(9, RunState.RUNNING, 1.0, Cause.SUBMITTED),
        lambda: Cached(9, 0, "k", ONE, 1.0),
    ],
    ids=["run twice", "task twice", "task of no run", "no such task", "no such run", "record of no run"],
)
def test_a_broken_log_is_refused_and_changes_nothing(broken: Callable[[], Change]) -> None:
    """Adding what is there, or changing what is not, is a violation; the state stays as it was."""
    state = fold([RUN, TASK])
    with pytest.raises(InvariantViolation) as caught:
        apply(state, broken())
    assert "run" in caught.value.where
    assert state == fold([RUN, TASK])


def test_nothing_folds_to_nothing() -> None:
    """An empty log has no rows, and folds do not share state."""
    assert fold([]) == Folded()
    assert fold([]).runs is not fold([]).runs
