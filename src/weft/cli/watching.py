"""``weft runs watch``: following a run of any process through the store's log."""

import time

import msgspec

from weft.cli.output import emit, error_of
from weft.cli.reading import Home
from weft.model.rows import RunRow
from weft.model.states import RunState
from weft.observability.progress import progress
from weft.store.protocol import EventRow

_LOOK_S = 0.2
_PAGE = 5000


def see_through(opened: Home, row: RunRow, *, json: bool) -> int:
    """Follow a run of a service to its end, and say how it ended as ``weft run`` does."""
    from weft.cli.outcome import tell  # noqa: PLC0415 - brings the engine, which watching does not need

    watch_run(opened, row, json=False, silent=json)
    return tell(opened, opened.store.run_by_id(row.run), json=json)


def watch_run(opened: Home, row: RunRow, *, json: bool, silent: bool = False) -> int:
    """Show a run's changes as they are committed, from its first, until it ends."""
    choice = "off" if json or silent else opened.settings.progress
    display = progress("plain" if choice == "auto" and row.state.terminal else choice)
    after = 0
    while True:
        # Asked before the events: a run that has ended by then has all its events in the log.
        state = opened.store.run_by_id(row.run).state
        while events := opened.store.events(row.run, after=after, limit=_PAGE):
            after = events[-1].seq
            if json:
                for each in events:
                    emit(_shown(each))
            elif display is not None:
                display.take([each.change for each in events])
        if state.terminal:
            break
        time.sleep(_LOOK_S)
    if display is not None:
        display.finish(row.run)
    return 0 if state is RunState.SUCCEEDED else 1


def _shown(event: EventRow) -> dict[str, object]:
    """An event as JSON; values are left out, only what happened is told."""
    change = event.change
    shown: dict[str, object] = {"seq": event.seq, "at": event.at}
    if event.idx >= 0:
        shown["idx"] = event.idx
    shown["event"] = change.__struct_config__.tag
    for name in ("key", "name", "uid", "workflow", "state", "cause", "attempt", "count", "detail"):
        value = getattr(change, name, None)
        if value not in (None, ""):
            shown[name] = str(value) if isinstance(value, str) else value
    error = getattr(change, "error", None)
    if error is not None:
        shown["error"] = error_of(error)
    return msgspec.to_builtins(shown)  # type: ignore[no-any-return]  # a mapping stays one
