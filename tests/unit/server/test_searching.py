"""Looking for lines in a log."""

import subprocess
import sys
from pathlib import Path

import pytest

from weft.server import searching
from weft.server.searching import find_in_files, find_text, problem_of


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with an empty line, a long one, bytes that are no text, and no end of line at its end."""
    path = tmp_path / "log"
    path.write_bytes(b"first\n\n" + b"x" * 200_000 + b"needle\n" + b"\xff\xfe needle\tin hay\nlast needle")
    return path


def apart(path: Path, pattern: str, start: int = 0, limit: int = 10) -> list[str]:
    """The program's answer."""
    command = [sys.executable, "-I", "-S", searching.__file__, str(path), pattern, str(start), str(limit)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()


def numbers(told: list[str]) -> list[int]:
    """The lines that were found."""
    return [int(each.split("\t")[1]) for each in told if each.startswith("m\t")]


def test_both_ways_find_the_same(log: Path) -> None:
    """The text here, the expression in a process of its own; a line beyond any length has its number too."""
    here, late = find_text(str(log), "needle", 0, 10, 60.0)
    assert not late
    assert numbers(here) == numbers(apart(log, "needle")) == [3, 4, 5]
    assert here[-1] == apart(log, "needle")[-1] == f"at\t{log.stat().st_size}"


def test_a_search_from_the_middle_counts_from_the_top(log: Path) -> None:
    """Lines keep their numbers wherever a search begins."""
    start = log.read_bytes().index(b"\xff")
    here, _ = find_text(str(log), "needle", start, 10, 60.0)
    assert numbers(here) == numbers(apart(log, "needle", start)) == [4, 5]


def test_many_files_are_searched_in_both_ways(tmp_path: Path) -> None:
    """One after the other, told apart by number; what is gone is passed over, and a limit is for all."""
    paths = [tmp_path / name for name in ("a", "gone", "b", "c")]
    for path, text in ((paths[0], "needle\nneedle\n"), (paths[2], "hay\n"), (paths[3], "hay\nneedle\n")):
        path.write_text(text)

    def here(start: int, limit: int) -> list[str]:
        return find_in_files([str(path) for path in paths], "needle", start, limit, 60.0)[0]

    def there(start: int, limit: int) -> list[str]:
        command = [sys.executable, "-I", "-S", searching.__file__, "", "needle", str(start), str(limit)]
        names = "\0".join(map(str, paths))
        done = subprocess.run(command, capture_output=True, check=True, text=True, input=names)
        return done.stdout.splitlines()

    for look in (here, there):
        told = look(0, 10)
        assert [each for each in told if each.startswith("f")] == [f"f\t{number}" for number in range(4)]
        assert numbers(told) == [1, 2, 2]
        assert told[-1] == "end"
        assert numbers(look(7, 10)) == [2, 2]
        assert look(0, 1)[-1] == "at\t7"


def test_anchors_are_a_lines_own(log: Path) -> None:
    """The end of the line is no part of it."""
    assert numbers(apart(log, "^first$")) == [1]
    assert numbers(apart(log, "^$")) == [2]


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "[z-a]", "(?P<n>", "\\"])
def test_what_is_no_expression_is_told(pattern: str) -> None:
    """Before any process is started for it."""
    assert problem_of(pattern)


def test_an_expression_is_fine() -> None:
    """Nothing is told of it."""
    assert problem_of(r"^\d+ é") == ""
