"""The checks of the core's state and history see what they are there to see."""

from collections.abc import Callable

import pytest

from weft.core.changes import Cause, Change, MapExpanded, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.core.events import CapacityChanged, Prepared, Submitted, Tick
from weft.core.history import History
from weft.core.invariants import check_state
from weft.core.state import Map, Scope, State, Task
from weft.core.step import step_all
from weft.model.attempts import Ended
from weft.model.calls import GroupCall, PythonCall, WaitCall
from weft.model.errors import InvariantViolation
from weft.model.graph import MAIN, Graph, Group, MapMode, MapSpec, Node
from weft.model.inputs import Const, Output
from weft.model.policies import Concurrency
from weft.model.rules import TriggerRule
from weft.model.states import RunState, TaskState
from weft.model.values import NONE, Result
from weft.model.waits import TimerWait

S = TaskState
PY = PythonCall("m", "f")
GRAPH = Graph(
    workflow="w",
    root=Node(key="w", call=GroupCall(MAIN)),
    groups={
        MAIN: Group(
            nodes=(
                Node(key="a", call=PY, concurrency=(Concurrency("k", 1),)),
                Node(key="b", call=PY, inputs={"x": Output("a")}),
                Node(key="lock", call=PY, concurrency=(Concurrency("k", 1),)),
                Node(key="pause", call=WaitCall(TimerWait(delay_s=60.0))),
                Node(key="many", call=PY, map=MapSpec(fixed=(NONE,) * 3)),
            )
        )
    },
)


@pytest.fixture
def state() -> State:
    """A run in full swing: ``a`` is live, ``lock`` is parked, ``pause`` waits, ``many`` has live items."""
    state = State()
    added = RunAdded(1, "run_1", "w", "g", 0.0, facts={"executor": "x"})
    step_all(state, (CapacityChanged("x", 8), Submitted(added, GRAPH, 1)), 0.0)
    check_state(state)
    return state


def _task(state: State, key: str) -> Task:
    return next(task for task in state.runs[1].tasks.values() if task.key == key)


def _lose_attempt(state: State) -> None:
    _task(state, "a").executor = ""


def _lose_timer(state: State) -> None:
    state.timers.clear()


def _lose_queue(state: State) -> None:
    state.parked.clear()


def _leak_room(state: State) -> None:
    state.inflight["x"] += 1


def _leak_slot(state: State) -> None:
    state.used["key:k"] += 1


def _miscount_upstream(state: State) -> None:
    counts = _task(state, "b").counts
    assert counts is not None
    counts.add(S.SUCCEEDED)


def _miscount_scope(state: State) -> None:
    scope = state.runs[1].root.body
    assert isinstance(scope, Scope)
    scope.open -= 1


def _miscount_items(state: State) -> None:
    body = _task(state, "many").body
    assert isinstance(body, Map)
    body.done += 1


def _forget_item(state: State) -> None:
    body = _task(state, "many").body
    assert isinstance(body, Map)
    item = body.live.pop(1)
    del state.runs[1].tasks[item.idx]
    state.inflight["x"] -= 1


def _end_while_queued(state: State) -> None:
    _task(state, "lock").state = S.FAILED
    scope = state.runs[1].root.body
    assert isinstance(scope, Scope)
    scope.open -= 1


def _idle_with_room(state: State) -> None:
    task = _task(state, "b")
    task.state, task.queued = S.READY, True
    state.queues["x"].append((0, 99, task))


def _count_hooks(state: State) -> None:
    state.runs[1].open_hooks = 1


@pytest.mark.parametrize(
    ("damage", "invariant"),
    [
        (_lose_attempt, "I5"),
        (_lose_timer, "I3"),
        (_lose_queue, "I3"),
        (_leak_room, "I5"),
        (_leak_slot, "I5"),
        (_miscount_upstream, "I3"),
        (_miscount_scope, "I3"),
        (_miscount_items, "I3"),
        (_forget_item, "I1"),
        (_end_while_queued, "I10"),
        (_idle_with_room, "I3"),
        (_count_hooks, "I3"),
    ],
)
def test_damage_to_the_state_is_seen(state: State, damage: Callable[[State], None], invariant: str) -> None:
    """Whatever is lost, leaked or miscounted breaks a named invariant."""
    damage(state)
    with pytest.raises(InvariantViolation) as caught:
        check_state(state)
    assert caught.value.fields["invariant"] == invariant


def test_a_task_run_that_is_being_prepared_is_not_stuck() -> None:
    """What waits for values to be looked into moves on when the answer, which is on its way, comes."""
    node = Node(key="m", call=PY, map=MapSpec(mode=MapMode.SEQUENCE, count=Const(NONE)))
    graph = Graph(workflow="w", root=node)
    state = State()
    step_all(state, (Submitted(RunAdded(1, "run_1", "w", "g", 0.0), graph, 1),), 0.0)
    check_state(state, [Prepared(1, 0, 0)])
    with pytest.raises(InvariantViolation, match="nothing will move it on"):
        check_state(state)


def test_engines_that_share_runs_may_hold_more_slots_than_there_are(state: State) -> None:
    """A limit is each engine's own, so a takeover may bring one more live attempt than it allows."""
    lock = _task(state, "lock")
    lock.state, lock.executor, lock.queued, lock.held = S.QUEUED, "x", False, (("key:k", 1),)
    state.inflight["x"] += 1
    state.used["key:k"] += 1
    check_state(state, alone=False)
    with pytest.raises(InvariantViolation, match="2 slots of key:k"):
        check_state(state)


