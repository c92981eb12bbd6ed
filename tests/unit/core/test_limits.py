"""Room in executors, pools, concurrency keys, rate limits, priorities and turns; and no lost wake-up."""

from collections import Counter
from typing import Any

import pytest
from core_bodies import BOOM, Ask, Await
from core_driver import Driver
from core_graphs import call, const, dag, flow, flow_node, group, task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from weft.core.events import CancelTask, CapacityChanged, PauseRun, PoolChanged, ShareChanged, Started, Tick
from weft.core.invariants import check_state
from weft.model.attempts import Attempt, Ended
from weft.model.graph import MapSpec, Node
from weft.model.policies import Concurrency, Placement, RateLimit, Retry
from weft.model.states import RunState, TaskState

S = TaskState


def test_an_executor_gets_no_more_than_it_takes() -> None:
    """The rest stays ready, and starts in order as room comes."""
    driver = Driver(room=2)
    driver.submit(dag(*(task(key) for key in "abcd")))
    assert driver.running() == ["a", "b"]
    driver.end("a")
    assert driver.running() == ["b", "c"]
    driver.step(CapacityChanged("default", 3))
    assert driver.running() == ["b", "c", "d"]


def test_an_unknown_executor_is_an_error_of_the_task() -> None:
    """It names the ones that there are."""
    driver = Driver()
    driver.submit(dag(task("a", placement=Placement(executor="moon"))))
    error = driver.row("a").error
    assert error is not None
    assert error.code == "W3300"
    assert "there are: default" in error.message
    assert driver.run_state() is RunState.FAILED


def test_executors_have_room_of_their_own() -> None:
    """A full one does not hold up another."""
    driver = Driver(room=1)
    driver.step(CapacityChanged("gpu", 1))
    gpu = Placement(executor="gpu")
    driver.submit(dag(task("a"), task("b"), task("c", placement=gpu), task("d", placement=gpu)))
    assert driver.running() == ["a", "c"]


def test_higher_priority_first_and_then_first_come() -> None:
    """Among what is ready when room comes."""
    driver = Driver(room=1)
    nodes = (task("a"), task("b"), task("c", priority=5), task("d", priority=5), task("e", priority=9))
    driver.submit(dag(*nodes))
    order = []
    while driver.live:
        (key,) = driver.running()
        order.append(key)
        driver.end(key)
    assert order == ["e", "c", "d", "a", "b"]


def test_two_big_maps_take_turns() -> None:
    """Neither waits for the other's end, though each could fill the executor for long."""
    driver = Driver(room=100)
    big = const(list(range(1000)))
    driver.submit(dag(task("a", map=MapSpec(over={"": big})), task("b", map=MapSpec(over={"": big}))))
    ended: Counter[str] = Counter()
    for _ in range(1000):
        key = driver.running()[0]
        ended[key[0]] += 1
        driver.end(key)
    assert abs(ended["a"] - ended["b"]) <= 128


def test_a_map_does_not_hold_up_a_later_run() -> None:
    """A small run that comes while a map of thousands is under way gets room within a turn."""
    driver = Driver(room=10)
    driver.submit(dag(task("m", map=MapSpec(over={"": const(list(range(5000)))}))))
    driver.submit(dag(task("small")))
    for ended in range(200):
        if any(attempt.key == "small" for attempt in driver.live.values()):
            assert ended <= 2 * 64
            return
        driver.end(driver.running()[0])
    pytest.fail("the small run starved")


def test_a_pools_slots_are_shared_and_given_back() -> None:
    """Two and one fit into three; the fourth waits; an ended one's slots go to the next."""
    driver = Driver(pools={"db": 3})
    nodes = [task("a", pools={"db": 2}), task("b", pools={"db": 1}), task("c", pools={"db": 1})]
    driver.submit(dag(*nodes))
    assert driver.running() == ["a", "b"]
    driver.end("b", error=BOOM)
    assert driver.running() == ["a", "c"]


def test_who_wants_more_than_a_pool_has_gets_all_of_it() -> None:
    """Rather than waiting for ever."""
    driver = Driver(pools={"db": 2})
    driver.submit(dag(task("a", pools={"db": 99}), task("b", pools={"db": 1})))
    assert driver.running() == ["a"]
    driver.end("a")
    assert driver.running() == ["b"]


def test_the_big_one_is_not_overtaken_for_ever() -> None:
    """Whoever waits first for a pool is served first, even if smaller ones would fit."""
    driver = Driver(pools={"db": 2})
    driver.submit(dag(task("a", pools={"db": 1}), task("big", pools={"db": 2}), task("c", pools={"db": 1})))
    driver.end("a")
    if "big" not in driver.running():
        driver.end("c")
    assert driver.running() == ["big"]


