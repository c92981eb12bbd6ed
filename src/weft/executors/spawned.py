"""A process of this package as its parent sees it: started, killed, buried. What it does is its ``main``.

It leads a session and a process group of its own, so that whatever it starts dies with it, and holds one end
of a lifeline (``runtime/lifeline.py``), so that it dies with its parent. Its output goes to a *live file*.
"""

import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path

from weft.model.errors import ExecutorError
from weft.runtime.logs import live_path

# msgspec takes two functions from typing_extensions if it is there, which costs a third of a worker's start,
# and the same two from typing otherwise. User code still imports typing_extensions as ever.
_START = """
import sys
sys.modules["typing_extensions"] = None
import msgspec
del sys.modules["typing_extensions"]
from {module} import main
main(sys.argv[1:])
"""
_STDERR_TAIL = 2000


class Spawned:
    """A child process.

    Args:
        module: Whose ``main`` it runs, with the descriptors' numbers and the lifeline's as arguments.
        name: Unique among all living processes that share ``home``.
        home: Folder of the state.
        theirs: Descriptors for the child.
        ours: Sockets that this side keeps; closed at the end.

    Raises:
        ExecutorError: It could not be started.

    Attributes:
        live: The file that has its output.
        pidfd: Becomes readable when it ends; -1 where there is no such thing.
    """

    def __init__(
        self, module: str, name: str, home: Path, theirs: Sequence[int], ours: Sequence[socket.socket]
    ) -> None:
        self.name = name
        self.live = live_path(home, name)
        self.pidfd = -1
        self._ours = tuple(ours)
        lifeline_end, self._lifeline = os.pipe()
        _alive.add(self)
        try:
            self._process = self._spawn(module, (*theirs, lifeline_end))
            if hasattr(os, "pidfd_open"):
                self.pidfd = os.pidfd_open(self._process.pid)
        except OSError as exc:
            self.let_go()
            raise ExecutorError(
                f"a worker process could not be started: {exc.strerror or exc}",
                where=sys.executable,
                hint="check the limits on processes and open files (ulimit -u, ulimit -n)",
            ) from exc
        finally:
            os.close(lifeline_end)

    def _spawn(self, module: str, fds: tuple[int, ...]) -> "subprocess.Popen[bytes]":
        self.live.parent.mkdir(parents=True, exist_ok=True)
        with open(self.live, "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", _START.format(module=module), *map(str, fds)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=fds,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process, which leads a group of the same number."""
        return self._process.pid

    def kill(self) -> None:
        """Kill it and its whole group, at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def reap(self) -> int:
        """Wait for its end, which must be near; returns its exit code, ``-N`` for signal N."""
        return self._process.wait()

    def last_words(self) -> str:
        """The end of what it printed outside any attempt."""
        try:
            return self.live.read_bytes()[-_STDERR_TAIL:].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def let_go(self) -> None:
        """Let go of everything; last of all."""
        self.forsake()
        self.live.unlink(missing_ok=True)
        _alive.discard(self)

    def forsake(self) -> None:
        """Let go of the descriptors; all that a forked child of this process may do."""
        for sock in self._ours:
            sock.close()
        for fd in (self._lifeline, self.pidfd):
            if fd >= 0:
                os.close(fd)
        self._lifeline = self.pidfd = -1


_alive: "weakref.WeakSet[Spawned]" = weakref.WeakSet()


def _after_fork() -> None:
    for spawned in list(_alive):
        spawned.forsake()


os.register_at_fork(after_in_child=_after_fork)
