"""When a workflow runs by itself: schedules as data, and what the store keeps of each.

Nothing here computes a time: ``core/schedule.py`` finds ticks, ``core/ticking.py`` decides what to do at one.
A *tick* is a moment that a schedule names, in whole Unix seconds (UTC); one tick makes at most one run.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

KIND = "schedule"
"""The kind of the records that hold a ``Scheduled``; their names are ``record_name``."""


class Cron(msgspec.Struct, frozen=True, omit_defaults=True, tag="cron"):
    """At the moments that a cron expression names, in the time zone ``tz``; see ``core/cron.py``."""

    expression: str
    tz: str = "UTC"


class Every(msgspec.Struct, frozen=True, omit_defaults=True, tag="every"):
    """Every ``interval_s`` seconds, counted from ``anchor``.

    Attributes:
        interval_s: Whole seconds, from 1 up.
        anchor: A moment that is a tick; the schedule's start if ``None``, and without a start the beginning
            of Monday, 5 January 1970, in ``tz``, so that ``5m`` falls on :00, :05 and so on.
        tz: Whole days keep the hour of this zone across its changes of clock; other intervals count elapsed
            time wherever they are.
    """

    interval_s: float
    anchor: datetime | None = None
    tz: str = "UTC"


class RRule(msgspec.Struct, frozen=True, omit_defaults=True, tag="rrule"):
    """At the moments of an RFC 5545 recurrence; see ``core/rrules.py``.

    Attributes:
        text: ``RRULE:...`` lines, also ``DTSTART``, ``RDATE`` and ``EXDATE``; a lone line may leave its name
            out.
        tz: The zone of the times in it that name none.
    """

    text: str
    tz: str = "UTC"


class Once(msgspec.Struct, frozen=True, tag="once"):
    """At one moment, which has a time zone."""

    at: datetime


Timing = Cron | Every | RRule | Once


class Overlap(StrEnum):
    """What a tick does while the run of the tick before is still open.

    ``ALLOW`` runs beside it. ``QUEUE`` waits for it; every tick that comes meanwhile waits too. ``SKIP``
    makes no run. ``CANCEL_PREVIOUS`` cancels it and runs when it has ended; of the ticks that come meanwhile
    only the latest runs, unless the schedule catches up.
    """

    ALLOW = "allow"
    QUEUE = "queue"
    SKIP = "skip"
    CANCEL_PREVIOUS = "cancel_previous"


class Data(StrEnum):
    """Which stretch of time a tick's run is about.

    ``TICK``: the moment itself; the logical date is the tick. ``INTERVAL``: the time since the tick before;
    the logical date is its beginning, as for Airflow's data intervals.
    """

    TICK = "tick"
    INTERVAL = "interval"


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of a workflow's schedules, as defined.

    Attributes:
        timing: When.
        name: Unique in the workflow; part of what makes a tick's run unique, so a new name begins anew.
        params: Parameters of its runs: plain data.
        jitter_s: Each tick is acted on up to so much later, always the same for one tick.
        start: No tick before it; the beginning of what catch-up goes through. With ``Data.INTERVAL`` no
            interval begins before it.
        end: No tick after it. With ``Data.INTERVAL`` no interval begins after it.
        catchup: Whether every tick that was missed is run, in order. Otherwise only the latest of them is.
        overlap: What to do while the tick before still runs.
        max_active_runs: Open runs of the workflow, whoever started them, at which ticks wait.
        depends_on_previous: Whether a tick waits until the run of the tick before has succeeded.
        paused: Whether a new schedule begins paused.
        data: What stretch of time its runs are about.
    """

    timing: Timing
    name: str = "default"
    params: dict[str, Any] = {}
    jitter_s: float = 0.0
    start: datetime | None = None
    end: datetime | None = None
    catchup: bool = False
    overlap: Overlap = Overlap.ALLOW
    max_active_runs: int | None = None
    depends_on_previous: bool = False
    paused: bool = False
    data: Data = Data.TICK


class Scheduled(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A schedule and how far it has come: the body of its record, whose ``due_at`` is when to act next.

    Only the functions of ``core/ticking.py`` make one from another.

    Attributes:
        workflow: Whose it is.
        schedule: What is defined.
        paused: Whether it makes no runs now. It keeps its place.
        created_at: When the store first saw it.
        next_tick: The first tick that nothing was decided about yet; ``None`` when there is no more.
        waiting: Earlier ticks that shall run and wait for leave, in order.
        submitting: Ticks whose runs are being submitted: decided, and perhaps done.
        last_tick: The latest tick that made a run.
        last_run: That run's public id.
        missed: Ticks that were passed over, because the service was away or the schedule paused; at most a
            thousand are counted at a time.
        skipped: Ticks that made no run because the one before was still open.
        blocked: Why the next tick has to wait, for people; "" if it need not.
        cancelled: The run that was asked to make room.
        error: Why its workflow could not be run the last time it was due; "" if it could.
        changed_by: Who paused or resumed it last.
    """

    workflow: str
    schedule: Schedule
    paused: bool = False
    created_at: float = 0.0
    next_tick: int | None = None
    waiting: tuple[int, ...] = ()
    submitting: tuple[int, ...] = ()
    last_tick: int | None = None
    last_run: str = ""
    missed: int = 0
    skipped: int = 0
    blocked: str = ""
    cancelled: str = ""
    error: str = ""
    changed_by: str = ""

    @property
    def name(self) -> str:
        """Its record's name."""
        return record_name(self.workflow, self.schedule.name)


def record_name(workflow: str, schedule: str) -> str:
    """The name of a schedule's record; also its identity for ``H`` in cron expressions and for jitter."""
    return f"{workflow}#{schedule}"


def run_key(workflow: str, schedule: str, tick: int) -> str:
    """The idempotency key of a tick's run."""
    return f"schedule:{record_name(workflow, schedule)}:{tick}"
