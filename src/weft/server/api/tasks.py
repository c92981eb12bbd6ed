"""Task runs: listed, shown, explained; their results and what they published."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from weft.engine.explain import why
from weft.model.errors import NotFound
from weft.model.rows import RunRow, TaskRow
from weft.model.tokens import Role
from weft.model.values import Result
from weft.server import annotations
from weft.server.annotations import annotation_of
from weft.server.changes import attempts_of
from weft.server.context import Context, Given
from weft.server.paging import Page, page_of, read_token
from weft.server.parameters import NUMBER_MAX, Limit, PageToken, RunRef, TaskIdx, Where
from weft.server.routing import change, read
from weft.server.stories import WhyView, why_view
from weft.server.views import (
    TaskDetail,
    TaskView,
    ValueView,
    moment,
    task_detail,
    task_view,
    value_view,
)

EVENTS_MAX = 10_000
"""Changes of one task run that are read to tell its attempts."""


class TaskEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What people say about a task run.

    Attributes:
        note: Markdown.
    """

    note: Annotated[str, msgspec.Meta(max_length=100_000)]


class ResultView(msgspec.Struct, kw_only=True):
    """A task run's result.

    Attributes:
        run: Id of the run.
        idx: Index of the task run.
        value: The result; null if there is none.
    """

    run: str
    idx: int
    value: ValueView | None = None


class PublishedView(msgspec.Struct, kw_only=True):
    """Something that a task run shows to people.

    Attributes:
        idx: Index of the task run.
        attempt: The attempt that showed it.
        at: When.
        key: A later one of the same key replaces it.
        kind: `markdown`, `table`, `image`, `link` or `progress`.
        title: For people.
        media_type: Of an image, whose bytes are at `published/{idx}/{key}`; empty otherwise.
        body: The text, the rows, the address or the number; null for an image.
    """

    idx: int
    attempt: int
    at: datetime
    key: str
    kind: str
    title: str
    media_type: str = ""
    body: Any = None


@read("/runs/{run:str}/tasks")
def list_tasks(
    context: Given,
    run: RunRef,
    where: Where = "",
    parent: Annotated[
        int | None,
        QueryParameter(description="Index of a task run: only what it holds directly.", ge=-1, le=NUMBER_MAX),
    ] = None,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Page[TaskView]:
    """List a run's task runs, in order of their indexes.

    Task runs that are not ready yet have no row, and are not listed.
    """
    row = context.store.run(run)
    query = ("tasks", row.uid, where, parent)
    after = read_token(query, page_token, int)
    rows = context.store.tasks(
        row.run, where, after=-1 if after is None else after, limit=limit + 1, parent=parent
    )
    page = page_of(rows, limit, query, rows[limit - 1].idx if len(rows) > limit else None)
    return Page(items=[task_view(each) for each in page.items], next=page.next)


@read("/runs/{run:str}/tasks/{idx:int}")
def show_task(context: Given, run: RunRef, idx: TaskIdx) -> TaskDetail:
    """Show a task run with its result and all of its attempts."""
    row, task = find_task(context, run, idx)
    return _detail(context, row, task)


@change("/runs/{run:str}/tasks/{idx:int}", Role.OPERATOR)
def edit_task(context: Given, run: RunRef, idx: TaskIdx, data: JSONBody[TaskEdit]) -> TaskDetail:
    """Write a task run's note."""
    row, task = find_task(context, run, idx)
    annotations.annotate(
        context.store,
        row.uid,
        idx,
        note=data.note,
        tags=None,
        by=context.identity.name,
        at=context.now,
    )
    return _detail(context, row, task)


@read("/runs/{run:str}/tasks/{idx:int}/result")
def show_result(
    context: Given,
    run: RunRef,
    idx: TaskIdx,
    limit: Annotated[int, QueryParameter(description="Characters of a preview.", ge=1, le=100_000)] = 2000,
) -> ResultView:
    """Show a task run's result: as JSON up to 1 MB if it is plain data, else as a preview."""
    row, task = find_task(context, run, idx)
    value = value_view(task.result, context.artifacts, limit=limit, whole=True)
    return ResultView(run=row.uid, idx=idx, value=value)


@read("/runs/{run:str}/why/{key:path}")
def explain_task(context: Given, run: RunRef, key: FromPath[str]) -> WhyView:
    """Explain why a task run, by its key, is where it is, and what happened to it.

    A task run that has not begun has no index yet, so it is named by its key.
    """
    row = context.store.run(run)
    told = why(
        context.store,
        row.uid,
        key.removeprefix("/"),
        now=context.now,
        pools=context.services.settings.pools,
    )
    return why_view(told)


@read("/runs/{run:str}/published")
def list_published(
    context: Given,
    run: RunRef,
    task: Annotated[
        int | None, QueryParameter(description="Index of a task run: only its own.", ge=0, le=NUMBER_MAX)
    ] = None,
) -> Page[PublishedView]:
    """List what a run's task runs show to people."""
    row = context.store.run(run)
    items = []
    for each in context.store.published(row.run, task):
        view = PublishedView(
            idx=each.idx,
            attempt=each.attempt,
            at=moment(each.at),
            key=each.published.key,
            kind=each.published.kind,
            title=each.published.title,
        )
        _fill(view, each.published.body, context)
        items.append(view)
    return Page(items=items)


@read("/runs/{run:str}/published/{idx:int}/{key:path}", gives="image/*")
def show_image(context: Given, run: RunRef, idx: TaskIdx, key: FromPath[str]) -> Stream:
    """Give the bytes of a published image.

    They are shown in a sandbox: an SVG may hold scripts, and none of them runs.
    """
    row, _ = find_task(context, run, idx)
    for each in context.store.published(row.run, idx):
        body = each.published.body
        if each.published.key == key.removeprefix("/") and body.format.startswith("image/"):
            policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
            return Stream(
                _chunks(body, context),
                media_type=body.format,
                headers={"content-security-policy": policy, "content-disposition": "inline"},
            )
    raise NotFound(f"task run {idx} of {row.uid} shows no image {key!r}", where=row.uid)


def find_task(context: Context, run: str, idx: int) -> tuple[RunRow, TaskRow]:
    """A run and one of its task runs.

    Raises:
        NotFound: There is none.
    """
    row = context.store.run(run)
    return row, context.store.task(row.run, idx)


def count_view(context: Context, row: RunRow) -> dict[str, int]:
    """Task runs by state."""
    return {str(state): count for state, count in context.services.counts.of(context.store, row).items()}


def _detail(context: Context, row: RunRow, task: TaskRow) -> TaskDetail:
    events = context.store.events(row.run, task.idx, limit=EVENTS_MAX)
    return task_detail(
        task,
        row,
        context.artifacts,
        attempts_of(events),
        annotation_of(context.store, row.uid, task.idx),
    )


def _fill(view: PublishedView, body: Result, context: Context) -> None:
    if view.kind == "image":
        view.media_type = body.format
        return
    shown = value_view(body, context.artifacts, limit=2000, whole=True)
    if shown is not None:
        view.body = shown.preview if shown.value is msgspec.UNSET else shown.value


def _chunks(body: Result, context: Context) -> Iterator[bytes]:
    if body.inline is not None:
        yield body.inline
        return
    with context.artifacts.blobs.open(body.digest or "") as file:
        while data := file.read(1 << 18):
            yield data


ROUTES = [
    list_tasks,
    show_task,
    edit_task,
    show_result,
    explain_task,
    list_published,
    show_image,
]
