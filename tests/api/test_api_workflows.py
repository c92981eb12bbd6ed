"""Workflows, schedules, values and what tasks publish, through the API."""

import os
from pathlib import Path
from typing import Any

import pytest
from api_service import Service
from litestar import Litestar
from litestar.testing import TestClient

from weft import current, flow, task
from weft.core import ticking
from weft.model.schedules import Cron, Every, Schedule
from weft.projects.records import SCHEDULES
from weft.projects.registry import deploy

Client = TestClient[Litestar]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


class Trap:
    """Something that does harm when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.path),)


@task
def laid(path: Path) -> list[object]:
    """Gives back a trap."""
    return [Trap(path)]


@flow
def trapping(path: str) -> int:
    """Its task's result must not be unpickled."""
    laid.submit(Path(path)).wait()
    return 1


@flow
def showing() -> dict[str, object]:
    """Publishes, and returns what JSON has no word for."""
    current().markdown("# Hello", title="greeting")
    current().image(PNG, title="picture")
    return {"big": "x" * 10_000, "set": {1}}


def test_workflows_are_listed_shown_and_drawn(client: Client) -> None:
    """By name, with what they take, their versions and their graph."""
    names = [each["name"] for each in client.get("/api/v1/workflows").json()["items"]]
    assert names == sorted(names)
    assert "chain" in names
    first = client.get("/api/v1/workflows", params={"limit": 2}).json()
    rest = client.get("/api/v1/workflows", params={"limit": 100, "page": first["next"]}).json()
    assert [each["name"] for each in first["items"] + rest["items"]] == names
    shown = client.get("/api/v1/workflows/chain").json()
    assert shown["params"][0] == {
        "name": "number",
        "required": False,
        "schema": {"type": "integer"},
        "fact": "",
        "default": 1,
        "doc": "",
    }
    graph = client.get("/api/v1/workflows/chain/graph").json()
    assert [(each["key"], each["upstream"]) for each in graph["groups"]["main"]] == [
        ("double", []),
        ("double_2", ["double"]),
    ]
    assert client.get("/api/v1/workflows/chain/graph", params={"version": 1}).json() == graph
    assert client.get("/api/v1/workflows/chain/graph", params={"version": 9}).status_code == 404
    (version,) = client.get("/api/v1/workflows/chain/versions").json()["items"]
    assert (version["version"], version["graph"]) == (1, shown["graph"])
    for path in ("", "/versions", "/graph"):
        assert client.get(f"/api/v1/workflows/nobody{path}").status_code == 404


def test_a_workflow_is_paused_and_resumed(client: Client) -> None:
    """Each answers with how it stands."""
    assert client.post("/api/v1/workflows/chain/pause").json()["paused"] is True
    assert client.get("/api/v1/workflows/chain").json()["paused"] is True
    assert client.post("/api/v1/workflows/chain/resume").json()["paused"] is False
    assert client.post("/api/v1/workflows/nobody/pause").status_code == 404


@pytest.fixture
def schedule(service: Service) -> str:
    """The address of a schedule."""
    now = service.engine.clock.now()
    for each in (Schedule(Cron("0 6 * * *"), name="morning"), Schedule(Every(60.0), name="often")):
        state = ticking.enrol("chain", each, None, now)
        SCHEDULES.save(service.store, state.name, state, at=now, due_at=ticking.due_at(state, now))
    return "/api/v1/schedules/chain%23morning"


def test_schedules_are_listed_and_their_ticks_foreseen(client: Client, schedule: str) -> None:
    """Of one workflow, by prefix; the next ticks in order, the first of them the one that is shown."""
    found = client.get("/api/v1/schedules", params={"prefix": "chain#"}).json()["items"]
    assert [each["name"] for each in found] == ["chain#morning", "chain#often"]
    shown = client.get(schedule).json()
    assert shown["timing"]["expression"] == "0 6 * * *"
    ticks = client.get(f"{schedule}/preview", params={"count": 3}).json()["ticks"]
    assert ticks == sorted(ticks)
    assert len(ticks) == 3
    assert ticks[0] == shown["next_tick"]
    assert ticks[0].endswith("06:00:00Z")
    assert client.get("/api/v1/schedules/chain%23none").status_code == 404


