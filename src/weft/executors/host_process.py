"""One host of flows as its executor sees it: a process of one project, its stream, what it carries out.

Only mechanics live here; ``hosted.py`` decides.
"""

import socket
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from weft.executors import endings
from weft.executors.desk import Counter
from weft.executors.spawned import Spawned
from weft.model.attempts import Attempt, AttemptId, Ended
from weft.model.errors import ExecutorError
from weft.runtime.logs import log_path
from weft.wire.frames import FrameReader, FrameWriter
from weft.wire.hosting import Carry, FromHost, HostSetup, ToHost, decode_from_host, encode

START_S_MAX = 60.0


class Hosted:
    """An attempt that the executor has taken on and not yet answered.

    Attributes:
        attempt: As submitted.
        data: The message that hands it over; dropped once it is sent.
        cancelled: Whether it has been asked to stop.
        kill_at: When its whole process is killed, because it did not even answer; see ``kill_for``.
        overdue: Whether that has come.
    """

    __slots__ = ("attempt", "cancelled", "data", "kill_at", "overdue")

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.data = encode(Carry(attempt))
        self.cancelled = False
        self.kill_at = 0.0
        self.overdue = False


class HostProcess(Spawned):
    """A host.

    Args:
        setup: What it is told first.
        counter: Takes its requests to the engine.
        key: Its project, and whether it is for flows or for tasks.

    Raises:
        ExecutorError: It could not be started.

    Attributes:
        held: What it carries out, by id.
        ready: Whether it has said hello.
        closing: Whether it was asked to exit.
        capacity: How many attempts it wants to hold; 0 while it has not said.
        idle_since: When it last had anything to do (``time.monotonic``).
        kill_at: When its hello, or its exit, is no longer waited for; 0: none is.
        fault: What is wrong with it, if that is known.
    """

    def __init__(self, setup: HostSetup, counter: Counter, key: tuple[str, bool]) -> None:
        self.key = key
        self.counter = counter
        self.held: dict[AttemptId, Hosted] = {}
        self._watched: dict[AttemptId, Hosted] = {}
        self.ready = False
        self.closing = False
        self.capacity = 0
        self.idle_since = 0.0
        self.kill_at = time.monotonic() + START_S_MAX
        self.fault = ""
        self._home = Path(setup.home)
        try:
            self.stream, theirs = socket.socketpair()
        except OSError as exc:
            raise ExecutorError(f"a host of flows could not be started: {exc.strerror or exc}") from exc
        self._reader = FrameReader(self.stream)
        self._writer = FrameWriter(self.stream, waits=False)
        try:
            super().__init__(
                "weft.executors.hosting", setup.worker, self._home, (theirs.fileno(),), (self.stream,)
            )
        finally:
            theirs.close()
        self._writer.add(encode(setup))
        self.flush()

    def __repr__(self) -> str:
        return f"<HostProcess {self.name} for {self.key!r} holding {len(self.held)}>"

    def give(self, taken: Iterable[Hosted]) -> None:
        """Hand attempts over."""
        for hosted in taken:
            self.held[hosted.attempt.id] = hosted
            self._writer.add(hosted.data)
            hosted.data = b""
        self.flush()

    def tell(self, messages: Iterable[ToHost]) -> None:
        """Send messages."""
        for message in messages:
            self._writer.add(encode(message))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        try:
            self._writer.flush()
        except OSError:
            pass  # It has just died, which the executor is about to be told.

    @property
    def blocked(self) -> bool:
        """Whether something waits for room in the stream."""
        return self._writer.waiting

    def answered(self, attempt_id: AttemptId) -> bool:
        """It has answered for an attempt; False if it does not hold that."""
        self._watched.pop(attempt_id, None)
        return self.held.pop(attempt_id, None) is not None

    def kill_for(self, hosted: Hosted, at: float) -> None:
        """If it has not answered for this attempt by then, it must be killed."""
        if hosted.attempt.id not in self._watched or at < hosted.kill_at:
            hosted.kill_at = at
            self._watched[hosted.attempt.id] = hosted

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do, and may be asked to exit."""
        return self.ready and not (self.closing or self.held or self.counter.runs)

    def is_due(self, now: float) -> bool:
        """Whether it must be killed: it is not ready or gone in time, or does not answer for an attempt."""
        overdue = [hosted for hosted in self._watched.values() if hosted.kill_at <= now]
        for hosted in overdue:
            hosted.overdue = True
            del self._watched[hosted.attempt.id]
        late = 0 < self.kill_at <= now
        if late:
            self.kill_at = 0.0
            if not (self.ready or self.closing):
                self.fault = f"a host of flows was not ready after {START_S_MAX:g} s"
        return late or bool(overdue)

    def next_due(self, idle_s: float) -> float:
        """When ``is_due``, or its idleness of this length, is to be looked at again."""
        moments = [hosted.kill_at for hosted in self._watched.values()]
        if self.kill_at:
            moments.append(self.kill_at)
        if self.idle:
            moments.append(self.idle_since + idle_s)
        return min(moments, default=float("inf"))

    def losses(self, exit_code: int) -> list[Ended]:
        """What is to be said of the attempts that died with it."""
        found = []
        for hosted in self.held.values():
            attempt = hosted.attempt
            log = log_path(self._home, attempt.run, attempt.id[1], attempt.id[2])
            size = log.stat().st_size if log.exists() else 0
            ended = endings.lost(attempt, exit_code, worker=self.name, log_size=size)
            if hosted.cancelled or hosted.overdue:
                ended = endings.stopped(attempt, ended, timed_out=not hosted.cancelled, killed=True)
            found.append(ended)
        self.held.clear()
        return found

    def read(self) -> list[FromHost] | None:
        """News; ``None`` when there can be no more, or it does not speak our language."""
        frames = self._reader.read()
        if frames is None:
            return None
        return self._decoded(frames)

    def rest(self) -> list[FromHost]:
        """The last news of a process that is dead."""
        return self._decoded(self._reader.rest()) or []

    def _decoded(self, frames: list[tuple[int, bytes]]) -> list[FromHost] | None:
        try:
            return [decode_from_host(payload) for _, payload in frames]
        except msgspec.MsgspecError:
            return None