# --- history ----------------------------------------------------------------------------------------------

RUN = RunAdded(1, "run_1", "w", "g", 0.0)
RUNNING = RunChanged(1, RunState.RUNNING, 0.0, Cause.SUBMITTED)
ROOT = TaskAdded(1, 0, "w", "w", 0.0, "root")
ROOT_RUNS = TaskChanged(1, 0, S.RUNNING, 1, 0.0, Cause.STARTED)
A = TaskAdded(1, 1, "a", "a", 0.0, "node", "a", 0)
B = TaskAdded(1, 2, "b", "b", 0.0, "node", "b", 0)
MANY = TaskAdded(1, 5, "many", "many", 0.0, "node", "many", 0)
BEGIN: list[Change] = [RUN, RUNNING, ROOT, ROOT_RUNS]


def _changed(idx: int, state: TaskState, attempt: int = 1, **more: int) -> TaskChanged:
    return TaskChanged(1, idx, state, attempt, 1.0, Cause.RETURNED, **more)


QUEUED_A, DONE_A = _changed(1, S.QUEUED), _changed(1, S.SUCCEEDED)


@pytest.mark.parametrize(
    ("changes", "invariant"),
    [
        ([A, QUEUED_A, DONE_A, _changed(1, S.FAILED)], "I2"),
        ([A, QUEUED_A, DONE_A, _changed(1, S.PENDING)], "I10"),
        ([A, QUEUED_A, _changed(1, S.LOST), _changed(1, S.QUEUED)], "I8"),
        ([A, QUEUED_A, _changed(1, S.LOST), _changed(1, S.QUEUED, 3)], "I8"),
        ([A, QUEUED_A, _changed(1, S.LOST, 0)], "I8"),
        ([A, _changed(1, S.LOST)], "I6"),
        ([B, _changed(2, S.QUEUED)], "I7"),
        ([A, QUEUED_A, B, _changed(2, S.QUEUED)], "I7"),
        ([A, QUEUED_A, _changed(1, S.FAILED), B, _changed(2, S.QUEUED)], "I7"),
        ([A, QUEUED_A, RunChanged(1, RunState.SUCCEEDED, 1.0, Cause.CHILDREN)], "I1"),
        ([RunChanged(1, RunState.SCHEDULED, 1.0, Cause.CHILDREN)], "I6"),
        (
            [
                MANY,
                TaskChanged(1, 5, S.RUNNING, 0, 1.0, Cause.ITEMS),
                MapExpanded(1, 5, 1.0, 6, 3, Result("items", b"")),
                _changed(5, S.SUCCEEDED, 0),
            ],
            "I1",
        ),
        (
            [
                MANY,
                TaskChanged(1, 5, S.RUNNING, 0, 1.0, Cause.ITEMS),
                MapExpanded(1, 5, 1.0, 6, 3, Result("items", b"")),
                MapExpanded(1, 5, 1.0, 9, 4, Result("items", b"")),
            ],
            "I1",
        ),
    ],
)
def test_a_history_that_cannot_be_is_refused(changes: list[Change], invariant: str) -> None:
    """The first change that must not follow names the invariant that it breaks."""
    history = History({"g": GRAPH})
    for change in [*BEGIN, *changes[:-1]]:
        history.feed(change)
    with pytest.raises(InvariantViolation) as caught:
        history.feed(changes[-1])
    assert caught.value.fields["invariant"] == invariant


def test_a_cleared_task_run_begins_a_new_generation() -> None:
    """Terminal is terminal, unless a person clears it: then its generation grows."""
    history = History({"g": GRAPH})
    again = TaskChanged(1, 1, S.PENDING, 1, 2.0, Cause.CLEARED, generation=1)
    for change in [*BEGIN, A, QUEUED_A, DONE_A, again, _changed(1, S.QUEUED, 2, generation=1)]:
        history.feed(change)
    assert history.state.tasks[1, 1].generation == 1


def test_a_node_may_start_once_its_rule_allows_it() -> None:
    """What is committed of the upstream decides, as the rule says."""
    node = Node(key="b", call=PY, needs=("a",), rule=TriggerRule.ALL_FAILED)
    group = Group(nodes=(Node(key="a", call=PY), node))
    graph = Graph(workflow="w", root=Node(key="w", call=GroupCall(MAIN)), groups={MAIN: group})
    history = History({"g": graph})
    for change in [*BEGIN, A, QUEUED_A, _changed(1, S.FAILED), B, _changed(2, S.QUEUED)]:
        history.feed(change)
    assert history.state.tasks[1, 2].state is S.QUEUED


def test_every_step_of_a_run_passes(state: State) -> None:
    """A run that goes well breaks nothing, from its first step to its last."""
    ends = [task.id for task in state.runs[1].tasks.values() if task.executor]
    for now in range(1, 8):
        step_all(state, [Ended(each, S.SUCCEEDED, NONE) for each in ends], float(now))
        check_state(state)
        ends = [task.id for run in state.runs.values() for task in run.tasks.values() if task.executor]
    step_all(state, [Tick()], 100.0)
    check_state(state)
    assert not state.runs
