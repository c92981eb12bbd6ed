"""``weft version``."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from weft._version import __version__
from weft.cli.app import Json, noun
from weft.cli.output import emit
from weft.store.sqlite_connection import SCHEMA_VERSION, sqlite_version

app = noun("version")

_STANDS_ON = ("apsw", "msgspec", "msgpack", "cloudpickle", "cyclopts")


@app.default
def version(*, json: Json = False) -> None:
    """Show the versions of Weft and of what it stands on."""
    facts = {
        "weft": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite_version(),
        "schema": str(SCHEMA_VERSION),
        "platform": platform.platform(),
    }
    for name in _STANDS_ON:
        try:
            facts[name] = installed(name)
        except PackageNotFoundError:
            facts[name] = "missing"
    if json:
        emit(facts)
        return
    for name, value in facts.items():
        print(f"{name:<12}{value}")
