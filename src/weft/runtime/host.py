"""What code beside the user's may ask of an engine, without knowing one.

A flow's body calls tasks, starts runs and waits. It does so through a ``Host``, which in one process is the
engine itself. ``Pending`` is the handle of one such request: a thread can wait on it, an event loop can be
told by it, and the waiting thread can be handed the attempt to carry out itself, which saves two changes of
thread for each task that a flow calls directly.
"""

import threading
from collections.abc import Callable
from typing import Any, Protocol

from weft.artifacts.artifacts import Artifacts
from weft.core.events import Called
from weft.model.attempts import Attempt
from weft.model.errors import ErrorInfo, UsageError, WeftError
from weft.model.graph import Graph
from weft.model.states import TaskState
from weft.model.values import Result
from weft.runtime import load


class Settled:
    """How a task run ended."""

    __slots__ = ("error", "result", "state")

    def __init__(self, state: TaskState, result: Result | None, error: ErrorInfo | None) -> None:
        self.state = state
        self.result = result
        self.error = error


class Pending:
    """A request that the engine has not answered in full.

    Attributes:
        run, idx: The task run it is about, once accepted; -1 before.
        base, count: First index and number of a map's items; -1 and 0 otherwise.
        eager: Whether to wake for each item, not only for the map's end.
        settled: How it ended.
        of_run: Whether it is about a whole run: then it settles once the root's hooks have ended too.
        ending: How the root of such a run ended, while its hooks go on.
        items: How each item of a map ended.
        seen: Items that somebody looked at one by one.
        replayed: Whether the journal had it already.
        more: Whether the journal has another call after it.
        refused: Why it was not accepted.
        halted: The error that stopped the engine itself.
    """

    __slots__ = (
        "_abandoned",
        "_attempts",
        "_callbacks",
        "_carry_out",
        "_signal",
        "accepted",
        "base",
        "count",
        "eager",
        "ending",
        "halted",
        "idx",
        "items",
        "more",
        "of_run",
        "refused",
        "replayed",
        "run",
        "seen",
        "settled",
        "uid",
    )

    def __init__(
        self, run: int = -1, idx: int = -1, carry_out: Callable[[Attempt], None] | None = None
    ) -> None:
        self.run = run
        self.idx = idx
        self.uid = ""
        self.base = -1
        self.accepted = False
        self.replayed = False
        self.more = False
        self.settled: Settled | None = None
        self.of_run = False
        self.ending: Settled | None = None
        self.count = 0
        self.eager = False
        self.items: dict[int, Settled] = {}
        self.seen: set[int] = set()
        self.refused: ErrorInfo | None = None
        self.halted: WeftError | None = None
        self._carry_out = carry_out
        self._abandoned = False
        self._attempts: list[Attempt] = []
        self._callbacks: list[Callable[[], None]] = []
        self._signal = threading.Lock()
        self._signal.acquire()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.settled is not None or self.refused is not None or self.halted is not None

    def wake(self) -> None:
        """Tell whoever waits to look again; called by the engine."""
        try:
            self._signal.release()
        except RuntimeError:
            pass  # It was awake already.
        if self._callbacks:
            callbacks, self._callbacks = self._callbacks, []
            for each in callbacks:
                each()

    def hand(self, attempt: Attempt) -> bool:
        """Give the waiting thread an attempt to carry out; False if it has left. Called by the engine."""
        self._attempts.append(attempt)
        if self._abandoned:
            try:
                self._attempts.remove(attempt)
            except ValueError:
                return True  # It came back and took it.
            return False
        self.wake()
        return True

    def abandon(self) -> bool:
        """Stop waiting for good; False if there is an attempt to carry out after all."""
        self._abandoned = True
        if self._attempts:
            self._abandoned = False
            return False
        return True

    def wait(self, ready: Callable[[], bool] | None = None, timeout_s: float | None = None) -> bool:
        """Block until it is over, or ``ready()``; carry out attempts that are handed over meanwhile.

        Returns:
            False when ``timeout_s`` passed first.
        """
        while True:
            if self.over or (ready is not None and ready()):
                return True
            if self._attempts and self._carry_out is not None:
                self._carry_out(self._attempts.pop(0))
                continue
            if not self._signal.acquire(timeout=-1 if timeout_s is None else timeout_s):
                return False

    def when(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once when anything changes; at once if it is over already."""
        self._callbacks.append(callback)
        if self.over:
            self.wake()


async def wait_async(
    pending: Pending, ready: Callable[[], bool] | None = None, *, eager: bool = False
) -> None:
    """Wait on the running event loop until it is over, or ``ready()``."""
    import asyncio  # noqa: PLC0415 - only who has coroutines pays for it

    loop = asyncio.get_running_loop()
    if eager:
        pending.eager = True
    while not pending.over and (ready is None or not ready()):
        told = loop.create_future()

        def end(told: asyncio.Future[None] = told) -> None:
            if not told.done():
                told.set_result(None)

        def tell(end: Callable[[], None] = end) -> None:
            loop.call_soon_threadsafe(end)

        pending.when(tell)
        await told


class RunRequest:
    """A run that somebody wants.

    Attributes:
        graph: What to run.
        params: Its parameters, serialised.
        inline: Whether the requesting thread carries out the root itself.
        tags, project, key, facts, queue: As in ``core.changes.RunAdded``.
    """

    __slots__ = ("facts", "graph", "inline", "key", "params", "project", "queue", "tags")

    def __init__(
        self,
        graph: Graph,
        params: dict[str, Result],
        *,
        inline: bool = False,
        tags: tuple[str, ...] = (),
        project: str = "",
        key: str | None = None,
        facts: dict[str, Any] | None = None,
        queue: str = "",
    ) -> None:
        self.graph = graph
        self.params = params
        self.inline = inline
        self.tags = tags
        self.project = project
        self.key = key
        self.facts = facts or {}
        self.queue = queue


class Host(Protocol):
    """An engine, as a flow sees it."""

    artifacts: Artifacts
    executor: str
    """The default executor's name."""

    def call(self, make: Callable[[int], Called], *, inline: bool) -> Pending:
        """Make a call; ``make`` gets the token to put into it. Returns at once.

        With ``inline`` the thread that waits on the handle carries out the attempt itself.
        """

    def submit(self, request: RunRequest) -> Pending:
        """Start a run; returns once it is accepted, that is durable."""

    def run(self, request: RunRequest) -> Pending:
        """Start a run and see it through, in this thread where it can be; returns its settled handle."""

    async def run_async(self, request: RunRequest) -> Pending:
        """The same for the running event loop, which goes on meanwhile."""

    def leave(self, run: int, error: WeftError) -> None:
        """Leave a run as it is, to be resumed; whoever waits for it here gets the error."""

    def now(self) -> float:
        """The time, in Unix seconds."""


_opener: list[Callable[[], Host]] = []
_kept = False


def set_opener(opener: Callable[[], Host], *, keep: bool = False) -> None:
    """Say how code that meets no host gets one. The composition root does this.

    Args:
        opener: Gives the host.
        keep: Whether this is the last word: a process that belongs to an engine opens no other one.
    """
    global _kept
    if keep or not _kept:
        _kept = keep
        _opener[:] = [opener]


def host() -> Host:
    """The process's host, opened on first use.

    Raises:
        UsageError: No composition root was installed.
        ScriptEnd: The calling script is only being loaded.
    """
    load.refuse_while_loading()
    if not _opener:
        raise UsageError("there is no engine in this process", hint="import weft before calling a task")
    return _opener[0]()
