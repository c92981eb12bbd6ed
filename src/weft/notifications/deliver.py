"""The deliverer: takes tickets from the lanes, has each delivery carried out, and writes what came of it.

Rules:

1. A ticket is claimed by pushing its due time ahead, on the condition that nobody did so before: of several
   deliverers, in any number of processes, one has it. That is a lease. Who holds it tears the ticket up when
   the delivery is done, or puts it off; who died holding it leaves it to come due again.
2. So a delivery is decided once, and carried out at least once: a crash between the two writes repeats it
   under the same idempotency key.
3. Each lane has its own workers. One that does not answer keeps its own messages waiting and no others.
4. After three failures in a row a lane rests as a whole, so that a service that is down is not asked for each
   of a thousand messages, and none of them uses up its tries.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from weft.model.channels import Channel, Log, Rate
from weft.model.deliveries import Delivery, DeliveryState, Lane, Pace, Ticket
from weft.model.errors import Conflict, StoreError, UsageError, WeftError
from weft.model.errors import DeliveryRefused as Refused
from weft.notifications.courier import CHANNELS, Courier
from weft.notifications.loop import Loop
from weft.notifications.outbox import (
    DELIVERIES,
    KEEP_DEAD_S,
    KEEP_SENT_S,
    LANES,
    tickets,
    tidy,
    waiting,
)
from weft.store.protocol import Store, Write
from weft.store.records import Collection, Entry

LEASE_S = 120.0
"""How long a claimed delivery is left alone; longer than any channel may take."""

LOOK_S = 1.0
"""Between two looks: others fill the outbox too."""

PACES = Collection("pace", Pace)

_CLAIM_S = 2.0
"""About how much work a worker claims at once."""
_CLAIM_MAX = 32
_CONTESTED = 8
_REST_AFTER = 3
_REST_MAX_S = 60.0
_IDLE_S = 600.0
_TIDY_S = 60.0
_ERROR_MAX = 1000
_JITTER = 0.2

_log = logging.getLogger("weft.notifications")

Spawn = Callable[[Callable[[], None]], None]


class Claimed(NamedTuple):
    """A delivery that is this process's for the length of a lease."""

    name: str
    ticket: int
    delivery: Entry[Delivery]


