"""The ``thread`` executor of a service: flows, coroutines and thread tasks in processes of their projects.

User code never runs in the engine's process. Rules, and why:

1. A project folder has *hosts*: two projects may have modules of the same names. One carries out its flows,
   another its thread tasks and coroutines if there are any. They start on demand and end when they were idle
   for a while.
2. A host carries out any number of attempts, so its death costs all of them: each is answered as lost. Flows
   are replayed, and what they had done is in their journals. A task is more likely to take its process down
   than a flow's body, which is why the two are apart; one that may do so belongs to ``process``.
3. What flows ask of the engine comes through the host's stream and goes to the *desk* (``desk.py``) in
   batches, before the ends of attempts that follow it: a flow's calls come before its end.
4. One thread hears hosts, starts and buries them, and calls the desk and the sink; it never waits for a host.
   ``submit`` and ``cancel`` write to a host themselves where there is one.
5. An attempt that was to stop and does not answer within its grace and ``MARGIN_S`` means that its host does
   not run Python any more (C code that keeps the interpreter's lock): the host is killed.

When this process ends, in whatever way, the kernel kills every host's group.
"""

import logging
import os
import selectors
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from weft.executors import endings
from weft.executors.desk import Call, Counter, Desk
from weft.executors.host_process import Hosted, HostProcess
from weft.executors.protocol import Sink
from weft.model.attempts import Attempt, AttemptId, Report
from weft.model.errors import ExecutorError
from weft.wire.hosting import (
    Anew,
    Began,
    Calls,
    CloseDown,
    Finished,
    FromHost,
    HostSetup,
    Leaves,
    Room,
    StopThese,
    Wants,
)
from weft.wire.messages import WIRE_VERSION, Hello

MARGIN_S = 2.0
IDLE_S = 60.0
STARTS_MAX = 3
"""Hosts that die in a row before saying hello until the attempts that wait for one are given up."""
_EXIT_GRACE_S = 5.0
_CAPACITY_FIRST = 32
"""Room for attempts while no host has said how much there is."""

_log = logging.getLogger("weft.executors.hosted")


_Key = tuple[str, bool]
"""A project, and whether it is about its flows or its tasks."""


class _Seat:
    """A place for a host, and what waits for one."""

    def __init__(self) -> None:
        self.waiting: dict[AttemptId, Hosted] = {}
        self.host: HostProcess | None = None
        self.failed_starts = 0
        self.start_after = 0.0


