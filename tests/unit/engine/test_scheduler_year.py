"""A year of many schedules, both changes of clock in it, while processes die: no tick is lost or doubled.

The clock goes ahead in steps of seconds to days and is put back now and then. Two schedulers share a store;
either dies before or after any write or submission, and is replaced. What should have run is computed from
each schedule's ticks alone.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from scheduled import Books, Faulty, Ledger, enrolled, state_of

from weft.core.schedule import plan_of
from weft.engine.scheduler import Scheduler
from weft.model.errors import StoreBusy
from weft.model.schedules import Cron, Every, Once, RRule, Schedule, Timing, record_name
from weft.store.memory import MemoryStore
from weft.store.open import open_store
from weft.store.protocol import Store
from weft.testing import FakeClock
from weft.testing.faults import Crash

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400.0
ZONES = [
    "UTC",
    "Europe/Stockholm",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Tokyo",
]


def timing(rng: Random, number: int) -> Timing:
    """One of many kinds, most of them by the day or rarer."""
    tz = ZONES[number % len(ZONES)]
    hour, minute = rng.randrange(24), rng.randrange(60)
    kinds: list[Timing] = [
        Cron(f"{minute} {rng.randrange(4)} * * *", tz),
        Cron(f"{minute} {hour} * * 1-5", tz),
        Cron("H H * * sun", tz),
        Cron(f"{minute} {hour} LW * *", tz),
        Cron(f"{minute} {hour} * * 5#3", tz),
        Cron(f"{minute} {hour} 15W,L-2 * *", tz),
        Cron("@monthly", tz),
        Cron(f"{rng.randrange(60)} {minute} {hour} 1 */2 ?", tz),
        Every(DAY * rng.randrange(1, 9), None, tz),
        Every(3600.0 * rng.randrange(20, 200), BEGIN, tz),
        RRule(f"FREQ=WEEKLY;BYDAY=TU,SA;BYHOUR={hour};BYMINUTE={minute}", tz),
        RRule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=18", tz),
        Once(BEGIN + timedelta(seconds=rng.randrange(365 * 86_400))),
    ]
    if number % 500 == 7:
        return Cron("*/20 * * * *", tz)
    if number % 200 == 9:
        return Cron(f"{minute} * * * *", tz)
    return kinds[number % len(kinds)]


def live_through(
    store: Store, *, schedules: int, seed: int, crash: float, days: int = 365
) -> tuple[Ledger, int, int]:
    """Let the time pass, then compare; returns the way in, deaths and rounds."""
    rng = Random(seed)
    clock, ledger, books = FakeClock(BEGIN.timestamp()), Ledger(), Books()
    faulty_store = Faulty(store, rng, crash=crash, busy=crash)
    faulty_ledger = Faulty(ledger, rng, crash=crash, busy=crash)

    def scheduler() -> Scheduler:
        return Scheduler(faulty_store, faulty_ledger, books, clock=clock)  # type: ignore[arg-type]  # in front

    names: list[tuple[str, Schedule]] = []
    for number in range(schedules):
        schedule = Schedule(
            timing(rng, number),
            name=f"s{number % 3}",
            catchup=number % 4 != 0,
            jitter_s=900.0 if number % 5 == 0 else 0.0,
        )
        workflow = f"w{number // 3}"
        enrolled(store, workflow, schedule, clock.now())
        names.append((workflow, schedule))
    begin, end = clock.now(), clock.now() + days * DAY
    farthest = begin
    alive = [scheduler(), scheduler()]
    deaths = steps = 0
    latest: dict[int, set[int]] = {number: set() for number in range(0, schedules, 4)}
    while farthest < end:
        hop = rng.choice([rng.uniform(1, 60), rng.uniform(60, 7200), rng.uniform(3600, 2 * DAY)])
        clock.advance(-3600 if rng.random() < 0.02 else hop)
        which = rng.randrange(2)
        while True:
            steps += 1
            try:
                alive[which].step(clock.now())
                break
            except Crash:
                deaths += 1
                alive[which] = scheduler()
            except StoreBusy:
                pass
        if clock.now() > farthest:
            farthest = clock.now()
            for number, found in latest.items():
                found.update(owed(names[number], begin, farthest))
    ran: dict[str, list[int]] = {}
    for key in ledger.order:
        name, _, tick = key.removeprefix("schedule:").rpartition(":")
        ran.setdefault(name, []).append(int(tick))
    for number, (workflow, schedule) in enumerate(names):
        name = record_name(workflow, schedule.name)
        plan, found = plan_of(schedule, name), ran.get(name, [])
        assert found == sorted(found), f"{name} ran out of order"
        wanted = []
        for tick in plan.ticks(begin):
            if plan.due_at(tick) > farthest:
                break
            wanted.append(tick)
        if schedule.catchup:
            assert found == wanted, name
        else:
            assert latest[number] <= set(found) <= set(wanted), name
        state = state_of(store, name)
        assert not state.submitting
        assert state.next_tick == plan.after(wanted[-1] if wanted else begin), name
    return ledger, deaths, steps


def owed(one: tuple[str, Schedule], begin: float, now: float) -> set[int]:
    """Without catch-up: the latest tick that is due, which must have run by now."""
    workflow, schedule = one
    plan = plan_of(schedule, record_name(workflow, schedule.name))
    tick = plan.upto(now)
    while tick is not None and tick > begin and plan.due_at(tick) > now:
        tick = plan.before(tick)
    return {tick} if tick is not None and tick > begin else set()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_year_of_crashes(seed: int) -> None:
    """Every kind of schedule, on a store in memory."""
    ledger, deaths, _ = live_through(MemoryStore(), schedules=200, seed=seed, crash=0.05)
    assert deaths > 50
    assert len(ledger.keys) > 10_000


def test_a_year_without_crashes_submits_each_tick_once() -> None:
    """A key is for crashes only: nothing is submitted twice where nothing fails."""
    ledger, deaths, _ = live_through(MemoryStore(), schedules=60, seed=3, crash=0.0, days=120)
    assert deaths == 0
    assert set(ledger.keys.values()) == {1}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_year_of_ten_thousand_schedules(tmp_path: Path) -> None:
    """On SQLite, with hundreds of deaths."""
    store = open_store(tmp_path / "weft.db", durability="relaxed")
    try:
        ledger, deaths, steps = live_through(store, schedules=10_000, seed=2026, crash=0.02)
    finally:
        store.close()
    again = sum(ledger.keys.values()) - len(ledger.keys)
    print(f"{len(ledger.keys):,} ticks, {again:,} submitted again, {deaths:,} deaths, {steps:,} steps")
    assert deaths > 100
