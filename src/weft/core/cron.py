"""Cron expressions: parsed once, then asked for wall times by arithmetic.

What is understood, field by field (``docs/explanation/schedules.md`` has it for users):

- five fields (minute, hour, day of month, month, day of week) or six, seconds first; ``@hourly`` ``@daily``
  ``@midnight`` ``@weekly`` ``@monthly`` ``@yearly`` ``@annually``;
- ``*``, numbers, names (``jan``, ``mon``), lists ``a,b``, ranges ``a-b`` (over the end for hours, months and
  weekdays: ``22-2``, ``fri-mon``), steps ``*/n``, ``a-b/n``, ``a/n`` (from a to the end);
- ``?`` for a day field that says nothing; ``0`` and ``7`` are Sunday;
- days of the month: ``L`` (the last), ``L-3`` (three before it), ``15W`` (the weekday nearest to the 15th, in
  that month), ``LW`` (the last weekday);
- days of the week: ``5#3`` (the third Friday), ``5L`` (the last Friday);
- ``H``, ``H(0-29)``, ``H/15``, ``H(0-29)/10``: numbers chosen by the schedule's identity, always the same for
  one schedule and spread over many.

Days are as in Vixie cron: if both day fields say something, a day that fits either one fits. A field that
begins with ``*`` says nothing in this sense, so ``0 0 */2 * mon`` is every odd day that is a Monday.
"""

from bisect import bisect_left, bisect_right
from datetime import date

from weft.core.cron_fields import Parsed, parse
from weft.core.zones import DAY_S
from weft.model.errors import InvalidSchedule

EPOCH_DAY = date(1970, 1, 1).toordinal()
_LAST_YEAR = 9998
_CYCLE_MONTHS = 4800
"""After 400 years the calendar repeats itself, weekdays included: what does not come in them never comes."""


class Cron:
    """A parsed expression. It is asked for wall times, as ``core/zones.py`` counts them.

    Args:
        expression: See the module.
        identity: The schedule's, for ``H``.

    Attributes:
        steady: Whether it comes in every hour, so that a change of clock must neither stop nor double it.

    Raises:
        InvalidSchedule: With ``position``, the index of what is wrong in the expression.
    """

    def __init__(self, expression: str, identity: str = "") -> None:
        fields = parse(expression, identity)
        seconds, minutes, hours, days, months, weekdays = (field for _, field in fields)
        self.steady = len(hours.numbers) == 24
        self._months = months.numbers
        self._days = days
        self._weekdays = weekdays
        self._either = not days.open and not weekdays.open
        self._times = _Times(seconds.numbers, minutes.numbers, hours.numbers)
        self._masks: dict[int, int] = {}
        if self.at_or_after(0) is None:
            raise InvalidSchedule(
                f"{expression!r} never comes: no month has such a day",
                hint="look at the day of month beside the month",
                expression=expression,
                position=fields[3][0],
            )

    def at_or_after(self, wall: int) -> int | None:
        """The earliest wall time of it from ``wall`` on; ``None`` if there is none."""
        day, time = divmod(wall, DAY_S)
        if self._fits(day):
            found = self._times.at_or_after(time)
            if found is not None:
                return day * DAY_S + found
        next_day = self._day_from(day + 1)
        return None if next_day is None else next_day * DAY_S + self._times.first

    def at_or_before(self, wall: int) -> int | None:
        """The latest wall time of it up to ``wall``; ``None`` if there is none."""
        day, time = divmod(wall, DAY_S)
        if self._fits(day):
            found = self._times.at_or_before(time)
            if found is not None:
                return day * DAY_S + found
        last_day = self._day_to(day - 1)
        return None if last_day is None else last_day * DAY_S + self._times.last

    def _fits(self, day: int) -> bool:
        on = date.fromordinal(day + EPOCH_DAY)
        return bool(self._mask(on.year, on.month) >> on.day & 1)

    def _day_from(self, day: int) -> int | None:
        on = date.fromordinal(day + EPOCH_DAY)
        year, month, mask = on.year, on.month, self._mask(on.year, on.month) >> on.day << on.day
        for _ in range(_CYCLE_MONTHS + 1):
            if mask:
                number = (mask & -mask).bit_length() - 1
                return date(year, month, number).toordinal() - EPOCH_DAY
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > _LAST_YEAR:
                return None
            mask = self._mask(year, month)
        return None

    def _day_to(self, day: int) -> int | None:
        on = date.fromordinal(day + EPOCH_DAY)
        year, month = on.year, on.month
        mask = self._mask(year, month) & ((2 << on.day) - 1)
        for _ in range(_CYCLE_MONTHS + 1):
            if mask:
                return date(year, month, mask.bit_length() - 1).toordinal() - EPOCH_DAY
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
            if year < 1900:
                return None
            mask = self._mask(year, month)
        return None

    def _mask(self, year: int, month: int) -> int:
        """The days of a month that fit, as bits."""
        if month not in self._months:
            return 0
        key = year * 12 + month
        mask = self._masks.get(key)
        if mask is None:
            if len(self._masks) > 24:
                self._masks = {}
            mask = self._masks[key] = self._make_mask(year, month)
        return mask

    def _make_mask(self, year: int, month: int) -> int:
        first = date(year, month, 1)
        following = date(year, month + 1, 1) if month < 12 else date(year + 1, 1, 1)
        last = following.toordinal() - first.toordinal()
        first_weekday = first.isoweekday() % 7
        every = (2 << last) - 2
        in_month = _month_bits(self._days, last, first_weekday) & every
        in_week = _week_bits(self._weekdays, last, first_weekday) & every
        return in_month | in_week if self._either else in_month & in_week


