"""Workflows of users under crashes: what survives is told so, and what does not is found."""

import os
import time

import pytest

from weft import flow, now, task
from weft.model.errors import UsageError
from weft.testing import survive_crashes


@task
def square(x: int) -> int:
    return x * x


@task
def add(xs: list[int]) -> int:
    return sum(xs)


@flow
def steady(count: int = 4) -> int:
    """Decides by its arguments and by what its tasks return."""
    return add(square.map(range(count)).result()) + now().year * 0


@flow
def by_the_clock() -> float:
    """Its result is another one each time the body runs."""
    square(2)
    return time.time()


@flow
def failing() -> int:
    raise ValueError("no")


def test_a_steady_flow_survives() -> None:
    """Killed at commits from the first to the last, it comes to the same result."""
    survived = survive_crashes(steady, 4, most=5)
    assert survived.result == 14
    assert survived.commits >= 4
    assert len(survived.points) == 5
    assert survived.points[0].commit == 1
    assert survived.points[-1].commit == survived.commits


def test_a_flow_that_looks_at_the_clock_is_found() -> None:
    """A result that depends on when the body ran differs after a crash, and the message says where."""
    with pytest.raises(AssertionError, match="killed before commit"):
        survive_crashes(by_the_clock, most=3)


def test_a_flow_that_fails_anyway_is_refused() -> None:
    """Without a good run there is nothing to compare with."""
    with pytest.raises(UsageError, match=r"ended with|ended as failed"):
        survive_crashes(failing)


def test_a_local_flow_is_refused() -> None:
    """Another process could not find it."""

    @flow
    def local() -> int:
        return os.getpid()

    with pytest.raises(UsageError, match="inside a function"):
        survive_crashes(local)
