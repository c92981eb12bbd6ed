"""Which store a name means."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from weft.model.errors import StoreReadOnly, UsageError
from weft.store.protocol import Store

_SQLITE = "sqlite:///"
_MEMORY = "memory:"
_POSTGRES = ("postgresql://", "postgres://")
_SUPPORTED = "a path, sqlite:///PATH (sqlite:////PATH for one from the root), postgresql://HOST/DB or memory:"


def open_store(url: str | Path, *, durability: str = "full") -> Store:
    """Open a store, and make it if it is not there.

    Args:
        url: A path, ``sqlite:///path`` (as everywhere: four slashes for an absolute one),
            ``postgresql://user@host/database`` (``?schema=`` names another schema than ``weft``), or
            ``memory:``.
        durability: ``full``: a commit survives a power cut; ``relaxed``: a power cut may take the latest
            ones; ``none``: nothing is kept, whatever the path.

    Raises:
        UsageError: The name means no store that is supported.
        StoreReadOnly, StoreCorrupt, StoreTooNew, StoreBusy: It cannot be opened.
    """
    name = str(url)
    if durability not in ("full", "relaxed", "none"):
        raise UsageError(f"unknown durability {durability!r}", where=name, hint="full, relaxed or none")
    if name == _MEMORY:
        return _memory()
    if name.startswith(_POSTGRES) and not isinstance(url, Path):
        return _memory() if durability == "none" else _postgres(name, durability)
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


def shown(url: str | Path) -> str:
    """A store's name for people: without the password that is in it."""
    name = str(url)
    if not name.startswith(_POSTGRES):
        return name
    parts = urlsplit(name)
    user, _, server = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    query = "&".join(each for each in parts.query.split("&") if not each.startswith("password="))
    return urlunsplit((parts.scheme, f"{user}@{server}" if user else server, parts.path, query, ""))


def make_home(home: Path) -> None:
    """Make the folder of Weft's data if it is not there.

    Raises:
        StoreReadOnly: It cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreReadOnly(
            f"the folder for Weft's data cannot be made: {exc.strerror}",
            where=str(home),
            hint="set WEFT_HOME to a folder that can be written",
        ) from exc


def _postgres(url: str, durability: str) -> Store:
    try:
        from weft.store.postgres import PostgresStore  # noqa: PLC0415 - the driver is an extra, and slow to load
    except ModuleNotFoundError as exc:
        if exc.name != "psycopg":
            raise
        hint = "install it: pip install 'weft[postgres]'"
        raise UsageError("the PostgreSQL driver is not installed", where="psycopg", hint=hint) from exc
    return PostgresStore(url, durability=durability)


def _memory() -> Store:
    from weft.store.memory import MemoryStore  # noqa: PLC0415 - only one of the stores is loaded

    return MemoryStore()
