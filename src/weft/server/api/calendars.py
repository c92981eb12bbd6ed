"""A workflow's runs by day, in somebody's time zone.

The store counts by the hour (by the quarter where a zone's clock is not whole hours from UTC's); which day
that is, across changes of the clock, is found here.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from weft.core.zones import DAY_S, Zone, zone
from weft.model.errors import InvalidRequest, InvalidSchedule
from weft.projects.records import WORKFLOWS
from weft.server.context import Given
from weft.server.parameters import Name
from weft.server.routing import read
from weft.store.summaries import PACES, CreatedCount

DAYS_MAX = 1100
"""Days in one answer: three years."""

HOUR_S, QUARTER_S = 3600, 900
_EPOCH = date(1970, 1, 1)


class DayView(msgspec.Struct, kw_only=True):
    """The runs of a day.

    Attributes:
        day: The date on which they were accepted.
        states: How many stand where.
        p50_s: Seconds that half of the succeeded among them took at most, to within 5 %; null if none has.
    """

    day: date
    states: dict[str, int]
    p50_s: float | None


class CalendarView(msgspec.Struct, kw_only=True):
    """A workflow's runs by day.

    Attributes:
        tz: The time zone whose days these are.
        first: The first day that was looked at.
        last: The last one: today.
        days: Days with runs, in order.
    """

    tz: str
    first: date
    last: date
    days: list[DayView]


@read("/workflows/{name:str}/calendar")
def show_workflow_calendar(
    context: Given,
    name: Name,
    days: Annotated[int, QueryParameter(description="Days up to today.", ge=1, le=DAYS_MAX)] = 365,
    tz: Annotated[
        str,
        QueryParameter(description="The time zone whose days they are.", min_length=1, max_length=100),
    ] = "UTC",
) -> CalendarView:
    """Show how a workflow's runs went, day by day."""
    try:
        place = zone(tz)
    except InvalidSchedule as exc:
        raise InvalidRequest(exc.what, where="tz", hint=exc.hint) from exc
    today = place.wall(int(context.now)) // DAY_S
    first = today - days + 1
    since = place.instant(first * DAY_S)
    every_s = _width(place, since, int(context.now))
    counts = context.store.created_counts(name, since=float(since), every_s=every_s)
    if not counts and not context.store.newest_runs([name], each=1):
        WORKFLOWS.require(context.store, name)
    return CalendarView(tz=tz, first=_date(first), last=_date(today), days=_days(counts, place, every_s))


def _width(place: Zone, first: int, last: int) -> int:
    """Seconds of a stretch that no midnight falls into."""
    while first <= last:
        _, end, offset = place.stretch(first)
        if offset % HOUR_S:
            return QUARTER_S
        first = end
    return HOUR_S


def _days(counts: Iterable[CreatedCount], place: Zone, every_s: int) -> list[DayView]:
    states: dict[int, dict[str, int]] = {}
    paces: dict[int, dict[int, int]] = {}
    for each in counts:
        day = place.wall(each.at * every_s) // DAY_S
        of_day = states.setdefault(day, {})
        of_day[each.state] = of_day.get(each.state, 0) + each.count
        if each.pace is not None:
            paced = paces.setdefault(day, {})
            paced[each.pace] = paced.get(each.pace, 0) + each.count
    return [
        DayView(day=_date(day), states=states[day], p50_s=_median(paces.get(day, {})))
        for day in sorted(states)
    ]


def _median(paces: dict[int, int]) -> float | None:
    """The duration in the middle, as the middle of its step."""
    left = (sum(paces.values()) + 1) // 2
    for pace in sorted(paces):
        left -= paces[pace]
        if left <= 0:
            return float(f"{2 ** ((pace + 0.5) / PACES):.3g}")
    return None


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


ROUTES = [show_workflow_calendar]
