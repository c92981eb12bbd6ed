"""Fixtures: a service on SQLite and one in memory, and a client of it."""

from collections.abc import Iterator

import pytest
from api_flows import WORKFLOWS
from api_service import Service, client_of
from embedded_weft import Weft
from litestar import Litestar
from litestar.testing import TestClient


@pytest.fixture(params=["sqlite", "memory"])
def service(weft: Weft, request: pytest.FixtureRequest) -> Iterator[Service]:
    """A service whose workflows are those of ``api_flows``."""
    host = weft.open(store="memory:") if request.param == "memory" else weft.host
    made = Service(host, weft.home)
    made.deploy(*WORKFLOWS)
    yield made
    made.services.live.close()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient[Litestar]]:
    """A client of the service, on loopback."""
    with client_of(service.app()) as made:
        yield made
