"""Taking over runs whose owner is gone or nobody: claimed in the store, then read back whole.

A run that was claimed and cannot be read back (its project's snapshot is out of reach, the store went away in
between) is this engine's all the same, and nobody else will look at it. So it is remembered, and read again.
When not even the store can say whether anything was claimed, the engine stops: its death frees them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from weft.core.events import Restored
from weft.engine.recovery import restored
from weft.model.errors import CommitUnknown, NotFound, WeftError

if TYPE_CHECKING:
    from weft.engine.engine import Engine

AGAIN_S = 5.0
"""Between two tries to read a run back."""


class Claimer:
    """One engine's takeovers.

    Args:
        engine: Whose.
        fetch: Called with the project of each run before it is read back.
    """

    def __init__(self, engine: "Engine", fetch: Callable[[str], object] | None) -> None:
        self._engine = engine
        self._fetch = fetch
        self._unread: dict[int, int] = {}
        self._again_at = 0.0

    @property
    def unread(self) -> bool:
        """Whether there are runs of this engine of which it knows nothing yet."""
        return bool(self._unread)

    def claim(
        self,
        runs: Sequence[int] | None,
        *,
        dead: Iterable[int],
        resume: bool,
        inline: Sequence[int],
        queues: Sequence[str] | None,
        limit: int | None,
    ) -> tuple[list[Restored], WeftError | None]:
        """Claim runs and read them back; see ``Engine.recover``.

        Returns:
            What was read back, and what kept the first of the others from it.

        Raises:
            StoreError: Nothing could be claimed.
            CommitUnknown: Nobody knows, and the engine has stopped.
        """
        engine = self._engine
        gone = list(dead)
        engine.sharing.bury(gone)
        try:
            claimed = engine.store.claim(
                engine.id,
                now=engine.clock.now(),
                runs=runs,
                dead=gone,
                queues=queues,
                limit=limit,
                note=engine.sharing.note,
            )
        except CommitUnknown as exc:
            engine.halt(exc)
            raise
        if any(epoch > 1 for epoch in claimed.values()):
            engine.sharing.took_over()
        elapsed = engine.clock.elapsed()
        if self._unread and elapsed >= self._again_at:
            claimed, self._unread = {**self._unread, **claimed}, {}
        found: list[Restored] = []
        failed: WeftError | None = None
        for run, epoch in claimed.items():
            try:
                event = self._read(run, epoch, resume=resume, inline=run in inline)
            except WeftError as exc:
                failed = failed or exc  # The others go on all the same.
                self._unread[run] = epoch
                self._again_at = elapsed + AGAIN_S
            else:
                found += [event] if event is not None else []
        return found, failed

    def _read(self, run: int, epoch: int, *, resume: bool, inline: bool) -> Restored | None:
        """The run as the store has it; ``None`` if it is gone or another engine's by now."""
        engine = self._engine
        try:
            row = engine.store.run_by_id(run)
        except NotFound:
            return None
        if (row.owner, row.epoch) != (engine.id, epoch):
            return None
        if self._fetch is not None:
            self._fetch(row.project)
        return restored(
            engine.store,
            engine.artifacts,
            engine.executors.values(),
            run,
            epoch,
            resume=resume,
            inline=inline,
        )
