"""What a service's API answers, as the rows that commands print: the same rows as from a store.

What the API does not tell stays empty, and where a command would print it, it is left out.
"""

from datetime import datetime
from typing import Any, Protocol

import msgspec

from weft.cli.output import NOT_SENT
from weft.client.models import (
    ChangeView,
    EngineView,
    ErrorView,
    RunDetail,
    RunView,
    ScheduleView,
    TaskDetail,
    TaskView,
    ValueView,
    WaitView,
    WhyView,
    WorkflowView,
)
from weft.core.changes import (
    Cause,
    Change,
    MapExpanded,
    RunAdded,
    RunChanged,
    Signalled,
    TaskAdded,
    TaskChanged,
)
from weft.core.story import Step
from weft.engine.blocking import Blocker
from weft.engine.explain import Explanation
from weft.model.errors import ErrorInfo
from weft.model.graph import Parameter
from weft.model.projects import WorkflowEntry
from weft.model.rows import RunRow, TaskRow
from weft.model.schedules import Overlap, Schedule, Scheduled, Timing
from weft.model.states import RunState, TaskState
from weft.model.values import NONE, Result
from weft.model.waits import ApprovalWait, ChildrenWait, EventWait, PokeWait, TimerWait, Wait
from weft.store.protocol import EngineRow, EventRow


class Keep(Protocol):
    """Makes a reference of a value that the API shows."""

    def __call__(self, view: ValueView | None, place: str = "") -> Result | None:
        """The reference; ``place`` says where the whole value can be asked for."""


def run_row(number: int, view: RunView | RunDetail, keep: Keep) -> RunRow:
    """A run."""
    whole = view if isinstance(view, RunDetail) else None
    params = {} if whole is None else {name: keep(each) for name, each in whole.params.items()}
    return RunRow(
        run=number,
        uid=view.id,
        workflow=view.workflow,
        dialect=view.dialect,
        graph="" if whole is None else whole.graph,
        version=view.version,
        state=RunState(view.state),
        params={name: each for name, each in params.items() if each is not None},
        tags=tuple(view.tags),
        project="" if whole is None else whole.project,
        key=view.key,
        parent_run=view.parent_run or "",
        parent_task=-1,
        facts={} if whole is None else whole.facts,
        created_at=view.created_at.timestamp(),
        started_at=_seconds(view.started_at),
        ended_at=_seconds(view.ended_at),
        result=NOT_SENT if whole is None else keep(whole.result, f"{view.id}/0"),
        error=error_info(view.error),
        owner=0 if whole is None else whole.engine,
        queue="" if whole is None else whole.queue,
    )


def task_row(run: int, uid: str, view: TaskView | TaskDetail, keep: Keep) -> TaskRow:
    """A task run."""
    whole = view if isinstance(view, TaskDetail) else None
    return TaskRow(
        run=run,
        idx=view.idx,
        key=view.key,
        name=view.name,
        kind=view.kind,
        node="" if whole is None else whole.node,
        parent=view.parent,
        map_index=-1 if view.map_index is None else view.map_index,
        ordinal=-1,
        fingerprint="",
        inputs={},
        state=TaskState(view.state),
        attempt=view.attempt,
        generation=view.generation,
        failures=view.failures,
        cause=view.cause,
        by=view.by,
        first_at=view.added_at.timestamp(),
        changed_at=view.changed_at.timestamp(),
        started_at=_seconds(view.started_at),
        ended_at=_seconds(view.ended_at),
        due_at=_seconds(view.due_at),
        result=NOT_SENT if whole is None else keep(whole.result, f"{uid}/{view.idx}"),
        error=error_info(view.error),
        wait=_wait(view.waits_for),
        worker=view.worker,
        chosen=None if whole is None or whole.chosen is None else tuple(whole.chosen),
    )


def event_row(run: int, view: ChangeView) -> EventRow | None:
    """A committed change; ``None`` for one that no command tells about."""
    change = _change(run, view)
    if change is None:
        return None
    return EventRow(seq=view.seq, run=run, idx=view.idx, at=view.at.timestamp(), change=change)


