"""Where lines begin, in files of any shape that grow."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.server import lineindex
from weft.server.lineindex import LineIndexes


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineindex, "BLOCK", 8)


@given(pieces=st.lists(st.binary(max_size=30).map(lambda each: each.replace(b"\x07", b"\n")), max_size=5))
def test_it_agrees_with_counting(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    """For every byte and every line, while the file grows."""
    path = tmp_path_factory.mktemp("logs") / "0.1.log"
    path.touch()
    indexes = LineIndexes()
    whole = b""
    for piece in pieces:
        whole += piece
        path.write_bytes(whole)
        starts = [0, *(at + 1 for at, byte in enumerate(whole) if byte == 10)]
        for line, start in enumerate(starts, 1):
            assert indexes.start_of(path, line) == start
        assert indexes.start_of(path, len(starts) + 1) == len(whole)
        for place in range(len(whole) + 1):
            assert indexes.line_at(path, place) == whole[:place].count(b"\n") + 1


def test_a_file_that_was_replaced_by_a_shorter_one(tmp_path: Path) -> None:
    """It is counted anew."""
    path = tmp_path / "0.1.log"
    indexes = LineIndexes()
    path.write_bytes(b"\n" * 100)
    assert indexes.line_at(path, 100) == 101
    path.write_bytes(b"abc\nd")
    assert indexes.line_at(path, 5) == 2
