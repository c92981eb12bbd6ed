"""Automations, the channels that they tell people through, and what became of each message."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Response
from litestar.params import JSONBody, QueryParameter

from weft.model.automations import AUTOMATION, Automation, Notify
from weft.model.channels import CHANNEL, Channel
from weft.model.deliveries import Delivery, DeliveryState
from weft.model.errors import InvalidAutomation
from weft.model.tokens import Role
from weft.notifications.conditions import check
from weft.notifications.courier import CHANNELS as CHANNEL_RECORDS
from weft.notifications.courier import check_channel
from weft.notifications.outbox import DELIVERIES, resend
from weft.notifications.service import send_test
from weft.server.api.records import Kept
from weft.server.context import Given
from weft.server.etags import etag
from weft.server.paging import Order, Page, has, page_in_time
from weft.server.parameters import Find, IfMatch, IfNoneMatch, InOrder, Limit, Name, PageToken, Prefix
from weft.server.routing import act, read, remove, replace
from weft.server.views import maybe_moment, moment
from weft.store.records import Entry

T = TypeVar("T", bound=msgspec.Struct)


class DefinitionBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An automation or a channel as it shall be.

    Attributes:
        definition: Its fields; the how-to page on notifications has them all.
    """

    definition: dict[str, Any]


class DefinitionView(msgspec.Struct, kw_only=True):
    """An automation or a channel.

    Attributes:
        name: Its name.
        enabled: Whether it does anything.
        definition: Its fields. Secrets stand in it by name only.
        changed_at: When it was last written.
        etag: For `If-Match`.
    """

    name: str
    enabled: bool
    definition: dict[str, Any]
    changed_at: datetime
    etag: str


class DeliveryView(msgspec.Struct, kw_only=True):
    """Something that an automation does outside, and how that goes.

    Attributes:
        id: Its id.
        automation: Which one; empty for a test.
        lane: The queue that it waits in: a channel, a host, or runs.
        state: `waiting`, `sent` or `dead`, which was given up.
        what: What happened.
        action: What is done about it.
        workflow: Of the run that it is about.
        run: Id of that run.
        tries: How often it was tried.
        error: Why the latest try failed; empty if it did not.
        answer: What came of it.
        created_at: When it was decided.
        tried_at: When it was last tried.
        next_at: When it is tried next; null when it is over.
    """

    id: str
    automation: str
    lane: str
    state: str
    what: str
    action: dict[str, Any]
    workflow: str
    run: str
    tries: int
    error: str
    answer: str
    created_at: datetime
    tried_at: datetime | None
    next_at: datetime | None


def _definition(entry: Entry[Any]) -> DefinitionView:
    return DefinitionView(
        name=entry.name,
        enabled=entry.value.enabled,
        definition=msgspec.to_builtins(entry.value, str_keys=True),
        changed_at=moment(entry.at),
        etag=etag(entry.revision),
    )


AUTOMATIONS = Kept(AUTOMATION, Automation, _definition)
CHANNELS = Kept(CHANNEL, Channel, _definition)


