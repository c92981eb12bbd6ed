"""``weft status``: how the service is, read from the store, and from a server if one answers."""

import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

import msgspec

from weft.cli.app import Json, noun
from weft.cli.output import emit
from weft.cli.reading import Home, home
from weft.cli.style import iso, say, table
from weft.engine.backfills import BACKFILLS
from weft.engine.follower import CURSORS
from weft.engine.recovery import living_engines
from weft.model import schedules
from weft.model.deliveries import DeliveryState
from weft.model.rows import RunRow
from weft.model.triggers import HAPPENING, LAUNCH, TRIGGER
from weft.notifications.outbox import DELIVERIES, LANES, tickets
from weft.observability.counting import one_line
from weft.observability.terminal import count, duration, paint
from weft.projects.records import SCHEDULES, TRIGGERS
from weft.settings import Settings
from weft.store.open import shown
from weft.store.protocol import Store

app = noun("status")

OPEN = "state:scheduled,queued,running,paused"

RUNS_MAX = 10_000
"""Open runs that are counted; more is told as so many and more."""

LATE_S = 5.0
"""What is overdue by less is on its way."""

LAG_MAX = 1000
"""Events that a follower may be behind before that is worth a word."""

_ANSWER_S = 2.0
_ERRORS = 5
_LOOPS = {
    "schedules": (schedules.KIND,),
    "triggers": (HAPPENING, LAUNCH, TRIGGER),
}


class EngineStatus(msgspec.Struct, kw_only=True):
    """An engine whose lease holds.

    Attributes:
        engine, name, host, pid: Which.
        started: When it began.
        lease_s: For how long its lease holds yet.
        runs: Open runs that it owns.
    """

    engine: int
    name: str
    host: str
    pid: int
    started: str | None
    lease_s: float
    runs: int


class Status(msgspec.Struct, kw_only=True):
    """How the service is.

    Attributes:
        store: Where it is.
        server: The server's address, and whether it answers and is ready.
        engines: Those at work.
        runs: Open runs by state.
        more_runs: Whether there are more than were counted.
        unowned: Open runs that no living engine owns, by queue.
        late: How overdue the most overdue record of each loop is, in seconds.
        followers: How many events each follower is behind.
        deliveries: Deliveries by state.
        failing: Schedules, triggers and backfills that cannot go on, with why.
        failed: The newest runs that failed, with why.
        warnings: What needs somebody.
    """

    store: str
    server: dict[str, Any]
    engines: list[EngineStatus]
    runs: dict[str, int]
    more_runs: bool
    unowned: dict[str, int]
    late: dict[str, float]
    followers: dict[str, int]
    deliveries: dict[str, int]
    failing: dict[str, str]
    failed: list[dict[str, Any]]
    warnings: list[str] = []


@app.default
def status(*, json: Json = False) -> int:
    """Show how the service is: engines, runs, what is late, what failed.

    Exit code 1 if something needs somebody.
    """
    with home() as opened:
        found = look(opened, time.time())
    if json:
        emit(found)
    else:
        _show(found)
    return 1 if found.warnings else 0


def look(opened: Home, now: float) -> Status:
    """How the service of a home is."""
    store, settings = opened.store, opened.settings
    rows = _open_runs(store)
    living = living_engines(store.engines(), now=now)
    ids = {each.engine for each in living}
    owned = Counter(row.owner for row in rows)
    seq = store.last_seq()
    found = Status(
        store=shown(settings.store_url),
        server=_server(settings),
        engines=[
            EngineStatus(
                engine=each.engine,
                name=each.name,
                host=each.host,
                pid=each.pid,
                started=iso(each.started_at),
                lease_s=each.expires_at - now,
                runs=owned[each.engine],
            )
            for each in living
        ],
        runs=dict(Counter(row.state.value for row in rows)),
        more_runs=len(rows) >= RUNS_MAX,
        unowned=dict(Counter(row.queue or "of scripts" for row in rows if row.owner not in ids)),
        late={name: late(store, kinds, now) for name, kinds in _loops(store).items()},
        followers={each.name: max(seq - each.value.seq, 0) for each in CURSORS.all(store)},
        deliveries=dict(Counter(each.value.state.value for each in DELIVERIES.all(store))),
        failing=_failing(store),
        failed=[_failed(row) for row in store.runs("state:failed", limit=_ERRORS)],
    )
    found.warnings = _warnings(found)
    return found


