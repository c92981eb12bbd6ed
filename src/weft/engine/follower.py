"""Following committed events: each is reacted to exactly once, by whichever process gets there first.

A reaction is a function from a batch of events to writes of records. The follower commits these writes and
its own place in the log in one transaction, on the condition that the place is still the one it read. Of two
processes that follow under one name one wins and the other reads on from where the winner stopped; a crash
leaves either both or neither. What has to happen outside (a mail) is a record with a due time, carried out
later and tried again.

Most events cause nothing. Then the place is only remembered, and written now and then: what is read a second
time after a crash causes nothing again.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from weft.engine.clock import Clock
from weft.model.errors import Conflict, WeftError
from weft.store.protocol import EventRow, Store, Write
from weft.store.records import Collection, Entry

EVENTS_MAX = 1000
"""Events reacted to in one transaction."""

PATIENCE_S = 1.0
"""Between two looks, if nobody says that there is something new."""

GATHER_S = 0.02
"""How long what follows an event is waited for: a burst is one batch, and costs one transaction."""

SAVE_S = 1.0
"""How long a place that moved on without any writes is only remembered."""

React = Callable[[Sequence[EventRow]], Sequence[Write]]

_log = logging.getLogger("weft.engine.follower")


class Cursor(msgspec.Struct):
    """How far a follower has come: the ``seq`` of the last event that it has reacted to."""

    seq: int


CURSORS = Collection("cursor", Cursor)


class Follower:
    """Reacts to events in the order in which they were committed.

    Args:
        name: Of its cursor: followers of one name share the work.
        store: Where the events are.
        react: From events to the writes that they cause. It must change nothing itself.
        clock: Time.
        from_start: Whether a new follower begins with the first event there is instead of the next.
    """

    def __init__(
        self, name: str, store: Store, react: React, *, clock: Clock, from_start: bool = False
    ) -> None:
        self.name = name
        self._store = store
        self._react = react
        self._clock = clock
        self._from_start = from_start
        self._place: Entry[Cursor] | None = None
        self._seq = 0
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Follow in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=f"weft-{self.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what has not been reacted to is, by whoever follows next."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def hurry(self) -> None:
        """There is something new."""
        self._wake.set()

    def step(self) -> int:
        """React to one batch. Returns how many events it had; 0 when there is nothing new."""
        now = self._clock.now()
        place = self._place
        if place is None:
            place = self._place = self._begin(now)
            self._seq = place.value.seq
        events = self._store.events_since(self._seq, limit=EVENTS_MAX)
        writes = list(self._react(events)) if events else []
        seq = events[-1].seq if events else self._seq
        moved = seq != place.value.seq
        if writes or (moved and not place.at <= now < place.at + SAVE_S):
            writes.append(CURSORS.put(self.name, Cursor(seq), expect=place.revision))
            try:
                revision = self._store.write(writes, at=now)[-1]
            except Conflict as exc:
                _log.debug("%s looks again: %s", self.name, exc)
                self._place = None
                return len(events)
            self._place = Entry(self.name, Cursor(seq), revision, now)
        self._seq = seq
        return len(events)

    def _begin(self, now: float) -> Entry[Cursor]:
        """The place as it is kept; a new one is made."""
        found = CURSORS.get(self._store, self.name)
        if found is not None:
            return found
        seq = 0 if self._from_start else self._store.last_seq()
        try:
            return CURSORS.save(self._store, self.name, Cursor(seq), at=now, expect=0)
        except Conflict:
            return CURSORS.require(self._store, self.name)  # Another process has just begun.

    def _run(self) -> None:
        while not self._closing:
            try:
                if self.step():
                    continue
            except WeftError as exc:
                _log.warning("%s cannot follow now, and tries again: %s", self.name, exc)
            if self._wake.wait(PATIENCE_S) and not self._closing:
                time.sleep(GATHER_S)
            self._wake.clear()
