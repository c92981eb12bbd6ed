"""``weft db``: the store as a whole: move it, back it up, restore, look at, check and clean it."""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from weft._version import __version__
from weft.artifacts.blobs import FileBlobs
from weft.artifacts.collect import GRACE_S
from weft.cli.app import Json, Yes, noun
from weft.cli.output import emit
from weft.cli.reading import Home, home
from weft.cli.style import quiet, say, table
from weft.engine.recovery import living_engines
from weft.engine.verify import verify
from weft.model.errors import ArtifactCorrupt, ArtifactMissing, Conflict, StoreCorrupt, UsageError
from weft.observability.terminal import count
from weft.service.collection import COLLECTIONS, collect_home
from weft.store.dump import is_dump, is_sqlite, open_dump, write_dump
from weft.store.open import open_store, shown
from weft.store.protocol import Store
from weft.store.tables import TABLES
from weft.store.transfer import Source, copy, movable

app = noun("db", help="Move, back up, restore, check and clean the store.")

SAMPLE = 200
"""Runs of a moved store that are verified one by one, beside every row's digest."""

File = Annotated[Path, Parameter(help="The backup's file.")]
Force = Annotated[bool, Parameter(help="Although engines are at work; what they do meanwhile is lost.")]


@app.command(name="migrate-to")
def migrate_to(
    url: Annotated[str, Parameter(help="The new store: postgresql://USER@HOST/DATABASE, or a path.")],
    /,
    *,
    force: Force = False,
    json: Json = False,
) -> int:
    """Copy everything into another, empty store: all of it or nothing, with the same ids.

    Results and logs stay where they are, in the home. Set WEFT_STORE to the new one afterwards.
    """
    began = time.monotonic()
    with home() as opened:
        if not force:
            _nobody_at_work(opened.store)
        target = open_store(url, durability=opened.settings.durability)
        try:
            with movable(opened.store).outgoing() as source:
                counts = _fill(target, source, replace=False)
            problems = _sampled(target)
        finally:
            target.close()
    return _told("moved", counts, problems, f"to {shown(url)}", time.monotonic() - began, json=json)


