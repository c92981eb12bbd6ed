"""A commit's batch as statements for PostgreSQL: one for each table that it touches, whatever its size.

The order is that of ``sql/postgres_write.sql``. The log comes last: its lock makes commits take their turn,
and is held from there to the end of the transaction only.
"""

import json
from collections.abc import Mapping
from typing import Any

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
    TaskRemade,
)
from weft.model.errors import InvariantViolation
from weft.model.states import RunState
from weft.store.batch import Batch, encode, error_json
from weft.store.event_log import bounds, encode_block
from weft.store.postgres_arrays import columns, int8s
from weft.store.postgres_place import LOG_LOCK
from weft.store.postgres_session import Statement
from weft.store.statements import statements

_Row = tuple[Any, ...]

_NEW: _Row = (0, RunState.SCHEDULED, None, None, None, None)
"""What ``RunChanged`` would say of a run that has not moved."""

SHAPES = {
    "add_runs": "q tttt qq d ttt i t bb t t dd b t",
    "change_runs": "q t dd b t",
    "add_nodes": "q t b",
    "put_maps": "qi d iii b",
    "add_tasks": "qi t iii t i ddddd iii tttttt bbbb t",
    "remake_tasks": "qi tt i t b",
    "change_tasks": "t iii t i d ? ddd t bbb t qi",
    "put_caches": "t qi dd b",
    "add_events": "i q ii b",
    "put_signals": "q t i t d i b",
    "put_published": "qi t ii d b",
}
"""Of the arrays that each statement takes: see ``postgres_arrays.columns``."""


class Planned(msgspec.Struct, frozen=True):
    """A commit's statements.

    Attributes:
        statements: In order, between BEGIN and COMMIT.
        logged: The place among them of the one that appends to the log, and answers each block's ``seq``.
        first: Run and body of the first block, and how many changes follow it.
    """

    statements: list[Statement]
    logged: int
    first: tuple[int, bytes, int]


def planned(batch: Batch, *, engine: int, epochs: Mapping[int, int], key: int) -> Planned:
    """The statements of a commit that is not empty.

    Args:
        batch: What to write.
        engine, epochs: The owner of new runs.
        key: The store's, for the lock of the log.
    """
    do = statements("postgres_write")
    rows = _Rows(engine, epochs)
    events = _events(batch, rows)
    written: list[tuple[str, list[_Row]]] = [
        ("add_runs", rows.added()),
        ("change_runs", list(rows.moves.values())),
        ("add_nodes", rows.nodes),
        ("put_maps", list(rows.maps.values())),
        ("add_tasks", batch.added),
        ("remake_tasks", list(rows.remakes.values())),
        ("change_tasks", batch.changed),
        # In order, because other engines may write the same keys.
        ("put_caches", [rows.caches[each] for each in sorted(rows.caches)]),
    ]
    logged: list[tuple[str, list[_Row]]] = [
        ("add_events", events),
        ("put_signals", list(rows.signals.values())),
        ("put_published", list(rows.published.values())),
    ]
    before = [*_fence(batch, engine, epochs), *_filled(do, written), (do["lock"], (LOG_LOCK, key))]
    upto, run, _, _, body = events[0]
    return Planned([*before, *_filled(do, logged)], len(before), (run, body, events[-1][0] - upto))


def _fence(batch: Batch, engine: int, epochs: Mapping[int, int]) -> list[Statement]:
    """The check that the caller owns the batch's runs, but those that it adds."""
    new = {change.run for _, change in batch.others if isinstance(change, RunAdded)}
    held = [run for run in batch.blocks if run not in new]
    if not held:
        return []
    values = (engine, int8s(held), int8s([epochs[run] for run in held]))
    return [(statements("postgres_write")["owned"], values)]


def _filled(do: dict[str, str], written: list[tuple[str, list[_Row]]]) -> list[Statement]:
    return [(do[name], columns(SHAPES[name], rows)) for name, rows in written if rows]


