"""What ``weft up``, ``weft engine`` and ``weft server`` have in common: settings, start, wait, stop."""

import time
from typing import Annotated, Any

from cyclopts import Parameter
from msgspec.structs import replace

from weft.cli.style import say
from weft.settings import Settings, load_settings
from weft.store.open import shown

Host = Annotated[str | None, Parameter(help="The address to listen on; by default 127.0.0.1.")]
Port = Annotated[int | None, Parameter(help="The port; by default 4200, and 0 chooses a free one.")]
Queue = Annotated[
    list[str] | None,
    Parameter(name="--queue", negative="", help="Take runs of this queue; may be given again."),
]
Workers = Annotated[int | None, Parameter(help="Worker processes; by default one a core.")]


def settings_with(**given: Any) -> Settings:
    """The settings in force, with what the command line says."""
    return replace(load_settings(), **{name: value for name, value in given.items() if value is not None})


def serve(settings: Settings, *, engine: bool, server: bool) -> int:
    """Run a process of the service until it is told to stop; returns the exit code."""
    began = time.monotonic()
    # Loading the engine and the API takes most of the time until they are ready.
    from weft.service.service import Service  # noqa: PLC0415 - other commands do without

    service = Service(settings, engine=engine, server=server)
    try:
        service.start()
        where = f" at {service.http.url}" if service.http is not None else ""
        say(f"weft {_what(engine, server)} is ready{where} ({time.monotonic() - began:.1f} s)")
        say(f"  store {shown(settings.store_url)}")
        say("  Ctrl-C stops it; runs that are open go on at the next start")
        service.wait()
        say("stopping: what runs may end (Ctrl-C again to stop at once)")
    finally:
        service.close()
    return 0


def _what(engine: bool, server: bool) -> str:
    if engine and server:
        return "service"
    return "engine" if engine else "server"
