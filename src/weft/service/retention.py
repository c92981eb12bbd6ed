"""Forgetting what is old: runs and their logs, happenings, and what else records remember of the past.

Once a day also the results and unpacked projects that nothing refers to any more (``collection.py``), where
nothing is pruned too: people delete runs by hand.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from weft.engine.clock import Clock
from weft.engine.triggers import HAPPENINGS, forget
from weft.model.errors import WeftError
from weft.service.collection import collect_if_due
from weft.store.protocol import Store

EVERY_S = 60.0
"""Between two looks."""

RUNS_MAX = 500
"""Runs that one look forgets, in batches that no commit has to wait for."""

HAPPENINGS_MAX = 1000

_log = logging.getLogger("weft.retention")


class Retention:
    """Forgets what ended more than ``keep_days`` ago, a little at a time.

    Args:
        store: Where it is.
        home: Weft's folder, with the logs.
        keep_days: Days; 0 keeps every run.
        clock: The time.
        also: What else is called with each look, to forget something of its own.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        keep_days: float,
        *,
        clock: Clock,
        also: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._also = also
        self._store = store
        self._home = home
        self._keep_s = keep_days * 86_400
        self._clock = clock
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look now and then, in a thread, until ``close``."""
        self._thread = threading.Thread(target=self._run, name="weft-retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the look that is under way."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def step(self) -> int:
        """Forget a batch. Returns how many runs were forgotten."""
        for each in self._also:
            each()
        if self._keep_s <= 0:
            return 0
        before = self._clock.now() - self._keep_s
        pruned = self._store.prune(ended_before=before, limit=RUNS_MAX)
        for uid in pruned:
            shutil.rmtree(self._home / "logs" / uid, ignore_errors=True)
        found = HAPPENINGS.page(self._store, limit=HAPPENINGS_MAX)
        old = [each for each in found if each.due_at is None and each.value.at < before]
        if old:
            forget(self._store, old, at=self._clock.now())
        return len(pruned)

    def _run(self) -> None:
        while not self._closed.wait(EVERY_S):
            try:
                while self.step() == RUNS_MAX and not self._closed.is_set():
                    pass
                collect_if_due(self._store, self._home, now=self._clock.now())
            except WeftError as exc:
                _log.warning("what is old cannot be forgotten now, which is tried again: %s", exc)
