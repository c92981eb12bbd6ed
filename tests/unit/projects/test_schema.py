"""The checker of plain values, with msgspec itself as the oracle."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.artifacts import shapes
from weft.model.errors import WrongParameterType
from weft.projects.schema import check


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Level(IntEnum):
    LOW = 1


@dataclass
class Leaf:
    n: int
    s: str = ""


@dataclass
class Tree:
    leaf: Leaf
    children: "list[Tree]" = field(default_factory=list)


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    a: int


class Row(TypedDict, total=False):
    x: int


TYPES: list[Any] = [
    int,
    str,
    bool,
    float,
    None,
    list[int],
    tuple[int, str],
    tuple[int, ...],
    set[str],
    dict[str, int],
    int | None,
    int | str,
    list[int] | int,
    Literal["a", 1],
    Size,
    Level,
    Leaf,
    Tree,
    Closed,
    Row,
    Leaf | None,
    list[Leaf | None],
    Annotated[int, msgspec.Meta(ge=0, lt=3)],
    Annotated[str, msgspec.Meta(min_length=1, max_length=2, pattern="^a")],
    Annotated[list[int], msgspec.Meta(max_length=1)],
]

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 4) | st.sampled_from([0.5, "a", "ab", "", "small", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["n", "s", "a", "x", "leaf", "children"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", TYPES, ids=str)
@given(value=plain)
def test_a_value_fits_its_schema_as_it_fits_its_type(kind: Any, value: Any) -> None:
    """What the checker lets through, the type takes, and the other way round."""
    try:
        check("p", value, msgspec.json.schema(kind))
        fits = True
    except WrongParameterType:
        fits = False
    try:
        msgspec.convert(value, kind)
        takes = True
    except msgspec.ValidationError:
        takes = False
    assert fits == takes


@pytest.mark.parametrize("kind", [each for each in TYPES if each is not None], ids=str)
def test_a_type_comes_back_from_its_shape(kind: Any) -> None:
    """Built from its shape it takes the same values, apart from bounds, which the schema checks."""
    shape = shapes.shape_of(kind)
    assert shape is not None
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(shape))
    bare = kind.__origin__ if hasattr(kind, "__metadata__") else kind
    assert shapes.build(stored) == bare
    own = {Size, Level, Leaf, Tree, Closed, Row, Leaf | None, list[Leaf | None]}
    assert shapes.needs_code(stored) == (not hasattr(kind, "__metadata__") and kind in own)


def test_what_has_no_shape() -> None:
    """A class of a function, a type variable, no annotation: values stay as they are."""

    class Local:
        pass

    for kind in (Local, Any, "Forward", type[int], list[Local]):
        assert shapes.shape_of(kind) is None


def test_the_deepest_misfit_is_told() -> None:
    """Of several choices the error is about the one that came closest."""
    with pytest.raises(WrongParameterType) as caught:
        check("p", {"leaf": {"n": "x"}}, msgspec.json.schema(Tree | None))
    assert caught.value.fields["at"] == "p.leaf.n"


def test_a_pattern_of_another_dialect_is_left_to_the_type() -> None:
    """It is not for this process to say that a value does not match it."""
    check("p", "x", {"type": "string", "pattern": "(?<name>x)["})
