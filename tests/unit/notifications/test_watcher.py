"""What comes due by time."""

import pytest
from notified import World

from weft.core.changes import Cause, NodeAdded
from weft.model.automations import Late, Missing, Notify, RunIs, TaskIs
from weft.model.calls import GroupCall, PythonCall
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.states import RunState, TaskState
from weft.notifications.joining import ARMED, AUTOMATIONS, COOLDOWNS, WATCHES
from weft.notifications.watcher import Watcher

ME = Notify(channel="me")
OVER = Late(not_ended_s=60)


def watches(world: World) -> int:
    """How many there are."""
    return len(list(WATCHES.all(world.store)))


def test_a_run_that_takes_too_long_is_told_once(world: World) -> None:
    """While it still runs, and not again when it ends."""
    world.automate("slow", OVER, ME)
    world.look()
    run = world.begin()
    world.look()
    world.clock.advance(59)
    world.look()
    assert world.told() == []
    world.clock.advance(1)
    world.look()
    world.look()
    assert world.told() == ["run not ended 1 min after it started"]
    world.run(run, RunState.SUCCEEDED)
    world.look()
    assert len(world.told()) == 1
    assert watches(world) == 0


def test_a_run_that_ends_in_time_is_not_told(world: World) -> None:
    """And leaves no watch behind."""
    world.automate("slow", OVER, ME)
    world.look()
    run = world.begin()
    world.look()
    assert watches(world) == 1
    world.clock.advance(30)
    world.run(run, RunState.FAILED)
    world.look()
    world.clock.advance(100)
    world.look()
    assert world.told() == []
    assert watches(world) == 0


def test_a_run_that_ended_in_time_is_not_told_by_a_watcher_ahead_of_the_follower(world: World) -> None:
    """What is true decides, not what has been followed."""
    world.automate("slow", OVER, ME)
    world.look()
    run = world.begin()
    world.look()
    world.clock.advance(30)
    world.run(run, RunState.SUCCEEDED)
    world.clock.advance(100)
    world.watcher.step(world.clock.now())
    world.look()
    assert world.told() == []


def test_a_service_that_was_away_tells_late(world: World) -> None:
    """A run that ended too late while nobody watched is told when its events are followed."""
    world.automate("slow", OVER, ME)
    world.look()
    run = world.begin()
    world.follow()
    world.clock.advance(100)
    world.run(run, RunState.SUCCEEDED)
    world.look()
    assert world.told() == ["run not ended 1 min after it started"]


def test_two_watchers_tell_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second has read the watch before the first was done with it, and its transaction is refused."""
    world.automate("slow", OVER, ME)
    world.look()
    world.begin()
    world.follow()
    world.clock.advance(61)
    stale = world.store.due(WATCHES.kind, before=world.clock.now())
    assert len(stale) == 1
    Watcher(world.store, world.clock.now).step(world.clock.now())
    assert len(world.told()) == 1
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "due", lambda kind, **_: stale if kind == WATCHES.kind else [])
        world.watcher.step(world.clock.now())
    assert len(world.told()) == 1


def test_a_run_that_does_not_start(world: World) -> None:
    """It waits for an engine too long."""
    world.automate("stuck", Late(not_started_s=10), ME)
    world.look()
    world.add()
    on_time = world.add()
    world.clock.advance(5)
    world.run(on_time, RunState.RUNNING)
    world.look()
    world.clock.advance(6)
    world.look()
    assert world.told() == ["run not started 10 s after it was created"]


def test_deadlines_of_graphs_and_tasks(world: World) -> None:
    """Each is counted from the run's start; a task that has no row yet is late too."""
    nodes = (
        Node(key="quick", call=PythonCall("m", "quick"), deadline_s=10),
        Node(key="slow", call=PythonCall("m", "slow"), deadline_s=20),
        Node(key="never", call=PythonCall("m", "never"), deadline_s=30),
    )
    root = Node(key="g", call=GroupCall(MAIN))
    world.graph(Graph(workflow="g", root=root, groups={MAIN: Group(nodes=nodes)}, deadline_s=40))
    world.automate("late", Late(deadline=True, workflow="g"), ME)
    world.look()
    run = world.begin("g")
    world.begin("etl")
    world.task(run, 1, "quick")
    world.move(run, 1, TaskState.SUCCEEDED)
    world.task(run, 2, "slow")
    world.move(run, 2, TaskState.RUNNING)
    world.look()
    for _ in range(5):
        world.clock.advance(10)
        world.look()
    assert world.told() == [
        "task slow not ended by its deadline, 20 s after the run started",
        "task never not ended by its deadline, 30 s after the run started",
        "run not ended by its deadline, 40 s after it started",
    ]


