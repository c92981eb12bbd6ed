"""Automations: when something happens to runs, somebody is told or something is done.

An automation has a condition, ``when``, and actions, ``then``. A condition is one thing that can happen, or
several joined by ``AnyOf`` and ``AllOf``. Some happen at an event (a run failed), others by time alone (a run
is late, a workflow has not succeeded for a day). All of them come from the committed log, so that nothing is
missed by a process that was away.

In patterns ``*`` stands for any text. An automation's name is its record's.
"""

from typing import Any

import msgspec

from weft.model.states import RunState, TaskState

AUTOMATION = "automation"
"""The kind of record."""


class RunIs(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="run"):
    """A run came to one of ``states``, or has been in them for ``for_s`` seconds.

    Attributes:
        states: ``scheduled`` is the state that a new run is in.
        workflow: Pattern of the workflow's name.
        tags: All of these are among the run's.
        for_s: 0: at once.
    """

    states: tuple[RunState, ...]
    workflow: str = "*"
    tags: tuple[str, ...] = ()
    for_s: float = 0.0


class TaskIs(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="task"):
    """A task run came to one of ``states``, or has been in them for ``for_s`` seconds.

    Attributes:
        states: ``pending`` and ``ready`` follow from upstream and are no events: nothing fires for them.
        task: Pattern of the task run's key, or of the task's name.
        workflow, tags: Of the run, as in ``RunIs``.
        for_s: 0: at once.
    """

    states: tuple[TaskState, ...]
    task: str = "*"
    workflow: str = "*"
    tags: tuple[str, ...] = ()
    for_s: float = 0.0


class Happened(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="happened"):
    """An event of the log, whatever it is about.

    Attributes:
        kinds: Words that the log has for changes: ``signal``, ``showed``, ``cached``, ``map``...
        name: Pattern of the signal's name, or of the key under which something was published.
        workflow, tags: Of the run, as in ``RunIs``.
    """

    kinds: tuple[str, ...]
    name: str = "*"
    workflow: str = "*"
    tags: tuple[str, ...] = ()


class Measured(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="measured"):
    """A number left its bounds.

    Attributes:
        what: ``duration`` (seconds, of a run or task run that ended), ``wait`` (seconds from a run's creation
            to its start), ``cpu`` (seconds), ``memory`` (bytes, the peak) or ``published`` (a number that a
            task published).
        above, below: It is more, or less, than this.
        task: Pattern of task runs; "" measures runs.
        key: ``published``: pattern of the key.
        workflow, tags: Of the run, as in ``RunIs``.
    """

    what: str
    above: float | None = None
    below: float | None = None
    task: str = ""
    key: str = "*"
    workflow: str = "*"
    tags: tuple[str, ...] = ()


class Late(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="late"):
    """A run takes longer than it should. At least one of the three bounds is given.

    Attributes:
        not_started_s: It has not started so long after it was created.
        not_ended_s: It has not ended so long after it started.
        deadline: It, or one of its tasks, is past the ``deadline`` of its own definition.
        workflow, tags: Of the run, as in ``RunIs``.
    """

    not_started_s: float | None = None
    not_ended_s: float | None = None
    deadline: bool = False
    workflow: str = "*"
    tags: tuple[str, ...] = ()


class Missing(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="missing"):
    """No run of a workflow came to one of ``states`` for ``for_s`` seconds. Fires once for each such gap."""

    workflow: str
    for_s: float
    states: tuple[RunState, ...] = (RunState.SUCCEEDED,)


class AnyOf(msgspec.Struct, frozen=True, omit_defaults=True, tag="any"):
    """At least one term happened."""

    terms: tuple["Condition", ...]


class AllOf(msgspec.Struct, frozen=True, omit_defaults=True, tag="all"):
    """Every term happened, in any order; then all of it begins anew.

    Attributes:
        terms: What has to happen.
        per: What it has to happen to: the same ``run``, the same ``workflow``, or ``all``: anything.
        within_s: The first and the last at most so many seconds apart; ``None``: a week.
    """

    terms: tuple["Condition", ...]
    per: str = "run"
    within_s: float | None = None


