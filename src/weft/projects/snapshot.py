"""A project's files at one moment, content-addressed: what a version of a workflow runs from, for ever.

The manifest lists each file's path, mode, digest and size. It is a blob itself, and its digest names the
snapshot: equal files give equal names, wherever and whenever they are taken. It is stored after the contents,
so that whoever finds a manifest finds all of it.

Hashing 5,000 files again for each deploy would take longer than the rest of it. So digests are remembered by
modification time, change time, inode and size, as git does; and as git does, those of files that changed
within the last moments are not, because a second change could leave all four as they are.
"""

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from weft.artifacts.blobs import Blobs, digest_of
from weft.model.errors import ProjectError, ProjectTooLarge, UnsafePath
from weft.projects.git import listed
from weft.projects.ignore import Ignored

BYTES_MAX = 256 * 1024 * 1024
FILES_MAX = 50_000
RACY_NS = 2_000_000_000
"""Within so many nanoseconds a file may be changed again without a new modification time (FAT has 2 s)."""

_WRITERS = 8
_NAMED = 5
_IGNORE_FILE = ".weftignore"
_LEFT_OUT = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        ".tox",
        ".nox",
        ".cache",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".ipynb_checkpoints",
        ".idea",
        "__pycache__",
        "node_modules",
        "site-packages",
        ".DS_Store",
    }
)
"""Names that are no part of a project, wherever they are. A virtual environment is told by what is in it."""


class File(msgspec.Struct, frozen=True, array_like=True):
    """A file of a snapshot; of a symbolic link, ``link`` is where it leads and there is no content."""

    path: str
    mode: int
    digest: str
    size: int
    link: str = ""


class Manifest(msgspec.Struct, frozen=True, array_like=True, tag="manifest-1"):
    """A snapshot's files, by path."""

    files: tuple[File, ...]


class Snapshot:
    """A project's files at one moment.

    Attributes:
        digest: Its name.
        files: Files by path.
    """

    def __init__(self, digest: str, manifest: Manifest) -> None:
        self.digest = digest
        self.files = {each.path: each for each in manifest.files}

    def digests(self) -> dict[str, str]:
        """Each file's digest."""
        return {path: each.digest for path, each in self.files.items() if not each.link}


class _Known(msgspec.Struct, array_like=True):
    """What is remembered of a file."""

    mtime_ns: int
    ctime_ns: int
    inode: int
    size: int
    digest: str


_encode = msgspec.msgpack.Encoder().encode
_decode_known = msgspec.msgpack.Decoder(dict[str, _Known]).decode
_decode_manifest = msgspec.msgpack.Decoder(Manifest).decode


def take(
    folder: Path,
    blobs: Blobs,
    *,
    cache: Path | None = None,
    bytes_max: int = BYTES_MAX,
    now_ns: int | None = None,
) -> Snapshot:
    """Keep a folder's files as they are now.

    Args:
        folder: The project.
        blobs: Where contents and manifest go.
        cache: A folder for what is remembered of files; ``None`` remembers nothing.
        bytes_max: The most that they may have together.
        now_ns: The time, if it is not the clock's: files younger than ``RACY_NS`` are not remembered.

    Raises:
        ProjectTooLarge: They have more; the error names the largest.
        UnsafePath: A link leads out of the project.
        ProjectError: There is nothing to take, or a file cannot be read.
        StoreError: A blob cannot be kept.
    """
    root = folder.resolve()
    memory = _Memory(root, cache, time.time_ns() if now_ns is None else now_ns)
    found = _stats(root, bytes_max)
    files = [_file(root, path, status, memory) for path, status in found]
    _take_new(root, files, [status for _, status in found], memory, blobs)
    manifest = Manifest(tuple(files))
    data = _encode(manifest)
    digest = digest_of(data)
    # Each is touched although a manifest tells that they were there: one that nobody refers to may be about
    # to be collected, file by file.
    for each in files:
        if not each.link and not blobs.keep(each.digest):
            _keep(root, each, blobs)
    if not blobs.keep(digest):
        blobs.put(data)
    memory.save({path for path, _ in found})
    return Snapshot(digest, manifest)


def fingerprint(folder: Path) -> str:
    """Tells cheaply whether any file has changed, without reading one.

    Raises:
        ProjectTooLarge, ProjectError: As ``take``.
    """
    found = _stats(folder.resolve(), BYTES_MAX)
    seen = [(path, status.st_mtime_ns, status.st_size, status.st_ino) for path, status in found]
    return digest_of(_encode(seen))


def read(digest: str, blobs: Blobs) -> Snapshot:
    """A snapshot by its name.

    Raises:
        ArtifactMissing, ArtifactCorrupt: It is not there, or damaged.
        ProjectError: The digest is of something else.
    """
    try:
        return Snapshot(digest, _decode_manifest(blobs.get(digest)))
    except msgspec.MsgspecError as exc:
        raise ProjectError("this is not a snapshot of a project", where=digest) from exc


# --- which files ------------------------------------------------------------------------------------------


def paths(root: Path) -> Iterator[str]:
    """The project's files, relative, with ``/``; in no order."""
    ignored = _ignored(root)
    tracked = listed(root)
    # None at all: the folder itself is ignored by the repository around it, so git has no say in it.
    if tracked:
        for path in dict.fromkeys(tracked):
            names = path.split("/")
            if path.endswith("/"):
                # A repository in the repository, of which git says nothing more.
                yield from _walk(root, path.rstrip("/"), ignored)
            elif not _LEFT_OUT.intersection(names) and not ignored(path):
                yield path
    else:
        yield from _walk(root, "", ignored)


