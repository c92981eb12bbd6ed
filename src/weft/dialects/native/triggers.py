"""How a ``@dag`` or a ``@flow`` says what makes it run besides time, and a task which assets it updates.

``asset("orders") & asset("prices")`` holds when both were updated, ``on_run("etl") | on_event("go")`` when
one happened. Nothing here waits: ``weft deploy`` stores triggers with their workflow, and the trigger service
of ``weft up`` acts on them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from weft.dialects.native.drafts import user_line
from weft.dialects.native.durations import Duration, seconds
from weft.model.errors import InvalidPolicy
from weft.model.graph import Declared
from weft.model.states import RunState
from weft.model.triggers import (
    AllOf,
    AnyOf,
    Condition,
    FromHappening,
    OnAsset,
    OnEvent,
    OnFile,
    OnRun,
    Trigger,
)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")
_ENDS = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class When:
    """Something that may happen; ``&`` and ``|`` join several.

    Attributes:
        condition: The same as data.
    """

    __slots__ = ("condition",)

    def __init__(self, condition: Condition) -> None:
        self.condition = condition

    def __and__(self, other: "When") -> "When":
        return When(AllOf((*_parts(self, AllOf), *_parts(other, AllOf))))

    def __or__(self, other: "When") -> "When":
        return When(AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf))))

    def __bool__(self) -> bool:
        raise InvalidPolicy(
            "a condition of a trigger is neither true nor false yet",
            where=user_line(),
            hint="join conditions with & and |, not with and and or",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, When) and self.condition == other.condition

    def __hash__(self) -> int:
        return hash(type(self)) ^ hash(repr(self.condition))

    def __repr__(self) -> str:
        return f"When({self.condition!r})"


class Asset(When):
    """A thing outside Weft that tasks update and workflows wait for. See ``asset``.

    Attributes:
        name: What it is called, everywhere.
        uri: Where it is.
        metadata: What else is known of it.
    """

    __slots__ = ("metadata", "name", "uri")

    def __init__(self, name: str, uri: str = "", metadata: Mapping[str, Any] | None = None) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InvalidPolicy(f"an asset's name cannot be {name!r}", where=user_line())
        super().__init__(OnAsset(name))
        self.name = name
        self.uri = uri
        self.metadata = dict(metadata or {})

    def __repr__(self) -> str:
        return f"asset({self.name!r})"


def asset(name: str, uri: str = "", *, metadata: Mapping[str, Any] | None = None) -> Asset:
    """An asset: a table, a file, a report.

    As ``outputs=`` of a task it is updated whenever the task succeeds; as ``trigger=`` of a workflow it makes
    this run.

    Args:
        name: Its name; the same name is the same asset, in whichever file.
        uri: Where it is, for people and for lineage.
        metadata: Plain data that goes with each update.

    Raises:
        InvalidPolicy: The name is empty.
    """
    return Asset(name, uri, metadata)


def on_run(workflow: str, states: str | Sequence[str] = "succeeded") -> When:
    """A run of another workflow ended.

    Args:
        workflow: Its name.
        states: In which of ``succeeded``, ``failed`` and ``cancelled``.

    Raises:
        InvalidPolicy: A run does not end so.
    """
    given = (states,) if isinstance(states, str) else tuple(states)
    if not given or not all(each in _ENDS for each in given):
        raise InvalidPolicy(
            f"a run does not end as {', '.join(map(str, given)) or 'nothing'}",
            where=user_line(),
            hint=f"one of {', '.join(_ENDS)}",
        )
    return When(OnRun(workflow, tuple(RunState(each) for each in given)))


def on_event(name: str, *, where: Mapping[str, Any] | None = None) -> When:
    """An event was sent, by ``weft events send``, the API or a webhook.

    Args:
        name: Its name; ``*`` and ``?`` stand for any letters.
        where: Values that its payload must have, by dotted path.
    """
    return When(OnEvent(name, dict(where or {})))


def on_file(pattern: str, *, every: Duration = 5.0, still: Duration = 1.0) -> When:
    """A file arrived, or was replaced.

    Args:
        pattern: An absolute path, with ``*``, ``?`` and ``**``, where the service runs.
        every: How often to look.
        still: For how long it must not have changed: until then it is being written.

    Raises:
        InvalidPolicy: The pattern is not absolute.
    """
    if not pattern.startswith("/"):
        raise InvalidPolicy(
            f"the pattern {pattern!r} is not absolute",
            where=user_line(),
            hint="the service runs in a folder of its own: begin with /",
        )
    return When(OnFile(pattern, seconds(every, what="every"), seconds(still, what="still")))


def happening(path: str = "payload") -> FromHappening:
    """A value of the happening that made the run, as a parameter of ``trigger``.

    Args:
        path: Dotted: ``payload.day``, ``payload.path`` of a file, ``name``, ``at``, ``run``.
    """
    return FromHappening(path)


def trigger(
    when: When,
    *,
    name: str = "default",
    params: Mapping[str, Any] | None = None,
    cooldown: Duration = 0.0,
    paused: bool = False,
) -> Trigger:
    """A trigger with options; a bare condition is one without.

    Args:
        when: What must happen.
        name: Needed where a workflow has several.
        params: Parameters of its runs, by name: plain data, or ``happening(...)``.
        cooldown: After it fired, what happens within so long counts for the next time only.
        paused: Whether it begins paused.

    Raises:
        InvalidPolicy: An option makes no sense.
    """
    if not isinstance(when, When):
        raise InvalidPolicy(
            f"{when!r} is nothing that can happen",
            where=user_line(),
            hint="use asset(...), on_run(...), on_event(...) or on_file(...)",
        )
    if not _NAME.fullmatch(name):
        raise InvalidPolicy(f"a trigger cannot be called {name!r}", where=user_line())
    given = params or {}
    return Trigger(
        when=when.condition,
        name=name,
        params={key: value for key, value in given.items() if not isinstance(value, FromHappening)},
        given={key: value for key, value in given.items() if isinstance(value, FromHappening)},
        cooldown_s=seconds(cooldown, what="cooldown"),
        paused=paused,
    )


GivenTrigger = Trigger | When | Sequence[Trigger | When] | None
"""What ``trigger=`` accepts."""


class TriggerOptions(TypedDict, total=False):
    """What a triggered workflow takes.

    Attributes:
        trigger: What makes it run besides time: ``asset(...)``, ``on_run(...)``, ``on_event(...)``,
            ``on_file(...)``, joined with ``&`` and ``|``; a ``trigger(...)`` with options; a list of these.
    """

    trigger: GivenTrigger


def triggers_of(options: Mapping[str, Any]) -> tuple[Trigger, ...]:
    """The triggers of a workflow.

    Raises:
        InvalidPolicy: Two have one name, or one is none.
    """
    given = options.get("trigger")
    if given is None:
        return ()
    listed = given if isinstance(given, list | tuple) else (given,)
    found = tuple(each if isinstance(each, Trigger) else trigger(each) for each in listed)
    names = [each.name for each in found]
    for each in names:
        if names.count(each) > 1:
            raise InvalidPolicy(
                f"two triggers are called {each!r}", where=user_line(), hint="give each a name of its own"
            )
    return found


def outputs_of(options: Mapping[str, Any]) -> tuple[Declared, ...]:
    """The assets that a task updates.

    Raises:
        InvalidPolicy: One is no asset.
    """
    given = options.get("outputs", ())
    listed = given if isinstance(given, list | tuple) else (given,)
    for each in listed:
        if not isinstance(each, Asset | str):
            raise InvalidPolicy(
                f"outputs={each!r} is no asset", where=user_line(), hint='use asset("name") or its name'
            )
    assets = [each if isinstance(each, Asset) else Asset(each) for each in listed]
    return tuple(Declared(each.name, uri=each.uri, metadata=each.metadata) for each in assets)


def _parts(when: When, kind: type[AllOf] | type[AnyOf]) -> tuple[Condition, ...]:
    condition = when.condition
    return condition.conditions if isinstance(condition, kind) else (condition,)
