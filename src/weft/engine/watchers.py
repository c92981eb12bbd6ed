"""Who waits for what: from committed changes to the handles that flows and callers hold."""

import threading
from collections.abc import Iterable
from itertools import count

from weft.core.changes import MapExpanded, TaskChanged
from weft.core.commands import Accepted, Refused
from weft.model.attempts import Attempt
from weft.model.errors import WeftError
from weft.runtime.host import Pending, Settled


class Watchers:
    """The handles of one engine.

    ``token`` and ``add`` may be called by any thread; the rest only by the one that turns.
    """

    def __init__(self) -> None:
        self._tokens: dict[int, Pending] = {}
        self._tasks: dict[tuple[int, int], list[Pending]] = {}
        self._maps: dict[int, list[Pending]] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()

    @property
    def any(self) -> bool:
        """Whether anybody waits."""
        return bool(self._tasks) or bool(self._maps)

    def token(self, pending: Pending) -> int:
        """Register a handle whose task run has no index yet."""
        number = next(self._numbers)
        self._tokens[number] = pending
        return number

    def add(self, pending: Pending) -> None:
        """Register a handle on a task run."""
        with self._lock:
            self._tasks.setdefault((pending.run, pending.idx), []).append(pending)

    def accepted(self, command: Accepted) -> None:
        """A call has its index; if it was replayed it may have ended too."""
        pending = self._tokens.pop(command.token, None)
        if pending is None:
            return
        pending.run, pending.idx, pending.base = command.run, command.idx, command.base
        pending.replayed = command.replayed
        pending.count = command.count
        pending.more = command.more
        for item in command.items:
            pending.items[item.index] = Settled(item.state, item.result, item.error)
        if command.state is not None:
            pending.settled = Settled(command.state, command.result, command.error)
        else:
            self.add(pending)
            if command.base >= 0:
                self._maps.setdefault(command.run, []).append(pending)
        pending.accepted = True
        pending.wake()

    def refused(self, command: Refused) -> None:
        """A call was not made."""
        pending = self._tokens.pop(command.token, None)
        if pending is not None:
            pending.refused = command.error
            pending.wake()

    def run_accepted(self, run: int) -> None:
        """A run is durable."""
        for pending in self._tasks.get((run, 0), ()):
            pending.accepted = True
            pending.wake()

    def expanded(self, change: MapExpanded) -> None:
        """A watched map knows its items."""
        for pending in self._tasks.get((change.run, change.idx), ()):
            pending.base, pending.count = change.base, change.count

    def settled(self, change: TaskChanged) -> None:
        """A task run ended."""
        key = (change.run, change.idx)
        handles = self._tasks.get(key)
        if handles is not None:
            outcome = Settled(change.state, change.result, change.error)
            rest = []
            if change.idx == 0:
                # Whoever waits for the run waits for its hooks too.
                rest = [pending for pending in handles if pending.of_run]
                handles = [pending for pending in handles if not pending.of_run]
                for pending in rest:
                    pending.ending = outcome
            with self._lock:
                if rest:
                    self._tasks[key] = rest
                else:
                    del self._tasks[key]
            maps = self._maps.get(change.run)
            for pending in handles:
                pending.settled = outcome
                if maps is not None and pending in maps:
                    maps.remove(pending)
                pending.wake()
            if maps is not None and not maps:
                del self._maps[change.run]
            return
        for pending in self._maps.get(change.run, ()):
            index = change.idx - pending.base
            if 0 <= index < pending.count:
                pending.items[index] = Settled(change.state, change.result, change.error)
                if pending.eager:
                    pending.wake()
                return

    def run_ended(self, run: int) -> None:
        """A run ended, with all of its hooks."""
        with self._lock:
            handles = self._tasks.pop((run, 0), [])
        for pending in handles:
            pending.settled = pending.ending
            pending.wake()

    def hand(self, attempt: Attempt) -> bool:
        """Give an inline attempt to the thread that waits for it; False if none does."""
        return any(pending.hand(attempt) for pending in self._tasks.get(attempt.id[:2], ()))

    def halt(self, error: WeftError) -> None:
        """The engine stopped: nothing more will come, for anyone."""
        with self._lock:
            handles = [pending for each in self._tasks.values() for pending in each]
            self._tasks.clear()
        handles += self._tokens.values()
        self._tokens.clear()
        self._maps.clear()
        _halt(handles, error)

    def halt_run(self, run: int, error: WeftError) -> None:
        """The engine lost a run: nothing more will come for it here."""
        with self._lock:
            keys = [key for key in self._tasks if key[0] == run]
            handles = [pending for key in keys for pending in self._tasks.pop(key)]
        self._maps.pop(run, None)
        _halt(handles, error)


def _halt(handles: Iterable[Pending], error: WeftError) -> None:
    for pending in handles:
        pending.halted = error
        pending.wake()
