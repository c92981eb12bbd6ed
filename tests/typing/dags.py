"""A user's dags: signatures survive the decorators, and a body is checked like any other code."""

from datetime import date, timedelta
from typing import assert_type

from weft import (
    Future,
    FutureList,
    Symbol,
    branch,
    chain,
    cron,
    dag,
    every,
    fact,
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


@task
def fetch(day: date) -> list[int]:
    return [day.day]


@task
def double(x: int, times: int = 2) -> int:
    return x * times


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task(branch=True)
def choose(x: int) -> str:
    return "double"


@task
def tell(status: str) -> None: ...


@dag
def part(n: int, times: int = 2) -> int:
    return double(n, times=times)


@dag(schedule=cron("0 6 * * *", tz="Europe/Stockholm"), catchup=False, timeout="1h", max_active_tasks=4)
def nightly(day: date = logical_date()) -> int:
    numbers = fetch(day)
    assert_type(numbers, list[int])
    doubled = double.with_options(max_active=2).map(numbers, times=unmapped(3))
    assert_type(doubled.result(), list[int])
    size = total(doubled.result())
    with when(size > 10), group("big"):
        choice = branch(choose)(size)
        assert_type(choice, str)
        part(size)
    gate = short_circuit(double)(size)
    chain(choice, [gate, symbol(tell("now"))])
    last = symbol(part(size)).rule("none_failed").after(gate)
    assert_type(last, Symbol)
    symbol(tell("end")).when_states(succeeded(gate))
    on_exit(tell(fact("status")))
    return size


@dag(schedule=every(timedelta(minutes=5)))
def often() -> None:
    nightly(date.today())


@flow
def around() -> int:
    assert_type(part(1), int)
    assert_type(part.submit(1, times=3), Future[int])
    assert_type(part.map([1, 2]), FutureList[int])
    return nightly(day=date.today())


part("one")  # type: ignore[arg-type]
nightly(1, 2)  # type: ignore[call-arg, arg-type]
dag(cache=True)  # type: ignore[call-overload]
