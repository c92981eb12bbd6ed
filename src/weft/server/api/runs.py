"""Runs: listed, shown, started, annotated, deleted."""

from typing import Annotated, Any

import msgspec
from litestar import Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter

from weft.engine.explain import why
from weft.model.errors import KeyReused, RunNotResumable
from weft.model.rows import RunRow
from weft.model.tokens import Role
from weft.model.traces import FACT, parse
from weft.runtime.host import RunRequest
from weft.server import annotations
from weft.server.annotations import annotation_of
from weft.server.api.tasks import count_view
from weft.server.changes import ChangeView, change_view
from weft.server.context import Given
from weft.server.graphs import GraphView, graph_view
from weft.server.paging import Page, page_of, read_token
from weft.server.parameters import (
    NUMBER_MAX,
    SEQ_MAX,
    IdempotencyKey,
    Limit,
    PageToken,
    RunRef,
    Traceparent,
    Where,
)
from weft.server.routing import change, create, read, remove
from weft.server.stories import WhyView, why_view
from weft.server.views import RunDetail, RunView, run_detail, run_view

Text = Annotated[str, msgspec.Meta(max_length=250)]


class NewRun(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A run to start.

    Attributes:
        workflow: Name of a deployed workflow.
        params: Values by parameter name; those left out have their defaults.
        tags: For people and for filters.
        facts: Facts that its tasks may read, such as `logical_date`.
        version: Number of a version; null is the current one.
    """

    workflow: Annotated[str, msgspec.Meta(min_length=1, max_length=250)]
    version: Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)] | None = None
    params: dict[str, Any] = {}
    tags: Annotated[list[Text], msgspec.Meta(max_length=50)] = []
    facts: dict[str, Any] = {}


class NewRuns(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Runs to start together.

    Attributes:
        runs: Each as for a single one.
    """

    runs: Annotated[list[NewRun], msgspec.Meta(min_length=1, max_length=1000)]


class StartedRuns(msgspec.Struct, kw_only=True):
    """Runs that were accepted together.

    Attributes:
        runs: In the order of the request.
    """

    runs: list[RunView]


class RunEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What people say about a run. What is left out stays as it is.

    Attributes:
        note: Markdown.
        tags: Beside those that the run was submitted with.
    """

    note: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None
    tags: Annotated[list[Text], msgspec.Meta(max_length=50)] | None = None


@read("/runs")
def list_runs(
    context: Given, where: Where = "", limit: Limit = 50, page_token: PageToken = None
) -> Page[RunView]:
    """List runs, newest first.

    The paging token is good for the same `where` only.
    """
    query = ("runs", where)
    before = read_token(query, page_token, int)
    rows = context.store.runs(where, limit=limit + 1, before=before)
    page = page_of(rows, limit, query, rows[limit - 1].run if len(rows) > limit else None)
    added = annotations.of_runs(context.store, [row.uid for row in page.items])
    return Page(items=[run_view(row, added.get(row.uid)) for row in page.items], next=page.next)


@create(
    "/runs",
    Role.OPERATOR,
    responses={200: ResponseSpec(RunDetail, description="The run that has this idempotency key.")},
)
def create_run(
    context: Given,
    data: JSONBody[NewRun],
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> Response[RunDetail]:
    """Start a run; when this answers, it can no longer be lost.

    With an `Idempotency-Key` a request may be repeated until it is answered: the first one makes the run, and
    the others get it. The same key with another workflow or other parameters is refused.
    """
    key = None if idempotency_key is None else f"api:{context.identity.name}:{idempotency_key}"
    services = context.services
    span = parse(traceparent)
    facts = data.facts if span is None else {FACT: str(traceparent), **data.facts}
    request = services.workflows.request(
        data.workflow, data.params, facts=facts, key=key, tags=data.tags, version=data.version
    )
    known = None if key is None else context.store.run_by_key(key)
    row = known if known is not None else services.control.submit([request])[0]
    if known is not None:
        _check_same(known, request, idempotency_key or "")
    return Response(
        run_detail(row, context.artifacts),
        status_code=201 if known is None else 200,
        headers={"location": f"/api/v1/runs/{row.uid}"},
    )


@create("/runs/batch", Role.OPERATOR)
def create_runs(
    context: Given, data: JSONBody[NewRuns], idempotency_key: IdempotencyKey = None
) -> StartedRuns:
    """Start up to 1,000 runs in one transaction: all of them or, if one cannot be, none.

    With an `Idempotency-Key` the request may be repeated: the runs that there are already are not made again.
    """
    services = context.services
    prefix = None if idempotency_key is None else f"api:{context.identity.name}:{idempotency_key}"
    requests = [
        services.workflows.request(
            each.workflow,
            each.params,
            facts=each.facts,
            key=None if prefix is None else f"{prefix}:{number}",
            tags=each.tags,
            version=each.version,
        )
        for number, each in enumerate(data.runs)
    ]
    return StartedRuns(runs=[run_view(row) for row in services.control.submit(requests)])


@read("/runs/{run:str}")
def show_run(context: Given, run: RunRef) -> RunDetail:
    """Show a run with its parameters and its result."""
    row = context.store.run(run)
    return run_detail(row, context.artifacts, annotation_of(context.store, row.uid))


@change("/runs/{run:str}", Role.OPERATOR)
def edit_run(context: Given, run: RunRef, data: JSONBody[RunEdit]) -> RunDetail:
    """Write a run's note or tags."""
    row = context.store.run(run)
    annotation = annotations.annotate(
        context.store,
        row.uid,
        None,
        note=data.note,
        tags=None if data.tags is None else tuple(data.tags),
        by=context.identity.name,
        at=context.now,
    )
    return run_detail(row, context.artifacts, annotation)


@remove("/runs/{run:str}", Role.EDITOR)
def delete_run(context: Given, run: RunRef) -> None:
    """Delete a run that has ended, with its task runs, events and logs."""
    row = context.store.run(run)
    if not row.state.terminal:
        raise RunNotResumable(f"run {row.uid} has not ended", where=row.uid, hint="cancel it first")
    forget_runs(context, [row])


@read("/runs/{run:str}/counts")
def count_tasks(context: Given, run: RunRef) -> dict[str, int]:
    """Count a run's task runs by state."""
    return count_view(context, context.store.run(run))


@read("/runs/{run:str}/graph")
def show_run_graph(context: Given, run: RunRef) -> GraphView:
    """Show the graph of the version that a run runs."""
    return graph_view(context.store.graph(context.store.run(run).graph), context.services.artifacts)


@read("/runs/{run:str}/why")
def explain_run(context: Given, run: RunRef) -> WhyView:
    """Explain why a run is where it is."""
    row = context.store.run(run)
    return why_view(why(context.store, row.uid, now=context.now, pools=context.services.settings.pools))


@read("/runs/{run:str}/events")
def list_run_events(
    context: Given,
    run: RunRef,
    after: Annotated[int, QueryParameter(description="A `seq`: only later changes.", ge=0, le=SEQ_MAX)] = 0,
    task: Annotated[
        int | None, QueryParameter(description="Index of a task run: only its own.", ge=0, le=NUMBER_MAX)
    ] = None,
    limit: Limit = 500,
    page_token: PageToken = None,
) -> Page[ChangeView]:
    """List the changes of a run, or of one of its task runs, in order."""
    row = context.store.run(run)
    query = ("run events", row.uid, after, task)
    start = read_token(query, page_token, int)
    rows = context.store.events(row.run, task, after=after if start is None else start, limit=limit + 1)
    page = page_of(rows, limit, query, rows[limit - 1].seq if len(rows) > limit else None)
    return Page(items=[change_view(each, row.uid, row.workflow) for each in page.items], next=page.next)


def forget_runs(context: Given, rows: list[RunRow]) -> int:
    """Delete ended runs and whatever belongs to them; returns how many."""
    deleted = context.store.delete_runs([row.run for row in rows])
    for row in rows:
        context.services.logs.forget(row.uid)
    annotations.forget(context.store, [row.uid for row in rows], at=context.now)
    return deleted


def _check_same(row: RunRow, request: RunRequest, key: str) -> None:
    """Refuse a key that another request has used."""
    if row.workflow != request.graph.workflow or row.params != request.params:
        raise KeyReused(
            f"the idempotency key {key!r} was used for another request",
            where=row.uid,
            hint="use a new key for each run that you want",
            run=row.uid,
        )


ROUTES = [
    list_runs,
    create_run,
    create_runs,
    show_run,
    edit_run,
    delete_run,
    count_tasks,
    show_run_graph,
    explain_run,
    list_run_events,
]
