"""Errors: every one is a problem with Weft's code, whatever went wrong and wherever."""

from typing import Any

import httpx
import pytest
from api_service import Service, client_of, serving
from litestar import Litestar
from litestar.testing import TestClient

from weft.model import errors
from weft.model.errors import StoreBusy, WeftError
from weft.server.problems import STATUS, status_of

Client = TestClient[Litestar]
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/api/v1/nothing", {}, 404, "W1001"),
        ("POST", "/elsewhere", {}, 405, "W1505"),
        ("GET", "/static/elsewhere.js", {}, 404, "W1001"),
        ("PUT", "/api/v1/runs", {}, 405, "W1505"),
        ("GET", "/api/v1/runs/run_X", {}, 404, "W1001"),
        ("GET", "/api/v1/runs?limit=0", {}, 422, "W1500"),
        ("GET", "/api/v1/runs?limit=many", {}, 422, "W1500"),
        ("GET", "/api/v1/runs?where=colour:red", {}, 422, "W1000"),
        ("GET", "/api/v1/runs?page=bm90aGluZw", {}, 400, "W1502"),
        ("POST", "/api/v1/runs", {"content": b"{", "headers": JSON}, 400, "W1501"),
        ("POST", "/api/v1/runs", {"content": b"\xff", "headers": JSON}, 400, "W1501"),
        ("POST", "/api/v1/runs", {"content": b"[1]", "headers": JSON}, 422, "W1500"),
        ("POST", "/api/v1/runs", {}, 422, "W1500"),
        ("POST", "/api/v1/runs", {"json": {"workflow": "doubled", "colour": 1}}, 422, "W1500"),
        (
            "POST",
            "/api/v1/runs",
            {"content": b"{}", "headers": {"content-type": "text/plain"}},
            415,
            "W1504",
        ),
        ("POST", "/api/v1/runs", {"content": b'"' + b"x" * 10_000_001, "headers": JSON}, 413, "W1503"),
        ("PUT", "/api/v1/pools/p", {"json": {"slots": 1}}, 428, "W1506"),
        ("DELETE", "/api/v1/pools/p", {"headers": {"If-Match": '"1"'}}, 404, "W1001"),
    ],
)
def test_each_kind_of_wrong_request_is_told(
    client: Client, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    """The status, the code, and the problem's media type; the request's id is in body and header."""
    answer = client.request(method, path, **options)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:weft:error:{code}"
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_where_that_is_wrong_says_where(client: Client) -> None:
    """The position in the query, and the fields that there are."""
    problem = client.get("/api/v1/runs", params={"where": "state:failed colour:red"}).json()
    assert problem["fields"]["position"] == 13
    assert "workflow" in problem["hint"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"where": "state:succeeded"}, {"where": "state:failed"}),
        ({"where": "state:succeeded"}, {}),
    ],
)
def test_a_paging_token_is_good_for_its_own_query_only(
    service: Service, client: Client, first: dict[str, str], second: dict[str, str]
) -> None:
    """With other filters, or in another list, it is refused instead of giving a page of nonsense."""
    runs = [service.start("doubled") for _ in range(2)]
    for each in runs:
        service.ended(each)
    token = client.get("/api/v1/runs", params={**first, "limit": 1}).json()["next"]
    wrong = client.get("/api/v1/runs", params={**second, "page": token})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "W1502")
    assert client.get("/api/v1/pools", params={"page": token}).status_code == 400
    assert client.get("/api/v1/runs", params={**first, "page": token}).status_code == 200
    # The page's size is no part of the query: a client may change it.
    assert client.get("/api/v1/runs", params={**first, "page": token, "limit": 7}).status_code == 200


def test_a_busy_store_is_told_as_such(service: Service) -> None:
    """503 with a hint when to come again; an error that nobody thought of is 500 and says nothing."""

    class Failing:
        def __init__(self, exc: Exception) -> None:
            self.exc = exc

        def __getattr__(self, name: str) -> Any:
            raise self.exc

    with client_of(service.app(store=Failing(StoreBusy("another process writes")))) as client:
        busy = client.get("/api/v1/runs")
        assert (busy.status_code, busy.json()["code"], busy.headers["retry-after"]) == (503, "W3101", "1")
        assert client.get("/api/v1/health").status_code == 200
        ready = client.get("/api/v1/ready")
        assert (ready.status_code, ready.json()["checks"]["store"]) == (503, "another process writes")
    with client_of(service.app(store=Failing(RuntimeError("the password is 1234")))) as client:
        bug = client.get("/api/v1/runs")
        assert (bug.status_code, bug.json()["code"]) == (500, "W9000")
        assert "1234" not in bug.text


def test_every_error_has_a_status() -> None:
    """Of each class of the tree, and a client's fault is never a server's error."""
    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, WeftError)
    ]
    assert set(STATUS) <= set(classes)
    for each in classes:
        assert 400 <= status_of(each) < 600
        if issubclass(each, errors.UsageError):
            assert status_of(each) < 500


def test_a_body_of_ten_megabytes_is_refused_over_a_socket(service: Service) -> None:
    """Also when the client does not say how much it sends, and the service goes on answering."""

    def chunks() -> Any:
        yield b'{"workflow": "'
        for _ in range(200):
            yield b"x" * 100_000
        yield b'"}'

    with serving(service) as url, httpx.Client(base_url=url, trust_env=False) as client:
        try:
            answer = client.post("/api/v1/runs", content=chunks(), headers=JSON)
            assert (answer.status_code, answer.json()["code"]) == (413, "W1503")
        except httpx.TransportError:
            pass  # The service hung up while the body was being sent, which is its right.
        assert client.get("/api/v1/health").json() == {"status": "ok"}
