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
        others: Every other change with its place in its run's block, in order.
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
    _bind(batch, identities, latest, starts)
    return batch


def _bind(
    batch: Batch, identities: dict[int, Bindings], latest: dict[int, Bindings], starts: dict[int, float | None]
) -> None:
    """Turn the latest of each task run into bindings."""
    added, changed = batch.added, batch.changed
    terminal = TERMINAL
    for task, identity in identities.items():
        run, idx, key, name, first_at, kind, node, parent, map_index, ordinal, fingerprint, inputs = identity
        values = latest.pop(task, None)
        if values is None:
            state = (TaskState.PENDING, 0, 0, 0, "", -1, first_at, first_at, None, None, None)
            end: Bindings = (None, None, encode(inputs) if inputs else None, None, None)
            worker = ""
        else:
            at, new = values[4], values[2]
            ended = at if new in terminal else None
            start = starts.get(task)
            state = (
                new, values[3], values[7], values[8], values[5], values[6],
                first_at, at, start, ended, values[11],
            )  # fmt: skip - the first columns of the row, in order
            worker = values[13]
            result, error, wait, chosen = values[9], values[10], values[12], values[18]
            end = (
                None if chosen is None else encode(chosen),
                None if wait is None else encode(wait),
                encode(inputs) if inputs else None,
                None if result is None else encode(result),
                None if error is None else error_json(error),
            )
        added.append(
            (
                run, idx, *state, parent, map_index, ordinal, key, name, kind, node, worker, fingerprint, *end,
            )  # fmt: skip - the columns of add_task, in order
        )
    for task, values in latest.items():
        at, new = values[4], values[2]
        ended = at if new in terminal else None
        result, error, wait, chosen = values[9], values[10], values[12], values[18]
        changed.append(
            (
                new, values[3], values[7], values[8], values[5], values[6], at,
                task in starts, starts.get(task), ended, values[11], values[13],
                None if chosen is None else encode(chosen),
                None if wait is None else encode(wait),
                None if result is None else encode(result),
                None if error is None else error_json(error),
                values[0], values[1],
            )  # fmt: skip - the holes of change_task, in order
        )


def error_json(error: ErrorInfo) -> str:
    """An error as the store keeps it: JSON, so that queries can look into it."""
    return _encode_json(error).decode()
