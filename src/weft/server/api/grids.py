"""A workflow's latest runs by its tasks: a cell for each task in each run, however many items it had."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from weft.model.states import TaskState
from weft.projects.records import WORKFLOWS
from weft.server import annotations
from weft.server.context import Given
from weft.server.parameters import NAME, Name
from weft.server.routing import read
from weft.server.views import RunView, maybe_moment, run_view
from weft.store.summaries import CellCount

TELLING = (
    TaskState.FAILED,
    TaskState.UPSTREAM_FAILED,
    TaskState.LOST,
    TaskState.RUNNING,
    TaskState.RETRYING,
    TaskState.WAITING,
    TaskState.QUEUED,
    TaskState.READY,
    TaskState.PENDING,
    TaskState.CANCELLED,
    TaskState.SUCCEEDED,
    TaskState.CACHED,
    TaskState.SKIPPED,
)
"""States, the one that tells most of a task first."""

_RANK = {str(state): rank for rank, state in enumerate(TELLING)}
_ITEM, _ROOT = "item", "root"


class GridTask(msgspec.Struct, kw_only=True, gc=False):
    """A task of a workflow's latest runs.

    Attributes:
        name: Its name.
        kind: `node`, `call` or `hook`.
        mapped: Whether it ran once for each item of something.
    """

    name: str
    kind: str
    mapped: bool


class GridCell(msgspec.Struct, kw_only=True):
    """What became of a task in a run.

    Attributes:
        state: Of its task runs' states the one that tells most: what failed before what runs, that before
            what is over.
        counts: Task runs by state, items only if it is mapped; null if there is but one.
        started_at: When the first of them began.
        ended_at: When the last of them ended; null while one is open.
        attempt: The highest number of an attempt among them.
        idx: Index of the first of them.
    """

    state: str
    counts: dict[str, int] | None
    started_at: datetime | None
    ended_at: datetime | None
    attempt: int
    idx: int


class GridView(msgspec.Struct, kw_only=True):
    """A workflow's runs by its tasks.

    Attributes:
        runs: The newest last.
        tasks: As the newest run that has them came to them; then those that only older ones have.
        cells: For each run, in order, one for each task, in order; null where the run has none.
        next: Id to give as `before` for the runs before these; null if there are none.
    """

    runs: list[RunView]
    tasks: list[GridTask]
    cells: list[list[GridCell | None]]
    next: str | None


@read("/workflows/{name:str}/grid")
def show_workflow_grid(
    context: Given,
    name: Name,
    runs: Annotated[int, QueryParameter(description="How many runs at most.", ge=1, le=100)] = 25,
    before: Annotated[
        str,
        QueryParameter(description="Id of a run: only runs before it.", max_length=64, pattern=f"^$|{NAME}"),
    ] = "",
) -> GridView:
    """Show what became of each task in a workflow's latest runs."""
    store = context.store
    newest = store.run(before).run if before else None
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    rows = store.runs(f'workflow:"{quoted}"', limit=runs + 1, before=newest)
    if not rows and newest is None:
        WORKFLOWS.require(store, name)
    more = len(rows) > runs
    rows = rows[:runs][::-1]
    added = annotations.of_runs(store, [row.uid for row in rows])
    found = context.services.cells.of(store, rows)
    tasks = _tasks([found[row.run] for row in reversed(rows)])
    places = {task.name: place for place, task in enumerate(tasks)}
    return GridView(
        runs=[run_view(row, added.get(row.uid)) for row in rows],
        tasks=tasks,
        cells=[_cells(found[row.run], places) for row in rows],
        next=rows[0].uid if more else None,
    )


def _tasks(newest_first: Iterable[Sequence[CellCount]]) -> list[GridTask]:
    tasks: dict[str, GridTask] = {}
    for cells in newest_first:
        for cell in cells:
            if cell.kind == _ROOT:
                continue
            task = tasks.setdefault(cell.name, GridTask(name=cell.name, kind=cell.kind, mapped=False))
            if cell.kind == _ITEM:
                task.mapped = True
            else:
                task.kind = cell.kind
    return list(tasks.values())


def _cells(counted: Sequence[CellCount], places: dict[str, int]) -> list[GridCell | None]:
    """A run's cells, in the order of the tasks."""
    groups: dict[str, list[CellCount]] = {}
    for each in counted:
        if each.kind != _ROOT:
            groups.setdefault(each.name, []).append(each)
    cells: list[GridCell | None] = [None] * len(places)
    for name, group in groups.items():
        cells[places[name]] = _cell(group)
    return cells


def _cell(group: Sequence[CellCount]) -> GridCell:
    items = [each for each in group if each.kind == _ITEM]
    counts: dict[str, int] = {}
    for each in items or group:
        counts[each.state] = counts.get(each.state, 0) + each.count
    began = [each.started_at for each in group if each.started_at is not None]
    ended = [each.ended_at for each in group if each.ended_at is not None]
    over = all(TaskState(each.state).terminal for each in group)
    return GridCell(
        state=min((each.state for each in group), key=_RANK.__getitem__),
        counts=counts if sum(counts.values()) > 1 or items else None,
        started_at=maybe_moment(min(began, default=None)),
        ended_at=maybe_moment(max(ended, default=None)) if over else None,
        attempt=max(each.attempt for each in group),
        idx=min(each.idx for each in group),
    )


ROUTES = [show_workflow_grid]
