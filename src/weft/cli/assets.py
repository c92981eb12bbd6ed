"""``weft assets``: things outside Weft that tasks make or need."""

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, noun
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import iso, moment, say, table
from weft.cli.triggers import told
from weft.engine.triggers import ASSETS
from weft.model.triggers import AllOf, AnyOf, AssetEntry, Condition, OnAsset
from weft.projects.records import TRIGGERS
from weft.store.protocol import Reader
from weft.store.records import Entry

app = noun("assets", help="List and show assets: what runs update, and what waits for that.")


@app.command(name="list")
def list_assets(*, json: Json = False) -> None:
    """List assets, and when each was updated last."""
    with home() as opened:
        found = list(ASSETS.all(opened.store))
    if json:
        for entry in found:
            emit(_object(entry))
        return
    if not found:
        say("no assets yet: a task with outputs=asset(...) updates one")
        return
    rows = [
        (
            entry.name,
            entry.value.uri,
            str(entry.value.updates),
            moment(entry.value.updated_at or None),
            entry.value.run,
        )
        for entry in found
    ]
    table(rows, ("ASSET", "WHERE", "UPDATES", "LAST", "RUN"))


@app.command
def show(name: Annotated[str, Parameter(help="The asset's name.")], /, *, json: Json = False) -> None:
    """Show an asset: who updated it last, and which triggers wait for it."""
    with home() as opened:
        entry = ASSETS.require(opened.store, name)
        waiting = _waiting(opened.store, name)
    if json:
        emit({**_object(entry), "triggers": waiting})
        return
    value = entry.value
    print(f"{entry.name}  {value.uri}")
    print(f"  updates: {value.updates}")
    if value.updated_at:
        by = f" by {value.run}, task run {value.task}" if value.run else ""
        print(f"  last: {moment(value.updated_at)}{by}")
    for key, each in value.metadata.items():
        print(f"  {key}: {each}")
    for trigger in waiting:
        print(f"  waited for by {trigger}")


def _waiting(store: Reader, name: str) -> list[str]:
    return [
        f"{each.name}: {told(each.value.trigger.when)}"
        for each in TRIGGERS.all(store)
        if _names(each.value.trigger.when, name)
    ]


def _names(condition: Condition, asset: str) -> bool:
    if isinstance(condition, AllOf | AnyOf):
        return any(_names(each, asset) for each in condition.conditions)
    return isinstance(condition, OnAsset) and condition.asset == asset


def _object(entry: Entry[AssetEntry]) -> dict[str, Any]:
    value = entry.value
    return {
        "name": entry.name,
        "uri": value.uri,
        "updates": value.updates,
        "updated": iso(value.updated_at or None),
        "run": value.run or None,
        "task": value.task if value.task >= 0 else None,
        "metadata": msgspec.to_builtins(value.metadata, str_keys=True),
    }
