"""The web pages: one document for every address, the build's files, and what a browser may do with them."""

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_service import Service, client_of
from litestar import Litestar
from litestar.testing import TestClient

from weft.model.tokens import Role
from weft.server.app import create_app
from weft.server.auth.authority import Authority
from weft.server.auth.tokens import create_token
from weft.server.pages import HEAD, Built

Client = TestClient[Litestar]

SCRIPT = b"console.log('weft');" * 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a build leaves."""
    made = tmp_path / "ui"
    (made / "static").mkdir(parents=True)
    (made / "index.html").write_text(f"<html><head>{HEAD}</head><body>one</body></html>", "utf-8")
    (made / "static/main-a1b2.js").write_bytes(SCRIPT)
    (made / "theme.js").write_bytes(b"0")
    (tmp_path / "secret.key").write_text("nobody may read this", "utf-8")
    return made


@pytest.fixture
def client(service: Service, folder: Path) -> Iterator[Client]:
    """A browser on this machine."""
    with client_of(create_app(service.with_(), pages=Built(folder))) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/", "./"),
        ("/runs", "./"),
        ("/runs/run_1", "../"),
        ("/runs/run_1/tasks/3", "../../../"),
        ("/no/such/page/", "../../../"),
    ],
)
def test_every_address_is_a_page_that_finds_its_root(client: Client, path: str, way: str) -> None:
    """So it works below any prefix of a proxy, and a link to a page works in a new tab."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'<base href="{way}">' in answer.text


def test_a_document_may_load_nothing_from_elsewhere(client: Client) -> None:
    """And no styles but the build's and those with the answer's own nonce, which is never told twice."""
    nonces = set()
    for _ in range(2):
        answer = client.get("/runs")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        found = re.search(r"style-src 'self' 'nonce-([^']+)'", policy)
        assert found is not None
        assert f'content="{found[1]}"' in answer.text
        nonces.add(found[1])
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(nonces) == 2


def test_files_are_packed_and_kept(client: Client) -> None:
    """Those with a hash in their names for good, the others until they are asked for again."""
    answer = client.get("/static/main-a1b2.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == SCRIPT
    assert int(answer.headers["content-length"]) < len(SCRIPT) / 5
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "connect-src 'self'" in answer.headers["content-security-policy"]  # a worker's stream
    plain = client.get("/static/main-a1b2.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == SCRIPT != gzip.compress(SCRIPT)
    assert client.get("/theme.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/../secret.key", "/%2e%2e/secret.key", "/static/..%2f..%2fsecret.key"])
def test_nothing_else_is_read(client: Client, path: str) -> None:
    """Only what the build made can be asked for, by its own name."""
    assert "nobody may read" not in client.get(path).text


def test_a_part_of_another_version_is_not_there(client: Client) -> None:
    """A page that was opened before an upgrade must not take the document for code."""
    answer = client.get("/static/main-0000.js")
    assert (answer.status_code, answer.json()["code"]) == (404, "W1001")


def test_a_new_build_is_served_at_once(client: Client, folder: Path) -> None:
    """Also of files that were not there before."""
    assert "one" in client.get("/").text
    (folder / "static/main-c3d4.js").write_bytes(b"2")
    (folder / "next.html").write_text("<html>two</html>", "utf-8")
    os.replace(folder / "next.html", folder / "index.html")
    assert "two" in client.get("/").text
    assert client.get("/static/main-c3d4.js").content == b"2"


def test_without_a_build_the_root_says_how_to_make_one(service: Service, tmp_path: Path) -> None:
    """And the API works as ever."""
    with client_of(create_app(service.with_(), pages=Built(tmp_path / "nothing"))) as client:
        assert "make ui" in client.get("/").text
        assert client.get("/api/v1/status").status_code == 200


def test_anybody_may_read_the_pages_and_nothing_more(service: Service, folder: Path) -> None:
    """The page itself asks for a token; what it shows is kept from who has none."""
    create_token(
        service.store, "root", Role.ADMIN, now=service.engine.clock.now(), entropy=lambda n: b"r" * n
    )
    services = service.with_(authority=Authority(service.store, service.engine.clock))
    with client_of(create_app(services, pages=Built(folder)), "http://weft.example.com") as outside:
        assert outside.get("/runs").status_code == 200
        assert outside.head("/runs").status_code in (200, 405)
        assert outside.get("/api/v1/runs").status_code == 401
        assert outside.get("/metrics").status_code == 401
        assert outside.post("/runs").status_code in (401, 403, 405)
