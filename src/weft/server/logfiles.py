"""What attempts printed, for readers: by bytes, by lines, by search.

Rules:

1. Reading is by byte range, and at most ``CHUNK_MAX`` at once: a log may have gigabytes.
2. A plain text is searched for here, in one pass over mapped pages. A regular expression of a client's may
   take for ever, and nothing stops Python's ``re`` half-way: it runs in a process of its own
   (``searching.py``), which is killed when its time is over. What it found until then counts.
3. The log of an attempt that a worker process carries out is the worker's live file until the attempt ends;
   it has the same bytes at the same places.
"""

import os
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from weft.model.errors import InvalidRequest, NotFound
from weft.model.rows import RunRow, TaskRow
from weft.model.states import LIVE
from weft.runtime.logs import live_path, log_path
from weft.server import searching
from weft.server.lineindex import LineIndexes

CHUNK_MAX = 1 << 20
"""Bytes read at once."""

SEARCH_S = 2.0
"""How long a search may take."""

LOGS_MAX = 20_000
"""Logs that one search goes through."""

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


class Place(NamedTuple):
    """A place in the logs of a run.

    Attributes:
        idx: Index of the task run.
        attempt: Which try.
        start: The first byte that was not looked at.
    """

    idx: int
    attempt: int
    start: int


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a search in all logs of a run found: see ``Match`` and ``Place``."""

    idx: int
    attempt: int
    line: int
    start: int
    text: str


class FoundLines(msgspec.Struct, frozen=True, kw_only=True):
    """What a search in all logs of a run found.

    Attributes:
        lines: In order of task runs, attempts and lines.
        at: Where to go on; ``None`` if every log was looked at.
        stopped: Why it did not go on: ``matches``, ``time`` or ``logs``; "" if it reached the end.
        logs: How many logs the run has.
        searched: How many of them are done with.
    """

    lines: list[RunLine]
    at: Place | None
    stopped: str
    logs: int
    searched: int


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

    def line_at(self, run: RunRow, task: TaskRow, attempt: int, place: int) -> int:
        """The number, from 1, of the line that a byte is in."""

    def search(
        self, run: RunRow, task: TaskRow, attempt: int, pattern: str, *, regex: bool, start: int, limit: int
    ) -> Found:
        """The lines in which a pattern is found. Raises ``InvalidRequest`` for one that is none."""

    def search_all(
        self,
        run: RunRow,
        live: Mapping[int, TaskRow],
        pattern: str,
        *,
        regex: bool,
        after: Place | None,
        limit: int,
    ) -> FoundLines:
        """The lines in which a pattern is found, in all logs of a run from a place on.

        ``live`` are its task runs that an executor has, by index. Raises ``InvalidRequest`` as ``search``.
        """

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
        self._indexes = LineIndexes()

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
        start = self._indexes.start_of(path, first)
        with path.open("rb") as file:
            file.seek(start)
            taken: list[bytes] = []
            room = CHUNK_MAX
            while len(taken) < count and room > 0 and (line := file.readline(room)):
                taken.append(line)
                room -= len(line)
        return start, b"".join(taken)

    def line_at(self, run: RunRow, task: TaskRow, attempt: int, place: int) -> int:
        """See ``LogReader.line_at``."""
        path = self._path(run, task, attempt)
        return 1 if path is None else self._indexes.line_at(path, place)

    def search(
        self, run: RunRow, task: TaskRow, attempt: int, pattern: str, *, regex: bool, start: int, limit: int
    ) -> Found:
        """See ``LogReader.search``."""
        _check_pattern(pattern, regex)
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

    def search_all(
        self,
        run: RunRow,
        live: Mapping[int, TaskRow],
        pattern: str,
        *,
        regex: bool,
        after: Place | None,
        limit: int,
    ) -> FoundLines:
        """See ``LogReader.search_all``."""
        _check_pattern(pattern, regex)
        logs = self._logs(run, live)
        done = 0 if after is None else bisect_left(logs, after[:2], key=lambda each: each[:2])
        wanted = logs[done : done + LOGS_MAX]
        start = 0
        if after is not None and wanted and wanted[0][:2] == after[:2]:
            start = after.start
        paths = [str(path) for *_, path in wanted]
        look = self._all_apart if regex else searching.find_in_files
        told, timed_out = look(paths, pattern, start, limit, self._search_s)
        lines: list[RunLine] = []
        number, at, over = 0, start, False
        for line in told:
            match line.split("\t", 3):
                case ["f", file]:
                    number, at = int(file), start if file == "0" else 0
                case ["m", place, first, text]:
                    idx, attempt, _ = wanted[number]
                    lines.append(
                        RunLine(idx=idx, attempt=attempt, line=int(place), start=int(first), text=text)
                    )
                case ["at", byte]:
                    at = int(byte)
                case ["end"]:
                    over = True
        searched = done + (len(wanted) if over else number)
        if over and searched == len(logs):
            return FoundLines(lines=lines, at=None, stopped="", logs=len(logs), searched=searched)
        idx, attempt, _ = logs[searched]
        go_on: Place | None
        stopped = "logs" if over else "time" if timed_out else "matches"
        go_on = Place(idx, attempt, 0 if over else at)
        if go_on == after:
            # A line takes the expression longer than a search may take: the rest of its log is passed over.
            searched += 1
            go_on = Place(*logs[searched][:2], 0) if searched < len(logs) else None
        return FoundLines(lines=lines, at=go_on, stopped=stopped, logs=len(logs), searched=searched)

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
        return self._searched([path, pattern, str(start), str(limit)], b"", most_s)

    def _all_apart(
        self, paths: list[str], pattern: str, start: int, limit: int, most_s: float
    ) -> tuple[list[str], bool]:
        """The same for many logs: one process for all of them, which reads their names."""
        names = "\0".join(paths).encode("utf-8", "surrogateescape")
        return self._searched(["", pattern, str(start), str(limit)], names, most_s)

    def _searched(self, arguments: list[str], data: bytes, most_s: float) -> tuple[list[str], bool]:
        """What the program said, and whether its time was over, or it failed."""
        command = [sys.executable, "-I", "-S", searching.__file__, *arguments]
        try:
            done = subprocess.run(command, input=data, capture_output=True, timeout=most_s, check=False)
        except subprocess.TimeoutExpired as late:
            return _whole_lines(late.stdout or b""), True
        return _whole_lines(done.stdout), done.returncode != 0

    def _logs(self, run: RunRow, live: Mapping[int, TaskRow]) -> list[tuple[int, int, str]]:
        """The logs of a run by task run and attempt, those that are being written included."""
        found: dict[tuple[int, int], str] = {}
        for task in live.values():
            path = live_path(self._home, task.worker)
            if task.worker and task.attempt and path.exists():
                found[task.idx, task.attempt] = str(path)
        folder = self._home / "logs" / run.uid
        # After the live ones: a log that moved meanwhile is found here.
        for name in os.listdir(folder) if folder.is_dir() else ():
            idx, dot, rest = name.removesuffix(".log").partition(".")
            if dot and name.endswith(".log") and idx.isdecimal() and rest.isdecimal():
                found[int(idx), int(rest)] = f"{folder}/{name}"
        return sorted((idx, attempt, path) for (idx, attempt), path in found.items())

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


def _check_pattern(pattern: str, regex: bool) -> None:
    problem = searching.problem_of(pattern) if regex else ""
    if problem:
        raise InvalidRequest(f"the pattern is no regular expression: {problem}", where="pattern")


def _here(path: str, pattern: str, start: int, limit: int, most_s: float) -> tuple[list[str], bool]:
    """Search for a plain text in this process."""
    return searching.find_text(path, pattern, start, limit, most_s)


def _whole_lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").split("\n")[:-1]
