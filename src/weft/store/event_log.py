"""How the event log is written: in blocks, one for each run that a commit touches.

Rules, the same in every store:

1. A block holds a run's changes of one commit, in order, as one msgpack array. Within a commit the runs
   follow each other in the order in which they first appear, so a run's events are contiguous and the same
   batch gives the same log everywhere.
2. A block is known by the ``seq`` of its last change; the others count back from it. ``lowest`` and
   ``highest`` index of its changes let a reader of one task run skip it unopened.
3. The bytes of a ``result`` are left out: they stay in the state row. A ``Cached`` keeps its reference.
4. Layouts are for ever. ``TaskChanged`` and ``TaskAdded``, nearly all of any log, are written as plain
   arrays by position; a field added to them gets a new tag, and the old tags stay readable.

Why blocks: a row a change cost half as much again in CPU and twice the pages; readers want ranges anyway.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from weft.core.changes import (
    Cached,
    Cause,
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
from weft.model.errors import ErrorInfo
from weft.model.inputs import Input
from weft.model.states import TaskState
from weft.model.values import Result
from weft.model.waits import Wait
from weft.store.protocol import EventRow

CHANGED, ADDED, OTHER = 1, 2, 3
"""Tags of the layouts."""

EMPTY = b"\x90"
"""A block without changes: it only keeps the newest ``seq`` when the run that had it is deleted."""

Packed = tuple[Any, ...]
"""A change as it is encoded: tag, index, and the rest by position."""


class _Changed(msgspec.Struct, frozen=True, array_like=True, tag=CHANGED):
    """``TaskChanged`` without its run and result."""

    idx: int
    state: TaskState
    attempt: int
    at: float
    cause: Cause
    by: int
    generation: int
    failures: int
    error: ErrorInfo | None
    due_at: float | None
    wait: Wait | None
    worker: str
    started_at: float | None
    cpu_s: float
    rss_peak: int
    log_size: int
    chosen: tuple[str, ...] | None
    detail: str


class _Added(msgspec.Struct, frozen=True, array_like=True, tag=ADDED):
    """``TaskAdded`` without its run."""

    idx: int
    key: str
    name: str
    at: float
    kind: str
    node: str
    parent: int
    map_index: int
    ordinal: int
    fingerprint: str
    inputs: dict[str, Input]


class _Other(msgspec.Struct, frozen=True, array_like=True, tag=OTHER):
    """Any other change, whole."""

    idx: int
    change: RunAdded | RunChanged | NodeAdded | TaskRemade | MapExpanded | Signalled | Cached | Showed


encode_block = msgspec.msgpack.Encoder().encode
"""From a list of ``Packed`` to a block's bytes."""

_decode_block = msgspec.msgpack.Decoder(list[_Changed | _Added | _Other]).decode


def pack(change: Change) -> Packed:
    """A change as it is encoded. ``store/batch.py`` does the same for the two hot kinds in its own loop."""
    if isinstance(change, TaskChanged):
        values = astuple(change)
        return (CHANGED, *values[1:9], *values[10:])
    if isinstance(change, TaskAdded):
        return (ADDED, *astuple(change)[1:])
    return pack_other(change)


def pack_other(change: Change) -> Packed:
    """A change that is not of the two hot kinds as it is encoded."""
    idx = -1
    if isinstance(change, RunChanged):
        if change.result is not None:
            change = replace(change, result=None)
    elif isinstance(change, Cached):
        idx = change.idx
        result = change.result
        change = replace(change, result=Result(result.format, None, result.digest, result.size))
    elif isinstance(change, MapExpanded | Showed | TaskRemade):
        idx = change.idx
    return (OTHER, idx, change)


def bounds(block: Sequence[Packed]) -> tuple[int, int]:
    """The lowest and highest index in a block that is not empty."""
    indexes = [packed[1] for packed in block]
    return min(indexes), max(indexes)


def unpack(
    blocks: Iterable[tuple[int, int, bytes]], *, after: int, limit: int, idx: int | None = None
) -> list[EventRow]:
    """The events of blocks (``seq`` of the last, run, body), up to ``limit`` of those after ``after``.

    ``idx`` picks one task run's. Stops asking for blocks when it has enough.
    """
    found: list[EventRow] = []
    if limit <= 0:
        return found
    for last, run, body in blocks:
        events = _decode_block(body)
        seq = last - len(events)
        for event in events:
            seq += 1
            if seq <= after or (idx is not None and event.idx != idx):
                continue
            change = _change(run, event)
            # A node has no time of its own: it came with the call that follows it in the block.
            at = _block_time(events) if isinstance(change, NodeAdded) else change.at
            found.append(EventRow(seq=seq, run=run, idx=event.idx, at=at, change=change))
            if len(found) == limit:
                return found
    return found


def _block_time(events: Iterable[_Changed | _Added | _Other]) -> float:
    """The first time that a block tells; 0 if none does."""
    for event in events:
        if not isinstance(event, _Other):
            return event.at
        if not isinstance(event.change, NodeAdded):
            return event.change.at
    return 0.0


def _change(run: int, event: _Changed | _Added | _Other) -> Change:
    """The change that an encoded one stands for."""
    if isinstance(event, _Changed):
        idx, state, attempt, at, cause, by, generation, failures, *rest = astuple(event)
        return TaskChanged(run, idx, state, attempt, at, cause, by, generation, failures, None, *rest)
    if isinstance(event, _Added):
        return TaskAdded(run, *astuple(event))
    return event.change
