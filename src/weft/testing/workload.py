"""Random workflows: graphs with everything that a graph can hold, and scripts of dynamic flows.

What a fake attempt returns follows from the name of the function that it would call (``RETURNS``), so that
maps, branches and conditions downstream find values that they can use.
"""

from random import Random
from typing import Any

import msgspec

from weft.model.calls import Call, GroupCall, MarkCall, PythonCall, WaitCall
from weft.model.graph import (
    MAIN,
    Branch,
    Declared,
    Graph,
    Group,
    Hook,
    HookOn,
    MapMode,
    MapSpec,
    Node,
    Outcome,
    Parameter,
    Role,
)
from weft.model.inputs import AllOf, Compare, Const, Expr, Fact, Input, Item, NotOf, Output, Param, When
from weft.model.policies import Backoff, Cache, Concurrency, Placement, RateLimit, Retry, Timeout
from weft.model.rules import All, Depends, Is, Not, TriggerRule
from weft.model.rules import Any as AnyRule
from weft.model.states import TaskState
from weft.model.values import NONE, Result
from weft.model.waits import ApprovalWait, EventWait, TimerWait, Wait

LANGUAGE = "sim"
"""The expression language of these workflows: ``less`` is its only reference less one, all else is that."""

RETURNS: dict[str, Any] = {
    "int": 7,
    "flag": True,
    "none": None,
    "list0": [],
    "list2": [1, 2],
    "list5": [5] * 5,
}

POOLS = {"narrow": 1, "wide": 3}
KEYS = (Concurrency("a", 1), Concurrency("b", 2))
EVENTS = ("green", "blue")
EXECUTORS = ("thread", "pool", "cluster")

_ENDS = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.SKIPPED, TaskState.CANCELLED)


