"""What a happening does to a trigger: pure, from one ``Armed`` to the next.

A trigger remembers, for each leaf of its condition, the latest happening that matched it since it fired last.
When the condition holds it fires: what it has seen is handed to the run and forgotten, so that each happening
is in one run at most.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from msgspec.structs import replace

from weft.model.triggers import (
    AllOf,
    AnyOf,
    Armed,
    Condition,
    Happening,
    Launch,
    Leaf,
    OnAsset,
    OnFile,
    OnRun,
    Seen,
    Source,
    Trigger,
)


def arm(workflow: str, trigger: Trigger, before: Armed | None) -> Armed:
    """A trigger as its code says, with what a person and time have made of the one that was there.

    Args:
        workflow: Whose it is.
        trigger: What is defined now.
        before: The one of this name that the store has; ``None``: it is new.
    """
    if before is None:
        return Armed(workflow=workflow, trigger=trigger, paused=trigger.paused)
    if before.trigger.when == trigger.when:
        return replace(before, trigger=trigger)
    # What was seen for another condition says nothing about this one.
    return replace(before, trigger=trigger, seen={}, files={}, looked=False)


def due_at(armed: Armed, now: float) -> float | None:
    """When a trigger has something to do by itself: to look for files, or to fire once it has rested."""
    if armed.paused:
        return None
    patterns = patterns_of(armed)
    if patterns:
        return now + min(each.every_s for each in patterns) if armed.looked else now
    if armed.seen and armed.trigger.cooldown_s:
        return max(now, armed.fired_at + armed.trigger.cooldown_s)
    return None


def patterns_of(armed: Armed) -> list[OnFile]:
    """The files that a trigger looks for."""
    return [each for each in leaves(armed.trigger.when) if isinstance(each, OnFile)]


def leaves(condition: Condition) -> Iterator[Leaf]:
    """The conditions that speak of one kind of happening, in order."""
    if isinstance(condition, AllOf | AnyOf):
        for each in condition.conditions:
            yield from leaves(each)
    else:
        yield condition


def matches(leaf: Leaf, happening: Happening) -> bool:
    """Whether a happening is what a leaf waits for."""
    name = happening.name
    if isinstance(leaf, OnAsset):
        return happening.source is Source.ASSET and name == leaf.asset
    if isinstance(leaf, OnRun):
        state = happening.payload.get("state") if isinstance(happening.payload, dict) else None
        return happening.source is Source.RUN and name == leaf.workflow and state in leaf.states
    if isinstance(leaf, OnFile):
        return happening.source is Source.FILE and name == leaf.pattern
    return (
        happening.source is Source.EVENT
        and fnmatchcase(name, leaf.name)
        and all(_at(happening.payload, path) == value for path, value in leaf.where.items())
    )


def holds(condition: Condition, seen: set[int]) -> bool:
    """Whether a condition holds, given the places of the leaves that have happened."""
    return _holds(condition, iter(range(1 << 30)), seen)


def _holds(condition: Condition, places: Iterator[int], seen: set[int]) -> bool:
    if isinstance(condition, AllOf | AnyOf):
        # Every one is asked, because asking counts its leaves.
        found = [_holds(each, places, seen) for each in condition.conditions]
        return all(found) if isinstance(condition, AllOf) else any(found)
    return next(places) in seen


def see(armed: Armed, name: str, happening: Happening, now: float) -> tuple[Armed, Launch | None]:
    """Let a trigger see a happening.

    Args:
        armed: The trigger.
        name: The happening's id.
        happening: What happened.
        now: The time.

    Returns:
        The trigger as it is then, itself if this is not its business; and the run to start, if it fires.
    """
    trigger = armed.trigger
    if armed.paused:
        return armed, None
    places = [at for at, leaf in enumerate(leaves(trigger.when)) if matches(leaf, happening)]
    if not places:
        return armed, None
    seen = {**armed.seen, **dict.fromkeys(places, Seen(name, happening))}
    armed = replace(armed, seen=seen)
    return fire(armed, now)


def fire(armed: Armed, now: float) -> tuple[Armed, Launch | None]:
    """Fire if the condition holds and the last time is long enough ago."""
    trigger = armed.trigger
    cooling = armed.fired and now < armed.fired_at + trigger.cooldown_s
    if armed.paused or cooling or not holds(trigger.when, set(armed.seen)):
        return armed, None
    happenings = {each.id: each.happening for each in armed.seen.values()}
    latest = happenings[max(happenings)]
    given = {name: _given(latest, each.path) for name, each in trigger.given.items()}
    launch = Launch(
        workflow=armed.workflow,
        key=f"trigger:{armed.name}:{armed.fired}",
        trigger=armed.name,
        params={**trigger.params, **given},
        facts={"trigger": trigger.name, "happenings": [_told(each) for each in happenings.values()]},
        tags=(f"trigger:{trigger.name}",),
    )
    return replace(armed, seen={}, fired=armed.fired + 1, fired_at=now, error=""), launch


def _given(happening: Happening, path: str) -> Any:
    first, _, rest = path.partition(".")
    value = getattr(happening, first, None)
    return _at(value, rest) if rest else value


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _told(happening: Happening) -> dict[str, Any]:
    """A happening as a run's facts tell of it."""
    return {
        "source": happening.source.value,
        "name": happening.name,
        "at": happening.at,
        "payload": happening.payload,
        "run": happening.run,
    }
