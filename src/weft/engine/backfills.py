"""Backfills: what one would do, and the loop that carries them out.

Rules:

1. A record is read, decided about, written and only then acted on, as schedules are (``scheduler.py``): any
   number of loops may share a store, and whatever crashes, a decided tick is submitted under the same key.
2. Ticks are decided about one after another and never listed in advance: a stretch may have millions.
3. A backfill of a schedule that depends on its previous tick goes on only after a success.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from statistics import median
from threading import Event, Thread
from typing import Any, Protocol

from msgspec.structs import replace

from weft.core.schedule import Plan, moment_of, plan_of
from weft.engine.clock import Clock
from weft.model.backfills import KIND, Backfill, BackfillPlan, Only, Stage, TickRun, key_of
from weft.model.errors import Conflict, NotFound, UsageError, WeftError
from weft.model.rows import RunRow
from weft.model.schedules import Schedule
from weft.model.states import RunState
from weft.runtime.host import RunRequest
from weft.store.protocol import Store
from weft.store.records import Collection, Entry

BACKFILLS = Collection(KIND, Backfill)

PLAN_RUNS = 1000
"""Ticks that a plan lists; it counts the others."""

LOOK_S = 1.0
"""How often an open backfill's runs are looked at."""

DECIDE_MAX = 500
"""Ticks decided about in one step of one backfill, most of which may be left alone."""

HISTORY = 20
"""Runs that an estimate is taken from."""

_OPEN = "state:scheduled,queued,running,paused"
_log = logging.getLogger("weft.backfills")


class Workflows(Protocol):
    """What a backfill must know of workflows; see ``scheduler.Workflows``."""

    def request(
        self, name: str, *, params: dict[str, Any], facts: dict[str, Any], key: str, tags: tuple[str, ...]
    ) -> RunRequest:
        """A run of its newest version."""


class Submits(Protocol):
    """The way in for runs; see ``engine/control.py``."""

    def submit(self, requests: Sequence[RunRequest]) -> list[RunRow]:
        """Have runs accepted, durably; a key that is known gives the run that has it."""

    def ask(self, row: RunRow, kind: str, *, by: str = "", request_id: str | None = None) -> object:
        """Ask something of whoever owns a run."""


# --- what one would do ------------------------------------------------------------------------------------


def begin(
    workflow: str,
    schedule: Schedule,
    first: float,
    last: float,
    *,
    only: Only = Only.MISSING,
    reverse: bool = False,
    max_active: int = 4,
    params: dict[str, Any] | None = None,
    tags: tuple[str, ...] = (),
    at: float = 0.0,
    by: str = "",
) -> Backfill:
    """A new backfill, not yet kept by anyone.

    Args:
        workflow, schedule: What runs, and when it would have.
        first, last: The stretch of logical dates, both included, Unix seconds.
        only, reverse, max_active, params, tags: See ``Backfill``.
        at, by: When, and who wants it.

    Raises:
        UsageError: The stretch ends before it begins, or nothing may be open at once.
    """
    if last < first:
        raise UsageError("the backfill ends before it begins", where=workflow, hint="swap the two dates")
    if max_active < 1:
        raise UsageError(f"max_active is {max_active}", where=workflow, hint="at least one run must be open")
    made = Backfill(
        workflow=workflow,
        schedule=schedule,
        first=math.ceil(first),
        last=math.floor(last),
        only=only,
        reverse=reverse,
        max_active=1 if schedule.depends_on_previous else max_active,
        params=params or {},
        tags=tags,
        created_at=at,
        created_by=by,
    )
    ticks = _ticks(made)
    start = next(ticks, None)
    total = 0 if start is None else 1 + sum(1 for _ in ticks)
    return replace(made, next_tick=start, total=total)


def foresee(store: Store, backfill: Backfill) -> BackfillPlan:
    """What a backfill would do now, and about how long it would take."""
    runs: list[int] = []
    count = 0
    passed: dict[str, int] = {}
    for tick in _ticks(backfill):
        number, why = _decide(store, backfill, tick)
        if number is None:
            passed[why] = passed.get(why, 0) + 1
            continue
        count += 1
        if len(runs) < PLAN_RUNS:
            runs.append(tick)
    typical_s = _typical(store, backfill.workflow)
    estimate_s = None if typical_s is None else typical_s * math.ceil(count / backfill.max_active)
    return BackfillPlan(
        total=backfill.total,
        runs=tuple(runs),
        count=count,
        passed=passed,
        typical_s=typical_s,
        estimate_s=estimate_s,
    )


def _typical(store: Store, workflow: str) -> float | None:
    found = store.runs(f"workflow:{_quoted(workflow)} state:succeeded", limit=HISTORY)
    took = [row.ended_at - row.started_at for row in found if row.ended_at and row.started_at]
    return median(took) if took else None


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ticks(backfill: Backfill, start: int | None = None) -> Iterator[int]:
    """The ticks of the stretch in the order in which they run, from ``start`` on."""
    plan = plan_of(backfill.schedule, backfill.identity)
    return _backwards(backfill, plan, start) if backfill.reverse else _forwards(backfill, plan, start)


