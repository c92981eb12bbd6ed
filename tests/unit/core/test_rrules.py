"""Recurrences: what dateutil says of wall times, faster and with one rule about clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core.rrules import COUNT_MAX, RRule
from weft.core.schedule import Plan
from weft.core.zones import NAIVE_EPOCH, zone
from weft.model import schedules as model
from weft.model.errors import InvalidSchedule

BEGIN = datetime(2020, 1, 31, 6, 30)


def wall(moment: datetime) -> int:
    """A naive datetime as a wall time."""
    return (moment - NAIVE_EPOCH) // timedelta(seconds=1)


def shown(text: str, begin: str, count: int, tz: str = "Europe/Stockholm") -> list[str]:
    """The next ticks, as the zone's clock shows them."""
    plan = Plan(model.Schedule(model.RRule(text, tz)))
    found = plan.preview(datetime.fromisoformat(begin).timestamp(), count)
    return [datetime.fromtimestamp(each, plan.zone.info).isoformat(" ", "minutes") for each in found]


rules = st.tuples(
    st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]),
    st.integers(1, 5),
    st.sampled_from(
        [
            "",
            ";BYDAY=MO,WE",
            ";BYMONTHDAY=1,15,-1",
            ";BYMONTH=1,6;BYHOUR=3",
            ";BYHOUR=1,2,3;BYMINUTE=0,30",
            ";BYDAY=FR;BYSETPOS=-1",
            ";COUNT=40",
            ";UNTIL=20260101T000000",
        ]
    ),
).map(lambda each: f"FREQ={each[0]};INTERVAL={each[1]}{each[2]}")


