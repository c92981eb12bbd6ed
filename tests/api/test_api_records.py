"""Pools, variables, connections and secrets: written under a precondition; what is secret stays inside."""

from typing import Any

import pytest
from api_service import Service, client_of
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
NEW = {"If-None-Match": "*"}


@pytest.mark.parametrize(
    ("noun", "body", "shown"),
    [
        ("pools", {"slots": 3, "description": "d"}, {"slots": 3, "description": "d"}),
        ("variables", {"value": {"a": [1, None]}}, {"value": {"a": [1, None]}}),
        ("connections", {"type": "postgres", "port": 5432}, {"port": 5432, "has_password": False}),
        ("secrets", {"value": "s3cret"}, {"description": ""}),
    ],
)
def test_a_document_is_written_read_replaced_and_deleted(
    client: Client, noun: str, body: dict[str, Any], shown: dict[str, Any]
) -> None:
    """Each write says what it replaces; one that is late loses."""
    url = f"/api/v1/{noun}/some%20name"
    made = client.put(url, json=body, headers=NEW)
    assert made.status_code == 200, made.text
    assert made.json().items() >= {"name": "some name", **shown}.items()
    assert client.put(url, json=body, headers=NEW).status_code == 412
    first = made.headers["etag"]
    second = client.put(url, json={**body, "description": "2"}, headers={"If-Match": first})
    assert second.status_code == 200
    assert second.headers["etag"] != first
    late = client.put(url, json={**body, "description": "3"}, headers={"If-Match": first})
    assert (late.status_code, late.json()["code"]) == (412, "W1507")
    read = client.get(url)
    assert (read.headers["etag"], read.json()["description"]) == (second.headers["etag"], "2")
    assert client.delete(url).status_code == 428
    assert client.delete(url, headers={"If-Match": first}).status_code == 412
    assert client.delete(url, headers={"If-Match": second.headers["etag"]}).status_code == 204
    assert client.get(url).status_code == 404


def test_lists_are_by_name_and_by_prefix(client: Client) -> None:
    """In byte order, page by page."""
    for name in ("b", "a.2", "a.1", "é"):
        client.put(f"/api/v1/variables/{name}", json={"value": 1}, headers=NEW)
    listed: list[str] = []
    token: str | None = None
    while token is not None or not listed:
        page = client.get(
            "/api/v1/variables", params={"limit": 2, **({"page": token} if token else {})}
        ).json()
        listed += [each["name"] for each in page["items"]]
        token = page["next"]
    assert listed == ["a.1", "a.2", "b", "é"]
    found = client.get("/api/v1/variables", params={"prefix": "a."}).json()["items"]
    assert [each["name"] for each in found] == ["a.1", "a.2"]


def test_nothing_secret_comes_out(service: Service, client: Client) -> None:
    """Not by reading, listing or the audit trail; and the store holds what the vault made of it."""
    client.put("/api/v1/secrets/key", json={"value": "hunter2"}, headers=NEW)
    client.put("/api/v1/connections/db", json={"type": "postgres", "password": "hunter2"}, headers=NEW)
    for path in ("secrets", "secrets/key", "connections", "connections/db", "audit"):
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200
        assert "hunter2" not in answer.text
        assert "2retnuh" not in answer.text
    kept = service.store.record("secret", "key")
    assert kept is not None
    assert b"secret/key:2retnuh" in kept.body


def test_a_password_that_is_left_out_stays(service: Service, client: Client) -> None:
    """Null keeps it, and the empty text removes it."""
    url = "/api/v1/connections/db"
    client.put(url, json={"type": "http", "password": "p"}, headers=NEW)
    kept = client.put(url, json={"type": "http", "host": "h"}, headers={"If-Match": "*"})
    assert kept.json()["has_password"] is True
    dropped = client.put(url, json={"type": "http", "password": ""}, headers={"If-Match": "*"})
    assert dropped.json()["has_password"] is False


def test_without_a_vault_secrets_are_refused(service: Service) -> None:
    """Rather than stored as they are."""
    with client_of(service.app(vault=None)) as client:
        answer = client.put("/api/v1/secrets/key", json={"value": "x"}, headers=NEW)
        assert (answer.status_code, answer.json()["code"]) == (409, "W1514")
        assert service.store.record("secret", "key") is None
