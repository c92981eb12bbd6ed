"""``AsyncClient``: the API for code on an event loop, and the source that ``sync.py`` is made from."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx

from weft.client import operations, transport
from weft.client.address import address
from weft.client.call import Answer, Call, Lost, Page, Request, Send, Steps
from weft.client.face import Async
from weft.client.groups import Groups
from weft.client.handle import RunHandle
from weft.client.models import NewRun
from weft.client.paging import Pages
from weft.client.patience import Patience, exchange
from weft.client.streams import Event, Listening, Stream

T = TypeVar("T")


class AsyncClient(Groups[Async]):
    """A service, for code on an event loop.

    Args:
        url: ``http://host:port`` or ``unix:///path/of.sock``; by default ``WEFT_SERVER``, else
            ``http://127.0.0.1:4200``.
        token: An API token; by default ``WEFT_TOKEN``.
        timeout_s: How long the service may take to answer, or to send the next part of an answer.
        patience: How often calls are sent again.
        transport: Carries requests instead of the network, for tests.
        sleep: Waits so many seconds.

    Raises:
        UsageError: The address is none.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout_s: float = 30.0,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(self)
        self.patience = patience or Patience()
        self.address = address(url, token)
        self._sleep = sleep
        carrier = transport
        if carrier is None and self.address.socket:
            carrier = httpx.AsyncHTTPTransport(uds=self.address.socket)
        self._http = httpx.AsyncClient(
            base_url=self.address.url,
            headers=_headers(self.address.headers),
            timeout=timeout_s,
            transport=carrier,
            trust_env=not self.address.loopback,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def run(
        self,
        workflow: str,
        params: Mapping[str, Any] | None = None,
        *,
        tags: Sequence[str] = (),
        version: int | None = None,
        key: str | None = None,
    ) -> RunHandle[Async]:
        """Start a run of a deployed workflow. When this returns, the run can no longer be lost.

        Args:
            workflow: Its name.
            params: Parameters by name, plain data.
            tags: Tags for the run.
            version: The workflow's version; the current one by default.
            key: At most one run is ever made with the same key; chosen at random by default, so that a
                request that is repeated makes no second run.

        Raises:
            NotFound: There is no such workflow.
            ParameterError: The parameters do not fit.
        """
        body = NewRun(workflow=workflow, params=dict(params or {}), tags=list(tags), version=version)
        return RunHandle[Async](self, (await self.ask(operations.create_run(body, idempotency_key=key))).id)

    def handle(self, run: str) -> RunHandle[Async]:
        """The handle of a run that is there already.

        Args:
            run: Its id.
        """
        return RunHandle[Async](self, run)

    async def ask(self, call: Call[T]) -> T:
        """Send a call, again if need be; returns what is answered."""
        return await self.perform(exchange(call, self.patience))

    async def perform(self, steps: Steps[T]) -> T:
        """Carry steps out."""
        came: Any = None
        try:
            while True:
                step = steps.send(came)
                if isinstance(step, Send):
                    came = await self._send(step.request)
                else:
                    if step.seconds:
                        await self._sleep(step.seconds)
                    came = time.monotonic()
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # what the steps return

    def pages(self, pages: Pages[T]) -> "AsyncPager[T]":
        """A list."""
        return AsyncPager(self, pages)

    async def follow(self, stream: Stream[T]) -> AsyncIterator[Event[T]]:
        """Events, as they come; a lost connection is made anew, and nothing is missed."""
        listening = Listening(stream, self.patience)
        while not listening.over():
            came: Answer | Lost = Answer(200, {}, b"")
            try:
                async with self._stream(listening.request) as response:
                    if response.status_code == 200:
                        async for data in response.aiter_bytes():
                            for event in listening.feed(data):
                                yield event
                            if listening.over():
                                return
                    else:
                        await response.aread()
                        came = transport.answer(response)
            except httpx.TransportError as exc:
                came = transport.lost(exc)
            await self._sleep(listening.lost(came))

    def _stream(self, request: Request) -> Any:
        return self._http.stream(
            request.method, request.target, headers=dict(request.headers), timeout=transport.SILENT_MAX
        )

    async def _send(self, request: Request) -> Answer | Lost:
        try:
            return transport.answer(
                await self._http.request(
                    request.method, request.target, headers=dict(request.headers), content=request.body
                )
            )
        except httpx.TransportError as exc:
            return transport.lost(exc)


class AsyncPager(Generic[T]):
    """A list; ``async for`` goes through all its pages, and asks for each when it is reached.

    Args:
        client: Asks for them.
        pages: The list.
    """

    def __init__(self, client: AsyncClient, pages: Pages[T]) -> None:
        self._client = client
        self._pages = pages

    async def __aiter__(self) -> AsyncIterator[T]:
        token: str | None = None
        while True:
            page = await self.page(token)
            for item in page.items:
                yield item
            token = page.next
            if token is None:
                return

    async def page(self, token: str | None = None) -> Page[T]:
        """One page: the first, or that of a token."""
        return await self._client.ask(self._pages.at(token))


def _headers(more: Mapping[str, str]) -> dict[str, str]:
    return {"User-Agent": transport.USER_AGENT, **more}
