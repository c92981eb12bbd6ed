"""What a workflow's version is written as: files of the snapshot that it was deployed with.

They are read from the snapshot's manifest and contents, never from a folder: there is no path to leave by,
and a symbolic link is an entry without content, which is passed over.
"""

from pathlib import PurePosixPath
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from weft.model.errors import ArtifactMissing, NotFound
from weft.model.projects import VersionEntry, WorkflowEntry, version_name
from weft.projects.records import VERSIONS, WORKFLOWS
from weft.projects.snapshot import File, Snapshot
from weft.projects.snapshot import read as read_snapshot
from weft.server.context import Context, Given
from weft.server.parameters import NUMBER_MAX, Name
from weft.server.routing import read

FILES_MAX = 50
FILE_MAX = 512 * 1024
"""Bytes of a file."""

BYTES_MAX = 2 * 1024 * 1024
"""Bytes of all files."""

SHOWN = frozenset(
    {".cfg", ".conf", ".ini", ".json", ".toml", ".xml", ".yaml", ".yml"}  # settings
    | {
        ".py",
        ".pyi",
        ".pyx",
        ".ipynb",
        ".r",
        ".scala",
        ".js",
        ".ts",
        ".sh",
        ".bash",
        ".sql",
        ".proto",
    }  # code
    | {".j2", ".jinja", ".jinja2", ".jsonnet", ".hcl", ".tf", ".graphql", ".html", ".css"}  # templates
    | {".md", ".rst", ".txt"}  # words
)
"""Endings of the files that are shown."""

NAMED = frozenset({"Containerfile", "Dockerfile", "Justfile", "Makefile", "Snakefile", "justfile"})
"""Files without an ending that are shown."""


class SourceFile(msgspec.Struct, kw_only=True):
    """A file of a project.

    Attributes:
        path: Where it is, in the project.
        text: What is in it.
        lines: How many lines it has.
        entry: Whether it is the one that defines the workflow.
        line: Where in it the workflow is defined; null if nobody knows.
    """

    path: str
    text: str
    lines: int
    entry: bool
    line: int | None


class SourceView(msgspec.Struct, kw_only=True):
    """What a version of a workflow is written as.

    Attributes:
        workflow: The workflow's name.
        version: Number of the version.
        digest: Of all files of the project, as they were deployed.
        files: The one that defines the workflow first, then those that it takes in, then others by path.
        left_out: Files of the project that are not here: too large, too many, links, or no text.
    """

    workflow: str
    version: int
    digest: str
    files: list[SourceFile]
    left_out: int


@read("/workflows/{name:str}/source")
def show_workflow_source(
    context: Given,
    name: Name,
    version: Annotated[
        int | None, QueryParameter(description="Which; the current one by default.", ge=1, le=NUMBER_MAX)
    ] = None,
) -> SourceView:
    """Show the files that a workflow's version was deployed with: at most 50, and 2 MB together.

    Files whose names begin with a dot are not shown.
    """
    workflow = WORKFLOWS.require(context.store, name).value
    chosen = _version(context, workflow, version)
    snapshot = _snapshot(context, chosen, name)
    files: list[SourceFile] = []
    room = BYTES_MAX
    for file in _ordered(snapshot, chosen.file, _taken_in(context, workflow, chosen)):
        if len(files) == FILES_MAX or file.size > min(room, FILE_MAX):
            continue
        text = _text(context, file, name)
        if text is None:
            continue
        room -= file.size
        entry = file.path == chosen.file
        line = workflow.line if entry and chosen.version == workflow.version and workflow.line else None
        files.append(SourceFile(path=file.path, text=text, lines=_lines(text), entry=entry, line=line))
    return SourceView(
        workflow=name,
        version=chosen.version,
        digest=snapshot.digest,
        files=files,
        left_out=len(snapshot.files) - len(files),
    )


def _version(context: Context, workflow: WorkflowEntry, version: int | None) -> WorkflowEntry | VersionEntry:
    if version is None or version == workflow.version:
        return workflow
    found = VERSIONS.get(context.store, version_name(workflow.name, version))
    if found is None:
        raise NotFound(
            f"workflow {workflow.name!r} has no version {version}",
            where=workflow.name,
            hint=f"its current one is {workflow.version}",
        )
    return found.value


def _taken_in(
    context: Context, workflow: WorkflowEntry, chosen: WorkflowEntry | VersionEntry
) -> frozenset[str]:
    """Files whose code the version takes in."""
    if isinstance(chosen, VersionEntry):
        return frozenset(chosen.files)
    found = VERSIONS.get(context.store, version_name(workflow.name, workflow.version))
    return frozenset() if found is None else frozenset(found.value.files)


def _snapshot(context: Context, chosen: WorkflowEntry | VersionEntry, name: str) -> Snapshot:
    if chosen.snapshot:
        try:
            return read_snapshot(chosen.snapshot, context.artifacts.blobs)
        except ArtifactMissing:
            pass  # Said below, as what it is here.
    raise _gone(chosen.version, name)


def _gone(version: int, name: str) -> NotFound:
    return NotFound(
        f"the files of version {version} of workflow {name!r} are not kept any more",
        where=name,
        hint="deploy its project again: weft deploy",
    )


def _ordered(snapshot: Snapshot, entry: str, taken_in: frozenset[str]) -> list[File]:
    """The files that may be shown, the telling ones first."""
    shown = [each for each in snapshot.files.values() if not each.link and _is_shown(each.path)]
    return sorted(shown, key=lambda each: (each.path != entry, each.path not in taken_in, each.path))


def _is_shown(path: str) -> bool:
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and (PurePosixPath(path).suffix.lower() in SHOWN or parts[-1] in NAMED)


def _text(context: Context, file: File, name: str) -> str | None:
    """A file's text; ``None`` if it is none."""
    try:
        data = context.artifacts.blobs.get(file.digest)
    except ArtifactMissing:
        return None
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n") and bool(text))


ROUTES = [show_workflow_source]
