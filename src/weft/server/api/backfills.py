"""Backfills: a workflow's schedule over a stretch of the past, planned first and then carried out."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar.params import JSONBody, QueryParameter

from weft.engine.backfills import BACKFILLS, Backfills, begin, foresee
from weft.model.backfills import Backfill, Only
from weft.model.errors import UsageError
from weft.model.tokens import Role
from weft.projects.records import SCHEDULES
from weft.server.context import Context, Given
from weft.server.paging import Order, Page, page_in_time
from weft.server.parameters import InOrder, Limit, Name, PageToken
from weft.server.routing import act, create, read
from weft.server.views import maybe_moment, moment, unix
from weft.store.records import Entry

TICKS_SHOWN = 100
"""Ticks that a plan lists; it counts the others."""

TICKS_MAX = 1_000_000
"""Ticks of the longest backfill."""


class BackfillBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A backfill that is wanted.

    Attributes:
        workflow: What runs.
        schedule: Which of its schedules.
        first: The first logical date.
        last: The last logical date, included.
        only: `missing`: ticks without a run; `failed`: also those whose latest run did not succeed; `all`.
        reverse: Whether the latest comes first.
        max_active: Its runs that may be open at once.
        params: Parameters of its runs, beside the schedule's own.
        tags: Of its runs.
        dry_run: Only say what would run.
    """

    workflow: Annotated[str, msgspec.Meta(min_length=1, max_length=250)]
    first: datetime
    last: datetime
    schedule: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "default"
    only: Only = Only.MISSING
    reverse: bool = False
    max_active: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 4
    params: dict[str, Any] = {}
    tags: Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=50)] = []
    dry_run: bool = False


class PlanView(msgspec.Struct, kw_only=True):
    """What a backfill would do.

    Attributes:
        total: Ticks in the stretch.
        count: How many would run.
        ticks: The first of these, in order.
        passed: How many would be left alone, by how their latest run stands.
        typical_s: How long a run usually takes; null if none has succeeded.
        estimate_s: How long all of it would take; null if nobody knows.
    """

    total: int
    count: int
    ticks: list[datetime]
    passed: dict[str, int]
    typical_s: float | None
    estimate_s: float | None


class BackfillView(msgspec.Struct, kw_only=True):
    """A backfill and how far it has come.

    Attributes:
        id: Its id; empty for one that was only planned.
        workflow: What runs.
        schedule: Which of its schedules.
        first: The first logical date.
        last: The last logical date, included.
        only: Which ticks run.
        reverse: Whether the latest comes first.
        max_active: Its runs that may be open at once.
        params: Parameters of its runs.
        tags: Of its runs; each has `backfill:` and the id too.
        stage: `running`, `paused`, `cancelled`, `succeeded` or `failed`.
        total: Ticks in the stretch.
        decided: Ticks that were decided about.
        passed: Ticks that were left alone.
        active: Ids of its open runs.
        succeeded: Its runs that succeeded.
        failed: Its runs that failed.
        cancelled: Its runs that were cancelled.
        error: Why it cannot go on; empty if it can.
        created_at: When it was made.
        created_by: By whom.
        ended_at: When it ended.
        plan: What it would do, if that was asked for.
    """

    id: str
    workflow: str
    schedule: str
    first: datetime
    last: datetime
    only: str
    reverse: bool
    max_active: int
    params: dict[str, Any]
    tags: list[str]
    stage: str
    total: int
    decided: int
    passed: int
    active: list[str]
    succeeded: int
    failed: int
    cancelled: int
    error: str
    created_at: datetime
    created_by: str
    ended_at: datetime | None
    plan: PlanView | None = None


