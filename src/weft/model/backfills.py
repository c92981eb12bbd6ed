"""Backfills: running a workflow's schedule over a stretch of the past, as an object that people can steer."""

from enum import StrEnum
from typing import Any

import msgspec

from weft.model.schedules import Schedule, record_name, run_key

KIND = "backfill"
"""The kind of the records that hold a ``Backfill``; their names are ids."""


class Only(StrEnum):
    """Which ticks of the stretch run: those without a run (``MISSING``), also those whose latest run failed
    or was cancelled (``FAILED``), or each (``ALL``). One whose run is open never runs a second time."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


class Stage(StrEnum):
    """Where a backfill stands. Only a paused one goes back, to ``RUNNING``."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self in (Stage.CANCELLED, Stage.SUCCEEDED, Stage.FAILED)


class TickRun(msgspec.Struct, frozen=True):
    """A run that a backfill made.

    Attributes:
        tick: Of the schedule, Unix seconds.
        number: 0 for the tick's first run, and so on.
        run: Its public id; "" before it is known.
    """

    tick: int
    number: int
    run: str = ""


class Backfill(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A backfill and how far it has come: the body of its record.

    Attributes:
        workflow: What runs.
        schedule: Whose ticks: as it was when the backfill was made.
        first, last: The stretch of logical dates, both included, Unix seconds.
        only: Which ticks of it run.
        reverse: Whether the latest comes first.
        max_active: Runs of the backfill that may be open at once.
        params: Of its runs, beside the schedule's own.
        tags: Of its runs, beside ``backfill:ID``.
        stage: Where it stands.
        total: Ticks in the stretch.
        next_tick: The next to decide about; ``None`` when all are decided.
        submitting: Runs that are being submitted: decided, and perhaps done.
        active: Its runs that were open when it last looked.
        passed: Ticks that it left alone.
        succeeded, failed, cancelled: Its runs, by how they ended.
        last_failed: The latest of its runs that did not succeed.
        error: Why it cannot go on; "" if it can.
        created_at, created_by, ended_at: When, and by whom.
        changed_by: Who paused, resumed or cancelled it last.
    """

    workflow: str
    schedule: Schedule
    first: int
    last: int
    only: Only = Only.MISSING
    reverse: bool = False
    max_active: int = 4
    params: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    stage: Stage = Stage.RUNNING
    total: int = 0
    next_tick: int | None = None
    submitting: tuple[TickRun, ...] = ()
    active: tuple[TickRun, ...] = ()
    passed: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    last_failed: str = ""
    error: str = ""
    created_at: float = 0.0
    created_by: str = ""
    ended_at: float | None = None
    changed_by: str = ""

    @property
    def identity(self) -> str:
        """The schedule's, for ``H`` in cron expressions and for jitter."""
        return record_name(self.workflow, self.schedule.name)

    @property
    def made(self) -> int:
        """Runs that it has made."""
        return len(self.active) + self.succeeded + self.failed + self.cancelled


class BackfillPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill would do.

    Attributes:
        total: Ticks in the stretch.
        runs: Ticks that would run, the first ones in order; at most ``PLAN_RUNS``.
        count: How many would run in all.
        passed: How many would be left alone, by why: ``succeeded``, ``failed``, ``cancelled`` or ``open``.
        typical_s: How long a run usually takes, the median of the latest; ``None`` if none has succeeded.
        estimate_s: How long all of it would take; ``None`` if nobody knows.
    """

    total: int
    runs: tuple[int, ...]
    count: int
    passed: dict[str, int]
    typical_s: float | None
    estimate_s: float | None


def key_of(workflow: str, schedule: str, tick: int, number: int) -> str:
    """The idempotency key of a tick's run: the schedule's own for the first, so that a tick runs once."""
    key = run_key(workflow, schedule, tick)
    return f"{key}:{number}" if number else key
