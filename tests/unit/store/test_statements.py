"""The SQL files: every statement is sound, explained where it must be, and used."""

import re
from pathlib import Path

import apsw
import pytest

import weft.store
from weft.store import postgres_schema
from weft.store.rows import RUN_COLUMNS, TASK_COLUMNS
from weft.store.sqlite_connection import SCHEMA_VERSION
from weft.store.statements import migration, statements

FOLDER = Path(weft.store.__file__).parent
BACKENDS = ["sqlite", "postgres"]
SORTED = {
    "claimable",
    "newest_runs",
    "open_counts",
    "open_runs",
    "ended_runs",
    "ended_counts",
    "created_counts",
}
"""Questions that sort or group what they found."""

FILES = [f"{backend}_{kind}" for backend in BACKENDS for kind in ("read", "summaries", "write")]


@pytest.fixture(scope="module")
def schema() -> apsw.Connection:
    """An empty database with the newest schema."""
    made = apsw.Connection(":memory:")
    for version in range(1, SCHEMA_VERSION + 1):
        made.execute(migration("sqlite", version)).fetchall()
    return made


@pytest.mark.parametrize(
    ("backend", "newest"), [("sqlite", SCHEMA_VERSION), ("postgres", postgres_schema.SCHEMA_VERSION)]
)
def test_the_schema_version_is_the_newest_migration(backend: str, newest: int) -> None:
    """A new file raises it, and numbers have no gaps."""
    numbers = sorted(int(path.name[:4]) for path in (FOLDER / "migrations" / backend).glob("*.sql"))
    assert numbers == list(range(1, newest + 1))


@pytest.mark.parametrize("file", ["sqlite_read", "sqlite_summaries", "sqlite_write"])
def test_every_statement_fits_the_schema(schema: apsw.Connection, file: str) -> None:
    """SQLite can prepare each of them."""
    for name, sql in statements(file).items():
        filled = sql.replace("{run}", RUN_COLUMNS).replace("{task}", TASK_COLUMNS).replace("{where}", "TRUE")
        holes = max([int(number) for number in re.findall(r"\?(\d+)", filled)] or [filled.count("?")])
        assert schema.execute(f"EXPLAIN {filled}", (None,) * holes).fetchall(), name


@pytest.mark.parametrize("file", FILES)
def test_every_statement_is_used(file: str) -> None:
    """SQL that nobody runs is dead code."""
    backend = file.partition("_")[0]
    files = (*FOLDER.glob(f"{backend}*.py"), FOLDER / "sql_read.py", FOLDER / "sql_summaries.py")
    code = "".join(path.read_text("utf-8") for path in files)
    tables = ("nodes", "maps", "signals", "published", "cache", "requests")
    built = {f"delete_{table}" for table in tables}
    for name in statements(file):
        assert f'"{name}"' in code or name in built, name


def test_names_are_unique_in_a_file() -> None:
    """A second statement of one name would hide the first."""
    for file in FILES:
        text = (FOLDER / "sql" / f"{file}.sql").read_text("utf-8")
        assert text.count("-- name: ") == len(statements(file))


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("run_by_key", "run_by_key"),
        ("events_of_run", "event_by_run"),
        ("events_of_task", "event_by_run"),
        ("claimable", "run_open"),
        ("newest_runs", "run_by_workflow"),
        ("run_workflows", "run_by_workflow"),
        ("open_counts", "run_open"),
        ("open_runs", "run_open"),
        ("open_approvals", "run_open"),
        ("ended_runs", "run_ended"),
        ("ended_counts", "run_ended"),
        ("created_counts", "run_by_workflow"),
    ],
)
def test_questions_use_their_index(schema: apsw.Connection, name: str, index: str) -> None:
    """None of these scans a table that grows with history."""
    sql = (statements("sqlite_read") | statements("sqlite_summaries"))[name].replace("{run}", RUN_COLUMNS)
    holes = max([int(number) for number in re.findall(r"\?(\d+)", sql)] or [sql.count("?")])
    steps = [step[3] for step in schema.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * holes)]
    assert any(index in step for step in steps), steps
    assert not any("SCAN run" in step and "INDEX" not in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps) or name in SORTED, steps
