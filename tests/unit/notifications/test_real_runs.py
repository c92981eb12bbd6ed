"""Automations over runs of a real engine."""

import pytest
from embedded_weft import Weft

from weft import flow, task
from weft.engine.follower import Follower
from weft.model.automations import Automation, Late, Measured, Notify, RunIs, TaskIs
from weft.model.states import RunState, TaskState
from weft.notifications.context import Contexts
from weft.notifications.joining import AUTOMATIONS, WATCHES
from weft.notifications.outbox import DELIVERIES
from weft.notifications.reactor import Reactor
from weft.service.operations import LogTails
from weft.testing.clock import FakeClock


@task(deadline="10m")
def breaks(day: str) -> None:
    print(f"looking at {day}")
    raise ValueError("no data")


@flow(deadline="1h")
def broken(day: str, api_key: str) -> None:
    breaks(day)


def test_a_failed_run_of_a_real_engine(weft: Weft) -> None:
    """What the engine commits is what automations understand."""
    store = weft.host.store
    clock = FakeClock()
    for name, when in (
        ("run", RunIs(states=(RunState.FAILED,), workflow="brok*")),
        ("task", TaskIs(states=(TaskState.FAILED,), task="breaks")),
        ("time", Measured(what="duration", above=0.0, task="breaks")),
        ("late", Late(deadline=True)),
    ):
        made = Automation(when=when, then=(Notify(channel="me"),))
        AUTOMATIONS.save(store, name, made, at=clock.now())
    reactor = Reactor(store, weft.host.artifacts, clock.now)
    follower = Follower("automations", store, reactor, clock=clock, from_start=True)
    with pytest.raises(Exception, match="no data"):
        broken("2026-01-02", api_key="k")
    while follower.step():
        pass
    entries = {each.value.automation: each for each in DELIVERIES.all(store)}
    assert sorted(entries) == ["run", "task", "time"]
    run = entries["run"].value
    assert run.occasion.error is not None
    assert "no data" in run.occasion.error.message
    logs = LogTails(weft.home)
    contexts = Contexts(store, weft.host.artifacts, logs)
    context = contexts.of("x", entries["task"].value)
    assert "looking at 2026-01-02" in context["log"]
    assert context["params"] == {"day": "2026-01-02", "api_key": "***"}
    assert context["task_state"] == "failed"
    assert list(WATCHES.all(store)) == []
