"""The query language picks the same rows on every store."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres_server import PostgresElsewhere, PostgresServer
from store_cases import Engine, run_added, run_changed, task_added, task_changed

from weft.core.changes import Cause, Change
from weft.model.errors import ErrorInfo
from weft.model.states import RunState, TaskState
from weft.store.memory import MemoryStore
from weft.store.postgres import PostgresStore
from weft.store.protocol import Store
from weft.store.query import MAX_LENGTH, MAX_VALUES, RUNS, TASKS, Kind, Target, parse
from weft.store.sqlite import SqliteStore

NOW = 1_800_000_000.0
TEXTS = [
    "etl",
    "ETL",
    "etl-2",
    "e*l",
    "a b",
    'say "hi"',
    "\x1aq",
    "back\\slash",
    "x[1]",
    "x?",
    "%_",
    "ü",
    "",
    "é*[^a]",
]
MESSAGES = ["", "Timeout after 3s", "disk [full]", "TIMEOUT", "naïve ÜBER", "a*b", "\x1a\x1b", "100% \\\\_"]
HOURS = [NOW + 3600.0 * hours for hours in (-1000, -30, -25, -2, -1, 0, 1)]


def populate(store: Store) -> Store:
    """Runs and task runs with every kind of value, the same for every store."""
    rng = random.Random(7)
    engine = Engine(store)
    changes: list[Change] = []

    def error() -> ErrorInfo | None:
        if rng.random() < 0.5:
            return None
        return ErrorInfo(rng.choice(["builtins.ValueError", "x.Timeout"]), rng.choice(MESSAGES))

    for run in range(1, 41):
        changes.append(
            run_added(
                run,
                workflow=rng.choice(TEXTS),
                dialect=rng.choice(["native", "airflow"]),
                project=rng.choice(TEXTS),
                key=rng.choice([None, f"{rng.choice(TEXTS)}{run}"]),
                tags=tuple(rng.sample(TEXTS, rng.randrange(3))),
                at=rng.choice(HOURS),
                graph=rng.choice(["g1", "unknown"]),
                parent_run=rng.choice(["", "run_1"]),
            )
        )
        for state in rng.sample(list(RunState), rng.randrange(3)):
            changes.append(run_changed(run, state, at=rng.choice(HOURS), error=error()))
    for idx in range(60):
        name = rng.choice(TEXTS)
        changes.append(
            task_added(1, idx, key=f"{name}[{idx}]", name=name, map_index=idx % 4 - 1, at=rng.choice(HOURS))
        )
        for state in rng.sample(list(TaskState), rng.randrange(3)):
            changes.append(
                task_changed(
                    1,
                    idx,
                    state,
                    attempt=rng.randrange(4),
                    failures=rng.randrange(3),
                    generation=rng.randrange(2),
                    cause=rng.choice(list(Cause)),
                    worker=rng.choice(TEXTS),
                    at=rng.choice(HOURS),
                    error=error(),
                )
            )
    assert engine.commit(*changes) == frozenset()
    return store


Stores = tuple[Store, ...]


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer | PostgresElsewhere
) -> Iterator[Stores]:
    """Every kind, with the same rows and the same clock; the one without SQL comes first."""
    sqlite = SqliteStore(tmp_path_factory.mktemp("query") / "weft.db", clock=lambda: NOW)
    made = (MemoryStore(clock=lambda: NOW), sqlite, PostgresStore(postgres.url(), clock=lambda: NOW))
    yield tuple(populate(each) for each in made)
    for each in made:
        each.close()


@st.composite
def terms(draw: st.DrawFn, target: Target) -> str:
    """One term that is right for the target."""
    name = draw(st.sampled_from(sorted(target.fields)))
    kind = target.fields[name].kind
    negated = draw(st.sampled_from(["", "-"]))
    if kind is Kind.SINCE:
        return f"{negated}{name}:{draw(st.sampled_from(['2h', '30h', '-1d', '2027-01-15', 'now']))}"
    if kind is Kind.TIME:
        value = draw(st.sampled_from(["-2h", "+1h", "-30h", "now", "2027-01-15T08:00Z", "1799990000", "-1w"]))
        return f"{negated}{name}{draw(st.sampled_from(['>', '>=', '<', '<=']))}{value}"
    if kind is Kind.NUMBER:
        operator = draw(st.sampled_from([":", "=", ">", ">=", "<", "<="]))
        numbers = draw(st.lists(st.integers(-2, 4), min_size=1, max_size=1 + 2 * (operator in ":=")))
        return f"{negated}{name}{operator}{','.join(map(str, numbers))}"
    if kind is Kind.STATE:
        values = draw(st.lists(st.sampled_from(list(target.states)), min_size=1, max_size=3))
        return f"{negated}{name}:{','.join(values)}"
    return f"{negated}{name}:{','.join(draw(st.lists(_texts(), min_size=1, max_size=3)))}"


@st.composite
def _texts(draw: st.DrawFn) -> str:
    """A text value: quoted, or bare with wildcards."""
    text = draw(st.sampled_from(TEXTS + MESSAGES))
    if draw(st.booleans()) or not text or any(mark in text for mark in ' "\\,'):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    cut = draw(st.integers(0, len(text)))
    return draw(
        st.sampled_from([text, text[:cut] + "*", "*" + text[cut:], f"*{text[:cut]}*", text[:1] + "*"])
    )


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_query_picks_the_same_rows_on_every_store(stores: Stores, data: st.DataObject) -> None:
    """The SQL and the predicate of a query are one condition, for runs and for task runs."""
    memory, *others = stores
    of_runs = " ".join(data.draw(st.lists(terms(RUNS), max_size=3)))
    of_tasks = " ".join(data.draw(st.lists(terms(TASKS), max_size=3)))
    runs, tasks = memory.runs(of_runs, limit=100), memory.tasks(1, of_tasks)
    for other in others:
        assert other.runs(of_runs, limit=100) == runs
        assert other.tasks(1, of_tasks) == tasks


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_term_and_its_negation_part_the_rows(stores: Stores, data: st.DataObject) -> None:
    """What a term does not pick, its negation does: also rows that lack the field."""
    term = data.draw(terms(TASKS)).removeprefix("-")
    for store in stores:
        picked = {row.idx for row in store.tasks(1, term)}
        others = {row.idx for row in store.tasks(1, f"-{term}")}
        assert picked | others == set(range(60))
        assert picked & others == set()


@pytest.mark.parametrize(
    "where",
    [
        "state:failed' OR 1=1 --",
        'workflow:"\'; DROP TABLE run; --"',
        "workflow:*'/**/UNION/**/SELECT/**/1--*",
        'key:"a\\"b"',
    ],
)
def test_no_text_of_a_query_becomes_sql(stores: Stores, where: str) -> None:
    """Quotes and comments of SQL are text like any other, or not a query."""
    for store in stores:
        if where.startswith("state"):
            with pytest.raises(Exception, match="unknown state"):
                store.runs(where)
        else:
            assert store.runs(where) == []
        assert len(store.runs(limit=100)) == 40


def test_the_longest_queries_can_be_run(stores: Stores) -> None:
    """Whatever parses is within what each database takes: many terms and values, long and starry patterns."""
    longest = [
        " ".join(["-state:failed"] * MAX_VALUES),
        "key:" + ",".join(["a*"] * MAX_VALUES),
        "error:" + ",".join("a" * MAX_VALUES),
        "-tag:" + ",".join("b" * MAX_VALUES),
        " ".join(["error:a"] * MAX_VALUES),
        "key:" + "a" * (MAX_LENGTH - 4),
        "key:" + "[*" * 2000,
        "attempt>999999999999999 attempt>-999999999999999",
    ]
    for where in longest:
        target = TASKS if "attempt" in where else RUNS
        assert parse(where, target, now=NOW)
        for store in stores:
            if target is RUNS:
                store.runs(where)
            else:
                assert store.tasks(1, where) == []
