"""What the API answers with. These structs are its promise: fields are added, never renamed or removed.

Times are RFC 3339 in UTC. A stored value is shown as JSON where it is plain data of at most 4 KB (or where it
was asked for in full); else by format, size and a preview. The server opens no pickles.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from weft.artifacts.artifacts import Artifacts
from weft.model.annotations import Annotation
from weft.model.errors import ErrorInfo, WeftError
from weft.model.rows import RunRow, TaskRow
from weft.model.values import INLINE_MAX, Result
from weft.model.waits import ApprovalWait, ChildrenWait, EventWait, PokeWait, TimerWait, Wait

PREVIEW = 200
"""Characters of a preview in a list."""

VALUE_MAX = 1 << 20
"""Bytes up to which a value is shown in full when that is asked for."""

_encode = msgspec.json.Encoder().encode


class ErrorView(msgspec.Struct, kw_only=True, gc=False):
    """A failure.

    Attributes:
        type: The exception's qualified name, or the name of a Weft error.
        message: Its text.
        code: Weft's code, for failures that Weft itself names; else empty.
        traceback: From the user's code on; empty in lists.
        exit_code: Of a process or container.
    """

    type: str
    message: str
    code: str = ""
    traceback: str = ""
    exit_code: int | None = None


class ValueView(msgspec.Struct, kw_only=True, gc=False):
    """A stored value.

    Attributes:
        format: The serializer that wrote it.
        size: Bytes of the serialised value.
        value: The value itself, if it is plain data and small; absent otherwise.
        preview: The value as short text; empty if ``value`` is there.
    """

    format: str
    size: int
    value: Any | UnsetType = UNSET
    preview: str = ""


class RunView(msgspec.Struct, kw_only=True, gc=False):
    """A run, as lists show it.

    Attributes:
        id: Its public id.
        workflow: The workflow's name.
        version: Number of the workflow's version.
        dialect: How the workflow is written.
        state: Where it stands.
        tags: Those it was submitted with, and those that people added.
        created_at: When it was accepted.
        started_at: When it began.
        ended_at: When it ended.
        key: Its idempotency key.
        parent_run: Id of the run that started it.
        error: Why it failed, without the traceback.
    """

    id: str
    workflow: str
    version: int
    dialect: str
    state: str
    tags: list[str]
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    key: str | None = None
    parent_run: str | None = None
    error: ErrorView | None = None


class RunDetail(RunView, kw_only=True):
    """A run with all that is told of it.

    Attributes:
        params: Its parameters.
        result: What it returned.
        facts: Facts that its tasks may read, such as the logical date.
        note: What people wrote about it, Markdown.
        graph: Digest of its graph.
        queue: The queue from which engines take it.
        engine: Number of the engine that runs it; 0 is none.
        project: The folder from which its code is loaded.
    """

    params: dict[str, ValueView] = {}
    result: ValueView | None = None
    facts: dict[str, Any] = {}
    note: str = ""
    graph: str = ""
    queue: str = ""
    engine: int = 0
    project: str = ""


class WaitView(msgspec.Struct, kw_only=True, gc=False):
    """What a task run waits for.

    Attributes:
        kind: ``timer``, ``event``, ``approval``, ``poke`` or ``children``.
        event: Name of the event.
        prompt: What the person is asked, Markdown.
        form: JSON Schema of the answer's input.
        assignees: Who may answer; nobody named is anyone.
        default: What counts as the answer when nobody gives one in time.
    """

    kind: str
    event: str = ""
    prompt: str = ""
    form: dict[str, Any] = {}
    assignees: list[str] = []
    default: str = ""


class TaskView(msgspec.Struct, kw_only=True, gc=False):
    """A task run, as lists show it.

    Attributes:
        idx: Its index in the run.
        key: Its key in the run.
        name: The task's name.
        kind: ``root``, ``node``, ``item``, ``call`` or ``hook``.
        parent: Index of the task run that holds it; -1 for the root.
        map_index: Which item of a map it is.
        state: Where it stands.
        attempt: Number of the latest attempt; 0 before the first.
        generation: How often people cleared it.
        failures: Attempts that counted for the retry limit.
        cause: Why it is in this state.
        by: Index of the task run that brought it about; -1 for none.
        worker: Where the latest attempt ran.
        added_at: When it was first recorded.
        changed_at: When its state changed last.
        started_at: When the latest attempt began.
        ended_at: When it ended.
        due_at: When a timer moves it on.
        waits_for: What it waits for.
        error: Why it failed, without the traceback.
    """

    idx: int
    key: str
    name: str
    kind: str
    parent: int
    map_index: int | None
    state: str
    attempt: int
    generation: int
    failures: int
    cause: str
    by: int
    worker: str
    added_at: datetime
    changed_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None
    waits_for: WaitView | None = None
    error: ErrorView | None = None


class AttemptView(msgspec.Struct, kw_only=True, gc=False):
    """One try of a task run.

    Attributes:
        attempt: Its number.
        generation: How often the task run had been cleared before.
        state: How it ended, or where it stands.
        cause: Why.
        queued_at: When it was given to an executor.
        started_at: When it began.
        ended_at: When it ended.
        worker: Where it ran.
        cpu_s: CPU time used, seconds.
        rss_peak: Highest memory of its process meanwhile, bytes.
        log_size: Bytes that it printed and logged.
        error: Why it failed.
    """

    attempt: int
    generation: int
    state: str
    cause: str
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    worker: str = ""
    cpu_s: float = 0.0
    rss_peak: int = 0
    log_size: int = 0
    error: ErrorView | None = None


class TaskDetail(TaskView, kw_only=True):
    """A task run with all that is told of it.

    Attributes:
        run: Id of the run.
        node: Its node: a key in the graph's group, or a digest.
        result: What it returned.
        attempts: Every try, in order.
        chosen: Of a branch: the keys that it follows.
        note: What people wrote about it, Markdown.
    """

    run: str
    node: str = ""
    result: ValueView | None = None
    attempts: list[AttemptView] = []
    chosen: list[str] | None = None
    note: str = ""


def moment(at: float) -> datetime:
    """A time for JSON."""
    return datetime.fromtimestamp(at, UTC)


def unix(at: datetime) -> float:
    """A moment in Unix seconds; one without a zone is in UTC."""
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


def maybe_moment(at: float | None) -> datetime | None:
    """A time for JSON, if there is one."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


