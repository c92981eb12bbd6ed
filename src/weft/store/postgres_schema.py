"""A store's schema in PostgreSQL: made, migrated, or refused."""

from psycopg import sql

from weft.model.errors import StoreCorrupt, StoreTooNew, UsageError
from weft.store.postgres_place import SCHEMA_LOCK, Place
from weft.store.postgres_session import Session
from weft.store.statements import migration

SCHEMA_VERSION = 2
"""Newest migration. A store's own is in its table ``meta``."""

OLDEST_SERVER = 14


def make_schema(session: Session, at: Place) -> None:
    """See that the schema is there and is the newest. Other processes may be at the same.

    Raises:
        StoreTooNew: A newer Weft wrote it.
        StoreCorrupt: The schema holds something else.
        UsageError: The server is too old, or its encoding cannot hold every text.
    """
    _check_server(session, at)
    if _version(session, at) == SCHEMA_VERSION:
        return
    with session.connection.transaction():
        session.ask("SELECT pg_advisory_xact_lock($1::int, $2::int)", SCHEMA_LOCK, at.key, prepare=False)
        # Looked at again: whoever had the lock may have made it.
        version = _version(session, at)
        if version is None:
            _create(session, at)
            version = 0
        for number in range(version + 1, SCHEMA_VERSION + 1):
            session.connection.execute(migration("postgres", number).encode())
        session.ask("UPDATE meta SET value = $1 WHERE name = 'schema'", SCHEMA_VERSION, prepare=False)


def _create(session: Session, at: Place) -> None:
    """An empty schema, unless the database's owner has made it for us."""
    found = session.ask("SELECT 1 FROM pg_namespace WHERE nspname = $1", at.schema, prepare=False)
    if not found:
        session.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(at.schema)))


def _check_server(session: Session, at: Place) -> None:
    info = session.connection.info
    version = info.server_version // 10_000
    if version < OLDEST_SERVER:
        raise UsageError(
            f"the server is PostgreSQL {version}", where=at.name, hint=f"{OLDEST_SERVER} or newer is needed"
        )
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        hint = "make one with: CREATE DATABASE weft ENCODING 'UTF8' TEMPLATE template0"
        raise UsageError(f"the database's encoding is {encoding}, not UTF8", where=at.name, hint=hint)


def _version(session: Session, at: Place) -> int | None:
    """The schema's version; ``None`` if it holds nothing. Refuses what is not ours to write."""
    tables = session.ask(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = $1 AND relkind = 'r'",
        at.schema,
        prepare=False,
    )
    if not tables:
        return None
    found = []
    if ("meta",) in tables:
        found = session.ask("SELECT value FROM meta WHERE name = 'schema'", prepare=False)
    if not found:
        raise StoreCorrupt(
            f"the schema {at.schema} holds tables, but no Weft store",
            where=at.name,
            hint="name another schema: ?schema=NAME",
        )
    version = int(found[0][0])
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"the store has schema {version}, this Weft knows {SCHEMA_VERSION}",
            where=at.name,
            hint="use the newer Weft that wrote it",
            version=version,
            known=SCHEMA_VERSION,
        )
    return version
