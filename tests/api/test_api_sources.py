"""What a workflow's version is written as, through the API."""

from pathlib import Path

import msgspec
import pytest
from api_service import Service
from litestar import Litestar
from litestar.testing import TestClient
from msgspec.structs import replace

from weft.model.projects import version_name
from weft.projects.records import VERSIONS, WORKFLOWS
from weft.projects.snapshot import File, Manifest, take
from weft.server.api import sources

Client = TestClient[Litestar]
SOURCE = "/api/v1/workflows/chain/source"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A project of some files."""
    folder = tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    (folder / "flows.py").write_text("import lib.a\n\nchain = 1\n")
    (folder / "lib" / "a.py").write_text("A = 'é'")
    (folder / "aaa.yaml").write_text("a: 1\n")
    (folder / ".env").write_text("PASSWORD=hunter2\n")
    (folder / "model.bin").write_bytes(b"\0\1")
    (folder / "latin.txt").write_bytes(b"\xe9")
    (folder / "nul.txt").write_bytes(b"a\0b")
    (folder / "link.py").symlink_to("flows.py")
    return folder


def deploy(service: Service, code: Path) -> str:
    """Let ``chain`` be of this project; gives the snapshot's digest."""
    store, blobs = service.store, service.services.artifacts.blobs
    digest = take(code, blobs).digest
    entry = WORKFLOWS.require(store, "chain").value
    WORKFLOWS.save(store, "chain", replace(entry, snapshot=digest, line=3), at=1.0)
    name = version_name("chain", entry.version)
    version = VERSIONS.require(store, name).value
    files = {"flows.py": "d1", "lib/a.py": "d2"}
    VERSIONS.save(store, name, replace(version, snapshot=digest, files=files), at=1.0)
    return digest


def test_a_version_is_told_with_its_files(service: Service, client: Client, code: Path) -> None:
    """First the one that defines it, then what it takes in, then others: text, no links, nothing hidden."""
    digest = deploy(service, code)
    told = client.get(SOURCE).json()
    assert (told["workflow"], told["version"], told["digest"]) == ("chain", 1, digest)
    assert told["files"] == [
        {"path": "flows.py", "text": "import lib.a\n\nchain = 1\n", "lines": 3, "entry": True, "line": 3},
        {"path": "lib/a.py", "text": "A = 'é'", "lines": 1, "entry": False, "line": None},
        {"path": "aaa.yaml", "text": "a: 1\n", "lines": 1, "entry": False, "line": None},
    ]
    assert told["left_out"] == 5
    assert client.get(SOURCE, params={"version": 1}).json() == told


def test_an_older_version_has_its_own_files(service: Service, client: Client, code: Path) -> None:
    """As they were; where in them the workflow is defined nobody has written down."""
    old = deploy(service, code)
    (code / "flows.py").write_text("chain = 2\n")
    store = service.store
    entry = WORKFLOWS.require(store, "chain").value
    new = take(code, service.services.artifacts.blobs).digest
    WORKFLOWS.save(store, "chain", replace(entry, snapshot=new, version=2, line=1), at=2.0)
    assert client.get(SOURCE).json()["files"][0]["text"] == "chain = 2\n"
    told = client.get(SOURCE, params={"version": 1}).json()
    assert (told["digest"], told["files"][0]["text"][:6], told["files"][0]["line"]) == (old, "import", None)


def test_what_is_not_kept_is_not_found(service: Service, client: Client, code: Path) -> None:
    """With a hint; so is a version, or a workflow, that never was."""
    for path in (SOURCE, "/api/v1/workflows/nobody/source"):
        assert client.get(path).json()["code"] == "W1001"
    digest = deploy(service, code)
    assert client.get(SOURCE, params={"version": 9}).status_code == 404
    blobs = service.services.artifacts.blobs
    blobs.delete(digest)
    answer = client.get(SOURCE)
    assert (answer.status_code, answer.json()["code"]) == (404, "W1001")
    assert "weft deploy" in answer.json()["hint"]


def test_files_beyond_the_bounds_are_left_out(
    service: Service, client: Client, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too large, too many, or too much together: what defines the workflow is not what goes."""
    monkeypatch.setattr(sources, "FILE_MAX", 100)
    monkeypatch.setattr(sources, "BYTES_MAX", 150)
    monkeypatch.setattr(sources, "FILES_MAX", 4)
    (code / "aaa.py").write_text("#" * 101)
    (code / "bbb.py").write_text("#" * 90)
    (code / "ccc.py").write_text("#" * 90)
    for number in range(9):
        (code / f"d{number}.py").write_text("#")
    deploy(service, code)
    paths = [each["path"] for each in client.get(SOURCE).json()["files"]]
    assert paths == ["flows.py", "lib/a.py", "aaa.yaml", "bbb.py"]


def test_no_path_of_a_manifest_leads_anywhere(service: Service, client: Client, tmp_path: Path) -> None:
    """A manifest that somebody made up names contents by digest, and nothing else is ever opened."""
    secret = tmp_path / "secret.py"
    secret.write_text("hunter2")
    blobs = service.services.artifacts.blobs
    files = (
        File(str(secret), 0o644, "ab" * 32, 7),
        File("../../secret.py", 0o644, blobs.put(b"mine"), 4),
        File("flows.py", 0o644, "", 0, str(secret)),
    )
    digest = blobs.put(msgspec.msgpack.encode(Manifest(files)))
    entry = WORKFLOWS.require(service.store, "chain").value
    WORKFLOWS.save(service.store, "chain", replace(entry, snapshot=digest), at=1.0)
    answer = client.get(SOURCE)
    assert answer.status_code == 200
    assert "hunter2" not in answer.text
