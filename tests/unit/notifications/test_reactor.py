"""What follows from committed events."""

import pytest
from notified import World

from weft.core.changes import Cause, Showed, Signalled
from weft.model.attempts import Published
from weft.model.automations import (
    AllOf,
    AnyOf,
    Happened,
    Measured,
    Notify,
    RunIs,
    TaskIs,
)
from weft.model.deliveries import DeliveryState
from weft.model.errors import Conflict
from weft.model.states import RunState, TaskState
from weft.model.values import NONE
from weft.notifications.outbox import DELIVERIES

ME = Notify(channel="me")
FAILS = RunIs(states=(RunState.FAILED,))


def test_a_failed_run_is_told_once(world: World) -> None:
    """With what happened, as it was then."""
    world.automate("fails", FAILS, ME)
    run = world.begin(tags=["prod"])
    world.clock.advance(5)
    world.run(run, RunState.FAILED)
    world.follow()
    world.follow()
    (delivery,) = world.deliveries()
    assert delivery.automation == "fails"
    assert delivery.lane == "channel.me"
    assert delivery.state is DeliveryState.WAITING
    occasion = delivery.occasion
    assert (occasion.what, occasion.workflow, occasion.run, occasion.state) == (
        "run failed",
        "etl",
        f"run_{run}",
        "failed",
    )
    assert occasion.tags == ("prod",)
    assert occasion.error is not None
    assert occasion.error.message.startswith("no <such>")
    assert occasion.ended_at == occasion.started_at + 5  # type: ignore[operator]
    assert world.tickets() == 1


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (RunIs(states=(RunState.FAILED,), workflow="et*"), True),
        (RunIs(states=(RunState.FAILED,), workflow="other"), False),
        (RunIs(states=(RunState.FAILED,), tags=("prod",)), True),
        (RunIs(states=(RunState.FAILED,), tags=("prod", "eu")), False),
        (RunIs(states=(RunState.SUCCEEDED,)), False),
        (RunIs(states=(RunState.SCHEDULED,)), True),
        (TaskIs(states=(TaskState.FAILED,), task="score[*"), True),
        (TaskIs(states=(TaskState.FAILED,), task="score"), True),
        (TaskIs(states=(TaskState.FAILED,), task="scor"), False),
        (TaskIs(states=(TaskState.SUCCEEDED,)), False),
        (Measured(what="duration", above=9), True),
        (Measured(what="duration", above=11), False),
        (Measured(what="duration", below=11, task="score*"), True),
        (Measured(what="wait", above=1), True),
        (Measured(what="cpu", above=1, task="*"), True),
        (Measured(what="memory", above=2000, task="*"), False),
        (Measured(what="published", above=0.4, key="acc*"), True),
        (Measured(what="published", above=0.6, key="acc*"), False),
        (Measured(what="published", above=0.4, key="loss"), False),
        (Happened(kinds=("signal",), name="go"), True),
        (Happened(kinds=("signal",), name="stop"), False),
        (Happened(kinds=("showed",), name="acc*"), True),
        (AnyOf((RunIs(states=(RunState.FAILED,)), TaskIs(states=(TaskState.FAILED,)))), True),
    ],
)
def test_conditions(world: World, when: RunIs, told: bool) -> None:
    """Each looks at what it names and at nothing else."""
    world.automate("it", when, ME)
    run = world.add(tags=["prod"])
    world.clock.advance(2)
    world.run(run, RunState.RUNNING)
    world.task(run, 1, "score[17]")
    world.commit(
        Showed(run, 1, 1, 0.0, Published("accuracy", "progress", world.artifacts.dumps(0.5))),
        Signalled(run, "go", 0.0, NONE, "s1"),
    )
    world.clock.advance(10)
    world.move(run, 1, TaskState.FAILED, started_at=world.clock.now() - 10, cpu_s=2.0, rss_peak=1000)
    world.run(run, RunState.FAILED)
    world.follow()
    assert bool(world.deliveries()) is told


def test_all_of_joins_within_one_run(world: World) -> None:
    """A run that failed and another that took long are not one that failed after long."""
    both = AllOf((FAILS, Measured(what="duration", above=60)))
    world.automate("both", both, ME)
    quick, slow = world.begin(), world.begin()
    world.run(quick, RunState.FAILED)
    world.clock.advance(100)
    world.run(slow, RunState.SUCCEEDED)
    world.follow()
    assert world.told() == []
    third = world.begin()
    world.clock.advance(100)
    world.run(third, RunState.FAILED)
    world.follow()
    assert [each.occasion.run for each in world.deliveries()] == [f"run_{third}"]


