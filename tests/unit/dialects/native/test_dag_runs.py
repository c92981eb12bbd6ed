"""Dags that run: alone, in flows, in dags, through crashes."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from embedded_weft import Said, Weft, crash

from weft import (
    TaskFailed,
    allow_failure,
    branch,
    chain,
    current,
    dag,
    fact,
    failed,
    flow,
    group,
    logical_date,
    on_exit,
    short_circuit,
    succeeded,
    symbol,
    task,
    unmapped,
    when,
)
from weft.model.errors import MissingParameter, TaskTimeout, UsageError, WrongParameterType
from weft.model.states import RunState, TaskState

OK, SKIPPED, FAILED = TaskState.SUCCEEDED, TaskState.SKIPPED, TaskState.FAILED


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def double(x: int) -> int:
    return 2 * x


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def same(x: Any) -> Any:
    return x


@task
def boom(x: Any = None) -> int:
    raise ValueError("broken")


@dag
def doubled(n: int, extra: int = 1) -> int:
    return add(total(double.map(numbers(n)).result()), extra)


# --- alone ------------------------------------------------------------------------------------------------


def test_call_runs_it(weft: Weft) -> None:
    """A call outside everything is a run, and gives the value of what the body returned."""
    assert doubled(4) == 13
    assert doubled(n=2, extra=5) == 7
    run = weft.run()
    assert (run.workflow, run.state) == ("doubled", RunState.SUCCEEDED)
    assert weft.states() == dict.fromkeys(["numbers", "double", "double[0]", "double[1]", "total", "add"], OK)


def test_parameters_are_checked(weft: Weft) -> None:
    """Arguments are converted by their annotations, and refused if they do not fit; no run is made."""
    assert doubled("3") == 7  # type: ignore[arg-type]  # converted
    with pytest.raises(WrongParameterType):
        doubled("x")  # type: ignore[arg-type]  # the point
    with pytest.raises(MissingParameter):
        doubled()  # type: ignore[call-arg]  # the point
    assert len(weft.runs()) == 1


def test_logical_date(weft: Weft) -> None:
    """It is now for a run by hand, as the annotation wants it, and the same wherever it is read."""

    @dag
    def dated(day: date = logical_date(), text: str = logical_date(), at: datetime = logical_date()) -> Any:
        return same([day, text, at, logical_date(), logical_date().year])

    day, text, at, inside, year = dated()
    assert at == inside
    assert at.tzinfo is UTC
    assert (day, text, year) == (at.date(), at.isoformat(), at.year)
    assert dated(day=date(2026, 1, 2))[0] == date(2026, 1, 2)


def test_values_through_maps(weft: Weft) -> None:
    """Zip, product, a map over results, an index into a map, and a reduce."""

    @dag
    def maps(n: int) -> Any:
        xs = numbers(n)
        ys = double.map(xs)
        return {
            "zip": add.map(xs, ys),
            "product": add.map_product([10, 20], ys),
            "again": double.map(ys),
            "one": symbol(ys)[1],
            "fixed": add.map(xs, b=unmapped(5)),
        }

    assert maps(3) == {
        "zip": [0, 3, 6],
        "product": [10, 12, 14, 20, 22, 24],
        "again": [0, 4, 8],
        "one": 2,
        "fixed": [5, 6, 7],
    }


def test_max_active_bounds_a_map(weft: Weft, said: Said) -> None:
    """Of a map with ``max_active=1`` one item is live at a time."""

    @task
    def step(x: int) -> None:
        said.say(f"begin {x}")
        said.say(f"end {x}")

    @dag
    def bounded() -> None:
        step.with_options(max_active=1).map([0, 1, 2, 3])

    bounded()
    assert said.lines == [f"{word} {x}" for x in range(4) for word in ("begin", "end")]


def test_when_skips(weft: Weft) -> None:
    """What is inside a false condition is skipped with what needs it, unless a rule says otherwise."""

    @dag
    def decide(n: int) -> Any:
        size = total(numbers(n))
        with when(size > 10):
            big = same.with_options(name="big")(size)
        with when(~(symbol(size) > 10)):
            small = same.with_options(name="small")(size)
        double.with_options(name="after_big")(big)
        return symbol(same.with_options(name="join")([big, small])).rule("none_failed_min_one_success")

    assert decide(3) == [None, 3]
    states = weft.states()
    assert (states["big"], states["after_big"], states["small"]) == (SKIPPED, SKIPPED, OK)
    assert decide(6) == [15, None]


def test_branch_follows_what_it_names(weft: Weft) -> None:
    """A branch skips what it does not name, and a short circuit all that comes after it."""

    @task
    def pick(what: str) -> str:
        return what

    @dag
    def steer(what: str, go: bool) -> None:
        choice = branch(pick)(what)
        with group("paths"):
            left = same.with_options(name="left")(choice)
            right = same.with_options(name="right")(choice)
        join = symbol(same.with_options(name="join")([left, right])).rule("none_failed_min_one_success")
        gate = short_circuit(same.with_options(name="gate"))(go)
        chain(gate, symbol(same.with_options(name="last")(join)).rule("all_done"))

    steer("left", True)
    states = weft.states()
    assert (states["paths.left"], states["paths.right"], states["join"], states["last"]) == (
        OK,
        SKIPPED,
        OK,
        OK,
    )
    steer("paths.right", False)
    states = weft.states()
    assert (states["paths.left"], states["paths.right"], states["last"]) == (SKIPPED, OK, SKIPPED)


def test_short_circuit_goes_on_with_any_true_value(weft: Weft) -> None:
    """A list that is not empty is true, not a list of names."""

    @dag
    def gate(words: list[str]) -> Any:
        return same.with_options(name="after")(same.with_options(short_circuit=True)(words))

    assert gate(["a", "b"]) == ["a", "b"]
    assert gate([]) is None
    assert weft.states()["after"] is SKIPPED


def test_teardown_and_exit_run_after_a_failure(weft: Weft, said: Said) -> None:
    """The work fails; the teardown and the exit handler run all the same, and the run has failed."""

    @task
    def make() -> str:
        said.say("make")
        return "thing"

    @task
    def drop(thing: str) -> None:
        said.say(f"drop {thing}")

    @task
    def tell(status: str, failures: list[dict[str, str]], value: Any) -> None:
        said.say(f"{status} {[each['key'] for each in failures]} {value}")

    @dag
    def work() -> Any:
        thing = make()
        bad = boom(thing)
        good = same(thing)
        symbol(drop(thing)).as_teardown(setups=thing)
        on_exit(tell(fact("status"), fact("failures"), good))
        return bad

    with pytest.raises(TaskFailed, match="broken"):
        work()
    assert said.lines == ["make", "drop thing", "failed ['boom'] thing"]
    assert weft.run().state is RunState.FAILED


def test_rules_and_states(weft: Weft) -> None:
    """A task runs after a failure if its rule, its expression over states or its arguments say so."""

    @dag
    def handled() -> Any:
        bad = boom()
        good = numbers(2)
        a = symbol(same.with_options(name="a")("rule")).rule("one_failed").after(bad)
        b = symbol(same.with_options(name="b")("states")).when_states(failed(bad) & succeeded(good))
        symbol(same.with_options(name="c")("never")).when_states(~failed(bad))
        d = same.with_options(name="d")(allow_failure(bad))
        return [a, b, d]

    assert handled() == ["rule", "states", None]
    assert weft.states()["c"] is SKIPPED


def test_retries_of_a_dag(weft: Weft, said: Said) -> None:
    """A dag that fails is tried again as a whole, each time with task runs of its own."""

    @task
    def flaky() -> int:
        said.say("try")
        if len(said.lines) < 3:
            raise ValueError("not yet")
        return len(said.lines)

    @dag(retries=2)
    def stubborn() -> int:
        return double(flaky())

    assert stubborn() == 6


def test_fail_fast_stops_the_rest(weft: Weft) -> None:
    """With ``fail_fast`` the first failure cancels what has not ended; what had not begun never does."""

    @dag(fail_fast=True)
    def hasty() -> None:
        bad = boom()
        chain(symbol(same.with_options(name="later")(1)).rule("all_done").after(bad))

    with pytest.raises(TaskFailed):
        hasty()
    assert weft.states()["later"] is TaskState.CANCELLED


def test_timeout_of_a_nested_dag(weft: Weft) -> None:
    """A group that takes too long is stopped and has failed."""

    @task
    async def hang() -> None:
        await asyncio.sleep(3600)

    @dag(timeout="50ms")
    def slow() -> None:
        hang()

    @dag
    def outer() -> None:
        slow()

    with pytest.raises(TaskTimeout):
        outer()
    assert weft.states()["slow"] is FAILED


# --- in each other ----------------------------------------------------------------------------------------


def test_dag_in_a_dag(weft: Weft) -> None:
    """A dag called in a dag is a group with keys of its own, and can be mapped."""

    @dag
    def outer(n: int) -> Any:
        first = doubled(n)
        return [first, doubled.map([1, first], extra=unmapped(0)), doubled(2, extra=first)]

    assert outer(2) == [3, [0, 6], 5]
    states = weft.states()
    assert states["doubled.add"] is OK
    assert states["doubled_2[1].double[2]"] is OK


def test_recursion_ends_with_its_condition(weft: Weft) -> None:
    """A dag that calls itself makes each instance when it is reached."""

    @dag
    def down(n: int) -> Any:
        left = add(n, -1)
        with when(symbol(left) > 0):
            down(left)
        return left

    assert down(3) == 2
    assert weft.states()["down.down.down"] is SKIPPED


def test_dag_is_a_step_of_a_flow(weft: Weft) -> None:
    """In a flow it gives its value, a future, or a list of them; futures are its arguments."""

    @flow
    def around(n: int) -> Any:
        first = doubled(n)
        later = doubled.submit(double.submit(n), extra=0)
        many = doubled.map([1, 2], extra=unmapped(0))
        return [first, later.result(), many.result(), total(many), doubled.after(later)(1)]

    assert around(2) == [3, 12, [0, 2], 2, 1]
    states = weft.states()
    assert states["doubled-0.double[1]"] is OK
    assert weft.run().workflow == "around"


def test_failure_of_a_dag_in_a_flow(weft: Weft) -> None:
    """The flow gets what the task raised, or a coded error; it can go on."""

    @dag
    def bad() -> int:
        return boom()

    @flow
    def around() -> str:
        try:
            bad()
        except TaskFailed as exc:
            return exc.what
        return "no"

    assert "broken" in around()


def test_flow_in_a_dag_that_calls_a_dag(weft: Weft) -> None:
    """Each dag finds its own groups, however they are nested."""

    @dag
    def leaf(n: int) -> Any:
        return doubled(n)

    @flow
    def middle(n: int) -> int:
        return leaf(n) + 1

    @dag
    def top(n: int) -> Any:
        return double(middle(doubled(n)))

    assert top(2) == 2 * (doubled(3) + 1)


def test_date_default_inside_a_flow(weft: Weft) -> None:
    """Where nothing can convert the logical date, a default that needs it is refused; a datetime is fine."""

    @dag
    def dated(day: date = logical_date()) -> Any:
        return same(day)

    @dag
    def timed(at: datetime = logical_date()) -> Any:
        return same(at)

    @flow
    def around() -> Any:
        with pytest.raises(UsageError, match="cannot become date"):
            dated()
        return timed()

    assert around().tzinfo is UTC


def test_dag_in_a_task_is_refused(weft: Weft) -> None:
    """A task's body cannot run a dag: that would be a run that its engine knows nothing of."""

    @task
    def wrong() -> int:
        return doubled(1)

    with pytest.raises(UsageError, match="inside task wrong"):
        wrong()


