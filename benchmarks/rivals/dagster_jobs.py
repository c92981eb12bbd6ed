"""The jobs of ``dagster_cases.py``, in a module of their own so that worker processes can find them."""

import time

import measure
from dagster import (
    DynamicOut,
    DynamicOutput,
    JobDefinition,
    OpDefinition,
    in_process_executor,
    job,
    multiprocess_executor,
    op,
)

BURNS = 16
"""Each is an interpreter of its own with Dagster imported: 64 would not keep the cap."""


@op
def zero() -> int:
    """The source."""
    return 0


@op
def add_one(value: int) -> int:
    """A trivial op."""
    return value + 1


@op
def total(values: list[int]) -> int:
    """A sum."""
    return sum(values)


@op
def stamp() -> float:
    """When it ran."""
    return time.time()


@op
def burn(value: int) -> int:
    """CPU-bound."""
    return measure.burn()


def chain_job(length: int) -> JobDefinition:
    """Ops one after another."""

    @job(name="chain", executor_def=in_process_executor)
    def chain() -> None:
        value = zero()
        for number in range(length - 1):
            value = add_one.alias(f"add_{number}")(value)

    return chain


def fan_job(width: int, work: OpDefinition = add_one, *, processes: bool = False) -> JobDefinition:
    """Ops at once, by dynamic outputs."""

    @op(out=DynamicOut())
    def spread(value: int):  # type: ignore[no-untyped-def]  # Dagster reads the annotation as an output's type
        for each in range(width):
            yield DynamicOutput(value + each, mapping_key=str(each))

    @job(name="fan", executor_def=multiprocess_executor if processes else in_process_executor)
    def fan() -> None:
        total(spread(zero()).map(work).collect())

    return fan


def cpu_job() -> JobDefinition:
    """Case F, as worker processes ask for it."""
    return fan_job(BURNS, burn, processes=True)


@job(executor_def=in_process_executor)
def diamond() -> None:
    """Ten ops."""
    source = zero()
    total([add_one.alias(f"add_{number}")(source) for number in range(measure.WIDTH)])


@job(executor_def=in_process_executor)
def stamped() -> None:
    """One op."""
    stamp()
