"""The questions that anyone may ask of a PostgreSQL store, from any thread and any process."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from weft.model.errors import NotFound, StoreCorrupt, UsageError
from weft.model.rows import RunRow, Snapshot, TaskRow
from weft.store.event_log import unpack
from weft.store.postgres_arrays import Binary, int8s, texts
from weft.store.postgres_connection import Readers
from weft.store.postgres_place import Place
from weft.store.postgres_query import to_sql
from weft.store.postgres_session import Rows
from weft.store.protocol import EventRow
from weft.store.query import RUNS, TASKS, Target, parse
from weft.store.references import LATEST, TWO, prefixes, unknown_run
from weft.store.rows import RUN_COLUMNS, TASK_COLUMNS, decode_graph, map_row, run_row, signal_row, task_row
from weft.store.sql_read import SqlReader, nodes_of
from weft.store.statements import statements

_NEWEST = (1 << 63) - 1
_BLOCKS = 64
"""Blocks of the log read at once: a few hundred kilobytes when they are of wide maps."""


class PostgresReader(SqlReader):
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
                found = found or self._fetch("runs_by_prefix", low, high, TWO)
        if not found:
            raise unknown_run(ref)
        if len(found) > 1:
            raise UsageError(f"{ref!r} begins more than one run's id", where=ref, hint="give more of it")
        return run_row(found[0])

    def runs(self, where: str = "", *, limit: int = 50, before: int | None = None) -> list[RunRow]:
        """See ``Reader.runs``."""
        newest = _NEWEST if before is None else before
        return [run_row(each) for each in self._picked("runs", where, RUNS, newest, max(limit, 0))]

    def tasks(
        self, run: int, where: str = "", *, after: int = -1, limit: int = 1000, parent: int | None = None
    ) -> list[TaskRow]:
        """See ``Reader.tasks``."""
        name = "tasks" if parent is None else "tasks_of_parent"
        of_parent = () if parent is None else (parent,)
        found = self._picked(name, where, TASKS, run, after, max(limit, 0), *of_parent)
        return [task_row(each) for each in found]

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
            nodes=nodes_of(nodes),
            tasks=[task_row(each) for each in tasks],
            maps=[map_row(each) for each in maps],
            signals=[signal_row(each) for each in signals],
        )

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

    def _numbers(self, values: Sequence[int]) -> Binary:
        """See ``SqlSummaries``."""
        return int8s(values)

    def _texts(self, values: Sequence[str]) -> Binary:
        """See ``SqlSummaries``."""
        return texts(values)

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
        for name, statement in (statements("postgres_read") | statements("postgres_summaries")).items()
    }