@read("/automations")
def list_automations(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[DefinitionView]:
    """List automations by name."""
    return AUTOMATIONS.page(context, prefix, limit, page_token)


@read("/automations/{name:str}")
def show_automation(context: Given, name: Name) -> Response[DefinitionView]:
    """Show an automation."""
    return AUTOMATIONS.show(context, name)


@replace("/automations/{name:str}", Role.EDITOR)
def put_automation(
    context: Given,
    name: Name,
    data: JSONBody[DefinitionBody],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[DefinitionView]:
    """Write an automation."""
    value = _read(data.definition, Automation)
    check(name, value)
    return AUTOMATIONS.put(context, name, value, if_match, if_none_match)


@remove("/automations/{name:str}", Role.EDITOR)
def delete_automation(context: Given, name: Name, if_match: IfMatch = None) -> None:
    """Delete an automation; what it has decided is still carried out."""
    AUTOMATIONS.drop(context, name, if_match)


@read("/channels")
def list_channels(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[DefinitionView]:
    """List channels by name."""
    return CHANNELS.page(context, prefix, limit, page_token)


@read("/channels/{name:str}")
def show_channel(context: Given, name: Name) -> Response[DefinitionView]:
    """Show a channel."""
    return CHANNELS.show(context, name)


@replace("/channels/{name:str}", Role.EDITOR)
def put_channel(
    context: Given,
    name: Name,
    data: JSONBody[DefinitionBody],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[DefinitionView]:
    """Write a channel."""
    value = _read(data.definition, Channel)
    check_channel(name, value)
    return CHANNELS.put(context, name, value, if_match, if_none_match)


@remove("/channels/{name:str}", Role.EDITOR)
def delete_channel(context: Given, name: Name, if_match: IfMatch = None) -> None:
    """Delete a channel; what waits for it is refused."""
    CHANNELS.drop(context, name, if_match)


@act("/channels/{name:str}/test", Role.EDITOR)
def test_channel(context: Given, name: Name) -> DeliveryView:
    """Send a message through a channel that says that it is a test."""
    CHANNEL_RECORDS.require(context.store, name)
    return _delivery(send_test(context.store, Notify(channel=name), by=context.identity.name, at=context.now))


@read("/deliveries")
def list_deliveries(
    context: Given,
    automation: Annotated[str, QueryParameter(description="Only of this automation.", max_length=250)] = "",
    stands: Annotated[
        DeliveryState | None, QueryParameter(name="state", description="Only those that stand like this.")
    ] = None,
    find: Find = "",
    order: InOrder = Order.NEWEST,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Page[DeliveryView]:
    """List what automations do outside, as long as it is kept, the newest first."""

    def keep(each: Delivery) -> bool:
        return (
            automation in ("", each.automation)
            and stands in (None, each.state)
            and (not find or has(find, *_texts(each)))
        )

    return page_in_time(
        context.store,
        DELIVERIES,
        _delivery,
        order=order,
        limit=limit,
        token=page_token,
        keep=keep if automation or stands or find else None,
        filters=(automation, stands, find),
    )


def _texts(each: Delivery) -> tuple[str, ...]:
    about = each.occasion
    return each.automation, about.what, about.workflow, about.run, each.lane, each.error


@read("/deliveries/{name:str}")
def show_delivery(context: Given, name: Name) -> DeliveryView:
    """Show a delivery."""
    return _delivery(DELIVERIES.require(context.store, name))


@act("/deliveries/{name:str}/resend", Role.OPERATOR)
def resend_delivery(context: Given, name: Name) -> DeliveryView:
    """Try again what was given up."""
    return _delivery(resend(context.store, name, at=context.now))


def _read(definition: dict[str, Any], shape: type[T]) -> T:
    try:
        return msgspec.convert(definition, shape)
    except msgspec.ValidationError as exc:
        raise InvalidAutomation(f"the definition is not as it should be: {exc}", where="definition") from exc


def _delivery(entry: Entry[Delivery]) -> DeliveryView:
    value = entry.value
    return DeliveryView(
        id=entry.name,
        automation=value.automation,
        lane=value.lane,
        state=str(value.state),
        what=value.occasion.what,
        action=msgspec.to_builtins(value.action, str_keys=True),
        workflow=value.occasion.workflow,
        run=value.occasion.run,
        tries=value.tries,
        error=value.error,
        answer=value.answer,
        created_at=moment(value.created_at),
        tried_at=maybe_moment(value.tried_at),
        next_at=maybe_moment(value.next_at),
    )


ROUTES = [
    list_automations,
    show_automation,
    put_automation,
    delete_automation,
    list_channels,
    show_channel,
    put_channel,
    delete_channel,
    test_channel,
    list_deliveries,
    show_delivery,
    resend_delivery,
]
