"""Who makes a request."""

import msgspec

from weft.model.tokens import Role


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody.

    Attributes:
        name: The token's name, or the local user's.
        role: What they may do.
        method: How they showed it: ``token``, ``local`` for who is on this machine, ``signature`` for a
            sender whose request the route itself has to check, or ``none`` for who reads the pages.
    """

    name: str
    role: Role
    method: str