def _ignored(root: Path) -> Ignored:
    try:
        return Ignored((root / _IGNORE_FILE).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return Ignored()
    except (OSError, UnicodeError) as exc:
        raise ProjectError(f"{_IGNORE_FILE} cannot be read: {exc}", where=str(root)) from exc


def _walk(root: Path, start: str, ignored: Ignored) -> Iterator[str]:
    pending = [start]
    while pending:
        at = pending.pop()
        with os.scandir(root / at) as entries:
            for entry in entries:
                path = f"{at}/{entry.name}" if at else entry.name
                if entry.name in _LEFT_OUT:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    environment = os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
                    if not environment and not ignored(path, folder=True):
                        pending.append(path)
                elif not ignored(path):
                    yield path


def _stats(root: Path, bytes_max: int) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    total = 0
    try:
        for path in paths(root):
            try:
                status = os.lstat(root / path)
            except FileNotFoundError:
                continue  # Git lists what it tracks, also if it was deleted.
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                found.append((path, status))
                total += status.st_size
                if len(found) > FILES_MAX:
                    raise _too_large(f"has more than {FILES_MAX:,} files", found, root)
    except OSError as exc:
        raise ProjectError(
            f"the project cannot be read: {exc.strerror}", where=exc.filename or str(root)
        ) from exc
    if total > bytes_max:
        raise _too_large(f"has {total:,} bytes, and at most {bytes_max:,} are taken", found, root)
    if not found:
        raise ProjectError("there are no files in it", where=str(root))
    return sorted(found, key=lambda each: each[0].encode("utf-8", "surrogateescape"))


def _too_large(what: str, found: list[tuple[str, os.stat_result]], root: Path) -> ProjectTooLarge:
    largest = sorted(found, key=lambda each: -each[1].st_size)[:_NAMED]
    names = ", ".join(f"{path} ({status.st_size:,} B)" for path, status in largest)
    return ProjectTooLarge(
        f"the project {what}",
        where=str(root),
        hint=f"name what runs do not need in {_IGNORE_FILE}; the largest: {names}",
    )


def _file(root: Path, path: str, status: os.stat_result, memory: "_Memory") -> File:
    """A file, without its digest if that is not remembered."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ProjectError("a file's name is not UTF-8", where=repr(path), hint="rename it") from None
    if stat.S_ISLNK(status.st_mode):
        return File(path, 0, "", 0, _link(root, path))
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    return File(path, mode, memory.digest(path, status) or "", status.st_size)


def _take_new(
    root: Path, files: list[File], stats: list[os.stat_result], memory: "_Memory", blobs: Blobs
) -> None:
    """Read the files that have no digest yet, keep them, and fill it in."""

    def keep(at: int) -> None:
        file = files[at]
        data = _read(root, file.path)
        files[at] = File(file.path, file.mode, blobs.put(data), len(data))
        memory.add(file.path, stats[at], files[at].digest)

    new = [at for at, each in enumerate(files) if not each.digest and not each.link]
    # Each new content waits for the disk, and the disk takes many at once.
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(keep, new))


def _link(root: Path, path: str) -> str:
    target = os.readlink(root / path)
    check_link(path, target)
    return target


def check_link(path: str, target: str) -> None:
    """Refuse a link that leads out of its project. Raises ``UnsafePath``."""
    inside = os.path.normpath(os.path.join(os.path.dirname(path), target))
    # After a name that may be a link itself, ".." leads who knows where.
    late = ".." in target.lstrip("./").split("/")
    if os.path.isabs(target) or late or inside == ".." or inside.startswith("../"):
        raise UnsafePath(
            f"the link leads out of the project, to {target}",
            where=path,
            hint=f"put what it leads to into the project, or name the link in {_IGNORE_FILE}",
        )


def _read(root: Path, path: str) -> bytes:
    try:
        return (root / path).read_bytes()
    except OSError as exc:
        raise ProjectError(f"a file cannot be read: {exc.strerror}", where=path) from exc


def _keep(root: Path, file: File, blobs: Blobs) -> None:
    """A file whose digest is remembered and whose content another store has."""
    if blobs.put(_read(root, file.path)) != file.digest:
        raise ProjectError(
            "a file was changed while the project was read", where=file.path, hint="deploy again"
        )


class _Memory:
    """Digests that are remembered between deploys of one folder."""

    def __init__(self, root: Path, cache: Path | None, now_ns: int) -> None:
        self._path = None if cache is None else cache / f"{digest_of(os.fsencode(root))[:32]}.files"
        self._known: dict[str, _Known] = {}
        self._changed = False
        self._now_ns = now_ns
        if self._path is not None:
            try:
                self._known = _decode_known(self._path.read_bytes())
            except (OSError, msgspec.MsgspecError):
                pass  # None yet, or one of another version: everything is read once.

    def digest(self, path: str, status: os.stat_result) -> str | None:
        """The digest of a file that has not changed since it was remembered."""
        known = self._known.get(path)
        if (
            known is not None
            and known.mtime_ns == status.st_mtime_ns
            and known.ctime_ns == status.st_ctime_ns
            and known.inode == status.st_ino
            and known.size == status.st_size
        ):
            return known.digest
        return None

    def add(self, path: str, status: os.stat_result, digest: str) -> None:
        """Remember a file, unless it is so young that a change could go unseen."""
        if self._now_ns - max(status.st_mtime_ns, status.st_ctime_ns) < RACY_NS:
            return
        self._changed = True
        self._known[path] = _Known(
            status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size, digest
        )

    def save(self, paths: set[str]) -> None:
        """Keep what is known of these files. Failing to costs time later, and nothing else."""
        gone = self._known.keys() - paths
        if self._path is None or not (self._changed or gone):
            return
        for each in gone:
            del self._known[each]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as file:
                file.write(_encode(self._known))
            os.replace(file.name, self._path)
        except OSError:
            pass
