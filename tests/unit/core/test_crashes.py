"""A crash at every commit, with or without what the commit ordered, leads to the same end as no crash."""

from collections.abc import Callable
from typing import Any

from core_driver import BOOM, Ask, Await, Crash, Driver, Failure, Suspend
from core_graphs import call, const, dag, flow, flow_node, group, item, out, task
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.core.binding import value
from weft.model.attempts import Attempt
from weft.model.calls import MarkCall, WaitCall
from weft.model.graph import Graph, Hook, HookOn, MapSpec, Node, Role
from weft.model.inputs import TaskOutput
from weft.model.policies import Concurrency, RateLimit, Retry
from weft.model.rules import TriggerRule
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


KEYS = "abcdefgh"
SOFT_RULES = [TriggerRule.ALL_DONE, TriggerRule.ALWAYS, TriggerRule.ONE_DONE, TriggerRule.ALL_SUCCESS]


@st.composite
def graphs(draw: st.DrawFn, *, depth: int = 1) -> Graph:
    """A small static workflow: edges, rules, retries, maps, groups, waits, setups, exits and hooks."""
    inner = {f"g{at}": group(*draw(nodes(depth=0))) for at in range(depth)}
    main = draw(nodes(depth=depth))
    return dag(*main, groups=inner, max_active=draw(st.sampled_from([None, None, 1, 2])))


@st.composite
def nodes(draw: st.DrawFn, *, depth: int) -> list[Node]:
    """The nodes of one group, in an order in which edges only point back."""
    count = draw(st.integers(1, 5))
    made: list[Node] = []
    for at in range(count):
        before = [each.key for each in made if each.role is not Role.EXIT]
        needs = tuple(draw(st.lists(st.sampled_from(before), unique=True, max_size=2))) if before else ()
        kind = draw(st.sampled_from(["task", "task", "task", "map", "wait", *["group"] * depth]))
        extra: dict[str, Any] = {"rule": draw(st.sampled_from(SOFT_RULES))}
        if kind == "wait":
            extra["call"] = WaitCall(TimerWait(delay_s=draw(st.sampled_from([0.0, 5.0]))))
        elif kind == "group":
            extra["call"] = call(f"g{draw(st.integers(0, depth - 1))}")
        if kind == "map" or (kind == "group" and draw(st.booleans())):
            extra["map"] = MapSpec(
                over={"": const(list(range(draw(st.integers(0, 3)))))},
                max_active=draw(st.sampled_from([None, 1, 2])),
                chain=draw(st.booleans()),
                tolerate=draw(st.sampled_from([0, 0, 1])),
            )
        if kind in ("task", "map"):
            if draw(st.booleans()):
                extra["retry"] = Retry(
                    limit=draw(st.integers(0, 2)), delay_s=draw(st.sampled_from([0.0, 3.0]))
                )
            if draw(st.booleans()):
                extra["concurrency"] = (draw(st.sampled_from([Concurrency("k", 2), Concurrency("m")])),)
            if draw(st.integers(0, 4)) == 0:
                extra["rate_limits"] = (RateLimit("r", 2, 1.0),)
        if kind == "task":
            if before and draw(st.booleans()):
                extra["inputs"] = {"x": out(draw(st.sampled_from(before)), allow_failure=True)}
            if draw(st.integers(0, 3)) == 0:
                moment = draw(st.sampled_from([HookOn.SUCCESS, HookOn.FAILURE, HookOn.END, HookOn.ROLLBACK]))
                extra["hooks"] = (Hook(moment, task("h").call),)
            if draw(st.integers(0, 5)) == 0:
                extra |= {"role": Role.EXIT, "rule": TriggerRule.ALL_SUCCESS}
                extra.pop("inputs", None)
                needs = ()
        made.append(task(KEYS[at], *needs, **extra))
    return made


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
