"""Cells that are remembered."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from weft.model.rows import RunRow
from weft.model.states import RunState
from weft.server import cells
from weft.server.cells import Cells
from weft.store.summaries import CellCount


class Slow:
    """A store that remembers what it was asked, and takes a second each time."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.now = 0.0

    def cells(self, runs: Sequence[int]) -> list[CellCount]:
        """A cell for each run that has any: those of odd numbers."""
        self.asked.append(list(runs))
        self.now += 1.0
        return [CellCount(run, "t", "node", "queued", 1, 0, 0, None, None) for run in runs if run % 2]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The store, whose clock is the module's."""
    made = Slow()
    monkeypatch.setattr(cells, "monotonic", lambda: made.now)
    return made


def row(run: int, ended_at: float | None) -> RunRow:
    """A run."""
    return RunRow(
        run=run,
        uid=f"run_{run}",
        workflow="w",
        dialect="native",
        graph="",
        version=1,
        state=RunState.RUNNING if ended_at is None else RunState.SUCCEEDED,
        params={},
        tags=(),
        project="",
        key=None,
        parent_run="",
        parent_task=-1,
        facts={},
        created_at=0.0,
        ended_at=ended_at,
    )


def test_what_is_not_known_is_asked_for_together(slow: Any) -> None:
    """Runs that have ended once, open ones after a rest; runs without cells are known too."""
    made = Cells()
    ended, empty, open_ = row(1, 5.0), row(2, 5.0), row(3, None)
    assert {run: len(found) for run, found in made.of(slow, [ended, empty, open_]).items()} == {
        1: 1,
        2: 0,
        3: 1,
    }
    assert made.of(slow, [ended, empty, open_]).keys() == {1, 2, 3}
    assert slow.asked == [[1, 2, 3]]
    slow.now += 10.5
    made.of(slow, [ended, empty, open_])
    assert slow.asked[1:] == [[3]]
    made.of(slow, [replace(ended, ended_at=9.0), empty])
    assert slow.asked[2:] == [[1]]


def test_no_more_is_remembered_than_there_is_room_for(slow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for."""
    monkeypatch.setattr(cells, "CELLS_MAX", 10)
    made = Cells()
    for run in range(100):
        made.of(slow, [row(run, 5.0)])
    asked = len(slow.asked)
    made.of(slow, [row(99, 5.0)])
    made.of(slow, [row(1, 5.0)])
    assert len(slow.asked) == asked + 1
