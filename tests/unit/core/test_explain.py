"""``why``: each reason why a task run has not started, and each way in which one can have ended."""

from typing import Any

import pytest
from core_bodies import BOOM, Ask, Await, Failure
from core_driver import LEASE_S, Driver
from core_graphs import call, const, dag, flow, flow_node, group, out, task

from weft.core.events import PauseRun
from weft.engine.explain import Explanation, why
from weft.model.attempts import Started
from weft.model.calls import WaitCall
from weft.model.errors import NotFound
from weft.model.graph import Branch, MapSpec, Node, Role
from weft.model.inputs import TaskOutput
from weft.model.policies import Cache, Concurrency, RateLimit, Retry
from weft.model.rules import TriggerRule
from weft.model.waits import ApprovalWait, EventWait, TimerWait


def ask(driver: Driver, key: str | None = None, run: int = 1, **options: Any) -> Explanation:
    """Ask at the driver's time."""
    return why(driver.store, f"run_{run}", key, now=driver.now, **options)


def test_a_node_waits_for_its_upstream_by_state() -> None:
    """Each upstream that has not ended is named with its state."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b"), task("c", "a", "b", rule=TriggerRule.ALL_DONE)))
    driver.end("a")
    told = ask(driver, "c")
    assert told.state == "pending"
    assert [(each.kind, each.tasks) for each in told.blockers] == [("upstream", ("b",))]
    assert told.answer == "waits for `b`, which is queued (its rule is all_done)"


def test_a_node_of_a_group_that_has_not_begun_is_not_reached() -> None:
    """The group is what is waited for, and what that waits for is said."""
    driver = Driver()
    driver.submit(dag(task("a"), Node(key="g", call=call("g"), needs=("a",)), groups={"g": group(task("x"))}))
    told = ask(driver, "g.x")
    assert told.state == "not reached"
    assert told.answer == "`g`, which holds it, has not begun: waits for `a`, which is queued"


def test_an_exit_handler_waits_for_all_work() -> None:
    """It needs nothing, and starts once everything else has ended."""
    driver = Driver()
    driver.submit(dag(task("a"), task("bye", role=Role.EXIT)))
    assert ask(driver, "bye").answer == "waits for `a`, which is queued"


def test_a_full_concurrency_key_names_its_holder_in_any_run() -> None:
    """The task run that holds the mutex is named, with its run if that is another."""
    driver = Driver()
    mutex = (Concurrency("db", 1),)
    driver.submit(dag(task("a", concurrency=mutex), task("b", concurrency=mutex)))
    told = ask(driver, "b")
    (blocker,) = told.blockers
    assert (blocker.kind, blocker.name, blocker.tasks) == ("limit", "key:db", ("a",))
    assert told.answer == "is ready, and the concurrency key 'db' is full (1 of 1): held by `a`"
    driver.submit(dag(task("c", concurrency=mutex)))
    assert ask(driver, "c", 2).blockers[0].tasks == ("run_1 a",)


def test_a_full_pool_counts_slots() -> None:
    """Slots taken and wanted are compared with the pool's, as the engine has it."""
    driver = Driver(pools={"gpu": 3})
    driver.submit(dag(task("a", pools={"gpu": 2}), task("b", pools={"gpu": 2})))
    told = ask(driver, "b", pools={"gpu": 3})
    assert told.answer == "is ready, and the pool 'gpu' is full (2 of 3): held by `a`"


