"""Concurrency keys and rate limits: what holds them, and what waits for them.

Nobody writes these down: the code of tasks names them. What is told here is what is in use or waited for now.
Of the engine in this process that is exact; of the others it is what they last said in the store.
"""

import msgspec

from weft.core.shares import waiting
from weft.core.state import State, Task
from weft.engine.sharing import LIMITS
from weft.server.context import Context, Given
from weft.server.paging import Page
from weft.server.routing import read

KINDS = ("key:", "rate:")
"""How the keys of limits begin that are told here; pools have a list of their own."""

WAITERS_MAX = 20
"""Task runs that are told of each limit; the others are counted."""

LIMITS_MAX = 1000


class WaiterView(msgspec.Struct, kw_only=True):
    """A task run that waits for a limit.

    Attributes:
        run: Its run's id.
        workflow: Its workflow's name.
        task: Its key.
        idx: Its index in the run.
    """

    run: str
    workflow: str
    task: str
    idx: int


class LimitView(msgspec.Struct, kw_only=True):
    """A concurrency key or a rate limit.

    Attributes:
        kind: `key`, or `rate`.
        name: Its name.
        slots: Slots that live attempts may hold at once; of a rate, starts in `per_s` seconds.
        per_s: Of a rate: for how long a start counts; null for a key.
        used: Slots that are held, or starts that still count, over all engines.
        waiting: Slots that are waited for, over all engines.
        engines: Numbers of the engines that have to do with it.
        waiters: Task runs of the engine in this process that wait for it, the first ones.
    """

    kind: str
    name: str
    slots: int
    per_s: float | None
    used: int
    waiting: int
    engines: list[int]
    waiters: list[WaiterView]


@read("/limits")
def list_limits(context: Given) -> Page[LimitView]:
    """List concurrency keys and rate limits that are in use or waited for, by kind and name."""
    found: dict[str, LimitView] = {}
    for prefix in KINDS:
        _told(context, prefix, found)
    engine = context.services.control.engine
    if engine is not None:
        _here(engine.id, engine.state, context.now, found)
    # A limit that rested is kept in the store for a while.
    busy = sorted(key for key, view in found.items() if view.used or view.waiting)
    return Page(items=[found[key] for key in busy[:LIMITS_MAX]])


def _told(context: Context, prefix: str, found: dict[str, LimitView]) -> None:
    """What other engines said."""
    engine = context.services.control.engine
    for entry in LIMITS.page(context.store, prefix=prefix, limit=LIMITS_MAX):
        stakes = entry.value.stakes
        if not stakes:
            continue
        view = found[entry.name] = _view(entry.name, min(each.limit for each in stakes.values()))
        view.per_s = entry.value.per_s if prefix == "rate:" else None
        view.engines = sorted(stakes)
        for owner, stake in stakes.items():
            if engine is None or owner != engine.id:
                view.used += min(stake.share, stake.want)
                view.waiting += max(stake.want - stake.share, 0)


def _here(engine: int, state: State, now: float, found: dict[str, LimitView]) -> None:
    """What the engine in this process has; its threads go on meanwhile, so only copies are walked over."""
    parked = {key: list(line) for key, line in list(state.parked.items())}
    used = dict(state.used)
    for rate, times in list(state.rates.items()):
        since = now - state.windows.get(rate, 0.0)
        used[f"rate:{rate}"] = sum(at > since for at in list(times))
    for key in {*used, *parked}:
        # A place in a line may stand for many items of a map, or for none any more.
        line = [
            (at, count)
            for at in sorted(parked.get(key, ()), key=_place)
            if (count := waiting(state, at[2], key))
        ]
        if not key.startswith(KINDS) or not (line or used.get(key)):
            continue
        view = found.get(key)
        if view is None:
            view = found[key] = _view(key, state.slots(key))
        if key.startswith("rate:"):
            view.per_s = state.windows.get(key[5:], view.per_s)
        view.used += used.get(key, 0)
        view.waiting += sum(count for _, count in line)
        view.engines = sorted({*view.engines, engine})
        view.waiters = [
            WaiterView(run=task.run.uid, workflow=task.run.graph.workflow, task=task.key, idx=task.idx)
            for (_, _, task), _ in line[:WAITERS_MAX]
        ]


def _place(at: tuple[int, int, Task]) -> tuple[int, int]:
    """Where it stands in its line; two never stand in one place."""
    return at[:2]


def _view(key: str, slots: int) -> LimitView:
    kind, _, name = key.partition(":")
    return LimitView(kind=kind, name=name, slots=slots, per_s=None, used=0, waiting=0, engines=[], waiters=[])


ROUTES = [list_limits]
