"""The ``process`` executor: attempts in a pool of warm, supervised interpreters on this machine.

Rules, and why:

1. A worker runs one attempt at a time, so a crash, a kill or a limit touches that one only. What was sent
   ahead of it is taken back and given to others.
2. Work is sent ahead only by experience: a few milliseconds of it for each worker, nothing behind a task that
   is unknown or long (``backlog.py``). An attempt that proves long loses what waits behind it at the next
   look.
3. ``submit`` writes to idle workers itself, because handing the work to another thread would cost more than
   a trivial task. Everything else happens in one thread, which alone hears workers, starts and buries them,
   and calls the sink; it never waits for any of them.
4. Every attempt stays in ``_held`` until its ``Ended`` is on its way to the sink, and each way out of there
   removes it under the lock: exactly one answer.
5. Time counts from the moment the attempt began in its worker. A stop is first asked for: an exception inside
   user code. After the grace the worker's whole process group is killed. Children of an attempt that was
   stopped die with it either way; those left over by one that ended by itself are left alone as long as
   their worker lives. A child that started a session or group of its own (``setsid``) is out of reach.

6. A worker belongs to one project, because two may have modules of the same names. ``staffing.py`` shares
   the pool out.

When this process ends, in whatever way, the kernel kills every worker's group.
"""

import logging
import os
import selectors
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from weft.executors import endings
from weft.executors.backlog import Backlog
from weft.executors.interpreter import Held, Interpreter
from weft.executors.protocol import Sink
from weft.executors.staffing import RETIRE_GRACE_S, Staffing
from weft.model.attempts import Attempt, AttemptId, Ended, Report, Started
from weft.model.errors import ExecutorError
from weft.runtime.logs import adopt
from weft.wire.channel import CANCELLED, TIMED_OUT
from weft.wire.messages import WIRE_VERSION, Hello, Message, Over, Setup, encode

LONG_S = 0.02
"""An attempt that runs longer has nothing wait behind it."""
STARTED_S = 0.05
LOOK_S = 0.025
"""How often running attempts are looked at, while there is something to see."""
LINGER_S = 1.0
"""How long looking goes on when nothing runs, so that a chain of short tasks need not wake the thread."""
GATHER_S = 0.0005
"""While workers have enough ahead of them, answers are gathered for so long before they are read."""
KILL_AGAIN_S = 1.0
"""A process that waits inside the kernel may take a while to die."""
START_S_MAX = 60.0

_log = logging.getLogger("weft.executors.process")


