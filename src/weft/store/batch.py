"""The plan of one commit: what its changes come to, as rows to write and blocks to append.

This is the hot path of every task run, so it is one loop over the changes. A task row is written once for a
commit however often it changed in it: added and changed is one INSERT, changed twice is one UPDATE. The
meaning is ``core/fold.py``'s; the conformance suite holds the two equal.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import astuple

from weft.core.changes import Change, TaskAdded, TaskChanged
from weft.model.errors import ErrorInfo, InvariantViolation
from weft.model.states import TERMINAL, TaskState
from weft.store.event_log import ADDED, CHANGED, Packed, pack_other

Bindings = tuple[Any, ...]

encode = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder().encode


class Batch:
    """What one commit writes.

    Attributes:
        blocks: The events of each run, in the order in which the runs first appear.
        added: Bindings of ``add_task``.
        changed: Bindings of ``change_task``.
        others: Every other change with its place in its run's block, in the order of the blocks: of what runs
            have in common (the cache) the log's last word counts.
    """

    __slots__ = ("added", "blocks", "changed", "others")

    def __init__(self) -> None:
        self.blocks: dict[int, list[Packed]] = {}
        self.added: list[Bindings] = []
        self.changed: list[Bindings] = []
        self.others: list[tuple[int, Change]] = []


def plan(changes: Iterable[Change]) -> Batch:
    """Coalesce the changes of one commit.

    Raises:
        InvariantViolation: A task run is added twice, or changed before it is added.
    """
    batch = Batch()
    blocks = batch.blocks
    identities: dict[int, Bindings] = {}
    latest: dict[int, Bindings] = {}
    starts: dict[int, float | None] = {}
    running = TaskState.RUNNING
    for change in changes:
        run = change.run
        block = blocks.get(run)
        if block is None:
            block = blocks[run] = []
        kind = type(change)
        if kind is TaskChanged:
            values = astuple(change)
            task = run << 32 | values[1]
            before = latest.get(task)
            start = values[14]
            if start is None and values[2] is running:
                start = values[4]
            if start is not None:
                starts[task] = start
            elif before is not None and before[3] != values[3]:
                starts[task] = None
            latest[task] = values
            block.append((CHANGED, *values[1:9], *values[10:]))
        elif kind is TaskAdded:
            values = astuple(change)
            task = run << 32 | values[1]
            if task in identities or task in latest:
                raise InvariantViolation(
                    "a task run was added twice, or changed before it was added",
                    where=f"run {run}, task run {values[1]}",
                )
            identities[task] = values
            block.append((ADDED, *values[1:]))
        else:
            batch.others.append((len(block), change))
            block.append(pack_other(change))
    if len(blocks) > 1:
        order = {run: place for place, run in enumerate(blocks)}
        batch.others.sort(key=lambda each: order[each[1].run])
    _bind(batch, identities, latest, starts)
    return batch


def _bind(
    batch: Batch,
    identities: dict[int, Bindings],
    latest: dict[int, Bindings],
    starts: dict[int, float | None],
) -> None:
    """Turn the latest of each task run into bindings, in the order of the statements' holes."""
    for task, identity in identities.items():
        run, idx, key, name, first_at, kind, node, parent, map_index, ordinal, fingerprint, inputs = identity
        given = encode(inputs) if inputs else None
        fixed = (parent, map_index, ordinal, key, name, kind, node)
        values = latest.pop(task, None)
        if values is None:
            new = (TaskState.PENDING, 0, 0, 0, "", -1, first_at, first_at, None, None, None)
            batch.added.append((run, idx, *new, *fixed, "", fingerprint, None, None, given, None, None))
            continue
        machine, times, (chosen, wait, result, error) = _columns(values)
        at, ended_at, due_at = times
        moments = (first_at, at, starts.get(task), ended_at, due_at)
        ends = (values[13], fingerprint, chosen, wait, given, result, error)
        batch.added.append((run, idx, *machine, *moments, *fixed, *ends))
    for task, values in latest.items():
        machine, (at, ended_at, due_at), blobs = _columns(values)
        moments = (at, task in starts, starts.get(task), ended_at, due_at)
        batch.changed.append((*machine, *moments, values[13], *blobs, values[0], values[1]))


def _columns(values: Bindings) -> tuple[Bindings, Bindings, Bindings]:
    """Of a ``TaskChanged``: state to ``by``; changed, ended and due; chosen, wait, result and error."""
    _, _, state, attempt, at, cause, by, generation, failures, result, error, due_at, wait, *_ = values
    chosen = values[18]
    return (
        (state, attempt, generation, failures, cause, by),
        (at, at if state in TERMINAL else None, due_at),
        (
            None if chosen is None else encode(chosen),
            None if wait is None else encode(wait),
            None if result is None else encode(result),
            None if error is None else error_json(error),
        ),
    )


def error_json(error: ErrorInfo) -> str:
    """An error as the store keeps it: JSON, so that queries can look into it."""
    return _encode_json(error).decode()