def error_view(error: ErrorInfo | None, *, whole: bool = False) -> ErrorView | None:
    """A failure, with its traceback if ``whole``."""
    if error is None:
        return None
    return ErrorView(
        type=error.type,
        message=error.message,
        code=error.code,
        traceback=error.traceback if whole else "",
        exit_code=error.exit_code,
    )


def value_view(
    result: Result | None, artifacts: Artifacts, *, limit: int = PREVIEW, whole: bool = False
) -> ValueView | None:
    """A stored value.

    Args:
        result: The reference.
        artifacts: Opens plain data; must not be trusted.
        limit: Characters of a preview.
        whole: Also show what is larger than a result holds inline.
    """
    if result is None:
        return None
    view = ValueView(format=result.format, size=result.size)
    if result.size <= (VALUE_MAX if whole else INLINE_MAX):
        view.value = json_of(result, artifacts)
    if view.value is UNSET:
        view.preview = artifacts.preview(result, limit=limit)
    return view


def json_of(result: Result, artifacts: Artifacts) -> Any | UnsetType:
    """A stored value as JSON; unset if there is no JSON for it, or it is not ours to open."""
    try:
        plain = msgspec.to_builtins(artifacts.loads(result), str_keys=True)
        return msgspec.json.decode(_encode(plain))
    except (WeftError, TypeError, ValueError, OverflowError, RecursionError):
        return UNSET


