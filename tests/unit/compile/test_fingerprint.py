"""A graph's digest is the same for equal graphs, in every process, and different for different ones."""

import os
import subprocess
import sys
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from weft.compile.fingerprint import digest
from weft.model.calls import GroupCall, PythonCall
from weft.model.graph import MAIN, Graph, Group, MapMode, MapSpec, Node
from weft.model.inputs import Const
from weft.model.policies import Retry
from weft.model.rules import Is
from weft.model.states import TaskState
from weft.model.values import NONE, Result

STATES = frozenset(TaskState)


def graph(**extra: Any) -> Graph:
    """A small graph with sets and mappings in it."""
    node = Node(
        key="a",
        call=PythonCall("m", "f"),
        inputs={"x": Const(NONE), "y": Const(NONE)},
        rule=Is("b", STATES),
        pools={"p": 1, "q": 2},
    )
    main = Group(nodes=(replace(node, **extra), Node(key="b", call=PythonCall("m", "g"))))
    return Graph(workflow="w", root=Node(key="w", call=GroupCall(MAIN)), groups={MAIN: main})


def test_a_digest_is_the_hash_of_the_graphs_sorted_msgpack() -> None:
    """Anyone can compute it without this module."""
    body = msgspec.msgpack.encode(graph(), order="deterministic")
    assert digest(graph()) == sha256(body).hexdigest()


def test_the_order_of_mappings_does_not_matter() -> None:
    """Two definitions that mean the same have one digest."""
    assert digest(graph(pools={"q": 2, "p": 1})) == digest(graph())


@pytest.mark.parametrize("seed", ["0", "1", "12345"])
def test_a_digest_is_the_same_in_another_process(seed: str) -> None:
    """Neither hash randomisation nor the process decides the order of a set."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_fingerprint as t; "
        "from weft.compile.fingerprint import digest; print(digest(t.graph()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == digest(graph())


def test_any_change_of_meaning_changes_the_digest() -> None:
    """Another policy, another input, another code version."""
    variants = [
        graph(),
        graph(retry=Retry(limit=1)),
        graph(inputs={"x": Const(Result("msgpack", b"\x01", None, 1))}),
        graph(call=PythonCall("m", "f", version="2")),
    ]
    assert len({digest(each) for each in variants}) == len(variants)


def test_the_order_of_a_product_is_part_of_its_meaning() -> None:
    """The last name runs fastest, so the same names in another order make other items."""

    def mapped(mode: MapMode, *names: str) -> Graph:
        return graph(map=MapSpec(mode=mode, over={name: Const(NONE) for name in names}))

    assert digest(mapped(MapMode.PRODUCT, "x", "y")) != digest(mapped(MapMode.PRODUCT, "y", "x"))
    assert digest(mapped(MapMode.ZIP, "x", "y")) == digest(mapped(MapMode.ZIP, "y", "x"))


def test_a_digest_survives_storage() -> None:
    """What is read back from a store has the digest under which it was put."""
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(graph()), type=Graph)
    assert digest(stored) == digest(graph())
