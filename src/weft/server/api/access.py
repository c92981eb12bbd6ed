"""Tokens, the audit trail, and who one is."""

import os
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from litestar.params import JSONBody, PathParameter, QueryParameter

from weft.model.audit import AUDIT, AuditEntry
from weft.model.ids import ulid
from weft.model.tokens import Role, Token
from weft.server.auth.tokens import ID_LENGTH, TOKENS, create_token, find_token
from weft.server.auth.trail import ENTRIES
from weft.server.context import Given
from weft.server.paging import Order, Page, has, page_in_time, page_of_records
from weft.server.parameters import NAME, Find, InOrder, Limit, PageToken
from weft.server.routing import create, read, remove
from weft.server.views import maybe_moment, moment, unix
from weft.store.records import Entry

TokenId = Annotated[
    str, PathParameter(description="Id of a token.", min_length=1, max_length=64, pattern=NAME)
]


class Outcome(StrEnum):
    """How a request went."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class NewToken(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A token to make.

    Attributes:
        name: For people; unique.
        role: What it allows.
        expires_at: When it ceases to be valid; null: never.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    role: Role
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class TokenView(msgspec.Struct, kw_only=True):
    """A token, without its text.

    Attributes:
        id: By which it is revoked.
        name: For people.
        role: What it allows.
        created_at: When it was made.
        created_by: By whom.
        expires_at: When it ceases to be valid.
    """

    id: str
    name: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None


class MadeToken(TokenView, kw_only=True):
    """A new token.

    Attributes:
        token: Its text, told only now.
    """

    token: str


class Me(msgspec.Struct, kw_only=True):
    """Who asks.

    Attributes:
        name: The token's name, or the local user's.
        role: What they may do.
        method: How they showed it: `token`, or `local` for whoever is on this machine.
    """

    name: str
    role: Role
    method: str


class AuditView(msgspec.Struct, kw_only=True):
    """A request that changed something, or tried to.

    Attributes:
        id: Its id; they sort by time.
        at: When.
        who: Who.
        role: What they may do.
        method: The HTTP method.
        path: The address.
        operation: The operation's id in this document.
        status: The HTTP status that it was answered with.
        code: The error's code, if there was one.
        request_id: As in the logs and the answer.
        client: The peer's address.
    """

    id: str
    at: datetime
    who: str
    role: str
    method: str
    path: str
    operation: str
    status: int
    code: str
    request_id: str
    client: str


@read("/me")
def show_me(context: Given) -> Me:
    """Tell who asks, and what they may do."""
    who = context.identity
    return Me(name=who.name, role=who.role, method=who.method)


@read("/tokens", Role.ADMIN)
def list_tokens(context: Given, limit: Limit = 100, page_token: PageToken = None) -> Page[TokenView]:
    """List tokens, in no order that means anything."""
    return page_of_records(context.store, TOKENS, _view, limit=limit, token=page_token)


@create("/tokens", Role.ADMIN)
def make_token(context: Given, data: JSONBody[NewToken]) -> MadeToken:
    """Make a token. Its text is told only in this answer; the service keeps no more than its digest."""
    made = create_token(
        context.store,
        data.name,
        data.role,
        now=context.now,
        entropy=os.urandom,
        by=context.identity.name,
        expires_at=data.expires_at.timestamp() if data.expires_at is not None else None,
    )
    return MadeToken(
        id=made.id,
        name=data.name,
        role=data.role,
        created_at=moment(made.token.created_at),
        created_by=made.token.created_by,
        expires_at=maybe_moment(made.token.expires_at),
        token=made.text,
    )


@remove("/tokens/{token:str}", Role.ADMIN)
def revoke_token(context: Given, token: TokenId) -> None:
    """Revoke a token. Other servers on the same store may still take it for two seconds."""
    entry = find_token(context.store, token)
    TOKENS.delete(context.store, [entry.name], at=context.now)
    context.services.authority.forget()


@read("/audit", Role.ADMIN)
def list_audit(
    context: Given,
    who: Annotated[str, QueryParameter(description="Only what these people did.", max_length=100)] = "",
    outcome: Annotated[
        Outcome | None,
        QueryParameter(description="Only what was done, what was refused (4xx), or what failed (5xx)."),
    ] = None,
    since: Annotated[datetime | None, QueryParameter(description="Not before; without a zone: UTC.")] = None,
    find: Find = "",
    order: InOrder = Order.NEWEST,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Page[AuditView]:
    """List who changed what, the newest first.

    A page of a filtered list may hold fewer than `limit`, or none, and still name a next page.
    """
    after = None if since is None else unix(since)

    def keep(each: AuditEntry) -> bool:
        return (
            who in ("", each.who)
            and outcome in (None, outcome_of(each.status))
            and (after is None or each.at >= after)
            and (not find or has(find, *_texts(each)))
        )

    return page_in_time(
        context.store,
        ENTRIES,
        _audit,
        order=order,
        limit=limit,
        token=page_token,
        keep=keep if who or outcome or after is not None or find else None,
        filters=(who, outcome, after, find),
        floor="" if after is None else ulid(AUDIT, max(int(after * 1000), 0), bytes(10)),
    )


def outcome_of(status: int) -> Outcome:
    """How a request went."""
    if status >= 500:
        return Outcome.FAILED
    return Outcome.REFUSED if status >= 400 else Outcome.DONE


def _texts(entry: AuditEntry) -> tuple[str, ...]:
    return entry.who, entry.operation, entry.operation.replace("_", " "), entry.path, entry.code


def _view(entry: Entry[Token]) -> TokenView:
    return TokenView(
        id=entry.name[:ID_LENGTH],
        name=entry.value.name,
        role=entry.value.role,
        created_at=moment(entry.value.created_at),
        created_by=entry.value.created_by,
        expires_at=maybe_moment(entry.value.expires_at),
    )


ROUTES = [show_me, list_tokens, make_token, revoke_token, list_audit]


def _audit(entry: Entry[AuditEntry]) -> AuditView:
    fields = msgspec.structs.asdict(entry.value) | {"at": moment(entry.value.at)}
    return AuditView(id=entry.name, **fields)
