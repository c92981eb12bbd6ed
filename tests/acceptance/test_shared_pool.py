"""Two scripts in two processes share a pool of two, and one that is killed leaves its slots to the other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "pool_flow.py"
PATIENCE_S = 60.0


class Place:
    """A home and a folder for two scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[subprocess.Popen[bytes]] = []
        (folder / "now").mkdir()
        self.env = {
            **os.environ,
            "WEFT_HOME": str(folder / "home"),
            "WEFT_POOLS": "db=2",
            "WEFT_PROGRESS": "off",
        }

    def run(self, name: str, count: int) -> subprocess.Popen[bytes]:
        """Start a script."""
        command = [sys.executable, str(SCRIPT), str(self.folder), name, str(count)]
        child = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.children.append(child)
        return child

    def said(self, name: str) -> list[int]:
        """How many ran at once, as each task of a script saw it."""
        file = self.folder / f"said-{name}"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, [self.said("a"), self.said("b")]
            time.sleep(0.01)


def ended(child: subprocess.Popen[bytes]) -> int:
    """How a script ended; what it printed is shown if the test fails."""
    output, _ = child.communicate(timeout=PATIENCE_S)
    print(output.decode())
    return child.returncode


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Where two scripts meet; none of them outlives the test."""
    made = Place(tmp_path)
    yield made
    for child in made.children:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def test_two_processes_share_a_pool(place: Place) -> None:
    """Never more than two tasks at once between them, and neither waits for the other's end."""
    count = 200
    (place.folder / "hold").touch()
    first = place.run("a", count)
    place.wait(lambda: len(place.said("a")) == 2)
    second = place.run("b", count)
    place.wait(lambda: b"at the engine" in _told(place))
    (place.folder / "hold").unlink()
    place.wait(lambda: bool(place.said("b")))
    assert len(place.said("a")) < count
    assert (ended(first), ended(second)) == (0, 0)
    seen = [*place.said("a"), *place.said("b")]
    assert (len(seen), max(seen)) == (2 * count, 2)


def test_a_killed_process_leaves_its_slots(place: Place) -> None:
    """The other one waits while it lives, and goes on when it is gone."""
    (place.folder / "hold").touch()
    first = place.run("a", 4)
    place.wait(lambda: len(place.said("a")) == 2)
    second = place.run("b", 4)
    place.wait(lambda: b"at the engine" in _told(place))
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE_S)
    assert place.said("b") == []
    for each in (place.folder / "now").iterdir():
        each.unlink()
    (place.folder / "hold").unlink()
    assert ended(second) == 0
    assert (len(place.said("b")), max(place.said("b"))) == (4, 2)


def _told(place: Place) -> bytes:
    """Why the second script's tasks do not run."""
    command = [sys.executable, "-m", "weft", "why", "@latest", "work-0"]
    return subprocess.run(command, env=place.env, capture_output=True, check=False, timeout=PATIENCE_S).stdout
