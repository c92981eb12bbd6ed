"""The fold of the event log to state rows: what every store must hold (invariant I6).

Rules:

1. A row is its identity (``RunAdded``, ``TaskAdded``) overlaid by its latest change: each ``RunChanged`` and
   ``TaskChanged`` gives every field it has a column for, so no field outlives the state that it belonged to.
2. Only the times remember more than the latest change. A run's ``started_at`` is when it first ran. A task
   run's ``started_at`` is when its latest attempt started, so another attempt clears it. ``ended_at`` is set
   while the state is terminal and only then.
3. A later ``MapExpanded``, ``Signalled``, ``Cached`` or ``Showed`` of the same identity replaces the earlier.
4. ``TaskRemade`` replaces the identity of a call that was cleared; nothing else alters an identity.
5. A change of something that was never added is a broken log, not a case to be tolerant about.

The log holds no ``result`` (its bytes stay in the state row), so a fold of the log has none either. Owner,
epoch and the graph's version number are the lease's and the graph's facts, not the log's: the fold leaves
them at their defaults unless the caller knows them. So is the queue, once a run was put
into another. Rows share the mappings of the changes they came from.
"""

from collections.abc import Iterable

import msgspec

from weft.core.changes import (
    Cached,
    Change,
    MapExpanded,
    NodeAdded,
    RunAdded,
    RunChanged,
    Showed,
    Signalled,
    TaskAdded,
    TaskChanged,
    TaskRemade,
)
from weft.model.errors import InvariantViolation
from weft.model.graph import Node
from weft.model.rows import MapRow, RunRow, SignalRow, TaskRow
from weft.model.states import RUN_TERMINAL, TERMINAL, RunState, TaskState


class Folded(msgspec.Struct, kw_only=True):
    """The state that a log amounts to.

    Attributes:
        runs: By run.
        tasks: By run and index.
        maps: The latest generation, by run and index.
        signals: By run and signal id, in the order they first came.
        nodes: By run and digest.
        cached: The latest record of each key.
        shown: The latest of each run, index and key, in the order they first came.
    """

    runs: dict[int, RunRow] = {}
    tasks: dict[tuple[int, int], TaskRow] = {}
    maps: dict[tuple[int, int], MapRow] = {}
    signals: dict[tuple[int, str], SignalRow] = {}
    nodes: dict[tuple[int, str], Node] = {}
    cached: dict[str, Cached] = {}
    shown: dict[tuple[int, int, str], Showed] = {}


def fold(changes: Iterable[Change]) -> Folded:
    """Apply the changes of a log, in order, to nothing."""
    state = Folded()
    for change in changes:
        apply(state, change)
    return state


def apply(state: Folded, change: Change) -> None:
    """Apply one change in place.

    Raises:
        InvariantViolation: It adds what is there, or changes what is not; then nothing was changed.
    """
    if isinstance(change, TaskChanged):
        change_task(_task(state, change.run, change.idx, "changed"), change)
    elif isinstance(change, TaskAdded):
        if (change.run, change.idx) in state.tasks:
            raise _broken("a task run was added twice", change.run, change.idx)
        _run(state, change.run)
        state.tasks[change.run, change.idx] = add_task(change)
    elif isinstance(change, RunAdded):
        if change.run in state.runs:
            raise _broken("a run was added twice", change.run)
        state.runs[change.run] = add_run(change)
    elif isinstance(change, RunChanged):
        change_run(_run(state, change.run), change)
    elif isinstance(change, TaskRemade):
        remake_task(_task(state, change.run, change.idx, "made again"), change)
    else:
        _run(state, change.run)
        _apply_record(state, change)


def _apply_record(state: Folded, change: NodeAdded | MapExpanded | Signalled | Cached | Showed) -> None:
    """Put the latest of each identity in its place."""
    run = change.run
    if isinstance(change, NodeAdded):
        state.nodes.setdefault((run, change.digest), change.node)
    elif isinstance(change, MapExpanded):
        state.maps[run, change.idx] = add_map(change)
    elif isinstance(change, Signalled):
        state.signals[run, change.signal_id] = add_signal(change)
    elif isinstance(change, Cached):
        state.cached[change.key] = change
    else:
        state.shown[run, change.idx, change.published.key] = change


