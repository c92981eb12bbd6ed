"""What pages ask of a store: many rows as few columns, or as counts.

Rules:

1. Each question is one statement, whatever it is about: nothing here is asked once a row.
2. An answer is as long as what is drawn, not as what is stored: a map of 100,000 items is one ``CellCount``,
   and a year of runs some thousand ``CreatedCount``.
3. Nothing here is a whole row that has a question of its own in ``Reader``.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from weft.model.rows import RunRow

PACES = 8
"""Steps of a pace for each doubling of a duration: a step is 9 %."""


class Bars(msgspec.Struct, kw_only=True):
    """Task runs of one run, in columns of equal length, by index. Times are Unix seconds.

    Attributes:
        idx, name, kind, parent, map_index, state, attempt, first_at, changed_at, started_at, ended_at,
            worker: As in ``TaskRow``.
        key: The same, if it was asked for; else empty.
    """

    idx: Sequence[int] = ()
    name: Sequence[str] = ()
    kind: Sequence[str] = ()
    parent: Sequence[int] = ()
    map_index: Sequence[int] = ()
    state: Sequence[str] = ()
    attempt: Sequence[int] = ()
    first_at: Sequence[float] = ()
    changed_at: Sequence[float] = ()
    started_at: Sequence[float | None] = ()
    ended_at: Sequence[float | None] = ()
    worker: Sequence[str] = ()
    key: Sequence[str] = ()


class RunMark(msgspec.Struct, frozen=True):
    """A run as a mark in a row of runs: fields as in ``RunRow``."""

    run: int
    uid: str
    workflow: str
    state: str
    created_at: float
    started_at: float | None
    ended_at: float | None


class OpenCount(msgspec.Struct, frozen=True):
    """How many open runs of a workflow are in a state."""

    workflow: str
    state: str
    count: int


class EndedCount(msgspec.Struct, frozen=True):
    """How many runs ended in a state, in stretch ``at`` of time, counted from the Unix epoch."""

    at: int
    state: str
    count: int


class CreatedCount(msgspec.Struct, frozen=True):
    """How many runs of a workflow were accepted in a stretch of time.

    Attributes:
        at: Number of the stretch, counted from the Unix epoch.
        state: Where they stand.
        pace: ``PACES`` times the binary logarithm of the seconds that they ran, rounded down; ``None`` for
            those that did not succeed.
        count: How many.
    """

    at: int
    state: str
    pace: int | None
    count: int


class CellCount(msgspec.Struct, frozen=True):
    """The task runs of one run that have the same name, kind and state.

    Attributes:
        run, name, kind, state: Which.
        count: How many.
        idx: The lowest index.
        attempt: The highest number of an attempt.
        started_at: The earliest; ``None`` if none has begun.
        ended_at: The latest; ``None`` if none has ended.
    """

    run: int
    name: str
    kind: str
    state: str
    count: int
    idx: int
    attempt: int
    started_at: float | None
    ended_at: float | None


class Summaries(Protocol):
    """The part of ``Reader`` that is asked for pages."""

    def bars(self, run: int, *, after: int = -1, limit: int = 20_000, keys: bool = False) -> Bars:
        """The run's task runs by index; ``after`` is an index for paging, ``keys`` asks for keys too."""

    def cells(self, runs: Sequence[int]) -> list[CellCount]:
        """The runs' task runs, counted; by run, and in it by the lowest index."""

    def task_keys(self, run: int, idxs: Sequence[int]) -> dict[int, str]:
        """The keys of these task runs, by index."""

    def newest_runs(self, workflows: Sequence[str], *, each: int) -> list[RunMark]:
        """The newest runs of these workflows, ``each`` of each at most; oldest first."""

    def run_workflows(self, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
        """Names of workflows that have runs, by name (byte order); ``after`` is a name for paging."""

    def runs_by_prefix(self, prefix: str, *, limit: int) -> list[RunRow]:
        """Runs whose public id begins so, by it; as typed, else with the capitals of an id."""

    def open_counts(self) -> list[OpenCount]:
        """Runs that have not ended, counted by workflow and state; in no order."""

    def open_runs(self, *, limit: int) -> list[RunRow]:
        """Runs that have not ended, newest first."""

    def open_approvals(self) -> int:
        """How many task runs of open runs wait for a person."""

    def ended_runs(self, state: str, *, since: float, limit: int) -> list[RunRow]:
        """Runs that ended in a state at ``since`` or later, the latest end first."""

    def ended_counts(self, *, since: float, every_s: int) -> list[EndedCount]:
        """Runs that ended at ``since`` or later, counted in stretches of ``every_s``; in no order."""

    def created_counts(self, workflow: str, *, since: float, every_s: int) -> list[CreatedCount]:
        """A workflow's runs accepted at ``since`` or later, in stretches of ``every_s``; in no order."""
