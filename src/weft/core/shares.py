"""How engines divide the slots of a limit: pure decisions, taken by whoever writes the limit's record.

Each engine has a share, and the shares together are never more than the limit: so each can start attempts
without asking anybody, and no slot is used twice. ``divide`` is one engine's next move. It may take what is
free, give up what others have a better claim to, and hand what is free to those who wait. It never takes
from another: only who has a slot knows whether it is in use.

Claims are ranked, so that nobody starves:

1. who got what it needs less than ``QUANTUM_S`` ago keeps that much for so long, and who has it and waits
   for another limit too keeps it until then (limits have an order, so that no two wait for each other);
2. who lacks what its next attempt needs, the longest waiting first; one that needs many slots collects
   them, and nobody behind it gets any meanwhile;
3. everybody else, the latest served first.

What is left after the needs is divided evenly among all who want more. Two engines with plenty to do so have
half of a pool each, with no further word between them; of a mutex they have a second each in turn.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from weft.core.state import LOCAL, Map, State, Task
from weft.model.limits import Stake

QUANTUM_S = 1.0
"""How long an engine keeps what its next attempt needs, once it has got it, while others wait for it."""


class Demand(msgspec.Struct, frozen=True):
    """What an engine has a use for: ``used`` slots are in use, ``want`` with what waits; see ``Stake``."""

    used: int = 0
    want: int = 0
    need: int = 0
    firm: bool = False


class Division(msgspec.Struct, frozen=True):
    """A move.

    Attributes:
        stakes: As they shall be, without those that are of no more use.
        room: Slots that this engine may use from now on; more may be in use, which then come back.
        contended: Whether somebody lacks something that others could give.
    """

    stakes: dict[int, Stake]
    room: int
    contended: bool


def ranked(stakes: Mapping[int, Stake], now: float) -> list[int]:
    """The engines that want something, the best claim first."""

    def rank(engine: int) -> tuple[int, float, int]:
        stake = stakes[engine]
        if not stake.met:
            return 1, stake.since, engine
        # A clock that was set back must not lengthen anybody's time.
        keeps = stake.firm or 0 <= now - stake.since < QUANTUM_S
        return (0 if keeps else 2), -stake.since, engine

    return sorted((engine for engine in stakes if stakes[engine].want > 0), key=rank)


def targets(stakes: Mapping[int, Stake], slots: int, now: float) -> dict[int, int]:
    """How many slots each engine should have."""
    order = ranked(stakes, now)
    found = dict.fromkeys(stakes, 0)
    left = max(slots, 0)
    for engine in order:
        stake = stakes[engine]
        found[engine] = min(stake.need, stake.want, left)
        left -= found[engine]
    while left > 0:
        growing = [engine for engine in order if found[engine] < stakes[engine].want]
        if not growing:
            break
        step = max(left // len(growing), 1)
        for engine in growing:
            more = min(step, stakes[engine].want - found[engine], left)
            found[engine] += more
            left -= more
    return found


def divide(
    stakes: Mapping[int, Stake],
    me: int,
    mine: Stake,
    demand: Demand,
    *,
    now: float,
    gone: int = 0,
    keep: int | None = None,
) -> Division:
    """Engine ``me``'s next move.

    Args:
        stakes: Of the engines whose leases hold.
        me: Whose move it is.
        mine: Its stake as it is; its ``limit`` is what it knows now.
        demand: What it has a use for.
        now: The time, Unix seconds.
        gone: Slots that engines which are gone may still be using.
        keep: Give up what it has beyond this and beyond what is in use, though nobody asks for it.
    """
    used = demand.used
    had = max(mine.share, used)
    share = had if keep is None else max(min(had, keep), used)
    others = {engine: stake for engine, stake in stakes.items() if engine != me}
    limit = min([mine.limit, *(stake.limit for stake in others.values())])
    now_mine = replace(mine, share=share, want=demand.want, need=demand.need, firm=demand.firm, until=0.0)
    # What nobody may have is lacked by nobody: else whoever asks for that would hold up all others.
    claims = {engine: _within(stake, limit) for engine, stake in {**others, me: now_mine}.items()}
    goals = targets(claims, limit - gone, now)
    shares = {engine: stake.share for engine, stake in claims.items()}
    free = limit - gone - sum(shares.values())
    lacking = sum(max(goals[engine] - shares[engine], 0) for engine in claims)
    room = share
    asked = lacking - free
    if asked > 0 and share > goals[me]:
        room = max(goals[me], share - asked)
        shares[me] = max(used, room)
        free += share - shares[me]
    for engine in ranked(claims, now):
        if free <= 0:
            break
        more = min(max(goals[engine] - shares[engine], 0), free)
        shares[engine] += more
        free -= more
        if engine == me:
            room += more
    if demand.want > had and free > 0 and not any(shares[each] < claims[each].want for each in others):
        # It grows as it goes: twice as many each time, so that a burst costs few transactions.
        more = min(free, max(2 * had - shares[me], 0))
        shares[me] += more
        room += more
    made = {
        engine: _settled(stakes.get(engine), stake, shares[engine], now) for engine, stake in claims.items()
    }
    over = sum(shares.values()) + gone > limit
    asking = {**others, me: now_mine}
    # Of a limit that engines know by different sizes, the smallest counts: it is looked at until they agree.
    lacks = any(shares[engine] < asking[engine].want for engine in claims)
    # Where more is in use than there is (attempts of a dead engine were found alive), nothing starts.
    room = min(room, max(limit - gone - sum(shares[each] for each in others), 0))
    kept = {
        engine: replace(stake, want=asking[engine].want, need=asking[engine].need)
        for engine, stake in made.items()
        if engine != me or stake.share or asking[engine].want
    }
    return Division(kept, room, (over or lacks) and (bool(others) or gone > 0))


def _within(stake: Stake, limit: int) -> Stake:
    if stake.want <= limit:
        return stake
    return replace(stake, want=limit, need=min(stake.need, limit))


def _settled(before: Stake | None, stake: Stake, share: int, now: float) -> Stake:
    """The stake with its new share; its time starts anew when it got, or lost, what it needs."""
    after = replace(stake, share=share)
    if before is None or before.met != after.met:
        return replace(after, since=now)
    return after


# --- what an engine has a use for --------------------------------------------------------------------------


def demands(state: State, keys: Iterable[str], now: float) -> dict[str, Demand]:
    """What is in use and what waits, of each shared limit that the task runs parked under ``keys`` need.

    A task run that waits for one limit wants those before it in the order too: it has found room in them,
    and would lose it to others while it waits. Of a long line as much is looked at as the limit could serve.
    """
    want: dict[str, int] = {}
    heads: dict[str, tuple[tuple[bool, int, int], int]] = {}
    for parked_under in keys:
        limit = max(state.slots(parked_under), 1)
        seen = 0
        for priority, sequence, task in state.parked.get(parked_under, ()):
            count = waiting(state, task, parked_under)
            if not count:
                continue
            for key, slots in _needs(state, task, parked_under):
                want[key] = want.get(key, 0) + slots * count
                place = (key == parked_under, priority, sequence)
                if key not in heads or place < heads[key][0]:
                    heads[key] = (place, slots)
            seen += count
            if seen >= limit:
                break
    found = {}
    for key in {*keys, *want}:
        used, limit = state.taken(key, now), state.slots(key)
        place, need = heads.get(key, ((True, 0, 0), 0))
        wanted = max(used, min(used + want.get(key, 0), limit))
        found[key] = Demand(used, wanted, min(need, limit), not place[0])
    return found


def waiting(state: State, task: Task, key: str) -> int:
    """How many attempts a place in a limit's line stands for; 0 if it was given up."""
    holder = task.holder
    if task.run.id not in state.runs or not holder.queued or holder.line != key:
        return 0
    return len(holder.again) + holder.count - holder.next if isinstance(holder, Map) else 1


def _needs(state: State, task: Task, upto: str) -> list[tuple[str, int]]:
    """The shared limits, with slots, that a task run needs, in order, up to the one that it waits for."""
    found = []
    rates = [(f"rate:{each.key}", 1) for each in task.traits.rates]
    for key, slots in (*task.traits.limits, *rates):
        if not key.startswith(LOCAL):
            found.append((key, min(slots, max(state.slots(key), 1))))
        if key == upto:
            break
    return found
