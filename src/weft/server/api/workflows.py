"""Workflows: what can be run, its versions and graphs, and whether its schedules rest."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar.params import FromQuery, QueryParameter

from weft.model.errors import NotFound
from weft.model.projects import VersionEntry, WorkflowEntry, version_name
from weft.model.tokens import Role
from weft.projects.records import VERSIONS, WORKFLOWS
from weft.server.context import Context, Given
from weft.server.graphs import GraphView, ParameterView, graph_view, parameter_view
from weft.server.paging import Page, page_of, page_of_records, read_token
from weft.server.parameters import NUMBER_MAX, Limit, Name, PageToken, Prefix
from weft.server.routing import act, read, remove
from weft.server.views import moment
from weft.store.records import Entry


class WorkflowView(msgspec.Struct, kw_only=True):
    """A deployed workflow.

    Attributes:
        name: Its name, unique over all projects.
        project: Its project's name.
        version: Number of its current version.
        kind: `flow`, `dag` or `task`; a dialect may have others.
        dialect: How it is written.
        file: Where it is defined, in the project.
        line: The line there; 0 if nobody knows.
        graph: Digest of its graph.
        params: What it takes.
        schedules: Names of its schedules.
        max_active_runs: Runs that may be open at once; null is no limit.
        tags: For people.
        doc: For people, Markdown.
        paused: Whether its schedules and triggers rest.
        gone: Whether its project does not define it any more.
        deployed_at: When it last changed.
        deployed_by: By whom.
    """

    name: str
    project: str
    version: int
    kind: str
    dialect: str
    file: str
    line: int
    graph: str
    params: list[ParameterView]
    schedules: list[str]
    max_active_runs: int | None
    tags: list[str]
    doc: str
    paused: bool
    gone: bool
    deployed_at: datetime
    deployed_by: str


class VersionView(msgspec.Struct, kw_only=True):
    """A version of a workflow.

    Attributes:
        workflow: The workflow's name.
        version: Its number, from 1.
        project: Where it was defined.
        file: The file there.
        revision: The commit, if there is one.
        graph: Digest of its graph.
        code: Digest of its code.
        environment: Digest of what it runs with.
        changed: What differed from the version before: `graph`, `code`, `environment`.
        deployed_at: When.
        deployed_by: By whom.
    """

    workflow: str
    version: int
    project: str
    file: str
    revision: str
    graph: str
    code: str
    environment: str
    changed: list[str]
    deployed_at: datetime
    deployed_by: str


@read("/workflows")
def list_workflows(
    context: Given,
    prefix: Prefix = "",
    gone: FromQuery[bool] = False,
    limit: Limit = 100,
    page_token: PageToken = None,
) -> Page[WorkflowView]:
    """List deployed workflows by name; with `gone` also those that no project defines any more."""
    query = ("workflows", prefix, gone)
    after = read_token(query, page_token, str) or ""
    found: list[Entry[WorkflowEntry]] = []
    while len(found) <= limit:
        entries = WORKFLOWS.page(context.store, prefix=prefix, after=after, limit=limit + 1)
        found += [each for each in entries if gone or not each.value.gone]
        if len(entries) <= limit:
            break
        after = entries[-1].name
    page = page_of(found, limit, query, found[limit - 1].name if len(found) > limit else None)
    return Page(items=[_view(context, each.value) for each in page.items], next=page.next)


@read("/workflows/{name:str}")
def show_workflow(context: Given, name: Name) -> WorkflowView:
    """Show a deployed workflow."""
    return _view(context, WORKFLOWS.require(context.store, name).value)


@read("/workflows/{name:str}/versions")
def list_versions(
    context: Given, name: Name, limit: Limit = 100, page_token: PageToken = None
) -> Page[VersionView]:
    """List a workflow's versions, the oldest first."""
    found = page_of_records(
        context.store,
        VERSIONS,
        lambda each: _version(each.value),
        limit=limit,
        token=page_token,
        prefix=f"{name}@",
    )
    if not found.items and page_token is None:
        WORKFLOWS.require(context.store, name)
    return found


@read("/workflows/{name:str}/graph")
def show_workflow_graph(
    context: Given,
    name: Name,
    version: Annotated[
        int | None, QueryParameter(description="Which; the current one by default.", ge=1, le=NUMBER_MAX)
    ] = None,
) -> GraphView:
    """Show the graph of a workflow's version."""
    return graph_view(context.store.graph(_digest(context, name, version)), context.services.artifacts)


@act("/workflows/{name:str}/pause", Role.OPERATOR)
def pause_workflow(context: Given, name: Name) -> WorkflowView:
    """Let a workflow's schedules and triggers rest. Runs that are there go on."""
    context.services.workflows.pause(name, by=context.identity.name)
    return _view(context, WORKFLOWS.require(context.store, name).value)


@act("/workflows/{name:str}/resume", Role.OPERATOR)
def resume_workflow(context: Given, name: Name) -> WorkflowView:
    """Let a workflow's schedules and triggers go on."""
    context.services.workflows.resume(name, by=context.identity.name)
    return _view(context, WORKFLOWS.require(context.store, name).value)


@remove("/workflows/{name:str}", Role.EDITOR)
def delete_workflow(context: Given, name: Name) -> None:
    """Forget a workflow with its versions, schedules and triggers; its runs stay.

    What its project still defines comes back with the next deploy.
    """
    context.services.workflows.forget(name)


def _digest(context: Context, name: str, version: int | None) -> str:
    if version is None:
        return WORKFLOWS.require(context.store, name).value.graph
    found = VERSIONS.get(context.store, version_name(name, version))
    if found is None:
        raise NotFound(f"workflow {name!r} has no version {version}", where=name)
    return found.value.graph


def _view(context: Context, entry: WorkflowEntry) -> WorkflowView:
    return WorkflowView(
        name=entry.name,
        project=entry.project,
        version=entry.version,
        kind=entry.kind,
        dialect=entry.dialect,
        file=entry.file,
        line=entry.line,
        graph=entry.graph,
        params=[parameter_view(each, context.services.artifacts) for each in entry.params],
        schedules=[each.name for each in entry.schedules],
        max_active_runs=entry.max_active_runs,
        tags=list(entry.tags),
        doc=entry.doc,
        paused=entry.paused,
        gone=entry.gone,
        deployed_at=moment(entry.deployed_at),
        deployed_by=entry.deployed_by,
    )


def _version(entry: VersionEntry) -> VersionView:
    return VersionView(
        workflow=entry.workflow,
        version=entry.version,
        project=entry.project,
        file=entry.file,
        revision=entry.revision,
        graph=entry.graph,
        code=entry.code,
        environment=entry.environment,
        changed=list(entry.changed),
        deployed_at=moment(entry.at),
        deployed_by=entry.by,
    )


ROUTES = [
    list_workflows,
    show_workflow,
    list_versions,
    show_workflow_graph,
    pause_workflow,
    resume_workflow,
    delete_workflow,
]
