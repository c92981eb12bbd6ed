"""Workflows at a glance, how things stand, and finding things by their names, through the API."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_flows import double
from api_service import Service, client_of
from litestar import Litestar
from litestar.testing import TestClient
from msgspec.structs import replace

from weft import flow, task
from weft.core import ticking
from weft.engine.sharing import LIMITS, POOLS
from weft.engine.triggers import ASSETS
from weft.model.limits import Limit, Stake
from weft.model.pools import Pool
from weft.model.schedules import Cron, Every, Schedule
from weft.model.triggers import AssetEntry
from weft.projects.records import SCHEDULES, WORKFLOWS
from weft.server.api.overviews import part, took
from weft.settings import Settings, load_settings
from weft.store.summaries import RunMark

Client = TestClient[Litestar]


@flow
def scripted(number: int = 2) -> int:
    """A flow that is never deployed."""
    return double(number)


OPEN = threading.Event()


@task(concurrency="till", rate_limit=("api", 5, 3600.0))
def pay(number: int) -> int:
    """Holds the till until the test opens it."""
    OPEN.wait(20.0)
    return number


@flow
def crowded() -> list[int]:
    """Three that want one till."""
    return [each.result() for each in pay.map([1, 2, 3])]


def scheduled(service: Service, workflow: str, *schedules: Schedule) -> None:
    """Enrol schedules."""
    now = service.engine.clock.now()
    for each in schedules:
        state = ticking.enrol(workflow, each, None, now)
        SCHEDULES.save(service.store, state.name, state, at=now, due_at=ticking.due_at(state, now))


def overview(client: Client, **params: Any) -> dict[str, Any]:
    """The workflows of one page, by name."""
    answer = client.get("/api/v1/workflows/overview", params=params)
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["items"]}


def test_workflows_are_told_with_their_latest_runs(service: Service, client: Client) -> None:
    """The newest last, at most so many; how long they take, and how many are open."""
    runs = [service.start("doubled") for _ in range(3)]
    for run in runs:
        service.ended(run)
    waits = service.start("waiting")
    found = overview(client, recent=2)
    listed = client.get("/api/v1/workflows").json()["items"]
    assert list(found) == [each["name"] for each in listed]
    for each in listed:
        told = found[each["name"]]
        for field in (
            "project",
            "version",
            "kind",
            "dialect",
            "tags",
            "doc",
            "paused",
            "gone",
            "deployed_at",
        ):
            assert told[field] == each[field]
        assert told["deployed"] is True
    doubled = found["doubled"]
    assert [each["id"] for each in doubled["recent"]] == runs[1:]
    shown = client.get(f"/api/v1/runs/{runs[2]}").json()
    assert doubled["recent"][1] == {name: shown[name] for name in doubled["recent"][1]}
    assert 0 <= doubled["p50_s"] <= doubled["p95_s"]
    assert (doubled["open"], found["waiting"]["open"]) == (0, 1)
    assert (found["waiting"]["p50_s"], found["chain"]["recent"]) == (None, [])
    assert overview(client, recent=0)["doubled"]["recent"] == []
    client.post(f"/api/v1/runs/{waits}/cancel")
    service.ended(waits)


def test_workflows_that_only_ran_are_told_too(service: Service, client: Client) -> None:
    """In their place among the others, however the pages are cut; gone ones if that is asked for."""
    scripted(3)
    names = sorted([*(each.name for each in WORKFLOWS.all(service.store)), "scripted"])
    entry = WORKFLOWS.require(service.store, "chain")
    WORKFLOWS.save(service.store, "chain", replace(entry.value, gone=True), at=1.0)
    assert list(overview(client, gone=True)) == names
    names.remove("chain")
    found = overview(client)
    assert list(found) == names
    told = found["scripted"]
    assert (told["deployed"], told["deployed_at"], told["version"], told["project"]) == (False, None, 0, "")
    assert len(told["recent"]) == 1
    for limit in (1, 2, 3):
        seen: list[str] = []
        page: str | None = ""
        while page is not None:
            answer = client.get(
                "/api/v1/workflows/overview", params={"limit": limit, **({"page": page} if page else {})}
            ).json()
            seen += [each["name"] for each in answer["items"]]
            page = answer["next"]
        assert seen == names, limit
    assert list(overview(client, prefix="s")) == ["scripted"]


def test_workflows_are_told_with_their_schedules(service: Service, client: Client) -> None:
    """And the nearest tick of those that do not rest."""
    scheduled(
        service, "chain", Schedule(Cron("0 6 1 1 *"), name="yearly"), Schedule(Every(60.0), name="often")
    )
    scheduled(service, "doubled", Schedule(Every(60.0), name="rests", paused=True))
    found = overview(client)
    assert found["chain"]["schedules"] == ["often", "yearly"]
    ticks = client.get("/api/v1/schedules/chain%23often/preview", params={"count": 1}).json()["ticks"]
    assert found["chain"]["next_at"] == ticks[0]
    assert (found["doubled"]["schedules"], found["doubled"]["next_at"]) == (["rests"], None)
    assert (found["failing"]["schedules"], found["failing"]["next_at"]) == ([], None)
    client.post("/api/v1/workflows/chain/pause")
    assert overview(client)["chain"]["next_at"] is None


@pytest.mark.parametrize("params", [{"recent": 51}, {"recent": -1}, {"limit": 0}])
def test_wrong_overviews_are_refused(client: Client, params: dict[str, Any]) -> None:
    """With a code."""
    answer = client.get("/api/v1/workflows/overview", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "W1500")


def test_percentiles_are_values_that_came_about() -> None:
    """Nearest rank, of those that succeeded."""
    assert part([], 0.5) is None
    assert (part([1.0, 2.0, 3.0, 4.0], 0.5), part([1.0, 2.0, 3.0, 4.0], 0.95)) == (2.0, 4.0)
    assert part([7.0], 0.0) == 7.0
    marks = [
        RunMark(run, "", "", state, 0.0, 1.0, 9.0 - run)
        for run, state in enumerate(["succeeded", "failed"] * 2)
    ]
    assert took(marks) == [6.0, 8.0]
    assert (
        took([RunMark(1, "", "", "succeeded", 0.0, None, 5.0), RunMark(1, "", "", "running", 0.0, 1.0, None)])
        == []
    )


def test_how_things_stand(service: Service, client: Client) -> None:
    """What runs, what waits for a person, what failed and what ended, each once."""
    failed = service.start("failing")
    service.ended(failed)
    service.ended(service.start("doubled"))
    asking, waiting = service.start("asking"), service.start("waiting")
    row = service.store.run(asking)
    service.until(lambda: service.store.open_approvals() == 1)
    service.until(lambda: service.store.run(waiting).state == "running")
    told = client.get("/api/v1/overview").json()
    assert told["counts"] == {"running": 2}
    assert [each["id"] for each in told["running"]] == [waiting, asking]
    assert ([each["id"] for each in told["failed"]], told["failed_count"]) == ([failed], 1)
    assert told["approvals"] == 1
    assert len(told["ended_24h"]) == 24
    assert [
        sum(each[name] for each in told["ended_24h"]) for name in ("succeeded", "failed", "cancelled")
    ] == [1, 1, 0]
    at = datetime.fromisoformat(told["ended_24h"][-1]["at"])
    assert at <= datetime.fromisoformat(told["now"]) < at + timedelta(hours=1)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    told = client.get("/api/v1/overview", params={"since": later}).json()
    assert (told["failed"], told["failed_count"]) == ([], 0)
    for run in (row.uid, waiting):
        client.post(f"/api/v1/runs/{run}/cancel")
        service.ended(run)
    assert client.get("/api/v1/overview").json()["counts"] == {}


@pytest.mark.parametrize(
    "since",
    ["yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "0", "2026-01-01T00:00:00Zz"],
)
def test_a_wrong_moment_is_refused(client: Client, since: str) -> None:
    """Also one without a zone: it could mean anything."""
    answer = client.get("/api/v1/overview", params={"since": since})
    assert (answer.status_code, answer.json()["code"]) == (422, "W1500")


def test_ticks_to_come_and_late_ones(service: Service, client: Client) -> None:
    """Of all schedules by time; those of workflows and schedules that rest are neither."""
    now = service.engine.clock.now()
    scheduled(service, "chain", Schedule(Every(3600.0), name="hourly"))
    scheduled(
        service, "doubled", Schedule(Every(21_600.0), name="rarely"), Schedule(Every(60.0), paused=True)
    )
    scheduled(service, "failing", Schedule(Every(60.0), name="resting"))
    client.post("/api/v1/workflows/failing/pause")
    late = ticking.enrol("talking", Schedule(Every(3600.0), name="late"), None, now - 7200)
    SCHEDULES.save(service.store, late.name, replace(late, blocked="no room"), at=now, due_at=now)
    told = client.get("/api/v1/overview").json()
    times = [each["at"] for each in told["upcoming"]]
    assert times == sorted(times)
    assert {name: sum(each["schedule"] == name for each in told["upcoming"]) for name in _names(told)} == {
        "chain#hourly": 24,
        "doubled#rarely": 4,
        "talking#late": 24,
    }
    assert told["upcoming"][0]["workflow"] in ("chain", "talking")
    (tick,) = told["late"]
    assert (tick["schedule"], tick["workflow"], tick["reason"]) == ("talking#late", "talking", "no room")
    assert tick["due_at"] == datetime.fromtimestamp(late.next_tick or 0, UTC).isoformat().replace(
        "+00:00", "Z"
    )
    assert tick["late_s"] == pytest.approx(now - (late.next_tick or 0), abs=30.0)


def _names(told: dict[str, Any]) -> set[str]:
    return {each["schedule"] for each in told["upcoming"]}


def test_pools_and_executors_are_told_with_what_uses_them(service: Service, client: Client) -> None:
    """What other engines have said counts too."""
    POOLS.save(service.store, "gpu", Pool(slots=4), at=1.0)
    stakes = {99: Stake(share=2, limit=4, want=3), 98: Stake(share=1, limit=4)}
    LIMITS.save(service.store, "pool:gpu", Limit(stakes=stakes), at=1.0)
    told = {(each["kind"], each["name"]): each for each in client.get("/api/v1/overview").json()["capacity"]}
    assert told["pool", "gpu"] == {"kind": "pool", "name": "gpu", "slots": 4, "used": 2, "queued": 1}
    executors = [name for kind, name in told if kind == "executor"]
    assert executors
    assert all(told["executor", name]["slots"] > 0 for name in executors)


def limits(client: Client) -> dict[str, Any]:
    """Keys and rates, by name."""
    return {each["name"]: each for each in client.get("/api/v1/limits").json()["items"]}


def test_keys_and_rates_tell_what_holds_them_and_who_waits(service: Service, client: Client) -> None:
    """What other engines said is added to what the engine here has; pools stand elsewhere."""
    OPEN.clear()
    assert limits(client) == {}
    stakes = {99: Stake(share=1, limit=2, want=1), 98: Stake(share=0, limit=3, want=2)}
    LIMITS.save(service.store, "key:ledger", Limit(stakes=stakes), at=1.0)
    LIMITS.save(service.store, "pool:gpu", Limit(stakes=stakes), at=1.0)
    service.deploy(crowded)
    run = service.start("crowded")
    service.until(lambda: limits(client).get("till", {}).get("waiting") == 2)
    found = limits(client)
    assert set(found) == {"ledger", "till", "api"}
    ledger, till, api = found["ledger"], found["till"], found["api"]
    assert (ledger["kind"], ledger["slots"], ledger["used"], ledger["waiting"]) == ("key", 2, 1, 2)
    assert (ledger["engines"], ledger["waiters"], ledger["per_s"]) == ([98, 99], [], None)
    assert (till["slots"], till["used"], till["waiting"]) == (1, 1, 2)
    assert till["engines"] == [service.engine.id]
    assert {(each["run"], each["workflow"]) for each in till["waiters"]} == {(run, "crowded")}
    assert (api["kind"], api["slots"], api["per_s"], api["used"]) == ("rate", 5, 3600.0, 1)
    OPEN.set()
    service.ended(run)
    assert "till" not in limits(client)


def test_settings_tell_where_they_came_from(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is secret in them only that it is set."""
    monkeypatch.setenv("WEFT_SECRET_KEY", "hush")
    monkeypatch.setenv("WEFT_STORE", "postgresql://ada:sesame@db.example.com/weft?sslpassword=sesame2")
    monkeypatch.setenv("WEFT_PORT", "4444")
    running = load_settings()
    monkeypatch.setenv("WEFT_LOG_LEVEL", "debug")
    with client_of(service.app(settings=running)) as configured:
        answer = configured.get("/api/v1/settings")
    found = {each["name"]: each for each in answer.json()["items"]}
    assert set(found) == set(Settings.__struct_fields__)
    assert (found["secret_key"]["value"], found["secret_key"]["hidden"]) == ("***", True)
    assert found["store"]["value"] == "postgresql://ada:***@db.example.com/weft?sslpassword=***"
    assert "hush" not in answer.text
    assert "sesame" not in answer.text
    assert (found["port"]["value"], found["port"]["default"]) == (4444, 4200)
    assert found["port"]["origin"] == "environment (WEFT_PORT)"
    assert (found["drain_s"]["value"], found["drain_s"]["origin"]) == (10.0, "default")
    assert found["log_level"]["origin"] == "the command line"


