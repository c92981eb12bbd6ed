"""Edges between the nodes of a group: which come directly before which, and circles among them."""

from collections.abc import Sequence

from weft.model.graph import Node
from weft.model.inputs import outputs_in
from weft.model.rules import TriggerRule, named


def upstream_of(node: Node) -> list[str]:
    """Keys of the nodes that come directly before this one, in order of mention."""
    keys: dict[str, None] = dict.fromkeys(node.needs)
    sources = list(node.inputs.values())
    if node.map is not None:
        sources += node.map.over.values()
        sources += [
            each for each in (node.map.start, node.map.end, node.map.count, node.map.step) if each is not None
        ]
    for source in sources:
        keys.update(dict.fromkeys(output.node for output in outputs_in(source)))
    if node.when is not None:
        keys.update(dict.fromkeys(output.node for output in outputs_in(node.when)))
    if not isinstance(node.rule, TriggerRule):
        keys.update(dict.fromkeys(named(node.rule)))
    keys.update(dict.fromkeys(node.scope))
    return list(keys)


def circle(up: Sequence[Sequence[int]]) -> list[int]:
    """A circle among positions, in the order in which they wait for each other; empty if there is none.

    ``up`` gives, for each position, those directly before it. The lowest position in the circle comes first,
    and again at the end.
    """
    down: list[list[int]] = [[] for _ in up]
    for at, before in enumerate(up):
        for each in before:
            down[each].append(at)
    unmet = [len(each) for each in up]
    free = [at for at, count in enumerate(unmet) if not count]
    while free:
        for after in down[free.pop()]:
            unmet[after] -= 1
            if not unmet[after]:
                free.append(after)
    within = {at for at, count in enumerate(unmet) if count}
    if not within:
        return []
    path: list[int] = []
    at = min(within)
    while at not in path:
        path.append(at)
        at = next(before for before in up[at] if before in within)
    loop = path[path.index(at) :][::-1]
    first = loop.index(min(loop))
    return [*loop[first:], *loop[:first], loop[first]]
