"""The service itself: is it well, what is it, which engines are there."""

import platform
from datetime import datetime

import msgspec
from litestar import Response

from weft._version import __version__
from weft.model.errors import WeftError
from weft.observability.exposition import CONTENT_TYPE
from weft.server.context import Given
from weft.server.paging import Page
from weft.server.routing import read
from weft.server.views import moment


class Health(msgspec.Struct, kw_only=True):
    """Whether the process answers.

    Attributes:
        status: `ok`.
    """

    status: str = "ok"


class Ready(msgspec.Struct, kw_only=True):
    """Whether the service can do its work.

    Attributes:
        ready: Whether it can.
        checks: What was looked at, each with `ok` or what is wrong.
    """

    ready: bool
    checks: dict[str, str]


class Version(msgspec.Struct, kw_only=True):
    """What runs here.

    Attributes:
        weft: Version of Weft.
        python: Version of Python.
        api: Versions of this API that are served.
    """

    weft: str
    python: str
    api: list[str]


class EngineView(msgspec.Struct, kw_only=True):
    """An engine that has opened the store.

    Attributes:
        id: Its number; runs name it.
        name: Its name.
        host: The machine.
        pid: The process.
        alive: Whether its lease holds.
        started_at: When it began.
        expires_at: Until when its lease holds.
    """

    id: int
    name: str
    host: str
    pid: int
    alive: bool
    started_at: datetime
    expires_at: datetime


class Status(msgspec.Struct, kw_only=True):
    """How the service is.

    Attributes:
        weft: Version of Weft.
        now: The service's time.
        seq: The newest change in the log.
        engines: Engines whose leases hold.
        local_engine: Number of the engine in this process; null if there is none.
        listeners: Clients that listen for events at this server.
    """

    weft: str
    now: datetime
    seq: int
    engines: int
    local_engine: int | None
    listeners: int


@read("/health")
async def health() -> Health:
    """Say that the process answers. It looks at nothing else."""
    return Health()


@read("/ready", responses={})
def ready(context: Given) -> Response[Ready]:
    """Say whether the service can do its work: 200 if it can, else 503."""
    readiness = context.services.readiness
    if readiness is not None:
        return _ready({each.name: each.problem or "ok" for each in readiness.ask()})
    checks = {"store": "ok"}
    try:
        context.store.last_seq()
    except WeftError as exc:
        checks["store"] = exc.what
    engine = context.services.control.engine
    if engine is not None:
        checks["engine"] = "ok" if engine.halted is None else engine.halted.what
    return _ready(checks)


def _ready(checks: dict[str, str]) -> Response[Ready]:
    well = all(each == "ok" for each in checks.values())
    return Response(Ready(ready=well, checks=checks), status_code=200 if well else 503)


@read("/metrics", include_in_schema=False)
def metrics(context: Given) -> Response[bytes]:
    """Give what is counted, as text for Prometheus."""
    counted = context.services.metrics
    body = b"" if counted is None else counted.render()
    return Response(body, headers={"content-type": CONTENT_TYPE})


@read("/version")
async def version() -> Version:
    """Say what runs here."""
    return Version(weft=__version__, python=platform.python_version(), api=["v1"])


@read("/status")
def status(context: Given) -> Status:
    """Say how the service is."""
    now = context.now
    engine = context.services.control.engine
    return Status(
        weft=__version__,
        now=moment(now),
        seq=context.store.last_seq(),
        engines=sum(each.expires_at > now for each in context.store.engines()),
        local_engine=engine.id if engine is not None else None,
        listeners=context.services.live.clients,
    )


@read("/engines")
def list_engines(context: Given) -> Page[EngineView]:
    """List the engines that the store remembers."""
    now = context.now
    return Page(
        items=[
            EngineView(
                id=each.engine,
                name=each.name,
                host=each.host,
                pid=each.pid,
                alive=each.expires_at > now,
                started_at=moment(each.started_at),
                expires_at=moment(each.expires_at),
            )
            for each in context.store.engines()
        ]
    )


ROUTES = [health, ready, version, status, list_engines]
