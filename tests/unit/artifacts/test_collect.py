"""artifacts/collect.py: what nothing refers to goes, and what anybody is about to refer to does not."""

import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.artifacts.blobs import REFRESH_S, FileBlobs, digest_of
from weft.artifacts.collect import GRACE_S, collect
from weft.model.errors import UsageError

NOW = time.time()
OLD = NOW - 2 * GRACE_S


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    """An empty store of blobs."""
    return FileBlobs(tmp_path / "artifacts", durable=False)


def put(blobs: FileBlobs, data: bytes, *, at: float = OLD) -> str:
    """Bytes that were put at a time."""
    digest = blobs.put(data)
    os.utime(blobs.path(digest), (at, at))
    return digest


def test_only_what_is_old_and_unnamed_goes(blobs: FileBlobs) -> None:
    """A reference anywhere in any text keeps its bytes, and so does their youth."""
    named = put(blobs, b"named")
    inside = put(blobs, b"inside")
    unnamed = put(blobs, b"unnamed")
    young = put(blobs, b"young", at=NOW - GRACE_S + 60)
    texts = [b"\xd9\x40" + named.encode() + b"\x00", b"abc" + inside.encode() + b"abc"]
    done = collect(blobs, texts, now=NOW)
    assert (done.looked, done.kept, done.removed, done.freed) == (3, 2, 1, len(b"unnamed"))
    assert set(blobs) == {named, inside, young}
    assert not blobs.exists(unnamed)


def test_a_dry_run_removes_nothing(blobs: FileBlobs) -> None:
    """It says what would go."""
    digest = put(blobs, b"x" * 10)
    done = collect(blobs, [], now=NOW, dry_run=True)
    assert (done.removed, done.freed) == (1, 10)
    assert blobs.exists(digest)


def test_bytes_that_are_put_again_count_as_new(blobs: FileBlobs) -> None:
    """Both ways of keeping old bytes protect them from the next collection."""
    again, kept = put(blobs, b"again"), put(blobs, b"kept")
    blobs.put(b"again")
    assert blobs.keep(kept)
    assert collect(blobs, [], now=NOW).looked == 0
    assert set(blobs) == {again, kept}


def test_keeping_what_is_not_there_says_so(blobs: FileBlobs) -> None:
    """Then whoever asked has to put the bytes."""
    assert not blobs.keep(digest_of(b"nothing"))


def test_bytes_put_while_the_references_are_read_stay(blobs: FileBlobs) -> None:
    """They were listed as old and nothing that was read names them: their new time saves them."""
    digest = put(blobs, b"raced")

    def references() -> Iterator[bytes]:
        blobs.put(b"raced")
        yield b"nothing"

    done = collect(blobs, references(), now=NOW)
    assert (done.looked, done.removed) == (1, 0)
    assert blobs.get(digest) == b"raced"


def test_bytes_touched_in_the_last_moment_are_put_back(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that saw the file just before it was moved aside finds it again."""
    digest = put(blobs, b"raced")
    rename = os.rename

    def late(source: str, target: str) -> None:
        os.utime(source)
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert blobs.discard(digest, NOW - GRACE_S) is None
    assert blobs.get(digest) == b"raced"
    assert os.listdir(os.path.join(blobs.root, "tmp")) == []


def test_writers_lose_nothing_to_collections(blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """While bytes go as soon as they are a moment old, those of a put that has just returned are there."""
    monkeypatch.setattr("weft.artifacts.blobs.REFRESH_S", 0.0)
    moment_s = 0.05
    contents = [bytes([each]) * 100 for each in range(4)]
    stop, pause = threading.Event(), threading.Event()
    lost: list[str] = []
    checked: list[str] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            began = time.monotonic()
            digest = blobs.put(chance.choice(contents))
            # Looked for again, because what is put back is away for some microseconds.
            there = any(blobs.exists(digest) for _ in range(200))
            if time.monotonic() - began < moment_s * 0.8:
                (checked if there else lost).append(digest)
            pause.wait(chance.random() * 3 * moment_s)

    writers = [threading.Thread(target=write, args=(each,)) for each in range(4)]
    for each in writers:
        each.start()
    removed = 0
    try:
        while removed < 30 or len(checked) < 100:
            before = time.time() - moment_s
            for digest in list(blobs.older(before)):
                removed += blobs.discard(digest, before) is not None
    finally:
        stop.set()
        for each in writers:
            each.join()
    assert lost == []


def test_a_short_grace_is_refused(blobs: FileBlobs) -> None:
    """Bytes may be older than they seem by as much as their time is not set anew."""
    with pytest.raises(UsageError):
        collect(blobs, [], now=NOW, grace_s=REFRESH_S)


def test_what_dead_writers_left_goes(blobs: FileBlobs) -> None:
    """Half a blob in the folder for new ones is swept when it is old."""
    put(blobs, b"any")
    left = Path(blobs.root, "tmp", "1-2-3")
    left.write_bytes(b"half")
    os.utime(left, (OLD, OLD))
    collect(blobs, [], now=NOW)
    assert not left.exists()
