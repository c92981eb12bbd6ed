"""What a run has done so far, counted from its changes: for a display, so by task name and not by task run.

A change costs a dictionary look-up and two additions; what has ended is forgotten, except as a number. So a
run of 100,000 task runs takes no more room here than its live ones.
"""

from collections.abc import Iterable

from weft.core.changes import Change, MapExpanded, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.model.errors import ErrorInfo
from weft.model.rows import RunRow, TaskRow
from weft.model.states import LIVE, TERMINAL, RunState, TaskState

_GONE = "gone"
FAILURES_KEPT = 20


class Failure:
    """A task run that failed."""

    __slots__ = ("error", "key")

    def __init__(self, key: str, error: ErrorInfo | None) -> None:
        self.key = key
        self.error = error


class TaskCount:
    """The task runs of one task in one run.

    Attributes:
        name: The task's.
        added: Task runs there are, the expected items of maps included.
        states: Task runs by state; those not yet known are in none.
        retries: How often one was tried again.
        since: When the first began; ``until``: when the last ended.
        last: Key of the last that changed.
        error: Of the last failure or retry.
    """

    __slots__ = ("added", "error", "last", "name", "retries", "since", "states", "until")

    def __init__(self, name: str) -> None:
        self.name = name
        self.added = 0
        self.states: dict[str, int] = {}
        self.retries = 0
        self.since: float | None = None
        self.until: float | None = None
        self.last = ""
        self.error: ErrorInfo | None = None

    @property
    def done(self) -> int:
        """Task runs that have ended."""
        return sum(number for state, number in self.states.items() if state in TERMINAL)

    @property
    def live(self) -> int:
        """Task runs that have a worker, or wait for one."""
        return sum(number for state, number in self.states.items() if state in LIVE)

    @property
    def failed(self) -> int:
        """Task runs that failed."""
        return self.states.get(TaskState.FAILED, 0)

    def waits(self) -> int:
        """Task runs that wait for a time, an event or a person."""
        return self.states.get(TaskState.WAITING, 0)


class RunCount:
    """One run, by task name in order of appearance."""

    __slots__ = ("_keys", "_tasks", "at", "ended_at", "failures", "lines", "root", "state", "uid", "workflow")

    def __init__(self, uid: str, workflow: str, at: float) -> None:
        self.uid = uid
        self.workflow = workflow
        self.at = at
        self.ended_at: float | None = None
        self.state = RunState.SCHEDULED
        self.lines: dict[str, TaskCount] = {}
        self.failures: list[Failure] = []
        self.root: ErrorInfo | None = None
        self._tasks: dict[int, tuple[TaskCount | None, str]] = {}
        self._keys: dict[int, str] = {}

    def totals(self) -> dict[str, int]:
        """Task runs by state, over all tasks."""
        found: dict[str, int] = {}
        for line in self.lines.values():
            for state, number in line.states.items():
                if number:
                    found[state] = found.get(state, 0) + number
        return {state: found[state] for state in TaskState if state in found}

    def seed(self, row: RunRow, tasks: Iterable[TaskRow]) -> None:
        """Begin with what a stored run has done already."""
        self.state = row.state
        for task in tasks:
            if task.kind == "root":
                continue
            line = self._line(task.name)
            line.added += 1
            line.states[task.state] = line.states.get(task.state, 0) + 1
            if task.state not in TERMINAL:
                self._tasks[task.idx] = line, task.state
                self._keys[task.idx] = task.key

    def added(self, change: TaskAdded) -> None:
        """A task run became known."""
        if change.kind == "root":
            self._tasks[change.idx] = None, _GONE
            return
        line = self._line(change.name)
        if change.kind != "item":
            line.added += 1  # A map's items were counted as it expanded.
        self._tasks[change.idx] = line, ""
        self._keys[change.idx] = change.key

    def expanded(self, change: MapExpanded) -> None:
        """A map knows its items, which stand for it from here on."""
        line, state = self._tasks.get(change.idx, (None, ""))
        if line is None:
            return
        line.added += change.count - 1
        if state:
            line.states[state] -= 1
        self._tasks[change.idx] = None, _GONE

    def changed(self, change: TaskChanged) -> None:
        """A task run moved."""
        idx, state = change.idx, change.state
        line, before = self._tasks.get(idx, (None, _GONE))
        if line is None:
            if idx == 0 and change.error is not None:
                self.root = change.error
            return
        states = line.states
        if before:
            states[before] -= 1
        states[state] = states.get(state, 0) + 1
        line.last = self._keys.get(idx, "")
        if line.since is None and (state in LIVE or state in TERMINAL):
            line.since = change.started_at or change.at
        if state in TERMINAL:
            del self._tasks[idx]
            self._keys.pop(idx, None)
            line.until = change.at
            if state is TaskState.FAILED:
                line.error = change.error
                self.failures.append(Failure(line.last, change.error))
        else:
            self._tasks[idx] = line, state
            if state is TaskState.RETRYING:
                line.retries += 1
                line.error = change.error

    def _line(self, name: str) -> TaskCount:
        line = self.lines.get(name)
        if line is None:
            line = self.lines[name] = TaskCount(name)
        return line


class Counting:
    """The runs that are under way."""

    def __init__(self) -> None:
        self.runs: dict[int, RunCount] = {}

    def take(self, changes: Iterable[Change]) -> None:
        """Count a batch of committed changes."""
        runs = self.runs
        for change in changes:
            kind = type(change)
            if kind is RunAdded:
                assert isinstance(change, RunAdded)
                runs[change.run] = RunCount(change.uid, change.workflow, change.at)
                continue
            run = runs.get(change.run)
            if run is None:
                continue
            if isinstance(change, TaskChanged):
                run.changed(change)
            elif isinstance(change, TaskAdded):
                run.added(change)
            elif isinstance(change, MapExpanded):
                run.expanded(change)
            elif isinstance(change, RunChanged):
                run.state = change.state
                if change.state.terminal:
                    run.ended_at = change.at
                    if change.error is not None:
                        run.root = change.error


def one_line(error: ErrorInfo | None) -> str:
    """A failure in one line: the exception's name and the first line of what it says."""
    if error is None:
        return "no reason was recorded"
    name = error.type.rpartition(".")[2]
    first = next(iter(error.message.splitlines()), "")
    return f"{name}: {first}" if first else name
