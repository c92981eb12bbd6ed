"""Lineage events on their way out: a reaction that writes them down, and a sender that delivers them.

They have records of their own beside the outbox for people: there are two for each task run, they go to one
place, and they are better sent a hundred at a time. ``LineageOutbox.react`` is a reaction of
``engine/follower.py``, so each committed change becomes events exactly once; the receiver may get an event
twice when a process dies between sending and saying so, and tells by the ids in it.

An event that the receiver refuses (a 4xx status) is logged and dropped: sending it again would not help, and
those behind it would wait. While the receiver is away the records wait in the store, for ``KEPT_S`` at most.
"""

import logging
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from weft.model.errors import Conflict, UsageError, WeftError
from weft.observability.lineage import Lineage
from weft.store.protocol import EventRow, Store, Write
from weft.store.records import Collection, Entry

EVENTS_MAX = 100
"""Events in one record."""

LEASE_S = 120.0
"""How long one process has a record to itself."""

KEPT_S = 3 * 86400.0
"""What could not be sent for so long is given up."""

DELAY_S, DELAY_S_MAX = 2.0, 300.0
"""The pause after the first failure, which doubles with each, and the longest."""

PATIENCE_S = 2.0
"""Between two looks, if nobody says that there is something to send."""

TIMEOUT_S = 10.0
"""How long the receiver may take for one event."""

PATH = "/api/v1/lineage"
"""Where OpenLineage's receivers listen, if the address names no path."""

_log = logging.getLogger("weft.lineage")


class Outgoing(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Events to be sent, in order.

    Attributes:
        events: Each as JSON.
        at: When they were written down.
        tries: How often sending them failed.
        error: Why, the last time.
    """

    events: tuple[bytes, ...]
    at: float
    tries: int = 0
    error: str = ""


OUTGOING = Collection("lineage", Outgoing)


class Refused(Exception):
    """The receiver does not take this event, and will not."""


Send = Callable[[bytes], None]
"""Delivers one event. Raises ``Refused`` for one that is not taken, ``OSError`` if trying again may help."""


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Unix seconds."""


class LineageOutbox:
    """Both ends of the way out.

    Args:
        store: Where records are kept, and changes looked up.
        send: See ``sender``.
        clock: Time.
        namespace: See ``Lineage``.
    """

    def __init__(self, store: Store, send: Send, *, clock: Clock, namespace: str = "weft") -> None:
        self._store = store
        self._send = send
        self._clock = clock
        self._lineage = Lineage(store, namespace=namespace)
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def react(self, events: Sequence[EventRow]) -> list[Write]:
        """What committed changes mean, as records to be sent; a reaction of a follower."""
        made = [msgspec.json.encode(each) for each in self._lineage.events(events)]
        now = self._clock.now()
        writes = []
        for at in range(0, len(made), EVENTS_MAX):
            outgoing = Outgoing(events=tuple(made[at : at + EVENTS_MAX]), at=now)
            writes.append(OUTGOING.put(f"{events[0].seq:020d}-{at:04d}", outgoing, due_at=now))
        return writes

    # --- sending ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Send in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="weft-lineage", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what has not been sent is, by whoever sends next."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def hurry(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def step(self, now: float) -> float | None:
        """Send what is due. Returns when to look again; ``None``: nobody knows of anything."""
        for entry in OUTGOING.due(self._store, before=now, limit=10):
            if self._closing:
                return now
            mine = self._claim(entry, now)
            if mine is not None:
                self._deliver(mine)
        later = OUTGOING.due(self._store, before=now + DELAY_S_MAX, limit=1)
        return later[0].due_at if later else None

    def _claim(self, entry: Entry[Outgoing], now: float) -> Entry[Outgoing] | None:
        try:
            return OUTGOING.save(
                self._store, entry.name, entry.value, at=now, due_at=now + LEASE_S, expect=entry.revision
            )
        except Conflict:
            return None  # Another process has it.

    def _deliver(self, entry: Entry[Outgoing]) -> None:
        left = list(entry.value.events)
        problem = ""
        # A slow receiver must not hold a record longer than this process has it.
        until = self._clock.now() + LEASE_S / 2
        while left and not problem:
            try:
                self._send(left[0])
            except Refused as exc:
                _log.warning("a lineage event was refused, and is dropped: %s", exc)
            except OSError as exc:
                problem = str(exc) or type(exc).__name__
                break
            del left[0]
            if self._clock.now() >= until:
                break
        now = self._clock.now()
        try:
            if not left:
                self._store.write([OUTGOING.drop(entry.name, expect=entry.revision)], at=now)
            elif problem and now - entry.value.at > KEPT_S:
                _log.error("%d lineage events are given up: %s", len(left), problem)
                self._store.write([OUTGOING.drop(entry.name, expect=entry.revision)], at=now)
            else:
                tries = entry.value.tries + 1 if problem else 0
                pause = min(DELAY_S * 2 ** min(tries - 1, 20), DELAY_S_MAX) if problem else 0.0
                if problem:
                    _log.warning("lineage events wait for %.0f s: %s", pause, problem)
                rest = Outgoing(events=tuple(left), at=entry.value.at, tries=tries, error=problem)
                OUTGOING.save(
                    self._store, entry.name, rest, at=now, due_at=now + pause, expect=entry.revision
                )
        except Conflict:
            return  # The lease was over, and another process has sent them too.

    def _run(self) -> None:
        while not self._closing:
            patience_s = PATIENCE_S
            try:
                now = self._clock.now()
                due_at = self.step(now)
                if due_at is not None:
                    patience_s = min(max(due_at - now, 0.0), PATIENCE_S)
            except WeftError as exc:
                _log.warning("lineage events cannot be read now: %s", exc)
            self._wake.wait(patience_s)
            self._wake.clear()


def sender(where: str) -> Send:
    """What ``settings.lineage`` names: an HTTP address, a file's path, or ``console``.

    An address without a path gets ``PATH``. ``OPENLINEAGE_API_KEY`` in the environment is sent along.

    Raises:
        UsageError: It cannot be any of these.
    """
    if where == "console":
        return _to_console
    if where.startswith(("http://", "https://")):
        address = urlsplit(where)
        if not address.hostname:
            raise UsageError(f"{where!r} is no address", where="setting lineage")
        return _to_http(where if address.path not in ("", "/") else f"{where.rstrip('/')}{PATH}")
    if "://" in where:
        raise UsageError(
            f"lineage events cannot be sent to {where!r}",
            where="setting lineage",
            hint="name an http or https address, a file, or console",
        )
    return _to_file(Path(where).expanduser())


def _to_console(event: bytes) -> None:
    sys.stdout.write(event.decode() + "\n")
    sys.stdout.flush()


def _to_file(path: Path) -> Send:
    def send(event: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write of one whole line: several processes may add to the file.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, event + b"\n")
        finally:
            os.close(fd)

    return send


def _to_http(url: str) -> Send:
    def send(event: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "weft"}
        key = os.environ.get("OPENLINEAGE_API_KEY")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(url, data=event, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                answer.read()
        except urllib.error.HTTPError as exc:
            with exc:
                if 400 <= exc.code < 500 and exc.code not in (401, 403, 404, 408, 429):
                    said = exc.read(300).decode("utf-8", "replace")
                    raise Refused(f"{exc.code} {exc.reason}: {said}") from exc
                raise OSError(f"the receiver answered {exc.code} {exc.reason}") from exc

    return send
