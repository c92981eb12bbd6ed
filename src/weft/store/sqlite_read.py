"""The questions that anyone may ask of an SQLite store, from any thread and any process."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from weft.model.errors import NotFound, StoreCorrupt, UsageError
from weft.model.graph import Graph, Node
from weft.model.rows import MapRow, RunRow, SignalRow, Snapshot, TaskRow
from weft.model.states import TaskState
from weft.store.event_log import unpack
from weft.store.protocol import CacheRow, EngineRow, EventRow, PublishedRow, Record
from weft.store.references import LAST, prefixes, unknown_run, unknown_task
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
from weft.store.sqlite_connection import Readers
from weft.store.sqlite_records import record_of
from weft.store.statements import statements

_NEWEST = (1 << 63) - 1
_PAGE = 500


class SqliteReader:
    """``Reader`` over read-only connections."""

    def __init__(self, path: Path, *, busy_timeout_s: float, clock: Callable[[], float] = time.time) -> None:
        self._readers = Readers(path, busy_timeout_s=busy_timeout_s)
        self._clock = clock
        columns = {"{run}": RUN_COLUMNS, "{task}": TASK_COLUMNS}
        self._ask = dict(statements("sqlite_read"))
        for hole, names in columns.items():
            self._ask = {name: sql.replace(hole, names) for name, sql in self._ask.items()}

    def run(self, ref: str) -> RunRow:
        """See ``Reader.run``."""
        with self._readers.connection() as db:
            if ref == "@latest":
                found = db.execute(self._ask["latest_run"]).fetchall()
            else:
                found = db.execute(self._ask["run_by_uid"], (ref,)).fetchall()
                for low, high in prefixes(ref):
                    found = found or db.execute(self._ask["runs_by_prefix"], (low, high)).fetchall()
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
        condition, values = self._condition(where, "runs")
        sql = self._ask["runs"].replace("{where}", condition)
        with self._readers.connection() as db:
            newest = _NEWEST if before is None else before
            return [run_row(each) for each in db.execute(sql, (newest, *values, max(limit, 0)))]

    def counts(self, run: int) -> dict[TaskState, int]:
        """See ``Reader.counts``."""
        return {TaskState(state): count for state, count in self._fetch("counts", run)}

    def tasks(
        self, run: int, where: str = "", *, after: int = -1, limit: int = 1000, parent: int | None = None
    ) -> list[TaskRow]:
        """See ``Reader.tasks``."""
        condition, values = self._condition(where, "tasks")
        statement = self._ask["tasks" if parent is None else "tasks_of_parent"]
        of_parent = () if parent is None else (parent,)
        with self._readers.connection() as db:
            sql = statement.replace("{where}", condition)
            return [
                task_row(each) for each in db.execute(sql, (run, after, *of_parent, *values, max(limit, 0)))
            ]

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
            return self._events("events_of_run", (run, after), after, limit)
        return self._events("events_of_task", (run, after, idx), after, limit, idx)

    def events_since(self, after: int, *, limit: int = 1000) -> list[EventRow]:
        """See ``Reader.events_since``."""
        return self._events("events_since", (after,), after, limit)

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
        return self._fetch("workflows")

    def record(self, kind: str, name: str) -> Record | None:
        """See ``Reader.record``."""
        found = self._fetch("record", kind, name)
        return record_of(found[0]) if found else None

    def records(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Record]:
        """See ``Reader.records``."""
        found = self._fetch("records", kind, after, prefix, prefix + LAST, max(limit, 0))
        return [record_of(each) for each in found]

    def due(self, kind: str, *, before: float, limit: int = 100) -> list[Record]:
        """See ``Reader.due``."""
        return [record_of(each) for each in self._fetch("due", kind, before, max(limit, 0))]

    def all_runs(self) -> Iterator[RunRow]:
        """See ``Reader.all_runs``."""
        after = -1
        while rows := [run_row(each) for each in self._fetch("all_runs", after, _PAGE)]:
            yield from rows
            after = rows[-1].run

    def load(self, run: int) -> Snapshot:
        """See ``Store.load``. One read transaction, so that the parts belong together."""
        ask = self._ask
        with self._readers.connection(snapshot=True) as db:
            found = db.execute(ask["run_by_id"], (run,)).fetchall()
            if not found:
                raise unknown_run(run)
            row = run_row(found[0])
            graph: list[Any] = db.execute(ask["graph"], (row.graph,)).fetchall()
            if not graph:
                raise NotFound(f"the graph of run {row.uid} is not in the store", where=row.graph)
            return Snapshot(
                run=row,
                graph=decode_graph(graph[0][0]),
                nodes=_nodes(db.execute(ask["nodes"], (run,))),
                tasks=[task_row(each) for each in db.execute(ask["all_tasks"], (run,))],
                maps=[_map_row(each) for each in db.execute(ask["maps"], (run,))],
                signals=[_signal_row(each) for each in db.execute(ask["signals"], (run,))],
            )

    def cached(self, key: str, *, now: float) -> CacheRow | None:
        """See ``Store.cached``."""
        found = self._fetch("cached", key, now)
        if not found:
            return None
        key, run, idx, at, expires_at, result = found[0]
        return CacheRow(key=key, result=decode_result(result), run=run, idx=idx, at=at, expires_at=expires_at)

    def check(self) -> list[str]:
        """See ``Store.check``."""
        try:
            return [problem for (problem,) in self._fetch("check") if problem != "ok"]
        except StoreCorrupt as exc:
            return [exc.what]  # too damaged even to be checked

    def _fetch(self, name: str, *values: Any) -> list[Any]:
        """All rows that a statement gives."""
        with self._readers.connection() as db:
            return db.execute(self._ask[name], values).fetchall()

    def _events(
        self, name: str, values: tuple[int, ...], after: int, limit: int, idx: int | None = None
    ) -> list[EventRow]:
        """Events from as many blocks as it takes."""
        with self._readers.connection() as db:
            cursor = db.execute(self._ask[name], values)
            blocks: Iterable[Any] = cursor
            found = unpack(blocks, after=after, limit=limit, idx=idx)
            cursor.close(True)
            return found

    def _condition(self, where: str, target: str) -> tuple[str, tuple[str | float, ...]]:
        """The query as SQL and what fills its holes."""
        if not where:
            return "TRUE", ()
        from weft.store import query  # noqa: PLC0415 - starting a run asks no queries

        picked = query.RUNS if target == "runs" else query.TASKS
        return query.to_sql(query.parse(where, picked, now=self._clock()), picked)


def _nodes(rows: Iterable[Any]) -> dict[str, Node]:
    return {digest: decode_node(body) for digest, body in rows}


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
