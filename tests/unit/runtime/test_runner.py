"""What the runner makes of whatever user code does."""

import asyncio
import functools
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import cloudpickle
import msgspec
import pytest

from weft.model.attempts import Attempt
from weft.model.calls import ContainerCall, PythonCall
from weft.model.errors import NotFound
from weft.model.states import TaskState
from weft.model.values import Plain, Result
from weft.runtime.failure import cut, describe

FLAVOUR: ContextVar[str] = ContextVar("flavour", default="plain")


class Task:
    """A decorated object as the runner sees it."""

    def __init__(self, fn: Any, **more: Any) -> None:
        self.fn = fn
        self.__dict__.update(more)


def boom(*args: object) -> None:
    raise ValueError("boom")


def test_attempts_do_not_see_each_others_context(desk: Any) -> None:
    """A context variable that a task sets is not seen by the next task nor by the caller."""
    assert desk.value(desk.run(lambda: (FLAVOUR.get(), FLAVOUR.set("salt"))[0])) == "plain"
    assert desk.value(desk.run(FLAVOUR.get)) == "plain"
    assert FLAVOUR.get() == "plain"


@pytest.mark.parametrize(("answer", "verdict"), [(True, True), (False, False), (1, True)])
def test_a_retry_condition_is_asked(desk: Any, answer: object, verdict: bool) -> None:
    """The task's own condition sees the exception and its verdict is reported."""
    seen: list[BaseException] = []

    def retry_if(exc: BaseException) -> object:
        seen.append(exc)
        return answer

    ended = desk.run(Task(boom, retry_if=retry_if))
    assert ended.retry is verdict
    assert isinstance(seen[0], ValueError)


def test_a_retry_condition_that_fails(desk: Any) -> None:
    """A condition that raises means no retry, and the log says why."""
    ended = desk.run(Task(boom, retry_if=lambda exc: 1 / 0))
    assert (ended.state, ended.retry) == (TaskState.FAILED, False)
    assert ended.error.message == "boom"
    assert "ZeroDivisionError" in desk.log(ended)


def test_without_a_condition_the_policy_decides(desk: Any) -> None:
    """A plain failure carries no verdict."""
    assert desk.run(boom).retry is None


def test_check_asks_the_object(desk: Any) -> None:
    """In the ``check`` phase the object's ``check`` is called with the inputs, and the result is a bool."""
    task = Task(boom, check=lambda day: [day])
    assert desk.value(desk.run(task, "monday", phase="check")) is True
    assert desk.value(desk.run(Task(boom), "monday", phase="check")) is False


