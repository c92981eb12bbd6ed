"""What attempts printed, for readers: by bytes, by lines, by search.

Rules:

1. Reading is by byte range, and at most ``CHUNK_MAX`` at once: a log may have gigabytes.
2. A plain text is searched for here, in one pass over mapped pages. A regular expression of a client's may
   take for ever, and nothing stops Python's ``re`` half-way: it runs in a process of its own
   (``searching.py``), which is killed when its time is over. What it found until then counts.
3. The log of an attempt that a worker process carries out is the worker's live file until the attempt ends;
   it has the same bytes at the same places.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from weft.model.errors import InvalidRequest, NotFound
from weft.model.rows import RunRow, TaskRow
from weft.model.states import LIVE
from weft.runtime.logs import live_path, log_path
from weft.server import searching

CHUNK_MAX = 1 << 20
"""Bytes read at once."""

SEARCH_S = 2.0
"""How long a search may take."""

MATCHES_MAX = 1000
PATTERN_MAX = 1000


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt's log.

    Attributes:
        idx: Index of the task run.
        attempt: Which try.
        size: Bytes in it now.
    """

    idx: int
    attempt: int
    size: int


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a search found.

    Attributes:
        line: Its number, from 1.
        start: Its first byte.
        text: The line, cut at 2,000 characters.
    """

    line: int
    start: int
    text: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found.

    Attributes:
        matches: In order.
        searched: Bytes that were looked at; search from there on for more.
        complete: Whether it reached the end of the log.
        stopped: Why it did not: ``matches`` or ``time``; "" if it did.
    """

    matches: list[Match]
    searched: int
    complete: bool
    stopped: str = ""


class LogReader(Protocol):
    """Where logs can be read."""

    def files(self, run: RunRow) -> list[LogFile]:
        """The logs that a run has, in the order in which they began."""

    def size(self, run: RunRow, task: TaskRow, attempt: int) -> int:
        """Bytes in an attempt's log; 0 if it printed nothing."""

    def read(self, run: RunRow, task: TaskRow, attempt: int, start: int, limit: int) -> bytes:
        """Up to ``limit`` bytes from ``start`` on."""

    def lines(self, run: RunRow, task: TaskRow, attempt: int, first: int, count: int) -> tuple[int, bytes]:
        """``count`` lines from number ``first`` (from 1) on, and the byte at which they begin."""

    def search(
        self, run: RunRow, task: TaskRow, attempt: int, pattern: str, *, regex: bool, start: int, limit: int
    ) -> Found:
        """The lines in which a pattern is found. Raises ``InvalidRequest`` for one that is none."""

    def keep(self, run: str, idx: int, attempt: int, data: bytes) -> None:
        """Add to the log of a run that is imported; ``run`` is known to be an id."""

    def forget(self, run: str) -> None:
        """Delete all logs of a run that is deleted."""


