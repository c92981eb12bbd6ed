"""The audit trail: who changed what, when, and how it went."""

import msgspec

AUDIT = "audit"
"""The kind of record; names are ULIDs, so they sort by time."""


class AuditEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One request that changes something.

    Attributes:
        at: When, Unix seconds.
        who: The token's name, or the local user's.
        role: What they may do.
        method, path: The request; no body, which may hold a secret.
        operation: The operation's id in the API's description.
        status: The HTTP status that it was answered with.
        code: The error's code, if there was one.
        request_id: As in the logs and the answer.
        client: The peer's address.
    """

    at: float
    who: str
    role: str
    method: str
    path: str
    operation: str = ""
    status: int = 0
    code: str = ""
    request_id: str = ""
    client: str = ""