@settings(deadline=None)
@given(rules, st.integers(-100, 3000))
def test_walls_are_dateutils(text: str, days: int) -> None:
    """From any moment, though the rule is not gone through from its beginning."""
    try:
        oracle = rrulestr(f"RRULE:{text}", dtstart=BEGIN)
    except ValueError:
        with pytest.raises(InvalidSchedule):
            RRule(text, zone("UTC"), wall(BEGIN))
        return
    moment = BEGIN + timedelta(days=days, hours=5)
    if "MINUTELY" in text or "HOURLY" in text:
        moment = BEGIN + timedelta(days=days / 60)
    rule = RRule(text, zone("UTC"), wall(BEGIN))
    after = [oracle.after(moment, inc=True)]
    for _ in range(3):
        after.append(after[-1] and oracle.after(after[-1]))
    at: int | None = -(-(moment - NAIVE_EPOCH) // timedelta(seconds=1))
    for each in after:
        at = None if at is None else rule.at_or_after(at)
        assert at == (None if each is None else wall(each))
        at = None if at is None else at + 1
    before = oracle.before(moment)
    found = rule.at_or_before(wall(moment) - (moment.microsecond == 0))
    assert found == (None if before is None else wall(before))


def test_looking_back_does_not_end_the_rule() -> None:
    """Questions in any order have the same answers: what was read for one is no limit for another."""
    text = "FREQ=WEEKLY;BYDAY=TU,SA;BYHOUR=6;BYMINUTE=57"
    oracle = rrulestr(f"RRULE:{text}", dtstart=BEGIN)
    rule = RRule(text, zone("UTC"), wall(BEGIN))
    for day in range(0, 1000, 3):
        moment = BEGIN + timedelta(days=day % 70 * 20)
        after, before = oracle.after(moment, inc=True), oracle.before(moment, inc=True)
        assert rule.at_or_before(wall(moment)) == (None if before is None else wall(before))
        assert rule.at_or_after(wall(moment)) == wall(after)


def test_ticks_of_a_rule_keep_the_hour_and_are_not_left_out_in_a_gap() -> None:
    """As for cron: at the first moment after the gap, and once in an overlap."""
    assert shown("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "2026-03-28T00:00+00:00", 3) == [
        "2026-03-28 02:30+01:00",
        "2026-03-29 03:00+02:00",
        "2026-03-30 02:30+02:00",
    ]
    assert shown("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "2026-10-24T12:00+00:00", 2) == [
        "2026-10-25 02:30+02:00",
        "2026-10-26 02:30+01:00",
    ]
    assert shown("FREQ=HOURLY", "2026-10-24T23:30+00:00", 3) == [
        "2026-10-25 02:00+02:00",
        "2026-10-25 02:00+01:00",
        "2026-10-25 03:00+01:00",
    ]


def test_lines_dates_and_zones() -> None:
    """DTSTART, RDATE, EXDATE and UNTIL, with TZID, with Z and with neither."""
    text = "\n".join(
        [
            "DTSTART;TZID=America/New_York:20260105T090000",
            "RRULE:FREQ=DAILY;UNTIL=20260109T140000Z",
            "EXDATE:20260107T150000",
            "RDATE:20260120T080000Z",
        ]
    )
    assert shown(text, "2026-01-01T00:00+00:00", 10) == [
        "2026-01-05 15:00+01:00",
        "2026-01-06 15:00+01:00",
        "2026-01-08 15:00+01:00",
        "2026-01-09 15:00+01:00",
        "2026-01-20 09:00+01:00",
    ]
    assert shown("FREQ=DAILY;UNTIL=20260102", "2025-12-31T12:00+00:00", 9, "UTC") == [
        "2026-01-01 00:00+00:00",
        "2026-01-02 00:00+00:00",
    ]


def test_an_old_rule_by_the_second_is_answered_from_a_window() -> None:
    """Years after its beginning, without going through them."""
    rule = RRule("FREQ=SECONDLY;INTERVAL=7", zone("UTC"), wall(datetime(1990, 1, 1)))
    late = wall(datetime(2026, 1, 1))
    found = rule.at_or_after(late)
    assert found is not None
    assert 0 <= found - late < 7
    assert (found - wall(datetime(1990, 1, 1))) % 7 == 0
    assert rule.at_or_before(late) in (found - 7, late)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no part of a rule"),
        ("FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY is not known"),
        ("BYHOUR=6", "FREQ= is not known"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0"),
        (f"FREQ=DAILY;COUNT={COUNT_MAX + 1}", "COUNT="),
        ("FREQ=DAILY;COUNT=2;UNTIL=20300101", "both COUNT and UNTIL"),
        ("FREQ=DAILY;UNTIL=soon", "'SOON' is no time"),
        ("FREQ=DAILY;BYHOUR=25", "hour"),
        ("FREQ=DAILY;BYFOO=1", "BYFOO|byfoo|unknown"),
        ("FREQ=DAILY;FREQ=DAILY", "no part of a rule"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never comes"),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "never comes"),
        ("FREQ=DAILY;COUNT=5;BYMONTH=2;BYMONTHDAY=30", "never comes"),
        ("DTSTART;TZID=Mars/X:20260101T000000\nRRULE:FREQ=DAILY", "no time zone"),
        ("EXRULE:FREQ=DAILY", "EXRULE is not known"),
        ("DTSTART:20260101T000000", "no RRULE"),
        ("DTSTART:20260101T000000\nRRULE:FREQ=DAILY;COUNT=1\nEXDATE:20260101T000000", "leaves nothing"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    """And none makes the parser hang."""
    with pytest.raises(InvalidSchedule, match=says):
        Plan(model.Schedule(model.RRule(text)))


def test_a_rule_without_dtstart_begins_at_the_schedules_start() -> None:
    """Its time of day is the start's; without one it is midnight on the wall."""
    start = datetime(2026, 1, 1, 6, tzinfo=UTC)
    daily = Plan(model.Schedule(model.RRule("FREQ=DAILY"), start=start))
    assert daily.after(0) == start.timestamp()
    weekly = shown("FREQ=WEEKLY", "2026-03-04T00:00+00:00", 1)
    assert weekly == ["2026-03-09 00:00+01:00"]
