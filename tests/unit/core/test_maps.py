"""Maps: what they expand to, in which order, how many at once, and what their failures mean."""

from typing import Any

import pytest
from core_bodies import BOOM, Ask, Await
from core_driver import Driver
from core_graphs import const, dag, flow, item, out, plain, task
from hypothesis import given
from hypothesis import strategies as st

from weft.core.binding import value
from weft.core.changes import Cause, MapExpanded, TaskAdded
from weft.core.events import CancelRun
from weft.model.attempts import Attempt, Ended
from weft.model.graph import MapMode, MapSpec
from weft.model.inputs import Compare, Item, TaskOutput
from weft.model.policies import Retry
from weft.model.states import RunState, TaskState

S = TaskState


def mapped(items: list[Any] | None = None, **spec: Any) -> MapSpec:
    """A map over bare values."""
    return MapSpec(over={"": const([1, 2, 3] if items is None else items)}, **spec)


def inputs(driver: Driver, name: str = "x") -> list[Any]:
    """What each live attempt gets, in order of start."""
    return [plain(attempt.inputs[name]) for attempt in driver.live.values()]


@pytest.mark.parametrize(
    ("spec", "items"),
    [
        (MapSpec(over={"": const([7, 8])}), [7, 8]),
        (MapSpec(over={"a": const([1, 2]), "b": const("xy")}), [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (
            MapSpec(mode=MapMode.PRODUCT, over={"a": const([1, 2]), "b": const("xy")}),
            [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}],
        ),
        (MapSpec(mode=MapMode.SEQUENCE, count=const(3)), [0, 1, 2]),
        (MapSpec(fixed=(value("p"), value("q"))), ["p", "q"]),
    ],
    ids=["bare", "zip", "product", "sequence", "fixed"],
)
def test_a_map_starts_one_task_run_an_item(spec: MapSpec, items: list[Any]) -> None:
    """Each with its own item, in order."""
    driver = Driver()
    driver.submit(dag(task("m", map=spec, inputs={"x": Item()})))
    assert inputs(driver) == items
    assert driver.running() == [f"m[{at}]" for at in range(len(items))]


def test_a_map_over_a_result_expands_when_that_is_there() -> None:
    """How many items there are is known at run time only."""
    driver = Driver()
    driver.submit(dag(task("a"), task("m", map=MapSpec(over={"": out("a")}), inputs={"x": item("id")})))
    assert driver.running() == ["a"]
    driver.end("a", result=[{"id": 5}, {"id": 6}])
    assert inputs(driver) == [5, 6]


@given(order=st.permutations(range(6)))
def test_results_are_in_the_order_of_the_items_however_they_end(order: list[int]) -> None:
    """A reduce sees item i at place i."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped(list(range(6)))), task("all", inputs={"x": out("m")})))
    for at in order:
        driver.end(f"m[{at}]", result=at * 10)
    assert inputs(driver) == [[0, 10, 20, 30, 40, 50]]


@pytest.mark.parametrize(
    ("empty", "state", "after"), [("succeed", "succeeded", "succeeded"), ("skip", "skipped", "skipped")]
)
def test_an_empty_map_ends_as_it_says(empty: str, state: str, after: str) -> None:
    """With an empty list as its result, or as skipped with what needs it."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped([], empty=empty)), task("z", inputs={"x": out("m")})))
    if empty == "succeed":
        assert inputs(driver) == [[]]
    driver.finish()
    assert driver.states() == {"w": "succeeded", "m": state, "z": after}


def test_a_maps_limit_holds_at_every_moment() -> None:
    """``max_active`` items at once; the next starts when one ends."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped(list(range(5)), max_active=2))))
    assert driver.running() == ["m[0]", "m[1]"]
    driver.end("m[1]")
    assert driver.running() == ["m[0]", "m[2]"]
    driver.finish()
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_chain_runs_one_item_after_the_other() -> None:
    """In order, whatever room there is."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped(chain=True))))
    for at in range(3):
        assert driver.running() == [f"m[{at}]"]
        driver.end(f"m[{at}]")
    assert driver.run_state() is RunState.SUCCEEDED


def test_one_failed_item_fails_the_map_after_the_others_have_ended() -> None:
    """Without ``fail_fast`` all items get their chance; the error names the first that failed."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped())))
    driver.end("m[1]", error=BOOM)
    assert driver.run_state() is RunState.RUNNING
    driver.finish()
    row = driver.row("m")
    assert row.state is S.FAILED
    assert row.error is not None
    assert row.error.message == "1 of 3 items failed; m[1]: boom"
    assert row.error.type == "builtins.ValueError"


def test_fail_fast_stops_the_other_items() -> None:
    """Those that run are stopped; those that have not started never have a row."""
    driver = Driver(room=2)
    driver.submit(dag(task("m", map=mapped(list(range(100)), fail_fast=True))))
    driver.end("m[0]", error=BOOM)
    driver.finish()
    assert driver.states() == {"w": "failed", "m": "failed", "m[0]": "failed", "m[1]": "cancelled"}
    assert driver.row("m[1]").cause == Cause.FAIL_FAST


def test_tolerated_failures_read_as_none() -> None:
    """The map succeeds, with a hole where the item failed."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped(tolerate=1)), task("z", inputs={"x": out("m")})))
    driver.end("m[0]", result="a")
    driver.end("m[1]", error=BOOM)
    driver.end("m[2]", result="c")
    assert inputs(driver) == [["a", None, "c"]]


def test_skipped_items_read_as_none_and_a_map_of_only_those_is_skipped() -> None:
    """As in Airflow."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped([1, 2])), task("z", inputs={"x": out("m")})))
    driver.end("m[0]", Ended(driver.find("m[0]"), S.SKIPPED))
    driver.end("m[1]", result="b")
    assert inputs(driver) == [[None, "b"]]
    driver.submit(dag(task("m", map=mapped([1]))))
    driver.end("m[0]", Ended(driver.find("m[0]"), S.SKIPPED))
    assert driver.row("m", 2).state is S.SKIPPED


def test_items_are_retried_each_for_itself() -> None:
    """The policy is the item's; the map knows nothing of it."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped(), retry=Retry(limit=1, delay_s=9.0))))
    driver.finish(lambda attempt: BOOM if attempt.map_index == 1 and attempt.try_number == 1 else 1)
    assert [driver.attempts(f"m[{at}]") for at in range(3)] == [1, 2, 1]
    assert driver.run_state() is RunState.SUCCEEDED


def test_a_condition_over_the_item_skips_single_items() -> None:
    """Asked of each item; one that does not read the item is asked of the map."""
    when = Compare("truthy", Item())
    driver = Driver()
    driver.submit(dag(task("m", map=mapped([1, 0, 2]), when=when)))
    driver.finish()
    assert [driver.states()[f"m[{at}]"] for at in range(3)] == ["succeeded", "skipped", "succeeded"]
    driver.submit(dag(task("m", map=mapped(), when=Compare("truthy", const(0)))))
    assert driver.states(2)["m"] == "skipped"


def test_too_many_items_fail_the_map_before_any_starts() -> None:
    """``max_items`` guards against a runaway."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped(max_items=2))))
    assert driver.states() == {"w": "failed", "m": "failed"}


def test_what_cannot_be_mapped_over_fails_the_map() -> None:
    """The preparer's error is the map's."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped(5))))  # type: ignore[arg-type]  # that is the mistake
    assert driver.states()["m"] == "failed"
    assert driver.row("m").error is not None


def test_a_huge_map_has_no_rows_before_its_items_start() -> None:
    """One row and one range for a hundred thousand items; rows only for what has room."""
    driver = Driver(room=10)
    driver.submit(dag(task("m", map=mapped(list(range(100_000))))))
    assert len(driver.live) == 10
    assert len(driver.rows()) == 12
    (expanded,) = driver.store.maps(1)
    assert (expanded.base, expanded.count) == (2, 100_000)
    assert sum(isinstance(each, TaskAdded) for each in driver.log) == 12
    driver.step(CancelRun(1, force=True))
    driver.finish()
    assert len(driver.rows()) == 12
    assert driver.run_state() is RunState.CANCELLED


def test_the_indexes_of_items_are_theirs_for_ever() -> None:
    """Whatever starts later gets indexes beyond the map's range."""
    driver = Driver()
    driver.submit(dag(task("m", map=mapped()), task("z", "m"), task("g", map=mapped([1, 2]))))
    spans = sorted((each.base, each.base + each.count) for each in driver.store.maps(1))
    driver.finish()
    others = [row.idx for row in driver.rows() if row.kind != "item"]
    assert spans[0][1] <= spans[1][0]
    assert not any(base <= idx < end for base, end in spans for idx in others)


def test_a_cancelled_map_ends_without_starting_the_rest() -> None:
    """The map is cancelled once the items that ran have stopped."""
    driver = Driver(room=1)
    driver.submit(dag(task("m", map=mapped())))
    driver.step(CancelRun(1))
    assert driver.row("m").state is S.RUNNING
    driver.finish()
    assert driver.states() == {"w": "cancelled", "m": "cancelled", "m[0]": "cancelled"}


def test_a_flows_map_knows_its_items_with_the_call() -> None:
    """``.map`` gives indexes to its items at once, so that a single item can be an argument."""
    seen: list[Any] = []

    def body(_given: dict[str, Any]) -> Any:
        items = tuple(value(each) for each in "ab")
        handle = yield Ask(task("m", map=MapSpec(fixed=())), {"x": item()}, wait=False, items=items)
        second = yield Ask(task("u"), {"x": TaskOutput(handle + 2)}, wait=False)
        seen.append((handle, second))
        yield Await(second)
        seen.append((yield Await(handle)).state)

    driver = Driver()
    driver.flows["main"] = body
    driver.submit(flow())
    assert sorted(driver.running()) == ["m-1[0]", "m-1[1]"]
    driver.end("m-1[1]", result="B")
    assert "u-1" in driver.running()
    assert plain(driver.live[driver.find("u-1")].inputs["x"]) == "B"
    driver.finish()
    assert seen[-1] is S.SUCCEEDED
    assert any(isinstance(each, MapExpanded) and each.idx == seen[0][0] for each in driver.log)


def test_readers_of_items_that_never_start_are_not_forgotten() -> None:
    """A map stopped by fail-fast ends its readers too."""

    def body(_given: dict[str, Any]) -> Any:
        items = tuple(value(each) for each in range(50))
        spec = MapSpec(fixed=(), fail_fast=True)
        handle = yield Ask(task("m", map=spec), {"x": item()}, wait=False, items=items)
        last = yield Ask(task("u"), {"x": TaskOutput(handle + 50)}, wait=False)
        return str((yield Await(last)).state)

    driver = Driver(room=1)
    driver.flows["main"] = body
    driver.submit(flow())

    def behave(attempt: Attempt) -> Any:
        return BOOM

    driver.finish(behave)
    assert driver.result() == "upstream_failed"
