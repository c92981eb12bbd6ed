"""What the runtime's tests share: a runner in a folder of its own, and attempts at local functions."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.model.attempts import Attempt, Ended, Shown
from weft.model.calls import PythonCall
from weft.model.values import ARGS, Plain
from weft.runtime import load
from weft.runtime.logs import StreamCapture, log_path
from weft.runtime.runner import Runner


class Desk:
    """A runner, and what it takes to give it work and look at the outcome."""

    def __init__(self, home: Path, capture: StreamCapture, *, own_process: bool = False) -> None:
        self.home = home
        self.artifacts = Artifacts(MemoryBlobs())
        self.shown: list[Shown] = []
        self.runner = Runner(
            self.artifacts, home, "worker-1", capture, show=self.shown.append, own_process=own_process
        )
        self.number = 0

    def attempt(self, found: Any, *args: Any, **more: Any) -> Attempt:
        """An attempt at a function, or at an object with ``.fn``."""
        self.number += 1
        load.register("desk", f"task_{self.number}", found)
        return Attempt(
            (1, self.number, 1),
            "run_1",
            "desk",
            f"task_{self.number}",
            "task",
            PythonCall("desk", f"task_{self.number}"),
            {ARGS: Plain(self.artifacts.dumps((args, {})))},
            **more,
        )

    def run(self, found: Any, *args: Any, **more: Any) -> Ended:
        return self.runner.run(self.attempt(found, *args, **more))

    def value(self, ended: Ended) -> Any:
        assert ended.result is not None, ended.error
        return self.artifacts.loads(ended.result)

    def log(self, ended: Ended) -> str:
        return log_path(self.home, "run_1", ended.id[1], ended.id[2]).read_text()


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[StreamCapture]:
    capture = StreamCapture(tmp_path, tee=False)
    capture.install()
    yield capture
    capture.uninstall()


@pytest.fixture
def desk(tmp_path: Path, capture: StreamCapture) -> Desk:
    return Desk(tmp_path, capture)


@pytest.fixture
def own_desk(tmp_path: Path, capture: StreamCapture) -> Desk:
    """A runner that has its process to itself."""
    return Desk(tmp_path, capture, own_process=True)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
