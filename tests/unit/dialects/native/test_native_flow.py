"""Flows: parameters, nesting, suspension, and scripts."""

import asyncio
import dataclasses
import subprocess
import sys
import threading
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from embedded_weft import Said, Weft

import weft as w
from weft import flow, task
from weft.model.errors import (
    InvalidWorkflow,
    MissingParameter,
    UnknownParameter,
    WrongParameterType,
)
from weft.model.states import RunState, TaskState


@task
def double(x: int) -> int:
    return 2 * x


@task
async def adouble(x: int) -> int:
    return 2 * x


# --- nesting ----------------------------------------------------------------------------------------------


@flow
def inner(x: int) -> int:
    return double(x) + 1


@flow
async def ainner(x: int) -> int:
    return await adouble(x) + 1


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_flows_in_flows(weft: Weft, executor: str) -> None:
    """A flow called by a flow is a step of it, with steps of its own."""
    weft.open(executor=executor)

    @flow
    def main() -> list[int]:
        return [inner(1), inner.submit(2).result(), inner(x=3)]

    assert main() == [3, 5, 7]
    assert set(weft.states()) == {
        "inner-0",
        "inner-1",
        "inner-2",
        "inner-0/double-0",
        "inner-1/double-0",
        "inner-2/double-0",
    }
    assert len(weft.runs()) == 1


def test_async_flows_in_async_flows(weft: Weft) -> None:
    """An async flow awaits async flows, at once if gathered."""

    @flow
    async def main() -> list[int]:
        return [await ainner(1), *await asyncio.gather(ainner(2), ainner(3))]

    assert asyncio.run(main()) == [3, 5, 7]


def test_sync_flow_in_async_flow_and_reverse(weft: Weft) -> None:
    """Sync and async flows hold each other."""

    @flow
    async def outer() -> list[int]:
        return [inner(1), await inner.submit(2), await ainner(3)]

    @flow
    def main() -> list[int]:
        return [ainner.submit(1).result(), *ainner.map([2, 3]).result()]

    assert asyncio.run(outer()) == [3, 5, 7]
    assert main() == [3, 5, 7]


def test_exceptions_cross_flows(weft: Weft) -> None:
    """What a nested flow raises reaches the flow that called it, and can be handled there."""

    @task
    def fails() -> None:
        raise LookupError("deep")

    @flow
    def middle() -> None:
        fails()

    @flow
    def main() -> str:
        try:
            middle()
        except LookupError as exc:
            return str(exc)
        return ""

    assert main() == "deep"
    assert weft.states() == {"middle-0": TaskState.FAILED, "middle-0/fails-0": TaskState.FAILED}


@flow
def nest(depth: int) -> int:
    return 0 if depth == 0 else nest(depth - 1) + 1


@flow
def nest_apart(depth: int) -> int:
    return 0 if depth == 0 else nest_apart.submit(depth - 1).result() + double(0) + 1


@flow
async def anest(depth: int) -> int:
    return 0 if depth == 0 else await anest(depth - 1) + 1


def test_deep_nesting_in_one_thread(weft: Weft) -> None:
    """A hundred flows inside each other, called directly."""
    assert nest(100) == 100
    assert len(weft.tasks()) == 100


def test_deep_nesting_does_not_starve(weft: Weft) -> None:
    """A hundred flows that wait for each other leave both threads to the tasks that they wait for."""
    weft.open(threads=2)
    assert nest_apart(100) == 100


def test_deep_async_nesting(weft: Weft) -> None:
    """A hundred async flows inside each other."""
    assert asyncio.run(anest(100)) == 100


def test_wide_nesting_does_not_starve(weft: Weft) -> None:
    """Two hundred flows at once, which all wait, leave both threads to their tasks."""
    weft.open(threads=2)

    @flow
    def main() -> int:
        return sum(inner.map(range(200)).result())

    assert main() == sum(2 * x + 1 for x in range(200))


def test_endless_recursion_is_a_failure(weft: Weft) -> None:
    """A flow that calls itself for ever fails with a coded error, and the engine goes on."""

    @flow
    def forever(n: int) -> int:
        return forever(n + 1)

    with pytest.raises(InvalidWorkflow, match="nested more than 200 deep: forever recurses"):
        forever(0)
    assert weft.run().state is RunState.FAILED
    assert inner(1) == 3


def test_two_flows_at_once_from_threads(weft: Weft) -> None:
    """Threads of the user's program may each run a flow."""
    found: dict[int, int] = {}

    def run(x: int) -> None:
        found[x] = inner(x)

    threads = [threading.Thread(target=run, args=(x,)) for x in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == {x: 2 * x + 1 for x in range(8)}
    assert len(weft.runs()) == 8


# --- suspension -------------------------------------------------------------------------------------------


def _flow_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("weft-flow")]


