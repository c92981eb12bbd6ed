"""A graph's identity: equal definitions have equal digests, in every process and in every version of Python.

The order of a set's members and of a mapping's keys depends on the process or on chance, so both are sorted
before they are hashed. One order has a meaning, that of the names of a ``product`` map (the last one runs
fastest): it is hashed as well.
"""

from hashlib import sha256

import msgspec

from weft.model.graph import Graph, MapMode, Node

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def digest(graph: Graph) -> str:
    """The content hash of a graph: SHA-256, hex.

    It is that of the graph's msgpack with sorted keys and members; only if a map makes the product of
    several inputs is their order added.
    """
    hashed = sha256(_encode(graph))
    orders = [
        (name, node.key, *node.map.over)
        for name, nodes in _nodes(graph)
        for node in nodes
        if node.map is not None and node.map.mode is MapMode.PRODUCT and len(node.map.over) > 1
    ]
    if orders:
        hashed.update(_encode(orders))
    return hashed.hexdigest()


def _nodes(graph: Graph) -> list[tuple[str, tuple[Node, ...]]]:
    """The graph's nodes by group, in an order of its own."""
    groups = {**graph.root.groups, **graph.groups}
    return [("", (graph.root,)), *((name, groups[name].nodes) for name in sorted(groups))]
