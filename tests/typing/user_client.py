"""A user's file with both clients: one description, and the right types for each."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from weft.client import AsyncClient, Client, RunHandle
from weft.client.call import Page
from weft.client.face import Async, AsyncPager, Pager, Sync
from weft.client.models import LiveBatch, LogChunk, PoolBody, PoolView, RunDetail, RunView, VariableView
from weft.client.streams import Event


def waiting() -> None:
    with Client("http://weft.example:4200", token="weft_x") as client:
        handle = client.run("etl", {"day": "2026-03-01"})
        assert_type(handle, RunHandle[Sync])
        assert_type(handle.wait(timeout_s=3), RunDetail)
        assert_type(handle.result(), Any)
        assert_type(client.runs.show(handle.id), RunDetail)
        assert_type(client.runs.list(where="state:failed"), Pager[RunView])
        assert_type(client.runs.list().page(), Page[RunView])
        assert_type([each.id for each in client.runs.list()], list[str])
        assert_type(client.runs.delete(handle.id), None)
        assert_type(client.runs.export(handle.id), bytes)
        assert_type(client.tasks.count(handle.id), dict[str, int])
        assert_type(client.pools.put("cpu", PoolBody(slots=1), if_none_match="*"), PoolView)
        assert_type(client.pools.update("cpu", lambda old: PoolBody(slots=old.slots if old else 1)), PoolView)
        assert_type(client.variables.show("x"), VariableView)
        assert_type(client.events.follow(run=handle.id), Iterator[Event[LiveBatch]])
        assert_type(client.logs.follow(handle.id, 1), Iterator[Event[LogChunk]])
        # Wrong calls are found.
        client.runs.show(3)  # type: ignore[arg-type]
        client.runs.list(wehre="x")  # type: ignore[call-arg]
        client.pools.put("cpu", {"slots": 1})  # type: ignore[arg-type]


async def awaiting() -> None:
    async with AsyncClient() as client:
        handle = await client.run("etl")
        assert_type(handle, RunHandle[Async])
        assert_type(await handle.wait(), RunDetail)
        assert_type(await handle.result(timeout_s=3), Any)
        assert_type(await client.runs.show(handle.id), RunDetail)
        assert_type(client.runs.list(), AsyncPager[RunView])
        assert_type([each.id async for each in client.runs.list()], list[str])
        assert_type(await client.pools.update("cpu", lambda old: PoolBody(slots=1)), PoolView)
        assert_type(client.events.follow(), AsyncIterator[Event[LiveBatch]])
