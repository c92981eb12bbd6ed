"""What the core decided, as durable facts: the rows of the event log.

A step's changes are committed in one transaction before anything acts on them. The log is the truth: the
state rows are its fold (invariant I6), which ``fold.py`` computes and ``weft verify`` compares.
"""

from enum import StrEnum
from typing import Any

import msgspec

from weft.model.attempts import Published
from weft.model.errors import ErrorInfo
from weft.model.graph import Node
from weft.model.inputs import Input
from weft.model.states import RunState, TaskState
from weft.model.values import Result
from weft.model.waits import Wait


class Cause(StrEnum):
    """Why a change happened: the word that ``why`` and ``story`` explain."""

    SUBMITTED = "submitted"
    CALLED = "called"
    UPSTREAM = "upstream"
    RULE = "rule"
    CONDITION = "condition"
    BRANCH = "branch"
    CAPACITY = "capacity"
    STARTED = "started"
    RETURNED = "returned"
    RAISED = "raised"
    RETRY = "retry"
    RETRY_DUE = "retry_due"
    NOT_RETRIED = "not_retried"
    TIMEOUT = "timeout"
    QUEUE_TIMEOUT = "queue_timeout"
    WORKER_DIED = "worker_died"
    ENGINE_DIED = "engine_died"
    WAITS = "waits"
    DUE = "due"
    EVENT = "event"
    ANSWER = "answer"
    CACHE_HIT = "cache_hit"
    SATISFIED = "satisfied"
    CHILDREN = "children"
    ITEMS = "items"
    EMPTY = "empty"
    PREPARE = "prepare"
    FAIL_FAST = "fail_fast"
    SCOPE_ENDED = "scope_ended"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    RESUMED = "resumed"
    INTERRUPTED = "interrupted"
    CLEARED = "cleared"
    MARKED = "marked"
    RECOVERED = "recovered"


class RunAdded(msgspec.Struct, frozen=True, omit_defaults=True, tag="run_added"):
    """A run was accepted; it now can no longer be lost (I1).

    ``graph`` is the digest of its workflow version's graph; ``key`` makes submission idempotent. Engines
    that serve ``queue`` may take the run over; one with "" is gone on with only by who asks for it.
    """

    run: int
    uid: str
    workflow: str
    graph: str
    at: float
    dialect: str = "native"
    params: dict[str, Result] = {}
    tags: tuple[str, ...] = ()
    project: str = ""
    key: str | None = None
    parent_run: str = ""
    parent_task: int = -1
    facts: dict[str, Any] = {}
    queue: str = ""


class RunChanged(msgspec.Struct, frozen=True, omit_defaults=True, tag="run"):
    """A run moved to ``state``."""

    run: int
    state: RunState
    at: float
    cause: Cause
    result: Result | None = None
    error: ErrorInfo | None = None


class NodeAdded(msgspec.Struct, frozen=True, tag="node"):
    """A flow called a task whose node this run had not met; ``digest`` is what its task runs name."""

    run: int
    digest: str
    node: Node


class TaskAdded(msgspec.Struct, frozen=True, omit_defaults=True, tag="task_added"):
    """A task run's identity, recorded once, when its row is first needed.

    Attributes:
        run, idx: Its id.
        key: Its key, unique in the run.
        name: Its task's name.
        kind: ``root``, ``node`` (of a group), ``item`` (of a map), ``call`` (by a flow) or ``hook``.
        node: For a call or hook: the node's digest. For a node of a group: its key there. Else "".
        parent: The task run that holds it (group, map or flow); -1 for the root.
        map_index: Of an item.
        ordinal: Of a call: its place in the flow's journal; -1 for calls with an explicit key.
        fingerprint: Of a call: digest of its arguments, compared when the flow is replayed.
        inputs: Of a call: where its inputs come from.
    """

    run: int
    idx: int
    key: str
    name: str
    at: float
    kind: str = "node"
    node: str = ""
    parent: int = -1
    map_index: int = -1
    ordinal: int = -1
    fingerprint: str = ""
    inputs: dict[str, Input] = {}


class TaskRemade(msgspec.Struct, frozen=True, omit_defaults=True, tag="task_remade"):
    """A cleared call was made again with another node, other arguments or at another place.

    Its fields replace those of ``TaskAdded``; a call that is made again just as it was needs none of this.
    """

    run: int
    idx: int
    name: str
    at: float
    node: str
    ordinal: int = -1
    fingerprint: str = ""
    inputs: dict[str, Input] = {}


class TaskChanged(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag="task"):
    """A task run moved to ``state``.

    Attributes:
        run, idx: The task run.
        state: Its new state.
        attempt: The attempt that this is about; grows for ever (I8).
        at: When, Unix seconds.
        cause: Why.
        by: Index of the task run whose change led to this one; -1 for none.
        generation: Grows when a person clears the task run (I10).
        failures: Attempts so far that count for the retry limit.
        result: Of a success.
        error: Of a failure.
        due_at: When a timer moves it on (a retry, a timer wait, a poke).
        wait: What it waits for.
        worker, started_at, cpu_s, rss_peak, log_size: Of the attempt that ended.
        chosen: Keys that a branch follows.
        detail: More for people: a cache record's origin, a skipped condition.
    """

    run: int
    idx: int
    state: TaskState
    attempt: int
    at: float
    cause: Cause
    by: int = -1
    generation: int = 0
    failures: int = 0
    result: Result | None = None
    error: ErrorInfo | None = None
    due_at: float | None = None
    wait: Wait | None = None
    worker: str = ""
    started_at: float | None = None
    cpu_s: float = 0.0
    rss_peak: int = 0
    log_size: int = 0
    chosen: tuple[str, ...] | None = None
    detail: str = ""


class MapExpanded(msgspec.Struct, frozen=True, omit_defaults=True, tag="map"):
    """A map's items are known: ``count`` of them, with indexes ``base`` to ``base + count - 1`` in the run.

    ``items`` is a serialised list of the items' serialised values, so that item i is item i for ever; rows
    for the items come only as they start.
    """

    run: int
    idx: int
    at: float
    base: int
    count: int
    items: Result
    generation: int = 0


class Signalled(msgspec.Struct, frozen=True, omit_defaults=True, tag="signal"):
    """An event was sent to a run; it is kept until a wait consumes it (``consumer`` then names the task)."""

    run: int
    name: str
    at: float
    payload: Result
    signal_id: str
    consumer: int = -1


class Cached(msgspec.Struct, frozen=True, omit_defaults=True, tag="cached"):
    """A result may stand in for running whatever has the same key, until ``expires_at``."""

    run: int
    idx: int
    key: str
    result: Result
    at: float
    expires_at: float | None = None


class Showed(msgspec.Struct, frozen=True, tag="showed"):
    """A task run published something for people."""

    run: int
    idx: int
    attempt: int
    at: float
    published: Published


Change = (
    RunAdded
    | RunChanged
    | NodeAdded
    | TaskAdded
    | TaskRemade
    | TaskChanged
    | MapExpanded
    | Signalled
    | Cached
    | Showed
)
