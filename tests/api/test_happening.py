"""What happens and what it starts: events, webhooks, triggers, assets and backfills, over HTTP."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from api_service import Service
from litestar.testing import TestClient

from weft.core import ticking
from weft.engine.triggers import ASSETS, happen
from weft.model.hooks import Scheme
from weft.model.schedules import Cron, Schedule
from weft.model.triggers import Armed, AssetEntry, Happening, OnEvent, Source, Trigger
from weft.notifications.signing import SIGNATURE, TIMESTAMP, sign
from weft.projects.records import SCHEDULES, TRIGGERS
from weft.server.auth.signatures import is_signed

Client = TestClient[Any]
NOW = 1_800_000_000.0
BODY = b'{"id": 7}'
SECRET = "correct horse"


def _mac(data: bytes) -> str:
    return hmac.new(SECRET.encode(), data, hashlib.sha256).hexdigest()


SIGNED: list[tuple[Scheme, dict[str, str]]] = [
    (Scheme.WEFT, {TIMESTAMP.lower(): "1800000000", SIGNATURE.lower(): sign(SECRET, "1800000000", BODY)}),
    (Scheme.GITHUB, {"x-hub-signature-256": f"sha256={_mac(BODY)}"}),
    (Scheme.STRIPE, {"stripe-signature": f"t=1800000000,v1=00,v1={_mac(b'1800000000.' + BODY)}"}),
    (
        Scheme.SLACK,
        {
            "x-slack-request-timestamp": "1800000000",
            "x-slack-signature": f"v0={_mac(b'v0:1800000000:' + BODY)}",
        },
    ),
    (Scheme.TOKEN, {"x-gitlab-token": SECRET}),
    (Scheme.TOKEN, {"x-weft-token": SECRET}),
]


@pytest.mark.parametrize(("scheme", "headers"), SIGNED)
def test_each_sender_signs_in_its_way(scheme: Scheme, headers: dict[str, str]) -> None:
    """Another body, another secret, another scheme or an old signature proves nothing."""
    assert is_signed(scheme, SECRET, headers, BODY, now=NOW)
    assert not is_signed(scheme, "another", headers, BODY, now=NOW)
    assert not is_signed(scheme, SECRET, {}, BODY, now=NOW)
    if scheme is not Scheme.TOKEN:
        assert not is_signed(scheme, SECRET, headers, BODY + b" ", now=NOW)
    if scheme not in (Scheme.TOKEN, Scheme.GITHUB):
        assert not is_signed(scheme, SECRET, headers, BODY, now=NOW + 301)
    for other in Scheme:
        assert other is scheme or not is_signed(other, SECRET, headers, BODY, now=NOW)


def test_a_hook_takes_what_is_signed_and_nothing_else(service: Service, client: Client) -> None:
    """Whoever cannot sign learns nothing, not even whether there is such a hook; a repeat counts once."""
    hook = {"scheme": "github", "secret": SECRET, "event": "code.pushed"}
    made = client.put("/api/v1/hooks/code", json=hook, headers={"If-None-Match": "*"})
    assert made.status_code == 200
    assert SECRET not in made.text
    headers = {"X-Hub-Signature-256": f"sha256={_mac(BODY)}", "X-GitHub-Delivery": "d-1"}
    for _ in range(2):
        told = client.post("/api/v1/hooks/code", content=BODY, headers=headers)
        assert told.status_code == 201
        assert (told.json()["name"], told.json()["payload"]) == ("code.pushed", {"id": 7})
    wrong = client.post("/api/v1/hooks/code", content=b"{}", headers=headers)
    unknown = client.post("/api/v1/hooks/nothing", content=BODY, headers=headers)
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]
    assert len(client.get("/api/v1/happenings").json()["items"]) == 1


def test_an_event_is_sent_once_under_its_key(client: Client) -> None:
    """And too large a payload is refused."""
    body = {"name": "order.paid", "payload": {"id": 1}}
    for _ in range(2):
        answer = client.post("/api/v1/happenings", json=body, headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 201
    assert len(client.get("/api/v1/happenings").json()["items"]) == 1
    large = client.post("/api/v1/happenings", json={"name": "x", "payload": "y" * 300_000})
    assert large.status_code == 413


def test_what_happened_is_listed_from_the_newest_on(service: Service, client: Client) -> None:
    """Page by page, also what was sent under a key; filters and the other order hold over the pages."""
    for number in range(5):
        key = f"k{number}" if number % 2 else ""
        told = Happening(source=Source.EVENT, name=f"e{number % 3}", at=NOW + number, payload=number, key=key)
        happen(service.store, told, clock=service.engine.clock)
    read = client.get("/api/v1/happenings", params={"limit": 2}).json()
    assert [each["payload"] for each in read["items"]] == [4, 3]
    rest = client.get("/api/v1/happenings", params={"limit": 2, "page": read["next"]}).json()
    assert [each["payload"] for each in rest["items"]] == [2, 1]
    refused = client.get("/api/v1/happenings", params={"order": "oldest", "page": read["next"]})
    assert refused.status_code == 400
    old = client.get("/api/v1/happenings", params={"order": "oldest", "limit": 2}).json()
    assert [each["payload"] for each in old["items"]] == [0, 1]
    named = client.get("/api/v1/happenings", params={"name": "e1", "limit": 1}).json()
    assert [each["payload"] for each in named["items"]] == [4]
    last = client.get("/api/v1/happenings", params={"name": "e1", "limit": 1, "page": named["next"]}).json()
    assert ([each["payload"] for each in last["items"]], last["next"]) == ([1], None)
    found = client.get("/api/v1/happenings", params={"find": "E2"}).json()["items"]
    assert [each["payload"] for each in found] == [2]
    assert client.get("/api/v1/happenings", params={"source": "file"}).json()["items"] == []


def test_triggers_and_assets_are_shown_and_steered(service: Service, client: Client) -> None:
    """By name, with what has been seen."""
    armed = Armed(workflow="w", trigger=Trigger(when=OnEvent("order.*"), params={"n": 1}))
    TRIGGERS.save(service.store, armed.name, armed, at=1.0)
    ASSETS.save(service.store, "table", AssetEntry(uri="db://t", updates=3, updated_at=5.0), at=5.0)
    (shown,) = client.get("/api/v1/triggers").json()["items"]
    assert (shown["name"], shown["when"]) == ("w#default", {"type": "event", "name": "order.*"})
    assert client.post("/api/v1/triggers/w%23default/pause").json()["paused"] is True
    assert client.post("/api/v1/triggers/w%23default/resume").json()["paused"] is False
    assert client.get("/api/v1/triggers/nothing").status_code == 404
    (asset,) = client.get("/api/v1/assets").json()["items"]
    assert (asset["updates"], asset["task"]) == (3, None)


def test_a_backfill_is_planned_made_and_steered(service: Service, client: Client) -> None:
    """A plan changes nothing; what cannot be is refused before anything begins."""
    state = ticking.enrol("doubled", Schedule(Cron("@daily")), None, time.time())
    SCHEDULES.save(service.store, state.name, state, at=1.0)
    body: dict[str, Any] = {
        "workflow": "doubled",
        "first": "2026-01-01T00:00:00Z",
        "last": "2026-01-10T00:00:00Z",
        "params": {"number": 2},
        "max_active": 3,
    }
    planned = client.post("/api/v1/backfills", json={**body, "dry_run": True})
    assert planned.status_code == 201, planned.text
    assert (planned.json()["plan"]["count"], planned.json()["id"]) == (10, "")
    assert client.get("/api/v1/backfills").json()["items"] == []
    made = client.post("/api/v1/backfills", json=body).json()
    assert (made["stage"], made["total"]) == ("running", 10)
    name = made["id"]
    for workflow, count in (("", 1), ("doubled", 1), ("chain", 0)):
        listed = client.get("/api/v1/backfills", params={"workflow": workflow})
        assert len(listed.json()["items"]) == count
    for act, stage in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert client.post(f"/api/v1/backfills/{name}/{act}").json()["stage"] == stage
    assert client.post(f"/api/v1/backfills/{name}/resume").status_code in (400, 409, 422)
    for wrong in ({"params": {"x": 1}}, {"last": "2025-01-01T00:00:00Z"}, {"workflow": "nothing"}):
        answer = client.post("/api/v1/backfills", json={**body, **wrong})
        assert answer.status_code in (400, 404, 422), answer.text
        assert answer.json()["code"].startswith("W")
    assert json.loads(client.get(f"/api/v1/backfills/{name}").text)["id"] == name
