"""``weft doctor``: is this machine fit to run workflows, and is the store well?"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from weft.cli.app import Json, noun
from weft.cli.fitness import keys, limits, port, reachable, worker
from weft.cli.output import emit
from weft.cli.reading import Home
from weft.engine.recovery import dead_engines
from weft.model.errors import WeftError
from weft.observability.terminal import count, paint
from weft.settings import Settings, load_settings
from weft.store.open import shown
from weft.store.sqlite_connection import sqlite_version

app = noun("doctor")

SQLITE_MIN = (3, 51, 3)
PYTHON_MIN = (3, 11)
_ROOM_WARN = 1 << 30
_ROOM_MIN = 100 << 20
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs"}
_WAL = b"\x02\x02"
"""Bytes 18 and 19 of an SQLite file in WAL mode (https://www.sqlite.org/fileformat.html)."""


class Finding(msgspec.Struct, frozen=True):
    """What one look found: ``fix`` says what to do where it is not ``ok``."""

    name: str
    level: Literal["ok", "warning", "error"]
    what: str
    fix: str = ""


@app.default
def doctor(*, json: Json = False) -> int:
    """Check the machine, the installation and the store.

    Every problem comes with what to do about it. Exit code 1 if there is an error.
    """
    settings = load_settings()
    failed = False
    for finding in _findings(settings):
        failed = failed or finding.level == "error"
        if json:
            emit(finding)
            continue
        mark, color = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}[finding.level]
        print(f"{paint(mark, color, sys.stdout)} {finding.name:<10} {finding.what}")
        if finding.fix:
            print(f"  {'':<10} {paint('fix:', 'dim', sys.stdout)} {finding.fix}")
    return 1 if failed else 0


def _findings(settings: Settings) -> Iterator[Finding]:
    looks: tuple[Callable[[Settings], Finding], ...] = (_python, _sqlite, _folder, _disk, _mount, _zone)
    for look in looks:
        yield look(settings)
    for each in (port, limits, worker):
        yield Finding(*each(settings))
    path = Path(settings.store_url)
    elsewhere = settings.store_url.startswith(("postgresql://", "postgres://"))
    if not elsewhere:
        if not path.is_file():
            yield Finding("store", "ok", f"{settings.store_url} is not there yet: the first run makes it")
            return
        yield _wal(path)
    try:
        home = Home(settings)
    except WeftError as exc:
        yield Finding("store", "error", f"{exc.code}: {exc.what}", exc.hint)
        return
    try:
        if elsewhere:
            yield Finding(*reachable(home.store))
        yield _integrity(home)
        yield Finding(*keys(home))
        yield _clock(home)
        yield _engines(home)
    finally:
        home.store.close()
    yield _workers()


def _python(_: Settings) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON_MIN:
        return Finding("python", "error", f"Python {version} is too old", "use Python 3.11 or newer")
    return Finding("python", "ok", f"Python {version}, {sys.executable}")


def _sqlite(_: Settings) -> Finding:
    version = sqlite_version()
    if tuple(map(int, version.split("."))) < SQLITE_MIN:
        fix = "pip install --upgrade apsw: older ones can corrupt a store that two processes share"
        return Finding("sqlite", "error", f"SQLite {version} is too old", fix)
    return Finding("sqlite", "ok", f"SQLite {version}, of the driver's own")


def _folder(settings: Settings) -> Finding:
    home = settings.home_path
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as exc:
        fix = "set WEFT_HOME to a folder that can be written, or mend its permissions"
        return Finding("home", "error", f"{home} cannot be written: {exc.strerror}", fix)
    return Finding("home", "ok", f"{home} can be written")


def _disk(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(settings.home_path).free
    except OSError as exc:
        return Finding("disk", "warning", f"the free space is unknown: {exc.strerror}", "see home")
    room = f"{free / (1 << 30):.1f} GB free"
    if free < _ROOM_WARN:
        fix = "free some, or delete old runs: weft runs delete --query 'ended<-30d'"
        return Finding("disk", "error" if free < _ROOM_MIN else "warning", room, fix)
    return Finding("disk", "ok", room)


def _mount(settings: Settings) -> Finding:
    """What the store's folder is on: SQLite's locks do not hold across machines."""
    kind, at = "", ""
    place = os.path.realpath(settings.home_path)
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return Finding("mount", "ok", "the kind of file system is unknown here")
    for line in lines:
        _, point, fs, *_ = line.split(" ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(at):
            kind, at = fs, point
    if kind in _NETWORK:
        fix = "set WEFT_HOME to a folder on a local disk: two machines must not share this store"
        return Finding("mount", "warning", f"the home is on a network file system ({kind})", fix)
    return Finding("mount", "ok", f"the home is on {kind or 'a local disk'}")


def _zone(_: Settings) -> Finding:
    now = time.localtime()
    offset = time.strftime("%z", now)
    if now.tm_year < 2025:
        return Finding("clock", "error", f"the clock says {time.asctime(now)}", "set it, or run NTP")
    return Finding("clock", "ok", f"{time.strftime('%Y-%m-%d %H:%M:%S', now)} {now.tm_zone} ({offset})")


def _wal(path: Path) -> Finding:
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as exc:
        return Finding("wal", "error", f"the store cannot be read: {exc.strerror}", "mend its permissions")
    if head and head[18:20] != _WAL:
        fix = "something else changed it; back it up, then open it with any weft command"
        return Finding("wal", "warning", "the store is not in WAL mode", fix)
    return Finding("wal", "ok", "the store is in WAL mode")


def _integrity(home: Home) -> Finding:
    problems = home.store.check()
    if problems:
        fix = "restore a backup, or move the store away with its -wal and -shm files"
        return Finding("store", "error", f"{count(len(problems), 'problem')}: {problems[0]}", fix)
    return Finding(
        "store", "ok", f"{shown(home.settings.store_url)} is sound; weft verify checks what it holds"
    )


def _clock(home: Home) -> Finding:
    newest = home.store.runs(limit=1)
    ahead = newest[0].created_at - time.time() if newest else 0.0
    if ahead > 1.0:
        fix = "set the clock: leases and timers go by it"
        return Finding("past", "warning", f"the newest run began {ahead:.0f} s in the future", fix)
    return Finding("past", "ok", "the clock has not gone back since the newest run")


def _engines(home: Home) -> Finding:
    engines = home.store.engines()
    dead = set(dead_engines(engines))
    now = time.time()
    gone = {each.engine for each in engines if each.engine in dead or each.expires_at <= now}
    left = [
        row
        for row in home.store.runs("state:running,queued,paused", limit=500)
        if row.owner in gone or row.owner not in {each.engine for each in engines}
    ]
    if left:
        what = f"{count(len(left), 'run')} without an engine, such as {left[0].uid}"
        return Finding("engines", "warning", what, f"weft runs resume {left[0].uid}")
    living = sum(each.engine not in gone for each in engines)
    return Finding("engines", "ok", f"{count(living, 'engine')} at work, no run is without one")


def _workers() -> Finding:
    """Worker processes whose executor is gone. The kernel should have ended them."""
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if b"weft.runtime.worker" in command and parent == b"1" and os.getpid() != int(folder.name):
            left.append(folder.name)
    if left:
        what = f"{count(len(left), 'worker process')} without an executor: {', '.join(left)}".replace(
            "processs", "processes"
        )
        return Finding("workers", "warning", what, f"kill {' '.join(left)}")
    return Finding("workers", "ok", "no worker process is left over")
