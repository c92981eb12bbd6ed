"""Cron expressions: against croniter where both speak the same language, else against a plain calendar."""

from calendar import monthrange
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from croniter import CroniterBadDateError, croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core.cron import Cron
from weft.core.zones import NAIVE_EPOCH
from weft.model.errors import InvalidSchedule


def wall(moment: datetime) -> int:
    """A naive datetime as a wall time."""
    return (moment - NAIVE_EPOCH) // timedelta(seconds=1)


def shown(found: int | None) -> datetime:
    """A wall time as a naive datetime."""
    assert found is not None
    return NAIVE_EPOCH + timedelta(seconds=found)


def following(expression: str, moment: datetime, count: int, identity: str = "") -> list[datetime]:
    """The next ones after a moment."""
    cron = Cron(expression, identity)
    found: list[datetime] = []
    for _ in range(count):
        moment = shown(cron.at_or_after(wall(moment) + 1))
        found.append(moment)
    return found


# --- against croniter -------------------------------------------------------------------------------------


def field(low: int, high: int) -> st.SearchStrategy[str]:
    """A field's text: what croniter and Weft understand alike (to croniter ``3-3`` is everything)."""
    number = st.integers(low, high)
    span = st.sets(number, min_size=2, max_size=2).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, high)
    item = st.one_of(number.map(str), span, st.tuples(span, step).map(lambda pair: f"{pair[0]}/{pair[1]}"))
    listed = st.lists(item, min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), listed)


