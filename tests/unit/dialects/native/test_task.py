"""Tasks as a user meets them: what may be one, how it is called, and what its options do."""

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from embedded_weft import Said, Weft

import weft as w
from weft import Fail, Skip, flow, task
from weft.model.errors import (
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSkipped,
    TaskTimeout,
    UpstreamFailed,
    UsageError,
)
from weft.model.states import RunState, TaskState
from weft.model.waits import ApprovalWait


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


# --- what may be a task -----------------------------------------------------------------------------------


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

    with pytest.raises(TypeError, match="double.*too many positional"):
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


# --- maps and futures live in test_futures.py; nesting in test_flow.py ------------------------------------


# --- exceptions -------------------------------------------------------------------------------------------


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
        try:
            custom()
        except Custom as exc:
            assert "raised in task custom" in exc.__notes__
            assert any("raise Custom(7)" in note for note in exc.__notes__)
            return exc.number
        return 0

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
        with pytest.raises(BaseException, match="hopeless"):
            gives_up()
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


# --- retries ----------------------------------------------------------------------------------------------


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
    paused = [each.change for each in weft.events("shaky-0") if getattr(each.change, "state", "") == "retrying"]
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


def test_retry_when_decides(weft: Weft) -> None:
    """A condition beside the task decides for each failure."""

    @task(retries=5)
    def picky(codes: list[int]) -> None:
        raise Custom(codes[w.current().try_number - 1])

    @picky.retry_when
    def temporary(error: BaseException) -> bool:
        return isinstance(error, Custom) and error.number == 503

    with pytest.raises(Custom, match="404"):
        picky([503, 503, 404, 503])
    assert weft.host.store.task(weft.run().run, 0).attempt == 3


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


# --- timeouts ---------------------------------------------------------------------------------------------


@task(timeout=0.15)
def spins() -> None:
    while True:
        time.sleep(0.005)


@task(timeout=0.15)
async def hangs() -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(("executor", "name"), [("thread", "spins"), ("thread", "hangs"), ("process", "spins")])
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


# --- limits -----------------------------------------------------------------------------------------------


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


# --- cache ------------------------------------------------------------------------------------------------


def test_cache_across_runs(weft: Weft, said: Said) -> None:
    """The same inputs give the earlier result, in another run of the workflow and after a restart."""

    @task(cache="inputs")
    def work(x: int) -> int:
        said.say(x)
        return x + 1

    @flow
    def main(x: int) -> int:
        return work(x)

    assert [main(1), main(1), main(2)] == [2, 2, 3]
    weft.open()
    assert main(1) == 2
    assert said.lines == ["1", "2"]
    assert weft.states() == {"work-0": TaskState.CACHED}


def test_cache_keys_do_not_depend_on_how_inputs_come(weft: Weft, said: Said) -> None:
    """A value that comes from a future hits the record of the same value given directly."""

    @task(cache="inputs")
    def work(x: int) -> int:
        said.say(x)
        return x

    @flow
    def main() -> None:
        work(4)
        work(double.submit(2))  # type: ignore[arg-type]
        work.map([4, 5]).result()

    main()
    assert said.lines == ["4", "5"]


def test_cache_expires(weft: Weft, said: Said) -> None:
    """A record older than its ttl is not used."""

    @task(cache="inputs", cache_ttl=0.2)
    def work() -> None:
        said.say("ran")

    @flow
    def main() -> None:
        work()

    main()
    main()
    assert said.lines == ["ran"]
    time.sleep(0.21)
    main()
    assert said.lines == ["ran", "ran"]


def test_cache_of_changed_code(weft: Weft, said: Said) -> None:
    """A change of the source misses; ``version=`` stands for the source."""

    def make(bias: int, **options: Any) -> Any:
        def first() -> int:
            said.say("first")
            return 1

        def second() -> int:
            said.say("second")
            return 2

        fn = (first, second)[bias]
        fn.__name__ = "work"
        fn.__qualname__ = "work"
        return task(fn, **options) if not options else task(**options)(fn)

    def call(made: Any) -> int:
        @flow(name="main")
        def main() -> int:
            value: int = made()
            return value

        return main()

    assert call(make(0, cache="inputs")) == 1
    assert call(make(1, cache="inputs")) == 2
    assert call(make(0, cache="inputs", version="7")) == 1
    assert call(make(1, cache="inputs", version="7")) == 1


