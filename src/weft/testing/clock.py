"""Time that moves only when it is told to."""


class FakeClock:
    """A clock for ``Engine(clock=...)`` that stands still between calls.

    Args:
        start: The first moment, in Unix seconds.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def elapsed(self) -> float:
        """Seconds that have passed; moving back takes none of them away."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move by ``seconds``; a negative number moves back, as a corrected clock does."""
        self._now += seconds
        self._elapsed += max(seconds, 0.0)
