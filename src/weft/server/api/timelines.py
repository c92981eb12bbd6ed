"""A run's task runs in columns: what a canvas of a hundred thousand bars is drawn from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from weft.server.context import Given
from weft.server.parameters import NUMBER_MAX, RunRef
from weft.server.routing import read
from weft.server.views import moment

BARS_MAX = 50_000
"""Task runs in one answer."""

NONE = -1
"""Stands for what there is not, so that a column holds numbers only."""


class TimelineView(msgspec.Struct, kw_only=True):
    """Task runs of a run in columns of equal length, in order of their indexes.

    Times are milliseconds since `origin`; -1 is none. `name`, `kind`, `state` and `worker` are places in
    `names`, `kinds`, `states` and `workers`, which are of this answer only.

    Attributes:
        run: Id of the run.
        origin: When the run was accepted.
        seq: The newest change in the log before this was read: follow the events from there on.
        total: Task runs in the run; of an open run it may be some seconds old.
        next: Give it as `after` for those that follow; null if there are none.
        names: Tasks' names.
        kinds: Kinds of task runs.
        states: States.
        workers: Where attempts ran; an empty one is nowhere yet.
        idx: Indexes in the run.
        name: The task's name.
        kind: Kind of task run.
        parent: Index of the task run that holds it; -1 for the root.
        map_index: Which item of a map it is; -1 for what is none.
        state: Where it stands.
        attempt: Number of the latest attempt; 0 before the first.
        added: When it was first recorded.
        started: When the latest attempt began.
        ended: When it ended.
        changed: When its state changed last.
        worker: Where the latest attempt ran.
        keys: Keys in the run, if they were asked for; else empty.
    """

    run: str
    origin: datetime
    seq: int
    total: int
    next: int | None
    names: list[str]
    kinds: list[str]
    states: list[str]
    workers: list[str]
    idx: list[int]
    name: list[int]
    kind: list[int]
    parent: list[int]
    map_index: list[int]
    state: list[int]
    attempt: list[int]
    added: list[int]
    started: list[int]
    ended: list[int]
    changed: list[int]
    worker: list[int]
    keys: list[str]


@read("/runs/{run:str}/timeline")
def show_run_timeline(
    context: Given,
    run: RunRef,
    after: Annotated[
        int, QueryParameter(description="An index: only task runs after it.", ge=-1, le=NUMBER_MAX)
    ] = -1,
    limit: Annotated[int, QueryParameter(description="How many at most.", ge=1, le=BARS_MAX)] = 20_000,
    keys: Annotated[bool, QueryParameter(description="Whether to tell their keys.")] = False,
) -> TimelineView:
    """Show a run's task runs in columns, for drawing them along the time."""
    store = context.store
    row = store.run(run)
    seq = store.last_seq()
    bars = store.bars(row.run, after=after, limit=limit, keys=keys)
    total = sum(context.services.counts.of(store, row).values())
    names, name = coded(bars.name)
    kinds, kind = coded(bars.kind)
    states, state = coded(bars.state)
    workers, worker = coded(bars.worker)
    origin = row.created_at
    return TimelineView(
        run=row.uid,
        origin=moment(origin),
        seq=seq,
        total=total,
        next=bars.idx[-1] if len(bars.idx) == limit else None,
        names=names,
        kinds=kinds,
        states=states,
        workers=workers,
        idx=list(bars.idx),
        name=name,
        kind=kind,
        parent=list(bars.parent),
        map_index=list(bars.map_index),
        state=state,
        attempt=list(bars.attempt),
        added=since(bars.first_at, origin),
        started=since(bars.started_at, origin),
        ended=since(bars.ended_at, origin),
        changed=since(bars.changed_at, origin),
        worker=worker,
        keys=list(bars.key),
    )


def coded(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """The distinct values in order of appearance, and each value's place among them."""
    distinct = list(dict.fromkeys(values))
    places = {value: place for place, value in enumerate(distinct)}
    return distinct, [places[value] for value in values]


def since(moments: Sequence[float | None], origin: float) -> list[int]:
    """Milliseconds since ``origin``; what clocks that disagree have before it is at it."""
    return [NONE if at is None else int((at - origin) * 1000) if at > origin else 0 for at in moments]


ROUTES = [show_run_timeline]
