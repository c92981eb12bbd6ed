"""What ``weft doctor`` looks at for a service: its port, its workers, its database and its secrets' key.

Each look answers what ``doctor.Finding`` is made of: a name, a level, what was found, and what to do.
"""

import resource
import socket
import subprocess
import sys
import time
import urllib.request
from typing import Literal

from weft.cli.reading import Home
from weft.cli.secrets import sealed_values, unreadable
from weft.model.errors import WeftError
from weft.observability.terminal import count, duration
from weft.settings import Settings
from weft.store.protocol import Store
from weft.store.transfer import movable
from weft.store.vault import KEY_FILE, open_vault

Found = tuple[str, Literal["ok", "warning", "error"], str, str]

FILES_MIN = 1024
"""Open files that a service with some hundred workers and clients needs."""

SKEW_MAX_S = 1.0
"""How far the clocks of two machines may be apart: leases last some seconds."""

LATENCY_MAX_S = 0.05
"""A question to the database that takes longer makes each commit slow."""

_ASKED = 5
_START_S = 30.0


def port(settings: Settings) -> Found:
    """Whether the service could listen, or does."""
    where = f"{settings.host}:{settings.port}"
    if settings.port == 0:
        return ("port", "ok", "a free one is chosen", "")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family) as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((settings.host, settings.port))
    except OSError as exc:
        if _is_ours(settings):
            return ("port", "ok", f"a Weft service answers at {where}", "")
        fix = "stop what listens there, or choose another: WEFT_PORT, or weft up --port"
        return ("port", "warning", f"{where} cannot be listened on: {exc.strerror}", fix)
    return ("port", "ok", f"{where} is free", "")


def limits(_: Settings) -> Found:
    """Whether the process may open as many files as a service does."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft != resource.RLIM_INFINITY and soft < FILES_MIN:
        fix = f"ulimit -n {FILES_MIN}, or LimitNOFILE= of the systemd unit"
        return ("limits", "warning", f"only {soft} files may be open at once", fix)
    most = "any number of" if soft == resource.RLIM_INFINITY else f"{soft:,}"
    return ("limits", "ok", f"{most} files may be open at once", "")


def worker(_: Settings) -> Found:
    """Whether a worker's process can start, and how long that takes."""
    began = time.monotonic()
    command = [sys.executable, "-c", "import weft.runtime.worker"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return ("start", "error", f"a worker does not start: {exc}", "look at the machine's load and memory")
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return ("start", "error", f"a worker does not start: {why}", "install Weft again")
    return ("start", "ok", f"a worker's process starts in {duration(time.monotonic() - began)}", "")


def reachable(store: Store) -> Found:
    """How far away a database is, in time and by its clock."""
    try:
        about = movable(store).about()
        took_s = min(_timed(store) for _ in range(_ASKED))
    except WeftError as exc:
        return ("database", "error", f"{exc.code}: {exc.what}", exc.hint)
    skew_s = about.now - time.time()
    what = f"PostgreSQL {about.server}, schema {about.schema}, answers in {duration(took_s)}"
    if abs(skew_s) > SKEW_MAX_S:
        fix = "run NTP on both machines: leases and timers go by the clocks"
        return ("database", "warning", f"{what}; its clock is {skew_s:+.1f} s from ours", fix)
    if took_s > LATENCY_MAX_S:
        fix = "move engines near it: each commit waits for an answer"
        return ("database", "warning", what, fix)
    return ("database", "ok", what, "")


def keys(home: Home) -> Found:
    """Whether what is sealed can be opened."""
    settings = home.settings
    if not settings.secret_key and not (settings.home_path / KEY_FILE).exists():
        sealed = sealed_values(home.store)
        if not sealed:
            return ("secrets", "ok", "there are none, and no key yet: the first one makes it", "")
        fix = f"set WEFT_SECRET_KEY, or copy {KEY_FILE} from the machine that sealed them"
        return ("secrets", "error", f"{count(len(sealed), 'value')} sealed, and no key here", fix)
    try:
        lost = unreadable(home.store, open_vault(settings.home_path, settings.secret_key))
    except WeftError as exc:
        return ("secrets", "error", f"{exc.code}: {exc.what}", exc.hint)
    if lost:
        fix = "add the key that sealed them to WEFT_SECRET_KEY, or set them again"
        return (
            "secrets",
            "error",
            f"{count(len(lost), 'value')} cannot be opened: {', '.join(lost[:3])}",
            fix,
        )
    return ("secrets", "ok", "the key opens everything that is sealed", "")


def _timed(store: Store) -> float:
    began = time.monotonic()
    store.last_seq()
    return time.monotonic() - began


def _is_ours(settings: Settings) -> bool:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host
    try:
        url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/api/v1/health"
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