def test_cache_refresh_exclude_key_and_scope(weft: Weft, said: Said) -> None:
    """Refresh runs anyway; excluded inputs do not count; a key of one's own; a run's own scope."""

    def make(name: str, **options: Any) -> Any:
        @task(name=name, **options)
        def work(x: int, noise: int = 0) -> int:
            said.say(f"{name}{x}{noise}")
            return x

        return work

    fresh = make("fresh", cache="inputs", cache_refresh=True)
    quiet = make("quiet", cache="inputs", cache_exclude=["noise"])
    keyed = make("keyed", cache_key="k")
    ours = make("ours", cache="inputs", cache_scope="run")

    @flow
    def main() -> None:
        fresh(1)
        quiet(1, noise=1)
        quiet(1, noise=2)
        keyed(1)
        keyed(2)
        ours(1)
        ours(1)

    main()
    main()
    assert said.lines == ["fresh10", "quiet11", "keyed10", "ours10", "fresh10", "ours10"]


def test_cache_excludes_positional_arguments(weft: Weft, said: Said) -> None:
    """An excluded input does not count however it is passed."""

    @task(cache="inputs", cache_exclude=["noise"])
    def work(x: int, noise: int = 0) -> int:
        said.say("ran")
        return x

    @flow
    def main() -> list[int]:
        return [work(1, 1), work(1, 2), work(x=1, noise=3)]

    assert main() == [1, 1, 1]
    assert said.lines == ["ran"]


def test_cache_of_a_global_scope(weft: Weft, said: Said) -> None:
    """With global scope other workflows share the record; without they do not."""

    @task(cache="inputs", cache_scope="global")
    def shared() -> None:
        said.say("shared")

    @task(cache="inputs")
    def own() -> None:
        said.say("own")

    for name in ("first", "second"):

        @flow(name=name)
        def main() -> None:
            shared()
            own()

        main()
    assert said.lines == ["shared", "own", "own"]


# --- the context, output ----------------------------------------------------------------------------------


