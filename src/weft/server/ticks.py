"""The ticks of many schedules together: which are late, and which come next."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from weft.core.schedule import plan_of
from weft.model.schedules import Scheduled
from weft.projects.records import WORKFLOWS
from weft.server.views import moment
from weft.store.protocol import Reader

LATE_S = 60.0
"""From so many seconds on a tick is late."""


class LateView(msgspec.Struct, kw_only=True):
    """A tick that should have made a run by now.

    Attributes:
        schedule: `workflow#schedule`.
        workflow: Whose it is.
        due_at: When it was due.
        late_s: For how long that is over, seconds.
        reason: Why it has to wait, or could not be run; empty if nobody knows.
    """

    schedule: str
    workflow: str
    due_at: datetime
    late_s: float
    reason: str


class ComingView(msgspec.Struct, kw_only=True):
    """A tick to come.

    Attributes:
        schedule: `workflow#schedule`.
        workflow: Whose it is.
        at: When.
    """

    schedule: str
    workflow: str
    at: datetime


def awake(store: Reader, found: Iterable[Scheduled]) -> list[Scheduled]:
    """Those that make runs now: neither they nor their workflows rest."""
    unpaused = [each for each in found if not each.paused]
    entries = WORKFLOWS.some(store, sorted({each.workflow for each in unpaused}))
    resting = {name for name, entry in entries.items() if entry.value.paused or entry.value.gone}
    return [each for each in unpaused if each.workflow not in resting]


def late(found: Iterable[Scheduled], now: float) -> list[LateView]:
    """The oldest late tick of each schedule that has one, the latest of all first."""
    views = []
    for each in found:
        tick = each.waiting[0] if each.waiting else each.next_tick
        if tick is None or tick > now - LATE_S:
            continue
        due_at = tick if each.waiting else plan_of(each.schedule, each.name).due_at(tick)
        if due_at < now - LATE_S:
            reason = each.blocked or each.error
            views.append(
                LateView(
                    schedule=each.name,
                    workflow=each.workflow,
                    due_at=moment(due_at),
                    late_s=round(now - due_at, 1),
                    reason=reason,
                )
            )
    return sorted(views, key=lambda each: each.due_at)


def coming(found: Iterable[Scheduled], now: float, until: float) -> Iterator[ComingView]:
    """The ticks up to ``until`` in order. A schedule's plan is made when its first tick is taken."""
    heap = [(tick, each.name, each) for each in found if (tick := _next(each, now)) is not None]
    heapq.heapify(heap)
    while heap and heap[0][0] <= until:
        tick, name, each = heap[0]
        yield ComingView(schedule=name, workflow=each.workflow, at=moment(tick))
        following = plan_of(each.schedule, name).after(tick)
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (following, name, each))


def _next(each: Scheduled, now: float) -> int | None:
    """The first tick that is not over."""
    if each.next_tick is None or each.next_tick > now:
        return each.next_tick
    return plan_of(each.schedule, each.name).after(now)
