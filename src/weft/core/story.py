"""The story of a task run: what happened to it, why, and what led to that, in plain English.

Pure: from committed changes to sentences. Each ``TaskChanged`` says why it happened (``cause``) and which
task run brought it about (``by``); a story follows ``by`` from task run to task run, so that "did not run
because `load` failed" is followed by how `load` failed.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from weft.core.changes import Cause, Change, TaskAdded, TaskChanged
from weft.model.errors import ErrorInfo
from weft.model.graph import Node
from weft.model.rows import TaskRow
from weft.model.states import TERMINAL, TaskState
from weft.model.waits import ApprovalWait, ChildrenWait, EventWait, PokeWait, TimerWait, Wait

_T = TaskState
_BAD = (_T.FAILED, _T.UPSTREAM_FAILED, _T.CANCELLED)
DEPTH_MAX = 20
"""Task runs that a story follows one to the other."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened.

    Attributes:
        at: When, Unix seconds.
        idx, key: To which task run.
        state: What it became; ``None`` for its beginning.
        cause: Why: a ``Cause``.
        text: The same as a sentence without a full stop.
        depth: 0 for the task run that was asked about, 1 for what led to that, and so on.
    """

    at: float
    idx: int
    key: str
    state: TaskState | None
    cause: str
    text: str
    depth: int = 0


class Teller:
    """Tells stories of one run.

    Args:
        row: The row of an index.
        changes: The changes of one task run, oldest first; others among them are passed over.
        node: The node of a row, for how often it is tried; without it that is left out.
    """

    def __init__(
        self,
        row: Callable[[int], TaskRow | None],
        changes: Callable[[int], Iterable[Change]],
        node: Callable[[TaskRow], Node] | None = None,
    ) -> None:
        self._row = row
        self._changes = changes
        self._node = node

    def story(self, idx: int) -> list[Step]:
        """All that happened to a task run, each step followed by what led to it."""
        row = self._row(idx)
        if row is None:
            return []
        told: list[Step] = []
        before: TaskChanged | None = None
        for change in self._changes(idx):
            if isinstance(change, TaskAdded) and change.idx == idx:
                text = self._beginning(row)
                if text:
                    told.append(Step(change.at, idx, row.key, None, Cause.CALLED, text))
            elif isinstance(change, TaskChanged) and change.idx == idx:
                told.append(self._step(row, change, before, 0))
                told += self._because(change, {idx}, 1)
                before = change
        return told

    def ending(self, idx: int) -> list[Step]:
        """How a task run ended, or the last that happened to it, and what led to that."""
        return self._ending(idx, set(), 0, float("inf"))

    def _ending(self, idx: int, seen: set[int], depth: int, until: float) -> list[Step]:
        row = self._row(idx)
        moves = [each for each in self._changes(idx) if isinstance(each, TaskChanged) and each.idx == idx]
        moves = [each for each in moves if each.at <= until]
        ends = [at for at, each in enumerate(moves) if each.state in TERMINAL] or list(range(len(moves)))
        if row is None or not ends:
            return []
        at = ends[-1]
        before = moves[at - 1] if at else None
        return [
            self._step(row, moves[at], before, depth),
            *self._because(moves[at], {*seen, idx}, depth + 1),
        ]

    def _because(self, change: TaskChanged, seen: set[int], depth: int) -> list[Step]:
        if change.by < 0 or change.by in seen or depth > DEPTH_MAX:
            return []
        return self._ending(change.by, seen, depth, change.at)

    def _step(self, row: TaskRow, change: TaskChanged, before: TaskChanged | None, depth: int) -> Step:
        text = _SENTENCES.get(change.state, _plain)(self, row, change, before)
        return Step(change.at, row.idx, row.key, change.state, change.cause, text, depth)

    # --- words --------------------------------------------------------------------------------------------

    def _beginning(self, row: TaskRow) -> str:
        holder = self._row(row.parent)
        if holder is None or row.kind == "node":
            return ""
        if row.kind == "item":
            return f"item {row.map_index} of `{holder.key}`"
        if row.kind == "hook":
            return f"a hook of `{holder.key}`"
        return f"called by `{holder.key}`"

    def name(self, idx: int) -> str:
        """A task run's key as people see it."""
        row = self._row(idx)
        return f"`{row.key}`" if row is not None else f"task run {idx}"

    def tries(self, row: TaskRow, change: TaskChanged, *, after: bool = False) -> str:
        """Which try it is: `` (attempt 2 of 4)``, or nothing when there is only one."""
        number = change.failures + 1
        retry = self._node(row).retry if self._node is not None else None
        if retry is None or retry.limit == 0:
            return f" (attempt {change.attempt + after})" if change.attempt + after > 1 else ""
        if retry.limit < 0:
            return f" (attempt {number})"
        return f" (attempt {number} of {retry.limit + 1})"

    def became(self, idx: int) -> str:
        """How another task run ended, as a clause."""
        row = self._row(idx)
        state = row.state if row is not None else None
        how = "was skipped" if state is _T.SKIPPED else "did not succeed" if state in _BAD else "succeeded"
        return f"{self.name(idx)} {how}"

    def branch(self, idx: int) -> str:
        """What a branch chose, as an ending of a sentence."""
        row = self._row(idx)
        name = self.name(idx)
        if row is None or row.chosen is None:
            return f"branch {name} did not choose it"
        if not row.chosen:
            return f"{name} said not to go on"
        return f"branch {name} chose " + " and ".join(f"`{key}`" for key in row.chosen)


