"""The part of the ``thread`` executor that runs coroutine functions: one event loop in one thread.

Thousands run at once. Each has an entry; whoever takes the entry out of the table answers the attempt, so
there is exactly one answer. Timeouts and cancellations are the loop's own timers; a loop that a task blocks
cannot keep them, so the executor's watch thread looks at the same deadlines a little later (``watch``) and
then leaves the blocked loop to itself: later attempts get a new one.
"""

import asyncio
import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from weft.executors import endings
from weft.executors.outbox import Outbox
from weft.model.attempts import Attempt, AttemptId, Ended, Started
from weft.model.errors import TaskLost
from weft.model.states import TaskState
from weft.runtime.failure import named
from weft.runtime.runner import Runner, cancel_error, timeout_error

ANNOUNCE_AFTER_S = 0.05
_WATCH_MARGIN_S = 0.25


class _Entry:
    """One attempt that is queued or runs."""

    __slots__ = ("attempt", "began", "cancelled", "loop", "started_at", "task", "timed_out", "timer")

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.loop: _Loop | None = None
        self.task: asyncio.Task[Ended] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.began = 0.0
        self.started_at = 0.0
        self.timed_out = False
        self.cancelled = False


class AsyncLane:
    """Runs attempts whose functions are coroutine functions.

    Args:
        runner: Carries out each.
        outbox: Takes the reports.
        wake: Called with the moment (monotonic) by which the watch thread must look here.
        limit: How many may run at once; the rest wait their turn.
        grace_s: How long an attempt may go on past its timeout before it is given up.
    """

    def __init__(
        self, runner: Runner, outbox: Outbox, wake: Callable[[float], None], *, limit: int, grace_s: float
    ) -> None:
        self._runner = runner
        self._outbox = outbox
        self._wake = wake
        self._limit = limit
        self._grace_s = grace_s
        self._entries: dict[AttemptId, _Entry] = {}
        self._queue: deque[_Entry] = deque()
        self._deadlines: list[tuple[float, AttemptId]] = []
        self._lock = threading.Lock()
        self._loop: _Loop | None = None
        self._loops: list[_Loop] = []
        self._closed = False

    @property
    def held(self) -> int:
        """Attempts that are queued or run."""
        return len(self._entries)

    def submit(
        self, attempts: Sequence[Attempt], *, still: Callable[[AttemptId], bool] | None = None
    ) -> None:
        """Run these.

        Args:
            attempts: What to run.
            still: Asked once an attempt can be cancelled here: whether it is still to be run.
        """
        for attempt in attempts:
            entry = _Entry(attempt)
            self._entries[attempt.id] = entry
            if still is None or still(attempt.id):
                self._queue.append(entry)
            else:
                self._entries.pop(attempt.id, None)
        self._turn()

    def cancel(self, attempt_id: AttemptId, grace_s: float) -> bool:
        """Ask one to stop; False if it is not here."""
        entry = self._entries.get(attempt_id)
        if entry is None:
            return False
        entry.cancelled = True
        self._due(time.monotonic() + grace_s, attempt_id)
        loop = entry.loop or self._loop
        if loop is not None:
            loop.call(partial(self._stop, loop, entry, grace_s))
        return True

    def next_deadline(self) -> float | None:
        """When ``watch`` should look again, on the monotonic clock."""
        deadlines = self._deadlines
        return deadlines[0][0] if deadlines else None

    def watch(self, now: float) -> None:
        """Give up attempts that the loop itself should have answered by now."""
        stuck = False
        while self._deadlines and self._deadlines[0][0] <= now:
            with self._lock:
                _, attempt_id = heapq.heappop(self._deadlines)
            entry = self._entries.get(attempt_id)
            if entry is not None:
                stuck = True
                self._give_up(entry)
        if stuck:
            self._loop = None
            self._turn()

    def close(self, grace_s: float) -> None:
        """Cancel all, wait for them, and end the loop."""
        for attempt_id in list(self._entries):
            self.cancel(attempt_id, grace_s)
        give_up = time.monotonic() + grace_s
        while self._entries and time.monotonic() < give_up:
            time.sleep(0.002)
        self._closed = True
        for entry in list(self._entries.values()):
            error = named(TaskLost, "it still ran when its executor closed")
            self._answer(entry, self._runner.stopped(entry.attempt, entry.started_at, error, TaskState.LOST))
        for loop in self._loops:
            loop.stop()

    def _turn(self) -> None:
        """Let the loop look at the queue."""
        with self._lock:
            if self._closed or not self._queue:
                return
            if self._loop is None:
                self._loop = _Loop()
                self._loops.append(self._loop)
        loop = self._loop
        loop.call(partial(self._drain, loop))

    def _drain(self, loop: "_Loop") -> None:
        """Start what is queued, as far as the limit allows. On the loop."""
        create_task = loop.loop.create_task
        run_async = self._runner.run_async
        while loop.running < self._limit:
            try:
                entry = self._queue.popleft()
            except IndexError:
                return
            attempt = entry.attempt
            if self._entries.get(attempt.id) is not entry:
                continue
            if entry.cancelled:
                self._answer(entry, self._cancelled(entry))
                continue
            entry.began = time.monotonic()
            entry.started_at = time.time()
            entry.loop = loop
            task = entry.task = create_task(run_async(attempt))
            loop.running += 1
            task.add_done_callback(partial(self._done, loop, entry))
            if attempt.timeout_s is not None:
                entry.timer = loop.loop.call_later(attempt.timeout_s, self._time_out, loop, entry)
                self._due(entry.began + attempt.timeout_s + self._grace_s, attempt.id)
            loop.young.append(entry)
            if not loop.announcing:
                loop.announcing = True
                loop.loop.call_later(ANNOUNCE_AFTER_S, self._announce, loop)

    def _done(self, loop: "_Loop", entry: _Entry, task: "asyncio.Task[Ended]") -> None:
        loop.running -= 1
        if entry.timer is not None:
            entry.timer.cancel()
        try:
            ended = task.result()
        except BaseException:  # Cancelled before its first step.
            ended = self._cancelled(entry)
        if entry.timed_out and ended.state is TaskState.CANCELLED:
            ended = endings.stopped(entry.attempt, ended, timed_out=True)
        self._answer(entry, ended)
        if self._queue:
            self._drain(loop)
        if not loop.flushing:
            loop.flushing = True
            loop.loop.call_soon(self._flush, loop)

    def _flush(self, loop: "_Loop") -> None:
        loop.flushing = False
        self._outbox.flush()

    def _announce(self, loop: "_Loop") -> None:
        """Report as started what has run for a while. On the loop."""
        young = loop.young
        ripe = time.monotonic() - ANNOUNCE_AFTER_S
        while young and (young[0].began <= ripe or young[0].attempt.id not in self._entries):
            entry = young.popleft()
            with self._lock:
                if entry.attempt.id in self._entries:
                    started = Started(entry.attempt.id, entry.started_at, self._runner.worker)
                    self._outbox.waiting.append(started)
        self._outbox.flush()
        loop.announcing = bool(young)
        if young:
            loop.loop.call_later(max(0.001, young[0].began - ripe), self._announce, loop)

    def _time_out(self, loop: "_Loop", entry: _Entry) -> None:
        if entry.attempt.id in self._entries and entry.task is not None:
            entry.timed_out = True
            entry.task.cancel()
            entry.timer = loop.loop.call_later(self._grace_s, self._give_up, entry)

    def _stop(self, loop: "_Loop", entry: _Entry, grace_s: float) -> None:
        """Cancel one. On the loop."""
        if entry.attempt.id not in self._entries:
            return
        if entry.task is None:
            self._answer(entry, self._cancelled(entry))
            self._outbox.flush()
            return
        entry.task.cancel()
        if entry.timer is not None:
            entry.timer.cancel()
        entry.timer = loop.loop.call_later(grace_s, self._give_up, entry)

    def _give_up(self, entry: _Entry) -> None:
        """Answer for an attempt that does not end; whatever it still returns is dropped."""
        attempt = entry.attempt
        if entry.cancelled:
            self._answer(entry, self._cancelled(entry))
        else:
            error, state = timeout_error(attempt), TaskState.FAILED
            self._answer(entry, self._runner.stopped(attempt, entry.started_at, error, state))
        self._outbox.flush()

    def _cancelled(self, entry: _Entry) -> Ended:
        attempt = entry.attempt
        return self._runner.stopped(attempt, entry.started_at, cancel_error(), TaskState.CANCELLED)

    def _answer(self, entry: _Entry, ended: Ended) -> None:
        with self._lock:  # So that nothing is announced after its end.
            if self._entries.pop(entry.attempt.id, None) is not None:
                self._outbox.waiting.append(ended)

    def _due(self, at: float, attempt_id: AttemptId) -> None:
        at += _WATCH_MARGIN_S
        with self._lock:
            if len(self._deadlines) > 1000 + 2 * len(self._entries):
                # Most of these have ended long before they were due.
                self._deadlines = [each for each in self._deadlines if each[1] in self._entries]
                heapq.heapify(self._deadlines)
            heapq.heappush(self._deadlines, (at, attempt_id))
        self._wake(at)


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.running = 0
        self.flushing = False
        self.announcing = False
        self.young: deque[_Entry] = deque()
        self._thread = threading.Thread(target=self._run, name="weft-loop", daemon=True)
        self._thread.start()

    def call(self, what: Callable[[], None]) -> None:
        """Do this on the loop, soon; nothing if it has ended."""
        try:
            self.loop.call_soon_threadsafe(what)
        except RuntimeError:
            pass

    def stop(self) -> None:
        """End the loop; one that user code blocks is left behind."""
        self.call(self.loop.stop)
        self._thread.join(1.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left: Iterable[asyncio.Task[object]] = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            if left:
                self.loop.run_until_complete(asyncio.wait(left, timeout=0.2))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
