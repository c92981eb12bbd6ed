"""``weft deploy``: a project's workflows become what the service runs."""

import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, noun
from weft.cli.asking import me
from weft.cli.output import emit
from weft.cli.reading import Home, home
from weft.cli.style import say, table
from weft.model.errors import InvalidWorkflow, UsageError, WeftError
from weft.model.projects import Deployment, Problem
from weft.observability.terminal import count, paint
from weft.projects.discover import MEMORY_BYTES, TIMEOUT_S, Discoverer
from weft.projects.inventory import Options
from weft.projects.registry import deploy as register
from weft.projects.snapshot import fingerprint

app = noun("deploy")

_POLL_S = 1.0
_QUIET = ("unchanged",)


@app.default
def deploy(
    source: Annotated[
        str, Parameter(help="A folder, folder@revision, or git+https://host/repository@revision.")
    ] = ".",
    /,
    *,
    name: Annotated[str, Parameter(help="The project's name, if not what it says itself.")] = "",
    tasks: Annotated[bool, Parameter(help="Tasks that are no part of a flow or dag count too.")] = False,
    dry_run: Annotated[bool, Parameter(help="Only say what would change.")] = False,
    strict: Annotated[bool, Parameter(help="Anything wrong with any file is a failure.")] = False,
    watch: Annotated[bool, Parameter(help="Deploy again whenever a file changes, until Ctrl-C.")] = False,
    timeout: Annotated[float, Parameter(help="Seconds that a file may take to import.")] = TIMEOUT_S,
    memory: Annotated[float, Parameter(help="Gigabytes that importing a file may need.")] = MEMORY_BYTES
    / 1e9,
    json: Json = False,
) -> int:
    """Make a project's workflows what the service runs.

    Takes a snapshot of the project's files, finds the workflows in them, and makes a version of each one
    whose graph, code or environment changed. Runs that have begun stay on theirs.
    """
    if timeout <= 0 or memory <= 0:
        raise UsageError("--timeout and --memory must be more than 0")
    options = Options(
        name=name, tasks=tasks, timeout_s=timeout, memory_bytes=int(memory * 1e9), dry_run=dry_run
    )
    with home() as opened:
        if watch:
            with Discoverer() as discoverer:
                return _watch(opened, source, options, discoverer, json=json)
        done = _deploy(opened, source, options)
        _tell(done, options, json=json)
        return _code(done, strict=strict)


def _deploy(opened: Home, source: str, options: Options, discoverer: Discoverer | None = None) -> Deployment:
    return register(
        opened.store,
        opened.artifacts,
        opened.settings.home_path,
        source,
        at=time.time(),
        by=me(),
        options=options,
        discoverer=discoverer,
    )


def _code(done: Deployment, *, strict: bool) -> int:
    if strict and done.problems:
        return InvalidWorkflow.exit_code
    usable = any(each.what not in ("gone", "kept") for each in done.changes)
    return 0 if usable or not done.problems else 1


def _watch(opened: Home, source: str, options: Options, discoverer: Discoverer, *, json: bool) -> int:
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise UsageError(f"{source} cannot be watched", hint="give a folder")
    seen = None
    try:
        while True:
            try:
                now = fingerprint(folder)
                if now != seen:
                    seen = now
                    done = _deploy(opened, source, options, discoverer)
                    _tell(done, options, json=json, all_of_it=False)
            except WeftError as exc:
                say(f"{paint('error:', 'red')} {exc.code}: {exc.what}")
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        return 0


def _tell(done: Deployment, options: Options, *, json: bool, all_of_it: bool = True) -> None:
    if json:
        emit({"dry_run": options.dry_run, **msgspec.to_builtins(done)})
        return
    rows = [
        (each.what, each.workflow, str(each.version), each.file, ", ".join(each.changed))
        for each in done.changes
        if all_of_it or each.what not in _QUIET
    ]
    if rows:
        table(rows, ("WHAT", "WORKFLOW", "VERSION", "FILE", "CHANGED"))
    for problem in done.problems:
        _show(problem)
    verb = "would be deployed" if options.dry_run else "deployed"
    told = [f"{sum(each.what == what for each in done.changes):,} {what}" for what in _kinds(done)]
    say(
        f"{done.project} {verb} from {done.source}{'@' + done.revision[:12] if done.revision else ''}: "
        + (", ".join(told) or "no workflows")
        + (f", {count(len(done.problems), 'problem')}" if done.problems else "")
    )


def _kinds(done: Deployment) -> list[str]:
    order = ("new", "changed", "unchanged", "back", "gone", "kept")
    return [what for what in order if any(each.what == what for each in done.changes)]


def _show(problem: Problem) -> None:
    of = f" ({problem.workflow})" if problem.workflow else ""
    where = problem.where or problem.file
    print(f"{where}{of}: {paint('error', 'red', sys.stdout)} {problem.code}: {problem.what}")
    if problem.hint:
        print(f"  {paint('hint:', 'dim', sys.stdout)} {problem.hint}")
