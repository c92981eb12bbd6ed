"""Incoming webhooks: where other services tell of events.

A request to a hook needs no token: its signature is the proof. It becomes an event, which triggers wait for.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from anyio import to_thread
from litestar import Request, Response
from litestar.params import JSONBody

from weft.model.errors import NotAuthenticated, NotConfigured
from weft.model.hooks import HOOK, Hook, Scheme
from weft.model.tokens import Role
from weft.server.api.records import Description, Kept, Sensitive, seal
from weft.server.api.triggers import EventName, HappeningView, tell
from weft.server.auth.signatures import is_signed
from weft.server.context import Context, Given
from weft.server.etags import etag
from weft.server.paging import Page
from weft.server.parameters import IfMatch, IfNoneMatch, Limit, Name, PageToken, Prefix
from weft.server.routing import ANYTHING, create, read, remove, replace
from weft.server.views import moment
from weft.store.records import Entry

DELIVERY_HEADERS = ("x-github-delivery", "idempotency-key", "webhook-id", "x-gitlab-event-uuid")
"""Headers in which senders name a delivery, so that one sent twice counts once."""

_NO_HOOK = "the request does not prove that it comes from who may use this hook"


class HookBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A webhook as it shall be.

    Attributes:
        scheme: How its sender signs: `weft`, `github`, `stripe`, `slack` or `token`.
        secret: What both know; never shown again. Null or left out keeps the one that is there.
        event: The name of the event that a request becomes; `hook.` and the hook's name by default.
        description: For people.
    """

    scheme: Scheme
    secret: Annotated[Sensitive, msgspec.Meta(min_length=8)] | None = None
    event: EventName | None = None
    description: Description = ""


class HookView(msgspec.Struct, kw_only=True):
    """A webhook, without its secret.

    Attributes:
        name: Its name.
        path: Where its sender sends.
        scheme: How that signs.
        event: The name of the event that a request becomes.
        description: For people.
        changed_at: When it was last written.
        etag: For `If-Match`.
    """

    name: str
    path: str
    scheme: str
    event: str
    description: str
    changed_at: datetime
    etag: str


def _view(entry: Entry[Hook]) -> HookView:
    value = entry.value
    return HookView(
        name=entry.name,
        path=f"/api/v1/hooks/{entry.name}",
        scheme=value.scheme.value,
        event=value.event,
        description=value.description,
        changed_at=moment(entry.at),
        etag=etag(entry.revision),
    )


HOOKS = Kept(HOOK, Hook, _view)


@read("/hooks")
def list_hooks(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[HookView]:
    """List webhooks by name."""
    return HOOKS.page(context, prefix, limit, page_token)


@read("/hooks/{name:str}")
def show_hook(context: Given, name: Name) -> Response[HookView]:
    """Show a webhook."""
    return HOOKS.show(context, name)


@replace("/hooks/{name:str}", Role.EDITOR)
def put_hook(
    context: Given,
    name: Name,
    data: JSONBody[HookBody],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[HookView]:
    """Write a webhook."""
    if data.secret is None:
        sealed = HOOKS.collection.require(context.store, name).value.sealed
    else:
        sealed = seal(context, HOOK, name, data.secret)
    value = Hook(
        event=data.event or f"hook.{name}", scheme=data.scheme, sealed=sealed, description=data.description
    )
    return HOOKS.put(context, name, value, if_match, if_none_match)


@remove("/hooks/{name:str}", Role.EDITOR)
def delete_hook(context: Given, name: Name, if_match: IfMatch = None) -> None:
    """Delete a webhook."""
    HOOKS.drop(context, name, if_match)


@create("/hooks/{name:str}", Role.SENDER, takes=ANYTHING)
async def receive_hook(context: Given, request: Request[Any, Any, Any], name: Name) -> HappeningView:
    """Take in an event from outside. The body may be anything; JSON becomes the event's payload."""
    body = await request.body()
    headers = {key.lower(): value for key, value in request.headers.items()}
    return await to_thread.run_sync(_receive, context, name, headers, body)


def _receive(context: Context, name: str, headers: dict[str, str], body: bytes) -> HappeningView:
    entry = HOOKS.collection.get(context.store, name)
    # Whether there is such a hook is nobody's business who cannot sign for it.
    if entry is None or not _signed(context, entry, headers, body):
        raise NotAuthenticated(_NO_HOOK, where=name, hint="check the secret, and the sender's clock")
    delivery = next((headers[each] for each in DELIVERY_HEADERS if headers.get(each)), "")
    known = f"hook:{name}:{delivery}"[:250] if delivery else ""
    return tell(context, entry.value.event, _payload(body), key=known)


def _signed(context: Context, entry: Entry[Hook], headers: dict[str, str], body: bytes) -> bool:
    vault = context.services.vault
    if vault is None:
        raise NotConfigured("this service has no key, so it opens no secrets", hint="weft doctor")
    secret = vault.open(HOOK, entry.name, entry.value.sealed)
    return is_signed(entry.value.scheme, secret, headers, body, now=context.now)


def _payload(body: bytes) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


ROUTES = [list_hooks, show_hook, put_hook, delete_hook, receive_hook]
