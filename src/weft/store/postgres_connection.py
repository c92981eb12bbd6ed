"""PostgreSQL connections: one that writes, a few that read, and what happens when they die.

Rules:

1. Every write is a transaction; one of an engine's is a single exchange. Whatever happens inside, none is
   left open. READ COMMITTED: rows that must not change are locked.
2. A connection that dies is replaced, with growing pauses, for ``patience_s``; then the caller is told
   ``StoreBusy``. Reads are asked again. So a restart of the database is a pause, not an error.
3. A connection that dies after COMMIT was sent leaves open whether it was made. The next connection first
   ends the old one's backend, which may be at work still, and then looks. Only if the database stays away is
   the caller told ``CommitUnknown``.
4. Readers are read-only connections of their own: they block nobody, and see committed transactions only.
5. A driver error leaves this module as one of ours.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from secrets import token_hex
from typing import TypeVar

import psycopg

from weft.model.errors import CommitUnknown, StoreError
from weft.store.postgres_errors import hopeless, is_lost, may_be_repeated, translated, unreachable
from weft.store.postgres_place import Place
from weft.store.postgres_schema import make_schema
from weft.store.postgres_session import Rows, Session, Statement
from weft.store.statements import statements

READERS_MAX = 8
"""Connections that one process reads with at once; who comes later waits. A server has some 100 in all."""

UNKNOWN_PATIENCE = 12
"""How many times as long one waits for a database that owes the answer to a COMMIT: a minute, by default."""

IDLE_IN_TRANSACTION_S = 10
"""A process that stops inside a transaction, and holds its locks, loses it after this long."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0

T = TypeVar("T")


def patience(limit_s: Callable[[], float]) -> Iterator[None]:
    """Rounds with pauses that grow between them, until the time limit, which may move."""
    began, pause_s = time.monotonic(), _FIRST_PAUSE_S
    while True:
        yield
        left_s = began + limit_s() - time.monotonic()
        if left_s <= 0:
            return
        # Jittered, so that many engines do not come back to a database at the same instant.
        time.sleep(min(left_s, pause_s * random.uniform(0.5, 1.0)))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