def _forwards(backfill: Backfill, plan: Plan, start: int | None) -> Iterator[int]:
    for tick in plan.ticks((backfill.first if start is None else start) - 1):
        logical = plan.interval(tick)[0]
        if logical > backfill.last:
            return
        if logical >= backfill.first:
            yield tick


def _backwards(backfill: Backfill, plan: Plan, start: int | None) -> Iterator[int]:
    tick: int | None = start
    if tick is None:
        # An interval ticks where it ends: the last one of the stretch may tick after it.
        tick = plan.after(backfill.last)
        if tick is None or plan.interval(tick)[0] > backfill.last:
            tick = plan.upto(backfill.last)
    while tick is not None:
        logical = plan.interval(tick)[0]
        if logical < backfill.first:
            return
        if logical <= backfill.last:
            yield tick
        tick = plan.before(tick)


def _decide(store: Store, backfill: Backfill, tick: int) -> tuple[int | None, str]:
    """The number of the run that a tick gets, or ``None`` and why it gets none."""
    number = 0
    latest: RunRow | None = None
    workflow, schedule = backfill.workflow, backfill.schedule.name
    while (row := store.run_by_key(key_of(workflow, schedule, tick, number))) is not None:
        latest, number = row, number + 1
    if latest is None:
        return 0, ""
    if not latest.state.terminal:
        return None, "open"
    again = backfill.only is Only.ALL or (
        backfill.only is Only.FAILED and latest.state is not RunState.SUCCEEDED
    )
    return (number, "") if again else (None, latest.state.value)


# --- the loop ---------------------------------------------------------------------------------------------


