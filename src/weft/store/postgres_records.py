"""Records in PostgreSQL: named documents, written by compare-and-set."""

from collections.abc import Sequence

from weft.store.postgres_arrays import texts
from weft.store.postgres_session import Session
from weft.store.protocol import Write
from weft.store.records import conflict


def write_records(session: Session, do: dict[str, str], writes: Sequence[Write], at: float) -> list[int]:
    """Inside a transaction; see ``Store.write``."""
    if len(writes) > 1:
        kinds, names = texts([each.kind for each in writes]), texts([each.name for each in writes])
        session.ask(do["lock_records"], kinds, names)
    found = session.exchange([_statement(do, each, at) for each in writes])
    revisions: list[int] = []
    for write, rows in zip(writes, found, strict=True):
        if not rows:
            known = session.ask(do["revision"], write.kind, write.name)
            raise conflict(write, known[0][0] if known else 0)
        revisions.append(rows[0][0])
    return revisions


def _statement(do: dict[str, str], write: Write, at: float) -> tuple[str, tuple[object, ...]]:
    """One that answers the new revision, or nothing if the record is not as expected."""
    identity = write.kind, write.name
    if write.body is None:
        return do["delete_record"], (*identity, write.expect)
    values = (*identity, float(at), None if write.due_at is None else float(write.due_at), write.body)
    if write.expect is None:
        return do["put_record"], values
    if write.expect == 0:
        return do["add_record"], values
    return do["change_record"], (*values, write.expect)
