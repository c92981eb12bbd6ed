"""Between the wall clock of a time zone and elapsed time, in whole seconds.

A *wall* time is what clocks on the wall show, as seconds since 1970-01-01 00:00:00 shown; an *instant* is
Unix seconds. A zone is a list of stretches with one offset each: ``wall = instant + offset``. Where a stretch
ends, the clock jumps ahead (a gap: wall times that never are) or back (an overlap: wall times that
are twice).

Every wall time is given one instant, and later wall times never get an earlier one:

- in a gap, the first moment after it;
- in an overlap, the first of the two.

The stretches are read from the time zone database once, so that a schedule's next tick is a binary search and
not a calculation with dates. The database is a table of facts; it knows no clock, so the core stays pure.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from weft.model.errors import InvalidSchedule

DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall times have no zone

FIRST = -(1 << 50)
"""Before every instant."""

LAST_INSTANT = 253_370_764_800
"""The beginning of the year 9999: nothing is looked for from here on."""

_SCAN_S = 4 * DAY_S  # No zone changes its clock twice in so short a time; a test looks at all of them.
_BLOCK_S = 4 * 366 * DAY_S


class Zone:
    """A time zone's stretches, read in blocks of four years when somebody first asks.

    Attributes:
        name: Its name in the IANA database.
        info: The zone for ``datetime``.
    """

    def __init__(self, name: str, info: ZoneInfo) -> None:
        self.name = name
        self.info = info
        self._blocks: dict[int, _Block] = {}

    def wall(self, instant: int) -> int:
        """What clocks show at an instant."""
        block = self._block(instant)
        return instant + block.offsets[bisect_right(block.starts, instant) - 1]

    def instant(self, wall: int) -> int:
        """The instant that a wall time stands for."""
        block = self._block(wall)
        at = bisect_right(block.walls, wall) - 1
        return max(wall - block.offsets[at], block.starts[at])

    def first_wall(self, instant: int) -> int:
        """The earliest wall time that stands for ``instant`` or a later one."""
        block = self._block(instant)
        at = bisect_right(block.starts, instant) - 1
        if instant == block.starts[at]:
            return block.walls[at]
        return max(instant + block.offsets[at], block.walls[at])

    def stretch(self, instant: int) -> tuple[int, int, int]:
        """The stretch around an instant: its first instant, the first one after it, its offset.

        It may be cut where a block ends; what follows then has the same offset.
        """
        block = self._block(instant)
        at = bisect_right(block.starts, instant) - 1
        end = block.starts[at + 1] if at + 1 < len(block.starts) else block.end
        return max(block.starts[at], block.begin), end, block.offsets[at]

    def _block(self, moment: int) -> "_Block":
        number = moment // _BLOCK_S
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = _Block(self.info, number)
        return block


class _Block:
    """The stretches of four years and of some days around them, which wall times may differ by.

    ``walls[i]`` is the wall time from which on stretch i counts: where the clock of the stretch before would
    have come to at its end.
    """

    __slots__ = ("begin", "end", "offsets", "starts", "walls")

    def __init__(self, info: ZoneInfo, number: int) -> None:
        self.begin = number * _BLOCK_S - _SCAN_S
        self.end = (number + 1) * _BLOCK_S + _SCAN_S
        self.starts, self.offsets, self.walls = [FIRST], [_offset(info, self.begin)], [FIRST]
        for start, offset in _changes(info, self.begin, self.end):
            self.starts.append(start)
            self.walls.append(start + self.offsets[-1])
            self.offsets.append(offset)


@lru_cache(maxsize=1024)
def zone(name: str) -> Zone:
    """The zone of this name.

    Raises:
        InvalidSchedule: The database has none.
    """
    try:
        return Zone(name, ZoneInfo(name))
    except (ValueError, OSError, KeyError) as exc:
        raise InvalidSchedule(
            f"there is no time zone {name!r}", hint='use a name such as "Europe/Stockholm"'
        ) from exc


def _offset(info: ZoneInfo, instant: int) -> int:
    # The database has no rules outside of these years that a schedule could meet.
    moment = EPOCH + timedelta(seconds=min(max(instant, -(1 << 35)), LAST_INSTANT))
    offset = moment.astimezone(info).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _changes(info: ZoneInfo, low: int, high: int) -> list[tuple[int, int]]:
    """The changes of offset after ``low`` up to ``high``: their instants and new offsets."""
    found: list[tuple[int, int]] = []
    offset = _offset(info, low)
    while low < high:
        end = min(low + _SCAN_S, high)
        new = _offset(info, end)
        if new != offset:
            found.append((_first_with(info, low, end, new), new))
            offset = new
        low = end
    return found


def _first_with(info: ZoneInfo, low: int, high: int, offset: int) -> int:
    """The first instant after ``low`` with this offset, which ``high`` has."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, middle) == offset:
            high = middle
        else:
            low = middle
    return high
