"""A workflow's runs by task, through the API."""

from typing import Any

import pytest
from api_flows import break_down, double
from api_service import Service
from litestar import Litestar
from litestar.testing import TestClient

from weft import flow
from weft.model.states import TaskState
from weft.server.api.grids import TELLING

Client = TestClient[Litestar]


@flow
def fanned(count: int = 3, fail: bool = False) -> int:
    """Maps a task, and may fail after that."""
    done = sum(double.map(list(range(count))).result())
    return break_down(done) if fail else done


@pytest.fixture
def runs(service: Service) -> list[str]:
    """Three runs of one workflow, the last of which fails."""
    service.deploy(fanned)
    made = []
    for count, fail in ((1, False), (4, False), (2, True)):
        made.append(service.start("fanned", count=count, fail=fail))
        service.ended(made[-1])
    return made


def test_a_grid_has_a_cell_for_each_task_in_each_run(client: Client, runs: list[str]) -> None:
    """A map is one cell, whatever it holds; what a run did not come to has none."""
    grid = client.get("/api/v1/workflows/fanned/grid").json()
    assert [each["id"] for each in grid["runs"]] == runs
    assert grid["next"] is None
    tasks = {each["name"]: place for place, each in enumerate(grid["tasks"])}
    assert set(tasks) == {"double", "break_down"}
    assert [each["mapped"] for each in grid["tasks"]] == [name == "double" for name in tasks]
    cells = grid["cells"]
    assert [row[tasks["double"]]["counts"] for row in cells] == [
        {"succeeded": 1},
        {"succeeded": 4},
        {"succeeded": 2},
    ]
    assert [row[tasks["break_down"]] is None for row in cells] == [True, True, False]
    failed = cells[2][tasks["break_down"]]
    assert (failed["state"], failed["counts"], failed["attempt"]) == ("failed", None, 1)
    shown = client.get(f"/api/v1/runs/{runs[2]}/tasks/{failed['idx']}").json()
    assert (shown["name"], shown["started_at"], shown["ended_at"]) == (
        "break_down",
        failed["started_at"],
        failed["ended_at"],
    )


def test_a_grid_goes_back_in_time(client: Client, runs: list[str]) -> None:
    """The newest runs first; ``next`` gives those before them."""
    newest = client.get("/api/v1/workflows/fanned/grid", params={"runs": 2}).json()
    assert [each["id"] for each in newest["runs"]] == runs[1:]
    older = client.get("/api/v1/workflows/fanned/grid", params={"runs": 2, "before": newest["next"]}).json()
    assert ([each["id"] for each in older["runs"]], older["next"]) == (runs[:1], None)
    none = client.get("/api/v1/workflows/fanned/grid", params={"before": runs[0]}).json()
    assert (none["runs"], none["tasks"], none["cells"]) == ([], [], [])


def test_the_runs_of_one_workflow_only(client: Client, runs: list[str]) -> None:
    """A name is a name, not a pattern; a workflow without runs has an empty grid, and none is not found."""
    assert client.get("/api/v1/workflows/chain/grid").json()["runs"] == []
    for name in ("fan*", 'fan"ned', "nobody", "fan\\ned"):
        assert client.get(f"/api/v1/workflows/{name}/grid").status_code == 404, name
        assert client.get(f"/api/v1/workflows/{name}/calendar").status_code == 404, name
    assert client.get("/api/v1/workflows/fanned/grid", params={"before": "run_none"}).status_code == 404


def test_cells_of_runs_that_have_ended_are_counted_once(
    service: Service, client: Client, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grid that is read again asks the store for no task run."""
    first = client.get("/api/v1/workflows/fanned/grid").json()

    def never(_: Any) -> Any:
        raise AssertionError("nothing has to be counted")

    monkeypatch.setattr(service.store, "cells", never)
    assert client.get("/api/v1/workflows/fanned/grid").json() == first


def test_every_state_has_its_rank() -> None:
    """A cell can show each of them."""
    assert set(TELLING) == set(TaskState)
