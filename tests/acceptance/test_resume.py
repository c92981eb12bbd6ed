"""A flow whose process crashes is resumed: what was done is there, what was not is done, and nothing twice.

Each test crashes a process of its own at an exact place, and goes on in this one.
"""

import asyncio
import dataclasses
import os
import subprocess
import sys
import threading
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from embedded_weft import CRASHED, Said, Weft, crash

import weft as w
from weft import flow, task
from weft.model.errors import NonDeterminism, RunNotResumable
from weft.model.states import RunState, TaskState


@task
def step(said: Said, x: Any) -> Any:
    said.say(f"step {x}")
    return x


@task
async def astep(said: Said, x: Any) -> Any:
    said.say(f"astep {x}")
    return x


def first_time(said: Said, mark: str) -> bool:
    """Whether this is said for the first time, by any process."""
    there = mark in said.lines
    said.say(mark)
    return not there


# --- where it crashes -------------------------------------------------------------------------------------


@flow
def crashes_between(said: Said) -> list[int]:
    found = [step(said, 1), step(said, 2)]
    if first_time(said, "crash"):
        crash()
    return [*found, step(said, 3)]


def test_crash_between_calls(weft: Weft, said: Said) -> None:
    """Calls that had ended are answered from the journal; the rest is called."""
    weft.crash(lambda: crashes_between(said))
    assert weft.run().state is RunState.RUNNING
    assert weft.value() == [1, 2, 3]
    assert said.lines.count("step 1") == said.lines.count("step 2") == 1
    assert weft.run().state is RunState.SUCCEEDED
    with pytest.raises(RunNotResumable, match="succeeded"):
        weft.resume()


@task
def crashes_once(said: Said) -> str:
    if first_time(said, "crash"):
        crash()
    return f"attempt {w.current().attempt} try {w.current().try_number}"


@flow
def crashes_inside(said: Said) -> str:
    step(said, 1)
    return crashes_once(said)


def test_crash_inside_a_task(weft: Weft, said: Said) -> None:
    """A task that was running is run again, as a new attempt of the same try."""
    weft.crash(lambda: crashes_inside(said))
    assert weft.value() == "attempt 2 try 1"
    assert said.lines.count("step 1") == 1


@flow
async def async_crashes(said: Said) -> list[Any]:
    found = await asyncio.gather(*[astep(said, x) for x in range(10)])
    if first_time(said, "crash"):
        crash()
    return [*found, await astep(said, 99)]


def test_async_flow_is_resumed(weft: Weft, said: Said) -> None:
    """An async flow is replayed just as well."""
    weft.crash(lambda: asyncio.run(async_crashes(said)))
    assert weft.value() == [*range(10), 99]
    assert all(said.lines.count(f"astep {x}") == 1 for x in range(10))


@task
def counts_and_crashes(said: Said, x: int) -> int:
    said.say(f"item {x}")
    if x == 30 and first_time(said, "crash"):
        crash()
    return x


@flow
def map_crashes(said: Said) -> int:
    mapped = counts_and_crashes.map([said] * 60, range(60))
    return sum(mapped.result())


def test_crash_in_a_map(weft: Weft, said: Said) -> None:
    """Items that had committed success are not run again; the others are."""
    weft.crash(lambda: map_crashes(said))
    done = {key for key, state in weft.states().items() if state is TaskState.SUCCEEDED}
    before = list(said.lines)
    assert weft.value() == sum(range(60))
    after = said.lines[len(before) :]
    for key in done:
        number = key.partition("[")[2].rstrip("]")
        assert f"item {number}" not in after


@flow
def nested(said: Said, name: str) -> str:
    first = step(said, f"{name} first")
    if name == "b" and first_time(said, "crash"):
        crash()
    return f"{first} {step(said, f'{name} second')}"


@flow
def nesting(said: Said) -> list[str]:
    a = nested(said, "a")
    b = nested.submit(said, "b")
    return [a, b.result(), *nested.map([said] * 2, ["c", "d"]).result()]