class _Times:
    """The times of a day, in seconds since its beginning."""

    __slots__ = ("_hours", "_minutes", "_seconds", "first", "last")

    def __init__(self, seconds: frozenset[int], minutes: frozenset[int], hours: frozenset[int]) -> None:
        self._seconds = sorted(seconds)
        self._minutes = sorted(each * 60 for each in minutes)
        self._hours = sorted(each * 3600 for each in hours)
        self.first = self._hours[0] + self._minutes[0] + self._seconds[0]
        self.last = self._hours[-1] + self._minutes[-1] + self._seconds[-1]

    def at_or_after(self, time: int) -> int | None:
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        if time > self.last:
            return None
        hour = time - time % 3600
        at = bisect_left(hours, hour)
        if hours[at] != hour:
            return hours[at] + minutes[0] + seconds[0]
        minute, second = time % 3600 - time % 60, time % 60
        within = bisect_left(minutes, minute)
        if within < len(minutes) and minutes[within] == minute:
            if second <= seconds[-1]:
                return hour + minute + seconds[bisect_left(seconds, second)]
            within += 1
        if within < len(minutes):
            return hour + minutes[within] + seconds[0]
        return hours[at + 1] + minutes[0] + seconds[0] if at + 1 < len(hours) else None

    def at_or_before(self, time: int) -> int | None:
        hours, minutes, seconds = self._hours, self._minutes, self._seconds
        if time < self.first:
            return None
        hour = time - time % 3600
        at = bisect_right(hours, hour) - 1
        if hours[at] != hour:
            return hours[at] + minutes[-1] + seconds[-1]
        minute, second = time % 3600 - time % 60, time % 60
        within = bisect_right(minutes, minute) - 1
        if within >= 0 and minutes[within] == minute:
            if second >= seconds[0]:
                return hour + minute + seconds[bisect_right(seconds, second) - 1]
            within -= 1
        if within >= 0:
            return hour + minutes[within] + seconds[-1]
        return hours[at - 1] + minutes[-1] + seconds[-1] if at > 0 else None


def _month_bits(field: Parsed, last: int, first_weekday: int) -> int:
    mask = 0
    for number in field.numbers:
        mask |= 1 << number
    for before in field.from_last:
        if before < last:
            mask |= 1 << (last - before)
    for wanted in field.nearest:
        day = wanted or last
        if day <= last:
            mask |= 1 << _nearest_weekday(day, last, first_weekday)
    return mask


def _nearest_weekday(day: int, last: int, first_weekday: int) -> int:
    weekday = (first_weekday + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < last else day - 2
    return day


def _week_bits(field: Parsed, last: int, first_weekday: int) -> int:
    mask = 0
    for weekday in field.numbers:
        for day in range(1 + (weekday - first_weekday) % 7, last + 1, 7):
            mask |= 1 << day
    for weekday, number in field.nth:
        mask |= 1 << (1 + (weekday - first_weekday) % 7 + 7 * (number - 1))
    for weekday in field.last:
        first = 1 + (weekday - first_weekday) % 7
        mask |= 1 << (first + (last - first) // 7 * 7)
    return mask