def search(client: Client, q: str) -> list[tuple[str, str]]:
    """What is found."""
    answer = client.get("/api/v1/search", params={"q": q})
    assert answer.status_code == 200, answer.text
    return [(each["kind"], each["id"]) for each in answer.json()["items"]]


def test_things_are_found_by_a_part_of_their_names(service: Service, client: Client) -> None:
    """Workflows with their runs, assets and schedules; runs by the beginning of their id."""
    runs = [service.start("doubled") for _ in range(2)]
    for run in runs:
        service.ended(run)
    scripted(1)
    newest = service.store.run("@latest").uid
    ASSETS.save(service.store, "Doubled numbers", AssetEntry(uri="s3://here"), at=1.0)
    scheduled(service, "doubled", Schedule(Cron("0 6 * * *"), name="morning"))
    assert search(client, "OUBLE") == [
        ("workflow", "doubled"),
        ("run", runs[1]),
        ("run", runs[0]),
        ("asset", "Doubled numbers"),
        ("schedule", "doubled#morning"),
    ]
    assert search(client, "ript") == [("workflow", "scripted"), ("run", newest)]
    assert search(client, runs[0]) == [("run", runs[0])]
    assert search(client, runs[0].removeprefix("run_").lower()) == [("run", runs[0])]
    assert search(client, "%") == search(client, " ") == []
    (schedule,) = [
        each
        for each in client.get("/api/v1/search", params={"q": "morn"}).json()["items"]
        if each["kind"] == "schedule"
    ]
    assert (schedule["title"], schedule["detail"]) == ("morning", "doubled · 0 6 * * *")
    assert client.get("/api/v1/search", params={"q": ""}).status_code == 422


def test_no_more_than_eight_of_a_kind_are_found(service: Service, client: Client) -> None:
    """Also when there are many."""
    for number in range(20):
        ASSETS.save(service.store, f"thing {number:02}", AssetEntry(), at=1.0)
    assert search(client, "thing") == [("asset", f"thing {number:02}") for number in range(8)]
