"""Logs through the API: by bytes, by lines, by search, and as they come."""

import json
import time
from typing import Any

import httpx
import pytest
from api_service import Service, client_of, serving
from litestar import Litestar
from litestar.testing import TestClient

from weft.runtime.logs import log_path
from weft.server.logfiles import FileLogs

Client = TestClient[Litestar]


@pytest.fixture
def log(service: Service) -> str:
    """The address of a log of ten lines."""
    run = service.start("talking", lines=10)
    service.ended(run)
    return f"/api/v1/runs/{run}/tasks/1/log"


def test_a_log_is_read_in_parts(client: Client, log: str) -> None:
    """Each part says where the next begins, and together they are the whole."""
    text, start = "", 0
    while True:
        part = client.get(log, params={"start": start, "limit": 7}).json()
        text += part["text"]
        start = part["end"]
        if part["finished"]:
            break
    assert text == "".join(f"line {number} of say-0\n" for number in range(1, 11))
    assert (start, part["size"]) == (len(text), len(text))
    tail = client.get(log, params={"limit": 16, "tail": True}).json()
    assert tail["text"] == "line 10 of say-0\n"[-16:]


def test_a_log_is_read_by_lines(client: Client, log: str) -> None:
    """From any line on; past the end there is nothing."""
    part = client.get(f"{log}/lines", params={"first": 9, "count": 5}).json()
    assert part["text"] == "line 9 of say-0\nline 10 of say-0\n"
    assert part["finished"] is True
    assert client.get(f"{log}/lines", params={"first": 99}).json()["text"] == ""


@pytest.mark.parametrize(
    ("params", "lines"),
    [
        ({"pattern": "line 1"}, [1, 10]),
        ({"pattern": "line ."}, []),
        ({"pattern": "^line [3-4] ", "regex": True}, [3, 4]),
        ({"pattern": "say-0$", "regex": True, "limit": 2}, [1, 2]),
    ],
)
def test_a_log_is_searched(client: Client, log: str, params: dict[str, Any], lines: list[int]) -> None:
    """For a text or a regular expression, up to a number of lines, and it says whether that was all."""
    found = client.get(f"{log}/search", params=params).json()
    assert [each["line"] for each in found["matches"]] == lines
    assert found["stopped"] == ("matches" if "limit" in params else "")
    for each in found["matches"]:
        assert client.get(log, params={"start": each["start"]}).json()["text"].startswith(each["text"])


def test_a_search_goes_on_where_it_stopped(client: Client, log: str) -> None:
    """``searched`` is where the next search begins, with the right line numbers."""
    first = client.get(f"{log}/search", params={"pattern": "line", "limit": 4}).json()
    second = client.get(f"{log}/search", params={"pattern": "line", "start": first["searched"]}).json()
    assert [each["line"] for each in first["matches"] + second["matches"]] == list(range(1, 11))


def test_a_pattern_that_takes_for_ever_is_stopped(service: Service, log: str) -> None:
    """It costs the service neither its time nor its answer to others; what is no pattern is an error."""
    run = service.store.runs()[0]
    path = log_path(service.services.settings.home_path, run.uid, 1, 1)
    path.write_text("first a\n" + "a" * 60 + "!\n")
    logs = FileLogs(service.services.settings.home_path, search_s=1.0)
    with client_of(service.app(logs=logs)) as client:
        found = client.get(f"{log}/search", params={"pattern": "^(a+)+$|first", "regex": True}).json()
        assert (found["complete"], found["stopped"]) == (False, "time")
        assert [each["text"] for each in found["matches"]] == ["first a"]
        wrong = client.get(f"{log}/search", params={"pattern": "(", "regex": True})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "W1500")


def test_what_said_nothing_has_an_empty_log(service: Service, client: Client) -> None:
    """No error: there is just nothing. An attempt that never was is one."""
    run = service.start("waiting")
    row = service.store.run(run)
    service.until(lambda: len(service.store.tasks(row.run)) > 1)
    for path in ("", "/lines", "/search?pattern=x"):
        answer = client.get(f"/api/v1/runs/{run}/tasks/1/log{path}")
        assert answer.status_code == 200, answer.text
    assert client.get(f"/api/v1/runs/{run}/tasks/0/log", params={"attempt": 7}).status_code == 404
    assert client.get(f"/api/v1/runs/{run}/logs").json()["items"] == []
    client.post(f"/api/v1/runs/{run}/cancel")
    service.ended(run)


