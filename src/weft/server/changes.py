"""Committed changes as the API tells them: one flat struct for every kind."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from weft.core.changes import (
    MapExpanded,
    RunAdded,
    RunChanged,
    Showed,
    Signalled,
    TaskAdded,
    TaskChanged,
    TaskRemade,
)
from weft.model.states import LIVE, TERMINAL, TaskState
from weft.server.views import AttemptView, ErrorView, error_view, maybe_moment, moment
from weft.store.protocol import EventRow

KINDS = (
    "run_added",
    "run",
    "node",
    "task_added",
    "task_remade",
    "task",
    "map",
    "signal",
    "cached",
    "showed",
)
"""Every kind of change, by its tag in the event log."""


class ChangeView(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One committed change. Fields that do not belong to its kind are left out.

    Attributes:
        seq: Its place in the log of all runs; grows.
        kind: What changed: ``run_added``, ``run``, ``task_added``, ``task``, ``map``...
        run: Id of the run.
        workflow: The run's workflow.
        at: When.
        idx: Index of the task run; -1 for the run itself.
        state: The new state.
        cause: Why.
        by: Index of the task run that brought it about; -1 for none.
        attempt: The attempt that it is about.
        generation: How often people cleared the task run before.
        key: Key of a task run that was added.
        name: Its task's name, or the name of an event that was sent.
        parent: Index of the task run that holds it.
        map_index: Which item of a map it is.
        due_at: When a timer moves it on.
        worker: Where the attempt ran.
        error: Why it failed, without the traceback.
        detail: More for people.
        base: Of a map: index of its first item.
        count: Of a map: how many items.
        shown: Of something published: its kind, key and title.
    """

    seq: int
    kind: str
    run: str
    workflow: str
    at: datetime
    idx: int = -1
    state: str = ""
    cause: str = ""
    by: int = -1
    attempt: int = 0
    generation: int = 0
    key: str = ""
    name: str = ""
    parent: int = -1
    map_index: int = -1
    due_at: datetime | None = None
    worker: str = ""
    error: ErrorView | None = None
    detail: str = ""
    base: int = -1
    count: int = -1
    shown: dict[str, str] = {}


def kind_of(row: EventRow) -> str:
    """The kind of a change."""
    tag = row.change.__struct_config__.tag
    return str(tag)


def change_view(row: EventRow, run: str, workflow: str) -> ChangeView:
    """A change of the run with this id."""
    view = ChangeView(
        seq=row.seq, kind=kind_of(row), run=run, workflow=workflow, at=moment(row.at), idx=row.idx
    )
    for name, value in _fields(row).items():
        setattr(view, name, value)
    return view


def _fields(row: EventRow) -> dict[str, Any]:
    change = row.change
    if isinstance(change, TaskChanged):
        return {
            "state": str(change.state),
            "cause": str(change.cause),
            "by": change.by,
            "attempt": change.attempt,
            "generation": change.generation,
            "due_at": maybe_moment(change.due_at),
            "worker": change.worker,
            "error": error_view(change.error),
            "detail": change.detail,
        }
    if isinstance(change, TaskAdded):
        return {
            "key": change.key,
            "name": change.name,
            "parent": change.parent,
            "map_index": change.map_index,
        }
    if isinstance(change, RunChanged):
        return {"state": str(change.state), "cause": str(change.cause), "error": error_view(change.error)}
    if isinstance(change, RunAdded):
        return {"key": change.key or ""}
    if isinstance(change, MapExpanded):
        return {"base": change.base, "count": change.count, "generation": change.generation}
    if isinstance(change, Signalled | TaskRemade):
        return {"name": change.name}
    if isinstance(change, Showed):
        shown = change.published
        return {
            "attempt": change.attempt,
            "shown": {"kind": shown.kind, "key": shown.key, "title": shown.title},
        }
    return {}


def attempts_of(rows: Iterable[EventRow]) -> list[AttemptView]:
    """The attempts that a task run's changes tell of."""
    found: dict[int, AttemptView] = {}
    for row in rows:
        change = row.change
        if not isinstance(change, TaskChanged) or change.attempt < 1:
            continue
        if change.state in (TaskState.PENDING, TaskState.READY):
            continue
        view = found.get(change.attempt)
        if view is None:
            view = found[change.attempt] = AttemptView(
                attempt=change.attempt,
                generation=change.generation,
                state=str(change.state),
                cause=str(change.cause),
            )
        elif view.ended_at is not None and change.state in TERMINAL and view.error is not None:
            continue  # It had ended already: this is what became of the task run because of that.
        view.state, view.cause = str(change.state), str(change.cause)
        if change.state is TaskState.QUEUED:
            view.queued_at = moment(change.at)
        if change.started_at is not None:
            view.started_at = moment(change.started_at)
        elif change.state is TaskState.RUNNING and view.started_at is None:
            view.started_at = moment(change.at)
        if change.state not in LIVE:
            view.ended_at = view.ended_at or moment(change.at)
        view.worker = change.worker or view.worker
        view.cpu_s = change.cpu_s or view.cpu_s
        view.rss_peak = change.rss_peak or view.rss_peak
        view.log_size = change.log_size or view.log_size
        view.error = error_view(change.error, whole=True) or view.error
    return [found[number] for number in sorted(found)]
