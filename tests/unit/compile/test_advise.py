"""What is allowed and looks wrong is told, and nothing else is."""

from weft.compile.advise import advise
from weft.model.calls import GroupCall, PythonCall
from weft.model.graph import MAIN, Branch, Graph, Group, MapSpec, Node
from weft.model.inputs import Compare, Const
from weft.model.values import NONE


def graph(*nodes: Node, **groups: Group) -> Graph:
    """A graph whose main group holds the nodes."""
    main = Group(nodes=nodes)
    return Graph(workflow="w", root=Node(key="w", call=GroupCall(MAIN)), groups={MAIN: main, **groups})


def calls(key: str, group: str, **extra: object) -> Node:
    """A node that calls a group."""
    return Node(key=key, call=GroupCall(group), **extra)  # type: ignore[arg-type]  # of the right types


def rules(of: Graph) -> list[str]:
    """The names of what is advised."""
    return [each.rule for each in advise(of)]


def test_recursion_that_nothing_can_stop_is_told() -> None:
    """Directly or through another group; one advice for each group in the circle."""
    assert rules(graph(calls("a", "r"), r=Group(nodes=(calls("again", "r"),)))) == ["endless-recursion"]
    two = graph(calls("a", "p"), p=Group(nodes=(calls("x", "q"),)), q=Group(nodes=(calls("y", "p"),)))
    assert rules(two) == ["endless-recursion", "endless-recursion"]


def test_recursion_that_can_stop_is_fine() -> None:
    """A condition, a map or a branch on the way may end it."""
    when = Compare("truthy", Const(NONE))
    assert rules(graph(calls("a", "r"), r=Group(nodes=(calls("again", "r", when=when),)))) == []
    mapped = calls("again", "r", map=MapSpec(over={"": Const(NONE)}))
    assert rules(graph(calls("a", "r"), r=Group(nodes=(mapped,)))) == []
    flip = Node(key="flip", call=PythonCall("m", "f"), branch=Branch.CHOOSE)
    assert rules(graph(calls("a", "r"), r=Group(nodes=(flip, calls("again", "r", needs=("flip",)))))) == []


def test_a_group_that_nothing_calls_is_told() -> None:
    """It is probably a leftover."""
    (advice,) = advise(graph(Node(key="a", call=PythonCall("m", "f")), old=Group(nodes=())))
    assert (advice.rule, advice.where) == ("unused-group", "group old")


def test_a_mapped_branch_is_told() -> None:
    """Each item chooses, and nothing follows any choice."""
    node = Node(key="a", call=PythonCall("m", "f"), branch=Branch.CHOOSE, map=MapSpec(over={"": Const(NONE)}))
    assert rules(graph(node)) == ["mapped-branch"]
