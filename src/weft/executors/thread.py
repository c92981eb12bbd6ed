"""The ``thread`` executor: attempts as threads and coroutines of this process.

Three lanes. Plain functions share a pool of threads. Coroutine functions share one event loop
(``event_loop.py``). Flows have a thread each and take no slot, since they mostly wait for their tasks.

Rules of the pool, which come from handing-over costing more than a trivial task:

1. Queued attempts stay in one queue from which threads take one at a time: none is stuck behind a long one.
2. As few threads as will do: while attempts are short, one thread is woken and the others sleep, because
   threads that compete for the interpreter lock only slow each other down. The watch thread wakes or adds
   more as soon as all that are awake have been busy for a millisecond, twice as many every time.
3. Reports are collected and handed over when the queue is empty, a long attempt ends or 2 ms have passed.

A thread cannot be killed. To stop one, an ``Interrupt`` is raised in it (``PyThreadState_SetAsyncExc``),
which strikes when it next runs Python code. If it has not ended after the grace it is abandoned: its attempt
is answered, what it still returns is dropped, and another thread takes its place. ``os._exit``, a
segmentation fault or running out of memory take the whole process; tasks that may do so belong to
``process``.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weft.artifacts.artifacts import Artifacts
from weft.executors import endings
from weft.executors.outbox import Outbox
from weft.executors.protocol import Sink
from weft.executors.slot import Slot
from weft.model.attempts import Attempt, AttemptId, Ended, Shown, Started
from weft.model.calls import PythonCall
from weft.model.errors import ExecutorError, TaskLost
from weft.model.states import TaskState
from weft.runtime.failure import named
from weft.runtime.logs import StreamCapture
from weft.runtime.runner import Runner, cancel_error, timeout_error
from weft.runtime.signals import Cancelled, Interrupt, TimedOut

if TYPE_CHECKING:
    from weft.executors.event_loop import AsyncLane

ANNOUNCE_AFTER_S = 0.05
BACKLOG_S = 0.02
SHORT_S = 0.001
"""Attempts shorter than this are not worth waking another thread for."""

_FLUSH_AFTER_S = 0.002
_BATCH_MAX = 256
_BACKLOG_MAX = 4096
_TICK_S = 0.005
_GROW_TICK_S = 0.002
_OVERHEAD_S = 5e-6
_NEVER = float("inf")


class ThreadExecutor:
    """Carries out attempts in this process.

    Args:
        artifacts: Opens inputs and stores results.
        home: Weft's folder, for logs.
        threads: Most threads of the pool; by default four more than there are cores, but at least 8 and at
            most 32.
        async_limit: Most coroutines at once.
        flows: Carries out a flow, in a thread of its own; by default a flow is run like any function.
        interrupt_flow: Asked to stop a flow before an exception is raised in its thread; True means that it
            will end by itself.
        tee: Whether what tasks print also goes to the real streams (``capture.tee`` changes it later).
        grace_s: How long an attempt may go on past its timeout before it is given up.
    """

    name = "thread"
    durable = False

    def __init__(
        self,
        artifacts: Artifacts,
        home: Path,
        *,
        threads: int | None = None,
        async_limit: int = 10_000,
        flows: Callable[[Attempt], Ended] | None = None,
        interrupt_flow: Callable[[AttemptId, type[Interrupt]], bool] | None = None,
        tee: bool = True,
        grace_s: float = 5.0,
    ) -> None:
        if threads is not None and threads < 1:
            raise ExecutorError(f"{threads} threads cannot run anything", hint="threads must be at least 1")
        self.capture = StreamCapture(home, tee=tee)
        self.runner = Runner(artifacts, home, f"thread-{os.getpid()}", self.capture, show=self._shown)
        self._threads_max = threads or min(32, max(8, (os.cpu_count() or 1) + 4))
        self._async_limit = async_limit
        self._flows = flows
        self._interrupt_flow = interrupt_flow
        self._grace_s = grace_s
        self._outbox = Outbox(_nobody)
        self._queue: deque[Attempt] = deque()
        self._queued: dict[AttemptId, Attempt] = {}
        self._slots: list[Slot] = []
        self._idle: list[Slot] = []
        self._flow_slots: dict[AttemptId, Slot] = {}
        self._lane: AsyncLane | None = None
        self._lock = threading.Lock()
        self._average_s = SHORT_S
        self._oldest_s = 0.0
        self._grow_by = 1
        self._watch_thread: threading.Thread | None = None
        self._watch_event = threading.Event()
        self._watch_until = _NEVER
        self._closing = False
        self._closed = False

    def start(self, sink: Sink) -> None:
        """Make ready; no thread is started before there is work."""
        self._outbox = Outbox(sink)
        self.capture.install()

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Carry these out."""
        if self._closing:
            raise ExecutorError("the thread executor is closed")
        plain: list[Attempt] = []
        coroutines: list[Attempt] = []
        for attempt in attempts:
            call = attempt.call
            if type(call) is PythonCall and call.flow:
                self._start_flow(attempt)
            elif self._lane is not None and self.runner.known_async(call):
                coroutines.append(attempt)
            else:
                plain.append(attempt)
        if coroutines:
            self._async_lane().submit(coroutines)
        if plain:
            for attempt in plain:
                self._queued[attempt.id] = attempt
            self._queue.extend(plain)
            self._staff(len(plain))
            alone = self._queue and not self._idle
            self._wake_watch(time.monotonic() + (_GROW_TICK_S if alone else ANNOUNCE_AFTER_S))

    def cancel(self, ids: Iterable[AttemptId], *, grace_s: float = 5.0) -> None:
        """Ask each to stop, and give it up after ``grace_s``."""
        give_up_at = time.monotonic() + grace_s
        for attempt_id in ids:
            # An attempt goes from the queue to a thread, and from there back and to the loop, and is seen in
            # the next place before it leaves the one before. Looking in this order finds it.
            if self._cancel_queued(attempt_id):
                continue
            if any(slot.strike(attempt_id, Cancelled, give_up_at) for slot in list(self._slots)):
                continue
            flow_slot = self._flow_slots.get(attempt_id)
            if flow_slot is not None:
                self._stop_flow(flow_slot, attempt_id, Cancelled, give_up_at)
            elif not self._cancel_queued(attempt_id) and self._lane is not None:
                self._lane.cancel(attempt_id, grace_s)
        self._wake_watch(0.0)

    def _cancel_queued(self, attempt_id: AttemptId) -> bool:
        attempt = self._queued.pop(attempt_id, None)
        if attempt is None:
            return False
        self._outbox.waiting.append(endings.cancelled(attempt))
        return True

    def capacity(self) -> int:
        """The pool's threads, about 20 ms of queued work, and everything that takes no thread of the pool."""
        backlog = min(_BACKLOG_MAX, int(BACKLOG_S / (self._average_s + _OVERHEAD_S)))
        free = len(self._flow_slots)
        if self._lane is not None:
            held = self._lane.held
            free += min(held + 256, self._async_limit)
        return self._threads_max + backlog + free

    def reattach(self, ids: Iterable[AttemptId]) -> set[AttemptId]:
        """None: these attempts die with the process."""
        return set()

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop everything; what does not end within ``grace_s`` is reported as lost and left behind."""
        if self._closing:
            return
        give_up_at = time.monotonic() + grace_s
        with self._lock:
            self._closing = True
            busy = [*self._slots, *self._flow_slots.values()]
        self.cancel(list(self._queued))
        self.cancel([attempt.id for slot in busy if (attempt := slot.attempt)], grace_s=grace_s + 60.0)
        if self._lane is not None:
            self._lane.close(grace_s)
        for slot in list(self._slots):
            self._open_gate(slot)
        for slot in busy:
            if slot.thread is not None and slot.thread is not threading.current_thread():
                slot.thread.join(max(0.0, give_up_at - time.monotonic()))
        for slot in busy:
            attempt = slot.attempt
            if attempt is not None and self._abandon(slot, attempt):
                error = named(TaskLost, "it still ran when its executor closed")
                self._outbox.waiting.append(
                    self.runner.stopped(attempt, self._wall(slot), error, TaskState.LOST)
                )
        self._closed = True
        self._watch_event.set()
        if self._watch_thread is not None:
            self._watch_thread.join()
        self._outbox.seal()
        self.capture.uninstall()

    # The pool's threads.

    def _staff(self, count: int) -> None:
        """See to it that threads work on ``count`` new attempts."""
        wanted = count if self._average_s >= SHORT_S else 1
        for _ in range(wanted):
            if not self._wake_one():
                break
            wanted -= 1
        if wanted <= 0 or len(self._slots) >= self._threads_max:
            return
        if self._average_s < SHORT_S:
            now = time.monotonic()
            if any(slot.attempt is None or now - slot.began < SHORT_S for slot in self._slots):
                return  # A thread is between short attempts: it takes these next.
        with self._lock:
            room = self._threads_max - len(self._slots)
            # At first nothing is known about these attempts: one thread finds out, the watch adds more.
            self._hire(min(room, wanted if self._average_s > SHORT_S else 1))

    def _wake_one(self) -> bool:
        try:
            slot = self._idle.pop()
        except IndexError:
            return False
        slot.gate.release()
        return True

    def _hire(self, count: int) -> None:
        """Start threads. With the lock held, so that ``close`` meets none that has not begun."""
        for _ in range(0 if self._closing else count):
            slot = Slot()
            slot.thread = threading.Thread(target=self._work, args=(slot,), name="weft-task", daemon=True)
            self._slots.append(slot)
            slot.thread.start()

    def _work(self, slot: Slot) -> None:
        """A pool thread's life."""
        queue = self._queue
        waiting = self._outbox.waiting
        while not slot.abandoned:
            try:
                attempt = queue.popleft()
            except IndexError:
                self._outbox.flush()
                if not self._park(slot):
                    return
                continue
            if self._idle and self._average_s >= SHORT_S and queue:
                self._wake_one()
            ended = self._carry(slot, attempt)
            if ended is None:
                continue
            took = ended.ended_at - ended.started_at
            # One attempt that the system put aside for a while says little about the others.
            average_s = self._average_s
            self._average_s = average_s + (min(took, average_s * 8 + 1e-6) - average_s) * 0.1
            if not waiting:
                self._oldest_s = ended.ended_at
            waiting.append(ended)
            if (
                not queue
                or took > SHORT_S
                or ended.ended_at - self._oldest_s > _FLUSH_AFTER_S
                or len(waiting) >= _BATCH_MAX
            ):
                self._outbox.flush()

    def _carry(self, slot: Slot, attempt: Attempt) -> Ended | None:
        """Run one attempt; ``None`` if someone else answers it."""
        ended: Ended | None = None
        ours = for_loop = False
        try:
            slot.occupy(attempt)
            if slot.deadline is not None:
                self._wake_watch(slot.deadline)
            # Only now: ``cancel`` looks among the queued first and then among the slots.
            ours = self._queued.pop(attempt.id, None) is not None
            if ours:
                ended = self.runner.run_sync(attempt)
                for_loop = ended is None
            slot.leave(self._queued if for_loop else None)
        except Interrupt as struck:
            # It hit in the few lines outside user code. It hits once, so the second time is undisturbed.
            slot.leave(self._queued if for_loop else None)
            if for_loop:
                for_loop = False
                ours = self._queued.pop(attempt.id, None) is not None
            if ours and ended is None:
                ended = self._interrupted(slot, attempt, struck)
        if slot.abandoned:
            return None
        if for_loop:
            self._async_lane().submit([attempt], still=self._unqueue)
        return ended

    def _unqueue(self, attempt_id: AttemptId) -> bool:
        """Take an attempt out of the queued ones; False if it was cancelled."""
        return self._queued.pop(attempt_id, None) is not None

    def _interrupted(self, slot: Slot, attempt: Attempt, struck: Interrupt) -> Ended:
        if isinstance(struck, TimedOut):
            error, state = timeout_error(attempt, struck), TaskState.FAILED
        else:
            error, state = cancel_error(struck), TaskState.CANCELLED
        return self.runner.stopped(attempt, self._wall(slot), error, state)

    def _park(self, slot: Slot) -> bool:
        """Sleep until there is work; False when the executor closes."""
        self._idle.append(slot)
        if self._queue or self._closing:
            # Work came before anyone could see this thread among the idle: take it, unless just woken.
            try:
                self._idle.remove(slot)
            except ValueError:
                slot.gate.acquire()
            return bool(self._queue) or not self._closing
        slot.gate.acquire()
        return bool(self._queue) or not self._closing

    def _open_gate(self, slot: Slot) -> None:
        try:
            self._idle.remove(slot)
        except ValueError:
            return
        slot.gate.release()

    # Coroutines and flows.

    def _async_lane(self) -> AsyncLane:
        with self._lock:
            if self._lane is None:
                # asyncio takes 30 ms to import: only who has coroutines pays.
                from weft.executors.event_loop import AsyncLane  # noqa: PLC0415 - see above

                self._lane = AsyncLane(
                    self.runner,
                    self._outbox,
                    self._wake_watch,
                    limit=self._async_limit,
                    grace_s=self._grace_s,
                )
            return self._lane

    def _start_flow(self, attempt: Attempt) -> None:
        slot = Slot()
        slot.occupy(attempt)
        self._flow_slots[attempt.id] = slot
        self._wake_watch(slot.began + ANNOUNCE_AFTER_S if slot.deadline is None else slot.deadline)
        slot.thread = threading.Thread(
            target=self._run_flow, args=(slot, attempt), name=f"weft-flow-{attempt.key}", daemon=True
        )
        slot.thread.start()

    def _run_flow(self, slot: Slot, attempt: Attempt) -> None:
        carry_out = self.runner.run if self._flows is None else self._flows
        ended: Ended | None = None
        try:
            ended = carry_out(attempt)
            slot.leave()
        except Interrupt as struck:
            slot.leave()
            if ended is None:
                ended = self._interrupted(slot, attempt, struck)
        self._flow_slots.pop(attempt.id, None)
        if not slot.abandoned:
            self._outbox.waiting.append(ended)
            self._outbox.flush()

    def _stop_flow(self, slot: Slot, attempt_id: AttemptId, kind: type[Interrupt], give_up_at: float) -> None:
        if self._interrupt_flow is not None and self._interrupt_flow(attempt_id, kind):
            slot.give_up_at = give_up_at
        else:
            slot.strike(attempt_id, kind, give_up_at)

    def _shown(self, shown: Shown) -> None:
        """A task published something. The watch hands it over: this thread may be struck at any moment."""
        self._outbox.waiting.append(shown)
        self._wake_watch(time.monotonic() + _TICK_S)

    # The watch: everything that has to happen at a time.

    def _wake_watch(self, by: float) -> None:
        """The watch must look by this moment, on the monotonic clock."""
        if self._watch_thread is None:
            with self._lock:
                if self._watch_thread is None and not self._closed:
                    self._watch_thread = threading.Thread(target=self._watch, name="weft-watch", daemon=True)
                    self._watch_thread.start()
        elif by < self._watch_until:
            self._watch_event.set()

    def _watch(self) -> None:
        while not self._closed:
            # Whoever wakes it while it looks makes it look once more.
            self._watch_event.clear()
            self._watch_until = _NEVER
            next_at = self._look()
            self._watch_until = next_at
            self._watch_event.wait(None if next_at == _NEVER else max(0.0005, next_at - time.monotonic()))

    def _look(self) -> float:
        """Do what is due; returns when to look again."""
        now = time.monotonic()
        next_at = self._look_at_slots(now)
        if self._lane is not None:
            self._lane.watch(now)
            due = self._lane.next_deadline()
            if due is not None:
                next_at = min(next_at, due)
        if self._queue:
            next_at = min(next_at, now + self._grow(now))
        elif self._outbox.waiting:
            next_at = min(next_at, now + _TICK_S)
        self._outbox.flush()
        return next_at

    def _look_at_slots(self, now: float) -> float:
        """Announce, time out and give up; returns when one of these is due next."""
        next_at = _NEVER
        for slot in [*self._slots, *self._flow_slots.values()]:
            attempt = slot.attempt
            if attempt is None:
                continue
            if not slot.announced:
                if now - slot.began >= ANNOUNCE_AFTER_S:
                    self._announce(slot, attempt)
                else:
                    next_at = min(next_at, slot.began + ANNOUNCE_AFTER_S)
            if slot.deadline is not None and now >= slot.deadline:
                slot.deadline = None
                is_flow = self._flow_slots.get(attempt.id) is slot
                if is_flow:
                    self._stop_flow(slot, attempt.id, TimedOut, now + self._grace_s)
                else:
                    slot.strike(attempt.id, TimedOut, now + self._grace_s)
            if slot.deadline is not None:
                next_at = min(next_at, slot.deadline)
            give_up_at = slot.give_up_at
            if give_up_at is not None:
                if now >= give_up_at:
                    self._give_up(slot, attempt)
                else:
                    next_at = min(next_at, give_up_at)
        return next_at

    def _announce(self, slot: Slot, attempt: Attempt) -> None:
        with slot.lock:
            if slot.attempt is attempt:
                slot.announced = True
                started = Started(attempt.id, self._wall(slot), self.runner.worker)
                self._outbox.waiting.append(started)

    def _grow(self, now: float) -> float:
        """Put more threads to work if all are busy; returns in how many seconds to look again."""
        idle = len(self._idle)
        busy = sum(slot.attempt is not None and now - slot.began >= SHORT_S for slot in list(self._slots))
        if idle + busy < len(self._slots):
            self._grow_by = 1  # A thread is between short attempts and will take the next.
            return _GROW_TICK_S
        woken = 0
        while woken < self._grow_by and self._wake_one():
            woken += 1
        with self._lock:
            room = self._threads_max - len(self._slots)
            self._hire(min(room, self._grow_by - woken, len(self._queue)))
        self._grow_by = min(self._grow_by * 2, self._threads_max)
        return _GROW_TICK_S if room > 0 or self._idle else _TICK_S

    def _give_up(self, slot: Slot, attempt: Attempt) -> None:
        """Answer for an attempt that does not end, and replace its thread."""
        kind = slot.struck
        if not self._abandon(slot, attempt):
            return
        if kind is TimedOut:
            error, state = timeout_error(attempt), TaskState.FAILED
        else:
            error, state = cancel_error(), TaskState.CANCELLED
        self._outbox.waiting.append(self.runner.stopped(attempt, self._wall(slot), error, state))
        if self._queue:
            with self._lock:
                self._hire(min(1, self._threads_max - len(self._slots)))

    def _abandon(self, slot: Slot, attempt: Attempt) -> bool:
        """Leave a thread to itself; False if it has just ended the attempt."""
        if not slot.abandon(attempt):
            return False
        if slot in self._slots:
            self._slots.remove(slot)
        self._flow_slots.pop(attempt.id, None)
        return True

    @staticmethod
    def _wall(slot: Slot) -> float:
        """When the slot's attempt began, in Unix seconds."""
        return time.time() - (time.monotonic() - slot.began)


def _nobody(reports: object) -> None:
    """Takes reports before ``start``: there are none."""
