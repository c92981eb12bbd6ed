"""Hearing of other processes: LISTEN on a connection of its own, in a thread of its own.

Notifications are a convenience. Whoever waits also looks from time to time, so a connection that dies is
replaced at leisure, and what was said meanwhile is made up for by one call after that.
"""

import threading
from collections.abc import Callable

import psycopg
from psycopg import sql

from weft.model.errors import WeftError
from weft.store.postgres_place import Place
from weft.store.postgres_session import Session

_LOOK_S = 0.5
"""How soon the thread sees that it shall end."""

_PAUSE_S = 1.0


class Listener:
    """Calls ``wake`` after other processes' notifications, once for all that came together.

    Args:
        place: The store; its schema is the channel.
        token: Who sends notifications from here: those are not heard.
        wake: Called in the listener's thread.
    """

    def __init__(self, place: Place, token: str, wake: Callable[[], None]) -> None:
        self._place = place
        self._token = token
        self._wake = wake
        self._closing = threading.Event()
        self.listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weft-store-listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        again = False
        while not self._closing.is_set():
            try:
                session = Session(self._place, {})
                try:
                    session.connection.execute(
                        sql.SQL("LISTEN {}").format(sql.Identifier(self._place.schema))
                    )
                    self.listening.set()
                    if again:
                        self._wake()
                    self._hear(session.connection)
                finally:
                    session.close()
            except (psycopg.Error, WeftError):
                again = True
                self._closing.wait(_PAUSE_S)

    def _hear(self, connection: "psycopg.Connection[object]") -> None:
        while not self._closing.is_set():
            heard = connection.notifies(timeout=_LOOK_S, stop_after=1)
            if any(each.payload != self._token for each in list(heard)):
                self._wake()
