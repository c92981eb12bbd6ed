"""The scheduler on a store, with the clock and the ends of runs in the test's hand."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from scheduled import Books, Ledger, end, enrolled, state_of

from weft.core import ticking
from weft.engine.clock import SystemClock
from weft.engine.control import Control
from weft.engine.scheduler import SCHEDULES, Scheduler
from weft.model.errors import InvalidSchedule, StoreBusy
from weft.model.rows import RunRow
from weft.model.schedules import Cron, Data, Every, Once, Overlap, Schedule
from weft.model.states import RunState
from weft.store.memory import MemoryStore
from weft.testing import FakeClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
HOUR = 3600.0


class World:
    """A store, a clock, a way in and a scheduler."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.store = MemoryStore()
        self.control = Control(self.store, clock=self.clock)
        self.books = Books()
        self.scheduler = Scheduler(self.store, self.control, self.books, clock=self.clock)

    @property
    def now(self) -> float:
        """The time."""
        return self.clock.now()

    def enrol(self, schedule: Schedule, workflow: str = "w") -> str:
        """Deploy a schedule."""
        return enrolled(self.store, workflow, schedule, self.now)

    def at(self, moment: float) -> list[RunRow]:
        """Let it become a moment, and the scheduler look; returns all runs, oldest first."""
        self.clock.advance(moment - self.now)
        self.scheduler.step(self.now)
        return self.runs()

    def runs(self) -> list[RunRow]:
        """All runs, oldest first."""
        return self.store.runs(limit=10_000)[::-1]

    def ticks(self) -> list[float]:
        """The ticks of all runs, in the order in which they were made."""
        return [each.facts["tick"].timestamp() for each in self.runs()]

    def end(self, run: RunRow, state: RunState = RunState.SUCCEEDED) -> None:
        """Let a run end."""
        end(self.store, run, state, self.now)

    def change(self, name: str, change: Any) -> None:
        """Change a record as a person's command does."""
        entry = SCHEDULES.require(self.store, name)
        state = change(entry.value)
        due_at = ticking.due_at(state, self.now)
        SCHEDULES.save(self.store, name, state, at=self.now, due_at=due_at, expect=entry.revision)


@pytest.fixture
def world() -> World:
    """A world of its own."""
    return World()


# --- a tick -----------------------------------------------------------------------------------------------


def test_a_tick_makes_one_run_with_its_facts(world: World) -> None:
    """Not before its time; and looking again makes no other."""
    world.enrol(Schedule(Cron("0 13 * * *"), name="lunch"))
    assert world.scheduler.step(world.now) == NOON + HOUR
    assert world.at(NOON + HOUR - 1) == []
    (run,) = world.at(NOON + HOUR)
    assert world.at(NOON + HOUR + 5) == [run]
    tick = datetime.fromtimestamp(NOON + HOUR, UTC)
    assert run.facts == {
        "schedule": "lunch",
        "tick": tick,
        "logical_date": tick,
        "data_interval_start": tick,
        "data_interval_end": tick,
    }
    assert run.key == f"schedule:w#lunch:{int(NOON + HOUR)}"
    assert run.tags == ("schedule:lunch",)
    state = state_of(world.store, "w#lunch")
    assert (state.last_tick, state.last_run) == (int(NOON + HOUR), run.uid)


def test_the_logical_date_of_an_interval_is_its_beginning(world: World) -> None:
    """As Airflow's."""
    world.enrol(Schedule(Cron("@hourly"), data=Data.INTERVAL))
    (run,) = world.at(NOON + HOUR)
    begin, tick = datetime.fromtimestamp(NOON, UTC), datetime.fromtimestamp(NOON + HOUR, UTC)
    assert (run.facts["logical_date"], run.facts["data_interval_end"]) == (begin, tick)


def test_jitter_moves_the_start_and_not_the_tick(world: World) -> None:
    """The run is made later, for the same moment."""
    name = world.enrol(Schedule(Cron("@hourly"), jitter_s=600))
    due = SCHEDULES.require(world.store, name).due_at
    assert due is not None
    assert NOON + HOUR < due < NOON + HOUR + 600
    assert world.at(due - 0.001) == []
    world.at(due)
    assert world.ticks() == [NOON + HOUR]


def test_a_one_off_ticks_once_and_is_never_due_again(world: World) -> None:
    """Its record stays, to be looked at."""
    name = world.enrol(Schedule(Once(datetime.fromtimestamp(NOON + 10, UTC))))
    assert len(world.at(NOON + 10)) == 1
    assert SCHEDULES.require(world.store, name).due_at is None
    assert len(world.at(NOON + 10 * DAY)) == 1


