"""The audit trail: every changing request, durably, before it is answered.

Entries of requests that are answered at the same moment are written in one transaction. When the store cannot
take one, the request is answered all the same, because what it did is done; the log then tells instead.
"""

import asyncio
import logging
from collections.abc import Callable

from anyio import to_thread

from weft.engine.clock import Clock
from weft.model.audit import AUDIT, AuditEntry
from weft.model.errors import WeftError
from weft.model.ids import ulid
from weft.store.protocol import Store
from weft.store.records import Collection

ENTRIES = Collection(AUDIT, AuditEntry)
PRUNED_AT_ONCE = 1000

_log = logging.getLogger("weft.audit")


class Trail:
    """Writes entries.

    Args:
        store: Where they are kept.
        clock: Time.
        entropy: Ten random bytes a call, for their names.
        keep_s: How long they are kept.
    """

    def __init__(
        self, store: Store, clock: Clock, entropy: Callable[[], bytes], *, keep_s: float = 400 * 86_400.0
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._keep_s = keep_s
        self._waiting: list[tuple[AuditEntry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, entry: AuditEntry) -> None:
        """Write an entry; returns when it is durable, or known not to be."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            entries = [entry for entry, _ in batch]
            try:
                await to_thread.run_sync(self.keep, entries)
            except WeftError as exc:
                for entry in entries:
                    _log.error("not in the audit trail, because %s: %s", exc.what, entry)
            finally:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def keep(self, entries: list[AuditEntry]) -> None:
        """Write entries in one transaction."""
        writes = [
            ENTRIES.put(
                ulid(AUDIT, int(entry.at * 1000), self._entropy()), entry, due_at=entry.at + self._keep_s
            )
            for entry in entries
        ]
        self._store.write(writes, at=self._clock.now())

    def prune(self) -> int:
        """Forget entries that are old enough, some at a time; returns how many."""
        now = self._clock.now()
        old = [entry.name for entry in ENTRIES.due(self._store, before=now, limit=PRUNED_AT_ONCE)]
        if old:
            ENTRIES.delete(self._store, old, at=now)
        return len(old)