def test_a_pool_that_grows_lets_more_start() -> None:
    """Changed by a person while the run waits."""
    driver = Driver(pools={"db": 1})
    driver.submit(dag(*(task(key, pools={"db": 1}) for key in "abc")))
    assert driver.running() == ["a"]
    driver.step(PoolChanged("db", 3))
    assert driver.running() == ["a", "b", "c"]


@pytest.mark.parametrize("limit", [1, 2])
def test_a_concurrency_key_is_shared_by_all_runs(limit: int) -> None:
    """1 is a mutex, more a semaphore."""
    driver = Driver()
    for _ in range(3):
        driver.submit(dag(task("a", concurrency=(Concurrency("k", limit),))))
    for left in (3, 2, 1):
        assert len(driver.live) == min(limit, left)
        driver.end(next(iter(driver.live)))


def test_a_task_that_is_tried_again_holds_nothing_in_between() -> None:
    """The mutex is free during the pause."""
    mutex = (Concurrency("k"),)
    driver = Driver()
    driver.submit(
        dag(task("a", concurrency=mutex, retry=Retry(limit=1, delay_s=9.0)), task("b", concurrency=mutex))
    )
    driver.end("a", error=BOOM)
    assert driver.running() == ["b"]


def test_a_rate_limit_holds_in_every_window() -> None:
    """Never more starts than allowed in any period; and it does go on."""
    driver = Driver()
    slow = (RateLimit("api", 2, 10.0),)
    driver.submit(dag(*(task(key, rate_limits=slow) for key in "abcde")))
    starts: dict[str, float] = {}
    while driver.state.runs:
        for key in driver.running():
            starts.setdefault(key, driver.now)
        for key in driver.running():
            driver.end(key)
        due = driver.state.next_due()
        if due is not None:
            driver.now = due
            driver.step(Tick())
    times = sorted(starts.values())
    assert [at - 1000.0 for at in times] == [0, 0, 10, 10, 20]


def test_the_runs_limit_counts_attempts_and_not_flows() -> None:
    """``max_active`` of a run; a flow that waits for its tasks takes none of it."""

    def body(_given: dict[str, Any]) -> Any:
        handles = []
        for _ in range(3):
            handles.append((yield Ask(task("t"), wait=False)))
        nested = yield Ask(flow_node("inner"), wait=False)
        for handle in (*handles, nested):
            yield Await(handle)

    def inner(_given: dict[str, Any]) -> Any:
        yield Ask(task("x"))

    driver = Driver()
    driver.flows |= {"main": body, "inner": inner}
    driver.submit(replace(flow(), max_active=1))
    for _ in range(4):
        assert len(driver.running()) == 1
        driver.end(driver.running()[0])
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_groups_limit_is_each_instances_own() -> None:
    """Two instances of a group with ``max_active`` 1 run two at once."""
    inner = group(task("x"), task("y"), max_active=1)
    driver = Driver()
    driver.submit(dag(Node(key="g", call=call("g")), Node(key="h", call=call("g")), groups={"g": inner}))
    assert driver.running() == ["g.x", "h.x"]
    driver.end("g.x")
    assert driver.running() == ["h.x", "g.y"]


def test_blocked_flows_never_starve_what_they_wait_for() -> None:
    """Deeply nested flows over an executor with room for one: the innermost task runs."""

    def nest(depth: int) -> Any:
        def body(_given: dict[str, Any]) -> Any:
            yield Ask(flow_node(f"f{depth + 1}") if depth < 20 else task("leaf"))

        return body

    driver = Driver(room=1)
    driver.flows |= {f"f{depth}": nest(depth) for depth in range(1, 21)} | {"main": nest(0)}
    driver.submit(flow())
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED


def test_one_who_is_woken_and_then_stopped_passes_the_slot_on() -> None:
    """Woken for the mutex while its executor is full, then cancelled: the next one gets it."""
    driver = Driver(room=10)
    driver.step(CapacityChanged("small", 1))
    small, mutex = Placement(executor="small"), (Concurrency("k"),)
    driver.submit(
        dag(
            task("holder", concurrency=mutex),
            task("filler", placement=small),
            task("first", concurrency=mutex, placement=small, priority=1),
            task("second", concurrency=mutex),
        )
    )
    assert driver.running() == ["holder", "filler"]
    driver.end("holder")
    first = next(task for task in driver.state.runs[1].tasks.values() if task.key == "first")
    driver.step(CancelTask(1, first.idx))
    assert "second" in driver.running()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("how", ["cancel", "pause"])
