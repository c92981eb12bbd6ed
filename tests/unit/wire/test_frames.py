"""Frames: whatever pieces a stream arrives in, the messages come out whole and in order."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.wire.frames import FrameReader, frame, split

Frames = list[tuple[int, bytes]]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected pair of stream sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def read_all(reader: FrameReader) -> Frames:
    found: Frames = []
    while (some := reader.read()) is not None:
        found += some
    return found


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=20))
def test_datagram(frames: Frames) -> None:
    """A datagram of frames splits into the same frames."""
    data = b"".join(frame(number, payload) for number, payload in frames)
    assert split(memoryview(data)) == frames


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=50)), max_size=10),
    st.lists(st.integers(1, 30), min_size=1, max_size=10),
)
def test_stream_in_pieces(frames: Frames, sizes: list[int]) -> None:
    """A stream cut anywhere gives the same frames."""
    data = b"".join(frame(number, payload) for number, payload in frames)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = FrameReader(ours)
        found: Frames = []
        turn = 0
        while data:
            size = sizes[turn % len(sizes)]
            turn += 1
            theirs.sendall(data[:size])
            data = data[size:]
            found += reader.read() or []
        theirs.close()
        found += read_all(reader)
    assert found == frames


def test_nothing_yet(pair: tuple[socket.socket, socket.socket]) -> None:
    """Reading when nothing has arrived neither waits nor looks like the end."""
    ours, theirs = pair
    reader = FrameReader(ours)
    assert reader.read() == []
    theirs.sendall(frame(1, b"x")[:5])
    assert reader.read() == []
    theirs.close()
    assert reader.read() is None


def test_large_frame(pair: tuple[socket.socket, socket.socket]) -> None:
    """A frame larger than any buffer arrives in pieces, and the buffer shrinks afterwards."""
    ours, theirs = pair
    reader = FrameReader(ours)
    small = len(reader._buffer)
    payload = bytes(range(256)) * 40_000
    data = memoryview(frame(7, payload) + frame(8, b"after"))
    theirs.setblocking(False)
    found: Frames = []
    while len(found) < 2:
        if data:
            data = data[theirs.send(data) :]
        found += reader.read() or []
    assert found == [(7, payload), (8, b"after")]
    theirs.send(frame(9, b""))
    assert reader.read() == [(9, b"")]
    assert len(reader._buffer) == small


def test_rest(pair: tuple[socket.socket, socket.socket]) -> None:
    """What a dead peer left is read to the end, without the frame it did not finish."""
    ours, theirs = pair
    reader = FrameReader(ours)
    theirs.sendall(frame(1, b"one") + frame(2, b"two") + frame(3, b"three")[:-1])
    assert reader.rest() == [(1, b"one"), (2, b"two")]
    theirs.close()
    assert reader.rest() == []