@read("/backfills")
def list_backfills(
    context: Given,
    workflow: Annotated[str, QueryParameter(description="Only of this workflow.", max_length=250)] = "",
    order: InOrder = Order.NEWEST,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Page[BackfillView]:
    """List backfills, the newest first."""
    return page_in_time(
        context.store,
        BACKFILLS,
        lambda each: _view(each.name, each.value),
        order=order,
        limit=limit,
        token=page_token,
        keep=(lambda each: each.workflow == workflow) if workflow else None,
        filters=(workflow,),
    )


@create("/backfills", Role.OPERATOR)
def create_backfill(context: Given, data: JSONBody[BackfillBody]) -> BackfillView:
    """Make a backfill and begin with it, or plan one: `dry_run` changes nothing and has no id."""
    scheduled = SCHEDULES.require(context.store, f"{data.workflow}#{data.schedule}").value
    backfill = begin(
        data.workflow,
        scheduled.schedule,
        unix(data.first),
        unix(data.last),
        only=data.only,
        reverse=data.reverse,
        max_active=data.max_active,
        params=data.params,
        tags=tuple(data.tags),
        at=context.now,
        by=context.identity.name,
    )
    if backfill.total > TICKS_MAX:
        raise UsageError(
            f"the stretch has {backfill.total} ticks, and a backfill at most {TICKS_MAX}",
            where="last",
            hint="make several of shorter stretches",
        )
    # Parameters that do not fit are told of now, and not by a backfill that pauses.
    context.services.workflows.request(data.workflow, {**scheduled.schedule.params, **data.params})
    if data.dry_run:
        return _view("", backfill, _plan(context, backfill))
    name = context.new_id("bfl")
    return _view(name, _steering(context).create(name, backfill).value)


@read("/backfills/{name:str}")
def show_backfill(context: Given, name: Name) -> BackfillView:
    """Show a backfill."""
    return _view(name, BACKFILLS.require(context.store, name).value)


@act("/backfills/{name:str}/pause", Role.OPERATOR)
def pause_backfill(context: Given, name: Name) -> BackfillView:
    """Begin no more of its runs; the open ones go on."""
    return _change(context, name, _steering(context).pause)


@act("/backfills/{name:str}/resume", Role.OPERATOR)
def resume_backfill(context: Given, name: Name) -> BackfillView:
    """Go on with it."""
    return _change(context, name, _steering(context).resume)


@act("/backfills/{name:str}/cancel", Role.OPERATOR)
def cancel_backfill(context: Given, name: Name) -> BackfillView:
    """Begin no more of its runs, and cancel the open ones."""
    return _change(context, name, _steering(context).cancel)


def _steering(context: Context) -> Backfills:
    services = context.services
    return Backfills(context.store, services.control, services.workflows, clock=services.clock)


def _change(context: Context, name: str, change: Callable[..., Entry[Backfill]]) -> BackfillView:
    return _view(name, change(name, by=context.identity.name).value)


def _plan(context: Context, backfill: Backfill) -> PlanView:
    plan = foresee(context.store, backfill)
    return PlanView(
        total=plan.total,
        count=plan.count,
        ticks=[moment(each) for each in plan.runs[:TICKS_SHOWN]],
        passed=plan.passed,
        typical_s=plan.typical_s,
        estimate_s=plan.estimate_s,
    )


def _view(name: str, value: Backfill, plan: PlanView | None = None) -> BackfillView:
    return BackfillView(
        id=name,
        workflow=value.workflow,
        schedule=value.schedule.name,
        first=moment(value.first),
        last=moment(value.last),
        only=value.only.value,
        reverse=value.reverse,
        max_active=value.max_active,
        params=msgspec.to_builtins(value.params, str_keys=True),
        tags=list(value.tags),
        stage=value.stage.value,
        total=value.total,
        decided=value.made + value.passed + len(value.submitting),
        passed=value.passed,
        active=[each.run for each in value.active],
        succeeded=value.succeeded,
        failed=value.failed,
        cancelled=value.cancelled,
        error=value.error,
        created_at=moment(value.created_at),
        created_by=value.created_by,
        ended_at=maybe_moment(value.ended_at),
        plan=plan,
    )


ROUTES = [
    list_backfills,
    create_backfill,
    show_backfill,
    pause_backfill,
    resume_backfill,
    cancel_backfill,
]