Leaf = RunIs | TaskIs | Happened | Measured | Late | Missing
Condition = Leaf | AnyOf | AllOf


class Notify(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="notify"):
    """Tell somebody.

    Attributes:
        channel: The channel's name.
        subject, text, html: Templates; "" is a good default for the channel.
    """

    channel: str
    subject: str = ""
    text: str = ""
    html: str = ""


class Call(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="call"):
    """Make an HTTP request.

    Attributes:
        url: Where to; may hold ``${secret:NAME}``.
        method, headers: As HTTP has them; header values may hold ``${secret:NAME}``.
        body: A template for JSON; "" is all that is known about the occasion.
        raw: Whether the body is no template and is sent as it is.
        secret: Name of the secret by which the request is signed; "" does not sign.
        allow_private: Whether it may go to private addresses.
    """

    url: str
    method: str = "POST"
    headers: dict[str, str] = {}
    body: str = ""
    raw: bool = False
    secret: str = ""
    allow_private: bool = False


class StartRun(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="start_run"):
    """Run a workflow.

    Attributes:
        workflow: Its name.
        params: Its parameters. Texts are templates; one that is a single hole gives the value itself.
        tags: Of the new run.
    """

    workflow: str
    params: dict[str, Any] = {}
    tags: tuple[str, ...] = ()


class CancelRun(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="cancel_run"):
    """Cancel the run that it is about; ``force``: without teardowns and exit handlers."""

    force: bool = False


class Pause(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="pause"):
    """Let something rest.

    Attributes:
        what: ``run`` (the one that it is about), ``workflow`` or ``schedule``.
        name: The workflow's or schedule's (``workflow#schedule``); "": the workflow that it is about.
    """

    what: str
    name: str = ""


class Resume(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="resume"):
    """Let something go on; the fields are those of ``Pause``."""

    what: str
    name: str = ""


Action = Notify | Call | StartRun | CancelRun | Pause | Resume


class Automation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """When something happens, do something about it.

    Attributes:
        when: The condition.
        then: What is done, each on its own: one that fails holds up no other.
        enabled: Whether anything is done at all.
        cooldown_s: After it fired it rests so long; what happens meanwhile is counted and not acted on.
        cooldown_per: What rests: its ``run``, its ``workflow``, or ``all``.
        description: For people.
    """

    when: Condition
    then: tuple[Action, ...]
    enabled: bool = True
    cooldown_s: float = 0.0
    cooldown_per: str = "workflow"
    description: str = ""


class Watch(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something that will have happened at the record's ``due_at`` unless it is called off before.

    Attributes:
        automation: Whose it is.
        path: Which of its leaves, as the places of terms from the top (``0.1``).
        what: ``held`` (a state), ``start``, ``end``, ``deadline``, ``node`` (a task's deadline), ``missing``.
        workflow: Of the run, or the one that is missed.
        run, idx: Which; -1 for none.
        key: ``node``: the task's key.
        since: When the time began to count.
        seq: The event that began it; 0 if it was found otherwise.
    """

    automation: str
    path: str
    what: str
    workflow: str = ""
    run: int = -1
    idx: int = -1
    key: str = ""
    since: float = 0.0
    seq: int = 0


class Met(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which terms of an ``AllOf`` have happened, and when: by place among its terms."""

    at: dict[str, float]


class Firing(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an automation has done so far, for its cooldown and for people.

    Attributes:
        at: When it last acted.
        count: How often it acted.
        suppressed: How often it would have acted since then, but rested.
    """

    at: float
    count: int = 1
    suppressed: int = 0


class Armed(msgspec.Struct, frozen=True, omit_defaults=True):
    """The revision of an automation for which what runs already is being watched."""

    revision: int
