"""When a ``@dag`` or a ``@flow`` runs by itself, as data.

Nothing here computes a time: ``weft up`` stores a schedule with its workflow and finds its ticks.
"""

import re
from datetime import datetime, timedelta

import msgspec

from weft.dialects.native.durations import Duration, seconds
from weft.model.errors import InvalidPolicy

_MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_FIELD = re.compile(r"[0-9A-Za-z*/,\-?#]+")


class Cron(msgspec.Struct, frozen=True, omit_defaults=True, tag="cron"):
    """At the moments that a cron expression names, in the time zone ``tz``."""

    expression: str
    tz: str = "UTC"


class Every(msgspec.Struct, frozen=True, omit_defaults=True, tag="every"):
    """Every ``interval_s`` seconds, counted from ``anchor`` (``None``: from when the schedule begins)."""

    interval_s: float
    anchor: datetime | None = None


Schedule = Cron | Every


def cron(expression: str, *, tz: str = "UTC") -> Cron:
    """A schedule by a cron expression: minute, hour, day of month, month, day of week.

    Args:
        expression: Five fields (``"0 6 * * *"``), or ``@daily`` and the like.
        tz: An IANA time zone; its changes of clock are followed.

    Raises:
        InvalidPolicy: It has another number of fields, a strange character, or the zone is not known.
    """
    text = expression.strip()
    fields = text.split()
    if text not in _MACROS and (len(fields) != 5 or not all(_FIELD.fullmatch(each) for each in fields)):
        raise InvalidPolicy(
            f"{expression!r} is no cron expression",
            hint='write five fields: minute hour day month weekday, as in "0 6 * * 1-5"',
        )
    if tz != "UTC":
        _check_zone(tz)
    return Cron(" ".join(fields), tz)


def every(interval: Duration, *, anchor: datetime | None = None) -> Every:
    """A schedule by an interval: ``every("5m")``.

    Args:
        interval: The time between two ticks.
        anchor: A moment, with a time zone, that is a tick; the others follow from it.

    Raises:
        InvalidPolicy: The interval is not positive, or the anchor has no time zone.
    """
    interval_s = seconds(interval, what="interval")
    if interval_s == 0:
        raise InvalidPolicy("a schedule's interval must be positive")
    if anchor is not None and anchor.tzinfo is None:
        raise InvalidPolicy(f"the anchor {anchor} has no time zone", hint="give it tzinfo=UTC")
    return Every(interval_s, anchor)


def schedule_of(given: Schedule | str | timedelta | None) -> Schedule | None:
    """What ``schedule=`` accepts, as one of the structs: text is a cron expression.

    Raises:
        InvalidPolicy: It is none of these.
    """
    if given is None or isinstance(given, Cron | Every):
        return given
    if isinstance(given, str):
        return cron(given)
    if isinstance(given, timedelta):
        return every(given)
    raise InvalidPolicy(f"schedule={given!r} is not known", hint='use cron("0 6 * * *") or every("5m")')


def _check_zone(tz: str) -> None:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - costs start-up time, and few schedules name a zone

    try:
        ZoneInfo(tz)
    except (ValueError, OSError, KeyError) as exc:
        raise InvalidPolicy(
            f"there is no time zone {tz!r}", hint='use a name such as "Europe/Stockholm"'
        ) from exc
