"""The service as its users meet it: started, deployed to, asked, scheduled, killed and stopped."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Served, until

FLOWS = """
import os, time
from weft import dag, flow, task, cron, logical_date, wait_for_event

@task
def double(x: int) -> int:
    return x * 2

@task
def total(xs: list[int]) -> int:
    return sum(xs)

@flow
def doubled(n: int = 5) -> int:
    return total(double.map(range(n)))

@task
def slow(path: str, number: int) -> int:
    with open(path, "a") as file:
        file.write(f"{number}\\n")
    time.sleep(0.3)
    return number

@flow
def steps(path: str, count: int = 6) -> int:
    return sum(slow(path, number) for number in range(count))

@dag(schedule=cron("* * * * * *"))
def ticking(moment: str = logical_date()):
    double(2)

@flow
def waiting() -> object:
    return wait_for_event("go")
"""

Start = Callable[..., Served]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services on one home; all are stopped when the test ends, and the store is healthy then."""
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
    verify = [sys.executable, "-m", "weft", "verify"]
    done = subprocess.run(verify, env=begun[0].env, capture_output=True, text=True, check=False)
    assert "every promise holds" in done.stderr, done.stdout + done.stderr


def deploy(service: Served) -> None:
    """Deploy the test's project."""
    service.weft("deploy", str(service.home.parent / "project"))


def result(run: dict[str, Any]) -> Any:
    """A run's result."""
    return run["result"]["value"]


def test_a_workflow_is_deployed_run_and_seen(start: Start) -> None:
    """Through the API and the command line, on one store; the engine has not imported the project."""
    service = start()
    assert service.get("/ready")["ready"]
    deploy(service)
    assert {each["name"] for each in service.get("/workflows")["items"]} == {
        "doubled",
        "steps",
        "ticking",
        "waiting",
    }
    run = service.ended(service.run("doubled", n=4))
    assert (run["state"], result(run)) == ("succeeded", 12)
    assert run["id"] in service.weft("runs", "list", "workflow:doubled")


def test_schedules_tick_once_a_second_and_survive_a_kill(start: Start) -> None:
    """Each tick makes one run, whatever is killed; a paused schedule makes none."""
    service = start()
    deploy(service)

    def ticks() -> list[str]:
        runs = service.get("/runs?where=workflow:ticking&limit=500")["items"]
        return [each["key"] for each in runs]

    until(lambda: len(ticks()) >= 2)
    service.kill()
    service = start()
    before = len(ticks())
    until(lambda: len(ticks()) >= before + 2)
    service.weft("schedules", "pause", "ticking#default")
    until(lambda: all(each["ended_at"] for each in service.get("/runs?where=workflow:ticking")["items"]))
    found = ticks()
    assert len(found) == len(set(found))
    assert all(each.startswith("schedule:ticking#default:") for each in found)


def test_a_killed_service_goes_on_where_it_was(start: Start, tmp_path: Path) -> None:
    """What was done is not done again; at most the task that ran when it died is."""
    service = start()
    deploy(service)
    path = tmp_path / "done.txt"
    run = service.run("steps", path=str(path))
    until(lambda: path.exists() and len(path.read_text().splitlines()) >= 3)
    service.kill()
    service = start()
    ended = service.ended(run)
    assert (ended["state"], result(ended)) == ("succeeded", 15)
    done = path.read_text().split()
    assert sorted(set(done)) == [str(each) for each in range(6)]
    assert len(done) <= 7


def test_another_engine_takes_over(start: Start, tmp_path: Path) -> None:
    """A server without an engine accepts; one engine dies in the middle, and the other ends the run."""
    server = start("server", "--port", "0")
    deploy(server)
    path = tmp_path / "done.txt"
    run = server.run("steps", path=str(path))
    assert server.get(f"/runs/{run}")["state"] == "scheduled"
    first = start("engine")
    until(lambda: path.exists() and len(path.read_text().splitlines()) >= 2)
    second = start("engine")
    first.kill()
    ended = server.ended(run)
    assert (ended["state"], result(ended)) == ("succeeded", 15)
    assert len(path.read_text().split()) <= 7
    assert second.stop() == 0


def test_a_stop_lets_running_tasks_end(start: Start, tmp_path: Path) -> None:
    """And keeps the rest for the next start: no task runs twice."""
    service = start()
    deploy(service)
    path = tmp_path / "done.txt"
    run = service.run("steps", path=str(path))
    until(lambda: path.exists() and len(path.read_text().splitlines()) >= 2)
    assert service.stop() == 0
    service = start()
    assert result(service.ended(run)) == 15
    assert path.read_text().split() == [str(each) for each in range(6)]


def test_an_event_wakes_a_flow_that_waits(start: Start) -> None:
    """However it is sent."""
    service = start()
    deploy(service)
    run = service.run("waiting")
    until(lambda: any(each["state"] == "waiting" for each in service.get(f"/runs/{run}/tasks")["items"]))
    service.weft("send", run, "go", "--payload", '{"n": 7}')
    assert result(service.ended(run)) == {"n": 7}


def test_a_taken_port_is_told_in_one_sentence(start: Start, tmp_path: Path) -> None:
    """At once, with what to do; nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        service = start("up", "--port", str(taken.getsockname()[1]))
        assert service.process.wait(30) == 1
    assert "W" in service.said
    assert "Traceback" not in service.said
    assert "port" in service.said


def test_other_machines_need_a_token(start: Start) -> None:
    """An address that others can reach is refused until there is one."""
    service = start("up", "--port", "0", "--host", "0.0.0.0")
    assert service.process.wait(30) == 2
    assert "weft tokens create" in service.said


def test_a_second_signal_stops_at_once(start: Start, tmp_path: Path) -> None:
    """Who cannot wait need not."""
    service = start(WEFT_DRAIN_S="600")
    deploy(service)
    path = tmp_path / "done.txt"
    service.run("steps", path=str(path), count=100)
    until(path.exists)
    os.kill(service.process.pid, signal.SIGTERM)
    until(lambda: "stopping" in service.said)
    assert service.stop(signal.SIGTERM) == 128 + signal.SIGTERM
