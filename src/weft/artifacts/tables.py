"""Tables as Arrow IPC streams, without pickle: PyArrow, pandas and polars.

A library is used to write only when the value has brought it along, and imported to read only then. Arrow
keeps every PyArrow and polars table as it is. A pandas one is written as Arrow only if its index and its
columns' types come back the same (``_fits``); any other, such as one of mixed objects or with a frequency on
its index, goes to pickle. The format says which library the table belongs to; the bytes are plain Arrow.
"""

import io
import sys
from typing import Any

import msgspec

from weft.artifacts.blobs import Data

TABLE = "arrow"
BATCH = "arrow+batch"
FRAME = "arrow+pandas"
SERIES = "arrow+pandas-series"
POLARS = "arrow+polars"
POLARS_SERIES = "arrow+polars-series"
FORMATS = frozenset({TABLE, BATCH, FRAME, SERIES, POLARS, POLARS_SERIES})

_EXTRA = b"weft"
"""Schema metadata for what Arrow's pandas metadata leaves out, as JSON."""

_COLUMN = "value"


def encode_table(obj: Any) -> tuple[str, tuple[Data, ...]] | None:
    """The format and the parts of a table; ``None`` where only pickle would keep it as it is."""
    cls = type(obj)
    root = cls.__module__.partition(".")[0]
    if root == "pyarrow":
        pa = sys.modules["pyarrow"]
        if cls is pa.Table:
            return TABLE, _stream(obj.schema, obj.to_batches())
        if cls is pa.RecordBatch:
            return BATCH, _stream(obj.schema, [obj])
    elif root == "pandas":
        pd = sys.modules["pandas"]
        if cls is pd.DataFrame:
            return _from_pandas(FRAME, obj, {})
        if cls is pd.Series and type(obj.name) in (str, int, type(None)):
            return _from_pandas(SERIES, obj.to_frame(_COLUMN), {"name": obj.name})
    elif root == "polars":
        pl = sys.modules["polars"]
        if cls is pl.DataFrame:
            return _from_polars(POLARS, obj)
        if cls is pl.Series:
            return _from_polars(POLARS_SERIES, obj.to_frame())
    return None


def decode_table(format: str, data: Data) -> Any:  # noqa: A002 - the name of Result's field
    """The table back, of the same library; PyArrow tables share ``data``."""
    if format in (POLARS, POLARS_SERIES):
        frame = _read_polars(data)
        return frame.to_series(0) if format == POLARS_SERIES else frame
    table = read_arrow(data)
    if format == TABLE:
        return table
    if format == BATCH:
        return table.combine_chunks().to_batches()[0] if table.num_rows else _empty_batch(table.schema)
    frame = _to_pandas(table)
    if format == SERIES:
        series = frame[_COLUMN]
        series.name = _extra(table)["name"]
        return series
    return frame


def read_arrow(data: Data) -> Any:
    """An Arrow stream as a PyArrow table that shares ``data``."""
    import pyarrow as pa  # noqa: PLC0415 - 100 ms, and only where a table is really opened

    with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
        return stream.read_all()


def first_rows(format: str, data: Data, limit: int) -> tuple[list[str], list[tuple[Any, ...]], int]:  # noqa: A002 - as above
    """Column names, the first rows and the number of all rows, for previews."""
    if format in (POLARS, POLARS_SERIES):
        frame = _read_polars(data)
        return frame.columns, frame.head(limit).rows(), frame.height
    table = read_arrow(data)
    head = table.slice(0, limit)
    columns = [column.to_pylist() for column in head.columns]
    return list(table.column_names), list(zip(*columns, strict=True)), table.num_rows


def _stream(schema: Any, batches: Any) -> tuple[Data, ...]:
    pa = sys.modules["pyarrow"]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return (memoryview(sink.getvalue()).cast("B"),)


def _empty_batch(schema: Any) -> Any:
    pa = sys.modules["pyarrow"]
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def _from_polars(format: str, frame: Any) -> tuple[str, tuple[Data, ...]] | None:  # noqa: A002 - as above
    pl = sys.modules["polars"]
    if any(dtype == pl.Object for dtype in frame.dtypes):
        return None
    sink = io.BytesIO()
    frame.write_ipc_stream(sink, compat_level=pl.CompatLevel.newest())
    return format, (sink.getbuffer(),)


def _read_polars(data: Data) -> Any:
    import polars as pl  # noqa: PLC0415 - 150 ms, and only where a table is really opened

    return pl.read_ipc_stream(io.BytesIO(data))


def _from_pandas(format: str, frame: Any, extra: dict[str, Any]) -> tuple[str, tuple[Data, ...]] | None:  # noqa: A002 - as above
    try:
        import pyarrow as pa  # noqa: PLC0415 - as above
    except ImportError:
        return None
    if type(frame.columns) is sys.modules["pandas"].RangeIndex:
        columns = frame.columns
        extra["columns"] = [columns.start, columns.stop, columns.step, columns.name]
    try:
        if not _fits(pa, frame, extra):
            return None
        table = _to_arrow(pa, frame, extra)
    except Exception:
        return None  # Whatever Arrow or pandas finds wrong with the frame, pickle may still take it.
    return format, _stream(table.schema, table.to_batches())


def _to_arrow(pa: Any, frame: Any, extra: dict[str, Any]) -> Any:
    table = pa.Table.from_pandas(frame)
    return table.replace_schema_metadata({**table.schema.metadata, _EXTRA: msgspec.json.encode(extra)})


def _to_pandas(table: Any) -> Any:
    frame = table.to_pandas()
    numbered = _extra(table).get("columns")
    if numbered is not None:
        start, stop, step, name = numbered
        frame.columns = sys.modules["pandas"].RangeIndex(start, stop, step, name=name)
    return frame


def _extra(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((table.schema.metadata or {}).get(_EXTRA, b"{}"))
    return found


def _fits(pa: Any, frame: Any, extra: dict[str, Any]) -> bool:
    """Whether Arrow gives the frame back as it is.

    Types are compared on two rows, because they do not depend on how many there are. Columns of Python
    objects are compared in full kind: Arrow keeps text, and guesses at everything else.
    """
    for column in [frame.iloc[:, i] for i in range(frame.shape[1])]:
        if column.dtype == object and not set(map(type, column)) <= {str, type(None)}:
            return False
    head = frame.iloc[:2]
    back = _to_pandas(_to_arrow(pa, head, extra))
    return (
        [_type(dtype) for dtype in back.dtypes] == [_type(dtype) for dtype in head.dtypes]
        and _same_index(back.index, head.index)
        and _same_index(back.columns, head.columns)
        and back.attrs == head.attrs
        and frame.flags.allows_duplicate_labels
    )


def _same_index(one: Any, two: Any) -> bool:
    if one.nlevels > 1 and type(one) is type(two) and one.nlevels == two.nlevels:
        return all(_same_index(one.get_level_values(i), two.get_level_values(i)) for i in range(one.nlevels))
    return (
        type(one) is type(two)
        and _type(one.dtype) == _type(two.dtype)
        and list(one.names) == list(two.names)
        and (one.dtype != object or set(map(type, two)) <= {str})
        and getattr(one, "freq", None) == getattr(two, "freq", None)
        and one.equals(two)
    )


def _type(dtype: Any) -> tuple[Any, ...]:
    """A column type in full: equality of categories is too forgiving about their own type and order."""
    categories = getattr(dtype, "categories", None)
    if categories is None:
        return type(dtype), dtype, str(dtype)
    return type(dtype), _type(categories.dtype), list(categories), dtype.ordered
