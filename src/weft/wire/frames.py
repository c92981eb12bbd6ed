"""Frames: a length, a number and a payload, so that a stream or a datagram holds any number of messages.

A frame is two little-endian 32-bit words, the payload's length and the number of the attempt that it is
about (0: none), then the payload. The number stands outside the payload so that an attempt is encoded once,
before it is known which worker gets it.
"""

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable

from weft.model.errors import WorldError

HEADER = struct.Struct("<II")
PAYLOAD_MAX = 2**32 - 1
"""Bytes in a frame at most; values that large travel as artifacts, so only a broken peer reaches it."""

_ROOM = 1 << 18
_KEEP = 1 << 20


def frame(number: int, payload: bytes) -> bytes:
    """One frame's bytes.

    Raises:
        WorldError: The payload is longer than a frame can be.
    """
    if len(payload) > PAYLOAD_MAX:
        raise WorldError(
            f"a message of {len(payload)} bytes is longer than a frame can be",
            hint="pass large values as results of tasks, which are stored as artifacts",
        )
    return HEADER.pack(len(payload), number) + payload


def split(data: memoryview) -> list[tuple[int, bytes]]:
    """The frames of one datagram."""
    found = []
    at, end = 0, len(data)
    while at < end:
        length, number = HEADER.unpack_from(data, at)
        at += HEADER.size
        found.append((number, bytes(data[at : at + length])))
        at += length
    return found


def join(frames: Iterable[tuple[int, bytes]]) -> bytes:
    """The frames as one datagram."""
    return b"".join([HEADER.pack(len(payload), number) + payload for number, payload in frames])


class FrameReader:
    """Collects frames from a stream socket without ever waiting for the rest of one.

    The buffer grows to hold the frame under way and is given back afterwards, so a frame of hundreds of
    megabytes costs its own size once, and small ones cost no allocation.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray(_ROOM)
        self._filled = 0

    def read(self) -> list[tuple[int, bytes]] | None:
        """What has arrived, from one receive; ``None`` once the peer has closed."""
        count = self._receive()
        if count is None:
            return []
        return self._take() if count else None

    def rest(self) -> list[tuple[int, bytes]]:
        """All that has arrived, when no more will."""
        found = []
        while self._receive():
            found += self._take()
        return found

    def _receive(self) -> int | None:
        """Bytes received; 0 at the end, ``None`` if there are none yet."""
        if len(self._buffer) == self._filled:
            self._buffer.extend(bytes(len(self._buffer)))
        with memoryview(self._buffer) as whole:
            try:
                count = self._sock.recv_into(whole[self._filled :], 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except ConnectionError:
                return 0
        self._filled += count
        return count

    def _take(self) -> list[tuple[int, bytes]]:
        """The whole frames in the buffer."""
        with memoryview(self._buffer) as whole:
            found, used, wanted = self._split(whole)
        if used:
            rest = self._filled - used
            self._buffer[:rest] = self._buffer[used : self._filled]
            self._filled = rest
        self._resize(wanted)
        return found

    def _split(self, whole: memoryview) -> tuple[list[tuple[int, bytes]], int, int]:
        found = []
        at, end, wanted = 0, self._filled, 0
        unpack, size = HEADER.unpack_from, HEADER.size
        while end - at >= size:
            length, number = unpack(whole, at)
            stop = at + size + length
            if stop > end:
                wanted = size + length
                break
            found.append((number, bytes(whole[at + size : stop])))
            at = stop
        return found, at, wanted

    def _resize(self, wanted: int) -> None:
        if wanted > len(self._buffer):
            self._buffer.extend(bytes(min(wanted, 2 * len(self._buffer)) - len(self._buffer)))
        elif len(self._buffer) > _KEEP and self._filled < _ROOM and wanted <= _ROOM:
            self._buffer = bytearray(memoryview(self._buffer)[: self._filled].tobytes().ljust(_ROOM, b"\0"))


class FrameWriter:
    """Sends frames into a stream socket, from any thread; whoever is at it takes along what others add.

    Args:
        sock: The socket, in blocking mode.
        waits: Whether ``flush`` waits for room, or leaves the rest for later.
    """

    def __init__(self, sock: socket.socket, *, waits: bool) -> None:
        self._sock = sock
        self._flags = 0 if waits else socket.MSG_DONTWAIT
        self._frames: deque[bytes] = deque()
        self._rest = memoryview(b"")
        self._lock = threading.Lock()

    @property
    def waiting(self) -> bool:
        """Whether something is not sent yet."""
        return bool(self._rest) or bool(self._frames)

    def add(self, payload: bytes) -> None:
        """Put a message behind the others; the next ``flush`` sends it."""
        self._frames.append(frame(0, payload))

    def flush(self) -> None:
        """Send what was added, unless another thread is at it, or there is no room and it does not wait.

        Raises:
            OSError: The peer is gone.
        """
        # What another thread adds while this one is about to let go of the lock is met by looking again.
        while (self._frames or self._rest) and self._lock.acquire(blocking=False):
            try:
                while self._rest or self._gather():
                    try:
                        sent = self._sock.send(self._rest, self._flags)
                    except BlockingIOError:
                        return
                    self._rest = self._rest[sent:]
            finally:
                self._lock.release()

    def _gather(self) -> bool:
        """Take frames to send at once; False if there are none."""
        taken: list[bytes] = []
        size = 0
        while self._frames and size < _ROOM:
            taken.append(self._frames.popleft())
            size += len(taken[-1])
        self._rest = memoryview(b"".join(taken))
        return size > 0
