"""The settings in force here, and where each came from. What is secret in them is not told."""

import re
from typing import Any

import msgspec

from weft.model.errors import UsageError
from weft.model.tokens import Role
from weft.server.context import Given
from weft.server.paging import Page
from weft.server.routing import read
from weft.settings import load_with_origins

SECRET = frozenset({"secret_key"})
"""Settings of which only is told whether they are set."""

HIDDEN = "***"
ARGUMENTS = "the command line"
UNKNOWN = "unknown"

_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):([^/\s]*)@")
_PARAMETER = re.compile(r"(?i)([?&\s](?:password|sslpassword|token|api_?key)=)[^&\s]+")


class SettingView(msgspec.Struct, kw_only=True):
    """A setting.

    Attributes:
        name: Its name, as in `weft.toml`; in the environment `WEFT_` and its capitals.
        value: What is in force, with passwords and keys hidden.
        default: What it is if nobody sets it.
        origin: Where it came from: `default`, a file, the environment, or the command line.
        hidden: Whether a part of the value, or all of it, is hidden.
    """

    name: str
    value: Any
    default: Any
    origin: str
    hidden: bool


@read("/settings", Role.ADMIN)
def list_settings(context: Given) -> Page[SettingView]:
    """List the settings that this process runs with.

    Files are read anew to tell where a value came from: one that no file and no variable gives any more
    came from the command line.
    """
    settings = context.services.settings
    try:
        loaded, origins = load_with_origins()
    except UsageError:
        loaded, origins = None, {}
    items: list[SettingView] = []
    for name, field in zip(settings.__struct_fields__, msgspec.structs.fields(settings), strict=True):
        value = settings.store_url if name == "store" else getattr(settings, name)
        origin = UNKNOWN if loaded is None else origins[name]
        if loaded is not None and getattr(loaded, name) != getattr(settings, name):
            origin = ARGUMENTS
        plain = msgspec.to_builtins(value)
        shown = _hidden(name, plain)
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        items.append(
            SettingView(
                name=name,
                value=shown,
                default=msgspec.to_builtins(default),
                origin=origin,
                hidden=shown != plain,
            )
        )
    return Page(items=items)


def _hidden(name: str, value: Any) -> Any:
    """A value without what is secret in it: keys, and passwords in addresses."""
    if name in SECRET:
        return HIDDEN if value else ""
    if isinstance(value, str):
        return _PARAMETER.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", value))
    if isinstance(value, list):
        return [_hidden(name, each) for each in value]
    return value


ROUTES = [list_settings]
