"""Tasks as a user meets them: what may be one, how it is called, and how its failures come back."""

import asyncio
import contextvars
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from embedded_weft import Weft

from weft import Fail, Skip, flow, task
from weft.model.errors import (
    TaskFailed,
    TaskSkipped,
    UpstreamFailed,
    UsageError,
)
from weft.model.states import RunState, TaskState


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task
async def triple(x: int) -> int:
    await asyncio.sleep(0)
    return 3 * x


@task
def count(n: int) -> Iterator[int]:
    yield from range(n)


@task
async def acount(n: int) -> AsyncIterator[int]:
    for each in range(n):
        yield each


@task
def fail(text: str = "broken") -> int:
    raise ValueError(text)


# --- what may be a task -------------------------------------------------------------------------------------


def test_sync_task_gives_its_value(weft: Weft) -> None:
    """A task called in a flow gives its value, and the flow's value is the run's."""

    @flow
    def main() -> int:
        return add(double(3), b=10)

    assert main() == 16
    assert weft.run().state is RunState.SUCCEEDED
    assert weft.states() == {"double-0": TaskState.SUCCEEDED, "add-0": TaskState.SUCCEEDED}


def test_async_task_in_sync_flow(weft: Weft) -> None:
    """A sync flow can submit and map coroutine tasks."""

    @flow
    def main() -> list[int]:
        return [triple.submit(1).result(), *triple.map([2, 3]).result()]

    assert main() == [3, 6, 9]


def test_async_flow_awaits_and_gathers(weft: Weft) -> None:
    """An async flow awaits coroutine tasks, one by one and many at once."""

    @flow
    async def main() -> list[int]:
        first = await triple(1)
        rest = await asyncio.gather(*[triple(x) for x in range(50)])
        return [first, sum(rest)]

    assert asyncio.run(main()) == [3, 3 * sum(range(50))]
    assert len(weft.tasks()) == 51


def test_async_flow_uses_sync_tasks_futures_and_maps(weft: Weft) -> None:
    """An async flow can call sync tasks, and await futures, maps and single items."""

    @flow
    async def main() -> list[Any]:
        future = double.submit(4)
        mapped = double.map([1, 2, 3])
        item = await mapped[1]
        return [double(5), await future, await mapped, item]

    assert asyncio.run(main()) == [10, 8, [2, 4, 6], 4]


def test_gathered_futures_settle_in_any_order(weft: Weft) -> None:
    """A fast task's future is done while a slow one's is not."""
    slow_may_end = threading.Event()

    @task
    def slow() -> str:
        assert slow_may_end.wait(10)
        return "slow"

    @flow
    async def main() -> list[str]:
        waiting = slow.submit()
        quick = await double.submit(1)
        assert not waiting.done()
        slow_may_end.set()
        return [str(quick), await waiting]

    assert asyncio.run(main()) == ["2", "slow"]


def test_generators_give_lists(weft: Weft) -> None:
    """The result of a generator task, sync or async, is the list of what it yields."""

    @flow
    def main() -> list[Any]:
        return [count(3), acount.submit(2).result(), double.map(count(3)).result()]

    assert main() == [[0, 1, 2], [0, 1], [0, 2, 4]]


