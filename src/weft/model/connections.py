"""Connections: where something outside is, and how to get in; and secrets.

Passwords and secrets are kept sealed: as bytes that only a vault opens. Nothing that lists or shows them has
the means to.
"""

from typing import Any

import msgspec

CONNECTION = "connection"
"""The kind of a connection's record."""

SECRET = "secret"
"""The kind of a secret's record."""


class Connection(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A connection.

    Attributes:
        type: What it leads to (``postgres``, ``http``, ``s3``...).
        host, port, path, login: Where, and as whom; ``path`` is the database, bucket or base path.
        extra: Whatever else its type needs; nothing secret.
        sealed: The password, sealed.
        description: For people.
    """

    type: str
    host: str = ""
    port: int | None = None
    path: str = ""
    login: str = ""
    extra: dict[str, Any] = {}
    sealed: bytes | None = None
    description: str = ""


class Secret(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A secret.

    Attributes:
        sealed: The value, sealed.
        description: For people.
    """

    sealed: bytes
    description: str = ""
