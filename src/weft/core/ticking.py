"""What becomes of a schedule when it is due: which ticks run, which wait, which are passed over.

A schedule's place is ``next_tick``: nothing was decided about it and all after it, everything about those
before. A decision is made durable before anything acts on it: ``decide`` moves ticks to ``submitting``, the
scheduler writes that, submits their runs, and ``settle`` clears it. Whoever finds ``submitting`` filled
submits those ticks again, which their keys make harmless. So a tick can neither be lost nor run twice, and
what was decided stays decided, whichever process dies.

All of it is arithmetic on a ``Scheduled``; the time and how its runs stand are arguments.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from weft.core.schedule import Plan, check, moment_of, plan_of
from weft.model.errors import Conflict
from weft.model.schedules import Data, Overlap, Schedule, Scheduled
from weft.model.states import RunState

POLL_S = 10.0
"""How soon to look again at a schedule that has to wait, if nobody tells that a run has ended."""

ERROR_POLL_S = 30.0
"""How soon to look again at a schedule whose workflow cannot be run."""

QUEUE_MAX = 1000
"""Ticks that wait at most; later ones are skipped, and counted as such."""

BATCH = 100
"""Ticks of one schedule that are decided at once."""

_COUNT_MAX = 1000


class Standing(msgspec.Struct, frozen=True):
    """How a schedule's runs stand.

    Attributes:
        previous: The state of its last run; ``None`` if there is none, or it was deleted.
        open_runs: Open runs of its workflow; counted up to ``max_active_runs`` only.
    """

    previous: RunState | None = None
    open_runs: int = 0

    @property
    def previous_open(self) -> bool:
        """Whether the last run goes on."""
        return self.previous is not None and not self.previous.terminal


def enrol(workflow: str, schedule: Schedule, before: Scheduled | None, now: float) -> Scheduled:
    """What to keep of a schedule as it is now defined.

    What a person did to it (``paused``) and its history stay. If its ticks changed, those of the old
    definition that are due already stay due, and the new ones count from now.

    Args:
        workflow: Whose it is.
        schedule: As defined.
        before: What was kept so far; ``None`` for a new one.
        now: Unix seconds.

    Raises:
        InvalidSchedule: It cannot be.
    """
    check(schedule)
    if before is None:
        new = Scheduled(workflow=workflow, schedule=schedule, paused=schedule.paused, created_at=now)
        return replace(new, next_tick=_first_tick(_plan(new), now))
    after = replace(before, schedule=schedule)
    if _ticking(schedule) == _ticking(before.schedule):
        return after
    due, _, missed = _due(_plan(before), before, now)
    begin = now if before.last_tick is None else max(now, before.last_tick)
    return replace(
        after,
        next_tick=_plan(after).after(begin),
        waiting=(*before.waiting, *due)[:QUEUE_MAX],
        missed=before.missed + missed,
    )


def due_at(state: Scheduled, now: float) -> float | None:
    """When to look at it next: its record's ``due_at``."""
    if state.paused:
        return None
    if state.error:
        return now + ERROR_POLL_S
    if state.blocked:
        return now + POLL_S
    if state.submitting or state.waiting:
        return now
    return None if state.next_tick is None else _plan(state).due_at(state.next_tick)


def decide(state: Scheduled, now: float, standing: Standing, *, room: int = BATCH) -> Scheduled:
    """Decide about the ticks that are due: those of ``submitting`` are to be submitted at once.

    Args:
        state: As kept.
        now: Unix seconds.
        standing: How its runs stand.
        room: Most ticks to decide about.
    """
    if state.paused or state.submitting:
        return state
    state = replace(state, blocked="", error="")
    due, following, missed = _due(_plan(state), state, now, most=room)
    if not due and not state.waiting:
        return state
    schedule = state.schedule
    if schedule.overlap is Overlap.SKIP and standing.previous_open:
        skipped = state.skipped + len(due) + len(state.waiting)
        return replace(state, next_tick=following, waiting=(), missed=state.missed + missed, skipped=skipped)
    allowed, blocked = _leave(state, standing, room)
    if schedule.overlap is Overlap.QUEUE and not schedule.catchup and due:
        # What came while it waited waits too; what came while nobody looked was missed.
        kept = due[: max(QUEUE_MAX - len(state.waiting), 0)]
        state = replace(
            state,
            next_tick=following,
            waiting=(*state.waiting, *kept),
            missed=state.missed + missed,
            skipped=state.skipped + len(due) - len(kept),
        )
        due = ()
    waiting, state = state.waiting, replace(state, blocked=blocked)
    if not allowed:
        cancelled = state.last_run if schedule.overlap is Overlap.CANCEL_PREVIOUS else ""
        return replace(state, cancelled=cancelled if standing.previous_open else "")
    now_waiting, due_now = waiting[:allowed], due[: max(allowed - len(waiting), 0)]
    if due_now:
        next_tick = following if len(due_now) == len(due) else due[len(due_now)]
        state = replace(state, next_tick=next_tick, missed=state.missed + missed)
    return replace(
        state, waiting=waiting[len(now_waiting) :], submitting=(*now_waiting, *due_now), cancelled=""
    )


