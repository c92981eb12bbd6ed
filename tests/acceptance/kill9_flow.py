"""The workflow that ``test_kill9.py`` kills: about five hundred tasks in every shape that a flow gives them.

Each task adds its key to the file ``WEFT_SAID`` as it begins, so that whoever reads the file knows how often
it ran, in whichever process.
"""

import os
import sys
import time

import weft
from weft import flow, task

CHAIN = 60
WIDE = 250
NESTED = 4
NESTED_WIDE = 30
SHAKY = 40

TASKS = 1 + CHAIN + (1 + WIDE) + 1 + NESTED * (1 + 1 + (1 + NESTED_WIDE) + 1) + (1 + SHAKY) + 1
"""Task runs of a whole run, besides its root."""

BODIES = 1 + CHAIN + WIDE + 1 + NESTED * (1 + NESTED_WIDE + 1) + 2 * SHAKY + 1
"""Lines that tasks say in a run that nobody kills."""


def expected() -> int:
    """The run's value."""
    nested = sum(sum(range(base, base + NESTED_WIDE)) + base for base in range(NESTED))
    return CHAIN + sum(range(WIDE)) + nested + sum(range(SHAKY))


def say() -> None:
    """Tell that this task began."""
    fd = os.open(os.environ["WEFT_SAID"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{weft.current().key}\n".encode())
    os.close(fd)


@task
def begin() -> int:
    say()
    return 0


@task
def link(x: int) -> int:
    say()
    return x + 1


@task
def work(x: int) -> int:
    say()
    time.sleep(0.002)
    return x


@task(retries=3, retry_delay=0.01)
def shaky(x: int) -> int:
    say()
    if weft.current().try_number < 2:
        raise OSError("the first try fails")
    return x


@task
def total(*numbers: int | list[int]) -> int:
    say()
    return sum(sum(each) if isinstance(each, list) else each for each in numbers)


@flow
def nested(base: int) -> int:
    first = work(base)
    rest = work.map(range(base, base + NESTED_WIDE))
    return total(first, rest)


@flow
def main() -> int:
    futures = [nested.submit(base) for base in range(NESTED)]
    wide = work.map(range(WIDE))
    x = begin()
    for _ in range(CHAIN):
        x = link(x)
    tries = shaky.map(range(SHAKY))
    counted = total(wide)
    return total(x, counted, tries, *futures)


if __name__ == "__main__":
    if sys.argv[1:] == ["resume"]:
        from weft.embedded import open_host

        host = open_host()
        settled = host.resume(host.store.run("@latest").run).settled
        assert settled is not None
        assert settled.state.ok, settled.error
    else:
        main()
