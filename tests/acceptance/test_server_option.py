"""``--server``: commands on one machine, the service on another, and only an address between them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from served import Served, until

from weft.cli.main import main

FLOWS = """
from weft import approval, cron, dag, flow, task, wait_for_event

@task
def double(x: int) -> int:
    print(f"doubling {x}")
    return x * 2

@task
def fail(text: str) -> None:
    raise ValueError(text)

@flow
def doubled(n: int = 3, name: str = "") -> int:
    \"\"\"Doubles.\"\"\"
    return sum(double.map(range(n)).result())

@flow
def broken(text: str = "no") -> None:
    fail(text)

@flow
def waiting() -> object:
    answer = wait_for_event("go")
    return [answer, bool(approval("Sure?"))]

@dag(schedule=cron("0 6 * * *"))
def nightly():
    double(2)
"""


class Typed(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class There:
    """A service, and a machine that has nothing but its address."""

    def __init__(self, folder: Path) -> None:
        project = folder / "project"
        project.mkdir()
        (project / "flows.py").write_text(FLOWS)
        self.served = Served(folder / "home")
        self.served.weft("deploy", str(project))
        self._elsewhere = folder / "elsewhere"

    def type(self, *words: str, server: bool = True) -> Typed:
        """Type a command on the other machine: in this process, with nothing but what that machine has."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
        env |= {"WEFT_HOME": str(self._elsewhere), "NO_COLOR": "1"}
        more = ("--server", self.served.url) if server else ()
        out, err = StringIO(), StringIO()
        with patch.dict(os.environ, env, clear=True), redirect_stdout(out), redirect_stderr(err):
            code = main([*words, *more])
        return Typed(code, out.getvalue(), err.getvalue())

    def weft(self, *words: str) -> str:
        """Type a command that ends well; returns what it printed."""
        done = self.type(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def lines(self, *words: str) -> list[Any]:
        """The same with --json."""
        return [json.loads(line) for line in self.weft(*words, "--json").splitlines()]

    @property
    def nothing_here(self) -> bool:
        """Whether the other machine has no store of its own."""
        return not (self._elsewhere / "weft.db").exists()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    """One service for all tests here."""
    made = There(tmp_path_factory.mktemp("there"))
    yield made
    made.served.stop()


def test_a_run_is_started_followed_and_read(there: There) -> None:
    """From its start to its result, its tasks, its logs and the reasons, without a store here."""
    assert there.weft("run", "doubled", "-p", "n=4", "-p", "name=7").strip() == "12"
    [run] = there.lines("runs", "list", "workflow:doubled", "state:succeeded")
    assert run["workflow"] == "doubled"
    [shown] = there.lines("runs", "show", run["id"])
    assert shown["params"] == {"n": 4, "name": "7"}
    assert shown["result"] == 12
    assert [each["state"] for each in shown["tasks"]] == ["succeeded"] * 4
    assert {each["name"] for each in there.lines("tasks", "list", run["id"], "name:double")} == {"double"}
    assert "doubling 3" in there.weft("runs", "logs", run["id"])
    item = next(each for each in there.lines("tasks", "list", run["id"]) if each["map_index"] == 2)
    assert there.weft("tasks", "logs", run["id"], str(item["idx"])) == "doubling 2\n"
    [task] = there.lines("tasks", "show", run["id"], str(item["idx"]))
    assert task["result"] == 4
    assert task["history"][-1]["state"] == "succeeded"
    assert "succeeded" in there.weft("why", run["id"])
    assert there.lines("runs", "watch", run["id"])[-1]["state"] == "succeeded"
    assert "result: 12" in there.weft("runs", "show", run["id"])
    assert there.nothing_here


def test_it_prints_what_it_prints_beside_the_store(there: There) -> None:
    """The same words give the same tables, lines and objects, as far as the API tells."""
    there.weft("run", "doubled")
    run = there.lines("runs", "list")[0]["id"]
    for words in (("tasks", "list", run), ("runs", "logs", run), ("runs", "show", run), ("why", run)):
        assert there.weft(*words) == there.served.weft(*words)
    words = ("schedules", "show", "nightly")
    assert there.weft(*words, "--json") == there.served.weft(*words, "--json")
    [beside] = [json.loads(there.served.weft("runs", "show", run, "--json"))]
    for task in beside["tasks"]:
        del task["result"]  # Lists of the API come without values.
    assert there.lines("runs", "show", run) == [beside]


def test_a_failure_ends_with_its_code_and_is_retried(there: There) -> None:
    """The exit code tells how the run ended; a retry is followed like a run."""
    failed = there.type("run", "broken", "-p", "text=sorry")
    assert failed.returncode == 1
    assert "W2100" in failed.stderr
    assert "sorry" in failed.stderr
    [run] = there.lines("runs", "list", "state:failed", "workflow:broken")
    [row] = there.lines("tasks", "list", run["id"], "state:failed", "name:fail")
    assert "sorry" in there.weft("why", run["id"], row["key"])
    again = there.type("runs", "retry", run["id"])
    assert again.returncode == 1
    assert "sorry" in again.stderr
    assert there.type("runs", "delete", run["id"]).returncode == 2
    there.weft("runs", "delete", run["id"], "--yes")
    assert there.lines("runs", "list", "workflow:broken") == []


def test_people_answer_from_elsewhere(there: There) -> None:
    """A detached run prints its id; events, pauses and approvals reach it."""
    run = there.weft("run", "waiting", "--detach").strip()
    until(lambda: there.lines("tasks", "list", run, "state:waiting"))
    there.weft("runs", "pause", run)
    until(lambda: there.lines("runs", "show", run)[0]["state"] == "paused")
    there.weft("runs", "resume", run)
    there.weft("send", run, "go", "--payload", '{"a": 1}')
    until(lambda: there.lines("tasks", "list", run, "state:waiting", "name:approval*"))
    there.weft("approve", run)
    assert there.type("runs", "watch", run).returncode == 0
    assert there.lines("runs", "show", run)[0]["result"] == [{"a": 1}, True]
    other = there.weft("run", "waiting", "--detach").strip()
    there.weft("runs", "cancel", other)
    until(lambda: there.lines("runs", "show", other)[0]["state"] == "cancelled")


def test_workflows_and_schedules(there: There) -> None:
    """They are listed, shown, paused and resumed, and a schedule is triggered."""
    listed = {each["name"]: each for each in there.lines("workflows", "list")}
    assert set(listed) == {"doubled", "broken", "waiting", "nightly"}
    assert [each["name"] for each in listed["doubled"]["params"]] == ["n", "name"]
    assert "Doubles." in there.weft("workflows", "show", "doubled")
    there.weft("workflows", "pause", "doubled")
    assert there.lines("workflows", "show", "doubled")[0]["paused"] is True
    there.weft("workflows", "resume", "doubled")
    [schedule] = there.lines("schedules", "list")
    assert (schedule["name"], schedule["timing"]) == ("nightly#default", "0 6 * * *")
    there.weft("schedules", "pause", "nightly")
    assert there.lines("schedules", "show", "nightly")[0]["state"] == "paused"
    there.weft("schedules", "resume", "nightly")
    there.weft("schedules", "trigger", "nightly")
    until(lambda: there.lines("runs", "list", "workflow:nightly"))


def test_what_cannot_be_done_from_elsewhere_says_so(there: There, tmp_path: Path) -> None:
    """One coded error, before anything is done here."""
    for words in (
        ("verify",),
        ("runs", "diff", "@latest", "@latest"),
        ("deploy", str(tmp_path)),
        ("run", "doubled", "--select", "x"),
    ):
        done = there.type(*words)
        assert "W1516" in done.stderr, words
        assert done.returncode == 2
    missing = there.type("run", "flows.py:doubled")
    assert missing.returncode == 3
    assert "deploy" in missing.stderr
    assert there.nothing_here


def test_nobody_there_is_a_coded_error(there: There) -> None:
    """An address that nobody listens at is not a traceback."""
    done = there.type("runs", "list", "--server=http://127.0.0.1:9", server=False)
    assert "W3401" in done.stderr
    assert done.returncode == 1
    wrong = there.type("runs", "list", "--server", "ftp://x", server=False)
    assert (wrong.returncode, "W1000" in wrong.stderr) == (2, True)


def test_a_process_of_its_own(there: There) -> None:
    """As a shell runs it: the result on standard output, the progress beside it, and the exit code."""
    env = {**os.environ, "WEFT_HOME": str(there.served.home) + "-none", "WEFT_SERVER": there.served.url}
    words = [sys.executable, "-m", "weft", "run", "doubled", "-p", "n=2"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "2")
