"""Runs through the API: started once, listed page by page, steered, cleared, deleted."""

from typing import Any

import pytest
from api_service import Service
from litestar import Litestar
from litestar.testing import TestClient

from weft.model.states import RunState

Client = TestClient[Litestar]
RUNS = "/api/v1/runs"


def start(client: Client, workflow: str = "doubled", **body: Any) -> dict[str, Any]:
    """Start a run through the API."""
    answer = client.post(RUNS, json={"workflow": workflow, **body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_run_is_started_and_shows_its_result(service: Service, client: Client) -> None:
    """What the answer names is there, runs with its parameters, and ends with its result."""
    answer = client.post(RUNS, json={"workflow": "chain", "params": {"number": 5}, "tags": ["nightly"]})
    assert answer.status_code == 201
    run = answer.json()["id"]
    assert answer.headers["location"] == f"{RUNS}/{run}"
    service.ended(run)
    shown = client.get(answer.headers["location"]).json()
    assert (shown["state"], shown["tags"]) == ("succeeded", ["nightly"])
    assert shown["params"]["number"]["value"] == 5
    assert shown["result"]["value"] == 20
    assert client.get(f"{RUNS}/{run}/counts").json() == {"succeeded": 3}


def test_an_idempotency_key_makes_one_run(service: Service, client: Client) -> None:
    """The same request again gives the same run; another request under the key is refused."""
    headers = {"Idempotency-Key": "order-17"}
    first = client.post(RUNS, json={"workflow": "doubled", "params": {"number": 1}}, headers=headers)
    again = client.post(RUNS, json={"workflow": "doubled", "params": {"number": 1}}, headers=headers)
    other = client.post(RUNS, json={"workflow": "doubled", "params": {"number": 2}}, headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["id"] == again.json()["id"] == other.json()["fields"]["run"]
    assert len(service.store.runs()) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"workflow": "nobody"}, "W1001"),
        ({"workflow": "doubled", "params": {"numbr": 1}}, "W1201"),
        ({"workflow": "doubled", "params": {"number": "one"}}, "W1203"),
        ({"workflow": "doubled", "params": []}, "W1500"),
        ({}, "W1500"),
    ],
)
def test_what_does_not_fit_starts_nothing(
    service: Service, client: Client, body: dict[str, Any], code: str
) -> None:
    """The error names what is wrong by its code, and no run exists."""
    answer = client.post(RUNS, json=body)
    assert answer.json()["code"] == code
    assert answer.status_code in (404, 422)
    assert service.store.runs() == []


def test_pages_neither_repeat_nor_skip(service: Service, client: Client) -> None:
    """Runs that start while a list is read do not move the pages that follow."""
    before = [service.start("doubled") for _ in range(7)]
    page = client.get(RUNS, params={"limit": 3}).json()
    seen = [each["id"] for each in page["items"]]
    while page["next"]:
        service.start("doubled")
        page = client.get(RUNS, params={"limit": 3, "page": page["next"]}).json()
        seen += [each["id"] for each in page["items"]]
    assert seen == before[::-1]


def test_lists_are_filtered(service: Service, client: Client) -> None:
    """``where`` is the language of the command line."""
    good, bad = service.start("doubled"), service.start("failing")
    service.ended(good)
    service.ended(bad)
    found = client.get(RUNS, params={"where": "state:failed"}).json()["items"]
    assert [each["id"] for each in found] == [bad]
    assert found[0]["error"]["type"].endswith("ValueError")


def test_a_note_and_tags_are_added(service: Service, client: Client) -> None:
    """People's words show in the list too, and what is left out of an edit stays."""
    run = service.start("doubled")
    client.patch(f"{RUNS}/{run}", json={"note": "look *here*", "tags": ["mine"]})
    edited = client.patch(f"{RUNS}/{run}", json={"tags": ["mine", "yours"]}).json()
    assert (edited["note"], edited["tags"]) == ("look *here*", ["mine", "yours"])
    assert client.get(RUNS).json()["items"][0]["tags"] == ["mine", "yours"]


