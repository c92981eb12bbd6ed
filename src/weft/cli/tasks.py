"""``weft tasks``: the task runs of a run."""

import sys
import time
from itertools import islice
from typing import Annotated

from cyclopts import Parameter

from weft.cli.app import RUN_HELP, Json, noun
from weft.cli.output import emit, task_object
from weft.cli.reading import Home, anywhere
from weft.cli.style import moment, say, table
from weft.core.changes import TaskChanged
from weft.model.rows import RunRow, TaskRow
from weft.observability.counting import one_line
from weft.observability.terminal import duration, paint, paint_state
from weft.store.protocol import EventRow

app = noun("tasks", help="List and show a run's task runs, and read their logs.")

Run = Annotated[str, Parameter(help=RUN_HELP)]
TaskRef = Annotated[str, Parameter(help="A task run's key, its number, or a task's name if it ran once.")]


@app.command(name="list")
def list_tasks(
    run: Run,
    /,
    *query: Annotated[
        str,
        Parameter(help="Terms such as state:failed name:load*; all must hold.", allow_leading_hyphen=True),
    ],
    limit: Annotated[int, Parameter(help="How many.")] = 100,
    json: Json = False,
) -> None:
    """List a run's task runs, in order."""
    with anywhere() as opened:
        row = opened.store.run(run)
        rows = islice(opened.tasks(row.run, " ".join(query)), limit)
        if json:
            for task in rows:
                emit({"run": row.uid, "idx": task.idx, **task_object(task, opened.artifacts)})
            return
        lines = [
            (
                str(task.idx),
                task.key,
                str(task.state),
                str(task.attempt),
                moment(task.started_at),
                _took(task),
                one_line(task.error) if task.error else "",
            )
            for task in rows
        ]
    table(lines, ("#", "TASK", "STATE", "ATTEMPT", "STARTED", "TOOK", "ERROR"), state=2)
    if len(lines) == limit:
        say(f"the first {limit}; --limit shows more")


@app.command
def show(run: Run, task: TaskRef, /, *, json: Json = False) -> None:
    """Show one task run: inputs, result, error and every change of its state."""
    with anywhere() as opened:
        row = opened.store.run(run)
        found = opened.task(row, task)
        changes = opened.store.events(row.run, found.idx)
        if json:
            emit(
                {
                    "run": row.uid,
                    "idx": found.idx,
                    "kind": found.kind,
                    "cause": found.cause,
                    "worker": found.worker,
                    "generation": found.generation,
                    **task_object(found, opened.artifacts, whole=True),
                    "history": [
                        {
                            "seq": each.seq,
                            "at": each.at,
                            "state": str(each.change.state),
                            "cause": str(each.change.cause),
                        }
                        for each in changes
                        if isinstance(each.change, TaskChanged)
                    ],
                }
            )
            return
        _describe(opened, row, found, changes)


@app.command
def logs(
    run: Run,
    task: TaskRef,
    /,
    *,
    attempt: Annotated[int | None, Parameter(help="Which try; the latest by default.")] = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Until the task ends.")] = False,
) -> None:
    """Print what one task run printed and logged."""
    from weft.cli.logs import print_task  # noqa: PLC0415 - one subcommand's

    with anywhere() as opened:
        row = opened.store.run(run)
        print_task(opened, row, opened.task(row, task), attempt, follow=follow)


def _describe(opened: Home, row: RunRow, task: TaskRow, changes: list[EventRow]) -> None:
    state = paint_state(task.state, sys.stdout)
    print(f"{paint(task.key, 'bold', sys.stdout)}  #{task.idx} of {row.uid}  {state}")
    print(f"attempt {task.attempt}, {task.failures} failed  started {moment(task.started_at)}  {_took(task)}")
    if task.result is not None:
        print(f"result: {opened.artifacts.preview(task.result, limit=1000)}")
    if task.error is not None:
        print(f"error: {one_line(task.error)}")
        if task.error.traceback:
            print(paint(task.error.traceback.rstrip(), "dim", sys.stdout))
    print()
    rows = []
    for each in changes:
        if isinstance(each.change, TaskChanged):
            made = each.change
            rows.append((moment(each.at), str(made.state), str(made.cause), made.detail))
    table(rows, ("AT", "STATE", "BECAUSE", "DETAIL"), state=1)


def _took(task: TaskRow) -> str:
    if task.started_at is None:
        return ""
    return duration((task.ended_at or time.time()) - task.started_at)
