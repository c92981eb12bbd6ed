"""``weft schedules``: when workflows run by themselves, and what to do about it.

``preview`` needs nothing but the schedule's text. The other commands read and change the records that a
deployment made; whichever process runs the scheduler finds the change at its next look.
"""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from weft.cli.app import Json, noun
from weft.cli.output import emit
from weft.cli.reading import anywhere
from weft.cli.style import iso, moment, say, table
from weft.core.schedule import Plan, check, plan_of
from weft.dialects.native.durations import seconds
from weft.engine.scheduler import SCHEDULES
from weft.engine.schedules import pause_schedule, resume_schedule, trigger_schedule
from weft.model.errors import UsageError
from weft.model.schedules import Cron, Every, RRule, Schedule, Scheduled, Timing, record_name
from weft.store.records import Entry

app = noun("schedules", help="Preview, list, pause, resume and trigger schedules.")

Name = Annotated[str, Parameter(help="WORKFLOW#SCHEDULE, or WORKFLOW if it has one schedule only.")]


@app.command
def preview(
    text: Annotated[
        str, Parameter(help='A cron expression, an interval ("5m") or a recurrence ("FREQ=...").')
    ],
    /,
    *,
    tz: Annotated[str, Parameter(help="Its time zone.")] = "UTC",
    number: Annotated[int, Parameter(name=["--number", "-n"], help="How many ticks.")] = 10,
    from_: Annotated[
        str | None, Parameter(name="--from", help="Ticks after this moment, ISO 8601; now.")
    ] = None,
    identity: Annotated[str, Parameter(name="--as", help="WORKFLOW#SCHEDULE, which chooses H.")] = "",
    json: Json = False,
) -> None:
    """Show the next ticks of a schedule, without deploying it."""
    plan = Plan(check(Schedule(timing_of(text, tz))), identity)
    begin = time.time() if from_ is None else moment_in(from_, plan)
    ticks = plan.preview(begin, max(number, 0))
    if json:
        for tick in ticks:
            emit({"tick": iso(tick), "local": _local(plan, tick).isoformat()})
        return
    if not ticks:
        say("no tick after that")
        return
    rows = [
        (f"{_local(plan, tick):%a %Y-%m-%d %H:%M:%S %z}", _utc(tick), _away(begin, tick)) for tick in ticks
    ]
    table(rows, (plan.zone.name.upper(), "UTC", "IN"))


@app.command(name="list")
def list_schedules(
    workflow: Annotated[str | None, Parameter(help="Only this workflow's.")] = None, /, *, json: Json = False
) -> None:
    """List schedules, with their next and last tick."""
    prefix = "" if workflow is None else f"{workflow}#"
    with anywhere() as opened:
        entries = list(SCHEDULES.all(opened.store, prefix=prefix))
    if json:
        for entry in entries:
            emit(schedule_object(entry))
        return
    if not entries:
        say("no schedules" + (f" of {workflow}" if workflow else " yet: weft deploy registers them"))
        return
    rows = [
        (
            entry.name,
            timing_text(entry.value.schedule.timing),
            *_state(entry.value),
            moment(entry.value.last_tick),
        )
        for entry in entries
    ]
    table(rows, ("SCHEDULE", "WHEN", "STATE", "NEXT", "LAST"))


@app.command
def show(schedule: Name, /, *, json: Json = False) -> None:
    """Show a schedule: what it is, where it stands, its next ticks."""
    with anywhere() as opened:
        entry = find(opened.store, schedule)
    state = entry.value
    if json:
        emit(schedule_object(entry))
        return
    word, following = _state(state)
    print(f"{entry.name}  {timing_text(state.schedule.timing)}  {word}")
    for name, value in _described(state):
        print(f"  {name}: {value}")
    plan = plan_of(state.schedule, state.name)
    if following and state.next_tick is not None:
        print("next:")
        for tick in [state.next_tick, *plan.preview(state.next_tick, 4)]:
            print(f"  {_local(plan, tick):%a %Y-%m-%d %H:%M:%S %z}")


@app.command
def pause(schedule: Name, /) -> None:
    """Let a schedule make no runs until it is resumed. It keeps its place."""
    with anywhere() as opened:
        entry = find(opened.store, schedule)
        if opened.service is not None:
            opened.service.schedules.pause(entry.name)
        else:
            pause_schedule(opened.store, entry.name, now=time.time(), by="cli")
    say(f"{entry.name} is paused")


@app.command
def resume(schedule: Name, /) -> None:
    """Let a paused schedule go on; with catch-up, with every tick since."""
    with anywhere() as opened:
        entry = find(opened.store, schedule)
        if opened.service is not None:
            opened.service.schedules.resume(entry.name)
            after = find(opened.store, entry.name).value
        else:
            after = resume_schedule(opened.store, entry.name, now=time.time(), by="cli").value
    say(f"{entry.name} goes on" + (f"; next: {moment(after.next_tick)}" if after.next_tick else ""))


