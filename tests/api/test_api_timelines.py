"""A run's task runs in columns, through the API."""

from typing import Any

import pytest
from api_flows import double
from api_service import Service
from litestar import Litestar
from litestar.testing import TestClient

from weft import flow
from weft.server.api.timelines import coded, since

Client = TestClient[Litestar]
COLUMNS = ("idx", "name", "kind", "parent", "map_index", "state", "attempt", "worker")
TIMES = ("added", "started", "ended", "changed")


@flow
def fanned(count: int = 3) -> list[int]:
    """A flow that maps a task."""
    return list(double.map(list(range(count))).result())


@pytest.fixture
def run(service: Service) -> str:
    """A run with a map."""
    service.deploy(fanned)
    run = service.start("fanned", count=5)
    service.ended(run)
    return run


def test_a_timeline_tells_what_the_list_tells(service: Service, client: Client, run: str) -> None:
    """Column by column, with names once and times in milliseconds since the run was accepted."""
    listed = client.get(f"/api/v1/runs/{run}/tasks", params={"limit": 1000}).json()["items"]
    told = client.get(f"/api/v1/runs/{run}/timeline", params={"keys": True}).json()
    assert (told["run"], told["next"], told["total"]) == (run, None, len(listed))
    assert told["seq"] == service.store.last_seq()
    assert told["origin"] == client.get(f"/api/v1/runs/{run}").json()["created_at"]
    assert told["keys"] == [each["key"] for each in listed]
    assert {len(told[column]) for column in (*COLUMNS, *TIMES)} == {len(listed)}
    for column, codes in (("name", "names"), ("kind", "kinds"), ("state", "states"), ("worker", "workers")):
        assert [told[codes][place] for place in told[column]] == [each[column] for each in listed]
        assert len(set(told[codes])) == len(told[codes])
    for column in ("idx", "parent", "attempt"):
        assert told[column] == [each[column] for each in listed]
    assert sorted(told["map_index"])[-5:] == [0, 1, 2, 3, 4]
    row = service.store.run(run)
    for place, task in enumerate(service.store.tasks(row.run)):
        assert told["added"][place] == int((task.first_at - row.created_at) * 1000)
        assert 0 <= told["started"][place] <= told["ended"][place] == told["changed"][place]


def test_a_timeline_comes_in_chunks(client: Client, run: str) -> None:
    """Each says where the next begins, and has dictionaries of its own; keys come only if wanted."""
    whole = client.get(f"/api/v1/runs/{run}/timeline").json()
    assert whole["keys"] == []
    found: list[int] = []
    after: Any = -1
    while after is not None:
        chunk = client.get(f"/api/v1/runs/{run}/timeline", params={"after": after, "limit": 2}).json()
        assert all(set(chunk[name]) <= set(whole[name]) for name in ("names", "states", "kinds", "workers"))
        found += chunk["idx"]
        after = chunk["next"]
    assert found == whole["idx"]


@pytest.mark.parametrize("params", [{"limit": 50_001}, {"limit": 0}, {"after": -2}, {"after": "x"}])
def test_a_wrong_timeline_is_refused(client: Client, run: str, params: dict[str, Any]) -> None:
    """With a code; and a run that is not there is not found."""
    answer = client.get(f"/api/v1/runs/{run}/timeline", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "W1500")
    assert client.get("/api/v1/runs/run_none/timeline").status_code == 404


def test_columns_are_coded() -> None:
    """Names by their first appearance; times that are none, or before the run, are numbers all the same."""
    assert coded(["b", "a", "b", ""]) == (["b", "a", ""], [0, 1, 0, 2])
    assert since([None, 9.0, 10.0, 11.5], 10.0) == [-1, 0, 0, 1500]
