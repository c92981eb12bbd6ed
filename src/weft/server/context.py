"""What every handler gets: the services, who asks, and under which id."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from weft.artifacts.artifacts import Artifacts
from weft.model.ids import ulid
from weft.server.auth.identity import Identity
from weft.server.services import Services
from weft.store.protocol import Store


class Context:
    """One request's surroundings.

    Attributes:
        services: See ``Services``.
        identity: Who asks.
        request_id: As in the answer's ``X-Request-ID`` and the logs.
        store, artifacts: The services' own, which nearly every handler needs.
    """

    __slots__ = ("artifacts", "identity", "request_id", "services", "store")

    def __init__(self, services: Services, identity: Identity, request_id: str) -> None:
        self.services = services
        self.identity = identity
        self.request_id = request_id
        self.store: Store = services.store
        self.artifacts: Artifacts = services.artifacts

    @property
    def now(self) -> float:
        """The time, Unix seconds."""
        return self.services.clock.now()

    def new_id(self, prefix: str) -> str:
        """A new id."""
        return ulid(prefix, int(self.now * 1000), self.services.entropy())


Given = NamedDependency[SkipValidation[Context]]
"""The type of a handler's ``context`` parameter."""


def context_of(request: Request[Identity, Any, Any]) -> Context:
    """The context of a request that passed the gate."""
    state = request.scope["state"]
    return Context(request.app.state["services"], state["identity"], state["request_id"])
