"""The flows of ``prefect_cases.py``, in a module of their own because Prefect reads settings on import."""

import asyncio
import time

import measure
from prefect import flow, task
from prefect.task_runners import ProcessPoolTaskRunner


@task
def add(left: int, right: int) -> int:
    """A trivial task."""
    return left + right


@task
async def add_async(left: int, right: int) -> int:
    """A trivial task for gathering."""
    return left + right


@task
def total(parts: list[int]) -> int:
    """A sum."""
    return sum(parts)


@task
def now() -> float:
    """When it ran."""
    return time.time()


@task
def burn(_: int) -> int:
    """CPU-bound."""
    return measure.burn()


@flow
def chain_of(length: int) -> int:
    """Tasks one after another."""
    value = 0
    for _ in range(length):
        value = add(value, 1)
    return value


@flow
def fan_of(width: int) -> int:
    """Tasks at once."""
    source = add(0, 0)
    return total(add.map([source] * width, list(range(width))))


@flow
async def diamond(number: int) -> int:
    """Ten tasks."""
    source = await add_async(number, 0)
    parts = await asyncio.gather(*[add_async(source, each) for each in range(measure.WIDTH)])
    return await add_async(sum(parts), 0)


@flow
def stamped() -> float:
    """One task."""
    return now()


@flow(task_runner=ProcessPoolTaskRunner(max_workers=2))
def burned(count: int) -> int:
    """Both processes."""
    return len([future.result() for future in burn.map(list(range(count)))])
