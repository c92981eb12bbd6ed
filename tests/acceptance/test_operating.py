"""Operating a service with real processes: look, back up, restore, move to PostgreSQL, and fill a stretch."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PostgresElsewhere, PostgresServer
from served import Served, until

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"

FLOWS = """
from datetime import datetime
from weft import cron, dag, flow, logical_date, task, wait_for_event

@task
def double(x: int) -> int:
    return x * 2

@task
def total(xs: list[int]) -> int:
    return sum(xs)

@flow
def doubled(n: int = 5) -> int:
    return total(double.map(range(n)))

@flow
def waiting() -> object:
    before = double(21)
    return [before, wait_for_event("go")]

@dag(schedule=cron("0 0 * * *"))
def daily(day: datetime = logical_date()):
    double(2)
"""

Start = Callable[..., Served]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services on one home; all are stopped when the test ends."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "flows.py").write_text(FLOWS)
    begun: list[Served] = []

    def begin(*words: str, **env: str) -> Served:
        begun.append(Served(tmp_path / "home", *words, **env))
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()


def test_a_service_in_use_is_backed_up_and_moves_to_postgres(
    start: Start, tmp_path: Path, postgres: PostgresServer | PostgresElsewhere
) -> None:
    """An open run waits in SQLite, is backed up there, and goes on in PostgreSQL where it was."""
    service = start()
    service.weft("deploy", str(tmp_path / "project"))
    ended = [service.run("doubled", n=3) for _ in range(3)]
    assert [_result(service, each) for each in ended] == [6, 6, 6]
    open_run = service.run("waiting")
    until(lambda: service.get(f"/runs/{open_run}/tasks?where=state:succeeded")["items"], str)
    status = _json(_typed(service, "status", "--json", port=service.url.rpartition(":")[2]))
    assert (status["server"]["ready"], len(status["engines"])) == (True, 1)
    assert status["runs"] == {"running": 1}
    assert status["engines"][0]["runs"] == 1
    assert status["warnings"] == []

    backup = tmp_path / "backup.db"
    service.weft("db", "backup", str(backup))
    url = postgres.url()
    refused = subprocess.run(
        [sys.executable, "-m", "weft", "db", "migrate-to", url],
        env=service.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 engine at work" in refused.stderr
    service.stop()

    moved = _json(service.weft("db", "migrate-to", url, "--json"))
    assert moved["problems"] == []
    assert moved["rows"]["run"] == 4
    there = start("up", "--port", "0", WEFT_STORE=url)
    assert {each["id"] for each in there.get("/runs")["items"]} == {*ended, open_run}
    there.post(f"/runs/{open_run}/signals", {"name": "go", "payload": 7})
    assert _result(there, open_run) == [42, 7]
    assert _result(there, there.run("doubled", n=4)) == 12
    assert "PostgreSQL" in there.weft("doctor")
    there.stop()
    assert _verified(there)

    # The backup is what the store was: the run is open in it, and goes on there too.
    shutil.copytree(service.home / "artifacts", tmp_path / "again" / "artifacts")
    again = Served(tmp_path / "again", "up", "--port", "0")
    again.stop()
    again.weft("db", "restore", str(backup), "--yes")
    back = Served(tmp_path / "again", "up", "--port", "0")
    try:
        back.post(f"/runs/{open_run}/signals", {"name": "go", "payload": 8})
        assert _result(back, open_run) == [42, 8]
    finally:
        back.stop()
    assert _verified(back)


def test_a_backfill_is_planned_and_carried_out(start: Start, tmp_path: Path) -> None:
    """What the plan counts is what runs; planned again, nothing is left to do."""
    service = start()
    service.weft("deploy", str(tmp_path / "project"))
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    first = last - timedelta(days=3)
    words = ("backfills", "create", "daily", "--first", first.isoformat(), "--last", last.isoformat())
    plan = _json(service.weft(*words, "--json"))
    assert (plan["count"], plan["estimate_s"]) == (4, None)
    assert _json_lines(service.weft("backfills", "list", "--json")) == []
    name = service.weft(*words, "--yes").strip()

    def now() -> Any:
        return _json(service.weft("backfills", "show", name, "--json"))

    until(lambda: now()["ended"] is not None, lambda: f"{now()} {service.said}")
    assert now()["stage"] == "succeeded", service.weft("status")
    again = _json(service.weft(*words, "--json"))
    assert (again["count"], again["passed"]) == (0, {"succeeded": 4})


def test_the_unit_of_systemd_is_well_formed(tmp_path: Path) -> None:
    """With a command that is there, systemd has nothing to say about it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here")
    unit = tmp_path / "weft.service"
    text = (EXAMPLES / "weft.service").read_text()
    unit.write_text(text.replace("/opt/weft/bin/weft", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "weft.service" not in done.stdout + done.stderr
    assert done.returncode == 0


def test_the_compose_file_names_what_is_there() -> None:
    """It is YAML, its services have images or the container file, and its commands are ours."""
    yaml = pytest.importorskip("yaml")
    composed = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())
    services = composed["services"]
    commands = {"server", "engine", "admin"}
    assert commands <= set(services)
    for name in commands:
        assert (EXAMPLES / services[name]["build"]["dockerfile"]).is_file()
        subprocess.run(
            [sys.executable, "-m", "weft", services[name]["command"][0], "--help"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        assert {each.partition(":")[0] for each in services[name]["volumes"]} <= set(composed["volumes"])


def _typed(service: Served, *words: str, port: str) -> str:
    """A command beside a service on a port."""
    done = subprocess.run(
        [sys.executable, "-m", "weft", *words],
        env={**service.env, "WEFT_PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _result(service: Served, run: str) -> Any:
    """A run's result, once it has ended."""
    service.ended(run)
    return _json(service.weft("runs", "show", run, "--json"))["result"]


def _verified(service: Served) -> bool:
    """Whether the store of a service that has stopped keeps every promise."""
    service.weft("verify")
    return True


def _json(text: str) -> Any:
    return json.loads(text)


def _json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]
