"""What a task shows to people: text, tables, pictures, links and progress, as ``Published`` values.

Everything is data that a browser or a terminal can show without running any of it: Markdown stays text, a
table is JSON, a link has a web address. An SVG may hold scripts, so viewers show it only as an image.

A later value with the same key replaces the earlier one. Without a key it follows from kind and title.
"""

import io
import itertools
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.codes import JSON, TEXT
from weft.model.attempts import Published
from weft.model.errors import NotFound, UsageError

ROWS_MAX = 10_000
"""Rows of a published table; more are cut."""
CELL_MAX = 1000
"""Characters of a cell; more are cut."""
IMAGE_MAX = 50_000_000
"""Bytes of a published image."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]", re.DOTALL
)


def markdown(artifacts: Artifacts, text: str, *, title: str = "", key: str = "") -> Published:
    """Markdown text."""
    if not isinstance(text, str):
        raise UsageError(f"Markdown must be text, not {type(text).__qualname__}")
    body = artifacts.store(TEXT, text.encode("utf-8", "replace"))
    return Published(_key("markdown", title, key), "markdown", body, title)


def table(artifacts: Artifacts, rows: Any, *, title: str = "", key: str = "") -> Published:
    """A table.

    Args:
        artifacts: Where its bytes go.
        rows: A pandas, polars or PyArrow table, a mapping of column name to values, or an iterable of rows:
            mappings, sequences, named tuples, dataclasses. At most ``ROWS_MAX`` rows are kept.
        title: Shown above it.
        key: See the module.

    Returns:
        JSON: ``columns``, ``rows`` (lists), ``total`` (``null`` if not all rows were counted) and ``cut``.
    """
    columns, kept, total = _rows(rows)
    cut = total is None or total > len(kept)
    cells = [[_cell(each) for each in row] for row in kept]
    data = msgspec.json.encode({"columns": columns, "rows": cells, "total": total, "cut": cut})
    return Published(_key("table", title, key), "table", artifacts.store(JSON, data), title)


def image(artifacts: Artifacts, source: Any, *, title: str = "", key: str = "") -> Published:
    """A picture or a plot.

    Args:
        artifacts: Where its bytes go.
        source: The bytes or the path of a PNG, JPEG, GIF, WebP, AVIF, BMP or SVG; a Pillow image; a
            matplotlib figure, axes, or anything else with ``savefig``.
        title: Shown above it, and read out in its place.
        key: See the module.
    """
    data = _image_bytes(source)
    if len(data) > IMAGE_MAX:
        raise UsageError(
            f"the image has {len(data)} bytes, and at most {IMAGE_MAX} are published",
            hint="save it smaller, or publish a link to it",
        )
    return Published(_key("image", title, key), "image", artifacts.store(image_type(data), data), title)


def link(artifacts: Artifacts, url: str, text: str = "", *, key: str = "") -> Published:
    """A link to a web page; ``text`` is what people read. Only ``http`` and ``https`` addresses are taken."""
    try:
        parts = urlsplit(url)
        fits = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and url.isprintable()
            and " " not in url
        )
    except (ValueError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise UsageError(
            "this is no web address", where=repr(url)[:200], hint="it begins with https:// or http://"
        )
    body = artifacts.store(TEXT, url.encode("utf-8", "replace"))
    return Published(_key("link", text or url, key), "link", body, text or url)


def progress(artifacts: Artifacts, fraction: float, label: str = "", *, key: str = "") -> Published:
    """How far the task is, from 0 to 1."""
    try:
        number = float(fraction)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise UsageError(
            f"progress goes from 0 to 1, and {fraction!r} is not in between", hint="give done / total"
        )
    # One bar a task, whatever its label says at the moment.
    return Published(key or "progress", "progress", artifacts.dumps(number), label)


def image_type(data: bytes) -> str:
    """The media type of an image, by its first bytes. Raises ``UsageError`` for anything else."""
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    if _SVG.match(data[:4096]):
        return "image/svg+xml"
    raise UsageError(
        "these bytes are no image that browsers show", hint="give a PNG, JPEG, GIF, WebP, AVIF, BMP or SVG"
    )


def _key(kind: str, title: str, key: str) -> str:
    if key:
        return key
    slug = "-".join(re.findall(r"\w+", title.lower()))[:60]
    return f"{kind}-{slug}" if slug else kind


def _image_bytes(source: Any) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        try:
            return Path(source).read_bytes()
        except OSError as exc:
            raise NotFound(f"the image cannot be read: {exc.strerror}", where=str(source)) from exc
    figure = source if hasattr(source, "savefig") else getattr(source, "figure", None)
    file = io.BytesIO()
    if figure is not None and hasattr(figure, "savefig"):
        figure.savefig(file, format="png", bbox_inches="tight")
    elif type(source).__module__.partition(".")[0] == "PIL":
        source.save(file, format="PNG")
    else:
        raise UsageError(
            f"an object of type {type(source).__qualname__} is no image",
            hint="give bytes, a path, a Pillow image or a matplotlib figure",
        )
    return file.getvalue()


def _rows(rows: Any) -> tuple[list[str], list[Sequence[Any]], int | None]:
    """Column names, the rows that are kept, and how many there are if that is known."""
    library = _table_rows(rows)
    if library is not None:
        return library
    if isinstance(rows, Mapping):
        columns = [list(each) for each in rows.values()]
        total = max(map(len, columns), default=0)
        return _names(rows), list(itertools.islice(itertools.zip_longest(*columns), ROWS_MAX)), total
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise UsageError(
            f"a value of type {type(rows).__qualname__} is no table",
            hint="give a list of dictionaries, a list of lists or a data frame",
        )
    kept = list(itertools.islice(iter(rows), ROWS_MAX + 1))
    counted = len(rows) if isinstance(rows, Sized) else len(kept) if len(kept) <= ROWS_MAX else None
    return *_tabular(kept[:ROWS_MAX]), counted


def _table_rows(rows: Any) -> tuple[list[str], list[Sequence[Any]], int] | None:
    kind = type(rows)
    root = kind.__module__.partition(".")[0]
    if root not in ("pandas", "polars", "pyarrow") or root not in sys.modules:
        return None
    if kind.__qualname__ == "Series":
        rows = rows.to_frame()
    if root == "pandas":
        return _pandas_rows(rows)
    if root == "polars":
        return list(rows.columns), rows.head(ROWS_MAX).rows(), rows.height
    columns = [each.to_pylist() for each in rows.slice(0, ROWS_MAX).columns]
    return _names(rows.schema.names), list(zip(*columns, strict=True)), rows.num_rows


def _pandas_rows(frame: Any) -> tuple[list[str], list[Sequence[Any]], int]:
    head = frame.head(ROWS_MAX)
    if type(head.index).__name__ == "RangeIndex" and head.index.name is None:
        return _names(head.columns), list(head.itertuples(index=False, name=None)), len(frame)
    names = ["" if name is None else str(name) for name in head.index.names]
    rows: list[Sequence[Any]] = [
        (*(label if isinstance(label, tuple) else (label,)), *row)
        for label, *row in head.itertuples(index=True, name=None)
    ]
    return names + _names(head.columns), rows, len(frame)


def _tabular(rows: list[Any]) -> tuple[list[str], list[Sequence[Any]]]:
    if rows and isinstance(rows[0], Mapping):
        keys = list(dict.fromkeys(key for row in rows for key in row))
        return _names(keys), [[row.get(key) for key in keys] for row in rows]
    fields = getattr(rows[0], "__dataclass_fields__", None) if rows else None
    if fields is not None:
        return list(fields), [[getattr(row, name, None) for name in fields] for row in rows]
    cells: list[Sequence[Any]] = [
        list(row) if isinstance(row, Iterable) and not isinstance(row, str | bytes) else [row] for row in rows
    ]
    width = max(map(len, cells), default=0)
    named = getattr(rows[0], "_fields", ()) if rows else ()
    return [named[i] if i < len(named) else str(i + 1) for i in range(width)], cells


def _names(names: Iterable[Any]) -> list[str]:
    return [str(name) for name in names]


def _cell(value: Any) -> Any:
    """A cell as JSON holds it: numbers, booleans and nothing as they are, everything else as text."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -(2**53) < value < 2**53 else str(value)  # Browsers read every number as a double.
    if kind is float:
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if kind.__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        plain = value.item()
        return _cell(plain) if type(plain) is not kind else str(plain)
    try:
        text = value.isoformat(" ") if hasattr(value, "hour") and hasattr(value, "year") else str(value)
    except Exception as exc:
        text = f"<{kind.__qualname__} ({type(exc).__name__})>"
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= CELL_MAX else text[: CELL_MAX - 1] + "…"
