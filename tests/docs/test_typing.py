"""A user's file keeps its types: mypy --strict passes on everything in tests/typing.

The files there are written as a user would write them. ``assert_type`` says what a call's type must be; a
call that must be refused carries ``# type: ignore[code]``, which strict mode reports when it is not needed.
So a decorator that widens a signature to ``Any`` fails here.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests" / "typing").glob("*.py"))


def check(*files: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run mypy with the project's settings."""
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of this module's own, because mypy's is not made for two processes at once."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_user_file_is_strictly_typed(file: Path, cache: Path) -> None:
    """The file states at least one type, and mypy --strict finds nothing in it."""
    assert "assert_type(" in file.read_text(encoding="utf-8")
    done = check(file, cache=cache)
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_finds_a_wrong_type(tmp_path: Path, cache: Path) -> None:
    """The check itself can fail: a wrong ``assert_type`` and a needless ``type: ignore`` are both found."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from typing import assert_type\n\n"
        "assert_type(int('1'), str)\n"
        "assert_type(int('2'), int)  # type: ignore[assert-type]\n"
    )
    done = check(wrong, cache=cache)
    assert "[assert-type]" in done.stdout
    assert "[unused-ignore]" in done.stdout
    assert done.returncode == 1
