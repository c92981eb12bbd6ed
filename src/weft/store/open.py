"""Which store a name means."""

from pathlib import Path

from weft.model.errors import UsageError
from weft.store.protocol import Store

_SQLITE = "sqlite:///"
_MEMORY = "memory:"
_SUPPORTED = "a path, sqlite:///PATH (sqlite:////PATH for one from the root) or memory:"


def open_store(url: str | Path, *, durability: str = "full") -> Store:
    """Open a store, and make it if it is not there.

    Args:
        url: A path, ``sqlite:///path`` (as everywhere: four slashes for an absolute one), or ``memory:``.
        durability: ``full``: a commit survives a power cut; ``relaxed``: a power cut may take the latest
            ones; ``none``: nothing is kept, whatever the path.

    Raises:
        UsageError: The name means no store that is supported.
        StoreReadOnly, StoreCorrupt, StoreTooNew, StoreBusy: The file cannot be opened.
    """
    name = str(url)
    if durability not in ("full", "relaxed", "none"):
        raise UsageError(f"unknown durability {durability!r}", where=name, hint="full, relaxed or none")
    if name == _MEMORY:
        return _memory()
    path = name.removeprefix(_SQLITE)
    scheme, separator, _ = path.partition("://")
    if separator and not isinstance(url, Path):
        raise UsageError(f"no store is called {scheme}://", where=name, hint=f"supported: {_SUPPORTED}")
    if not path or path.startswith("sqlite:"):
        raise UsageError("the store's name has no path", where=name, hint=f"supported: {_SUPPORTED}")
    if durability == "none":
        return _memory()
    from weft.store.sqlite import SqliteStore  # noqa: PLC0415 - the driver loads only if a file is opened

    return SqliteStore(Path(path).expanduser(), durability=durability)


def _memory() -> Store:
    from weft.store.memory import MemoryStore  # noqa: PLC0415 - only one of the two stores is loaded

    return MemoryStore()
