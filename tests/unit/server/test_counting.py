"""Counts that are remembered."""

from typing import Any

import pytest
from msgspec.structs import replace

from weft.model.rows import RunRow
from weft.model.states import RunState, TaskState
from weft.server import counting
from weft.server.counting import Counts


class Slow:
    """A store that is asked so often, and takes so long that a clock of its own tells."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = 0.0

    def counts(self, run: int) -> dict[TaskState, int]:
        """Takes a second."""
        self.asked += 1
        self.now += 1.0
        return {TaskState.SUCCEEDED: self.asked}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The store, whose clock is the module's."""
    made = Slow()
    monkeypatch.setattr(counting, "monotonic", lambda: made.now)
    return made


ROW = RunRow(
    run=1,
    uid="run_1",
    workflow="w",
    dialect="native",
    graph="",
    version=1,
    state=RunState.RUNNING,
    params={},
    tags=(),
    project="",
    key=None,
    parent_run="",
    parent_task=-1,
    facts={},
    created_at=0.0,
)


def test_an_open_run_is_counted_again_after_a_rest(slow: Any) -> None:
    """Ten times as long as counting took."""
    counts = Counts()
    assert counts.of(slow, ROW) == counts.of(slow, ROW) == {TaskState.SUCCEEDED: 1}
    slow.now += 10.5
    assert counts.of(slow, ROW) == {TaskState.SUCCEEDED: 2}


def test_an_ended_run_is_counted_once(slow: Any) -> None:
    """Until it is opened again, and ends another time."""
    counts = Counts()
    counts.of(slow, ROW)
    ended = replace(ROW, state=RunState.SUCCEEDED, ended_at=5.0)
    assert counts.of(slow, ended) == {TaskState.SUCCEEDED: 2}
    slow.now += 1e6
    assert counts.of(slow, ended) == {TaskState.SUCCEEDED: 2}
    assert counts.of(slow, replace(ended, ended_at=9.0)) == {TaskState.SUCCEEDED: 3}