def test_crash_in_a_nested_flow(weft: Weft, said: Said) -> None:
    """Nested flows that had ended are not entered again; the one that had not goes on."""
    weft.crash(lambda: nesting(said))
    assert weft.value() == [f"{name} first {name} second" for name in "abcd"]
    steps = [line for line in said.lines if line.startswith("step")]
    assert len(steps) == len(set(steps)) == 8


@flow
def failure_then_crash(said: Said) -> list[str]:
    found = []
    for number in range(2):
        try:
            fails(said, number)
        except LookupError as exc:
            found.append(f"{type(exc).__name__} {exc}")
        if number == 0 and first_time(said, "crash"):
            crash()
    return found


@task
def fails(said: Said, x: int) -> None:
    said.say(f"fails {x}")
    raise LookupError(f"no {x}")


def test_failures_are_replayed(weft: Weft, said: Said) -> None:
    """A failure that the flow handled is raised again on replay, with its own type, without running again."""
    weft.crash(lambda: failure_then_crash(said))
    assert weft.value() == ["LookupError no 0", "LookupError no 1"]
    assert said.lines.count("fails 0") == 1


@task(retries=3, retry_delay=0.05)
def shaky_and_crashes(said: Said) -> int:
    said.say("try")
    tries = said.lines.count("try")
    if tries == 2:
        crash()
    if tries < 4:
        raise OSError("again")
    return w.current().try_number


@flow
def retries_and_crashes(said: Said) -> int:
    return shaky_and_crashes(said)


def test_crash_between_tries(weft: Weft, said: Said) -> None:
    """A crash costs none of the tries that the policy allows."""
    weft.crash(lambda: retries_and_crashes(said))
    assert weft.value() == 3
    assert said.lines.count("try") == 4


def test_crash_again_and_again(weft: Weft, said: Said) -> None:
    """A run that crashes at each of its steps still ends, one step further each time."""
    weft.crash(lambda: many_crashes(said))
    for _ in range(4):
        run = weft.run().run
        weft.crash(lambda run=run: weft.host.resume(run))
    assert weft.value() == [0, 1, 2, 3, 4]
    assert [line for line in said.lines if line.startswith("step")] == [f"step {x}" for x in range(5)]


@flow
def many_crashes(said: Said) -> list[int]:
    found = []
    for x in range(5):
        found.append(step(said, x))
        if first_time(said, f"crash {x}"):
            crash()
    return found


def test_flow_of_the_process_executor_is_resumed(weft: Weft, said: Said) -> None:
    """With worker processes it is the same."""
    weft.open(executor="process")
    weft.crash(lambda: crashes_between(said))
    assert weft.value() == [1, 2, 3]
    assert said.lines.count("step 1") == 1


# --- values -----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    when: date


@task
def values() -> dict[str, Any]:
    return {
        "tuple": (1, (2,)),
        "set": {1, 2},
        "point": Point(1, date(2026, 1, 2)),
        "moment": datetime(2026, 1, 2, 3, 4, 5, 6),
        "bytes": b"\x00",
        "large": "x" * 100_000,
    }


@task
def array() -> Any:
    import numpy as np

    return np.arange(10_000, dtype="float32").reshape(100, 100)


@task
def frame() -> Any:
    import pandas as pd

    return pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})


@flow
def keeps_values(said: Said) -> Any:
    found = values(), array(), frame()
    if first_time(said, "crash"):
        crash()
    plain, numbers, table = found
    assert plain == values.fn()
    assert type(plain["tuple"][1]) is tuple
    assert isinstance(plain["point"], Point)
    assert (numbers.dtype.name, numbers.shape, float(numbers.sum())) == ("float32", (100, 100), 49995000.0)
    assert list(table["a"]) == [1, 2, 3]
    assert table["b"].isna().tolist() == [False, True, False]
    return "kept"


