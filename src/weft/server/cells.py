"""The task runs of runs, counted by task, remembered for a while where counting takes long.

As in ``counting.py``: the cells of a run that has ended hold until it is cleared; those of an open one are
given again for ten times as long as they took. What is not known is asked for in one question for all runs.
"""

from collections.abc import Sequence
from time import monotonic

import msgspec

from weft.model.rows import RunRow
from weft.server.counting import REST
from weft.store.protocol import Reader
from weft.store.summaries import CellCount

CELLS_MAX = 100_000
"""Cells that are remembered."""


class _Known(msgspec.Struct):
    """The cells of a run, with the end of the run that they belong to and until when they hold."""

    ended_at: float | None
    until: float
    cells: list[CellCount]


class Cells:
    """Counts task runs by task."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._held = 0

    def of(self, store: Reader, rows: Sequence[RunRow]) -> dict[int, list[CellCount]]:
        """The cells of these runs, by run."""
        began = monotonic()
        found: dict[int, list[CellCount]] = {}
        wanted: dict[int, RunRow] = {}
        for row in rows:
            known = self._known.get(row.run)
            same = known is not None and known.ended_at == row.ended_at
            if known is not None and same and (row.ended_at is not None or began < known.until):
                found[row.run] = known.cells
            else:
                wanted[row.run] = row
        if wanted:
            found |= {run: [] for run in wanted}
            for cell in store.cells(list(wanted)):
                found[cell.run].append(cell)
            ended = monotonic()
            for run, row in wanted.items():
                self._keep(run, _Known(row.ended_at, ended + REST * (ended - began), found[run]))
        return found

    def _keep(self, run: int, known: _Known) -> None:
        self._held += len(known.cells) + 1
        if self._held > CELLS_MAX:
            self._known.clear()
            self._held = len(known.cells) + 1
        self._known[run] = known
