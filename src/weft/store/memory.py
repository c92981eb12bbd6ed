"""The store in memory: for tests, simulation and runs that need not last. A real one, by the same rules.

Nothing that goes in or comes out shares a mapping with what is inside: whatever could be changed in place
is kept in, or passed through, the bytes that the other stores would write. Rows follow ``core/fold.py``.
"""

import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import msgspec
from msgspec.structs import replace

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
from weft.core.fold import add_map, add_run, add_signal, add_task, change_run, change_task, remake_task
from weft.model.errors import InvariantViolation, NotFound, StaleOwner, UsageError
from weft.model.graph import Graph, Node
from weft.model.rows import MapRow, RunRow, SignalRow, Snapshot, TaskRow
from weft.model.states import TaskState
from weft.store.event_log import Packed, bounds, encode_block, pack, unpack
from weft.store.isolation import isolated, run_copy, task_copy
from weft.store.memory_records import MemoryRecords
from weft.store.memory_summaries import MemorySummaries
from weft.store.protocol import CacheRow, EngineRow, EventRow, PublishedRow, Request, Write
from weft.store.query import RUNS, TASKS, parse, predicate
from weft.store.references import LATEST, prefixes, unknown_run, unknown_task

_encode = msgspec.msgpack.Encoder().encode
_decode_node = msgspec.msgpack.Decoder(Node).decode
_decode_graph = msgspec.msgpack.Decoder(Graph).decode

_Row = TypeVar("_Row")

Block = tuple[int, int, int, int, bytes]
"""Seq of the last change, run, lowest and highest index, body: see ``event_log.py``."""


class _Run:
    """All that the store holds of one run."""

    __slots__ = ("blocks", "maps", "nodes", "row", "shown", "signals", "tasks")

    def __init__(self, row: RunRow) -> None:
        self.row = row
        self.tasks: dict[int, TaskRow] = {}
        self.maps: dict[int, MapRow] = {}
        self.signals: dict[str, SignalRow] = {}
        self.nodes: dict[str, bytes] = {}
        self.shown: dict[tuple[int, str], PublishedRow] = {}
        self.blocks: list[Block] = []


