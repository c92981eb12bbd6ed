"""What workflows a project has, found without importing it here.

Files are loaded by processes of their own (``discovering.py``), a few side by side. What goes wrong with one
file is a problem of that file and hides no other.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import msgspec

from weft.model.errors import LoadExited, ProjectError
from weft.model.projects import Look
from weft.projects.ignore import Ignored
from weft.projects.loaders import Loader, loader_of
from weft.projects.looking import Ask, decode_look, encode, failed, frame, read_frame

TIMEOUT_S = 30.0
MEMORY_BYTES = 4_000_000_000
_GRACE_S = 10.0
"""How much longer than a file's own time an answer may take before the process is given up."""
_NOT_WORKFLOWS = frozenset({"tests", "test", "testing", "venv", "env", "build", "dist", "docs"})


def candidates(root: Path, files: Iterable[str], patterns: Sequence[str] | None) -> dict[str, Loader]:
    """The project's workflow files, with the dialect that claims each.

    Args:
        root: The project's folder.
        files: Its files.
        patterns: As the project says (``flows/*.py``); without it, every file that a dialect claims outside
            of tests and the like.

    Raises:
        ProjectError: The patterns are no list of texts, or one fits no file.
    """
    found: dict[str, Loader] = {}
    for file in sorted(_chosen(list(files), patterns)):
        loader = loader_of(root, file)
        if loader is not None:
            found[file] = loader
    return found


def _chosen(files: list[str], patterns: Sequence[str] | None) -> Iterable[str]:
    if patterns is None:
        return [
            each
            for each in files
            if not _NOT_WORKFLOWS.intersection(each.split("/")[:-1])
            and not each.rpartition("/")[2].startswith(("test_", "conftest.", "setup."))
        ]
    if not isinstance(patterns, list) or not all(isinstance(each, str) and each for each in patterns):
        raise ProjectError(
            f"workflows = {patterns!r} is no list of patterns", hint='write workflows = ["flows/*.py"]'
        )
    chosen: set[str] = set()
    for pattern in patterns:
        # A pattern of files counts from the project's folder, as a glob does.
        fits = Ignored([f"/{pattern.removeprefix('/')}"])
        fitting = {each for each in files if fits(each)}
        if not fitting:
            raise ProjectError(f"no file of the project fits {pattern!r}", hint="see workflows = [...]")
        chosen |= fitting
    return chosen


class Discoverer:
    """Loads files in processes of their own. Those start when there is work, and are kept for more.

    Args:
        processes: How many at once; one a core.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._count = processes or os.cpu_count() or 1
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        for _ in range(self._count):
            self._idle.put(_Process())

    def __enter__(self) -> "Discoverer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for _ in range(self._count):
            process = self._idle.get()
            process.close()
            self._idle.put(process)

    def look(
        self,
        root: Path,
        files: dict[str, Loader],
        *,
        timeout_s: float = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
        tasks: bool = False,
    ) -> list[Look]:
        """Load files and say what each defines, in the order given.

        Args:
            root: The project's folder.
            files: Which, and who loads each.
            timeout_s: The longest that one may take.
            memory_bytes: The largest address space that loading one may have.
            tasks: Whether lone tasks count as workflows.
        """
        asks = [
            Ask(
                root=os.path.realpath(root),
                file=file,
                dialect=loader.dialect,
                timeout_s=timeout_s,
                memory_bytes=memory_bytes,
                tasks=tasks,
            )
            for file, loader in files.items()
        ]
        if len(asks) < 2:
            return [self._look(each) for each in asks]
        with ThreadPoolExecutor(min(self._count, len(asks))) as pool:
            return list(pool.map(self._look, asks))

    def _look(self, ask: Ask) -> Look:
        process = self._idle.get()
        try:
            return process.look(ask)
        finally:
            self._idle.put(process)


class _Process:
    """A discovering process; started when it is first asked, and again when it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, ask: Ask) -> Look:
        process = self._process = self._process or _start()
        assert process.stdin is not None
        try:
            process.stdin.write(frame(encode(ask)))
            process.stdin.flush()
            answer = read_frame(_Patient(process, time.monotonic() + ask.timeout_s + _GRACE_S).read)
            if answer is not None:
                return decode_look(answer)
        except (OSError, msgspec.MsgspecError):
            pass  # It died, or was killed: that is what is told below.
        self.close()
        return failed(ask, LoadExited("the process that was loading it ended without an answer"))

    def close(self) -> None:
        """End it, and whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class _Patient:
    """Reads from a process until a moment."""

    def __init__(self, process: "subprocess.Popen[bytes]", until: float) -> None:
        assert process.stdout is not None
        self._fd = process.stdout.fileno()
        self._until = until

    def read(self, size: int) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._fd, selectors.EVENT_READ)
            if not selector.select(max(self._until - time.monotonic(), 0)):
                return b""
        return os.read(self._fd, size)


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        # -P: what lies in the current folder must not stand in for Weft's own modules.
        [sys.executable, "-P", "-m", "weft.projects.discovering"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
