"""What is particular to the ``thread`` executor: lanes, threads that cannot be killed, and how it grows."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.executors.thread import ThreadExecutor
from weft.model.attempts import Attempt, AttemptId, Ended, Report
from weft.model.calls import PythonCall
from weft.model.errors import ExecutorError
from weft.model.states import TaskState
from weft.runtime import load
from weft.runtime.signals import Interrupt, TimedOut

WAIT_S = 30.0


class Shop:
    """A thread executor, and attempts at local functions for it."""

    def __init__(self, home: Path, **options: Any) -> None:
        self.artifacts = Artifacts(MemoryBlobs())
        self.executor = ThreadExecutor(self.artifacts, home, tee=False, **{"grace_s": 0.1, **options})
        self.ended: dict[AttemptId, Ended] = {}
        self.answers = 0
        self.news = threading.Condition()
        self.number = 0
        self.executor.start(self.sink)

    def sink(self, reports: Sequence[Report]) -> None:
        with self.news:
            for report in reports:
                if isinstance(report, Ended):
                    self.ended[report.id] = report
                    self.answers += 1
            self.news.notify_all()

    def attempt(self, fn: Callable[..., Any], *, flow: bool = False, **more: Any) -> Attempt:
        self.number += 1
        name = f"{fn.__name__}_{self.number}"
        load.register("shop", name, fn)
        call = PythonCall("shop", name, flow=flow)
        return Attempt((1, self.number, 1), "run_1", "shop", name, name, call, **more)

    def submit(self, fn: Callable[..., Any], **more: Any) -> Attempt:
        attempt = self.attempt(fn, **more)
        self.executor.submit([attempt])
        return attempt

    def end_of(self, attempt: Attempt) -> Ended:
        with self.news:
            assert self.news.wait_for(lambda: attempt.id in self.ended, WAIT_S)
        return self.ended[attempt.id]

    def run(self, fn: Callable[..., Any], **more: Any) -> Ended:
        return self.end_of(self.submit(fn, **more))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def make(**options: Any) -> Shop:
        shops.append(Shop(tmp_path, **options))
        return shops[-1]

    yield make
    for shop in shops:
        shop.executor.close(grace_s=1.0)
        assert shop.answers == len(shop.ended)


def task_threads() -> int:
    return sum(thread.name == "weft-task" for thread in threading.enumerate())


def test_threads_come_as_needed(make: Callable[..., Shop]) -> None:
    """No thread before there is work, one for one attempt, and as many as allowed for many that block."""
    before = task_threads()
    shop = make(threads=6)
    assert task_threads() == before
    shop.run(lambda: None)
    assert task_threads() == before + 1
    gate = threading.Barrier(6)
    attempts = [shop.attempt(lambda: gate.wait(WAIT_S)) for _ in range(12)]
    shop.executor.submit(attempts)
    assert {shop.end_of(each).state for each in attempts} == {TaskState.SUCCEEDED}
    assert task_threads() == before + 6
    shop.executor.close()
    assert task_threads() == before


def test_no_attempt_waits_behind_a_long_one(make: Callable[..., Shop]) -> None:
    """While one attempt blocks, everything submitted with it ends."""
    shop = make(threads=2)
    release = threading.Event()
    blocked = shop.attempt(lambda: release.wait(WAIT_S))
    others = [shop.attempt(lambda: None) for _ in range(100)]
    shop.executor.submit([blocked, *others])
    for each in others:
        shop.end_of(each)
    assert blocked.id not in shop.ended
    release.set()
    assert shop.end_of(blocked).state is TaskState.SUCCEEDED


def test_flows_take_no_slot(make: Callable[..., Shop]) -> None:
    """More flows than there are threads may wait at once, and the tasks that they wait for still run."""
    shop = make(threads=1)
    done = threading.Event()
    flows = [shop.submit(lambda: done.wait(WAIT_S), flow=True) for _ in range(20)]
    assert shop.executor.capacity() > 20
    assert shop.run(done.set).state is TaskState.SUCCEEDED
    assert {shop.end_of(each).state for each in flows} == {TaskState.SUCCEEDED}


def test_flows_are_given_to_whoever_knows_them(make: Callable[..., Shop]) -> None:
    """With ``flows`` a flow's attempt is handed to it, and what it answers is the end."""

    def flows(attempt: Attempt) -> Ended:
        return Ended(attempt.id, TaskState.WAITING, worker="mine")

    assert make(flows=flows).run(lambda: None, flow=True).worker == "mine"


def test_a_flow_that_is_told_to_stop(make: Callable[..., Shop]) -> None:
    """A flow whose owner takes the interruption itself ends as it likes, and is not struck."""
    told: dict[AttemptId, type[Interrupt]] = {}
    event = threading.Event()

    def flows(attempt: Attempt) -> Ended:
        assert event.wait(WAIT_S)
        return Ended(attempt.id, TaskState.CANCELLED, worker="by itself")

    def interrupt(attempt_id: AttemptId, kind: type[Interrupt]) -> bool:
        told[attempt_id] = kind
        event.set()
        return True

    shop = make(flows=flows, interrupt_flow=interrupt, grace_s=WAIT_S)
    attempt = shop.submit(lambda: None, flow=True, timeout_s=0.01)
    assert shop.end_of(attempt).worker == "by itself"
    assert told == {attempt.id: TimedOut}


