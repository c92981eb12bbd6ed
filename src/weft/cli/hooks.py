"""``weft hooks``: addresses at which other services tell of events."""

import time
from typing import Annotated, Any

from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.keeping import Description, checked, forget, secret_text
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.secrets import HOOKS, vault
from weft.cli.style import iso, say, table
from weft.model.errors import UsageError
from weft.model.hooks import HOOK, Hook, Scheme
from weft.store.records import Entry

app = noun("hooks", help="Set, list and delete incoming webhooks.")

SECRET_MIN = 8


@app.command(name="set")
def set_hook(
    name: Annotated[str, Parameter(help="Its name, the last part of its address.")],
    /,
    *,
    scheme: Annotated[Scheme | None, Parameter(help="How its sender signs.")] = None,
    event: Annotated[
        str | None, Parameter(help="The event that a request becomes; by default hook.NAME.")
    ] = None,
    keep_secret: Annotated[bool, Parameter(help="Leave the secret of one that is there.")] = False,
    description: Description = None,
) -> None:
    """Write a webhook. The secret that its sender signs with comes from standard input, or is asked for."""
    checked(name)
    text = None if keep_secret else secret_text("the secret")
    if text is not None and len(text) < SECRET_MIN:
        raise UsageError("the secret is too short", hint=f"at least {SECRET_MIN} characters")
    with home() as opened:
        before = HOOKS.get(opened.store, name)
        if before is None and scheme is None:
            known = ", ".join(each.value for each in Scheme)
            raise UsageError(f"{name} is new, so it needs a scheme", hint=f"--scheme, one of {known}")
        if text is not None:
            sealed = vault(opened).seal(HOOK, name, text)
        else:
            sealed = HOOKS.require(opened.store, name).value.sealed
        value = Hook(
            event=event or (f"hook.{name}" if before is None else before.value.event),
            scheme=scheme or (Scheme.WEFT if before is None else before.value.scheme),
            sealed=sealed,
            description=description or (before.value.description if before is not None else ""),
        )
        expect = 0 if before is None else before.revision
        HOOKS.save(opened.store, name, value, at=time.time(), expect=expect)
    say(f"hook {name} is {'set' if before is None else 'changed'}: POST {_path(name)}")


@app.command(name="list")
def list_hooks(*, json: Json = False) -> None:
    """List webhooks, without their secrets."""
    with home() as opened:
        found = list(HOOKS.all(opened.store))
    if json:
        for entry in found:
            emit(_object(entry))
        return
    if not found:
        say("no hooks yet: weft hooks set NAME --scheme github")
        return
    rows = [
        (each.name, each.value.scheme.value, each.value.event, _path(each.name), each.value.description)
        for each in found
    ]
    table(rows, ("HOOK", "SCHEME", "EVENT", "PATH", "DESCRIPTION"))


@app.command
def delete(names: Annotated[list[str], Parameter(help="Their names.")], /, *, yes: Yes = False) -> None:
    """Forget webhooks; what is sent to them is refused from then on."""
    with home() as opened:
        forget(opened.store, HOOKS, names, yes=yes)


def _path(name: str) -> str:
    return f"/api/v1/hooks/{name}"


def _object(entry: Entry[Hook]) -> dict[str, Any]:
    value = entry.value
    return {
        "name": entry.name,
        "scheme": value.scheme.value,
        "event": value.event,
        "path": _path(entry.name),
        "description": value.description,
        "changed": iso(entry.at),
    }
