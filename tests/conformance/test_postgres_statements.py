"""The SQL of the PostgreSQL store on a real server: every statement fits the schema and uses its index."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from postgres_server import PostgresElsewhere, PostgresServer
from psycopg import sql

from weft.store.postgres import PostgresStore
from weft.store.postgres_read import questions
from weft.store.postgres_session import Session
from weft.store.statements import statements

SORTED = {"claimable", "owned", "newest_runs", "created_counts", "ended_runs", "ended_counts", "open_counts"}
"""Statements that sort or group what they found."""

CONTROL = {"begin", "commit", "rollback", "begin_snapshot"}
"""Statements that a server does not prepare a plan for."""


@pytest.fixture(scope="module")
def store(postgres: PostgresServer | PostgresElsewhere) -> Iterator[PostgresStore]:
    """An empty store."""
    made = PostgresStore(postgres.url())
    yield made
    made.close()


@pytest.fixture
def connection(store: PostgresStore) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A plain connection to its schema."""
    with psycopg.connect(store.place.conninfo) as made:
        made.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(store.place.schema)))
        yield made


@pytest.mark.parametrize("kind", ["read", "write"])
def test_every_statement_fits_the_schema(
    connection: psycopg.Connection[tuple[object, ...]], kind: str
) -> None:
    """The server can prepare each of them."""
    found = questions() if kind == "read" else statements("postgres_write")
    for name, text in found.items():
        if name not in CONTROL:
            connection.execute(f"PREPARE {name} AS {text.replace('{where}', 'TRUE')}".encode())


@pytest.mark.parametrize(
    ("kind", "name", "index"),
    [
        ("read", "run_by_key", "run_by_key"),
        ("read", "events_of_run", "event_by_run"),
        ("read", "events_of_task", "event_by_run"),
        ("read", "events_since", "event_pkey"),
        ("read", "due", "record_due"),
        ("read", "last_records", "record_pkey"),
        ("read", "bars", "task_run_pkey"),
        ("read", "newest_runs", "run_by_workflow"),
        ("read", "run_workflows", "run_by_workflow"),
        ("read", "created_counts", "run_by_workflow"),
        ("read", "ended_runs", "run_ended"),
        ("read", "ended_counts", "run_ended"),
        ("read", "open_counts", "run_open"),
        ("write", "claimable", "run_open"),
        ("write", "owned", "run_pkey"),
        ("write", "change_tasks", "task_run_pkey"),
        ("write", "remake_tasks", "task_run_pkey"),
        ("write", "add_events", "event_pkey"),
    ],
)
def test_statements_use_their_index(store: PostgresStore, kind: str, name: str, index: str) -> None:
    """As planned for an empty table, so they run when it is full: by index, and in the order asked for."""
    text = (questions() if kind == "read" else statements("postgres_write"))[name]
    session = Session(store.place, {})
    try:
        session.ask("SET plan_cache_mode = force_generic_plan", prepare=False)
        session.connection.execute(f"PREPARE asked AS {text.replace('{where}', 'TRUE')}".encode())
        holes = max(int(number) for number in re.findall(r"\$(\d+)", text) or ["0"])
        nulls = f"({', '.join(['NULL'] * holes)})" if holes else ""
        rows = session.connection.execute(f"EXPLAIN EXECUTE asked{nulls}".encode()).fetchall()
        plan = "\n".join(row[0] for row in rows)
    finally:
        session.close()
    assert index in plan
    # Engines are few.
    assert "Seq Scan" not in plan.replace("Seq Scan on engine", "")
    assert "Sort" not in plan or name in SORTED