class Writer:
    """The connection that writes, opened and migrated. Any thread may use it, one at a time.

    Attributes:
        token: Tells this writer from every other.
        newest_seq: Of the log, no newer than the writer's own next commit.
    """

    def __init__(self, place: Place, *, durability: str = "full", patience_s: float = 5.0) -> None:
        self.place = place
        self.token = token_hex(8)
        self.newest_seq = -1
        self._patience_s = patience_s
        self._settings = {
            "synchronous_commit": "on" if durability == "full" else "off",
            "lock_timeout": f"{int(patience_s * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
        }
        self._do = statements("postgres_write")
        self._begin: Statement = (self._do["begin"], ())
        self._commit: Statement = (self._do["commit"], ())
        self._lock = threading.Lock()
        self._closed = False
        self._session: Session | None = None
        self._ghost: tuple[int, str] | None = None
        self._number = 0
        self._retried(self._first)

    def commit(self, work: Sequence[Statement], made: Callable[[Session], bool]) -> list[Rows] | None:
        """A transaction in one exchange.

        Args:
            work: The statements between BEGIN and COMMIT.
            made: Whether it was made; called when the answer to COMMIT was lost.

        Returns:
            The rows of each statement; ``None`` if all that is known is that it was made.
        """
        whole = [self._begin, *work, self._commit]
        with self._lock:
            unknown = False

            def once() -> list[Rows] | None:
                nonlocal unknown
                session = self._connected()
                if unknown and self._guarded(session, lambda: made(session)):
                    return None
                unknown = True
                try:
                    return self._guarded(session, lambda: session.exchange(whole))[1:-1]
                except psycopg.Error as exc:
                    # An error that is an answer undid the transaction.
                    unknown = is_lost(exc)
                    raise

            return self._told(once, lambda: unknown)

    def transaction(self, work: Callable[[Session], T]) -> T:
        """A transaction that may read on the way. Its receipt tells whether it was made."""
        with self._lock:
            self._number += 1
            number = self._number
            answer: list[T] = []
            unknown = False

            def once() -> T:
                nonlocal unknown
                session = self._connected()
                if unknown:
                    signed = self._guarded(
                        session, lambda: session.ask(self._do["was_signed"], self.token, number)
                    )
                    if signed:
                        return answer[0]
                    unknown = False

                def attempt() -> T:
                    nonlocal unknown
                    session.exchange([self._begin, (self._do["sign"], (self.token, number))])
                    answer[:] = [work(session)]
                    unknown = True
                    session.exchange([self._commit])
                    return answer[0]

                try:
                    return self._guarded(session, attempt)
                except psycopg.Error as exc:
                    unknown = unknown and is_lost(exc)
                    raise

            return self._told(once, lambda: unknown)

    def close(self) -> None:
        """Let go of the connection, and of the receipt."""
        with self._lock:
            self._closed = True
            session, self._session = self._session, None
            if session is None:
                return
            try:
                if self._number:
                    session.ask(self._do["forget_writer"], self.token)
            except psycopg.Error:
                pass  # it is forgotten when the store is pruned
            session.close()

    def _told(self, once: Callable[[], T], unknown: Callable[[], bool]) -> T:
        """Try until it is known to be made, or to be undone."""
        try:
            return self._retried(once, unknown)
        except StoreError as exc:
            if unknown():
                raise CommitUnknown(
                    "the connection to the database was lost during a commit",
                    where=self.place.name,
                    hint="read back whether it was made",
                ) from exc
            raise

    def _retried(self, once: Callable[[], T], unknown: Callable[[], bool] = lambda: False) -> T:
        """Do it again while the database is away or another transaction was in the way."""
        failure: psycopg.Error | None = None
        for _ in patience(lambda: self._patience_s * (UNKNOWN_PATIENCE if unknown() else 1)):
            try:
                return once()
            except psycopg.Error as exc:
                if not (is_lost(exc) or may_be_repeated(exc)):
                    raise translated(exc, self.place.name) from exc
                failure = exc
        assert failure is not None
        raise unreachable(failure, self.place.name) from failure

    def _guarded(self, session: Session, action: Callable[[], T]) -> T:
        """Do it, and leave no transaction open; if need be the connection goes with it."""
        try:
            return action()
        except BaseException:
            try:
                if session.in_transaction:
                    session.ask(self._do["rollback"])
            except psycopg.Error:
                pass  # it is given up below
            if not session.usable:
                session.close()
                self._session, self._ghost = None, session.backend
            raise

    def _first(self) -> Session:
        """The first session. Later, a wrong password or an unknown host is an outage like any other."""
        try:
            return self._connected()
        except psycopg.Error as exc:
            error = hopeless(exc, self.place.name)
            if error is not None:
                raise error from exc
            raise

    def _connected(self) -> Session:
        """The session, a new one if the last was lost."""
        if self._closed:
            raise StoreError("the store is closed", where=self.place.name)
        if self._session is not None:
            return self._session
        session = Session(self.place, self._settings)
        try:
            make_schema(session, self.place)
            self._end_ghost(session)
            if self.newest_seq < 0:
                self.newest_seq = session.ask(self._do["newest_seq"])[0][0]
        except BaseException:
            session.close()
            raise
        self._session = session
        return session

    def _end_ghost(self, session: Session) -> None:
        """See that the backend of the connection that was lost does nothing any more."""
        if self._ghost is None:
            return
        for _ in patience(lambda: self._patience_s):
            if not session.ask(self._do["end_backend"], *self._ghost):
                self._ghost = None
                return
        raise StoreError("the lost connection's process does not end", where=self.place.name)


class Readers:
    """Read-only sessions, handed out one to a question and kept for the next."""

    def __init__(self, place: Place, *, patience_s: float = 5.0) -> None:
        self._place = place
        self._patience_s = patience_s
        self._idle: deque[Session] = deque()
        self._free = threading.BoundedSemaphore(READERS_MAX)
        self._closed = False

    def ask(self, question: Callable[[Session], T]) -> T:
        """What the question finds. It is asked again when its connection dies, so it must only read."""
        failure: psycopg.Error | None = None
        for _ in patience(lambda: self._patience_s):
            try:
                with self._free:
                    return self._once(question)
            except psycopg.Error as exc:
                if not is_lost(exc):
                    raise translated(exc, self._place.name) from exc
                failure = exc
                # What ended this one has ended the others.
                self._close_idle()
        assert failure is not None
        raise unreachable(failure, self._place.name) from failure

    def close(self) -> None:
        """Close the idle ones now and those in use when they come back."""
        self._closed = True
        self._close_idle()

    def _once(self, question: Callable[[Session], T]) -> T:
        session = self._session()
        try:
            answer = question(session)
        except BaseException:
            # Closing ends whatever statement or transaction is still open.
            session.close()
            raise
        self._idle.append(session)
        if self._closed:
            self._close_idle()
        return answer

    def _close_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def _session(self) -> Session:
        if self._closed:
            raise StoreError("the store is closed", where=self._place.name)
        try:
            return self._idle.pop()
        except IndexError:
            return Session(self._place, {"default_transaction_read_only": "on"})