def test_start_and_end_bound_it(world: World) -> None:
    """After the end it is never due again."""
    start, end_ = (datetime.fromtimestamp(NOON + hours * HOUR, UTC) for hours in (3, 5))
    name = world.enrol(Schedule(Cron("@hourly"), start=start, end=end_))
    for hour in range(10):
        world.at(NOON + hour * HOUR)
    assert world.ticks() == [NOON + hours * HOUR for hours in (3, 4, 5)]
    assert SCHEDULES.require(world.store, name).due_at is None


# --- missed ticks -----------------------------------------------------------------------------------------


def test_dead_for_a_week_with_catchup_every_tick_runs_in_order(world: World) -> None:
    """None is lost."""
    world.enrol(Schedule(Cron("@hourly"), catchup=True))
    world.at(NOON + 7 * DAY)
    assert world.ticks() == [NOON + hour * HOUR for hour in range(1, 7 * 24 + 1)]


def test_dead_for_a_week_without_catchup_only_the_latest_tick_runs(world: World) -> None:
    """The others are counted."""
    name = world.enrol(Schedule(Cron("@hourly")))
    world.at(NOON + 7 * DAY + 60)
    assert world.ticks() == [NOON + 7 * DAY]
    assert state_of(world.store, name).missed == 7 * 24 - 1
    world.at(NOON + 7 * DAY + HOUR)
    assert len(world.ticks()) == 2


def test_catchup_is_bounded_by_max_active_runs(world: World) -> None:
    """All runs of the workflow count, also those that a person started."""
    world.control.submit([world.books.request("w", params={}, facts={}, key="by hand", tags=())])
    name = world.enrol(Schedule(Cron("@hourly"), catchup=True, max_active_runs=3))
    runs = world.at(NOON + 5 * HOUR)
    assert [each.key for each in runs] == [
        "by hand",
        *(f"schedule:w#default:{int(NOON + h * HOUR)}" for h in (1, 2)),
    ]
    assert "3 open runs" in state_of(world.store, name).blocked
    world.end(runs[0])
    world.scheduler.ended("w")
    assert len(world.at(world.now + 1)) == 4
    for run in world.runs():
        if not run.state.terminal:
            world.end(run)
    assert len(world.at(world.now + ticking.POLL_S)) == 6
    assert state_of(world.store, name).blocked == ""


def test_schedules_of_one_workflow_share_its_places(world: World) -> None:
    """Also when they are due in the same round."""
    for name in ("a", "b", "c"):
        world.enrol(Schedule(Cron("@hourly"), name=name, max_active_runs=2))
    assert len(world.at(NOON + HOUR)) == 2


def test_a_start_in_the_past_with_catchup_begins_there(world: World) -> None:
    """And without catch-up begins now; about intervals, with the latest that is over."""
    start = datetime.fromtimestamp(NOON, UTC) - timedelta(days=3)
    world.enrol(Schedule(Cron("@daily"), start=start, catchup=True), "all")
    world.enrol(Schedule(Cron("@daily"), start=start), "new")
    world.enrol(Schedule(Cron("@daily"), start=start, data=Data.INTERVAL), "airflow")
    runs = world.at(NOON + 1)
    assert [each.workflow for each in runs] == ["all", "all", "all", "airflow"]
    assert runs[3].facts["data_interval_end"] == datetime(2026, 3, 2, tzinfo=UTC)


# --- overlap ----------------------------------------------------------------------------------------------


def test_allowed_runs_run_side_by_side(world: World) -> None:
    """The default."""
    world.enrol(Schedule(Every(60)))
    for minute in range(1, 4):
        world.at(NOON + minute * 60)
    assert len(world.runs()) == 3


def test_skip_makes_no_run_while_the_one_before_is_open(world: World) -> None:
    """And goes on with the next tick after it has ended."""
    name = world.enrol(Schedule(Every(60), overlap=Overlap.SKIP))
    (first,) = world.at(NOON + 60)
    world.at(NOON + 120)
    world.at(NOON + 180)
    world.end(first)
    world.at(NOON + 200)
    assert world.ticks() == [NOON + 60]
    assert state_of(world.store, name).skipped == 2
    world.at(NOON + 240)
    assert world.ticks() == [NOON + 60, NOON + 240]


def test_queue_keeps_every_tick_that_comes_meanwhile(world: World) -> None:
    """One runs after the other, without catch-up too."""
    name = world.enrol(Schedule(Every(60), overlap=Overlap.QUEUE))
    (first,) = world.at(NOON + 60)
    world.at(NOON + 125)
    world.at(NOON + 185)
    assert state_of(world.store, name).waiting == (int(NOON + 120), int(NOON + 180))
    assert first.uid in state_of(world.store, name).blocked
    world.end(first)
    world.scheduler.ended("w")
    assert world.at(NOON + 190)[1].facts["tick"].timestamp() == NOON + 120
    world.end(world.runs()[1])
    world.at(NOON + 190 + ticking.POLL_S)
    assert world.ticks() == [NOON + 60, NOON + 120, NOON + 180]


