"""The page that executor and worker share."""

import os
import time
from collections.abc import Iterator

import pytest

from weft.wire.cells import NUMBER_MASK, Cells, shared_page


@pytest.fixture
def sides() -> Iterator[tuple[Cells, Cells]]:
    """The same page mapped twice, as by two processes."""
    fd = shared_page()
    ours, theirs = Cells(fd), Cells(fd)
    os.close(fd)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_begun(sides: tuple[Cells, Cells]) -> None:
    """The executor sees which attempt began last, and when."""
    executor, worker = sides
    assert executor.begun()[0] == 0
    before = time.monotonic()
    worker.begin(NUMBER_MASK)
    number, at = executor.begun()
    assert number == NUMBER_MASK
    assert before - 0.001 <= at <= time.monotonic()


def test_stop(sides: tuple[Cells, Cells]) -> None:
    """The worker sees a stop for the attempt that it is meant for, and for no other."""
    executor, worker = sides
    assert worker.stopped(5) == 0
    executor.stop(5, 2)
    assert worker.stopped(5) == 2
    assert worker.stopped(6) == 0