class MemoryStore(MemoryRecords, MemorySummaries):
    """``Store`` in this process's memory.

    Args:
        clock: Unix seconds, for relative times in queries.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.RLock()
        self._runs: dict[int, _Run] = {}
        self._keys: dict[str, int] = {}
        self._cache: dict[str, CacheRow] = {}
        self._graphs: dict[str, tuple[str, int, float, bytes]] = {}
        self._engines: dict[int, EngineRow] = {}
        self._requests: dict[str, Request] = {}
        self._log: list[Block] = []
        self._last_seq = 0
        self._next_run = 1
        self._next_engine = 1

    # Writing

    def commit(self, changes: Sequence[Change], *, engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        """See ``Store.commit``."""
        with self._lock:
            refused = self._refused(changes, engine, epochs)
            accepted = [change for change in changes if change.run not in refused]
            self._check(accepted)
            packed: dict[int, list[Packed]] = {}
            for change in accepted:
                packed.setdefault(change.run, []).append(pack(change))
            bodies = {run: encode_block(block) for run, block in packed.items()}
            order = {run: place for place, run in enumerate(packed)}
            # In the order of the log, whose last word counts of what runs have in common.
            copies = sorted(map(isolated, accepted), key=lambda change: order[change.run])
            # Nothing above has changed anything, and nothing below fails.
            for change in copies:
                self._apply(change, engine, epochs)
            for run, block in packed.items():
                self._last_seq += len(block)
                entry = (self._last_seq, run, *bounds(block), bodies[run])
                self._log.append(entry)
                self._runs[run].blocks.append(entry)
            return frozenset(refused)

    def last_seq(self) -> int:
        """See ``Store.last_seq``."""
        return self._last_seq

    def put_graph(self, digest: str, graph: Graph, *, at: float) -> int:
        """See ``Store.put_graph``."""
        body = _encode(graph)
        with self._lock:
            if digest not in self._graphs:
                version = 1 + sum(name == graph.workflow for name, *_ in self._graphs.values())
                self._graphs[digest] = (graph.workflow, version, at, body)
            return self._graphs[digest][1]

    def reserve_runs(self, count: int) -> int:
        """See ``Store.reserve_runs``."""
        with self._lock:
            first = self._next_run
            self._next_run += count
            return first

    def open_engine(
        self, *, name: str, host: str, pid: int, process_started: str, at: float, expires_at: float
    ) -> int:
        """See ``Store.open_engine``."""
        with self._lock:
            engine = self._next_engine
            self._next_engine += 1
            self._engines[engine] = EngineRow(
                engine=engine,
                name=name,
                host=host,
                pid=pid,
                started_at=at,
                expires_at=expires_at,
                process_started=process_started,
            )
            return engine

    def heartbeat(self, engine: int, *, expires_at: float) -> None:
        """See ``Store.heartbeat``."""
        with self._lock:
            row = self._engines.get(engine)
            if row is None:
                raise StaleOwner(
                    f"the store does not know engine {engine}", hint="it was away too long: restart it"
                )
            row.expires_at = expires_at

    def close_engine(self, engine: int) -> None:
        """See ``Store.close_engine``."""
        with self._lock:
            if engine in self._engines:
                self._engines[engine].expires_at = 0.0

    def claim(
        self,
        engine: int,
        *,
        now: float,
        runs: Sequence[int] | None = None,
        dead: Sequence[int] = (),
        queues: Sequence[str] | None = None,
        limit: int | None = None,
        note: Write | None = None,
    ) -> dict[int, int]:
        """See ``Store.claim``."""
        with self._lock:
            if runs is None:
                runs = sorted(
                    run
                    for run, held in self._runs.items()
                    if held.row.ended_at is None and (queues is None or held.row.queue in queues)
                )
            live = {each.engine for each in self._engines.values() if each.expires_at > now} - set(dead)
            claimed: dict[int, int] = {}
            for run in dict.fromkeys(runs):
                held = self._runs.get(run)
                if limit is not None and len(claimed) >= limit:
                    break
                if held is not None and held.row.owner not in live:
                    claimed[run] = held.row.epoch + 1
            if note is not None and any(epoch > 1 for epoch in claimed.values()):
                self.write([note], at=now)
            for run, epoch in claimed.items():
                row = self._runs[run].row
                row.owner, row.epoch = engine, epoch
            return claimed

    def assign(self, runs: Sequence[int], queue: str) -> None:
        """See ``Store.assign``."""
        with self._lock:
            for run in runs:
                held = self._runs.get(run)
                if held is not None and held.row.ended_at is None:
                    held.row.queue = queue

    def listen(self, wake: Callable[[], None]) -> None:
        """See ``Store.listen``. There is no other process."""

    def ask(self, request: Request) -> bool:
        """See ``Store.ask``."""
        with self._lock:
            known = request.request_id in self._requests
            self._requests.setdefault(request.request_id, replace(request))
            return not known

    def requests(self, engine: int) -> list[Request]:
        """See ``Store.requests``."""
        with self._lock:
            rows = [(each, self._runs.get(each.run)) for each in self._requests.values()]
            return [
                replace(each)
                for each, held in rows
                if held is not None and held.row.owner == engine and held.row.ended_at is None
            ]

    def drop_requests(self, request_ids: Sequence[str]) -> None:
        """See ``Store.drop_requests``."""
        with self._lock:
            for each in request_ids:
                self._requests.pop(each, None)

    def delete_runs(self, runs: Sequence[int]) -> int:
        """See ``Store.delete_runs``."""
        with self._lock:
            ended = {run for run in runs if run in self._runs and self._runs[run].row.ended_at is not None}
            for run in ended:
                key = self._runs.pop(run).row.key
                if key is not None:
                    del self._keys[key]
            if ended:
                self._log = [block for block in self._log if block[1] not in ended]
                self._cache = {key: row for key, row in self._cache.items() if row.run not in ended}
                self._requests = {key: each for key, each in self._requests.items() if each.run not in ended}
            return len(ended)

    def prune(self, *, ended_before: float, limit: int = 1000) -> list[str]:
        """See ``Store.prune``."""
        with self._lock:
            rows = [held.row for _, held in sorted(self._runs.items())]
            old = [row for row in rows if row.ended_at is not None and row.ended_at < ended_before][:limit]
            self.delete_runs([row.run for row in old])
            self._cache = {
                key: row
                for key, row in self._cache.items()
                if row.expires_at is None or row.expires_at >= ended_before
            }
            owners = {held.row.owner for held in self._runs.values() if held.row.ended_at is None}
            self._engines = {
                engine: row
                for engine, row in self._engines.items()
                if row.expires_at >= ended_before or engine in owners
            }
            return [row.uid for row in old]

    def check(self) -> list[str]:
        """See ``Store.check``. Memory has no storage of its own to go wrong."""
        return []

    def close(self) -> None:
        """See ``Store.close``."""

    # Reading

    def run(self, ref: str) -> RunRow:
        """See ``Reader.run``."""
        with self._lock:
            by_uid = {held.row.uid: held for held in self._runs.values()}
            if ref == LATEST and self._runs:
                return run_copy(self._runs[max(self._runs)].row)
            if ref in by_uid:
                return run_copy(by_uid[ref].row)
            for low, high in prefixes(ref):
                found = [uid for uid in by_uid if low <= uid < high]
                if len(found) > 1:
                    raise UsageError(
                        f"{ref!r} begins more than one run's id", where=ref, hint="give more of it"
                    )
                if found:
                    return run_copy(by_uid[found[0]].row)
            raise unknown_run(ref)

    def run_by_id(self, run: int) -> RunRow:
        """See ``Reader.run_by_id``."""
        with self._lock:
            return run_copy(self._held(run).row)

    def run_by_key(self, key: str) -> RunRow | None:
        """See ``Reader.run_by_key``."""
        with self._lock:
            return run_copy(self._runs[self._keys[key]].row) if key in self._keys else None

    def runs(self, where: str = "", *, limit: int = 50, before: int | None = None) -> list[RunRow]:
        """See ``Reader.runs``."""
        holds = predicate(parse(where, RUNS, now=self._clock()), RUNS)
        with self._lock:
            newest_first = sorted((run for run in self._runs if before is None or run < before), reverse=True)
            return _some((self._runs[run].row for run in newest_first), holds, limit, run_copy)

    def counts(self, run: int) -> dict[TaskState, int]:
        """See ``Reader.counts``."""
        with self._lock:
            return dict(Counter(row.state for row in self._tasks(run).values()))

    def tasks(
        self, run: int, where: str = "", *, after: int = -1, limit: int = 1000, parent: int | None = None
    ) -> list[TaskRow]:
        """See ``Reader.tasks``."""
        holds = predicate(parse(where, TASKS, now=self._clock()), TASKS)
        with self._lock:
            tasks = self._tasks(run)
            rows = (tasks[idx] for idx in sorted(tasks) if idx > after)
            mine = (row for row in rows if parent is None or row.parent == parent)
            return _some(mine, holds, limit, task_copy)

    def task(self, run: int, idx: int) -> TaskRow:
        """See ``Reader.task``."""
        with self._lock:
            row = self._tasks(run).get(idx)
            if row is None:
                raise unknown_task(run, idx)
            return task_copy(row)

    def task_by_key(self, run: int, key: str) -> TaskRow:
        """See ``Reader.task_by_key``."""
        with self._lock:
            found = [row for row in self._tasks(run).values() if row.key == key]
            if found:
                return task_copy(max(found, key=lambda row: row.idx))
        raise unknown_task(run, key)

    def events(
        self, run: int, idx: int | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[EventRow]:
        """See ``Reader.events``."""
        with self._lock:
            blocks = self._runs[run].blocks if run in self._runs else []
            return _events(blocks, after, limit, idx)

    def events_since(self, after: int, *, limit: int = 1000) -> list[EventRow]:
        """See ``Reader.events_since``."""
        with self._lock:
            return _events(self._log, after, limit, None)

    def published(self, run: int, idx: int | None = None) -> list[PublishedRow]:
        """See ``Reader.published``."""
        with self._lock:
            shown = self._runs[run].shown.values() if run in self._runs else ()
            return [replace(row) for row in shown if idx is None or row.idx == idx]

    def maps(self, run: int) -> list[MapRow]:
        """See ``Reader.maps``."""
        with self._lock:
            maps = self._runs[run].maps if run in self._runs else {}
            return [replace(maps[idx]) for idx in sorted(maps)]

    def signals(self, run: int) -> list[SignalRow]:
        """See ``Reader.signals``."""
        with self._lock:
            return [replace(row) for row in self._runs[run].signals.values()] if run in self._runs else []

    def graph(self, digest: str) -> Graph:
        """See ``Reader.graph``."""
        with self._lock:
            if digest not in self._graphs:
                raise NotFound(f"no graph has the digest {digest!r}", where=digest)
            return _decode_graph(self._graphs[digest][3])

    def nodes(self, run: int) -> dict[str, Node]:
        """See ``Reader.nodes``."""
        with self._lock:
            nodes = self._runs[run].nodes if run in self._runs else {}
            return {digest: _decode_node(nodes[digest]) for digest in sorted(nodes)}

    def engines(self) -> list[EngineRow]:
        """See ``Reader.engines``."""
        with self._lock:
            return [replace(row) for row in self._engines.values()]

    def workflows(self) -> list[tuple[str, int, str, float]]:
        """See ``Reader.workflows``."""
        with self._lock:
            newest = {
                workflow: (workflow, version, digest, at)
                for digest, (workflow, version, at, _) in self._graphs.items()
            }
            return [newest[workflow] for workflow in sorted(newest)]

    def all_runs(self) -> Iterator[RunRow]:
        """See ``Reader.all_runs``."""
        with self._lock:
            rows = [run_copy(held.row) for _, held in sorted(self._runs.items())]
        yield from rows

    def load(self, run: int) -> Snapshot:
        """See ``Store.load``."""
        with self._lock:
            row = self.run_by_id(run)
            tasks = self._tasks(run)
            return Snapshot(
                run=row,
                graph=self.graph(row.graph),
                nodes=self.nodes(run),
                tasks=[task_copy(tasks[idx]) for idx in sorted(tasks)],
                maps=self.maps(run),
                signals=self.signals(run),
            )

    def cached(self, key: str, *, now: float) -> CacheRow | None:
        """See ``Store.cached``."""
        with self._lock:
            row = self._cache.get(key)
            if row is None or (row.expires_at is not None and row.expires_at <= now):
                return None
            return replace(row)

    # Inside

    def _held(self, run: int) -> _Run:
        held = self._runs.get(run)
        if held is None:
            raise unknown_run(run)
        return held

    def _rows(self) -> list[RunRow]:
        return [held.row for _, held in sorted(self._runs.items())]

    def _tasks(self, run: int) -> dict[int, TaskRow]:
        return self._runs[run].tasks if run in self._runs else {}

    def _refused(self, changes: Sequence[Change], engine: int, epochs: Mapping[int, int]) -> set[int]:
        """The runs that the caller may not touch."""
        refused: set[int] = set()
        new: set[int] = set()
        keys = set(self._keys)
        for change in changes:
            if isinstance(change, RunAdded):
                new.add(change.run)
                if change.key in keys or change.run not in epochs:
                    refused.add(change.run)
                elif change.key is not None:
                    keys.add(change.key)
        for run in {change.run for change in changes} - new:
            held = self._runs.get(run)
            if held is None or held.row.owner != engine or held.row.epoch != epochs.get(run):
                refused.add(run)
        return refused

    def _check(self, changes: Sequence[Change]) -> None:
        """Refuse a batch that no log may hold, before any of it is applied."""
        runs: set[int] = set()
        tasks: set[tuple[int, int]] = set()
        uids = {held.row.uid for held in self._runs.values()} if _adds_runs(changes) else set()
        for change in changes:
            run = change.run
            if isinstance(change, TaskChanged | TaskRemade):
                if (run, change.idx) not in tasks and change.idx not in self._tasks(run):
                    raise _broken("a task run was changed that was never added", change)
            elif isinstance(change, TaskAdded):
                if (run, change.idx) in tasks or change.idx in self._tasks(run):
                    raise _broken("a task run was added twice", change)
                tasks.add((run, change.idx))
            elif isinstance(change, RunAdded):
                if run in runs or run in self._runs or change.uid in uids:
                    raise _broken("a run was added twice", change)
                runs.add(run)
                uids.add(change.uid)

    def _apply(self, change: Change, engine: int, epochs: Mapping[int, int]) -> None:
        """Fold one checked and isolated change into the rows."""
        run = change.run
        if isinstance(change, RunAdded):
            row = add_run(change)
            row.owner, row.epoch = engine, epochs[run]
            row.version = self._graphs[change.graph][1] if change.graph in self._graphs else 0
            self._runs[run] = _Run(row)
            if change.key is not None:
                self._keys[change.key] = run
            return
        held = self._runs[run]
        if isinstance(change, TaskChanged):
            change_task(held.tasks[change.idx], change)
        elif isinstance(change, TaskAdded):
            held.tasks[change.idx] = add_task(change)
        elif isinstance(change, RunChanged):
            change_run(held.row, change)
        elif isinstance(change, TaskRemade):
            remake_task(held.tasks[change.idx], change)
        elif isinstance(change, NodeAdded):
            held.nodes.setdefault(change.digest, _encode(change.node))
        elif isinstance(change, MapExpanded):
            held.maps[change.idx] = add_map(change)
        elif isinstance(change, Signalled):
            held.signals[change.signal_id] = add_signal(change)
        elif isinstance(change, Cached):
            self._cache[change.key] = CacheRow(
                key=change.key,
                result=change.result,
                run=run,
                idx=change.idx,
                at=change.at,
                expires_at=change.expires_at,
            )
        elif isinstance(change, Showed):
            held.shown[change.idx, change.published.key] = PublishedRow(
                run=run, idx=change.idx, attempt=change.attempt, at=change.at, published=change.published
            )


def _adds_runs(changes: Sequence[Change]) -> bool:
    return any(isinstance(change, RunAdded) for change in changes)


def _events(blocks: list[Block], after: int, limit: int, idx: int | None) -> list[EventRow]:
    """Events from the blocks that hold some after ``after`` and, if asked, some of ``idx``."""
    first = bisect_right(blocks, after, key=lambda block: block[0])
    chosen: Iterable[tuple[int, int, bytes]] = (
        (last, run, body)
        for last, run, lowest, highest, body in blocks[first:]
        if idx is None or lowest <= idx <= highest
    )
    return unpack(chosen, after=after, limit=limit, idx=idx)


def _some(
    rows: Iterable[_Row], holds: Callable[[_Row], bool], limit: int, copy: Callable[[_Row], _Row]
) -> list[_Row]:
    """Copies of the first ``limit`` rows for which it holds."""
    return [copy(row) for row in islice(filter(holds, rows), max(limit, 0))]


def _broken(what: str, change: Change) -> InvariantViolation:
    return InvariantViolation(what, where=f"run {change.run}, task run {getattr(change, 'idx', -1)}")
