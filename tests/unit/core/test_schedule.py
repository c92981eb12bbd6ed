"""Ticks across changes of clock, previews, data intervals, jitter; against a walk minute by minute."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core.cron import Cron as ParsedCron
from weft.core.schedule import Plan, check, moment_of, plan_of
from weft.core.zones import _BLOCK_S, _SCAN_S, NAIVE_EPOCH, Zone, zone
from weft.model.errors import InvalidSchedule
from weft.model.schedules import Cron, Data, Every, Once, RRule, Schedule, Timing

CHANGES = [
    # Zone, and the UTC day around which its clock is changed.
    ("Europe/Stockholm", "2026-03-29"),
    ("Europe/Stockholm", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-04"),  # by half an hour
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Africa/Casablanca", "2026-02-15"),  # for Ramadan, the other way round
    ("Africa/Casablanca", "2026-03-22"),
    ("America/Havana", "2026-03-08"),  # at midnight
    ("America/Havana", "2026-11-01"),
    ("America/Santiago", "2026-09-06"),  # at midnight
    ("America/Santiago", "2026-04-05"),
    ("Pacific/Apia", "2011-12-30"),  # a whole day was left out
    ("Asia/Kathmandu", "2026-03-29"),  # never
]
EXPRESSIONS = [
    "30 2 * * *",
    "0 0 * * *",
    "15 1 * * *",
    "45 1,2,3 * * *",
    "*/20 0-3 * * *",
    "0 */2 * * *",
    "30 0 * * sun",
    "*/10 * * * *",
    "7 * * * *",
    "0 * * * *",
]


def at(text: str) -> int:
    """An ISO time in Unix seconds."""
    return int(datetime.fromisoformat(text).timestamp())


def ticks(timing: Timing, begin: str, count: int, **options: object) -> list[str]:
    """The next ticks, as their zone's clock shows them."""
    plan = Plan(Schedule(timing, **options))  # type: ignore[arg-type]  # a test's shorthand
    return [
        datetime.fromtimestamp(each, plan.zone.info).isoformat(" ", "minutes")
        for each in plan.preview(at(begin), count)
    ]


def walked(expression: str, name: str, begin: int, end: int) -> list[int]:
    """The ticks in a stretch of time, by looking at every minute of it through ``zoneinfo``."""
    info, cron = ZoneInfo(name), ParsedCron(expression)

    def shown(instant: int) -> int:
        naive = datetime.fromtimestamp(instant, info).replace(tzinfo=None)
        return (naive - NAIVE_EPOCH) // timedelta(seconds=1)

    minutes = range(begin - 3 * 86_400, end + 60, 60)
    if cron.steady:
        found = {each for each in minutes if cron.at_or_after(shown(each)) == shown(each)}
    else:
        found, seen = set(), shown(minutes[0])
        for each in minutes:
            # All that the clock came to or jumped over since the minute before, unless it did so already.
            if any(cron.at_or_after(w) == w for w in range(seen + 60, shown(each) + 60, 60)):
                found.add(each)
            seen = max(seen, shown(each))
    return sorted(each for each in found if begin < each <= end)


