"""Every table that a store with SQL keeps, column by column: what moves, backups and collections go through.

Both databases have the same tables with the same columns, so a store can be taken out of one and put into the
other row by row, with nothing decoded and nothing made anew. A test holds this list equal to the schemas: a
migration that adds a column adds it here.

Not in it: ``meta`` and sequences, which travel as ``Counters``; PostgreSQL's ``receipt``, which is of
connections that are gone by then.
"""

import msgspec


class Table(msgspec.Struct, frozen=True):
    """A table.

    Attributes:
        name: Its name.
        columns: Its columns.
        shape: A letter for each column: ``q`` and ``i`` whole numbers, ``d`` float, ``t`` text, ``b`` bytes.
        key: The columns that order it, the same in every database.
    """

    name: str
    columns: tuple[str, ...]
    shape: str
    key: tuple[str, ...]


def _table(name: str, key: str, columns: str) -> Table:
    pairs = [each.partition(":") for each in columns.split()]
    return Table(
        name, tuple(each for each, _, _ in pairs), "".join(kind for *_, kind in pairs), tuple(key.split())
    )


TABLES: tuple[Table, ...] = (
    _table(
        "engine",
        "engine",
        "engine:q name:t host:t pid:q process_started:t started_at:d expires_at:d",
    ),
    _table("graph", "digest", "digest:t workflow:t version:i created_at:d body:b"),
    _table(
        "run",
        "run",
        "run:q uid:t workflow:t dialect:t graph:t version:i state:t owner:q epoch:q created_at:d "
        "started_at:d ended_at:d project:t key:t parent_run:t parent_task:i tags:t queue:t params:b facts:b "
        "result:b error:t",
    ),
    _table(
        "task_run",
        "run idx",
        "run:q idx:i state:t attempt:i generation:i failures:i cause:t by:i first_at:d changed_at:d "
        "started_at:d ended_at:d due_at:d parent:i map_index:i ordinal:i key:t name:t kind:t node:t worker:t "
        "fingerprint:t chosen:b wait:b inputs:b result:b error:t",
    ),
    _table("event", "seq", "seq:q run:q lowest:i highest:i body:b"),
    _table("node", "run digest", "run:q digest:t body:b"),
    _table("map", "run idx", "run:q idx:i at:d base:i count:i generation:i items:b"),
    _table("signal", "run signal_id", "run:q signal_id:t first_seq:q name:t at:d consumer:i payload:b"),
    _table("published", "run idx key", "run:q idx:i key:t first_seq:q attempt:i at:d body:b"),
    _table("cache", "key", "key:t run:q idx:i at:d expires_at:d result:b"),
    _table("request", "number", "number:q request_id:t run:q body:b"),
    _table("record", "kind name", "kind:t name:t revision:q at:d due_at:d body:b"),
    _table("doomed", "run", "run:q"),
)

BY_NAME = {each.name: each for each in TABLES}