def test_cancel_previous_asks_once_and_runs_when_it_has_ended(world: World) -> None:
    """Of several ticks that came meanwhile the latest runs."""
    world.enrol(Schedule(Every(60), overlap=Overlap.CANCEL_PREVIOUS))
    (first,) = world.at(NOON + 60)
    engine = world.store.open_engine(
        name="e", host="here", pid=1, process_started="", at=world.now, expires_at=NOON + DAY
    )
    world.store.claim(engine, now=world.now, runs=[first.run])
    for moment in (120, 131, 142, 185):
        assert world.at(NOON + moment) == world.runs()
        assert len(world.runs()) == 1
    (asked,) = world.store.requests(engine)
    assert (asked.kind, asked.run) == ("cancel", first.run)
    world.store.close_engine(engine)
    world.end(first, RunState.CANCELLED)
    world.at(NOON + 196)
    assert world.ticks() == [NOON + 60, NOON + 180]


def test_depends_on_previous_waits_for_a_success(world: World) -> None:
    """A failure holds it up until somebody mends that run; a deleted run does not."""
    name = world.enrol(Schedule(Every(60), depends_on_previous=True, catchup=True))
    (first,) = world.at(NOON + 60)
    assert len(world.at(NOON + 120)) == 1
    world.end(first, RunState.FAILED)
    assert len(world.at(NOON + 140)) == 1
    assert "has to succeed" in state_of(world.store, name).blocked
    world.store.delete_runs([first.run])
    second = world.at(NOON + 160)[-1]
    assert second.facts["tick"].timestamp() == NOON + 120
    world.end(second)
    world.at(NOON + 180)
    assert world.ticks() == [NOON + 120, NOON + 180]


# --- people -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("catchup", "runs"), [(True, 5), (False, 1)])
def test_a_paused_schedule_keeps_its_place(world: World, catchup: bool, runs: int) -> None:
    """What it does with the ticks in between is catch-up's matter."""
    name = world.enrol(Schedule(Cron("@hourly"), catchup=catchup))
    world.change(name, lambda state: ticking.pause(state, "ann"))
    assert world.at(NOON + 5 * HOUR) == []
    world.change(name, lambda state: ticking.resume(state, world.now, "ann"))
    assert len(world.at(NOON + 5 * HOUR)) == runs
    assert state_of(world.store, name).changed_by == "ann"


def test_a_schedule_may_begin_paused_and_a_deployment_does_not_resume_it(world: World) -> None:
    """What a person did is kept; what the code says changes."""
    name = world.enrol(Schedule(Cron("@hourly"), paused=True))
    assert world.at(NOON + HOUR) == []
    world.change(name, lambda state: ticking.resume(state, world.now, "ann"))
    world.enrol(Schedule(Cron("@hourly"), paused=True, params={"n": 1}))
    state = state_of(world.store, name)
    assert not state.paused
    assert state.schedule.params == {"n": 1}


def test_a_new_timing_counts_from_now_and_drops_no_due_tick(world: World) -> None:
    """What the old one had due already still runs."""
    name = world.enrol(Schedule(Cron("@hourly"), catchup=True))
    world.clock.advance(2 * HOUR + 60)
    world.enrol(Schedule(Cron("30 * * * *"), catchup=True))
    world.at(world.now)
    assert world.ticks() == [NOON + HOUR, NOON + 2 * HOUR]
    world.at(NOON + 4 * HOUR)
    assert world.ticks()[2:] == [NOON + 2.5 * HOUR, NOON + 3.5 * HOUR]
    assert state_of(world.store, name).waiting == ()


def test_a_deployment_without_a_change_moves_nothing(world: World) -> None:
    """The place is kept."""
    name = world.enrol(Schedule(Cron("@hourly"), catchup=True))
    before = state_of(world.store, name)
    world.clock.advance(5 * HOUR)
    world.enrol(Schedule(Cron("@hourly"), catchup=True))
    assert state_of(world.store, name) == before


def test_a_person_may_trigger_it(world: World) -> None:
    """Besides its ticks, with its parameters and policies."""
    name = world.enrol(Schedule(Cron("@daily")))
    world.change(name, lambda state: ticking.trigger(state, int(world.now) + 5))
    world.at(NOON + 6)
    assert world.ticks() == [NOON + 5]


# --- clocks -----------------------------------------------------------------------------------------------