def test_values_keep_their_types_across_a_crash(weft: Weft, said: Said) -> None:
    """Results read back from the store are what the task returned, arrays and frames included."""
    pytest.importorskip("numpy")
    pytest.importorskip("pandas")
    weft.crash(lambda: keeps_values(said))
    assert weft.value() == "kept"


# --- rollbacks --------------------------------------------------------------------------------------------


def undo(event: dict[str, Any]) -> None:
    Said(Path(event["result"][0])).say(f"undo {event['result'][1]}")


@task(on_rollback=undo)
def book(said: Said, x: int) -> tuple[str, int]:
    said.say(f"book {x}")
    return str(said.path), x


@flow
def books(said: Said) -> None:
    for x in range(3):
        book(said, x)
    if first_time(said, "crash"):
        crash()
    raise ValueError("no room")


def test_rollbacks_after_a_crash(weft: Weft, said: Said) -> None:
    """What had succeeded before the crash is rolled back when the resumed run fails: once, last first."""
    weft.crash(lambda: books(said))
    assert weft.resume().state is TaskState.FAILED
    assert [line for line in said.lines if line.startswith("undo")] == ["undo 2", "undo 1", "undo 0"]
    assert weft.run().state is RunState.FAILED


def undo_and_crash(event: dict[str, Any]) -> None:
    said = Said(Path(event["result"][0]))
    said.say(f"undo {event['result'][1]}")
    if event["result"][1] == 1 and first_time(said, "crash"):
        crash()


@task(on_rollback=undo_and_crash)
def book_badly(said: Said, x: int) -> tuple[str, int]:
    return str(said.path), x


@flow
def books_badly(said: Said) -> None:
    for x in range(3):
        book_badly(said, x)
    raise ValueError("no room")


def test_crash_in_a_rollback(weft: Weft, said: Said) -> None:
    """Rollbacks go on where they were: the one that the crash cut off runs again, those before it do not."""
    weft.crash(lambda: books_badly(said))
    assert weft.resume().state is TaskState.FAILED
    undone = [line for line in said.lines if line.startswith("undo")]
    assert undone == ["undo 2", "undo 1", "undo 1", "undo 0"]


# --- changed code -----------------------------------------------------------------------------------------

CODE = {"change": ""}


@task
def one(x: int) -> int:
    return x


@task
def two(x: int) -> int:
    return 10 * x


@flow
def changes(said: Said) -> list[int]:
    change = CODE["change"]
    if change == "order":
        found = [two(2), one(1)]
    elif change == "argument":
        found = [one(5), two(2)]
    elif change == "name":
        found = [one(1), one(2)]
    elif change == "removed":
        found = [two(2)]
    elif change == "fewer":
        return [one(1)]
    else:
        found = [one(1), two(2)]
    if first_time(said, "crash"):
        crash()
    return [*found, one(3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("order", r"call 1 of changes was 'one-0' when it was recorded, and is 'two-0' now"),
        ("argument", r"the arguments of 'one-0' differ from those that were recorded"),
        ("name", r"call 2 of changes was 'two-0' when it was recorded, and is 'one-1' now"),
        ("removed", r"call 1 of changes was 'one-0' when it was recorded, and is 'two-0' now"),
        ("fewer", r"changes returned after 'one-0', and had made another call when it was recorded"),
    ],
)
def test_changed_flow_is_found(weft: Weft, said: Said, change: str, message: str) -> None:
    """A replay that makes other calls is refused in words, and the old code can still go on."""
    weft.crash(lambda: changes(said))
    CODE["change"] = change
    try:
        with pytest.raises(NonDeterminism, match=message) as caught:
            weft.value()
        assert "patch(" in caught.value.hint
    finally:
        CODE["change"] = ""
    assert not weft.run().state.terminal, "a replay with other code must leave the run as it was"
    weft.open()
    assert weft.value() == [1, 20, 3]