def test_all_of_joins_what_is_apart(world: World) -> None:
    """Two workflows have succeeded, within an hour; then it begins anew."""
    ok = (RunState.SUCCEEDED,)
    both = AllOf((RunIs(states=ok, workflow="a"), RunIs(states=ok, workflow="b")), "all", 3600)
    world.automate("both", both, ME)
    from weft.model.calls import PythonCall
    from weft.model.graph import Graph, Node

    for name in "ab":
        world.graph(Graph(workflow=name, root=Node(key=name, call=PythonCall("m", name))))

    def succeed(name: str) -> int:
        world.run(world.begin(name), RunState.SUCCEEDED)
        world.follow()
        return len(world.deliveries())

    assert succeed("a") == 0
    world.clock.advance(3601)
    assert succeed("b") == 0
    assert succeed("a") == 1
    assert succeed("b") == 1
    assert succeed("a") == 2


def test_cooldown_counts_what_it_keeps_back(world: World) -> None:
    """And tells with the next message."""
    world.automate("fails", FAILS, ME, cooldown_s=60)
    for _ in range(3):
        world.run(world.begin(), RunState.FAILED)
        world.follow()
        world.clock.advance(10)
    assert [each.occasion.suppressed for each in world.deliveries()] == [0]
    world.clock.advance(60)
    world.run(world.begin(), RunState.FAILED)
    world.follow()
    assert [each.occasion.suppressed for each in world.deliveries()] == [0, 2]


def test_an_automation_that_is_off_does_nothing(world: World) -> None:
    """Neither does one that was deleted."""
    world.automate("fails", FAILS, ME, enabled=False)
    world.run(world.begin(), RunState.FAILED)
    world.follow()
    assert world.deliveries() == []


def test_reacting_again_to_the_same_events_changes_nothing(world: World) -> None:
    """Names of deliveries come from what caused them, and one that was sent is not written anew."""
    world.automate("fails", FAILS, ME, Notify(channel="you"))
    world.channel("me")
    world.run(world.begin(), RunState.FAILED)
    world.follow()
    assert len(world.deliveries()) == 2
    world.deliverer.step(world.clock.now())
    events = world.store.events_since(0)
    for each in world.reactor(events):
        assert each.kind not in (DELIVERIES.kind, "outbox.channel.me", "outbox.channel.you")


def test_two_followers_write_one_delivery(world: World) -> None:
    """The reaction of the slower one is refused as a whole."""
    world.automate("fails", FAILS, ME)
    world.follow()
    world.run(world.begin(), RunState.FAILED)
    writes = world.reactor(world.store.events_since(0))
    world.follow()
    with pytest.raises(Conflict):
        world.store.write(writes, at=world.clock.now())
    assert len(world.deliveries()) == 1


def test_a_run_that_was_deleted_is_passed_over(world: World) -> None:
    """Its events may still be in the log."""
    world.automate("fails", FAILS, ME)
    run = world.begin()
    world.run(run, RunState.FAILED)
    events = world.store.events_since(0)
    world.store.delete_runs([run])
    assert [each for each in world.reactor(events) if each.kind == DELIVERIES.kind] == []


def test_ten_thousand_events_that_concern_nobody_are_cheap(world: World) -> None:
    """An automation about runs reads nothing for events of tasks."""
    world.automate("fails", FAILS, ME)
    run = world.begin()
    world.task(run, 1, "t")
    world.follow()
    world.move(run, 1, TaskState.RUNNING)
    (event,) = world.store.events_since(world.store.last_seq() - 1)
    reads: list[str] = []
    for name in ("run_by_id", "task", "record"):
        real = getattr(world.store, name)
        setattr(world.store, name, lambda *a, _n=name, _r=real, **k: (reads.append(_n), _r(*a, **k))[1])
    assert world.reactor([event] * 10_000) == []
    assert reads == []


def test_resumed_runs_do_not_wait_again(world: World) -> None:
    """The wait is measured once, at the first start."""
    world.automate("slow", Measured(what="wait", above=1), ME)
    run = world.add()
    world.clock.advance(5)
    world.run(run, RunState.RUNNING)
    world.run(run, RunState.PAUSED)
    world.run(run, RunState.RUNNING, cause=Cause.RESUMED)
    world.follow()
    assert len(world.deliveries()) == 1
    assert world.deliveries()[0].occasion.value == 5.0
