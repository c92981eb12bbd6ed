"""How things stand, on one page: what runs, what failed, what is late, what comes."""

import re
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from weft.model.errors import InvalidRequest
from weft.model.states import RunState
from weft.projects.records import SCHEDULES
from weft.server.capacity import CapacityView, capacity
from weft.server.context import Given
from weft.server.routing import read
from weft.server.ticks import ComingView, LateView, awake, coming, late
from weft.server.views import RunView, moment, run_view

SHOWN = 10
"""Runs of a list."""

TICKS_MAX = 100
SCHEDULES_MAX = 1000
"""Schedules that are looked at: those that are due first."""

HOUR_S, DAY_S = 3600, 86_400
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


class EndedHour(msgspec.Struct, kw_only=True, gc=False):
    """The runs that ended in an hour.

    Attributes:
        at: When the hour began.
        succeeded: How many succeeded.
        failed: How many failed.
        cancelled: How many were cancelled.
    """

    at: datetime
    succeeded: int
    failed: int
    cancelled: int


class OverviewView(msgspec.Struct, kw_only=True):
    """How things stand.

    Attributes:
        now: The service's time.
        since: From when on failures are told.
        counts: Open runs by state.
        running: The newest open runs, ten at most.
        failed: The runs that failed last since `since`, ten at most.
        failed_count: How many failed since then.
        late: Ticks that should have made a run more than a minute ago, the oldest of each schedule.
        upcoming: Ticks of the next 24 hours in order, a hundred at most.
        capacity: Pools and executors.
        ended_24h: Runs that ended, hour by hour, the hour that it is last.
        approvals: Task runs that wait for a person.
    """

    now: datetime
    since: datetime
    counts: dict[str, int]
    running: list[RunView]
    failed: list[RunView]
    failed_count: int
    late: list[LateView]
    upcoming: list[ComingView]
    capacity: list[CapacityView]
    ended_24h: list[EndedHour]
    approvals: int


@read("/overview")
def show_overview(
    context: Given,
    since: Annotated[
        str | None,
        QueryParameter(
            description="From when on failures are told (RFC 3339); 24 hours ago by default.",
            max_length=40,
            pattern=f"^{_MOMENT.pattern}$",
        ),
    ] = None,
) -> OverviewView:
    """Show how things stand: what runs, what failed, what is late, what comes, and what there is room for."""
    store, now = context.store, context.now
    start = now - DAY_S if since is None else _moment(since)
    counts: dict[str, int] = {}
    for each in store.open_counts():
        counts[each.state] = counts.get(each.state, 0) + each.count
    # A stretch as long as this is one.
    failed_count = sum(
        each.count
        for each in store.ended_counts(since=start, every_s=1 << 40)
        if each.state == RunState.FAILED
    )
    due = SCHEDULES.due(store, before=now + DAY_S, limit=SCHEDULES_MAX)
    schedules = awake(store, [entry.value for entry in due])
    return OverviewView(
        now=moment(now),
        since=moment(start),
        counts=counts,
        running=[run_view(row) for row in store.open_runs(limit=SHOWN)] if counts else [],
        failed=[run_view(row) for row in store.ended_runs(RunState.FAILED, since=start, limit=SHOWN)]
        if failed_count
        else [],
        failed_count=failed_count,
        late=late(schedules, now),
        upcoming=list(islice(coming(schedules, now, now + DAY_S), TICKS_MAX)),
        capacity=capacity(context),
        ended_24h=_hours(context, now),
        approvals=context.services.counts.approvals(store) if counts else 0,
    )


def _hours(context: Given, now: float) -> list[EndedHour]:
    last = int(now // HOUR_S)
    first = last - 23
    found: dict[tuple[int, str], int] = {
        (each.at, each.state): each.count
        for each in context.store.ended_counts(since=float(first * HOUR_S), every_s=HOUR_S)
    }
    return [
        EndedHour(
            at=moment(hour * HOUR_S),
            succeeded=found.get((hour, "succeeded"), 0),
            failed=found.get((hour, "failed"), 0),
            cancelled=found.get((hour, "cancelled"), 0),
        )
        for hour in range(first, last + 1)
    ]


def _moment(text: str) -> float:
    """Unix seconds of an RFC 3339 moment."""
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as exc:
        raise InvalidRequest(
            f"{text!r} is no moment", where="since", hint="write it as 2026-01-31T06:00:00Z"
        ) from exc


ROUTES = [show_overview]
