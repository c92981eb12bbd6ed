"""The displays of runs under way, fed with changes as an engine commits them."""

import io
import time

import pytest

from weft.core.changes import Cause, Change, MapExpanded, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.model.errors import ErrorInfo
from weft.model.states import RunState, TaskState
from weft.model.values import NONE
from weft.observability.counting import Counting
from weft.observability.progress import PlainProgress, TreeProgress, progress

_T = TaskState
BOOM = ErrorInfo("builtins.ValueError", "boom\nmore")


class Time:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def begin(items: int = 0) -> list[Change]:
    """A run with a task ``load`` and, if asked, a map ``clean`` of some items."""
    made: list[Change] = [
        RunAdded(1, "run_1", "etl", "g", 100.0),
        RunChanged(1, RunState.RUNNING, 100.0, Cause.SUBMITTED),
        TaskAdded(1, 0, "etl", "etl", 100.0, kind="root"),
        TaskChanged(1, 0, _T.QUEUED, 1, 100.0, Cause.CAPACITY),
        TaskAdded(1, 1, "load-0", "load", 100.0, kind="call"),
        TaskChanged(1, 1, _T.RUNNING, 1, 100.0, Cause.STARTED),
    ]
    if items:
        made += [
            TaskAdded(1, 2, "clean-0", "clean", 100.0, kind="call"),
            TaskChanged(1, 2, _T.RUNNING, 0, 100.0, Cause.ITEMS),
            MapExpanded(1, 2, 100.0, 10, items, NONE),
        ]
    return made


def item(number: int, *states: TaskState, error: ErrorInfo | None = None) -> list[Change]:
    """An item of the map that goes through states."""
    made: list[Change] = [
        TaskAdded(1, 10 + number, f"clean-0[{number}]", "clean", 100.0, kind="item", parent=2)
    ]
    made += [
        TaskChanged(
            1, 10 + number, state, 1, 101.0, Cause.RETURNED, error=error if state is _T.FAILED else None
        )
        for state in states
    ]
    return made


def end(state: RunState = RunState.SUCCEEDED, error: ErrorInfo | None = None) -> list[Change]:
    """The run's end."""
    done = _T.SUCCEEDED if state is RunState.SUCCEEDED else _T.FAILED
    return [
        TaskChanged(1, 1, done, 1, 103.0, Cause.RETURNED, error=error),
        TaskChanged(1, 0, done, 1, 103.0, Cause.RETURNED, error=error),
        RunChanged(1, state, 103.0, Cause.CHILDREN, error=error),
    ]


def test_a_map_counts_as_its_items() -> None:
    """The map itself is no task run; items that have no row yet are expected all the same."""
    counting = Counting()
    counting.take([*begin(items=5), *item(0, _T.RUNNING, _T.SUCCEEDED), *item(1, _T.QUEUED)])
    line = counting.runs[1].lines["clean"]
    assert (line.added, line.done, line.live, line.failed) == (5, 1, 1, 0)
    assert counting.runs[1].totals() == {_T.RUNNING: 1, _T.SUCCEEDED: 1, _T.QUEUED: 1}


def test_retries_and_failures_are_counted_once_each() -> None:
    """A try that is tried again is a retry, the last one a failure with its reason."""
    counting = Counting()
    tries = (_T.RUNNING, _T.RETRYING, _T.READY, _T.RUNNING, _T.FAILED)
    counting.take([*begin(items=1), *item(0, *tries, error=BOOM)])
    line = counting.runs[1].lines["clean"]
    assert (line.retries, line.failed, line.done) == (1, 1, 1)
    assert [each.key for each in counting.runs[1].failures] == ["clean-0[0]"]


def test_what_has_ended_is_forgotten() -> None:
    """A wide run keeps numbers, not task runs."""
    counting = Counting()
    counting.take(begin(items=1000))
    for number in range(1000):
        counting.take(item(number, _T.QUEUED, _T.SUCCEEDED))
    assert len(counting.runs[1]._tasks) <= 3
    assert counting.runs[1].lines["clean"].done == 1000