def run_view(row: RunRow, annotation: Annotation | None = None) -> RunView:
    """A run for lists."""
    return RunView(**_run_fields(row, annotation))


def run_detail(row: RunRow, artifacts: Artifacts, annotation: Annotation | None = None) -> RunDetail:
    """A run with all that is told of it."""
    fields = _run_fields(row, annotation) | {"error": error_view(row.error, whole=True)}
    return RunDetail(
        **fields,
        params={
            name: view
            for name, each in row.params.items()
            if (view := value_view(each, artifacts)) is not None
        },
        result=value_view(row.result, artifacts),
        facts=plain(row.facts),
        note=annotation.note if annotation is not None else "",
        graph=row.graph,
        queue=row.queue,
        engine=row.owner,
        project=row.project,
    )


def _run_fields(row: RunRow, annotation: Annotation | None) -> dict[str, Any]:
    added = annotation.tags if annotation is not None else ()
    return {
        "id": row.uid,
        "workflow": row.workflow,
        "version": _version(row),
        "dialect": row.dialect,
        "state": str(row.state),
        "tags": list(dict.fromkeys((*row.tags, *added))),
        "created_at": moment(row.created_at),
        "started_at": maybe_moment(row.started_at),
        "ended_at": maybe_moment(row.ended_at),
        "key": row.key,
        "parent_run": row.parent_run or None,
        "error": error_view(row.error),
    }


def _version(row: RunRow) -> int:
    """The workflow's version: as deployed, or else the number of its graph."""
    deployed = row.facts.get("version")
    return deployed if isinstance(deployed, int) else row.version


def task_view(row: TaskRow) -> TaskView:
    """A task run for lists."""
    return TaskView(**_task_fields(row))


def task_detail(
    row: TaskRow,
    run: RunRow,
    artifacts: Artifacts,
    attempts: list[AttemptView],
    annotation: Annotation | None = None,
) -> TaskDetail:
    """A task run with all that is told of it."""
    fields = _task_fields(row) | {"error": error_view(row.error, whole=True)}
    return TaskDetail(
        **fields,
        run=run.uid,
        node=row.node,
        result=value_view(row.result, artifacts),
        attempts=attempts,
        chosen=None if row.chosen is None else list(row.chosen),
        note=annotation.note if annotation is not None else "",
    )


def _task_fields(row: TaskRow) -> dict[str, Any]:
    return {
        "idx": row.idx,
        "key": row.key,
        "name": row.name,
        "kind": row.kind,
        "parent": row.parent,
        "map_index": row.map_index if row.map_index >= 0 else None,
        "state": str(row.state),
        "attempt": row.attempt,
        "generation": row.generation,
        "failures": row.failures,
        "cause": row.cause,
        "by": row.by,
        "worker": row.worker,
        "added_at": moment(row.first_at),
        "changed_at": moment(row.changed_at),
        "started_at": maybe_moment(row.started_at),
        "ended_at": maybe_moment(row.ended_at),
        "due_at": maybe_moment(row.due_at),
        "waits_for": wait_view(row.wait),
        "error": error_view(row.error),
    }


def wait_view(wait: Wait | None) -> WaitView | None:
    """What a task run waits for."""
    if wait is None:
        return None
    if isinstance(wait, ApprovalWait):
        return WaitView(
            kind="approval",
            prompt=wait.prompt,
            form=wait.form,
            assignees=list(wait.assignees),
            default=wait.default,
        )
    if isinstance(wait, EventWait):
        return WaitView(kind="event", event=wait.name)
    return WaitView(kind=_WAITS[type(wait)])


_WAITS: dict[type, str] = {TimerWait: "timer", PokeWait: "poke", ChildrenWait: "children"}


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """A mapping of facts as JSON can say it; what it cannot is shown as text."""
    shown: dict[str, Any] = {}
    for name, each in value.items():
        try:
            shown[name] = msgspec.to_builtins(each, str_keys=True)
        except (TypeError, ValueError):
            shown[name] = str(each)
    return shown
