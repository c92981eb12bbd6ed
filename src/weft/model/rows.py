"""State rows: what the store holds of a run and of its task runs, and what the core restores a run from."""

from typing import Any

import msgspec

from weft.model.errors import ErrorInfo
from weft.model.graph import Graph, Node
from weft.model.inputs import Input
from weft.model.states import RunState, TaskState
from weft.model.values import Result
from weft.model.waits import Wait


class RunRow(msgspec.Struct, kw_only=True):
    """A run as stored. Times are Unix seconds."""

    run: int
    uid: str
    workflow: str
    dialect: str
    graph: str
    version: int
    state: RunState
    params: dict[str, Result]
    tags: tuple[str, ...]
    project: str
    key: str | None
    parent_run: str
    parent_task: int
    facts: dict[str, Any]
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    result: Result | None = None
    error: ErrorInfo | None = None
    owner: int = 0
    epoch: int = 0
    queue: str = ""


class TaskRow(msgspec.Struct, kw_only=True):
    """A task run as stored: its identity (``TaskAdded``) and its latest ``TaskChanged``.

    ``started_at`` is the start of its latest attempt; ``first_at`` when its row was made; ``ended_at`` when
    it last became terminal.
    """

    run: int
    idx: int
    key: str
    name: str
    kind: str
    node: str
    parent: int
    map_index: int
    ordinal: int
    fingerprint: str
    inputs: dict[str, Input]
    state: TaskState
    attempt: int
    generation: int
    failures: int
    cause: str
    by: int
    first_at: float
    changed_at: float
    started_at: float | None = None
    ended_at: float | None = None
    due_at: float | None = None
    result: Result | None = None
    error: ErrorInfo | None = None
    wait: Wait | None = None
    worker: str = ""
    chosen: tuple[str, ...] | None = None


class MapRow(msgspec.Struct, kw_only=True):
    """An expanded map: see ``core.changes.MapExpanded``."""

    run: int
    idx: int
    at: float
    base: int
    count: int
    items: Result
    generation: int = 0


class SignalRow(msgspec.Struct, kw_only=True):
    """An event sent to a run: see ``core.changes.Signalled``."""

    run: int
    name: str
    at: float
    payload: Result
    signal_id: str
    consumer: int = -1


class Snapshot(msgspec.Struct, kw_only=True):
    """All that an engine needs to go on with a run."""

    run: RunRow
    graph: Graph
    nodes: dict[str, Node]
    tasks: list[TaskRow]
    maps: list[MapRow]
    signals: list[SignalRow]
