"""One connection to PostgreSQL, spoken to in exchanges: statements sent together and answered together.

Rules:

1. An exchange is one round trip however many statements it has (libpq's pipeline mode,
   https://www.postgresql.org/docs/current/libpq-pipeline-mode.html). The first that fails ends it; what
   follows is not carried out.
2. Statements are prepared when they are first used, and numbers are always 64 bits wide, so that each is
   prepared once. Values and answers are in the database's binary formats.
3. Nothing here knows transactions: ``postgres_connection.py`` does.

The driver's own cursors can do this too, at three times the cost: they flush after every statement and wait
for the socket in between, and a commit is seven or eight statements.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from weft.store.postgres_arrays import BOOL, BYTEA, FLOAT8, INT8, TEXT, Binary
from weft.store.postgres_place import Place
from weft.store.postgres_text import read_all, written

Statement = tuple[str, tuple[Any, ...]]
"""SQL with ``$1`` holes, and what fills them."""

Rows = list[tuple[Any, ...]]

PLANNING = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
"""Nearly every statement finds its rows by key. A plan that was made while a table was small, and is kept
with the prepared statement, must not walk the table when it has grown."""

_INT8 = Struct("!q").pack
_FLOAT8 = Struct("!d").pack
_BINARY = 1
_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class Session:
    """A connection and the statements that were prepared on it. One thread at a time.

    Args:
        place: The database and schema.
        settings: Of the session, beside the search path.

    Raises:
        psycopg.Error: It cannot be reached, or does not let us in.
    """

    def __init__(self, place: Place, settings: dict[str, str]) -> None:
        self._prepared: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self.connection: psycopg.Connection[Any] = psycopg.Connection.connect(place.conninfo, autocommit=True)
        self._pgconn = self.connection.pgconn
        self._transformer = Transformer(self.connection)
        try:
            path = sql.Identifier(place.schema).as_string(self.connection)
            every = {"search_path": path, **PLANNING, **settings}
            names = ", ".join(f"set_config('{name}', ${at}, false)" for at, name in enumerate(every, 1))
            self.ask(f"SELECT {names}", *every.values(), prepare=False)
            found = self.ask(
                "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()",
                prepare=False,
            )
            self.backend: tuple[int, str] = (found[0][0], found[0][1]) if found else (0, "")
        except BaseException:
            self.close()
            raise

    def ask(self, statement: str, *values: Any, prepare: bool = True) -> Rows:
        """The rows of one statement."""
        return self.exchange([(statement, values)], prepare=prepare)[0]

    def exchange(self, statements: Sequence[Statement], *, prepare: bool = True) -> list[Rows]:
        """The rows of each statement.

        Raises:
            psycopg.Error: The first that failed, or the connection did.
        """
        pgconn = self._pgconn
        calls = [self._call(statement, values, prepare) for statement, values in statements]
        pgconn.enter_pipeline_mode()
        for name, text, types, given, formats in calls:
            if name is None:
                pgconn.send_query_params(text, given, types, formats, _BINARY)
            else:
                pgconn.send_query_prepared(name, given, formats, _BINARY)
        pgconn.pipeline_sync()
        results = self.connection.wait(_answers(pgconn))
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                if pgconn.status != ConnStatus.BAD:
                    pgconn.exit_pipeline_mode()
                raise _failure(result)
        if len(results) < len(calls):
            raise psycopg.OperationalError("the connection ended within an exchange")
        pgconn.exit_pipeline_mode()
        return [self._rows(result) for result in results]

    @property
    def in_transaction(self) -> bool:
        """Whether one is open, failed or not."""
        return self._pgconn.transaction_status in _OPEN

    @property
    def usable(self) -> bool:
        """Whether the connection is alive, and has nothing open."""
        return self._pgconn.transaction_status == TransactionStatus.IDLE

    def close(self) -> None:
        """Let go of it, whatever it is doing."""
        self.connection.close()

    def _call(
        self, statement: str, values: tuple[Any, ...], prepare: bool
    ) -> tuple[bytes | None, bytes, list[int], list[bytes | None], list[int]]:
        """What libpq wants: a prepared statement's name or a text with types; values and their formats."""
        types: list[int] = []
        given: list[bytes | None] = []
        for value in values:
            oid, data = _encoded(value)
            types.append(oid)
            given.append(data)
        formats = [_BINARY] * len(given)
        text = statement.encode()
        return (self._name(statement, types) if prepare else None), text, types, given, formats

    def _name(self, statement: str, types: list[int]) -> bytes:
        """The name under which the statement is prepared, now if it is new."""
        key = statement, tuple(types)
        name = self._prepared.get(key)
        if name is None:
            name = f"weft{len(self._prepared)}".encode()
            result = self._pgconn.prepare(name, statement.encode(), types)
            if result.status != ExecStatus.COMMAND_OK:
                raise _failure(result)
            self._prepared[key] = name
        return name

    def _rows(self, result: PGresult) -> Rows:
        if result.status != ExecStatus.TUPLES_OK or not result.ntuples:
            return []
        self._transformer.set_pgresult(result)
        return read_all(self._transformer.load_rows(0, result.ntuples, tuple))


def _failure(result: PGresult) -> psycopg.Error:
    """The driver's error for an answer; one that libpq makes up itself is of a connection that died."""
    if result.error_field(DiagnosticField.SQLSTATE) is None:
        return psycopg.OperationalError(result.get_error_message())
    return errors.error_from_result(result)


def _encoded(value: Any) -> tuple[int, bytes | None]:
    """Type and binary form. A ``Binary`` is of the type that the statement names."""
    if value is None:
        return 0, None
    if isinstance(value, Binary):
        return 0, value
    if isinstance(value, str):
        return TEXT, written(value).encode()
    if isinstance(value, bool):
        return BOOL, b"\x01" if value else b"\x00"
    if isinstance(value, int):
        return INT8, _INT8(value)
    if isinstance(value, float):
        return FLOAT8, _FLOAT8(value)
    if isinstance(value, bytes):
        return BYTEA, value
    raise TypeError(f"a statement takes no {type(value).__name__}")


def _answers(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """Send what is queued, and read until the end of the exchange; one result a statement, if it lives."""
    while pgconn.flush():
        # The server may be waiting for us to read before it takes more.
        ready = yield Wait.RW
        if ready & Ready.R:
            pgconn.consume_input()
    results: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            yield Wait.R
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            if pgconn.status == ConnStatus.BAD:
                return results
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)
        if pgconn.status == ConnStatus.BAD:
            return results
