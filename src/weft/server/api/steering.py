"""What may be done to runs that are there: cancel, pause, resume, retry, clear, mark, send; one or many."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody

from weft.model.errors import InvalidTransition, RunNotResumable, UsageError
from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState, TaskState
from weft.model.tokens import Role
from weft.model.values import Result
from weft.server.api.runs import forget_runs
from weft.server.api.tasks import find_task
from weft.server.context import Context, Given
from weft.server.parameters import NUMBER_MAX, RunRef, TaskIdx
from weft.server.routing import act
from weft.server.views import RunDetail, TaskView, run_detail, task_view
from weft.store.query import MAX_LENGTH

KEYS_SHOWN = 100
"""Task runs, or runs, that an answer names; it counts the others."""

BULK_MAX = 10_000
_PAGE = 500

Index = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]


class Cancel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a run is cancelled.

    Attributes:
        force: Without teardowns and exit handlers.
    """

    force: bool = False


class Clear(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What of a run shall run again.

    Attributes:
        tasks: Indexes of task runs; none is the whole run.
        downstream: Also all that comes after them, though it ended well.
        upstream: Also all that comes before them.
        only_failed: Only what failed, was cancelled or could not start.
        dry_run: Only say which task runs it would be.
    """

    tasks: Annotated[list[Index], msgspec.Meta(max_length=10_000)] = []
    downstream: bool = False
    upstream: bool = False
    only_failed: bool = False
    dry_run: bool = False


class Cleared(msgspec.Struct, kw_only=True):
    """What runs again.

    Attributes:
        run: Id of the run.
        count: How many task runs.
        tasks: The first of them, as they were before.
        dry_run: Whether nothing was changed.
    """

    run: str
    count: int
    tasks: list[TaskView]
    dry_run: bool


class Mark(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a person says that a task run ended.

    Attributes:
        state: The state.
        result: What it shall have returned, as JSON.
        dry_run: Only say which task runs would change.
    """

    state: Literal["succeeded", "failed", "skipped"]
    result: Any = None
    dry_run: bool = False


class Marked(msgspec.Struct, kw_only=True):
    """What a mark changes: the task run, and what could not start because of its old end.

    Attributes:
        run: Id of the run.
        count: How many task runs; none if it has that end already.
        tasks: The first of them, as they were before.
        dry_run: Whether nothing was changed.
    """

    run: str
    count: int
    tasks: list[TaskView]
    dry_run: bool


class Signal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event for a run.

    Attributes:
        name: As the run waits for it.
        payload: What the wait returns, as JSON.
        id: A second event of the same id is ignored.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=250)]
    payload: Any = None
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None


class Asked(msgspec.Struct, kw_only=True):
    """Something that was asked of the engine that owns a run. It is durable, and done soon.

    Attributes:
        request: The request's id.
        run: The run as it stands now, which may be before it is done.
    """

    request: str
    run: RunDetail


