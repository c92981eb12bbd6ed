"""Content-addressed bytes: what is too large for the store's rows.

A blob's name is the SHA-256 of its bytes, so it is written once, never changes and can be checked whenever it
is read. ``put`` returns only when the bytes would survive a power cut: the store may then name the digest
(DESIGN invariant I7). A writer that dies half-way leaves a file in ``tmp/`` and never a half blob.

Rules of every store of blobs:

1. ``put`` of bytes that are there already writes nothing, but they count as new: what is new is not collected
   (``collect.py``), so that whoever has put them may name them in the store in his own time.
2. A digest that is not 64 lower-case hex digits is refused before it comes near a path.
3. ``get`` and ``view`` check what they read; ``open`` does not, because it streams.
"""

import errno
import hashlib
import io
import itertools
import mmap
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from weft.model.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    StoreError,
    StoreFull,
    StoreReadOnly,
    UsageError,
)

Data = bytes | bytearray | memoryview
"""Bytes as they are given; a memoryview must be contiguous."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_WRITE_MAX = 1 << 30
"""Linux writes at most 2 GB a call; smaller steps let other threads in."""

REFRESH_S = 3600.0
"""How old a blob's time may be without being set anew when its bytes are put again."""

_counter = itertools.count()


class Blobs(Protocol):
    """A store of content-addressed bytes."""

    def put(self, *parts: Data) -> str:
        """Keep the parts, joined, durably; returns their digest.

        Raises:
            StoreFull, StoreReadOnly, StoreError: Nothing was kept.
        """

    def get(self, digest: str) -> bytes:
        """The bytes, checked.

        Raises:
            ArtifactMissing: There are none.
            ArtifactCorrupt: They do not match the digest.
        """

    def view(self, digest: str) -> memoryview:
        """The bytes, checked, without a copy where possible. Writing to the view changes nobody's blob."""

    def open(self, digest: str) -> BinaryIO:
        """A seekable stream of the bytes, unchecked. Raises ``ArtifactMissing``."""

    def exists(self, digest: str) -> bool:
        """Whether the bytes are there."""

    def keep(self, digest: str) -> bool:
        """Whether the bytes are there; if so they count as new."""

    def delete(self, digest: str) -> bool:
        """Forget the bytes; returns whether there were any."""

    def __iter__(self) -> Iterator[str]:
        """Every digest, in no order."""


def check_digest(digest: str) -> str:
    """Return ``digest`` if it is one. Raises ``UsageError``: a path could hide in anything else."""
    if _DIGEST.fullmatch(digest) is None:
        raise UsageError(
            "this is not an artifact's digest", where=repr(digest[:80]), hint="give 64 hex digits"
        )
    return digest


def digest_of(*parts: Data) -> str:
    """The content address of the parts, joined."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part)
    return hasher.hexdigest()


class MemoryBlobs:
    """Blobs in a dictionary, for tests and for runs that are not kept."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, *parts: Data) -> str:
        digest = digest_of(*parts)
        if digest not in self._blobs:
            self._blobs[digest] = b"".join(parts)
        return digest

    def get(self, digest: str) -> bytes:
        try:
            return self._blobs[check_digest(digest)]
        except KeyError:
            raise _missing(digest) from None

    def view(self, digest: str) -> memoryview:
        return memoryview(bytearray(self.get(digest)))

    def open(self, digest: str) -> BinaryIO:
        return io.BytesIO(self.get(digest))

    def exists(self, digest: str) -> bool:
        return check_digest(digest) in self._blobs

    def keep(self, digest: str) -> bool:
        return self.exists(digest)

    def delete(self, digest: str) -> bool:
        return self._blobs.pop(check_digest(digest), None) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._blobs))


