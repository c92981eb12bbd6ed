"""Where the lines of a log begin: counted once, block by block, for files that only grow."""

from bisect import bisect_left
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import BinaryIO

BLOCK = 1 << 20
"""Bytes between two places whose line number is known."""

KEPT = 64
"""Logs whose counts are remembered."""


class LineIndex:
    """The line ends of one file, counted for each whole block.

    A gigabyte costs half a second when it is first asked for, and 8 kB; of what is appended later only that
    is counted.
    """

    def __init__(self) -> None:
        self._before = [0]
        """Line ends before each block; there is one more than there are blocks."""

    def line_at(self, file: BinaryIO, place: int) -> int:
        """The number, from 1, of the line that byte ``place`` is in."""
        self._count(file)
        block = min(place // BLOCK, len(self._before) - 1)
        file.seek(block * BLOCK)
        return 1 + self._before[block] + file.read(place - block * BLOCK).count(b"\n")

    def start_of(self, file: BinaryIO, line: int) -> int:
        """The first byte of a line; the end of the file if it has fewer."""
        left = line - 1
        if left <= 0:
            return 0
        self._count(file)
        block = max(bisect_left(self._before, left) - 1, 0)
        file.seek(block * BLOCK)
        data = file.read(BLOCK)
        place = -1
        for _ in range(left - self._before[block]):
            place = data.find(b"\n", place + 1)
            if place < 0:
                return block * BLOCK + len(data)
        return block * BLOCK + place + 1

    def _count(self, file: BinaryIO) -> None:
        """Count the blocks that were written since, but for the last one, which is not whole yet."""
        file.seek(0, 2)
        whole = file.tell() // BLOCK
        if whole < len(self._before) - 1:
            del self._before[1:]
        file.seek((len(self._before) - 1) * BLOCK)
        while len(self._before) - 1 < whole:
            self._before.append(self._before[-1] + file.read(BLOCK).count(b"\n"))


class LineIndexes:
    """The indexes of the logs that were asked for last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Path, tuple[LineIndex, Lock]] = OrderedDict()

    def line_at(self, path: Path, place: int) -> int:
        """See ``LineIndex.line_at``."""
        index, lock = self._of(path)
        with lock, path.open("rb") as file:
            return index.line_at(file, place)

    def start_of(self, path: Path, line: int) -> int:
        """See ``LineIndex.start_of``."""
        index, lock = self._of(path)
        with lock, path.open("rb") as file:
            return index.start_of(file, line)

    def _of(self, path: Path) -> tuple[LineIndex, Lock]:
        with self._lock:
            made = self._kept.pop(path, None) or (LineIndex(), Lock())
            self._kept[path] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made
