"""An engine's shares of the limits that all engines of a store have in common: pools, keys and rates.

How many slots each engine may use of a limit stands in a record of the store (``model.limits.Limit``), which
any of them changes by compare-and-set, as ``core.shares`` decides. Within its share an engine starts attempts
without asking anybody. So a limit that only one engine uses costs one small transaction when its first
attempt wants a slot, and one when it is given back.

The rules that keep a slot from being used twice:

1. The core never has a larger share than the record says: the record is written between two turns, and the
   core hears of it before it starts anything more.
2. A share holds as long as the engine's lease. Once that is over, by the engine's own clock, it starts
   nothing that needs a share until it has renewed the lease *and* written the record anew: who had read it
   before, and took the engine for dead, then finds that it changed.
3. The slots of an engine whose lease is over stay taken for a moment (``standing.GRACE_S``) after somebody
   saw that, so that who takes over its runs can say which of their attempts still live. If its attempts may
   outlive it, they stay taken as long as it has runs that nobody took over, or somebody who took over runs
   has not told of them yet (``parted.py``). Starts under a rate limit count for its period.

Its methods are called by whoever holds ``Engine.turning``, but for ``look`` and ``close``.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from weft.core.events import Event, PoolChanged, Restored, ShareChanged, Tick
from weft.core.shares import Demand, Division, demands, divide
from weft.core.state import LOCAL, Run
from weft.engine.parted import TAKEOVERS, Parted
from weft.engine.standing import Standing
from weft.model.attempts import Attempt
from weft.model.errors import Conflict, StoreBusy, WeftError
from weft.model.limits import LIMIT, Limit, Stake, Takeover
from weft.model.pools import POOL, Pool
from weft.store.protocol import Write
from weft.store.records import Collection, Entry

if TYPE_CHECKING:
    from weft.engine.engine import Engine

LIMITS = Collection(LIMIT, Limit)
POOLS = Collection(POOL, Pool)

LOOK_EVERY_S = 0.25
"""Between two looks for what other engines lack or have given."""

POOLS_EVERY_S = 0.5
"""Between two looks at the sizes of pools."""

IDLE_S = 2.0
"""Slots that were not used for so long are given back."""

TRIES = 4
"""How often a record that others change too is written anew before the next look."""

CONTENDED_MAX = 1000
"""Records that are looked at at once; whichever was not changed for longest comes first."""

FOR_EVER = 1e18
"""Later than any record is due, whatever the clock says."""

_log = logging.getLogger("weft.engine")


class Sharing:
    """The shares of one engine.

    Args:
        engine: Whose.
        pools: Slots by pool where no record says otherwise.
    """

    def __init__(self, engine: "Engine", *, pools: Mapping[str, int]) -> None:
        self._engine = engine
        self._settings = dict(pools)
        self._outlives = any(executor.durable for executor in engine.executors.values())
        self._on = engine.state.shares is not None
        self._stakes: dict[str, Stake] = {}
        self._rooms: dict[str, int] = {}
        self._changed: set[str] = set()
        self._pools: dict[str, int] = {}
        self._resized: set[str] = set()
        self._pending: set[str] = set()
        self._waiting: set[str] = set()
        self._yielding: dict[str, int] = {}
        self._parted = Parted()
        self._untold = False
        self._lost = False
        self._dead: set[int] = set()
        self._look_at = self._pools_at = self._idle_at = 0.0

    # --- in a turn ----------------------------------------------------------------------------------------

    def tell(self, events: list[Event], now: float) -> None:
        """Before a step: add what the core has to know of its shares."""
        if self._stakes and not self._lost and self.lapsed(now):
            self.lose()
        if self._changed:
            shares = self._engine.state.shares
            assert shares is not None
            for key in sorted(self._changed):
                room = self._rooms.get(key, 0)
                if shares.get(key, 0) != room:
                    events.append(ShareChanged(key, room))
            self._changed.clear()
        if self._resized:
            events.extend(PoolChanged(name, self._pools[name]) for name in sorted(self._resized))
            self._resized.clear()

    @property
    def urgent(self) -> bool:
        """Whether there is something for ``ask``."""
        return bool(self._engine.state.short) or bool(self._yielding)

    def ask(self) -> None:
        """After a step: get what was lacking in it, and give back what was only still in use."""
        engine = self._engine
        now = engine.clock.now()
        state = engine.state
        keys = {key for key in state.short if key not in self._waiting}
        state.short.clear()
        if self._lost or self.lapsed(now) or engine.leaving:
            self._pending |= keys
            return
        keys |= {key for key, share in self._yielding.items() if state.taken(key, now) < share}
        if keys:
            self._meet(keys)
            # A pool of no slots is looked at with the pools.
            keys = {key for key in keys if self._slots(key) > 0 or key in self._stakes}
            self._settle(keys, demands(state, keys, now), now)

    def lose(self) -> None:
        """The lease was over, if only for a moment: others may have been given what was this engine's."""
        self._lost = bool(self._stakes)
        for key in self._stakes:
            self._set_room(key, 0)

    def part(self, run: Run) -> None:
        """The run is another engine's by now, and what its attempts hold is still in use if they go on."""
        held = self._lasting([run])
        self._parted.add(run.id, held)
        for key, slots in held.items():
            self._set_room(key, max(self._rooms.get(key, 0) - slots, 0))

    @property
    def note(self) -> Write | None:
        """What a takeover leaves in the store until ``look`` sees that the runs' slots are told of."""
        if not self._on or not self._outlives:
            return None
        return TAKEOVERS.put(str(self._engine.id), Takeover())

    def took_over(self) -> None:
        """Runs were taken over, and the note is in the store."""
        self._untold = self._on and self._outlives

    def bury(self, dead: Iterable[int]) -> None:
        """These engines are known to be dead: their leases need not be waited for."""
        self._dead.update(each for each in dead if each != self._engine.id)

    def lapsed(self, now: float) -> bool:
        """Whether the lease, and with it every share, is over."""
        return self._on and self._engine.duties.lapsed(now)

    def share(self, key: str) -> int:
        """The slots of a limit that are this engine's, as it last wrote or read."""
        stake = self._stakes.get(key)
        return 0 if stake is None else stake.share

    def too_late(self, attempt: Attempt, now: float) -> bool:
        """Whether an attempt must not begin, because its slots were lost while its start was made durable."""
        if not self._stakes or not self.lapsed(now):
            return False
        task = self._engine.state.task(attempt.id[0], attempt.id[1])
        if task is None:
            return False
        return bool(task.node.rate_limits) or any(not key.startswith(LOCAL) for key, _ in task.held)

    # --- now and then -------------------------------------------------------------------------------------

    def hurry(self) -> None:
        """Somebody says that there is something to see."""
        self._look_at = 0.0

    def look(self) -> None:
        """See what others lack or have given, and how large the pools are; give back what is not used."""
        engine = self._engine
        now = engine.clock.now()
        if not self._on or engine.halted is not None or engine.leaving:
            return
        if not self._stakes and not self._pending and not self._pools and not self._untold:
            return
        if now < self._look_at <= now + LOOK_EVERY_S or self.lapsed(now):
            return
        self._look_at = now + LOOK_EVERY_S
        with engine.turning:
            try:
                self._meet(self._pending)
                self._look_at_pools(now)
                keys = self._to_settle()
            except WeftError as exc:
                _log.warning("shares of limits could not be read, which is tried again: %s", exc)
                return
            wanted = demands(engine.state, {*engine.state.parked, *keys}, now)
            keep = self._idle(wanted, now)
            again = keys | keep.keys()
            if again:
                self._settle(again, wanted, now, keep=keep)
            if self._untold and self._all_told():
                self._remove_notes(now)

    def _all_told(self) -> bool:
        """Whether what is in use here is in the records, runs that were only just taken over included."""
        engine = self._engine
        coming = engine.claimer.unread or any(isinstance(each, Restored) for each in engine.coming)
        if coming or self._pending:
            return False
        used = engine.state.used
        return all(self.share(key) >= slots for key, slots in used.items() if not key.startswith(LOCAL))

    def _remove_notes(self, now: float) -> None:
        """Remove this engine's note, and those of engines that died before they told, and have no runs."""
        store = self._engine.store
        try:
            known = Standing(store, self._dead)
            names = [
                entry.name
                for entry in TAKEOVERS.all(store)
                if int(entry.name) == self._engine.id or known.bereft(int(entry.name), now)
            ]
            TAKEOVERS.delete(store, names, at=now)
        except WeftError as exc:
            _log.warning("a takeover could not be noted as done, which is tried again: %s", exc)
        else:
            self._untold = False

    def _to_settle(self) -> set[str]:
        engine = self._engine
        self._pending.update(self._parted.review(engine.store, engine.id))
        keys = {*self._pending, *self._waiting, *self._yielding}
        if self._lost:
            keys |= self._stakes.keys()
        keys |= {key for key, stake in self._stakes.items() if stake.limit != self._slots(key)}
        if self._stakes:
            found = engine.store.due(LIMIT, before=FOR_EVER, limit=CONTENDED_MAX)
            keys |= {each.name for each in found if each.name in self._stakes}
        return keys

    def _idle(self, wanted: Mapping[str, Demand], now: float) -> dict[str, int]:
        """Limits of which more is held than was used of late, with how much was."""
        if now < self._idle_at <= now + IDLE_S or self._lost:
            return {}
        self._idle_at = now + IDLE_S
        state = self._engine.state
        found: dict[str, int] = {}
        for key, stake in self._stakes.items():
            demand = wanted.get(key, Demand())
            used = max(state.peaks.get(key, 0), state.taken(key, now), demand.want)
            if used < stake.share:
                found[key] = used
        state.peaks.clear()
        return found

    # --- pools --------------------------------------------------------------------------------------------

    def _meet(self, keys: Iterable[str]) -> None:
        """Learn the sizes of pools before they are used for the first time."""
        for key in keys:
            if key.startswith("pool:") and key[5:] not in self._pools:
                try:
                    found = POOLS.get(self._engine.store, key[5:])
                except WeftError:
                    continue  # The next look at the pools tells.
                self._resize(key[5:], None if found is None else found.value)

    def _look_at_pools(self, now: float) -> None:
        if not self._pools or not self._engine.state.runs:
            return
        if now < self._pools_at <= now + POOLS_EVERY_S:
            return
        self._pools_at = now + POOLS_EVERY_S
        found = {entry.name: entry.value for entry in POOLS.all(self._engine.store)}
        for name in list(self._pools):
            self._resize(name, found.get(name))

    def _resize(self, name: str, pool: Pool | None) -> None:
        state = self._engine.state
        slots = pool.slots if pool is not None else self._settings.get(name, state.default_slots)
        self._pools[name] = slots
        if slots != state.slots(f"pool:{name}"):
            self._resized.add(name)
            self._engine.tell([Tick()])

    def _slots(self, key: str) -> int:
        """How many slots a limit has, as far as this engine knows."""
        if key.startswith("pool:") and key[5:] in self._pools:
            return self._pools[key[5:]]
        return self._engine.state.slots(key)

    # --- records ------------------------------------------------------------------------------------------

    def _settle(
        self,
        keys: Iterable[str],
        wanted: Mapping[str, Demand],
        now: float,
        *,
        keep: Mapping[str, int] | None = None,
    ) -> None:
        """Make this engine's next move in each of these limits, all in one transaction."""
        ordered = sorted(keys)
        if not ordered:
            return
        store = self._engine.store
        trouble: WeftError | None = None
        for _ in range(TRIES):
            moves: dict[str, Division] = {}
            try:
                known = Standing(store, self._dead)
                writes: list[Write] = []
                for key in ordered:
                    found = LIMITS.get(store, key)
                    demand = wanted.get(key) or Demand()
                    moves[key], made = self._move(key, found, demand, known, now, (keep or {}).get(key))
                    changed = made != (found.value if found is not None else Limit())
                    if changed or (self._lost and self._engine.id in made.stakes):
                        writes.append(_write(key, found, made, moves[key].contended, now))
                if writes:
                    store.write(writes, at=now)
            except (Conflict, StoreBusy) as exc:
                trouble = exc
            except WeftError as exc:
                trouble = exc
                break
            else:
                self._take(moves, wanted)
                return
        _log.warning("shares of limits could not be changed, which is tried again: %s", trouble)
        self._pending.update(ordered)
        for key, move in moves.items():
            # Perhaps it was written all the same: what it gave up is not used before that is known.
            self._set_room(key, min(move.room, self._rooms.get(key, 0)))

    def _move(
        self,
        key: str,
        found: Entry[Limit] | None,
        demand: Demand,
        known: Standing,
        now: float,
        keep: int | None,
    ) -> tuple[Division, Limit]:
        record = found.value if found is not None else Limit()
        me, slots = self._engine.id, self._slots(key)
        per_s = max(record.per_s, self._engine.state.windows.get(key[5:], 0.0)) if _is_rate(key) else 0.0
        live: dict[int, Stake] = {}
        gone: dict[int, Stake] = {}
        for engine, stake in record.stakes.items():
            if engine == me or known.live(engine, now):
                live[engine] = stake
            elif (left := known.left(engine, stake, per_s, now)) is not None:
                gone[engine] = left
        mine = replace(live.get(me) or Stake(share=0, limit=slots), limit=slots, outlives=self._outlives)
        if parted := self._parted.slots(key):
            used = min(demand.used + parted, max(mine.share, demand.used))
            demand = replace(demand, used=used, want=max(demand.want, used))
        taken = sum(stake.share for stake in gone.values())
        division = divide(live, me, mine, demand, now=now, gone=taken, keep=keep)
        return division, Limit(stakes={**division.stakes, **gone}, per_s=per_s)

    def _take(self, moves: Mapping[str, Division], wanted: Mapping[str, Demand]) -> None:
        """What was decided is in the store: go by it."""
        for key, move in moves.items():
            stake = move.stakes.get(self._engine.id)
            self._pending.discard(key)
            self._waiting.discard(key)
            self._yielding.pop(key, None)
            if stake is None:
                self._stakes.pop(key, None)
            else:
                self._stakes[key] = stake
                if stake.share > move.room:
                    self._yielding[key] = stake.share
                if move.contended and wanted.get(key, Demand()).want > move.room:
                    self._waiting.add(key)
            self._set_room(key, max(move.room - self._parted.slots(key), 0))
        if self._lost and self._stakes.keys() <= moves.keys():
            self._lost = False

    def _set_room(self, key: str, room: int) -> None:
        if self._rooms.get(key, 0) == room:
            return
        if room:
            self._rooms[key] = room
        else:
            self._rooms.pop(key, None)
        self._changed.add(key)
        self._engine.tell([Tick()])  # So that there is a turn, which ``tell`` then adds it to.

    # --- the end ------------------------------------------------------------------------------------------

    def close(self) -> bool:
        """Give everything back, but for what stays taken without this engine; whether that is durable."""
        with self._engine.turning:
            if not (self._stakes or self._untold) or self.lapsed(self._engine.clock.now()):
                return True
            for _ in range(TRIES):
                try:
                    self._leave()
                except (Conflict, StoreBusy):
                    continue
                except WeftError:
                    return False
                return True
            return False

    def _leave(self) -> None:
        engine, now = self._engine, self._engine.clock.now()
        lasting = self._lasting(engine.state.runs.values())
        writes = [TAKEOVERS.drop(str(engine.id))] if self._untold else []
        for key in sorted(self._stakes):
            found = LIMITS.get(engine.store, key)
            if found is None:
                continue
            stakes = {each: stake for each, stake in found.value.stakes.items() if each != engine.id}
            share = lasting[key] + self._parted.slots(key)
            mine = replace(self._stakes[key], share=share, want=0, need=0)
            if _is_rate(key):
                times = engine.state.starts(key[5:], now)
                until = max(times, default=0.0) + found.value.per_s
                mine = replace(mine, share=engine.state.taken(key, now), until=until)
            if mine.share:
                stakes[engine.id] = mine
            made = replace(found.value, stakes=stakes)
            writes.append(_write(key, found, made, found.due_at is not None, now))
        if writes:
            engine.store.write(writes, at=now)

    def _lasting(self, runs: Iterable[Run]) -> Counter[str]:
        """What attempts hold that go on without this engine."""
        durable = {name for name, executor in self._engine.executors.items() if executor.durable}
        found: Counter[str] = Counter()
        for run in runs:
            for task in run.tasks.values():
                if task.executor in durable:
                    found.update({key: slots for key, slots in task.held if not key.startswith(LOCAL)})
        return found


def _is_rate(key: str) -> bool:
    return key.startswith("rate:")


def _write(key: str, found: Entry[Limit] | None, made: Limit, contended: bool, now: float) -> Write:
    expect = 0 if found is None else found.revision
    if not made.stakes and found is not None:
        return LIMITS.drop(key, expect=expect)
    return LIMITS.put(key, made, due_at=now if contended else None, expect=expect)