def test_waiting_flow_frees_its_thread(weft: Weft, said: Said) -> None:
    """A nested flow that waits long is taken off its thread, replayed, and gives the right value."""
    weft.open(suspend_after_s=0.05)
    go = threading.Event()

    @task
    def waits(x: int) -> int:
        assert go.wait(20)
        return x

    @flow
    def child() -> int:
        said.say("body")
        first = double(1)
        return first + waits.submit(5).result() + double(2)

    @flow
    def main() -> int:
        future = child.submit()
        while weft.states().get("child-0") is not TaskState.WAITING or _flow_threads():
            time.sleep(0.005)
        go.set()
        return future.result()

    assert main() == 11
    assert said.lines == ["body", "body"]
    assert weft.states()["child-0/double-0"] is TaskState.SUCCEEDED
    assert weft.task("child-0/double-0").attempt == 1
    assert weft.task("child-0/waits-0").attempt == 1


def test_waiting_flow_of_direct_calls(weft: Weft) -> None:
    """A nested flow may also be suspended while a task that it called directly pauses before a retry."""
    weft.open(suspend_after_s=0.05)

    @task(retries=1, retry_delay=0.4)
    def shaky() -> int:
        if w.current().attempt == 1:
            raise OSError("once")
        return 7

    @flow
    def child() -> int:
        return shaky() + double(1)

    @flow
    def main() -> int:
        return child.submit().result()

    assert main() == 9
    states = [each.change.state for each in weft.events("child-0") if hasattr(each.change, "state")]
    assert TaskState.WAITING in states


@pytest.mark.parametrize("wait", ["sleep", "event", "map", "item", "async"])
def test_suspended_by_every_kind_of_wait(weft: Weft, wait: str) -> None:
    """Sleeps, events, maps, items and awaits can all be outlived by their flow's suspension."""
    weft.open(suspend_after_s=0.05)

    @task
    def slow(x: int) -> int:
        time.sleep(0.25)
        return x

    @flow
    def child() -> Any:
        if wait == "sleep":
            w.sleep(0.25)
            return 3
        if wait == "event":
            return w.wait_for_event("go")
        if wait == "item":
            return slow.map([2, 3])[1].result()
        return sum(slow.map([1, 2]).result())

    @flow
    async def achild() -> Any:
        return await slow.submit(3)

    @flow
    def main() -> Any:
        future = (achild if wait == "async" else child).submit()
        if wait == "event":
            while weft.states().get("child-0") is not TaskState.WAITING:
                time.sleep(0.005)
            host = weft.host
            host.engine.send(weft.run().run, "go", host.artifacts.dumps(3), "signal-1")
        return future.result()

    assert main() == 3


def test_suspended_flows_inside_each_other(weft: Weft) -> None:
    """A chain of flows is suspended from the inside out, and comes back."""
    weft.open(suspend_after_s=0.05)

    @task
    def slow() -> int:
        time.sleep(0.3)
        return 1

    @flow
    def third() -> int:
        return slow.submit().result() + 1

    @flow
    def second() -> int:
        return third.submit().result() + 1

    @flow
    def main() -> int:
        return second.submit().result() + 1

    assert main() == 4


def test_suspension_keeps_other_calls(weft: Weft) -> None:
    """What a suspended flow had submitted goes on, and its failure still counts."""
    weft.open(suspend_after_s=0.05)

    @task
    def slow() -> int:
        time.sleep(0.2)
        return 1

    @task
    def fails() -> None:
        raise ValueError("unseen")

    @flow
    def child() -> int:
        fails.submit()
        return slow.submit().result()

    @flow
    def main() -> int:
        return child.submit().result()

    with pytest.raises(ValueError, match="unseen"):
        main()


# --- parameters -------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Window:
    start: date
    days: int = 1


