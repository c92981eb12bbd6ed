"""What can be set, and where each value came from.

In this order: environment (``WEFT_HOME``), ``weft.toml`` or ``[tool.weft]`` in the project's
``pyproject.toml``, the user's ``config.toml``, the default. ``weft config show --origin`` prints the answer.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from weft.model.errors import UsageError


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting.

    Attributes:
        home: The folder with the store, results and logs.
        store: Where runs live; "" is ``weft.db`` in the home.
        durability: ``full``: a commit survives a power cut; ``relaxed``: it survives a crash of the process.
        executor: Where tasks run that name no executor: ``thread`` or ``process``.
        threads: Threads of the thread executor; 0 chooses by the machine.
        workers: Processes of the process executor; 0 is one a core.
        suspend_after_s: How long a flow that waits may hold a thread before it is freed and replayed later.
        lease_s: How long after its last sign of life an engine's runs may be taken over.
        keep_days: Ended runs older than this are pruned; 0 keeps them for ever.
        progress: ``auto``, ``tree``, ``plain`` or ``off``.
        pools: Slots by pool.
        host: The address that the service listens on.
        port: Its port; 0 chooses a free one.
        hosts: Further names under which the service may be reached; ``*`` is any.
        origins: Origins of other pages that may use the API, as ``https://tools.example.com``.
        base_url: Where people reach the service, for links in messages; "" gives none.
        server: The service that commands talk to instead of the store on this machine, such as
            ``http://weft.example:4200`` or ``unix:///run/weft.sock``; "" is this machine. The token for it is
            ``WEFT_TOKEN`` in the environment, so a project's file cannot set this.
        queues: Queues whose runs an engine of the service takes; none is ``default``.
        drain_s: How long attempts under way may take to end when the service is stopped.
        secret_key: The key that secrets are sealed with, several with commas, the newest first; "" is the
            file ``secret.key`` in the home.
        log_format: How the service writes its own log lines: ``text`` or ``json``, one object a line.
        log_level: The least severe of them: ``debug``, ``info``, ``warning`` or ``error``.
        traces: Where spans go: the address of an OTLP/HTTP collector, or ``console``; "" makes none.
        traces_sample: The share of runs that is traced, of those that were not submitted from a trace.
        lineage: Where OpenLineage events go: an HTTP address, a file's path, or ``console``; "" makes none.
        lineage_namespace: The namespace of jobs in OpenLineage events.
    """

    home: str = ""
    store: str = ""
    durability: str = "full"
    executor: str = "thread"
    threads: int = 0
    workers: int = 0
    suspend_after_s: float = 30.0
    lease_s: float = 6.0
    keep_days: float = 30.0
    progress: str = "auto"
    pools: dict[str, int] = {}
    host: str = "127.0.0.1"
    port: int = 4200
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    base_url: str = ""
    server: str = ""
    queues: tuple[str, ...] = ()
    drain_s: float = 10.0
    secret_key: str = ""
    log_format: str = "text"
    log_level: str = "info"
    traces: str = ""
    traces_sample: float = 1.0
    lineage: str = ""
    lineage_namespace: str = "weft"

    @property
    def home_path(self) -> Path:
        """The home as a path."""
        return Path(self.home)

    @property
    def store_url(self) -> str:
        """Where runs live."""
        return self.store or str(self.home_path / "weft.db")


PROJECT_KEYS = ("name", "workflows")
"""What a project says of itself in the same place, for ``weft deploy`` (``projects/environment.py``)."""

LISTS = frozenset({"hosts", "origins", "queues"})
"""Settings that hold several words: with commas in the environment."""

CHOICES = {
    "durability": ("full", "relaxed"),
    "executor": ("thread", "process"),
    "progress": ("auto", "tree", "plain", "off"),
    "log_format": ("text", "json"),
    "log_level": ("debug", "info", "warning", "error"),
}


def load_settings(project: Path | None = None) -> Settings:
    """The settings in force here. Raises ``UsageError`` for a value that cannot be."""
    return load_with_origins(project)[0]


def load_with_origins(project: Path | None = None) -> tuple[Settings, dict[str, str]]:
    """The settings, and for each one where it came from."""
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.__struct_fields__, "default")
    for origin, found in (*_files(project or Path.cwd()), ("environment", _environment())):
        if "server" in found and origin not in ("environment", str(_user_file())):
            raise UsageError(
                "a project cannot say which service commands talk to",
                where=origin,
                hint="whoever wrote it would get your token: set it in the environment or in your own file",
            )
        for name, value in found.items():
            if name in PROJECT_KEYS and origin != "environment":
                continue
            if name not in origins:
                known = ", ".join(Settings.__struct_fields__)
                raise UsageError(f"there is no setting {name!r}", where=origin, hint=f"there are: {known}")
            values[name] = value
            origins[name] = f"{origin} (WEFT_{name.upper()})" if origin == "environment" else origin
    if not values.get("home"):
        values["home"] = str(default_home())
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as exc:
        raise UsageError(f"a setting has a wrong value: {exc}", hint="weft config show --origin") from exc
    for name, choices in CHOICES.items():
        value = getattr(settings, name)
        if value not in choices:
            raise UsageError(
                f"setting {name} cannot be {value!r}", where=origins[name], hint=f"it is one of {choices}"
            )
    return settings, origins


def default_home() -> Path:
    """The user's data folder for Weft."""
    import platformdirs  # noqa: PLC0415 - a process with WEFT_HOME set need not load it

    return Path(platformdirs.user_data_dir("weft", appauthor=False))


def _environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        text = os.environ.get(f"WEFT_{name.upper()}")
        if text:
            found[name] = _table(text) if name == "pools" else text.split(",") if name in LISTS else text
    return found


def _table(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name.strip(): slots.strip() for name, _, slots in pairs}


def _files(project: Path) -> list[tuple[str, dict[str, Any]]]:
    """From the weakest to the strongest."""
    found: list[tuple[str, dict[str, Any]]] = []
    user = _user_file()
    if user.is_file():
        found.append((str(user), _read(user)))
    for folder in (project, *project.parents):
        pyproject, own = folder / "pyproject.toml", folder / "weft.toml"
        if pyproject.is_file():
            section = _read(pyproject).get("tool", {}).get("weft")
            if section:
                found.append((f"{pyproject} [tool.weft]", section))
        if own.is_file():
            found.append((str(own), _read(own)))
        if pyproject.is_file() or own.is_file():
            break
    return found


def _user_file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser() / "weft" / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise UsageError(f"the settings file cannot be read: {exc}", where=str(path)) from exc
