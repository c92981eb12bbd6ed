"""Backfills: which ticks run, in which order, how many at once; steering; crashes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from weft.core.changes import Cause, RunAdded, RunChanged
from weft.engine.backfills import BACKFILLS, Backfills, begin, foresee
from weft.model.backfills import Backfill, Only, Stage
from weft.model.calls import PythonCall
from weft.model.errors import ParameterError, StoreBusy, UsageError
from weft.model.graph import Graph, Node
from weft.model.rows import RunRow
from weft.model.schedules import Cron, Data, Schedule, run_key
from weft.model.states import RunState
from weft.runtime.host import RunRequest
from weft.store.memory import MemoryStore
from weft.testing.clock import FakeClock

GRAPH = Graph(workflow="etl", root=Node(key="etl", call=PythonCall("m", "etl")))
DAY = 86_400
DAILY = Schedule(Cron("@daily"))


def day(number: int) -> int:
    """Midnight of a day in January 2026."""
    return int(datetime(2026, 1, number, tzinfo=UTC).timestamp())


class World:
    """A store, a control that only keeps runs, and a loop over them."""

    def __init__(self) -> None:
        self.clock = FakeClock(day(31))
        self.store = MemoryStore(clock=self.clock.now)
        self.store.put_graph("g", GRAPH, at=1.0)
        self.asked: list[str] = []
        self.submitted: list[RunRequest] = []
        self.broken: Exception | None = None
        self.loop = Backfills(self.store, self, self, clock=self.clock)

    def request(
        self, name: str, *, params: dict[str, Any], facts: dict[str, Any], key: str, tags: tuple[str, ...]
    ) -> RunRequest:
        """See ``backfills.Workflows``."""
        if "bad" in params:
            raise ParameterError("no such parameter")
        return RunRequest(GRAPH, {}, facts=facts, key=key, tags=tags)

    def submit(self, requests: Sequence[RunRequest]) -> list[RunRow]:
        """See ``backfills.Submits``."""
        if self.broken is not None:
            raise self.broken
        return [self.run(each.key or "", each) for each in requests]

    def ask(self, row: RunRow, kind: str, *, by: str = "", request_id: str | None = None) -> object:
        """See ``backfills.Submits``."""
        self.asked.append(f"{kind} {row.key} {by}")
        return None

    def run(self, key: str, request: RunRequest | None = None) -> RunRow:
        """The run of a key, made if it is not there."""
        row = self.store.run_by_key(key)
        if row is None:
            run = self.store.reserve_runs(1)
            uid = f"run_{run:026}"
            self.store.commit(
                [RunAdded(run, uid, "etl", "g", self.clock.now(), key=key)], engine=0, epochs={run: 0}
            )
            if request is not None:
                self.submitted.append(request)
            row = self.store.run_by_id(run)
        return row

    def end(self, key: str, state: RunState = RunState.SUCCEEDED, *, after_s: float = 0.0) -> None:
        """A run ends."""
        row = self.run(key)
        now = self.clock.now()
        changes = [
            RunChanged(row.run, RunState.RUNNING, now, Cause.SUBMITTED),
            RunChanged(row.run, state, now + after_s, Cause.CHILDREN),
        ]
        self.store.commit(changes, engine=0, epochs={row.run: 0})

    def days(self) -> list[int]:
        """The days whose runs were submitted since the last time, in order."""
        found = [datetime.fromtimestamp(_tick(each), UTC).day for each in self.submitted]
        self.submitted.clear()
        return found

    def step(self) -> Backfill:
        """One look."""
        self.clock.advance(1.0)
        self.loop.step(self.clock.now())
        return BACKFILLS.require(self.store, "b1").value

    def finish(self, state: RunState = RunState.SUCCEEDED) -> Backfill:
        """End what is active, and look again."""
        for each in BACKFILLS.require(self.store, "b1").value.active:
            self.end(self.store.run(each.run).key or "", state)
        return self.step()


def _tick(request: RunRequest) -> int:
    assert request.key is not None
    return int(request.key.split(":")[2])


def key(number: int) -> str:
    """The key of a day's scheduled run."""
    return run_key("etl", "default", day(number))


