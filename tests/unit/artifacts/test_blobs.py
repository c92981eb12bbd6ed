"""Content-addressed blobs: the rules that both stores keep, and what files can suffer."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from weft.artifacts.blobs import Blobs, FileBlobs, MemoryBlobs
from weft.model.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    StoreError,
    StoreFull,
    StoreReadOnly,
    UsageError,
)


@pytest.fixture(params=["memory", "files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """Each kind of store, empty."""
    return MemoryBlobs() if request.param == "memory" else FileBlobs(tmp_path / "blobs")


def test_bytes_come_back_under_their_sha256(blobs: Blobs) -> None:
    """A blob is found under the SHA-256 of its bytes."""
    digest = blobs.put(b"some bytes")
    assert digest == hashlib.sha256(b"some bytes").hexdigest()
    assert blobs.get(digest) == b"some bytes"
    assert bytes(blobs.view(digest)) == b"some bytes"
    with blobs.open(digest) as file:
        assert file.read(4) == b"some"
        assert file.seek(0) == 0


def test_parts_are_joined(blobs: Blobs) -> None:
    """Several parts of any buffer type make one blob."""
    digest = blobs.put(b"a", memoryview(b"bc"), bytearray(b"d"))
    assert blobs.get(digest) == b"abcd"
    assert digest == blobs.put(b"abcd")


def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    """No bytes at all can be stored, viewed and read."""
    digest = blobs.put(b"")
    assert blobs.get(digest) == b""
    assert bytes(blobs.view(digest)) == b""


def test_listing_and_deleting(blobs: Blobs) -> None:
    """Iterating gives every digest; a deleted blob is gone, and deleting it again says so."""
    digests = {blobs.put(bytes([i])) for i in range(5)}
    assert set(blobs) == digests
    gone = digests.pop()
    assert blobs.exists(gone)
    assert blobs.delete(gone)
    assert not blobs.exists(gone)
    assert not blobs.delete(gone)
    assert set(blobs) == digests


def test_a_missing_blob_has_its_own_error(blobs: Blobs) -> None:
    """Reading what is not there raises W3200 with the digest."""
    digest = hashlib.sha256(b"never stored").hexdigest()
    for read in (blobs.get, blobs.view, blobs.open):
        with pytest.raises(ArtifactMissing) as caught:
            read(digest)
        assert caught.value.fields["digest"] == digest


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "ab",
        "../" * 21 + "a",
        "/etc/passwd",
        "a" * 63,
        "a" * 65,
        "A" * 64,
        "g" * 64,
        "a" * 64 + "\n",
        "aa/" + "b" * 61,
    ],
)
def test_what_is_no_digest_is_refused(blobs: Blobs, digest: str) -> None:
    """Anything but 64 lower-case hex digits is refused before it meets a path."""
    for use in (blobs.get, blobs.view, blobs.open, blobs.exists, blobs.delete):
        with pytest.raises(UsageError):
            use(digest)
    if isinstance(blobs, FileBlobs):
        with pytest.raises(UsageError):
            blobs.path(digest)


def test_writing_to_a_view_changes_no_blob(blobs: Blobs) -> None:
    """A view is private: what its reader writes stays with the reader."""
    digest = blobs.put(b"original")
    view = blobs.view(digest)
    view[0] = ord("X")
    assert blobs.get(digest) == b"original"


def test_constructing_touches_no_disk(tmp_path: Path) -> None:
    """The folder appears with the first blob; reading an absent folder finds nothing."""
    blobs = FileBlobs(tmp_path / "a" / "b")
    assert list(blobs) == []
    assert not blobs.exists("0" * 64)
    assert blobs.sweep(before=1e12) == 0
    assert not (tmp_path / "a").exists()
    digest = blobs.put(b"first")
    assert blobs.path(digest) == tmp_path / "a" / "b" / digest[:2] / digest[2:]
    assert blobs.path(digest).read_bytes() == b"first"


def test_a_present_blob_is_not_written_again(tmp_path: Path) -> None:
    """Putting the same bytes leaves the file as it is."""
    blobs = FileBlobs(tmp_path)
    path = blobs.path(blobs.put(b"same"))
    before = path.stat()
    blobs.put(b"same")
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("damage", [b"", b"othe", b"other and longer"])
def test_damage_is_noticed(tmp_path: Path, damage: bytes) -> None:
    """A file whose bytes changed, or were cut, raises W3201 instead of giving wrong bytes."""
    blobs = FileBlobs(tmp_path)
    digest = blobs.put(b"right")
    blobs.path(digest).write_bytes(damage)
    for read in (blobs.get, blobs.view):
        with pytest.raises(ArtifactCorrupt):
            read(digest)


def _fail_write(code: int) -> Callable[..., int]:
    def write(*_args: object) -> int:
        raise OSError(code, os.strerror(code))

    return write


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EROFS, StoreReadOnly),
        (errno.EACCES, StoreReadOnly),
        (errno.EIO, StoreError),
    ],
)
def test_a_disk_that_refuses_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[StoreError]
) -> None:
    """A full or read-only disk gives a coded error, leaves no half blob, and works again afterwards."""
    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _fail_write(code))
        with pytest.raises(error) as caught:
            blobs.put(b"too much")
    assert type(caught.value) is error
    assert caught.value.hint or error is StoreError
    assert list(blobs) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert blobs.get(blobs.put(b"too much")) == b"too much"


_ON_A_SMALL_DISK = """
import os, sys
from weft.artifacts.blobs import FileBlobs
from weft.model.errors import StoreFull
blobs = FileBlobs(sys.argv[1] + "/blobs")
try:
    blobs.put(os.urandom(100_000))
