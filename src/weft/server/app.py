"""The application: every route, behind the gate.

``create_app`` gets all that it stands on, and keeps nothing global. Litestar's own conveniences that would
decide something elsewhere (CORS, CSRF, allowed hosts, logging, its OpenAPI pages) are left off.
"""

from functools import cache

import msgspec
from anyio import to_thread
from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from weft.model.errors import UsageError
from weft.server.api import (
    access,
    approvals,
    automations,
    backfills,
    bundles,
    calendars,
    configuration,
    events,
    finding,
    grids,
    hooks,
    limits,
    logs,
    overview,
    overviews,
    projects,
    records,
    runs,
    schedules,
    sources,
    steering,
    system,
    tasks,
    timelines,
    triggers,
    workflows,
)
from weft.server.context import context_of
from weft.server.gate import STALLED_S, Gate
from weft.server.openapi import describe
from weft.server.pages import Built, page_routes
from weft.server.problems import answer
from weft.server.routing import guard, read
from weft.server.services import Services

PREFIX = "/api/v1"
BODY_MAX = 10_000_000
"""Bytes of a request's body; an import has a limit of its own."""

MODULES = (
    system,
    overview,
    finding,
    projects,
    workflows,
    overviews,
    grids,
    calendars,
    sources,
    runs,
    timelines,
    steering,
    tasks,
    logs,
    approvals,
    schedules,
    backfills,
    triggers,
    hooks,
    automations,
    records,
    limits,
    configuration,
    events,
    bundles,
    access,
)


PROVIDED = {"context": Provide(context_of, sync_to_thread=False)}


def create_app(services: Services, *, stalled_s: float = STALLED_S, pages: Built | None = None) -> Litestar:
    """Make the application.

    Args:
        services: What it stands on.
        stalled_s: How long a client may leave a part of a streamed answer unread.
        pages: The web pages; what was built into this package by default.

    Raises:
        UsageError: The artifacts are trusted: a server opens no pickles.
    """
    if services.artifacts.trusted:
        raise UsageError("a server's artifacts must not be trusted", hint="Artifacts(blobs, trusted=False)")
    app = _Application(
        route_handlers=[*page_routes(pages or Built()), system.metrics, router(show_description)],
        dependencies=PROVIDED,
        guards=[guard],
        exception_handlers={Exception: answer},
        request_max_body_size=BODY_MAX,
        state=State({"services": services}),
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = Gate(app.asgi_handler, services, stalled_s=stalled_s)  # type: ignore[arg-type,assignment]  # ASGI in plain words
    return app


def router(*more: HTTPRouteHandler) -> Router:
    """The routes of the API and some more, below ``PREFIX``.

    All in one router: Litestar copies a handler for every router around it, and one without any, whose path
    has several methods, is wrapped for its thread once too often.
    """
    return Router(PREFIX, route_handlers=[*routes(), *more])


class _Application(Litestar):
    """Litestar without what it adds for pydantic and attrs where they are installed: we use neither."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def routes() -> list[HTTPRouteHandler]:
    """Every route that the API's description names."""
    return [route for module in MODULES for route in module.ROUTES]


@cache
def description() -> bytes:
    """The API's description, as JSON. It takes half a second to make, so it is made when it is wanted."""
    return msgspec.json.format(msgspec.json.encode(describe(router(), PROVIDED)), indent=1)


@read("/openapi.json", include_in_schema=False)
async def show_description() -> Response[bytes]:
    """Give this API's description."""
    body = await to_thread.run_sync(description)
    return Response(body, media_type="application/vnd.oai.openapi+json;version=3.1")