def story(
    idx: int,
    rows: dict[int, TaskRow],
    changes: Sequence[Change],
    node: Callable[[TaskRow], Node] | None = None,
) -> list[Step]:
    """The story of one task run of a run whose rows and changes are at hand. See ``Teller``."""
    by_idx: dict[int, list[Change]] = {}
    for change in changes:
        if isinstance(change, TaskAdded | TaskChanged):
            by_idx.setdefault(change.idx, []).append(change)
    return Teller(rows.get, lambda each: by_idx.get(each, []), node).story(idx)


def moment(at: float) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float) -> str:
    """A length of time for people: ``0.25 s``, ``90 s``, ``2 h 5 min``."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{round(hours / 24)} days"


def of_error(error: ErrorInfo | None) -> str:
    """An error in one line: its type's own name and its message."""
    if error is None:
        return "no error was given"
    message = error.message.strip().partition("\n")[0]
    if error.code:
        return message or error.type
    name = error.type.rpartition(".")[2]
    return f"{name}: {message}" if message else name


def for_what(wait: Wait | None, due_at: float | None) -> str:
    """What a wait waits for."""
    if isinstance(wait, TimerWait):
        return f"until {moment(due_at)}" if due_at is not None else "for a while"
    limit = f", until {moment(due_at)} at most" if due_at is not None else ""
    if isinstance(wait, EventWait):
        return f"for the event {wait.name!r}{limit}"
    if isinstance(wait, ApprovalWait):
        who = " or ".join(wait.assignees) if wait.assignees else "a person"
        return f"for the answer of {who}{limit}"
    if isinstance(wait, PokeWait):
        return f"to look again{f' at {moment(due_at)}' if due_at is not None else ''}"
    if isinstance(wait, ChildrenWait):
        return "for what it called"
    return "for something"


# --- one function for each state --------------------------------------------------------------------------