def test_a_log_is_followed_until_the_attempt_ends(service: Service) -> None:
    """What is written while it is followed comes too, then the end; a second client goes on in the middle."""
    run = service.start("waiting")
    row = service.store.run(run)
    service.until(lambda: service.store.task(row.run, 0).attempt == 1)
    path = log_path(service.services.settings.home_path, run, 0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("before\n")
    with serving(service) as url, httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        follow = f"/api/v1/runs/{run}/tasks/0/log/follow"
        with client.stream("GET", follow) as response:
            events = _events(response)
            assert next(events)[1]["text"] == "before\n"
            with path.open("a") as file:
                file.write("while\n")
            assert next(events)[1]["text"] == "while\n"
            client.post(f"/api/v1/runs/{run}/signals", json={"name": "go"})
            name, last = next(events)
            assert (name, last["finished"]) == ("end", True)
        with client.stream("GET", follow, headers={"Last-Event-ID": "7"}) as response:
            assert next(_events(response))[1]["text"] == "while\n"
    service.ended(run)


def _events(response: httpx.Response) -> Any:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def test_long_logs_are_searched_in_bounded_time(service: Service, client: Client, log: str) -> None:
    """A search stops when its time is over, wherever it is."""
    run = service.store.runs()[0]
    path = log_path(service.services.settings.home_path, run.uid, 1, 1)
    path.write_bytes(b"x" * 99 + b"\n" + (b"nothing of interest here\n" * 400_000))
    logs = FileLogs(service.services.settings.home_path, search_s=0.0)
    with client_of(service.app(logs=logs)) as other:
        began = time.monotonic()
        found = other.get(f"{log}/search", params={"pattern": "absent"}).json()
        assert found["stopped"] == "time"
        assert 0 < found["searched"] < 1_000_000
        assert time.monotonic() - began < 20


@pytest.fixture
def logs(service: Service) -> str:
    """The address of a run with three logs of its own making."""
    run = service.start("talking", lines=1)
    service.ended(run)
    home = service.services.settings.home_path
    log_path(home, run, 0, 1).write_text("begin\nneedle one\n")
    log_path(home, run, 1, 1).write_text("needle two\nhay\nNeedle\nneedle three")
    log_path(home, run, 1, 2).write_text("hay\nneedle four\n")
    log_path(home, run, 12, 1).write_text("a needle\tfive\n")
    return f"/api/v1/runs/{run}"


FOUND = [(0, 1, 2), (1, 1, 1), (1, 1, 4), (1, 2, 2), (12, 1, 1)]


@pytest.mark.parametrize("params", [{"pattern": "needle"}, {"pattern": "n[e]+dle", "regex": True}])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_all_logs_of_a_run_are_searched(
    client: Client, logs: str, params: dict[str, Any], limit: int
) -> None:
    """In order of task runs, attempts and lines, however the answers are cut."""
    found: list[dict[str, Any]] = []
    answer: dict[str, Any] = {"next": ""}
    for _ in range(20):
        page = {"page": answer["next"]} if answer["next"] else {}
        answer = client.get(f"{logs}/log/search", params={**params, "limit": limit, **page}).json()
        assert len(answer["matches"]) <= limit
        assert answer["logs"] == 4
        found += answer["matches"]
        if answer["next"] is None:
            break
        assert answer["stopped"] == "matches"
    assert (answer["stopped"], answer["searched"]) == ("", 4)
    assert [(each["idx"], each["attempt"], each["line"]) for each in found] == FOUND
    assert [each["key"] for each in found[:3]] == [
        client.get(f"{logs}/tasks/{idx}").json()["key"] for idx in (0, 1, 1)
    ]
    assert [each["text"] for each in found][-2:] == ["needle four", "a needle\tfive"]
    for each in found[:3]:
        log = client.get(f"{logs}/tasks/{each['idx']}/log", params={"attempt": 1, "start": each["start"]})
        assert log.json()["text"].startswith(each["text"])


@pytest.mark.parametrize("regex", [False, True])
def test_a_search_of_all_logs_gets_on_in_any_time(service: Service, logs: str, regex: bool) -> None:
    """Each answer gets further, and in the end everything was found."""
    home = service.services.settings.home_path
    short = FileLogs(home, search_s=0.0) if not regex else FileLogs(home)
    with client_of(service.app(logs=short)) as client:
        found: list[Any] = []
        page: str | None = ""
        for _ in range(20):
            params = {"pattern": "needle", "regex": regex, **({"page": page} if page else {})}
            answer = client.get(f"{logs}/log/search", params=params).json()
            found += answer["matches"]
            page = answer["next"]
            if page is None:
                break
    assert [(each["idx"], each["attempt"], each["line"]) for each in found] == FOUND


def test_a_log_whose_line_takes_for_ever_is_passed_over(service: Service, logs: str) -> None:
    """A search that makes no headway goes on with the next log, and says what it found before."""
    run = logs.rpartition("/")[2]
    home = service.services.settings.home_path
    log_path(home, run, 1, 1).write_text("needle two\n" + "a" * 60 + "!\n")
    with client_of(service.app(logs=FileLogs(home, search_s=1.0))) as client:
        params: dict[str, Any] = {"pattern": "^(a+)+$|needle", "regex": True}
        first = client.get(f"{logs}/log/search", params=params).json()
        assert (first["stopped"], len(first["matches"])) == ("time", 2)
        second = client.get(f"{logs}/log/search", params={**params, "page": first["next"]}).json()
        assert (second["stopped"], second["matches"]) == ("time", [])
        third = client.get(f"{logs}/log/search", params={**params, "page": second["next"]}).json()
        assert [each["idx"] for each in third["matches"]] == [1, 12]
        assert third["next"] is None


def test_a_log_that_is_being_written_is_searched_too(service: Service, client: Client) -> None:
    """Before its attempt ends."""
    run = service.start("waiting")
    row = service.store.run(run)
    service.until(lambda: service.store.task(row.run, 0).attempt == 1)
    path = log_path(service.services.settings.home_path, run, 0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("it begins\n")
    found = client.get(f"/api/v1/runs/{run}/log/search", params={"pattern": "begins"}).json()
    assert [(each["idx"], each["line"]) for each in found["matches"]] == [(0, 1)]
    client.post(f"/api/v1/runs/{run}/cancel")
    service.ended(run)


def test_a_wrong_search_of_all_logs_is_refused(client: Client, logs: str) -> None:
    """With a code: what is no pattern, and a page of another search."""
    wrong = client.get(f"{logs}/log/search", params={"pattern": "(", "regex": True})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "W1500")
    page = client.get(f"{logs}/log/search", params={"pattern": "needle", "limit": 1}).json()["next"]
    other = client.get(f"{logs}/log/search", params={"pattern": "hay", "page": page})
    assert (other.status_code, other.json()["code"]) == (400, "W1502")
    assert client.get("/api/v1/runs/run_none/log/search", params={"pattern": "x"}).status_code == 404