class FileLogs:
    """Logs in Weft's folder.

    Args:
        home: The folder.
        search_s: How long a search may take.
    """

    def __init__(self, home: Path, *, search_s: float = SEARCH_S) -> None:
        self._home = home
        self._search_s = search_s

    def files(self, run: RunRow) -> list[LogFile]:
        """See ``LogReader.files``."""
        found = []
        for path in (self._home / "logs" / run.uid).glob("*.log"):
            idx, dot, attempt = path.stem.partition(".")
            if dot and idx.isdecimal() and attempt.isdecimal():
                status = path.stat()
                log = LogFile(idx=int(idx), attempt=int(attempt), size=status.st_size)
                found.append((status.st_ctime_ns, log))
        return [log for _, log in sorted(found, key=lambda each: (each[0], each[1].idx, each[1].attempt))]

    def size(self, run: RunRow, task: TaskRow, attempt: int) -> int:
        """See ``LogReader.size``."""
        path = self._path(run, task, attempt)
        return 0 if path is None else path.stat().st_size

    def read(self, run: RunRow, task: TaskRow, attempt: int, start: int, limit: int) -> bytes:
        """See ``LogReader.read``."""
        path = self._path(run, task, attempt)
        if path is None:
            return b""
        with path.open("rb") as file:
            file.seek(start)
            return file.read(min(limit, CHUNK_MAX))

    def lines(self, run: RunRow, task: TaskRow, attempt: int, first: int, count: int) -> tuple[int, bytes]:
        """See ``LogReader.lines``."""
        path = self._path(run, task, attempt)
        if path is None:
            return 0, b""
        with path.open("rb") as file:
            start = searching.line_start(file, first)
            file.seek(start)
            taken: list[bytes] = []
            room = CHUNK_MAX
            while len(taken) < count and room > 0 and (line := file.readline(room)):
                taken.append(line)
                room -= len(line)
        return start, b"".join(taken)

    def search(
        self, run: RunRow, task: TaskRow, attempt: int, pattern: str, *, regex: bool, start: int, limit: int
    ) -> Found:
        """See ``LogReader.search``."""
        problem = searching.problem_of(pattern) if regex else ""
        if problem:
            raise InvalidRequest(f"the pattern is no regular expression: {problem}", where="pattern")
        path = self._path(run, task, attempt)
        if path is None:
            return Found(matches=[], searched=0, complete=True)
        size = path.stat().st_size
        look: Callable[..., tuple[list[str], bool]] = self._apart if regex else _here
        lines, timed_out = look(str(path), pattern, start, limit, self._search_s)
        matches: list[Match] = []
        searched = start
        for line in lines:
            place = line.split("\t", 3)
            if place[0] == "m" and len(place) == 4:
                matches.append(Match(line=int(place[1]), start=int(place[2]), text=place[3]))
            elif place[0] == "at":
                searched = int(place[1])
        stopped = "time" if timed_out else "matches" if len(matches) >= limit and searched < size else ""
        return Found(matches=matches, searched=searched, complete=not stopped, stopped=stopped)

    def keep(self, run: str, idx: int, attempt: int, data: bytes) -> None:
        """See ``LogReader.keep``."""
        path = log_path(self._home, run, idx, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(data)

    def forget(self, run: str) -> None:
        """See ``LogReader.forget``."""
        folder = self._home / "logs" / run
        for path in folder.glob("*.log"):
            path.unlink(missing_ok=True)
        if folder.is_dir():
            folder.rmdir()

    def _apart(
        self, path: str, pattern: str, start: int, limit: int, most_s: float
    ) -> tuple[list[str], bool]:
        """Search in a process of its own; what it wrote before its time was over counts."""
        command = [sys.executable, "-I", "-S", searching.__file__, path, pattern, str(start), str(limit)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=most_s, check=False
            )
        except subprocess.TimeoutExpired as late:
            return _whole_lines(late.stdout or b""), True
        return _whole_lines(done.stdout), done.returncode != 0

    def _path(self, run: RunRow, task: TaskRow, attempt: int) -> Path | None:
        """The file in which an attempt's output is; ``None`` if it has none."""
        if not 1 <= attempt <= task.attempt:
            raise NotFound(
                f"{task.key} has no attempt {attempt}", where=run.uid, hint=f"it has {task.attempt} so far"
            )
        path = log_path(self._home, run.uid, task.idx, attempt)
        if path.exists():
            return path
        if task.state in LIVE and attempt == task.attempt and task.worker:
            live = live_path(self._home, task.worker)
            # It moves when the attempt ends, which may be between these two looks.
            if live.exists() and not path.exists():
                return live
        return path if path.exists() else None


def _here(path: str, pattern: str, start: int, limit: int, most_s: float) -> tuple[list[str], bool]:
    """Search for a plain text in this process."""
    return searching.find_text(path, pattern, start, limit, most_s)


def _whole_lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").split("\n")[:-1]
