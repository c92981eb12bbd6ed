"""Limits of which an engine has a share: what starts in it, what waits for more, and what a flow holds."""

from typing import Any

from core_bodies import Ask
from core_driver import Driver
from core_graphs import const, dag, flow, task

from weft.core.events import CancelRun, PoolChanged, ShareChanged, Tick
from weft.core.invariants import check_state
from weft.core.shares import Demand, demands
from weft.model.graph import MapSpec
from weft.model.policies import Concurrency, RateLimit
from weft.model.states import RunState

MUTEX = (Concurrency("k"),)


def sharing(**pools: int) -> Driver:
    """An engine with no share of anything yet."""
    driver = Driver(pools=pools)
    driver.state.shares = {}
    return driver


def give(driver: Driver, key: str, slots: int) -> None:
    """Let the engine have so many slots from now on."""
    driver.state.short.clear()
    driver.step(ShareChanged(key, slots))
    check_state(driver.state)


def test_nothing_starts_without_a_share_and_it_is_said_what_is_lacking() -> None:
    """The share, not the limit, is the room; one that comes lets as many start."""
    driver = sharing(db=3)
    driver.submit(dag(*(task(key, pools={"db": 1}) for key in "abcd")))
    assert driver.running() == []
    assert driver.state.short == {"pool:db"}
    assert demands(driver.state, ["pool:db"], driver.now) == {"pool:db": Demand(0, 3, 1)}
    give(driver, "pool:db", 2)
    assert driver.running() == ["a", "b"]
    assert driver.state.short == {"pool:db"}
    give(driver, "pool:db", 3)
    assert driver.running() == ["a", "b", "c"]
    assert driver.state.short == set()


def test_a_smaller_share_lets_what_runs_go_on_and_nothing_new_start() -> None:
    """Until enough has ended."""
    driver = sharing(db=3)
    driver.submit(dag(*(task(key, pools={"db": 1}) for key in "abcd")))
    give(driver, "pool:db", 3)
    give(driver, "pool:db", 1)
    driver.end("a")
    driver.end("b")
    assert driver.running() == ["c"]
    driver.end("c")
    assert driver.running() == ["d"]


def test_a_share_is_never_more_than_the_pool_itself() -> None:
    """A pool that was made smaller holds before its shares are divided anew; one of none waits to grow."""
    driver = sharing(db=0)
    driver.submit(dag(task("a", pools={"db": 1}), task("b", pools={"db": 1})))
    give(driver, "pool:db", 2)
    assert driver.running() == []
    driver.step(PoolChanged("db", 1))
    assert driver.running() == ["a"]


def test_who_wants_more_than_the_share_keeps_its_place_until_it_has_enough() -> None:
    """A small one behind it does not slip past, and both get what they need in the end."""
    driver = sharing(db=3)
    driver.submit(dag(task("big", pools={"db": 3}), task("small", pools={"db": 1})))
    give(driver, "pool:db", 1)
    assert driver.running() == []
    assert demands(driver.state, ["pool:db"], driver.now)["pool:db"].need == 3
    give(driver, "pool:db", 3)
    assert driver.running() == ["big"]
    driver.end("big")
    assert driver.running() == ["small"]


def test_keys_are_shared_and_the_runs_own_limits_are_not() -> None:
    """A run has one owner, so nobody else has to do with its ``max_active``."""
    driver = sharing()
    driver.submit(dag(task("a"), task("b"), max_active=1))
    assert driver.running() == ["a"]
    assert driver.state.short == set()
    driver.submit(dag(task("c", concurrency=MUTEX)))
    give(driver, "key:k", 1)
    assert driver.running() == ["a", "c"]