def test_a_thread_that_cannot_be_stopped_is_replaced(make: Callable[..., Shop]) -> None:
    """When the only thread is blocked for good, its attempt is answered once and the next one runs."""
    shop = make(threads=1)
    release = threading.Event()
    lock = threading.Lock()
    finished = threading.Event()

    def block() -> str:
        try:
            lock.acquire()  # Cannot be interrupted: it waits in C.
        finally:
            finished.set()
        return "too late"

    lock.acquire()
    stuck = shop.submit(block, timeout_s=0.05)
    waiting = shop.submit(release.set)
    assert shop.end_of(stuck).state is TaskState.FAILED
    assert shop.end_of(waiting).state is TaskState.SUCCEEDED
    lock.release()
    assert finished.wait(WAIT_S)
    shop.run(lambda: None)
    assert shop.ended[stuck.id].error is not None
    assert shop.ended[stuck.id].error.code == "W2001"


def test_a_timeout_shows_where_the_task_was(make: Callable[..., Shop]) -> None:
    """The failure of an attempt that was stopped has the line that it was at."""

    def spin() -> None:
        while True:
            pass  # It is here.

    error = make().run(spin, timeout_s=0.05).error
    assert error is not None
    assert "in spin" in error.traceback


def test_a_stop_never_hits_the_next_attempt(make: Callable[..., Shop]) -> None:
    """Cancels that come as attempts end strike nobody else."""
    shop = make(threads=1)
    for _ in range(150):
        first, second = shop.attempt(lambda: None), shop.attempt(lambda: sum(range(200)))
        shop.executor.submit([first, second])
        shop.executor.cancel([first.id])
        assert shop.end_of(second).state is TaskState.SUCCEEDED
        assert shop.end_of(first).state in {TaskState.SUCCEEDED, TaskState.CANCELLED}


def test_a_coroutine_that_ignores_cancelling(make: Callable[..., Shop]) -> None:
    """A coroutine that swallows its cancellation is answered after the grace; the loop goes on."""
    stop = threading.Event()

    async def stubborn() -> None:
        while not stop.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass

    async def fine() -> int:
        return 1

    shop = make()
    error = shop.run(stubborn, timeout_s=0.05).error
    assert error is not None
    assert error.code == "W2001"
    assert shop.run(fine).state is TaskState.SUCCEEDED
    stop.set()


def test_a_coroutine_that_blocks_the_loop(make: Callable[..., Shop]) -> None:
    """A coroutine that blocks its loop past its timeout is answered, and others get a new loop."""
    release = threading.Event()

    async def block() -> None:
        release.wait(WAIT_S)

    async def fine() -> int:
        return 1

    shop = make()
    shop.run(fine)
    stuck = shop.submit(block, timeout_s=0.05)
    assert shop.end_of(stuck).state is TaskState.FAILED
    assert shop.run(fine).state is TaskState.SUCCEEDED
    release.set()


def test_the_limit_of_coroutines(make: Callable[..., Shop]) -> None:
    """No more coroutines than allowed run at once, and all of them run in the end."""
    running = 0
    most = 0

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    shop = make(async_limit=5)
    attempts = [shop.attempt(count) for _ in range(60)]
    shop.executor.submit(attempts)
    assert {shop.end_of(each).state for each in attempts} == {TaskState.SUCCEEDED}
    assert most == 5


def test_cancelling_queued_coroutines(make: Callable[..., Shop]) -> None:
    """Coroutines beyond the limit can be cancelled before they begin."""
    shop = make(async_limit=1)
    release = threading.Event()

    async def wait() -> None:
        while not release.is_set():
            await asyncio.sleep(0.001)

    async def never() -> None:
        raise AssertionError("it ran")

    first = shop.submit(wait)
    attempts = [shop.attempt(never) for _ in range(10)]
    shop.executor.submit(attempts)
    shop.executor.cancel([each.id for each in attempts])
    assert {shop.end_of(each).state for each in attempts} == {TaskState.CANCELLED}
    release.set()
    assert shop.end_of(first).state is TaskState.SUCCEEDED


def test_a_sink_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that raises does not take the executor's threads with it."""
    calls = threading.Semaphore(0)

    def sink(reports: Sequence[Report]) -> None:
        calls.release()
        raise RuntimeError("the receiver is broken")

    executor = ThreadExecutor(Artifacts(MemoryBlobs()), tmp_path, tee=False)
    executor.start(sink)
    load.register("shop", "nothing", lambda: None)
    for number in range(3):
        call = PythonCall("shop", "nothing")
        executor.submit([Attempt((1, number, 1), "run_1", "w", "nothing", "nothing", call)])
        assert calls.acquire(timeout=WAIT_S)
    executor.close()
    assert "refused by their receiver" in caplog.text


def test_after_close(make: Callable[..., Shop]) -> None:
    """A closed executor takes no work, and closing again changes nothing."""
    shop = make()
    attempt = shop.attempt(lambda: None)
    shop.executor.close()
    shop.executor.close()
    with pytest.raises(ExecutorError):
        shop.executor.submit([attempt])


def test_no_threads() -> None:
    """An executor without threads is refused."""
    with pytest.raises(ExecutorError):
        ThreadExecutor(Artifacts(MemoryBlobs()), Path("unused"), threads=0)


def test_closing_with_a_thread_that_does_not_end(make: Callable[..., Shop]) -> None:
    """Close waits no longer than its grace for what cannot be stopped, and reports it as lost."""
    shop = make()
    lock = threading.Lock()
    lock.acquire()
    began = threading.Event()

    def block() -> None:
        began.set()
        lock.acquire()

    attempt = shop.submit(block)
    assert began.wait(WAIT_S)
    before = time.monotonic()
    shop.executor.close(grace_s=0.05)
    assert time.monotonic() - before < WAIT_S
    assert shop.ended[attempt.id].state is TaskState.LOST
    lock.release()
