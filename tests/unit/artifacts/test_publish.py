"""What tasks publish for people."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from artifact_classes import Frozen, Point

from weft.artifacts import publish
from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.model.errors import NotFound, UsageError

ARTIFACTS = Artifacts(MemoryBlobs(), trusted=False)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def rows_of(published: Any) -> Any:
    """The table as a viewer reads it."""
    return ARTIFACTS.loads(published.body)


def test_markdown_is_text() -> None:
    """Markdown is kept as it is written, with a key from its title."""
    shown = publish.markdown(ARTIFACTS, "# Café", title="The Report, v2")
    assert (shown.kind, shown.key, shown.title) == ("markdown", "markdown-the-report-v2", "The Report, v2")
    assert shown.body.inline == "# Café".encode()
    assert ARTIFACTS.loads(shown.body) == "# Café"
    assert publish.markdown(ARTIFACTS, "x").key == "markdown"
    assert publish.markdown(ARTIFACTS, "x", key="mine", title="t").key == "mine"
    large = publish.markdown(ARTIFACTS, "long " * 5000)
    assert ARTIFACTS.loads(large.body) == "long " * 5000
    with pytest.raises(UsageError):
        publish.markdown(ARTIFACTS, 5)  # type: ignore[arg-type]


ROWS: dict[str, tuple[Any, list[str], list[list[Any]]]] = {
    "mappings": ([{"a": 1}, {"b": 2, "a": 3}], ["a", "b"], [[1, None], [3, 2]]),
    "lists": ([[1, 2], (3,)], ["1", "2"], [[1, 2], [3]]),
    "named tuples": ([Point(1, "p")], ["x", "y"], [[1, "p"]]),
    "dataclasses": ([Frozen(1, 2)], ["a", "b"], [[1, 2]]),
    "values": ([1, "two"], ["1"], [[1], ["two"]]),
    "columns": ({"a": [1, 2], "b": ["x"]}, ["a", "b"], [[1, "x"], [2, None]]),
    "nothing": ([], [], []),
    "pandas": (pd.DataFrame({"a": [1, 2], "t": ["x", "y"]}), ["a", "t"], [[1, "x"], [2, "y"]]),
    "pandas index": (pd.DataFrame({"a": [1]}, index=pd.Index(["k"], name="key")), ["key", "a"], [["k", 1]]),
    "pandas levels": (
        pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([("k", 2)])), ["", "", "a"], [["k", 2, 1]]
    ),
    "pandas series": (pd.Series([1.5], name="s"), ["s"], [[1.5]]),
    "polars": (pl.DataFrame({"a": [1], "b": [None]}), ["a", "b"], [[1, None]]),
    "pyarrow": (pa.table({"a": [1]}), ["a"], [[1]]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_tables_of_every_kind(name: str) -> None:
    """Rows of any usual shape become columns and lists."""
    rows, columns, cells = ROWS[name]
    shown = publish.table(ARTIFACTS, rows, title="T")
    assert (shown.kind, shown.key, shown.body.format) == ("table", "table-t", "json")
    assert rows_of(shown) == {"columns": columns, "rows": cells, "total": len(cells), "cut": False}


def test_cells_are_what_json_can_hold() -> None:
    """Numbers stay numbers where browsers read them right; everything else is text, and long text is cut."""
    row = [
        None,
        True,
        1.5,
        math.nan,
        math.inf,
        2**60,
        dt.datetime(2024, 1, 2, 3),
        [1],
        np.int64(4),
        "x" * 5000,
        "\ud800",
    ]
    (cells,) = rows_of(publish.table(ARTIFACTS, [row]))["rows"]
    assert cells[:9] == [None, True, 1.5, None, "inf", str(2**60), "2024-01-02 03:00:00", "[1]", 4]
    assert len(cells[9]) == publish.CELL_MAX
    assert cells[10] == "?"


@pytest.mark.parametrize("counted", [True, False])
def test_long_tables_are_cut_and_say_so(counted: bool) -> None:
    """At most 10,000 rows are kept, and the table tells that there were more."""
    rows: Any = ([i] for i in range(25_000))
    table = rows_of(publish.table(ARTIFACTS, list(rows) if counted else rows))
    assert len(table["rows"]) == publish.ROWS_MAX
    assert (table["total"], table["cut"]) == (25_000 if counted else None, True)
    frame = rows_of(publish.table(ARTIFACTS, pd.DataFrame({"a": range(25_000)})))
    assert (len(frame["rows"]), frame["total"], frame["cut"]) == (publish.ROWS_MAX, 25_000, True)


@pytest.mark.parametrize("rows", [5, "text", None])
def test_what_is_no_table_is_refused(rows: Any) -> None:
    """A single value is no table."""
    with pytest.raises(UsageError):
        publish.table(ARTIFACTS, rows)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89arest", "image/gif"),
        (b"RIFF\0\0\0\0WEBPrest", "image/webp"),
        (b"\0\0\0\x1cftypavifrest", "image/avif"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"<?xml version='1.0'?>\n<!-- made -->\n<svg width='1'>", "image/svg+xml"),
    ],
)
def test_images_are_known_by_their_bytes(tmp_path: Path, data: bytes, media_type: str) -> None:
    """Bytes and files of each format are kept as they are, with their media type."""
    (tmp_path / "picture").write_bytes(data)
    for source in (data, tmp_path / "picture", str(tmp_path / "picture")):
        shown = publish.image(ARTIFACTS, source, title="plot")
        assert (shown.kind, shown.key, shown.body.format) == ("image", "image-plot", media_type)
        assert ARTIFACTS.loads(shown.body) == data


class Figure:
    """As matplotlib's."""

    def savefig(self, file: Any, *, format: str, **_options: Any) -> None:  # noqa: A002 - matplotlib's name
        assert format.lower() == "png"
        file.write(PNG)


