"""One page of memory that an executor and one worker share: what runs, and what must stop.

Telling the executor that an attempt has begun by a message would cost two system calls and a wake-up each;
writing a word costs none. Each cell is one aligned 64-bit word with a single writer, so neither side can see
half of a change: the attempt's number and the moment, or the reason, stand in the same word.
"""

import mmap
import os
import time

from weft.wire.memory import unnamed_file

NUMBER_BITS = 24
NUMBER_MASK = (1 << NUMBER_BITS) - 1
"""Numbers of attempts wrap around within this; a worker holds a few hundred of them at most."""

_SIZE = mmap.PAGESIZE
_BEGUN, _STOP = 0, 8  # 64 bytes apart: a cache line each.


class Cells:
    """The shared page, mapped. Moments are ``time.monotonic``, which all processes of a machine share."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, _SIZE)
        self._words = memoryview(self._map).cast("Q")

    def begin(self, number: int) -> None:
        """The worker: this attempt runs from now on."""
        self._words[_BEGUN] = time.monotonic_ns() // 1_000_000 << NUMBER_BITS | number

    def begun(self) -> tuple[int, float]:
        """The executor: the attempt that began last (0: none) and when, to the millisecond."""
        word = self._words[_BEGUN]
        return word & NUMBER_MASK, (word >> NUMBER_BITS) / 1000

    def stop(self, number: int, reason: int) -> None:
        """The executor: this attempt must stop. ``reason`` is above 0."""
        self._words[_STOP] = reason << NUMBER_BITS | number

    def stopped(self, number: int) -> int:
        """The worker: the reason why this attempt must stop; 0 if it need not."""
        word = self._words[_STOP]
        return word >> NUMBER_BITS if word & NUMBER_MASK == number else 0

    def close(self) -> None:
        """Unmap the page."""
        self._words.release()
        self._map.close()


def shared_page() -> int:
    """The descriptor of a new page of zeros, for ``Cells`` on both sides."""
    fd = unnamed_file()
    os.truncate(fd, _SIZE)
    return fd