def test_a_waiting_run_is_paused_resumed_and_cancelled(service: Service, client: Client) -> None:
    """Each is asked, taken in by the engine, and seen; what has ended is not cancelled again."""
    run = service.start("waiting")
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = client.post(f"{RUNS}/{run}/{verb}", json={} if verb == "cancel" else None)
        assert answer.status_code == 200, answer.text
        service.until(lambda state=state: service.store.run(run).state == state)  # type: ignore[misc]
    refused = client.post(f"{RUNS}/{run}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "W1402")


def test_an_event_reaches_a_run_once(service: Service, client: Client) -> None:
    """The payload becomes the wait's value; the same id again changes nothing."""
    run = service.start("waiting")
    body = {"name": "go", "payload": {"n": 1}, "id": "first"}
    assert client.post(f"{RUNS}/{run}/signals", json=body).status_code == 200
    client.post(f"{RUNS}/{run}/signals", json={**body, "payload": {"n": 2}})
    service.ended(run)
    assert client.get(f"{RUNS}/{run}").json()["result"]["value"] == {"n": 1}


def test_what_failed_is_retried(service: Service, client: Client) -> None:
    """A dry run says which task runs it would be and changes nothing; then they run again."""
    run = service.start("failing")
    service.ended(run)
    dry = client.post(f"{RUNS}/{run}/clear", json={"only_failed": True, "dry_run": True}).json()
    assert dry["count"] == len(dry["tasks"]) == 2
    assert service.store.run(run).state is RunState.FAILED
    done = client.post(f"{RUNS}/{run}/retry")
    assert (done.status_code, done.json()["count"]) == (200, 2)
    service.until(lambda: service.store.task_by_key(service.store.run(run).run, "break_down-0").attempt == 2)
    service.ended(run)


def test_a_task_run_is_marked(service: Service, client: Client) -> None:
    """Marked as succeeded, a wait gives the run what the person said."""
    run = service.start("waiting")
    row = service.store.run(run)
    service.until(lambda: bool(service.store.tasks(row.run, "state:waiting")))
    (waits,) = [each for each in service.store.tasks(row.run, "state:waiting") if each.idx]
    url = f"{RUNS}/{run}/tasks/{waits.idx}/mark"
    assert client.post(url, json={"state": "succeeded", "result": 7}).status_code == 200
    service.ended(run)
    assert client.get(f"{RUNS}/{run}").json()["result"]["value"] == 7
    dry = client.post(url, json={"state": "failed", "dry_run": True}).json()
    assert dry["dry_run"] is True
    assert waits.idx in {each["idx"] for each in dry["tasks"]}
    assert service.store.task(row.run, waits.idx).state == "succeeded"
    assert client.post(f"{RUNS}/{run}/tasks/{waits.idx}/cancel").status_code == 409


def test_an_approval_is_listed_and_answered(service: Service, client: Client) -> None:
    """What waits for a person is found without knowing its run, and the answer lets it go on."""
    run = service.start("asking")
    row = service.store.run(run)
    service.until(lambda: len(service.store.tasks(row.run, "state:waiting")) > 0)
    service.until(lambda: bool(client.get("/api/v1/approvals").json()["items"]))
    (asks,) = client.get("/api/v1/approvals").json()["items"]
    assert (asks["run"], asks["prompt"]) == (run, "Shall **we**?")
    done = client.post(f"{RUNS}/{run}/tasks/{asks['idx']}/answer", json={"approved": True, "comment": "yes"})
    assert done.status_code == 200
    service.ended(run)
    assert client.get(f"{RUNS}/{run}").json()["result"]["value"] is True
    assert client.get("/api/v1/approvals").json()["items"] == []


def test_many_are_changed_at_once(service: Service, client: Client) -> None:
    """A dry run counts; then each that it applies to is done, and the others are left alone."""
    waiting = [service.start("waiting") for _ in range(3)]
    over = service.start("doubled")
    service.ended(over)
    body: dict[str, Any] = {"action": "cancel", "where": "workflow:*"}
    dry = client.post(f"{RUNS}/bulk", json=body).json()
    assert (dry["count"], dry["dry_run"], dry["more"]) == (3, True, False)
    assert not any(service.store.run(each).state.terminal for each in waiting)
    done = client.post(f"{RUNS}/bulk", json={**body, "dry_run": False, "limit": 2}).json()
    assert (done["count"], done["more"]) == (2, True)
    assert client.post(f"{RUNS}/bulk", json={**body, "dry_run": False}).json()["count"] >= 1
    for each in waiting:
        assert service.ended(each).state is RunState.CANCELLED
    gone = client.post(
        f"{RUNS}/bulk", json={"action": "delete", "where": "workflow:*", "dry_run": False}
    ).json()
    assert gone["count"] == 4
    assert client.get(RUNS).json()["items"] == []


def test_an_ended_run_is_deleted_with_all_that_is_its_own(service: Service, client: Client) -> None:
    """Rows, logs and notes go; a run that is open stays."""
    run, open_run = service.start("doubled"), service.start("waiting")
    service.ended(run)
    client.patch(f"{RUNS}/{run}", json={"note": "soon gone"})
    row = service.store.run(run)
    assert service.services.logs.files(row)
    assert client.delete(f"{RUNS}/{open_run}").status_code == 409
    assert client.delete(f"{RUNS}/{run}").status_code == 204
    assert client.get(f"{RUNS}/{run}").status_code == 404
    assert service.services.logs.files(row) == []
    assert service.store.records("annotation") == []
    client.post(f"{RUNS}/{open_run}/cancel")
    service.ended(open_run)


def test_task_runs_are_listed_and_shown(service: Service, client: Client) -> None:
    """By index, filtered, page by page; each with its attempts and what led to where it is."""
    run = service.start("failing")
    service.ended(run)
    first = client.get(f"{RUNS}/{run}/tasks", params={"limit": 1}).json()
    second = client.get(f"{RUNS}/{run}/tasks", params={"limit": 1, "page": first["next"]}).json()
    assert [each["idx"] for each in first["items"] + second["items"]] == [0, 1]
    assert second["next"] is None
    (failed,) = client.get(f"{RUNS}/{run}/tasks", params={"where": "name:break_down"}).json()["items"]
    shown = client.get(f"{RUNS}/{run}/tasks/{failed['idx']}").json()
    assert [each["state"] for each in shown["attempts"]] == ["failed"]
    assert "no 1 today" in shown["attempts"][0]["error"]["traceback"]
    why = client.get(f"{RUNS}/{run}/why/{failed['key']}").json()
    assert "no 1 today" in why["answer"]
    assert why["steps"][-1]["state"] == "failed"


def test_a_runs_events_are_paged_in_order(service: Service, client: Client) -> None:
    """Every change is told once, and the last one is the run's end."""
    run = service.start("doubled")
    service.ended(run)
    page = client.get(f"{RUNS}/{run}/events", params={"limit": 4}).json()
    seen = page["items"]
    while page["next"]:
        page = client.get(f"{RUNS}/{run}/events", params={"limit": 4, "page": page["next"]}).json()
        seen += page["items"]
    numbers = [each["seq"] for each in seen]
    assert numbers == sorted(set(numbers))
    assert (seen[0]["kind"], seen[-1]["kind"], seen[-1]["state"]) == ("run_added", "run", "succeeded")
