"""Where a thread must not be struck.

An import that is cut short leaves modules half made for all, and a process that is started and not yet known
would run on without anybody to end it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from weft.runtime.signals import Interrupt

_guard = threading.Lock()
_threads: set[int] = set()
_put_off: dict[int, type[Interrupt]] = {}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off what would strike this thread until the block is left."""
    me = threading.get_ident()
    try:
        with _guard:
            _threads.add(me)
        yield
    finally:
        with _guard:
            _threads.discard(me)
            kind = _put_off.pop(me, None)
        if kind is not None:
            raise kind


def put_off(thread: int, kind: type[Interrupt]) -> bool:
    """Leave an interrupt to the thread itself, if it must not be struck now; False if it may be."""
    with _guard:
        if thread not in _threads:
            return False
        _put_off[thread] = kind
        return True