class Bulk(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The same for many runs.

    Attributes:
        action: What to do; runs to which it does not apply are left alone.
        where: Which runs, such as `state:failed workflow:etl`; must not be empty.
        dry_run: Only count.
        limit: How many at most; the newest first.
    """

    action: Literal["cancel", "pause", "resume", "retry", "delete"]
    where: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LENGTH)]
    dry_run: bool = True
    limit: Annotated[int, msgspec.Meta(ge=1, le=BULK_MAX)] = 1000


class BulkDone(msgspec.Struct, kw_only=True):
    """What was done to many runs.

    Attributes:
        action: What.
        count: To how many runs.
        runs: Ids of the first of them.
        refused: Runs to which it could not be done after all, with the reason.
        more: Whether `where` picks more than `limit` of them.
        dry_run: Whether nothing was changed.
    """

    action: str
    count: int
    runs: list[str]
    refused: dict[str, str]
    more: bool
    dry_run: bool


@act("/runs/{run:str}/cancel", Role.OPERATOR)
def cancel_run(context: Given, run: RunRef, data: JSONBody[Cancel | None] = None) -> Asked:
    """Stop a run: no task starts, those that run are stopped, teardowns and exit handlers run."""
    return _ask(context, run, "cancel", force=data.force if data is not None else False)


@act("/runs/{run:str}/pause", Role.OPERATOR)
def pause_run(context: Given, run: RunRef) -> Asked:
    """Start nothing new in a run until it is resumed."""
    return _ask(context, run, "pause")


@act("/runs/{run:str}/resume", Role.OPERATOR)
def resume_run(context: Given, run: RunRef) -> Asked:
    """Let a paused run go on."""
    return _ask(context, run, "resume")


@act("/runs/{run:str}/retry", Role.OPERATOR)
def retry_run(context: Given, run: RunRef) -> Cleared:
    """Run again what failed in a run, and what follows it."""
    return _clear(context, run, Clear(only_failed=True))


@act("/runs/{run:str}/clear", Role.OPERATOR)
def clear_run(context: Given, run: RunRef, data: JSONBody[Clear]) -> Cleared:
    """Run parts of a run again, or say which parts that would be.

    Of a run that goes on, what has ended in it.
    """
    return _clear(context, run, data)


@act("/runs/{run:str}/tasks/{idx:int}/mark", Role.OPERATOR)
def mark_task(context: Given, run: RunRef, idx: TaskIdx, data: JSONBody[Mark]) -> Marked:
    """Say how a task run ended, or would: an attempt that runs is stopped, and what can go on goes on."""
    row, task = find_task(context, run, idx)
    result = context.artifacts.dumps(data.result, what="the result") if data.state == "succeeded" else None
    changed = context.services.control.mark(
        row,
        task.idx,
        TaskState(data.state),
        result=result,
        dry_run=data.dry_run,
        by=context.identity.name,
    )
    shown = [task_view(each) for each in changed[:KEYS_SHOWN]]
    return Marked(run=row.uid, count=len(changed), tasks=shown, dry_run=data.dry_run)


@act("/runs/{run:str}/tasks/{idx:int}/cancel", Role.OPERATOR)
def cancel_task(context: Given, run: RunRef, idx: TaskIdx) -> Asked:
    """Stop one task run and what it holds."""
    row, task = _open_task(context, run, idx)
    return _ask(context, row.uid, "cancel_task", idx=task.idx)


@act("/runs/{run:str}/signals", Role.OPERATOR)
def send_signal(context: Given, run: RunRef, data: JSONBody[Signal]) -> Asked:
    """Send an event to a run; it is kept until something waits for it."""
    payload = context.artifacts.dumps(data.payload, what="the payload")
    row = context.store.run(run)
    request_id = None if data.id is None else f"{row.uid}:{data.id}"
    return _ask(context, row.uid, "send", name=data.name, payload=payload, request_id=request_id)


@act("/runs/bulk", Role.EDITOR)
def change_runs(context: Given, data: JSONBody[Bulk]) -> BulkDone:
    """Do the same to every run that a query picks. Only counts, unless `dry_run` is false."""
    if not data.where.strip():
        raise UsageError(
            "a query that picks every run is not taken",
            where="where",
            hint="workflow:* picks all, if you mean it",
        )
    rows, more = _picked(context, data)
    done: list[RunRow] = []
    refused: dict[str, str] = {}
    if data.dry_run:
        done = rows
    elif data.action == "delete":
        forget_runs(context, rows)
        done = rows
    else:
        for row in rows:
            try:
                _do(context, row, data.action)
            except (RunNotResumable, InvalidTransition) as exc:
                refused[row.uid] = exc.what  # It moved on since it was listed.
            else:
                done.append(row)
    return BulkDone(
        action=data.action,
        count=len(done),
        runs=[row.uid for row in done[:KEYS_SHOWN]],
        refused=dict(list(refused.items())[:KEYS_SHOWN]),
        more=more,
        dry_run=data.dry_run,
    )


def _do(context: Context, row: RunRow, action: str) -> None:
    control = context.services.control
    if action == "retry":
        control.clear(row, only_failed=True, by=context.identity.name)
    else:
        control.ask(row, action, by=context.identity.name)


_APPLIES: dict[str, Callable[[RunState], bool]] = {
    "cancel": lambda state: not state.terminal,
    "pause": lambda state: not state.terminal and state is not RunState.PAUSED,
    "resume": lambda state: state is RunState.PAUSED,
    "retry": lambda state: state in (RunState.FAILED, RunState.CANCELLED),
    "delete": lambda state: state.terminal,
}


def _picked(context: Context, data: Bulk) -> tuple[list[RunRow], bool]:
    """The runs that a query picks and the action applies to, and whether there are more."""
    applies = _APPLIES[data.action]
    rows: list[RunRow] = []
    before: int | None = None
    while found := context.store.runs(data.where, limit=_PAGE, before=before):
        rows += [row for row in found if applies(row.state)]
        if len(rows) > data.limit:
            return rows[: data.limit], True
        before = found[-1].run
    return rows, False


def _ask(
    context: Context,
    run: str,
    kind: str,
    *,
    idx: int = -1,
    name: str = "",
    payload: Result | None = None,
    force: bool = False,
    request_id: str | None = None,
) -> Asked:
    row = context.store.run(run)
    request = context.services.control.ask(
        row,
        kind,
        by=context.identity.name,
        name=name,
        idx=idx,
        payload=payload,
        force=force,
        request_id=request_id,
    )
    return Asked(request=request, run=run_detail(context.store.run_by_id(row.run), context.artifacts))


def _clear(context: Context, run: str, data: Clear) -> Cleared:
    row = context.store.run(run)
    for idx in data.tasks:
        context.store.task(row.run, idx)
    cleared: list[TaskRow] = context.services.control.clear(
        row,
        tasks=data.tasks,
        downstream=data.downstream,
        upstream=data.upstream,
        only_failed=data.only_failed,
        dry_run=data.dry_run,
        by=context.identity.name,
    )
    shown = [task_view(each) for each in cleared[:KEYS_SHOWN]]
    return Cleared(run=row.uid, count=len(cleared), tasks=shown, dry_run=data.dry_run)


def _open_task(context: Context, run: str, idx: int) -> tuple[RunRow, TaskRow]:
    """A task run that has not ended."""
    row, task = find_task(context, run, idx)
    if TaskState(task.state).terminal:
        raise InvalidTransition(
            f"{task.key} has ended: it {task.state}", where=row.uid, hint="clear it to let it run again"
        )
    return row, task


ROUTES = [
    cancel_run,
    pause_run,
    resume_run,
    retry_run,
    clear_run,
    mark_task,
    cancel_task,
    send_signal,
    change_runs,
]