def _events(batch: Batch, rows: "_Rows") -> list[_Row]:
    """The blocks; and the rows of the changes in them that are no task run's."""
    events: list[_Row] = []
    upto = 0
    before: dict[int, int] = {}
    for run, block in batch.blocks.items():
        before[run] = upto
        upto += len(block)
        events.append((upto, run, *bounds(block), encode_block(block)))
    for place, change in batch.others:
        rows.take(change, upto - before[change.run] - place - 1)
    return events


class _Rows:
    """The rows of a batch but task runs', one for each identity: a statement cannot write a row twice.

    Args:
        engine, epochs: The owner of new runs.
    """

    def __init__(self, engine: int, epochs: Mapping[int, int]) -> None:
        self._engine = engine
        self._epochs = epochs
        self.runs: dict[int, _Row] = {}
        self.moves: dict[int, _Row] = {}
        self.nodes: list[_Row] = []
        self.maps: dict[tuple[int, int], _Row] = {}
        self.remakes: dict[tuple[int, int], _Row] = {}
        self.caches: dict[str, _Row] = {}
        self.signals: dict[tuple[int, str], _Row] = {}
        self.published: dict[tuple[int, int, str], _Row] = {}

    def take(self, change: Change, back: int) -> None:
        """Add a change; ``back`` is how many of the commit's come after it. The latest of a row counts."""
        run = change.run
        if isinstance(change, RunChanged):
            self._move(change)
        elif isinstance(change, RunAdded):
            self._add_run(change)
        elif isinstance(change, NodeAdded):
            self.nodes.append((run, change.digest, encode(change.node)))
        elif isinstance(change, MapExpanded):
            count, items = change.count, encode(change.items)
            known = (run, change.idx, change.at, change.base, count, change.generation, items)
            self.maps[run, change.idx] = known
        elif isinstance(change, TaskRemade):
            inputs = encode(change.inputs) if change.inputs else None
            identity = (change.name, change.node, change.ordinal, change.fingerprint, inputs)
            self.remakes[run, change.idx] = (run, change.idx, *identity)
        elif isinstance(change, Cached):
            result = encode(change.result)
            self.caches[change.key] = (change.key, run, change.idx, change.at, change.expires_at, result)
        elif isinstance(change, Signalled):
            name = run, change.signal_id
            # What comes again keeps the place that it had first.
            back = self.signals[name][2] if name in self.signals else back
            payload = encode(change.payload)
            self.signals[name] = (*name, back, change.name, change.at, change.consumer, payload)
        elif isinstance(change, Showed):
            shown = run, change.idx, change.published.key
            back = self.published[shown][3] if shown in self.published else back
            self.published[shown] = (*shown, back, change.attempt, change.at, encode(change.published))

    def _move(self, change: RunChanged) -> None:
        before = self.moves.get(change.run)
        ran = before[2] if before is not None else None
        if ran is None and change.state is RunState.RUNNING:
            ran = change.at
        self.moves[change.run] = (
            change.run,
            change.state,
            ran,
            change.at if change.state.terminal else None,
            None if change.result is None else encode(change.result),
            None if change.error is None else error_json(change.error),
        )

    def _add_run(self, change: RunAdded) -> None:
        run = change.run
        if run in self.runs:
            raise InvariantViolation("a run was added twice", where=f"run {run}")
        self.runs[run] = (
            run,
            change.uid,
            change.workflow,
            change.dialect,
            change.graph,
            self._engine,
            self._epochs[run],
            change.at,
            change.project,
            change.key,
            change.parent_run,
            change.parent_task,
            json.dumps(change.tags),
            encode(change.params) if change.params else None,
            encode(change.facts) if change.facts else None,
            change.queue,
        )

    def added(self) -> list[_Row]:
        """The new runs as they are at the end of the commit: nearly all of them run at once."""
        return [(*row, *self.moves.pop(run, _NEW)[1:]) for run, row in self.runs.items()]
