"""What ``schedule=`` accepts, and what it becomes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from weft import Cron, Every, Once, RRule, Schedule, cron, dag, every, flow, once, rrule
from weft.model.errors import InvalidPolicy, InvalidSchedule
from weft.model.schedules import Data, Overlap


def test_every_kind_of_timing_is_data() -> None:
    """The functions make what the store keeps."""
    at = datetime(2030, 1, 1, tzinfo=UTC)
    assert cron(" 0  6 * * 1-5", tz="Europe/Stockholm").timing == Cron("0 6 * * 1-5", "Europe/Stockholm")
    assert every("90s", tz="Asia/Tokyo").timing == Every(90, None, "Asia/Tokyo")
    assert rrule("FREQ=DAILY", tz="Asia/Tokyo").timing == RRule("FREQ=DAILY", "Asia/Tokyo")
    assert once(at).timing == Once(at)


def test_options_of_a_schedule() -> None:
    """Each has its place, and moments without a zone are in the schedule's."""
    made = cron(
        "0 6 * * *",
        tz="Europe/Stockholm",
        name="early",
        params={"full": True},
        jitter="30s",
        start=date(2026, 7, 1),
        end=datetime(2026, 12, 31, 12),
        catchup=True,
        overlap="skip",
        depends_on_previous=True,
        paused=True,
        data="interval",
    )
    zone = ZoneInfo("Europe/Stockholm")
    assert made == Schedule(
        Cron("0 6 * * *", "Europe/Stockholm"),
        name="early",
        params={"full": True},
        jitter_s=30,
        start=datetime(2026, 7, 1, tzinfo=zone),
        end=datetime(2026, 12, 31, 12, tzinfo=zone),
        catchup=True,
        overlap=Overlap.SKIP,
        depends_on_previous=True,
        paused=True,
        data=Data.INTERVAL,
    )


def test_flows_and_dags_take_several_schedules() -> None:
    """What the workflow says holds for each that does not say it itself."""
    twice = [cron("0 6 * * *", name="morning", end=datetime(2027, 1, 1)), every("1h", name="hourly")]

    @flow(schedule=twice, start=datetime(2026, 1, 1), max_active_runs=2, catchup=True, retries=1)
    def a() -> None: ...

    @dag(schedule=twice, start=datetime(2026, 1, 1), max_active_runs=2, catchup=True)
    def b() -> None: ...

    for workflow in (a, b):
        morning, hourly = workflow.schedules
        assert (morning.name, hourly.name) == ("morning", "hourly")
        assert morning.start == hourly.start == datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))
        assert (morning.end, hourly.end) == (datetime(2027, 1, 1, tzinfo=ZoneInfo("UTC")), None)
        assert morning.max_active_runs == hourly.max_active_runs == workflow.max_active_runs == 2
        assert morning.catchup
        assert workflow.with_options(name="c").schedules == workflow.schedules


def test_a_workflow_without_a_schedule_has_none() -> None:
    """Nothing is made up."""
    assert flow(lambda: None).schedules == ()
    assert dag(schedule=None)(lambda: None).schedules == ()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: cron("0 6 * *"), "4 fields"),
        (lambda: cron("0 6 30 2 *"), "never comes"),
        (lambda: cron("0 6 * * *", tz="Mars/X"), "no time zone"),
        (lambda: cron("0 6 * * *", name="a b"), "no name"),
        (lambda: cron("0 6 * * *", overlap="both"), "overlap='both'"),
        (lambda: cron("0 6 * * *", retries=3), "takes no retries"),
        (lambda: cron("0 6 * * *", start=date(2026, 2, 1), end=date(2026, 1, 1)), "ends before"),
        (lambda: every("0s"), "whole seconds"),
        (lambda: every("1500ms"), "whole seconds"),
        (lambda: every("1m", anchor=datetime(2026, 1, 1)), "no time zone"),
        (lambda: once(datetime(2026, 1, 1)), "no time zone"),
        (lambda: once(datetime(2026, 1, 1, tzinfo=UTC), start=date(2026, 2, 1)), "has no tick"),
        (lambda: rrule("FREQ=FORTNIGHTLY"), "FREQ=FORTNIGHTLY"),
        (lambda: flow(schedule=["@daily", "@hourly"])(lambda: None), "'default'"),
        (lambda: flow(schedule=7)(lambda: None), "schedule=7"),
        (lambda: dag(schedule=timedelta(0))(lambda: None), "whole seconds"),
    ],
)
def test_nonsense_is_refused_where_it_is_written(wrong: object, says: str) -> None:
    """With a code, and in words."""
    assert callable(wrong)
    with pytest.raises(InvalidSchedule, match=says):
        wrong()


def test_a_limit_of_runs_is_a_number_from_one_up() -> None:
    """For flows as for dags."""
    with pytest.raises(InvalidPolicy, match="max_active_runs"):
        flow(max_active_runs=0)(lambda: None)
