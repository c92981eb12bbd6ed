"""Which nodes come before which, and the circles among them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model.calls import PythonCall
from weft.model.edges import circle, upstream_of
from weft.model.graph import MapMode, MapSpec, Node, Role
from weft.model.inputs import (
    AllOf,
    AnyOf,
    Compare,
    Const,
    Expr,
    NotOf,
    Output,
    Template,
    When,
    outputs_in,
)
from weft.model.rules import All, Is, Not
from weft.model.states import TaskState
from weft.model.values import NONE

FAILED = frozenset({TaskState.FAILED})


def test_upstream_is_found_wherever_a_node_names_it_once_and_in_order() -> None:
    """Needs, inputs, the map, the condition, the rule, the scope."""
    inner = When(Expr("j", "", {"r": Output("h")}))
    node = Node(
        key="z",
        call=PythonCall("m", "f"),
        needs=("a", "b"),
        inputs={"x": Output("b"), "y": Template(NONE, (Output("c"), Const(NONE)))},
        map=MapSpec(mode=MapMode.SEQUENCE, count=Output("d"), start=Output("e")),
        when=AllOf((Compare("==", Output("f"), Output("g")), NotOf(AnyOf((inner,))))),
        rule=All((Is("i", FAILED), Not(Is("a", FAILED)))),
        role=Role.TEARDOWN,
        scope=("k",),
    )
    assert upstream_of(node) == ["a", "b", "c", "e", "d", "f", "g", "h", "i", "k"]


def test_outputs_are_found_in_the_order_in_which_they_are_read() -> None:
    """However deep inside templates and expressions."""
    source = Template(
        NONE, (Expr("j", "", {"x": Output("a"), "y": Template(NONE, (Output("b"),))}), Output("c"))
    )
    assert [each.node for each in outputs_in(source)] == ["a", "b", "c"]
    assert outputs_in(Const(NONE)) == []


@pytest.mark.parametrize(
    ("up", "expected"),
    [
        ([[], [0], [0, 1]], []),
        ([[0]], [0, 0]),
        ([[2], [0], [1]], [0, 1, 2, 0]),
        ([[], [0, 3], [1], [2], [3]], [1, 2, 3, 1]),
    ],
)
def test_a_circle_begins_with_its_lowest_position(up: list[list[int]], expected: list[int]) -> None:
    """And walks in the direction in which results flow."""
    assert circle(up) == expected


@given(st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=8, max_size=8))
def test_what_is_called_a_circle_is_one_and_without_one_there_is_an_order(up: list[list[int]]) -> None:
    """Any edges: either each step of the answer is an edge, or all can be put in an order."""
    found = circle(up)
    if found:
        assert found[0] == found[-1]
        assert all(before in up[after] for before, after in pairwise(found))
        return
    placed: set[int] = set()
    while len(placed) < len(up):
        free = {at for at in range(len(up)) if set(up[at]) <= placed} - placed
        assert free
        placed |= free
