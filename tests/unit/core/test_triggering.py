"""What a happening does to a trigger."""

import pytest
from msgspec.structs import replace

from weft.core.triggering import fire, holds, matches, see
from weft.model.states import RunState
from weft.model.triggers import (
    AllOf,
    AnyOf,
    Armed,
    Condition,
    FromHappening,
    Happening,
    Leaf,
    OnAsset,
    OnEvent,
    OnFile,
    OnRun,
    Source,
    Trigger,
)

A, B, C = OnAsset("a"), OnAsset("b"), OnAsset("c")


def asset(name: str, **given: object) -> Happening:
    """An asset was updated."""
    return Happening(source=Source.ASSET, name=name, at=1.0, **given)  # type: ignore[arg-type]  # as given


def armed(when: Condition, **given: object) -> Armed:
    """A trigger of the workflow ``w``."""
    return Armed(workflow="w", trigger=Trigger(when=when, **given))  # type: ignore[arg-type]  # as given


MATCHES: list[tuple[Leaf, Happening, bool]] = [
    (A, asset("a"), True),
    (A, asset("b"), False),
    (A, Happening(source=Source.EVENT, name="a", at=1.0), False),
    (OnRun("w"), Happening(source=Source.RUN, name="w", at=1.0, payload={"state": "succeeded"}), True),
    (OnRun("w"), Happening(source=Source.RUN, name="w", at=1.0, payload={"state": "failed"}), False),
    (
        OnRun("w", (RunState.FAILED,)),
        Happening(source=Source.RUN, name="w", at=1.0, payload={"state": "failed"}),
        True,
    ),
    (OnEvent("order.*"), Happening(source=Source.EVENT, name="order.paid", at=1.0), True),
    (OnEvent("order.*"), Happening(source=Source.EVENT, name="Order.paid", at=1.0), False),
    (
        OnEvent("e", {"a.b": 1, "l.1": "y"}),
        Happening(source=Source.EVENT, name="e", at=1.0, payload={"a": {"b": 1}, "l": ["x", "y"]}),
        True,
    ),
    (OnEvent("e", {"a.b": 1}), Happening(source=Source.EVENT, name="e", at=1.0, payload={"a": 1}), False),
    (OnEvent("e", {"l.7": 1}), Happening(source=Source.EVENT, name="e", at=1.0, payload={"l": [1]}), False),
    (OnFile("/in/*"), Happening(source=Source.FILE, name="/in/*", at=1.0, payload={"path": "/in/x"}), True),
]


@pytest.mark.parametrize(("leaf", "happening", "expected"), MATCHES)
def test_a_leaf_waits_for_one_kind_of_happening(leaf: Leaf, happening: Happening, expected: bool) -> None:
    """Names are exact but for events' patterns; payloads are looked into, and never break anything."""
    assert matches(leaf, happening) is expected


def test_conditions_nest() -> None:
    """Leaves are counted from the left, also past what decides already."""
    condition = AnyOf((AllOf((A, B)), C))
    expected = {(): False, (0,): False, (1,): False, (0, 1): True, (2,): True, (1, 2): True}
    assert {places: holds(condition, set(places)) for places in expected} == expected
    assert holds(AllOf((AnyOf((A, B)), C)), {1, 2})
    assert not holds(AllOf((AnyOf((A, B)), C)), {0, 1})


def test_a_trigger_fires_when_each_has_happened_and_begins_anew() -> None:
    """Of one that happens twice the latest counts; the run is told of all that it was fired for."""
    before = armed(AllOf((A, B)), name="both", params={"n": 1})
    trigger, launch = see(before, "h1", asset("a"), 5.0)
    assert launch is None
    trigger, launch = see(trigger, "h2", asset("a", payload="again"), 6.0)
    assert launch is None
    trigger, launch = see(trigger, "h3", asset("b", run="run_1"), 7.0)
    assert launch is not None
    assert (launch.workflow, launch.key, launch.params) == ("w", "trigger:w#both:0", {"n": 1})
    assert launch.tags == ("trigger:both",)
    assert [(each["name"], each["payload"], each["run"]) for each in launch.facts["happenings"]] == [
        ("a", "again", ""),
        ("b", None, "run_1"),
    ]
    assert trigger == replace(before, fired=1, fired_at=7.0)
    trigger, launch = see(trigger, "h4", asset("b"), 8.0)
    assert launch is None
    _, launch = see(trigger, "h5", asset("a"), 9.0)
    assert launch is not None
    assert launch.key == "trigger:w#both:1"


def test_parameters_come_from_what_happened_last() -> None:
    """A path that leads nowhere gives ``None``."""
    given = {
        "day": FromHappening("payload.day"),
        "what": FromHappening("name"),
        "gone": FromHappening("payload.no.such"),
        "strange": FromHappening("nothing"),
    }
    _, launch = see(armed(OnEvent("e"), given=given, params={"day": 0, "x": 1}), "h", EVENT, 5.0)
    assert launch is not None
    assert launch.params == {"day": 3, "what": "e", "gone": None, "strange": None, "x": 1}


EVENT = Happening(source=Source.EVENT, name="e", at=1.0, payload={"day": 3})


def test_one_happening_may_be_several_leaves() -> None:
    """It counts for each."""
    _, launch = see(armed(AllOf((OnEvent("e"), OnEvent("*")))), "h", EVENT, 5.0)
    assert launch is not None
    assert len(launch.facts["happenings"]) == 1


def test_what_comes_during_the_cooldown_counts_for_the_next_time() -> None:
    """It fires once the time is over, for all that it has seen meanwhile."""
    trigger, launch = see(armed(A, cooldown_s=10.0), "h1", asset("a"), 100.0)
    assert launch is not None
    trigger, launch = see(trigger, "h2", asset("a", payload=2), 105.0)
    assert launch is None
    assert fire(trigger, 109.9)[1] is None
    trigger, launch = fire(trigger, 110.0)
    assert launch is not None
    assert launch.facts["happenings"][0]["payload"] == 2
    assert fire(trigger, 200.0)[1] is None


def test_a_paused_trigger_lets_things_pass() -> None:
    """They do not count later either; what it had seen before does."""
    trigger, _ = see(armed(AllOf((A, B))), "h1", asset("a"), 5.0)
    paused = replace(trigger, paused=True)
    assert see(paused, "h2", asset("b"), 6.0) == (paused, None)
    _, launch = see(replace(paused, paused=False), "h3", asset("b"), 7.0)
    assert launch is not None


def test_what_is_not_its_business_leaves_it_as_it_is() -> None:
    """The very same object: nothing has to be written."""
    trigger = armed(A)
    assert see(trigger, "h", asset("x"), 1.0)[0] is trigger
