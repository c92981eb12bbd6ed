"""API tokens: made, kept as digests, looked up, revoked.

A token has 256 random bits, so a plain SHA-256 is enough: there is nothing to guess, and nothing that a slow
hash would slow down but every request. Its record's name is that digest; its first characters are the id by
which people name it.
"""

import base64
import hashlib
from collections.abc import Callable

import msgspec

from weft.model.errors import Conflict, NotFound
from weft.model.tokens import TOKEN, Role, Token
from weft.store.protocol import Reader, Store
from weft.store.records import Collection, Entry

PREFIX = "weft_"
ID_LENGTH = 16
"""Hex digits of the digest that name a token."""

TOKENS = Collection(TOKEN, Token)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new token: the only time that its text is told."""

    id: str
    text: str
    token: Token


def digest_of(text: str) -> str:
    """The name of a token's record."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def create_token(
    store: Store,
    name: str,
    role: Role,
    *,
    now: float,
    entropy: Callable[[int], bytes],
    by: str = "",
    expires_at: float | None = None,
) -> Made:
    """Make a token.

    Args:
        store: Where it is kept.
        name: For people; unique.
        role: What it allows.
        now: The time.
        entropy: Random bytes, as many as asked for.
        by: Who makes it.
        expires_at: When it ceases to be valid.

    Raises:
        Conflict: There is one of this name.
    """
    if any(entry.value.name == name for entry in TOKENS.all(store)):
        raise Conflict(
            f"there is a token called {name!r}", where=name, hint="revoke it, or choose another name"
        )
    text = PREFIX + base64.urlsafe_b64encode(entropy(32)).decode().rstrip("=")
    token = Token(name=name, role=role, created_at=now, created_by=by, expires_at=expires_at)
    digest = digest_of(text)
    TOKENS.save(store, digest, token, at=now, expect=0)
    return Made(id=digest[:ID_LENGTH], text=text, token=token)


def find_token(store: Reader, token_id: str) -> Entry[Token]:
    """The token of an id.

    Raises:
        NotFound: There is none.
    """
    if len(token_id) == ID_LENGTH and token_id.isalnum():
        for entry in TOKENS.page(store, prefix=token_id, limit=1):
            return entry
    raise NotFound(f"there is no token {token_id!r}", where=token_id, hint="GET /api/v1/tokens lists them")


def has_admin(store: Reader, now: float) -> bool:
    """Whether anybody could get in as an administrator."""
    return any(
        entry.value.role is Role.ADMIN and (entry.value.expires_at is None or entry.value.expires_at > now)
        for entry in TOKENS.all(store)
    )
