"""Parameters of workflows: binding, conversion, command-line values, schemas."""

import dataclasses
import enum
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from weft.dialects.native.parameters import Parameters
from weft.model.errors import MissingParameter, UnknownParameter, WrongParameterType


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Window:
    start: date
    days: int = 1


def of(fn: Any) -> Parameters:
    return Parameters(fn, "flow")


def test_bind_fills_in_defaults_in_order() -> None:
    """Positional, named and missing values come out by name in the signature's order."""

    def fn(a: int, b: str = "b", *, c: float = 1.0) -> None: ...

    assert list(of(fn).bind((1,), {"c": 2}).items()) == [("a", 1), ("b", "b"), ("c", 2.0)]


@pytest.mark.parametrize(
    ("hint", "given", "expected"),
    [
        (int, "3", 3),
        (int, 3, 3),
        (float, 3, 3.0),
        (bool, "true", True),
        (date, "2026-01-02", date(2026, 1, 2)),
        (timedelta, "PT1H", timedelta(hours=1)),
        (Color, "red", Color.RED),
        (Color, Color.RED, Color.RED),
        (Window, {"start": "2026-01-02"}, Window(date(2026, 1, 2))),
        (Window, Window(date(2026, 1, 2), 3), Window(date(2026, 1, 2), 3)),
        (list[date], ["2026-01-02"], [date(2026, 1, 2)]),
        (list[Window], [Window(date(2026, 1, 2))], [Window(date(2026, 1, 2))]),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (int | None, None, None),
        (str, "x", "x"),
        (Literal["a", "b"], "b", "b"),
        (tuple[int, str], [1, "x"], (1, "x")),
        (Path, Path("/tmp"), Path("/tmp")),
        (Path, "/tmp", Path("/tmp")),
        (Any, object, object),
        (Annotated[int, msgspec.Meta(ge=1)], 3, 3),
    ],
)
def test_convert(hint: Any, given: Any, expected: Any) -> None:
    """Values become what the annotation says, and stay what they are if they are that already."""

    def fn(value): ...  # type: ignore[no-untyped-def]

    fn.__annotations__["value"] = hint
    found = of(fn).convert("value", given)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("hint", "given"),
    [
        (int, "x"),
        (int, 1.5),
        (date, "tomorrow"),
        (Color, "blue"),
        (Literal["a"], "c"),
        (list[int], ["x"]),
        (Annotated[int, msgspec.Meta(ge=1)], 0),
        (Window, {"stat": "2026-01-02"}),
        (int, None),
        (str, 3),
    ],
)
def test_wrong_values(hint: Any, given: Any) -> None:
    """What does not fit is refused with the parameter's name and the reason."""

    def fn(value): ...  # type: ignore[no-untyped-def]

    fn.__annotations__["value"] = hint
    with pytest.raises(WrongParameterType, match="flow: 'value' must be") as caught:
        of(fn).convert("value", given)
    assert caught.value.fields == {"parameter": "value"}


def test_class_that_nobody_knows_is_checked_by_type() -> None:
    """For a class of the user's that cannot be converted to, only its instances pass."""

    class Model:
        pass

    def fn(model: Model, kind: type[Model] = Model) -> None: ...

    model = Model()
    fn.__annotations__ = {"model": Model, "kind": type[Model]}
    assert of(fn).bind((model,), {}) == {"model": model, "kind": Model}
    with pytest.raises(WrongParameterType, match="'model' must be Model"):
        of(fn).bind((3,), {})


@pytest.mark.parametrize(
    ("hint", "text", "expected"),
    [
        (int, "3", 3),
        (str, "3", "3"),
        (list[int], "[1, 2]", [1, 2]),
        (date, "2026-01-02", date(2026, 1, 2)),
        (Any, "[1]", [1]),
        (Any, "word", "word"),
        (bool, "true", True),
        (int | None, "null", None),
        (str | None, "word", "word"),
        (Window, '{"start": "2026-01-02"}', Window(date(2026, 1, 2))),
    ],
)
def test_parse(hint: Any, text: str, expected: Any) -> None:
    """A text of the command line is read as JSON where the type is not text."""

    def fn(value): ...  # type: ignore[no-untyped-def]

    fn.__annotations__["value"] = hint
    assert of(fn).parse("value", text) == expected


def test_pydantic_models() -> None:
    """Models of pydantic check and convert with pydantic's own messages."""
    pydantic = pytest.importorskip("pydantic")

    class Options(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        level: int

    def fn(options): ...  # type: ignore[no-untyped-def]

    fn.__annotations__["options"] = Options
    parameters = of(fn)
    assert parameters.convert("options", {"level": "3"}).level == 3
    assert parameters.parse("options", '{"level": 4}').level == 4
    with pytest.raises(WrongParameterType, match="valid integer"):
        parameters.convert("options", {"level": "x"})
    assert parameters.schema("options")["properties"]["level"]["type"] == "integer"


def test_optional_pydantic_models() -> None:
    """A model inside a union or a list is checked too."""
    pydantic = pytest.importorskip("pydantic")

    class Options(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        level: int

    def fn(one, many): ...  # type: ignore[no-untyped-def]

    fn.__annotations__.update(one=Options | None, many=list[Options])
    parameters = of(fn)
    assert parameters.convert("one", None) is None
    assert parameters.convert("one", {"level": 1}).level == 1
    assert parameters.convert("many", [{"level": 1}])[0].level == 1
    with pytest.raises(WrongParameterType):
        parameters.convert("one", {"level": "x"})


def test_hints_that_cannot_be_resolved_count_as_none() -> None:
    """An annotation that names what does not exist lets every value pass."""

    def fn(x: "Nowhere", y: int) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert of(fn).bind(("a", "3"), {}) == {"x": "a", "y": 3}


def test_messages() -> None:
    """Mistakes name the parameter and the signature."""

    def fn(day: date, count: int = 1) -> None: ...

    with pytest.raises(UnknownParameter) as unknown:
        of(fn).bind((), {"dey": 1})
    assert unknown.value.hint == "did you mean 'day'?"
    with pytest.raises(MissingParameter) as missing:
        of(fn).bind((), {})
    assert "flow(day: datetime.date, count: int = 1)" in missing.value.hint


def test_schema_of_what_has_none() -> None:
    """A type that JSON Schema cannot tell has an empty one."""

    class Model:
        pass

    def fn(a: Model, b: Any, c: int) -> None: ...

    fn.__annotations__["a"] = Model
    parameters = of(fn)
    assert [parameters.schema(name) for name in "abc"] == [{}, {}, {"type": "integer"}]
