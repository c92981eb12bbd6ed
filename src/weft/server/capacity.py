"""How much may run at once, and how much does: pools over all engines, executors of the engine here."""

import msgspec

from weft.core.state import UNBOUNDED
from weft.engine.sharing import LIMITS, POOLS
from weft.model.pools import POOL
from weft.server.context import Context

_PREFIX = f"{POOL}:"


class CapacityView(msgspec.Struct, kw_only=True):
    """Slots, and what uses them.

    Attributes:
        kind: `pool`, over all engines; or `executor`, of the engine in this process.
        name: Its name.
        slots: Slots that live attempts may hold at once.
        used: Slots that they hold.
        queued: Slots, or attempts of an executor, that are waited for.
    """

    kind: str
    name: str
    slots: int
    used: int
    queued: int


def capacity(context: Context) -> list[CapacityView]:
    """Pools and executors by name."""
    return [*_pools(context), *_executors(context)]


def _pools(context: Context) -> list[CapacityView]:
    """What other engines use is as they last said; what this one uses is as it is now."""
    engine = context.services.control.engine
    slots = dict(context.services.settings.pools)
    slots |= {entry.name: entry.value.slots for entry in POOLS.all(context.store)}
    used: dict[str, int] = {}
    queued: dict[str, int] = {}
    for entry in LIMITS.all(context.store, prefix=_PREFIX):
        name = entry.name.removeprefix(_PREFIX)
        for owner, stake in entry.value.stakes.items():
            if engine is None or owner != engine.id:
                used[name] = used.get(name, 0) + min(stake.share, stake.want)
                queued[name] = queued.get(name, 0) + max(stake.want - stake.share, 0)
    if engine is not None:
        state = engine.state
        for key, count in list(state.used.items()):
            if key.startswith(_PREFIX):
                used[key.removeprefix(_PREFIX)] = used.get(key.removeprefix(_PREFIX), 0) + count
        for key, parked in list(state.parked.items()):
            if key.startswith(_PREFIX):
                queued[key.removeprefix(_PREFIX)] = queued.get(key.removeprefix(_PREFIX), 0) + len(parked)
        slots = {**dict(state.pools), **slots}
    return [
        CapacityView(
            kind="pool", name=name, slots=slots[name], used=used.get(name, 0), queued=queued.get(name, 0)
        )
        for name in sorted(slots)
    ]


def _executors(context: Context) -> list[CapacityView]:
    engine = context.services.control.engine
    if engine is None:
        return []
    state = engine.state
    return [
        CapacityView(
            kind="executor",
            name=name,
            slots=int(executor.capacity()),
            used=state.inflight.get(name, 0),
            queued=len(state.queues.get(name, ())),
        )
        for name, executor in sorted(engine.executors.items())
        if name not in UNBOUNDED
    ]
