"""``weft runs``: what ran, what runs, and what to do about it.

The subcommands' bodies are in files of their own by what they need: reading here, following and comparing in
``watching.py`` and ``comparing.py``, changing in ``changing.py``.
"""

import sys
import time
from typing import Annotated

from cyclopts import Parameter

from weft.cli.app import RUN_HELP, Json, Yes, noun
from weft.cli.outcome import whole
from weft.cli.output import emit, run_object
from weft.cli.reading import anywhere, home
from weft.cli.style import moment, say, table
from weft.model.errors import NotFound
from weft.model.rows import RunRow
from weft.observability.counting import one_line
from weft.observability.terminal import duration, paint, paint_state

app = noun("runs", help="List, follow, compare, resume, retry and delete runs.")

Run = Annotated[str, Parameter(help=RUN_HELP)]
Query = Annotated[
    str,
    Parameter(
        help="Terms such as state:failed workflow:etl* since:1d; all must hold.", allow_leading_hyphen=True
    ),
]


@app.command(name="list")
def list_runs(
    *query: Query,
    limit: Annotated[int, Parameter(help="How many.")] = 20,
    json: Json = False,
) -> None:
    """List runs, newest first."""
    with anywhere() as opened:
        rows = opened.store.runs(" ".join(query), limit=limit)
        if json:
            for row in rows:
                emit(run_object(row, opened.artifacts))
            return
    if not rows:
        say("no runs" + (" match" if query else " yet: weft run FILE starts one"))
        return
    lines = [
        (row.uid, row.workflow, str(row.state), moment(row.created_at), _took(row), ",".join(row.tags))
        for row in rows
    ]
    table(lines, ("RUN", "WORKFLOW", "STATE", "CREATED", "TOOK", "TAGS"), state=2)
    if len(rows) == limit:
        say(f"the newest {limit}; --limit shows more")


@app.command
def show(run: Run, /, *, json: Json = False) -> None:
    """Show a run: parameters, result, how its tasks stand."""
    with anywhere() as opened:
        row = opened.store.run(run)
        if json:
            emit(whole(row, opened.store, opened.artifacts))
            return
        print(f"{paint(row.workflow, 'bold', sys.stdout)}  {row.uid}  {paint_state(row.state, sys.stdout)}")
        print(f"version {row.version} ({row.dialect})  created {moment(row.created_at)}  took {_took(row)}")
        if row.tags:
            print(f"tags: {', '.join(row.tags)}")
        for name, value in row.params.items():
            print(f"  {name} = {opened.artifacts.preview(value, limit=200)}")
        if row.result is not None:
            print(f"result: {opened.artifacts.preview(row.result, limit=1000)}")
        if row.error is not None:
            print(f"error: {one_line(row.error)}")
        counts = opened.store.counts(row.run)
        print("tasks: " + ", ".join(f"{number:,} {state}" for state, number in sorted(counts.items())))
        for each in opened.store.published(row.run):
            title = each.published.title or each.published.key
            print(f"published {each.published.kind}: {title}")
        bad = opened.store.tasks(row.run, "state:failed,lost,retrying,waiting", limit=20)
        if bad:
            print()
            rows = [
                (str(task.idx), task.key, str(task.state), one_line(task.error) if task.error else "")
                for task in bad
                if task.idx
            ]
            table(rows, ("#", "TASK", "STATE", "ERROR"), state=2)


@app.command
def logs(
    run: Run,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Until the run ends.")] = False,
    json: Json = False,
) -> None:
    """Print what a run's tasks printed and logged, task by task."""
    from weft.cli.logs import print_run  # noqa: PLC0415 - one subcommand's

    with anywhere() as opened:
        print_run(opened, opened.store.run(run), follow=follow, json=json)


@app.command
def watch(run: Run, /, *, json: Json = False) -> int:
    """Follow a run of any process until it ends; the exit code tells how."""
    from weft.cli.watching import watch_run  # noqa: PLC0415 - one subcommand's

    with anywhere() as opened:
        return watch_run(opened, opened.store.run(run), json=json)


@app.command
def diff(first: Run, second: Run, /, *, json: Json = False) -> int:
    """Compare two runs: parameters, version, tasks, times and results. Exit code 1 if they differ."""
    from weft.cli.comparing import compare  # noqa: PLC0415 - one subcommand's

    with home() as opened:
        return compare(opened, opened.store.run(first), opened.store.run(second), json=json)


@app.command
def export(
    run: Run,
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"], help="The file; - is standard output.")] = "-",
) -> None:
    """Write everything the store has of a run as JSON lines: run, graph, tasks, events, logs."""
    from weft.cli.exporting import write  # noqa: PLC0415 - one subcommand's

    with home() as opened:
        write(opened, opened.store.run(run), output)


@app.command
def cancel(
    run: Run,
    /,
    *,
    force: Annotated[bool, Parameter(help="Without teardowns and exit handlers.")] = False,
) -> None:
    """Stop a run, in whichever process it is."""
    from weft.cli.changing import cancel_run  # noqa: PLC0415 - one subcommand's

    cancel_run(run, force=force)


@app.command
def pause(run: Run, /) -> None:
    """Start nothing new in a run until it is resumed."""
    from weft.cli.changing import pause_run  # noqa: PLC0415 - one subcommand's

    pause_run(run)


@app.command
def resume(run: Run, /, *, json: Json = False) -> int:
    """Go on with a run that was interrupted, paused, or whose process died; here, unless another runs it."""
    from weft.cli.changing import resume_run  # noqa: PLC0415 - one subcommand's

    return resume_run(run, json=json)


@app.command
def retry(
    run: Run,
    /,
    *,
    from_: Annotated[
        str | None,
        Parameter(name="--from", help="Run this task and all that follows it again, also what succeeded."),
    ] = None,
    json: Json = False,
) -> int:
    """Run again what failed in a run, and what follows it; the results before it are used."""
    from weft.cli.changing import retry_run  # noqa: PLC0415 - one subcommand's

    return retry_run(run, from_, json=json)


@app.command
def replay(
    run: Run,
    /,
    *,
    param: Annotated[
        list[str] | None,
        Parameter(name=["--param", "-p"], help="Another value, name=value; JSON where it is."),
    ] = None,
    json: Json = False,
) -> int:
    """Start a new run of the same workflow version with the same parameters."""
    from weft.cli.changing import replay_run  # noqa: PLC0415 - one subcommand's

    return replay_run(run, param or [], json=json)


@app.command
def delete(
    *runs: Annotated[str, Parameter(help="Runs, by id.")],
    query: Annotated[str | None, Parameter(help="Also every ended run that this picks.")] = None,
    yes: Yes = False,
) -> None:
    """Delete ended runs with their logs. Says how many, and does it only with --yes."""
    from weft.cli.changing import delete_runs  # noqa: PLC0415 - one subcommand's

    if not runs and query is None:
        raise NotFound("no run was named", hint="weft runs delete RUN, or --query 'state:failed ended<-30d'")
    delete_runs(runs, query, yes=yes)


def _took(row: RunRow) -> str:
    if row.started_at is None:
        return ""
    return duration((row.ended_at or time.time()) - row.started_at)
