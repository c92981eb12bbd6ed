"""Triggers, the assets that they wait for, and what happens: events that people and programs send."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar.params import JSONBody, QueryParameter

from weft.engine.triggers import ASSETS, HAPPENINGS, Triggers, happen
from weft.model.errors import RequestTooLarge
from weft.model.tokens import Role
from weft.model.triggers import Armed, AssetEntry, Happening, Source
from weft.projects.records import TRIGGERS
from weft.server.context import Context, Given
from weft.server.paging import Order, Page, has, page_in_time, page_of_records
from weft.server.parameters import Find, IdempotencyKey, InOrder, Limit, Name, PageToken, Prefix
from weft.server.routing import act, create, read
from weft.server.views import maybe_moment, moment
from weft.store.records import Entry

PAYLOAD_MAX = 256 * 1024
"""Bytes of an event's payload: it is handed to every run that it makes."""

EventName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$")]


class TriggerView(msgspec.Struct, kw_only=True):
    """A trigger and how it stands.

    Attributes:
        name: `workflow#trigger`.
        workflow: What it runs.
        trigger: Its name in the workflow.
        when: What must happen: a `type` (`asset`, `run`, `event`, `file`, `all`, `any`) and its fields.
        params: Parameters of its runs.
        cooldown_s: For how long it rests after it fired.
        paused: Whether it lets things pass.
        seen: Names of what has happened of it since it fired last.
        fired: How often it has fired.
        fired_at: When it did last.
        last_run: Id of the run that this made.
        error: Why that could not be started; empty if it could.
    """

    name: str
    workflow: str
    trigger: str
    when: dict[str, Any]
    params: dict[str, Any]
    cooldown_s: float
    paused: bool
    seen: list[str]
    fired: int
    fired_at: datetime | None
    last_run: str
    error: str


class AssetView(msgspec.Struct, kw_only=True):
    """An asset.

    Attributes:
        name: Its name.
        uri: Where it is.
        updates: How often it was updated.
        updated_at: When it was last; null if never.
        run: Id of the run that did it; empty if it was somebody else.
        task: Index of the task run that did it; null if it was somebody else.
        metadata: What its producer says of it.
    """

    name: str
    uri: str
    updates: int
    updated_at: datetime | None
    run: str
    task: int | None
    metadata: dict[str, Any]


class HappeningBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Something that happened.

    Attributes:
        name: What: the event's name, or the asset's.
        payload: What is known of it: any JSON.
        source: `event`, or `asset` for an asset that somebody else updated.
    """

    name: EventName
    payload: Any = None
    source: Annotated[str, msgspec.Meta(pattern="^(event|asset)$")] = "event"


class HappeningView(msgspec.Struct, kw_only=True):
    """Something that happened.

    Attributes:
        id: Its id.
        source: `event`, `asset`, `run` or `file`.
        name: What it is about.
        at: When.
        payload: What is known of it.
        run: Id of the run that made it happen; empty if none did.
        by: Who sent it.
        pending: Whether triggers have yet to see it.
    """

    id: str
    source: str
    name: str
    at: datetime
    payload: Any
    run: str
    by: str
    pending: bool


@read("/triggers")
def list_triggers(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[TriggerView]:
    """List triggers by name: `workflow#` as the prefix gives one workflow's."""
    return page_of_records(context.store, TRIGGERS, _trigger, limit=limit, token=page_token, prefix=prefix)


@read("/triggers/{name:str}")
def show_trigger(context: Given, name: Name) -> TriggerView:
    """Show a trigger. In the address `#` is written `%23`."""
    return _trigger(TRIGGERS.require(context.store, name))


@act("/triggers/{name:str}/pause", Role.OPERATOR)
def pause_trigger(context: Given, name: Name) -> TriggerView:
    """Let a trigger rest: what happens meanwhile passes it by."""
    return _trigger(_steering(context).pause(name, by=context.identity.name))


@act("/triggers/{name:str}/resume", Role.OPERATOR)
def resume_trigger(context: Given, name: Name) -> TriggerView:
    """Let a trigger watch again, from now on."""
    return _trigger(_steering(context).resume(name, by=context.identity.name))