class Backfills:
    """Carries backfills out.

    Args:
        store: Keeps them.
        control: Takes their runs.
        workflows: Say what to run.
        clock: The time.
    """

    def __init__(self, store: Store, control: Submits, workflows: Workflows, *, clock: Clock) -> None:
        self._store = store
        self._control = control
        self._workflows = workflows
        self._clock = clock
        self._woken = Event()
        self._closed = False
        self._thread: Thread | None = None

    # --- what people do -----------------------------------------------------------------------------------

    def create(self, name: str, backfill: Backfill) -> Entry[Backfill]:
        """Keep a backfill under a new id, and begin with it. Raises ``Conflict`` for an id that is used."""
        entry = self._save(Entry(name, backfill, 0, backfill.created_at), self._clock.now())
        self._woken.set()
        return entry

    def pause(self, name: str, *, by: str = "") -> Entry[Backfill]:
        """Begin no more runs. Raises ``NotFound``; ``UsageError`` if it has ended."""
        return self._change(name, Stage.PAUSED, by)

    def resume(self, name: str, *, by: str = "") -> Entry[Backfill]:
        """Go on. Raises ``NotFound``; ``UsageError`` if it has ended."""
        return self._change(name, Stage.RUNNING, by)

    def cancel(self, name: str, *, by: str = "") -> Entry[Backfill]:
        """Begin no more, and cancel the open ones. Raises ``NotFound``; ``UsageError`` if it has ended."""
        return self._change(name, Stage.CANCELLED, by)

    def _change(self, name: str, stage: Stage, by: str) -> Entry[Backfill]:
        while True:
            entry = BACKFILLS.require(self._store, name)
            if entry.value.stage.over:
                raise UsageError(f"backfill {name} has {entry.value.stage} already", where=name)
            now = self._clock.now()
            ended_at = now if stage.over else None
            value = replace(entry.value, stage=stage, changed_by=by, error="", ended_at=ended_at)
            try:
                entry = self._save(Entry(name, value, entry.revision, now), now)
            except Conflict:
                continue  # The loop has just written it: decide about what it wrote.
            if stage is Stage.CANCELLED:
                self._cancel_runs(name, entry.value.active, by)
            self._woken.set()
            return entry

    # --- the loop's life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on by itself, in a thread, until ``close``."""
        self._thread = Thread(target=self._run, name="weft-backfills", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the step that is under way."""
        self._closed = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            try:
                self.step(self._clock.now())
            except WeftError as exc:
                _log.warning("backfills wait for the store: %s", exc.what)
            except Exception:
                _log.exception("a step of the backfills failed")
            self._woken.wait(LOOK_S)
            self._woken.clear()

    # --- one step -----------------------------------------------------------------------------------------

    def step(self, now: float) -> None:
        """Look at every backfill that is not over. Raises ``StoreError``: nothing is lost by it."""
        for entry in BACKFILLS.due(self._store, before=now, limit=1000):
            try:
                self._go_on(entry, now)
            except Conflict:
                continue  # Somebody else is at it.

    def _go_on(self, entry: Entry[Backfill], now: float) -> None:
        value = self._observed(entry.value)
        if value.stage is Stage.CANCELLED and value.submitting:
            value = self._taken_back(entry.name, value)
        if value.stage is Stage.RUNNING and not value.submitting:
            value = self._choose(value)
        value = _ended(value, now)
        entry = self._save_changed(entry, value, now)
        if value.submitting and value.stage is Stage.RUNNING:
            self._submit(entry, now)

    def _taken_back(self, name: str, value: Backfill) -> Backfill:
        """It was cancelled between deciding and submitting: what began all the same is cancelled too."""
        begun: list[TickRun] = []
        for each in value.submitting:
            key = key_of(value.workflow, value.schedule.name, each.tick, each.number)
            row = self._store.run_by_key(key)
            if row is not None:
                begun.append(replace(each, run=row.uid))
        self._cancel_runs(name, begun, value.changed_by)
        return replace(value, submitting=(), active=(*value.active, *begun))

    def _observed(self, value: Backfill) -> Backfill:
        """Count the runs that have ended."""
        still: list[TickRun] = []
        for each in value.active:
            try:
                state = self._store.run(each.run).state
            except NotFound:
                state = RunState.CANCELLED  # Somebody deleted it.
            if not state.terminal:
                still.append(each)
            elif state is RunState.SUCCEEDED:
                value = replace(value, succeeded=value.succeeded + 1)
            elif state is RunState.FAILED:
                value = replace(value, failed=value.failed + 1, last_failed=each.run)
            else:
                value = replace(value, cancelled=value.cancelled + 1, last_failed=each.run)
        value = replace(value, active=tuple(still))
        if value.schedule.depends_on_previous and value.last_failed and value.stage is Stage.RUNNING:
            why = f"run {value.last_failed} did not succeed, and each tick depends on the one before"
            return replace(value, stage=Stage.PAUSED, error=why, last_failed="")
        return value

    def _choose(self, value: Backfill) -> Backfill:
        """Decide about the next ticks, as far as there is room for their runs."""
        if value.next_tick is None:
            return value
        chosen: list[TickRun] = []
        passed = value.passed
        room = self._room(value)
        for looked, tick in enumerate(_ticks(value, value.next_tick)):
            if len(chosen) >= room or looked >= DECIDE_MAX:
                return replace(value, next_tick=tick, submitting=tuple(chosen), passed=passed)
            number, _ = _decide(self._store, value, tick)
            if number is None:
                passed += 1
            else:
                chosen.append(TickRun(tick, number))
        return replace(value, next_tick=None, submitting=tuple(chosen), passed=passed)

    def _room(self, value: Backfill) -> int:
        """How many runs it may begin now."""
        room = value.max_active - len(value.active)
        most = value.schedule.max_active_runs
        if most is not None and room > 0:
            found = self._store.runs(f"workflow:{_quoted(value.workflow)} {_OPEN}", limit=most)
            room = min(room, most - len(found))
        return room

    def _submit(self, entry: Entry[Backfill], now: float) -> None:
        value = entry.value
        try:
            requests = [self._request(entry.name, value, each) for each in value.submitting]
            rows = self._control.submit(requests)
        except UsageError as exc:
            value = replace(value, stage=Stage.PAUSED, error=f"{exc.code}: {exc.what}")
            self._save(Entry(entry.name, value, entry.revision, now), now)
            return
        made = tuple(replace(each, run=row.uid) for each, row in zip(value.submitting, rows, strict=True))
        value = replace(value, submitting=(), active=(*value.active, *made))
        self._save(Entry(entry.name, value, entry.revision, now), now)

    def _request(self, name: str, value: Backfill, each: TickRun) -> RunRequest:
        schedule = value.schedule
        begin, end = (moment_of(at) for at in plan_of(schedule, value.identity).interval(each.tick))
        facts = {
            "schedule": schedule.name,
            "backfill": name,
            "tick": moment_of(each.tick),
            "logical_date": begin,
            "data_interval_start": begin,
            "data_interval_end": end,
        }
        return self._workflows.request(
            value.workflow,
            params={**schedule.params, **value.params},
            facts=facts,
            key=key_of(value.workflow, schedule.name, each.tick, each.number),
            tags=(f"backfill:{name}", *value.tags),
        )

    def _cancel_runs(self, name: str, runs: Sequence[TickRun], by: str) -> None:
        for each in runs:
            try:
                row = self._store.run(each.run)
                if not row.state.terminal:
                    request_id = f"backfill:{name}:{each.run}"
                    self._control.ask(row, "cancel", by=by, request_id=request_id)
            except UsageError:
                continue  # It has just ended, or is gone.

    def _save_changed(self, entry: Entry[Backfill], value: Backfill, now: float) -> Entry[Backfill]:
        if value == entry.value:
            return entry
        return self._save(Entry(entry.name, value, entry.revision, now), now)

    def _save(self, entry: Entry[Backfill], now: float) -> Entry[Backfill]:
        value = entry.value
        # One that is paused or over is looked at until its runs have ended too.
        rests = value.stage is not Stage.RUNNING and not value.active and not value.submitting
        due_at = None if rests else now
        return BACKFILLS.save(self._store, entry.name, value, at=now, due_at=due_at, expect=entry.revision)


def _ended(value: Backfill, now: float) -> Backfill:
    if value.stage.over or value.next_tick is not None or value.submitting or value.active:
        return value
    stage = Stage.FAILED if value.failed or value.cancelled else Stage.SUCCEEDED
    return replace(value, stage=stage, ended_at=now)
