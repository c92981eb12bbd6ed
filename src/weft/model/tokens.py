"""API tokens and what their holders may do.

A token is ``weft_`` and 32 random bytes; only its SHA-256 is kept, as the name of a ``token`` record.
"""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What somebody may do; each may do all that those before it may."""

    SENDER = "sender"
    """Send events, and see nothing: for other programs."""
    VIEWER = "viewer"
    """Look at everything but secrets."""
    OPERATOR = "operator"
    """Start, steer and answer runs."""
    EDITOR = "editor"
    """Change what runs are made of: schedules, pools, variables, connections, secrets; delete runs."""
    ADMIN = "admin"
    """Give and take away tokens, read the audit log."""

    def covers(self, needed: "Role") -> bool:
        """Whether who has this role may do what ``needed`` may."""
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}

TOKEN = "token"
"""The kind of record."""


class Token(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is known of a token.

    Attributes:
        name: For people; unique.
        role: What it allows.
        created_at: Unix seconds.
        created_by: Who made it.
        expires_at: When it ceases to be valid; ``None``: never.
    """

    name: str
    role: Role
    created_at: float
    created_by: str = ""
    expires_at: float | None = None
