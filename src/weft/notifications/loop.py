"""A loop in a thread of its own: look, wait until the next thing is due or somebody says so, look again."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from weft.model.errors import WeftError

PATIENCE_S = 5.0
"""The longest wait between two looks, and the wait after a look that failed."""

_log = logging.getLogger("weft.notifications")


class Loop(ABC):
    """Turns ``step``.

    Args:
        name: Of its thread.
        now: The time.
    """

    def __init__(self, name: str, now: Callable[[], float]) -> None:
        self._name = name
        self._now = now
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    @abstractmethod
    def step(self, now: float) -> float:
        """Look once. Returns when to look again, at the latest."""

    def start(self) -> None:
        """Loop in a thread."""
        self._thread = threading.Thread(target=self._run, name=f"weft-{self._name}", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """There is something new."""
        self._wake.set()

    def close(self) -> None:
        """Stop; whoever looks next goes on."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            now = self._now()
            try:
                wait_s = self.step(now) - now
            except WeftError as exc:
                _log.warning("the %s cannot look now, and tries again: %s", self._name, exc)
                wait_s = PATIENCE_S
            except Exception:
                # A loop that ended here would tell nobody anything ever again.
                _log.exception("the %s met a bug, and tries again", self._name)
                wait_s = PATIENCE_S
            if wait_s > 0 and not self._closing:
                self._wake.wait(min(wait_s, PATIENCE_S))