def test_a_clock_set_back_an_hour_doubles_nothing(world: World) -> None:
    """The schedule waits until it is where it was."""
    world.enrol(Schedule(Every(600)))
    for minute in range(10, 70, 10):
        world.at(NOON + minute * 60)
    world.clock.advance(-HOUR)
    for _ in range(6):
        assert len(world.at(world.now + 600)) == 6
    assert len(world.at(NOON + 70 * 60)) == 7


def test_a_clock_that_was_ahead_is_mended_by_pause_and_resume(world: World) -> None:
    """The schedule's place is set right; what ran already runs no second time."""
    name = world.enrol(Schedule(Cron("@hourly")))
    world.at(NOON + 365 * DAY)
    assert len(world.runs()) == 1
    world.clock.advance(-365 * DAY)
    assert len(world.at(NOON + 3 * HOUR)) == 1
    world.change(name, lambda state: ticking.pause(state, "ann"))
    world.change(name, lambda state: ticking.resume(state, world.now, "ann"))
    world.at(NOON + 4 * HOUR)
    assert world.ticks()[1:] == [NOON + 4 * HOUR]


# --- trouble ----------------------------------------------------------------------------------------------


def test_what_cannot_run_waits_and_says_why_and_holds_up_nobody(world: World) -> None:
    """Neither a workflow that is gone, nor one whose parameters are wrong, nor one that is paused."""
    world.books.gone.add("gone")
    world.books.wrong.add("wrong")
    world.books.paused.add("paused")
    for workflow in ("gone", "paused", "well", "wrong"):
        world.enrol(Schedule(Cron("@hourly"), catchup=True), workflow)
    assert [each.workflow for each in world.at(NOON + HOUR)] == ["well"]
    assert state_of(world.store, "gone#default").error.startswith("W1001")
    assert state_of(world.store, "wrong#default").error.startswith("W1200")
    assert "paused" in state_of(world.store, "paused#default").blocked
    for trouble in (world.books.gone, world.books.wrong, world.books.paused):
        trouble.clear()
    world.at(NOON + HOUR + ticking.ERROR_POLL_S)
    assert sorted(each.workflow for each in world.runs()) == ["gone", "paused", "well", "wrong"]
    assert state_of(world.store, "gone#default").error == ""


def test_a_store_that_fails_loses_nothing(world: World) -> None:
    """The decision is durable, so the next round carries it out."""
    name = world.enrol(Schedule(Cron("@hourly")))

    class Refusing:
        def submit(self, requests: Any) -> list[RunRow]:
            raise StoreBusy("another process writes")

        def ask(self, row: Any, kind: str, **options: Any) -> None: ...

    world.clock.advance(HOUR)
    broken = Scheduler(world.store, Refusing(), world.books, clock=world.clock)
    with pytest.raises(StoreBusy):
        broken.step(world.now)
    assert state_of(world.store, name).submitting == (int(NOON + HOUR),)
    world.at(NOON + 3 * HOUR)
    assert world.ticks() == [NOON + HOUR, NOON + 3 * HOUR]


def test_whoever_changed_the_record_meanwhile_wins(world: World) -> None:
    """A schedule that was paused between reading and writing makes no run."""
    name = world.enrol(Schedule(Cron("@hourly")))
    other = world.enrol(Schedule(Cron("@hourly")), "other")
    world.clock.advance(HOUR)
    due = SCHEDULES.due(world.store, before=world.now)
    world.change(name, lambda state: ticking.pause(state, "ann"))
    world.scheduler._round(due, world.now)
    assert [each.workflow for each in world.runs()] == ["other"]
    assert state_of(world.store, other).submitting == ()


def test_a_schedule_that_cannot_be_is_refused_when_it_is_kept(world: World) -> None:
    """Not when it is due."""
    with pytest.raises(InvalidSchedule):
        world.enrol(Schedule(Cron("0 0 30 2 *")))


def test_the_thread_acts_and_closes() -> None:
    """Woken by whoever wrote a schedule, without waiting for its next look."""
    clock, ledger, store, told = SystemClock(), Ledger(), MemoryStore(), Event()
    scheduler = Scheduler(store, ledger, Books(), clock=clock)
    scheduler.start()
    submit = ledger.submit

    def noticed(requests: Any) -> list[RunRow]:
        rows = submit(requests)
        told.set()
        return rows

    ledger.submit = noticed  # type: ignore[method-assign]  # to be told without polling
    name = enrolled(store, "w", Schedule(Cron("@yearly")), clock.now())
    state = ticking.trigger(state_of(store, name), 7)
    SCHEDULES.save(store, name, state, at=0, due_at=ticking.due_at(state, clock.now()))
    scheduler.wake()
    assert told.wait(10)
    scheduler.close()
    assert list(ledger.keys) == ["schedule:w#default:7"]
