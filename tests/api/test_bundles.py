"""Bundles: a run goes from one store into another, whole."""

import json
from pathlib import Path

import pytest
from api_service import Service, client_of
from litestar import Litestar
from litestar.testing import TestClient

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.engine.control import Control
from weft.engine.verify import verify
from weft.server.logfiles import FileLogs
from weft.store.memory import MemoryStore

Client = TestClient[Litestar]
NDJSON = {"content-type": "application/x-ndjson"}


def bundle_of(service: Service, client: Client, workflow: str = "talking") -> tuple[str, bytes]:
    """A run's id and its bundle."""
    run = service.start(workflow)
    service.ended(run)
    answer = client.get(f"/api/v1/runs/{run}/export")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return run, answer.content


@pytest.mark.parametrize("workflow", ["talking", "failing", "chain"])
def test_a_run_arrives_as_it_was(service: Service, client: Client, tmp_path: Path, workflow: str) -> None:
    """Rows, results, events and logs; and the store that took it is as healthy as before."""
    run, bundle = bundle_of(service, client, workflow)
    store = MemoryStore()
    blobs = FileBlobs(tmp_path / "other" / "artifacts")
    logs = FileLogs(tmp_path / "other")
    app = service.app(
        store=store, artifacts=Artifacts(blobs, trusted=False), logs=logs, control=Control(store)
    )
    with client_of(app) as other:
        answer = other.post("/api/v1/runs/import", content=bundle, headers=NDJSON)
        assert answer.status_code == 201, answer.text
        for path in ("", "/tasks", "/counts", "/tasks/1/log", "/logs", "/why"):
            theirs, ours = other.get(f"/api/v1/runs/{run}{path}"), client.get(f"/api/v1/runs/{run}{path}")
            assert theirs.status_code == ours.status_code == 200
            here, there = ours.json(), theirs.json()
            for each in (here, there):
                for name in ("engine", "queue"):
                    each.pop(name, None)
            assert there == here
        again = other.post("/api/v1/runs/import", content=bundle, headers=NDJSON)
        assert (again.status_code, again.json()["code"]) == (409, "W3108")
    assert verify(store, blobs=blobs) == []


def test_what_is_no_whole_bundle_makes_no_run(service: Service, client: Client) -> None:
    """Cut, changed, of an open run, of another format, or with a name that is a path."""
    run, bundle = bundle_of(service, client)
    client.delete(f"/api/v1/runs/{run}")
    lines = bundle.splitlines(keepends=True)
    first = json.loads(lines[0])
    row = json.loads(lines[1])
    path = {"kind": "run", "row": {**row["row"], "uid": "../../../etc/weft"}}
    still_open = {"kind": "run", "row": {**row["row"], "state": "running"}}
    wrong = {
        "cut": b"".join(lines[:-1]),
        "a line less": b"".join(lines[:3] + lines[4:]),
        "format": b"".join([json.dumps({**first, "format": 9}).encode() + b"\n", *lines[1:]]),
        "path": b"".join([lines[0], json.dumps(path).encode() + b"\n", *lines[2:]]),
        "open": b"".join([lines[0], json.dumps(still_open).encode() + b"\n", *lines[2:]]),
        "graph": b"".join([*lines[:2], *lines[3:]]),
        "noise": b"\xff\xfe\n",
        "nothing": b"",
    }
    for what, body in wrong.items():
        answer = client.post("/api/v1/runs/import", content=body, headers=NDJSON)
        assert answer.status_code in (400, 422), f"{what}: {answer.text}"
        assert service.store.runs() == [], what
