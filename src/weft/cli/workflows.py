"""``weft workflows``: what is deployed, in which versions, and what to do about it."""

import sys
import time
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.asking import me
from weft.cli.output import emit, value_of
from weft.cli.reading import Home, anywhere, home
from weft.cli.style import iso, moment, say, table
from weft.model.errors import UsageError
from weft.model.projects import VersionEntry, WorkflowEntry, version_name
from weft.observability.terminal import count, paint
from weft.projects.difference import Difference, difference
from weft.projects.records import SCHEDULES, VERSIONS, WORKFLOWS
from weft.projects.workflows import Workflows

app = noun("workflows", help="List, show, compare, pause and delete deployed workflows.")

Name = Annotated[str, Parameter(help="A workflow's name.")]


@app.command(name="list")
def list_workflows(
    *,
    project: Annotated[str, Parameter(help="Only those of this project.")] = "",
    gone: Annotated[bool, Parameter(help="Also those that their projects do not define any more.")] = False,
    json: Json = False,
) -> None:
    """List deployed workflows."""
    with anywhere() as opened:
        found = [
            each.value
            for each in WORKFLOWS.all(opened.store)
            if (gone or not each.value.gone) and project in ("", each.value.project)
        ]
        if json:
            for each in found:
                emit(_object(opened, each))
            return
    if not found:
        say("no workflows yet: weft deploy FOLDER makes some")
        return
    rows = [
        (
            each.name,
            each.kind,
            each.project,
            str(each.version),
            _state(each),
            str(len(each.schedules) or ""),
            moment(each.deployed_at),
        )
        for each in found
    ]
    table(rows, ("WORKFLOW", "KIND", "PROJECT", "VERSION", "STATE", "SCHEDULES", "DEPLOYED"))


@app.command
def show(name: Name, /, *, json: Json = False) -> None:
    """Show a workflow: where it is, what it takes, when it runs."""
    with anywhere() as opened:
        entry = _workflows(opened).get(name).value
        schedules = list(SCHEDULES.all(opened.store, prefix=f"{name}#"))
        if json:
            due = {each.value.schedule.name: iso(each.due_at) for each in schedules}
            emit({**_object(opened, entry), "due": due})
            return
        state = f"  {_state(entry)}" if _state(entry) else ""
        print(f"{paint(entry.name, 'bold', sys.stdout)}  {entry.kind} ({entry.dialect}){state}")
        print(f"version {entry.version} of project {entry.project}, {entry.file}:{entry.line}")
        print(
            f"deployed {moment(entry.deployed_at)}{f' by {entry.deployed_by}' if entry.deployed_by else ''}"
        )
        if entry.tags:
            print(f"tags: {', '.join(entry.tags)}")
        if entry.doc:
            print(f"\n{entry.doc}\n")
        for each in entry.params:
            print(f"  {each.name}{_default(opened, each)}")
        for found in schedules:
            when = "paused" if found.value.paused else f"next {moment(found.due_at) or 'never'}"
            print(f"schedule {found.value.schedule.name}: {when}")


@app.command
def versions(name: Name, /, *, json: Json = False) -> None:
    """List a workflow's versions, newest first."""
    with home() as opened:
        _workflows(opened).get(name)
        found = [each.value for each in VERSIONS.all(opened.store, prefix=f"{name}@")][::-1]
    if json:
        for each in found:
            emit({**msgspec.to_builtins(each), "at": iso(each.at)})
        return
    rows = [
        (
            str(each.version),
            moment(each.at),
            each.by,
            ", ".join(each.changed) if each.version > 1 else "",
            each.revision[:12],
            each.code[:12],
        )
        for each in found
    ]
    table(rows, ("VERSION", "DEPLOYED", "BY", "CHANGED", "REVISION", "CODE"))


