"""Records in SQLite: named documents, written by compare-and-set."""

from collections.abc import Sequence
from typing import Any

import apsw

from weft.store.protocol import Write
from weft.store.records import conflict
from weft.store.sqlite_connection import Writer


def write_records(writer: Writer, do: dict[str, str], writes: Sequence[Write], at: float) -> list[int]:
    """See ``Store.write``."""
    with writer.transaction() as db:
        return [write_record(db, do, each, at) for each in writes]


def write_record(db: apsw.Connection, do: dict[str, str], write: Write, at: float) -> int:
    """Write one record in the transaction that is under way; returns its new revision."""
    identity = write.kind, write.name
    if write.expect is not None:
        known: list[Any] = db.execute(do["revision"], identity).fetchall()
        found = known[0][0] if known else 0
        if found != write.expect:
            raise conflict(write, found)
    revision = int(db.execute(do["next_revision"]).get)
    if write.body is None:
        db.execute(do["delete_record"], identity)
    else:
        db.execute(do["put_record"], (*identity, revision, at, write.due_at, write.body))
    return revision
