"""Making a step durable, whatever the store does meanwhile.

A store may be away for a while, may refuse runs that are another engine's by now, and may lose its connection
in the middle of a commit, so that nobody knows whether it was made. Then one looks: no two changes of a task
run that follow each other leave the same row.
"""

from collections.abc import Mapping, Sequence

from weft.core.changes import Change, TaskChanged
from weft.engine.clock import Clock
from weft.engine.recovery import holds, shows
from weft.model.errors import CommitUnknown, NotFound, StoreBusy
from weft.store.protocol import Store

COMMIT_TRIES = 3
"""How often a commit that was not made, by an error of the storage, is tried before the engine gives up."""

BUSY_PATIENCE_S = 60.0
"""How long the store may be away, or in another process's hands, before an engine gives up."""


class Committer:
    """Commits one engine's steps.

    Args:
        store: Where to.
        clock: Time.
        patience_s: How long the store may be away.
    """

    def __init__(self, store: Store, clock: Clock, *, patience_s: float = BUSY_PATIENCE_S) -> None:
        self._store = store
        self._clock = clock
        self._patience_s = patience_s

    def commit(self, changes: Sequence[Change], engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        """Make a step of ``engine`` durable, whose runs it owns under ``epochs``.

        Returns:
            The runs that are another engine's by now, and were left out.

        Raises:
            StoreBusy: The store was away for longer than anybody waits.
            StoreError: It cannot be made so.
        """
        refused: frozenset[int] | None = None
        unknown: CommitUnknown | None = None
        tries = 0
        waited = 0.0
        while refused is None:
            try:
                if unknown is None:
                    refused = self._store.commit(changes, engine=engine, epochs=epochs)
                    continue
                refused = self._read_back(changes, engine, epochs)
                tries += 1
                if refused is None and tries >= COMMIT_TRIES:
                    raise unknown
                unknown = None
            except StoreBusy:
                # The store is away or another process has it: whichever was being done is done again.
                if waited >= self._patience_s:
                    raise
                pause = min(0.5, 0.01 + waited / 2)
                self._clock.sleep(pause)
                waited += pause
            except CommitUnknown as exc:
                if exc is unknown:
                    raise
                unknown = exc
        return refused

    def _read_back(
        self, changes: Sequence[Change], engine: int, epochs: Mapping[int, int]
    ) -> frozenset[int] | None:
        """Nobody knows whether a commit was made: look. The runs that it refused, ``None`` if it was not."""
        refused: set[int] = set()
        for run, epoch in epochs.items():
            try:
                row = self._store.run_by_id(run)
            except NotFound:
                return None
            if (row.owner, row.epoch) != (engine, epoch):
                refused.add(run)
        for change in reversed(changes):
            # The last change of a task run tells: no two that follow each other leave the same row.
            if type(change) is TaskChanged and change.run not in refused:
                task = self._store.tasks(change.run, after=change.idx - 1, limit=1)
                made = task and task[0].idx == change.idx and shows(task[0], change)
                return frozenset(refused) if made else None
        for change in reversed(changes):
            if change.run not in refused and not holds(self._store, change):
                return None
        return frozenset(refused)
