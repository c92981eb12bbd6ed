"""What a person sees of the runs in this process: a tree that moves on a terminal, plain lines elsewhere.

Rules, and why:

1. The engine is never held up: a committed batch is put on a queue; counting and drawing happen in a thread
   of their own, at most ten times a second.
2. All of it goes to standard error; standard output is the user's.
3. A run that is over before anyone could read a tree never gets one: it costs one line at its end.
4. What tasks print is not torn apart: while the tree is up the streams go through ``_Above``, which wipes the
   tree, writes, and lets the next frame draw it again below. A line that is not finished (a prompt) keeps the
   tree away until it is.

The tree is drawn with a few control codes and no library: lines are cut by the terminal itself (automatic
wrapping is off while a frame is written), so the number of rows to go back over is always known.
"""

import shutil
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TextIO

from weft.core.changes import Change
from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState
from weft.observability.counting import Counting, RunCount, TaskCount, one_line
from weft.observability.terminal import count, duration, is_terminal, paint, paint_state

FRAME_S = 0.1
"""Between two frames of the tree, and two looks at the queue."""

TREE_AFTER_S = 0.25
"""Age of a run from which it gets a tree."""

START_AFTER_S = 0.5
"""Age of a run from which plain lines say that it is under way."""

LINE_EVERY_S = 1.0
"""Between two plain lines about the same task."""

FAILURES_SHOWN = 20
"""Failures of a run that are told one by one."""


class Progress(Protocol):
    """A display of the runs of one engine."""

    def take(self, changes: Sequence[Change]) -> None:
        """Take in a batch of committed changes: the engine's listener."""

    def seed(self, row: RunRow, tasks: Iterable[TaskRow]) -> None:
        """Begin with what a run that is resumed has done already."""

    def finish(self, run: int) -> None:
        """Show how the run stands; nothing more is shown of it."""

    def interrupted(self) -> None:
        """Something else wrote to the terminal; safe to call in a signal handler."""


def progress(choice: str, stream: TextIO | None = None) -> Progress | None:
    """The display that a setting asks for.

    Args:
        choice: ``auto``, ``tree``, ``plain`` or ``off``.
        stream: Standard error by default.
    """
    err: Any = stream or sys.stderr
    if choice == "off" or err is None:
        return None
    if choice == "tree" or (choice == "auto" and is_terminal(err)):
        return TreeProgress(stream)
    return PlainProgress(stream)


class _Display(ABC):
    """The queue, the thread and the counting that both displays share."""

    def __init__(self, stream: TextIO | None, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._batches: deque[Sequence[Change]] = deque()
        self._counting = Counting()
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, changes: Sequence[Change]) -> None:
        """See ``Progress.take``."""
        self._batches.append(changes)
        if not self._work.is_set():
            self._work.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="weft-progress", daemon=True)
                self._thread.start()

    def seed(self, row: RunRow, tasks: Iterable[TaskRow]) -> None:
        """See ``Progress.seed``."""
        with self._lock:
            run = self._counting.runs[row.run] = RunCount(row.uid, row.workflow, self._clock())
            run.seed(row, tasks)

    def finish(self, run: int) -> None:
        """See ``Progress.finish``."""
        with self._lock:
            self._count()
            found = self._counting.runs.pop(run, None)
            if found is not None:
                self._end(found)

    def tick(self) -> None:
        """Count what has come, and show it."""
        with self._lock:
            self._count()
            if self._counting.runs:
                self._show(self._clock())
            elif not self._batches:
                self._work.clear()

    def _run(self) -> None:
        while True:
            self._work.wait()
            time.sleep(FRAME_S)
            try:
                self.tick()
            except (OSError, ValueError):
                return  # The stream is gone; so is whoever looked at it.

    def _count(self) -> None:
        while self._batches:
            self._counting.take(self._batches.popleft())

    @abstractmethod
    def _show(self, now: float) -> None: ...

    @abstractmethod
    def _end(self, run: RunCount) -> None: ...

    @property
    def _err(self) -> Any:
        return self._stream or sys.stderr


