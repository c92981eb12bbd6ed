"""What an attempt prints and logs, kept in one file an attempt: ``home/logs/<run>/<idx>.<attempt>.log``.

Two ways to catch it, behind one protocol:

* ``StreamCapture`` for attempts that are threads or coroutines of one process: ``sys.stdout`` and
  ``sys.stderr`` are proxies that ask a context variable whose output this is. Output of child processes and
  of C code is not seen, because it has no thread.
* ``FdCapture`` for an attempt that has its process to itself: file descriptors 1 and 2 point at the worker's
  live file, which becomes the attempt's log by being renamed. Children and C code are caught, and after a
  crash the supervisor still finds the file (``adopt``).

Records of ``logging`` go to the same file, with time and level in front. They are taken from
``Logger.callHandlers``, after the loggers' levels and filters: a handler on the root logger would make the
user's own ``logging.basicConfig`` do nothing. A record that one of the user's handlers already prints to the
captured streams is not written twice.

An attempt that says nothing costs no file and no system call in a thread, one ``fstat`` in a process.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec

from weft.model.attempts import Attempt
from weft.runtime import masking

PARTIAL_MAX = 8192
"""Characters of an unfinished line that are held back before they are written."""


class Capture(Protocol):
    """Where an attempt's output goes."""

    def begin(self, attempt: Attempt) -> None:
        """From here on output belongs to ``attempt``."""

    def write(self, data: bytes) -> None:
        """Add to the log of the attempt that this code runs for."""

    def end(self, attempt: Attempt) -> int:
        """The attempt is over; returns the bytes in its log."""


def log_path(home: Path, run: str, idx: int, attempt: int) -> Path:
    """Where an attempt's log is, if it has one."""
    return Path(home, "logs", run, f"{idx}.{attempt}.log")


def live_path(home: Path, worker: str) -> Path:
    """Where the output of the attempt that a worker process carries out is until it ends."""
    return Path(home, "logs", "live", worker.replace("/", "_") + ".log")


def adopt(live: Path, attempt: Attempt) -> int:
    """Make what a dead worker left in its live file the log of the attempt that it carried out.

    Returns:
        The bytes in the attempt's log.
    """
    final = log_path(live.parent.parent.parent, attempt.run, attempt.id[1], attempt.id[2])
    try:
        size = live.stat().st_size
        if size == 0:
            live.unlink()
            return 0
    except FileNotFoundError:
        return final.stat().st_size if final.exists() else 0
    return _move(live, final)


def format_record(record: logging.LogRecord) -> bytes:
    """One log record as lines of the log."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    try:
        message = record.getMessage()
    except Exception as exc:  # A bad format string must not fail the task; logging itself only complains.
        message = f"{record.msg!r} {record.args!r} ({type(exc).__name__} while formatting)"
    text = f"{stamp}.{int(record.msecs):03d}Z {record.levelname} {record.name}: {message}\n"
    if record.exc_info and record.exc_info[0] is not None:
        text += _FORMATTER.formatException(record.exc_info) + "\n"
    if record.stack_info:
        text += record.stack_info + "\n"
    return text.encode("utf-8", "backslashreplace")


_FORMATTER = logging.Formatter()


class StreamCapture:
    """Captures attempts that share a process, by context variable.

    Args:
        home: Weft's folder.
        tee: Whether output also goes where it would have gone; may be changed at any time.
    """

    _installed_total: ClassVar[int] = 0

    def __init__(self, home: Path, *, tee: bool = True) -> None:
        self.home = home
        self.tee = tee
        self._installed = False

    def install(self) -> None:
        """Put the proxies in place; once more changes nothing."""
        if self._installed:
            return
        self._installed = True
        with _install_lock:
            StreamCapture._installed_total += 1
            _stand_in(always=False)
            _hook_logging()

    def uninstall(self) -> None:
        """Put the streams back, unless someone else has replaced them since; once more changes nothing."""
        if not self._installed:
            return
        self._installed = False
        with _install_lock:
            StreamCapture._installed_total -= 1
            if StreamCapture._installed_total == 0:
                for name in ("stdout", "stderr"):
                    stream = getattr(sys, name)
                    if isinstance(stream, _Stream):
                        setattr(sys, name, stream.real)
            _unhook_logging()

    def begin(self, attempt: Attempt) -> None:
        """From here on output of this context belongs to ``attempt``."""
        if type(sys.stdout) is not _Stream and self._installed:
            # Somebody redirects output: take part, but let them have what they asked for too.
            _stand_in(always=True)
        _sink.set(_Sink(self, attempt))

    def write(self, data: bytes) -> None:
        """Add to the current attempt's log, and to the real standard output."""
        sink = _sink.get()
        if sink is not None:
            sink.write(data)
        stream: Any = sys.stdout
        if (self.tee or sink is None) and isinstance(stream, _Stream):
            stream.pass_on(data)

    def end(self, attempt: Attempt) -> int:
        """The attempt is over; returns the bytes in its log."""
        sink = _sink.get()
        if sink is None:
            return 0
        _sink.set(None)
        sink.ended = True
        if sink.file is None and not sink.partial:
            return 0
        return sink.close()


