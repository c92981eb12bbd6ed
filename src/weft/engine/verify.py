"""``weft verify``: whether a store keeps what Weft promises, read from its rows and its log alone.

It reads run by run, in pages, and changes nothing; it may run beside engines. What an engine commits while a
run is read is told from damage by reading that run again.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from weft.artifacts.blobs import Blobs
from weft.core.history import History
from weft.model.errors import InvariantViolation, WeftError
from weft.model.graph import Graph
from weft.model.rows import MapRow, RunRow, SignalRow, TaskRow
from weft.model.states import LIVE, RUN_TERMINAL, TERMINAL, RunState
from weft.model.values import Result
from weft.store.protocol import EventRow, Store

PAGE = 1000
TRIES = 3
"""How often a run that engines change meanwhile is read before its differences count."""

_RUN_ONLY = frozenset({"result", "version", "owner", "epoch", "queue"})
_TASK_ONLY = frozenset({"result"})
"""What rows have and the log does not: see ``core/fold.py``."""

_HINT = "this is a bug in Weft or damage from outside: keep a copy of the store, and report it"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as promised.

    Attributes:
        code: ``I1`` to ``I10``, ``STORAGE`` or ``ARTIFACT``.
        what: One sentence.
        where: The run, and the task run in it.
        hint: What to do.
    """

    code: str
    what: str
    where: str = ""
    hint: str = _HINT


def verify(
    store: Store, *, blobs: Blobs | None = None, runs: Iterable[RunRow] | None = None
) -> list[Problem]:
    """Check a whole store; an empty list is healthy.

    Args:
        store: May be in use.
        blobs: Where large values are; without it their presence is not checked.
        runs: Check these only.
    """
    problems = [Problem(code="STORAGE", what=each, hint="restore a backup") for each in store.check()]
    graphs: dict[str, Graph] = {}
    keys: dict[str, str] = {}
    for row in store.all_runs() if runs is None else runs:
        if row.key is not None:
            if row.key in keys:
                what = f"the key {row.key!r} was accepted twice; first by {keys[row.key]}"
                problems.append(Problem(code="I4", what=what, where=row.uid))
            keys[row.key] = row.uid
        problems += _run(store, row, graphs, blobs)
    return problems


def _run(store: Store, row: RunRow, graphs: dict[str, Graph], blobs: Blobs | None) -> list[Problem]:
    """The problems of one run that are there however often it is read."""
    problems: list[Problem] = []
    for _ in range(TRIES):
        before = store.last_seq()
        problems = list(Verification(store, row.run, graphs, blobs).problems())
        if not problems or store.last_seq() == before:
            break
    return problems