class Axes:
    figure = Figure()


def test_figures_are_drawn() -> None:
    """Anything with ``savefig``, and what has such a figure, is drawn as PNG."""
    for source in (Figure(), Axes()):
        assert publish.image(ARTIFACTS, source).body.inline == PNG


def test_pillow_images_are_drawn() -> None:
    """A Pillow image is saved as PNG."""
    saved = type("Image", (), {"__module__": "PIL.Image", "save": Figure.savefig})()
    assert publish.image(ARTIFACTS, saved).body.format == "image/png"


@pytest.mark.parametrize("source", [b"", b"text", b"<html><svg>", b"<!-- <svg> -->", 5, object()])
def test_what_is_no_image_is_refused(source: Any) -> None:
    """Bytes of another kind, and objects that cannot be drawn, are refused."""
    with pytest.raises(UsageError):
        publish.image(ARTIFACTS, source)


def test_a_missing_image_and_a_huge_one_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that leads nowhere and an image past the limit are coded errors."""
    with pytest.raises(NotFound):
        publish.image(ARTIFACTS, tmp_path / "none.png")
    monkeypatch.setattr(publish, "IMAGE_MAX", 10)
    with pytest.raises(UsageError):
        publish.image(ARTIFACTS, PNG)


def test_links_lead_to_the_web() -> None:
    """A link keeps its address and its text."""
    shown = publish.link(ARTIFACTS, "https://example.org/a?b=1", "The docs")
    assert (shown.kind, shown.key, shown.title) == ("link", "link-the-docs", "The docs")
    assert ARTIFACTS.loads(shown.body) == "https://example.org/a?b=1"
    assert publish.link(ARTIFACTS, "http://localhost:8080").title == "http://localhost:8080"


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "example.org", "https://", "//x.org",
     "", "https://a b", "https://a\nb", "java\nscript:x", "https://[::1", None],
)  # fmt: skip
def test_other_addresses_are_refused(url: Any) -> None:
    """Anything but a web address, scripts above all, is refused."""
    with pytest.raises(UsageError):
        publish.link(ARTIFACTS, url, "x")


def test_progress_is_a_number_with_a_label() -> None:
    """Progress replaces itself whatever its label says."""
    shown = [publish.progress(ARTIFACTS, *each) for each in ((0, "start"), (0.5,), (np.float32(1), "end"))]
    assert [ARTIFACTS.loads(each.body) for each in shown] == [0.0, 0.5, 1.0]
    assert {each.key for each in shown} == {"progress"}
    assert [each.title for each in shown] == ["start", "", "end"]
    assert publish.progress(ARTIFACTS, 0.1, key="other").key == "other"


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan, "half", None])
def test_progress_outside_its_bounds_is_refused(fraction: Any) -> None:
    """A percentage, or no number at all, is refused."""
    with pytest.raises(UsageError):
        publish.progress(ARTIFACTS, fraction)


def test_published_values_cross_processes() -> None:
    """What is published can be sent as a message."""
    for shown in (
        publish.table(ARTIFACTS, [[1]]),
        publish.image(ARTIFACTS, PNG),
        publish.progress(ARTIFACTS, 1),
    ):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(shown), type=type(shown)) == shown