def test_current_tells_about_the_attempt(weft: Weft) -> None:
    """``current()`` knows the run, the task, the item, the try and the key of idempotency."""

    @task(retries=1)
    def tells() -> dict[str, Any]:
        context = w.current()
        if context.attempt == 1:
            raise OSError("once")
        return {
            "run": context.run_id,
            "workflow": context.workflow,
            "key": context.key,
            "name": context.name,
            "attempt": context.attempt,
            "try": context.try_number,
            "idempotency": context.idempotency_key,
        }

    @task
    def item(x: int) -> int:
        return w.current().map_index

    @flow
    def main() -> tuple[dict[str, Any], list[int]]:
        assert w.current().key == "main"
        return tells(), item.map("abc".upper().split() * 3).result()

    told, indexes = main()
    uid = weft.run().uid
    assert told == {
        "run": uid,
        "workflow": "main",
        "key": "tells-0",
        "name": "tells",
        "attempt": 2,
        "try": 2,
        "idempotency": f"{uid}/{weft.task('tells-0').idx}",
    }
    assert indexes == [0, 1, 2]
    with pytest.raises(UsageError, match="outside a task"):
        w.current()


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_output_lands_in_the_right_log(weft: Weft, executor: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What an attempt prints and logs is in its own file."""
    weft.open(executor=executor)

    @task(retries=1)
    def talks(name: str) -> None:
        context = w.current()
        print(f"printed by {name} in attempt {context.attempt}")
        context.logger.warning("logged by %s", name)
        if context.attempt == 1:
            raise OSError("once")

    @flow
    def main() -> None:
        print("the flow speaks")
        talks("a")
        talks("b")

    main()
    first, second = weft.log("talks-0", 1), weft.log("talks-0", 2)
    assert "printed by a in attempt 1" in first
    assert "printed by a in attempt 2" not in first
    assert "printed by a in attempt 2" in second
    assert "WARNING weft.task: logged by a" in second
    assert "by a" not in weft.log("talks-1", 2)
    assert "by b" in weft.log("talks-1", 2)
    run = weft.run()
    own = weft.home / "logs" / run.uid / "0.1.log"
    assert own.read_text() == "the flow speaks\n"


# --- hooks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_hooks_at_every_moment(weft: Weft, said: Said, executor: str) -> None:
    """Hooks are told of each moment, with what happened."""
    weft.open(executor=executor)

    def hook(moment: str) -> Any:
        def on(event: dict[str, Any]) -> None:
            said.say(f"{moment} {event['key']} {event['state']} {event['attempt']} {event['error']} {event['result']}")

        return on

    moments = ("success", "failure", "retry", "skip", "end")
    hooks: Any = {f"on_{moment}": hook(moment) for moment in moments}

    @task(**hooks)
    def good() -> int:
        return 5

    @task(retries=1, **hooks)
    def bad() -> None:
        raise ValueError("b")

    @task(**hooks)
    def skips() -> None:
        raise Skip("s")

    @flow
    def main() -> None:
        good()
        bad.submit().exception()
        skips.submit().wait()

    main()
    weft.close()
    assert sorted(said.lines) == [
        "end bad-0 failed 2 b None",
        "end good-0 succeeded 1 None 5",
        "end skips-0 skipped 1 s None",
        "failure bad-0 failed 2 b None",
        "retry bad-0 retrying 1 b None",
        "skip skips-0 skipped 1 s None",
        "success good-0 succeeded 1 None 5",
    ]


def test_failing_hook_changes_nothing(weft: Weft) -> None:
    """A hook that fails is recorded; task and run succeed."""

    def broken(event: dict[str, Any]) -> None:
        raise RuntimeError("the hook is broken")

    @task(on_success=broken)
    def good() -> int:
        return 5

    @flow
    def main() -> int:
        return good()

    assert main() == 5
    assert weft.run().state is RunState.SUCCEEDED
    assert TaskState.FAILED in weft.states().values()


def test_flow_hooks(weft: Weft, said: Said) -> None:
    """Hooks of the flow itself run when it ends, before the caller goes on."""

    def told(event: dict[str, Any]) -> None:
        said.say(f"{event['name']} {event['state']}")

    @flow(on_success=told, on_failure=told)
    def main(good: bool) -> None:
        if not good:
            raise ValueError("no")

    main(True)
    with pytest.raises(ValueError):
        main(False)
    weft.close()
    assert said.lines == ["main succeeded", "main failed"]


def test_rollbacks_run_last_first_after_a_failure(weft: Weft, said: Said) -> None:
    """When the run fails, what had succeeded is rolled back in reverse order; nothing else is."""

    def undo(event: dict[str, Any]) -> None:
        said.say(f"undo {event['key']} {event['result']}")

    @task(on_rollback=undo)
    def book(x: int) -> int:
        if x == 3:
            raise ValueError("full")
        return x

    @flow
    def main(n: int) -> None:
        for each in range(1, n + 1):
            book(each)

    with pytest.raises(ValueError):
        main(3)
    assert said.lines == ["undo book-1 2", "undo book-0 1"]
    main(2)
    assert len(said.lines) == 2


# --- values ------------------------------------------------------------------------------------------------


def test_cancelled_run(weft: Weft) -> None:
    """A run that is cancelled stops its tasks; the caller sees ``TaskCancelled``."""
    started = threading.Event()

    @task
    def long() -> None:
        started.set()
        while True:
            time.sleep(0.005)

    @flow
    def main() -> None:
        long.submit().result()

    def stop() -> None:
        assert started.wait(10)
        weft.host.engine.cancel(weft.run().run)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(TaskCancelled):
        main()
    stopper.join()
    assert weft.run().state is RunState.CANCELLED


def test_task_that_kills_its_worker(weft: Weft) -> None:
    """A task whose process dies again and again ends as lost; the flow goes on."""
    import os

    weft.open(executor="process")

    @task
    def dies() -> None:
        os._exit(3)

    @flow
    def main() -> str:
        with pytest.raises(TaskLost, match="exit"):
            dies()
        return "went on"

    assert main() == "went on"


def test_approval_wait_is_not_a_task(weft: Weft) -> None:
    """An approval inside a flow waits without a worker and takes the person's answer."""

    @flow
    def main() -> tuple[bool, str]:
        answer = w.approval("Deploy?")
        return bool(answer), answer.by

    def answer() -> None:
        store = weft.host.store
        while True:
            runs = store.runs()
            waiting = [t for r in runs for t in store.tasks(r.run) if isinstance(t.wait, ApprovalWait)]
            if waiting:
                break
            time.sleep(0.002)
        result = weft.host.artifacts.dumps({"approved": True, "by": "ada"})
        weft.host.engine.answer(waiting[0].run, waiting[0].idx, result, "ada")

    person = threading.Thread(target=answer)
    person.start()
    assert main() == (True, "ada")
    person.join()