def add_run(change: RunAdded) -> RunRow:
    """The row of a run that was just accepted."""
    return RunRow(
        run=change.run,
        uid=change.uid,
        workflow=change.workflow,
        dialect=change.dialect,
        graph=change.graph,
        version=0,
        state=RunState.SCHEDULED,
        params=change.params,
        tags=change.tags,
        project=change.project,
        key=change.key,
        parent_run=change.parent_run,
        parent_task=change.parent_task,
        facts=change.facts,
        queue=change.queue,
        created_at=change.at,
    )


def change_run(row: RunRow, change: RunChanged) -> None:
    """Overlay a run's row with its latest change, in place."""
    row.state = change.state
    if change.state is RunState.RUNNING and row.started_at is None:
        row.started_at = change.at
    row.ended_at = change.at if change.state in RUN_TERMINAL else None
    row.result = change.result
    row.error = change.error


def add_task(change: TaskAdded) -> TaskRow:
    """The row of a task run that nothing has happened to yet."""
    return TaskRow(
        run=change.run,
        idx=change.idx,
        key=change.key,
        name=change.name,
        kind=change.kind,
        node=change.node,
        parent=change.parent,
        map_index=change.map_index,
        ordinal=change.ordinal,
        fingerprint=change.fingerprint,
        inputs=change.inputs,
        state=TaskState.PENDING,
        attempt=0,
        generation=0,
        failures=0,
        cause="",
        by=-1,
        first_at=change.at,
        changed_at=change.at,
    )


def remake_task(row: TaskRow, change: TaskRemade) -> None:
    """Give a call's row the identity under which it was made again, in place."""
    row.name = change.name
    row.node = change.node
    row.ordinal = change.ordinal
    row.fingerprint = change.fingerprint
    row.inputs = change.inputs


def change_task(row: TaskRow, change: TaskChanged) -> None:
    """Overlay a task run's row with its latest change, in place."""
    started_at = change.started_at
    if started_at is None and change.state is TaskState.RUNNING:
        started_at = change.at
    if started_at is not None:
        row.started_at = started_at
    elif change.attempt != row.attempt:
        row.started_at = None
    row.state = change.state
    row.attempt = change.attempt
    row.generation = change.generation
    row.failures = change.failures
    row.cause = change.cause.value
    row.by = change.by
    row.changed_at = change.at
    row.ended_at = change.at if change.state in TERMINAL else None
    row.due_at = change.due_at
    row.result = change.result
    row.error = change.error
    row.wait = change.wait
    row.worker = change.worker
    row.chosen = change.chosen


def add_map(change: MapExpanded) -> MapRow:
    """The row of an expanded map."""
    return MapRow(
        run=change.run,
        idx=change.idx,
        at=change.at,
        base=change.base,
        count=change.count,
        items=change.items,
        generation=change.generation,
    )


def add_signal(change: Signalled) -> SignalRow:
    """The row of an event that was sent to a run."""
    return SignalRow(
        run=change.run,
        name=change.name,
        at=change.at,
        payload=change.payload,
        signal_id=change.signal_id,
        consumer=change.consumer,
    )


def _run(state: Folded, run: int) -> RunRow:
    row = state.runs.get(run)
    if row is None:
        raise _broken("a change of a run that was never added", run)
    return row


def _task(state: Folded, run: int, idx: int, verb: str) -> TaskRow:
    row = state.tasks.get((run, idx))
    if row is None:
        raise _broken(f"a task run was {verb} that was never added", run, idx)
    return row


def _broken(what: str, run: int, idx: int = -1) -> InvariantViolation:
    where = f"run {run}" if idx < 0 else f"run {run}, task run {idx}"
    return InvariantViolation(what, where=where, run=run, idx=idx)
