"""Triggers: what makes a workflow run besides time, as data, and what the store keeps of each.

A *happening* is something that triggers may wait for: an asset was updated, a run ended, an event was sent, a
file arrived. Each is a record of its own, so that none is lost between its coming and what it starts.
"""

from enum import StrEnum
from typing import Any

import msgspec

from weft.model.states import RunState

HAPPENING = "happening"
"""The kind of the records that hold a ``Happening``; their names are ids that sort by time."""

TOLD = "told"
"""The kind of the records that hold a ``Told``; their names are the keys that senders chose."""

TRIGGER = "trigger"
"""The kind of the records that hold an ``Armed`` trigger; their names are ``trigger_name``."""

LAUNCH = "launch"
"""The kind of the records that hold a ``Launch``."""

ASSET = "asset"
"""The kind of the records that hold an ``AssetEntry``; their names are the assets'."""


class Source(StrEnum):
    """What kind of thing happened."""

    ASSET = "asset"
    RUN = "run"
    EVENT = "event"
    FILE = "file"


class Happening(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something that happened.

    Attributes:
        source: What kind of thing.
        name: The asset, the workflow, the event's name, or the file's path.
        at: When, Unix seconds.
        payload: What is known of it: plain data.
        run: The run that made it happen, by public id; "" if it was none.
        by: Who sent it.
        key: Under which it was sent, so that a repetition counts for nothing; "" for none.
    """

    source: Source
    name: str
    at: float
    payload: Any = None
    run: str = ""
    by: str = ""
    key: str = ""


class Told(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was sent under a key.

    Attributes:
        happening: Its id.
    """

    happening: str


# --- conditions -------------------------------------------------------------------------------------------


class OnAsset(msgspec.Struct, frozen=True, tag="asset"):
    """The asset of this name was updated."""

    asset: str


class OnRun(msgspec.Struct, frozen=True, tag="run"):
    """A run of ``workflow`` ended in one of ``states``."""

    workflow: str
    states: tuple[RunState, ...] = (RunState.SUCCEEDED,)


class OnEvent(msgspec.Struct, frozen=True, omit_defaults=True, tag="event"):
    """An event was sent whose name matches ``name`` (``*`` and ``?`` stand for any letters).

    ``where`` are values that its payload must have, by dotted path.
    """

    name: str
    where: dict[str, Any] = {}


class OnFile(msgspec.Struct, frozen=True, omit_defaults=True, tag="file"):
    """A file that matches ``pattern`` (``**`` goes into folders) arrived or was replaced.

    Attributes:
        pattern: Below the service's file system; an absolute path.
        every_s: How often to look.
        still_s: For how long its size and time must not have changed: until then it is being written.
    """

    pattern: str
    every_s: float = 5.0
    still_s: float = 1.0


class AllOf(msgspec.Struct, frozen=True, tag="all"):
    """Each has happened since the trigger fired last."""

    conditions: tuple["Condition", ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """One of them has."""

    conditions: tuple["Condition", ...]


Leaf = OnAsset | OnRun | OnEvent | OnFile
Condition = OnAsset | OnRun | OnEvent | OnFile | AllOf | AnyOf


class FromHappening(msgspec.Struct, frozen=True):
    """A parameter's value that comes from the happening that fired the trigger.

    ``path`` is dotted: ``payload.day``, ``name``, ``at``, ``run``.
    """

    path: str


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One of a workflow's triggers, as defined.

    Attributes:
        when: What must happen.
        name: Unique in the workflow.
        params: Parameters of its runs: plain data.
        given: Parameters that come from what happened last.
        cooldown_s: After it fired, what happens within so many seconds counts for the next time only.
        paused: Whether a new trigger begins paused.
    """

    when: Condition
    name: str = "default"
    params: dict[str, Any] = {}
    given: dict[str, FromHappening] = {}
    cooldown_s: float = 0.0
    paused: bool = False


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """A happening that a trigger has seen and not yet fired for."""

    id: str
    happening: Happening


class Armed(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A trigger and what it has seen: the body of its record, whose ``due_at`` is when to look for files.

    Attributes:
        workflow: What it runs.
        trigger: What is defined.
        paused: Whether it lets things pass.
        seen: By leaf, in order of the condition's leaves: the latest that counts.
        files: Of a file condition: what was there at the last look, path to (time, size).
        looked: Whether ``files`` is known: what is there at the first look has not arrived.
        fired: How often it has fired.
        fired_at: When it did last.
        last_run: The run that this made.
        error: Why its last launch could not be carried out; "" if it could.
        changed_by: Who paused or resumed it last.
    """

    workflow: str
    trigger: Trigger
    paused: bool = False
    seen: dict[int, Seen] = {}
    files: dict[str, tuple[float, int]] = {}
    looked: bool = False
    fired: int = 0
    fired_at: float = 0.0
    last_run: str = ""
    error: str = ""
    changed_by: str = ""

    @property
    def name(self) -> str:
        """Its record's name."""
        return trigger_name(self.workflow, self.trigger.name)


class Launch(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A run that is to be started: decided, and perhaps done.

    Attributes:
        workflow, params, facts, tags: Of the run.
        key: Its idempotency key.
        trigger: The trigger's record.
        tries: How often starting it failed because of the world.
    """

    workflow: str
    key: str
    trigger: str
    params: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    tries: int = 0


class AssetEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is known of an asset.

    Attributes:
        uri: Where it is.
        updates: How often it was updated.
        updated_at: When it was last.
        run, task: The run and task run that did it; "" and -1 if it was somebody else.
        metadata: As the producer declared it, and said with the update.
    """

    uri: str = ""
    updates: int = 0
    updated_at: float = 0.0
    run: str = ""
    task: int = -1
    metadata: dict[str, Any] = {}


def trigger_name(workflow: str, trigger: str) -> str:
    """The name of a trigger's record."""
    return f"{workflow}#{trigger}"
