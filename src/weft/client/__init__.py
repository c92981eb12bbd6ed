"""The service's API as Python: ``Client``, ``AsyncClient``, and the structs that they send and get.

One source, two faces. ``operations`` (generated from the API's description) says of every operation how it
is asked and what it answers, without any input or output. What takes several steps (a retry, a wait, a
read-modify-write) is a generator of steps. ``sync.py`` and ``aio.py`` only carry the steps out.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.client.aio import AsyncClient as AsyncClient
    from weft.client.handle import RunHandle as RunHandle
    from weft.client.sync import Client as Client

_PLACES = {
    "AsyncClient": "weft.client.aio",
    "Client": "weft.client.sync",
    "RunHandle": "weft.client.handle",
}

__all__ = ["AsyncClient", "Client", "RunHandle"]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'weft.client' has no attribute {name!r}")
    value = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
