"""Which node a task row is a task run of."""

from collections.abc import Callable, Mapping

from weft.model.calls import GroupCall
from weft.model.graph import Graph, Group, Node
from weft.model.rows import Snapshot, TaskRow


class NodesByRow:
    """The nodes of a run's task rows.

    Args:
        graph: The run's graph.
        nodes: What its flows added, by digest.
        row: The row of an index.
    """

    def __init__(self, graph: Graph, nodes: Mapping[str, Node], row: Callable[[int], TaskRow | None]) -> None:
        self._graph = graph
        self._nodes = nodes
        self._row = row
        self._groups: dict[int, dict[str, Node]] = {}

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> "NodesByRow":
        """The nodes of a run that was loaded whole."""
        rows = {row.idx: row for row in snapshot.tasks}
        return cls(snapshot.graph, snapshot.nodes, rows.get)

    def of(self, row: TaskRow) -> Node:
        """The node that a row is a task run of."""
        if row.kind == "root":
            return self._graph.root
        if row.kind == "node":
            holder = self._holder(row)
            call = self.of(holder).call
            assert isinstance(call, GroupCall)
            group = self.groups_of(holder)[call.group]
            known = self._groups.get(id(group))
            if known is None:
                known = self._groups[id(group)] = {node.key: node for node in group.nodes}
            return known[row.node]
        if row.kind == "item":
            return self.of(self._holder(row))
        return self._nodes[row.node]

    def groups_of(self, row: TaskRow) -> Mapping[str, Group]:
        """The groups that a row's task run may call: its own or a holder's, if they came with a call."""
        at: TaskRow | None = row
        while at is not None:
            if at.kind == "call" and self._nodes[at.node].groups:
                return self._nodes[at.node].groups
            at = self._row(at.parent)
        return self._graph.groups

    def _holder(self, row: TaskRow) -> TaskRow:
        holder = self._row(row.parent)
        assert holder is not None
        return holder
