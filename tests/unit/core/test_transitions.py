"""The tables are complete, every move that they do not hold is refused, and refusing changes nothing."""

import itertools
from typing import TypeVar

import pytest

from weft.core.changes import Cause, RunAdded
from weft.core.plan import Compiled
from weft.core.state import Run, State
from weft.core.transitions import RUN, TASK, check_run, check_task
from weft.core.turn import Turn
from weft.model.calls import PythonCall
from weft.model.errors import InvalidTransition
from weft.model.graph import Graph, Node
from weft.model.states import LIVE, RUN_TERMINAL, TERMINAL, RunState, TaskState

S = TypeVar("S")

ILLEGAL_TASK = [(old, new) for old, new in itertools.product(TaskState, TaskState) if new not in TASK[old]]
ILLEGAL_RUN = [(old, new) for old, new in itertools.product(RunState, RunState) if new not in RUN[old]]


def test_every_state_has_a_row_in_its_table() -> None:
    """No state is forgotten, and no row is about something else."""
    assert set(TASK) == set(TaskState)
    assert set(RUN) == set(RunState)


@pytest.mark.parametrize(("old", "new"), ILLEGAL_TASK)
def test_an_illegal_move_of_a_task_run_raises_and_leaves_it_as_it_was(old: TaskState, new: TaskState) -> None:
    """Neither the state nor the step's changes know anything of it."""
    with pytest.raises(InvalidTransition):
        check_task(old, new)
    graph = Graph(workflow="w", root=Node(key="w", call=PythonCall("m", "f")))
    run = Run(RunAdded(1, "run_1", "w", "g", 1.0), Compiled(graph), 1, "default")
    task = run.root
    task.added = True
    task.state = old
    turn = Turn(State(), 2.0)
    with pytest.raises(InvalidTransition):
        turn.move(task, new, Cause.STARTED)
    assert task.state is old
    assert not turn.changes


@pytest.mark.parametrize(("old", "new"), ILLEGAL_RUN)
def test_an_illegal_move_of_a_run_raises(old: RunState, new: RunState) -> None:
    """The error names both states."""
    with pytest.raises(InvalidTransition) as caught:
        check_run(old, new)
    assert caught.value.fields == {"old": str(old), "new": str(new)}


def test_every_state_can_be_reached_from_the_first() -> None:
    """No row of the tables is dead."""
    assert reach(TASK, TaskState.PENDING) == set(TaskState)
    assert reach(RUN, RunState.SCHEDULED) == set(RunState)


def test_every_state_that_is_not_an_end_leads_to_one() -> None:
    """Nothing can be stuck by the tables alone."""
    for state in set(TaskState) - TERMINAL:
        assert reach(TASK, state) & TERMINAL
    for run_state in set(RunState) - RUN_TERMINAL:
        assert reach(RUN, run_state) & RUN_TERMINAL


def test_only_a_person_moves_on_what_has_ended() -> None:
    """From an end only back to the beginning, or marked as the other outcome; a run only to run again."""
    for state in TERMINAL:
        assert TASK[state] <= {TaskState.PENDING, TaskState.SUCCEEDED, TaskState.FAILED}
    for run_state in RUN_TERMINAL:
        assert RUN[run_state] == {RunState.RUNNING}


def test_no_attempt_begins_without_being_queued() -> None:
    """What an executor carries out was durable as queued before (rule 2); groups and maps run alone."""
    assert TaskState.LOST not in TASK[TaskState.READY]
    assert all(TaskState.RETRYING not in TASK[state] for state in set(TaskState) - LIVE - {TaskState.LOST})


def reach(table: dict[S, frozenset[S]], start: S) -> set[S]:
    """The states that follow from ``start``, itself included."""
    found: set[S] = {start}
    pending = [start]
    while pending:
        new = table[pending.pop()] - found
        found |= new
        pending.extend(new)
    return found