@app.command
def trigger(schedule: Name, /) -> None:
    """Have a schedule make a run now, besides its ticks; a service must be running."""
    with anywhere() as opened:
        entry = find(opened.store, schedule)
        if opened.service is not None:
            opened.service.schedules.trigger(entry.name)
        else:
            trigger_schedule(opened.store, entry.name, now=time.time())
    say(f"{entry.name} runs at the scheduler's next look")


def timing_of(text: str, tz: str) -> Timing:
    """A timing as a person writes it: a recurrence, an interval, a moment, or else a cron expression.

    Raises:
        InvalidSchedule: It is none, or cannot be.
    """
    text = text.strip()
    if "FREQ=" in text.upper() or text.upper().startswith("DTSTART"):
        return RRule(text.replace("\\n", "\n"), tz)
    if text[:1].isdigit() and " " not in text:
        return Every(seconds(text, what="interval"), None, tz)
    return Cron(text, tz)


def timing_text(timing: Timing) -> str:
    """A timing in one line."""
    if isinstance(timing, Cron):
        text = timing.expression
    elif isinstance(timing, Every):
        text = f"every {timing.interval_s:g} s"
    elif isinstance(timing, RRule):
        text = " ".join(timing.text.split())
    else:
        return f"once at {timing.at.isoformat()}"
    return text if timing.tz == "UTC" else f"{text} {timing.tz}"


def moment_in(text: str, plan: Plan) -> float:
    """A moment as a person writes it, in the schedule's zone if it names none.

    Raises:
        UsageError: It is none.
    """
    try:
        given = datetime.fromisoformat(text)
    except ValueError as exc:
        raise UsageError(f"{text!r} is no moment", hint="write it like 2026-03-29T00:00") from exc
    return (given if given.tzinfo else given.replace(tzinfo=plan.zone.info)).timestamp()


def find(store: Any, name: str) -> Entry[Scheduled]:
    """A schedule by its record's name, or by its workflow's if that has one only.

    Raises:
        NotFound: There is none.
        UsageError: There are several.
    """
    if "#" in name:
        return SCHEDULES.require(store, name)
    found = SCHEDULES.page(store, prefix=f"{name}#", limit=2)
    if len(found) > 1:
        raise UsageError(f"{name} has several schedules", hint=f"name one, such as {found[0].name}")
    return found[0] if found else SCHEDULES.require(store, record_name(name, "default"))


def schedule_object(entry: Entry[Scheduled]) -> dict[str, Any]:
    """A schedule as JSON."""
    state, schedule = entry.value, entry.value.schedule
    return {
        "name": entry.name,
        "workflow": state.workflow,
        "schedule": schedule.name,
        "timing": timing_text(schedule.timing),
        "params": schedule.params,
        "state": _state(state)[0],
        "next": iso(state.next_tick),
        "due": iso(entry.due_at),
        "last": iso(state.last_tick),
        "last_run": state.last_run or None,
        "waiting": [iso(tick) for tick in state.waiting],
        "catchup": schedule.catchup,
        "overlap": str(schedule.overlap),
        "missed": state.missed,
        "skipped": state.skipped,
        "blocked": state.blocked or None,
        "error": state.error or None,
        "changed_by": state.changed_by or None,
    }


def _described(state: Scheduled) -> list[tuple[str, object]]:
    schedule = state.schedule
    lines: list[tuple[str, object]] = [
        ("params", schedule.params),
        ("catch-up", "every missed tick" if schedule.catchup else "the latest missed tick"),
        ("overlap", schedule.overlap),
        ("most open runs", schedule.max_active_runs),
        ("jitter", f"{schedule.jitter_s:g} s" if schedule.jitter_s else ""),
        ("depends on previous", "yes" if schedule.depends_on_previous else ""),
        ("last tick", moment(state.last_tick)),
        ("last run", state.last_run),
        ("waiting", len(state.waiting) or ""),
        ("missed", state.missed or ""),
        ("skipped", state.skipped or ""),
        ("waits because", state.blocked),
        ("error", state.error),
    ]
    return [(name, value) for name, value in lines if value not in ("", None, {})]


def _state(state: Scheduled) -> tuple[str, str]:
    """In a word, and the next tick."""
    if state.paused:
        return "paused", ""
    if state.error:
        return "failing", ""
    if state.blocked:
        return "waiting", moment(state.next_tick)
    return ("over", "") if state.next_tick is None else ("active", moment(state.next_tick))


def _local(plan: Plan, tick: int) -> datetime:
    return datetime.fromtimestamp(tick, plan.zone.info)


def _utc(tick: int) -> str:
    return f"{datetime.fromtimestamp(tick, UTC):%Y-%m-%d %H:%M:%S}"


def _away(begin: float, tick: int) -> str:
    """How far away, in its two largest units."""
    left = int(tick - begin)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"
