"""SQLite connections: one that writes, any number that read, and what their errors mean.

Rules:

1. Every write is a transaction that begins IMMEDIATE, so it waits for the lock before it has read anything;
   whatever happens inside, none is left open.
2. WAL. With ``full`` durability a commit is synced before it returns; with ``relaxed`` a power cut may take
   the latest commits, but never half of one.
3. Only writers copy the log back into the file (checkpoint): when it has grown, and when they close.
4. Readers are read-only connections of their own: they block nobody, and see committed transactions only.
5. A driver error leaves this module as one of ours. An I/O error during COMMIT is the one case in which
   nobody knows whether it happened.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from weft.model.errors import (
    CommitUnknown,
    InvariantViolation,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    UsageError,
)
from weft.store.statements import migration

SCHEMA_VERSION = 3
"""Newest migration. A file's own is its ``user_version``."""

APPLICATION_ID = 0x57454654
"""``WEFT`` in ASCII: tells our files from other SQLite files."""

CHECKPOINT_PAGES = 4000
"""Pages in the WAL at which a commit copies it back: 16 MB, some 100,000 changes."""

_SYNCHRONOUS = {"full": "FULL", "relaxed": "NORMAL"}
_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
_READ = apsw.SQLITE_OPEN_READONLY


class Writer:
    """The connection that writes, opened and migrated. Any thread may use it, one at a time."""

    def __init__(self, path: Path, *, durability: str = "full", busy_timeout_s: float = 5.0) -> None:
        if durability not in _SYNCHRONOUS:
            raise UsageError(
                f"unknown durability {durability!r}", where=str(path), hint="full, relaxed or none"
            )
        self.path = path
        self._durability = durability
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.Lock()
        self._closed = False
        self._connection: apsw.Connection | None = self._open()

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """A write transaction: committed at the end of the block, rolled back if that raises."""
        with self._lock:
            connection = self._connection
            if connection is None:
                connection = self._connection = self._reopen()
            committing = False
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                committing = True
                connection.execute("COMMIT")
            except BaseException as exc:
                self._roll_back(connection)
                if isinstance(exc, apsw.Error):
                    raise translated(exc, self.path, committing=committing) from exc
                raise

    def close(self) -> None:
        """Copy the log back unless a reader is in the way, and let go of the file."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is None:
                return
            try:
                connection.set_busy_timeout(0)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except apsw.Error:
                pass  # the log stays where it is, and whoever opens the store next reads it
            connection.close()

    def _roll_back(self, connection: apsw.Connection) -> None:
        """End the transaction, if need be with the connection."""
        if connection.get_autocommit():
            return
        try:
            connection.execute("ROLLBACK")
        except apsw.Error:
            self._connection = None
            connection.close(True)

    def _reopen(self) -> apsw.Connection:
        if self._closed:
            raise StoreError("the store is closed", where=str(self.path))
        return self._open()

    def _open(self) -> apsw.Connection:
        """Open the file, create or migrate its schema, and set what a connection needs."""
        path = self.path
        if path.is_dir():
            raise UsageError("the store's path is a folder", where=str(path), hint="name a file in it")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise _read_only(path, str(exc)) from exc
        try:
            connection = apsw.Connection(str(path), flags=_WRITE)
        except apsw.Error as exc:
            raise translated(exc, path) from exc
        try:
            connection.set_busy_timeout(int(self._busy_timeout_s * 1000))
            # In a transaction, so that it does not see half of another process's making of the schema.
            connection.execute("BEGIN")
            version = _check_version(connection, path)
            connection.execute("COMMIT")
            if version < SCHEMA_VERSION:
                self._create(connection)
            connection.execute(
                f"PRAGMA synchronous = {_SYNCHRONOUS[self._durability]};"
                f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};"
                f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * 4096};"
                "PRAGMA cache_size = -8000;"
            ).fetchall()
        except BaseException as exc:
            connection.close(True)
            if isinstance(exc, apsw.Error):
                raise translated(exc, path) from exc
            raise
        return connection

    def _create(self, connection: apsw.Connection) -> None:
        """Run the missing migrations in one transaction. Another process may be at the same."""
        self._use_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        version = _check_version(connection, self.path)
        for number in range(version + 1, SCHEMA_VERSION + 1):
            connection.execute(migration("sqlite", number)).fetchall()
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def _use_wal(self, connection: apsw.Connection) -> None:
        """Switch to WAL. SQLite does not wait for the lock here, so we do."""
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
                return
            except apsw.BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)


class Readers:
    """Read-only connections, handed out one to a question and kept for the next."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0) -> None:
        self._path = path
        self._busy_timeout_ms = int(busy_timeout_s * 1000)
        self._idle: deque[apsw.Connection] = deque()
        self._closed = False

    @contextmanager
    def connection(self, *, snapshot: bool = False) -> Iterator[apsw.Connection]:
        """A connection for one thread; with ``snapshot`` all its statements see the same instant."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            if snapshot:
                connection.execute("BEGIN")
            yield connection
            if snapshot:
                connection.execute("COMMIT")
        except BaseException as exc:
            # Closing ends whatever statement or transaction is still open.
            connection.close(True)
            if isinstance(exc, apsw.Error):
                raise translated(exc, self._path) from exc
            raise
        self._idle.append(connection)
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close the idle ones now and those in use when they come back."""
        self._closed = True
        while self._idle:
            try:
                self._idle.pop().close(True)
            except IndexError:
                return

    def _open(self) -> apsw.Connection:
        if self._closed:
            raise StoreError("the store is closed", where=str(self._path))
        try:
            connection = apsw.Connection(str(self._path), flags=_READ)
            connection.set_busy_timeout(self._busy_timeout_ms)
        except apsw.Error as exc:
            raise translated(exc, self._path) from exc
        return connection