@pytest.fixture
def world() -> World:
    """A new one."""
    return World()


def test_missing_ticks_run_in_order_and_few_at_once(world: World) -> None:
    """What has a run is left alone; a run's end makes room for the next."""
    world.end(key(2))
    world.end(key(4), RunState.FAILED)
    made = begin("etl", DAILY, day(1), day(6), max_active=2, at=world.clock.now(), by="me")
    assert made.total == 6
    world.loop.create("b1", made)
    world.step()
    assert world.days() == [1, 3]
    state = world.step()
    assert (world.days(), state.stage, state.made) == ([], Stage.RUNNING, 2)
    world.finish()
    assert world.days() == [5, 6]
    state = world.finish()
    assert (state.stage, state.succeeded, state.passed, state.total) == (Stage.SUCCEEDED, 4, 2, 6)
    assert BACKFILLS.due(world.store, before=1e12) == []


def test_failed_ticks_run_again_under_a_key_of_their_own(world: World) -> None:
    """Also the second time; an open run is never doubled."""
    world.end(key(1))
    world.end(key(2), RunState.FAILED)
    world.end(key(2) + ":1", RunState.CANCELLED)
    world.run(key(3))
    world.loop.create("b1", begin("etl", DAILY, day(1), day(4), only=Only.FAILED))
    world.step()
    assert [each.key for each in world.submitted] == [key(2) + ":2", key(4)]
    assert world.days() == [2, 4]
    state = world.finish(RunState.FAILED)
    assert (state.stage, state.failed, state.passed) == (Stage.FAILED, 2, 2)


def test_everything_can_run_again_from_the_latest_on(world: World) -> None:
    """``reverse`` is for those who want the newest data first."""
    for number in range(1, 5):
        world.end(key(number))
    world.loop.create("b1", begin("etl", DAILY, day(1), day(4), only=Only.ALL, reverse=True, max_active=3))
    world.step()
    assert world.days() == [4, 3, 2]
    world.finish()
    assert world.days() == [1]


def test_a_stretch_of_intervals_is_one_of_logical_dates(world: World) -> None:
    """The run of the 3rd ticks when the 3rd is over; its facts say what it is about."""
    schedule = replace(DAILY, data=Data.INTERVAL)
    for reverse in (False, True):
        made = begin("etl", schedule, day(3), day(4), reverse=reverse)
        assert made.total == 2
        plan = foresee(world.store, made)
        assert sorted(plan.runs) == [day(4), day(5)]
    world.loop.create("b1", made)
    world.step()
    facts = world.submitted[1].facts
    assert facts["logical_date"] == facts["data_interval_start"] == datetime(2026, 1, 3, tzinfo=UTC)
    assert facts["data_interval_end"] == datetime(2026, 1, 4, tzinfo=UTC)
    assert facts["backfill"] == "b1"
    assert world.submitted[0].tags == ("backfill:b1",)


def test_a_plan_says_what_would_run_and_for_how_long(world: World) -> None:
    """From the runs that are there; it changes nothing."""
    for number, took in ((1, 10.0), (2, 30.0), (3, 20.0)):
        world.end(key(number), after_s=took)
    world.run(key(4))
    made = begin("etl", DAILY, day(1), day(9), max_active=2)
    plan = foresee(world.store, made)
    assert plan.passed == {"succeeded": 3, "open": 1}
    assert (plan.total, plan.count, plan.runs) == (9, 5, tuple(day(each) for each in range(5, 10)))
    assert (plan.typical_s, plan.estimate_s) == (20.0, 60.0)
    assert foresee(World().store, made).estimate_s is None
    assert world.submitted == []


def test_it_is_paused_resumed_and_cancelled(world: World) -> None:
    """Paused, what runs goes on and nothing begins; cancelled, open runs are cancelled too."""
    world.loop.create("b1", begin("etl", DAILY, day(1), day(9), max_active=2))
    world.step()
    world.loop.pause("b1", by="me")
    state = world.finish()
    assert (world.days(), state.stage, state.succeeded, state.changed_by) == ([1, 2], Stage.PAUSED, 2, "me")
    assert BACKFILLS.due(world.store, before=1e12) == []
    world.loop.resume("b1")
    world.step()
    assert world.days() == [3, 4]
    world.loop.cancel("b1", by="boss")
    assert world.asked == [f"cancel {key(3)} boss", f"cancel {key(4)} boss"]
    state = world.finish(RunState.CANCELLED)
    assert (world.days(), state.stage, state.cancelled) == ([], Stage.CANCELLED, 2)
    for change in (world.loop.pause, world.loop.resume, world.loop.cancel):
        with pytest.raises(UsageError, match="has cancelled already"):
            change("b1")