def test_plain_lines_of_a_short_run_are_one() -> None:
    """A run that is over at once costs one line."""
    out, clock = io.StringIO(), Time()
    display = PlainProgress(out, clock=clock)
    display._thread = object()  # type: ignore[assignment]  # ticks are this test's
    display.take(begin())
    display.tick()
    display.take(end())
    display.finish(1)
    assert out.getvalue() == "etl run_1 succeeded after 3.0 s: 1 task run\n"


def test_plain_lines_are_throttled_but_failures_are_not() -> None:
    """A line a second for each task that moved; each failure at once, with its first line."""
    out, clock = io.StringIO(), Time()
    display = PlainProgress(out, clock=clock)
    display._thread = object()  # type: ignore[assignment]  # ticks are this test's
    display.take(begin(items=4))
    for number in range(3):
        clock.now += 0.6
        display.take(item(number, _T.RUNNING, _T.FAILED if number == 2 else _T.SUCCEEDED, error=BOOM))
        display.tick()
    display.take(end(RunState.FAILED, BOOM))
    display.finish(1)
    assert out.getvalue().splitlines() == [
        "etl run_1 running",
        "  load: running",
        "  clean: 1/4",
        "  clean-0[2] failed: ValueError: boom",
        "  clean: 3/4, 1 failed",
        "  load-0 failed: ValueError: boom",
        "etl run_1 failed after 3.0 s: 2 succeeded, 2 failed",
    ]


def test_a_run_that_was_interrupted_says_how_to_go_on() -> None:
    """A run that has not ended when it is let go names the command."""
    out, clock = io.StringIO(), Time()
    display = PlainProgress(out, clock=clock)
    display._thread = object()  # type: ignore[assignment]  # ticks are this test's
    display.take([*begin(), RunChanged(1, RunState.PAUSED, 101.0, Cause.INTERRUPTED)])
    display.finish(1)
    assert "weft runs resume run_1" in out.getvalue()


def test_the_tree_goes_back_over_what_it_drew() -> None:
    """Each frame goes up by as many rows as the one before had; wrapping is always switched on again."""
    out, clock = io.StringIO(), Time()
    display = TreeProgress(out, clock=clock)
    display._thread = object()  # type: ignore[assignment]  # ticks are this test's
    display.take(begin())
    clock.now += 1
    display.tick()
    display.take([TaskAdded(1, 5, "other-0", "other", 101.0, kind="call")])
    display.tick()
    display.take(end())
    display.finish(1)
    frames = out.getvalue().split("\x1b[?7l")[1:]
    assert [frame.count("\n") for frame in frames[:1]] == [2]
    assert frames[1].startswith("\x1b[2A\r")
    assert out.getvalue().count("\x1b[?7h") == 2
    assert out.getvalue().endswith("etl run_1 succeeded after 3.0 s: 1 task run\n")


@pytest.mark.parametrize(
    ("choice", "kind"),
    [("off", type(None)), ("plain", PlainProgress), ("tree", TreeProgress), ("auto", PlainProgress)],
)
def test_the_setting_chooses(choice: str, kind: type) -> None:
    """``auto`` is a tree on a terminal only, and a file is none."""
    assert type(progress(choice, io.StringIO())) is kind


def test_the_engine_is_not_held_up() -> None:
    """Taking in a batch costs the engine a microsecond or so, however large the batch is."""
    display = PlainProgress(io.StringIO(), clock=Time())
    display._thread = object()  # type: ignore[assignment]  # nothing is counted meanwhile
    batch = begin(items=1000)
    before = time.perf_counter()
    for _ in range(1000):
        display.take(batch)
    small = time.perf_counter() - before
    large = batch * 1000
    before = time.perf_counter()
    for _ in range(1000):
        display.take(large)
    assert time.perf_counter() - before < 20 * small
