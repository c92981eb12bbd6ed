"""What a home's results and unpacked projects are still needed for, and forgetting the rest.

Several processes may share a home, so a record says when it was collected last: whoever writes it first does
it. Homes of other machines have records of their own.
"""

import logging
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from weft.artifacts.blobs import FileBlobs
from weft.artifacts.collect import GRACE_S, Collected, collect
from weft.model.errors import ArtifactMissing, Conflict
from weft.model.values import Result
from weft.projects.records import PROJECTS, VERSIONS, WORKFLOWS
from weft.projects.unpack import FOLDER
from weft.store.open import open_store
from weft.store.protocol import Store
from weft.store.records import Collection
from weft.store.tables import BY_NAME, TABLES
from weft.store.transfer import Movable, Source, movable

EVERY_S = 86_400.0
"""Between two collections of one home."""

OPEN = "state:scheduled,queued,running,paused"

_DIGEST_LENGTH = 64
_IS_SNAPSHOT = re.compile(r"[0-9a-f]{64}")
_decode_result = msgspec.msgpack.Decoder(Result).decode
_log = logging.getLogger("weft.collection")


class Collecting(msgspec.Struct, frozen=True):
    """When a home was collected last, and what came of it."""

    began_at: float
    collected: Collected | None = None


COLLECTIONS = Collection("collection", Collecting)


def collect_home(store: Store, home: Path, *, grace_s: float = GRACE_S, dry_run: bool = False) -> Collected:
    """Forget the results and unpacked projects of a home that nothing needs any more.

    Args:
        store: Whose runs and records count. If it is not the home's own ``weft.db`` and there is one, that
            counts too: a script may use it.
        home: Weft's folder. No other store than these two may have its results here.
        grace_s: See ``artifacts.collect``.
        dry_run: Remove nothing.

    Raises:
        UsageError: The store is in memory, or the grace is too short.
        StoreError, StoreReadOnly: Something cannot be read or removed.
    """
    blobs = FileBlobs(home / "artifacts")
    own = home / "weft.db"
    others: list[Store] = []
    if own.is_file() and not _is(store, own):
        others.append(open_store(own))
    try:
        stores = [store, *others]
        # Files are dated by the machine's clock, whatever the engine's says.
        now = time.time()
        unneeded = list(_unneeded(stores, home, now - grace_s))
        done = collect(
            blobs,
            (text for each in stores for text in references(each, blobs)),
            now=now,
            grace_s=grace_s,
            dry_run=dry_run,
        )
        if not dry_run:
            for folder in unneeded:
                _remove(folder)
        return msgspec.structs.replace(done, folders=len(unneeded))
    finally:
        for each in others:
            each.close()


def collect_if_due(store: Store, home: Path, *, now: float) -> Collected | None:
    """Collect a home if nobody has for a day.

    Args:
        store, home: See ``collect_home``.
        now: The time.

    Returns:
        What was done; ``None`` if it was not its time, or somebody else is at it.
    """
    if not isinstance(store, Movable):
        return None
    name = f"{socket.gethostname()}:{home.resolve()}"
    entry = COLLECTIONS.get(store, name)
    if entry is not None and now - entry.value.began_at < EVERY_S:
        return None
    try:
        expect = 0 if entry is None else entry.revision
        begun = COLLECTIONS.save(store, name, Collecting(now), at=now, expect=expect)
    except Conflict:
        return None
    done = collect_home(store, home)
    _log.info("collected: %d results of %d bytes, %d projects", done.removed, done.freed, done.folders)
    try:
        COLLECTIONS.save(store, name, Collecting(now, done), at=now, expect=begun.revision)
    except Conflict:
        pass  # It took longer than a day.
    return done


def references(store: Store, blobs: FileBlobs) -> Iterator[bytes]:
    """Everything in a store, and in the blobs that list others, that may name results."""
    with movable(store).outgoing() as source:
        for table in TABLES:
            for batch in source.rows(table):
                for row in batch:
                    for value in row:
                        if isinstance(value, str) and len(value) >= _DIGEST_LENGTH:
                            yield value.encode()
                        elif isinstance(value, bytes) and len(value) >= _DIGEST_LENGTH:
                            yield value
        listed = [*_items(source), *_of_runs(source, lambda ended_at: True)]
    for digest in dict.fromkeys([*listed, *_of_records(store)]):
        try:
            yield blobs.get(digest)
        except ArtifactMissing:
            continue  # Nothing to keep: ``weft verify`` tells of it.


def _items(source: Source) -> Iterator[str]:
    """The lists of the items of wide maps: items that have not started are named nowhere else."""
    table = BY_NAME["map"]
    at = table.columns.index("items")
    for batch in source.rows(table):
        for row in batch:
            digest = _decode_result(row[at]).digest
            if digest is not None:
                yield digest


def _of_runs(source: Source, counts: Callable[[float | None], bool]) -> set[str]:
    """The snapshots that runs use; ``counts`` picks runs by when they ended."""
    table = BY_NAME["run"]
    project, ended = table.columns.index("project"), table.columns.index("ended_at")
    folders = {row[project] for batch in source.rows(table) for row in batch if counts(row[ended])}
    names = (os.path.basename(each) for each in folders)
    return {each for each in names if _IS_SNAPSHOT.fullmatch(each)}


def _of_records(store: Store) -> set[str]:
    """The snapshots of deployed projects, workflows and versions."""
    found = {each.value.snapshot for each in PROJECTS.all(store)}
    found |= {each.value.snapshot for each in WORKFLOWS.all(store)}
    found |= {each.value.snapshot for each in VERSIONS.all(store)}
    return found


def _unneeded(stores: list[Store], home: Path, before: float) -> Iterator[Path]:
    """Unpacked projects that no version and no open run needs, and what dead unpackers left."""
    old = [each for each in _folders(home / FOLDER) if _made(each) < before]
    if not old:
        return
    needed: set[str] = set()
    for store in stores:
        needed |= _of_records(store)
        with movable(store).outgoing() as source:
            needed |= _of_runs(source, lambda ended_at: ended_at is None)
    for folder in old:
        if folder.name not in needed:
            yield folder


def _folders(parent: Path) -> Iterator[Path]:
    try:
        for each in parent.iterdir():
            if _IS_SNAPSHOT.fullmatch(each.name) or each.name.startswith((".new-", ".old-")):
                yield each
    except (FileNotFoundError, NotADirectoryError):
        return


def _made(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _remove(folder: Path) -> None:
    """All at once for whoever looks for it, who then unpacks it again."""
    aside = folder.with_name(f".old-{folder.name[-16:]}-{os.getpid()}")
    try:
        os.rename(folder, aside)
    except OSError:
        return  # Somebody else is at it.
    shutil.rmtree(aside, ignore_errors=True)


def _is(store: Store, path: Path) -> bool:
    """Whether a store is this file."""
    found = getattr(store, "path", None)
    try:
        return isinstance(found, Path) and found.samefile(path)
    except OSError:
        return False
