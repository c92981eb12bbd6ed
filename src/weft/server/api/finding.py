"""Finding things by a few letters of their names, over all kinds."""

from typing import Annotated, TypeVar

import msgspec
from litestar.params import QueryParameter

from weft.engine.triggers import ASSETS
from weft.model.rows import RunRow
from weft.model.schedules import Scheduled
from weft.projects.records import SCHEDULES, WORKFLOWS
from weft.server.context import Given
from weft.server.routing import read
from weft.store.protocol import Reader
from weft.store.query import ASCII_LOWER
from weft.store.records import Collection

T = TypeVar("T", bound=msgspec.Struct)

EACH = 8
"""Of each kind."""

NAMES_MAX = 1000
"""Names of workflows that are not deployed that are looked through."""

ID_MIN = 4
"""Characters from which on the beginning of a run's id is looked for."""


class FoundItem(msgspec.Struct, kw_only=True, gc=False):
    """Something that was found.

    Attributes:
        kind: `workflow`, `run`, `asset` or `schedule`.
        id: Under which the API has it: its id or name.
        title: What it is called.
        detail: What else tells it from others.
    """

    kind: str
    id: str
    title: str
    detail: str


class FoundItems(msgspec.Struct, kw_only=True):
    """What was found.

    Attributes:
        items: Workflows, then runs, assets and schedules, the best find of each first.
    """

    items: list[FoundItem]


@read("/search")
def search_all(
    context: Given,
    q: Annotated[
        str,
        QueryParameter(
            description="A part of a name, or the beginning of a run's id.",
            min_length=1,
            max_length=200,
            pattern=r"^[^\x00]+$",
        ),
    ],
) -> FoundItems:
    """Find workflows, runs, assets and schedules: up to 8 of each.

    Runs are found by the beginning of their id, else by their workflow, the newest first.
    """
    store = context.store
    text = q.strip().translate(ASCII_LOWER)
    if not text:
        return FoundItems(items=[])
    workflows = _workflows(store, text)
    return FoundItems(
        items=[
            *workflows,
            *_runs(store, q.strip(), [each.id for each in workflows]),
            *_assets(store, text),
            *_schedules(store, text),
        ]
    )


def _workflows(store: Reader, text: str) -> list[FoundItem]:
    """Deployed ones first, then those that only scripts have run."""
    entries = _entries(store, WORKFLOWS, text)
    found = [
        FoundItem(kind="workflow", id=name, title=name, detail=f"{each.project} · version {each.version}")
        for name, each in entries.items()
        if not each.gone
    ]
    if len(found) < EACH:
        names = [each for each in store.run_workflows(limit=NAMES_MAX) if text in each.translate(ASCII_LOWER)]
        known = WORKFLOWS.some(store, names)
        more = [name for name in names if name not in known]
        more.sort(key=lambda name: name.translate(ASCII_LOWER).find(text))
        found += [FoundItem(kind="workflow", id=name, title=name, detail="not deployed") for name in more]
    return found[:EACH]


def _runs(store: Reader, text: str, workflows: list[str]) -> list[FoundItem]:
    rows: list[RunRow] = []
    if len(text) >= ID_MIN:
        rows = store.runs_by_prefix(text, limit=EACH)
    if rows:
        return [FoundItem(kind="run", id=row.uid, title=row.workflow, detail=str(row.state)) for row in rows]
    marks = store.newest_runs(workflows, each=EACH)[: -EACH - 1 : -1]
    return [FoundItem(kind="run", id=mark.uid, title=mark.workflow, detail=mark.state) for mark in marks]


def _assets(store: Reader, text: str) -> list[FoundItem]:
    found = _entries(store, ASSETS, text)
    return [FoundItem(kind="asset", id=name, title=name, detail=each.uri) for name, each in found.items()]


def _schedules(store: Reader, text: str) -> list[FoundItem]:
    found = _entries(store, SCHEDULES, text)
    return [
        FoundItem(kind="schedule", id=name, title=each.schedule.name, detail=_told(each))
        for name, each in found.items()
    ]


def _told(scheduled: Scheduled) -> str:
    timing = msgspec.to_builtins(scheduled.schedule.timing)
    when = next(str(value) for name, value in timing.items() if name != "type")
    return f"{scheduled.workflow} · {when}{' · paused' if scheduled.paused else ''}"


def _entries(store: Reader, collection: Collection[T], text: str) -> dict[str, T]:
    """The records whose names hold a text, the best find first."""
    names = store.names_with(collection.kind, text, limit=EACH)
    found = collection.some(store, names)
    return {name: found[name].value for name in names if name in found}


ROUTES = [search_all]