def test_who_waits_for_one_limit_wants_those_before_it_too() -> None:
    """In one order for all, whatever order the tasks name them in."""
    driver = sharing(x=1, y=1)
    driver.submit(dag(task("a", pools={"y": 1, "x": 1}, concurrency=MUTEX)))
    assert driver.state.short == {"key:k"}
    give(driver, "key:k", 1)
    assert driver.state.short == {"pool:x"}
    found = demands(driver.state, ["key:k", "pool:x", "pool:y"], driver.now)
    assert found == {
        "key:k": Demand(0, 1, 1, firm=True),
        "pool:x": Demand(0, 1, 1),
        "pool:y": Demand(0, 0, 0),
    }


def test_a_map_wants_a_slot_for_each_item_up_to_the_limit() -> None:
    """It stands in line once, however many items it has."""
    driver = sharing(db=7)
    driver.submit(dag(task("m", pools={"db": 2}, map=MapSpec(over={"": const(list(range(3)))}))))
    assert demands(driver.state, ["pool:db"], driver.now)["pool:db"] == Demand(0, 6, 2)


def test_a_start_takes_a_slot_of_a_rate_limit_for_its_period() -> None:
    """With a share of two of three, two start in any ten seconds, and it asks for the third."""
    driver = sharing()
    slow = (RateLimit("api", 3, 10.0),)
    driver.submit(dag(*(task(key, rate_limits=slow) for key in "abcdef")))
    assert driver.running() == []
    give(driver, "rate:api", 2)
    assert driver.running() == ["a", "b"]
    assert driver.state.short == {"rate:api"}
    assert driver.state.taken("rate:api", driver.now) == 2
    driver.now += 9.0
    driver.step(Tick())
    give(driver, "rate:api", 3)
    assert driver.running() == ["a", "b", "c"]
    driver.now += 1.0
    driver.step(Tick())
    assert driver.running() == ["a", "b", "c", "d", "e"]
    assert driver.state.taken("rate:api", driver.now) == 3


def test_a_rate_limit_goes_on_though_who_set_its_timer_is_gone() -> None:
    """The timer is the limit's, and wakes whoever is first in line."""
    driver = sharing()
    slow = (RateLimit("api", 1, 10.0),)
    driver.submit(dag(task("a", rate_limits=slow)))
    doomed = driver.submit(dag(task("b", rate_limits=slow)))
    driver.submit(dag(task("c", rate_limits=slow)))
    give(driver, "rate:api", 1)
    assert driver.running() == ["a"]
    driver.step(CancelRun(doomed))
    driver.now += 10.0
    driver.step(Tick())
    assert driver.running() == ["a", "c"]


def _flow_that(asks: list[Any]) -> tuple[Driver, list[Any]]:
    """A flow in the only slot of a pool, whose body makes these calls; what it was told."""
    driver = Driver(pools={"one": 1})
    said: list[Any] = []

    def body(_given: dict[str, Any]) -> Any:
        for ask in asks:
            said.append((yield ask))

    driver.flows["main"] = body
    return driver, said


def test_a_flow_needs_its_slots_to_begin() -> None:
    """A pool or a key on a flow bounds how many begin at once."""
    driver, _ = _flow_that([])
    driver.submit(dag(task("t", pools={"one": 1})))
    driver.submit(flow("main", pools={"one": 1}, concurrency=MUTEX))
    assert driver.running() == ["t"]
    driver.end("t")
    assert driver.run_state(2) is RunState.SUCCEEDED


def test_a_flow_gives_its_slots_to_what_it_calls() -> None:
    """It waits for a task that needs the same slot and the same key: else neither would ever go on."""
    driver, said = _flow_that([Ask(task("t", pools={"one": 1}, concurrency=MUTEX))])
    driver.submit(flow("main", pools={"one": 1}, concurrency=MUTEX))
    assert driver.running() == ["t-1"]
    assert driver.state.used["pool:one"] == 1
    check_state(driver.state)
    driver.end("t-1", result=5)
    assert driver.run_state() is RunState.SUCCEEDED
    assert len(said) == 1
    assert driver.state.used == {"pool:one": 0, "key:k": 0}