def late(store: Store, kinds: tuple[str, ...], now: float) -> float:
    """By how many seconds the most overdue record of some kinds is late."""
    found = [each.due_at for kind in kinds for each in store.due(kind, before=now, limit=1)]
    return max((now - due_at for due_at in found if due_at is not None), default=0.0)


def _loops(store: Store) -> dict[str, tuple[str, ...]]:
    return {**_LOOPS, "deliveries": tuple(tickets(each.name).kind for each in LANES.all(store))}


def _open_runs(store: Store) -> list[RunRow]:
    found: list[RunRow] = []
    before: int | None = None
    while len(found) < RUNS_MAX and (page := store.runs(OPEN, limit=1000, before=before)):
        found += page
        before = page[-1].run
    return found


def _server(settings: Settings) -> dict[str, Any]:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    answer = {path: _status_of(f"{url}/api/v1/{path}") for path in ("health", "ready")}
    return {"url": url, "answers": answer["health"] == 200, "ready": answer["ready"] == 200}


def _status_of(url: str) -> int:
    """The HTTP status that an address answers with; 0 if it does not."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code
    except (OSError, ValueError):
        return 0


def _failing(store: Store) -> dict[str, str]:
    found = {f"schedule {each.name}": each.value.error for each in SCHEDULES.all(store)}
    found |= {f"trigger {each.name}": each.value.error for each in TRIGGERS.all(store)}
    found |= {f"backfill {each.name}": each.value.error for each in BACKFILLS.all(store)}
    return {name: error for name, error in found.items() if error}


def _failed(row: RunRow) -> dict[str, Any]:
    error = one_line(row.error) if row.error is not None else ""
    return {"run": row.uid, "workflow": row.workflow, "ended": iso(row.ended_at), "error": error}


def _warnings(found: Status) -> list[str]:
    told: list[str] = []
    waiting = {queue: number for queue, number in found.unowned.items() if queue != "of scripts"}
    scripts = found.unowned.get("of scripts", 0)
    if waiting and not found.engines:
        told.append(f"{count(sum(waiting.values()), 'run')} and no engine: weft up, or weft engine")
    if scripts:
        told.append(f"{count(scripts, 'run')} of scripts that are gone: weft runs resume RUN")
    for name, seconds in found.late.items():
        if seconds > LATE_S:
            why = "" if found.engines else ": no engine is at work"
            told.append(f"{name} are {duration(seconds)} late{why}")
    for name, events in found.followers.items():
        if events > LAG_MAX:
            told.append(f"{name} are {events:,} events behind")
    dead = found.deliveries.get(DeliveryState.DEAD.value, 0)
    if dead:
        told.append(f"{dead:,} deliveries were given up: weft automations deliveries --state dead")
    told += [f"{name}: {error}" for name, error in found.failing.items()]
    return told


def _show(found: Status) -> None:
    server = found.server
    if server["answers"]:
        word, color = ("ready", "green") if server["ready"] else ("not ready", "yellow")
        how = paint(word, color, sys.stdout)
        print(f"server   {server['url']} {how}")
    else:
        print(f"server   none answers at {server['url']}")
    print(f"store    {found.store}")
    more = " and more" if found.more_runs else ""
    runs = ", ".join(f"{number:,} {state}" for state, number in sorted(found.runs.items())) or "none open"
    print(f"runs     {runs}{more}")
    if found.unowned:
        print("waiting  " + ", ".join(f"{number:,} {queue}" for queue, number in found.unowned.items()))
    if found.deliveries:
        told = ", ".join(f"{number:,} {state}" for state, number in sorted(found.deliveries.items()))
        print(f"outbox   {told}")
    print()
    if found.engines:
        rows = [
            (str(each.engine), each.name, f"{each.lease_s:.1f} s", f"{each.runs:,}", each.started or "")
            for each in found.engines
        ]
        table(rows, ("ENGINE", "NAME", "LEASE", "RUNS", "SINCE"))
    else:
        say("no engine is at work: weft up")
    if found.failed:
        print()
        bad = [(each["run"], each["workflow"], each["ended"] or "", each["error"]) for each in found.failed]
        table(bad, ("FAILED", "WORKFLOW", "ENDED", "ERROR"))
    for each in found.warnings:
        print(f"{paint('!', 'yellow', sys.stdout)} {each}")
