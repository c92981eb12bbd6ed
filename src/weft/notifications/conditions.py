"""What a condition means: whether it can be, and whether an event makes one of its leaves happen.

A leaf's *path* is its place in the condition, as the places of the terms from the top: "" is the condition
itself, ``0.1`` the second term of the first. Joining leaves (``AllOf``) needs memory, which is ``joining``'s.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from weft.core.changes import Change, RunAdded, RunChanged, Showed, Signalled, TaskChanged
from weft.model.automations import (
    Action,
    AllOf,
    AnyOf,
    Automation,
    Call,
    Condition,
    Happened,
    Late,
    Leaf,
    Measured,
    Missing,
    Notify,
    Pause,
    Resume,
    RunIs,
    StartRun,
    TaskIs,
)
from weft.model.errors import InvalidAutomation
from weft.model.states import RunState, TaskState
from weft.notifications.templates import parse

KINDS: dict[str, type[Change]] = {each.__struct_config__.tag: each for each in Change.__args__}
"""The words that the log has for changes."""

MEASURES = ("duration", "wait", "cpu", "memory", "published")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
_SILENT = (TaskState.PENDING, TaskState.READY)


@lru_cache(maxsize=1024)
def pattern(text: str) -> Callable[[str], bool]:
    """A test for names: ``*`` stands for any text, and nothing else is special."""
    if "*" not in text:
        return text.__eq__
    if text == "*":
        return lambda _: True
    read = re.compile(".*".join(re.escape(each) for each in text.split("*")), re.DOTALL)
    return lambda name: read.fullmatch(name) is not None


def leaves(condition: Condition, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """Every leaf with its path."""
    if isinstance(condition, AnyOf | AllOf):
        for at, term in enumerate(condition.terms):
            yield from leaves(term, below(path, at))
    else:
        yield path, condition


def below(path: str, at: int) -> str:
    """The path of a term."""
    return f"{path}.{at}" if path else str(at)


def listens(leaf: Leaf) -> tuple[type[Change], ...]:
    """The kinds of changes that can make it happen, or start or stop its time."""
    if isinstance(leaf, RunIs):
        return RunChanged, RunAdded
    if isinstance(leaf, TaskIs):
        return (TaskChanged,)
    if isinstance(leaf, Happened):
        return tuple(KINDS[each] for each in leaf.kinds)
    if isinstance(leaf, Measured):
        if leaf.what == "published":
            return (Showed,)
        return (TaskChanged,) if leaf.task else (RunChanged,)
    if isinstance(leaf, Late):
        added = (KINDS["task_added"],) if leaf.deadline else ()
        return RunAdded, RunChanged, *added
    return (RunChanged,)


def state_of(change: Change) -> RunState | TaskState | None:
    """The state that it led to."""
    if isinstance(change, RunAdded):
        return RunState.SCHEDULED
    return change.state if isinstance(change, RunChanged | TaskChanged) else None


def happens(leaf: Leaf, change: Change) -> bool:
    """Whether the change is of the kind that makes this leaf happen at once, whatever it is about.

    Workflow, tags, task and number are the caller's to look at, because they may have to be read.
    """
    if isinstance(leaf, RunIs | TaskIs):
        return not leaf.for_s and state_of(change) in leaf.states
    if isinstance(leaf, Happened):
        name = change.name if isinstance(change, Signalled) else ""
        if isinstance(change, Showed):
            name = change.published.key
        return leaf.name == "*" or pattern(leaf.name)(name)
    if isinstance(leaf, Measured):
        if isinstance(change, Showed):
            return pattern(leaf.key)(change.published.key)
        if isinstance(change, RunChanged):
            return change.state.terminal or (leaf.what == "wait" and change.state is RunState.RUNNING)
        return isinstance(change, TaskChanged) and change.state.terminal and change.started_at is not None
    return False


def beyond(leaf: Measured, value: float) -> bool:
    """Whether a number is out of bounds."""
    return (leaf.above is not None and value > leaf.above) or (leaf.below is not None and value < leaf.below)


def check(name: str, automation: Automation) -> None:
    """Refuse an automation that cannot be, before it is stored.

    Raises:
        InvalidAutomation: Its name, condition or an action makes no sense.
        InvalidTemplate: A text cannot be read.
    """
    check_name("automation", name)
    if not automation.then:
        raise _wrong(name, "it has no actions", "say what to do in then")
    if automation.cooldown_per not in ("run", "workflow", "all"):
        raise _wrong(name, f"cooldown_per cannot be {automation.cooldown_per!r}", "run, workflow or all")
    if automation.cooldown_s < 0:
        raise _wrong(name, "cooldown_s is negative", "0 is no cooldown")
    _check_condition(name, automation.when, "when", None)
    for at, action in enumerate(automation.then):
        _check_action(name, action, f"then[{at}]")


def check_name(noun: str, name: str) -> None:
    """Refuse a name that records cannot be made from. Raises ``InvalidAutomation``."""
    if not _NAME.fullmatch(name):
        raise InvalidAutomation(
            f"{name!r} is no name for a {noun}", hint="letters, digits, blanks and . _ - ; at most 100"
        )


def _check_condition(name: str, condition: Condition, where: str, within: AllOf | None) -> None:
    def wrong(what: str, hint: str) -> InvalidAutomation:
        return _wrong(name, what, hint, where)

    if isinstance(condition, AnyOf | AllOf):
        if not condition.terms:
            raise wrong("it joins nothing", "give it terms")
        if isinstance(condition, AllOf):
            within = condition
            if condition.per not in ("run", "workflow", "all"):
                raise wrong(f"per cannot be {condition.per!r}", "it is run, workflow or all")
            if condition.within_s is not None and condition.within_s <= 0:
                raise wrong("within_s has to be more than 0", "leave it out for a week")
        for at, term in enumerate(condition.terms):
            _check_condition(name, term, f"{where}.terms[{at}]", within)
    elif isinstance(condition, RunIs | TaskIs):
        if not condition.states:
            raise wrong("it names no states", "for example failed")
        if condition.for_s < 0:
            raise wrong("for_s is negative", "0 is at once")
        if isinstance(condition, TaskIs) and any(each in _SILENT for each in condition.states):
            raise wrong("pending and ready follow from upstream and are no events", "queued is the first")
    elif isinstance(condition, Happened):
        unknown = [each for each in condition.kinds if each not in KINDS]
        if unknown or not condition.kinds:
            raise wrong(
                f"there is no kind of event {unknown[0]!r}" if unknown else "it names no kinds",
                f"there are: {', '.join(sorted(KINDS))}",
            )
    elif isinstance(condition, Measured):
        _check_measured(condition, wrong)
    elif isinstance(condition, Late):
        bounds = [each for each in (condition.not_started_s, condition.not_ended_s) if each is not None]
        if not bounds and not condition.deadline:
            raise wrong("it has no bound", "give not_started_s, not_ended_s or deadline")
        if any(each <= 0 for each in bounds):
            raise wrong("a bound has to be more than 0", "seconds")
    elif isinstance(condition, Missing):
        if condition.for_s <= 0 or not condition.states:
            raise wrong("it needs states and a time above 0", "for_s is in seconds")
        if within is not None and within.per == "run":
            raise wrong("what is missing has no run to join it by", "use per = workflow")


def _check_measured(leaf: Measured, wrong: Callable[[str, str], InvalidAutomation]) -> None:
    if leaf.what not in MEASURES:
        raise wrong(f"{leaf.what!r} is not measured", f"there are: {', '.join(MEASURES)}")
    if leaf.above is None and leaf.below is None:
        raise wrong("it has no bound", "give above or below")
    if leaf.what in ("cpu", "memory") and not leaf.task:
        raise wrong(f"{leaf.what} is measured of task runs", 'name them: task = "*"')
    if leaf.what == "wait" and leaf.task:
        raise wrong("wait is measured of runs", "leave task out")


def _check_action(name: str, action: Action, where: str) -> None:
    if isinstance(action, Notify):
        check_name("channel", action.channel)
        for text in (action.subject, action.text, action.html):
            parse(text)
    elif isinstance(action, Call):
        if not action.url.startswith(("http://", "https://", "${secret:")):
            raise _wrong(name, f"{action.url!r} is no web address", "https://...", where)
        if not action.raw:
            parse(action.body)
    elif isinstance(action, StartRun):
        if not action.workflow:
            raise _wrong(name, "it names no workflow", "say which to run", where)
        _parse_all(action.params)
    elif isinstance(action, Pause | Resume):
        if action.what not in ("run", "workflow", "schedule"):
            raise _wrong(name, f"what cannot be {action.what!r}", "run, workflow or schedule", where)
        if action.what == "schedule" and not action.name:
            raise _wrong(name, "it names no schedule", "workflow#schedule", where)


def _parse_all(value: object) -> None:
    if isinstance(value, str):
        parse(value)
    elif isinstance(value, dict):
        for each in value.values():
            _parse_all(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _parse_all(each)


def _wrong(name: str, what: str, hint: str, where: str = "") -> InvalidAutomation:
    return InvalidAutomation(
        f"automation {name!r} cannot be: {what}", where=where and f"{name}: {where}", hint=hint
    )