def _change(run: int, view: ChangeView) -> Change | None:
    at = view.at.timestamp()
    match view.kind:
        case "run_added":
            return RunAdded(run, view.run, view.workflow, "", at, key=view.key or None)
        case "run":
            cause, error = Cause(view.cause), error_info(view.error)
            return RunChanged(run, RunState(view.state), at, cause, error=error)
        case "task_added":
            kind = "root" if view.idx == 0 else "item" if view.map_index >= 0 else "node"
            return TaskAdded(
                run,
                view.idx,
                view.key,
                view.name,
                at,
                kind=kind,
                parent=view.parent,
                map_index=view.map_index,
            )
        case "task":
            return TaskChanged(
                run,
                view.idx,
                TaskState(view.state),
                view.attempt,
                at,
                Cause(view.cause),
                by=view.by,
                generation=view.generation,
                error=error_info(view.error),
                due_at=_seconds(view.due_at),
                worker=view.worker,
                detail=view.detail,
            )
        case "map":
            return MapExpanded(run, view.idx, at, view.base, view.count, NONE, view.generation)
        case "signal":
            return Signalled(run, view.name, at, NONE, "")
    return None


def engine_row(view: EngineView) -> EngineRow:
    """An engine."""
    return EngineRow(
        engine=view.id,
        name=view.name,
        host=view.host,
        pid=view.pid,
        started_at=view.started_at.timestamp(),
        expires_at=view.expires_at.timestamp(),
    )


def scheduled(view: ScheduleView) -> Scheduled:
    """A schedule and how far it has come."""
    schedule = Schedule(
        msgspec.convert(view.timing, Timing),
        name=view.schedule,
        params=view.params,
        start=view.start,
        end=view.end,
        catchup=view.catchup,
        overlap=Overlap(view.overlap),
        max_active_runs=view.max_active_runs,
        depends_on_previous=view.depends_on_previous,
    )
    return Scheduled(
        workflow=view.workflow,
        schedule=schedule,
        paused=view.paused,
        next_tick=_tick(view.next_tick),
        last_tick=_tick(view.last_tick),
        last_run=view.last_run,
        missed=view.missed,
        skipped=view.skipped,
        blocked=view.blocked,
        error=view.error,
    )


def workflow_entry(view: WorkflowView, schedules: tuple[Schedule, ...]) -> WorkflowEntry:
    """A deployed workflow."""
    return WorkflowEntry(
        name=view.name,
        project=view.project,
        snapshot="",
        file=view.file,
        variable="",
        graph=view.graph,
        version=view.version,
        code="",
        environment="",
        line=view.line,
        kind=view.kind,
        dialect=view.dialect,
        params=tuple(
            Parameter(each.name, required=each.required, schema=each.schema, doc=each.doc, fact=each.fact)
            for each in view.params
        ),
        schedules=schedules,
        max_active_runs=view.max_active_runs,
        tags=tuple(view.tags),
        doc=view.doc,
        paused=view.paused,
        gone=view.gone,
        deployed_at=view.deployed_at.timestamp(),
        deployed_by=view.deployed_by,
    )


def explanation(view: WhyView) -> Explanation:
    """Why something is where it is."""
    return Explanation(
        run=view.run,
        task=view.task,
        state=view.state,
        answer=view.answer,
        blockers=tuple(Blocker(each.kind, each.text, tasks=tuple(each.tasks)) for each in view.blockers),
        steps=tuple(
            Step(
                at=each.at.timestamp(),
                idx=each.idx,
                key=each.key,
                state=TaskState(each.state) if each.state else None,
                cause=each.cause,
                text=each.text,
                depth=each.depth,
            )
            for each in view.steps
        ),
    )


def error_info(view: ErrorView | None) -> ErrorInfo | None:
    """A failure."""
    if view is None:
        return None
    return ErrorInfo(view.type, view.message, view.code, view.traceback, exit_code=view.exit_code)


def _wait(view: WaitView | None) -> Wait | None:
    if view is None:
        return None
    waits: dict[str, Any] = {"timer": TimerWait(), "poke": PokeWait(), "children": ChildrenWait(())}
    if view.kind == "approval":
        return ApprovalWait(view.prompt, view.form, tuple(view.assignees), default=view.default)
    if view.kind == "event":
        return EventWait(view.event)
    return waits.get(view.kind)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _tick(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
