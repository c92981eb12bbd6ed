"""Lengths of time as people write them: ``"1h30m"``, ``90``, ``timedelta(minutes=90)``."""

import re
from datetime import timedelta

from weft.model.errors import InvalidPolicy

Duration = float | int | str | timedelta
"""Seconds, a text such as ``"500ms"``, ``"10s"``, ``"5m"``, ``"1h30m"``, ``"1d"``, or a ``timedelta``."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")


def seconds(duration: Duration, *, what: str = "duration") -> float:
    """Return the duration in seconds.

    Raises:
        InvalidPolicy: It is negative, or text that is no duration.
    """
    if isinstance(duration, timedelta):
        number = duration.total_seconds()
    elif isinstance(duration, str):
        number = _parse(duration, what)
    else:
        number = float(duration)
    if not 0 <= number < float("inf"):
        raise InvalidPolicy(f"{what} must not be negative or infinite, and is {duration!r}")
    return number


def _parse(text: str, what: str) -> float:
    total, at = 0.0, 0
    stripped = text.strip()
    for part in _PART.finditer(stripped):
        if part.start() != at:
            break
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not stripped or at != len(stripped):
        raise InvalidPolicy(
            f"{what} {text!r} is no length of time", hint='write it like "10s", "5m", "1h30m" or "1d"'
        )
    return total
