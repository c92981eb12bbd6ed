"""What tests of workflows use: a Weft of the test's own, crashes, and lines that survive them."""

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from weft.embedded import LocalHost, close_host, open_host
from weft.model.rows import RunRow, TaskRow
from weft.model.states import TaskState
from weft.runtime.host import Settled
from weft.runtime.logs import log_path
from weft.settings import Settings
from weft.store.protocol import EventRow

CRASHED = 70
"""The exit code by which a process says that it crashed where the test wanted it to."""


def crash() -> NoReturn:
    """End this process here and now, as ``kill -9`` would: nothing is cleaned up."""
    os._exit(CRASHED)


class Weft:
    """An embedded engine with a folder of its own. The store must be healthy when the test ends."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings: dict[str, Any] = {
            "durability": "relaxed",
            "threads": 4,
            "workers": 2,
            "progress": "off",
        }
        self.broken = False

    def open(self, **settings: Any) -> LocalHost:
        """Close the host that is open, and open one with these settings too; they stay in force."""
        close_host()
        self.settings |= settings
        return self.host

    def close(self) -> None:
        """Close the host; what is looked at next opens another."""
        close_host()

    @property
    def host(self) -> LocalHost:
        """The open host."""
        return open_host(Settings(home=str(self.home), **self.settings))

    def crash(self, work: Callable[[], object]) -> None:
        """Do ``work`` in a process of its own, which must end in ``crash()``."""
        close_host()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Idle threads of closed hosts hold no lock.
            child = os.fork()
        if child == 0:
            try:
                self.open()
                work()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == CRASHED, f"the process ended with {status} and not where it should have crashed"

    def resume(self) -> Settled:
        """Go on with the latest run."""
        settled = self.host.resume(self.run().run).settled
        assert settled is not None
        return settled

    def value(self) -> Any:
        """Go on with the latest run, and give its value."""
        settled = self.resume()
        assert settled.state.ok, settled.error
        return None if settled.result is None else self.host.artifacts.loads(settled.result)

    def run(self, ref: str = "@latest") -> RunRow:
        """A run's row."""
        return self.host.store.run(ref)

    def runs(self) -> list[RunRow]:
        """Every run, newest first."""
        return self.host.store.runs()

    def tasks(self) -> list[TaskRow]:
        """The latest run's task runs, without its root."""
        return self.host.store.tasks(self.run().run)[1:]

    def task(self, key: str) -> TaskRow:
        """A task run of the latest run."""
        return self.host.store.task_by_key(self.run().run, key)

    def states(self) -> dict[str, TaskState]:
        """The latest run's task runs by key, without its root."""
        return {each.key: each.state for each in self.tasks()}

    def events(self, key: str) -> list[EventRow]:
        """What the log tells of a task run of the latest run."""
        run = self.run().run
        return self.host.store.events(run, self.task(key).idx)

    def log(self, key: str, attempt: int = 1) -> str:
        """What an attempt printed and logged."""
        path = log_path(self.home, self.run().uid, self.task(key).idx, attempt)
        return path.read_text() if path.exists() else ""


class Said:
    """Lines that any process adds at once, and that survive its crash."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, line: object) -> None:
        """Add a line."""
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(fd, f"{line}\n".encode())
        os.close(fd)

    @property
    def lines(self) -> list[str]:
        """What was said, in order."""
        return self.path.read_text().splitlines() if self.path.exists() else []