@read("/assets")
def list_assets(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[AssetView]:
    """List the assets that were ever updated, by name."""
    return page_of_records(context.store, ASSETS, _asset, limit=limit, token=page_token, prefix=prefix)


@read("/assets/{name:str}")
def show_asset(context: Given, name: Name) -> AssetView:
    """Show an asset."""
    return _asset(ASSETS.require(context.store, name))


@read("/happenings")
def list_happenings(
    context: Given,
    source: Annotated[Source | None, QueryParameter(description="Only what came from there.")] = None,
    name: Annotated[str, QueryParameter(description="Only of this name.", max_length=250)] = "",
    find: Find = "",
    order: InOrder = Order.NEWEST,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Page[HappeningView]:
    """List what happened, as long as it is kept, the newest first."""

    def keep(each: Happening) -> bool:
        return (
            source in (None, each.source)
            and name in ("", each.name)
            and (not find or has(find, each.source, each.name, each.run, each.by))
        )

    return page_in_time(
        context.store,
        HAPPENINGS,
        _happening,
        order=order,
        limit=limit,
        token=page_token,
        keep=keep if source or name or find else None,
        filters=(source, name, find),
    )


@create("/happenings", Role.OPERATOR)
def send_happening(
    context: Given, data: JSONBody[HappeningBody], idempotency_key: IdempotencyKey = None
) -> HappeningView:
    """Say that something happened: triggers that wait for it make their runs."""
    key = "" if idempotency_key is None else f"key:{context.identity.name}:{idempotency_key}"
    return tell(context, data.name, data.payload, source=Source(data.source), key=key)


def tell(
    context: Context, about: str, payload: Any, *, source: Source = Source.EVENT, key: str = ""
) -> HappeningView:
    """Let triggers know of something that came through the API.

    Raises:
        RequestTooLarge: Its payload is.
    """
    if len(msgspec.msgpack.encode(payload)) > PAYLOAD_MAX:
        raise RequestTooLarge(
            f"the payload is larger than {PAYLOAD_MAX // 1024} KiB",
            where="payload",
            hint="store it elsewhere, and send where it is",
        )
    happening = Happening(
        source=source, name=about, at=context.now, payload=payload, by=context.identity.name, key=key
    )
    services = context.services
    name = happen(context.store, happening, clock=services.clock, entropy=services.entropy)
    return _happening(HAPPENINGS.require(context.store, name))


def _steering(context: Context) -> Triggers:
    services = context.services
    return Triggers(context.store, services.control, services.workflows, clock=services.clock)


def _trigger(entry: Entry[Armed]) -> TriggerView:
    value = entry.value
    trigger = value.trigger
    given = {name: {"from": each.path} for name, each in trigger.given.items()}
    return TriggerView(
        name=entry.name,
        workflow=value.workflow,
        trigger=trigger.name,
        when=msgspec.to_builtins(trigger.when),
        params={**msgspec.to_builtins(trigger.params, str_keys=True), **given},
        cooldown_s=trigger.cooldown_s,
        paused=value.paused,
        seen=[f"{each.happening.source}:{each.happening.name}" for each in value.seen.values()],
        fired=value.fired,
        fired_at=maybe_moment(value.fired_at or None),
        last_run=value.last_run,
        error=value.error,
    )


def _asset(entry: Entry[AssetEntry]) -> AssetView:
    value = entry.value
    return AssetView(
        name=entry.name,
        uri=value.uri,
        updates=value.updates,
        updated_at=maybe_moment(value.updated_at or None),
        run=value.run,
        task=value.task if value.task >= 0 else None,
        metadata=msgspec.to_builtins(value.metadata, str_keys=True),
    )


def _happening(entry: Entry[Happening]) -> HappeningView:
    value = entry.value
    return HappeningView(
        id=entry.name,
        source=value.source.value,
        name=value.name,
        at=moment(value.at),
        payload=msgspec.to_builtins(value.payload, str_keys=True),
        run=value.run,
        by=value.by,
        pending=entry.due_at is not None,
    )


ROUTES = [
    list_triggers,
    show_trigger,
    pause_trigger,
    resume_trigger,
    list_assets,
    show_asset,
    list_happenings,
    send_happening,
]
