"""The questions that anyone may ask of an SQLite store, from any thread and any process."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from weft.model.errors import NotFound, StoreCorrupt, UsageError
from weft.model.rows import RunRow, Snapshot, TaskRow
from weft.store.event_log import unpack
from weft.store.protocol import EventRow
from weft.store.references import TWO, prefixes, unknown_run
from weft.store.rows import RUN_COLUMNS, TASK_COLUMNS, decode_graph, map_row, run_row, signal_row, task_row
from weft.store.sql_read import SqlReader, nodes_of
from weft.store.sqlite_connection import Readers
from weft.store.statements import statements

_NEWEST = (1 << 63) - 1


class SqliteReader(SqlReader):
    """``Reader`` over read-only connections."""

    def __init__(self, path: Path, *, busy_timeout_s: float, clock: Callable[[], float] = time.time) -> None:
        self._readers = Readers(path, busy_timeout_s=busy_timeout_s)
        self._clock = clock
        columns = {"{run}": RUN_COLUMNS, "{task}": TASK_COLUMNS}
        self._ask = statements("sqlite_read") | statements("sqlite_summaries")
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
                    found = found or db.execute(self._ask["runs_by_prefix"], (low, high, TWO)).fetchall()
        if not found:
            raise unknown_run(ref)
        if len(found) > 1:
            raise UsageError(f"{ref!r} begins more than one run's id", where=ref, hint="give more of it")
        return run_row(found[0])

    def runs(self, where: str = "", *, limit: int = 50, before: int | None = None) -> list[RunRow]:
        """See ``Reader.runs``."""
        condition, values = self._condition(where, "runs")
        sql = self._ask["runs"].replace("{where}", condition)
        with self._readers.connection() as db:
            newest = _NEWEST if before is None else before
            return [run_row(each) for each in db.execute(sql, (newest, *values, max(limit, 0)))]

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
                nodes=nodes_of(db.execute(ask["nodes"], (run,))),
                tasks=[task_row(each) for each in db.execute(ask["all_tasks"], (run,))],
                maps=[map_row(each) for each in db.execute(ask["maps"], (run,))],
                signals=[signal_row(each) for each in db.execute(ask["signals"], (run,))],
            )

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

    def _numbers(self, values: Sequence[int]) -> str:
        """See ``SqlSummaries``: SQLite reads JSON."""
        return json.dumps(list(values))

    def _texts(self, values: Sequence[str]) -> str:
        """See ``SqlSummaries``."""
        return json.dumps(list(values))

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
