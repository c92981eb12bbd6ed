"""A crash at every commit, with or without what the commit ordered, leads to the same end as no crash."""

from collections.abc import Callable
from typing import Any

from core_bodies import BOOM, Ask, Await, Failure, Suspend
from core_driver import Crash, Driver
from core_graphs import call, flow, flow_node, group, item, task
from core_strategies import KEYS, graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.core.binding import value
from weft.core.clear import clear
from weft.model.attempts import Attempt
from weft.model.calls import MarkCall, WaitCall
from weft.model.graph import Graph, MapSpec, Node
from weft.model.inputs import TaskOutput
from weft.model.policies import Retry
from weft.model.states import RunState
from weft.model.waits import TimerWait

Behave = Callable[[Attempt], Any]


def ending(make: Callable[[], Driver], graph: Graph, behave: Behave) -> tuple[Driver, int]:
    """Run without a crash; the driver and how many commits it took."""
    driver = make()
    driver.submit(graph)
    driver.finish(behave)
    return driver, driver.commits


def outcome(driver: Driver) -> dict[str, Any]:
    """How a run ended, without what a crash may change: the numbers of attempts and hooks about attempts."""
    found: dict[str, Any] = {"": driver.run_state()}
    for row in driver.rows():
        if row.kind != "hook":
            found[row.key] = (row.state, row.result, row.failures)
        elif "!start" not in row.key:
            found[row.key.rpartition(".")[0]] = row.state
    return found


def crashed_after(
    make: Callable[[], Driver], graph: Graph, behave: Behave, commit: int, *, survive: bool
) -> Driver:
    """Run, crash after the given commit and before anything acts on it, and go on to the end."""
    driver = make()
    driver.crash_after = commit
    try:
        driver.submit(graph)
        driver.finish(behave)
    except Crash:
        driver.crash(alive=[aid for aid in driver.live if aid not in driver.bodies] if survive else ())
    driver.finish(behave)
    return driver


def same_end(make: Callable[[], Driver], graph: Graph, behave: Behave) -> None:
    """A crash after any commit changes nothing about how the run ends."""
    calm, commits = ending(make, graph, behave)
    assert calm.run_state().terminal, calm.states()
    for commit in range(1, commits + 1):
        for survive in (False, True):
            driver = crashed_after(make, graph, behave, commit, survive=survive)
            assert outcome(driver) == outcome(calm), f"crash after commit {commit}, {survive=}"
            assert not driver.state.runs
            assert not driver.live


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs(), failing=st.dictionaries(st.sampled_from(KEYS), st.integers(1, 3), max_size=2))
def test_a_static_run_ends_the_same_whatever_commit_is_followed_by_a_crash(
    graph: Graph, failing: dict[str, int]
) -> None:
    """Random graphs whose tasks fail a given number of times: states, results and failures are the same."""

    def behave(attempt: Attempt) -> Any:
        fails = failing.get(attempt.key.rpartition(".")[2][:1], 0) if "!" not in attempt.key else 0
        return BOOM if attempt.try_number <= fails else attempt.key

    same_end(Driver, graph, behave)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs(), failing=st.sets(st.sampled_from(KEYS), min_size=1, max_size=3))
def test_a_retried_run_ends_the_same_whatever_commit_is_followed_by_a_crash(
    graph: Graph, failing: set[str]
) -> None:
    """A clear is durable like anything else: the run is gone on with as it was cleared."""

    def failed() -> Driver:
        driver = Driver()
        driver.submit(graph)
        driver.finish(lambda each: BOOM if each.key.rpartition(".")[2][:1] in failing else each.key)
        return driver

    def retry(driver: Driver) -> None:
        driver.clear(1, clear(driver.store.load(1), only_failed=True, at=driver.now))
        driver.finish()

    calm = failed()
    if calm.run_state() is RunState.SUCCEEDED:
        return
    before = calm.commits
    retry(calm)
    assert calm.run_state() is RunState.SUCCEEDED
    for commit in range(before + 1, calm.commits + 1):
        driver = failed()
        driver.crash_after = commit
        try:
            retry(driver)
        except Crash:
            driver.crash()
        driver.finish()
        assert outcome(driver) == outcome(calm), f"crash after commit {commit}"


# --- flows ------------------------------------------------------------------------------------------------

OPS = st.sampled_from(["call", "submit", "await", "map", "group", "flow", "sleep", "suspend", "use", "mark"])


def program(ops: list[str], inner: list[str] | None) -> Callable[[dict[str, Any]], Any]:
    """A flow's body that does what ``ops`` says, deterministically; a failed call fails it at the end."""

    def body(_given: dict[str, Any]) -> Any:
        handles: list[int] = []
        total: list[Any] = []
        failed = False
        for op in ops:
            if op == "await" and handles:
                total.append((yield Await(handles.pop(0))).state)
            elif op == "suspend" and handles:
                yield Suspend((handles[0],))
                total.append((yield Await(handles.pop(0))).state)
            elif op == "map":
                items = tuple(value(each) for each in range(3))
                spec = MapSpec(fixed=())
                total.append((yield Ask(task("m", map=spec), {"x": item()}, items=items)).plain)
            elif op == "group":
                total.append((yield Ask(Node(key="g", call=call("g0")))).plain)
            elif op == "flow" and inner is not None:
                total.append((yield Ask(flow_node("inner"))).plain)
            elif op == "sleep":
                yield Ask(task("zzz", call=WaitCall(TimerWait(delay_s=1.0))))
            elif op == "use" and handles:
                handles.append((yield Ask(task("u"), {"x": TaskOutput(handles[-1])}, wait=False)))
            elif op == "mark":
                total.append((yield Ask(task("now", call=MarkCall()), mark=value(7))).plain)
            elif op == "submit":
                handles.append((yield Ask(task("s", retry=Retry(limit=2)), wait=False)))
            elif op == "call":
                outcome = yield Ask(task("c"))
                failed = failed or not outcome.state.ok
                total.append(outcome.plain)
        for handle in handles:
            total.append((yield Await(handle)).state)
        if failed:
            raise Failure
        return [str(each) for each in total]

    return body


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ops=st.lists(OPS, min_size=1, max_size=6),
    inner=st.lists(OPS.filter(lambda op: op != "flow"), max_size=3),
    retries=st.integers(0, 2),
    fails=st.integers(0, 2),
    salt=st.sampled_from(["c-1", "s-1", "c-2", "m", "u-1"]),
)
def test_a_flow_ends_the_same_whatever_commit_is_followed_by_a_crash(
    ops: list[str], inner: list[str], retries: int, fails: int, salt: str
) -> None:
    """Random flows with nested flows, maps, groups, timers, suspension and retries of the flow itself."""

    def behave(attempt: Attempt) -> Any:
        ours = salt in attempt.key
        return BOOM if ours and seen(attempt) <= fails else attempt.key

    def make() -> Driver:
        tries.clear()
        driver = Driver()
        driver.flows["main"] = program(ops, inner)
        driver.flows["inner"] = program(inner, None)
        return driver

    tries: dict[str, int] = {}

    def seen(attempt: Attempt) -> int:
        tries[attempt.key] = tries.get(attempt.key, 0) + 1
        return tries[attempt.key]

    graph = flow(retry=Retry(limit=retries))
    graph = Graph(workflow="main", root=graph.root, groups={"g0": group(task("a"), task("b", "a"))})
    same_end(make, graph, behave)