def test_the_runs_own_limit_is_named() -> None:
    """``max_active`` of the run and of a group hold like any other limit."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b"), max_active=1))
    assert "the run's max_active is full (1 of 1): held by `a`" in ask(driver, "b").answer
    driver.submit(dag(task("a"), task("b"), main={"max_active": 1}))
    assert "its group's max_active is full (1 of 1): held by `a`" in ask(driver, "b", 2).answer


def test_a_rate_limit_says_when_it_goes_on() -> None:
    """The moment at which the oldest start no longer counts."""
    driver = Driver()
    slow = (RateLimit("api", 1, 60.0),)
    driver.submit(dag(task("a", rate_limits=slow), task("b", rate_limits=slow)))
    driver.step(Started(driver.find("a"), driver.now))
    (blocker,) = ask(driver, "b").blockers
    assert (blocker.kind, blocker.name, blocker.until) == ("rate", "api", driver.now + 60.0)


def test_what_is_ready_without_room_waits_for_its_executor() -> None:
    """No limit is full, so only the executor can be."""
    driver = Driver(room=1)
    driver.submit(dag(task("a"), task("b")))
    (blocker,) = ask(driver, "b").blockers
    assert (blocker.kind, blocker.name) == ("executor", "default")


@pytest.mark.parametrize(
    ("wait", "text", "until"),
    [
        (TimerWait(delay_s=30.0), "waits until 1970-01-01 00:17:10 UTC", 1030.0),
        (EventWait("paid", timeout_s=30.0), "waits for the event 'paid', until 1970", 1030.0),
        (ApprovalWait("ok?", assignees=("ann",)), "waits for the answer of ann", None),
    ],
)
def test_a_wait_says_for_what_and_until_when(wait: Any, text: str, until: float | None) -> None:
    """A timer, an event and an approval."""
    driver = Driver()
    driver.submit(dag(task("w8", call=WaitCall(wait))))
    told = ask(driver, "w8")
    assert told.answer.startswith(text)
    assert told.blockers[0].until == until


def test_a_retry_says_what_failed_and_when_it_goes_on() -> None:
    """Between two attempts nothing but time is waited for."""
    driver = Driver()
    driver.submit(dag(task("a", retry=Retry(limit=1, delay_s=60.0))))
    driver.end("a", error=BOOM)
    told = ask(driver, "a")
    assert told.answer == "failed: ValueError: boom; tried again in 60 s"
    assert told.blockers[0].until == driver.now + 60.0


def test_a_paused_run_says_how_to_resume_it() -> None:
    """Whatever else is so: nothing starts before somebody resumes the run."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    driver.step(PauseRun(1))
    driver.end("a")
    assert ask(driver, "b").answer == "the run is paused: weft runs resume run_1"
    assert ask(driver).answer == "the run is paused: weft runs resume run_1"


def test_a_run_whose_engine_is_gone_says_so() -> None:
    """The owner's lease is over: the run goes on when somebody takes it over."""
    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    driver.now += 2 * LEASE_S
    told = ask(driver, "b")
    assert told.blockers[0].kind == "engine"
    assert "weft runs resume run_1" in told.answer
    assert told.blockers[1].tasks == ("a",)
    assert ask(driver).answer == told.answer


