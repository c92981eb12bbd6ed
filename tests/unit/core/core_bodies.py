"""Flows' bodies for the core's tests: generators that yield what they want of the driver."""

from collections.abc import Generator
from typing import Any, NamedTuple

from core_graphs import plain

from weft.model.errors import ErrorInfo
from weft.model.graph import Node
from weft.model.inputs import Input
from weft.model.states import TaskState
from weft.model.values import Plain, Result

BOOM = ErrorInfo("builtins.ValueError", "boom", mro=("builtins.ValueError", "builtins.Exception"))


class Ask(NamedTuple):
    """Yielded by a flow's body: call ``node``. The answer is its outcome, or with ``wait=False`` a handle."""

    node: Node
    inputs: dict[str, Input] = {}  # noqa: RUF012 - never changed
    wait: bool = True
    items: tuple[Result, ...] | None = None
    key: str = ""
    mark: Result | None = None


class Await(NamedTuple):
    """Yielded by a flow's body: wait for a handle that ``Ask(wait=False)`` gave."""

    idx: int


class Outcome(NamedTuple):
    """What a call came to."""

    state: TaskState
    result: Result | None
    error: ErrorInfo | None

    @property
    def plain(self) -> Any:
        """The result as a plain value."""
        return plain(Plain(self.result)) if self.result is not None else None


class Failure(Exception):
    """Raised in a flow's body by a refused call, and by a body to fail."""

    def __init__(self, error: ErrorInfo = BOOM) -> None:
        super().__init__(error.message)
        self.error = error


class Suspend(NamedTuple):
    """Yielded by a flow's body: give the thread back until one of these handles has ended, unless one has."""

    tasks: tuple[int, ...]


Body = Generator[Any, Any, Any]


class Running:
    """One attempt of a flow's body."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.ordinal = 0
        self.names: dict[str, int] = {}
        self.token = -1
        self.ask: Ask | None = None
        self.awaits = -1
        self.begun = False
