"""What is allowed in a graph and looks wrong: for ``weft check``, never an error."""

from collections.abc import Iterator, Mapping

import msgspec

from weft.model.calls import GroupCall
from weft.model.graph import MAIN, Graph, Group, Node


class Advice(msgspec.Struct, frozen=True):
    """One thing to look at. ``rule`` is a stable name for it."""

    rule: str
    what: str
    where: str
    hint: str


def advise(graph: Graph) -> list[Advice]:
    """Everything in a valid graph that its writer may not have meant."""
    groups = {**graph.root.groups, **graph.groups}
    return [*_endless(groups), *_unused(graph.root, groups), *_branches(groups)]


def _endless(groups: Mapping[str, Group]) -> Iterator[Advice]:
    """Groups that call themselves with nothing on the way that could stop it."""
    always: dict[str, list[str]] = {
        name: [node.call.group for node in group.nodes if _calls_always(node, group)]  # type: ignore[union-attr]
        for name, group in groups.items()
    }
    told: set[str] = set()
    for start in sorted(groups):
        pending, seen = list(always[start]), set[str]()
        while pending and start not in told:
            name = pending.pop()
            if name == start:
                told.add(start)
                yield Advice(
                    "endless-recursion",
                    f"the group {start!r} calls itself and nothing can stop it",
                    f"group {start}",
                    "give one of the calls a condition, a branch or a map that may be empty",
                )
            elif name in always and name not in seen:
                seen.add(name)
                pending.extend(always[name])


def _calls_always(node: Node, group: Group) -> bool:
    if not isinstance(node.call, GroupCall) or node.when is not None or node.map is not None:
        return False
    return not any(each.branch is not None for each in group.nodes)


def _unused(root: Node, groups: Mapping[str, Group]) -> Iterator[Advice]:
    """Groups that nothing calls."""
    called = {MAIN}
    for node in (root, *(node for group in groups.values() for node in group.nodes)):
        if isinstance(node.call, GroupCall):
            called.add(node.call.group)
    for name in sorted(set(groups) - called):
        yield Advice(
            "unused-group", f"nothing calls the group {name!r}", f"group {name}", "call it or remove it"
        )


def _branches(groups: Mapping[str, Group]) -> Iterator[Advice]:
    """Branches that decide nothing."""
    for name, group in groups.items():
        for node in group.nodes:
            if node.branch is not None and node.map is not None:
                yield Advice(
                    "mapped-branch",
                    f"{node.key!r} is a branch and a map: its items decide nothing",
                    f"group {name}",
                    "branch on the map's result in a task of its own",
                )
