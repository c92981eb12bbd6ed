"""What people do to schedules: pause, resume, trigger. Each changes one record, again until that holds."""

from collections.abc import Callable

from weft.core import ticking
from weft.engine.scheduler import SCHEDULES
from weft.model.errors import Conflict, UsageError
from weft.model.schedules import Scheduled
from weft.store.protocol import Store
from weft.store.records import Entry

_TRIES = 10


def pause_schedule(store: Store, name: str, *, now: float, by: str) -> Entry[Scheduled]:
    """Let a schedule make no more runs; returns how it is now.

    Raises:
        NotFound: There is none of this name.
    """
    return _change(store, name, lambda state: ticking.pause(state, by), now)


def resume_schedule(store: Store, name: str, *, now: float, by: str) -> Entry[Scheduled]:
    """Let a schedule go on; returns how it is now.

    Raises:
        NotFound: There is none of this name.
    """
    return _change(store, name, lambda state: ticking.resume(state, now, by), now)


def trigger_schedule(store: Store, name: str, *, now: float) -> Entry[Scheduled]:
    """Let a schedule make a run for this second, besides its ticks; returns how it is now.

    Raises:
        NotFound: There is none of this name.
        UsageError: It is paused.
    """

    def triggered(state: Scheduled) -> Scheduled:
        if state.paused:
            raise UsageError(f"schedule {name} is paused", hint=f"weft schedules resume {name}")
        return ticking.trigger(state, int(now))

    return _change(store, name, triggered, now)


def _change(
    store: Store, name: str, change: Callable[[Scheduled], Scheduled], now: float
) -> Entry[Scheduled]:
    for left in reversed(range(_TRIES)):
        entry = SCHEDULES.require(store, name)
        state = change(entry.value)
        due_at = ticking.due_at(state, now)
        try:
            return SCHEDULES.save(store, name, state, at=now, due_at=due_at, expect=entry.revision)
        except Conflict:
            if not left:
                raise
            # The scheduler, or another person, was faster.
    raise AssertionError("the last try returns or raises")
