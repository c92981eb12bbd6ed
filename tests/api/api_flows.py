"""Workflows that tests of the API run."""

from weft import approval, dag, flow, task, wait_for_event
from weft.runtime.context import current


@task
def double(number: int) -> int:
    """Twice the number."""
    print(f"doubling {number}")
    return 2 * number


@task
def break_down(number: int) -> int:
    """Fails."""
    raise ValueError(f"no {number} today")


@flow
def doubled(number: int = 1) -> int:
    """A flow of one task."""
    return double(number)


@dag
def chain(number: int = 1) -> int:
    """A graph of two tasks."""
    return double(double(number))


@flow
def failing(number: int = 1) -> int:
    """A flow whose task fails."""
    return break_down(number)


@flow
def asking() -> bool:
    """A flow that waits for a person."""
    return bool(approval("Shall **we**?"))


@flow
def waiting() -> object:
    """A flow that waits for an event."""
    return wait_for_event("go")


@task
def say(lines: int) -> int:
    """Prints numbered lines."""
    for number in range(1, lines + 1):
        print(f"line {number} of {current().key}")
    return lines


@flow
def talking(lines: int = 10) -> int:
    """A flow whose task prints."""
    return say(lines)


WORKFLOWS = (doubled, chain, failing, asking, waiting, talking)