@pytest.mark.parametrize(("name", "day"), CHANGES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_change_of_clock_is_what_a_walk_through_it_shows(name: str, day: str, expression: str) -> None:
    """Fixed times tick once each day, those of every hour go on; forward and back."""
    begin, end = at(f"{day}T00:00Z") - 86_400, at(f"{day}T00:00Z") + 3 * 86_400
    wanted = walked(expression, name, begin, end)
    plan = Plan(Schedule(Cron(expression, name)))
    found = [tick for tick in plan.preview(begin, len(wanted) + 1) if tick <= end]
    assert found == wanted
    back, moment = [], end + 1
    while (before := plan.before(moment)) is not None and before > begin:
        back.append(before)
        moment = before
    assert back[::-1] == wanted


def test_a_fixed_time_in_the_gap_ticks_at_its_end() -> None:
    """Once, and the days around it are as ever."""
    stockholm = Cron("30 2 * * *", "Europe/Stockholm")
    assert ticks(stockholm, "2026-03-28T00:00Z", 3) == [
        "2026-03-28 02:30+01:00",
        "2026-03-29 03:00+02:00",
        "2026-03-30 02:30+02:00",
    ]
    assert ticks(Cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-02T12:00Z", 3) == [
        "2026-10-03 02:15+10:30",
        "2026-10-04 02:30+11:00",
        "2026-10-05 02:15+11:00",
    ]


def test_several_times_in_the_gap_are_one_tick() -> None:
    """Also together with a time that is its end."""
    assert ticks(Cron("0,20,40 2,3 * * *", "America/New_York"), "2026-03-08T04:00Z", 4) == [
        "2026-03-08 03:00-04:00",
        "2026-03-08 03:20-04:00",
        "2026-03-08 03:40-04:00",
        "2026-03-09 02:00-04:00",
    ]


def test_a_fixed_time_in_the_overlap_ticks_at_its_first() -> None:
    """Once; the second time that the clock shows it is no tick."""
    assert ticks(Cron("30 1 * * *", "America/New_York"), "2026-10-31T12:00Z", 2) == [
        "2026-11-01 01:30-04:00",
        "2026-11-02 01:30-05:00",
    ]
    plan = Plan(Schedule(Cron("30 1 * * *", "America/New_York")))
    within = at("2026-11-01T01:10-05:00")
    assert plan.after(within) == at("2026-11-02T01:30-05:00")
    assert plan.before(within) == at("2026-11-01T01:30-04:00")


@pytest.mark.parametrize("name", ["Europe/Stockholm", "America/New_York", "Africa/Casablanca"])
def test_every_few_minutes_is_elapsed_time_the_whole_year(name: str) -> None:
    """No change of clock doubles a tick or leaves one out."""
    plan = Plan(Schedule(Cron("*/15 * * * *", name)))
    found = plan.preview(at("2026-01-01T00:00Z"), 4 * 24 * 365)
    assert {after - before for before, after in pairwise(found)} == {900}


def test_days_keep_their_hour_and_hours_their_length() -> None:
    """An interval of whole days is the calendar's; any other is elapsed time."""
    anchor = datetime(2026, 3, 1, 6, tzinfo=ZoneInfo("Europe/Stockholm"))
    assert ticks(Every(86_400, anchor, "Europe/Stockholm"), "2026-03-28T12:00Z", 2) == [
        "2026-03-29 06:00+02:00",
        "2026-03-30 06:00+02:00",
    ]
    assert ticks(Every(43_200, anchor, "Europe/Stockholm"), "2026-03-28T12:00Z", 2) == [
        "2026-03-28 18:00+01:00",
        "2026-03-29 07:00+02:00",
    ]


def test_an_interval_counts_from_its_anchor_the_start_or_the_clock() -> None:
    """In this order; weeks begin on Monday."""
    start = datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    assert ticks(Every(300), "2026-03-01T10:01Z", 1) == ["2026-03-01 10:05+00:00"]
    assert ticks(Every(300), "2026-03-01T10:01Z", 1, start=start) == ["2026-03-01 10:02+00:00"]
    anchored = Every(300, datetime(2030, 1, 1, 0, 4, tzinfo=UTC))
    assert ticks(anchored, "2026-03-01T10:01Z", 1, start=start) == ["2026-03-01 10:04+00:00"]
    assert ticks(Every(7 * 86_400), "2026-03-01T10:01Z", 1) == ["2026-03-02 00:00+00:00"]


def test_start_and_end_bound_the_ticks_on_both_sides() -> None:
    """They are themselves inside."""
    start, end = datetime(2026, 3, 2, 6, tzinfo=UTC), datetime(2026, 3, 4, 6, tzinfo=UTC)
    plan = Plan(Schedule(Cron("0 6 * * *"), start=start, end=end))
    assert plan.preview(0, 10) == [at(f"2026-03-0{day}T06:00Z") for day in (2, 3, 4)]
    assert plan.before(at("2027-01-01T00:00Z")) == at("2026-03-04T06:00Z")
    assert plan.before(at("2026-03-02T06:00Z")) is None
    assert plan.upto(at("2026-03-02T06:00Z")) == at("2026-03-02T06:00Z")


def test_once_is_one_tick() -> None:
    """Before it there is one to come, after it none."""
    plan = Plan(Schedule(Once(datetime(2026, 3, 1, 12, tzinfo=UTC))))
    moment = at("2026-03-01T12:00Z")
    assert (plan.after(moment - 1), plan.after(moment)) == (moment, None)
    assert (plan.before(moment), plan.before(moment + 1)) == (None, moment)


def test_data_intervals_are_airflows() -> None:
    """From the tick before up to the tick; the first one begins at the start."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    plan = Plan(Schedule(Cron("@daily"), start=start, end=start + timedelta(days=1), data=Data.INTERVAL))
    first, last = plan.preview(0, 5)
    assert plan.interval(first) == (at("2026-03-01T00:00Z"), at("2026-03-02T00:00Z"))
    assert plan.logical_date(first) == start
    assert plan.logical_date(last) == start + timedelta(days=1)
    plain = Plan(Schedule(Cron("@daily"), start=start))
    assert plain.logical_date(at("2026-03-02T00:00Z")) == datetime(2026, 3, 2, tzinfo=UTC)


def test_jitter_is_a_ticks_own_and_keeps_the_order() -> None:
    """The same whenever it is asked for, spread, and never as late as the next tick."""
    schedule = Schedule(Every(60), jitter_s=600)
    one, again, other = plan_of(schedule, "w#a"), Plan(schedule, "w#a"), plan_of(schedule, "w#b")
    late = [one.due_at(tick) - tick for tick in range(0, 60_000, 60)]
    assert late == [again.due_at(tick) - tick for tick in range(0, 60_000, 60)]
    assert late != [other.due_at(tick) - tick for tick in range(0, 60_000, 60)]
    assert 0 <= min(late) < 3
    assert 57 < max(late) < 60


def test_every_zone_changes_its_clock_seldom_enough_to_be_seen() -> None:
    """What the zones are scanned by is shorter than the time between any two changes."""
    block = at("2026-06-01T00:00Z") // _BLOCK_S
    for name in sorted(available_timezones())[::7]:
        found = zone(name)
        for number in range(block - 4, block + 2):
            starts = found._block(number * _BLOCK_S).starts[1:]
            assert all(later - earlier > _SCAN_S for earlier, later in pairwise(starts)), name


@settings(deadline=None)
@given(st.sampled_from(sorted({name for name, _ in CHANGES})), st.integers(0, 2_500_000_000))
def test_walls_and_instants_agree_with_zoneinfo(name: str, instant: int) -> None:
    """What clocks show, and back: the same moment, or the first of two that look alike."""
    found = Zone(name, ZoneInfo(name))
    shown = found.wall(instant)
    local = datetime.fromtimestamp(instant, ZoneInfo(name))
    assert NAIVE_EPOCH + timedelta(seconds=shown) == local.replace(tzinfo=None)
    back = found.instant(shown)
    assert back == instant if local.fold == 0 else back < instant
    assert found.first_wall(instant) <= shown or found.instant(found.first_wall(instant)) >= instant


def test_what_cannot_be_is_refused() -> None:
    """A schedule is checked where it is written."""
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    for wrong, says in [
        (Schedule(Cron("@daily", "Mars/Phobos")), "no time zone"),
        (Schedule(Cron("@daily"), start=late, end=early), "ends before"),
        (Schedule(Cron("@daily"), jitter_s=-1), "jitter"),
        (Schedule(Cron("@yearly"), start=early + timedelta(days=1), end=late), "has no tick"),
        (Schedule(Every(0.5)), "whole seconds"),
        (Schedule(Once(datetime(2026, 1, 1))), "no time zone"),
        (Schedule(RRule("FREQ=DAILY;UNTIL=20250101"), start=early), "never comes"),
    ]:
        with pytest.raises(InvalidSchedule, match=says):
            check(wrong)


def test_far_moments_end_in_none() -> None:
    """Nothing is looked for for ever."""
    plan = Plan(Schedule(Cron("0 0 * * *", "Europe/Stockholm")))
    assert plan.after(at("9999-01-01T00:00Z")) is None
    assert moment_of(plan.after(at("9990-01-01T00:00Z")) or 0).year == 9990