except StoreFull:
    assert list(blobs) == []
    small = os.urandom(8000)
    assert blobs.get(blobs.put(small)) == small
    print("full")
"""


def test_a_really_full_disk_gives_store_full(tmp_path: Path) -> None:
    """On a disk of 64 KB a larger blob raises W3102, and a smaller one then still fits."""
    # A mount namespace of its own: the small disk is seen, and lives, only in this child.
    mount = 'mount -t tmpfs -o size=64k tmpfs "$1" 2>/dev/null || exit 77; exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, _ON_A_SMALL_DISK]
    if shutil.which("unshare") is None:
        pytest.skip("this machine has no mount namespaces")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this user may not mount")
    assert done.stdout == "full\n", done.stderr


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system call that writes less than it was given loses nothing."""
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:3]))
        digest = FileBlobs(tmp_path).put(b"0123456789", b"abc")
    assert FileBlobs(tmp_path).get(digest) == b"0123456789abc"


def test_put_is_durable_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced before it gets its name, and the name's folder after."""
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(file: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{file}") else "file")
        fsync(file)

    def renamed(old: str, new: str) -> None:
        rename(old, new)
        steps.append("rename")

    blobs = FileBlobs(tmp_path)
    first = blobs.put(b"makes the folders")
    blobs.delete(first)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", synced)
        patch.setattr(os, "rename", renamed)
        blobs.put(b"makes the folders")
        assert steps == ["file", "rename", "folder"]
        steps.clear()
        FileBlobs(tmp_path / "relaxed", durable=False).put(b"x")
        assert steps == ["rename"]


_WRITER = """
import sys
from weft.artifacts.blobs import FileBlobs
blobs = FileBlobs(sys.argv[1])
for i in range(300):
    blobs.put(b"%d " % i * 2000)
"""


def test_many_writers_of_the_same_blobs_agree(tmp_path: Path) -> None:
    """Processes that write the same blobs at once all succeed, and every blob is whole."""
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)]) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    blobs = FileBlobs(tmp_path)
    assert {blobs.get(digest) for digest in blobs} == {b"%d " % i * 2000 for i in range(300)}
    assert os.listdir(tmp_path / "tmp") == []


def test_sweep_removes_only_old_leftovers(tmp_path: Path) -> None:
    """What a dead writer left in ``tmp`` goes once it is old enough; blobs stay."""
    blobs = FileBlobs(tmp_path)
    digest = blobs.put(b"kept")
    old, new = tmp_path / "tmp" / "1-0-dead", tmp_path / "tmp" / "2-0-live"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    assert blobs.sweep(before=2000) == 1
    assert not old.exists()
    assert new.exists()
    assert list(blobs) == [digest]
