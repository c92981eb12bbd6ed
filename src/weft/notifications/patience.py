"""A bound on how long a conversation over a socket may take as a whole.

A timeout of the socket's bounds each single wait, so a peer that sends a byte now and then can hold a thread
for as long as it likes. This ends the conversation from outside.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def within(deadline_s: float, sock: Callable[[], socket.socket | None]) -> Iterator[threading.Event]:
    """Shut the socket down if the block is not left within ``deadline_s``; the event then is set."""
    over = threading.Event()

    def end() -> None:
        over.set()
        open_now = sock()
        if open_now is not None:
            try:
                open_now.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It has ended by itself.

    timer = threading.Timer(deadline_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
