"""The ``weft`` command as people use it: real processes, one ``WEFT_HOME`` a test."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "weft"]
FLOWS = """\
import os
import time
from weft import Fail, approval, dag, flow, sleep, task, wait_for_event

@task(cache="inputs")
def double(x: int) -> int:
    print("doubling", x)
    return 2 * x

@task
def fragile(x: int) -> int:
    if not os.path.exists("mended"):
        raise ValueError("broken until mended")
    return x + 1

@task
def total(xs: list[int]) -> int:
    return sum(xs)

@flow
def numbers(n: int = 3, name: str = "some") -> int:
    return total(double.map(range(n)))

@flow
def breaks(x: int = 1) -> int:
    return fragile(double(x))

@task
def pause(number: int) -> int:
    open(f"step-{number}", "w").close()
    time.sleep(0.15)
    return number

@flow
def long(steps: int = 40) -> int:
    return sum(pause(number) for number in range(steps))

@flow
def release(version: str = "1") -> str:
    word = wait_for_event("built")
    if not approval(f"release {version}?"):
        return "no"
    return f"{version} {word}"

@dag
def graph(x: int = 1) -> int:
    return total(double.map([x, x]))
"""


class Cli:
    """The command, in a folder and with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.env = {
            **os.environ,
            "WEFT_HOME": str(self.home),
            "WEFT_DURABILITY": "relaxed",
            "NO_COLOR": "1",
            "PYTHONWARNINGS": "error",
        }

    def __call__(self, *words: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        """Run it, and see that it ends with ``code``."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code == 70 or "Traceback" not in done.stderr or "broken until mended" in done.stderr
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        """Its standard output as JSON: one value."""
        return json.loads(self(*words, "--json", code=code).stdout)

    def lines(self, *words: str) -> list[Any]:
        """Its standard output as JSON: a value a line."""
        return [json.loads(line) for line in self(*words, "--json").stdout.splitlines()]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start it and go on."""
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def write(self, name: str, text: str) -> Path:
        """A file beside the flows."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def weft(tmp_path: Path) -> Cli:
    """The command in a folder that has ``flows.py``."""
    made = Cli(tmp_path)
    made.write("flows.py", FLOWS)
    return made


def wait_for(holds: Callable[[], bool], what: str) -> None:
    """Wait until something that another process does has happened."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.02)


@pytest.fixture
def started(weft: Cli) -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes that the test has started; none outlives it."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for each in processes:
        if each.poll() is None:
            each.kill()
        each.communicate()


# Running


def test_run_prints_the_result_and_keeps_the_rest_apart(weft: Cli) -> None:
    """Standard output has what the tasks print and the result; how the run went is on standard error."""
    done = weft("run", "flows.py:numbers", "-p", "n=2")
    assert sorted(done.stdout.splitlines()[:-1]) == ["doubling 0", "doubling 1"]
    assert done.stdout.splitlines()[-1] == "2"
    assert "numbers run_" in done.stderr
    assert "succeeded after" in done.stderr


def test_run_json_is_one_object(weft: Cli) -> None:
    """For machines: the run, its parameters as they were converted, its result and its task runs."""
    run = weft.json("run", "flows.py:numbers", "--params-json", '{"n": 2}', "-p", "name=7", "--tag", "x")
    assert {
        key: run[key] for key in ("workflow", "dialect", "version", "state", "params", "result", "error")
    } == {
        "workflow": "numbers",
        "dialect": "native",
        "version": 1,
        "state": "succeeded",
        "params": {"n": 2, "name": "7"},
        "result": 2,
        "error": None,
    }
    assert run["id"].startswith("run_")
    assert run["tags"] == ["x"]
    doubled = [task for task in run["tasks"] if task["name"] == "double"]
    assert [(task["map_index"], task["state"], task["attempts"], task["result"]) for task in doubled] == [
        (0, "succeeded", 1, 0),
        (1, "succeeded", 1, 2),
    ]
    assert set(doubled[0]) == {
        "key", "name", "map_index", "state", "attempts", "started", "ended", "result", "error",
    }  # fmt: skip


def test_a_failed_run_exits_with_one_and_shows_the_line(weft: Cli) -> None:
    """The user's own line, the task and what to do are shown, and the run can be looked at afterwards."""
    done = weft("run", "flows.py:breaks", code=1)
    assert 'raise ValueError("broken until mended")' in done.stderr
    assert "error: W2100: run run_" in done.stderr
    assert "where: fragile-0" in done.stderr
    assert "weft runs retry run_" in done.stderr
    run = weft.json("runs", "show", "@latest")
    assert run["error"]["message"] == "broken until mended"
    assert "fragile" in weft("why", "@latest").stdout
    assert weft.json("why", "@latest", "fragile")["state"] == "failed"


def test_a_target_is_a_file_a_name_in_it_or_a_module(weft: Cli) -> None:
    """Each form finds the workflow; an ambiguous one lists them all."""
    weft.write("single.py", "from weft import flow\n@flow\ndef only() -> int:\n    return 5\nonly()\n")
    assert weft("run", "single.py").stdout == "5\n"
    assert 'if __name__ == "__main__":' in weft("run", "single:only", code=4).stderr
    assert weft("run", "flows:graph").stdout.splitlines()[-1] == "4"
    several = weft("run", "flows.py", code=2).stderr
    assert "flows.py:numbers" in several
    assert "flows.py:graph" in several


def test_a_key_makes_one_run(weft: Cli) -> None:
    """The same key a second time is the same run: nothing runs again, and its outcome is told."""
    first = weft.json("run", "flows.py:numbers", "--key", "monday")
    again = weft.json("run", "flows.py:numbers", "--key", "monday", "-p", "n=1")
    assert (again["id"], again["result"]) == (first["id"], 6)
    assert len(weft.lines("runs", "list")) == 1


def test_run_on_processes(weft: Cli) -> None:
    """The other executor gives the same, and what its processes print is in the log."""
    assert weft("run", "flows.py:numbers", "--executor", "process").stdout.splitlines()[-1] == "6"
    assert "doubling 2" in weft("runs", "logs", "@latest").stdout


def test_a_cached_result_serves_the_script_and_the_command(weft: Cli) -> None:
    """``python file.py`` and ``weft run file.py`` are the same workflow, with one cache."""
    script = weft.write(
        "both.py",
        "from weft import flow, task\n"
        "@task(cache='inputs')\n"
        "def one(x: int) -> int:\n    return x\n"
        "@flow\n"
        "def both() -> int:\n    return one(1)\n"
        "if __name__ == '__main__':\n    both()\n",
    )
    weft("run", "both.py")
    subprocess.run([sys.executable, script], env=weft.env, check=True, capture_output=True, timeout=60)
    runs = weft.lines("runs", "list")
    assert [run["version"] for run in runs] == [1, 1]
    assert weft.json("tasks", "show", "@latest", "one")["state"] == "cached"


# Bad input


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("import weft\n\nx = 1 / 0\n", 4, "bad.py:3"),
        ("def broken(:\n", 4, "bad.py:1"),
        ("import no_such_module\n", 4, "bad.py:1"),
        ("x = 1\n", 3, "there is no workflow in it"),
        (
            "from weft import flow\n@flow\ndef needs(day: int) -> int:\n    return day\n",
            2,
            "W1202: needs needs a value for 'day'",
        ),
        (
            "from weft import dag, task\n@task\ndef a(x):\n    return x\n"
            "@dag\ndef choose(x: int = 1):\n    if a(x):\n        a(2)\n",
            4,
            "W1104",
        ),
        ("from weft import task, flow\n@task(retries=-5)\ndef a():\n    pass\n", 4, "W11"),
        (
            "from weft import flow, task\nimport threading\n@task\ndef a(x):\n    pass\n"
            "@flow\ndef f():\n    a(threading.Lock())\n",
            1,
            "W1300",
        ),
    ],
    ids=["raises", "syntax", "import", "empty", "missing value", "symbol", "policy", "argument"],
)
def test_a_bad_file_is_named_with_its_line(weft: Cli, text: str, code: int, says: str) -> None:
    """The error is of the user's file and line, not of ours."""
    weft.write("bad.py", text)
    done = subprocess.run(
        [*COMMAND, "run", "bad.py"],
        cwd=weft.folder,
        env=weft.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert says in done.stderr


def test_a_store_of_a_newer_weft_is_left_alone(weft: Cli) -> None:
    """Its schema is not ours to touch: a coded error, and the file unchanged."""
    weft("runs", "list")
    path = weft.home / "weft.db"
    data = bytearray(path.read_bytes())
    data[60:64] = (99).to_bytes(4, "big")  # user_version, in the file's header
    path.write_bytes(data)
    assert "W3105" in weft("runs", "list", code=1).stderr
    assert path.read_bytes() == bytes(data)


def test_a_damaged_store_is_told(weft: Cli) -> None:
    """Neither a crash nor a new empty store; ``doctor`` says what to do."""
    weft.home.mkdir()
    (weft.home / "weft.db").write_bytes(b"this is no database at all" * 100)
    assert "W3104" in weft("runs", "list", code=1).stderr
    assert "W3104" in weft("run", "flows.py:numbers", code=1).stderr
    assert "restore" in weft("doctor", code=1).stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_is_told(weft: Cli) -> None:
    """A folder that cannot be written is a coded error with what to set."""
    weft.home.mkdir(mode=0o500)
    assert "WEFT_HOME" in weft("run", "flows.py:numbers", code=1).stderr


def test_a_home_that_is_a_file_is_told(weft: Cli) -> None:
    """A home that cannot be a folder is a coded error with what to set."""
    weft.home.write_text("")
    done = weft("run", "flows.py:numbers", code=1)
    assert "W3103" in done.stderr
    assert "WEFT_HOME" in done.stderr


def test_a_bug_of_ours_is_short_and_its_traceback_is_kept(weft: Cli) -> None:
    """Exit code 70, one line, and a file to report."""
    words = (
        "from weft.cli import app, main",
        "app.run_app = lambda words: 1 / 0",
        "raise SystemExit(main.main(['run']))",
    )
    weft.home.mkdir()
    command = [sys.executable, "-c", "\n".join(words)]
    done = subprocess.run(command, env=weft.env, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr
    [kept] = weft.home.glob("crash-*.txt")
    assert "Traceback" in kept.read_text()
    assert str(kept) in done.stderr


# Looking and changing


def test_lists_are_for_people_and_for_machines(weft: Cli) -> None:
    """Tables by default, JSON lines when asked; queries and unique prefixes pick."""
    first = weft.json("run", "flows.py:numbers")["id"]
    weft("run", "flows.py:breaks", code=1)
    assert "WORKFLOW" in weft("runs", "list").stdout
    assert [run["workflow"] for run in weft.lines("runs", "list")] == ["breaks", "numbers"]
    assert [run["id"] for run in weft.lines("runs", "list", "state:succeeded")] == [first]
    assert weft.lines("runs", "list", "--limit", "1")[0]["state"] == "failed"
    assert weft.json("runs", "show", first[:-3])["id"] == first
    assert "key" in weft.lines("tasks", "list", first)[0]
    assert weft.json("tasks", "show", first, "total")["result"] == 6
    assert weft("tasks", "logs", first, "double-0[1]").stdout == "doubling 1\n"
    assert "did you mean 'total'" in weft("tasks", "show", first, "totl", code=3).stderr
    assert {line["line"] for line in weft.lines("runs", "logs", first)} == {f"doubling {n}" for n in range(3)}


def test_retry_runs_what_failed_and_what_follows(weft: Cli) -> None:
    """Results before the failure are used again; ``--from`` redoes from a task on."""
    weft("run", "flows.py:breaks", code=1)
    (weft.folder / "mended").touch()
    run = weft.json("runs", "retry", "@latest")
    assert (run["state"], run["result"]) == ("succeeded", 3)
    attempts = {task["name"]: task["attempts"] for task in run["tasks"]}
    assert attempts == {"double": 1, "fragile": 2}
    again = weft.json("runs", "retry", "@latest", "--from", "fragile")
    assert {task["name"]: task["attempts"] for task in again["tasks"]} == {"double": 1, "fragile": 3}
    assert "nothing in it failed" in weft("runs", "retry", "@latest", code=2).stderr
    assert weft.lines("verify") == []


def test_replay_and_diff(weft: Cli) -> None:
    """A replay is a new run of the same version; the diff names what differs."""
    first = weft.json("run", "flows.py:numbers")["id"]
    second = weft.json("runs", "replay", first, "-p", "n=2")
    assert (second["version"], second["params"]["n"], second["result"]) == (1, 2, 2)
    found = weft.json("runs", "diff", first, second["id"], code=1)
    assert {(each["what"], each["key"]) for each in found["differences"]} >= {
        ("parameter", "n"),
        ("result", ""),
        ("task", "double-0[2]"),
    }
    third = weft.json("runs", "replay", first)["id"]
    weft("run", "flows.py:numbers", "-p", "m=1", code=2)
    assert "has no parameter" in weft("runs", "replay", first, "-p", "m=1", code=2).stderr
    states = weft.json("runs", "diff", first, third, code=1)["differences"]
    assert {each["what"] for each in states} <= {"state", "time"}  # the cache stood in for the tasks


def test_export_has_everything(weft: Cli) -> None:
    """One JSON object a line: the run, its graph, its events and its logs."""
    weft("run", "flows.py:numbers")
    weft("runs", "export", "@latest", "-o", "run.jsonl")
    lines = [json.loads(line) for line in (weft.folder / "run.jsonl").read_text().splitlines()]
    kinds = {line["kind"] for line in lines}
    assert kinds == {"export", "run", "graph", "node", "event", "log"}
    assert next(line for line in lines if line["kind"] == "run")["result"] == 6


def test_delete_says_how_many_and_needs_yes(weft: Cli) -> None:
    """Nothing is deleted by half a command; with ``--yes`` runs and logs are gone."""
    run = weft.json("run", "flows.py:numbers")["id"]
    assert "this deletes 1 run" in weft("runs", "delete", run, code=2).stderr
    assert (weft.home / "logs" / run).is_dir()
    weft("runs", "delete", run, "--yes")
    assert not (weft.home / "logs" / run).exists()
    assert weft.lines("runs", "list") == []


def test_select_takes_earlier_results_for_the_rest(weft: Cli) -> None:
    """A selected task alone needs an earlier run; then only it runs."""
    assert "--select +total" in weft("run", "flows.py:graph", "--select", "total", code=3).stderr
    weft("run", "flows.py:graph", "-p", "x=5")
    run = weft.json("run", "flows.py:graph", "--select", "total")
    assert [task["name"] for task in run["tasks"]] == ["total"]
    assert run["tasks"][0]["result"] == 20
    plan = weft.json("plan", "flows.py:graph", "--select", "total")
    assert [(step["key"], step["will"]) for step in plan["steps"]] == [
        ("double", "left out"),
        ("total", "run"),
    ]


def test_check_finds_mistakes_without_running_anything(weft: Cli) -> None:
    """Errors have the codes of errors, warnings codes of their own; a hang and an exit are told."""
    assert weft("check", "flows.py").returncode == 0
    weft.write(
        "doubtful.py",
        "import random, time\nfrom weft import flow, task\n@task\ndef a(x):\n    time.sleep(1)\n"
        "@flow\ndef f():\n    time.sleep(1)\n    for x in {1, 2}:\n        a(random.random())\n",
    )
    weft.write("exits.py", "import weft, os\nos._exit(3)\n")
    weft.write("hangs.py", "import weft, time\ntime.sleep(60)\n")
    weft.write(
        "twice.py", "from weft import flow\n@flow(name='x')\ndef a(): ...\n@flow(name='x')\ndef b(): ...\n"
    )
    weft.write("stranger.py", "open('ran', 'w')\n")
    done = weft("check", "--timeout", "5", "--json", code=4)
    found = {Path(each["file"]).name: each for each in map(json.loads, done.stdout.splitlines())}
    assert set(found) == {"flows.py", "doubtful.py", "exits.py", "hangs.py", "twice.py"}
    codes = {name: [problem["code"] for problem in each["problems"]] for name, each in found.items()}
    assert codes == {
        "flows.py": [],
        "doubtful.py": ["W1153", "W1152", "W1151"],
        "exits.py": ["W1105"],
        "hangs.py": ["W1105"],
        "twice.py": ["W1102"],
    }
    assert not (weft.folder / "ran").exists()
    assert weft("check", "doubtful.py").returncode == 0
    weft("check", "doubtful.py", "--strict", code=4)


@pytest.mark.parametrize("template", ["etl", "ml", "dag"])
def test_templates_run(weft: Cli, template: str) -> None:
    """What ``init`` writes runs as it is, is found well by ``check``, and is not overwritten."""
    path = weft("init", "new", "--template", template).stdout.strip()
    weft("run", path)
    weft("check", path, "--strict")
    assert "exists already" in weft("init", "new", "--template", template, code=2).stderr


def test_doctor_config_version_and_completion(weft: Cli) -> None:
    """They answer on a fresh machine, for people and for machines."""
    weft("run", "flows.py:numbers")
    assert {each["level"] for each in weft.lines("doctor")} <= {"ok", "warning"}
    assert weft.json("config", "show")["home"] == {
        "value": str(weft.home),
        "origin": "environment (WEFT_HOME)",
    }
    assert "weft" in weft.json("version")
    for shell in ("bash", "zsh", "fish"):
        assert "weft" in weft("completion", shell).stdout
    assert "wrote" in weft("--install-completion", SHELL="/bin/bash", XDG_DATA_HOME=str(weft.home)).stderr


def test_quiet_says_nothing_but_errors(weft: Cli) -> None:
    """With ``--quiet`` a run that succeeds leaves standard error empty; one that fails does not."""
    assert weft("run", "flows.py:numbers", "--quiet").stderr == ""
    assert "error: W2100" in weft("run", "flows.py:breaks", "-q", code=1).stderr


# Two processes


def test_events_and_approvals_reach_another_process(
    weft: Cli, started: list["subprocess.Popen[str]"]
) -> None:
    """A run that waits in one process goes on when another sends what it waits for; once counts once."""
    process = weft.start("run", "flows.py:release", "-p", "version=2")
    started.append(process)
    wait_for(lambda: _waits_for(weft, "wait_for_event"), "the run waits for the event")
    assert "waits for no approval" in weft("approve", "@latest", code=3).stderr
    assert "sent built" in weft("send", "@latest", "built", "--payload", '"ok"', "--id", "e1").stderr
    wait_for(lambda: _waits_for(weft, "approval"), "the run waits for the approval")
    weft("send", "@latest", "built", "--payload", '"again"', "--id", "e1")
    assert "approved" in weft("approve", "@latest", "--comment", "fine").stderr
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.splitlines()[-1] == "2 ok"
    assert "has succeeded already" in weft("send", "@latest", "built", code=2).stderr
    assert weft.lines("verify") == []


def test_a_request_waits_for_a_run_that_nobody_runs(
    weft: Cli, started: list["subprocess.Popen[str]"]
) -> None:
    """Sent to a dead process's run, an event is kept, and the resumed run has it."""
    process = weft.start("run", "flows.py:release")
    started.append(process)
    wait_for(lambda: _waits_for(weft, "wait_for_event"), "the run waits for the event")
    process.kill()
    process.communicate()
    assert "weft runs resume" in weft("send", "@latest", "built", "--payload", "1").stderr
    resumed = weft.start("runs", "resume", "@latest")
    started.append(resumed)
    wait_for(lambda: _waits_for(weft, "approval"), "the resumed run waits for the approval")
    weft("reject", "@latest")
    out, _ = resumed.communicate(timeout=30)
    assert (resumed.returncode, out.splitlines()[-1]) == (0, "no")


def test_cancel_and_watch_from_another_process(weft: Cli, started: list["subprocess.Popen[str]"]) -> None:
    """A run is followed and cancelled from outside; a live run cannot be resumed or deleted."""
    process = weft.start("run", "flows.py:long", "-p", "steps=2000")
    started.append(process)
    wait_for(lambda: (weft.folder / "step-1").exists(), "the run has begun")
    assert "being run by" in weft("runs", "resume", "@latest", code=2).stderr
    assert "have not ended" in weft("runs", "delete", "@latest", "--yes", code=2).stderr
    watcher = weft.start("runs", "watch", "@latest", "--json")
    started.append(watcher)
    weft("runs", "cancel", "@latest")
    out, _ = watcher.communicate(timeout=30)
    events = [json.loads(line) for line in out.splitlines()]
    assert watcher.returncode == 1
    assert events[0]["event"] == "run_added"
    assert events[-1]["state"] == "cancelled"
    process.communicate(timeout=30)
    assert process.returncode == 1


def _waits_for(weft: Cli, name: str) -> bool:
    rows = weft.lines("runs", "list")
    if not rows:
        return False
    tasks = weft.lines("tasks", "list", "@latest", "state:waiting")
    return any(task["name"] == name for task in tasks)


# Ctrl-C


@pytest.mark.parametrize("command", [["weft", "run", "flows.py:long"], ["python", "script.py"]])
def test_ctrl_c_pauses_and_resume_goes_on(
    weft: Cli, started: list["subprocess.Popen[str]"], command: list[str]
) -> None:
    """Once: exit code 130, the command to go on is named, and no step that ended runs again."""
    weft.write("script.py", "from flows import long\nlong(40)\n")
    if command[0] == "weft":
        process = weft.start(*command[1:])
    else:
        process = subprocess.Popen(
            [sys.executable, command[1]], cwd=weft.folder, env=weft.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    started.append(process)
    wait_for(lambda: (weft.folder / "step-2").exists(), "the third step has begun")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    run = weft.lines("runs", "list")[0]
    assert run["state"] == "paused"
    assert f"weft runs resume {run['id']}" in err
    assert "Traceback" not in err
    if command[0] == "weft":
        done = weft.json("runs", "resume", "@latest")
        assert (done["state"], done["result"]) == ("succeeded", sum(range(40)))
        again = [task["key"] for task in done["tasks"] if task["attempts"] > 1]
        assert len(again) <= 1  # the step that was interrupted


def test_ctrl_c_twice_stops_at_once(weft: Cli, started: list["subprocess.Popen[str]"]) -> None:
    """Twice: the tasks that run are not waited for."""
    weft.write(
        "stuck.py",
        "import time\nfrom weft import flow, task\n@task\ndef stuck():\n    open('in', 'w')\n"
        "    for _ in range(3000):\n        time.sleep(0.02)\n"
        "@flow\ndef f():\n    stuck.submit().result()\n",
    )
    process = weft.start("run", "stuck.py")
    started.append(process)
    wait_for(lambda: (weft.folder / "in").exists(), "the task has begun")
    process.send_signal(signal.SIGINT)
    wait_for(lambda: weft.lines("runs", "list")[0]["state"] == "paused", "the run is paused")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "can be resumed" in err


# A terminal


def test_a_terminal_shows_a_tree_and_whole_lines(weft: Cli) -> None:
    """On a terminal the tree is drawn over itself, and what tasks print stays in whole lines above it."""
    weft.write(
        "shown.py",
        "import time\nfrom weft import flow, task\n@task\ndef step(i: int) -> int:\n"
        "    time.sleep(0.02)\n    print(f'line {i} of the task')\n    return i\n"
        "@flow\ndef shown() -> int:\n    return sum(step(i) for i in range(40))\n",
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(weft.folder)
        env = {key: value for key, value in weft.env.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
        os.execve(sys.executable, [*COMMAND, "run", "shown.py"], env)
    text = b""
    while select.select([terminal], [], [], 30)[0]:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    shown = text.decode()
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert "\x1b[1A" in shown or "\x1b[2A" in shown  # it was drawn over itself
    assert "\x1b[32msucceeded\x1b[0m" in shown
    for number in range(40):
        assert f"line {number} of the task\r\n" in shown
    assert shown.rstrip().endswith("780")
    assert shown.count("\x1b[?7l") == shown.count("\x1b[?7h")
