"""Paging tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model.errors import InvalidPageToken
from weft.server.paging import make_token, page_of, read_token

QUERY = ("runs", "state:failed")


@given(st.integers(0, 2**63 - 1) | st.text())
def test_a_position_comes_back(position: int | str) -> None:
    """Whatever it is."""
    kind = type(position)
    assert read_token(QUERY, make_token(QUERY, position), kind) == position


@given(st.text(max_size=50))
def test_made_up_tokens_are_refused(token: str) -> None:
    """None of them is an internal error."""
    with pytest.raises(InvalidPageToken):
        read_token(QUERY, token, int)


@pytest.mark.parametrize(
    "query", [("runs", "state:failed "), ("runs",), ("runs", "", "state:failed"), ("tasks", "state:failed")]
)
def test_a_token_of_another_query_is_refused(query: tuple[str, ...]) -> None:
    """Also one whose parts only look the same when they are joined."""
    with pytest.raises(InvalidPageToken):
        read_token(query, make_token(QUERY, 7), int)


def test_a_token_of_another_kind_is_refused() -> None:
    """A name where a number is wanted."""
    with pytest.raises(InvalidPageToken):
        read_token(QUERY, make_token(QUERY, "seven"), int)


def test_the_last_page_has_no_next() -> None:
    """What was read beyond the limit only tells that there is more."""
    assert page_of([1, 2, 3], 2, QUERY, 2).items == [1, 2]
    assert page_of([1, 2, 3], 2, QUERY, 2).next is not None
    assert page_of([1, 2], 2, QUERY, None).next is None
