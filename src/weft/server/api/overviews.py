"""Workflows at a glance: what each is, how its latest runs went, and when the next one comes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from litestar.params import FromQuery, QueryParameter

from weft.model.projects import WorkflowEntry
from weft.model.schedules import Scheduled
from weft.projects.records import SCHEDULES, WORKFLOWS
from weft.server.context import Given
from weft.server.paging import Page, page_of, read_token
from weft.server.parameters import Limit, PageToken, Prefix
from weft.server.routing import read
from weft.server.views import maybe_moment, moment
from weft.store.protocol import Reader
from weft.store.records import Entry
from weft.store.references import LAST
from weft.store.summaries import RunMark

RECENT_MAX = 50
"""Runs of each workflow that are told."""

_SCHEDULES_READ = 1000


class RunPip(msgspec.Struct, kw_only=True, gc=False):
    """A run as a mark in a row of runs.

    Attributes:
        id: Its public id.
        state: Where it stands.
        created_at: When it was accepted.
        started_at: When it began.
        ended_at: When it ended.
    """

    id: str
    state: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


class WorkflowOverview(msgspec.Struct, kw_only=True):
    """A workflow and its latest runs.

    Attributes:
        name: Its name.
        deployed: Whether it is deployed; one that only a script has run is not, and has its runs only.
        project: Its project's name; empty if it is not deployed.
        version: Number of its current version; 0 if it is not deployed.
        kind: `flow`, `dag` or `task`; a dialect may have others.
        dialect: How it is written; empty if it is not deployed.
        tags: For people.
        doc: For people, Markdown.
        paused: Whether its schedules and triggers rest.
        gone: Whether its project does not define it any more.
        deployed_at: When it last changed; null if it is not deployed.
        recent: Its latest runs, the newest last.
        p50_s: Seconds that half of the succeeded among them took at most; null if none has succeeded.
        p95_s: Seconds that nineteen of twenty of them took at most.
        open: Runs of it that have not ended, whoever started them.
        next_at: The next tick of its schedules; null if there is none, or they rest.
        schedules: Names of its schedules.
    """

    name: str
    deployed: bool
    project: str
    version: int
    kind: str
    dialect: str
    tags: list[str]
    doc: str
    paused: bool
    gone: bool
    deployed_at: datetime | None
    recent: list[RunPip]
    p50_s: float | None
    p95_s: float | None
    open: int
    next_at: datetime | None
    schedules: list[str]


@read("/workflows/overview")
def list_workflow_overviews(
    context: Given,
    prefix: Prefix = "",
    gone: FromQuery[bool] = False,
    recent: Annotated[int, QueryParameter(description="Latest runs of each.", ge=0, le=RECENT_MAX)] = 20,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Page[WorkflowOverview]:
    """List workflows by name, each with its latest runs: deployed ones, and those that scripts have run.

    With `gone` also those that no project defines any more.
    """
    store = context.store
    query = ("workflow overviews", prefix, gone)
    after = read_token(query, page_token, str) or ""
    found = _named(store, prefix, after, limit + 1, gone=gone)
    names = list(found)[: limit + 1]
    page = page_of(names, limit, query, names[limit - 1] if len(names) > limit else None)
    runs: dict[str, list[RunMark]] = {}
    for mark in store.newest_runs(page.items, each=recent):
        runs.setdefault(mark.workflow, []).append(mark)
    open_: dict[str, int] = {}
    for each in store.open_counts():
        open_[each.workflow] = open_.get(each.workflow, 0) + each.count
    schedules = _schedules(store, page.items)
    items = [
        _view(name, found[name], runs.get(name, []), open_.get(name, 0), schedules.get(name, []))
        for name in page.items
    ]
    return Page(items=items, next=page.next)


def took(marks: Sequence[RunMark]) -> list[float]:
    """Seconds that the succeeded among these runs took, in order of length."""
    return sorted(
        mark.ended_at - mark.started_at
        for mark in marks
        if mark.state == "succeeded" and mark.started_at is not None and mark.ended_at is not None
    )


def part(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share of all is not above (nearest rank)."""
    if not ordered:
        return None
    rank = -int(-share * len(ordered) // 1)
    return round(ordered[max(rank, 1) - 1], 3)


def _named(
    store: Reader, prefix: str, after: str, count: int, *, gone: bool
) -> dict[str, WorkflowEntry | None]:
    """At least ``count`` workflows after a name, if there are so many, by name; ``None``: not deployed."""
    found: dict[str, WorkflowEntry | None] = {}
    while len(found) < count:
        entries: list[Entry[WorkflowEntry]] = WORKFLOWS.page(store, prefix=prefix, after=after, limit=count)
        names = store.run_workflows(prefix=prefix, after=after, limit=count)
        deployed = {each.name: each.value for each in entries}
        # Only as far as both lists go is it known what there is.
        ends = [list_[-1] for list_ in (list(deployed), names) if len(list_) == count]
        last = min(ends, key=str.encode) if ends else None
        for name in sorted({*deployed, *names}, key=str.encode):
            entry = deployed.get(name)
            if (last is None or name.encode() <= last.encode()) and (gone or entry is None or not entry.gone):
                found[name] = entry
        if last is None:
            break
        after = last
    return found


def _schedules(store: Reader, names: Sequence[str]) -> dict[str, list[Scheduled]]:
    """The schedules of these workflows, which lie together as the workflows do."""
    found: dict[str, list[Scheduled]] = {name: [] for name in names}
    if not names:
        return found
    after = names[0]
    last = max(f"{name}#{LAST}".encode() for name in names)
    while entries := SCHEDULES.page(store, after=after, limit=_SCHEDULES_READ):
        for entry in entries:
            if entry.value.workflow in found:
                found[entry.value.workflow].append(entry.value)
        after = entries[-1].name
        if len(entries) < _SCHEDULES_READ or after.encode() > last:
            break
    return found


def _view(
    name: str, entry: WorkflowEntry | None, marks: list[RunMark], open_: int, schedules: list[Scheduled]
) -> WorkflowOverview:
    ordered = took(marks)
    resting = entry is not None and (entry.paused or entry.gone)
    ticks = [each.next_tick for each in schedules if not each.paused and each.next_tick is not None]
    return WorkflowOverview(
        name=name,
        deployed=entry is not None,
        project=entry.project if entry is not None else "",
        version=entry.version if entry is not None else 0,
        kind=entry.kind if entry is not None else "",
        dialect=entry.dialect if entry is not None else "",
        tags=list(entry.tags) if entry is not None else [],
        doc=entry.doc if entry is not None else "",
        paused=entry is not None and entry.paused,
        gone=entry is not None and entry.gone,
        deployed_at=None if entry is None else moment(entry.deployed_at),
        recent=[
            RunPip(
                id=mark.uid,
                state=mark.state,
                created_at=moment(mark.created_at),
                started_at=maybe_moment(mark.started_at),
                ended_at=maybe_moment(mark.ended_at),
            )
            for mark in marks
        ],
        p50_s=part(ordered, 0.5),
        p95_s=part(ordered, 0.95),
        open=open_,
        next_at=maybe_moment(min(ticks)) if ticks and not resting else None,
        schedules=[each.schedule.name for each in schedules],
    )


ROUTES = [list_workflow_overviews]
