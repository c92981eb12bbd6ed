"""``weft channels``: ways to reach people and services. ``weft automations apply`` makes them."""

import os
import time
from typing import Annotated

from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.asking import me
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import say, table
from weft.model.automations import Notify
from weft.model.deliveries import Delivery, Occasion
from weft.model.errors import UsageError
from weft.notifications.context import Contexts
from weft.notifications.courier import CHANNELS, Courier
from weft.notifications.outbox import delivery_name, lane_of
from weft.service.operations import Unsealed
from weft.store.vault import open_vault

app = noun("channels", help="List, test and delete the channels that automations notify.")


@app.command(name="list")
def list_channels(*, json: Json = False) -> None:
    """List channels."""
    with home() as opened:
        found = list(CHANNELS.all(opened.store))
    if json:
        for entry in found:
            emit({"name": entry.name, "channel": entry.value})
        return
    if not found:
        say("no channels yet: weft automations apply FILE")
        return
    rows = [
        (
            entry.name,
            str(entry.value.way.__struct_config__.tag),
            "on" if entry.value.enabled else "off",
            entry.value.description,
        )
        for entry in found
    ]
    table(rows, ("NAME", "KIND", "", "DESCRIPTION"))


@app.command
def test(name: Annotated[str, Parameter(help="The channel's name.")], /) -> None:
    """Send a message through a channel, now and from here."""
    with home() as opened:
        CHANNELS.require(opened.store, name)
        now = time.time()
        settings = opened.settings
        secrets = Unsealed(opened.store, lambda: open_vault(settings.home_path, settings.secret_key))
        contexts = Contexts(opened.store, opened.artifacts, base_url=settings.base_url)
        courier = Courier(opened.store, contexts, secrets=secrets, now=time.time)
        action = Notify(channel=name)
        occasion = Occasion(what=f"this is a test of channel {name}, wanted by {me() or 'somebody'}", at=now)
        delivery = Delivery(
            automation="", lane=lane_of(action), action=action, occasion=occasion, created_at=now
        )
        answer = courier.carry_out(delivery_name(f"test {now!r} {os.getpid()}", "", 0, now), delivery)
    say(f"sent: {answer}")


@app.command
def delete(names: Annotated[list[str], Parameter(help="Channels' names.")], /, *, yes: Yes = False) -> None:
    """Forget channels; what still waits for them is given up."""
    with home() as opened:
        found = [CHANNELS.require(opened.store, name).name for name in names]
        if not yes:
            raise UsageError(f"this would delete {len(found)} channels", hint="say --yes to do it")
        CHANNELS.delete(opened.store, found, at=time.time())
    say(f"deleted {', '.join(found)}")
