"""From a stored run to the event that lets the core go on with it, and which engines are dead."""

import os
import socket
from collections.abc import Iterable, Sequence

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.items import FORMAT, unpack_items
from weft.core.changes import (
    Change,
    MapExpanded,
    NodeAdded,
    RunAdded,
    RunChanged,
    Showed,
    Signalled,
    TaskAdded,
    TaskChanged,
)
from weft.core.events import Restored
from weft.executors.protocol import Executor
from weft.model.attempts import AttemptId
from weft.model.rows import Snapshot, TaskRow
from weft.model.states import LIVE, TERMINAL
from weft.runtime.host import Settled
from weft.store.protocol import EngineRow, Store


def restored(
    store: Store,
    artifacts: Artifacts,
    executors: Iterable[Executor],
    run: int,
    epoch: int,
    *,
    alive: frozenset[AttemptId] = frozenset(),
    resume: bool = True,
    inline: bool = False,
) -> Restored:
    """Read a run back, and ask the executors which of its attempts they still carry out."""
    snapshot = store.load(run)
    live = [(row.run, row.idx, row.attempt) for row in snapshot.tasks if row.state in LIVE]
    kept: set[AttemptId] = set(alive)
    if live:
        for executor in executors:
            kept |= executor.reattach(live)
    open_maps = {row.idx for row in snapshot.tasks}
    items = {
        each.idx: unpack_items(each.items, artifacts.blobs)
        for each in snapshot.maps
        if each.idx in open_maps and each.count and each.items.format == FORMAT
    }
    return Restored(snapshot, epoch, items, frozenset(kept), resume, inline)


def root_end(snapshot: Snapshot) -> Settled | None:
    """How the run's root ended, if only its hooks are still open."""
    for row in snapshot.tasks:
        if row.kind == "root" and row.state in TERMINAL:
            return Settled(row.state, row.result, row.error)
    return None


def shows(row: TaskRow, change: TaskChanged) -> bool:
    """Whether a task run's row is what a change made of it."""
    told = (change.state, change.attempt, change.generation, change.failures, change.cause.value, change.at)
    return told == (row.state, row.attempt, row.generation, row.failures, row.cause, row.changed_at)


def holds(store: Store, change: Change) -> bool:
    """Whether the store has what a change that is not of a task run's state put there."""
    run = change.run
    if isinstance(change, RunAdded):
        return store.run_by_id(run).uid == change.uid
    if isinstance(change, RunChanged):
        return store.run_by_id(run).state is change.state
    if isinstance(change, NodeAdded):
        return change.digest in store.nodes(run)
    if isinstance(change, TaskAdded):
        found = store.tasks(run, after=change.idx - 1, limit=1)
        return bool(found) and found[0].idx == change.idx
    if isinstance(change, MapExpanded):
        return any(each.idx == change.idx and each.base == change.base for each in store.maps(run))
    if isinstance(change, Signalled):
        signals = store.signals(run)
        return any((each.signal_id, each.consumer) == (change.signal_id, change.consumer) for each in signals)
    if isinstance(change, Showed):
        shown = store.published(run, change.idx)
        return any((each.published.key, each.at) == (change.published.key, change.at) for each in shown)
    # A cache record comes with the end of its task run; alone it may be written twice.
    return False


def process_start(pid: int) -> str:
    """When a process started, as an opaque word; "" if it is gone or a zombie (or there is no /proc)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    except (OSError, IndexError):
        return ""


def dead_engines(engines: Iterable[EngineRow]) -> list[int]:
    """Engines of this machine whose process is gone: no need to wait for their leases to run out."""
    here = socket.gethostname()
    return [
        each.engine
        for each in engines
        if each.host == here and not _lives(each.pid, each.process_started) and each.pid
    ]


def living_engines(engines: Sequence[EngineRow], *, now: float) -> list[EngineRow]:
    """Engines whose leases hold and whose processes, as far as one can tell from here, are there."""
    dead = set(dead_engines(engines))
    return [each for each in engines if each.expires_at > now and each.engine not in dead]


def _lives(pid: int, started: str) -> bool:
    if started:
        return process_start(pid) == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
