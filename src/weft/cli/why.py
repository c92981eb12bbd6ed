"""``weft why``: the reasons behind where a run, or one of its tasks, stands."""

import sys
import time
from itertools import islice
from typing import Annotated

import msgspec
from cyclopts import Parameter

from weft.cli.app import RUN_HELP, Json, noun
from weft.cli.outcome import work
from weft.cli.output import emit
from weft.cli.reading import Home, anywhere
from weft.engine.explain import Explanation
from weft.engine.explain import why as explain
from weft.model.errors import NotFound
from weft.model.rows import RunRow
from weft.observability.counting import one_line
from weft.observability.terminal import paint, paint_state

app = noun("why")

_FAILED_SHOWN = 10


@app.default
def why(
    run: Annotated[str, Parameter(help=RUN_HELP)],
    task: Annotated[
        str | None, Parameter(help="A task run's key, its number, or a task's name if it ran once.")
    ] = None,
    /,
    *,
    json: Json = False,
) -> None:
    """Explain why a run or one of its tasks is where it is.

    Why it has not started, ran again, failed, was skipped or came from the cache.
    """
    with anywhere() as opened:
        row = opened.store.run(run)
        key = task
        if task is not None:
            try:
                key = opened.task(row, task).key
            except NotFound:
                pass  # A task that has no row yet can be asked about all the same.
        told = _told(opened, row, key)
        failed = (
            list(islice(work(opened.store, row.run, "state:failed"), _FAILED_SHOWN)) if key is None else []
        )
    if json:
        emit({**msgspec.to_builtins(told), "failed": [each.key for each in failed]})
        return
    name = told.task or row.workflow
    print(f"{paint(name, 'bold', sys.stdout)}  {paint_state(told.state, sys.stdout)}")
    print("\n".join(told.lines()))
    for each in failed:
        print(f"{each.key} failed: {one_line(each.error)}  (weft why {row.uid} {each.key})")


def _told(opened: Home, row: RunRow, key: str | None) -> Explanation:
    """The explanation, from the store or the service."""
    if opened.service is None:
        return explain(opened.store, row.uid, key, now=time.time(), pools=opened.settings.pools)
    from weft.cli.there_rows import explanation  # noqa: PLC0415 - only for a service elsewhere

    if key is None:
        return explanation(opened.service.runs.explain(row.uid))
    return explanation(opened.service.tasks.explain(row.uid, key))