def _plain(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    return f"{change.state} ({change.cause})"


def _pending(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.cause is Cause.CLEARED:
        return "a person asked for it to run again"
    if change.cause is Cause.RETRY:
        return "to be made again, because its flow is tried again"
    return "found without a trace of its start after the engine died: it begins again"


def _queued(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    return "handed to its executor" + tell.tries(row, change)


def _running(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.cause is Cause.ITEMS:
        return f"expanded to {change.detail}" if change.detail else "its items may start"
    if change.cause is Cause.CLEARED:
        return "opened again, because something in it runs again"
    return "started" + (f" on {change.worker}" if change.worker else "")


def _waiting(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    return "waits " + for_what(change.wait, change.due_at)


def _retrying(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.cause is Cause.PREPARE:
        return "its outputs are not there yet, so it must run"
    pause = 0.0 if change.due_at is None else max(change.due_at - change.at, 0.0)
    then = f"tried again after {duration(pause)}" if pause else "tried again at once"
    return f"failed: {of_error(change.error)}; {then}{tell.tries(row, change, after=True)}"


def _lost(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.cause is Cause.ENGINE_DIED:
        return "lost, because the engine that ran it ended; it runs again and no retry is used up"
    return "lost, because the process that ran it died; it runs again and no retry is used up"


_SUCCESSES = {
    Cause.RETURNED: "succeeded",
    Cause.CALLED: "recorded",
    Cause.CHILDREN: "succeeded, as all that counts in it did",
    Cause.ITEMS: "succeeded: all its items have ended",
    Cause.EMPTY: "succeeded at once: there was nothing to map over",
    Cause.ANSWER: "answered by a person",
    Cause.DUE: "its time came",
    Cause.TIMEOUT: "nothing came in time, so it went on without",
    Cause.SCOPE_ENDED: "stopped, because all that it was there for had ended",
    Cause.MARKED: "a person said that it succeeded",
}


def _succeeded(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    wait = before.wait if before is not None else None
    if change.cause is Cause.EVENT and isinstance(wait, EventWait):
        return f"the event {wait.name!r} came"
    return _SUCCESSES.get(change.cause, "succeeded")


def _failed(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.cause is Cause.MARKED:
        return "a person said that it failed"
    if change.cause is Cause.UPSTREAM:
        return f"failed, because {tell.name(change.by)} in it did"
    if change.cause is Cause.WORKER_DIED:
        return f"failed, because the process that ran it died too often: {of_error(change.error)}"
    text = f"failed: {of_error(change.error)}"
    return f"{text}; not tried again: {change.detail}" if change.detail else text


def _skipped(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    cause = change.cause
    if cause is Cause.BRANCH:
        return f"skipped because {tell.branch(change.by)}"
    if cause is Cause.RULE:
        why = tell.became(change.by) if change.by >= 0 else "of what came before it"
        return f"skipped because {why} ({change.detail})" if change.detail else f"skipped because {why}"
    if cause is Cause.UPSTREAM:
        return f"skipped because {tell.name(change.by)}, whose result it reads, was skipped"
    if cause is Cause.CONDITION:
        return f"skipped because {change.detail or 'its condition is false'}"
    if cause is Cause.EMPTY:
        return "skipped because there was nothing to map over"
    if cause is Cause.ITEMS:
        return "skipped because all its items were"
    if cause is Cause.TIMEOUT:
        return "skipped because it waited too long"
    if cause is Cause.RAISED:
        return "skipped itself" + (f": {of_error(change.error)}" if change.error is not None else "")
    return "a person said to skip it" if cause is Cause.MARKED else f"skipped ({cause})"


def _upstream_failed(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.by >= 0:
        return f"did not run because {tell.name(change.by)}, which it needs, did not succeed"
    return f"did not run: {of_error(change.error)}"


def _cancelled(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.cause is Cause.FAIL_FAST:
        return "cancelled because something beside it failed"
    if change.cause is Cause.SCOPE_ENDED:
        return "cancelled because what held it had ended"
    return "cancelled"


def _cached(tell: Teller, row: TaskRow, change: TaskChanged, before: TaskChanged | None) -> str:
    if change.cause is Cause.SATISFIED:
        return f"did not run: its output {change.detail!r} was there already"
    return "did not run: an earlier result with the same inputs was used"


_SENTENCES: dict[TaskState, Callable[[Teller, TaskRow, TaskChanged, TaskChanged | None], str]] = {
    _T.PENDING: _pending,
    _T.QUEUED: _queued,
    _T.RUNNING: _running,
    _T.WAITING: _waiting,
    _T.RETRYING: _retrying,
    _T.LOST: _lost,
    _T.SUCCEEDED: _succeeded,
    _T.FAILED: _failed,
    _T.SKIPPED: _skipped,
    _T.UPSTREAM_FAILED: _upstream_failed,
    _T.CANCELLED: _cancelled,
    _T.CACHED: _cached,
}
