"""Automations that cannot be are refused before they are stored."""

import msgspec
import pytest

from weft.model.automations import (
    AllOf,
    AnyOf,
    Automation,
    Call,
    Condition,
    Happened,
    Late,
    Measured,
    Missing,
    Notify,
    Pause,
    RunIs,
    StartRun,
    TaskIs,
)
from weft.model.errors import InvalidAutomation, InvalidTemplate
from weft.model.states import RunState, TaskState
from weft.notifications.conditions import check, leaves, pattern

ME = Notify(channel="me")
FAILS = RunIs(states=(RunState.FAILED,))


@pytest.mark.parametrize(
    "when",
    [
        RunIs(states=()),
        RunIs(states=(RunState.FAILED,), for_s=-1),
        TaskIs(states=(TaskState.PENDING,)),
        Happened(kinds=("sneezed",)),
        Happened(kinds=()),
        Measured(what="luck", above=1),
        Measured(what="duration"),
        Measured(what="cpu", above=1),
        Measured(what="wait", above=1, task="*"),
        Late(),
        Late(not_ended_s=0),
        Missing(workflow="w", for_s=0),
        AnyOf(()),
        AllOf((FAILS,), per="moon"),
        AllOf((FAILS,), within_s=0),
        AllOf((FAILS, AnyOf((Missing(workflow="w", for_s=1),)))),
    ],
)
def test_conditions_that_cannot_be(when: Condition) -> None:
    """With the automation's name and a hint."""
    with pytest.raises(InvalidAutomation) as caught:
        check("mine", Automation(when=when, then=(ME,)))
    assert "mine" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("then", "error"),
    [
        ((), InvalidAutomation),
        ((Notify(channel="a#b"),), InvalidAutomation),
        ((Notify(channel="a", text="{{"),), InvalidTemplate),
        ((Call(url="gopher://x"),), InvalidAutomation),
        ((Call(url="http://x", body="{{#a}}"),), InvalidTemplate),
        ((StartRun(workflow=""),), InvalidAutomation),
        ((StartRun(workflow="w", params={"a": ["{{"]}),), InvalidTemplate),
        ((Pause(what="everything"),), InvalidAutomation),
        ((Pause(what="schedule"),), InvalidAutomation),
    ],
)
def test_actions_that_cannot_be(then: tuple[Notify, ...], error: type[InvalidAutomation]) -> None:
    """Templates too are read beforehand."""
    with pytest.raises(error):
        check("mine", Automation(when=FAILS, then=then))


def test_a_raw_body_is_no_template() -> None:
    """It may hold anything."""
    check("mine", Automation(when=FAILS, then=(Call(url="https://x", body="{{", raw=True),)))


@pytest.mark.parametrize("options", [{"cooldown_s": -1.0}, {"cooldown_per": "moon"}])
def test_cooldowns_that_cannot_be(options: dict[str, float]) -> None:
    """The same."""
    with pytest.raises(InvalidAutomation):
        check("mine", Automation(when=FAILS, then=(ME,), **options))  # type: ignore[arg-type]


def test_paths_of_leaves() -> None:
    """Each leaf has its place."""
    missing = Missing(workflow="w", for_s=1)
    tree = AnyOf((FAILS, AllOf((FAILS, missing), "all")))
    assert dict(leaves(tree)) == {"0": FAILS, "1.0": FAILS, "1.1": missing}
    assert dict(leaves(FAILS)) == {"": FAILS}


@pytest.mark.parametrize(
    ("text", "name", "fits"),
    [
        ("*", "", True),
        ("etl", "etl", True),
        ("etl", "etl2", False),
        ("etl*", "etl.daily", True),
        ("*daily", "etl.daily", True),
        ("score[*]", "score[17]", True),
        ("score[1]", "score[1]", True),
        ("a.c", "abc", False),
        ("a*b*c", "a--b\nc", True),
    ],
)
def test_patterns(text: str, name: str, fits: bool) -> None:
    """Only the star is special."""
    assert pattern(text)(name) is fits


def test_automations_are_plain_json() -> None:
    """People write them so, and a service shows them so."""
    text = b"""{
        "when": {"type": "all", "terms": [
            {"type": "run", "states": ["failed"], "workflow": "etl*"},
            {"type": "measured", "what": "duration", "above": 600}
        ]},
        "then": [{"type": "notify", "channel": "ops"}, {"type": "cancel_run"}],
        "cooldown_s": 300
    }"""
    made = msgspec.json.decode(text, type=Automation)
    check("slow failures", made)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Automation) == made
