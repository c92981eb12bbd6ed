"""The API as a part of the service."""

import getpass
from typing import TYPE_CHECKING

from weft.engine.clock import entropy
from weft.server.app import create_app
from weft.server.auth.authority import Authority, is_loopback
from weft.server.auth.trail import Trail
from weft.server.live import Live
from weft.server.logfiles import FileLogs
from weft.server.serve import HttpServer
from weft.server.services import Services

if TYPE_CHECKING:
    from weft.service.service import Service


class ApiServer:
    """Serves the API of a service.

    Args:
        service: What it is about.

    Raises:
        PortTaken: The address cannot be listened on.
        OpenToAll: Others could reach it, and nobody would have to say who they are.
    """

    def __init__(self, service: "Service") -> None:
        settings, store, clock = service.settings, service.store, service.clock
        engine = service.engine
        local_user = _me() if is_loopback(settings.host) else ""
        services = Services(
            store=store,
            artifacts=service.shown,
            control=service.control,
            workflows=service.workflows,
            clock=clock,
            settings=settings,
            authority=Authority(
                store, clock, local_user=local_user, hosts=settings.hosts, origins=settings.origins
            ),
            trail=Trail(store, clock, entropy),
            logs=FileLogs(service.home),
            live=Live(
                store,
                None if engine is None else lambda wake: engine.listen(lambda changes: wake()),
            ),
            metrics=service.metrics,
            readiness=service.readiness,
            vault=service,
        )
        self._http = HttpServer(create_app(services), services, host=settings.host, port=settings.port)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self._http.url

    def start(self) -> None:
        """Serve; returns when requests are answered."""
        self._http.start()

    def close(self) -> None:
        """Stop serving; answers under way are given."""
        self._http.stop()


def _me() -> str:
    """Who is on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"