def test_a_schedule_is_paused_resumed_and_triggered(service: Service, client: Client, schedule: str) -> None:
    """A paused one is not due; one that is triggered is due at once."""
    paused = client.post(f"{schedule}/pause").json()
    assert (paused["paused"], paused["due_at"]) == (True, None)
    resumed = client.post(f"{schedule}/resume").json()
    assert resumed["paused"] is False
    assert resumed["due_at"] is not None
    assert client.post(f"{schedule}/trigger").json()["waiting"] == 1
    assert SCHEDULES.due(service.store, before=service.engine.clock.now())


def test_a_workflow_is_forgotten_with_what_belongs_to_it(service: Service, client: Client) -> None:
    """Its versions and schedules go; its runs and other workflows stay."""
    for name in ("chain", "doubled"):
        state = ticking.enrol(name, Schedule(Every(60)), None, 1.0)
        SCHEDULES.save(service.store, state.name, state, at=1.0)
    run = service.start("chain")
    service.ended(run)
    assert client.delete("/api/v1/workflows/chain").status_code == 204
    assert client.get("/api/v1/workflows/chain").status_code == 404
    assert client.delete("/api/v1/workflows/chain").status_code == 404
    assert client.get("/api/v1/workflows/chain/versions").status_code == 404
    assert [each["workflow"] for each in client.get("/api/v1/schedules").json()["items"]] == ["doubled"]
    assert client.get(f"/api/v1/runs/{run}").status_code == 200
    assert client.get("/api/v1/workflows/doubled/versions").json()["items"]


def test_a_project_tells_what_is_wrong_with_its_files(
    service: Service, client: Client, tmp_path: Path
) -> None:
    """With code, file, line and hint; mended and deployed again, nothing is wrong any more."""
    project = tmp_path / "shop"
    project.mkdir()
    (project / "flows.py").write_text("from weft import flow\n@flow\ndef selling() -> int: return 1\n")
    broken = project / "broken.py"
    broken.write_text("from weft import flow\nimport nothing_of_the_kind\n")

    def deployed() -> dict[str, Any]:
        deploy(service.store, service.services.artifacts, tmp_path / "home", str(project), at=5.0, by="ada")
        found: dict[str, Any] = client.get("/api/v1/projects/shop").json()
        return found

    shown = deployed()
    assert client.get("/api/v1/projects").json()["items"] == [shown]
    assert (shown["source"], shown["deployed_by"], shown["files"]) == (str(project), "ada", 2)
    assert shown["workflows"] == ["selling"]
    (problem,) = shown["problems"]
    assert (problem["file"], problem["line"], problem["workflow"]) == ("broken.py", 2, "")
    assert problem["code"].startswith("W")
    assert "nothing_of_the_kind" in problem["what"]
    broken.write_text("")
    assert deployed()["problems"] == []
    assert client.get("/api/v1/projects/nothing").status_code == 404


def test_the_server_opens_no_pickle(service: Service, client: Client, tmp_path: Path) -> None:
    """A result that would run code is described, however it is asked for."""
    sprung = tmp_path / "sprung"
    service.deploy(trapping)
    run = service.start("trapping", path=str(sprung))
    service.ended(run)
    (laid_,) = service.store.tasks(service.store.run(run).run, "name:laid")
    assert laid_.result is not None
    for path in ("", "/result"):
        shown = client.get(f"/api/v1/runs/{run}/tasks/{laid_.idx}{path}").json()
        value = shown.get("result") or shown["value"]
        assert "value" not in value
        assert value["preview"]
    assert not sprung.exists()


def test_values_and_published_things_are_shown(service: Service, client: Client) -> None:
    """Large plain data in full where that is asked for; an image as it is, in a sandbox."""
    service.deploy(showing)
    run = service.start("showing")
    service.ended(run)
    short = client.get(f"/api/v1/runs/{run}").json()["result"]
    assert "value" not in short
    assert len(short["preview"]) <= 200
    whole = client.get(f"/api/v1/runs/{run}/tasks/0/result").json()["value"]
    assert whole["value"] == {"big": "x" * 10_000, "set": [1]}
    text, picture = client.get(f"/api/v1/runs/{run}/published").json()["items"]
    assert (text["kind"], text["title"], text["body"]) == ("markdown", "greeting", "# Hello")
    assert (picture["media_type"], picture["body"]) == ("image/png", None)
    image = client.get(f"/api/v1/runs/{run}/published/0/{picture['key']}")
    assert image.content == PNG
    assert image.headers["content-type"] == "image/png"
    assert image.headers["content-security-policy"].startswith("sandbox")
    assert client.get(f"/api/v1/runs/{run}/published/0/{text['key']}").status_code == 404
