"""Automations, channels and deliveries over HTTP."""

from typing import Any

from api_service import Service
from litestar.testing import TestClient

from weft.model.traces import FACT

Client = TestClient[Any]
LOUD = {"way": {"type": "log", "level": "error"}}
TOLD = {"when": {"type": "run", "states": ["failed"]}, "then": [{"type": "notify", "channel": "ops"}]}


def test_a_channel_and_an_automation_are_written_shown_and_deleted(client: Client) -> None:
    """With ETags, and with secrets by name only; what cannot be is refused where it is wrong."""
    new = {"If-None-Match": "*"}
    made = client.put("/api/v1/channels/ops", json={"definition": LOUD}, headers=new)
    assert made.status_code == 200, made.text
    made = client.put("/api/v1/automations/failures", json={"definition": TOLD}, headers=new)
    assert made.status_code == 200, made.text
    shown = client.get("/api/v1/automations/failures")
    assert shown.json()["definition"] == TOLD
    assert shown.headers["etag"] == shown.json()["etag"]
    wrong = {**TOLD, "then": []}
    refused = client.put(
        "/api/v1/automations/failures",
        json={"definition": wrong},
        headers={"If-Match": shown.headers["etag"]},
    )
    assert (refused.status_code, refused.json()["code"][0]) == (422, "W")
    refused = client.put("/api/v1/channels/ops", json={"definition": {"way": 3}}, headers={"If-Match": "*"})
    assert refused.status_code == 422
    assert client.put("/api/v1/channels/ops", json={"definition": LOUD}).status_code == 428
    deleted = client.delete("/api/v1/automations/failures", headers={"If-Match": "*"})
    assert deleted.status_code == 204
    assert client.get("/api/v1/automations").json()["items"] == []


def test_a_test_message_is_a_delivery(client: Client) -> None:
    """It waits in its channel's lane; what was not given up needs no help."""
    client.put("/api/v1/channels/ops", json={"definition": LOUD}, headers={"If-None-Match": "*"})
    sent = client.post("/api/v1/channels/ops/test").json()
    assert (sent["lane"], sent["automation"]) == ("channel.ops", "")
    assert "test" in sent["what"]
    assert client.get(f"/api/v1/deliveries/{sent['id']}").json() == sent
    for kept in ({}, {"state": "waiting"}, {"find": "CHANNEL.ops"}, {"automation": ""}):
        assert client.get("/api/v1/deliveries", params=kept).json()["items"] == [sent]
    for left_out in ({"state": "dead"}, {"find": "nothing"}, {"automation": "another"}):
        assert client.get("/api/v1/deliveries", params=left_out).json()["items"] == []
    assert client.post(f"/api/v1/deliveries/{sent['id']}/resend").status_code == 422
    assert client.post("/api/v1/channels/nothing/test").status_code == 404


def test_runs_are_started_together_or_not_at_all(service: Service, client: Client) -> None:
    """A thousand in one transaction; a repeated request makes no more of them."""
    wanted = [{"workflow": "doubled", "params": {"number": n}} for n in range(5)]
    key = {"Idempotency-Key": "k"}
    first = client.post("/api/v1/runs/batch", json={"runs": wanted}, headers=key)
    assert first.status_code == 201, first.text
    again = client.post("/api/v1/runs/batch", json={"runs": wanted}, headers=key)
    ids = [each["id"] for each in first.json()["runs"]]
    assert ids == [each["id"] for each in again.json()["runs"]]
    assert len(set(ids)) == 5
    before = len(service.store.runs())
    wrong = [*wanted, {"workflow": "doubled", "params": {"nothing": 1}}]
    assert client.post("/api/v1/runs/batch", json={"runs": wrong}).status_code == 422
    assert client.post("/api/v1/runs/batch", json={"runs": []}).status_code == 422
    assert len(service.store.runs()) == before
    for each in ids:
        service.ended(each)


def test_a_run_belongs_to_the_trace_that_it_was_submitted_from(service: Service, client: Client) -> None:
    """A header that names no span is ignored, as the standard wants it."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for given, kept in ((parent, parent), ("nonsense", None)):
        made = client.post("/api/v1/runs", json={"workflow": "doubled"}, headers={"traceparent": given})
        assert service.store.run(made.json()["id"]).facts.get(FACT) == kept
        service.ended(made.json()["id"])
