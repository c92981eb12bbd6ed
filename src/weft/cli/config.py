"""``weft config``: what is set, and where it was set."""

from typing import Annotated

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, noun
from weft.cli.output import emit
from weft.cli.style import table
from weft.settings import load_with_origins

app = noun("config", help="Show the settings, and where each came from.")


@app.command
def show(
    *,
    origin: Annotated[bool, Parameter(help="Also where each value came from.")] = False,
    json: Json = False,
) -> None:
    """Show the settings in force here."""
    settings, origins = load_with_origins()
    values = msgspec.to_builtins(settings)
    values["store"] = settings.store_url
    if json:
        emit({name: {"value": value, "origin": origins[name]} for name, value in values.items()})
        return
    rows = [(name, _shown(value), origins[name]) for name, value in values.items()]
    if origin:
        table(rows, ("SETTING", "VALUE", "ORIGIN"))
    else:
        table([row[:2] for row in rows], ("SETTING", "VALUE"))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={slots}" for name, slots in value.items()) or "-"
    return str(value)
