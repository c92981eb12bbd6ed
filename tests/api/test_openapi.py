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
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from weft.model.tokens import Role
from weft.server.app import MODULES, description, routes

EXAMPLES = 6
"""Made-up requests of each kind for each operation: enough to keep, while more of them find more."""

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


@pytest.fixture(scope="module")
def schema() -> schemathesis.BaseSchema:
    """The description, as requests are made up from it."""
    made = schemathesis.openapi.from_dict(json.loads(description()))
    made.config.checks.negative_data_rejection.expected_statuses = ["4xx"]
    return made


def test_made_up_requests_find_nothing(weft: Weft, schema: schemathesis.BaseSchema) -> None:
    """Right ones and wrong ones: no server error, every answer as described, and nothing wrong accepted."""
    service = Service(weft.host, weft.home)
    service.deploy(*WORKFLOWS)
    for each in ("chain", "failing", "talking"):
        service.ended(service.start(each))
    with serving(service) as url:
        for result in schema.get_all_operations():
            operation = result.ok()
            name = operation.definition.raw["operationId"]
            if name.startswith("follow") or name == "import_run":
                continue  # A stream does not end, and a bundle is no JSON.
            _try(operation, url, GenerationMode.POSITIVE)
            if operation.body or operation.query:
                _try(operation, url, GenerationMode.NEGATIVE)
    for run in service.store.runs("-state:succeeded,failed,cancelled"):
        service.services.control.ask(run, "cancel")
        service.ended(run.uid)


def _try(operation: Any, url: str, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        # A query of the right type may be nonsense all the same, and then it is refused.
        case.call_and_validate(base_url=url, excluded_checks=[positive_data_acceptance])

    check()
