"""Who makes a request."""

import msgspec

from weft.model.tokens import Role


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody.

    Attributes:
        name: The token's name, or the local user's.
        role: What they may do.
        method: How they showed it: ``token``, ``local`` for who is on this machine, or ``signature`` for a
            sender whose request the route itself has to check.
    """

    name: str
    role: Role
    method: str
