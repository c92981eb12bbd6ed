"""The gate in front of the application: every request passes it, also one that no route knows.

In this order: an id for the request; is it this service's own affair (``Host``, ``Origin``); who asks; then
the application, whose routes say which role they need; and for what changes something, the audit trail before
the answer goes out. It adds the headers that keep browsers careful, and lets go of a client that does not
read its answer, so that nobody can hold the service's memory by being slow.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import msgspec
from anyio import to_thread

from weft.model.audit import AuditEntry
from weft.model.errors import WeftError
from weft.server.auth.identity import Identity
from weft.server.problems import MEDIA_TYPE, headers_of, problem_of
from weft.server.services import Services

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

STALLED_S = 30.0
"""How long a client may leave a part of a streamed answer unread."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
"""For answers that say nothing else; pages have policies of their own."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("weft.server")


class Gate:
    """See the module.

    Args:
        app: The application behind it.
        services: What it asks.
        stalled_s: How long a client may leave a part of a streamed answer unread.
    """

    def __init__(self, app: App, services: Services, *, stalled_s: float = STALLED_S) -> None:
        self._app = app
        self._services = services
        self._stalled_s = stalled_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        passage = _Passage(self._services, scope, send, self._request_id(headers), self._stalled_s)
        try:
            self._services.authority.check_source(scope["method"], headers, unix=_is_unix(scope))
            greeted = self._services.authority.greet(scope["method"], scope["path"])
            identity = greeted or await self._identify(headers.get("authorization", ""))
        except WeftError as exc:
            await passage.refuse(exc)
            return
        passage.admit(identity)
        try:
            await self._app(scope, receive, passage.send)
        except Exception:
            if not passage.stalled:
                raise
        finally:
            await passage.close()

    def _request_id(self, headers: dict[str, str]) -> str:
        given = headers.get("x-request-id", "")
        return given if _REQUEST_ID.fullmatch(given) else self._services.entropy().hex()

    async def _identify(self, authorization: str) -> Identity:
        authority = self._services.authority
        known = authority.recall(authorization)
        return known if known is not None else await to_thread.run_sync(authority.identify, authorization)


class _Passage:
    """One request on its way out."""

    def __init__(
        self, services: Services, scope: Scope, send: Send, request_id: str, stalled_s: float
    ) -> None:
        self.services = services
        self.scope = scope
        self.request_id = request_id
        self.identity: Identity | None = None
        self._send = send
        self._stalled_s = stalled_s
        self.stalled = False
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._began = perf_counter()

    def admit(self, identity: Identity) -> None:
        """Tell the application who asks."""
        self.identity = identity
        self.scope["user"] = identity
        self.scope.setdefault("state", {}).update(
            identity=identity, request_id=self.request_id, closing=self._closing
        )

    async def close(self) -> None:
        """Do what the handler left to be done at the end."""
        for each in self._closing:
            await each()

    async def refuse(self, error: WeftError) -> None:
        """Answer with an error."""
        problem = problem_of(error, self.request_id)
        body = msgspec.json.encode(problem)
        headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **headers_of(error)}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": encoded})
        await self.send({"type": "http.response.body", "body": body})

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            await self._start(message)
        if not message.get("more_body"):
            await self._send(message)
            return
        try:
            await asyncio.wait_for(self._send(message), self._stalled_s)
        except TimeoutError:
            self.stalled = True
            _log.info("request %s: the client reads nothing, so it is let go", self.request_id)
            raise

    async def _start(self, message: Message) -> None:
        status: int = message["status"]
        headers = list(message["headers"])
        names = {name.lower() for name, _ in headers}
        headers += [(b"x-request-id", self.request_id.encode()), *HEADERS]
        if POLICY[0] not in names:
            headers.append(POLICY)
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-store"))
        message["headers"] = headers
        took_ms = (perf_counter() - self._began) * 1000
        who = self.identity.name if self.identity is not None else "-"
        method, path = self.scope["method"], self.scope["path"]
        # Pages ask all the time: what changed nothing and went well is for who looks closely.
        level = logging.DEBUG if method in READING and status < 400 else logging.INFO
        _log.log(level, "%s %s %s %d %.1f ms by %s", self.request_id, method, path, status, took_ms, who)
        handler = self.scope.get("route_handler")
        if self.services.metrics is not None:
            # The pattern, never the path: paths are without number.
            route = min(getattr(handler, "paths", None) or ("-",))
            self.services.metrics.request(method, route, status, took_ms / 1000)
        if self.identity is not None and method not in READING and handler is not None:
            await self._audit(self.identity, status, getattr(handler, "operation_id", None) or "")

    async def _audit(self, identity: Identity, status: int, operation: str) -> None:
        scope = self.scope
        client = scope.get("client")
        entry = AuditEntry(
            at=self.services.clock.now(),
            who=identity.name,
            role=str(identity.role),
            method=scope["method"],
            path=scope["path"][:500],
            operation=operation,
            status=status,
            code=scope["state"].get("code", ""),
            request_id=self.request_id,
            client=str(client[0]) if client else "",
        )
        await self.services.trail.add(entry)


def _is_unix(scope: Scope) -> bool:
    """Whether the request came through a Unix socket: such a server has a path and no port."""
    server = scope.get("server")
    return server is not None and server[1] is None
