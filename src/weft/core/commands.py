"""What the core wants done. A command is performed only after the changes of its step are durable."""

import msgspec

from weft.model.attempts import Attempt, AttemptId
from weft.model.errors import ErrorInfo
from weft.model.states import TaskState
from weft.model.values import Result


class Start(msgspec.Struct, frozen=True):
    """Have an executor carry out an attempt."""

    attempt: Attempt


class Stop(msgspec.Struct, frozen=True):
    """Have the executor stop an attempt."""

    executor: str
    id: AttemptId


class Prepare(msgspec.Struct, frozen=True):
    """Look into values for a task run that is about to start, and answer with ``Prepared``."""

    run: int
    idx: int
    generation: int


class Accepted(msgspec.Struct, frozen=True):
    """A call has its index. ``replayed``: the journal had it already.

    When it has ended already, ``state`` says how, with its ``result`` or ``error``. A map's items have the
    indexes from ``base`` on. ``more``: the journal has another call after this one.
    """

    token: int
    run: int
    idx: int
    replayed: bool = False
    state: TaskState | None = None
    result: Result | None = None
    error: ErrorInfo | None = None
    base: int = -1
    count: int = 0
    items: tuple["Item", ...] = ()
    more: bool = False


class Item(msgspec.Struct, frozen=True):
    """How an item of a replayed map ended, for those that have."""

    index: int
    state: TaskState
    result: Result | None = None
    error: ErrorInfo | None = None


class Refused(msgspec.Struct, frozen=True):
    """A call cannot be made: the replay differs from the journal, or the flow's attempt is over."""

    token: int
    run: int
    error: ErrorInfo


Command = Start | Stop | Prepare | Accepted | Refused


def run_of(command: Command) -> int:
    """The run that a command is about."""
    if isinstance(command, Start):
        return command.attempt.id[0]
    return command.id[0] if isinstance(command, Stop) else command.run
