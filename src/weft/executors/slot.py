"""A thread that carries out attempts one after another, and how to stop the one it is at.

``PyThreadState_SetAsyncExc`` raises an exception in another thread when that next runs Python code. It says
nothing of which attempt it hits, so a slot's lock makes sure: an exception is only sent while the attempt is
the one meant, and a thread that leaves an attempt takes back what has not struck yet.
"""

import threading
import time

from weft.model.attempts import Attempt, AttemptId
from weft.runtime.signals import Interrupt
from weft.runtime.undisturbed import put_off


class Slot:
    """One thread and the attempt that it carries out."""

    __slots__ = (
        "abandoned",
        "announced",
        "attempt",
        "began",
        "deadline",
        "gate",
        "give_up_at",
        "lock",
        "struck",
        "thread",
    )

    def __init__(self) -> None:
        self.attempt: Attempt | None = None
        self.began = 0.0
        self.deadline: float | None = None
        self.give_up_at: float | None = None
        self.announced = False
        self.struck: type[Interrupt] | None = None
        self.abandoned = False
        self.lock = threading.Lock()
        self.gate = threading.Lock()
        self.gate.acquire()
        self.thread: threading.Thread | None = None

    def occupy(self, attempt: Attempt) -> None:
        """Begin an attempt."""
        self.began = time.monotonic()
        self.deadline = None if attempt.timeout_s is None else self.began + attempt.timeout_s
        self.announced = False
        self.attempt = attempt

    def leave(self, into: dict[AttemptId, Attempt] | None = None) -> None:
        """The attempt is over: from now on nothing strikes this thread. Struck itself, it is called again.

        Args:
            into: Where the attempt is put in the same instant, if it is to go on elsewhere.
        """
        with self.lock:
            # In this order an exception between the lines costs nothing: the second call does it all again.
            if into is not None and self.attempt is not None:
                into[self.attempt.id] = self.attempt
            self.attempt = None
            self.give_up_at = None
            struck, self.struck = self.struck, None
        if struck is not None and self.thread is not None:
            _raise_in(self.thread, None)

    def abandon(self, attempt: Attempt) -> bool:
        """Leave the thread to itself and drop what it returns; False if it has just ended this attempt."""
        with self.lock:
            if self.attempt is not attempt:
                return False
            self.abandoned = True
            self.attempt = None
            return True

    def strike(self, attempt_id: AttemptId, kind: type[Interrupt], give_up_at: float) -> bool:
        """Raise ``kind`` in the thread if it still carries out this attempt."""
        attempt = self.attempt
        if attempt is None or attempt.id != attempt_id:
            return False
        with self.lock:
            if self.attempt is not attempt or self.thread is None:
                return False
            if self.struck is None:
                self.struck = kind
                self.give_up_at = give_up_at
                _raise_in(self.thread, kind)
            elif self.give_up_at is not None:
                self.give_up_at = min(self.give_up_at, give_up_at)
            return True


def _raise_in(thread: threading.Thread, kind: type[Interrupt] | None) -> None:
    """Raise ``kind`` in a thread when it next runs Python code; ``None`` takes back what has not struck."""
    import ctypes  # noqa: PLC0415 - takes 6 ms to import, and most runs stop nothing

    if thread.ident is not None and not (kind is not None and put_off(thread.ident, kind)):
        what = ctypes.py_object(kind) if kind is not None else None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), what)
