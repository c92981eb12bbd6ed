"""Retries, timeouts and limits of tasks, from the decorator to what happens."""

import asyncio
import threading
import time
from typing import Any

import pytest
from embedded_weft import Weft

import weft as w
from weft import flow, task
from weft.model.errors import (
    TaskTimeout,
)


@task
def double(x: int) -> int:
    return 2 * x


class Custom(Exception):
    """With an argument of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(f"number {number}")
        self.number = number

    def __reduce__(self) -> Any:
        return Custom, (self.number,)


# --- retries ------------------------------------------------------------------------------------------------


def _tries(weft: Weft, key: str) -> int:
    return weft.task(key).attempt


def test_retries_until_it_works(weft: Weft) -> None:
    """A task is tried again after its pause, and knows which try it is."""

    @task(retries=3, retry_delay=0.01)
    def shaky() -> int:
        context = w.current()
        assert context.max_tries == 4
        if context.try_number < 3:
            raise OSError("not yet")
        return context.try_number

    @flow
    def main() -> int:
        return shaky()

    assert main() == 3
    assert _tries(weft, "shaky-0") == 3
    paused = [
        each.change for each in weft.events("shaky-0") if getattr(each.change, "state", "") == "retrying"
    ]
    assert [round(each.due_at - each.at, 3) for each in paused] == [0.01, 0.01]  # type: ignore[union-attr,operator]


@pytest.mark.parametrize(
    ("options", "pauses"),
    [
        ({"retry_delay": 0.01}, [0.01, 0.01, 0.01]),
        ({"retry_delay": 0.004, "retry_backoff": 2.0}, [0.004, 0.008, 0.016]),
        ({"retry_delay": 0.004, "retry_backoff": 2.0, "retry_max_delay": 0.006}, [0.004, 0.006, 0.006]),
        ({"retry_delay": [0.001, 0.005]}, [0.001, 0.005, 0.005]),
        ({}, []),
    ],
)
def test_pauses_between_tries(weft: Weft, options: Any, pauses: list[float]) -> None:
    """Fixed, exponential, capped and listed pauses are those that were asked for."""

    @task(retries=3, **options)
    def broken() -> None:
        raise OSError("always")

    with pytest.raises(OSError):
        broken()
    assert weft.host.store.task(weft.run().run, 0).attempt == 4
    changes = [each.change for each in weft.host.store.events(weft.run().run, 0)]
    due = [round(each.due_at - each.at, 4) for each in changes if getattr(each, "due_at", None)]  # type: ignore[union-attr,operator]
    assert [each for each in due if each] == pauses


def test_jitter_stretches_the_pause(weft: Weft) -> None:
    """Jitter adds up to its share, and never takes away."""

    @task(retries=4, retry_delay=0.01, retry_jitter=0.5)
    def broken() -> None:
        raise OSError("always")

    with pytest.raises(OSError):
        broken()
    changes = [each.change for each in weft.host.store.events(weft.run().run, 0)]
    due = [each.due_at - each.at for each in changes if getattr(each, "due_at", None)]  # type: ignore[union-attr,operator]
    assert all(0.0099 <= pause <= 0.0151 for pause in due)
    assert len({round(pause, 6) for pause in due}) > 1


def test_retry_on_and_not_on(weft: Weft) -> None:
    """Only the named exceptions, subclasses included, are tried again."""

    @task(retries=2, retry_on=OSError)
    def chooses(error: str) -> None:
        raise FileNotFoundError("f") if error == "file" else ValueError("v")

    @task(retries=2, retry_not_on=[KeyError, ZeroDivisionError])
    def refuses(error: str) -> None:
        raise KeyError("k") if error == "key" else ValueError("v")

    @flow
    def main() -> None:
        for each in (chooses, refuses):
            each.submit("file").exception()
            each.submit("key").exception()

    main()
    tries = [_tries(weft, key) for key in ("chooses-0", "chooses-1", "refuses-0", "refuses-1")]
    assert tries == [3, 1, 3, 1]


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_retry_when_decides(weft: Weft, executor: str) -> None:
    """A condition beside the task decides for each failure, wherever it runs."""
    weft.open(executor=executor)

    @task(retries=5)
    def picky(codes: list[int]) -> None:
        raise Custom(codes[w.current().try_number - 1])

    @picky.retry_when
    def temporary(error: BaseException) -> bool:
        return isinstance(error, Custom) and error.number == 503

    @flow
    def main() -> None:
        picky([503, 503, 404, 503])

    with pytest.raises(Custom, match="404"):
        main()
    assert _tries(weft, "picky-0") == 3


def test_retry_max_duration(weft: Weft) -> None:
    """No try starts later than the duration after the first."""

    @task(retries=100, retry_delay=0.03, retry_max_duration=0.1)
    def broken() -> None:
        raise OSError("always")

    with pytest.raises(OSError):
        broken()
    assert 2 <= weft.host.store.task(weft.run().run, 0).attempt <= 4


def test_flow_is_retried_and_keeps_what_succeeded(weft: Weft) -> None:
    """A flow that is tried again replays what succeeded and makes again what failed."""
    runs: list[str] = []

    @task
    def once() -> int:
        runs.append("once")
        return 1

    @task
    def shaky() -> int:
        runs.append("shaky")
        if runs.count("shaky") < 2:
            raise OSError("first time")
        return 2

    @flow(retries=1)
    def main() -> int:
        return once() + shaky()

    assert main() == 3
    assert runs == ["once", "shaky", "shaky"]


# --- timeouts -----------------------------------------------------------------------------------------------


@task(timeout=0.15)
def spins() -> None:
    while True:
        time.sleep(0.005)


@task(timeout=0.15)
async def hangs() -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("executor", "name"), [("thread", "spins"), ("thread", "hangs"), ("process", "spins")]
)
def test_timeout(weft: Weft, executor: str, name: str) -> None:
    """A task that runs too long is stopped, and the flow sees ``TaskTimeout``."""
    weft.open(executor=executor)
    slow: Any = {"spins": spins, "hangs": hangs}[name]

    @flow
    def main() -> str:
        with pytest.raises(TaskTimeout, match=r"longer than its limit of 0\.15 s"):
            slow.submit().result()
        return "went on"

    assert main() == "went on"
    assert weft.events(f"{name}-0")[-1].change.cause == "timeout"  # type: ignore[union-attr]


def test_direct_call_with_a_timeout(weft: Weft) -> None:
    """A task that is called directly has its timeout too."""

    @flow
    def main() -> str:
        with pytest.raises(TaskTimeout):
            spins()
        return "went on"

    assert main() == "went on"


def test_total_timeout_ends_the_retries(weft: Weft) -> None:
    """All tries together last no longer than the total."""

    @task(retries=-1, retry_delay=0.02, total_timeout=0.15)
    def broken() -> None:
        raise OSError("always")

    @flow
    def main() -> str:
        with pytest.raises(TaskTimeout, match="not done within its time"):
            broken()
        return "went on"

    assert main() == "went on"
    assert _tries(weft, "broken-0") > 1


def test_queued_timeout(weft: Weft) -> None:
    """A task that waits too long in its executor's queue fails."""
    weft.open(threads=1)
    done = threading.Event()

    @task
    def blocks() -> None:
        done.wait(10)

    @flow
    def main() -> str:
        first = blocks.submit()
        while first.state is None and not done.is_set():
            second = double.with_options(queued_timeout=0.1).submit(1)
            error = second.exception()
            done.set()
        return type(error).__name__

    assert main() == "TaskTimeout"


