"""What an engine and its store tell of themselves to ``observability.metrics``, when somebody asks.

A scrape reads; it takes no lock of the engine's and makes no more than a handful of small questions to the
store. The numbers of a busy engine may be a moment apart from each other, which is enough for a graph.
"""

from collections import Counter
from collections.abc import Iterable
from functools import partial

from weft.core.shares import waiting
from weft.core.state import UNBOUNDED, State
from weft.engine.clock import Clock
from weft.engine.engine import Engine
from weft.engine.follower import CURSORS
from weft.model import schedules
from weft.model.errors import WeftError
from weft.model.triggers import HAPPENING, LAUNCH, TRIGGER
from weft.notifications.lineage_outbox import OUTGOING
from weft.notifications.outbox import LANES, tickets
from weft.observability.exposition import Labels
from weft.observability.metrics import Metrics
from weft.observability.readiness import Readiness
from weft.store.protocol import Store

DUE_MAX = 1000
"""Tickets of one lane that are due are counted up to this: more is a backlog, however many it is."""

LAGS = {
    "weft_scheduler_lag_seconds": (schedules.KIND,),
    "weft_trigger_lag_seconds": (HAPPENING, LAUNCH, TRIGGER),
    "weft_lineage_lag_seconds": (OUTGOING.kind,),
}
"""Gauges of how overdue the most overdue record of some kinds is."""

POOL = "pool:"


def watch_engine(metrics: Metrics, engine: Engine) -> None:
    """Count what the engine commits, and show what it has."""
    state = engine.state

    def workflow_of(run: int) -> str | None:
        found = state.runs.get(run)
        if found is not None:
            return found.graph.workflow
        try:
            return engine.store.run_by_id(run).workflow
        except WeftError:
            return None

    metrics.workflow_of = workflow_of
    metrics.commit_s = lambda: engine.commit_s
    metrics.is_open = lambda run: run in state.runs
    engine.listen(metrics.take)
    watch = metrics.watch
    watch("weft_runs_open", lambda: _counted(str(run.state) for run in list(state.runs.values())))
    watch(
        "weft_executor_capacity",
        lambda: {(name,): each.capacity() for name, each in engine.executors.items()},
    )
    watch("weft_executor_in_use", lambda: _by_name(dict(state.inflight)))
    watch("weft_executor_ready", lambda: _by_name({name: len(q) for name, q in list(state.queues.items())}))
    watch("weft_pool_slots", lambda: {(name,): slots for name, slots in list(state.pools.items())})
    watch("weft_pool_used", lambda: _of_pools(dict(state.used)))
    watch("weft_pool_waiting", lambda: _of_pools(_waiting(state)))
    watch("weft_engine_inbox_events", lambda: len(engine.coming))
    watch("weft_engine_lease_seconds", lambda: engine.duties.leased_until - engine.clock.now())
    watch("weft_engine_halted", lambda: float(engine.halted is not None))


def watch_store(metrics: Metrics, store: Store, clock: Clock) -> None:
    """Show what is due in the store, and how far its followers have come."""
    watch = metrics.watch
    watch("weft_engines_live", lambda: sum(each.expires_at > clock.now() for each in store.engines()))
    watch("weft_deliveries_due", lambda: _deliveries(store, clock.now()))
    watch("weft_delivery_lag_seconds", lambda: _lag(store, clock, _lanes(store)))
    for name, kinds in LAGS.items():
        watch(name, partial(_lag, store, clock, kinds))
    watch("weft_follower_lag_events", lambda: _follower_lags(store))


def check_engine(readiness: Readiness, engine: Engine) -> None:
    """An engine that has stopped for good is not healthy; one without a lease is not ready."""
    clock = engine.clock

    def halted() -> str:
        return "" if engine.halted is None else f"the engine has stopped: {engine.halted.what}"

    def leased() -> str:
        return "" if engine.duties.leased_until > clock.now() else "the engine's lease has ended"

    readiness.add("engine", halted, vital=True)
    readiness.add("lease", leased)


def check_store(readiness: Readiness, store: Store) -> None:
    """A store that does not answer makes the service unready; starting anew would not help."""

    def answers() -> str:
        store.last_seq()
        return ""

    readiness.add("store", answers)


def _counted(names: Iterable[str]) -> dict[Labels, float]:
    return {(name,): number for name, number in Counter(names).items()}


def _by_name(values: dict[str, int]) -> dict[Labels, float]:
    """By executor; callers' own threads and flows' bodies are no executors."""
    return {(name,): value for name, value in values.items() if name not in UNBOUNDED}


def _waiting(state: State) -> dict[str, int]:
    """How many attempts wait in each limit's line."""
    lines = {key: list(line) for key, line in list(state.parked.items())}
    return {key: sum(waiting(state, task, key) for _, _, task in line) for key, line in lines.items()}


def _of_pools(values: dict[str, int]) -> dict[Labels, float]:
    return {(key[len(POOL) :],): value for key, value in values.items() if key.startswith(POOL)}


def _lanes(store: Store) -> list[str]:
    """The kinds of the records that wait to be delivered: one for each lane of the outbox."""
    return [tickets(each.name).kind for each in LANES.all(store)]


def _deliveries(store: Store, now: float) -> int:
    return sum(len(store.due(kind, before=now, limit=DUE_MAX)) for kind in _lanes(store))


def _lag(store: Store, clock: Clock, kinds: Iterable[str]) -> float:
    now = clock.now()
    return max((_overdue(store, kind, now) for kind in kinds), default=0.0)


def _overdue(store: Store, kind: str, now: float) -> float:
    """By how many seconds the most overdue record of a kind is late."""
    earliest = store.due(kind, before=now, limit=1)
    due_at = earliest[0].due_at if earliest else None
    return 0.0 if due_at is None else now - due_at


def _follower_lags(store: Store) -> dict[Labels, float]:
    newest = store.last_seq()
    return {(each.name,): max(newest - each.value.seq, 0) for each in CURSORS.all(store)}