def sqlite_version() -> str:
    """Of the SQLite that the driver brings along."""
    return apsw.sqlite_lib_version()


def translated(exc: apsw.Error, path: Path, *, committing: bool = False) -> StoreError | InvariantViolation:
    """The driver's error as ours."""
    where = str(path)
    if isinstance(exc, apsw.BusyError | apsw.LockedError | apsw.ProtocolError):
        return StoreBusy(
            "another process holds the store's write lock", where=where, hint="it is tried again by itself"
        )
    if isinstance(exc, apsw.FullError):
        return StoreFull(
            "the disk is full", where=where, hint="free some space, or delete old runs: weft runs delete"
        )
    if isinstance(exc, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError | apsw.AuthError):
        return _read_only(path, str(exc))
    if isinstance(exc, apsw.CorruptError | apsw.NotADBError):
        hint = "restore it from a backup, or move it away together with its -wal and -shm files"
        return StoreCorrupt(f"the store's file is damaged ({exc})", where=where, hint=hint)
    if isinstance(exc, apsw.IOError) and committing:
        return CommitUnknown(
            f"the store failed during a commit ({exc})", where=where, hint="read back whether it was made"
        )
    if isinstance(exc, apsw.ConstraintError):
        return InvariantViolation(f"a commit breaks the store's rules ({exc})", where=where)
    return StoreError(f"the store failed ({exc})", where=where)


def _read_only(path: Path, why: str) -> StoreReadOnly:
    hint = "check who owns the file and its folder, or set WEFT_HOME to a folder that can be written"
    return StoreReadOnly(f"the store cannot be opened for writing ({why})", where=str(path), hint=hint)


def _check_version(connection: apsw.Connection, path: Path) -> int:
    """The schema version of the file: 0 for a new one. Refuses files that are not ours to write.

    Belongs inside a transaction, which the first statement makes one instant of.
    """
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    version = int(connection.pragma("user_version"))
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"the store has schema {version}, this Weft knows {SCHEMA_VERSION}",
            where=str(path),
            hint="use the newer Weft that wrote it",
            version=version,
            known=SCHEMA_VERSION,
        )
    if tables and connection.pragma("application_id") != APPLICATION_ID:
        hint = "name another path: this file is left as it is"
        raise StoreCorrupt("the file is an SQLite database, but not a Weft store", where=str(path), hint=hint)
    return version
