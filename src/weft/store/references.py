"""How people name a run, the same for every store: its public id, the beginning of it, or ``@latest``."""

from weft.model.errors import NotFound

LATEST = "@latest"
_PREFIX = "run_"

TWO = 2
"""So many runs are enough to know that a prefix is not unique."""

LAST = "\U0010ffff"
"""Put after a prefix it is past all that begin with it, in byte order."""


def prefixes(ref: str) -> list[tuple[str, str]]:
    """Half-open ranges of public ids that ``ref`` may begin, best first.

    Typed by hand: as it is, and with the ``run_`` and the capitals of a ULID.
    """
    typed = [ref, _PREFIX + ref.removeprefix(_PREFIX).upper()]
    return [(each, each + LAST) for each in dict.fromkeys(typed) if ref]


def unknown_run(ref: str | int) -> NotFound:
    """The error for a run that is not there."""
    if ref == LATEST:
        return NotFound("there are no runs yet", where=LATEST, hint="start one: weft run FILE")
    return NotFound(f"no run {ref}", where=str(ref), hint="list them: weft runs list")


def unknown_task(run: int, ref: str | int) -> NotFound:
    """The error for a task run that is not there."""
    return NotFound(f"no task run {ref} in run {run}", where=str(ref), hint="list them: weft tasks list RUN")
