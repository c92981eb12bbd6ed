"""Frames: whatever pieces a stream arrives in, the messages come out whole and in order."""

import select
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.wire.frames import FrameReader, FrameWriter, frame, split

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


def test_writers_share_a_stream(pair: tuple[socket.socket, socket.socket]) -> None:
    """Messages that several threads write at once arrive whole, each thread's in its order."""
    ours, theirs = pair
    writer = FrameWriter(ours, waits=True)

    def write(name: int) -> None:
        for number in range(300):
            writer.add(b"%d %d " % (name, number) + b"x" * (number * 7))
            writer.flush()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for each in threads:
        each.start()
    found: list[list[bytes]] = []
    reader = FrameReader(theirs)
    while len(found) < 1200:
        select.select([theirs], [], [])
        found += [payload.split(b" ") for _, payload in reader.read() or []]
    for each in threads:
        each.join()
    for name in range(4):
        mine = [(int(number), len(rest)) for who, number, rest in found if int(who) == name]
        assert mine == [(number, number * 7) for number in range(300)]
    assert not writer.waiting


def test_a_writer_that_does_not_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    """What a full stream does not take is kept, in order, and sent by a later flush."""
    ours, theirs = pair
    writer = FrameWriter(ours, waits=False)
    sizes = [10, 3_000_000, 0, 700_000]
    for size in sizes:
        writer.add(b"y" * size)
    writer.flush()
    assert writer.waiting
    reader = FrameReader(theirs)
    found: Frames = []
    while len(found) < len(sizes):
        found += reader.read() or []
        writer.flush()
    assert [len(payload) for _, payload in found] == sizes
    assert not writer.waiting


def test_a_writer_whose_peer_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    """Writing to a peer that has closed raises, and does not hang."""
    ours, theirs = pair
    theirs.close()
    writer = FrameWriter(ours, waits=True)
    writer.add(b"z")
    with pytest.raises(OSError, match="Broken pipe"):
        writer.flush()
