"""What every handler gets: the services, who asks, and under which id."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from litestar.response import Stream

from weft.artifacts.artifacts import Artifacts
from weft.model.ids import ulid
from weft.server.auth.identity import Identity
from weft.server.services import Services
from weft.store.protocol import Store

Closing = list[Callable[[], Awaitable[None]]]


class Context:
    """One request's surroundings.

    Attributes:
        services: See ``Services``.
        identity: Who asks.
        request_id: As in the answer's ``X-Request-ID`` and the logs.
        closing: What is done when the request is over, however it ends.
        store, artifacts: The services' own, which nearly every handler needs.
    """

    __slots__ = ("artifacts", "closing", "identity", "request_id", "services", "store")

    def __init__(self, services: Services, identity: Identity, request_id: str, closing: Closing) -> None:
        self.services = services
        self.identity = identity
        self.request_id = request_id
        self.closing = closing
        self.store: Store = services.store
        self.artifacts: Artifacts = services.artifacts

    @property
    def now(self) -> float:
        """The time, Unix seconds."""
        return self.services.clock.now()

    def stream(self, parts: AsyncGenerator[bytes, None], media_type: str) -> Stream:
        """An answer that comes in parts; its generator is closed when the request is over.

        Litestar leaves that to the collector of garbage, and what a generator holds would be held so long.
        """
        self.closing.append(parts.aclose)
        return Stream(parts, media_type=media_type)

    def new_id(self, prefix: str) -> str:
        """A new id."""
        return ulid(prefix, int(self.now * 1000), self.services.entropy())


Given = NamedDependency[SkipValidation[Context]]
"""The type of a handler's ``context`` parameter."""


def context_of(request: Request[Identity, Any, Any]) -> Context:
    """The context of a request that passed the gate."""
    state = request.scope["state"]
    return Context(request.app.state["services"], state["identity"], state["request_id"], state["closing"])
