"""Futures and maps: what is handed on, waited for and gathered."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from embedded_weft import Weft

from weft import allow_failure, flow, task, unmapped
from weft.core.events import CancelTask
from weft.model.errors import TaskCancelled, TaskFailed, UpstreamFailed, UsageError
from weft.model.states import RunState, TaskState


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def echo(value: Any) -> Any:
    return value


@task
def odd_fails(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


# --- futures ----------------------------------------------------------------------------------------------


def test_future_tells_how_it_stands(weft: Weft) -> None:
    """A future knows whether it has ended, and how."""
    go = threading.Event()

    @task
    def waits() -> str:
        assert go.wait(10)
        return "done"

    @flow
    def main() -> None:
        future = waits.submit()
        assert not future.done()
        assert future.state is None
        assert future.wait(timeout=0.01) is False
        with pytest.raises(TimeoutError, match="waits has not ended"):
            future.result(timeout=0.01)
        with pytest.raises(TimeoutError):
            future.exception(timeout=0.01)
        assert "running" in repr(future)
        go.set()
        assert future.wait(timeout=10)
        assert future.done()
        assert future.state is TaskState.SUCCEEDED
        assert future.exception() is None
        assert future.result() == "done"
        assert future.result() == "done"

    main()


def test_futures_are_arguments(weft: Weft) -> None:
    """A future as an argument is an edge, also inside lists, dicts, tuples and dataclasses."""

    @dataclass
    class Pair:
        left: Any
        right: Any

    @flow
    def main() -> Any:
        one, two = double.submit(1), double.submit(2)
        nested = echo.submit({"list": [one, (two, 5)], "again": one, "pair": Pair(two, "x")})
        return nested.result(), add(one, two), add.submit(b=one, a=double.submit(two)).result()

    nested, first, second = main()
    assert nested["list"] == [2, (4, 5)]
    assert nested["again"] == 2
    assert (nested["pair"].left, nested["pair"].right) == (4, "x")
    assert (first, second) == (6, 10)


def test_future_list_is_reduced(weft: Weft) -> None:
    """The futures of a map as one argument are the list of their values, in order."""

    @flow
    def main() -> tuple[int, int, Any]:
        mapped = double.map(range(5))
        return total(mapped), total.submit(mapped).result(), echo({"all": mapped, "third": mapped[2]})

    assert main() == (20, 20, {"all": [0, 2, 4, 6, 8], "third": 4})


def test_item_starts_its_reader_before_the_map_ends(weft: Weft) -> None:
    """A task that reads one item starts when that item has ended."""
    go = threading.Event()

    @task
    def gate(x: int) -> int:
        if x == 1:
            assert go.wait(10)
        return x

    @flow
    def main() -> list[int]:
        mapped = gate.map([0, 1])
        reader = double.submit(mapped[0])
        assert reader.result() == 0
        assert mapped[0].result() == 0
        assert not mapped.done()
        go.set()
        return mapped.result()

    assert main() == [0, 1]


def test_allow_failure_gives_none(weft: Weft) -> None:
    """A reader that allows failure runs, and gets ``None`` for what failed."""

    @flow
    def main() -> list[Any]:
        bad = odd_fails.submit(1)
        mapped = odd_fails.map([0, 1, 2])
        return [echo(allow_failure(bad)), echo([allow_failure(mapped[1]), allow_failure(mapped[2])])]

    assert main() == [None, [None, 2]]


def test_allow_failure_of_a_whole_map(weft: Weft) -> None:
    """Reducing over a map that partly failed gives ``None`` for the items that did."""

    @flow
    def main() -> Any:
        return echo(allow_failure(odd_fails.map([0, 1, 2])))

    assert main() == [0, None, 2]


def test_wait_for_orders_without_a_value(weft: Weft) -> None:
    """``wait_for`` and ``after`` order tasks, and give the function nothing."""
    order: list[str] = []

    @task
    def slow() -> str:
        time.sleep(0.02)
        order.append("slow")
        return "value"

    @task
    def then(x: int) -> int:
        order.append(f"then{x}")
        return x

    @flow
    def main() -> None:
        first = slow.submit()
        second = then.after(first).submit(1)
        third = then.with_options(wait_for=[second, first]).submit(2)
        then.after(third).map([3]).result()
        then.after(double.map([1, 2]))(4)

    main()
    assert order == ["slow", "then1", "then2", "then3", "then4"]


def test_wait_for_what_failed(weft: Weft) -> None:
    """What waits for a failure does not run, unless it allows it."""

    @flow
    def main() -> Any:
        bad = odd_fails.submit(1)
        kept = double.after(bad).submit(1)
        with pytest.raises(UpstreamFailed):
            kept.result()
        return double.after(allow_failure(bad)).submit(4).result()

    assert main() == 8


def test_wait_for_takes_futures_only(weft: Weft) -> None:
    """Something else in ``wait_for`` is refused by name."""

    @flow
    def main() -> None:
        double.after(3).submit(1)

    with pytest.raises(UsageError, match="wait_for takes futures"):
        main()


# --- maps -------------------------------------------------------------------------------------------------


def test_map_over_one_and_several_columns(weft: Weft) -> None:
    """One column, several side by side, by name, with what stays the same."""

    @task
    def label(x: int, name: str = "n", *, tags: list[str] | None = None, scale: int = 1) -> str:
        return f"{name}{x * scale}{''.join(tags or [])}"

    @flow
    def main() -> list[list[str]]:
        return [
            label.map([1, 2]).result(),
            label.map([1, 2], ["a", "b"]).result(),
            label.map([1, 2], name="same").result(),
            label.map(x=[1, 2], scale=(10, 20)).result(),
            label.map([1, 2], tags=unmapped(["t", "u"])).result(),
            label.map([1, 2], tags=[["p"], ["q"]], scale=3).result(),
        ]

    assert main() == [
        ["n1", "n2"],
        ["a1", "b2"],
        ["same1", "same2"],
        ["n10", "n40"],
        ["n1tu", "n2tu"],
        ["n3p", "n6q"],
    ]


def test_map_over_iterables_of_every_kind(weft: Weft) -> None:
    """Lists, tuples, ranges, sets, generators and futures can be gone through; an empty list too."""

    @flow
    def main() -> list[Any]:
        return [
            double.map((1, 2)).result(),
            double.map(range(2)).result(),
            double.map({5}).result(),
            double.map(x for x in [1, 2]).result(),
            double.map(double.map([1, 2])).result(),
            double.map(echo.submit([3])).result(),
            double.map([]).result(),
            total(double.map([])),
        ]

    assert main() == [[2, 4], [0, 2], [10], [2, 4], [4, 8], [6], [], 0]


def test_map_over_futures(weft: Weft) -> None:
    """A list of futures can be gone through: the map is made once they have their values."""

    @flow
    def main() -> list[int]:
        return double.map([double.submit(1), double.submit(2)]).result()

    assert main() == [4, 8]


def test_map_of_arrays_and_frames(weft: Weft) -> None:
    """Arrays are gone through by element."""
    np = pytest.importorskip("numpy")

    @flow
    def main() -> list[int]:
        return [int(each) for each in double.map(np.array([1, 2, 3])).result()]

    assert main() == [2, 4, 6]


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (({"a": 1},), {}, r"over its \.items\(\)"),
        ((3,), {}, "pass a list"),
        (("text",), {}, "pass a list"),
        (([1, 2], [1, 2, 3]), {}, r"different lengths: \[2, 3\]"),
    ],
)
def test_what_cannot_be_mapped(weft: Weft, args: Any, kwargs: Any, message: str) -> None:
    """Dicts, scalars, texts and columns of different lengths are refused with a hint."""

    @flow
    def main() -> None:
        add.map(*args, **kwargs) if len(args) > 1 else double.map(*args, **kwargs)

    with pytest.raises(UsageError, match=message):
        main()


def test_map_checks_the_signature(weft: Weft) -> None:
    """A mapped call that does not fit the signature fails where it is made."""

    @flow
    def main() -> None:
        double.map([1], [2])

    with pytest.raises(TypeError, match="double"):
        main()


def test_future_list_is_a_sequence(weft: Weft) -> None:
    """Length, items, slices, negative indexes and iteration work as for a list."""

    @flow
    def main() -> list[Any]:
        mapped = double.map(range(5))
        with pytest.raises(IndexError, match="has 5 items"):
            mapped[5]
        return [
            len(mapped),
            mapped[-1].result(),
            [each.result() for each in mapped[1:3]],
            [each.result() for each in mapped],
            mapped.wait(10),
            mapped.done(),
        ]

    assert main() == [5, 8, [2, 4], [0, 2, 4, 6, 8], True, True]


def test_failed_items(weft: Weft) -> None:
    """A map's value raises the first failed item's exception; each item tells its own story."""

    @flow
    def main() -> list[str]:
        mapped = odd_fails.map([0, 1, 2, 3])
        with pytest.raises(ValueError, match="1 is odd") as caught:
            mapped.result()
        assert "raised in task odd_fails[1]" in caught.value.__notes__
        assert [each.exception() is None for each in mapped] == [True, False, True, False]
        return [str(each.state) for each in mapped]

    assert main() == ["succeeded", "failed", "succeeded", "failed"]


def test_map_nobody_looked_at_fails_the_flow(weft: Weft) -> None:
    """A map with failed items that nobody looked at fails the flow; so does one that has ended already."""

    @flow
    def unseen() -> None:
        odd_fails.map([1])

    with pytest.raises(TaskFailed, match="1 is odd"):
        unseen()


def test_looking_at_the_items_is_enough(weft: Weft) -> None:
    """A flow that looked at each item of a map took care of its failures."""

    @flow
    def main() -> int:
        return sum(each.exception() is not None for each in odd_fails.map([1, 2]))

    assert main() == 1


def test_looking_at_one_item_is_not_enough(weft: Weft) -> None:
    """A failed item that nobody looked at fails the flow, although another one was looked at."""

    @flow
    def main() -> int:
        return odd_fails.map([2, 1])[0].result()

    with pytest.raises(TaskFailed, match="1 is odd"):
        main()


def test_items_are_retried(weft: Weft) -> None:
    """Each item of a map has its own tries."""
    seen: dict[int, int] = {}

    @task(retries=2, retry_delay=0.01)
    def shaky(x: int) -> int:
        seen[x] = seen.get(x, 0) + 1
        if x % 2 and seen[x] < 3:
            raise OSError("again")
        return x

    @flow
    def main() -> list[int]:
        return shaky.map(range(6)).result()

    assert main() == list(range(6))
    assert seen == {0: 1, 1: 3, 2: 1, 3: 3, 4: 1, 5: 3}


def test_wide_map(weft: Weft) -> None:
    """A wide map gives every value once, in order."""

    @flow
    def main() -> list[int]:
        return double.map(range(2000)).result()

    assert main() == [2 * x for x in range(2000)]


def test_large_items_and_results(weft: Weft) -> None:
    """Items and results past the inline size go by reference and come back whole."""

    @task
    def size(text: str) -> tuple[int, str]:
        return len(text), text * 2

    @flow
    def main() -> list[int]:
        pairs = size.map(["a" * 10_000, "b" * 20_000]).result()
        assert all(len(text) == 2 * length for length, text in pairs)
        return [length for length, _ in pairs]

    assert main() == [10_000, 20_000]


def test_map_of_flows(weft: Weft) -> None:
    """A flow can be mapped: each item is a flow of its own."""

    @flow
    def child(x: int) -> int:
        return double(x) + 1

    @flow
    def main() -> list[int]:
        return child.map(range(5)).result()

    assert main() == [1, 3, 5, 7, 9]


def test_map_of_async_tasks(weft: Weft) -> None:
    """Coroutine tasks of a map run at once, many more than there are threads."""
    import asyncio

    inside: list[int] = []
    most = [0]

    @task
    async def waits(x: int) -> int:
        inside.append(x)
        most[0] = max(most[0], len(inside))
        await asyncio.sleep(0.05)
        inside.remove(x)
        return x

    @flow
    def main() -> int:
        return sum(waits.map(range(200)).result())

    assert main() == sum(range(200))
    assert most[0] > 20


def test_cancelled_map(weft: Weft) -> None:
    """When a run is cancelled, the items of its map that had not begun are cancelled with it."""
    weft.open(threads=1)
    started = threading.Event()

    @task
    def waits(x: int) -> None:
        started.set()
        while True:
            time.sleep(0.002)

    @flow
    def main() -> None:
        waits.map(range(3))[2].result()

    def cancel() -> None:
        assert started.wait(10)
        weft.host.engine.cancel(weft.run().run)

    stop = threading.Thread(target=cancel)
    stop.start()
    with pytest.raises(TaskCancelled):
        main()
    stop.join()
    assert weft.run().state is RunState.CANCELLED
    assert TaskState.SUCCEEDED not in weft.states().values()


def test_one_cancelled_item(weft: Weft) -> None:
    """An item that somebody cancels leaves its map without a value: it is not taken for a success."""
    started = threading.Event()

    @task
    def waits(x: int) -> int:
        if x == 1:
            started.set()
            while True:
                time.sleep(0.002)
        return x

    @flow
    def main() -> str:
        mapped = waits.map(range(3))
        assert started.wait(10)
        row = weft.task("waits-0[1]")
        weft.host.engine.post(CancelTask(row.run, row.idx))
        with pytest.raises(TaskCancelled):
            mapped.result()
        return f"{mapped[0].state} {mapped[1].state}"

    assert main() == "succeeded cancelled"
