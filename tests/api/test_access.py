"""Who may do what: loopback without login, tokens elsewhere, roles, and pages of other sites."""

from collections.abc import Iterator
from typing import Any

import pytest
from api_service import Service, client_of
from litestar import Litestar
from litestar.testing import TestClient

from weft.engine.clock import entropy
from weft.model.audit import AuditEntry
from weft.model.errors import OpenToAll
from weft.model.tokens import Role
from weft.server.app import routes
from weft.server.auth.authority import Authority, check_bind
from weft.server.auth.tokens import create_token
from weft.server.auth.trail import Trail

Client = TestClient[Litestar]


class Closed:
    """A service that can be reached by others: everybody needs a token."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.authority = Authority(service.store, service.engine.clock)
        self.tokens = {
            role: create_token(
                service.store,
                f"the {role}",
                role,
                now=service.engine.clock.now(),
                entropy=lambda count, role=role: str(role).ljust(count).encode(),  # type: ignore[misc]
            )
            for role in Role
        }

    def headers(self, role: Role) -> dict[str, str]:
        """A request's, of somebody with this role."""
        return {"Authorization": f"Bearer {self.tokens[role].text}"}


@pytest.fixture
def closed(service: Service) -> Closed:
    """A service on an address that others reach."""
    return Closed(service)


@pytest.fixture
def outside(closed: Closed) -> Iterator[Client]:
    """A client of it."""
    app = closed.service.app(authority=closed.authority)
    with client_of(app, "http://weft.example.com") as client:
        yield client


def test_without_a_token_nothing_is_told(outside: Client) -> None:
    """Not even that an address does not exist."""
    for path in ("/api/v1/health", "/api/v1/runs", "/api/v1/nothing", "/metrics"):
        answer = outside.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "W1510")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "text", [b"Bearer", b"Bearer weft_wrong", b"Basic dXNlcjpwYXNz", b"Bearer \xff", b"weft_"]
)
def test_a_wrong_token_is_refused(outside: Client, text: bytes) -> None:
    """Whatever is wrong with it."""
    assert outside.get("/api/v1/me", headers={b"Authorization": text}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "needed"),
    [
        ("GET", "/api/v1/runs", None, Role.VIEWER),
        ("POST", "/api/v1/runs", {"workflow": "doubled"}, Role.OPERATOR),
        ("PUT", "/api/v1/pools/p", {"slots": 1}, Role.EDITOR),
        ("GET", "/api/v1/secrets", None, Role.EDITOR),
        ("GET", "/api/v1/tokens", None, Role.ADMIN),
        ("GET", "/api/v1/audit", None, Role.ADMIN),
    ],
)
def test_a_role_may_do_what_it_covers_and_no_more(
    closed: Closed, outside: Client, method: str, path: str, body: dict[str, Any] | None, needed: Role
) -> None:
    """Each route asks for its own role."""
    for role in Role:
        answer = outside.request(
            method, path, json=body, headers={**closed.headers(role), "If-None-Match": "*"}
        )
        if role.covers(needed):
            assert answer.status_code in (200, 201, 412)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "W1511")
            assert answer.json()["fields"] == {"role": role, "needed": needed}


def test_every_route_names_its_role() -> None:
    """None is open by having been forgotten."""
    assert len(routes()) > 60
    for route in routes():
        assert isinstance(route.opt["role"], Role)


def test_a_token_is_made_once_told_and_revoked(closed: Closed, outside: Client) -> None:
    """Its text is in that answer only; revoked, it is good for nothing at once."""
    admin = closed.headers(Role.ADMIN)
    made = outside.post("/api/v1/tokens", json={"name": "ci", "role": "operator"}, headers=admin).json()
    mine = {"Authorization": f"Bearer {made['token']}"}
    assert outside.get("/api/v1/me", headers=mine).json() == {
        "name": "ci",
        "role": "operator",
        "method": "token",
    }
    listed = outside.get("/api/v1/tokens", headers=admin)
    assert made["id"] in {each["id"] for each in listed.json()["items"]}
    assert made["token"] not in listed.text
    assert all(made["token"].encode() not in each.body for each in closed.service.store.records("token"))
    again = outside.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}, headers=admin)
    assert again.status_code == 409
    assert outside.delete(f"/api/v1/tokens/{made['id']}", headers=admin).status_code == 204
    assert outside.get("/api/v1/me", headers=mine).status_code == 401


def test_an_expired_token_is_refused(closed: Closed, outside: Client) -> None:
    """From the moment on that it names."""
    body = {"name": "old", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}
    made = outside.post("/api/v1/tokens", json=body, headers=closed.headers(Role.ADMIN)).json()
    assert outside.get("/api/v1/me", headers={"Authorization": f"Bearer {made['token']}"}).status_code == 401


