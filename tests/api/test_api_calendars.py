"""A workflow's runs by day, through the API."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_service import Service, client_of
from litestar import Litestar
from litestar.testing import TestClient

from weft.core.changes import Cause, Change, RunAdded, RunChanged
from weft.model.states import RunState
from weft.store.memory import MemoryStore
from weft.testing import FakeClock

Client = TestClient[Litestar]
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def filled(runs: list[tuple[str, float, RunState]], zone: ZoneInfo) -> MemoryStore:
    """A store with runs that were accepted at a wall time and took so many seconds."""
    store = MemoryStore()
    engine = store.open_engine(name="e", host="h", pid=1, process_started="", at=0.0, expires_at=1e12)
    changes: list[Change] = []
    for run, (at, took_s, state) in enumerate(runs, start=1):
        moment = datetime.fromisoformat(at).replace(tzinfo=zone).timestamp()
        changes += [
            RunAdded(run=run, uid=f"run_{run}", workflow="daily", graph="", at=moment),
            RunChanged(run=run, state=RunState.RUNNING, at=moment, cause=Cause.SUBMITTED),
            RunChanged(run=run, state=state, at=moment + took_s, cause=Cause.RETURNED),
        ]
    store.commit(changes, engine=engine, epochs=dict.fromkeys(range(1, len(runs) + 1), 1))
    return store


def calendar(service: Service, store: MemoryStore, now: str, zone: ZoneInfo, **params: Any) -> Any:
    """The answer at a wall time."""
    clock = FakeClock(datetime.fromisoformat(now).replace(tzinfo=zone).timestamp())
    with client_of(service.app(store=store, clock=clock)) as client:
        answer = client.get("/api/v1/workflows/daily/calendar", params={"tz": str(zone), **params})
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_days_follow_the_clock_on_the_wall(service: Service) -> None:
    """Before and after both changes of the clock, on days of 23 and of 25 hours."""
    ok, failed = RunState.SUCCEEDED, RunState.FAILED
    store = filled(
        [
            ("2026-03-28T23:59", 10.0, ok),
            ("2026-03-29T00:00", 10.0, ok),
            ("2026-03-29T23:59", 10.0, failed),
            ("2026-03-30T00:00", 10.0, ok),
            ("2026-10-24T23:59", 10.0, ok),
            ("2026-10-25T00:00", 10.0, ok),
            ("2026-10-25T23:59", 10.0, ok),
            ("2026-10-26T00:00", 10.0, ok),
        ],
        STOCKHOLM,
    )
    told = calendar(service, store, "2026-10-26T12:00", STOCKHOLM)
    assert (told["tz"], told["first"], told["last"]) == ("Europe/Stockholm", "2025-10-27", "2026-10-26")
    assert {each["day"]: each["states"] for each in told["days"]} == {
        "2026-03-28": {"succeeded": 1},
        "2026-03-29": {"succeeded": 1, "failed": 1},
        "2026-03-30": {"succeeded": 1},
        "2026-10-24": {"succeeded": 1},
        "2026-10-25": {"succeeded": 2},
        "2026-10-26": {"succeeded": 1},
    }
    assert [
        each["day"] for each in calendar(service, store, "2026-10-26T12:00", STOCKHOLM, days=2)["days"]
    ] == [
        "2026-10-25",
        "2026-10-26",
    ]


@pytest.mark.parametrize("name", ["Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"])
def test_days_begin_at_quarters_of_an_hour_too(service: Service, name: str) -> None:
    """Where the clock is not whole hours from UTC's."""
    zone = ZoneInfo(name)
    days = ("2026-01-01", "2026-01-02", "2026-07-01", "2026-07-02")
    times = [f"{day}T{hour}" for day in days for hour in ("00:00", "23:59")]
    store = filled([(at, 1.5, RunState.SUCCEEDED) for at in times], zone)
    told = calendar(service, store, "2026-07-03T00:01", zone)
    assert {each["day"]: each["states"]["succeeded"] for each in told["days"]} == dict.fromkeys(days, 2)


def test_a_day_tells_how_long_its_runs_took(service: Service) -> None:
    """The middle one of those that succeeded, nearly."""
    took = [(3.0, RunState.SUCCEEDED), (300.0, RunState.SUCCEEDED), (47.0, RunState.SUCCEEDED)]
    took.append((9000.0, RunState.FAILED))
    store = filled([("2026-05-05T12:00", took_s, state) for took_s, state in took], STOCKHOLM)
    (day,) = calendar(service, store, "2026-05-05T20:00", STOCKHOLM)["days"]
    assert day["p50_s"] == pytest.approx(47.0, rel=0.05)
    store = filled([("2026-05-05T12:00", 1.0, RunState.FAILED)], STOCKHOLM)
    (day,) = calendar(service, store, "2026-05-05T20:00", STOCKHOLM)["days"]
    assert day["p50_s"] is None


WRONG: list[dict[str, Any]] = [{"tz": "Mars/Base"}, {"tz": "../etc"}, {"tz": ""}, {"days": 0}, {"days": 9999}]


@pytest.mark.parametrize("params", WRONG)
def test_a_wrong_calendar_is_refused(client: Client, params: dict[str, Any]) -> None:
    """With a code."""
    answer = client.get("/api/v1/workflows/chain/calendar", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "W1500")
