"""``weft run``: a run from start to end, in this process."""

import os
import sys
from contextlib import nullcontext, redirect_stdout
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec.structs import replace

from weft import embedded
from weft.cli.app import Json, noun
from weft.cli.outcome import finish, tell
from weft.cli.select import selected
from weft.cli.style import say
from weft.cli.target import find
from weft.model.errors import NotRemote, RunNotResumable, UsageError
from weft.model.rows import RunRow
from weft.settings import load_settings

app = noun("run")


@app.default
def run(
    target: Annotated[
        str, Parameter(help="file.py, file.py:name or module:name; with --server a workflow's name.")
    ],
    /,
    *,
    param: Annotated[
        list[str] | None,
        Parameter(name=["--param", "-p"], help="A parameter, name=value; JSON where it is. May be repeated."),
    ] = None,
    params_json: Annotated[
        str | None, Parameter(help="Parameters as a JSON object, @file, or - for standard input.")
    ] = None,
    select: Annotated[
        str | None,
        Parameter(help="Only these tasks of a @dag: name, +name, name+, tag:x, a*; commas join."),
    ] = None,
    executor: Annotated[
        Literal["thread", "process"] | None, Parameter(help="Where tasks run that do not say.")
    ] = None,
    tag: Annotated[
        list[str] | None, Parameter(help="A tag for the run, to find it by. May be repeated.")
    ] = None,
    key: Annotated[str | None, Parameter(help="At most one run is ever made with the same key.")] = None,
    wait: Annotated[
        bool, Parameter(name="--wait", negative="", help="Wait for its end; it always does.")
    ] = True,
    detach: Annotated[
        bool, Parameter(help="With --server: print the run's id, and do not wait for its end.")
    ] = False,
    json: Json = False,
) -> int:
    """Run a workflow and see it through.

    With --server TARGET is the name of a deployed workflow, and the service runs it. Here, Ctrl-C once stops
    it gracefully, twice at once; ``weft runs resume`` goes on with it.
    """
    settings = load_settings()
    if settings.server:
        from weft.cli.run_there import run_there  # noqa: PLC0415 - brings the HTTP client

        refuse(select=select, executor=executor)
        return run_there(
            settings,
            target,
            param or (),
            params_json,
            tags=tag or (),
            key=key,
            detach=detach,
            json=json,
        )
    if detach:
        raise UsageError(
            "without a service nobody would go on with the run",
            hint="name one: weft run NAME --server URL --detach",
        )
    if executor is not None:
        settings = replace(settings, executor=executor)
    # With --json standard output is one JSON object, so what the tasks print goes beside it.
    with redirect_stdout(sys.stderr) if json else nullcontext():
        found = find(target)
        params = found.bind(param or (), params_json)
        host = embedded.open_host(settings)
        request = found.workflow.request(host, (), params)
        request.tags = (*request.graph.tags, *(tag or ()))
        request.project = request.project or found.project
        request.key = key
        known = None if key is None else host.store.run_by_key(key)
        if select is not None and known is None:
            request.graph = selected(
                request.graph, select, host.store, host.artifacts, where=os.path.relpath(found.where)
            )
        pending = None if known is not None else host.run(request)
    if known is not None:
        return _known(host, known, json=json)
    assert pending is not None
    return finish(host, pending, json=json)


def refuse(**options: object) -> None:
    """Refuse the options that only make sense where the workflow's file is."""
    for name, value in options.items():
        if value is not None:
            raise NotRemote(f"--{name} is for runs on this machine", hint="leave it out with --server")


def _known(host: embedded.LocalHost, row: RunRow, *, json: bool) -> int:
    """The key was used before: tell how that run stands, and make none."""
    if not row.state.terminal:
        raise RunNotResumable(
            f"run {row.uid} has the key {row.key!r} and has not ended", hint=f"weft runs watch {row.uid}"
        )
    say(f"run {row.uid} was made with the key {row.key!r} before")
    return tell(host, row, json=json)
