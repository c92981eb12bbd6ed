"""Ctrl-C once: what runs may end, nothing new starts, and the run can be resumed. Twice: at once."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from embedded_weft import Said

from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState, TaskState
from weft.store.open import open_store

SCRIPT = """
import sys, time
from pathlib import Path
from weft import flow, sleep, task
sys.path.insert(0, {tests!r})
from embedded_weft import Said

said = Said(Path({said!r}))

@task
def work(x, pause=0.3):
    said.say(f"begin {{x}}")
    time.sleep({pause} if x >= 4 else 0)
    said.say(f"end {{x}}")
    return x

@flow
def inner():
    return work(100)

@flow
def main() -> int:
    first = [work(x) for x in range(4)]
    said.say("ready")
    if {shape!r} == "map":
        return sum(first) + sum(work.map(range(4, 12)).result())
    if {shape!r} == "calls":
        return sum(first) + sum(work(x) for x in range(4, 8))
    if {shape!r} == "nested":
        return sum(first) + inner.submit().result() + inner()
    if {shape!r} == "sleep":
        sleep(1.0)
        return sum(first)

print("value", main())
"""

VALUES = {"map": sum(range(12)), "calls": sum(range(8)), "nested": 206, "sleep": 6}


class Terminal:
    """A script in a process group of its own, as a shell starts it."""

    def __init__(self, folder: Path, said: Said, executor: str, shape: str, pause: float = 0.3) -> None:
        self.home = folder / "home"
        self.said = said
        script = folder / "script.py"
        tests = str(Path(__file__).parents[1])
        script.write_text(SCRIPT.format(tests=tests, said=str(said.path), shape=shape, pause=pause))
        self.env = {
            **os.environ,
            "WEFT_HOME": str(self.home),
            "WEFT_EXECUTOR": executor,
            "WEFT_PROGRESS": "off",
            "WEFT_WORKERS": "2",
            "WEFT_THREADS": "2",
        }
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until(self, line: str) -> None:
        """Until some task said it."""
        give_up = time.monotonic() + 30
        while line not in self.said.lines:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.002)

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends the signal to every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        out, error = self.process.communicate(timeout=30)
        return self.process.returncode, out, error

    def rows(self) -> tuple[RunRow, list[TaskRow]]:
        """What the store holds."""
        store = open_store(self.home / "weft.db")
        try:
            (run,) = store.runs()
            return run, store.tasks(run.run)
        finally:
            store.close()

    def resume(self) -> "subprocess.CompletedProcess[str]":
        """``weft runs resume``."""
        command: list[Any] = [sys.executable, "-m", "weft", "runs", "resume", "@latest", "--json"]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("executor", "shape"),
    [("thread", "map"), ("thread", "calls"), ("thread", "nested"), ("thread", "sleep"), ("process", "map")],
)
def test_interrupted_once(tmp_path: Path, said: Said, executor: str, shape: str) -> None:
    """What ran has ended, the run is paused, and resuming it runs only what had not begun."""
    terminal = Terminal(tmp_path, said, executor, shape)
    first = {"map": "begin 4", "calls": "begin 4", "nested": "begin 100", "sleep": "ready"}[shape]
    terminal.wait_until(first)
    terminal.interrupt()
    code, out, error = terminal.ended()
    assert code == 130, error
    assert "value" not in out
    assert "weft runs resume run_" in error
    assert "Traceback" not in error
    run, rows = terminal.rows()
    assert run.state is RunState.PAUSED
    done = [each for each in said.lines if each.startswith("end")]
    begun = [each for each in said.lines if each.startswith("begin")]
    assert len(done) == len(begun), "what ran was let end"
    leaves = [each for each in rows if each.name == "work" and each.state is TaskState.SUCCEEDED]
    assert len([each for each in leaves if each.kind == "item" or each.node]) >= len(done) - (shape == "map")
    resumed = terminal.resume()
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    run, rows = terminal.rows()
    assert run.state is RunState.SUCCEEDED
    assert run.result is not None
    import msgpack

    assert msgpack.unpackb(run.result.inline) == VALUES[shape]
    expected = Counter(dict.fromkeys(said.lines, 1))
    if shape == "nested":
        expected["begin 100"] = expected["end 100"] = 2
    assert Counter(line for line in said.lines if line != "ready") == expected - Counter(["ready"])


def test_interrupted_twice(tmp_path: Path, said: Said) -> None:
    """The second Ctrl-C ends the process at once, although a task still runs; the run can be resumed."""
    terminal = Terminal(tmp_path, said, "thread", "calls", pause=60.0)
    terminal.wait_until("begin 4")
    terminal.interrupt()
    while "waiting for the tasks that run" not in (
        terminal.process.stderr.readline() if terminal.process.stderr else ""
    ):
        assert terminal.process.poll() is None
    terminal.interrupt()
    code, _, error = terminal.ended()
    assert code == 130
    assert "can be resumed" in error
    assert "end 4" not in said.lines
    run, _ = terminal.rows()
    assert not run.state.terminal


ASYNC = """
import asyncio, sys
from pathlib import Path
from weft import flow, task
sys.path.insert(0, {tests!r})
from embedded_weft import Said
said = Said(Path({said!r}))

@task
async def work(x):
    said.say(f"begin {{x}}")
    await asyncio.sleep(0.3)
    said.say(f"end {{x}}")
    return x

@flow
async def main() -> int:
    return await work(1) + sum(await asyncio.gather(work(2), work(3)))

asyncio.run(main())
"""


def test_interrupted_async_flow(tmp_path: Path, said: Said) -> None:
    """Ctrl-C in an async program lets what runs end, and leaves a run that can be resumed."""
    script = tmp_path / "script.py"
    script.write_text(ASYNC.format(tests=str(Path(__file__).parents[1]), said=str(said.path)))
    env = {**os.environ, "WEFT_HOME": str(tmp_path / "home"), "WEFT_PROGRESS": "off"}
    process = subprocess.Popen([sys.executable, str(script)], env=env, stderr=subprocess.PIPE, text=True)
    while "begin 1" not in said.lines:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "weft runs resume run_" in error
    assert said.lines == ["begin 1", "end 1"]
    command = [sys.executable, "-m", "weft", "runs", "resume", "@latest"]
    resumed = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert said.lines.count("begin 1") == 1
    assert sorted(said.lines[2:]) == ["begin 2", "begin 3", "end 2", "end 3"]


def test_interrupt_before_any_run(tmp_path: Path) -> None:
    """Outside a run Ctrl-C is what it always is."""
    script = "import time, weft.embedded; weft.embedded.open_host(); print('up', flush=True); time.sleep(60)"
    env = {**os.environ, "WEFT_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in error
