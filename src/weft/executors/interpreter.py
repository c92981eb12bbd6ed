"""One worker process as its executor sees it: started, given work, asked to stop, killed, buried.

Only mechanics live here; ``process.py`` decides. How work and answers travel, and why nothing can be lost
between the two processes, is told in ``wire/channel.py`` and ``runtime/worker.py``.
"""

import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from weft.executors.spawned import Spawned
from weft.model.attempts import Attempt, AttemptId
from weft.model.errors import ExecutorError
from weft.wire.cells import NUMBER_MASK, Cells, shared_page
from weft.wire.channel import DATAGRAM_MAX, STOP, TOKEN
from weft.wire.frames import HEADER, FrameReader, frame
from weft.wire.memory import unnamed_file
from weft.wire.messages import Message, Setup, decode_message, encode

_DATAGRAMS = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
_SEND_BUFFER = 1 << 20  # The kernel lowers it to its own limit.


class Held:
    """An attempt that the executor has taken on and not yet answered.

    Attributes:
        attempt: As submitted.
        data: The attempt, encoded.
        project: Folder of the project whose workers carry it out.
        interpreter: Where it was sent; ``None`` while it is queued.
        number: As the worker knows it.
        expected_s: How long it was expected to take, when it was sent.
        said: Whether ``Started`` was reported.
        asked: Why it has been asked to stop: 0, ``TIMED_OUT`` or ``CANCELLED``.
        asked_at: When, Unix seconds.
        kill_at: When asking ends, ``time.monotonic``.
        gone: Answered while it was still queued.
    """

    __slots__ = (
        "asked",
        "asked_at",
        "attempt",
        "data",
        "expected_s",
        "gone",
        "interpreter",
        "kill_at",
        "number",
        "project",
        "said",
    )

    def __init__(self, attempt: Attempt, data: bytes, project: str = "") -> None:
        self.attempt = attempt
        self.project = project
        self.data = data
        self.interpreter: Interpreter | None = None
        self.number = 0
        self.expected_s = 0.0
        self.said = False
        self.asked = 0
        self.asked_at = 0.0
        self.kill_at = 0.0
        self.gone = False

    @property
    def id(self) -> AttemptId:
        """The attempt's id."""
        return self.attempt.id


