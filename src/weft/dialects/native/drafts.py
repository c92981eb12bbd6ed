"""Nodes in the making: what a ``@dag``'s body fills in before its group is complete.

A ``Node`` is frozen; while the body runs, order, rules and roles are still being said, after the task was
called. A ``Draft`` collects them, and ``build`` makes the node.
"""

import os
import sys
from typing import Any

import msgspec

from weft.model.graph import Branch, MapSpec, Node, Role
from weft.model.inputs import AllOf, Condition, Input
from weft.model.rules import Depends, TriggerRule

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PYTHON = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


class Draft:
    """A node that is not complete yet.

    Attributes:
        node: The task's own node: its call and its policies.
        key: Its key in the group.
        path: The visual groups around it.
        home: The trace that it belongs to.
        where: The user's line that made it.
        inputs: What it reads.
        needs: Drafts that come before it without giving a value, in order.
        terms: Conditions that must hold.
        rule: Its trigger rule; ``None`` is the usual one for its role.
        scope: Of a teardown: its setups.
        fails_group: Whether its failure counts for its group; ``None``: as its role says.
        tolerated: Keys whose failure its inputs accept.
    """

    __slots__ = (
        "branch",
        "fails_group",
        "home",
        "inputs",
        "key",
        "map",
        "needs",
        "node",
        "path",
        "role",
        "rule",
        "scope",
        "terms",
        "tolerated",
        "where",
    )

    def __init__(
        self, node: Node, key: str, path: tuple[str, ...], terms: tuple[Condition, ...], home: object
    ) -> None:
        self.node = node
        self.key = key
        self.path = path
        self.home = home
        self.where = user_line()
        self.inputs: dict[str, Input] = {}
        self.needs: dict[str, Draft] = {}
        self.terms = terms
        self.rule: TriggerRule | Depends | None = None
        self.role = Role.WORK
        self.scope: dict[str, Draft] = {}
        self.branch: Branch | None = node.branch
        self.fails_group: bool | None = None
        self.map: MapSpec | None = None
        self.tolerated: set[str] = set()

    def __repr__(self) -> str:
        return f"<Draft {self.key}>"

    def build(self) -> Node:
        """The node."""
        changes: dict[str, Any] = {
            "key": self.key,
            "inputs": self.inputs,
            "needs": tuple(self.needs),
            "rule": self._rule(),
            "branch": self.branch,
            "map": self.map,
            "role": self.role,
            "scope": tuple(self.scope),
            "path": self.path,
            "fails_group": self.fails_group,
        }
        if self.terms:
            changes["when"] = self.terms[0] if len(self.terms) == 1 else AllOf(self.terms)
        return msgspec.structs.replace(self.node, **changes)

    def _rule(self) -> TriggerRule | Depends:
        if self.rule is not None:
            return self.rule
        if self.role is Role.TEARDOWN:
            return TriggerRule.ALL_DONE_SETUP_SUCCESS
        if self.role is Role.EXIT or self.tolerated:
            return TriggerRule.ALL_DONE
        return TriggerRule.ALL_SUCCESS


def user_line() -> str:
    """``file:line`` of the user's code that is being run: the nearest caller that is not ours or Python's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_ours(file: str) -> bool:
    return file.startswith(_HERE) or (file.startswith(_PYTHON) and "site-packages" not in file)
