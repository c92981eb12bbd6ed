"""The copy of the discovering process that loads one file, says what is in it, and ends.

From here on the file may do what it wants. What Weft needs afterwards, the way back to the process that
waits, is a descriptor that was opened before.
"""

import errno
import faulthandler
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.model.errors import LoadExited, LoadOutOfMemory, UsageError, WeftError, WorkflowImportError
from weft.model.projects import FoundWorkflow, Look, Problem
from weft.projects.loaders import named
from weft.runtime import load
from weft.runtime.failure import describe

_HEAD = struct.Struct(">I")
_CHILDREN_S = 1.0
FORKED = b"forked"
"""In place of an answer: user code forked, and its copy came back as well."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request.

    Attributes:
        root: The project's folder.
        file: Relative to it.
        dialect: Who loads it.
        timeout_s: The longest that it may take.
        memory_bytes: The largest address space that it may have.
        tasks: Whether lone tasks count as workflows.
    """

    root: str
    file: str
    dialect: str
    timeout_s: float
    memory_bytes: int
    tasks: bool = False


encode = msgspec.msgpack.Encoder().encode
decode_ask = msgspec.msgpack.Decoder(Ask).decode
decode_look = msgspec.msgpack.Decoder(Look).decode


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """The next frame; ``None`` if the other side has ended."""
    head = _exactly(read, _HEAD.size)
    return None if head is None else _exactly(read, _HEAD.unpack(head)[0])


def frame(data: bytes) -> bytes:
    """A frame with these bytes."""
    return _HEAD.pack(len(data)) + data