def test_a_call_that_a_flow_has_not_made_is_not_reached() -> None:
    """The flow has not called it, and what the flow waits for is named."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))
        yield Ask(task("b"))

    driver = Driver()
    driver.flows["main"] = body
    driver.submit(flow())
    told = ask(driver, "b-1")
    assert told.state == "not reached"
    assert told.answer == "the flow `main` has not called it: it waits for `a-1`"


def test_a_call_of_a_nested_flow_is_looked_for_in_that_flow() -> None:
    """The key tells which flow would call it."""

    def outer(_given: dict[str, Any]) -> Any:
        yield Ask(flow_node("inner"))

    def inner(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))
        yield Ask(task("b"))

    driver = Driver()
    driver.flows |= {"main": outer, "inner": inner}
    driver.submit(flow())
    assert "the flow `inner-1` has not called it" in ask(driver, "inner-1/b-1").answer


def test_a_call_waits_for_the_results_that_it_reads() -> None:
    """A future given as an argument is an edge."""

    def body(_given: dict[str, Any]) -> Any:
        first = yield Ask(task("a"), wait=False)
        second = yield Ask(task("b"), {"x": TaskOutput(first)}, wait=False)
        yield Await(second)

    driver = Driver()
    driver.flows["main"] = body
    driver.submit(flow())
    assert ask(driver, "b-1").answer == "waits for `a-1`, which is queued"


def test_an_item_that_has_not_started_names_the_maps_limit() -> None:
    """How far the map is, and how many items it runs at once."""
    driver = Driver()
    driver.submit(dag(task("m", map=MapSpec(over={"": const([1, 2, 3])}, max_active=1))))
    told = ask(driver, "m[2]")
    assert told.state == "not reached"
    assert "0 of 3 have ended, and 1 at once are allowed" in told.answer
    assert told.blockers[0].tasks == ("m[0]",)


def test_what_runs_says_since_when() -> None:
    """Handed over but not begun, begun, and a group that waits for what it holds."""
    driver = Driver()
    driver.submit(dag(Node(key="g", call=call("g")), groups={"g": group(task("x"))}))
    assert "was handed to its executor" in ask(driver, "g.x").answer
    driver.step(Started(driver.find("g.x"), driver.now, "worker-7"))
    assert ask(driver, "g.x").answer == "runs on worker-7 since 1970-01-01 00:16:40 UTC (attempt 1)"
    told = ask(driver, "g")
    assert told.answer == "has begun, and in it 1 of 1 have not ended"
    assert told.blockers[0].tasks == ("g.x",)


def test_an_open_run_lists_what_is_under_way() -> None:
    """Each open task run with what it waits for; those that wait for these are left out."""
    driver = Driver()
    driver.submit(dag(task("a"), task("e", call=WaitCall(EventWait("paid"))), task("z", "a", "e")))
    told = ask(driver)
    assert told.state == "running"
    assert [each.tasks for each in told.blockers] == [("a",), ("e",)]
    assert told.blockers[1].text == "`e` waits for the event 'paid'"


def test_a_failed_run_names_the_task_that_failed_it() -> None:
    """The deepest cause is in the answer, the way there in the steps."""
    driver = Driver()
    driver.submit(dag(Node(key="g", call=call("g")), groups={"g": group(task("x"))}))
    driver.finish(lambda attempt: BOOM)
    told = ask(driver)
    assert told.answer == "the run failed after 0 s: `g.x` failed: ValueError: boom"
    assert [step.key for step in told.steps] == ["w", "g", "g.x"]
    assert told.lines()[1:] == [
        "1970-01-01 00:16:40 UTC  failed, because `g` in it did",
        "1970-01-01 00:16:40 UTC    `g`: failed, because `g.x` in it did",
        "1970-01-01 00:16:40 UTC      `g.x`: failed: ValueError: boom",
    ]


def test_a_flow_that_raised_is_its_own_cause() -> None:
    """The error is told once."""

    def body(_given: dict[str, Any]) -> Any:
        yield Ask(task("a"))
        raise Failure

    driver = Driver()
    driver.flows["main"] = body
    driver.submit(flow())
    driver.finish()
    assert ask(driver).answer == "the run failed after 0 s: ValueError: boom"


def test_a_successful_run_says_how_long_it_took() -> None:
    """Nothing is to explain, so that is all."""
    driver = Driver()
    driver.submit(dag(task("a")))
    driver.now += 90.0
    driver.finish()
    assert ask(driver).answer == "the run succeeded after 90 s"


def test_what_was_skipped_or_could_not_run_says_why() -> None:
    """The last step of its own story is the answer."""
    driver = Driver()
    driver.submit(dag(task("p", branch=Branch.CHOOSE), task("l", "p"), task("r", "p"), task("z", "l")))
    driver.end("p", result="l", chosen=("l",))
    driver.finish(lambda attempt: BOOM)
    assert ask(driver, "r").answer == "skipped because branch `p` chose `l`"
    told = ask(driver, "z")
    assert told.answer == "did not run because `l`, which it needs, did not succeed"
    assert told.steps[-1].text == "failed: ValueError: boom"


def test_a_cached_result_says_whose_and_when() -> None:
    """The task run that made the result, its run and its time."""
    driver = Driver()
    graph = dag(task("a", cache=Cache(), inputs={"x": const(1)}))
    driver.submit(graph)
    driver.finish()
    driver.submit(graph)
    driver.finish()
    told = ask(driver, "a", 2)
    assert told.answer.endswith(": that of `a` in run run_1, 1970-01-01 00:16:40 UTC")


def test_an_unknown_task_is_not_found_with_a_near_name() -> None:
    """In an open run and in one that has ended."""
    driver = Driver()
    driver.submit(dag(task("extract"), task("load", inputs={"x": out("extract")})))
    for _ in range(2):
        with pytest.raises(NotFound) as caught:
            ask(driver, "extrcat")
        assert caught.value.hint == "did you mean 'extract'?"
        driver.finish()


def test_asking_changes_nothing() -> None:
    """No commit, no claim, no command: the store is as it was."""
    driver = Driver(room=1)
    driver.submit(dag(task("a"), task("b"), task("m", map=MapSpec(over={"": const([1])}))))
    before = (driver.store.last_seq(), driver.store.load(1))
    for key in (None, "a", "b", "m"):
        ask(driver, key)
    assert (driver.store.last_seq(), driver.store.load(1)) == before


def test_explaining_reads_only_what_the_reader_offers() -> None:
    """A reader without any way to write is enough."""

    class ReadOnly:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            if name in ("commit", "claim", "load", "heartbeat", "put_graph"):
                raise AssertionError(name)
            return getattr(self._store, name)

    driver = Driver()
    driver.submit(dag(task("a"), task("b", "a")))
    assert why(ReadOnly(driver.store), "@latest", "b", now=driver.now).blockers  # type: ignore[arg-type]
