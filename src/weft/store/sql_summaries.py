"""The questions of pages, the same for every store with SQL: each is the rows of one statement."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import msgspec

from weft.model.rows import RunRow
from weft.store.protocol import Record
from weft.store.references import LAST, prefixes
from weft.store.rows import record_of, run_row
from weft.store.summaries import Bars, CellCount, CreatedCount, EndedCount, OpenCount, RunMark

_FIELDS = Bars.__struct_fields__
APPROVAL = msgspec.msgpack.encode("type") + msgspec.msgpack.encode("approval")
"""How the stored form of an ``ApprovalWait`` goes on after its first byte."""


class SqlSummaries(ABC):
    """``Summaries`` over ``_fetch``."""

    @abstractmethod
    def _fetch(self, name: str, *values: Any) -> list[Any]:
        """All rows that a statement gives, in the order of its columns."""

    @abstractmethod
    def _numbers(self, values: Sequence[int]) -> Any:
        """Whole numbers as one value of a statement."""

    @abstractmethod
    def _texts(self, values: Sequence[str]) -> Any:
        """Texts as one value of a statement."""

    def bars(self, run: int, *, after: int = -1, limit: int = 20_000, keys: bool = False) -> Bars:
        """See ``Summaries.bars``."""
        name = "bars_with_keys" if keys else "bars"
        columns = zip(*self._fetch(name, run, after, max(limit, 0)), strict=True)
        return Bars(**dict(zip(_FIELDS, columns, strict=False)))

    def cells(self, runs: Sequence[int]) -> list[CellCount]:
        """See ``Summaries.cells``."""
        return [CellCount(*each) for each in self._fetch("cells", self._numbers(runs))]

    def task_keys(self, run: int, idxs: Sequence[int]) -> dict[int, str]:
        """See ``Summaries.task_keys``."""
        return dict(self._fetch("task_keys", run, self._numbers(idxs)))

    def newest_runs(self, workflows: Sequence[str], *, each: int) -> list[RunMark]:
        """See ``Summaries.newest_runs``."""
        names = self._texts(list(dict.fromkeys(workflows)))
        return [RunMark(*found) for found in self._fetch("newest_runs", names, max(each, 0))]

    def run_workflows(self, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
        """See ``Summaries.run_workflows``."""
        found = self._fetch("run_workflows", after, prefix, prefix + LAST, max(limit, 0))
        return [name for (name,) in found]

    def runs_by_prefix(self, prefix: str, *, limit: int) -> list[RunRow]:
        """See ``Summaries.runs_by_prefix``."""
        for low, high in prefixes(prefix):
            found = self._fetch("runs_by_prefix", low, high, max(limit, 0))
            if found:
                return [run_row(each) for each in found]
        return []

    def open_counts(self) -> list[OpenCount]:
        """See ``Summaries.open_counts``."""
        return [OpenCount(*each) for each in self._fetch("open_counts")]

    def open_runs(self, *, limit: int) -> list[RunRow]:
        """See ``Summaries.open_runs``."""
        return [run_row(each) for each in self._fetch("open_runs", max(limit, 0))]

    def open_approvals(self) -> int:
        """See ``Summaries.open_approvals``."""
        return int(self._fetch("open_approvals", APPROVAL)[0][0])

    def ended_runs(self, state: str, *, since: float, limit: int) -> list[RunRow]:
        """See ``Summaries.ended_runs``."""
        found = self._fetch("ended_runs", str(state), float(since), max(limit, 0))
        return [run_row(each) for each in found]

    def ended_counts(self, *, since: float, every_s: int) -> list[EndedCount]:
        """See ``Summaries.ended_counts``."""
        found = self._fetch("ended_counts", float(since), float(every_s))
        return [EndedCount(*each) for each in found]

    def created_counts(self, workflow: str, *, since: float, every_s: int) -> list[CreatedCount]:
        """See ``Summaries.created_counts``."""
        found = self._fetch("created_counts", workflow, float(since), float(every_s))
        return [CreatedCount(*each) for each in found]

    def some_records(self, kind: str, names: Sequence[str]) -> list[Record]:
        """See ``Reader.some_records``."""
        return [record_of(each) for each in self._fetch("some_records", kind, self._texts(names))]

    def names_with(self, kind: str, text: str, *, limit: int) -> list[str]:
        """See ``Reader.names_with``."""
        return [name for (name,) in self._fetch("names_with", kind, text, max(limit, 0))]
