"""A whole store out of one database and into another, or into a file and back.

Rules:

1. What is read is one instant of the source: engines may go on writing to it.
2. What is written is one transaction of the target: all of it or nothing, whatever happens on the way, so a
   move that was interrupted is begun again.
3. Nothing is made anew: ids, ``seq``, epochs, revisions and the bytes of every column stay as they are. Only
   leases are given up, so that an engine of the new store may take open runs over at once.
4. Before the transaction ends, every table is read back and must have the same digest as what was read.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import msgspec

from weft.model.errors import StoreCorrupt, StoreNotEmpty, StoreTooNew, UsageError
from weft.store.protocol import Reader
from weft.store.tables import BY_NAME, TABLES, Table

Row = tuple[Any, ...]

ROWS = 500
"""Rows read and written at once."""

Progress = Callable[[str, int, int], object]
"""Told of a table's name, its rows that are done, and how many it has."""

_encode = msgspec.msgpack.Encoder().encode


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What is given out next, and never twice: a run's id, an engine's, and the last revision of a record."""

    next_run: int
    next_engine: int
    revision: int


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a store is.

    Attributes:
        kind: ``sqlite`` or ``postgresql``.
        server: Version of the database.
        schema: Version of our schema in it.
        size: Bytes that it takes, without results.
        now: What time it is there.
    """

    kind: str
    server: str
    schema: int
    size: int
    now: float


class Source(Protocol):
    """A store at one instant."""

    def counters(self) -> Counters:
        """See ``Counters``."""

    def columns(self, table: Table) -> Sequence[str]:
        """The columns that it has of a table, in the order in which ``rows`` gives them."""

    def count(self, table: Table) -> int:
        """How many rows a table has."""

    def rows(self, table: Table) -> Iterator[list[Row]]:
        """A table's rows by its key, in batches. Tables are asked for in the order of ``TABLES``."""


class Target(Source, Protocol):
    """A store that is being written, in one transaction that nobody else writes beside."""

    def clear(self) -> None:
        """Forget everything."""

    def put(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add rows."""

    def set_counters(self, counters: Counters) -> None:
        """See ``Counters``."""


@runtime_checkable
class Movable(Protocol):
    """A store that can be taken out and put in as a whole."""

    def outgoing(self) -> AbstractContextManager[Source]:
        """The store as it is now, for as long as the block lasts."""

    def incoming(self) -> AbstractContextManager[Target]:
        """The store, written at the end of the block, or not at all if that raises."""

    def about(self) -> About:
        """What it is."""


def movable(store: Reader) -> Movable:
    """The store as one that can be moved. Raises ``UsageError`` if it cannot."""
    if isinstance(store, Movable):
        return store
    raise UsageError("a store in memory cannot be moved", hint="name a path or postgresql://HOST/DATABASE")


def copy(
    source: Source, target: Target, *, replace: bool = False, progress: Progress = lambda *_: None
) -> dict[str, int]:
    """Make a target, inside its transaction, what the source is.

    Args:
        source: What to copy.
        target: Where to.
        replace: Whether what the target holds may go.
        progress: Told how far it is.

    Returns:
        How many rows each table has.

    Raises:
        StoreNotEmpty: The target holds something.
        StoreTooNew: The source has columns that this Weft does not know.
        StoreCorrupt: What was written is not what was read. Nothing was changed.
    """
    held = {each.name: found for each in TABLES if each.name != "engine" and (found := target.count(each))}
    if held and not replace:
        what = ", ".join(f"{number:,} {name}" for name, number in list(held.items())[:3])
        raise StoreNotEmpty(f"the store to fill is not empty: it has rows ({what})", hint="name an empty one")
    target.clear()
    counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    for table in TABLES:
        columns = _known(table, source.columns(table))
        total, done = source.count(table), 0
        digest = hashlib.sha256()
        for batch in source.rows(table):
            rows = _given_up(columns, batch) if table.name == "engine" else batch
            _feed(digest, rows)
            target.put(table, columns, rows)
            done += len(rows)
            progress(table.name, done, total)
        counts[table.name] = done
        if set(columns) == set(table.columns):
            digests[table.name] = digest.hexdigest()
        if done != total:
            raise StoreCorrupt(f"table {table.name} has {done:,} rows, and {total:,} were promised")
    target.set_counters(source.counters())
    for name, digest_read in digests.items():
        if digest_of(target.rows(BY_NAME[name])) != digest_read:
            raise StoreCorrupt(
                f"table {name} is not what was read", hint="nothing was changed; report it with both stores"
            )
    return counts


def digest_of(batches: Iterable[Sequence[Row]]) -> str:
    """SHA-256 of rows in their order, equal in every database that holds the same."""
    digest = hashlib.sha256()
    for batch in batches:
        _feed(digest, batch)
    return digest.hexdigest()


def _feed(digest: "hashlib._Hash", rows: Sequence[Row]) -> None:
    for row in rows:
        digest.update(_encode(row))


def _known(table: Table, columns: Sequence[str]) -> Sequence[str]:
    unknown = [each for each in columns if each not in table.columns]
    if unknown:
        raise StoreTooNew(
            f"table {table.name} has columns that this Weft does not know: {', '.join(unknown)}",
            hint="use the newer Weft that wrote it",
        )
    return columns


def _given_up(columns: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """Engines without their leases: none of them knows the new store."""
    at = list(columns).index("expires_at")
    return [(*row[:at], 0.0, *row[at + 1 :]) for row in rows]