def settle(state: Scheduled, runs: Sequence[str]) -> Scheduled:
    """The ticks of ``submitting`` have made these runs, in order."""
    if not runs:
        return state
    return replace(state, submitting=(), last_tick=state.submitting[-1], last_run=runs[-1], error="")


def pause(state: Scheduled, by: str) -> Scheduled:
    """Make no more runs. It keeps its place."""
    return replace(state, paused=True, changed_by=by)


def resume(state: Scheduled, now: float, by: str) -> Scheduled:
    """Go on: with every tick since it was paused if it catches up, else with the latest of them.

    If its place is further ahead than the clock says, because the clock was wrong for a while, it is set
    right; ticks that ran already are known by their keys.
    """
    plan = _plan(state)
    last = None if state.next_tick is None else plan.before(state.next_tick)
    ahead = last is not None and last > now
    return replace(
        state,
        paused=False,
        changed_by=by,
        blocked="",
        error="",
        next_tick=plan.after(now) if ahead else state.next_tick,
    )


def trigger(state: Scheduled, tick: int) -> Scheduled:
    """Run it for a moment of a person's choice, besides its own ticks.

    Raises:
        Conflict: Too many of its ticks wait already.
    """
    if len(state.waiting) >= QUEUE_MAX:
        raise Conflict(f"{len(state.waiting)} ticks of {state.name} wait already", where=state.name)
    return replace(state, waiting=(*state.waiting, tick))


def facts(state: Scheduled, tick: int) -> dict[str, Any]:
    """What a tick's run may know of it by ``fact(...)``.

    ``schedule`` (its name), ``tick``, ``logical_date``, ``data_interval_start`` and ``data_interval_end``,
    all but the first datetimes in UTC.
    """
    begin, end = _plan(state).interval(tick)
    interval: dict[str, datetime] = {
        "data_interval_start": moment_of(begin),
        "data_interval_end": moment_of(end),
    }
    return {
        "schedule": state.schedule.name,
        "tick": moment_of(tick),
        "logical_date": interval["data_interval_start"],
        **interval,
    }


def _plan(state: Scheduled) -> Plan:
    return plan_of(state.schedule, state.name)


def _ticking(schedule: Schedule) -> tuple[Any, ...]:
    return schedule.timing, schedule.start, schedule.end, schedule.data


def _first_tick(plan: Plan, now: float) -> int | None:
    """Where a new schedule begins: now, or at its start if it catches up.

    Without catch-up one that is about intervals begins with the latest that is over, as in Airflow.
    """
    schedule = plan.schedule
    if schedule.start is not None and schedule.start.timestamp() < now:
        if schedule.catchup:
            return plan.after(schedule.start.timestamp() - 1)
        if schedule.data is Data.INTERVAL:
            return plan.upto(now) or plan.after(now)
    return plan.after(now)


def _due(
    plan: Plan, state: Scheduled, now: float, *, most: int = BATCH
) -> tuple[tuple[int, ...], int | None, int]:
    """The ticks that are due and count, the tick that follows them, and how many were passed over."""
    first = state.next_tick
    if first is None or plan.due_at(first) > now:
        return (), first, 0
    if not plan.schedule.catchup:
        return _latest(plan, first, now)
    due: list[int] = []
    tick: int | None = first
    while tick is not None and len(due) < most and plan.due_at(tick) <= now:
        due.append(tick)
        tick = plan.after(tick)
    return tuple(due), tick, 0


def _latest(plan: Plan, first: int, now: float) -> tuple[tuple[int, ...], int | None, int]:
    latest = plan.upto(now)
    while latest is not None and latest > first and plan.due_at(latest) > now:
        latest = plan.before(latest)
    if latest is None or latest <= first:
        return (first,), plan.after(first), 0
    passed, tick = 0, first
    while tick < latest and passed < _COUNT_MAX:
        passed += 1
        following = plan.after(tick)
        assert following is not None, "a later tick is known"
        tick = following
    return (latest,), plan.after(latest), passed


def _leave(state: Scheduled, standing: Standing, room: int) -> tuple[int, str]:
    """How many ticks may run now; if none, why."""
    schedule = state.schedule
    if schedule.overlap is not Overlap.ALLOW:
        if standing.previous_open:
            return 0, f"the run before, {state.last_run}, is {standing.previous}"
        room = 1
    if schedule.depends_on_previous:
        if standing.previous not in (None, RunState.SUCCEEDED):
            return 0, f"the run before, {state.last_run}, is {standing.previous}, and has to succeed"
        room = 1
    most = schedule.max_active_runs
    if most is not None:
        if standing.open_runs >= most:
            return 0, f"{state.workflow} has {standing.open_runs} open runs, and {most} at most"
        room = min(room, most - standing.open_runs)
    return room, ""