@app.command
def diff(
    name: Name,
    first: Annotated[int | None, Parameter(help="A version; the one before the second by default.")] = None,
    second: Annotated[int | None, Parameter(help="Another; the current one by default.")] = None,
    /,
    *,
    json: Json = False,
) -> int:
    """Show what differs between two versions of a workflow. Exit code 1 if anything does."""
    with home() as opened:
        entry = _workflows(opened).get(name).value
        after = entry.version if second is None else second
        before = after - 1 if first is None else first
        if before < 1:
            raise UsageError(f"{name} has only one version", where=name)
        found = difference(
            opened.store, opened.artifacts, _version(opened, name, before), _version(opened, name, after)
        )
    if json:
        emit(msgspec.to_builtins(found))
    else:
        _tell(found)
    return 1 if found.changed else 0


@app.command
def pause(names: Annotated[list[str], Parameter(help="Workflows' names.")], /) -> None:
    """Let workflows rest: their schedules and triggers make no runs."""
    with anywhere() as opened:
        for name in names:
            if opened.service is not None:
                opened.service.workflows.pause(name)
            else:
                _workflows(opened).pause(name, by=me())
            say(f"paused {name}")


@app.command
def resume(names: Annotated[list[str], Parameter(help="Workflows' names.")], /) -> None:
    """Let paused workflows go on."""
    with anywhere() as opened:
        for name in names:
            if opened.service is not None:
                opened.service.workflows.resume(name)
            else:
                _workflows(opened).resume(name, by=me())
            say(f"resumed {name}")


@app.command
def delete(names: Annotated[list[str], Parameter(help="Workflows' names.")], /, *, yes: Yes = False) -> None:
    """Forget workflows, with their versions and schedules; their runs stay."""
    with home() as opened:
        found = [_workflows(opened).get(name).value for name in names]
        if not yes:
            raise UsageError(
                f"this would delete {count(len(found), 'workflow')} with all versions and schedules",
                hint="say --yes to do it; what its project still defines comes back with the next deploy",
            )
        for each in found:
            _workflows(opened).forget(each.name)
            say(f"deleted {each.name}" + ("" if each.gone else "; the next deploy brings it back"))


def _workflows(opened: Home) -> Workflows:
    return Workflows(opened.store, opened.artifacts, opened.settings.home_path, time.time)


def _version(opened: Home, name: str, version: int) -> VersionEntry:
    return VERSIONS.require(opened.store, version_name(name, version)).value


def _state(entry: WorkflowEntry) -> str:
    return "gone" if entry.gone else "paused" if entry.paused else ""


def _default(opened: Home, each: Any) -> str:
    if each.required:
        return ""
    if each.fact:
        return f" = {each.fact}()"
    return "" if each.default is None else f" = {opened.artifacts.preview(each.default, limit=100)}"


def _object(opened: Home, entry: WorkflowEntry) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(entry, params=()), builtin_types=())
    plain["params"] = [
        {
            "name": each.name,
            "required": each.required,
            "default": value_of(each.default, opened.artifacts),
            "schema": each.schema,
            "fact": each.fact,
        }
        for each in entry.params
    ]
    plain.setdefault("paused", False)
    plain.setdefault("gone", False)
    plain["deployed_at"] = iso(entry.deployed_at)
    if opened.service is not None:  # Which the API does not tell.
        for name in ("snapshot", "variable", "code", "environment"):
            del plain[name]
        for each in plain["params"]:
            del each["default"]
    return plain


def _tell(found: Difference) -> None:
    changed = ", ".join(found.changed) or "the same"
    print(f"{found.workflow}, version {found.first} and {found.second}: {changed}")
    for mark, color, keys in (("+", "green", found.added), ("-", "red", found.removed)):
        for key in keys:
            print(paint(f"{mark} task {key}", color, sys.stdout))
    for key, fields in found.tasks.items():
        print(f"~ task {key}: {', '.join(fields)}")
    if found.params:
        print(f"~ parameters: {', '.join(found.params)}")
    for file in found.files:
        print(file.diff or f"{file.what}: {file.file}")