def test_environment_variables(own_desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that has the process to itself sees its variables, and they are gone after it."""
    monkeypatch.setenv("WEFT_TEST_OLD", "old")
    env = {"WEFT_TEST_OLD": "new", "WEFT_TEST_EXTRA": "1"}
    ended = own_desk.run(
        lambda: [os.environ.get(name) for name in ("WEFT_TEST_OLD", "WEFT_TEST_EXTRA")], env=env
    )
    assert own_desk.value(ended) == ["new", "1"]
    assert os.environ["WEFT_TEST_OLD"] == "old"
    assert "WEFT_TEST_EXTRA" not in os.environ


def test_environment_variables_last_as_long_as_the_task(own_desk: Any) -> None:
    """A generator and a coroutine see them too while they run."""

    def stream() -> Any:
        yield os.environ["WEFT_TEST_EXTRA"]

    async def read() -> str:
        return os.environ["WEFT_TEST_EXTRA"]

    env = {"WEFT_TEST_EXTRA": "1"}
    assert own_desk.value(own_desk.run(stream, env=env)) == ["1"]
    assert own_desk.value(own_desk.run(read, env=env)) == "1"


def test_environment_variables_in_a_shared_process(desk: Any) -> None:
    """Where tasks share a process, variables of one of them are refused rather than forgotten."""
    error = desk.run(lambda: None, env={"A": "1"}).error
    assert error.code == "W1000"
    assert "process" in error.message


def test_run_carries_out_coroutines_too(desk: Any) -> None:
    """``run`` gives a coroutine function a loop of its own; so it does for what a wrapper returns."""

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    @functools.wraps(double)
    def wrapper(number: int) -> Any:
        return double(number)

    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    assert desk.value(desk.run(double, 2)) == 4
    assert desk.value(desk.run(wrapper, 3)) == 6
    assert desk.value(desk.run(stream)) == [1, 2]


def test_run_sync_leaves_coroutines_alone(desk: Any) -> None:
    """``run_sync`` calls a plain function and hands back a coroutine function uncalled, now known as one."""
    called: list[int] = []

    async def later() -> None:
        called.append(1)

    attempt = desk.attempt(later)
    assert not desk.runner.known_async(attempt.call)
    assert desk.runner.run_sync(attempt) is None
    assert desk.runner.known_async(attempt.call)
    assert called == []
    assert desk.runner.run_sync(desk.attempt(len, "abc")).result == desk.artifacts.dumps(3)


def test_run_async_measures_its_own_steps(desk: Any) -> None:
    """The CPU time of a coroutine is that of its own steps, not of the others on the loop."""

    def burn(seconds: float) -> None:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    async def busy() -> None:
        burn(0.05)
        await asyncio.sleep(0)
        burn(0.05)

    async def idle() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def both() -> list[Any]:
        return await asyncio.gather(
            desk.runner.run_async(desk.attempt(busy)), desk.runner.run_async(desk.attempt(idle))
        )

    first, second = asyncio.run(both())
    assert first.cpu_s >= 0.1
    assert second.cpu_s < 0.05


def test_run_async_passes_cancellation_on(desk: Any) -> None:
    """A coroutine that is cancelled may clean up, and ends as cancelled."""
    cleaned: list[int] = []

    async def hang() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            cleaned.append(1)

    async def cancel() -> Any:
        task = asyncio.create_task(desk.runner.run_async(desk.attempt(hang)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(cancel()).state is TaskState.CANCELLED
    assert cleaned == [1]


def test_notes_and_causes_are_in_the_traceback(desk: Any) -> None:
    """The traceback shows the chain of exceptions with their notes."""

    def fail() -> None:
        try:
            boom()
        except ValueError as exc:
            wrapped = LookupError("outer")
            wrapped.add_note("while testing")
            raise wrapped from exc

    text = desk.run(fail).error.traceback
    assert text.index("ValueError: boom") < text.index("LookupError: outer") < text.index("while testing")


def test_the_exception_opens_again(desk: Any) -> None:
    """The pickled exception is the one that was raised."""
    again = cloudpickle.loads(desk.run(boom).error.pickled)
    assert type(again) is ValueError
    assert again.args == ("boom",)


def test_big_exceptions_are_cut(desk: Any) -> None:
    """Message and traceback have their limits and keep both ends; a big exception is not pickled."""

    def fail() -> None:
        raise ValueError("a" * 100_000 + "the end")

    error = desk.run(fail).error
    assert len(error.message) == 4096
    assert error.message.endswith("the end")
    assert len(error.traceback) == 16384
    assert error.pickled is None


def test_cut() -> None:
    """Short text is kept as it is; long text becomes exactly as long as allowed."""
    assert cut("short", 10) == "short"
    assert len(cut("x" * 1000, 200)) == 200


def test_a_failure_lets_go_of_the_tasks_data(desk: Any) -> None:
    """After a failure nothing of the runner keeps the task's local variables alive."""

    class Big:
        pass

    kept: list[Any] = []

    def fail() -> None:
        big = Big()
        kept.append(weakref.ref(big))
        raise ValueError("with data on the stack")

    desk.run(fail)
    assert kept[0]() is None


def test_no_memory_left_to_describe(monkeypatch: pytest.MonkeyPatch) -> None:
    """When even the description runs out of memory, a short one remains."""

    def exhausted(*args: object, **kwargs: object) -> Any:
        raise MemoryError

    monkeypatch.setattr("traceback.format_exception", exhausted)
    monkeypatch.setattr("weft.runtime.failure.pickle_exception", exhausted)
    info = describe(MemoryError("all gone"))
    assert info.type == "builtins.MemoryError"
    assert "no memory" in info.message


def test_errors_of_weft_keep_their_code(desk: Any) -> None:
    """A ``WeftError`` raised in a task keeps its code, and is retried like any other."""

    def fail() -> None:
        raise NotFound("no such thing")

    ended = desk.run(fail)
    assert (ended.error.code, ended.retry) == ("W1001", None)


def test_an_input_whose_bytes_are_gone(desk: Any) -> None:
    """An input that cannot be read is the world's fault and may be tried again."""
    attempt = desk.attempt(len)
    lost = Result("msgpack", None, "0" * 64, 10)
    ended = desk.runner.run(msgspec.structs.replace(attempt, inputs={"value": Plain(lost)}))
    assert ended.error.code == "W3200"
    assert ended.retry is None


def test_calls_of_other_kinds(desk: Any) -> None:
    """A call that a runner cannot carry out fails and says so."""
    ended = desk.runner.run(Attempt((1, 1, 1), "run_1", "w", "box", "box", ContainerCall("alpine"), {}))
    assert ended.error.code == "W1000"
    assert "ContainerCall" in ended.error.message


def test_code_registered_anew_is_used(desk: Any) -> None:
    """A function that is defined again, as in a notebook, replaces the one that was known."""
    from weft.runtime import load

    attempt = desk.attempt(lambda: 1)
    assert desk.value(desk.runner.run(attempt)) == 1
    load.register("desk", attempt.call.qualname, lambda: 2)
    assert desk.value(desk.runner.run(attempt)) == 2


def test_attempts_in_many_threads(desk: Any) -> None:
    """One runner serves many threads at once."""
    attempts = [desk.attempt(lambda number: number, number) for number in range(200)]
    results: dict[int, Any] = {}

    def work(part: list[Attempt]) -> None:
        for attempt in part:
            results[attempt.id[1]] = desk.value(desk.runner.run(attempt))

    threads = [threading.Thread(target=work, args=(attempts[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {attempt.id[1]: attempt.id[1] - 1 for attempt in attempts}


def test_a_load_error_is_not_tried_again(desk: Any) -> None:
    """Code that is not there fails for good, and where it was looked for is said."""
    attempt = msgspec.structs.replace(desk.attempt(len), call=PythonCall("json", "dumpz"))
    ended = desk.runner.run(attempt)
    assert ended.retry is False
    assert "did you mean 'dump'?" in ended.error.message
