"""Lengths of time as people write them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.dialects.native.durations import seconds
from weft.model.errors import InvalidPolicy


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (90, 90.0),
        (1.5, 1.5),
        (0, 0.0),
        ("500ms", 0.5),
        ("10s", 10.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1h 30m 5s", 5405.0),
        ("1d", 86400.0),
        ("2w", 1209600.0),
        ("1.5h", 5400.0),
        (" 3s ", 3.0),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_lengths(written: Any, expected: float) -> None:
    """Numbers are seconds; texts have units; a ``timedelta`` is what it is."""
    assert seconds(written) == expected


@pytest.mark.parametrize("written", ["", "10", "s", "5 apples", "1h-5m", "h1", "5mm", "1e3s"])
def test_texts_that_are_none(written: str) -> None:
    """Other texts are refused with an example of how to write one."""
    with pytest.raises(InvalidPolicy, match="is no length of time") as caught:
        seconds(written, what="timeout")
    assert "timeout" in caught.value.what
    assert '"1h30m"' in caught.value.hint


@pytest.mark.parametrize("number", [-1, -0.1, float("inf"), float("nan"), timedelta(seconds=-1)])
def test_numbers_that_are_none(number: Any) -> None:
    """Negative, infinite and undefined numbers are refused."""
    with pytest.raises(InvalidPolicy, match="negative or infinite"):
        seconds(number)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_parts_add_up(hours: int, minutes: int, rest: int) -> None:
    """The parts of a text add up."""
    assert seconds(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest
