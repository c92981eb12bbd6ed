"""The process in which workflow files are looked at: ``python -m weft.projects.discovering``.

It never loads one itself. It has Weft imported, and for each file that it is asked about it makes a copy of
itself (``fork``), which loads the file, answers and ends (``looking.py``). So a file costs milliseconds
beside its own imports, meets a process in which no other file has been, and may do there what it likes:

- hang: the copy is killed when its time is over, with all that it has started (it leads its own session);
- exit, crash, or raise whatever it wants: the copy's end says so;
- print: what it says goes nowhere, apart from the last words of one that ends badly;
- take memory: an address space of limited size;
- fork: a process that comes back from user code, and is not the one that went there, ends.

Requests come on standard input, answers leave on standard output, each as four bytes of length and msgpack.
When standard input ends, so does this, and what it has started.
"""

import os
import select
import signal
import time

import msgspec

from weft.model.errors import LoadExited, LoadTimedOut
from weft.model.projects import Look
from weft.projects.loaders import LOADERS
from weft.projects.looking import (
    FORKED,
    Ask,
    be_copy,
    decode_ask,
    decode_look,
    encode,
    failed,
    frame,
    frames,
    read_frame,
)

_TAIL = 4000
"""Bytes of a file's last words that are kept."""
_SLICE_S = 0.05
"""How long the end of a copy may go unnoticed while something that it started holds its pipes."""
_ANSWER_MAX = 256 * 1024 * 1024


class _Copy:
    """A copy at work, as its parent sees it."""

    def __init__(self, ask: Ask, out: int) -> None:
        self.ask = ask
        answers, answers_end = os.pipe()
        words, words_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (answers, words, out, 0):
                os.close(fd)
            be_copy(ask, answers_end, words_end)
        os.close(answers_end)
        os.close(words_end)
        self._answers, self._words = answers, words
        self._data = bytearray()
        self._tail = b""
        self._status: int | None = None

    def look(self) -> Look:
        """Wait for its answer, or for its end, or until its time is over."""
        deadline = time.monotonic() + self.ask.timeout_s
        late = False
        open_fds = {self._answers, self._words}
        while self._answer() is None and self._status is None:
            left = deadline - time.monotonic()
            if left <= 0:
                late = True
                break
            for fd in select.select([*open_fds, 0], [], [], min(left, _SLICE_S))[0]:
                if fd == 0:
                    self._bury()  # Only the end of the input comes while an answer is awaited.
                    os._exit(0)
                if not self._take(fd):
                    open_fds.discard(fd)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        self._drain(open_fds)
        answer = self._answer()
        self._bury()
        if answer is None:
            return failed(self.ask, self._late() if late else self._ended())
        if FORKED in frames(self._data):
            error = LoadExited(
                "it forked while it was imported, and the copy went on to load the file too",
                hint="start processes in a task, not in the file's own text",
            )
            return failed(self.ask, error)
        return answer

    def _answer(self) -> Look | None:
        for each in frames(self._data):
            if each != FORKED:
                try:
                    return decode_look(each)
                except msgspec.MsgspecError:
                    return None
        return None

    def _take(self, fd: int) -> bool:
        data = os.read(fd, 1 << 16)
        if fd == self._answers and len(self._data) < _ANSWER_MAX:
            self._data += data
        elif fd == self._words:
            self._tail = (self._tail + data)[-_TAIL:]
        return bool(data)

    def _drain(self, open_fds: set[int]) -> None:
        """Take what it wrote before it ended."""
        while ready := select.select(list(open_fds), [], [], 0)[0]:
            for fd in ready:
                if not self._take(fd):
                    open_fds.discard(fd)
            if len(self._data) >= _ANSWER_MAX:
                return

    def _bury(self) -> None:
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # It has not made its group yet, or all of it has ended.
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._answers)
        os.close(self._words)

    def _late(self) -> LoadTimedOut:
        return LoadTimedOut(
            f"importing it took longer than {self.ask.timeout_s:g} s",
            where=_stuck_at(self._tail.decode(errors="replace"), self.ask.root),
            hint="what takes long belongs into a task, not into the file's own text",
        )

    def _ended(self) -> LoadExited:
        code = self._status or 0
        words = self._tail.decode(errors="replace")
        if code < 0:
            what = f"importing it ended the process by signal {signal.Signals(-code).name}"
            return LoadExited(what, where=_stuck_at(words, self.ask.root))
        said = [line for line in words.splitlines() if line.strip()]
        hint = f"it said: {said[-1][:200]}" if said else ""
        return LoadExited(f"importing it ended the process with exit code {code}", hint=hint)


def _stuck_at(words: str, root: str) -> str:
    """The line of the project at which it was, from what ``faulthandler`` wrote."""
    for line in words.splitlines():
        path, comma, rest = line.strip().removeprefix('File "').partition('", line ')
        if comma and path.startswith(root + os.sep):
            return f"{os.path.relpath(path, root)}:{rest.partition(' ')[0]}"
    return ""


def serve() -> None:
    """Answer requests until there are no more."""
    for each in LOADERS:
        each.open()  # Here, and not again in every copy.
    out = os.dup(1)
    os.dup2(2, 1)
    while (request := read_frame(lambda size: os.read(0, size))) is not None:
        answer = encode(_Copy(decode_ask(request), out).look())
        view = memoryview(frame(answer))
        while view:
            view = view[os.write(out, view) :]


if __name__ == "__main__":
    serve()
