"""Where in PostgreSQL a store is: what its URL means.

A store has a PostgreSQL schema of its own, ``weft`` unless the URL says ``?schema=``: so it shares a database
with other programs' tables, and with other stores, without meeting them.
"""

import re
import zlib
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from weft.model.errors import UsageError

SCHEMA = "weft"
"""The schema of a URL that names none."""

LOG_LOCK, GRAPH_LOCK, SCHEMA_LOCK = 0x57454654, 0x57454655, 0x57454656
"""First keys of the advisory locks (``WEFT`` in ASCII, and on from there); the second is the store's."""

_DEFAULTS = {"application_name": "weft", "connect_timeout": "5", "keepalives_idle": "10"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class Place(msgspec.Struct, frozen=True):
    """A store's address.

    Attributes:
        conninfo: For the driver.
        schema: The PostgreSQL schema with its tables.
        name: For people: without the password.
        key: Tells its locks from those of other stores in the same database.
    """

    conninfo: str
    schema: str
    name: str

    @property
    def key(self) -> int:
        """A 32-bit number of the schema's name."""
        return zlib.crc32(self.schema.encode()) - (1 << 31)


def place(url: str) -> Place:
    """The place that a ``postgresql://`` URL names. Everything but ``schema`` is libpq's.

    Raises:
        UsageError: It is no URL that libpq understands, or the schema's name is not a plain one.
    """
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    options = [pair for pair in given if pair[0] != "schema"]
    schema = dict(given).get("schema", SCHEMA)
    user, _, server = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    name = urlunsplit((parts.scheme, f"{user}@{server}" if user else server, parts.path, "", ""))
    if _NAME.fullmatch(schema) is None:
        raise UsageError(f"{schema!r} is no name for a schema", where=name, hint="letters, digits and _")
    try:
        known = conninfo_to_dict(_with(parts, options))
    except psycopg.Error as exc:
        hint = "postgresql://USER@HOST/DATABASE"
        raise UsageError(f"the store's URL cannot be read ({exc})", where=name, hint=hint) from exc
    options += [(option, value) for option, value in _DEFAULTS.items() if option not in known]
    return Place(_with(parts, options), schema, name)


def _with(parts: SplitResult, options: list[tuple[str, str]]) -> str:
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(options), ""))
