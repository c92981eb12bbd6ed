"""The main of a worker process: take an attempt, carry it out, say what became of it, again.

Rules, and why:

1. One thread. User code may fork without Python's warning about threads, and no lock of ours can be held
   while user code runs. What another thread would be for, the kernel does:
2. Work comes ahead of permission. Attempts arrive in datagrams, several at once; an attempt begins only
   after its number was read from the token stream. The executor holds that stream's reading end too, so it
   takes an attempt back by reading the token first. The kernel gives each token to one of the two, whatever
   user code does meanwhile, even if it keeps the interpreter's lock for an hour.
3. What happened is sent before the next token is read, so a dead worker owes one answer at most.
4. The process leads a group of its own. When the executor's process ends, in whatever way, the kernel kills
   the whole group (``lifeline.py``).
5. To stop an attempt, the executor writes its number beside the one that runs and sends ``STOP``. The
   handler raises inside user code if the two agree. What does not listen is killed from outside. What does
   may leave children behind: then the process kills its group, itself included, once the answer is sent.

Coroutine functions run one at a time, each in an event loop of its own. A process that user code forks must
not return into Weft: one that does ends there.
"""

import faulthandler
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import FrameType
from typing import Any

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.model.attempts import Attempt, Ended, Shown
from weft.model.errors import TaskCancelled, TaskTimeout
from weft.model.states import TaskState
from weft.runtime import resources
from weft.runtime.failure import named
from weft.runtime.lifeline import die_with
from weft.runtime.load import put_first, script
from weft.runtime.logs import FdCapture
from weft.runtime.runner import Runner
from weft.runtime.signals import Cancelled, Interrupt, TimedOut
from weft.wire.cells import Cells
from weft.wire.channel import DATAGRAM_MAX, STOP, TIMED_OUT, TOKEN
from weft.wire.frames import frame, split
from weft.wire.messages import (
    WIRE_VERSION,
    Hello,
    Message,
    Over,
    Setup,
    Showed,
    decode_attempt,
    decode_setup,
    encode,
)


