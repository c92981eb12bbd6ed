"""Splitting values into the results of their items."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from artifact_classes import Box, Locked, Plain

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.model.bound import encode_bound
from weft.model.errors import NotSerializable, UntrustedValue, UsageError
from weft.model.values import NONE, Pick, ResultList
from weft.model.values import Plain as Whole

ARTIFACTS = Artifacts(MemoryBlobs())
UNTRUSTED = Artifacts(ARTIFACTS.blobs, trusted=False)


def _generate() -> Iterator[int]:
    yield from (1, 2, 3)


ITERABLES: dict[str, Any] = {
    "list": [1, "two", 3.0, None, (4,), [5], {"six": 6}],
    "tuple": (1, (2, 3)),
    "pair of arguments": ((1, 2), {"a": 1}),
    "large items": ["x" * 5000, b"y" * 5000, list(range(5000)), ("z" * 5000,), 2**70],
    "range": range(5),
    "objects": [Plain(1), Box(2)],
    "arrays": [np.arange(3), np.float32(1.5)],
    "empty": [],
    "many": list(range(70_000)),
    "few": list(range(16)),
}


@pytest.mark.parametrize("name", ITERABLES)
def test_items_read_as_they_would_alone(name: str) -> None:
    """A live value and its stored form split into the same results, which are those of the items alone."""
    value = ITERABLES[name]
    alone = [ARTIFACTS.dumps(each) for each in value]
    assert ARTIFACTS.split_value(value) == alone
    assert ARTIFACTS.split(ARTIFACTS.dumps(value)) == alone


def test_a_generator_is_read_once() -> None:
    """A generator's items are its results."""
    assert [ARTIFACTS.loads(each) for each in ARTIFACTS.split_value(_generate())] == [1, 2, 3]


def test_a_sets_items_have_a_fixed_order() -> None:
    """Equal sets split into equal lists, live or stored."""
    one, two = {f"{i}" for i in range(50)}, {f"{i}" for i in reversed(range(50))}
    items = ARTIFACTS.split_value(one)
    assert items == ARTIFACTS.split_value(two) == ARTIFACTS.split(ARTIFACTS.dumps(one))
    assert {ARTIFACTS.loads(each) for each in items} == one


ARRAYS = [
    np.arange(5),
    np.array([1.5, np.nan]),
    np.array(["a", "bc"]),
    np.array(["2024-01-01", "NaT"], dtype="M8[s]"),
    np.zeros((2, 2)),
    np.array([]),
    np.array([1, "x"], dtype=object),
]


@pytest.mark.parametrize("array", ARRAYS)
def test_arrays_split_along_their_first_axis(array: Any) -> None:
    """The items of an array are what iterating gives: NumPy scalars, or smaller arrays."""
    for items in (ARTIFACTS.split_value(array), ARTIFACTS.split(ARTIFACTS.dumps(array))):
        assert items == [ARTIFACTS.dumps(each) for each in array]
        loaded = [ARTIFACTS.loads(each) for each in items]
        assert [type(each) for each in loaded] == [type(each) for each in array]


def test_splitting_stored_bytes_needs_no_trust() -> None:
    """A stored list is cut without opening its items; only reading one needs trust."""
    items = UNTRUSTED.split(ARTIFACTS.dumps([Box(1), 2]))
    assert UNTRUSTED.loads(items[1]) == 2
    assert ARTIFACTS.loads(items[0]) == Box(1)
    with pytest.raises(UntrustedValue):
        UNTRUSTED.loads(items[0])


def test_the_results_of_a_map_split_into_themselves() -> None:
    """A map over a map's results takes them as they are; a missing item is ``None``."""
    items = [ARTIFACTS.dumps(1), None, ARTIFACTS.dumps([2])]
    assert ARTIFACTS.split(encode_bound(ResultList(tuple(items)))) == [items[0], NONE, items[2]]
    whole = encode_bound(Whole(ARTIFACTS.dumps([1, 2])))
    assert ARTIFACTS.split(whole) == ARTIFACTS.split_value([1, 2])
    part = encode_bound(Pick(Whole(ARTIFACTS.dumps({"a": (3, 4)})), ("a",)))
    assert ARTIFACTS.split(part) == ARTIFACTS.split_value([3, 4])


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ({"a": 1}, "d.items()"),
        ("text", "list(text)"),
        (b"bytes", "list"),
        (pd.DataFrame({"a": [1]}), "to_dict"),
        (pl.DataFrame({"a": [1]}), "to_dicts"),
        (pa.table({"a": [1]}), "to_pylist"),
        (5, "list"),
        (None, "list"),
        (np.array(3), "list"),
        (Box(1), "list"),
    ],
)
def test_what_could_mean_several_things_is_refused(value: Any, hint: str) -> None:
    """Mappings, text, tables and single values are refused with a hint, live or stored."""
    for split in (ARTIFACTS.split_value, lambda value: ARTIFACTS.split(ARTIFACTS.dumps(value))):
        with pytest.raises(UsageError) as caught:
            split(value)
        assert hint in caught.value.hint


def test_a_series_splits_into_its_values() -> None:
    """One-dimensional columns are iterables like any other."""
    for series in (pd.Series([1, 2]), pl.Series([1, 2])):
        assert [ARTIFACTS.loads(each) for each in ARTIFACTS.split_value(series)] == [1, 2]


def test_an_item_that_cannot_be_stored_is_numbered() -> None:
    """The error about an item names its place."""
    with pytest.raises(NotSerializable) as caught:
        ARTIFACTS.split_value(iter([1, 2, Locked()]))
    assert caught.value.fields["path"] == "item 2.lock"
