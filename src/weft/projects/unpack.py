"""A snapshot's files as a folder again, on whichever machine runs them.

The folder is ``projects/<digest>`` in Weft's home. It appears all at once, by a rename, so whoever finds it
finds all of it; two processes may unpack the same one at the same time, and one of them wins. It is never
changed afterwards, apart from what Python and the project's own code write into it.

A manifest may come from a store that others write, so no path in it is trusted: nothing is written outside
the folder, and links are made last, so that nothing is written through one.
"""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from weft.artifacts.blobs import REFRESH_S, Blobs, check_digest
from weft.model.errors import ProjectError, StoreError, UnsafePath
from weft.projects.snapshot import File, Snapshot, check_link, read

FOLDER = "projects"
"""Where snapshots are unpacked, in Weft's home."""


def folder_of(home: Path, digest: str) -> Path:
    """Where a snapshot is, or would be, unpacked."""
    return home / FOLDER / check_digest(digest)


def unpack(home: Path, blobs: Blobs, digest: str, *, snapshot: Snapshot | None = None) -> Path:
    """The folder with a snapshot's files; unpacked if it is not there.

    Args:
        home: Weft's folder.
        blobs: Where the snapshot is kept.
        digest: Its name.
        snapshot: It itself, if the caller has it.

    Raises:
        ArtifactMissing, ArtifactCorrupt: It, or a file of it, is gone or damaged.
        UnsafePath: It names a path outside itself.
        StoreError: The folder cannot be written.
    """
    folder = folder_of(home, digest)
    if folder.is_dir():
        # Who asks may not have said yet, in the store, that it is needed: see service/collection.py.
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > REFRESH_S:
                os.utime(folder)
        return folder
    files = list((snapshot or read(digest, blobs)).files.values())
    for each in files:
        _check(each)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix=".new-", dir=folder.parent)
        try:
            _write(Path(made), files, blobs)
            os.chmod(made, 0o755)
            _put_in_place(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as exc:
        raise StoreError(f"a project cannot be unpacked: {exc.strerror}", where=str(folder)) from exc
    return folder


def restore(project: str, blobs: Blobs) -> Path:
    """The folder that a run names as its project, unpacked here if it is a snapshot that is not.

    A run may be carried out on another machine than that which started it. Raises as ``unpack``; a folder
    that is no snapshot's is given back as it is.
    """
    folder = Path(project)
    if folder.is_dir() or folder.parent.name != FOLDER or len(folder.name) != 64:
        return folder
    return unpack(folder.parent.parent, blobs, folder.name)


def _put_in_place(made: str, folder: Path) -> None:
    try:
        os.rename(made, folder)
    except OSError:
        if not folder.is_dir():  # Else somebody else was faster, with the same files.
            raise


def _write(root: Path, files: list[File], blobs: Blobs) -> None:
    folders: set[str] = set()
    for each in files:
        parent = os.path.dirname(each.path)
        if parent and parent not in folders:
            (root / parent).mkdir(parents=True, exist_ok=True)
            folders.add(parent)
        if not each.link:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
            with open(os.open(root / each.path, flags, each.mode & 0o777), "wb") as file:
                file.write(blobs.get(each.digest))
    for each in files:
        if each.link:
            os.symlink(each.link, root / each.path)


def _check(file: File) -> None:
    parts = file.path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in file.path:
        raise UnsafePath("a snapshot names a path that no project has", where=repr(file.path))
    if file.link:
        check_link(file.path, file.link)
    elif file.mode & ~0o777:
        raise ProjectError("a snapshot names a mode that no file has", where=repr(file.path))
