"""What has to be known of runs and task runs to judge their events, read once and remembered for a while."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from weft.core.changes import (
    Change,
    NodeAdded,
    RunAdded,
    RunChanged,
    Showed,
    Signalled,
    TaskAdded,
    TaskChanged,
)
from weft.model.deliveries import Occasion
from weft.model.errors import ErrorInfo, NotFound
from weft.model.graph import MAIN, Graph
from weft.model.rows import RunRow, TaskRow
from weft.store.protocol import EventRow, Reader

CHAIN = "automation_chain"
"""The fact of a run that says how many automations led to it, one through the next."""

REMEMBERED = 20_000
"""Runs, and task runs, of which facts are kept in memory."""

TRACEBACK_MAX = 4000
"""Characters of a traceback that travel with a delivery: its end, where the cause is."""

K = TypeVar("K")
V = TypeVar("V")


class RunFacts(msgspec.Struct, frozen=True):
    """What never changes about a run."""

    uid: str
    workflow: str
    tags: tuple[str, ...]
    graph: str
    created_at: float


class Facts:
    """See the module.

    Args:
        store: Where they are read.
    """

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._runs: OrderedDict[int, RunFacts | None] = OrderedDict()
        self._names: OrderedDict[tuple[int, int], tuple[str, str]] = OrderedDict()
        self._deadlines: OrderedDict[str, tuple[float | None, dict[str, float]]] = OrderedDict()
        self._node_deadlines: OrderedDict[str, float | None] = OrderedDict()

    def learn(self, change: Change) -> None:
        """Remember what a change says, so that it need not be read."""
        if isinstance(change, RunAdded):
            run = RunFacts(change.uid, change.workflow, change.tags, change.graph, change.at)
            _remember(self._runs, change.run, run)
        elif isinstance(change, TaskAdded):
            _remember(self._names, (change.run, change.idx), (change.key, change.name))
        elif isinstance(change, NodeAdded):
            _remember(self._node_deadlines, change.digest, change.node.deadline_s)

    def run(self, run: int) -> RunFacts | None:
        """A run's facts; ``None`` if it was deleted."""

        def read() -> RunFacts | None:
            try:
                row = self._store.run_by_id(run)
            except NotFound:
                return None
            return RunFacts(row.uid, row.workflow, row.tags, row.graph, row.created_at)

        return _recall(self._runs, run, read)

    def names(self, run: int, idx: int) -> tuple[str, str]:
        """A task run's key and its task's name; empty if it was deleted."""

        def read() -> tuple[str, str]:
            try:
                row = self._store.task(run, idx)
            except NotFound:
                return "", ""
            return row.key, row.name

        return _recall(self._names, (run, idx), read)

    def deadlines(self, digest: str) -> tuple[float | None, dict[str, float]]:
        """A graph's deadline, and those of its tasks by key, in seconds from the run's start."""

        def read() -> tuple[float | None, dict[str, float]]:
            try:
                return _deadlines(self._store.graph(digest))
            except NotFound:
                return None, {}

        return _recall(self._deadlines, digest, read)

    def node_deadline(self, run: int, digest: str) -> float | None:
        """The deadline of a task that a flow called."""

        def read() -> float | None:
            node = self._store.nodes(run).get(digest)
            return None if node is None else node.deadline_s

        return _recall(self._node_deadlines, digest, read)


def occasion_of_run(row: RunRow, what: str, *, at: float, seq: int = 0) -> Occasion:
    """An occasion that is about a run as it is now."""
    chain = row.facts.get(CHAIN, 0)
    return Occasion(
        what=what,
        at=at,
        seq=seq,
        workflow=row.workflow,
        run=row.uid,
        run_id=row.run,
        state=str(row.state),
        tags=row.tags,
        project=row.project,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=_short(row.error),
        chain=chain if isinstance(chain, int) else 0,
    )


def with_task(occasion: Occasion, row: TaskRow) -> Occasion:
    """The same, about one of the run's task runs as it is now."""
    return replace(
        occasion,
        task=row.key,
        task_name=row.name,
        idx=row.idx,
        attempt=row.attempt,
        task_state=str(row.state),
        task_started_at=row.started_at,
        error=_short(row.error),
    )


def occasion_of_event(store: Reader, event: EventRow, value: float | str | None = None) -> Occasion | None:
    """What a committed change amounts to; ``None`` if its run was deleted since."""
    try:
        row = store.run_by_id(event.run)
        task = store.task(event.run, event.idx) if event.idx >= 0 else None
    except NotFound:
        return None
    change = event.change
    occasion = occasion_of_run(row, "", at=event.at, seq=event.seq)
    if isinstance(change, RunAdded):
        # The row may be ahead of the event that is told about.
        occasion = replace(
            occasion, state="scheduled", started_at=None, ended_at=None, error=None, what="run accepted"
        )
    elif isinstance(change, RunChanged):
        occasion = replace(
            occasion,
            state=str(change.state),
            ended_at=change.at if change.state.terminal else None,
            error=_short(change.error),
            what=f"run {change.state}",
        )
    if task is not None:
        occasion = with_task(occasion, task)
        if isinstance(change, TaskChanged):
            occasion = replace(
                occasion,
                attempt=change.attempt,
                task_state=str(change.state),
                task_started_at=change.started_at,
                error=_short(change.error),
                what=f"task {task.key} {change.state}",
            )
        elif isinstance(change, Showed):
            shown = change.published.title or change.published.key
            occasion = replace(
                occasion, value=change.published.key, what=f"task {task.key} published {shown}"
            )
    if isinstance(change, Signalled):
        occasion = replace(occasion, value=change.name, what=f"event {change.name} received")
    if not occasion.what:
        kind: Any = change.__struct_config__.tag
        occasion = replace(occasion, what=f"{kind} in the log")
    return occasion if value is None else replace(occasion, value=value)


def _deadlines(graph: Graph) -> tuple[float | None, dict[str, float]]:
    own = [each for each in (graph.deadline_s, graph.root.deadline_s) if each is not None]
    main = graph.groups.get(MAIN)
    nodes = () if main is None else main.nodes
    return min(own, default=None), {
        node.key: node.deadline_s for node in nodes if node.deadline_s is not None
    }


def _short(error: ErrorInfo | None) -> ErrorInfo | None:
    if error is None:
        return None
    return ErrorInfo(
        error.type, error.message, error.code, error.traceback[-TRACEBACK_MAX:], exit_code=error.exit_code
    )


def _recall(memory: OrderedDict[K, V], key: K, read: Callable[[], V]) -> V:
    try:
        memory.move_to_end(key)
        return memory[key]
    except KeyError:
        value = read()
        _remember(memory, key, value)
        return value


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
