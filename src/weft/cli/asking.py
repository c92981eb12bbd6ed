"""Asking the engine that owns a run, in whichever process, for something: through the store.

The request is durable before the command says so. An engine that lives takes it in within a quarter of a
second; otherwise it waits until the run is resumed.
"""

import os
import time
from collections.abc import Callable

from weft.cli.reading import Home
from weft.cli.reading import me as me
from weft.cli.style import say
from weft.engine.recovery import dead_engines
from weft.model.errors import RunNotResumable
from weft.model.ids import ulid
from weft.model.rows import RunRow
from weft.model.values import Result
from weft.store.protocol import EngineRow, Request

_PATIENCE_S = 3.0


def living_owner(home: Home, row: RunRow) -> EngineRow | None:
    """The engine that runs the run now."""
    engines = home.store.engines()
    dead = dead_engines(engines)
    now = time.time()
    for each in engines:
        if each.engine == row.owner and each.expires_at > now and each.engine not in dead:
            return each
    return None


def ask(
    home: Home,
    row: RunRow,
    kind: str,
    *,
    name: str = "",
    idx: int = -1,
    payload: Result | None = None,
    force: bool = False,
    request_id: str | None = None,
) -> bool:
    """Leave a request, and wait a little for the engine to take it; returns whether it did.

    Raises:
        RunNotResumable: The run has ended.
    """
    if row.state.terminal:
        raise RunNotResumable(f"run {row.uid} has {row.state} already", hint=f"weft runs show {row.uid}")
    now = time.time()
    request = Request(
        request_id=request_id or ulid("req", int(now * 1000), os.urandom(10)),
        run=row.run,
        kind=kind,
        at=now,
        by=home.me,
        name=name,
        idx=idx,
        payload=payload,
        force=force,
    )
    home.store.ask(request)
    if living_owner(home, row) is None:
        say(f"recorded: nobody runs {row.uid} now, so it is done when the run goes on")
        say(f"  weft runs resume {row.uid}")
        return False
    known = request.request_id
    return wait_until(
        lambda: all(each.request_id != known for each in home.store.requests(row.owner)), _PATIENCE_S
    )


def wait_until(holds: Callable[[], bool], patience_s: float) -> bool:
    """Look again and again until it holds; False when it never did."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
