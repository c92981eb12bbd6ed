"""What the store tests build with: short changes, an engine, and logs that hypothesis draws."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from weft.core.changes import (
    Cached,
    Cause,
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
from weft.core.fold import Folded, fold
from weft.model.attempts import Published
from weft.model.calls import PythonCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Graph, Node
from weft.model.inputs import Const, TaskOutput
from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState, TaskState
from weft.model.values import Result
from weft.model.waits import ApprovalWait, TimerWait
from weft.store.protocol import Store

FAR = 1e12
"""A lease that does not end while a test runs."""

ONE = Result("msgpack", b"\x01", None, 1)
BIG = Result("arrow", None, "ab" * 32, 1 << 30)
BOOM = ErrorInfo("builtins.ValueError", "boom", traceback="Traceback...", mro=("builtins.ValueError",))


def graph(workflow: str = "etl") -> Graph:
    """The smallest graph of a workflow."""
    return Graph(workflow=workflow, root=Node(key=workflow, call=PythonCall("flows", workflow, flow=True)))


def run_added(run: int, **given: Any) -> RunAdded:
    """A run that was accepted."""
    fields: dict[str, Any] = {"uid": f"run_{run:026}", "workflow": "etl", "graph": "g1", "at": float(run)}
    return RunAdded(run=run, **fields | given)


def run_changed(run: int, state: RunState = RunState.RUNNING, **given: Any) -> RunChanged:
    """A run that moved."""
    fields: dict[str, Any] = {"at": 10.0, "cause": Cause.SUBMITTED}
    return RunChanged(run=run, state=state, **fields | given)


def task_added(run: int, idx: int, **given: Any) -> TaskAdded:
    """A task run that is known."""
    fields: dict[str, Any] = {"key": f"load[{idx}]", "name": "load", "at": 20.0}
    return TaskAdded(run=run, idx=idx, **fields | given)


def task_changed(run: int, idx: int, state: TaskState = TaskState.QUEUED, **given: Any) -> TaskChanged:
    """A task run that moved."""
    fields: dict[str, Any] = {"attempt": 1, "at": 30.0, "cause": Cause.UPSTREAM}
    return TaskChanged(run=run, idx=idx, state=state, **fields | given)


class Engine:
    """An engine that owns what it commits, for tests that are not about ownership."""

    def __init__(self, store: Store, *, expires_at: float = FAR) -> None:
        self.store = store
        self.id = store.open_engine(
            name="test", host="here", pid=1, process_started="1.5", at=1.0, expires_at=expires_at
        )
        store.put_graph("g1", graph(), at=1.0)
        self.epochs: dict[int, int] = {}

    def commit(self, *changes: Change) -> frozenset[int]:
        """Commit under the epochs known, new runs under epoch 1."""
        for change in changes:
            self.epochs.setdefault(change.run, 1)
        return self.store.commit(changes, engine=self.id, epochs=self.epochs)

    def start(self, run: int, *, tasks: int = 0, **given: Any) -> int:
        """Add a running run with queued task runs."""
        changes: list[Change] = [run_added(run, **given), run_changed(run)]
        for idx in range(tasks):
            changes += [task_added(run, idx), task_changed(run, idx)]
        assert self.commit(*changes) == frozenset()
        return run

    def end(self, run: int, at: float = 100.0) -> None:
        """End a run."""
        assert self.commit(run_changed(run, RunState.SUCCEEDED, at=at, result=ONE)) == frozenset()


# What the rows must be


def bare_run(row: RunRow) -> RunRow:
    """A run's row as the log alone gives it."""
    return replace(row, result=None, owner=0, epoch=0, version=0)


def bare_task(row: TaskRow) -> TaskRow:
    """A task run's row as the log alone gives it."""
    return replace(row, result=None)


def all_events(store: Store, run: int | None = None, *, page: int = 7) -> list[Any]:
    """The log of a run or of all, read in small pages."""
    found: list[Any] = []
    after = 0
    while True:
        rows = (
            store.events_since(after, limit=page)
            if run is None
            else store.events(run, after=after, limit=page)
        )
        if not rows:
            return found
        found += rows
        after = rows[-1].seq


def check_fold(store: Store, changes: Iterable[Change] | None = None) -> Folded:
    """Assert that the store's rows are the fold of its own log, and of ``changes`` with their results."""
    state = fold(event.change for event in all_events(store))
    rows = {row.run: row for row in store.all_runs()}
    assert {run: bare_run(row) for run, row in rows.items()} == state.runs
    tasks = {(row.run, row.idx): row for run in rows for row in store.tasks(run, limit=10_000)}
    assert {key: bare_task(row) for key, row in tasks.items()} == state.tasks
    assert {(row.run, row.idx): row for run in rows for row in store.maps(run)} == state.maps
    assert [row for run in rows for row in store.signals(run)] == [
        row for run in rows for (of, _), row in state.signals.items() if of == run
    ]
    assert {(run, digest): node for run in rows for digest, node in store.nodes(run).items()} == state.nodes
    assert [row.published for run in rows for row in store.published(run)] == [
        showed.published for run in rows for (of, *_), showed in state.shown.items() if of == run
    ]
    for key, cached in state.cached.items():
        row = store.cached(key, now=-1.0)
        assert row is not None
        assert (row.run, row.idx, row.at, row.expires_at) == (
            cached.run,
            cached.idx,
            cached.at,
            cached.expires_at,
        )
    if changes is not None:
        full = fold(changes)
        assert {key: row.result for key, row in tasks.items()} == {
            key: row.result for key, row in full.tasks.items()
        }
        assert {run: row.result for run, row in rows.items()} == {
            run: row.result for run, row in full.runs.items()
        }
        assert all(
            row is not None and row.result == cached.result
            for key, cached in full.cached.items()
            for row in [store.cached(key, now=-1.0)]
        )
    return state