@flow
def inner_changes(said: Said) -> list[int]:
    found = [two(2)] if CODE["change"] else [one(1), two(2)]
    if first_time(said, "crash"):
        crash()
    return found


@flow
def outer_of_changes(said: Said, apart: bool) -> list[int]:
    try:
        return inner_changes.submit(said).result() if apart else inner_changes(said)
    except Exception:
        return [step(said, "handled")]


@pytest.mark.parametrize("apart", [False, True])
def test_changed_nested_flow_is_found(weft: Weft, said: Said, apart: bool) -> None:
    """A nested flow that changed stops the run too, and the flow around it cannot swallow that."""
    weft.crash(lambda: outer_of_changes(said, apart))
    CODE["change"] = "removed"
    try:
        with pytest.raises(NonDeterminism, match="call 1 of inner_changes-0 was 'one-0'"):
            weft.value()
    finally:
        CODE["change"] = ""
    assert weft.run().state is RunState.PAUSED
    weft.open()
    assert weft.value() == [1, 20]
    assert "step handled" not in said.lines


# --- scripts ----------------------------------------------------------------------------------------------

SCRIPT = """
import os, sys
from weft import flow, task
sys.path.insert(0, {tests!r})
from pathlib import Path
from embedded_weft import Said, crash

said = Said(Path({said!r}))

@task
def step(x):
    said.say(f"step {{x}}")
    return x + {bias}

@flow
def main() -> int:
    total = sum(step(x) for x in range(3))
    mapped = step.map(range(10, 13))
    total += sum(mapped.result())
    if not Path({said!r} + ".crashed").exists():
        Path({said!r} + ".crashed").touch()
        crash()
    return total + step(100)

print(main())
"""


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_script_is_resumed_by_the_command_line(tmp_path: Path, said: Said, executor: str) -> None:
    """``weft runs resume`` goes on with a script's run from anywhere, with the script's code."""
    script = tmp_path / "script.py"
    tests = str(Path(__file__).parents[1])
    script.write_text(SCRIPT.format(tests=tests, said=str(said.path), bias=0))
    env = {
        **os.environ,
        "WEFT_HOME": str(tmp_path / "home"),
        "WEFT_EXECUTOR": executor,
        "WEFT_PROGRESS": "off",
    }
    first = subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert first.returncode == CRASHED, first.stderr
    command = [sys.executable, "-m", "weft", "runs", "resume", "@latest"]
    second = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert second.returncode == 0, second.stdout + second.stderr
    assert sorted(said.lines) == sorted(f"step {x}" for x in [0, 1, 2, 10, 11, 12, 100])


def test_resume_waits_for_no_lease_of_the_dead(weft: Weft, said: Said) -> None:
    """A run of a process that is gone is resumed at once, although its lease has long to go."""
    weft.open(lease_s=600.0)
    weft.crash(lambda: crashes_between(said))
    began = time.monotonic()
    assert weft.value() == [1, 2, 3]
    assert time.monotonic() - began < 60


@task
def slow(said: Said, x: int) -> int:
    said.say(f"slow {x}")
    time.sleep(0.05)
    return x


@flow
def closed_under(said: Said) -> int:
    return sum(slow.map([said] * 20, range(20)).result())


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_closing_lets_go_of_a_run(weft: Weft, said: Said, executor: str) -> None:
    """A host that is closed under a running flow leaves the run to be resumed: nothing is cancelled."""
    weft.open(executor=executor, threads=2)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            closed_under(said)
        except BaseException as exc:
            errors.append(exc)

    runner = threading.Thread(target=run)
    runner.start()
    while len(said.lines) < 5:
        time.sleep(0.002)
    weft.close()
    runner.join(20)
    assert not runner.is_alive(), "whoever waits for the run is told"
    assert not weft.run().state.terminal
    assert TaskState.CANCELLED not in weft.states().values()
    assert weft.value() == sum(range(20))
