"""An SQLite store as a whole: read, filled, and copied page by page.

The statements name every table in turn, so they are made from ``tables.py`` and are not in ``sql/``.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from weft.model.errors import StoreError, StoreReadOnly
from weft.store.sqlite_connection import translated
from weft.store.tables import TABLES, Table
from weft.store.transfer import ROWS, Counters, Row

PAGES = 2000
"""Pages that a backup copies at once: 8 MB."""


class SqliteRows:
    """``transfer.Target`` over a connection inside a transaction; ``Source`` if that only reads."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def counters(self) -> Counters:
        """See ``Source.counters``."""
        meta: dict[Any, Any] = dict(self._db.execute("SELECT name, value FROM meta"))
        last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'engine'").get
        return Counters(next_run=meta["next_run"], next_engine=(last or 0) + 1, revision=meta["revision"])

    def columns(self, table: Table) -> Sequence[str]:
        """See ``Source.columns``."""
        return table.columns

    def count(self, table: Table) -> int:
        """See ``Source.count``."""
        return int(self._db.execute(f"SELECT count(*) FROM {table.name}").get)

    def rows(self, table: Table) -> Iterator[list[Row]]:
        """See ``Source.rows``."""
        names, key = ", ".join(table.columns), ", ".join(table.key)
        cursor = iter(self._db.execute(f"SELECT {names} FROM {table.name} ORDER BY {key}"))
        while batch := list(islice(cursor, ROWS)):
            yield batch

    def clear(self) -> None:
        """See ``Target.clear``."""
        for table in TABLES:
            self._db.execute(f"DELETE FROM {table.name}")

    def put(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See ``Target.put``."""
        holes = ", ".join("?" * len(columns))
        self._db.executemany(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({holes})", rows)

    def set_counters(self, counters: Counters) -> None:
        """See ``Target.set_counters``."""
        db = self._db
        for name in ("next_run", "revision"):
            db.execute("UPDATE meta SET value = ? WHERE name = ?", (getattr(counters, name), name))
        db.execute("DELETE FROM sqlite_sequence WHERE name = 'engine'")
        db.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('engine', ?)", (counters.next_engine - 1,)
        )


def copy_file(db: apsw.Connection, path: Path, progress: Callable[[int, int], object]) -> None:
    """Write a database's pages, as its open read transaction sees them, into a new file.

    The transaction is what makes this one instant: without it the copy would begin again whenever somebody
    commits. The file appears under its name when it is whole and on the disk.

    Args:
        db: Inside a read transaction.
        path: The new file.
        progress: Told of pages that are done, and of all.

    Raises:
        StoreReadOnly, StoreFull, StoreError: It cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Results and sealed secrets are in it: only its owner may read it.
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as exc:
        raise StoreReadOnly(f"the backup cannot be written: {exc.strerror}", where=str(path)) from exc
    try:
        to = apsw.Connection(str(fresh))
        try:
            with to.backup("main", db, "main") as backup:
                while not backup.done:
                    backup.step(PAGES)
                    progress(backup.page_count - backup.remaining, backup.page_count)
        finally:
            to.close(True)
        file = os.open(fresh, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(fresh, path)
    except apsw.Error as exc:
        raise translated(exc, path) from exc
    except OSError as exc:
        raise StoreError(f"the backup cannot be written: {exc.strerror}", where=str(path)) from exc
    finally:
        fresh.unlink(missing_ok=True)
