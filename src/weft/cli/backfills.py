"""``weft backfills``: a workflow's schedule over a stretch of the past, planned first."""

import os
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.asking import me
from weft.cli.keeping import parameters
from weft.cli.output import emit
from weft.cli.reading import Home, home
from weft.cli.schedules import find, moment_in
from weft.cli.style import iso, moment, say, table
from weft.core.schedule import plan_of
from weft.engine.backfills import BACKFILLS, Backfills, begin, foresee
from weft.engine.clock import SystemClock
from weft.engine.control import Control
from weft.model.backfills import Backfill, BackfillPlan, Only
from weft.model.errors import UsageError
from weft.model.ids import ulid
from weft.observability.terminal import count, duration
from weft.projects.workflows import Workflows

app = noun("backfills", help="Plan, create, list, show, pause, resume and cancel backfills.")

Name = Annotated[str, Parameter(help="The backfill's id.")]

TICKS_MAX = 1_000_000
"""Ticks of the longest backfill, as in the API."""

TICKS_SHOWN = 10


@app.command
def create(
    workflow: Annotated[str, Parameter(help="WORKFLOW#SCHEDULE, or WORKFLOW if it has one schedule only.")],
    /,
    *,
    first: Annotated[str, Parameter(help="The first logical date, ISO 8601.")],
    last: Annotated[str, Parameter(help="The last one, included.")],
    only: Annotated[
        Only, Parameter(help="Ticks without a run, also those whose run failed, or all.")
    ] = Only.MISSING,
    reverse: Annotated[bool, Parameter(help="The latest first.")] = False,
    max_active: Annotated[int, Parameter(help="Its runs that may be open at once.")] = 4,
    param: Annotated[
        list[str] | None, Parameter(name=["--param", "-p"], help="name=value, for its runs.")
    ] = None,
    tag: Annotated[list[str] | None, Parameter(name="--tag", help="Of its runs.")] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Run a schedule over the past. Without --yes, only show what would run, and how long it would take."""
    with home() as opened:
        scheduled = find(opened.store, workflow).value
        schedule, of = scheduled.schedule, scheduled.workflow
        plan = plan_of(schedule, scheduled.name)
        params = parameters(param or ())
        backfill = begin(
            of,
            schedule,
            moment_in(first, plan),
            moment_in(last, plan),
            only=only,
            reverse=reverse,
            max_active=max_active,
            params=params,
            tags=tuple(tag or ()),
            at=time.time(),
            by=me(),
        )
        if backfill.total > TICKS_MAX:
            raise UsageError(
                f"the stretch has {backfill.total:,} ticks, and a backfill at most {TICKS_MAX:,}",
                hint="make several of shorter stretches",
            )
        # Parameters that do not fit are told of now, and not by a backfill that pauses.
        _workflows(opened).request(of, {**schedule.params, **params})
        if not yes:
            _show_plan(foresee(opened.store, backfill), backfill, json=json)
            return
        name = ulid("bfl", int(time.time() * 1000), os.urandom(10))
        made = _steering(opened).create(name, backfill)
    if json:
        emit(_object(made.name, made.value))
        return
    say(f"made backfill {name} of {count(backfill.total, 'tick')}; it goes on while a service runs")
    print(name)


@app.command(name="list")
def list_backfills(*, json: Json = False) -> None:
    """List backfills, newest first."""
    with home() as opened:
        found = list(BACKFILLS.all(opened.store))[::-1]
    if json:
        for entry in found:
            emit(_object(entry.name, entry.value))
        return
    if not found:
        say("no backfills yet: weft backfills create WORKFLOW --first DATE --last DATE")
        return
    rows = [
        (
            each.name,
            each.value.workflow,
            str(each.value.stage),
            f"{_day(each.value.first)} to {_day(each.value.last)}",
            _progress(each.value),
            moment(each.value.created_at),
        )
        for each in found
    ]
    table(rows, ("BACKFILL", "WORKFLOW", "STATE", "STRETCH", "DONE", "CREATED"), state=2)


@app.command
def show(name: Name, /, *, json: Json = False) -> None:
    """Show a backfill and how far it has come."""
    with home() as opened:
        value = BACKFILLS.require(opened.store, name).value
    if json:
        emit(_object(name, value))
        return
    print(f"{name}  {value.workflow}  {value.stage}")
    print(f"  {_day(value.first)} to {_day(value.last)}: {_progress(value)}")
    print(f"  succeeded {value.succeeded}, failed {value.failed}, cancelled {value.cancelled}", end="")
    print(f", left alone {value.passed}")
    for each in value.active:
        print(f"  open: {each.run} ({_day(each.tick)})")
    if value.error:
        print(f"  error: {value.error}")


@app.command
def pause(name: Name, /) -> None:
    """Begin no more of its runs; the open ones go on."""
    with home() as opened:
        _steering(opened).pause(name, by=me())
    say(f"{name} is paused")


@app.command
def resume(name: Name, /) -> None:
    """Go on with a backfill."""
    with home() as opened:
        _steering(opened).resume(name, by=me())
    say(f"{name} goes on while a service runs")


@app.command
def cancel(name: Name, /, *, yes: Yes = False) -> None:
    """Begin no more of its runs, and cancel the open ones."""
    with home() as opened:
        value = BACKFILLS.require(opened.store, name).value
        if not yes:
            raise UsageError(
                f"this would cancel {count(len(value.active), 'open run')}", hint="say --yes to do it"
            )
        _steering(opened).cancel(name, by=me())
    say(f"{name} is cancelled")


def _show_plan(plan: BackfillPlan, backfill: Backfill, *, json: bool) -> None:
    if json:
        emit(
            {
                "workflow": backfill.workflow,
                "total": plan.total,
                "count": plan.count,
                "ticks": [iso(each) for each in plan.runs],
                "passed": plan.passed,
                "typical_s": plan.typical_s,
                "estimate_s": plan.estimate_s,
            }
        )
        return
    print(f"{backfill.workflow}: {plan.count:,} of {count(plan.total, 'tick')} would run")
    for tick in plan.runs[:TICKS_SHOWN]:
        print(f"  {_day(tick)}")
    if plan.count > TICKS_SHOWN:
        print(f"  and {plan.count - TICKS_SHOWN:,} more")
    for why, number in sorted(plan.passed.items()):
        print(f"left alone, because a run is {why}: {number:,}")
    if plan.estimate_s is not None and plan.typical_s is not None:
        each = f"a run takes {duration(plan.typical_s)}, {backfill.max_active} at once"
        print(f"about {duration(plan.estimate_s)}: {each}")
    else:
        print("how long it takes is not known: no run has succeeded yet")
    if plan.count:
        say("say --yes to begin")


def _workflows(opened: Home) -> Workflows:
    return Workflows(opened.store, opened.artifacts, opened.settings.home_path, time.time)


def _steering(opened: Home) -> Backfills:
    store, clock = opened.store, SystemClock()
    return Backfills(store, Control(store, None, clock=clock), _workflows(opened), clock=clock)


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def _progress(value: Backfill) -> str:
    decided = value.made + value.passed + len(value.submitting)
    return f"{decided - len(value.active):,} of {count(value.total, 'tick')}"


def _object(name: str, value: Backfill) -> dict[str, Any]:
    return {
        "id": name,
        "workflow": value.workflow,
        "schedule": value.schedule.name,
        "first": iso(value.first),
        "last": iso(value.last),
        "only": value.only.value,
        "reverse": value.reverse,
        "max_active": value.max_active,
        "params": value.params,
        "tags": list(value.tags),
        "stage": value.stage.value,
        "total": value.total,
        "passed": value.passed,
        "active": [each.run for each in value.active],
        "succeeded": value.succeeded,
        "failed": value.failed,
        "cancelled": value.cancelled,
        "error": value.error or None,
        "created": iso(value.created_at),
        "created_by": value.created_by or None,
        "ended": iso(value.ended_at),
    }
