"""What the nouns that people write by name have in common: names, secret texts, and forgetting."""

import getpass
import re
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.style import say
from weft.model.errors import UsageError
from weft.observability.terminal import count
from weft.store.protocol import Store
from weft.store.records import Collection

NAME_MAX = 250
_NAME = re.compile(r"[^\x00-\x1f\x7f/]+")

Description = Annotated[str | None, Parameter(help="For people; what is there stays by default.")]


def checked(name: str) -> str:
    """The name, if one can be called so: it is a part of addresses.

    Raises:
        UsageError: It is empty, too long, or has a slash or control characters.
    """
    if _NAME.fullmatch(name) is None or len(name) > NAME_MAX:
        raise UsageError(
            f"nothing can be called {name[:50]!r}",
            hint=f"1 to {NAME_MAX} characters, without slashes and control characters",
        )
    return name


def secret_text(what: str) -> str:
    """A secret from standard input, or asked for at a terminal: others see command lines.

    Raises:
        UsageError: There is none.
    """
    text = getpass.getpass(f"{what}: ") if sys.stdin.isatty() else sys.stdin.read().removesuffix("\n")
    if not text:
        raise UsageError(f"{what} is empty", hint="type it, or pipe it in")
    return text


def json_value(text: str, what: str) -> Any:
    """A value written as JSON. Raises ``UsageError``."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        raise UsageError(f"{what} is not JSON: {exc}", hint="text needs quotes: '\"text\"'") from exc


def parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """``name=value`` pairs; a value that is no JSON is text. Raises ``UsageError``."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is not a parameter", hint="write -p name=value")
        try:
            found[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found[name] = text
    return found


def forget(store: Store, kept: Collection[Any], names: Sequence[str], *, yes: bool) -> None:
    """Delete records by name, all or none.

    Raises:
        NotFound: There is none of a name.
        UsageError: It was not confirmed.
    """
    found = [kept.require(store, name).name for name in names]
    if not yes:
        raise UsageError(f"this would delete {count(len(found), kept.kind)}", hint="say --yes to do it")
    kept.delete(store, found, at=time.time())
    say(f"deleted {', '.join(found)}")
