"""A PostgreSQL store as a whole: read at one instant, or filled in one transaction.

Both have a connection of their own, without the time limits of an engine's: a large store takes minutes. The
statements name every table in turn, so they are made from ``tables.py`` and are not in ``sql/``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from weft.store.postgres_arrays import columns as arrays
from weft.store.postgres_errors import is_lost, translated, unreachable
from weft.store.postgres_place import Place
from weft.store.postgres_session import Session
from weft.store.tables import TABLES, Table
from weft.store.transfer import ROWS, Counters, Row

_TYPES = {"q": "bigint", "i": "int", "d": "float8", "t": "text", "b": "bytea"}
_IDENTITIES = {"engine": "engine_engine_seq", "request": "request_number_seq"}
"""Sequences of the columns that the database numbers."""


class PostgresRows:
    """``transfer.Target`` over a session inside a transaction; ``Source`` if that only reads."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def counters(self) -> Counters:
        """See ``Source.counters``."""
        ask = self._session.ask
        next_run = ask("SELECT value FROM meta WHERE name = 'next_run'", prepare=False)[0][0]
        revision, any_yet = ask("SELECT last_value, is_called FROM revision", prepare=False)[0]
        engine, any_engine = ask(f"SELECT last_value, is_called FROM {_IDENTITIES['engine']}", prepare=False)[
            0
        ]
        return Counters(
            next_run=next_run,
            next_engine=engine + 1 if any_engine else engine,
            revision=revision if any_yet else 0,
        )

    def columns(self, table: Table) -> Sequence[str]:
        """See ``Source.columns``."""
        return table.columns

    def count(self, table: Table) -> int:
        """See ``Source.count``."""
        return int(self._session.ask(f"SELECT count(*) FROM {table.name}", prepare=False)[0][0])

    def rows(self, table: Table) -> Iterator[list[Row]]:
        """See ``Source.rows``."""
        ask = self._session.ask
        names, key = ", ".join(table.columns), ", ".join(table.key)
        select = f"SELECT {names} FROM {table.name} ORDER BY {key}"
        ask(f"DECLARE moving NO SCROLL CURSOR FOR {select}", prepare=False)
        while batch := ask(f"FETCH {ROWS} FROM moving", prepare=False):
            yield batch
        ask("CLOSE moving", prepare=False)

    def clear(self) -> None:
        """See ``Target.clear``."""
        for table in TABLES:
            self._session.ask(f"DELETE FROM {table.name}", prepare=False)

    def put(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See ``Target.put``."""
        if not rows:
            return
        letters = dict(zip(table.columns, table.shape, strict=True))
        shape = "".join(letters[each] for each in columns)
        holes = ", ".join(f"${at}::{_TYPES[letter]}[]" for at, letter in enumerate(shape, 1))
        self._session.ask(
            f"INSERT INTO {table.name} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE "
            f"SELECT * FROM unnest({holes})",
            *arrays(shape, rows),
        )

    def set_counters(self, counters: Counters) -> None:
        """See ``Target.set_counters``."""
        ask = self._session.ask
        ask("UPDATE meta SET value = $1 WHERE name = 'next_run'", counters.next_run, prepare=False)
        requests = ask("SELECT coalesce(max(number), 0) + 1 FROM request", prepare=False)[0][0]
        nexts = {
            "revision": counters.revision + 1,
            _IDENTITIES["engine"]: counters.next_engine,
            _IDENTITIES["request"]: requests,
        }
        for name, value in nexts.items():
            ask("SELECT setval($1::text::regclass, $2, false)", name, value, prepare=False)


@contextmanager
def reading(place: Place) -> Iterator[PostgresRows]:
    """The store at one instant."""
    with _session(place, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as session:
        yield PostgresRows(session)


@contextmanager
def writing(place: Place) -> Iterator[PostgresRows]:
    """The store in one transaction. Others may read meanwhile, and have to wait to write."""
    with _session(place, "BEGIN") as session:
        names = ", ".join(each.name for each in TABLES)
        session.ask(f"LOCK TABLE {names} IN EXCLUSIVE MODE", prepare=False)
        yield PostgresRows(session)
        session.ask("COMMIT", prepare=False)


@contextmanager
def _session(place: Place, begin: str) -> Iterator[Session]:
    try:
        session = Session(place, {"idle_in_transaction_session_timeout": "0", "statement_timeout": "0"})
        try:
            session.ask(begin, prepare=False)
            yield session
        finally:
            # Ends whatever is still open.
            session.close()
    except psycopg.Error as exc:
        raise (unreachable if is_lost(exc) else translated)(exc, place.name) from exc
