"""RFC 5545 recurrences, by ``python-dateutil``, behind the two questions that ``core/cron.py`` answers too.

The library is asked for wall times without a zone; what they mean in the schedule's zone is decided in one
place for all schedules (``core/zones.py``). Where the RFC leaves out what falls into a gap of the clock, Weft
acts at the first moment after it, as for cron: a nightly backup is late rather than missing.

The library goes through a rule from its ``DTSTART``. So that a rule by the minute that began years ago does
not take seconds, a rule without ``COUNT`` is begun anew near the time in question, a whole number of its
periods later, and what it gives is kept in a window.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from math import lcm
from typing import Any

from weft.core.zones import DAY_S, LAST_INSTANT, NAIVE_EPOCH, Zone, zone
from weft.model.errors import InvalidSchedule

COUNT_MAX = 100_000
"""The highest ``COUNT``: such a rule has to be gone through from its beginning."""

_HORIZON_S = 30 * 366 * DAY_S
"""How far apart two moments of a rule may be."""

_AHEAD = 32
"""Wall times read at once, so that a schedule's next ticks cost a search in a list."""

_PERIOD_S = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600, "DAILY": DAY_S, "WEEKLY": 7 * DAY_S}
_MONTHS = {"MONTHLY": 1, "YEARLY": 12}
_BY_DAYS = ("BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY")
_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LINE = re.compile(r"(?:(?P<name>[A-Z-]+)(?P<options>(?:;[A-Z-]+=[^:;]+)*):)?(?P<value>[^:]*)")
_FORM = "%Y%m%dT%H%M%S"
_FOR_EVER = 1 << 50
_MOMENT = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")


class RRule:
    """A recurrence in a zone.

    Args:
        text: Its lines.
        where: The zone of times that name none.
        anchor: The wall time that it begins at, if it has no ``DTSTART``.

    Attributes:
        steady: Whether it comes in every hour, so that a change of clock must neither stop nor double it.

    Raises:
        InvalidSchedule: The text is no recurrence, or one that never comes.
    """

    def __init__(self, text: str, where: Zone, anchor: int) -> None:
        self._text = text
        self._zone = where
        rules, self._begin, self._added, self._left_out = self._read(text, anchor)
        self._rules = [_Rule(each, self._begin, self._wrong) for each in rules]
        self.steady = any(each.steady for each in self._rules)
        if not rules and not self._added:
            raise self._wrong("it has no RRULE", "write FREQ=DAILY;BYHOUR=6")
        if self.at_or_after(-_FOR_EVER) is None:
            raise self._wrong("EXDATE leaves nothing of it", "look at its dates")

    def at_or_after(self, wall: int) -> int | None:
        """The earliest wall time of it from ``wall`` on; ``None`` if there is none."""
        while True:
            found = [each.at_or_after(wall) for each in self._rules]
            at = bisect_left(self._added, wall)
            found += self._added[at : at + 1]
            known = [each for each in found if each is not None]
            if not known:
                return None
            if (first := min(known)) not in self._left_out:
                return first
            wall = first + 1

    def at_or_before(self, wall: int) -> int | None:
        """The latest wall time of it up to ``wall``; ``None`` if there is none."""
        while True:
            found = [each.at_or_before(wall) for each in self._rules]
            at = bisect_right(self._added, wall)
            found += self._added[max(at - 1, 0) : at]
            known = [each for each in found if each is not None]
            if not known:
                return None
            if (last := max(known)) not in self._left_out:
                return last
            wall = last - 1

    def _read(self, text: str, anchor: int) -> tuple[list[dict[str, str]], int, list[int], frozenset[int]]:
        rules: list[dict[str, str]] = []
        added: list[int] = []
        left_out: list[int] = []
        begin = anchor
        for line in text.strip().upper().split("\n"):
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise self._wrong(f"{line.strip()!r} is no line of it", "write FREQ=DAILY;BYHOUR=6")
            name, value = found["name"] or "RRULE", found["value"]
            options = dict(each.split("=", 1) for each in (found["options"] or "").split(";")[1:])
            if name == "RRULE":
                rules.append(self._parts(value))
            elif name == "DTSTART":
                begin = self._moment(value, options)
            elif name == "RDATE":
                added += [self._moment(each, options) for each in value.split(",")]
            elif name == "EXDATE":
                left_out += [self._moment(each, options) for each in value.split(",")]
            else:
                raise self._wrong(f"{name} is not known", "it has RRULE, DTSTART, RDATE and EXDATE")
        return rules, begin, sorted(added), frozenset(left_out)

    def _parts(self, value: str) -> dict[str, str]:
        parts: dict[str, str] = {}
        for part in value.strip(";").split(";"):
            name, equals, given = part.partition("=")
            if not equals or not given or name in parts:
                raise self._wrong(f"{part!r} is no part of a rule", "write FREQ=DAILY;BYHOUR=6")
            parts[name] = given
        if "UNTIL" in parts:
            # A day means its whole length; the library would take its first moment.
            until = self._moment(parts["UNTIL"], {})
            until += 0 if "T" in parts["UNTIL"] else DAY_S - 1
            parts["UNTIL"] = _naive(until).strftime(_FORM)
        return parts

    def _moment(self, value: str, options: dict[str, str]) -> int:
        """A time as a wall time of the rule's zone."""
        found = _MOMENT.fullmatch(value)
        try:
            if found is None:
                raise ValueError("a time is 20260131T060000, with Z for UTC")
            naive = datetime.strptime(found[1] + "T" + (found[2] or "000000"), _FORM)  # noqa: DTZ007 - a wall time
        except ValueError as exc:
            raise self._wrong(f"{value!r} is no time: {exc}", "write 20260131T060000") from exc
        wall = _wall(naive)
        if found[3]:
            return self._zone.wall(wall)
        if "TZID" in options:
            # Zone names were made upper case with the rest; the database has them in mixed case.
            named = re.search(rf"TZID=({re.escape(options['TZID'])})", self._text, re.IGNORECASE)
            given = zone(named[1] if named else options["TZID"])
            return wall if given.name == self._zone.name else self._zone.wall(given.instant(wall))
        return wall

    def _wrong(self, what: str, hint: str) -> InvalidSchedule:
        return InvalidSchedule(f"{self._text!r} is no recurrence: {what}", hint=hint, rule=self._text)


