"""Committed changes of every run, as they come."""

from typing import Annotated

from anyio import to_thread
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from weft.model.errors import InvalidRequest
from weft.server.api.logs import EVENT_STREAM
from weft.server.changes import KINDS
from weft.server.context import Given
from weft.server.live import Wanted
from weft.server.parameters import SEQ_MAX, LastEventId
from weft.server.routing import read


@read("/events", media_type=EVENT_STREAM)
async def follow_events(
    context: Given,
    run: Annotated[
        str, QueryParameter(description="Only of this run: its id or a beginning of it.", max_length=64)
    ] = "",
    workflow: Annotated[str, QueryParameter(description="Only of this workflow.", max_length=250)] = "",
    kinds: Annotated[
        str,
        QueryParameter(
            description=f"Only these kinds, parted by commas: {', '.join(KINDS)}.", max_length=200
        ),
    ] = "",
    whole: FromQuery[bool] = False,
    after: Annotated[
        int | None,
        QueryParameter(description="Begin after this `seq`; now by default.", ge=0, le=SEQ_MAX),
    ] = None,
    last_event_id: LastEventId = None,
) -> Stream:
    """Follow committed changes as server-sent events.

    The first event is named `ready` and tells where it begins; the others are named `changes`, hold a
    `LiveBatch`, and come at most four times a second. What is too much for one is brought together, unless
    `whole` asks for every single change. Every id is a `seq`: after a lost connection `Last-Event-ID` goes on
    where it was, and nothing is missed.
    """
    wanted_kinds = frozenset(each for each in kinds.split(",") if each)
    unknown = sorted(wanted_kinds - set(KINDS))
    if unknown:
        raise InvalidRequest(
            f"there is no kind {unknown[0]!r}", where="kinds", hint=f"there are: {', '.join(KINDS)}"
        )
    uid = (await to_thread.run_sync(context.store.run, run)).uid if run else ""
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdecimal():
        after = int(last_event_id)
    live = context.services.live
    live.check_room()
    wanted = Wanted(run=uid, workflow=workflow, kinds=wanted_kinds, whole=whole)
    return context.stream(live.stream(wanted, after), EVENT_STREAM)


ROUTES = [follow_events]