class Worker:
    """One process's state: its ends of the channel, and which attempt runs."""

    def __init__(
        self,
        inbox: socket.socket,
        tokens: socket.socket,
        reports: socket.socket,
        cells: Cells,
        lifeline: int,
    ) -> None:
        self._inbox = inbox
        self._tokens = tokens
        self._reports = reports
        self._cells = cells
        self._lifeline = lifeline
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._buffer = bytearray(DATAGRAM_MAX)
        self._running = 0
        self._stopped = False
        self._forked = False
        self._saying = threading.Lock()
        os.register_at_fork(after_in_child=self._in_fork)

    def serve(self) -> None:
        """Work until the executor closes the tokens."""
        setup = decode_setup(self._work(0))
        runner = self._runner(setup)
        signal.signal(STOP, self._on_stop)
        self._say(0, Hello(WIRE_VERSION))
        while token := self._tokens.recv(TOKEN.size):
            begun_at = time.monotonic()
            (number,) = TOKEN.unpack(token)
            if number == 0:
                self._make_room()
                continue
            modules = len(sys.modules)
            self._cells.begin(number)
            ended = self._carry_out(runner, number)
            if self._forked:
                os._exit(0)
            self._say(number, Over(ended, time.monotonic() - begun_at))
            if self._stopped:
                self._stopped = False
                # A stop that struck in the middle of an import leaves modules half made: nothing that runs
                # here afterwards could be trusted.
                if len(sys.modules) != modules or _has_company():
                    os.killpg(os.getpgrp(), signal.SIGKILL)

    def _runner(self, setup: Setup) -> Runner:
        home = Path(setup.home)
        sys.path[:] = setup.path
        if setup.project:
            put_first(setup.project)
        if setup.resources:
            source = resources.SocketSource(setup.resources)
            resources.set_source(lambda: source)
        if setup.main_file is not None:
            _stand_in_for_main(setup.main_file)
        capture = FdCapture(home, setup.worker)
        capture.install()
        return Runner(
            Artifacts(FileBlobs(Path(setup.artifacts))),
            home,
            setup.worker,
            capture,
            show=self._show,
            own_process=True,
        )

    def _carry_out(self, runner: Runner, number: int) -> Ended:
        attempt = decode_attempt(self._work(number))
        started_at = time.time()
        ended = None
        try:
            self._running = number
            if self._cells.stopped(number):
                self._on_stop(STOP, None)
            ended = runner.run(attempt)
            self._running = 0
        except Interrupt as exc:
            # It struck in Weft's own code around the user's: before it began, or when it was over already.
            return ended or _interrupted(attempt, exc, started_at)
        return ended

    def _on_stop(self, signum: int, stack: FrameType | None) -> None:
        number, self._running = self._running, 0
        reason = self._cells.stopped(number) if number else 0
        if reason:
            self._stopped = True
            raise TimedOut if reason == TIMED_OUT else Cancelled
        self._running = number

    def _work(self, number: int) -> bytes:
        """The frame of this number; earlier ones were taken back."""
        while True:
            while self._waiting:
                at, payload = self._waiting.popleft()
                if at == number:
                    return payload
            self._receive()

    def _make_room(self) -> None:
        """Empty the inbox. What is in it may have been taken back, which the next number will tell."""
        while select.select([self._inbox], [], [], 0)[0]:
            self._receive()

    def _receive(self) -> None:
        """Wait for a datagram and keep its frames."""
        size, ancillary, _, _ = self._inbox.recvmsg_into([self._buffer], socket.CMSG_SPACE(4))
        if not size:
            raise EOFError("the executor closed the inbox")
        for _, _, data in ancillary:
            with os.fdopen(int.from_bytes(data[:4], sys.byteorder), "rb") as spilled:
                spilled.seek(0)
                self._waiting.extend(split(memoryview(spilled.read())))
        if not ancillary:
            self._waiting.extend(split(memoryview(self._buffer)[:size]))

    def _show(self, shown: Shown) -> None:
        if self._forked:
            return
        if threading.current_thread() is not threading.main_thread():
            self._say(self._running, Showed(shown))
            return
        # A stop must not strike while half a frame is out.
        running, self._running = self._running, 0
        self._say(running, Showed(shown))
        self._running = running
        if self._cells.stopped(running):
            self._on_stop(STOP, None)

    def _say(self, number: int, message: Message) -> None:
        data = frame(number, encode(message))
        with self._saying:  # User code may publish from threads of its own.
            self._reports.sendall(data)

    def _in_fork(self) -> None:
        """A forked child must not hold the channel open, nor speak on it."""
        self._forked = True
        self._running = 0
        for sock in (self._inbox, self._tokens, self._reports):
            sock.close()
        os.close(self._lifeline)


def _interrupted(attempt: Attempt, exc: Interrupt, started_at: float) -> Ended:
    """The executor knows why it stopped the attempt and fills that in."""
    state = TaskState.FAILED if isinstance(exc, TimedOut) else TaskState.CANCELLED
    error = named(TaskTimeout if state is TaskState.FAILED else TaskCancelled, "it was stopped", exc)
    return Ended(attempt.id, state, error=error, started_at=started_at, ended_at=time.time())


def _has_company() -> bool:
    """Whether other processes are in this one's group, or might be."""
    group = os.getpgrp()
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return True
    for pid in pids:
        try:
            if pid != group and os.getpgid(pid) == group:
                return True
        except (ProcessLookupError, PermissionError):
            pass
    return not pids


def _stand_in_for_main(path: str) -> None:
    """Let ``__main__.name``, as in a pickle, load the script that is ``__main__`` to the executor."""

    def find(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module '__main__' has no attribute {name!r}")
        return getattr(script(path), name)

    sys.modules["__main__"].__dict__["__getattr__"] = find


def main(arguments: list[str]) -> None:
    """Run a worker on the descriptors named in ``arguments``, as ``executors/interpreter.py`` passes them."""
    inbox, tokens, reports, cells, lifeline = map(int, arguments)
    die_with(lifeline)
    for fd in (inbox, tokens, reports, cells, lifeline):
        os.set_inheritable(fd, False)
    faulthandler.enable()
    worker = Worker(
        socket.socket(fileno=inbox),
        socket.socket(fileno=tokens),
        socket.socket(fileno=reports),
        Cells(cells),
        lifeline,
    )
    os.close(cells)
    gc.freeze()  # What is loaded now stays: spare the collector, and the pages that forks share.
    try:
        worker.serve()
    except (EOFError, ConnectionError):
        pass  # The executor went away or closed between two attempts.
