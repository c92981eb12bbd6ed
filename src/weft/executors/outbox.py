"""Reports on their way to the engine: collected by any thread, handed to the sink in batches, in order."""

import logging
import threading

from weft.executors.protocol import Sink
from weft.model.attempts import Report

_log = logging.getLogger("weft.executors")


class Outbox:
    """Collects reports until they are flushed.

    Args:
        sink: Takes them. It is called by one thread at a time.
    """

    def __init__(self, sink: Sink) -> None:
        self.waiting: list[Report] = []
        self._sink = sink
        self._lock = threading.Lock()
        self._sealed = False

    def flush(self) -> None:
        """Hand over what is waiting."""
        waiting = self.waiting
        if not waiting:
            return
        with self._lock:
            # Others append meanwhile: take a prefix, never replace the list.
            batch = waiting[:]
            del waiting[: len(batch)]
            if batch and not self._sealed:
                try:
                    self._sink(batch)
                except Exception:  # The reports' receiver failed; the executor's thread must outlive that.
                    _log.exception("%d reports were refused by their receiver", len(batch))

    def seal(self) -> None:
        """Hand over what is waiting and never call the sink again."""
        self.flush()
        with self._lock:
            self._sealed = True
