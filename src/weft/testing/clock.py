"""Time that moves only when it is told to."""


class FakeClock:
    """A clock for ``Engine(clock=...)`` that stands still between calls.

    Args:
        start: The first moment, in Unix seconds.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        self._now += seconds

    def advance(self, seconds: float) -> None:
        """Move by ``seconds``; a negative number moves back, as a corrected clock does."""
        self._now += seconds