# Logs that hypothesis draws

_times = st.floats(min_value=0.0, max_value=2e9)
_maybe_time = st.none() | _times
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_results = st.sampled_from([None, ONE, BIG])
_errors = st.sampled_from(
    [None, BOOM, ErrorInfo("a.Error"), ErrorInfo("b", pickled=b"\x00\xff", exit_code=-9)]
)
_waits = st.sampled_from(
    [None, TimerWait(until_s=5.0), ApprovalWait(form={"type": "object", "a": [1, None]})]
)
_inputs = st.sampled_from([{}, {"*": Const(ONE)}, {"x": TaskOutput(3, ("a", 0)), "y": Const(BIG)}])


@st.composite
def _task_changes(draw: st.DrawFn, run: int, idx: int) -> TaskChanged:
    return TaskChanged(
        run=run,
        idx=idx,
        state=draw(st.sampled_from(TaskState)),
        attempt=draw(st.integers(0, 3)),
        at=draw(_times),
        cause=draw(st.sampled_from(Cause)),
        by=draw(st.integers(-1, 5)),
        generation=draw(st.integers(0, 2)),
        failures=draw(st.integers(0, 2)),
        result=draw(_results),
        error=draw(_errors),
        due_at=draw(_maybe_time),
        wait=draw(_waits),
        worker=draw(_text),
        started_at=draw(_maybe_time),
        chosen=draw(st.none() | st.lists(_text, max_size=2).map(tuple)),
        detail=draw(_text),
    )


@st.composite
def _new_tasks(draw: st.DrawFn, run: int, idx: int) -> TaskAdded:
    return TaskAdded(
        run=run,
        idx=idx,
        key=draw(_text),
        name=draw(_text),
        at=draw(_times),
        kind=draw(st.sampled_from(["root", "node", "item", "call", "hook"])),
        parent=draw(st.integers(-1, 3)),
        map_index=draw(st.integers(-1, 3)),
        fingerprint=draw(_text),
        inputs=draw(_inputs),
    )


def _remakes(run: int, idx: int) -> st.SearchStrategy[TaskRemade]:
    """A call that is made again."""
    places = st.integers(-1, 3)
    return st.builds(TaskRemade, st.just(run), st.just(idx), _text, _times, _text, places, _text, _inputs)


@st.composite
def _records(draw: st.DrawFn, run: int) -> Change:
    """A change whose latest of an identity counts."""
    idx, at = draw(st.integers(0, 3)), draw(_times)
    kind = draw(st.integers(0, 5))
    if kind == 0:
        state = draw(st.sampled_from(RunState))
        return RunChanged(run, state, at, Cause.CHILDREN, draw(_results), draw(_errors))
    if kind == 1:
        digest = draw(st.sampled_from(["n1", "n2"]))
        return NodeAdded(run, digest, Node(key=digest, call=PythonCall("m", digest)))
    if kind == 2:
        return MapExpanded(run, idx, at, draw(st.integers(0, 99)), draw(st.integers(0, 9)), ONE)
    if kind == 3:
        signal = draw(st.sampled_from(["s1", "s2", "s3"]))
        return Signalled(run, draw(_text), at, ONE, signal, draw(st.integers(-1, 3)))
    if kind == 4:
        result = draw(st.sampled_from([ONE, BIG]))
        return Cached(run, idx, draw(st.sampled_from("kl")), result, at, draw(_maybe_time))
    shown = Published(draw(st.sampled_from(["report", "plot"])), "markdown", ONE, draw(_text))
    return Showed(run, idx, draw(st.integers(1, 2)), at, shown)


@st.composite
def logs(draw: st.DrawFn) -> list[list[Change]]:
    """Batches of changes that an engine could have made: nothing changes before it is added."""
    batches: list[list[Change]] = []
    known: dict[int, set[int]] = {}
    for _ in range(draw(st.integers(1, 5))):
        batch: list[Change] = []
        for _ in range(draw(st.integers(1, 8))):
            batch.append(_draw_change(draw, known))
        batches.append(batch)
    return batches


def _draw_change(draw: st.DrawFn, known: dict[int, set[int]]) -> Change:
    run = draw(st.integers(1, 3))
    if run not in known:
        known[run] = set()
        return run_added(
            run,
            params=draw(st.sampled_from([{}, {"day": ONE}])),
            tags=tuple(draw(st.lists(_text, max_size=2))),
            facts=draw(st.sampled_from([{}, {"logical_date": "2026-01-01", "n": [1, {"a": None}]}])),
            key=draw(st.sampled_from([None, f"key-{run}"])),
        )
    kind = draw(st.integers(0, 5))
    tasks = known[run]
    if kind <= 3 and tasks:
        idx = draw(st.sampled_from(sorted(tasks)))
        return draw(_remakes(run, idx) if draw(st.integers(0, 9)) == 0 else _task_changes(run, idx))
    if kind <= 4:
        idx = draw(st.integers(0, 9))
        if idx not in tasks:
            tasks.add(idx)
            return draw(_new_tasks(run, idx))
    return draw(_records(run))


def flat(batches: Sequence[Sequence[Change]]) -> list[Change]:
    """The changes of all batches in the order of the log: of a commit, each run's stand together."""
    found: list[Change] = []
    for batch in batches:
        first = {change.run: at for at, change in reversed(list(enumerate(batch)))}
        found += sorted(batch, key=lambda change: first[change.run])
    return found