def test_what_changes_something_is_in_the_audit_trail(closed: Closed, outside: Client) -> None:
    """Who, what, when and how it went, also of what was refused; reading leaves no trace, nor does a body."""
    outside.get("/api/v1/runs", headers=closed.headers(Role.OPERATOR))
    made = outside.post("/api/v1/runs", json={"workflow": "doubled"}, headers=closed.headers(Role.OPERATOR))
    outside.put("/api/v1/pools/p", json={"slots": 1}, headers=closed.headers(Role.VIEWER))
    found = outside.get("/api/v1/audit", headers=closed.headers(Role.ADMIN)).json()["items"]
    told = [(each["who"], each["operation"], each["status"], each["code"]) for each in found]
    assert told == [("the viewer", "put_pool", 403, "W1511"), ("the operator", "create_run", 201, "")]
    assert found[1]["request_id"] == made.headers["x-request-id"]


def test_the_audit_trail_is_read_from_the_newest_on(
    closed: Closed, outside: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who, how it went, since when and what is in it; each page looks at so many entries only."""
    entries = [
        AuditEntry(
            at=1000.0 + number,
            who="ada" if number % 3 else "bob",
            role="operator",
            method="POST",
            path=f"/api/v1/runs/run_{number}/cancel",
            operation="cancel_run",
            status=(200, 403, 500)[number % 3],
        )
        for number in range(30)
    ]
    Trail(closed.service.store, closed.service.engine.clock, entropy).keep(entries)

    def ask(**params: Any) -> list[int]:
        found: list[int] = []
        page = None
        while True:
            query = {**params, **({"page": page} if page else {})}
            answer = outside.get("/api/v1/audit", params=query, headers=closed.headers(Role.ADMIN)).json()
            found += [int(each["path"].split("_")[1].split("/")[0]) for each in answer["items"]]
            page = answer["next"]
            if page is None:
                return found

    newest = list(range(29, -1, -1))
    for at_once, most in ((1000, 20_000), (7, 7)):
        monkeypatch.setattr("weft.server.paging.LOOKED_AT_ONCE", at_once)
        monkeypatch.setattr("weft.server.paging.LOOKED_MAX", most)
        assert ask(limit=4) == newest
        assert ask(limit=4, order="oldest") == newest[::-1]
        assert ask(limit=4, who="bob") == [each for each in newest if each % 3 == 0]
        assert ask(limit=3, outcome="failed", order="oldest") == [each for each in range(30) if each % 3 == 2]
        assert ask(limit=3, outcome="refused") == [each for each in newest if each % 3 == 1]
        assert ask(limit=4, since="1970-01-01T00:17:05") == newest[:5]
        assert ask(limit=4, since="1970-01-01T01:17:05+01:00", order="oldest") == newest[:5][::-1]
        assert ask(find="RUN_2") == [each for each in newest if str(each).startswith("2")]
        assert ask(find="cancel run", who="bob", limit=1) == [each for each in newest if each % 3 == 0]


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.com", "localhost.evil.com:4200", ""])
def test_on_loopback_another_host_is_refused(client: Client, host: str) -> None:
    """A page that lets its own name point here (DNS rebinding) gets nothing."""
    answer = client.get("/api/v1/runs", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "W1512")


@pytest.mark.parametrize("host", ["localhost:4200", "127.0.0.1:1", "[::1]:4200", "LOCALHOST"])
def test_loopback_has_several_names(client: Client, host: str) -> None:
    """All of them are the service."""
    assert client.get("/api/v1/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_another_sites_page_is_refused(service: Service, client: Client, headers: dict[str, str]) -> None:
    """Neither reading nor changing anything, whatever it may make a browser send."""
    for method, body in (("GET", None), ("POST", {"workflow": "doubled"})):
        answer = client.request(method, "/api/v1/runs", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "W1512")
    assert service.store.runs() == []


def test_the_services_own_page_and_links_to_it_are_let_in(client: Client) -> None:
    """Its own scripts, and a person who follows a link from elsewhere."""
    assert client.get("/api/v1/runs", headers={"Origin": "http://127.0.0.1:4200"}).status_code == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    assert client.post("/api/v1/runs", headers=link).status_code == 403


def test_browsers_are_told_to_be_careful(client: Client) -> None:
    """Every answer has the headers for it, errors too; nothing may be read across origins."""
    for path in ("/api/v1/runs", "/api/v1/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_an_address_that_others_reach_needs_an_administrator(service: Service) -> None:
    """Without a token to get in with, the service does not start there; on loopback it always does."""
    now = service.engine.clock.now()
    for host in ("127.0.0.1", "localhost", "::1", None):
        check_bind(host, service.store, now)
    for host in ("0.0.0.0", "::", "192.168.1.5", "weft.example.com"):
        with pytest.raises(OpenToAll):
            check_bind(host, service.store, now)
    create_token(service.store, "root", Role.ADMIN, now=now, entropy=lambda count: b"r" * count)
    check_bind("0.0.0.0", service.store, now)
