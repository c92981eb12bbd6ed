"""Previews: short, safe and readable, whatever the value."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from artifact_classes import Box, Colour, Future, Model, Packet, Plain, Point, Right
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.artifacts import publish
from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs, MemoryBlobs
from weft.artifacts.preview import human_size
from weft.model import values
from weft.model.bound import encode_bound
from weft.model.values import Absent, Pick, Result, ResultList

ARTIFACTS = Artifacts(MemoryBlobs())
UNTRUSTED = Artifacts(ARTIFACTS.blobs, trusted=False)


def shown(value: Any, limit: int = 2000) -> str:
    """What an untrusted process shows of a value."""
    return UNTRUSTED.preview(ARTIFACTS.dumps(value), limit)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (5, "5"),
        ("text", "'text'"),
        ([1, (2,), {"k": 3.5}], "[1, (2,), {'k': 3.5}]"),
        ((), "()"),
        ((1, 2), "(1, 2)"),
        ({1}, "{1}"),
        (set(), "set()"),
        (frozenset({1}), "frozenset({1})"),
        ({(1, 2): None}, "{(1, 2): None}"),
        (dt.date(2024, 1, 2), "datetime.date(2024, 1, 2)"),
        (Box([1]), "Box(content=[1], notes=[])"),
        ([Point(1, "a")], "[Point(1, 'a')]"),
        (Colour.RED, "Colour.RED"),
        (Right.READ | Right.RUN, "Right(5)"),
        ({Colour.RED: {Colour.BLUE}}, "{Colour.RED: {Colour.BLUE}}"),
        (Packet("n", (1,)), "Packet(name='n', body=(1,))"),
        (Model(name="a"), "Model(name='a', inner=None, anything=None)"),
        ([np.arange(6).reshape(2, 3), np.float32(2)], "[<array 2 x 3 int64>, np.float32(2.0)]"),
        (np.zeros((2, 5)), "array 2 x 5 float64, 208 B"),
        ("\x1b[31mred\x07", "'\\x1b[31mred\\x07'"),
    ],
)  # fmt: skip
def test_values_read_like_python(value: Any, text: str) -> None:
    """Plain data and records are shown as one would write them, without being opened."""
    assert shown(value) == text


def test_what_is_not_opened_is_described() -> None:
    """Pickles and embedded tables are named with their size."""
    assert shown(Plain(1)).startswith("pickled value, ")
    assert shown([1, Plain(1)]).startswith("[1, <pickled, ")
    assert shown({"t": pl.DataFrame({"a": [1]})}).startswith("{'t': <table, ")


def test_a_trusted_process_opens_small_pickles() -> None:
    """Where user code runs anyway, a pickled value is shown by its own ``repr``, made safe."""
    assert "Plain object" in ARTIFACTS.preview(ARTIFACTS.dumps(Plain(1)))
    assert ARTIFACTS.preview(ARTIFACTS.dumps(ValueError("\x1b[31m"))) == "ValueError('\\x1b[31m')"


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Loud:
    def __repr__(self) -> str:
        return "\x1b]0;title\x07 and\nmore"


def test_a_rude_repr_does_no_harm() -> None:
    """A ``repr`` that raises or sends control codes is contained."""
    assert ARTIFACTS.preview(ARTIFACTS.dumps(Rude())) == "<Rude (RuntimeError)>"
    assert ARTIFACTS.preview(ARTIFACTS.dumps(Loud())) == "\\x1b]0;title\\x07 and\nmore"


def test_long_values_are_cut() -> None:
    """A preview keeps to its limit, wherever the length comes from."""
    for value in (
        "x" * 10_000,
        b"x" * 10_000,
        list(range(10_000)),
        ["y" * 900] * 9,
        dict.fromkeys(range(999), "z" * 50),
    ):
        text = shown(value, 300)
        assert 100 < len(text) <= 300
        assert "…" in text
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert "…" in shown(deep)


def test_huge_integers_are_described() -> None:
    """An integer too long to write out is named by its size."""
    assert shown([10**5000]) == "[<integer of 16610 bits>]"


@pytest.mark.parametrize(
    ("value", "start"),
    [
        (list(range(500_000)), "list of 500000 items, "),
        (tuple(range(500_000)), "tuple of 500000 items, "),
        ({f"key {i}": i for i in range(200_000)}, "dict of 200000 items, "),
        (["x" * 2_000_000], "list of 1 items, 2.0 MB: []"),
        ((b"x" * 2_000_000, 1), "tuple of 2 items, 2.0 MB: []"),
    ],
)
def test_large_containers_are_described_from_their_start(tmp_path: Path, value: Any, start: str) -> None:
    """Of a large blob only the beginning is read: its size, its number of items and the first of them."""
    artifacts = Artifacts(FileBlobs(tmp_path), trusted=False)
    result = artifacts.dumps(value)
    assert result.digest is not None
    text = artifacts.preview(result, 500)
    assert text.startswith(start)
    with artifacts.blobs.open(result.digest) as file:
        head = file.read(1 << 16)
    (tmp_path / result.digest[:2] / result.digest[2:]).write_bytes(head)
    assert artifacts.preview(result, 500) == text


def test_tables_show_their_first_rows() -> None:
    """Tables of every library show size, columns and ten rows at most."""
    numbers = list(range(25))
    for table in (pd.DataFrame({"n": numbers}), pl.DataFrame({"n": numbers}), pa.table({"n": numbers})):
        lines = shown(table).splitlines()
        assert lines[:3] == ["table of 25 rows x 1 columns", "n", "0"]
        assert lines[-2:] == ["9", "…"]


def test_bound_values_are_previewed() -> None:
    """The results of a map and parts of values are shown as what they will be."""
    items = ResultList((ARTIFACTS.dumps(1), None, ARTIFACTS.dumps("a")))
    assert UNTRUSTED.preview(encode_bound(items)) == "[1, None, 'a']"
    assert UNTRUSTED.preview(encode_bound(Pick(values.Plain(ARTIFACTS.dumps([1])), ("a", 0)))) == "([1]).a[0]"
    assert UNTRUSTED.preview(encode_bound(Absent("skipped"))) == "<skipped>"
    many = encode_bound(ResultList((ARTIFACTS.dumps("x" * 100),) * 1000))
    assert len(UNTRUSTED.preview(many, 500)) <= 500


def test_holes_are_shown_as_values_to_come() -> None:
    """A packed value shows where a later value goes."""
    data, _ = ARTIFACTS.pack([Future(1), 2], lambda _obj: Absent(""), what="x")
    assert UNTRUSTED.preview(data) == "[<to come>, 2]"


def test_published_values_are_previewed() -> None:
    """What tasks publish has a preview too."""
    assert UNTRUSTED.preview(publish.markdown(ARTIFACTS, "# hi").body) == "'# hi'"
    assert "'rows': [[1]]" in UNTRUSTED.preview(publish.table(ARTIFACTS, [{"a": 1}]).body)


@pytest.mark.parametrize(
    "result",
    [
        Result("msgpack", b"\x93\x01", None, 2),
        Result("msgpack", None, "0" * 64, 10),
        Result("msgpack", None, "0" * 64, 10_000_000),
        Result("arrow", b"junk", None, 4),
        Result("from the future", b"x", None, 1),
        Result("msgpack", None, "../../etc/passwd", 10),
        Result("bound", b"", None, 0),
    ],
)
def test_a_preview_never_fails(result: Result) -> None:
    """Damaged, missing and unknown values are described by format and size."""
    text = UNTRUSTED.preview(result)
    assert human_size(result.size) in text
    assert "value" in text


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary() | st.floats(),
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
        max_leaves=30,
    ),
    st.integers(1, 200),
)
def test_previews_keep_to_their_limit(value: Any, limit: int) -> None:
    """No value's preview is longer than asked for, and none can steer a terminal."""
    text = shown(value, limit)
    assert len(text) <= limit
    assert all(each.isprintable() or each == "\n" for each in text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (12_345, "12 KB"), (999_600, "1.0 MB"),
     (5 * 10**9, "5.0 GB"), (10**16, "10000 TB")],
)  # fmt: skip
def test_sizes_read_well(size: int, text: str) -> None:
    """Sizes have two or three digits and a unit."""
    assert human_size(size) == text