def _stand_in(*, always: bool) -> None:
    for name in ("stdout", "stderr"):
        real: Any = getattr(sys, name)
        if real is not None and not isinstance(real, _Stream):
            setattr(sys, name, _Stream(real, always))


class _File:
    """A descriptor that closes when nobody holds it: not even an exception from outside leaves it open."""

    __slots__ = ("fd",)

    def __init__(self, path: Path) -> None:
        self.fd = -1
        self.fd = _open(path)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class _Sink(msgspec.Struct):
    """One attempt's log, opened by the first write. A struct, since every attempt makes one."""

    capture: StreamCapture
    attempt: Attempt
    ended: bool = False
    file: _File | None = None
    partial: str = ""
    size: int = 0

    def write_text(self, text: str) -> None:
        """Write whole lines at once: ``print`` hands over the line and its end apart."""
        self.partial += text
        if "\n" in text or self.ended or len(self.partial) > PARTIAL_MAX:
            self.flush()

    def flush(self) -> None:
        whole, self.partial = self.partial, ""
        if whole:
            self._put(whole.encode("utf-8", "backslashreplace"))

    def write(self, data: bytes) -> None:
        self.flush()
        self._put(data)

    def close(self) -> int:
        self.flush()
        self.file = None
        return self.size

    def _put(self, data: bytes) -> None:
        if masking.hidden:
            data = masking.mask(data)
        file = self.file
        if file is None:
            spec = self.attempt
            file = self.file = _File(log_path(self.capture.home, spec.run, spec.id[1], spec.id[2]))
            self.size = os.fstat(file.fd).st_size
        self.size += len(data)
        _write_all(file.fd, data)
        if self.ended:  # A thread that outlives its attempt: keep what it says, but no descriptor.
            self.file = None


_sink: ContextVar[_Sink | None] = ContextVar("weft_log", default=None)
_install_lock = threading.Lock()


class _Stream:
    """Stands in for ``sys.stdout`` or ``sys.stderr``.

    Args:
        real: What it stands in for.
        always: Whether ``real`` gets the output of attempts too, whatever ``tee`` says.
    """

    def __init__(self, real: Any, always: bool) -> None:
        self.real = real
        self.always = always

    def write(self, text: str) -> int:
        sink = _sink.get()
        if sink is not None:
            sink.write_text(text)
            if not (sink.capture.tee or self.always):
                return len(text)
        written: int = self.real.write(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        sink = _sink.get()
        if sink is not None:
            sink.flush()
        self.real.flush()

    @property
    def buffer(self) -> _Bytes:
        return _Bytes(self)

    def pass_on(self, data: bytes) -> None:
        """Bytes to the real stream, whichever kind of stream it is."""
        buffer = getattr(self.real, "buffer", None)
        if buffer is None:
            self.real.write(data.decode("utf-8", "replace"))
            return
        self.real.flush()
        buffer.write(data)
        buffer.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _Bytes:
    """Stands in for ``sys.stdout.buffer``."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        sink = _sink.get()
        if sink is not None:
            sink.write(bytes(data))
            if not (sink.capture.tee or self._stream.always):
                return len(data)
        self._stream.pass_on(bytes(data))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream.real.buffer, name)


class FdCapture:
    """Captures everything a worker process says while it carries out one attempt at a time.

    Args:
        home: Weft's folder.
        worker: The worker's name, unique among all living workers that share ``home``.
    """

    def __init__(self, home: Path, worker: str) -> None:
        self.home = home
        self.live = live_path(home, worker)
        self.attempt: Attempt | None = None
        self._fd = -1
        self._saved: tuple[int, int] | None = None

    def install(self) -> None:
        """Point descriptors 1 and 2 at the live file; once more changes nothing."""
        if self._saved is not None:
            return
        _flush_streams()
        self._saved = os.dup(1), os.dup(2)
        self._turn()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # What was printed before a crash must be in the file, and in order.
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
        _fd_captures.append(self)
        _hook_logging()

    def uninstall(self) -> None:
        """Point the descriptors back where they were; once more changes nothing."""
        if self._saved is None:
            return
        _flush_streams()
        saved, self._saved = self._saved, None
        for fd, before in zip((1, 2), saved, strict=True):
            os.dup2(before, fd)
            os.close(before)
        os.close(self._fd)
        _fd_captures.remove(self)
        _unhook_logging()
        if self.live.exists() and self.live.stat().st_size == 0:
            self.live.unlink()

    def begin(self, attempt: Attempt) -> None:
        """From here on output of this process belongs to ``attempt``."""
        self.attempt = attempt

    def write(self, data: bytes) -> None:
        """Add to the attempt's log."""
        _flush_streams()
        _write_all(self._fd, data)

    def end(self, attempt: Attempt) -> int:
        """The attempt is over; returns the bytes in its log."""
        self.attempt = None
        _flush_streams()
        if os.fstat(self._fd).st_size == 0:
            return 0
        if masking.hidden:
            _rewrite(self.live)
        final = log_path(self.home, attempt.run, attempt.id[1], attempt.id[2])
        size = _move(self.live, final)
        self._turn()
        return size

    def _turn(self) -> None:
        """Open a fresh live file and make it the standard output and error."""
        fresh = _open(self.live)
        os.dup2(fresh, 1)
        os.dup2(fresh, 2)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fresh


_fd_captures: list[FdCapture] = []
_hooks_total = 0
_plain_call_handlers = logging.Logger.callHandlers
_raised_root = False


def _hook_logging() -> None:
    """Take part in logging, and let INFO through where the user has not set logging up."""
    global _hooks_total, _plain_call_handlers, _raised_root
    _hooks_total += 1
    if _hooks_total > 1:
        return
    _plain_call_handlers = logging.Logger.callHandlers
    logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign]
    root = logging.getLogger()
    if root.level == logging.WARNING and not root.handlers:
        _raised_root = True
        root.setLevel(logging.INFO)
    tasks = logging.getLogger("weft.task")
    if tasks.level == logging.NOTSET:
        tasks.setLevel(logging.INFO)


