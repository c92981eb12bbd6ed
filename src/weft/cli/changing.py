"""What ``weft runs`` changes: cancel, pause, resume, retry, replay and delete."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from weft import embedded
from weft.cli.asking import ask, living_owner, wait_until
from weft.cli.outcome import finish
from weft.cli.reading import Home, anywhere, home
from weft.cli.style import say
from weft.cli.watching import see_through
from weft.model.errors import MissingParameter, RunNotResumable, UnknownParameter, UsageError
from weft.model.rows import RunRow
from weft.model.states import RunState
from weft.observability.terminal import count
from weft.runtime.host import RunRequest
from weft.settings import load_settings

if TYPE_CHECKING:
    from weft.client import Client

_PATIENCE_S = 10.0


def cancel_run(ref: str, *, force: bool) -> None:
    """See ``weft runs cancel``."""
    with anywhere() as opened:
        row = opened.store.run(ref)
        if not ask(opened, row, "cancel", force=force):
            return
        ended = wait_until(lambda: opened.store.run_by_id(row.run).state.terminal, _PATIENCE_S)
        state = opened.store.run_by_id(row.run).state
        say(f"run {row.uid} {'has ' + state if ended else 'is being cancelled; its teardowns still run'}")


def pause_run(ref: str) -> None:
    """See ``weft runs pause``."""
    with anywhere() as opened:
        row = opened.store.run(ref)
        if ask(opened, row, "pause"):
            say(f"run {row.uid} is paused: weft runs resume {row.uid}")


def resume_run(ref: str, *, json: bool) -> int:
    """See ``weft runs resume``."""
    with anywhere() as opened:
        row = opened.store.run(ref)
        if opened.service is not None:
            opened.service.runs.resume(row.uid)
            say(f"run {row.uid} goes on")
            return 0
        owner = living_owner(opened, row)
        if owner is not None and row.state is RunState.PAUSED:
            if ask(opened, row, "resume"):
                say(f"run {row.uid} goes on in process {owner.pid}")
            return 0
    host = embedded.open_host(load_settings())
    return finish(host, host.resume(row.run), json=json)


def retry_run(ref: str, task: str | None, *, json: bool) -> int:
    """See ``weft runs retry``."""
    with anywhere() as opened:
        row = opened.store.run(ref)
        owner = living_owner(opened, row)
        if not row.state.terminal:
            hint = f"weft runs {'watch' if owner is not None else 'resume'} {row.uid}"
            raise RunNotResumable(f"run {row.uid} has not ended", hint=hint)
        idx = None if task is None else opened.task(row, task).idx
        if idx is None and row.state is RunState.SUCCEEDED:
            raise UsageError(
                f"run {row.uid} has succeeded: nothing in it failed",
                hint=f"weft runs retry {row.uid} --from TASK, or weft runs replay {row.uid}",
            )
        if opened.service is not None:
            _retry_there(opened.service, row.uid, idx)
            return see_through(opened, row, json=json)
    host = embedded.open_host(load_settings())
    return finish(host, host.retry(row.run, idx), json=json)


def _retry_there(service: "Client", run: str, idx: int | None) -> None:
    from weft.client.models import Clear  # noqa: PLC0415 - only for a service elsewhere

    if idx is None:
        service.runs.retry(run)
    else:
        service.runs.clear(run, Clear(tasks=[idx], downstream=True))


def replay_run(ref: str, pairs: Sequence[str], *, json: bool) -> int:
    """See ``weft runs replay``."""
    with home() as opened:
        row = opened.store.run(ref)
    host = embedded.open_host(load_settings())
    graph = host.store.graph(row.graph)
    params = dict(row.params)
    names = {each.name for each in graph.params}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is not a parameter", hint="write -p name=value")
        if name not in names:
            raise UnknownParameter(
                f"{graph.workflow} has no parameter {name!r}", hint=f"it takes {', '.join(sorted(names))}"
            )
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
        params[name] = host.artifacts.dumps(value, what=f"parameter {name!r}")
    missing = [each.name for each in graph.params if each.required and each.name not in params]
    if missing:
        raise MissingParameter(f"{graph.workflow} needs a value for {missing[0]!r}")
    request = RunRequest(
        graph,
        params,
        inline=bool(getattr(graph.root.call, "flow", False)),
        tags=row.tags,
        project=row.project,
        facts={name: value for name, value in row.facts.items() if name != "executor"},
    )
    return finish(host, host.run(request), json=json)


def delete_runs(refs: Sequence[str], query: str | None, *, yes: bool) -> None:
    """See ``weft runs delete``."""
    with anywhere() as opened:
        rows = {row.run: row for row in (opened.store.run(ref) for ref in refs)}
        if query is not None:
            rows |= {row.run: row for row in _picked(opened, query)}
        open_runs = [row.uid for row in rows.values() if not row.state.terminal]
        if open_runs:
            raise UsageError(
                f"{count(len(open_runs), 'run')} of them have not ended, such as {open_runs[0]}",
                hint="cancel them first: weft runs cancel RUN",
            )
        if not yes:
            what = count(len(rows), "run")
            raise UsageError(f"this deletes {what} with their logs, for good", hint="say --yes to do it")
        deleted = opened.forget(list(rows.values()))
        say(f"deleted {count(deleted, 'run')}")


def _picked(opened: Home, query: str) -> list[RunRow]:
    """Every ended run that a query picks."""
    found: list[RunRow] = []
    before: int | None = None
    while rows := opened.store.runs(query, limit=500, before=before):
        found += [row for row in rows if row.state.terminal]
        before = rows[-1].run
    return found