class _Rule:
    """One ``RRULE`` line, as a window of its wall times that moves to where it is asked about."""

    def __init__(self, parts: dict[str, str], begin: int, wrong: Any) -> None:
        # Only schedules with a recurrence pay for loading the library.
        from dateutil.rrule import rrulestr  # noqa: PLC0415 - see above

        self._begin = begin
        frequency, interval, count = (
            parts.get("FREQ", ""),
            parts.get("INTERVAL", "1"),
            parts.get("COUNT", "1"),
        )
        if frequency not in _PERIOD_S and frequency not in _MONTHS:
            raise wrong(f"FREQ={frequency} is not known", f"use {', '.join((*_MONTHS, *_PERIOD_S))}")
        if not interval.isdecimal() or not 1 <= int(interval) <= 1_000_000:
            raise wrong(f"INTERVAL={interval} is no number from 1 to 1000000", "leave it out for every one")
        if not count.isdecimal() or not 1 <= int(count) <= COUNT_MAX:
            raise wrong(f"COUNT={count} is no number from 1 to {COUNT_MAX}", "use UNTIL, or a schedule's end")
        if "UNTIL" in parts and "COUNT" in parts:
            raise wrong("it has both COUNT and UNTIL", "the RFC allows one of them")
        self._counted = "COUNT" in parts
        self._frequency, self._interval = frequency, int(interval)
        self._period_s = self._interval * (_PERIOD_S.get(frequency) or _MONTHS[frequency] * 28 * DAY_S)
        by_parts = any(name.startswith("BY") for name in parts)
        self.steady = not by_parts and self._period_s <= 3600 and 3600 % self._period_s == 0
        self._until = _FOR_EVER
        if "UNTIL" in parts:
            self._until = _wall(datetime.strptime(parts.pop("UNTIL"), _FORM))  # noqa: DTZ007 - a wall time
        parts.pop("COUNT", None)
        try:
            self._rule: Any = rrulestr(_text(parts), dtstart=_naive(begin))
            days = {name: parts[name] for name in _BY_DAYS if name in parts}
            if days and frequency in _PERIOD_S:
                # By the year is fast; by the second the library would look at each of decades in vain.
                days["BYDAY"] = re.sub(r"[+-]?\d+", "", days.get("BYDAY", ",".join(_WEEK)))
                self._refuse_never(rrulestr(_text({"FREQ": "YEARLY", **days}), dtstart=_naive(begin)))
            self._refuse_never(self._rule)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as exc:
            raise wrong(str(exc) or type(exc).__name__, "see RFC 5545, section 3.3.10") from exc
        # All of its wall times from the first number to the second. It is replaced as a whole, so that
        # threads may share a rule.
        self._window: tuple[int, int, list[int]] = (begin, begin - 1, [])
        if self._counted:
            walls = list(islice(self._from(begin, LAST_INSTANT), int(count)))
            self._window = (begin, _FOR_EVER, walls)

    def _refuse_never(self, rule: Any) -> None:
        until = min(self._begin + _HORIZON_S, self._until)
        if until < self._begin or not any(True for _ in rule.replace(until=_naive(until))):
            raise ValueError("it never comes")

    def at_or_after(self, wall: int) -> int | None:
        """The earliest of its wall times from ``wall`` on."""
        wall = max(wall, self._begin)
        low, high, walls = self._window
        if not self._counted and not (low <= wall <= high and walls and wall <= walls[-1]):
            walls = []
            low, wanted = self._shifted(wall), 0
            for each in self._from(low, wall + _HORIZON_S):
                walls.append(each)
                wanted += each >= wall
                if wanted == _AHEAD:
                    break
            if not wanted:
                return None
            self._window = (low, walls[-1], walls)
        at = bisect_left(walls, wall)
        return walls[at] if at < len(walls) else None

    def at_or_before(self, wall: int) -> int | None:
        """The latest of its wall times up to ``wall``."""
        if wall < self._begin:
            return None
        low, high, walls = self._window
        back = 2 * self._period_s
        while not self._counted and (wall > high or wall < low or not bisect_right(walls, wall)):
            low, high = self._shifted(wall - back), wall
            walls = list(self._from(low, wall))
            self._window = (low, high, walls)
            if low == self._begin:
                break
            back *= 8
        at = bisect_right(walls, wall)
        return walls[at - 1] if at else None

    def _from(self, begin: int, until: int) -> Iterator[int]:
        """Its wall times from ``begin``, which is as good a beginning as the first, up to ``until``."""
        until = min(until, self._until)
        rule = self._rule.replace(dtstart=_naive(begin), until=_naive(until)) if until >= begin else ()
        return (_wall(each) for each in rule)

    def _shifted(self, wall: int) -> int:
        """Its beginning, moved near to ``wall`` by whole periods, so that the rule stays the same.

        For months and years it is whole cycles of four years, so that the beginning's day is there again.
        """
        distance = wall - self._begin
        if self._frequency in _PERIOD_S:
            return self._begin + max(distance // self._period_s - 1, 0) * self._period_s
        cycle = lcm(_MONTHS[self._frequency] * self._interval, 48) // 12
        years = max(distance // (366 * DAY_S) // cycle, 0) * cycle
        begin = _naive(self._begin)
        try:
            return _wall(begin.replace(year=begin.year + years))
        except ValueError:
            return self._begin  # A leap day, and the year of the cycle is a century without one.


def _text(parts: dict[str, str]) -> str:
    return "RRULE:" + ";".join(f"{name}={value}" for name, value in parts.items())


def _naive(wall: int) -> datetime:
    return NAIVE_EPOCH + timedelta(seconds=wall)


def _wall(naive: datetime) -> int:
    return (naive - NAIVE_EPOCH) // timedelta(seconds=1)