def _unhook_logging() -> None:
    global _hooks_total, _raised_root
    _hooks_total -= 1
    if _hooks_total:
        return
    if logging.Logger.callHandlers is _call_handlers:
        logging.Logger.callHandlers = _plain_call_handlers  # type: ignore[method-assign]
    root = logging.getLogger()
    if _raised_root and root.level == logging.INFO:
        root.setLevel(logging.WARNING)
    _raised_root = False


def _call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
    sink = _sink.get()
    running = sink is not None or any(capture.attempt is not None for capture in _fd_captures)
    if not running or record.levelno < logging.INFO:
        _plain_call_handlers(self, record)
        return
    if not self.hasHandlers():
        # logging would print the bare message to stderr as its last resort; the log's own line says more.
        line = format_record(record)
        _keep(sink, line)
        if sink is not None and sink.capture.tee and record.levelno >= logging.WARNING:
            stream = sys.stderr
            (stream.real if isinstance(stream, _Stream) else stream).write(line.decode())
        return
    if not _prints(self, record):
        _keep(sink, format_record(record))
    _plain_call_handlers(self, record)


def _keep(sink: _Sink | None, line: bytes) -> None:
    if sink is not None:
        sink.write(line)
    else:
        _fd_captures[-1].write(line)


def _prints(logger: logging.Logger, record: logging.LogRecord) -> bool:
    """Whether a handler of the user's writes this record to the captured streams anyway."""
    each: logging.Logger | None = logger
    while each is not None:
        for handler in each.handlers:
            if isinstance(handler, logging.StreamHandler) and record.levelno >= handler.level:
                stream = handler.stream
                if isinstance(stream, _Stream) or (_fd_captures and stream in (sys.stdout, sys.stderr)):
                    return True
        each = each.parent if each.propagate else None
    return False


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass  # User code closed or replaced it; nothing is left to flush.


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o644)


def _rewrite(live: Path) -> None:
    """Take what is hidden out of a log. Until then it is in the live file, which is of this user alone."""
    fresh = live.with_suffix(".masked")
    with open(live, "rb") as source, open(fresh, "wb") as target:
        for line in source:
            target.write(masking.mask(line))
    os.replace(fresh, live)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _move(live: Path, final: Path) -> int:
    """Rename ``live`` to ``final``, or append it where an earlier turn of the same attempt left a log."""
    if final.exists():
        with open(live, "rb") as source, open(final, "ab") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)
        live.unlink()
    else:
        try:
            os.rename(live, final)
        except FileNotFoundError:
            final.parent.mkdir(parents=True, exist_ok=True)
            os.rename(live, final)
    return final.stat().st_size
