"""``weft triggers``: what makes workflows run besides time."""

import time
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, noun
from weft.cli.asking import me
from weft.cli.output import emit
from weft.cli.reading import Home, home
from weft.cli.style import iso, moment, say, table
from weft.engine.clock import SystemClock
from weft.engine.control import Control
from weft.engine.triggers import Triggers
from weft.model.errors import UsageError
from weft.model.triggers import AllOf, AnyOf, Armed, Condition, OnAsset, OnEvent, OnFile, trigger_name
from weft.projects.records import TRIGGERS
from weft.projects.workflows import Workflows
from weft.store.protocol import Reader
from weft.store.records import Entry

app = noun("triggers", help="List, show, pause and resume triggers.")

Name = Annotated[str, Parameter(help="WORKFLOW#TRIGGER, or WORKFLOW if it has one trigger only.")]


@app.command(name="list")
def list_triggers(
    workflow: Annotated[str | None, Parameter(help="Only this workflow's.")] = None, /, *, json: Json = False
) -> None:
    """List triggers, and when each fired last."""
    with home() as opened:
        found = list(TRIGGERS.all(opened.store, prefix="" if workflow is None else f"{workflow}#"))
    if json:
        for entry in found:
            emit(_object(entry))
        return
    if not found:
        say("no triggers" + (f" of {workflow}" if workflow else " yet: weft deploy registers them"))
        return
    rows = [
        (
            entry.name,
            told(entry.value.trigger.when),
            _state(entry.value),
            str(entry.value.fired or ""),
            moment(entry.value.fired_at or None),
        )
        for entry in found
    ]
    table(rows, ("TRIGGER", "WHEN", "STATE", "FIRED", "LAST"))


@app.command
def show(trigger: Name, /, *, json: Json = False) -> None:
    """Show a trigger: what it waits for, and what it has seen of that."""
    with home() as opened:
        entry = find(opened.store, trigger)
    value = entry.value
    if json:
        emit(_object(entry))
        return
    print(f"{entry.name}  {told(value.trigger.when)}  {_state(value)}")
    lines: list[tuple[str, object]] = [
        ("params", value.trigger.params),
        ("from what happened", {name: each.path for name, each in value.trigger.given.items()}),
        ("cooldown", f"{value.trigger.cooldown_s:g} s" if value.trigger.cooldown_s else ""),
        ("fired", value.fired or ""),
        ("last", moment(value.fired_at or None)),
        ("last run", value.last_run),
        ("error", value.error),
    ]
    for name, each in lines:
        if each not in ("", {}):
            print(f"  {name}: {each}")
    for seen in value.seen.values():
        print(f"  seen: {seen.happening.source} {seen.happening.name} at {moment(seen.happening.at)}")


@app.command
def pause(trigger: Name, /) -> None:
    """Let a trigger start nothing until it is resumed; what happens meanwhile passes it by."""
    with home() as opened:
        name = find(opened.store, trigger).name
        _triggers(opened).pause(name, by=me())
    say(f"{name} is paused")


@app.command
def resume(trigger: Name, /) -> None:
    """Let a paused trigger watch again, from now on."""
    with home() as opened:
        name = find(opened.store, trigger).name
        _triggers(opened).resume(name, by=me())
    say(f"{name} watches again")


def find(store: Reader, name: str) -> Entry[Armed]:
    """A trigger by its record's name, or by its workflow's if that has one only.

    Raises:
        NotFound: There is none.
        UsageError: There are several.
    """
    if "#" in name:
        return TRIGGERS.require(store, name)
    found = TRIGGERS.page(store, prefix=f"{name}#", limit=2)
    if len(found) > 1:
        raise UsageError(f"{name} has several triggers", hint=f"name one, such as {found[0].name}")
    return found[0] if found else TRIGGERS.require(store, trigger_name(name, "default"))


def told(condition: Condition) -> str:
    """A condition in one line."""
    if isinstance(condition, AllOf | AnyOf):
        word = " and " if isinstance(condition, AllOf) else " or "
        return f"({word.join(told(each) for each in condition.conditions)})"
    if isinstance(condition, OnAsset):
        return f"asset {condition.asset}"
    if isinstance(condition, OnEvent):
        return f"event {condition.name}"
    if isinstance(condition, OnFile):
        return f"file {condition.pattern}"
    return f"{condition.workflow} {'/'.join(each.value for each in condition.states)}"


def _triggers(opened: Home) -> Triggers:
    store, clock = opened.store, SystemClock()
    workflows = Workflows(store, opened.artifacts, opened.settings.home_path, time.time)
    return Triggers(store, Control(store, None, clock=clock), workflows, clock=clock)


def _state(value: Armed) -> str:
    return "paused" if value.paused else "failing" if value.error else "active"


def _object(entry: Entry[Armed]) -> dict[str, Any]:
    value = entry.value
    trigger = value.trigger
    return {
        "name": entry.name,
        "workflow": value.workflow,
        "trigger": trigger.name,
        "when": msgspec.to_builtins(trigger.when),
        "params": msgspec.to_builtins(trigger.params, str_keys=True),
        "given": {name: each.path for name, each in trigger.given.items()},
        "cooldown_s": trigger.cooldown_s,
        "state": _state(value),
        "seen": [f"{each.happening.source}:{each.happening.name}" for each in value.seen.values()],
        "fired": value.fired,
        "last": iso(value.fired_at or None),
        "last_run": value.last_run or None,
        "error": value.error or None,
    }