class Interpreter(Spawned):
    """A worker process. It belongs to one project: two may have different modules of one name.

    Args:
        setup: What it is told first; ``setup.worker`` is its name and ``setup.project`` its project.

    Raises:
        ExecutorError: It could not be started.

    Attributes:
        project: Folder of the only project whose attempts it is given.
        held: What was sent to it and is not answered, by number, oldest first. At most the first one runs.
        ready: Whether it has said hello.
        ready_at: Since when (``time.monotonic``).
        long: Whether the attempt it runs has proved long, so that nothing should be sent behind it.
        backlog_s: How long what it holds is expected to take.
        given: Attempts sent to it and not taken back, ever.
        draining: Whether it is given nothing for now, so that it may make room for another project.
        retiring: Whether it gets no more work and exits once it has none.
        kill_at: When its hello, or the exit it was asked for, is no longer waited for; 0: none is.
        fault: What is wrong with it, if that is known.
    """

    def __init__(self, setup: Setup) -> None:
        self.project = setup.project
        self.held: dict[int, Held] = {}
        self.ready = False
        self.ready_at = 0.0
        self.long = False
        self.backlog_s = 0.0
        self.given = 0
        self.draining = False
        self.retiring = False
        self.kill_at = 0.0
        self.fault = ""
        self._number = 0
        self._bytes = 0
        self._inbox, inbox = socket.socketpair(socket.AF_UNIX, _DATAGRAMS)
        self._tokens, self._tokens_end = socket.socketpair()
        self._reports, reports = socket.socketpair()
        cells = shared_page()
        self._cells = Cells(cells)
        self._reader = FrameReader(self._reports)
        self._inbox.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._inbox.setblocking(False)
        self._tokens.setblocking(False)
        try:
            self._send(frame(0, encode(setup)))
            super().__init__(
                "weft.runtime.worker",
                setup.worker,
                Path(setup.home),
                (inbox.fileno(), self._tokens_end.fileno(), reports.fileno(), cells),
                (self._inbox, self._tokens, self._tokens_end, self._reports),
            )
        except ExecutorError:
            self._cells.close()
            raise
        finally:
            inbox.close()
            reports.close()
            os.close(cells)

    def __repr__(self) -> str:
        return f"<Interpreter {self.name} pid {self.pid} holding {len(self.held)}>"

    @property
    def takes_more(self) -> bool:
        """Whether it may be sent work."""
        return self.ready and not (self.retiring or self.long or self.draining)

    @property
    def idle_since(self) -> float:
        """About when it was last busy; for one that holds nothing."""
        return max(self.ready_at, self._cells.begun()[1])

    @property
    def reports(self) -> socket.socket:
        """What to watch for news."""
        return self._reports

    def give(self, batch: Sequence[Held]) -> int:
        """Send attempts, without waiting.

        Returns:
            How many were sent, from the first on; fewer than all if there was no room.
        """
        done, total = 0, len(batch)
        while done < total:
            parts: list[bytes] = []
            numbers: list[int] = []
            size, number = 0, self._number
            for held in batch[done:]:
                length = len(held.data) + HEADER.size
                if parts and size + length > DATAGRAM_MAX:
                    break
                number = number % NUMBER_MASK + 1
                numbers.append(number)
                parts += HEADER.pack(len(held.data), number), held.data
                size += length
            self._number = number  # Even if it fails: a number is never used for two attempts.
            try:
                self._send(b"".join(parts))
                self._tokens.send(b"".join(map(TOKEN.pack, numbers)))
            except BlockingIOError:
                if not self.held and not done:
                    self._tokens.send(TOKEN.pack(0))  # The inbox is full of what was taken back.
                break
            except OSError:
                break  # The process has just died, which the executor is about to be told.
            for number, held in zip(numbers, batch[done : done + len(numbers)], strict=True):
                held.number = number
                held.interpreter = self
                self.held[number] = held
                self.backlog_s += held.expected_s
                self._bytes += len(held.data)
            done += len(numbers)
        self.given += done
        return done

    def _send(self, data: bytes) -> None:
        if len(data) <= DATAGRAM_MAX:
            self._inbox.send(data)
            return
        fd = _spill(data)
        try:
            socket.send_fds(self._inbox, [b"\0"], [fd])
        finally:
            os.close(fd)

    @property
    def room(self) -> int:
        """Bytes that may be sent ahead of what it holds."""
        return 2 * DATAGRAM_MAX - self._bytes

    def take_back(self) -> list[Held]:
        """Everything that was sent and has not begun, in order. The worker can no longer begin it."""
        taken: list[Held] = []
        while True:
            try:
                data = self._tokens_end.recv(1 << 16, socket.MSG_DONTWAIT)
            except OSError:
                return taken
            if not data:
                return taken
            for (number,) in TOKEN.iter_unpack(data):
                held = self.forget(number)
                if held is not None:
                    held.interpreter = None
                    self.given -= 1
                    taken.append(held)

    def forget(self, number: int) -> Held | None:
        """It no longer holds this attempt."""
        held = self.held.pop(number, None)
        if held is not None:
            self._bytes -= len(held.data)
            self.backlog_s = self.backlog_s - held.expected_s if self.held else 0.0
        return held

    def running(self) -> tuple[Held, float] | None:
        """The attempt that it runs as far as one can see, and since when (``time.monotonic``)."""
        number, since = self._cells.begun()
        held = self.held.get(number)
        return None if held is None else (held, since)

    def ask_to_stop(self, held: Held, reason: int, *, grace_s: float) -> None:
        """Interrupt this attempt if it runs; whoever calls this kills the process at ``held.kill_at``."""
        held.asked = reason
        held.asked_at = time.time()
        held.kill_at = time.monotonic() + grace_s
        self._cells.stop(held.number, reason)
        os.kill(self.pid, STOP)  # The process is not reaped before ``reap``, so the number is still its own.

    def retire(self, *, grace_s: float) -> None:
        """Let it exit once it has done what it holds."""
        if not self.retiring:
            self.retiring = True
            self._tokens.shutdown(socket.SHUT_WR)  # Reaches the worker even if a fork holds a copy.
            self.kill_at = time.monotonic() + grace_s

    def read(self) -> list[tuple[int, Message]] | None:
        """News; ``None`` when there can be no more, or it does not speak our language."""
        frames = self._reader.read()
        if frames is None:
            return None
        try:
            return [(number, decode_message(payload)) for number, payload in frames]
        except msgspec.MsgspecError:
            return None

    def rest(self) -> list[tuple[int, Message]]:
        """The last news of a process that is dead."""
        try:
            return [(number, decode_message(payload)) for number, payload in self._reader.rest()]
        except msgspec.MsgspecError:
            return []

    def close(self) -> None:
        """Let go of everything; last of all."""
        self.let_go()
        self._cells.close()


def _spill(data: bytes) -> int:
    """The descriptor of an unnamed file with this content."""
    fd = unnamed_file()
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd
