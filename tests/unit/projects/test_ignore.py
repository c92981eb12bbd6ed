"""Patterns of ``.weftignore``, with git itself as the oracle."""

import subprocess
from pathlib import Path

import pytest

from weft.projects.ignore import Ignored

PATHS = [
    "a.py",
    "b.txt",
    "data/x.csv",
    "data/deep/x.csv",
    "data/keep.csv",
    "src/data/x.csv",
    "src/a.py",
    "src/build/out.o",
    "build/out.o",
    "#odd",
    "[x].txt",
    "docs/a/b/c.md",
]


@pytest.mark.parametrize(
    "lines",
    [
        ["*.csv"],
        ["/data"],
        ["data/"],
        ["data/*.csv"],
        ["data/**", "!data/keep.csv"],
        ["**/x.csv"],
        ["docs/**/c.md"],
        ["build", "!src/build"],
        ["# a comment", "", "\\#odd"],
        ["?.py"],
        ["[ab].*"],
        ["[!a].*"],
        ["*", "!*.py"],
        ["src/"],
        ["/a.py", "/src/*.py"],
    ],
    ids=" ".join,
)
def test_patterns_mean_what_they_mean_to_git(tmp_path: Path, lines: list[str]) -> None:
    """Every path is left out exactly if git would leave it out."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("\n".join(lines))
    done = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(PATHS).encode(),
        capture_output=True,
        check=False,
    )
    ignored = Ignored(lines)
    assert {each for each in PATHS if ignored(each)} == set(done.stdout.decode().split("\0")) - {""}
