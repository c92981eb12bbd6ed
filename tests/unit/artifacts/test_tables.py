"""Arrays and tables: without pickle where nothing is lost by it, and with their types in any case."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from polars.testing import assert_frame_equal as assert_polars_equal

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs, MemoryBlobs

ARTIFACTS = Artifacts(MemoryBlobs())
UNTRUSTED = Artifacts(ARTIFACTS.blobs, trusted=False)

ARRAYS: dict[str, Any] = {
    "floats": np.linspace(0, 1, 5),
    "two dimensions": np.arange(6, dtype="i4").reshape(2, 3),
    "Fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(20)[::3],
    "reversed": np.arange(12).reshape(3, 4)[::-1, ::2],
    "no dimension": np.array(5.5),
    "empty": np.zeros((0, 3), dtype="f4"),
    "big endian": np.arange(3, dtype=">i8"),
    "booleans": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "text": np.array(["a", "longer"]),
    "bytes": np.array([b"a", b"bcd"]),
    "dates": np.array(["2024-01-01", "NaT"], dtype="M8[ns]"),
    "spans": np.array([1, 2], dtype="m8[s]"),
    "records": np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")]),
    "half": np.array([1.5], dtype="f2"),
    "large": np.arange(200_000),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("inside", [False, True])
def test_arrays_come_back_without_pickle(name: str, inside: bool) -> None:
    """An array returns with its shape, type and order, writable, in an untrusted process too."""
    array = ARRAYS[name]
    result = ARTIFACTS.dumps([array]) if inside else ARTIFACTS.dumps(array)
    assert result.format == ("msgpack" if inside else "numpy")
    loaded = UNTRUSTED.loads(result)
    again = loaded[0] if inside else loaded
    assert type(again) is np.ndarray
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    assert again.flags.writeable
    assert again.flags.aligned
    assert again.flags.f_contiguous or not array.flags.f_contiguous


def test_odd_arrays_are_pickled() -> None:
    """Arrays of objects, masked arrays and matrices keep their kind through pickle."""
    for array in (np.array([{"a": 1}, None], dtype=object), np.ma.masked_array([1, 2], mask=[True, False])):
        result = ARTIFACTS.dumps(array)
        assert result.format == "pickle"
        again = ARTIFACTS.loads(result)
        assert type(again) is type(array)
        assert str(again) == str(array)


@pytest.mark.parametrize(
    "scalar",
    [np.int64(5), np.float32(1.5), np.bool_(True), np.uint8(255), np.complex128(1j), np.str_("x"),
     np.bytes_(b"y"), np.datetime64("2024-01-01", "D"), np.timedelta64(3, "h"), np.float64("nan")],
)  # fmt: skip
def test_numpy_scalars_keep_their_type(scalar: Any) -> None:
    """A NumPy scalar comes back as one, alone and inside plain data."""
    alone, inside = (
        UNTRUSTED.loads(ARTIFACTS.dumps(scalar)),
        UNTRUSTED.loads(ARTIFACTS.dumps({"k": (scalar,)})),
    )
    for again in (alone, inside["k"][0]):
        assert type(again) is type(scalar)
        assert again == scalar or (again != again and scalar != scalar)


FRAMES: dict[str, pd.DataFrame] = {
    "plain": pd.DataFrame({"i": [1, 2], "f": [1.5, None], "s": ["a", "b"], "b": [True, False]}),
    "range": pd.DataFrame({"a": range(5)}, index=pd.RangeIndex(10, 20, 2, name="n")),
    "labels": pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
    "levels": pd.DataFrame(
        {"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["k", "n"])
    ),
    "types": pd.DataFrame(
        {
            "category": pd.Categorical(["a", "b", "a"], categories=["b", "a", "unused"], ordered=True),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "zoned": pd.date_range("2024-01-01", periods=3, tz="Europe/Stockholm"),
            "span": pd.to_timedelta([1, 2, 3], unit="s"),
            "date": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
            "small": np.array([1, 2, 3], dtype="i1"),
            "period": pd.period_range("2024-01", periods=3, freq="M"),
        }
    ),
    "numbered columns": pd.DataFrame([[1, 2], [3, 4]]),
    "no rows": pd.DataFrame({"a": pd.Series([], dtype="f8")}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_pandas_frames_come_back_as_arrow(name: str) -> None:
    """A frame of ordinary types returns with index and types, and needs no trust."""
    result = ARTIFACTS.dumps(FRAMES[name])
    assert result.format == "arrow+pandas"
    again = UNTRUSTED.loads(result)
    assert_frame_equal(again, FRAMES[name], check_freq=True, check_flags=True)
    assert type(again.index) is type(FRAMES[name].index)
    assert again.attrs == FRAMES[name].attrs


def test_columns_of_text_objects_keep_their_type() -> None:
    """Text and ``None`` in a column of objects return so, as Arrow or as pickle."""
    frame = pd.DataFrame({"o": pd.Series(["a", None, "c"], dtype=object)})
    again = ARTIFACTS.loads(ARTIFACTS.dumps(frame))
    assert_frame_equal(again, frame)
    assert again["o"].tolist() == ["a", None, "c"]


ODD_FRAMES: dict[str, pd.DataFrame] = {
    "objects": pd.DataFrame({"a": [{"x": 1}, (1, 2)]}),
    "lists": pd.DataFrame({"a": [[1], [2, 3]]}),
    "mixed": pd.DataFrame({"a": pd.Series([1, "x", None], dtype=object)}),
    "decimals": pd.DataFrame({"a": [Decimal("1.5"), Decimal(2)]}),
    "dates": pd.DataFrame({"a": [dt.date(2024, 1, 1), dt.date(2024, 1, 2)]}),
    "late surprise": pd.DataFrame({"a": pd.Series(["x"] * 5 + [1], dtype=object)}),
    "frequency": pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024", periods=2, freq="D")),
    "complex": pd.DataFrame({"a": [1j, 2j]}),
    "twin columns": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "mixed columns": pd.DataFrame([[1, 2]], columns=[1, "a"]),
    "no columns": pd.DataFrame(index=pd.RangeIndex(3)),
    "sparse": pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}),
}


@pytest.mark.parametrize("name", ODD_FRAMES)
def test_frames_that_arrow_would_change_are_pickled(name: str) -> None:
    """A frame that Arrow would give back differently goes to pickle and returns as it was."""
    frame = ODD_FRAMES[name]
    result = ARTIFACTS.dumps(frame)
    assert result.format == "pickle"
    again = ARTIFACTS.loads(result)
    assert_frame_equal(again, frame, check_freq=True)
    cells, cells_before = (each.to_numpy(dtype=object).ravel() for each in (again, frame))
    assert [type(cell) for cell in cells] == [type(cell) for cell in cells_before]


@pytest.mark.parametrize(
    "series",
    [pd.Series([1, 2], name="n"), pd.Series(["a", None]), pd.Series([1.5], name=3, index=["x"])],
)
def test_series_come_back(series: Any) -> None:
    """A pandas series keeps its name and index."""
    result = ARTIFACTS.dumps(series)
    assert result.format == "arrow+pandas-series"
    assert_series_equal(UNTRUSTED.loads(result), series)


def test_a_series_with_an_odd_name_is_pickled() -> None:
    """A name that JSON does not keep is left to pickle."""
    series = pd.Series([1], name=("a", 1))
    assert ARTIFACTS.dumps(series).format == "pickle"
    assert_series_equal(ARTIFACTS.loads(ARTIFACTS.dumps(series)), series)


def test_polars_comes_back_as_arrow() -> None:
    """polars frames and series return with their types, and need no trust."""
    frame = pl.DataFrame(
        {
            "i": [1, None],
            "s": ["a", "b"],
            "l": [[1], []],
            "t": [dt.datetime(2024, 1, 1), None],
            "st": [{"x": 1}, {"x": 2}],
            "d": [Decimal("1.50"), None],
            "c": pl.Series(["u", "v"], dtype=pl.Categorical),
            "e": pl.Series(["u", "v"], dtype=pl.Enum(["u", "v"])),
        }
    )
    result = ARTIFACTS.dumps(frame)
    assert result.format == "arrow+polars"
    again = UNTRUSTED.loads(result)
    assert_polars_equal(again, frame)
    assert again.schema == frame.schema
    series = UNTRUSTED.loads(ARTIFACTS.dumps(frame["s"]))
    assert type(series) is pl.Series
    assert series.name == "s"
    assert series.to_list() == ["a", "b"]


def test_pyarrow_comes_back_as_it_was() -> None:
    """Tables and record batches stay what they are, with metadata and chunks."""
    table = pa.table(
        {"a": pa.chunked_array([[1, 2], [3]]), "d": pa.array(["x", "y", "x"]).dictionary_encode()}
    )
    table = table.replace_schema_metadata({"k": "v"})
    again = UNTRUSTED.loads(ARTIFACTS.dumps(table))
    assert again.equals(table, check_metadata=True)
    assert again["a"].num_chunks == 2
    for batch in (table.to_batches()[0], pa.RecordBatch.from_pydict({"a": pa.array([], pa.int8())})):
        loaded = UNTRUSTED.loads(ARTIFACTS.dumps(batch))
        assert type(loaded) is pa.RecordBatch
        assert loaded.equals(batch)


def test_tables_inside_plain_data_are_leaves() -> None:
    """Tables and arrays in a dictionary are embedded, and need no trust."""
    value = {
        "pandas": FRAMES["types"],
        "polars": pl.DataFrame({"a": [1]}),
        "array": np.arange(3),
        "n": (1, 2),
    }
    result = ARTIFACTS.dumps(value)
    assert result.format == "msgpack"
    again = UNTRUSTED.loads(result)
    assert_frame_equal(again["pandas"], value["pandas"])
    assert_polars_equal(again["polars"], value["polars"])
    assert again["array"].tolist() == [0, 1, 2]
    assert again["n"] == (1, 2)


def test_an_array_from_a_file_is_private(tmp_path: Path) -> None:
    """Changing a large array that is mapped from its blob leaves the blob as it was."""
    artifacts = Artifacts(FileBlobs(tmp_path))
    result = artifacts.dumps(np.zeros(1_000_000))
    array = artifacts.loads(result)
    array[:] = 1
    assert artifacts.loads(result).sum() == 0
    assert result.digest is not None
    artifacts.blobs.delete(result.digest)
    assert array.sum() == 1_000_000


_MEMORY = """
import sys
import numpy as np
from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs, MemoryBlobs

def peak():
    # Not getrusage: its peak is inherited from the parent, which would hide the child's own.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

kind = sys.argv[2]
blobs = MemoryBlobs() if kind.startswith("control") else FileBlobs(sys.argv[1])
artifacts = Artifacts(blobs)
value = np.ones(12_500_000) if "array" in kind else b"x" * 100_000_000
if "argument" in kind:
    value = ((value,), {})
before = peak()
result = artifacts.dumps(value)
print((peak() - before) / 1e8)
assert result.size >= 100_000_000
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "copies"),
    [("bytes", 0), ("array", 0), ("bytes argument", 1), ("array argument", 2), ("control array", 1)],
)
def test_storing_100_mb_copies_as_little_as_documented(tmp_path: Path, kind: str, copies: int) -> None:
    """Bytes and arrays go to their file from where they are; inside arguments they are copied.

    The control keeps a copy on purpose, in memory, which shows that the measure sees one.
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(tmp_path), kind], capture_output=True, text=True, check=True
    )
    assert copies - 0.2 < float(done.stdout) < copies + 0.2
