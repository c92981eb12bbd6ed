"""What makes workflows run besides time, as they say it."""

from collections.abc import Callable
from typing import Any

import pytest

from weft import asset, dag, flow, happening, on_event, on_file, on_run, task, trigger
from weft.model.errors import InvalidPolicy
from weft.model.graph import Declared
from weft.model.states import RunState
from weft.model.triggers import AllOf, AnyOf, FromHappening, OnAsset, OnEvent, OnFile, OnRun, Trigger

A, B, C = OnAsset("a"), OnAsset("b"), OnAsset("c")


def test_conditions_are_joined_as_they_are_read() -> None:
    """Equal joints run together, others nest; brackets count."""
    a, b, c = asset("a"), asset("b"), asset("c")
    assert (a & b & c).condition == AllOf((A, B, C))
    assert (a | b & c).condition == AnyOf((A, AllOf((B, C))))
    assert ((a | b) & c).condition == AllOf((AnyOf((A, B)), C))


def test_each_kind_of_happening_has_its_word() -> None:
    """With the options that it takes."""
    assert on_run("etl").condition == OnRun("etl")
    assert on_run("etl", ["failed", "cancelled"]).condition == OnRun(
        "etl", (RunState.FAILED, RunState.CANCELLED)
    )
    assert on_event("order.*", where={"a.b": 1}).condition == OnEvent("order.*", {"a.b": 1})
    assert on_file("/in/*.csv", every="10s", still=2).condition == OnFile("/in/*.csv", 10.0, 2.0)


def test_workflows_keep_their_triggers() -> None:
    """A bare condition, one with options, or several with names."""

    @flow(trigger=asset("a"))
    def one() -> None:
        """A flow."""

    @dag(
        trigger=[
            trigger(asset("a"), cooldown="1m"),
            trigger(
                on_event("e"), name="event", params={"n": 1, "day": happening("payload.day")}, paused=True
            ),
        ]
    )
    def two(n: int = 0, day: str = "") -> None:
        """A dag."""

    assert one.triggers == (Trigger(when=A),)
    assert two.triggers == (
        Trigger(when=A, cooldown_s=60.0),
        Trigger(
            when=OnEvent("e"),
            name="event",
            params={"n": 1},
            given={"day": FromHappening("payload.day")},
            paused=True,
        ),
    )


def test_a_task_says_which_assets_it_updates() -> None:
    """One or several, with or without more than a name."""

    @task(outputs=[asset("a", "s3://a", metadata={"rows": 1}), "b"])
    def load() -> None:
        """A task."""

    @task(outputs="b")
    def other() -> None:
        """Another."""

    assert load.node(None).outputs == (
        Declared("a", uri="s3://a", metadata={"rows": 1}),
        Declared("b"),
    )
    assert other.node(None).outputs == (Declared("b"),)


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: asset(""), "name cannot be"),
    (lambda: on_run("w", "running"), "does not end as running"),
    (lambda: on_run("w", []), "does not end as nothing"),
    (lambda: on_file("in/*"), "not absolute"),
    (lambda: trigger("a"), "nothing that can happen"),  # type: ignore[arg-type]  # that is the point
    (lambda: trigger(asset("a"), name="a b"), "cannot be called"),
    (lambda: asset("a") and asset("b"), "neither true nor false"),
    (lambda: flow(trigger=[asset("a"), asset("b")])(_body), "two triggers are called 'default'"),
    (lambda: task(outputs=[3])(_body), "is no asset"),  # type: ignore[list-item]  # that is the point
]


def _body() -> None:
    """Does nothing."""


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_makes_no_sense_is_told_where_it_is_written(make: Callable[[], Any], message: str) -> None:
    """A coded error, before anything is deployed."""
    with pytest.raises(InvalidPolicy, match=message):
        make()
