"""Copies for the memory store: what goes in and what comes out shares no mapping with what is inside.

Whatever could be changed in place passes through the bytes that the other stores would write, so that a
value which they would change on the way (a tuple in the facts becomes a list) changes here too.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from weft.core.changes import Change, RunAdded, TaskAdded, TaskChanged, TaskRemade
from weft.model.inputs import Input
from weft.model.rows import RunRow, TaskRow
from weft.model.values import Result
from weft.model.waits import Wait

_encode = msgspec.msgpack.Encoder().encode
_inputs = msgspec.msgpack.Decoder(dict[str, Input]).decode
_wait = msgspec.msgpack.Decoder[Wait](Wait).decode
_params = msgspec.msgpack.Decoder(dict[str, Result]).decode
_facts = msgspec.msgpack.Decoder(dict[str, Any]).decode


def isolated(change: Change) -> Change:
    """The change, sharing no mapping with the caller's. Nodes are kept as bytes anyway."""
    if isinstance(change, TaskChanged):
        return change if change.wait is None else replace(change, wait=_wait(_encode(change.wait)))
    if isinstance(change, TaskAdded | TaskRemade):
        return replace(change, inputs=_inputs(_encode(change.inputs))) if change.inputs else change
    if isinstance(change, RunAdded):
        return replace(change, params=_params(_encode(change.params)), facts=_facts(_encode(change.facts)))
    return change


def run_copy(row: RunRow) -> RunRow:
    """A run's row that may be changed."""
    return replace(row, params=dict(row.params), facts=_facts(_encode(row.facts)))


def task_copy(row: TaskRow) -> TaskRow:
    """A task run's row that may be changed."""
    copy = replace(row)
    if row.inputs:
        copy.inputs = _inputs(_encode(row.inputs))
    if row.wait is not None:
        copy.wait = _wait(_encode(row.wait))
    return copy
