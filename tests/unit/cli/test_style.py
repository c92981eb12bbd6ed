"""How commands write for people."""

import io

import pytest

from weft.cli.style import iso, table
from weft.observability.terminal import colored, count, duration, paint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1.0, "<1 ms"),
        (0.0004, "<1 ms"),
        (0.0123, "12 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.1 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (3599.6, "1 h 00 m"),
        (90_000, "1 d 01 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """Spans round to the unit in which they are shown, at its borders too."""
    assert duration(seconds) == text


def test_counts() -> None:
    """One is singular; thousands are separated."""
    assert [count(number, "run") for number in (0, 1, 1234)] == ["0 runs", "1 run", "1,234 runs"]


def test_times_for_machines_are_utc() -> None:
    """ISO 8601 with microseconds and a Z, whatever the machine's zone."""
    assert iso(0.25) == "1970-01-01T00:00:00.250000Z"
    assert iso(None) is None


def test_table_aligns_and_cannot_be_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wide characters count twice, control characters do nothing, long cells are cut."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    table([("日本", "x\x1b[2J\ny", "end"), ("a" * 80, "b", "c" * 80)], ("ONE", "TWO", "LAST"), cut=10)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head == "ONE         TWO      LAST"
    assert first == "日本        x [2J y  end"
    assert second == "a" * 9 + "…  b        " + "c" * 80


def test_colors_only_where_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never for a file, always when forced, and ``NO_COLOR`` outranks all."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert not colored(io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert paint("x", "red", io.StringIO()) == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "red", io.StringIO()) == "x"
