"""What readers of SQL databases have in common: the questions whose answer is the rows of one statement."""

from collections.abc import Iterable, Iterator
from typing import Any

from weft.model.errors import NotFound
from weft.model.graph import Graph, Node
from weft.model.rows import MapRow, RunRow, SignalRow, TaskRow
from weft.model.states import TaskState
from weft.store.protocol import CacheRow, EngineRow, PublishedRow, Record
from weft.store.references import LAST, unknown_run, unknown_task
from weft.store.rows import (
    decode_graph,
    decode_node,
    decode_published,
    decode_result,
    map_row,
    record_of,
    run_row,
    signal_row,
    task_row,
)
from weft.store.sql_summaries import SqlSummaries

PAGE = 500
"""Runs read at once."""


class SqlReader(SqlSummaries):
    """The part of ``Reader`` that needs nothing but ``_fetch``."""

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

    def counts(self, run: int) -> dict[TaskState, int]:
        """See ``Reader.counts``."""
        return {TaskState(state): count for state, count in self._fetch("counts", run)}

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
        return [map_row(each) for each in self._fetch("maps", run)]

    def signals(self, run: int) -> list[SignalRow]:
        """See ``Reader.signals``."""
        return [signal_row(each) for each in self._fetch("signals", run)]

    def graph(self, digest: str) -> Graph:
        """See ``Reader.graph``."""
        found = self._fetch("graph", digest)
        if not found:
            raise NotFound(f"no graph has the digest {digest!r}", where=digest)
        return decode_graph(found[0][0])

    def nodes(self, run: int) -> dict[str, Node]:
        """See ``Reader.nodes``."""
        return nodes_of(self._fetch("nodes", run))

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
        return record_of(found[0]) if found else None

    def records(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Record]:
        """See ``Reader.records``."""
        found = self._fetch("records", kind, after, prefix, prefix + LAST, max(limit, 0))
        return [record_of(each) for each in found]

    def last_records(
        self, kind: str, *, prefix: str = "", before: str = "", limit: int = 1000
    ) -> list[Record]:
        """See ``Reader.last_records``."""
        end = prefix + LAST
        end = min(before, end) if before else end
        return [record_of(each) for each in self._fetch("last_records", kind, prefix, end, max(limit, 0))]

    def due(self, kind: str, *, before: float, limit: int = 100) -> list[Record]:
        """See ``Reader.due``."""
        return [record_of(each) for each in self._fetch("due", kind, before, max(limit, 0))]

    def all_runs(self) -> Iterator[RunRow]:
        """See ``Reader.all_runs``."""
        after = -1
        while rows := [run_row(each) for each in self._fetch("all_runs", after, PAGE)]:
            yield from rows
            after = rows[-1].run

    def cached(self, key: str, *, now: float) -> CacheRow | None:
        """See ``Store.cached``."""
        found = self._fetch("cached", key, now)
        if not found:
            return None
        key, run, idx, at, expires_at, result = found[0]
        return CacheRow(key=key, result=decode_result(result), run=run, idx=idx, at=at, expires_at=expires_at)


def nodes_of(rows: Iterable[Any]) -> dict[str, Node]:
    """Nodes that are in no group, by digest."""
    return {digest: decode_node(body) for digest, body in rows}
