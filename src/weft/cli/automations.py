"""``weft automations``: what is done when something happens to runs, and how it went.

The commands read and write records; whichever process runs the service finds a change at its next look.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec.structs import replace

from weft.cli.app import Json, Yes, noun
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import iso, moment, say, table
from weft.model.automations import Automation
from weft.model.channels import Channel
from weft.model.deliveries import Delivery, DeliveryState
from weft.model.errors import InvalidAutomation, UsageError
from weft.notifications.conditions import check, leaves
from weft.notifications.courier import CHANNELS, check_channel
from weft.notifications.joining import AUTOMATIONS, FIRINGS
from weft.notifications.outbox import DELIVERIES, resend
from weft.store.protocol import Write
from weft.store.records import Entry

app = noun("automations", help="Apply, list, switch and delete automations, and see what came of them.")

Name = Annotated[str, Parameter(help="The automation's name.")]


class Setup(msgspec.Struct, forbid_unknown_fields=True):
    """What a file says: automations and channels by name."""

    automations: dict[str, Automation] = {}
    channels: dict[str, Channel] = {}


@app.command
def apply(
    file: Annotated[Path, Parameter(help="TOML with [channels.NAME] and [automations.NAME].")], /
) -> None:
    """Make the automations and channels of a file what is in force."""
    setup = read(file)
    writes: list[Write] = []
    for name, channel in setup.channels.items():
        check_channel(name, channel)
        writes.append(CHANNELS.put(name, channel))
    for name, automation in setup.automations.items():
        check(name, automation)
        writes.append(AUTOMATIONS.put(name, automation))
    if not writes:
        raise UsageError(f"{file} has no automations and no channels", hint="[automations.NAME]")
    with home() as opened:
        opened.store.write(writes, at=time.time())
    for noun_, names in (("channel", setup.channels), ("automation", setup.automations)):
        for name in names:
            say(f"applied {noun_} {name}")


def read(file: Path) -> Setup:
    """What a file says.

    Raises:
        UsageError: It cannot be read.
        InvalidAutomation: It is not as it should be.
    """
    try:
        return msgspec.toml.decode(file.read_bytes(), type=Setup)
    except OSError as exc:
        raise UsageError(f"the file cannot be read: {exc}", where=str(file)) from exc
    except msgspec.ValidationError as exc:
        raise InvalidAutomation(f"the file is not as it should be: {exc}", where=str(file)) from exc
    except (msgspec.DecodeError, ValueError) as exc:
        raise InvalidAutomation(f"the file is no TOML: {exc}", where=str(file)) from exc


@app.command(name="list")
def list_automations(*, json: Json = False) -> None:
    """List automations, and when each last acted."""
    with home() as opened:
        found = [(each, FIRINGS.get(opened.store, each.name)) for each in AUTOMATIONS.all(opened.store)]
    if json:
        for entry, fired in found:
            acted = {} if fired is None else {"count": fired.value.count, "last": iso(fired.value.at)}
            emit({"name": entry.name, "automation": entry.value, "acted": acted})
        return
    if not found:
        say("no automations yet: weft automations apply FILE")
        return
    rows = [
        (
            entry.name,
            "on" if entry.value.enabled else "off",
            ", ".join(dict.fromkeys(_tag(leaf) for _, leaf in leaves(entry.value.when))),
            ", ".join(_tag(action) for action in entry.value.then),
            "" if fired is None else str(fired.value.count),
            "" if fired is None else moment(fired.value.at),
        )
        for entry, fired in found
    ]
    table(rows, ("NAME", "", "WHEN", "THEN", "ACTED", "LAST"))


@app.command
def show(name: Name, /) -> None:
    """Show an automation as JSON."""
    with home() as opened:
        emit(AUTOMATIONS.require(opened.store, name).value)


@app.command
def on(name: Name, /) -> None:
    """Switch an automation on."""
    _switch(name, enabled=True)


@app.command
def off(name: Name, /) -> None:
    """Switch an automation off."""
    _switch(name, enabled=False)


@app.command
def delete(
    names: Annotated[list[str], Parameter(help="Automations' names.")], /, *, yes: Yes = False
) -> None:
    """Forget automations; what they decided is still carried out."""
    with home() as opened:
        found = [AUTOMATIONS.require(opened.store, name).name for name in names]
        if not yes:
            raise UsageError(f"this would delete {len(found)} automations", hint="say --yes to do it")
        AUTOMATIONS.delete(opened.store, found, at=time.time())
    say(f"deleted {', '.join(found)}")


@app.command
def deliveries(
    *,
    state: Annotated[
        DeliveryState | None, Parameter(help="Only those that wait, were sent, or were given up.")
    ] = None,
    number: Annotated[int, Parameter(name=["--number", "-n"], help="At most so many, the newest.")] = 50,
    json: Json = False,
) -> None:
    """List what automations decided to do, and how it went."""
    with home() as opened:
        found = [each for each in DELIVERIES.all(opened.store) if state in (None, each.value.state)]
    found = found[-max(number, 0) :] if number > 0 else []
    if json:
        for entry in found:
            emit(_object(entry))
        return
    rows = [
        (
            entry.name,
            str(entry.value.state),
            entry.value.automation,
            entry.value.lane,
            moment(entry.value.created_at),
            _outcome(entry.value),
        )
        for entry in reversed(found)
    ]
    table(rows, ("DELIVERY", "STATE", "AUTOMATION", "TO", "DECIDED", ""), state=1)


@app.command(name="resend")
def send_again(name: Annotated[str, Parameter(help="The delivery's id.")], /) -> None:
    """Try a delivery again that was given up."""
    with home() as opened:
        resend(opened.store, name, at=time.time())
    say(f"{name} is tried again")


def _switch(name: str, *, enabled: bool) -> None:
    with home() as opened:
        entry = AUTOMATIONS.require(opened.store, name)
        changed = replace(entry.value, enabled=enabled)
        AUTOMATIONS.save(opened.store, name, changed, at=time.time(), expect=entry.revision)
    say(f"{name} is {'on' if enabled else 'off'}")


def _tag(what: msgspec.Struct) -> str:
    return str(what.__struct_config__.tag)


def _outcome(delivery: Delivery) -> str:
    if delivery.state is DeliveryState.SENT:
        return delivery.answer
    return delivery.error.partition("\n")[0]


def _object(entry: Entry[Delivery]) -> dict[str, Any]:
    value = entry.value
    return {
        "id": entry.name,
        "state": value.state,
        "automation": value.automation,
        "to": value.lane,
        "what": value.occasion.what,
        "run": value.occasion.run,
        "tries": value.tries,
        "decided": iso(value.created_at),
        "tried": iso(value.tried_at),
        "next": iso(value.next_at),
        "error": value.error,
        "answer": value.answer,
    }
