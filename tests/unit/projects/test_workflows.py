"""Runs of deployed workflows: parameters from plain data, without the project's code."""

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from project_home import T0, Home

from weft.artifacts.artifacts import Artifacts
from weft.model.errors import (
    MissingParameter,
    NotFound,
    ParameterError,
    UnknownParameter,
    UntrustedValue,
    WorkflowGone,
    WrongParameterType,
)
from weft.model.values import Result
from weft.projects.workflows import Workflows

FLOWS = """
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from weft import dag, flow, logical_date, task

class Color(Enum):
    RED = "red"

@dataclass
class Point:
    x: int
    y: float = 0.0

@flow
def typed(
    day: date = date(2026, 1, 1),
    days: list[date] = [],
    tags: set[str] = set(),
    pair: tuple[int, str] = (1, "a"),
    exact: Decimal = Decimal("1.5"),
    ident: UUID | None = None,
    mode: Literal["fast", "slow"] = "fast",
    size: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1,
    table: dict[str, list[int]] = {},
    anything=None,
):
    pass

@flow
def classes(point: Point, colors: list[Color] = []):
    pass

@task
def use(day, text, moment):
    pass

@dag
def dated(day: date = logical_date(), text: str = logical_date(), moment: datetime = logical_date()):
    use(day, text, moment)
"""


@pytest.fixture
def deployed(home: Home) -> Home:
    """A home with these workflows."""
    home.write(flows=FLOWS)
    assert home.deploy().problems == ()
    return home


def values(home: Home, workflow: str, params: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A run's parameters, opened by a process that has no code."""
    request = home.workflows.request(workflow, params, **options)
    return {name: home.artifacts.loads(each) for name, each in request.params.items()}


def test_plain_data_becomes_what_the_annotations_want(deployed: Home) -> None:
    """Types of the standard library are made at once; defaults fill the rest."""
    found = values(
        deployed,
        "typed",
        {
            "day": "2026-02-03",
            "days": ["2026-02-03"],
            "tags": ["a", "a"],
            "pair": [2, "b"],
            "exact": "2.50",
            "table": {"a": [1]},
            "anything": {"free": [1, None]},
        },
    )
    assert found == {
        "day": date(2026, 2, 3),
        "days": [date(2026, 2, 3)],
        "tags": {"a"},
        "pair": (2, "b"),
        "exact": Decimal("2.50"),
        "ident": None,
        "mode": "fast",
        "size": 1,
        "table": {"a": [1]},
        "anything": {"free": [1, None]},
    }


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("day", "tomorrow", "Invalid RFC3339"),
        ("day", 5, "'day' must be text"),
        ("days", ["2026-01-01", 1], "'days[1]' must be text"),
        ("tags", "a", "'tags' must be a list"),
        ("pair", [1], "at least 2 items"),
        ("pair", ["a", "b"], "'pair[0]' must be a whole number"),
        ("ident", "x", "Invalid UUID"),
        ("mode", "medium", "'mode' must be one of 'fast', 'slow'"),
        ("size", 11, "at most 10"),
        ("size", True, "a whole number, and is True"),
        ("size", 1.5, "a whole number"),
        ("table", {"a": [1, "b"]}, "'table.a[1]' must be a whole number"),
    ],
)
def test_what_does_not_fit_is_refused(deployed: Home, name: str, value: Any, says: str) -> None:
    """The error names the parameter, and the place in it."""
    with pytest.raises(WrongParameterType) as caught:
        deployed.workflows.request("typed", {name: value})
    assert says in caught.value.what
    assert caught.value.fields["parameter"] == name


@pytest.mark.parametrize(
    ("params", "error", "says"),
    [
        ({}, MissingParameter, "'point'"),
        ({"point": {"x": 1}, "colour": []}, UnknownParameter, "'colour'"),
        ({"point": {"y": 1}}, WrongParameterType, "'point' needs 'x'"),
        ({"point": {"x": "a"}}, WrongParameterType, "'point.x'"),
        ({"point": {"x": 1}, "colors": ["blue"]}, WrongParameterType, "'colors[0]' must be one of 'red'"),
    ],
)
def test_classes_are_checked_by_their_schema(
    deployed: Home, params: dict[str, Any], error: type[ParameterError], says: str
) -> None:
    """Also a class that this process does not have."""
    with pytest.raises(error) as caught:
        deployed.workflows.request("classes", params)
    assert says in caught.value.what


def test_objects_are_made_where_the_code_is(deployed: Home) -> None:
    """Here their data is kept and can be looked at; it is not opened."""
    request = deployed.workflows.request("classes", {"point": {"x": 1}})
    assert deployed.artifacts.preview(request.params["point"]) == "{'x': 1}"
    with pytest.raises(UntrustedValue):
        deployed.artifacts.loads(request.params["point"])
    with pytest.raises(NotFound):
        Artifacts(deployed.blobs).loads(request.params["point"])
    assert "flows" not in sys.modules


def test_the_logical_date_as_each_type(deployed: Home) -> None:
    """It is the fact that is given, or now; in the type of the parameter that it is the default of."""
    moment = datetime(2026, 3, 4, 5, tzinfo=UTC)
    found = values(deployed, "dated", {}, facts={"logical_date": moment})
    assert found == {"day": moment.date(), "text": moment.isoformat(), "moment": moment}
    deployed.now = T0
    assert values(deployed, "dated", {})["moment"] == datetime.fromtimestamp(T0, UTC)
    given = values(deployed, "dated", {"day": "2020-01-01"}, facts={"logical_date": moment})
    assert given["day"] == date(2020, 1, 1)


def test_a_request_has_all_that_a_run_needs(deployed: Home) -> None:
    """Graph, files, key, tags and facts; a value that is stored already is taken as it is."""
    stored = Result("msgpack", b"\x07", None, 1)
    request = deployed.workflows.request(
        "typed", {"size": stored}, key="once", tags=["mine"], facts={"tick": 1}
    )
    assert (request.graph.workflow, request.key, request.tags) == ("typed", "once", ("mine",))
    assert request.params["size"] is stored
    assert (request.facts["tick"], request.facts["version"]) == (1, 1)
    folder = deployed.folder / "projects" / deployed.entry("typed").snapshot
    assert request.project == str(folder)
    assert (folder / "flows.py").read_text() == FLOWS


def test_what_cannot_be_requested(deployed: Home) -> None:
    """No such workflow, no such version, one that is gone."""
    with pytest.raises(NotFound) as caught:
        deployed.workflows.request("typd")
    assert "typed" in caught.value.hint
    with pytest.raises(NotFound):
        deployed.workflows.request("typed", version=7)
    deployed.write(flows="import weft\n")
    deployed.deploy()
    with pytest.raises(WorkflowGone):
        deployed.workflows.request("typed")
    assert deployed.workflows.request("typed", version=1).graph.workflow == "typed"


def test_pausing(deployed: Home) -> None:
    """It is remembered, and a deploy leaves it."""
    deployed.workflows.pause("typed", by="me")
    deployed.write(flows=FLOWS + "\nX = 1\n")
    deployed.deploy()
    assert (deployed.entry("typed").paused, deployed.entry("classes").paused) == (True, False)
    assert [deployed.workflows.ready(each) for each in ("typed", "classes", "none")] == [False, True, False]
    other = Workflows(deployed.store, deployed.artifacts, deployed.folder, lambda: T0)
    other.resume("typed", by="me")
    assert not deployed.entry("typed").paused