class ProcessExecutor:
    """Carries out attempts in worker processes.

    Args:
        home: Folder of the state; logs go below it.
        artifacts: Folder of the artifact store.
        workers: Processes at most; by default one for each CPU. They start when there is work for them.
        project: Folder of the user's code, for attempts that name none.
        main_file: The script that runs as ``__main__`` here, so that values of its classes open in workers.
        recycle_after: Attempts after which a worker is replaced; ``None``: never.
        timeout_grace_s: How long an attempt past its timeout may take to stop before its process is killed.
    """

    name = "process"
    durable = False

    def __init__(
        self,
        home: Path,
        artifacts: Path,
        *,
        workers: int | None = None,
        project: str = "",
        main_file: str | None = None,
        recycle_after: int | None = None,
        resources: str = "",
        timeout_grace_s: float = 2.0,
    ) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._home = home
        self._artifacts = artifacts
        self._project = project
        self._main_file = main_file
        self._recycle_after = recycle_after
        self._resources = resources
        self._timeout_grace_s = timeout_grace_s
        self._lock = threading.Lock()
        self._held: dict[AttemptId, Held] = {}
        self._backlog = Backlog(recycle_after=recycle_after)
        self._answers: list[Report] = []
        self._interpreters: list[Interpreter] = []
        self._staffing = Staffing(self.workers)
        self._started_total = 0
        self._closing = False
        self._grace_s = 0.0
        self._asleep_until = 0.0
        self._active_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self, sink: Sink) -> None:
        """Make ready to take attempts; workers start when there is work. Raises ``ExecutorError``."""
        if not sys.executable:
            raise ExecutorError(
                "this Python does not know its own executable",
                hint="use the thread executor in embedded Pythons",
            )
        if self._thread is not None:
            raise ExecutorError("the executor has been started already")
        self._sink = sink
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="weft-process-executor", daemon=True)
        self._thread.start()

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Carry these out. Idle workers get theirs from this thread at once. Raises ``ExecutorError``."""
        taken: list[Held] = []
        refused: list[Report] = []
        for attempt in attempts:
            try:
                taken.append(Held(attempt, encode(attempt), attempt.project or self._project))
            except Exception as exc:  # Whatever a user's object raises when it is encoded.
                refused.append(endings.unsendable(attempt, exc))
        with self._lock:
            if self._thread is None or self._closing:
                raise ExecutorError(
                    "the process executor is not running", hint="it was closed, or never started"
                )
            for held in taken:
                if held.id not in self._held:
                    self._held[held.id] = held
                    self._backlog.add(held)
            self._answers += refused
            self._backlog.deal(self._interpreters)
            now = time.monotonic()
            self._active_at = now
            wake = self._asleep_until > now + LOOK_S or (
                self._asleep_until > 0 and (self._answers or self._missing(now))
            )
        if wake:
            self._wake()

    def cancel(self, ids: Iterable[AttemptId], *, grace_s: float = 5.0) -> None:
        """Ask each to stop, and after ``grace_s`` kill its worker's process group."""
        with self._lock:
            found = [held for each in ids if (held := self._held.get(each)) is not None]
            if not found:
                return
            back: list[Held] = []
            for interpreter in {held.interpreter for held in found if held.interpreter is not None}:
                back += interpreter.take_back()
            for held in found:
                if held.interpreter is None:
                    held.gone = True
                    self._answer(held, endings.cancelled(held.attempt))
                elif not held.asked:
                    held.interpreter.ask_to_stop(held, CANCELLED, grace_s=grace_s)
            self._backlog.put_back(back)
            self._backlog.deal(self._interpreters)
        self._wake()

    def capacity(self) -> int:
        """The workers and about 20 ms of work for them."""
        return self.workers + self._backlog.pace.backlog(self.workers)

    def reattach(self, ids: Iterable[AttemptId]) -> set[AttemptId]:
        """Those that an engine of this same process submitted and that are not answered yet."""
        with self._lock:
            return {each for each in ids if each in self._held}

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop everything: what runs is asked to stop and killed after ``grace_s``. All is answered."""
        with self._lock:
            thread = self._thread
            if thread is None:
                self._closing = True
                return
            if not self._closing:
                self._closing = True
                self._grace_s = grace_s
                for interpreter in self._interpreters:
                    self._backlog.put_back(interpreter.take_back())
                    for held in interpreter.held.values():
                        if not held.asked:
                            interpreter.ask_to_stop(held, CANCELLED, grace_s=grace_s)
                        held.kill_at = min(held.kill_at, time.monotonic() + grace_s)
                for held in self._backlog.clear():
                    self._answer(held, endings.cancelled(held.attempt))
        self._wake()
        if thread is not threading.current_thread():
            thread.join()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except OSError:
            pass  # Full: it wakes anyway. Closed: nobody is left to wake.

    # From here to the end of the class: the executor's thread, or the lock held, as each says.

    def _run(self) -> None:
        try:
            while not (self._closing and not self._interpreters and not self._answers):
                self._turn()
        except Exception:
            _log.critical("the process executor's thread failed; its attempts are lost", exc_info=True)
            self._abandon()
        finally:
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _turn(self) -> None:
        """Hear what happened, act on it, tell the sink."""
        news: list[tuple[Interpreter, list[tuple[int, Message]]]] = []
        dead: list[Interpreter] = []
        for key, _ in self._selector.select(self._patience()):
            interpreter = key.data
            if interpreter is None:
                os.read(self._wake_read, 4096)
            elif key.fd == interpreter.pidfd:
                dead.append(interpreter)
            elif (heard := interpreter.read()) is not None:
                news.append((interpreter, heard))
            else:
                self._selector.unregister(key.fd)
                if self._closing or not interpreter.retiring:
                    interpreter.kill()  # If it still lives, it can report nothing any more.
                if interpreter.pidfd < 0:
                    dead.append(interpreter)
        with self._lock:
            self._asleep_until = 0.0
            for interpreter, heard in news:
                self._hear(interpreter, heard)
            for interpreter in dead:
                self._bury(interpreter)
            now = time.monotonic()
            self._look(now)
            starts: list[str] = []
            if not self._closing:
                starts = self._staffing.settle(self._interpreters, self._backlog, now)
                self._backlog.deal(self._interpreters)
            answers, self._answers = self._answers, []
            backlogs = [each.backlog_s for each in self._interpreters if each.held] if news else []
            gather = bool(backlogs) and min(backlogs) > 2 * GATHER_S
        for project in starts:
            self._start_one(project)
        if answers:
            self._active_at = now
            self._tell(answers)
        if gather:
            time.sleep(GATHER_S)

    def _tell(self, answers: list[Report]) -> None:
        try:
            self._sink(answers)
        except Exception:
            _log.critical("the engine failed to take %d reports", len(answers), exc_info=True)

    def _patience(self) -> float | None:
        """Seconds until there is something to do without being told; ``None``: for ever."""
        with self._lock:
            now = time.monotonic()
            if self._answers or self._missing(now):
                return 0.0
            until = self._next_look(now)
            self._asleep_until = until
            return None if until == float("inf") else max(0.0, until - now)

    def _next_look(self, now: float) -> float:
        """When something happens that no descriptor tells. The lock is held."""
        until = now + LOOK_S if self._closing or now - self._active_at < LINGER_S else float("inf")
        if self._backlog:
            until = min(until, self._staffing.next_try(self._backlog, now))
            if self._staffing.claims:
                until = min(until, now + LOOK_S)
        for interpreter in self._interpreters:
            if interpreter.kill_at:
                until = min(until, interpreter.kill_at)
            if not interpreter.held:
                if self._backlog and interpreter.ready:
                    until = min(until, now + LOOK_S)  # There was no room to give it work.
                continue
            running = interpreter.running()
            if running is None:
                until = min(until, now + LOOK_S)
                continue
            held, since = running
            if not held.said or len(interpreter.held) > 1:
                until = min(until, now + LOOK_S)
            if held.asked:
                until = min(until, held.kill_at)
            elif held.attempt.timeout_s is not None:
                until = min(until, since + held.attempt.timeout_s)
        return until

    def _look(self, now: float) -> None:
        """See what runs, and for how long already. The lock is held."""
        for interpreter in self._interpreters:
            if interpreter.kill_at and now >= interpreter.kill_at:
                if not interpreter.ready:
                    interpreter.fault = f"a worker process was not ready after {START_S_MAX:g} s"
                interpreter.kill()
                interpreter.kill_at = 0.0
            if self._closing and not interpreter.held:
                if interpreter.ready:
                    interpreter.retire(grace_s=self._grace_s)
                else:
                    interpreter.kill()
            running = interpreter.running() if interpreter.held else None
            if running is None:
                continue
            held, since = running
            ran_s = now - since
            if ran_s > LONG_S:
                interpreter.long = True
                if len(interpreter.held) > 1:
                    self._backlog.put_back(interpreter.take_back())
            if ran_s > STARTED_S and not held.said:
                held.said = True
                self._answers.append(Started(held.id, time.time() - ran_s, interpreter.name))
            if held.asked:
                if now >= held.kill_at:
                    interpreter.kill()
                    held.kill_at = now + KILL_AGAIN_S
            elif held.attempt.timeout_s is not None and ran_s >= held.attempt.timeout_s:
                interpreter.ask_to_stop(held, TIMED_OUT, grace_s=self._timeout_grace_s)

    def _hear(self, interpreter: Interpreter, news: list[tuple[int, Message]]) -> None:
        """Take a worker's news in. The lock is held."""
        for number, message in news:
            if isinstance(message, Over):
                held = interpreter.forget(number)
                if held is None:
                    continue
                interpreter.long = False
                self._backlog.pace.learn(held.attempt, message.spent_s)
                self._answer(held, _verdict(held, message.ended))
            elif isinstance(message, Hello):
                if message.version != WIRE_VERSION:
                    # The installation was replaced under this process.
                    interpreter.fault = (
                        f"workers speak version {message.version} of the wire and this process version "
                        f"{WIRE_VERSION}: restart it to finish the upgrade"
                    )
                    interpreter.kill()
                    continue
                interpreter.ready = True
                interpreter.ready_at = time.monotonic()
                interpreter.kill_at = 0.0
                self._staffing.succeeded(interpreter.project)
            elif number in interpreter.held:
                self._answers.append(message.shown)
        if (
            self._recycle_after is not None
            and interpreter.given >= self._recycle_after
            and not interpreter.held
        ):
            interpreter.retire(grace_s=RETIRE_GRACE_S)

    def _answer(self, held: Held, ended: Ended) -> None:
        """The one answer of an attempt. The lock is held."""
        if self._held.pop(held.id, None) is not None:
            self._answers.append(ended)

    def _bury(self, interpreter: Interpreter) -> None:
        """A worker is dead: answer for what it ran, take back the rest. The lock is held."""
        if self._closing or not interpreter.retiring:
            interpreter.kill()  # What is left of its group.
        exit_code = interpreter.reap()
        for fd in (interpreter.pidfd, interpreter.reports.fileno()):
            if fd >= 0 and fd in self._selector.get_map():
                self._selector.unregister(fd)
        self._hear(interpreter, interpreter.rest())
        self._backlog.put_back(interpreter.take_back())
        for held in list(interpreter.held.values()):
            self._answer(held, self._loss(interpreter, held, exit_code))
        self._interpreters.remove(interpreter)
        if not interpreter.ready and not self._closing:
            words = interpreter.last_words() or f"it ended with exit code {exit_code}"
            what = interpreter.fault or f"a worker process could not start: {words}"
            self._start_failed(interpreter.project, what)
        interpreter.close()
        staffed = {each.project for each in self._interpreters}
        self._staffing.forget(self._backlog.forget_idle(staffed))

    def _loss(self, interpreter: Interpreter, held: Held, exit_code: int) -> Ended:
        running = interpreter.running()
        ran_s = time.monotonic() - running[1] if running is not None and running[0] is held else 0.0
        ended = endings.lost(
            held.attempt,
            exit_code,
            worker=interpreter.name,
            started_at=time.time() - ran_s,
            log_size=adopt(interpreter.live, held.attempt),
        )
        if held.asked:
            return endings.stopped(held.attempt, ended, timed_out=held.asked == TIMED_OUT, killed=True)
        return ended

    def _missing(self, now: float) -> bool:
        """Whether a worker should be started. The lock is held."""
        return not self._closing and self._staffing.missing(self._interpreters, self._backlog, now)

    def _start_one(self, project: str) -> None:
        """Start a worker. The lock is not held: starting takes milliseconds."""
        self._started_total += 1
        setup = Setup(
            worker=f"{os.getpid()}-{self._started_total}",
            home=str(self._home),
            artifacts=str(self._artifacts),
            project=project,
            main_file=self._main_file,
            path=tuple(each or os.getcwd() for each in sys.path),
            resources=self._resources,
        )
        try:
            interpreter = Interpreter(setup)
        except (ExecutorError, OSError) as exc:
            with self._lock:
                self._start_failed(
                    project, getattr(exc, "what", None) or f"a worker cannot be started: {exc}"
                )
            return
        interpreter.kill_at = time.monotonic() + START_S_MAX
        self._selector.register(interpreter.reports, selectors.EVENT_READ, interpreter)
        if interpreter.pidfd >= 0:
            self._selector.register(interpreter.pidfd, selectors.EVENT_READ, interpreter)
        with self._lock:
            self._interpreters.append(interpreter)

    def _start_failed(self, project: str, what: str) -> None:
        """Try again a little later; when it keeps failing, answer what waits. The lock is held."""
        self._staffing.failed(project, time.monotonic())
        if self._staffing.hopeless(project, self._interpreters):
            _log.error("%s", what)
            for held in self._backlog.clear(project):
                self._answer(held, endings.unstarted(held.attempt, what))

    def _abandon(self) -> None:
        """Kill everything and answer everything, after a fault of our own."""
        with self._lock:
            self._closing = True
            for interpreter in self._interpreters:
                interpreter.kill()
                interpreter.reap()
                interpreter.close()
            self._interpreters.clear()
            for held in list(self._held.values()):
                self._answer(held, endings.unstarted(held.attempt, "the process executor failed"))
            answers, self._answers = self._answers, []
        self._tell(answers)


def _verdict(held: Held, ended: Ended) -> Ended:
    """What a worker reported, unless the attempt was to stop before it ended."""
    if not held.asked or ended.ended_at <= held.asked_at:
        return ended
    return endings.stopped(held.attempt, ended, timed_out=held.asked == TIMED_OUT)
