"""Random workflows for the core's tests."""

from typing import Any

from core_graphs import call, const, dag, group, out, task
from hypothesis import strategies as st

from weft.model.calls import WaitCall
from weft.model.graph import Graph, Hook, HookOn, MapSpec, Node, Role
from weft.model.policies import Concurrency, RateLimit, Retry
from weft.model.rules import TriggerRule
from weft.model.waits import TimerWait

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
