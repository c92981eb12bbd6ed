"""The API's description: complete, up to date, and true of what the service does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from api_flows import WORKFLOWS
from api_service import Service, serving
from embedded_weft import Weft
from hypothesis import HealthCheck, Phase, given, settings

from weft.model.tokens import Role
from weft.server.app import MODULES, description, routes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description."""
    found: dict[str, Any] = json.loads(description())
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation, with its path and method."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_the_page_is_up_to_date() -> None:
    """A change of the API is a change of docs/reference/openapi.json."""
    assert PAGE.read_bytes() == description() + b"\n", "run scripts/openapi_reference.py"


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """Each once, under the name of its function, with a summary, its role and its errors."""
    found = {operation["operationId"]: operation for _, _, operation in operations(document)}
    assert len(found) == len(routes()) == sum(len(module.ROUTES) for module in MODULES)
    for name, operation in found.items():
        assert operation["summary"], name
        assert operation["x-weft-role"] in {str(role) for role in Role}
        assert {"400", "401", "403", "422", "default"} <= set(operation["responses"]), name


def test_every_parameter_and_field_is_explained(document: dict[str, Any]) -> None:
    """Whoever reads the description, or a client made from it, finds what each one means."""
    for path, method, operation in operations(document):
        for each in operation.get("parameters", []):
            if each["name"] not in ("tail", "regex", "whole", "gone", "idx", "key", "run"):
                assert each.get("description"), f"{method} {path}: {each['name']}"
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description") or "enum" in schema, name
        for field, each in schema.get("properties", {}).items():
            assert each.get("description"), f"{name}.{field}"


def test_schemathesis_finds_nothing(weft: Weft) -> None:
    """Made-up requests, right and wrong: no server error, and every answer is as described."""
    service = Service(weft.host, weft.home)
    service.deploy(*WORKFLOWS)
    service.ended(service.start("chain"))
    service.ended(service.start("failing"))
    with serving(service) as url:
        schema = schemathesis.openapi.from_dict(json.loads(description()))
        schema.config.update(base_url=url)
        for each in schema.get_all_operations():
            operation = each.ok()
            if operation.definition.raw["operationId"].startswith("follow"):
                continue  # They do not end.
            _try(operation, url)


def _try(operation: Any, url: str) -> None:
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(base_url=url)

    check()
