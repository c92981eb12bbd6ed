"""The questions of pages, in memory: the same answers by going through everything."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from math import floor, log2

from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState, TaskState
from weft.model.waits import ApprovalWait
from weft.store.isolation import run_copy
from weft.store.references import prefixes
from weft.store.summaries import PACES, Bars, CellCount, CreatedCount, EndedCount, OpenCount, RunMark


class MemorySummaries(ABC):
    """``Summaries`` over the rows of a store."""

    _lock: threading.RLock

    @abstractmethod
    def _rows(self) -> list[RunRow]:
        """Every run, oldest first. The lock is held."""

    @abstractmethod
    def _tasks(self, run: int) -> Mapping[int, TaskRow]:
        """A run's task runs. The lock is held."""

    def bars(self, run: int, *, after: int = -1, limit: int = 20_000, keys: bool = False) -> Bars:
        """See ``Summaries.bars``."""
        with self._lock:
            tasks = self._tasks(run)
            rows = [
                tasks[idx] for idx in islice((each for each in sorted(tasks) if each > after), max(limit, 0))
            ]
            columns = [name for name in Bars.__struct_fields__ if keys or name != "key"]
            return Bars(**{name: [getattr(row, name) for row in rows] for name in columns})

    def cells(self, runs: Sequence[int]) -> list[CellCount]:
        """See ``Summaries.cells``."""
        with self._lock:
            return [cell for run in sorted(set(runs)) for cell in self._cells(run)]

    def task_keys(self, run: int, idxs: Sequence[int]) -> dict[int, str]:
        """See ``Summaries.task_keys``."""
        with self._lock:
            tasks = self._tasks(run)
            return {idx: tasks[idx].key for idx in sorted(set(idxs)) if idx in tasks}

    def newest_runs(self, workflows: Sequence[str], *, each: int) -> list[RunMark]:
        """See ``Summaries.newest_runs``."""
        with self._lock:
            left = dict.fromkeys(workflows, each)
            found: list[RunMark] = []
            for row in reversed(self._rows()):
                if left.get(row.workflow, 0) > 0:
                    left[row.workflow] -= 1
                    found.append(_mark(row))
            return found[::-1]

    def run_workflows(self, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
        """See ``Summaries.run_workflows``."""
        with self._lock:
            names = {row.workflow for row in self._rows()}
        found = [each for each in names if each.startswith(prefix) and each > after]
        return sorted(found, key=str.encode)[: max(limit, 0)]

    def runs_by_prefix(self, prefix: str, *, limit: int) -> list[RunRow]:
        """See ``Summaries.runs_by_prefix``."""
        with self._lock:
            for low, high in prefixes(prefix):
                found = [row for row in self._rows() if low <= row.uid < high]
                if found:
                    found.sort(key=lambda row: row.uid)
                    return [run_copy(row) for row in found[: max(limit, 0)]]
        return []

    def open_counts(self) -> list[OpenCount]:
        """See ``Summaries.open_counts``."""
        with self._lock:
            counts = Counter((row.workflow, str(row.state)) for row in self._rows() if row.ended_at is None)
        return [OpenCount(*key, count) for key, count in counts.items()]

    def open_runs(self, *, limit: int) -> list[RunRow]:
        """See ``Summaries.open_runs``."""
        with self._lock:
            found = [row for row in reversed(self._rows()) if row.ended_at is None]
            return [run_copy(row) for row in found[: max(limit, 0)]]

    def open_approvals(self) -> int:
        """See ``Summaries.open_approvals``."""
        with self._lock:
            return sum(
                task.state is TaskState.WAITING and isinstance(task.wait, ApprovalWait)
                for row in self._rows()
                if row.ended_at is None
                for task in self._tasks(row.run).values()
            )

    def ended_runs(self, state: str, *, since: float, limit: int) -> list[RunRow]:
        """See ``Summaries.ended_runs``."""
        with self._lock:
            found = [
                (row.ended_at, row.run, row)
                for row in self._rows()
                if row.state == state and row.ended_at is not None and row.ended_at >= since
            ]
            found.sort(key=lambda each: each[:2], reverse=True)
            return [run_copy(row) for *_, row in found[: max(limit, 0)]]

    def ended_counts(self, *, since: float, every_s: int) -> list[EndedCount]:
        """See ``Summaries.ended_counts``."""
        with self._lock:
            counts = Counter(
                (floor(row.ended_at / every_s), str(row.state))
                for row in self._rows()
                if row.ended_at is not None and row.ended_at >= since
            )
        return [EndedCount(*key, count) for key, count in counts.items()]

    def created_counts(self, workflow: str, *, since: float, every_s: int) -> list[CreatedCount]:
        """See ``Summaries.created_counts``."""
        with self._lock:
            counts = Counter(
                (floor(row.created_at / every_s), str(row.state), _pace(row))
                for row in self._rows()
                if row.workflow == workflow and row.created_at >= since
            )
        return [CreatedCount(*key, count) for key, count in counts.items()]

    def _cells(self, run: int) -> list[CellCount]:
        groups: dict[tuple[str, str, str], list[TaskRow]] = {}
        tasks = self._tasks(run)
        for idx in sorted(tasks):
            row = tasks[idx]
            groups.setdefault((row.name, row.kind, str(row.state)), []).append(row)
        return [
            CellCount(
                run,
                *group,
                len(rows),
                rows[0].idx,
                max(row.attempt for row in rows),
                min((row.started_at for row in rows if row.started_at is not None), default=None),
                max((row.ended_at for row in rows if row.ended_at is not None), default=None),
            )
            for group, rows in groups.items()
        ]


def _mark(row: RunRow) -> RunMark:
    return RunMark(
        row.run, row.uid, row.workflow, str(row.state), row.created_at, row.started_at, row.ended_at
    )


def _pace(row: RunRow) -> int | None:
    """See ``CreatedCount.pace``."""
    if row.state is not RunState.SUCCEEDED or row.started_at is None or row.ended_at is None:
        return None
    took_s = row.ended_at - row.started_at
    return floor(PACES * log2(took_s)) if took_s > 0 else None