# --- crashes ----------------------------------------------------------------------------------------------


def test_dag_goes_on_after_a_crash(weft: Weft, said: Said) -> None:
    """What had ended does not run again, in a dag, in its nested groups and in its maps."""

    @task
    def step(x: int) -> int:
        said.say(f"step {x}")
        return x

    @task
    def fatal(x: int) -> int:
        if len(said.lines) < 5:
            said.say("crash")
            crash()
        return x

    @dag
    def inner(x: int) -> Any:
        return fatal(step(x))

    @dag
    def outer() -> Any:
        items = step.with_options(max_active=1).map([1, 2, 3])
        return inner(total(items))

    weft.crash(outer)
    assert weft.value() == 6
    assert said.lines == ["step 1", "step 2", "step 3", "step 6", "crash"]


def test_dag_of_a_flow_goes_on_after_a_crash(weft: Weft, said: Said) -> None:
    """The groups that a flow's call brought along are there when the run is restored."""

    @task
    def step(x: int) -> int:
        said.say(f"step {x} {current().key}")
        return x

    @task
    def fatal(x: int) -> int:
        if not any(line == "crash" for line in said.lines):
            said.say("crash")
            crash()
        return x

    @dag
    def deep(x: int) -> Any:
        return fatal(step(x))

    @dag
    def shallow(x: int) -> Any:
        return deep(step(x))

    @flow
    def around() -> Any:
        return [step(1), shallow(2), shallow.map([3]).result()]

    weft.crash(around)
    assert weft.value() == [1, 2, [3]]
    keys = [line for line in said.lines if line.startswith("step")]
    assert len(keys) == len(set(keys)) == 5
