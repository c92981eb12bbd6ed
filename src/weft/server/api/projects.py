"""Projects: where deployed code came from, and what is wrong with its files."""

import re
from datetime import datetime

import msgspec

from weft.model.projects import Problem, ProjectEntry
from weft.projects.records import PROJECTS
from weft.server.context import Given
from weft.server.paging import Page, page_of_records
from weft.server.parameters import Limit, Name, PageToken, Prefix
from weft.server.routing import read
from weft.server.views import moment
from weft.store.records import Entry

_LINE = re.compile(r":(\d{1,9})$")


class FileProblem(msgspec.Struct, kw_only=True):
    """Something wrong with one file of a project, or with one workflow in it.

    Attributes:
        code: The error's code.
        what: One sentence.
        file: The file, in the project.
        where: File and line, or whatever tells the place best.
        line: The line that `where` names; null if it names none.
        hint: How to mend it.
        traceback: Of the project's code, if there is one.
        workflow: The workflow that it is about; empty for the whole file.
    """

    code: str
    what: str
    file: str
    where: str
    line: int | None
    hint: str
    traceback: str
    workflow: str


class ProjectView(msgspec.Struct, kw_only=True):
    """A deployed project.

    Attributes:
        name: Its name.
        source: Where it came from: a folder, or a git address.
        revision: The commit, if it came from one.
        snapshot: Digest of its files.
        python: The version of Python that it is for.
        weft: Version of Weft that loaded it.
        files: How many of its files define workflows, or should.
        workflows: Names of the workflows that they define.
        problems: What is wrong. A file that did not load keeps what it defined before.
        deployed_at: The latest deploy that changed anything.
        deployed_by: By whom.
    """

    name: str
    source: str
    revision: str
    snapshot: str
    python: str
    weft: str
    files: int
    workflows: list[str]
    problems: list[FileProblem]
    deployed_at: datetime
    deployed_by: str


@read("/projects")
def list_projects(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[ProjectView]:
    """List deployed projects by name, each with what is wrong with its files."""
    return page_of_records(context.store, PROJECTS, _view, limit=limit, token=page_token, prefix=prefix)


@read("/projects/{name:str}")
def show_project(context: Given, name: Name) -> ProjectView:
    """Show a deployed project, with what is wrong with its files."""
    return _view(PROJECTS.require(context.store, name))


def _view(entry: Entry[ProjectEntry]) -> ProjectView:
    value = entry.value
    files = [value.files[name] for name in sorted(value.files)]
    return ProjectView(
        name=entry.name,
        source=value.source,
        revision=value.revision,
        snapshot=value.snapshot,
        python=value.environment.python,
        weft=value.weft,
        files=len(files),
        workflows=sorted(name for each in files for name in each.workflows),
        problems=[_problem(problem) for each in files for problem in each.problems],
        deployed_at=moment(value.deployed_at),
        deployed_by=value.deployed_by,
    )


def _problem(problem: Problem) -> FileProblem:
    found = _LINE.search(problem.where)
    return FileProblem(
        code=problem.code,
        what=problem.what,
        file=problem.file,
        where=problem.where,
        line=int(found[1]) if found else None,
        hint=problem.hint,
        traceback=problem.traceback,
        workflow=problem.workflow,
    )


ROUTES = [list_projects, show_project]