def _exactly(read: Callable[[int], bytes], size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def frames(data: bytes | bytearray) -> list[bytes]:
    """The whole frames in these bytes."""
    found: list[bytes] = []
    at = 0
    while at + _HEAD.size <= len(data):
        (size,) = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + size
        if end > len(data):
            break
        found.append(bytes(data[at + _HEAD.size : end]))
        at = end
    return found


_read: set[str] = set()
_before: frozenset[str] = frozenset()


def be_copy(ask: Ask, answers: int, words: int) -> None:
    """Load the file, say what is in it, and end."""
    global _before
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(words, 1)
    os.dup2(words, 2)
    me = os.getpid()
    forks: list[int] = []
    look = None
    try:
        os.chdir(ask.root)
        sys.argv[:] = [ask.file]
        sys.addaudithook(_audit(ask.root))
        os.register_at_fork(after_in_parent=lambda: forks.append(1))
        faulthandler.enable()
        faulthandler.dump_traceback_later(ask.timeout_s - min(0.5, ask.timeout_s / 4), file=2)
        _before = frozenset(sys.modules)
        _limit(ask.memory_bytes)
        look = _load(ask)
    finally:
        if os.getpid() != me:
            os.write(answers, frame(FORKED))
            os._exit(0)
        if forks:
            _await_children()
        _limit(None)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                pass  # It is whatever the file has made of it.
        if look is not None:
            view = memoryview(frame(encode(look)))
            while view:
                view = view[os.write(answers, view) :]
        os._exit(0)  # Whatever threads the file has started, and whatever it wants done at exit.


def _await_children() -> None:
    """Give a forked process the time to come back, so that whether it does is no matter of chance."""
    deadline = time.monotonic() + _CHILDREN_S
    try:
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
    except ChildProcessError:
        pass  # There are none left.


def _limit(memory_bytes: int | None) -> None:
    """Bound the address space; ``None`` takes the bound away, so that there is room for the answer."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = hard if memory_bytes is None else memory_bytes
    if memory_bytes is not None and hard not in (resource.RLIM_INFINITY, -1):
        soft = min(memory_bytes, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ValueError, OSError):
        pass  # macOS knows no such bound.


def _load(ask: Ask) -> Look:
    blobs = MemoryBlobs()
    try:
        load.enter(ask.root)
        workflows, problems = named(ask.dialect).open()(ask.file, Artifacts(blobs), tasks=ask.tasks)
        return _look(ask, workflows, problems, blobs)
    except WeftError as exc:
        cause = exc.__cause__
        error = _out_of_memory(ask) if _is_memory(cause) else exc
        return failed(ask, error, "" if cause is None else describe(cause).traceback)
    except MemoryError as exc:
        return failed(ask, _out_of_memory(ask), describe(exc).traceback)
    except SystemExit as exc:
        where = load.last_line(exc)
        what = f"it called sys.exit({'' if exc.code is None else repr(exc.code)}) while it was imported"
        hint = 'put it under: if __name__ == "__main__":'
        return failed(ask, LoadExited(what, where=where, hint=hint), describe(exc).traceback)
    except BaseException as exc:
        what = f"importing it raised {type(exc).__name__}: {exc}".rstrip(": ")
        return failed(ask, WorkflowImportError(what, where=load.last_line(exc)), describe(exc).traceback)


def _look(ask: Ask, found: list[FoundWorkflow], problems: list[Problem], blobs: MemoryBlobs) -> Look:
    kept: list[FoundWorkflow] = []
    for each in found:
        try:
            encode(each)
        except (TypeError, ValueError, RecursionError) as exc:
            error = UsageError(f"its graph cannot be stored: {exc}")
            problems.append(Problem(code=error.code, what=error.what, file=ask.file, workflow=each.name))
        else:
            kept.append(each)
    near = ask.root + os.sep
    relative = [
        msgspec.structs.replace(each, where=each.where.replace(near, ""), what=each.what.replace(near, ""))
        for each in problems
    ]
    return Look(
        file=ask.file,
        workflows=tuple(kept),
        problems=tuple(relative),
        blobs=tuple(blobs.get(each) for each in blobs),
        **_taken_in(ask),
    )


def _taken_in(ask: Ask) -> dict[str, Any]:
    """What this process has loaded and read of the project; nothing, in the process that waits."""
    modules: dict[str, str] = {}
    outside: set[str] = set()
    for name in sorted(sys.modules.keys() - _before):
        file = load.project_file(name)
        if file is not None:
            modules[name] = file
        elif "." not in name:
            outside.add(name)
    reads = tuple(sorted(_read - set(modules.values())))
    if not _before:
        return {}
    return {"modules": modules, "reads": reads, "outside": tuple(sorted(outside - modules.keys()))}


def _audit(root: str) -> Callable[[str, tuple[Any, ...]], None]:
    near = root + os.sep
    writes = os.O_WRONLY | os.O_RDWR

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event != "open":
            return
        path, _, flags = args
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(path, str) and not (flags or 0) & writes:
            full = os.path.normpath(os.path.join(root, path))
            if full.startswith(near) and not full.endswith((".py", ".pyc")):
                _read.add(full[len(near) :])

    return audit


def _is_memory(exc: BaseException | None) -> bool:
    return isinstance(exc, MemoryError) or (isinstance(exc, OSError) and exc.errno == errno.ENOMEM)


def _out_of_memory(ask: Ask) -> LoadOutOfMemory:
    return LoadOutOfMemory(
        f"importing it needed more than {ask.memory_bytes / 1e9:.3g} GB of memory",
        hint="load data in a task, not in the file's own text; --memory raises the limit",
    )


def failed(ask: Ask, error: WeftError, traceback: str = "") -> Look:
    """A look at a file that did not load. Paths are the project's own, not those of this copy of it."""
    near = ask.root + os.sep
    problem = Problem(
        code=error.code,
        what=error.what.replace(near, ""),
        file=ask.file,
        where=error.where.replace(near, "") or ask.file,
        hint=error.hint.replace(near, ""),
        traceback=traceback.replace(near, ""),
    )
    return Look(file=ask.file, problems=(problem,), **_taken_in(ask))