class Shop:
    """Has tasks of every kind of method."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @task
    def price(self, x: int) -> int:
        return self.factor * x

    @staticmethod
    @task
    def static(x: int) -> int:
        return x + 1

    @classmethod
    @task
    def kind(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @flow
    def total(self, n: int) -> int:
        return sum(self.price.map(range(n)).result())


def test_methods_staticmethods_and_classmethods(weft: Weft) -> None:
    """Methods of every kind are tasks; the instance is an argument like another."""
    shop = Shop(5)

    @flow
    def main() -> list[Any]:
        return [shop.price(2), shop.static(2), Shop.static(3), Shop.kind(1), shop.price.submit(4).result()]

    assert main() == [10, 3, 4, "Shop1", 20]


def test_method_as_flow(weft: Weft) -> None:
    """A method can be a flow, whose instance is its parameter ``self``."""
    assert Shop(3).total(4) == 18
    assert weft.run().workflow == "total"


def test_closures_lambdas_and_partials(weft: Weft) -> None:
    """What no name leads to is a task too: closures keep apart, lambdas and partials work."""

    def make(n: int) -> Any:
        @task
        def plus(x: int) -> int:
            return x + n

        return plus

    one, ten = make(1), make(10)
    square = task(lambda x: x * x)
    half = task(functools.partial(pow, 2), name="power")

    @flow
    def main() -> list[int]:
        return [one(1), ten(1), one(2), square(5), half(3), *ten.map([1, 2]).result()]

    assert main() == [2, 11, 3, 25, 8, 11, 12]


def test_callable_object_is_a_task(weft: Weft) -> None:
    """An object with ``__call__`` can be a task."""

    class Scale:
        def __call__(self, x: int) -> int:
            return 7 * x

    assert task(Scale(), name="scale")(2) == 14


def test_functions_of_the_process_executor(weft: Weft) -> None:
    """Named functions, closures, methods and lambdas run in worker processes too."""
    weft.open(executor="process")
    bias = 100

    @task
    def closure(x: int) -> int:
        return x + bias

    @flow
    def main() -> list[Any]:
        named = double.submit(1)
        asynchronous = triple.submit(2)
        return [
            named.result(),
            asynchronous.result(),
            closure(1),
            Shop(4).price(2),
            task(lambda x: -x)(3),
            count(2),
            sum(double.map(range(20)).result()),
        ]

    assert main() == [2, 6, 101, 8, -3, [0, 1], 380]


def test_fn_is_the_function_itself(weft: Weft) -> None:
    """``.fn`` calls the function and makes no run."""
    assert double.fn(3) == 6
    assert weft.runs() == []


def test_task_outside_a_flow_is_a_run_of_its_own(weft: Weft) -> None:
    """A task called nowhere is a run; so are an async one and one that fails."""
    assert double(4) == 8
    assert weft.run().workflow == "double"
    assert asyncio.run(triple(2)) == 6
    with pytest.raises(ValueError, match="broken"):
        fail()
    assert [run.state for run in weft.runs()] == [
        RunState.FAILED,
        RunState.SUCCEEDED,
        RunState.SUCCEEDED,
    ]


def test_task_called_by_a_task_is_a_plain_call(weft: Weft) -> None:
    """Inside a task another task is an ordinary function."""

    @task
    def outer(x: int) -> int:
        return double(x) + 1

    @flow
    def main() -> int:
        return outer(2)

    assert main() == 5
    assert list(weft.states()) == ["outer-0"]


def test_submit_and_map_need_a_flow(weft: Weft) -> None:
    """Outside a flow, and inside a task, ``submit`` and ``map`` say what they need."""
    with pytest.raises(UsageError, match=r"double\.submit was called outside a flow"):
        double.submit(1)

    @task
    def outer() -> None:
        double.map([1])

    with pytest.raises(UsageError, match=r"double\.map was called outside a flow"):
        outer()


def test_wrong_arguments_fail_at_the_call(weft: Weft) -> None:
    """Arguments that do not fit the signature are a ``TypeError`` where the call is made."""

    @flow
    def main() -> None:
        double(1, 2)  # type: ignore[call-arg]

    with pytest.raises(TypeError, match=r"double.*too many positional"):
        main()
    assert weft.tasks() == []


def test_call_from_a_thread_with_copied_context(weft: Weft) -> None:
    """A flow may call tasks from threads of its own that were given its context."""

    @flow
    def main() -> list[int]:
        found: list[int] = []
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(lambda: found.append(double(2)),))
            for _ in range(3)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return found

    assert main() == [4, 4, 4]
    assert len(weft.tasks()) == 3


# --- exceptions ---------------------------------------------------------------------------------------------


class Custom(Exception):
    """With an argument of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(f"number {number}")
        self.number = number

    def __reduce__(self) -> Any:
        return Custom, (self.number,)


@task
def custom() -> None:
    raise Custom(7)


class Unpicklable(Exception):
    """Holds what no pickle can."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


@task
def unpicklable() -> None:
    raise Unpicklable("held a lock")


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_original_exception_comes_back(weft: Weft, executor: str) -> None:
    """The exception that the task raised is raised by the call, with a note about where it came from."""
    weft.open(executor=executor)

    @flow
    def main() -> int:
        with pytest.raises(Custom) as caught:
            custom()
        assert "raised in task custom" in caught.value.__notes__
        assert any("raise Custom(7)" in note for note in caught.value.__notes__)
        return caught.value.number

    assert main() == 7


def test_exception_that_cannot_be_sent(weft: Weft) -> None:
    """One that cannot be pickled arrives as ``TaskFailed`` that names it."""

    @flow
    def main() -> None:
        unpicklable()

    with pytest.raises(TaskFailed, match="held a lock") as caught:
        main()
    assert "Unpicklable" in str(caught.value)


def test_failure_nobody_looked_at_fails_the_flow(weft: Weft) -> None:
    """A task that was submitted and failed fails the flow, although nobody asked for its value."""

    @flow
    def main() -> str:
        fail.submit("unseen")
        return "fine"

    with pytest.raises(Exception, match="unseen"):
        main()
    assert weft.run().state is RunState.FAILED


def test_failure_that_was_handled_does_not(weft: Weft) -> None:
    """A failure that the flow caught, or asked about, is no failure of the flow."""

    @flow
    def main() -> str:
        future = fail.submit()
        error = future.exception()
        try:
            fail("again")
        except ValueError:
            pass
        return f"{type(error).__name__} {future.state}"

    assert main() == "ValueError failed"
    assert weft.run().state is RunState.SUCCEEDED


def test_skip_and_fail_signals(weft: Weft) -> None:
    """``Skip`` ends a task as skipped and its readers too; ``Fail`` fails it without another try."""
    tries: list[int] = []

    @task
    def skips() -> int:
        raise Skip("nothing to do")

    @task(retries=5)
    def gives_up() -> None:
        tries.append(1)
        raise Fail("hopeless")

    @flow
    def main() -> list[str]:
        skipped = skips.submit()
        reader = double.submit(skipped)
        reader.wait()
        with pytest.raises(TaskSkipped, match="nothing to do"):
            skipped.result()
        with pytest.raises(TaskSkipped):
            reader.result()
        with pytest.raises(TaskFailed, match="hopeless") as caught:
            gives_up()
        assert isinstance(caught.value.__cause__, Fail)
        return [str(skipped.state), str(reader.state)]

    assert main() == ["skipped", "skipped"]
    assert tries == [1]
    assert weft.task("gives_up-0").state is TaskState.FAILED


def test_upstream_failure_reaches_readers(weft: Weft) -> None:
    """A task whose argument failed does not run, and says which failure kept it."""

    @flow
    def main() -> str:
        reader = double.submit(fail.submit("deep cause"))
        with pytest.raises(UpstreamFailed, match="deep cause"):
            reader.result()
        return str(reader.state)

    assert main() == "upstream_failed"
