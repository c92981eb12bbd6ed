"""Text as PostgreSQL holds it, and columns as its binary arrays."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.store.postgres_arrays import blobs, bools, columns, floats, int4s, int8s, texts
from weft.store.postgres_text import read, read_all, written

any_text = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x00\x1a\x1b\x1c"))


@given(any_text, any_text)
def test_every_text_comes_back_and_holds_no_nul(one: str, other: str) -> None:
    """The escape is character by character: it keeps equality, order of prefixes and concatenation."""
    assert read(written(one)) == one
    assert "\x00" not in written(one)
    assert (written(one) == written(other)) == (one == other)
    assert written(one + other) == written(one) + written(other)
    rows = [(1, written(one), b"\x1a", None, written(other)), (2, "plain", b"\x1a", None, None)]
    assert read_all(rows) == [(1, one, b"\x1a", None, other), (2, "plain", b"\x1a", None, None)]
    assert read_all(rows[1:]) == rows[1:]
    assert read_all([]) == []


def elements(array: bytes) -> tuple[int, int, list[bytes | None]]:
    """Type, whether there are nulls, and the elements of a binary array."""
    dimensions, nulls, oid = struct.unpack_from("!iiI", array)
    if not dimensions:
        assert len(array) == 12
        return oid, nulls, []
    count, first = struct.unpack_from("!ii", array, 12)
    assert (dimensions, first) == (1, 1)
    found: list[bytes | None] = []
    at = 20
    for _ in range(count):
        (length,) = struct.unpack_from("!i", array, at)
        found.append(None if length < 0 else array[at + 4 : at + 4 + length])
        at += 4 + max(length, 0)
    assert at == len(array)
    return oid, nulls, found


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.sampled_from([7])))
def test_numbers_are_packed_whole(values: list[int]) -> None:
    """Varied or all the same, each has its length and its eight bytes."""
    oid, nulls, found = elements(int8s(values))
    assert (oid, nulls) == (20, 0)
    assert [int.from_bytes(each or b"", signed=True) for each in found] == values


@given(st.lists(st.none() | st.floats(allow_nan=False)))
def test_a_column_of_numbers_may_have_gaps(values: list[float | None]) -> None:
    """None is NULL, and the header tells that there is one."""
    oid, nulls, found = elements(floats(values))
    assert (oid, nulls) == (701, None in values)
    assert [None if each is None else struct.unpack("!d", each)[0] for each in found] == values


@given(st.lists(st.none() | any_text))
def test_a_column_of_text_is_written_as_the_database_can_hold_it(values: list[str | None]) -> None:
    """Each element by itself, whatever the others are."""
    oid, nulls, found = elements(texts(values))
    assert (oid, nulls) == (25, None in values)
    assert [None if each is None else read(each.decode()) for each in found] == values
    assert all(b"\x00" not in each for each in found if each is not None)


@given(st.lists(st.none() | st.binary(max_size=5)))
def test_a_column_of_bytes_is_sent_as_it_is(values: list[bytes | None]) -> None:
    """Nothing is escaped."""
    assert elements(blobs(values)) == (17, None in values, values)


def test_rows_become_columns_by_their_shape() -> None:
    """A letter a column; blanks are for people."""
    found = columns("it ?", [(1, "a", True), (2, "b", False)])
    assert found == (int4s([1, 2]), texts(["a", "b"]), bools([True, False]))
    with pytest.raises(ValueError, match="zip"):
        columns("it", [(1, "a", True)])
