"""How a ``@dag`` or a ``@flow`` says when it runs by itself: ``schedule=`` and what goes with it.

Nothing here computes a time. What is written becomes ``model.schedules.Schedule``; ``weft deploy`` stores it
with its workflow, and the scheduler of ``weft up`` finds its ticks.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Literal, TypedDict, Unpack

from msgspec.structs import replace

from weft.dialects.native.drafts import user_line
from weft.dialects.native.durations import Duration, seconds
from weft.model.errors import InvalidPolicy, InvalidSchedule
from weft.model.schedules import Cron, Data, Every, Once, Overlap, RRule, Schedule, Timing

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")


class TickOptions(TypedDict, total=False):
    """What every schedule takes besides its timing.

    Attributes:
        name: Needed where a workflow has several; ``default`` otherwise.
        params: Parameters of its runs, by name: plain data.
        jitter: Each tick starts up to so much later, always the same for one tick.
        start, end: Its first and last moment; the workflow's by default. One without a time zone is in the
            schedule's; a date is the beginning of its day.
        catchup: Whether every tick that was missed runs later; otherwise only the latest does.
        overlap: What a tick does while the run before is open: ``"allow"`` runs beside it (the default),
            ``"queue"`` waits, ``"skip"`` makes no run, ``"cancel_previous"`` cancels it and then runs.
        depends_on_previous: Whether a tick waits until the run before has succeeded.
        paused: Whether it begins paused.
        data: ``"tick"`` (the default): the logical date is the tick. ``"interval"``: a run is about the time
            since the tick before, where the logical date is; as Airflow's data intervals.
    """

    name: str
    params: Mapping[str, Any]
    jitter: Duration
    start: datetime | date | None
    end: datetime | date | None
    catchup: bool
    overlap: Literal["allow", "queue", "skip", "cancel_previous"]
    depends_on_previous: bool
    paused: bool
    data: Literal["tick", "interval"]


Given = Schedule | Timing | str | timedelta | Sequence[Schedule | Timing | str | timedelta] | None
"""What ``schedule=`` accepts."""


class ScheduleOptions(TypedDict, total=False):
    """What a scheduled workflow takes.

    Attributes:
        schedule: When it runs by itself: ``cron(...)``, ``every(...)``, ``rrule(...)``, ``once(...)``, a cron
            expression as text, or a list of these.
        catchup: Whether ticks that were missed are run later; for schedules that do not say it themselves.
        start, end: The schedules' first and last moment, likewise.
        max_active_runs: Runs of it that may be open at once; ticks beyond them wait.
    """

    schedule: Given
    catchup: bool
    start: datetime | date | None
    end: datetime | date | None
    max_active_runs: int


def cron(expression: str, *, tz: str = "UTC", **options: Unpack[TickOptions]) -> Schedule:
    """A schedule by a cron expression: minute, hour, day of month, month, day of week.

    Args:
        expression: Five fields (``"0 6 * * *"``), six with seconds first, or ``@daily`` and the like; also
            ``L``, ``W``, ``#`` and ``H``.
        tz: An IANA time zone; its changes of clock are followed.
        options: See ``TickOptions``.

    Raises:
        InvalidSchedule: It is no cron expression, one that never comes, or the zone is not known.
    """
    return _schedule(Cron(" ".join(expression.split()), tz), options)


def every(
    interval: Duration, *, anchor: datetime | None = None, tz: str = "UTC", **options: Unpack[TickOptions]
) -> Schedule:
    """A schedule by an interval: ``every("5m")``.

    Args:
        interval: The time between two ticks, in whole seconds.
        anchor: A moment, with a time zone, that is a tick; the others follow from it. The schedule's start
            by default, and without one :00 of the clock.
        tz: Whole days keep the hour of this zone; shorter intervals count elapsed time.
        options: See ``TickOptions``.

    Raises:
        InvalidSchedule: The interval is not positive, or the anchor has no time zone.
    """
    return _schedule(Every(seconds(interval, what="interval"), anchor, tz), options)


def rrule(text: str, *, tz: str = "UTC", **options: Unpack[TickOptions]) -> Schedule:
    """A schedule by a recurrence of RFC 5545: ``rrule("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18")``.

    Args:
        text: The rule, or several lines of ``RRULE``, ``DTSTART``, ``RDATE`` and ``EXDATE``. Without
            ``DTSTART`` it begins at the schedule's start, and without one at midnight.
        tz: The zone of the times in it that name none.
        options: See ``TickOptions``.

    Raises:
        InvalidSchedule: It is no recurrence, one that never comes, or the zone is not known.
    """
    return _schedule(RRule(text.strip(), tz), options)


def once(at: datetime, **options: Unpack[TickOptions]) -> Schedule:
    """A schedule with a single tick.

    Args:
        at: The moment, with a time zone.
        options: See ``TickOptions``.

    Raises:
        InvalidSchedule: The moment has no time zone.
    """
    return _schedule(Once(at), options)


def schedules_of(options: Mapping[str, Any], max_active_runs: int | None) -> tuple[Schedule, ...]:
    """What ``schedule=`` and its companions in a workflow's options mean.

    Raises:
        InvalidSchedule: One cannot be, or two have the same name.
    """
    given = options.get("schedule")
    if given is None:
        return ()
    several = list(given) if isinstance(given, list | tuple) else [given]
    found = [_complete(_one(each), options, max_active_runs) for each in several]
    names = [each.name for each in found]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise InvalidSchedule(
            f"two schedules of one workflow have the name {double!r}",
            hint='name them: cron("0 6 * * *", name="morning")',
        )
    return tuple(found)


def positive(options: Mapping[str, Any], name: str) -> int | None:
    """A limit: a whole number from 1 up, or ``None`` for none.

    Raises:
        InvalidPolicy: It is something else.
    """
    given = options.get(name)
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InvalidPolicy(f"{name} must be a whole number from 1 up, and is {given!r}", where=user_line())
    return given


def _one(given: Any) -> Schedule:
    if isinstance(given, Schedule):
        return given
    if isinstance(given, Cron | Every | RRule | Once):
        return _schedule(given, {})
    if isinstance(given, str):
        return cron(given)
    if isinstance(given, timedelta):
        return every(given)
    raise InvalidSchedule(
        f"schedule={given!r} is not known", hint='use cron("0 6 * * *"), every("5m"), rrule(...) or once(...)'
    )


def _schedule(timing: Timing, options: TickOptions) -> Schedule:
    unknown = options.keys() - TickOptions.__annotations__.keys()
    if unknown:
        raise InvalidSchedule(
            f"a schedule takes no {', '.join(sorted(unknown))}", hint=f"it takes {', '.join(_TAKES)}"
        )
    name = options.get("name", "default")
    if not _NAME.fullmatch(name):
        raise InvalidSchedule(f"{name!r} is no name of a schedule", hint="use letters, digits, _ . and -")
    return _checked(
        Schedule(
            timing,
            name=name,
            params=dict(options.get("params", {})),
            jitter_s=seconds(options.get("jitter", 0), what="jitter"),
            start=_moment(options.get("start"), timing),
            end=_moment(options.get("end"), timing),
            catchup=options.get("catchup", False),
            overlap=_choice(Overlap, options, "overlap", Overlap.ALLOW),
            depends_on_previous=options.get("depends_on_previous", False),
            paused=options.get("paused", False),
            data=_choice(Data, options, "data", Data.TICK),
        )
    )


_TAKES = tuple(TickOptions.__annotations__)


def _complete(schedule: Schedule, options: Mapping[str, Any], max_active_runs: int | None) -> Schedule:
    """A schedule with what its workflow says for all of them."""
    timing = schedule.timing
    return _checked(
        replace(
            schedule,
            catchup=schedule.catchup or options.get("catchup", False),
            start=schedule.start or _moment(options.get("start"), timing),
            end=schedule.end or _moment(options.get("end"), timing),
            max_active_runs=max_active_runs,
        )
    )


def _checked(schedule: Schedule) -> Schedule:
    from weft.core.schedule import check  # noqa: PLC0415 - only who has a schedule pays for its parts

    return check(schedule)


def _moment(given: datetime | date | None, timing: Timing) -> datetime | None:
    """A moment in the schedule's zone, unless it has its own."""
    if given is None:
        return None
    if not isinstance(given, datetime):
        given = datetime.combine(given, time())
    if given.tzinfo is not None:
        return given
    return given.replace(tzinfo=_zone(timing))


def _zone(timing: Timing) -> tzinfo:
    from weft.core.schedule import zone_of  # noqa: PLC0415 - as above

    return zone_of(timing).info


def _choice(kind: Any, options: Mapping[str, Any], name: str, default: Any) -> Any:
    given = options.get(name, default)
    try:
        return kind(given)
    except ValueError:
        words = ", ".join(f'"{each}"' for each in kind)
        raise InvalidSchedule(f"{name}={given!r} is not known", hint=f"use {words}") from None
