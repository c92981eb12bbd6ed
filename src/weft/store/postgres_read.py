"""The questions that anyone may ask of a PostgreSQL store, from any thread and any process."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from weft.model.errors import NotFound, StoreCorrupt, UsageError
from weft.model.graph import Graph, Node
from weft.model.rows import MapRow, RunRow, SignalRow, Snapshot, TaskRow
from weft.model.states import TaskState
from weft.store.event_log import unpack
from weft.store.postgres_connection import Readers
from weft.store.postgres_place import Place
from weft.store.postgres_query import to_sql
from weft.store.postgres_session import Rows
from weft.store.protocol import CacheRow, EngineRow, EventRow, PublishedRow, Record
from weft.store.query import RUNS, TASKS, Target, parse
from weft.store.references import LAST, LATEST, prefixes, unknown_run, unknown_task
from weft.store.rows import (
    RUN_COLUMNS,
    TASK_COLUMNS,
    decode_graph,
    decode_node,
    decode_published,
    decode_result,
    run_row,
    task_row,
)
from weft.store.statements import statements

_NEWEST = (1 << 63) - 1
_PAGE = 500
_BLOCKS = 64
"""Blocks of the log read at once: a few hundred kilobytes when they are of wide maps."""


class PostgresReader:
    """``Reader`` over read-only connections."""

    def __init__(self, place: Place, *, patience_s: float, clock: Callable[[], float] = time.time) -> None:
        self._readers = Readers(place, patience_s=patience_s)
        self._clock = clock
        self._ask = questions()
        self._plain = {name: each.replace("{where}", "TRUE") for name, each in self._ask.items()}

    def run(self, ref: str) -> RunRow:
        """See ``Reader.run``."""
        if ref == LATEST:
            found = self._fetch("latest_run")
        else:
            found = self._fetch("run_by_uid", ref)
            for low, high in prefixes(ref):
                found = found or self._fetch("runs_by_prefix", low, high)
        if not found:
            raise unknown_run(ref)
        if len(found) > 1:
            raise UsageError(f"{ref!r} begins more than one run's id", where=ref, hint="give more of it")
        return run_row(found[0])

    def run_by_id(self, run: int) -> RunRow:
        """See ``Reader.run_by_id``."""
        found = self._fetch("run_by_id", run)
        if not found:
            raise unknown_run(run)
        return run_row(found[0])

    def run_by_key(self, key: str) -> RunRow | None:
        """See ``Reader.run_by_key``."""
        found = self._fetch("run_by_key", key)
        return run_row(found[0]) if found else None

    def runs(self, where: str = "", *, limit: int = 50, before: int | None = None) -> list[RunRow]:
        """See ``Reader.runs``."""
        newest = _NEWEST if before is None else before
        return [run_row(each) for each in self._picked("runs", where, RUNS, newest, max(limit, 0))]

    def counts(self, run: int) -> dict[TaskState, int]:
        """See ``Reader.counts``."""
        return {TaskState(state): count for state, count in self._fetch("counts", run)}

    def tasks(
        self, run: int, where: str = "", *, after: int = -1, limit: int = 1000, parent: int | None = None
    ) -> list[TaskRow]:
        """See ``Reader.tasks``."""
        name = "tasks" if parent is None else "tasks_of_parent"
        of_parent = () if parent is None else (parent,)
        found = self._picked(name, where, TASKS, run, after, max(limit, 0), *of_parent)
        return [task_row(each) for each in found]

    def task(self, run: int, idx: int) -> TaskRow:
        """See ``Reader.task``."""
        found = self._fetch("task", run, idx)
        if not found:
            raise unknown_task(run, idx)
        return task_row(found[0])

    def task_by_key(self, run: int, key: str) -> TaskRow:
        """See ``Reader.task_by_key``."""
        found = self._fetch("task_by_key", run, key)
        if not found:
            raise unknown_task(run, key)
        return task_row(found[0])

    def events(
        self, run: int, idx: int | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[EventRow]:
        """See ``Reader.events``."""
        if idx is None:
            blocks = self._blocks(after, limit, lambda seq, most: ("events_of_run", run, seq, most))
        else:
            blocks = self._blocks(after, limit, lambda seq, most: ("events_of_task", run, seq, most, idx))
        return unpack(blocks, after=after, limit=limit, idx=idx)

    def events_since(self, after: int, *, limit: int = 1000) -> list[EventRow]:
        """See ``Reader.events_since``."""
        blocks = self._blocks(after, limit, lambda seq, most: ("events_since", seq, most))
        return unpack(blocks, after=after, limit=limit)

    def last_seq(self) -> int:
        """See ``Store.last_seq``."""
        return int(self._fetch("newest_seq")[0][0])

    def published(self, run: int, idx: int | None = None) -> list[PublishedRow]:
        """See ``Reader.published``."""
        found = self._fetch("published", run) if idx is None else self._fetch("published_by_task", run, idx)
        return [
            PublishedRow(run=run, idx=each, attempt=attempt, at=at, published=decode_published(body))
            for each, attempt, at, body in found
        ]

    def maps(self, run: int) -> list[MapRow]:
        """See ``Reader.maps``."""
        return [_map_row(each) for each in self._fetch("maps", run)]

    def signals(self, run: int) -> list[SignalRow]:
        """See ``Reader.signals``."""
        return [_signal_row(each) for each in self._fetch("signals", run)]

    def graph(self, digest: str) -> Graph:
        """See ``Reader.graph``."""
        found = self._fetch("graph", digest)
        if not found:
            raise NotFound(f"no graph has the digest {digest!r}", where=digest)
        return decode_graph(found[0][0])

    def nodes(self, run: int) -> dict[str, Node]:
        """See ``Reader.nodes``."""
        return _nodes(self._fetch("nodes", run))

    def engines(self) -> list[EngineRow]:
        """See ``Reader.engines``."""
        return [
            EngineRow(
                engine=engine,
                name=name,
                host=host,
                pid=pid,
                started_at=started_at,
                expires_at=expires_at,
                process_started=process_started,
            )
            for engine, name, host, pid, process_started, started_at, expires_at in self._fetch("engines")
        ]

    def workflows(self) -> list[tuple[str, int, str, float]]:
        """See ``Reader.workflows``."""
        return [(name, version, digest, at) for name, version, digest, at in self._fetch("workflows")]

    def record(self, kind: str, name: str) -> Record | None:
        """See ``Reader.record``."""
        found = self._fetch("record", kind, name)
        return _record(found[0]) if found else None

    def records(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Record]:
        """See ``Reader.records``."""
        found = self._fetch("records", kind, after, prefix, prefix + LAST, max(limit, 0))
        return [_record(each) for each in found]

    def due(self, kind: str, *, before: float, limit: int = 100) -> list[Record]:
        """See ``Reader.due``."""
        return [_record(each) for each in self._fetch("due", kind, before, max(limit, 0))]

    def all_runs(self) -> Iterator[RunRow]:
        """See ``Reader.all_runs``."""
        after = -1
        while rows := [run_row(each) for each in self._fetch("all_runs", after, _PAGE)]:
            yield from rows
            after = rows[-1].run

    def load(self, run: int) -> Snapshot:
        """See ``Store.load``. One snapshot, so that the parts belong together; one round trip."""
        names = ("run_by_id", "graph_of_run", "nodes", "all_tasks", "maps", "signals")
        asked = [(self._ask[name], (run,)) for name in names]
        whole = [(self._ask["begin_snapshot"], ()), *asked, (self._ask["commit"], ())]
        _, *found, _ = self._readers.ask(lambda session: session.exchange(whole))
        runs, graphs, nodes, tasks, maps, signals = found
        if not runs:
            raise unknown_run(run)
        row = run_row(runs[0])
        if not graphs:
            raise NotFound(f"the graph of run {row.uid} is not in the store", where=row.graph)
        return Snapshot(
            run=row,
            graph=decode_graph(graphs[0][0]),
            nodes=_nodes(nodes),
            tasks=[task_row(each) for each in tasks],
            maps=[_map_row(each) for each in maps],
            signals=[_signal_row(each) for each in signals],
        )

    def cached(self, key: str, *, now: float) -> CacheRow | None:
        """See ``Store.cached``."""
        found = self._fetch("cached", key, now)
        if not found:
            return None
        key, run, idx, at, expires_at, result = found[0]
        return CacheRow(key=key, result=decode_result(result), run=run, idx=idx, at=at, expires_at=expires_at)

    def check(self) -> list[str]:
        """See ``Store.check``. The server itself checks pages as it reads them, and counts the damaged."""
        try:
            (damaged,) = self._fetch("damaged_pages")[0]
        except StoreCorrupt as exc:
            return [exc.what]
        return [f"{damaged} pages of the database did not match their checksum"] if damaged else []

    def _fetch(self, name: str, *values: Any) -> Rows:
        """All rows that a statement gives."""
        statement = self._plain[name]
        return self._readers.ask(lambda session: session.ask(statement, *values))

    def _picked(self, name: str, where: str, target: Target, *values: Any) -> Rows:
        """The rows of a statement that a query picks."""
        if not where:
            return self._fetch(name, *values)
        terms = parse(where, target, now=self._clock())
        condition, more = to_sql(terms, target, first=len(values) + 1)
        statement = self._ask[name].replace("{where}", condition)
        # Not prepared: it hardly comes again.
        return self._readers.ask(lambda session: session.ask(statement, *values, *more, prepare=False))

    def _blocks(
        self, after: int, limit: int, page: Callable[[int, int], tuple[Any, ...]]
    ) -> Iterator[tuple[int, int, bytes]]:
        """The blocks of a log in order, read in pages for as long as somebody takes them."""
        # The events wanted are in so many blocks at most, but in one when the block is long.
        most = max(1, min(limit, _BLOCKS))
        while blocks := self._fetch(*page(after, most)):
            yield from blocks
            if len(blocks) < most:
                return
            after = blocks[-1][0]


@cache
def questions() -> dict[str, str]:
    """The reading statements, with their columns."""
    return {
        name: statement.replace("{run}", RUN_COLUMNS).replace("{task}", TASK_COLUMNS)
        for name, statement in statements("postgres_read").items()
    }


def _nodes(rows: Iterable[Any]) -> dict[str, Node]:
    return {digest: decode_node(body) for digest, body in rows}


def _record(columns: tuple[Any, ...]) -> Record:
    kind, name, body, revision, at, due_at = columns
    return Record(kind=kind, name=name, body=body, revision=revision, at=at, due_at=due_at)


def _map_row(columns: tuple[Any, ...]) -> MapRow:
    run, idx, at, base, count, generation, items = columns
    return MapRow(
        run=run, idx=idx, at=at, base=base, count=count, items=decode_result(items), generation=generation
    )


def _signal_row(columns: tuple[Any, ...]) -> SignalRow:
    run, name, at, payload, signal_id, consumer = columns
    return SignalRow(
        run=run,
        name=name,
        at=at,
        payload=decode_result(payload),
        signal_id=signal_id,
        consumer=consumer,
    )