def test_each_tick_may_depend_on_the_one_before(world: World) -> None:
    """Then one runs at a time, and a failure pauses the backfill until a person goes on."""
    schedule = replace(DAILY, depends_on_previous=True)
    world.loop.create("b1", begin("etl", schedule, day(1), day(9), max_active=5))
    world.step()
    world.finish()
    assert world.days() == [1, 2]
    state = world.finish(RunState.FAILED)
    assert (world.days(), state.stage) == ([], Stage.PAUSED)
    assert "depends on the one before" in state.error
    world.loop.resume("b1")
    world.step()
    assert world.days() == [3]


def test_a_limit_of_the_workflow_holds_for_its_backfills(world: World) -> None:
    """Whoever else has runs of it open."""
    world.run("somebody's")
    schedule = replace(DAILY, max_active_runs=2)
    world.loop.create("b1", begin("etl", schedule, day(1), day(9), max_active=5))
    world.step()
    assert world.days() == [1]


def test_what_was_decided_is_submitted_once_whatever_breaks(world: World) -> None:
    """Before the submission, after it, and with a cancel in between."""
    world.loop.create("b1", begin("etl", DAILY, day(1), day(9), max_active=2))
    world.broken = StoreBusy("not now")
    with pytest.raises(StoreBusy):
        world.step()
    assert len(BACKFILLS.require(world.store, "b1").value.submitting) == 2
    world.broken = None
    # A crash after the submission and before it was written down.
    world.run(key(1))
    state = world.step()
    assert [each.tick for each in state.active] == [day(1), day(2)]
    world.finish()
    world.days()
    world.broken = StoreBusy("not now")
    with pytest.raises(StoreBusy):
        world.finish()
    world.run(key(5))
    world.loop.cancel("b1", by="me")
    world.broken = None
    state = world.step()
    assert world.asked == [f"cancel {key(5)} me"]
    assert [each.tick for each in state.active] == [day(5)]
    assert world.store.run_by_key(key(6)) is None


def test_parameters_that_do_not_fit_pause_it_with_the_reason(world: World) -> None:
    """And it holds up no other."""
    world.loop.create("b0", begin("etl", DAILY, day(1), day(2), params={"bad": 1}))
    world.loop.create("b1", begin("etl", DAILY, day(3), day(4)))
    world.step()
    stuck = BACKFILLS.require(world.store, "b0").value
    assert stuck.stage is Stage.PAUSED
    assert "no such parameter" in stuck.error
    assert world.days() == [3, 4]


def test_a_stretch_must_make_sense(world: World) -> None:
    """Coded errors; one without ticks ends at once."""
    with pytest.raises(UsageError, match="ends before it begins"):
        begin("etl", DAILY, day(2), day(1))
    with pytest.raises(UsageError, match="max_active is 0"):
        begin("etl", DAILY, day(1), day(2), max_active=0)
    world.loop.create("b1", begin("etl", DAILY, day(1) + 1, day(2) - 1))
    state = world.step()
    assert (state.stage, state.total) == (Stage.SUCCEEDED, 0)


def test_a_long_stretch_that_has_run_is_passed_over_in_steps(world: World) -> None:
    """No step takes long, and the end is the same."""
    schedule = Schedule(Cron("* * * * *"))
    for minute in range(1200):
        world.end(run_key("etl", "default", day(1) + 60 * minute))
    world.loop.create("b1", begin("etl", schedule, day(1), day(1) + 60 * 1200))
    assert world.step().passed == 500
    assert world.step().passed == 1000
    world.step()
    assert len(world.submitted) == 1
    assert world.finish().stage is Stage.SUCCEEDED
