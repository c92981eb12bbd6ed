"""A user's file with every public decorator of flows: the types go through."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from typing import Any, assert_type

import weft
from weft import (
    Approval,
    Flow,
    Future,
    FutureList,
    Task,
    allow_failure,
    approval,
    current,
    flow,
    now,
    patch,
    shell,
    sleep,
    task,
    unmapped,
    wait_for_event,
)
from weft import random as chance


@task
def fetch(day: date, strict: bool = False) -> list[str]:
    return [str(day)]


@task(retries=3, retry_delay="10s", timeout="5m", cache="inputs", cache_ttl="1d", tags=["io"])
def size(path: str) -> int:
    return len(path)


@task
async def download(url: str) -> bytes:
    return url.encode()


@task
def lines(path: str) -> Iterator[str]:
    yield path


@task
async def pages(url: str) -> AsyncIterator[int]:
    yield len(url)


@task(on_success=lambda event: print(event["key"]), on_rollback=[lambda event: None])
def total(sizes: list[int]) -> int:
    return sum(sizes)


@size.retry_when
def temporary(error: BaseException) -> bool:
    return isinstance(error, OSError)


class Shop:
    @task
    def price(self, item: str) -> float:
        return float(len(item))

    @flow
    def bill(self, items: list[str]) -> float:
        return sum(self.price.map(items).result())


listing = shell("ls {folder}", name="listing", retry_exit_codes=[1], retries=1)


@flow
def report(day: date, limit: int = 3) -> int:
    assert_type(fetch(day), list[str])
    assert_type(fetch(day, strict=True), list[str])
    assert_type(fetch.submit(day), Future[list[str]])
    assert_type(fetch.submit(day).result(), list[str])
    assert_type(fetch.submit(day).exception(), BaseException | None)
    assert_type(download.submit("u"), Future[bytes])
    sizes = size.map(fetch(day))
    assert_type(sizes, FutureList[int])
    assert_type(sizes[0], Future[int])
    assert_type(sizes[1:], list[Future[int]])
    assert_type(sizes.result(), list[int])
    assert_type(download.map(["u"]), FutureList[bytes])
    assert_type(fetch.map([day], strict=unmapped(True)).result(), list[list[str]])
    assert_type(total(sizes.result()), int)
    assert_type(size.with_options(retries=1)("p"), int)
    assert_type(size.after(sizes)("p"), int)
    assert_type(size.fn("p"), int)
    assert_type(lines("p"), Iterator[str])
    assert_type(pages("u"), AsyncIterator[int])
    assert_type(listing(folder="/"), str)
    assert_type(chance(), float)
    assert_type(now(), datetime)
    assert_type(patch("better"), bool)
    assert_type(current().attempt, int)
    assert_type(current().idempotency_key, str)
    sleep("1s")
    assert_type(wait_for_event("go", timeout=3), Any)
    answer = approval("Deploy?", default=True)
    assert_type(answer, Approval)
    assert_type(answer.approved, bool)
    if answer:
        current().logger.info("by %s", answer.by)
    assert_type(allow_failure(sizes), allow_failure[list[int]])
    assert_type(allow_failure(sizes[0]), allow_failure[int])
    # Wrong calls are found.
    size(3)  # type: ignore[arg-type]
    size("p", "q")  # type: ignore[call-arg]
    fetch.submit("today")  # type: ignore[arg-type]
    return total([limit])


@flow(name="async-report", retries=1)
async def async_report(urls: list[str]) -> int:
    assert_type(await download("u"), bytes)
    found = await asyncio.gather(*[download(url) for url in urls])
    assert_type(found, list[bytes])
    assert_type(await download.submit("u"), bytes)
    assert_type(await download.map(urls), list[bytes])
    assert_type(await fetch.submit(date.today()), list[str])
    return len(found)


@flow
def outer() -> int:
    assert_type(report(date.today()), int)
    assert_type(report.submit(date.today(), limit=2).result(), int)
    assert_type(async_report.submit(["u"]).result(), int)
    return report(date.today()) + report.map([date.today()])[0].result()


def run() -> None:
    assert_type(outer(), int)
    assert_type(asyncio.run(async_report(["u"])), int)
    assert_type(Shop().price("a"), float)
    assert_type(Shop().bill(["a"]), float)
    report("today")  # type: ignore[arg-type]
    report()  # type: ignore[call-arg]
    try:
        raise weft.Skip("nothing to do")
    except weft.TaskFailed as error:
        assert_type(error.code, str)


named: Task[[str], int] = size
workflow: Flow[[], int] = outer
