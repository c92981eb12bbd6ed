"""Which moments a schedule names: ticks after and before a moment, previews, data intervals, jitter.

A timing names wall times (``core/cron.py``, ``core/rrules.py``) or counts seconds. How wall times become
instants across a change of clock is decided here, once for all of them:

- A timing that does not come in every hour (``0 2 * * *``, ``*/15 8-17 * * *``) goes by the wall's clock. Its
  wall times that fall into a gap are one tick at the first moment after the gap; those in an overlap tick at
  their first occurrence only. No day loses its tick and none has it twice.
- A timing that comes in every hour (``*/5 * * * *``, ``0 * * * *``) goes by elapsed time: it ticks at each
  instant whose wall time fits. In an overlap it goes on ticking; over a gap it neither stops nor hurries.
- Intervals count elapsed seconds, except that whole days keep the hour of their zone.

Nothing here knows the present: moments are arguments, in whole Unix seconds.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

import msgspec
from msgspec.structs import replace

from weft.core.cron import Cron
from weft.core.rrules import RRule
from weft.core.zones import DAY_S, LAST_INSTANT, Zone, zone
from weft.model import schedules as model
from weft.model.errors import InvalidSchedule
from weft.model.schedules import Data, Every, Once, Schedule, Timing

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Schedule).decode

MONDAY = 4 * DAY_S
"""Monday, 5 January 1970, 00:00 on the wall: what intervals count from if nobody says."""


class Ticks(Protocol):
    """The moments that a timing names. They need not begin or end."""

    def after(self, moment: int) -> int | None:
        """The first one after ``moment``; ``None`` if there is none."""

    def before(self, moment: int) -> int | None:
        """The last one before ``moment``; ``None`` if there is none."""


class Plan:
    """A schedule's ticks, within its start and end.

    Args:
        schedule: What is defined.
        identity: The name of its record: chooses ``H`` and jitter.

    Raises:
        InvalidSchedule: It cannot be.
    """

    def __init__(self, schedule: Schedule, identity: str = "") -> None:
        self.schedule = schedule
        self.zone = zone_of(schedule.timing)
        self._identity = identity
        self._start = _first_second(schedule.start)
        self._end = None if schedule.end is None else _aware(schedule.end, "the end")
        self._ticks = ticks_of(schedule.timing, identity, start=schedule.start)
        if schedule.data is Data.INTERVAL:
            self._count_intervals()

    def _count_intervals(self) -> None:
        """Let start and end speak of where intervals begin: each ticks where the next one begins."""
        if self._start is not None:
            first = self._ticks.after(self._start - 1)
            self._start = None if first is None else first + 1
        if self._end is not None:
            last = self._ticks.before(self._end + 1)
            self._end = -LAST_INSTANT if last is None else self._ticks.after(last)

    def after(self, moment: float) -> int | None:
        """The first tick after ``moment``; ``None`` if there is none."""
        whole = int(moment // 1)
        if self._start is not None:
            whole = max(whole, self._start - 1)
        tick = self._ticks.after(whole)
        return None if tick is None or (self._end is not None and tick > self._end) else tick

    def before(self, moment: float) -> int | None:
        """The last tick before ``moment``; ``None`` if there is none."""
        bound = -int(-moment // 1)
        if self._end is not None:
            bound = min(bound, self._end + 1)
        tick = self._ticks.before(bound)
        return None if tick is None or (self._start is not None and tick < self._start) else tick

    def upto(self, moment: float) -> int | None:
        """The last tick that is not after ``moment``."""
        return self.before(int(moment // 1) + 1)

    def preview(self, moment: float, count: int) -> list[int]:
        """The next ``count`` ticks after ``moment``, or as many as there are."""
        found: list[int] = []
        for tick in self.ticks(moment):
            if len(found) == count:
                break
            found.append(tick)
        return found

    def ticks(self, moment: float) -> Iterator[int]:
        """Every tick after ``moment``."""
        tick = self.after(moment)
        while tick is not None:
            yield tick
            tick = self.after(tick)

    def due_at(self, tick: int) -> float:
        """When to act on a tick: later by its jitter, which never reaches the next tick."""
        jitter_s = self.schedule.jitter_s
        if not jitter_s:
            return tick
        following = self._ticks.after(tick)
        if following is not None:
            jitter_s = min(jitter_s, following - tick)
        digest = blake2b(f"{self._identity}\0{tick}".encode(), digest_size=6).digest()
        return tick + jitter_s * int.from_bytes(digest, "big") / (1 << 48)

    def interval(self, tick: int) -> tuple[int, int]:
        """The stretch of time that a tick's run is about, from its beginning up to its end."""
        if self.schedule.data is Data.TICK:
            return tick, tick
        # The interval of the first tick may begin before the schedule's start.
        begin = self._ticks.before(tick)
        return (tick if begin is None else begin), tick

    def logical_date(self, tick: int) -> datetime:
        """The moment that a tick's run is for."""
        return moment_of(self.interval(tick)[0])


