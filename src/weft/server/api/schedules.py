"""Schedules: when workflows run by themselves."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar.params import QueryParameter

from weft.core.schedule import plan_of
from weft.engine import schedules
from weft.model.schedules import Scheduled
from weft.model.tokens import Role
from weft.projects.records import SCHEDULES
from weft.server.context import Given
from weft.server.paging import Page, page_of_records
from weft.server.parameters import Limit, Name, PageToken, Prefix
from weft.server.routing import act, read
from weft.server.views import maybe_moment, moment
from weft.store.records import Entry


class ScheduleView(msgspec.Struct, kw_only=True):
    """A schedule and how far it has come.

    Attributes:
        name: `workflow#schedule`.
        workflow: Whose it is.
        schedule: Its name in the workflow.
        timing: When it is due: a `type` (`cron`, `every`, `rrule`, `once`) and that type's fields.
        params: Parameters of its runs.
        paused: Whether it makes no runs now.
        catchup: Whether every tick that was missed is run.
        overlap: What a tick does while the run of the tick before is open.
        max_active_runs: Open runs of the workflow at which ticks wait.
        depends_on_previous: Whether a tick waits until the run of the tick before has succeeded.
        start: No tick before it.
        end: No tick after it.
        due_at: When it is looked at next.
        next_tick: The next tick; null when there is none.
        last_tick: The latest tick that made a run.
        last_run: Id of that run.
        waiting: How many earlier ticks wait for leave to run.
        missed: Ticks that were passed over.
        skipped: Ticks that made no run because the one before was open.
        blocked: Why the next tick has to wait; empty if it need not.
        error: Why its workflow could not be run the last time; empty if it could.
    """

    name: str
    workflow: str
    schedule: str
    timing: dict[str, Any]
    params: dict[str, Any]
    paused: bool
    catchup: bool
    overlap: str
    max_active_runs: int | None
    depends_on_previous: bool
    start: datetime | None
    end: datetime | None
    due_at: datetime | None
    next_tick: datetime | None
    last_tick: datetime | None
    last_run: str
    waiting: int
    missed: int
    skipped: int
    blocked: str
    error: str


class Ticks(msgspec.Struct, kw_only=True):
    """The next ticks of a schedule.

    Attributes:
        name: `workflow#schedule`.
        ticks: In order.
    """

    name: str
    ticks: list[datetime]


@read("/schedules")
def list_schedules(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[ScheduleView]:
    """List schedules by name: `workflow#` as the prefix gives one workflow's."""
    return page_of_records(context.store, SCHEDULES, _view, limit=limit, token=page_token, prefix=prefix)


@read("/schedules/{name:str}")
def show_schedule(context: Given, name: Name) -> ScheduleView:
    """Show a schedule. In the address `#` is written `%23`."""
    return _view(SCHEDULES.require(context.store, name))


@read("/schedules/{name:str}/preview")
def preview_schedule(
    context: Given,
    name: Name,
    count: Annotated[int, QueryParameter(description="How many ticks.", ge=1, le=1000)] = 10,
) -> Ticks:
    """List the next ticks of a schedule."""
    found = SCHEDULES.require(context.store, name).value
    ticks = plan_of(found.schedule, found.name).preview(context.now, count)
    return Ticks(name=name, ticks=[moment(each) for each in ticks])


@act("/schedules/{name:str}/pause", Role.OPERATOR)
def pause_schedule(context: Given, name: Name) -> ScheduleView:
    """Let a schedule rest; it keeps its place."""
    return _view(schedules.pause_schedule(context.store, name, now=context.now, by=context.identity.name))


@act("/schedules/{name:str}/resume", Role.OPERATOR)
def resume_schedule(context: Given, name: Name) -> ScheduleView:
    """Let a schedule go on: with every tick since it was paused if it catches up, else with the latest."""
    return _view(schedules.resume_schedule(context.store, name, now=context.now, by=context.identity.name))


@act("/schedules/{name:str}/trigger", Role.OPERATOR)
def trigger_schedule(context: Given, name: Name) -> ScheduleView:
    """Run a schedule once for this moment, besides its own ticks."""
    return _view(schedules.trigger_schedule(context.store, name, now=context.now))


def _view(entry: Entry[Scheduled]) -> ScheduleView:
    scheduled = entry.value
    schedule = scheduled.schedule
    return ScheduleView(
        name=entry.name,
        workflow=scheduled.workflow,
        schedule=schedule.name,
        timing=msgspec.to_builtins(schedule.timing),
        params=msgspec.to_builtins(schedule.params, str_keys=True),
        paused=scheduled.paused,
        catchup=schedule.catchup,
        overlap=str(schedule.overlap),
        max_active_runs=schedule.max_active_runs,
        depends_on_previous=schedule.depends_on_previous,
        start=schedule.start,
        end=schedule.end,
        due_at=maybe_moment(entry.due_at),
        next_tick=maybe_moment(scheduled.next_tick),
        last_tick=maybe_moment(scheduled.last_tick),
        last_run=scheduled.last_run,
        waiting=len(scheduled.waiting),
        missed=scheduled.missed,
        skipped=scheduled.skipped,
        blocked=scheduled.blocked,
        error=scheduled.error,
    )


ROUTES = [
    list_schedules,
    show_schedule,
    preview_schedule,
    pause_schedule,
    resume_schedule,
    trigger_schedule,
]