class _State:
    """What one process knows of a lane."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.active = 0
        self.failures = 0
        self.rests_until = 0.0
        self.took_s: float | None = None
        self.empty_since: float | None = None


class Deliverer(Loop):
    """See the module.

    Args:
        store: Where the outbox is.
        courier: Carries out deliveries.
        now: The time.
        spawn: Runs a lane's worker; by default in a thread of its own. Tests run it in place.
    """

    def __init__(
        self, store: Store, courier: Courier, now: Callable[[], float], *, spawn: Spawn | None = None
    ) -> None:
        super().__init__("deliverer", now)
        self._store = store
        self._courier = courier
        self._spawn = spawn or self._thread_for
        self._states: dict[str, _State] = {}
        self._threads: set[threading.Thread] = set()
        self._tidy_at = 0.0

    def step(self, now: float) -> float:
        """Set workers to the lanes that have something due. Returns when to look again, at the latest."""
        if now >= self._tidy_at or now < self._tidy_at - _TIDY_S:
            more = tidy(self._store, now=now)
            self._tidy_at = now if more else now + _TIDY_S
        next_at = now + LOOK_S
        for lane in LANES.all(self._store):
            next_at = min(next_at, self._look(lane, now))
        return next_at

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop; what is underway may take ``grace_s`` to end, and is tried again by others if it does not."""
        super().close()
        for each in list(self._threads):
            each.join(grace_s)

    # --- lanes --------------------------------------------------------------------------------------------

    def _look(self, lane: Entry[Lane], now: float) -> float:
        state = self._states.setdefault(lane.name, _State())
        if state.rests_until > now:
            return state.rests_until
        channel = self._settings(lane.name)
        due = waiting(self._store, lane.name, limit=channel.parallel)
        if not due:
            self._retire(lane, state, now)
            return now + LOOK_S
        state.empty_since = None
        first = due[0].due_at or now
        if first > now:
            return first
        ready = sum(1 for each in due if (each.due_at or now) <= now)
        for _ in range(ready):
            with state.lock:
                if state.active >= channel.parallel:
                    break
                state.active += 1
            self._spawn(lambda: self._work(lane.name, state, channel))
        return now + LOOK_S

    def _retire(self, lane: Entry[Lane], state: _State, now: float) -> None:
        """Forget a lane that has been empty for a while; the next delivery makes it again."""
        if state.empty_since is None or now < state.empty_since:
            state.empty_since = now
        elif now - state.empty_since > _IDLE_S and not state.active:
            try:
                self._store.write([LANES.drop(lane.name, expect=lane.revision)], at=now)
            except Conflict:
                return
            self._states.pop(lane.name, None)

    def _settings(self, lane: str) -> Channel:
        """How a lane is to be served: as its channel says, or by default."""
        kind, _, name = lane.partition(".")
        entry = CHANNELS.get(self._store, name) if kind == "channel" else None
        return _DEFAULT if entry is None else entry.value

    def _thread_for(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                self._threads.discard(thread)
                self.hurry()

        thread = threading.Thread(target=run, name="weft-delivery", daemon=True)
        self._threads.add(thread)
        thread.start()

    # --- a lane's worker ----------------------------------------------------------------------------------

    def _work(self, lane: str, state: _State, channel: Channel) -> None:
        try:
            while not self._closing:
                claimed = self._claim(lane, state, channel)
                if not claimed:
                    return
                for at, each in enumerate(claimed):
                    if self._closing or state.rests_until > self._now():
                        self._give_back(lane, claimed[at:])
                        break
                    self._deliver(lane, state, channel, each)
        except StoreError as exc:
            _log.warning("the lane %s stops for now: %s", lane, exc)
        finally:
            with state.lock:
                state.active -= 1

    def _claim(self, lane: str, state: _State, channel: Channel) -> list[Claimed]:
        """Take the lease of the first tickets that are due."""
        of = tickets(lane)
        for _ in range(_CONTESTED):
            now = self._now()
            count = self._room(lane, state, channel, now)
            due = of.due(self._store, before=now, limit=count) if count else []
            if not due:
                return []
            writes = [
                of.put(each.name, each.value, due_at=now + LEASE_S, expect=each.revision) for each in due
            ]
            if channel.rate is not None:
                writes.append(self._use(lane, channel.rate, len(due), now))
            try:
                revisions = self._store.write(writes, at=now)
            except Conflict:
                continue  # Another worker was quicker: look at what is left.
            claimed: list[Claimed] = []
            for each, revision in zip(due, revisions, strict=False):
                delivery = DELIVERIES.get(self._store, each.name)
                if delivery is None:
                    self._store.write([of.drop(each.name)], at=now)  # Somebody deleted what it was for.
                else:
                    claimed.append(Claimed(each.name, revision, delivery))
            if claimed:
                return claimed
        return []

    def _room(self, lane: str, state: _State, channel: Channel, now: float) -> int:
        """How many a worker may claim now: few if they take long, none while the lane rests."""
        if state.rests_until > now:
            return 0
        count = 1 if state.took_s is None else max(1, min(_CLAIM_MAX, int(_CLAIM_S / (state.took_s + 1e-3))))
        if channel.rate is None:
            return count
        interval = channel.rate.per_s / channel.rate.count
        entry = PACES.get(self._store, lane)
        even_at = now if entry is None else min(max(entry.value.even_at, now), now + channel.rate.per_s)
        room = int((now + channel.rate.per_s - even_at) / interval + 1e-6)
        if room < 1:
            state.rests_until = even_at - channel.rate.per_s + interval
        return min(count, room)

    def _use(self, lane: str, rate: Rate, count: int, now: float) -> Write:
        """Use up a part of the lane's rate."""
        entry = PACES.get(self._store, lane)
        even_at = now if entry is None else min(max(entry.value.even_at, now), now + rate.per_s)
        used = Pace(even_at + count * rate.per_s / rate.count)
        return PACES.put(lane, used, expect=0 if entry is None else entry.revision)

    def _deliver(self, lane: str, state: _State, channel: Channel, claimed: Claimed) -> None:
        delivery = claimed.delivery.value
        began = time.monotonic()
        failed: WeftError | None = None
        answer = ""
        try:
            answer = self._courier.carry_out(claimed.name, delivery)
        except WeftError as exc:
            failed = exc
        took_s = time.monotonic() - began
        with state.lock:
            state.took_s = took_s if state.took_s is None else max(took_s, 0.8 * state.took_s)
        now = self._now()
        delivery = replace(delivery, tries=delivery.tries + 1, tried_at=now, next_at=None)
        if failed is None:
            state.failures, state.rests_until = 0, 0.0
            done = replace(delivery, state=DeliveryState.SENT, answer=answer[:_ERROR_MAX], error="")
            self._end(lane, claimed, done, now + KEEP_SENT_S, now)
            return
        delivery = replace(delivery, error=str(failed)[:_ERROR_MAX])
        if isinstance(failed, Refused | UsageError) or delivery.tries >= channel.tries:
            _log.warning("delivery %s is given up: %s", claimed.name, failed.what)
            dead = replace(delivery, state=DeliveryState.DEAD)
            self._end(lane, claimed, dead, now + KEEP_DEAD_S, now)
            return
        with state.lock:
            state.failures += 1
            if state.failures >= _REST_AFTER:
                state.rests_until = now + pause_s(channel, state.failures - _REST_AFTER + 1, most=_REST_MAX_S)
        after_s = float(failed.fields.get("after_s", 0.0))
        wait_s = max(after_s, pause_s(channel, delivery.tries) * (1 + _jitter(claimed.name, delivery.tries)))
        again = replace(delivery, next_at=now + wait_s)
        self._write(
            [
                tickets(lane).put(claimed.name, Ticket(now), due_at=now + wait_s, expect=claimed.ticket),
                DELIVERIES.put(claimed.name, again, expect=claimed.delivery.revision),
            ],
            now,
        )

    def _give_back(self, lane: str, claimed: list[Claimed]) -> None:
        """Let go of leases before their time."""
        for each in claimed:
            now = self._now()
            ticket = tickets(lane).put(each.name, Ticket(now), due_at=now, expect=each.ticket)
            self._write([ticket], now)

    def _end(self, lane: str, claimed: Claimed, done: Delivery, forget_at: float, now: float) -> None:
        self._write(
            [
                tickets(lane).drop(claimed.name, expect=claimed.ticket),
                DELIVERIES.put(claimed.name, done, due_at=forget_at, expect=claimed.delivery.revision),
            ],
            now,
        )

    def _write(self, writes: list[Write], now: float) -> None:
        try:
            self._store.write(writes, at=now)
        except Conflict:
            _log.info("delivery %s took longer than its lease, and another took it over", writes[0].name)


def pause_s(channel: Channel, tries: int, *, most: float | None = None) -> float:
    """The pause after so many tries."""
    pause = min(channel.delay_s * 2.0 ** min(tries - 1, 40), channel.delay_s_max)
    return pause if most is None else min(pause, most)


def _jitter(name: str, tries: int) -> float:
    """Up to a fifth more, so that what failed together is not tried together."""
    return hashlib.sha256(f"{name} {tries}".encode()).digest()[0] / 255 * _JITTER


_DEFAULT = Channel(way=Log(), parallel=4)
"""How lanes are served that are no channel's."""