class FileBlobs:
    """Blobs as files ``root/ab/cdef...``.

    Args:
        root: The folder. It is made by the first ``put``, so constructing costs nothing.
        durable: Whether ``put`` waits until the disk has the bytes. Without it a power cut (never a crash of
            the process) can lose the newest blobs.
    """

    def __init__(self, root: str | os.PathLike[str], *, durable: bool = True) -> None:
        self.root = os.fspath(root)
        self.durable = durable

    def path(self, digest: str) -> Path:
        """Where the blob is or would be. Raises ``UsageError`` for anything but a digest."""
        return Path(self._path(digest))

    def put(self, *parts: Data) -> str:
        digest = digest_of(*parts)
        path = self._path(digest)
        if _refreshed(path):
            return digest
        try:
            self._write(path, parts)
        except OSError as exc:
            raise _write_error(exc, path) from exc
        return digest

    def get(self, digest: str) -> bytes:
        with self.open(digest) as file:
            data = file.read()
        _check(data, digest)
        return data

    def view(self, digest: str) -> memoryview:
        with self.open(digest) as file:
            if os.fstat(file.fileno()).st_size == 0:
                data = memoryview(bytearray())
            else:
                # Copy on write: the pages are the file's until the reader changes them, for itself alone.
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        _check(data, digest)
        return data

    def open(self, digest: str) -> BinaryIO:
        path = self._path(digest)
        try:
            return open(path, "rb")
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(digest, path) from None
        except OSError as exc:
            raise StoreError(f"an artifact cannot be read: {exc.strerror}", where=path) from exc

    def exists(self, digest: str) -> bool:
        return os.path.exists(self._path(digest))

    def keep(self, digest: str) -> bool:
        return _refreshed(self._path(digest))

    def delete(self, digest: str) -> bool:
        path = self._path(digest)
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as exc:
            raise _write_error(exc, path) from exc
        return True

    def __iter__(self) -> Iterator[str]:
        for shard in _names(self.root):
            if len(shard) == 2:
                for name in _names(os.path.join(self.root, shard)):
                    if _DIGEST.fullmatch(shard + name):
                        yield shard + name

    def older(self, before: float) -> Iterator[str]:
        """The digests of bytes that were last put before a moment (Unix seconds), in no order."""
        for shard in _names(self.root):
            if len(shard) != 2:
                continue
            try:
                with os.scandir(os.path.join(self.root, shard)) as entries:
                    for entry in entries:
                        digest = shard + entry.name
                        if _DIGEST.fullmatch(digest) and _modified(entry) < before:
                            yield digest
            except (FileNotFoundError, NotADirectoryError):
                continue

    def discard(self, digest: str, before: float) -> int | None:
        """Forget bytes unless somebody puts them at this very moment.

        They are moved aside first, and looked at then: who put them before is seen by their time, and who
        puts them after finds none and writes them anew. So neither can lose them.

        Returns:
            How many bytes went; ``None`` if they are new, or gone already.
        """
        path = self._path(digest)
        aside = f"{self.root}/tmp/{os.getpid()}-{next(_counter)}-{digest[:8]}"
        try:
            self._make_folder(os.path.dirname(aside))
            os.rename(path, aside)
            status = os.stat(aside)
            if status.st_mtime >= before:
                try:
                    os.link(aside, path)
                except FileExistsError:
                    pass  # Whoever wrote them anew was faster.
                os.unlink(aside)
                return None
            os.unlink(aside)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise _write_error(exc, path) from exc
        return status.st_size

    def sweep(self, before: float) -> int:
        """Remove what dead writers left behind before a moment (Unix seconds); returns how many files."""
        folder = os.path.join(self.root, "tmp")
        removed = 0
        for name in _names(folder):
            path = os.path.join(folder, name)
            try:
                if os.stat(path).st_mtime < before:
                    os.unlink(path)
                    removed += 1
            except FileNotFoundError:
                pass  # Its writer finished, or another sweep was faster.
        return removed

    def _path(self, digest: str) -> str:
        check_digest(digest)
        return f"{self.root}/{digest[:2]}/{digest[2:]}"

    def _write(self, path: str, parts: tuple[Data, ...]) -> None:
        temporary = f"{self.root}/tmp/{os.getpid()}-{next(_counter)}-{os.urandom(4).hex()}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        try:
            file = os.open(temporary, flags, 0o600)
        except FileNotFoundError:
            self._make_folder(os.path.dirname(temporary))
            file = os.open(temporary, flags, 0o600)
        try:
            try:
                for part in parts:
                    _write_all(file, part)
                if self.durable:
                    os.fsync(file)
            finally:
                os.close(file)
            folder = os.path.dirname(path)
            try:
                os.rename(temporary, path)
            except FileNotFoundError:
                self._make_folder(folder)
                os.rename(temporary, path)
        except BaseException:
            _unlink(temporary)
            raise
        if self.durable:
            # Without this the name could vanish in a power cut although the bytes are on the disk.
            _sync_folder(folder)

    def _make_folder(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(os.path.abspath(folder))
        for each in reversed(missing):
            try:
                os.mkdir(each, 0o700)
            except FileExistsError:
                pass  # Another writer made it at the same moment.
            if self.durable:
                _sync_folder(os.path.dirname(os.path.abspath(each)))


def _refreshed(path: str) -> bool:
    """Whether a blob is there; if so its time is of the last hour."""
    try:
        # Each time would cost a write to the disk for nothing: collections are a day apart.
        if os.stat(path).st_mtime < time.time() - REFRESH_S:
            os.utime(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        pass  # Somebody else's file: it is there.
    return True


def _modified(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return float("inf")


def _write_all(file: int, part: Data) -> None:
    view = memoryview(part).cast("B")
    while view:
        view = view[os.write(file, view[:_WRITE_MAX]) :]


def _sync_folder(folder: str) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # The first error is the one to tell; ``sweep`` finds the file later.


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _check(data: Data, digest: str) -> None:
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtifactCorrupt(
            "a stored result's bytes do not match their digest",
            where=digest,
            hint="the disk or another program changed the file; run the task again to make the result anew",
            digest=digest,
        )


def _missing(digest: str, where: str = "") -> ArtifactMissing:
    return ArtifactMissing(
        "a stored result's bytes are gone",
        where=where or digest,
        hint="the run was pruned or the file deleted; run the task again to make the result anew",
        digest=digest,
    )


def _write_error(exc: OSError, path: str) -> StoreError:
    if exc.errno in _FULL:
        return StoreFull("the disk is full", where=path, hint="free some space, or prune old runs")
    if exc.errno in _READ_ONLY:
        return StoreReadOnly(
            f"the artifact folder cannot be written: {exc.strerror}",
            where=path,
            hint="check the folder's owner and mount, or set WEFT_HOME to a folder you can write",
        )
    return StoreError(f"an artifact could not be written: {exc.strerror}", where=path)
