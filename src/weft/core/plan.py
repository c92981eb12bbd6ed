"""A group's edges by position: what the core needs of a group, worked out once for all its instances."""

from collections.abc import Mapping

from weft.core.policies.rules import DECIDE
from weft.model.edges import circle, upstream_of
from weft.model.errors import CycleError, UnknownReference
from weft.model.graph import Graph, Group, Node, Role
from weft.model.inputs import Const, Expr, Item
from weft.model.rules import TriggerRule


class Plan:
    """A group, compiled.

    Attributes:
        group: The group.
        nodes: Its nodes by position.
        position: Key to position.
        up, down: For each position, the positions directly before and after it.
        leaves: Positions whose end decides the group's, with ``Outcome.LEAVES``.
        exits: Positions of exit handlers; they are outside all the rest.
        traits: The traits of each node.
        setups: For each position, how many of the positions directly before it are setups.
        work: How many nodes must end before the exit handlers start.
    """

    __slots__ = (
        "down",
        "exits",
        "group",
        "leaf_set",
        "leaves",
        "nodes",
        "position",
        "setups",
        "traits",
        "up",
        "work",
    )

    def __init__(self, group: Group) -> None:
        self.group = group
        self.nodes = group.nodes
        self.position = {node.key: at for at, node in enumerate(group.nodes)}
        self.up: list[tuple[int, ...]] = []
        down: list[list[int]] = [[] for _ in group.nodes]
        for at, node in enumerate(group.nodes):
            before: dict[int, None] = {}
            for key in upstream_of(node):
                if key not in self.position:
                    raise UnknownReference(
                        f"{node.key!r} needs {key!r}, which is not in its group",
                        where=node.key,
                        hint=f"nodes here: {', '.join(self.position)}",
                    )
                before[self.position[key]] = None
            self.up.append(tuple(before))
            for each in before:
                down[each].append(at)
        self.down = [tuple(each) for each in down]
        self.traits = [traits_of(node) for node in group.nodes]
        roles = [node.role is Role.SETUP for node in group.nodes]
        self.setups = [sum(roles[before] for before in each) for each in self.up] if any(roles) else None
        self.exits = tuple(at for at, node in enumerate(group.nodes) if node.role is Role.EXIT)
        self.work = len(group.nodes) - len(self.exits)
        self.leaves = tuple(at for at in range(len(group.nodes)) if self._is_leaf(at))
        self.leaf_set = frozenset(self.leaves)
        self._refuse_cycles()

    def _is_leaf(self, at: int) -> bool:
        node = self.nodes[at]
        if not counts_for_group(node):
            return False
        return not any(counts_for_group(self.nodes[after]) for after in self.down[at])

    def _refuse_cycles(self) -> None:
        keys = [self.nodes[each].key for each in circle(self.up)]
        if keys:
            raise CycleError(
                "tasks need each other in a circle: " + " -> ".join(keys),
                where=keys[0],
                hint="remove one of these edges",
                cycle=keys,
            )

    def reachable(self, start: int) -> set[int]:
        """Positions after ``start``, at any distance."""
        found: set[int] = set()
        pending = list(self.down[start])
        while pending:
            at = pending.pop()
            if at not in found:
                found.add(at)
                pending.extend(self.down[at])
        return found


def counts_for_group(node: Node) -> bool:
    """Whether the node's end is part of its group's outcome."""
    if node.fails_group is not None:
        return node.fails_group
    return node.role is Role.WORK or node.role is Role.SETUP


def prefix_of(key: str, kind: str, attempt: int) -> str:
    """How the keys begin of the nodes in an instance of a group: each attempt of the group has its own."""
    if attempt > 1:
        return f"{key}~{attempt}."
    return "" if kind == "root" else f"{key}."


def limits_any(groups: Mapping[str, Group]) -> bool:
    """Whether one of the groups bounds how many of its task runs are live."""
    return any(group.max_active is not None for group in groups.values())


class Compiled:
    """A graph with its plans: made once for all runs of a workflow version."""

    __slots__ = ("_plans", "graph", "limited")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # Whether any limit but the nodes' own can hold: most graphs have none, and need not look.
        self.limited = graph.max_active is not None or limits_any(graph.groups)
        self._plans: dict[str, Plan] = {}

    def plan(self, group: str) -> Plan:
        """The plan of one of the graph's groups."""
        plan = self._plans.get(group)
        if plan is None:
            plan = self._plans[group] = Plan(self.graph.groups[group])
        return plan


class Traits:
    """What the core asks of a node again and again, worked out once."""

    __slots__ = ("decide", "limits", "prepares", "prepares_items", "rates", "tries")

    def __init__(self, node: Node) -> None:
        self.decide = DECIDE[node.rule] if isinstance(node.rule, TriggerRule) else None
        spec = node.map
        in_items = node.when is not None and spec is not None and _reads_item(node.when)
        self.prepares = (
            (spec is not None and spec.fixed is None)
            or (node.when is not None and not in_items)
            or (spec is None and _per_attempt(node))
        )
        self.prepares_items = spec is not None and (in_items or _per_attempt(node))
        limits: list[tuple[str, int]] = [(f"pool:{name}", slots) for name, slots in node.pools.items()]
        limits += [(f"key:{each.key}", 1) for each in node.concurrency]
        # In one order for all nodes: of two that need the same two limits, neither waits for the other.
        self.limits = tuple(sorted(limits))
        self.rates = tuple(sorted(node.rate_limits, key=lambda rate: rate.key))
        self.tries = 1 if node.retry is None else (-1 if node.retry.limit < 0 else node.retry.limit + 1)


def traits_of(node: Node) -> Traits:
    """The traits of a node; the many nodes without policies share theirs."""
    plain = (
        node.rule is TriggerRule.ALL_SUCCESS
        and node.map is None
        and node.when is None
        and node.retry is None
        and not node.pools
        and not node.concurrency
        and not node.rate_limits
        and not _per_attempt(node)
    )
    if not plain:
        return Traits(node)
    if not _PLAIN:
        _PLAIN.append(Traits(node))
    return _PLAIN[0]


_PLAIN: list[Traits] = []


def _per_attempt(node: Node) -> bool:
    """Whether each task run of the node must be prepared by itself."""
    return node.cache is not None or any(isinstance(each, Expr) for each in node.inputs.values())


def _reads_item(source: object) -> bool:
    if isinstance(source, Item):
        return True
    if isinstance(source, Const) or not hasattr(source, "__struct_fields__"):
        return False
    for name in source.__struct_fields__:
        value = getattr(source, name)
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        if any(_reads_item(part) for part in parts):
            return True
    return False
