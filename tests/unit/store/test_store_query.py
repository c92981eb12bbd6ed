"""What a query means, and how a wrong one is told."""

import pytest

from weft.model.errors import UsageError
from weft.store.query import MAX_LENGTH, MAX_VALUES, RUNS, TASKS, Pattern, Target, Term, parse, to_sql

NOW = 1_000_000.0


def text(value: str) -> Pattern:
    """A literal."""
    return Pattern((value,))


@pytest.mark.parametrize(
    ("query", "target", "terms"),
    [
        ("", RUNS, ()),
        ("  \n ", RUNS, ()),
        ("state:failed", RUNS, (Term("state", ":", (text("failed"),)),)),
        ("STATE=failed", RUNS, (Term("state", ":", (text("failed"),)),)),
        ("state:failed,lost", TASKS, (Term("state", ":", (text("failed"), text("lost"))),)),
        ("-state:lost", TASKS, (Term("state", ":", (text("lost"),), negated=True),)),
        ("workflow:etl*", RUNS, (Term("workflow", ":", (Pattern(("etl", "")),)),)),
        ('key:"a b"', RUNS, (Term("key", ":", (text("a b"),)),)),
        ('key:"a*\\"\\\\",c', RUNS, (Term("key", ":", (text('a*"\\'), text("c"))),)),
        ("key:load[17]", TASKS, (Term("key", ":", (text("load[17]"),)),)),
        ("key:a:b>c", TASKS, (Term("key", ":", (text("a:b>c"),)),)),
        ("attempt>1", TASKS, (Term("attempt", ">", (1,)),)),
        ("attempt:1,-2", TASKS, (Term("attempt", ":", (1, -2)),)),
        ("ended<-2h", RUNS, (Term("ended", "<", (NOW - 7200,)),)),
        ("ended<+1w", RUNS, (Term("ended", "<", (NOW + 604_800,)),)),
        ("started>=now", RUNS, (Term("started", ">=", (NOW,)),)),
        ("since:1d", RUNS, (Term("since", ":", (NOW - 86_400,)),)),
        ("started>1970-01-02", RUNS, (Term("started", ">", (86_400.0,)),)),
        ("started>1970-01-01T01:00Z", RUNS, (Term("started", ">", (3600.0,)),)),
        ("started>1970-01-01T02:00+01:00", RUNS, (Term("started", ">", (3600.0,)),)),
        ("started>1700000000.5", RUNS, (Term("started", ">", (1_700_000_000.5,)),)),
        (
            "tag:prod  dialect:native",
            RUNS,
            (Term("tag", ":", (text("prod"),)), Term("dialect", ":", (text("native"),))),
        ),
    ],
)
def test_a_query_is_read(query: str, target: Target, terms: tuple[Term, ...]) -> None:
    """Each form of the language has one meaning."""
    assert parse(query, target, now=NOW) == terms


@pytest.mark.parametrize(
    ("query", "target", "position", "told"),
    [
        ("etl", RUNS, 0, "field:value"),
        ("state:failed etl", RUNS, 13, "field:value"),
        ("stat:failed", RUNS, 0, "did you mean state?"),
        ("-stat:failed", RUNS, 1, "did you mean state?"),
        ("tag:prod", TASKS, 0, "known fields of task runs: state, key"),
        ("state:succeded", RUNS, 6, "did you mean succeeded?"),
        ("state:failed,lost", RUNS, 13, "known states: scheduled"),
        ("state>failed", RUNS, 5, "state:value"),
        ("started:2026-01-01", RUNS, 7, "started>2026-01-01"),
        ("started>1,2", RUNS, 10, "again"),
        ("attempt>1,2", TASKS, 10, "again"),
        ("attempt:one", TASKS, 8, "such as 3"),
        ("attempt>9999999999999999", TASKS, 8, "such as 3"),
        ("started>2h", RUNS, 8, "-2h"),
        ("started>2026-13-01", RUNS, 8, "-2h"),
        ("started>9999999999999", RUNS, 8, "-2h"),
        ("since:1d,2d", RUNS, 9, "again"),
        ("key:", RUNS, 4, '""'),
        ("key: a", RUNS, 4, '""'),
        ('key:"a', RUNS, 4, 'end it with "'),
        ("key:a,", RUNS, 6, '""'),
        ('key:"a"b', RUNS, 7, "quote"),
    ],
)
def test_a_wrong_query_is_told_where_and_how_to_mend_it(
    query: str, target: Target, position: int, told: str
) -> None:
    """The position of the fault and what would be right."""
    with pytest.raises(UsageError) as caught:
        parse(query, target, now=NOW)
    assert told in caught.value.hint
    assert caught.value.fields["position"] == position
    assert f"position {position + 1}" in caught.value.where


def test_a_query_has_a_longest_length() -> None:
    """Longer ones are refused before they are read."""
    with pytest.raises(UsageError, match="longer"):
        parse("key:" + "a" * MAX_LENGTH, RUNS, now=NOW)


def test_a_query_has_a_most_of_values() -> None:
    """However they are spread over terms."""
    assert len(parse("key:a " * MAX_VALUES, RUNS, now=NOW)) == MAX_VALUES
    with pytest.raises(UsageError, match="more than"):
        parse("key:a " * MAX_VALUES + "key:b,c", RUNS, now=NOW)


def test_the_sql_holds_no_text_of_the_query() -> None:
    """Values fill holes; what is in the statement comes from the table of fields."""
    sql, values = to_sql(parse('key:"x\'y",z* -error:E attempt>=2', TASKS, now=NOW), TASKS)
    assert sql == (
        "(key = ? OR key GLOB ?) AND ("
        "lower(json_extract(error, '$.type')) GLOB ? OR lower(json_extract(error, '$.message')) GLOB ? OR "
        "lower(json_extract(error, '$.code')) GLOB ?) IS NOT TRUE AND (attempt >= ?)"
    )
    assert values == ("x'y", "z*", "*e*", "*e*", "*e*", 2)


def test_an_empty_query_is_true() -> None:
    """It picks everything."""
    assert to_sql((), RUNS) == ("TRUE", ())