def plan_of(schedule: Schedule, identity: str = "") -> Plan:
    """The plan of a schedule. The last ones asked for are kept.

    Raises:
        InvalidSchedule: It cannot be.
    """
    return _plan(_encode(replace(schedule, params={}) if schedule.params else schedule), identity)


@lru_cache(maxsize=20_000)
def _plan(body: bytes, identity: str) -> Plan:
    return Plan(_decode(body), identity)


def check(schedule: Schedule) -> Schedule:
    """The schedule itself, if it can be and has a tick at all.

    Raises:
        InvalidSchedule: It cannot be.
    """
    plan = Plan(schedule, schedule.name)
    if schedule.start is not None and schedule.end is not None and schedule.end < schedule.start:
        raise InvalidSchedule(f"schedule {schedule.name!r} ends before it starts")
    if schedule.jitter_s < 0:
        raise InvalidSchedule(f"the jitter of schedule {schedule.name!r} is negative")
    if (schedule.end is not None and plan.upto(schedule.end.timestamp()) is None) or (
        schedule.start is not None and plan.after(schedule.start.timestamp() - 1) is None
    ):
        raise InvalidSchedule(
            f"schedule {schedule.name!r} has no tick", hint="look at its start and end", name=schedule.name
        )
    return schedule


def zone_of(timing: Timing) -> Zone:
    """The zone whose clock a timing goes by.

    Raises:
        InvalidSchedule: There is no such zone.
    """
    return zone("UTC" if isinstance(timing, Once) else timing.tz)


def ticks_of(timing: Timing, identity: str = "", *, start: datetime | None = None) -> Ticks:
    """The ticks of a timing.

    Args:
        timing: When.
        identity: Chooses ``H``.
        start: What an interval or a recurrence counts from, if it says nothing itself.

    Raises:
        InvalidSchedule: It cannot be.
    """
    where = zone_of(timing)
    if isinstance(timing, model.Once):
        return _Once(_aware(timing.at, "the moment"))
    if isinstance(timing, model.Cron):
        cron = Cron(timing.expression, identity)
        return _Steady(cron, where) if cron.steady else _ByTheClock(cron, where)
    anchor = MONDAY
    if isinstance(timing, Every) and timing.anchor is not None:
        anchor = where.wall(_aware(timing.anchor, "the anchor"))
    elif start is not None:
        anchor = where.wall(_aware(start, "the start"))
    if isinstance(timing, model.RRule):
        rule = RRule(timing.text, where, anchor)
        return _Steady(rule, where) if rule.steady else _ByTheClock(rule, where)
    interval_s = int(timing.interval_s)
    if interval_s != timing.interval_s or interval_s < 1:
        raise InvalidSchedule(
            f"a schedule's interval must be whole seconds, and is {timing.interval_s} s",
            hint="a flow with weft.sleep can do something more often",
        )
    if interval_s % DAY_S == 0:
        return _ByTheClock(_Paces(anchor, interval_s), where)
    return _Elapsed(_Paces(where.instant(anchor), interval_s))