def test_first_in_line_and_stopped_lets_the_next_one_go(shared: bool, how: str) -> None:
    """It waits for more slots than there are, and keeps back who needs fewer; no slot is given back."""
    driver = Driver(pools={"p": 3})
    if shared:
        driver.state.shares = {}
    else:
        driver.submit(dag(task("long", pools={"p": 1}), task("short", pools={"p": 2})))
    big = driver.submit(dag(task("big", pools={"p": 3})))
    small = MapSpec(over={"": const([1, 2, 3])})
    driver.submit(dag(task("small", pools={"p": 1}, map=small)))
    if shared:
        driver.step(ShareChanged("pool:p", 2))
    else:
        driver.end("short")
    before = driver.running()
    assert before == ([] if shared else ["long"])
    if how == "cancel":
        waiting = next(each for each in driver.state.runs[big].tasks.values() if each.key == "big")
        driver.step(CancelTask(big, waiting.idx))
    else:
        driver.step(PauseRun(big))
    assert driver.running() == [*before, "small[0]", "small[1]"]
    check_state(driver.state)


# --- no lost wake-up --------------------------------------------------------------------------------------


@st.composite
def busy_nodes(draw: st.DrawFn) -> list[Node]:
    """Tasks and maps that share few slots of many kinds."""
    made = []
    for at in range(draw(st.integers(1, 7))):
        extra: dict[str, Any] = {"priority": draw(st.integers(0, 2))}
        if draw(st.booleans()):
            extra["pools"] = {draw(st.sampled_from(["p", "q"])): draw(st.integers(1, 3))}
        if draw(st.booleans()):
            extra["concurrency"] = (draw(st.sampled_from([Concurrency("k"), Concurrency("m", 2)])),)
        if draw(st.integers(0, 3)) == 0:
            extra["rate_limits"] = (RateLimit("r", 2, 1.0),)
        if draw(st.booleans()):
            count = draw(st.integers(1, 6))
            extra["map"] = MapSpec(
                over={"": const(list(range(count)))}, max_active=draw(st.sampled_from([None, 1, 2]))
            )
        if draw(st.integers(0, 2)) == 0:
            extra["retry"] = Retry(limit=1, delay_s=draw(st.sampled_from([0.0, 1.0])))
        extra["placement"] = Placement(executor=draw(st.sampled_from(["", "other"])))
        needs = (
            draw(st.lists(st.sampled_from([each.key for each in made]), unique=True, max_size=1))
            if made
            else []
        )
        made.append(task(f"t{at}", *needs, **extra))
    return made


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    graphs=st.lists(busy_nodes(), min_size=1, max_size=3),
    room=st.integers(1, 3),
    group_limit=st.sampled_from([None, 1, 2]),
    random=st.randoms(use_true_random=False),
)
def test_everything_ends_and_no_limit_is_ever_exceeded(
    graphs: list[list[Node]], room: int, group_limit: int | None, random: Any
) -> None:
    """Random runs over shared limits, ended in any order, failing and cancelled; checked after each step."""
    driver = Driver(room=room, pools={"p": 2, "q": 1})
    driver.step(CapacityChanged("other", room))
    for nodes in graphs:
        driver.submit(dag(*nodes, main={"max_active": group_limit}))
    slow = {(run, node.key) for run, nodes in enumerate(graphs, 1) for node in nodes if node.rate_limits}
    starts: dict[tuple[int, int, int], float] = {}
    for _ in range(2000):
        for aid, attempt in driver.live.items():
            if (aid[0], attempt.key.partition("[")[0]) in slow:
                starts.setdefault(aid, driver.now)
        if driver.live:
            aid = random.choice(list(driver.live))
            roll = random.random()
            if aid in driver.stopped:
                driver.end(aid, Ended(aid, S.CANCELLED))
            elif roll < 0.05:
                driver.step(CancelTask(aid[0], aid[1]))
            elif roll < 0.1:
                driver.step(Started(aid, driver.now))
            elif roll < 0.15:
                driver.end(aid, Ended(aid, S.LOST))
            elif roll < 0.3:
                driver.end(aid, error=BOOM)
            else:
                driver.end(aid)
        elif driver.state.next_due() is not None and driver.state.runs:
            driver.now = max(driver.now, driver.state.next_due() or 0.0)
            driver.step(Tick())
        else:
            break
    assert not driver.state.runs, [each for run in driver.state.runs.values() for each in run.tasks.values()]
    assert not any(driver.state.used.values())
    times = sorted(starts.values())
    assert all(later - early >= 1.0 for early, later in zip(times, times[2:], strict=False))


def test_parked_tasks_of_an_ended_run_wake_nobody_in_vain() -> None:
    """A run that is over leaves nothing behind that could take a slot."""
    mutex = (Concurrency("k"),)
    driver = Driver()
    driver.submit(dag(task("a", concurrency=mutex), task("b", concurrency=mutex)))
    driver.submit(dag(task("c", concurrency=mutex)))

    def behave(attempt: Attempt) -> Any:
        return 1

    driver.finish(behave)
    assert driver.run_state(1) is driver.run_state(2) is RunState.SUCCEEDED
    assert not driver.state.used.get("key:k")
