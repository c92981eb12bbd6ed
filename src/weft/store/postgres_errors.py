"""What the database's errors mean to Weft.

Rules: an error is told apart by its SQLSTATE, and by its text only where it has none. Whether a commit was
made is not for this module to say: ``postgres_connection.py`` finds that out.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import psycopg

from weft.model.errors import (
    InvariantViolation,
    StaleOwner,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    UsageError,
    WeftError,
)

STALE = "WF001"
"""Raised by ``must`` in a commit: a run is not the caller's."""

NEVER_ADDED = "WF002"
"""Raised by ``must`` in a commit: a task run was changed that was never added."""

KEY_TAKEN = "run_by_key"
"""The index that a second run of one key runs into."""


_LOST = ("08", "57P", "25P03", "25P04")
"""The connection is gone (25P: after a time limit), or the server is going or coming: another will do."""

_AGAIN = ("40001", "40P01")
"""Two transactions were in each other's way, and this one was undone."""

_BUSY = ("53300", "55P03", "57014")
"""Too many connections, a lock or a statement that took too long."""

_WRONG = (
    "authentication failed",
    "no password",
    "does not exist",
    "pg_hba.conf",
    "resolve host",
    "translate host name",
    "invalid",
)
"""Words of a refusal to connect, which has no SQLSTATE. In another language it is told after a wait."""

_FULL = ("53100", "53200")
_DAMAGED = ("XX001", "XX002")
_REFUSED = ("25006", "42501")


def is_lost(exc: psycopg.Error) -> bool:
    """Whether the connection is of no more use, or was never made: then there is no SQLSTATE."""
    code = exc.sqlstate
    return code.startswith(_LOST) if code else isinstance(exc, psycopg.OperationalError)


def may_be_repeated(exc: psycopg.Error) -> bool:
    """Whether the transaction was undone only because of what another one did at the same time."""
    return exc.sqlstate in _AGAIN


def hopeless(exc: psycopg.Error, where: str) -> UsageError | None:
    """The error to tell at once when a store is first opened: waiting does not mend a wrong address."""
    if exc.sqlstate is None and any(words in str(exc) for words in _WRONG):
        hint = "check the store's URL, and the user's rights"
        return UsageError(f"the database cannot be opened ({told(exc)})", where=where, hint=hint)
    return None


def unreachable(exc: BaseException, where: str) -> StoreBusy:
    """The database did not answer for as long as one waits for it."""
    return StoreBusy(
        f"the database cannot be reached ({told(exc)})",
        where=where,
        hint="it is tried again by itself; see that the server runs and that the URL is right",
    )


def translated(exc: psycopg.Error, where: str) -> WeftError:
    """The driver's error as ours."""
    code = exc.sqlstate or ""
    if code.startswith(_LOST):
        return unreachable(exc, where)
    if code in _BUSY or code in _AGAIN:
        return StoreBusy(
            f"the database is busy ({told(exc)})", where=where, hint="it is tried again by itself"
        )
    if code in _FULL:
        return StoreFull(
            f"the database has no room ({told(exc)})",
            where=where,
            hint="free some space, or delete old runs: weft runs delete",
        )
    if code in _DAMAGED:
        return StoreCorrupt(
            f"the database is damaged ({told(exc)})", where=where, hint="restore it from a backup"
        )
    if code in _REFUSED:
        hint = "use the primary server, and a role that owns the schema"
        return StoreReadOnly(f"the store cannot be written ({told(exc)})", where=where, hint=hint)
    if code == STALE or (code == "23505" and exc.diag.constraint_name == KEY_TAKEN):
        # Of some run of the commit: the store finds out which.
        return StaleOwner("a run is not the caller's, or its key is taken", where=where)
    if code == NEVER_ADDED:
        return InvariantViolation("a task run was changed that was never added", where=where)
    if code.startswith("23"):
        return InvariantViolation(f"a commit breaks the store's rules ({told(exc)})", where=where)
    return StoreError(f"the store failed ({told(exc)})", where=where)


def told(exc: BaseException) -> str:
    """The error's first line, which is all that it says without a statement's text."""
    lines = str(exc).strip().splitlines()
    return lines[0] if lines else type(exc).__name__
