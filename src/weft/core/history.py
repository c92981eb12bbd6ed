"""What must hold of everything that was committed: invariants I1, I2, I6, I7, I8 and I10 over the log.

A ``History`` is fed the changes in the order in which they were committed and folds them; each change is
held against the row that it changes. ``weft verify`` feeds it the event log of a live store, the simulation
what each commit held.
"""

from collections.abc import Mapping
from typing import NoReturn

from weft.core.changes import Cause, Change, MapExpanded, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.core.fold import Folded, apply
from weft.core.plan import Plan
from weft.core.policies.rules import DECIDE, Counts, Decision, holds
from weft.core.transitions import RUN, TASK
from weft.model.calls import GroupCall
from weft.model.errors import InvariantViolation
from weft.model.graph import Graph, Group, Node, Role
from weft.model.rows import RunRow, TaskRow
from weft.model.rules import TriggerRule
from weft.model.states import LIVE, RUN_TERMINAL, TERMINAL, TaskState

_T = TaskState
_BY_A_PERSON = (Cause.MARKED, Cause.CLEARED)


class History:
    """The committed changes of any number of runs, checked as they come.

    Args:
        graphs: By digest. A run whose graph is not here is checked for everything but I7.

    Attributes:
        state: The fold so far.
    """

    def __init__(self, graphs: Mapping[str, Graph] | None = None) -> None:
        self.state = Folded()
        self._graphs = graphs if graphs is not None else {}
        self._plans: dict[tuple[str, str], Plan] = {}
        self._children: dict[tuple[int, int], dict[str, TaskRow]] = {}
        self._open: dict[int, set[int]] = {}

    def feed(self, change: Change) -> None:
        """Check one change, and fold it in.

        Raises:
            InvariantViolation: It must not follow what came before it.
        """
        if isinstance(change, TaskChanged):
            row = self.state.tasks.get((change.run, change.idx))
            if row is not None:
                self._task(row, change)
        elif isinstance(change, RunChanged):
            run = self.state.runs.get(change.run)
            if run is not None:
                self._run(run, change)
        elif isinstance(change, MapExpanded):
            self._map(change)
        apply(self.state, change)
        if isinstance(change, TaskAdded):
            row = self.state.tasks[change.run, change.idx]
            self._children.setdefault((change.run, change.parent), {})[change.key] = row
            self._open[change.run].add(change.idx)
        elif isinstance(change, TaskChanged):
            held = self._open[change.run]
            if change.state in TERMINAL:
                held.discard(change.idx)
            else:
                held.add(change.idx)
        elif isinstance(change, RunAdded):
            self._open[change.run] = set()

    def takes_slots(self, row: TaskRow) -> bool:
        """Whether a live task run of this row holds slots: flows, groups and maps hold others instead."""
        graph = self._graphs.get(self.state.runs[row.run].graph)
        node = None if graph is None else self._node(graph, row)
        if node is None or isinstance(node.call, GroupCall) or getattr(node.call, "flow", False):
            return False
        return node.map is None or row.kind == "item"

    # --- runs ---------------------------------------------------------------------------------------------

    def _run(self, row: RunRow, change: RunChanged) -> None:
        where = f"run {row.run}"
        if change.state not in RUN[row.state]:
            name = "I10" if row.state in RUN_TERMINAL else "I6"
            _broken(name, f"a run went from {row.state} to {change.state}", where, row.run)
        if change.state in RUN_TERMINAL and self._open[row.run]:
            idx = min(self._open[row.run])
            task = self.state.tasks[row.run, idx]
            what = f"the run {change.state}, and its task run {task.key!r} is {task.state}"
            _broken("I1", what, where, row.run, idx)

    # --- task runs ----------------------------------------------------------------------------------------

    def _task(self, row: TaskRow, change: TaskChanged) -> None:
        old, new = row.state, change.state
        where = f"run {row.run}, task run {row.idx} {row.key!r}"
        if self.state.runs[row.run].state in RUN_TERMINAL and change.cause not in _BY_A_PERSON:
            _broken("I10", f"it went to {new} after its run had ended", where, row.run, row.idx)
        if change.attempt < row.attempt:
            what = f"attempt {change.attempt} follows attempt {row.attempt}"
            _broken("I8", what, where, row.run, row.idx)
        if change.generation < row.generation:
            what = f"generation {change.generation} follows generation {row.generation}"
            _broken("I10", what, where, row.run, row.idx)
        if old in TERMINAL and change.generation == row.generation and change.cause not in _BY_A_PERSON:
            name = "I2" if new in TERMINAL else "I10"
            _broken(name, f"it {old}, and then went to {new}", where, row.run, row.idx)
        if new not in TASK[old]:
            _broken("I6", f"it went from {old} to {new}", where, row.run, row.idx)
        if new is _T.QUEUED and change.attempt != row.attempt + 1:
            what = f"attempt {change.attempt} begins after attempt {row.attempt}"
            _broken("I8", what, where, row.run, row.idx)
        if new is _T.SUCCEEDED and change.cause not in _BY_A_PERSON:
            self._items(row, where)
        if row.kind == "node" and (new is _T.QUEUED or (new is _T.RUNNING and old not in LIVE)):
            self._upstream(row, where)
        elif row.kind == "call" and new is _T.QUEUED:
            self._reads(row, where)

    def _map(self, change: MapExpanded) -> None:
        """A map's items stay what they are (I1)."""
        known = self.state.maps.get((change.run, change.idx))
        begun = self.state.tasks[change.run, change.idx].state is not _T.PENDING
        again = known is not None and known.generation == change.generation and begun
        if known is not None and (again or known.generation > change.generation):
            what = f"a map that had {known.count} items was given {change.count} others"
            _broken("I1", what, f"run {change.run}, task run {change.idx}", change.run, change.idx)

    def _items(self, row: TaskRow, where: str) -> None:
        """A map succeeds: every item of it must have ended (I1)."""
        spread = self.state.maps.get((row.run, row.idx))
        if spread is None or spread.generation != row.generation:
            return
        for idx in range(spread.base, spread.base + spread.count):
            item = self.state.tasks.get((row.run, idx))
            if item is None or item.state not in TERMINAL:
                what = f"a map succeeded, and its item {idx - spread.base} has not ended"
                _broken("I1", what, where, row.run, idx)

    def _reads(self, row: TaskRow, where: str) -> None:
        """A call starts: what it reads must be there (I7)."""
        # Items of maps have no row before they start, and a stopped map's may never have one.
        for source in row.inputs.values():
            for idx in _read_by(source):
                before = self.state.tasks.get((row.run, idx))
                if before is not None and before.state not in TERMINAL and before.kind != "item":
                    what = f"it starts, and {before.key!r}, which it reads, is {before.state}"
                    _broken("I7", what, where, row.run, row.idx)

    def _upstream(self, row: TaskRow, where: str) -> None:
        """A node starts: its rule must say so of what is committed (I7)."""
        plan = self._plan(row)
        if plan is None or row.node not in plan.position:
            return
        at = plan.position[row.node]
        node = plan.nodes[at]
        siblings = self._children[row.run, row.parent]
        prefix = row.key[: len(row.key) - len(row.node)]
        before = {plan.nodes[each].key: siblings.get(prefix + plan.nodes[each].key) for each in plan.up[at]}
        if any(plan.nodes[each].daemon for each in plan.up[at]):
            return  # A daemon counts from its start to its end, which the states alone do not tell.
        states = {key: _T.PENDING if each is None else each.state for key, each in before.items()}
        if isinstance(node.rule, TriggerRule):
            allowed = _decide(node, plan, at, states) is Decision.RUN
        else:
            # A look into a map's items needs their rows; that the map has ended is checked.
            looks_inside = any(plan.nodes[each].map is not None for each in plan.up[at])
            allowed = all(state in TERMINAL for state in states.values()) and (
                looks_inside or holds(node.rule, lambda key, _: frozenset({states[key]}))
            )
        if not allowed:
            told = ", ".join(f"{key} {state}" for key, state in states.items())
            _broken("I7", f"it starts, and of its upstream is committed: {told}", where, row.run, row.idx)

    def _plan(self, row: TaskRow) -> Plan | None:
        """The plan of the group that a node's task run is in."""
        digest = self.state.runs[row.run].graph
        graph = self._graphs.get(digest)
        if graph is None:
            return None
        holder = self.state.tasks.get((row.run, row.parent))
        node = self._node(graph, holder)
        if node is None or not isinstance(node.call, GroupCall):
            return None
        name = node.call.group
        groups: Mapping[str, Group] = graph.groups
        at = holder
        while at is not None:
            # A flow's call may bring its groups along; those of the nearest one count.
            around = self.state.nodes.get((row.run, at.node)) if at.kind == "call" else None
            if around is not None and around.groups:
                digest, groups = at.node, around.groups
                break
            at = self.state.tasks.get((row.run, at.parent))
        found = self._plans.get((digest, name))
        if found is None:
            found = self._plans[digest, name] = Plan(groups[name])
        return found

    def _node(self, graph: Graph, row: TaskRow | None) -> Node | None:
        """The node of a task run that holds others."""
        if row is None:
            return None
        if row.kind == "root":
            return graph.root
        if row.kind == "item":
            return self._node(graph, self.state.tasks.get((row.run, row.parent)))
        if row.kind == "node":
            plan = self._plan(row)
            return None if plan is None else plan.nodes[plan.position[row.node]]
        return self.state.nodes.get((row.run, row.node))


def _decide(node: Node, plan: Plan, at: int, states: Mapping[str, TaskState]) -> Decision:
    assert isinstance(node.rule, TriggerRule)
    setups = sum(plan.nodes[each].role is Role.SETUP for each in plan.up[at])
    counts = Counts(len(states), setups)
    for key, state in states.items():
        if state in TERMINAL:
            counts.add(state, setup=plan.nodes[plan.position[key]].role is Role.SETUP)
    return DECIDE[node.rule](counts)


def _read_by(source: object) -> list[int]:
    """Indexes of the task runs that a call's input reads."""
    idx = getattr(source, "idx", None)
    if isinstance(idx, int):
        return [idx]
    return [each for ref in getattr(source, "refs", ()) or () for each in _read_by(ref)]


def _broken(invariant: str, what: str, where: str, run: int, idx: int = -1) -> NoReturn:
    raise InvariantViolation(f"{invariant}: {what}", where=where, invariant=invariant, run=run, idx=idx)
