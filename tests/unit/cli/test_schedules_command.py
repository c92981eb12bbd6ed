"""``weft schedules``, in this process."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from weft.cli.app import run_app
from weft.cli.schedules import timing_of
from weft.core import ticking
from weft.engine.scheduler import SCHEDULES
from weft.model.errors import InvalidSchedule, NotFound, UsageError
from weft.model.schedules import Cron, Every, RRule, Schedule
from weft.settings import load_settings
from weft.store.open import open_store

NOW = datetime(2026, 3, 2, tzinfo=UTC).timestamp()

Deploy = Callable[..., None]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Keep a schedule in a store of the test's own, as a deployment does."""
    monkeypatch.setenv("WEFT_HOME", str(tmp_path))

    def deployed(workflow: str, schedule: Schedule) -> None:
        store = open_store(load_settings().store_url)
        state = ticking.enrol(workflow, schedule, None, NOW)
        SCHEDULES.save(store, state.name, state, at=NOW, due_at=ticking.due_at(state, NOW))
        store.close()

    return deployed


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed."""
    return capsys.readouterr().out.splitlines()


def test_preview_shows_the_zones_clock_and_utc(capsys: pytest.CaptureFixture[str]) -> None:
    """Also over a change of clock."""
    words = ["schedules", "preview", "30 2 * * *", "--tz", "Europe/Stockholm"]
    run_app([*words, "-n", "2", "--from", "2026-03-28T12:00"])
    head, gap, after = lines(capsys)
    assert head.split() == ["EUROPE/STOCKHOLM", "UTC", "IN"]
    assert gap.split()[:5] == ["Sun", "2026-03-29", "03:00:00", "+0200", "2026-03-29"]
    assert after.split()[1:3] == ["2026-03-30", "02:30:00"]
    run_app([*words, "-n", "1", "--from", "2026-03-28T12:00", "--json"])
    assert json.loads(lines(capsys)[0]) == {
        "tick": "2026-03-29T01:00:00.000000Z",
        "local": "2026-03-29T03:00:00+02:00",
    }


def test_a_timing_is_read_as_a_person_writes_it() -> None:
    """A recurrence, an interval, or else cron."""
    assert timing_of("FREQ=DAILY", "UTC") == RRule("FREQ=DAILY")
    assert timing_of("1h30m", "UTC") == Every(5400)
    assert timing_of("@daily", "Asia/Tokyo") == Cron("@daily", "Asia/Tokyo")
    with pytest.raises(InvalidSchedule):
        run_app(["schedules", "preview", "0 6 * *"])
    with pytest.raises(UsageError, match="no moment"):
        run_app(["schedules", "preview", "@daily", "--from", "soon"])


def test_list_and_show(deploy: Deploy, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for machines."""
    deploy("etl", Schedule(Cron("@daily"), name="nightly", params={"full": True}))
    deploy("etl", Schedule(Every(300), name="often", paused=True))
    deploy("other", Schedule(Cron("@daily", "Asia/Tokyo")))
    run_app(["schedules", "list"])
    rows = [line.split()[0] for line in lines(capsys)[1:]]
    assert rows == ["etl#nightly", "etl#often", "other#default"]
    run_app(["schedules", "list", "etl", "--json"])
    found = [json.loads(line) for line in lines(capsys)]
    assert [each["state"] for each in found] == ["active", "paused"]
    assert found[0]["next"] == "2026-03-03T00:00:00.000000Z"
    run_app(["schedules", "show", "etl#nightly"])
    assert "  params: {'full': True}" in lines(capsys)
    run_app(["schedules", "show", "other"])
    assert lines(capsys)[0] == "other#default  @daily Asia/Tokyo  active"


def test_pause_resume_and_trigger(deploy: Deploy, capsys: pytest.CaptureFixture[str]) -> None:
    """They change the record, which any scheduler finds; a paused one cannot be triggered."""
    deploy("etl", Schedule(Cron("@daily"), catchup=True))

    def state() -> str:
        run_app(["schedules", "list", "--json"])
        return str(json.loads(lines(capsys)[0])["state"])

    run_app(["schedules", "pause", "etl"])
    assert state() == "paused"
    with pytest.raises(UsageError, match="is paused"):
        run_app(["schedules", "trigger", "etl"])
    run_app(["schedules", "resume", "etl"])
    assert state() == "active"
    run_app(["schedules", "trigger", "etl"])
    run_app(["schedules", "list", "--json"])
    assert len(json.loads(lines(capsys)[0])["waiting"]) == 1


def test_a_schedule_that_is_not_there_is_named(deploy: Deploy) -> None:
    """And one of several has to be."""
    deploy("etl", Schedule(Cron("@daily"), name="a"))
    deploy("etl", Schedule(Cron("@daily"), name="b"))
    with pytest.raises(NotFound, match="nope#default"):
        run_app(["schedules", "pause", "nope"])
    with pytest.raises(UsageError, match="several"):
        run_app(["schedules", "pause", "etl"])