def moment_of(instant: int) -> datetime:
    """An instant as a datetime in UTC."""
    return datetime.fromtimestamp(instant, UTC)


# --- from wall times to instants --------------------------------------------------------------------------


class _Walls(Protocol):
    def at_or_after(self, wall: int) -> int | None: ...
    def at_or_before(self, wall: int) -> int | None: ...


class _ByTheClock:
    """Wall times, each at the one instant that it stands for."""

    __slots__ = ("_walls", "_zone")

    def __init__(self, walls: _Walls, where: Zone) -> None:
        self._walls = walls
        self._zone = where

    def after(self, moment: int) -> int | None:
        if moment >= LAST_INSTANT:
            return None
        wall = self._walls.at_or_after(self._zone.first_wall(moment + 1))
        return None if wall is None else self._zone.instant(wall)

    def before(self, moment: int) -> int | None:
        wall = self._walls.at_or_before(self._zone.first_wall(moment) - 1)
        return None if wall is None else self._zone.instant(wall)


class _Steady:
    """Every instant whose wall time fits."""

    __slots__ = ("_walls", "_zone")

    def __init__(self, walls: _Walls, where: Zone) -> None:
        self._walls = walls
        self._zone = where

    def after(self, moment: int) -> int | None:
        moment += 1
        while moment < LAST_INSTANT:
            _, end, offset = self._zone.stretch(moment)
            wall = self._walls.at_or_after(moment + offset)
            if wall is not None and wall - offset < end:
                return wall - offset
            if wall is None and self._walls.at_or_after(moment + offset - DAY_S) is None:
                return None  # Not even a clock that is put back comes to another.
            moment = end
        return None

    def before(self, moment: int) -> int | None:
        moment -= 1
        while moment > -LAST_INSTANT:
            start, _, offset = self._zone.stretch(moment)
            wall = self._walls.at_or_before(moment + offset)
            if wall is None:
                return None
            if wall - offset >= start:
                return wall - offset
            moment = start - 1
        return None


class _Elapsed:
    """Instants that need no clock on a wall."""

    __slots__ = ("_paces",)

    def __init__(self, paces: "_Paces") -> None:
        self._paces = paces

    def after(self, moment: int) -> int | None:
        return self._paces.at_or_after(moment + 1)

    def before(self, moment: int) -> int | None:
        return self._paces.at_or_before(moment - 1)


class _Paces:
    """Numbers that are a whole number of intervals from an anchor."""

    __slots__ = ("_anchor", "_interval")

    def __init__(self, anchor: int, interval: int) -> None:
        self._anchor = anchor
        self._interval = interval

    def at_or_after(self, number: int) -> int:
        return self._anchor - (self._anchor - number) // self._interval * self._interval

    def at_or_before(self, number: int) -> int:
        return self._anchor + (number - self._anchor) // self._interval * self._interval


class _Once:
    """One moment."""

    __slots__ = ("_at",)

    def __init__(self, at: int) -> None:
        self._at = at

    def after(self, moment: int) -> int | None:
        return self._at if self._at > moment else None

    def before(self, moment: int) -> int | None:
        return self._at if self._at < moment else None


def _aware(moment: datetime, what: str) -> int:
    """A datetime in whole Unix seconds."""
    if moment.tzinfo is None:
        raise InvalidSchedule(f"{what} {moment} has no time zone", hint="give it tzinfo=UTC")
    return int(moment.timestamp() // 1)


def _first_second(moment: datetime | None) -> int | None:
    """The first whole second from ``moment`` on."""
    return None if moment is None else _aware(moment, "the start") + (moment.microsecond > 0)
