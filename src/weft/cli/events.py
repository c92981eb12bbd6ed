"""``weft events``: things that happened, for triggers that wait for them."""

import time
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, noun
from weft.cli.asking import me
from weft.cli.keeping import json_value
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import iso, moment, say, table
from weft.engine.clock import SystemClock
from weft.engine.triggers import HAPPENINGS, happen
from weft.model.errors import UsageError
from weft.model.triggers import Happening, Source
from weft.store.records import Entry

app = noun("events", help="Send events to triggers, and list what happened.")


@app.command
def send(
    name: Annotated[str, Parameter(help="The event's name, or the asset's.")],
    /,
    *,
    payload: Annotated[str | None, Parameter(help="What is known of it, as JSON.")] = None,
    id: Annotated[  # noqa: A002 - the option's name
        str, Parameter(help="The same event sent twice under one id counts once.")
    ] = "",
    asset: Annotated[bool, Parameter(help="It is an asset that somebody else updated.")] = False,
) -> None:
    """Let triggers know of an event. weft send is for a run that waits for one."""
    if not name:
        raise UsageError("the event has no name")
    value = None if payload is None else json_value(payload, "--payload")
    source = Source.ASSET if asset else Source.EVENT
    happening = Happening(source=source, name=name, at=time.time(), payload=value, by=me(), key=id)
    with home() as opened:
        known = happen(opened.store, happening, clock=SystemClock())
    say(f"sent {name} as {known}; triggers see it as soon as a service runs")


@app.command(name="list")
def list_events(
    *,
    number: Annotated[int, Parameter(name=["--number", "-n"], help="At most so many, the newest.")] = 50,
    json: Json = False,
) -> None:
    """List what happened, newest first: events, updated assets, ended runs, files."""
    with home() as opened:
        found = sorted(HAPPENINGS.all(opened.store), key=lambda each: each.value.at, reverse=True)
    found = found[: max(number, 0)]
    if json:
        for entry in found:
            emit(_object(entry))
        return
    if not found:
        say("nothing has happened yet: weft events send NAME")
        return
    rows = [
        (
            entry.name,
            entry.value.source.value,
            entry.value.name,
            moment(entry.value.at),
            entry.value.run or entry.value.by,
            "waits" if entry.due_at is not None else "",
        )
        for entry in found
    ]
    table(rows, ("ID", "SOURCE", "NAME", "AT", "BY", ""))


def _object(entry: Entry[Happening]) -> dict[str, Any]:
    value = entry.value
    return {
        "id": entry.name,
        "source": value.source.value,
        "name": value.name,
        "at": iso(value.at),
        "payload": msgspec.to_builtins(value.payload, str_keys=True),
        "run": value.run or None,
        "by": value.by or None,
        "pending": entry.due_at is not None,
    }