every_nth = st.integers(1, 59).map(lambda step: f"*/{step}")
days = st.one_of(field(1, 28), st.sampled_from(["L", "31", "30", "29,L"]))
weekdays = st.one_of(field(0, 6), st.sampled_from(["mon-fri", "sun"]))
# A day beside a numbered weekday is an "and" to croniter, and only there.
both = st.one_of(st.tuples(days, weekdays), st.sampled_from([("*", "5#3"), ("*", "1#1,3#2"), ("*", "sun#5")]))
months = st.one_of(field(1, 12), st.sampled_from(["jan,jul", "mar-may", "2"]))
hours = st.one_of(field(0, 23), st.just("*/7"))
expressions = st.tuples(st.one_of(field(0, 59), every_nth), hours, both, months).map(
    lambda each: f"{each[0]} {each[1]} {each[2][0]} {each[3]} {each[2][1]}"
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(
    lambda each: each.replace(microsecond=0)
)


@settings(deadline=None)
@given(expressions, moments)
def test_five_fields_come_when_croniter_says(expression: str, moment: datetime) -> None:
    """Forward and back, over months with and without the days in question."""
    try:
        cron = Cron(expression)
    except InvalidSchedule:
        with pytest.raises(CroniterBadDateError):
            croniter(expression, moment).get_next(datetime)
        return
    forward, back = croniter(expression, moment), croniter(expression, moment)
    at = before = moment
    for _ in range(5):
        at = shown(cron.at_or_after(wall(at) + 1))
        assert at == forward.get_next(datetime)
        before = shown(cron.at_or_before(wall(before) - 1))
        assert before == back.get_prev(datetime)


@settings(deadline=None)
@given(st.one_of(field(0, 59), every_nth), field(0, 59), moments)
def test_six_fields_begin_with_seconds(second: str, minute: str, moment: datetime) -> None:
    """As croniter reads them when it is told that seconds come first."""
    expression = f"{second} {minute} * * * *"
    other = croniter(expression, moment, second_at_beginning=True)
    assert following(expression, moment, 5) == [other.get_next(datetime) for _ in range(5)]


@settings(deadline=None)
@given(expressions, moments)
def test_before_and_after_are_each_others_inverse(expression: str, moment: datetime) -> None:
    """Nothing comes between a moment and the next one."""
    try:
        cron = Cron(expression)
    except InvalidSchedule:
        return
    after = cron.at_or_after(wall(moment))
    assert after is not None
    assert cron.at_or_after(after) == cron.at_or_before(after) == after
    before = cron.at_or_before(after - 1)
    assert before is not None
    assert before < wall(moment) <= after
    assert cron.at_or_after(before + 1) == after


# --- what croniter does not know --------------------------------------------------------------------------


def month_of(expression: str, year: int, month: int) -> list[int]:
    """The days of a month on which an expression comes."""
    begin = datetime(year, month, 1)
    cron = Cron(expression)
    last = monthrange(year, month)[1]
    return [
        day
        for day in range(1, last + 1)
        if cron.at_or_after(wall(begin.replace(day=day))) == wall(begin.replace(day=day))
    ]


@pytest.mark.parametrize("year", range(2024, 2031))
@pytest.mark.parametrize("month", range(1, 13))
def test_last_and_nearest_days(year: int, month: int) -> None:
    """``L-3``, ``5L``, ``15W``, ``1W`` and ``LW`` are what a calendar on the wall says."""
    last = monthrange(year, month)[1]
    weekday = {day: datetime(year, month, day).isoweekday() for day in range(1, last + 1)}
    work = [day for day in weekday if weekday[day] < 6]
    assert month_of("0 0 L-3 * *", year, month) == [last - 3]
    assert month_of("0 0 * * 5L", year, month) == [max(day for day in weekday if weekday[day] == 5)]
    assert month_of("0 0 LW * *", year, month) == [work[-1]]
    # Of two weekdays equally near there is none: Saturday is nearer to Friday, Sunday to Monday.
    assert month_of("0 0 15W * *", year, month) == [min(work, key=lambda day: abs(day - 15))]
    assert month_of("0 0 1W * *", year, month) == [work[0]]
    fifth = [day for day in weekday if weekday[day] == 3 and day > 28]
    assert month_of("0 0 * * wed#5", year, month) == fifth


def test_both_day_fields_are_an_or_and_a_star_is_none() -> None:
    """The classic rule: the 13th, and every Friday; but ``*/2`` only narrows the weekday down."""
    begin = datetime(2026, 3, 1)
    days = [each.day for each in following("0 0 13 * 5", begin, 5)]
    assert days == [6, 13, 20, 27, 3]
    odd_mondays = following("0 0 */2 * 1", begin, 3)
    assert [(each.month, each.day) for each in odd_mondays] == [(3, 9), (3, 23), (4, 13)]
    assert following("0 0 ? * 1", begin, 1) == following("0 0 * * 1", begin, 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("0 0 * * 7", "0 0 * * SUN"),
        ("0 0 * * fri-mon", "0 0 * * 0,1,5,6"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 22-2 * * *", "0 0,1,2,22,23 * * *"),
        ("0 0 1 nov-feb *", "0 0 1 1,2,11,12 *"),
        ("7/20 * * * *", "7,27,47 * * * *"),
        ("0 30 6 * * *", "30 6 * * *"),
    ],
)
def test_shorthands(one: str, other: str) -> None:
    """Two ways to write the same."""
    begin = datetime(2026, 3, 1)
    assert following(one, begin, 30) == following(other, begin, 30)


def test_hashes_are_kept_by_a_schedule_and_spread_over_many() -> None:
    """One schedule always has the same minute; many have all of them."""
    begin = datetime(2026, 3, 1)
    first = following("H H * * *", begin, 3, "a#nightly")
    assert first == following("H H * * *", begin, 3, "a#nightly")
    assert {each.time() for each in first} == {first[0].time()}
    minutes = [following("H * * * *", begin, 1, f"{n}#s")[0].minute for n in range(2000)]
    assert set(minutes) == set(range(60))
    assert max(minutes.count(each) for each in range(60)) < 80
    assert {following("H(10-19) * * * *", begin, 1, f"{n}#s")[0].minute for n in range(200)} == set(
        range(10, 20)
    )
    quarters = following("H/15 * * * *", begin, 8, "a#s")
    assert {b - a for a, b in pairwise(quarters)} == {timedelta(minutes=15)}
    assert all(following("0 0 H * *", begin, 1, f"{n}#s")[0].day <= 28 for n in range(200))
    hour, minute = (following(text, begin, 1, "x#y")[0] for text in ("0 H * * *", "H 0 * * *"))
    assert (hour.hour, minute.minute) != (hour.hour, hour.hour), "fields are chosen for themselves"


def test_rare_days_come_and_impossible_ones_are_refused_at_once() -> None:
    """A leap day over a century's end is found; the 30th of February is an error."""
    assert following("0 0 29 2 *", datetime(2097, 1, 1), 1) == [datetime(2104, 2, 29)]
    assert following("0 0 ? 2 mon#5", datetime(2026, 1, 1), 1) == [datetime(2044, 2, 29)]
    for never in ("0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31W 2 *"):
        with pytest.raises(InvalidSchedule, match="never comes") as caught:
            Cron(never)
        assert caught.value.fields["position"] == 4


@pytest.mark.parametrize(
    ("expression", "position", "says"),
    [
        ("61 * * * *", 0, "61 is no minute"),
        ("0 24 * * *", 2, "24 is no hour"),
        ("0 0 0 * *", 4, "0 is no day of month"),
        ("0 0 * 13 *", 6, "13 is no month"),
        ("0 0 * * 8", 8, "8 is no day of week"),
        ("0 0 1,2,x * *", 8, "'x' is no day of month"),
        ("0 0 * foo *", 6, "'foo' is no month"),
        ("5-99 * * * *", 2, "99 is no minute"),
        ("50-10 * * * *", 0, "goes backwards"),
        ("*/0 * * * *", 2, "step 0"),
        ("*/61 * * * *", 2, "step 61"),
        ("*-5 * * * *", 0, "has no end"),
        ("1,,2 * * * *", 2, "'' is no minute"),
        ("? * * * *", 0, "stands for no minute"),
        ("0 0 5#3 * *", 4, "no day of month"),
        ("0 0 * * 5#6", 8, "number 6"),
        ("0 0 * * L", 8, "'l' is no day of week"),
        ("0 0 L-31 * *", 4, "31 before"),
        ("0 0 32W * *", 4, "32 is no day of month"),
        ("H(9-5) * * * *", 0, "goes backwards"),
        ("H/90 * * * *", 2, "step 90"),
        ("* * * *", 7, "4 fields"),
        ("* * * * * * *", 12, "7 fields"),
        ("", 0, "0 fields"),
        ("@often", 0, "no @often"),
        ("@reboot", 0, "no @reboot"),
    ],
)
def test_mistakes_are_named_with_their_place(expression: str, position: int, says: str) -> None:
    """One sentence, the column, and a way out."""
    with pytest.raises(InvalidSchedule, match=says) as caught:
        Cron(expression)
    assert caught.value.fields["position"] == position
    assert caught.value.where == f"column {position + 1}"
    assert caught.value.hint


@settings(deadline=None)
@given(st.text("0123456789*/,-?#LWHlwh() @adefijmnorstuvy", max_size=30))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """No other exception, whatever is written."""
    try:
        cron = Cron(text)
    except InvalidSchedule:
        return
    assert cron.at_or_after(1_000_000_000) is not None