class HostedExecutor:
    """Carries out flows, coroutines and thread tasks beside the engine's process.

    Args:
        home: Folder of the state; logs go below it.
        artifacts: Folder of the artifact store.
        desk: Gives the engine, which may be made later than this.
        executor: The engine's default executor, for tasks that flows call.
        project: Folder of the user's code, for attempts that name none.
        threads: Most threads for plain tasks in one host; by default the host chooses.
        suspend_after_s: How long a flow's wait may hold its thread; ``None``: for ever.
        idle_s: How long a host with nothing to do is kept.
        resources: Path of the socket at which code asks for variables and secrets; "" for none.
        timeout_grace_s: How long an attempt past its timeout may take to stop before it is given up.
    """

    name = "thread"
    durable = False

    def __init__(
        self,
        home: Path,
        artifacts: Path,
        desk: Callable[[], Desk],
        *,
        executor: str = "process",
        project: str = "",
        threads: int | None = None,
        suspend_after_s: float | None = 30.0,
        idle_s: float = IDLE_S,
        resources: str = "",
        timeout_grace_s: float = 5.0,
    ) -> None:
        self._home = home
        self._artifacts = artifacts
        self._desk = desk
        self._executor = executor
        self._project = project
        self._threads = threads
        self._suspend_after_s = suspend_after_s
        self._idle_s = idle_s
        self._resources = resources
        self._timeout_grace_s = timeout_grace_s
        self._lock = threading.Lock()
        self._seats: dict[_Key, _Seat] = {}
        self._hosts: list[HostProcess] = []
        self._answers: list[Report] = []
        self._started_total = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self, sink: Sink) -> None:
        """Make ready to take attempts; hosts start when there is work. Raises ``ExecutorError``."""
        if not sys.executable:
            raise ExecutorError("this Python does not know its own executable")
        if self._thread is not None:
            raise ExecutorError("the executor has been started already")
        self._sink = sink
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="weft-hosted-executor", daemon=True)
        self._thread.start()

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Carry these out. Raises ``ExecutorError``."""
        taken: dict[_Key, list[Hosted]] = {}
        refused: list[Report] = []
        for attempt in attempts:
            try:
                key = attempt.project or self._project, getattr(attempt.call, "flow", False)
                taken.setdefault(key, []).append(Hosted(attempt))
            except Exception as exc:  # Whatever a user's object raises when it is encoded.
                refused.append(endings.unsendable(attempt, exc))
        wake = bool(refused)
        with self._lock:
            if self._thread is None or self._closing:
                raise ExecutorError(
                    "the thread executor is not running", hint="it was closed, or never started"
                )
            self._answers += refused
            for key, batch in taken.items():
                seat = self._seats.get(key)
                if seat is None:
                    seat = self._seats[key] = _Seat()
                host = seat.host
                if host is not None and host.ready:
                    host.give(batch)
                    wake = wake or host.blocked
                else:
                    seat.waiting.update((hosted.attempt.id, hosted) for hosted in batch)
                    wake = True
        if wake:
            self._wake()

    def cancel(self, ids: Iterable[AttemptId], *, grace_s: float = 5.0) -> None:
        """Ask each to stop; its host gives it up after ``grace_s``, and is killed if it does not answer."""
        wanted = set(ids)
        kill_at = time.monotonic() + grace_s + MARGIN_S
        with self._lock:
            for seat in self._seats.values():
                for attempt_id in wanted & seat.waiting.keys():
                    self._answers.append(endings.cancelled(seat.waiting.pop(attempt_id).attempt))
            for host in self._hosts:
                found = tuple(wanted & host.held.keys())
                if not found:
                    continue
                for attempt_id in found:
                    hosted = host.held[attempt_id]
                    hosted.cancelled = True
                    host.kill_for(hosted, kill_at)
                host.tell([StopThese(found, grace_s)])
        self._wake()

    def capacity(self) -> int:
        """What the hosts say they want to hold, or a first guess."""
        with self._lock:
            return sum([host.capacity for host in self._hosts if not host.closing]) or (
                self._threads or _CAPACITY_FIRST
            )

    def reattach(self, ids: Iterable[AttemptId]) -> set[AttemptId]:
        """Those that an engine of this same process submitted and that are not answered yet."""
        with self._lock:
            held = {each for host in self._hosts for each in host.held}
            held.update(each for seat in self._seats.values() for each in seat.waiting)
            return {each for each in ids if each in held}

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop everything: hosts stop what they carry out, and are killed if that takes longer."""
        with self._lock:
            thread = self._thread
            if not self._closing:
                self._closing = True
                for seat in self._seats.values():
                    self._answers += [endings.cancelled(each.attempt) for each in seat.waiting.values()]
                    seat.waiting.clear()
                for host in self._hosts:
                    self._close_down(host, grace_s)
        if thread is None:
            return
        self._wake()
        if thread is not threading.current_thread():
            thread.join()

    def _ring(self) -> None:
        """The engine has an answer for a host."""
        if threading.current_thread() is not self._thread:  # It looks for answers after it has asked.
            self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except OSError:
            pass  # Full: it wakes anyway. Closed: nobody is left to wake.

    # From here to the end of the class: the executor's thread, or the lock held, as each says.

    def _run(self) -> None:
        try:
            while not (self._closing and not self._hosts and not self._answers):
                self._turn()
        except Exception:
            _log.critical("the thread executor's own thread failed; its attempts are lost", exc_info=True)
            self._abandon()
        finally:
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _turn(self) -> None:
        """Hear what happened, ask the engine, repeat its answers, tell the sink."""
        news: list[tuple[HostProcess, list[FromHost]]] = []
        dead: list[HostProcess] = []
        for key, events in self._selector.select(self._patience()):
            host = key.data
            if host is None:
                os.read(self._wake_read, 4096)
            elif key.fd == host.pidfd:
                dead.append(host)
            else:
                if events & selectors.EVENT_READ:
                    if (heard := host.read()) is not None:
                        news.append((host, heard))
                    else:
                        self._gone_quiet(host, dead)
                        continue
                if events & selectors.EVENT_WRITE:
                    host.flush()
        self._ask(news)
        answers: list[Report] = []
        with self._lock:
            for host, heard in news:
                self._hear(host, heard)
            for host in dead:
                self._bury(host)
            starts = self._look(time.monotonic())
            answers, self._answers = self._answers, answers
        for seat_key in starts:
            self._start_one(seat_key)
        for host in self._hosts:
            host.tell(host.counter.answers())
            self._watch(host)
        if answers:
            try:
                self._sink(answers)
            except Exception:
                _log.critical("the engine failed to take %d reports", len(answers), exc_info=True)

    def _ask(self, news: list[tuple[HostProcess, list[FromHost]]]) -> None:
        """Take to the engine what flows ask of it. The lock is not held: the engine calls ``submit``."""
        calls: list[Call] = []
        desk: Desk | None = None
        for host, heard in news:
            for message in heard:
                if isinstance(message, Calls):
                    calls.append(host.counter.called(message))
                elif isinstance(message, Anew):
                    host.counter.anew()
                elif isinstance(message, Wants):
                    host.tell([host.counter.wants(message)])
                elif isinstance(message, Leaves):
                    # A call that the flow made before must be there before its run is left.
                    desk = desk or self._desk()
                    if calls:
                        desk.call_all(calls)
                        calls = []
                    desk.leave(message.run, message.fault.error())
        if calls:
            (desk or self._desk()).call_all(calls)

    def _hear(self, host: HostProcess, news: list[FromHost]) -> None:
        """Take a host's other news in. The lock is held."""
        for message in news:
            if isinstance(message, Finished):
                ended = message.ended
                if host.answered(ended.id):
                    host.counter.over(ended.id)
                    self._answers.append(ended)
                    host.idle_since = time.monotonic()
            elif isinstance(message, Began):
                hosted = host.held.get(message.started.id)
                if hosted is not None:
                    self._answers.append(message.started)
                    self._expect(host, hosted, message.started.at)
            elif isinstance(message, Room):
                host.capacity = message.capacity
            elif isinstance(message, Hello):
                self._greet(host, message)
            elif not isinstance(message, Calls | Wants | Leaves | Anew) and message.shown.id in host.held:
                self._answers.append(message.shown)

    def _expect(self, host: HostProcess, hosted: Hosted, started_at: float) -> None:
        """Its host answers an attempt that ran too long; one that does not is stuck. The lock is held."""
        timeout_s = hosted.attempt.timeout_s
        if timeout_s is not None:
            left_s = timeout_s - (time.time() - started_at)
            host.kill_for(hosted, time.monotonic() + left_s + self._timeout_grace_s + MARGIN_S)

    def _greet(self, host: HostProcess, hello: Hello) -> None:
        """A host is ready: hand over what waits for it. The lock is held."""
        if hello.version != WIRE_VERSION:
            # The installation was replaced under this process.
            host.fault = (
                f"workers speak version {hello.version} of the wire and this process version "
                f"{WIRE_VERSION}: restart it to finish the upgrade"
            )
            host.kill()
            return
        host.ready = True
        host.idle_since = time.monotonic()
        if host.closing:
            return
        host.kill_at = 0.0
        seat = self._seats[host.key]
        seat.failed_starts = 0
        waiting, seat.waiting = seat.waiting, {}
        host.give(waiting.values())

    def _gone_quiet(self, host: HostProcess, dead: list[HostProcess]) -> None:
        """A host has closed its stream: it is about to end, or must."""
        self._selector.unregister(host.stream)
        if not host.closing:
            host.kill()
        if host.pidfd < 0:
            dead.append(host)

    def _bury(self, host: HostProcess) -> None:
        """A host is dead: answer for what it carried out. The lock is held."""
        host.kill()  # What is left of its group.
        exit_code = host.reap()
        for fd in (host.pidfd, host.stream.fileno()):
            if fd >= 0 and fd in self._selector.get_map():
                self._selector.unregister(fd)
        # What its flows still asked for has nobody left to wait for it; what had ended counts.
        self._hear(host, host.rest())
        self._answers += host.losses(exit_code)
        host.counter.close()
        self._hosts.remove(host)
        seat = self._seats.get(host.key)
        if seat is not None and seat.host is host:
            seat.host = None
            if not host.ready and not self._closing:
                words = host.last_words() or f"it ended with exit code {exit_code}"
                self._start_failed(seat, host.fault or f"a host of flows could not start: {words}")
        host.let_go()

    def _start_failed(self, seat: _Seat, what: str) -> None:
        """Try again a little later; when it keeps failing, answer what waits. The lock is held."""
        seat.failed_starts += 1
        seat.start_after = time.monotonic() + min(10.0, 0.05 * 2**seat.failed_starts)
        if seat.failed_starts >= STARTS_MAX:
            _log.error("%s", what)
            self._answers += [endings.unstarted(each.attempt, what) for each in seat.waiting.values()]
            seat.waiting.clear()

    def _look(self, now: float) -> list[_Key]:
        """End what is overdue or idle; returns the seats that need a host. The lock is held."""
        for host in self._hosts:
            if host.is_due(now):
                host.kill()
            elif host.idle and now - host.idle_since >= self._idle_s:
                self._close_down(host, 0.0)
        if self._closing:
            return []
        for key in [each for each, seat in self._seats.items() if not (seat.host or seat.waiting)]:
            if self._seats[key].start_after <= now:
                del self._seats[key]
        return [
            key
            for key, seat in self._seats.items()
            if seat.waiting and seat.host is None and seat.start_after <= now
        ]

    def _close_down(self, host: HostProcess, grace_s: float) -> None:
        """Have a host stop everything and exit; the next attempt gets another. The lock is held."""
        host.closing = True
        host.kill_at = time.monotonic() + grace_s + (MARGIN_S if host.held else _EXIT_GRACE_S)
        if not host.ready:
            host.kill()
            return
        host.tell([CloseDown(grace_s)])
        seat = self._seats.get(host.key)
        if seat is not None and seat.host is host:
            seat.host = None

    def _patience(self) -> float | None:
        """Seconds until there is something to do without being told; ``None``: for ever."""
        with self._lock:
            until = float("inf")
            now = time.monotonic()
            for host in self._hosts:
                until = min(until, host.next_due(self._idle_s))
            if not self._closing:
                empty = [seat.start_after for seat in self._seats.values() if seat.host is None]
                until = min([until, *empty])
            if self._answers:
                return 0.0
        return None if until == float("inf") else max(0.0, until - now)

    def _start_one(self, key: _Key) -> None:
        """Start a host. The lock is not held: starting takes milliseconds."""
        self._started_total += 1
        setup = HostSetup(
            worker=f"host-{os.getpid()}-{self._started_total}",
            home=str(self._home),
            artifacts=str(self._artifacts),
            project=key[0],
            path=tuple(each or os.getcwd() for each in sys.path),
            executor=self._executor,
            threads=self._threads,
            suspend_after_s=self._suspend_after_s,
            grace_s=self._timeout_grace_s,
            resources=self._resources,
        )
        try:
            host = HostProcess(setup, Counter(self._desk(), self._ring), key)
        except ExecutorError as exc:
            with self._lock:
                self._start_failed(self._seats[key], exc.what)
            return
        self._selector.register(host.stream, selectors.EVENT_READ, host)
        if host.pidfd >= 0:
            self._selector.register(host.pidfd, selectors.EVENT_READ, host)
        with self._lock:
            self._hosts.append(host)
            self._seats[key].host = host
            if self._closing:
                self._close_down(host, 0.0)

    def _watch(self, host: HostProcess) -> None:
        """Be told of room in a host's stream while something waits for it."""
        key = self._selector.get_map().get(host.stream.fileno())
        if key is not None:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if host.blocked else 0)
            if key.events != events:
                self._selector.modify(host.stream, events, host)

    def _abandon(self) -> None:
        """Kill everything and answer everything, after a fault of our own."""
        with self._lock:
            self._closing = True
            for host in self._hosts:
                host.kill()
                host.reap()
                self._answers += [
                    endings.unstarted(each.attempt, "the thread executor failed")
                    for each in host.held.values()
                ]
                host.let_go()
            self._hosts.clear()
            for seat in self._seats.values():
                self._answers += [
                    endings.unstarted(each.attempt, "the thread executor failed")
                    for each in seat.waiting.values()
                ]
            answers, self._answers = self._answers, []
        self._sink(answers)