class Op(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a flow's script.

    Attributes:
        key: The call's key under the flow; "" of a step that only waits.
        node: What is called.
        items: Of a ``.map``.
        reads: Earlier steps whose results are arguments.
        joins: Earlier steps whose end the body waits for.
        numbered: Whether the call has a place in the journal; else its key was chosen by the user.
        tolerant: Whether the body and the call accept that what they read failed.
    """

    key: str = ""
    node: Node | None = None
    items: tuple[Result, ...] | None = None
    reads: tuple[int, ...] = ()
    joins: tuple[int, ...] = ()
    numbered: bool = True
    tolerant: bool = False


class Workload:
    """Graphs to run, and the scripts of the flows in them, by name."""

    def __init__(self, rng: Random, graphs: int = 3, *, crowded: bool = False) -> None:
        self.scripts: dict[str, tuple[Op, ...]] = {}
        self._rng = rng
        self._limited = 4.0 if crowded else 1.0
        self._names = 0
        self.graphs = [self._flow_graph() if self._chance(0.4) else self._dag() for _ in range(graphs)]

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"

    # --- graphs -------------------------------------------------------------------------------------------

    def _dag(self) -> Graph:
        groups: dict[str, Group] = {}
        groups[MAIN] = self._group(groups, depth=0)
        name = self._name("dag")
        return Graph(
            workflow=name,
            root=Node(key=name, call=GroupCall(MAIN), retry=self._retry(0.1), hooks=self._hooks(0.1)),
            groups=groups,
            max_active=self._rng.choice((None, None, None, 1, 3)),
            timeout_s=self._rng.choice((None, None, None, None, 300.0)),
        )

    def _flow_graph(self) -> Graph:
        groups: dict[str, Group] = {"side": self._group({}, depth=2)}
        name = self._script(depth=0, groups=("side",))
        root = Node(
            key=name, call=PythonCall("sim", name, flow=True), retry=self._retry(0.3), hooks=self._hooks(0.1)
        )
        return Graph(
            workflow=name, root=root, groups=groups, max_active=self._rng.choice((None, None, None, 2))
        )

    def _group(self, groups: dict[str, Group], depth: int) -> Group:
        rng = self._rng
        nodes: list[Node] = []
        for at in range(rng.randint(1, 6 if depth == 0 else 4)):
            nodes.append(self._node(f"n{at}", nodes, groups, depth))
        if self._chance(0.15):
            self._wrap(nodes)
        if self._chance(0.2):
            nodes.append(
                Node(
                    key="exit",
                    call=self._python(),
                    role=Role.EXIT,
                    inputs={"how": Fact("status")},
                    fails_group=rng.choice((None, True)),
                )
            )
            if self._chance(0.3):
                nodes.append(Node(key="exit2", call=self._python(), role=Role.EXIT, needs=("exit",)))
        ends = [node.key for node in nodes if node.role is Role.WORK]
        returns = Output(rng.choice(ends)) if ends and self._chance(0.4) else None
        return Group(
            nodes=tuple(nodes),
            params=(Parameter("n", default=Result("msgpack", b"\x02", None, 1)),),
            returns=returns,
            outcome=rng.choice((Outcome.LEAVES, Outcome.ALL)),
            fail_fast=self._chance(0.15),
            max_active=rng.choice((None, None, None, 1, 2)),
        )

    def _wrap(self, nodes: list[Node]) -> None:
        """Put a setup before the work and a teardown after it."""
        first = [node.key for node in nodes if not node.needs and not node.inputs]
        nodes.insert(0, Node(key="setup", call=self._python(), role=Role.SETUP))
        for at, node in enumerate(nodes):
            if node.key in first and isinstance(node.rule, TriggerRule):
                nodes[at] = msgspec.structs.replace(node, needs=("setup",))
        work = tuple(node.key for node in nodes if node.role is Role.WORK)
        nodes.append(
            Node(
                key="teardown",
                call=self._python(),
                role=Role.TEARDOWN,
                needs=("setup", *work),
                scope=("setup",),
                rule=TriggerRule.ALL_DONE_SETUP_SUCCESS,
            )
        )

    def _node(self, key: str, before: list[Node], groups: dict[str, Group], depth: int) -> Node:
        rng = self._rng
        earlier = [node.key for node in before]
        chosen = rng.sample(earlier, min(len(earlier), rng.choice((0, 1, 1, 1, 2, 2, 3))))
        call = self._call(groups, depth)
        inputs: dict[str, Input] = {}
        needs: list[str] = []
        for each in chosen:
            if self._chance(0.5):
                inputs[f"x{each}"] = Output(each, allow_failure=self._chance(0.3))
            else:
                needs.append(each)
        if self._chance(0.05):
            inputs["e"] = Expr(LANGUAGE, "same", {"n": Param("n")})
        if isinstance(call, GroupCall):
            inputs["n"] = Expr(LANGUAGE, "less", {"n": Param("n")})
        node = Node(
            key=key,
            call=call,
            inputs=inputs,
            needs=tuple(needs),
            rule=self._rule(chosen),
            when=self._when(call, chosen),
            map=self._map(before, call),
            priority=rng.choice((0, 0, 0, 5, -3)),
            retry=self._retry(0.3, forever=isinstance(call, PythonCall) and not call.flow),
            hooks=self._hooks(0.08),
            fails_group=rng.choice((None, None, None, True, False)),
            pools=self._pools(0.15),
            concurrency=(rng.choice(KEYS),) if self._chance(0.12 * self._limited) else (),
            rate_limits=(RateLimit("r", 2, 5.0),) if self._chance(0.08 * self._limited) else (),
        )
        if isinstance(call, PythonCall) and not call.flow:
            node = self._of_python(node)
        return node

    def _of_python(self, node: Node) -> Node:
        """Policies that only make sense where an attempt is made."""
        rng = self._rng
        branch = rng.choice(tuple(Branch)) if self._chance(0.12) and node.map is None else None
        daemon = branch is None and node.map is None and self._chance(0.06)
        outputs: tuple[Declared, ...] = ()
        if self._chance(0.08):
            outputs = (Declared("target", check=PythonCall("sim", "check")),)
        executor = rng.choice(("", *EXECUTORS)) if not self._chance(0.01) else "nowhere"
        changes: dict[str, Any] = {
            "branch": branch,
            "daemon": daemon,
            "outputs": outputs if not daemon and branch is None else (),
            "placement": Placement(executor=executor),
            "timeout": self._timeout(),
            "cache": Cache(key=rng.choice(("", "k")), ttl_s=60.0) if self._chance(0.1) else None,
        }
        if daemon:
            changes["call"] = PythonCall("sim", "daemon")
            changes["cache"] = None
        return msgspec.structs.replace(node, **changes)

    def _call(self, groups: dict[str, Group], depth: int) -> Call:
        share = self._rng.random()
        if share < 0.14 and depth < 2:
            if depth and groups and self._chance(0.3):
                return GroupCall(MAIN)  # Recursion, ended by the parameter that counts down.
            name = self._name("group")
            groups[name] = self._group(groups, depth + 1)
            return GroupCall(name)
        if share < 0.20:
            return WaitCall(self._wait())
        if share < 0.23:
            return MarkCall()
        if share < 0.28 and depth < 2:
            return PythonCall("sim", self._script(depth=2), flow=True)
        return self._python()

    def _python(self) -> PythonCall:
        return PythonCall("sim", self._rng.choice((*RETURNS, "int", "flaky", "flaky", "poke", "boom")))

    def _wait(self) -> Wait:
        rng = self._rng
        kind = rng.random()
        if kind < 0.5:
            return TimerWait(delay_s=rng.choice((0.0, 1.0, 40.0)))
        if kind < 0.8:
            timeout = rng.choice((None, 30.0))
            return EventWait(rng.choice(EVENTS), timeout_s=timeout, optional=self._chance(0.5))
        return ApprovalWait(timeout_s=rng.choice((None, 50.0)), default=rng.choice(("", "approve")))

    def _rule(self, chosen: list[str]) -> TriggerRule | Depends:
        if not chosen or self._chance(0.65):
            return TriggerRule.ALL_SUCCESS
        if self._chance(0.25):
            return self._depends(chosen)
        return self._rng.choice(tuple(TriggerRule))

    def _depends(self, chosen: list[str]) -> Depends:
        rng = self._rng
        terms: list[Depends] = []
        for each in chosen:
            states = frozenset(rng.sample(_ENDS, rng.randint(1, 3)))
            term: Depends = Is(each, states, rng.choice(("", "", "any", "all")))
            terms.append(Not(term) if self._chance(0.2) else term)
        return terms[0] if len(terms) == 1 else rng.choice((All, AnyRule))(tuple(terms))

    def _when(self, call: Call, chosen: list[str]) -> Any:
        if isinstance(call, GroupCall):
            # Without this a recursion would not end.
            deeper = Compare(">", Param("n"), Const(Result("msgpack", b"\x00", None, 1)))
            return (
                AllOf((deeper, When(Expr(LANGUAGE, "same", {"n": Param("n")}))))
                if self._chance(0.2)
                else deeper
            )
        if chosen and self._chance(0.08):
            read = Compare("truthy", Output(self._rng.choice(chosen), allow_failure=True))
            return NotOf(read) if self._chance(0.3) else read
        return None

    def _map(self, before: list[Node], call: Call) -> MapSpec | None:
        rng = self._rng
        if not self._chance(0.18) or isinstance(call, MarkCall):
            return None
        lists = [
            node.key
            for node in before
            if node.map is None
            and isinstance(node.call, PythonCall)
            and node.call.qualname.startswith("list")
        ]
        common: dict[str, Any] = {
            "max_active": rng.choice((None, None, 1, 2)),
            "empty": rng.choice(("skip", "succeed")),
            "fail_fast": self._chance(0.2),
            "tolerate": rng.choice((0, 0, 1)),
            "chain": self._chance(0.1),
            "max_items": rng.choice((None, None, None, 3)),
        }
        if lists and self._chance(0.7):
            one = Output(rng.choice(lists))
            if self._chance(0.3):
                two = Const(Result("msgpack", b"\x92\x01\x02", None, 3))
                return MapSpec(mode=MapMode.PRODUCT, over={"a": one, "b": two}, **common)
            return MapSpec(over={"": one}, **common)
        if self._chance(0.3):
            return MapSpec(fixed=(NONE,) * rng.randint(0, 4), **common)
        return MapSpec(mode=MapMode.SEQUENCE, count=Const(_int(rng.choice((0, 1, 3, 9)))), **common)

    # --- policies -----------------------------------------------------------------------------------------

    def _retry(self, share: float, *, forever: bool = False) -> Retry | None:
        """A policy; ``forever``: perhaps without a limit, for what cannot fail each time."""
        rng = self._rng
        if not self._chance(share):
            return None
        return Retry(
            limit=rng.choice((1, 2, 4, -1 if forever else 3)),
            delay_s=rng.choice((0.0, 0.0, 1.0, 20.0)),
            backoff=rng.choice((Backoff.FIXED, Backoff.EXPONENTIAL)),
            max_delay_s=60.0,
            jitter=rng.choice((0.0, 0.5)),
            lost_limit=rng.choice((0, 3, 3)),
        )

    def _pools(self, share: float) -> dict[str, int]:
        rng = self._rng
        if not self._chance(share * self._limited):
            return {}
        names = rng.sample(tuple(POOLS), rng.choice((1, 1, 1, 2)))
        return {name: rng.choice((1, 1, 2)) for name in names}

    def _timeout(self) -> Timeout | None:
        if not self._chance(0.12):
            return None
        rng = self._rng
        return Timeout(queued_s=rng.choice((None, 5.0, 60.0)), total_s=rng.choice((None, 10.0, 100.0)))

    def _hooks(self, share: float) -> tuple[Hook, ...]:
        if not self._chance(share):
            return ()
        moments = self._rng.sample(tuple(HookOn), self._rng.randint(1, 3))
        return tuple(Hook(on=each, call=self._python()) for each in moments)

    # --- flows --------------------------------------------------------------------------------------------

    def _script(self, depth: int, groups: tuple[str, ...] = ()) -> str:
        """Write a flow's script, and return its name."""
        rng = self._rng
        name = self._name("flow")
        ops: list[Op] = []
        calls: list[int] = []
        for _ in range(rng.randint(1, 7 if depth == 0 else 3)):
            if calls and self._chance(0.3):
                joined = tuple(rng.sample(calls, rng.randint(1, min(3, len(calls)))))
                ops.append(Op(joins=joined, tolerant=self._chance(0.5)))
                continue
            calls.append(len(ops))
            ops.append(self._op(len(ops), calls[:-1], depth, groups))
            if self._chance(0.4):
                ops.append(Op(joins=(calls[-1],), tolerant=self._chance(0.5)))
        if self._chance(0.7):
            ops.append(Op(joins=tuple(calls), tolerant=self._chance(0.5)))
        self.scripts[name] = tuple(ops)
        return name

    def _op(self, at: int, calls: list[int], depth: int, groups: tuple[str, ...]) -> Op:
        rng = self._rng
        share = rng.random()
        call: Call
        if share < 0.2 and depth < 2:
            call = PythonCall("sim", self._script(depth + 1), flow=True)
        elif share < 0.28 and groups:
            call = GroupCall(rng.choice(groups))
        elif share < 0.36:
            call = WaitCall(self._wait())
        elif share < 0.42:
            call = MarkCall()
        else:
            call = self._python()
        items: tuple[Result, ...] | None = None
        inputs: dict[str, Input] = {}
        if not isinstance(call, MarkCall | WaitCall) and self._chance(0.2):
            items = (NONE,) * rng.choice((0, 1, 3, 6))
            inputs["item"] = Item()
        spec = None
        if items is not None:
            spec = MapSpec(fixed=(), tolerate=rng.choice((0, 1)), fail_fast=self._chance(0.2))
        attempted = isinstance(call, PythonCall) and not call.flow
        node = Node(
            key=f"c{at}",
            call=call,
            inputs=inputs,
            map=spec,
            retry=self._retry(0.25, forever=attempted),
            hooks=self._hooks(0.06),
            timeout=self._timeout() if attempted else None,
            cache=Cache(ttl_s=60.0) if attempted and self._chance(0.08) else None,
            pools=self._pools(0.1) if isinstance(call, PythonCall) else {},
            concurrency=(rng.choice(KEYS),) if isinstance(call, PythonCall) and self._chance(0.08) else (),
            placement=Placement(executor=rng.choice(("", *EXECUTORS))),
        )
        reads = tuple(rng.sample(calls, min(len(calls), rng.choice((0, 0, 1, 1, 2)))))
        return Op(
            key=f"{node.key}-1" if self._chance(0.8) else f"chosen{at}",
            node=node,
            items=items,
            reads=() if isinstance(call, MarkCall | WaitCall) else reads,
            numbered=self._chance(0.85),
            tolerant=self._chance(0.4),
        )


def _is_list(call: Call) -> bool:
    return isinstance(call, PythonCall) and call.qualname.startswith("list")


def _int(number: int) -> Result:
    return Result("msgpack", bytes([number]), None, 1)


def evaluate(expression: Expr, values: dict[str, Any]) -> Any:
    """The evaluator of ``LANGUAGE``."""
    value: Any = next(iter(values.values()))
    return value - 1 if expression.text == "less" else value