class PlainProgress(_Display):
    """Lines for a log file: a start, a line a second for each task that moves, every failure, an end.

    Args:
        stream: Standard error by default.
        clock: Unix seconds.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(stream, clock)
        self._told: dict[str, tuple[float, tuple[int, int, int]]] = {}
        self._failures: dict[str, int] = {}

    def interrupted(self) -> None:
        """See ``Progress.interrupted``."""

    def _show(self, now: float) -> None:
        for run in self._counting.runs.values():
            if now - run.at < START_AFTER_S:
                continue
            if run.uid not in self._failures:
                self._failures[run.uid] = 0
                self._write(f"{run.workflow} {run.uid} running")
            self._tell_failures(run)
            for line in run.lines.values():
                self._tell(run, line, now)

    def _end(self, run: RunCount) -> None:
        self._tell_failures(run)
        started = self._failures.pop(run.uid, None) is not None
        if started or run.lines or run.state is not RunState.SUCCEEDED:
            self._write(_summary(run, self._clock(), self._err))
        for name in [each for each in self._told if each.startswith(f"{run.uid}/")]:
            del self._told[name]

    def _tell(self, run: RunCount, line: TaskCount, now: float) -> None:
        key = f"{run.uid}/{line.name}"
        at, before = self._told.get(key, (0.0, (-1, -1, -1)))
        stand = (line.done, line.live, line.waits())
        if stand == before or now - at < LINE_EVERY_S:
            return
        self._told[key] = now, stand
        self._write(f"  {line.name}: {_stand(line)}")

    def _tell_failures(self, run: RunCount) -> None:
        told = self._failures.get(run.uid, 0)
        fresh = run.failures[told:]
        if not fresh:
            return
        self._failures[run.uid] = told + len(fresh)
        for each in fresh[: max(FAILURES_SHOWN - told, 0)]:
            self._write(f"  {each.key} {paint('failed', 'red', self._err)}: {one_line(each.error)}")

    def _write(self, text: str) -> None:
        self._err.write(text + "\n")
        self._err.flush()


_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = 20


class TreeProgress(_Display):
    """A tree that is drawn over itself.

    Args:
        stream: Standard error by default.
        clock: Unix seconds.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(stream, clock)
        self._rows = 0
        self._drawn = False
        self._frames = 0
        self._above: list[_Above] = []
        self._terminal = threading.RLock()

    def take(self, changes: Sequence[Change]) -> None:
        """See ``Progress.take``."""
        if not self._above:
            # Before anything can print: who takes a stream over in the middle of a line cuts it in two.
            with self._lock:
                self._put_above()
        super().take(changes)

    def interrupted(self) -> None:
        """See ``Progress.interrupted``: the frame that stands is left where it is."""
        self._rows = 0

    def _show(self, now: float) -> None:
        runs = [run for run in self._counting.runs.values() if now - run.at >= TREE_AFTER_S]
        if not runs:
            return
        self._drawn = True
        size = shutil.get_terminal_size()
        rows = [row for run in runs for row in self._tree(run, now)]
        if len(rows) > size.lines - 2:
            rows = [*rows[: max(size.lines - 3, 1)], paint(f"  … {len(rows) - size.lines + 3} more", "dim")]
        with self._terminal:
            if any(not each.line_over for each in self._above):
                return
            self._frames += 1
            # ?7: wrapping off and on again. K: clear the rest of the line. J: and of the screen.
            body = "".join(f"{row}\x1b[K\n" for row in rows)
            back = f"\x1b[{self._rows}A" if self._rows else ""
            self._out.write(f"\x1b[?7l{back}\r{body}\x1b[J\x1b[?7h")
            self._out.flush()
            self._rows = len(rows)

    def _end(self, run: RunCount) -> None:
        drawn = self._drawn
        with self._terminal:
            self.wipe()
            out = self._out
            if drawn and run.lines:
                out.write("".join(f"{row}\n" for row in self._tree(run, self._clock())[1:]))
            else:
                for each in run.failures[:FAILURES_SHOWN]:
                    out.write(f"  {each.key} {paint('failed', 'red', out)}: {one_line(each.error)}\n")
            if drawn or run.lines or run.state is not RunState.SUCCEEDED:
                out.write(_summary(run, self._clock(), out) + "\n")
            out.flush()
        if not self._counting.runs:
            self._drawn = False
            self._take_away()

    def wipe(self) -> None:
        """Take the frame off the screen; the caller holds the terminal."""
        if self._rows:
            self._out.write(f"\x1b[{self._rows}A\r\x1b[J")
            self._out.flush()
            self._rows = 0

    def _tree(self, run: RunCount, now: float) -> list[str]:
        out = self._out
        spin = _SPINNER[self._frames % len(_SPINNER)]
        age = duration((run.ended_at or now) - run.at)
        rows = [f"{paint(run.workflow, 'bold', out)} {run.uid} {paint_state(run.state, out)} {age}"]
        width = min(max((len(each.name) for each in run.lines.values()), default=0), 30)
        lines = list(run.lines.values())
        for line in sorted(lines, key=lambda each: not each.live) if len(lines) > 15 else lines:
            rows.append(f"  {self._mark(line, spin)} {line.name:<{width}.{width}}  {self._fact(line, now)}")
        return rows

    def _mark(self, line: TaskCount, spin: str) -> str:
        if line.failed:
            return paint("✗", "red", self._out)
        if line.live:
            return paint(spin, "blue", self._out)
        if line.waits():
            return paint("…", "cyan", self._out)
        return paint("✓", "green", self._out) if line.done >= line.added else paint("·", "dim", self._out)

    def _fact(self, line: TaskCount, now: float) -> str:
        parts = []
        if line.added > 1:
            full = _BAR * line.done // line.added
            bar = paint("━" * full, "green", self._out) + paint("─" * (_BAR - full), "dim", self._out)
            parts.append(bar)
        parts.append(_stand(line))
        if line.since is not None:
            until = now if line.live or line.until is None else line.until
            parts.append(paint(duration(until - line.since), "dim", self._out))
        if line.error is not None:
            parts.append(paint(one_line(line.error), "red" if line.failed else "yellow", self._out))
        return "  ".join(parts)

    def _put_above(self) -> None:
        """Have what tasks print go through us, where it would land on the same terminal."""
        if self._above or self._stream is not None:
            return
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if not is_terminal(stream):
                continue
            above = _Above(self, stream, self._terminal)
            # The log capture stands in for the stream; what it passes on is what has to go above.
            above.install(stream if hasattr(stream, "pass_on") else None, name)
            self._above.append(above)

    def _take_away(self) -> None:
        for each in self._above:
            each.uninstall()
        self._above.clear()

    @property
    def _out(self) -> Any:
        for each in self._above:
            if each.name == "stderr":
                return each.real
        stream = self._err
        return getattr(stream, "real", stream)