def test_parameters_are_converted(weft: Weft) -> None:
    """Texts become dates, dicts become dataclasses and models; defaults are filled in."""
    pydantic = pytest.importorskip("pydantic")

    class Options(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        level: int
        name: str = "n"

    @flow
    def main(
        day: date,
        window: Window,
        options: Options,
        mode: Literal["fast", "slow"] = "fast",
        pause: timedelta = timedelta(hours=1),
        numbers: list[float] | None = None,
        anything=None,  # type: ignore[no-untyped-def]
    ) -> list[Any]:
        return [day, window, options.level, options.name, mode, pause, numbers, anything]

    found = main("2026-01-02", {"start": "2026-01-01"}, {"level": "3"}, numbers=[1.5, 2])  # type: ignore[arg-type]
    assert found == [
        date(2026, 1, 2),
        Window(date(2026, 1, 1)),
        3,
        "n",
        "fast",
        timedelta(hours=1),
        [1.5, 2.0],
        None,
    ]


def test_wrong_parameters(weft: Weft) -> None:
    """Unknown, missing, twice given, too many and wrong parameters are errors with codes, before any run."""
    pydantic = pytest.importorskip("pydantic")

    class Options(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        level: int

    @flow
    def main(day: date, count: int = 1, options: Options | None = None) -> None: ...

    call: Any = main
    with pytest.raises(UnknownParameter, match="no parameter 'dya'") as unknown:
        call(dya="2026-01-01")
    assert unknown.value.hint == "did you mean 'day'?"
    with pytest.raises(MissingParameter, match="needs a value for 'day'"):
        call()
    with pytest.raises(UnknownParameter, match="'day' twice"):
        call("2026-01-01", day="2026-01-01")
    with pytest.raises(UnknownParameter, match="takes 3 parameters, and 4"):
        call(1, 2, 3, 4)
    with pytest.raises(WrongParameterType, match="'day' must be date") as wrong:
        call("yesterday")
    assert wrong.value.fields["parameter"] == "day"
    with pytest.raises(WrongParameterType, match="'count' must be int"):
        call("2026-01-01", "many")
    with pytest.raises(WrongParameterType, match="'count' must be int"):
        call("2026-01-01", 1.5)
    with pytest.raises(WrongParameterType, match="'options' must be"):
        call("2026-01-01", 1, {"level": "high"})
    assert weft.runs() == []


def test_variadic_parameters_are_refused(weft: Weft) -> None:
    """A workflow's parameters have names: ``*args`` is refused with its place."""

    @flow
    def main(*numbers: int) -> None: ...

    with pytest.raises(InvalidWorkflow, match=r"\*numbers") as caught:
        main(1)
    assert "test_native_flow.py:" in caught.value.where


def test_parameters_have_a_schema(weft: Weft) -> None:
    """The workflow's graph tells each parameter's type and default."""

    @flow
    def main(day: date, count: int = 3) -> None: ...

    main("2026-01-01")  # type: ignore[arg-type]
    graph = weft.host.store.graph(weft.run().graph)
    day, count = graph.params
    assert (day.name, day.required, day.schema) == ("day", True, {"type": "string", "format": "date"})
    assert (count.required, count.schema) == (False, {"type": "integer"})
    assert count.default is not None
    assert weft.host.artifacts.loads(count.default) == 3


def test_defaults_are_not_shared(weft: Weft) -> None:
    """A run gets its own copy of a mutable default."""

    @flow
    def main(into: list[int] = []) -> list[int]:  # noqa: B006 - what is tested
        into.append(1)
        return into

    assert main() == [1]
    assert main() == [1]


def test_values_keep_their_types(weft: Weft) -> None:
    """Tuples, sets, dates, dataclasses, bytes and big integers come back as they were."""
    value = {
        "tuple": (1, (2, 3)),
        "set": {1, 2},
        "date": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 3, 4, 5, 6),
        "window": Window(date(2026, 1, 1), 2),
        "bytes": b"\x00\xff",
        "big": 1 << 80,
        3: None,
    }

    @task
    def echo(given: Any) -> Any:
        return given

    @flow
    def main(given: Any) -> Any:
        return echo(given)

    assert main(value) == value
    assert type(main(value)["tuple"][1]) is tuple


# --- scripts ----------------------------------------------------------------------------------------------


def run_script(home: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the user's as ``python file.py``."""
    file = home.parent / "script.py"
    file.write_text(text)
    return subprocess.run(
        [sys.executable, str(file)],
        env={"PATH": "/usr/bin:/bin", "WEFT_HOME": str(home), "WEFT_PROGRESS": "off", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SCRIPT = """
import os
from weft import flow, task

@task
def where(x):
    return os.getpid(), x * 2

@flow
def main(n: int = 3):
    return where.map(range(n)).result()

print("calling")
found = main()
print([x for _, x in found], os.getpid() in {pid for pid, _ in found})
"""


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_script_without_a_guard(tmp_path: Path, executor: str) -> None:
    """A script that calls its flow at the top works, and its workers do not run it again."""
    done = run_script(tmp_path / "home", SCRIPT, WEFT_EXECUTOR=executor)
    assert done.returncode == 0, done.stderr
    inside = executor == "thread"
    assert done.stdout.splitlines() == ["calling", f"[0, 2, 4] {inside}"]


def test_failing_script(tmp_path: Path) -> None:
    """A script whose flow fails ends with the task's own exception and exit code 1."""
    text = """
from weft import flow, task
@task
def broken(): raise KeyError("missing thing")
@flow
def main(): broken()
main()
"""
    done = run_script(tmp_path / "home", text)
    assert done.returncode == 1
    assert "KeyError: 'missing thing'" in done.stderr
    assert "raised in task broken" in done.stderr


def test_script_with_a_coded_error(tmp_path: Path) -> None:
    """A coded error that ends a script is shown with its hint and without a traceback."""
    text = """
from weft import flow
@flow
def main(day: int): ...
main()
"""
    done = run_script(tmp_path / "home", text)
    assert done.returncode == 2
    assert done.stderr.startswith("error: W1202: main needs a value for 'day'")
    assert "Traceback" not in done.stderr
