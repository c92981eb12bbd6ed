"""Decisions about ticks, as arithmetic; how they are acted on is tested with the scheduler."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from weft.core import ticking
from weft.core.ticking import QUEUE_MAX, Standing, decide, due_at, enrol, facts, settle, trigger
from weft.model.errors import Conflict
from weft.model.schedules import Cron, Data, Every, Overlap, Schedule, Scheduled
from weft.model.states import RunState

NOW = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
OPEN = Standing(RunState.RUNNING)


def made(schedule: Schedule) -> Scheduled:
    """A schedule as it is first kept."""
    return enrol("w", schedule, None, NOW)


def test_what_is_decided_stays_decided_until_it_is_settled() -> None:
    """However late somebody looks again, and whatever has become due."""
    state = decide(made(Schedule(Every(60))), NOW + 60, Standing())
    assert state.submitting == (NOW + 60,)
    assert due_at(state, NOW + 61) == NOW + 61
    assert decide(state, NOW + 600, Standing()) == state
    settled = settle(state, ["run_1"])
    assert (settled.submitting, settled.last_tick, settled.last_run) == ((), NOW + 60, "run_1")
    assert due_at(settled, NOW + 61) == NOW + 120


def test_catchup_goes_on_in_batches() -> None:
    """In order, without a gap between two of them."""
    state = made(Schedule(Every(60), catchup=True))
    found: list[int] = []
    for _ in range(4):
        state = decide(state, NOW + 60 * 250, Standing(), room=100)
        found += state.submitting
        state = settle(state, ["run"] * len(state.submitting)) if state.submitting else state
    assert found == [NOW + 60 * n for n in range(1, 251)]


def test_a_queue_is_bounded() -> None:
    """What comes when it is full is skipped, and counted; a person's tick is refused."""
    state = replace(
        made(Schedule(Every(60), overlap=Overlap.QUEUE)), waiting=tuple(range(QUEUE_MAX)), last_run="run_1"
    )
    state = decide(state, NOW + 60, OPEN)
    assert (len(state.waiting), state.skipped, state.next_tick) == (QUEUE_MAX, 1, NOW + 120)
    with pytest.raises(Conflict):
        trigger(state, 7)


def test_only_the_latest_missed_tick_counts_though_there_are_millions() -> None:
    """Years of seconds are passed over at once, and counted up to a thousand."""
    state = decide(made(Schedule(Every(1))), NOW + 3 * 365 * 86_400, Standing())
    assert state.submitting == (NOW + 3 * 365 * 86_400,)
    assert state.missed == 1000


def test_a_paused_schedule_is_not_due_and_decides_nothing() -> None:
    """Until it goes on."""
    state = ticking.pause(made(Schedule(Every(60))), "ann")
    assert due_at(state, NOW + 600) is None
    assert decide(state, NOW + 600, Standing()) == state


def test_facts_are_datetimes_in_utc() -> None:
    """Of the tick and of what it is about."""
    state = made(Schedule(Cron("0 6 * * *", "Europe/Stockholm"), name="early", data=Data.INTERVAL))
    tick = datetime(2026, 3, 30, 4, tzinfo=UTC)
    assert facts(state, int(tick.timestamp())) == {
        "schedule": "early",
        "tick": tick,
        "logical_date": datetime(2026, 3, 29, 4, tzinfo=UTC),
        "data_interval_start": datetime(2026, 3, 29, 4, tzinfo=UTC),
        "data_interval_end": tick,
    }