class _Above:
    """A terminal's stream while the tree is up: what is written to it appears above the tree."""

    buffer = None  # Bytes come as text too, or they would go around us.

    def __init__(self, tree: TreeProgress, stream: Any, terminal: threading.RLock) -> None:
        self.real: Any = getattr(stream, "real", stream)
        self.name = ""
        self.line_over = True
        self._tree = tree
        self._terminal = terminal
        self._holder: Any = None

    def install(self, holder: Any, name: str) -> None:
        """Take the real stream's place, in the stand-in ``holder`` or in ``sys``."""
        self.name = name
        self._holder = holder
        if holder is not None:
            holder.real = self
        else:
            setattr(sys, name, self)

    def uninstall(self) -> None:
        """Give the place back, unless someone else has taken it."""
        if self._holder is not None:
            if self._holder.real is self:
                self._holder.real = self.real
        elif getattr(sys, self.name) is self:
            setattr(sys, self.name, self.real)

    def write(self, text: str) -> int:
        """Write above the tree."""
        if not text:
            return 0
        with self._terminal:
            self._tree.wipe()
            written: int = self.real.write(text)
            self.line_over = text.endswith("\n")
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def _stand(line: TaskCount) -> str:
    """How far a task is, in words."""
    if line.added > 1:
        parts = [f"{line.done:,}/{line.added:,}"]
        facts = [(line.live, "running"), (line.failed, "failed"), (line.waits(), "waiting")]
        parts += [f"{number:,} {word}" for number, word in facts if number]
    else:
        parts = [state for state, number in line.states.items() if number] or ["pending"]
    if line.retries:
        parts.append("1 retry" if line.retries == 1 else f"{line.retries:,} retries")
    return ", ".join(parts)


def _summary(run: RunCount, now: float, stream: Any) -> str:
    """How a run ended, or what to do if it has not."""
    age = duration((run.ended_at or now) - run.at)
    totals = run.totals()
    what = ", ".join(f"{number:,} {state}" for state, number in totals.items())
    text = f"{run.workflow} {run.uid} {paint_state(run.state, stream)} after {age}"
    if run.state is RunState.SUCCEEDED:
        text += (
            f": {count(sum(totals.values()), 'task run')}" if totals.keys() <= {"succeeded"} else f": {what}"
        )
    elif run.state.terminal:
        text += f": {what}" if what else f": {one_line(run.root)}"
    else:
        text += f"\n  {paint('hint:', 'dim', stream)} go on with it: weft runs resume {run.uid}"
    return text
