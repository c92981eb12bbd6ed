"""From a stored run to the event that lets the core go on with it, and which engines are dead."""

import os
import socket
from collections.abc import Iterable

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.items import unpack_items
from weft.core.events import Restored
from weft.executors.protocol import Executor
from weft.model.attempts import AttemptId
from weft.model.states import LIVE
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
        if each.idx in open_maps and each.count
    }
    return Restored(snapshot, epoch, items, frozenset(kept), resume, inline)


def process_start(pid: int) -> str:
    """When a process started, as an opaque word; "" if there is no such process (or no /proc)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
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