# --- limits -------------------------------------------------------------------------------------------------


class Gauge:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


def _most_at_once(weft: Weft, **options: Any) -> int:
    gauge = Gauge()

    @task(**options)
    def limited(x: int) -> int:
        with gauge:
            time.sleep(0.01)
        return x

    @flow
    def main() -> int:
        submitted = [limited.submit(x) for x in range(4)]
        return sum(limited.map(range(6)).result()) + sum(each.result() for each in submitted)

    assert main() == 15 + 6
    return gauge.most


def test_pools_bound_what_runs_at_once(weft: Weft) -> None:
    """Tasks of a pool take its slots; a task that takes all of them runs alone."""
    weft.open(pools={"db": 2}, threads=8)
    assert _most_at_once(weft, pool="db") == 2
    assert _most_at_once(weft, pools={"db": 2}) == 1


def test_concurrency_keys(weft: Weft) -> None:
    """A key is a mutex; with a limit it is a semaphore."""
    weft.open(threads=8)
    assert _most_at_once(weft, concurrency="one") == 1
    from weft.model.policies import Concurrency

    assert _most_at_once(weft, concurrency=Concurrency("three", 3)) <= 3


def test_rate_limit_spreads_the_starts(weft: Weft) -> None:
    """No more start in a period than the limit says."""

    @task(rate_limit=("api", 3, 0.1))
    def limited(x: int) -> int:
        return x

    @flow
    def main() -> list[int]:
        return limited.map(range(7)).result()

    assert main() == list(range(7))
    run = weft.run().run
    changes = [each.change for each in weft.host.store.events(run)]
    starts = [each.at for each in changes if getattr(each, "state", "") == "queued" and each.idx > 1]  # type: ignore[union-attr]
    assert len(starts) == 7
    assert all(later - earlier >= 0.1 for earlier, later in zip(starts, starts[3:], strict=False))


def test_priority_decides_who_goes_first(weft: Weft) -> None:
    """Among ready tasks those with higher priority start first."""
    weft.open(threads=1, pools={"one": 1})
    order: list[str] = []
    go = threading.Event()

    @task(pool="one")
    def blocks() -> None:
        assert go.wait(10)

    @task(pool="one")
    def named(name: str) -> None:
        order.append(name)

    @flow
    def main() -> None:
        blocks.submit()
        futures = [
            named.with_options(priority=priority).submit(name)
            for name, priority in [("low", -1), ("normal", 0), ("high", 5)]
        ]
        go.set()
        for each in futures:
            each.result()

    main()
    assert order == ["high", "normal", "low"]


def test_named_executor(weft: Weft) -> None:
    """A task can name its executor; one that does not exist is a clear failure."""
    import os

    @task(executor="nowhere")
    def lost() -> None: ...

    @flow
    def main() -> str:
        error = lost.submit().exception()
        return str(error)

    assert "no executor is called 'nowhere'" in main()

    @task(executor="process")
    def where() -> int:
        return os.getpid()

    @flow
    def apart() -> int:
        return where()

    assert apart() != os.getpid()
