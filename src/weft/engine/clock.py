"""The engine's only sources of time, identity and patience, so that a simulation can put its own in place."""

import os
import time
from typing import Protocol


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Unix seconds."""

    def elapsed(self) -> float:
        """Seconds since some moment; nobody sets this back."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds since some moment; nobody sets this back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


def entropy() -> bytes:
    """Ten random bytes for an id."""
    return os.urandom(10)
