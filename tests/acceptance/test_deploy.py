"""Deployed workflows in real workers: versions side by side, types from JSON, and user code kept outside."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployed import Service, write

PROJECT = {
    "flows/etl.py": '''
"""A flow and a dag that use the project's own modules."""
import os
import time
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from pathlib import Path

import helpers
from common.db import VERSION, place
from weft import dag, flow, logical_date, task


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Row:
    name: str
    day: date
    size: Size = Size.SMALL


@task
def describe(row: Row) -> list:
    assert isinstance(row, Row)
    return [row.name, type(row.day).__name__, row.size.name, helpers.WORD]


@task
def tomorrow(day: date) -> date:
    return day + timedelta(days=1)


@task
def version(gate: str = "") -> list:
    while gate and not os.path.exists(gate):
        time.sleep(0.005)
    from common import late
    return [VERSION, place(), late.VERSION, Path("common/query.sql").exists()]


@flow
def etl(row: Row, gate: str = "") -> list:
    """Say what arrived."""
    return [describe(row), version(gate), VERSION]


@dag
def nightly(day: date = logical_date(), gate: str = ""):
    return [tomorrow(day), version(gate)]


@dag
def rows(row: Row):
    return describe(row)


if __name__ == "__main__":
    etl(Row("main", date.today()))
''',
    "flows/helpers.py": "WORD = 'helped'\n",
    "common/__init__.py": "",
    "common/db.py": "VERSION = 1\ndef place():\n    return __file__\n",
    "common/late.py": "VERSION = 1\n",
    "common/query.sql": "select 1\n",
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a home of its own."""
    made = Service(tmp_path / "home")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder."""
    return write(tmp_path / "project", PROJECT)


def test_a_deployed_flow_runs_with_its_parameters_types(service: Service, project: Path) -> None:
    """JSON becomes the project's dataclass, date and enum in the worker; nothing is imported here."""
    service.deploy(project)
    row = {"name": "a", "day": "2026-03-04", "size": "large"}
    described, _, _ = service.run("etl", {"row": row})
    assert described == ["a", "date", "LARGE", "helped"]
    assert service.run("rows", {"row": row}) == ["a", "date", "LARGE", "helped"]
    assert not {"helpers", "common", "flows", "flows.etl"} & set(sys.modules)


def test_a_dags_date_comes_from_json_or_from_the_logical_date(service: Service, project: Path) -> None:
    """A date parameter is one in the tasks, whether it was given or is the run's logical date."""
    service.deploy(project)
    given, _ = service.run("nightly", {"day": "2026-02-28"})
    dated, _ = service.run("nightly", facts={"logical_date": "2028-02-28T06:00:00+00:00"})
    assert [given.isoformat(), dated.isoformat()] == ["2026-03-01", "2028-02-29"]


def test_a_run_stays_on_its_version(service: Service, project: Path, tmp_path: Path) -> None:
    """Two versions of one project run at once, each with its own modules, also those it imports late."""
    gate = tmp_path / "gate"
    row = {"name": "a", "day": "2026-03-04"}
    service.deploy(project)
    first = [
        service.submit("etl", {"row": row, "gate": str(gate)}),
        service.submit("nightly", {"gate": str(gate)}),
    ]
    for name in ("db", "late"):
        path = project / "common" / f"{name}.py"
        path.write_text(path.read_text().replace("VERSION = 1", "VERSION = 2"))
    done = service.deploy(project)
    assert {each.workflow: each.version for each in done.changes} == {"etl": 2, "nightly": 2, "rows": 2}
    _, newer, body = service.run("etl", {"row": row})
    assert (newer[0], newer[2], body) == (2, 2, 2)
    gate.touch()
    _, older, body = service.value(first[0])
    assert (older[0], older[2], body) == (1, 1, 1)
    _, static = service.value(first[1])
    assert (static[0], static[2]) == (1, 1)
    places = {Path(each[1]) for each in (newer, older, static)}
    assert len(places) == 2
    assert all(each.is_relative_to(service.home / "projects") for each in places)


def test_an_older_version_can_be_run_again(service: Service, project: Path) -> None:
    """Naming a version runs its graph with its files."""
    service.deploy(project)
    path = project / "common" / "db.py"
    path.write_text(path.read_text().replace("VERSION = 1", "VERSION = 2"))
    service.deploy(project)
    assert [service.run("nightly", version=each)[1][0] for each in (1, 2, None)] == [1, 2, 2]


def test_the_folder_may_go_away(service: Service, project: Path) -> None:
    """What is deployed runs without the folder that it was deployed from."""
    service.deploy(project)
    project.rename(project.with_name("elsewhere"))
    _, (number, place, _, _) = service.run("nightly")
    assert number == 1
    assert str(project) not in place


class Cli:
    """The command, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.env = {**os.environ, "WEFT_HOME": str(home), "WEFT_DURABILITY": "relaxed", "NO_COLOR": "1"}

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run it; its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "weft", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def json(self, *words: str, code: int = 0) -> Any:
        """Its standard output as JSON."""
        return json.loads(self(*words, "--json", code=code))


def test_the_command_deploys_and_tells(project: Path, tmp_path: Path) -> None:
    """Deploy, a broken file beside it, a change, its difference, pausing, deleting, on the command line."""
    weft = Cli(tmp_path / "home")
    write(project, {"flows/broken.py": "import weft\nimport no_such_module\n"})
    dry = weft.json("deploy", str(project), "--dry-run")
    assert {each["what"] for each in dry["changes"]} == {"new"}
    assert weft("workflows", "list") == ""
    done = weft.json("deploy", str(project))
    assert [each["workflow"] for each in done["changes"]] == ["etl", "nightly", "rows"]
    (problem,) = done["problems"]
    assert (problem["code"], problem["where"]) == ("W1105", "flows/broken.py:2")
    weft("deploy", str(project), "--strict", code=4)
    write(project, {"common/db.py": PROJECT["common/db.py"].replace("VERSION = 1", "VERSION = 2")})
    assert "changed" in weft("deploy", str(project))
    assert "+VERSION = 2" in weft("workflows", "diff", "etl", code=1)
    assert len(weft("workflows", "versions", "etl").splitlines()) == 3
    weft("workflows", "pause", "etl")
    assert weft.json("workflows", "show", "etl")["paused"] is True
    weft("workflows", "resume", "etl")
    assert weft.json("workflows", "show", "etl")["paused"] is False
    weft("workflows", "delete", "etl", code=2)
    weft("workflows", "delete", "etl", "--yes")
    weft("workflows", "show", "etl", code=3)


def test_nothing_that_can_be_deployed_is_a_failure(tmp_path: Path) -> None:
    """Exit code 1 only if every file failed."""
    weft = Cli(tmp_path / "home")
    folder = write(tmp_path / "bad", {"one.py": "import weft\n1 / 0\n"})
    assert "division by zero" in weft("deploy", str(folder), code=1)
