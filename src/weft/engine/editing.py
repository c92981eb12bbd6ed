"""Changing what has ended in a run that goes on: clear task runs, or mark how one ended.

The changes are those that an ended run would get (``core/clear.py``). They are committed under the engine's
own epoch; then the engine forgets the run and restores it from its rows, as after a crash, except that
attempts under way are kept. Flows under way are stopped and replayed, because what they were told may have
changed. The request's id is committed with the changes, so that a request that is heard twice is done once.
"""

from typing import TYPE_CHECKING

import msgspec

from weft.core.changes import Change, Signalled
from weft.core.clear import clear, mark
from weft.core.events import Dropped, Event, Mark
from weft.core.state import FLOW, UNBOUNDED, Run
from weft.engine.recovery import restored
from weft.model.attempts import AttemptId
from weft.model.rows import Snapshot
from weft.model.states import LIVE, TERMINAL, TaskState
from weft.model.values import NONE
from weft.store.protocol import Request

if TYPE_CHECKING:
    from weft.engine.engine import Engine

EDITED = "weft:edited"
"""Signals of this name remember the edits that were made."""


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``clear`` request asks for, as its ``options``: see ``core.clear.clear``."""

    tasks: tuple[int, ...] = ()
    downstream: bool = False
    upstream: bool = False
    only_failed: bool = False


def cleared(snapshot: Snapshot, clearing: Clearing, *, at: float) -> list[Change]:
    """What a clear does to a run's rows."""
    return clear(
        snapshot,
        tasks=clearing.tasks,
        downstream=clearing.downstream,
        upstream=clearing.upstream,
        only_failed=clearing.only_failed,
        at=at,
    )


def apply(engine: "Engine", request: Request) -> None:
    """Carry out an edit of a run that this engine owns; an edit that has been made already does nothing."""
    with engine.turning:
        run = engine.state.runs.get(request.run)
        if run is None or engine.halted is not None:
            return
        now = engine.clock.now()
        task = engine.state.task(request.run, request.idx)
        if request.kind == "mark" and task is not None and task.state not in TERMINAL:
            # It has not ended: the core itself ends it, and stops its attempt.
            engine.tell([Mark(request.run, request.idx, TaskState(request.name), request.payload)])
            return
        snapshot = engine.store.load(request.run)
        if any(each.signal_id == request.request_id for each in snapshot.signals):
            return
        if request.kind == "mark":
            state = TaskState(request.name)
            changes = mark(snapshot, request.idx, state, result=request.payload, at=now)
        else:
            changes = cleared(snapshot, msgspec.convert(request.options, Clearing), at=now)
        changes.append(Signalled(request.run, EDITED, now, NONE, request.request_id, consumer=0))
        if engine.record(changes):
            engine.tell(_anew(engine, run))


def _anew(engine: "Engine", run: Run) -> list[Event]:
    """Forget the run and restore it, with the attempts that are under way."""
    alive: set[AttemptId] = set()
    for task in run.tasks.values():
        if task.executor and task.executor not in UNBOUNDED and task.state in LIVE:
            alive.add(task.id)
        elif task.executor == FLOW:
            engine.stop_flow(task.id)
    event = restored(
        engine.store,
        engine.artifacts,
        (),
        run.id,
        engine.epochs[run.id],
        alive=frozenset(alive),
        resume=False,
    )
    return [Dropped(run.id), event]