@app.command
def backup(
    file: File,
    /,
    *,
    portable: Annotated[
        bool, Parameter(help="A dump that any database can be restored from, also of SQLite.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Write the store as it is at one instant into a file, while the service runs.

    Of SQLite that is an SQLite file, of PostgreSQL a dump. Results, logs and the key of secrets are no part
    of it: copy the home's folders artifacts and logs, and secret.key, after it.
    """
    if file.is_dir():
        raise UsageError("the backup's path is a folder", where=str(file), hint="name a file in it")
    if file.exists() and not yes:
        raise UsageError(f"{file} is there already", where=str(file), hint="say --yes to replace it")
    began = time.monotonic()
    with home() as opened:
        store = movable(opened.store)
        copier = getattr(store, "backup", None)
        with _progress() as progress:
            if copier is not None and not portable:
                copier(file, lambda done, pages: progress("pages", done, pages))
            else:
                with store.outgoing() as source:
                    write_dump(source, file, weft=__version__, at=time.time(), progress=progress)
    size, took = file.stat().st_size, time.monotonic() - began
    if json:
        emit({"file": str(file), "size": size, "seconds": took})
    say(f"wrote {file}: {_bytes(size)} in {took:.1f} s")


@app.command
def restore(file: File, /, *, yes: Yes = False, force: Force = False, json: Json = False) -> int:
    """Make the store what a backup holds: all of it or nothing.

    The file may come from another kind of database. What the store holds now goes, which needs --yes.
    """
    if not (is_dump(file) or is_sqlite(file)):
        raise StoreCorrupt("this is no backup of a Weft store", where=str(file))
    began = time.monotonic()
    with home() as opened:
        if not force:
            _nobody_at_work(opened.store)
        with movable(opened.store).outgoing() as held:
            rows = sum(held.count(each) for each in TABLES if each.name != "engine")
        if rows and not yes:
            raise UsageError(
                f"{shown(opened.settings.store_url)} holds {rows:,} rows, which would go for good",
                hint="say --yes to do it",
            )
        with _backup_of(file) as source:
            counts = _fill(opened.store, source, replace=True)
        problems = _sampled(opened.store)
    return _told("restored", counts, problems, f"from {file}", time.monotonic() - began, json=json)


@app.command
def info(*, json: Json = False) -> None:
    """Show what the store is, and how much it holds."""
    with home() as opened:
        store = movable(opened.store)
        about = store.about()
        with store.outgoing() as source:
            counts = {each.name: source.count(each) for each in TABLES}
        results, size = _artifacts(opened)
        collected = max((each.value.began_at for each in COLLECTIONS.all(opened.store)), default=None)
        seq = opened.store.last_seq()
    where = shown(opened.settings.store_url)
    if json:
        emit(
            {
                "store": where,
                **msgspec.to_builtins(about),
                "seq": seq,
                "rows": counts,
                "results": results,
                "results_size": size,
            }
        )
        return
    print(f"{where}  {about.kind} {about.server}, schema {about.schema}")
    print(f"{_bytes(about.size)} in the store; {count(results, 'result')} of {_bytes(size)} beside it")
    if collected is not None:
        print(f"collected {time.strftime('%Y-%m-%d %H:%M', time.localtime(collected))}")
    table([(name, f"{number:,}") for name, number in counts.items() if number], ("TABLE", "ROWS"))


@app.command
def check(
    *,
    artifacts: Annotated[bool, Parameter(help="Also read each result, and compare its digest.")] = False,
    json: Json = False,
) -> int:
    """Check that the storage is sound; weft verify checks what it holds. Exit code 1 if it is not."""
    with home() as opened:
        problems = [("store", each) for each in opened.store.check()]
        if artifacts:
            problems += [("artifacts", each) for each in _damaged(_blobs(opened))]
    for where, what in problems:
        if json:
            emit({"where": where, "what": what})
        else:
            print(f"{where}: {what}")
    if not problems:
        say("the store is sound" + (", and so is every result" if artifacts else ""))
    return 1 if problems else 0


@app.command
def gc(
    *,
    grace: Annotated[float, Parameter(help="Hours for which results are kept that nothing refers to.")] = (
        GRACE_S / 3600
    ),
    dry_run: Annotated[bool, Parameter(help="Only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Forget results and unpacked projects that nothing refers to any more.

    A service does so once a day. No other store than this one, and the home's own, may keep results in the
    home.
    """
    with home() as opened:
        done = collect_home(opened.store, opened.settings.home_path, grace_s=grace * 3600, dry_run=dry_run)
    if json:
        emit(done)
        return
    verb = "would remove" if dry_run else "removed"
    say(
        f"{verb} {count(done.removed, 'result')} of {_bytes(done.freed)} and "
        f"{count(done.folders, 'unpacked project')}; {count(done.kept, 'old result')} still needed"
    )


def _nobody_at_work(store: Store) -> None:
    living = living_engines(store.engines(), now=time.time())
    if living:
        names = ", ".join(each.name or str(each.engine) for each in living[:3])
        raise Conflict(
            f"{count(len(living), 'engine')} at work: {names}",
            hint="stop the service, or say --force: what it does meanwhile is left behind",
        )


def _fill(target: Store, source: Source, *, replace: bool) -> dict[str, int]:
    with _progress() as progress, movable(target).incoming() as into:
        return copy(source, into, replace=replace, progress=progress)


def _sampled(store: Store) -> list[str]:
    """What is wrong with some runs of a store: the newest, and others by chance."""
    rows = store.runs(limit=SAMPLE // 2)
    ids = {each.run for each in rows}
    rest = [each for each in store.all_runs() if each.run not in ids] if len(rows) == SAMPLE // 2 else []
    rows += random.sample(rest, min(len(rest), SAMPLE // 2))
    return [f"{each.code} {each.where}: {each.what}" for each in verify(store, runs=rows)]


def _told(
    verb: str, counts: dict[str, int], problems: list[str], where: str, took_s: float, *, json: bool
) -> int:
    if json:
        emit({"rows": counts, "problems": problems, "seconds": took_s})
    rows, runs = sum(counts.values()), count(counts["run"], "run")
    say(f"{verb} {runs} ({rows:,} rows) {where} in {took_s:.1f} s; every row was compared")
    for each in problems:
        print(each, file=sys.stderr)
    if verb == "moved" and not problems:
        say("set WEFT_STORE to it, or store in weft.toml, for whatever runs from now on")
    return 1 if problems else 0


@contextmanager
def _backup_of(file: Path) -> Iterator[Source]:
    """A backup as a source; the file is left as it is."""
    if is_dump(file):
        with open_dump(file) as dump:
            yield dump
        return
    # Opening an older one brings its schema up to date, which is done to a copy.
    with tempfile.TemporaryDirectory(prefix="weft-restore-", dir=file.resolve().parent) as folder:
        copied = Path(folder, "weft.db")
        shutil.copyfile(file, copied)
        store = open_store(copied)
        try:
            with movable(store).outgoing() as source:
                yield source
        finally:
            store.close()


class _Line:
    """Progress on one line of a terminal; nothing anywhere else."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty() and not quiet()
        self._at = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._shown and now - self._at > 0.1:
            self._at = now
            print(f"\r\x1b[K{what}: {done:,} of {total:,}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line empty."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def _progress() -> Iterator[_Line]:
    line = _Line()
    try:
        yield line
    finally:
        line.end()


def _blobs(opened: Home) -> FileBlobs:
    return FileBlobs(opened.settings.home_path / "artifacts")


def _artifacts(opened: Home) -> tuple[int, int]:
    """How many stored results there are, and their bytes."""
    blobs = _blobs(opened)
    sizes = [os.stat(blobs.path(each)).st_size for each in blobs]
    return len(sizes), sum(sizes)


def _damaged(blobs: FileBlobs) -> Iterator[str]:
    for digest in blobs:
        try:
            blobs.get(digest)
        except ArtifactCorrupt as exc:
            yield f"{digest}: {exc.what}"
        except ArtifactMissing:
            continue  # Collected at this moment.


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