def test_deadlines_of_a_flows_calls(world: World) -> None:
    """They are known once the flow has called the task."""
    world.automate("late", Late(deadline=True), ME)
    world.look()
    run = world.begin()
    world.clock.advance(5)
    node = Node(key="t", call=PythonCall("m", "t"), deadline_s=10)
    world.commit(NodeAdded(run, "digest", node))
    world.task(run, 1, "t", kind="call", node="digest")
    world.move(run, 1, TaskState.RUNNING)
    world.look()
    world.clock.advance(6)
    world.look()
    (delivery,) = world.deliveries()
    assert delivery.occasion.task == "t"
    assert delivery.occasion.at == delivery.occasion.started_at + 10  # type: ignore[operator]


def test_a_state_held_too_long(world: World) -> None:
    """Once for each stay; leaving the state ends it."""
    world.automate("queued", TaskIs(states=(TaskState.QUEUED,), for_s=30, task="t*"), ME)
    world.automate("paused", RunIs(states=(RunState.PAUSED,), for_s=30), ME)
    world.look()
    run = world.begin()
    for idx, key in enumerate(("t1", "t2", "other"), 1):
        world.task(run, idx, key)
        world.move(run, idx, TaskState.QUEUED)
    world.run(run, RunState.PAUSED)
    world.clock.advance(20)
    world.move(run, 1, TaskState.RUNNING)
    world.look()
    world.clock.advance(20)
    world.look()
    world.clock.advance(20)
    world.look()
    assert sorted(world.told()) == ["run in the same state for 30 s", "task t2 in the same state for 30 s"]
    world.run(run, RunState.RUNNING, cause=Cause.RESUMED)
    world.run(run, RunState.PAUSED)
    world.look()
    world.clock.advance(31)
    world.look()
    assert len(world.told()) == 3


def test_a_workflow_that_does_not_succeed(world: World) -> None:
    """Once for each gap; a success begins the next."""
    world.automate("silent", Missing(workflow="etl", for_s=100), ME)
    world.look()
    world.run(world.begin(), RunState.FAILED)
    world.clock.advance(99)
    world.look()
    assert world.told() == []
    world.clock.advance(1)
    for _ in range(3):
        world.look()
        world.clock.advance(200)
    assert world.told() == ["no run of etl came to where it should for 1 min 40 s"]
    world.run(world.begin(), RunState.SUCCEEDED)
    world.look()
    world.clock.advance(99)
    world.look()
    assert len(world.told()) == 1
    world.clock.advance(1)
    world.look()
    assert len(world.told()) == 2


def test_what_runs_already_is_watched_by_a_new_automation(world: World) -> None:
    """Also when it was changed; and what is late already is told at once."""
    old, new = world.begin(), world.add()
    world.task(old, 1, "t")
    world.move(old, 1, TaskState.QUEUED)
    world.follow()
    world.clock.advance(50)
    world.automate("slow", Late(not_ended_s=60, not_started_s=55), ME)
    world.automate("held", TaskIs(states=(TaskState.QUEUED,), for_s=58), ME)
    world.look()
    assert world.told() == []
    world.clock.advance(9)
    world.look()
    assert [(each.occasion.run, each.occasion.task) for each in world.deliveries()] == [
        (f"run_{new}", ""),
        (f"run_{old}", "t"),
    ]
    world.automate("slow", Late(not_ended_s=20), ME)
    world.look()
    assert world.deliveries()[0].occasion.run == f"run_{old}"
    assert len(world.deliveries()) == 3


def test_an_automation_that_is_gone_leaves_no_watches(world: World) -> None:
    """Nor memory of having been armed."""
    world.automate("slow", OVER, ME)
    world.look()
    world.begin()
    world.look()
    AUTOMATIONS.delete(world.store, ["slow"], at=world.clock.now())
    world.look()
    world.clock.advance(100)
    world.look()
    assert watches(world) == 0
    assert list(ARMED.all(world.store)) == []
    assert world.told() == []


def test_cooldowns_are_forgotten_in_time(world: World) -> None:
    """What is remembered for each run or workflow does not grow for ever."""
    world.automate("fails", RunIs(states=(RunState.FAILED,)), ME, cooldown_s=60, cooldown_per="run")
    for _ in range(3):
        world.run(world.begin(), RunState.FAILED)
    world.look()
    assert len(list(COOLDOWNS.all(world.store))) == 3
    world.clock.advance(2 * 86400)
    world.look()
    assert list(COOLDOWNS.all(world.store)) == []


@pytest.mark.parametrize("due_in", [0.25, 500.0])
def test_the_next_look_is_when_something_is_due(world: World, due_in: float) -> None:
    """And no later than others may have set a watch."""
    world.automate("slow", Late(not_ended_s=due_in), ME)
    world.look()
    world.begin()
    world.follow()
    now = world.clock.now()
    assert world.watcher.step(now) == pytest.approx(now + min(due_in, 1.0))
