"""What may happen to the core, besides the executors' reports (``model.attempts.Report``).

Everything that the core knows of the outside comes in as one of these: it has no clock, no files and no
randomness of its own.
"""

import msgspec

from weft.core.changes import Cause, RunAdded
from weft.model.attempts import Ended, Shown, Started
from weft.model.errors import ErrorInfo
from weft.model.graph import Graph, Node
from weft.model.inputs import Input
from weft.model.rows import Snapshot
from weft.model.states import RunState, TaskState
from weft.model.values import Bound, Result


class Submitted(msgspec.Struct, frozen=True):
    """Somebody wants a run. ``inline`` gives the root's attempt to the submitter's own thread."""

    added: RunAdded
    graph: Graph
    epoch: int
    inline: bool = False


class Restored(msgspec.Struct, frozen=True):
    """A run was loaded from the store after a crash, a pause or a clear.

    Attributes:
        snapshot: Its rows.
        epoch: The fencing epoch under which this engine owns it now.
        items: Of each expanded map, by index, the items read back from its ``items``.
        alive: Attempts that an executor still carries out.
        resume: Whether a paused run goes on.
        inline: Whether the root's attempt goes to the thread that asked.
    """

    snapshot: Snapshot
    epoch: int
    items: dict[int, tuple[Result, ...]] = {}
    alive: frozenset[tuple[int, int, int]] = frozenset()
    resume: bool = True
    inline: bool = False


class Dropped(msgspec.Struct, frozen=True):
    """Another engine owns the run now: forget it, and let others have the slots that it held here."""

    run: int


class Called(msgspec.Struct, frozen=True):
    """A flow called a task, a flow, a dag, a wait, or marked a value.

    Attributes:
        run, parent, attempt: The flow's task run and the attempt of it that calls; a stale one is refused.
        token: Chosen by the caller; comes back in the answer.
        key: The step's key under its parent; unique there.
        ordinal: Its place in the parent's journal; -1 with an explicit key.
        node, digest: What is called. The same node always has the same digest.
        fingerprint: Digest of the arguments.
        inputs: The arguments.
        items, items_ref: Of a ``.map``: the items, and the same as one stored value.
        graph: Of a ``@dag`` called as a task: its groups, added to the run's.
        result: Of a mark: the value to record.
        inline: Whether the caller's thread can carry out the attempt itself.
    """

    run: int
    parent: int
    attempt: int
    token: int
    key: str
    ordinal: int
    node: Node
    digest: str
    fingerprint: str
    inputs: dict[str, Input]
    items: tuple[Result, ...] | None = None
    items_ref: Result | None = None
    result: Result | None = None
    inline: bool = False


class Prepared(msgspec.Struct, frozen=True):
    """The answer to a ``Prepare``: what could be known only by looking into values.

    Attributes:
        run, idx, generation: The task run, as asked.
        skip: Whether its condition was false; ``reason`` says which.
        error: Why it cannot start.
        items, items_ref: What a map expands to.
        cache_key: Under which its result will be kept.
        cached: An earlier result that stands in; ``origin`` says whose.
        inputs: Inputs whose expressions were evaluated.
    """

    run: int
    idx: int
    generation: int
    skip: bool = False
    reason: str = ""
    error: ErrorInfo | None = None
    items: tuple[Result, ...] | None = None
    items_ref: Result | None = None
    cache_key: str = ""
    cached: Result | None = None
    origin: str = ""
    inputs: dict[str, Bound] | None = None


class Sent(msgspec.Struct, frozen=True):
    """An event called ``name`` was sent to a run. A second one with the same ``signal_id`` is ignored."""

    run: int
    name: str
    payload: Result
    signal_id: str


class Answered(msgspec.Struct, frozen=True):
    """A person answered an approval; ``result`` is the decision as a value."""

    run: int
    idx: int
    result: Result
    by: str = ""


class CancelRun(msgspec.Struct, frozen=True):
    """Stop a run. Teardowns and exit handlers still run, unless ``force``."""

    run: int
    force: bool = False
    reason: str = ""


class CancelTask(msgspec.Struct, frozen=True):
    """Stop one task run and what it holds."""

    run: int
    idx: int


class PauseRun(msgspec.Struct, frozen=True):
    """Start nothing new in a run. ``interrupt`` also gives back attempts that run inside this process."""

    run: int
    cause: Cause = Cause.PAUSED


class ResumeRun(msgspec.Struct, frozen=True):
    """Let a paused run go on."""

    run: int


class Mark(msgspec.Struct, frozen=True):
    """A person says how a task run ended; an attempt that still runs is cancelled."""

    run: int
    idx: int
    state: TaskState
    result: Result | None = None


class CapacityChanged(msgspec.Struct, frozen=True):
    """An executor takes up to ``limit`` attempts at once from now on."""

    executor: str
    limit: int


class PoolChanged(msgspec.Struct, frozen=True):
    """A pool has ``slots`` from now on."""

    pool: str
    slots: int


class ShareChanged(msgspec.Struct, frozen=True):
    """Of a limit that engines share, this one may use ``slots`` from now on."""

    key: str
    slots: int


class Tick(msgspec.Struct, frozen=True):
    """Time passed: timers that are due fire."""


Event = (
    Submitted
    | Restored
    | Dropped
    | Called
    | Prepared
    | Sent
    | Answered
    | CancelRun
    | CancelTask
    | PauseRun
    | ResumeRun
    | Mark
    | CapacityChanged
    | PoolChanged
    | ShareChanged
    | Tick
    | Started
    | Shown
    | Ended
)

RUN_ENDS = {
    TaskState.SUCCEEDED: RunState.SUCCEEDED,
    TaskState.CACHED: RunState.SUCCEEDED,
    TaskState.SKIPPED: RunState.SUCCEEDED,
    TaskState.FAILED: RunState.FAILED,
    TaskState.UPSTREAM_FAILED: RunState.FAILED,
    TaskState.CANCELLED: RunState.CANCELLED,
}
"""How a run ends when its root ends."""
