"""Invariant I5 over the whole world of a simulation: no attempt begins without a slot, whoever gives it one.

Each engine keeps count of its own slots, and ``core.invariants`` checks that. This looks at what no engine
sees: the attempts of all engines together, those on a cluster whose engine died among them. It does so when
an attempt begins. Only then must there be room: attempts that are found alive after a crash, and a pool that
became smaller, may make a limit overfull for a while.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from weft.core.state import LOCAL
from weft.model.attempts import Attempt, AttemptId
from weft.model.errors import NotFound
from weft.model.states import LIVE
from weft.store.protocol import Reader
from weft.testing.executor import Held
from weft.testing.process import Process


class Crowding:
    """What holds slots in the world.

    Args:
        store: Who owns which run.
        cluster: The attempts of an executor that outlives engines.
    """

    def __init__(self, store: Reader, cluster: Mapping[AttemptId, Held]) -> None:
        self._store = store
        self._cluster = cluster
        self._slots: dict[AttemptId, tuple[tuple[str, int], ...]] = {}
        self._told: set[tuple[int, str]] = set()
        self._starts: dict[str, list[float]] = {}
        self.fullest: Counter[str] = Counter()

    def begin(self, attempt: Attempt, acting: Process, processes: Sequence[Process], at: float) -> str:
        """An attempt begins; says which limit has no room for it, or "".

        Args:
            attempt: Which.
            acting: Whose engine starts it.
            processes: All that live.
            at: When the engine decided to.
        """
        task = acting.engine.state.task(attempt.id[0], attempt.id[1])
        if task is None or task.attempt != attempt.id[2]:
            return ""
        self._slots[attempt.id] = task.held
        everyone = {id(each): each for each in (*processes, acting)}.values()
        held = self._held(acting, everyone)
        for key, _ in task.held:
            limit = max(each.engine.state.slots(key) for each in everyone)
            self.fullest[key] = max(self.fullest[key], held[key])
            if not key.startswith(LOCAL) and held[key] > limit:
                return f"I5: {attempt.key} begins, and then {held[key]} slots of {key} are in use of {limit}"
        for rate in task.node.rate_limits:
            starts = self._starts.setdefault(rate.key, [])
            near = sum(abs(each - at) < rate.per_s for each in starts)
            if near >= rate.count:
                return f"I5: {attempt.key} begins as start {near + 1} of {rate.key} in {rate.per_s} s"
            starts.append(at)
        return ""

    def set_back(self, seconds: float) -> None:
        """The clock was set back: the starts so far were as long ago as before."""
        for starts in self._starts.values():
            starts[:] = [each - seconds for each in starts]

    def died(self, process: Process) -> None:
        """A process is dead; on the cluster its attempts go on."""
        engine = process.engine
        for key, used in self._used(process).items():
            if used <= _told(process, key, used):
                self._told.add((engine.id, key))

    def _held(self, acting: Process, processes: Iterable[Process]) -> Counter[str]:
        """Slots in use, by limit.

        An engine that found attempts alive has to tell of them before they count for the others: what it has
        not told of, or did not live to tell of, is left out.
        """
        found = self._used(acting)
        live = set()
        for process in processes:
            live.add(process.engine.id)
            if process is not acting:
                used = self._used(process)
                found.update({key: _told(process, key, slots) for key, slots in used.items()})
        for each in self._cluster:
            owner = self._owner(each[0])
            if owner not in live and self._lives(each):
                slots = self._slots.get(each, ())
                found.update({key: count for key, count in slots if (owner, key) in self._told})
        return found

    def _used(self, process: Process) -> Counter[str]:
        """What an engine counts for runs that are its own still."""
        found: Counter[str] = Counter()
        engine = process.engine
        for run in engine.state.runs.values():
            if self._owner(run.id) == engine.id:
                for task in run.tasks.values():
                    found.update(dict(task.held))
        return found

    def _lives(self, attempt: AttemptId) -> bool:
        """Whether an attempt counts for the store; one that was given up is only about to end."""
        row = self._store.task(attempt[0], attempt[1])
        return row.attempt == attempt[2] and row.state in LIVE

    def _owner(self, run: int) -> int:
        try:
            return self._store.run_by_id(run).owner
        except NotFound:
            return -1  # Its engine died before it was durable.


def _told(process: Process, key: str, used: int) -> int:
    """How much of what an engine uses the other engines were told of."""
    engine = process.engine
    if engine.state.shares is None or key.startswith(LOCAL):
        return used
    return min(used, engine.sharing.share(key))