class Verification:
    """One look at one run."""

    def __init__(self, store: Store, run: int, graphs: dict[str, Graph], blobs: Blobs | None) -> None:
        self.store = store
        self.row = store.run_by_id(run)
        self.graphs = graphs
        self.blobs = blobs

    def problems(self) -> Iterator[Problem]:
        """What is wrong with it."""
        row = self.row
        if row.graph not in self.graphs:
            try:
                self.graphs[row.graph] = self.store.graph(row.graph)
            except WeftError:
                yield Problem(code="I1", what="the graph of the run is gone", where=row.uid)
        history = History(self.graphs)
        try:
            for event in self._events():
                history.feed(event.change)
        except InvariantViolation as exc:
            code = str(exc.fields.get("invariant", "I6"))
            yield Problem(code=code, what=exc.what, where=f"{row.uid}: {exc.where}")
            return
        tasks = list(self._tasks())
        open_tasks = [task for task in tasks if task.state not in TERMINAL]
        yield from self._fold(history, tasks)
        yield from self._open(history, tasks, open_tasks)
        yield from self._artifacts(tasks)

    def _events(self) -> Iterator[EventRow]:
        after = 0
        while page := self.store.events(self.row.run, after=after, limit=PAGE):
            after = page[-1].seq
            yield from page

    def _tasks(self) -> Iterator[TaskRow]:
        after = -1
        while page := self.store.tasks(self.row.run, after=after, limit=PAGE):
            after = page[-1].idx
            yield from page

    def _fold(self, history: History, tasks: list[TaskRow]) -> Iterator[Problem]:
        """I6: the rows are the fold of the log."""
        run, uid, folded = self.row.run, self.row.uid, history.state
        if run not in folded.runs:
            yield Problem(code="I6", what="the log does not know the run", where=uid)
            return
        yield from _differences(uid, folded.runs[run], self.row, _RUN_ONLY)
        for row in tasks:
            found = folded.tasks.pop((run, row.idx), None)
            where = f"{uid}, task run {row.idx} {row.key!r}"
            if found is None:
                yield Problem(code="I6", what="the log does not know a task run that has a row", where=where)
            else:
                yield from _differences(where, found, row, _TASK_ONLY)
        for _, idx in sorted(folded.tasks):
            what = "a task run of the log has no row"
            yield Problem(code="I1", what=what, where=f"{uid}, task run {idx}")
        maps: dict[int, MapRow] = {each.idx: each for each in self.store.maps(run)}
        for (_, idx), spread in folded.maps.items():
            if maps.get(idx) != spread:
                yield Problem(code="I6", what="a map differs from the log", where=f"{uid}, task run {idx}")
        signals: dict[str, SignalRow] = {each.signal_id: each for each in self.store.signals(run)}
        for (_, name), signal in folded.signals.items():
            if signals.get(name) != signal:
                yield Problem(code="I6", what=f"event {name} differs from the log", where=uid)

    def _open(self, history: History, tasks: list[TaskRow], open_tasks: list[TaskRow]) -> Iterator[Problem]:
        """I1, I3, I5 and I9 of what has not ended."""
        row = self.row
        if row.state in RUN_TERMINAL:
            for task in open_tasks:
                where = f"{row.uid}, task run {task.idx} {task.key!r}"
                what = f"the run {row.state}, and a task run is {task.state}"
                yield Problem(code="I1", what=what, where=where)
            return
        if row.owner == 0:
            # Accepted by a server, or given back by one: an engine that serves its queue takes it.
            if not row.queue and row.state is not RunState.SCHEDULED:
                yield Problem(code="I9", what="an open run has no owner", where=row.uid)
        elif row.owner not in {each.engine for each in self.store.engines()}:
            hint = "any engine that is started takes it over"
            yield Problem(code="I9", what="an open run's owner is unknown", where=row.uid, hint=hint)
        if tasks and not open_tasks:
            what = "everything in the run has ended, and the run goes on"
            yield Problem(code="I3", what=what, where=row.uid)
        graph = self.graphs.get(row.graph)
        if graph is not None and graph.max_active is not None:
            live = sum(task.state in LIVE and history.takes_slots(task) for task in open_tasks)
            if live > graph.max_active:
                what = f"{live} attempts are live, and max_active is {graph.max_active}"
                yield Problem(code="I5", what=what, where=row.uid)

    def _artifacts(self, tasks: list[TaskRow]) -> Iterator[Problem]:
        """Large values whose bytes are gone."""
        blobs = self.blobs
        if blobs is None:
            return
        row = self.row
        places: list[tuple[str, Result | None]] = [("the run's result", row.result)]
        places += [(f"parameter {name!r}", each) for name, each in row.params.items()]
        places += [(f"the result of {task.key!r}", task.result) for task in tasks]
        places += [(f"the items of task run {each.idx}", each.items) for each in self.store.maps(row.run)]
        places += [(f"event {each.name!r}", each.payload) for each in self.store.signals(row.run)]
        for place, result in places:
            if result is not None and result.digest is not None and not blobs.exists(result.digest):
                hint = "restore the artifacts, or clear the task run so that it makes the value again"
                yield Problem(
                    code="ARTIFACT", what=f"the bytes of {place} are gone", where=row.uid, hint=hint
                )


def _differences(where: str, told: Any, row: Any, ignored: frozenset[str]) -> Iterator[Problem]:
    for name in row.__struct_fields__:
        if name not in ignored and getattr(told, name) != getattr(row, name):
            what = f"{name} is {getattr(row, name)!r}, and {getattr(told, name)!r} by the log"
            yield Problem(code="I6", what=what, where=where)
