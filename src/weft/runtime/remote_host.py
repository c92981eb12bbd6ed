"""A ``Host`` whose engine is in another process: what a flow asks goes out as messages, answers come back.

Each request has a handle here (``Pending``) and one beside the engine. What the engine tells the other is
repeated to this one (``hear``), so a flow's body and ``runtime/flows.py`` see no difference. Calls travel in
the order of their numbers in the journal, because a flow's frame makes them one at a time.

Nothing is carried out by the calling thread (``inline``): its tasks belong to other processes, and its flows
get threads of their own.
"""

import threading
import time
from collections.abc import Callable
from itertools import count

from weft.artifacts.artifacts import Artifacts
from weft.core.events import Called
from weft.model.attempts import AttemptId
from weft.model.errors import NotSerializable, RunPaused, TaskCancelled, WeftError
from weft.runtime.host import Pending, RunRequest, Settled, wait_async
from weft.wire.hosting import (
    Anew,
    CallAccepted,
    CallHalted,
    CallRefused,
    Calls,
    CallSettled,
    Fault,
    FromHost,
    ItemsSettled,
    Leaves,
    Wants,
)

NODES_MAX = 4096
"""Nodes that both sides remember; a flow may make up any number of them, such as approvals."""

_NO_ATTEMPT: AttemptId = (-1, -1, -1)

Answer = CallAccepted | CallRefused | ItemsSettled | CallSettled | CallHalted


class RemoteHost:
    """An engine behind a channel; see ``runtime.host.Host``.

    Args:
        send: Takes a message for the engine; from any thread. Raises ``OSError`` when the engine is gone.
        artifacts: Where values are.
        executor: The engine's default executor.
        project: Folder of the user's code, for runs that name none.
    """

    def __init__(
        self, send: Callable[[FromHost], None], artifacts: Artifacts, executor: str, project: str = ""
    ) -> None:
        self.artifacts = artifacts
        self.executor = executor
        self._send = send
        self._project = project
        self._tokens = count(1)
        self._pendings: dict[int, tuple[Pending, AttemptId]] = {}
        self._open: dict[AttemptId, set[int]] = {}
        self._nodes: set[str] = set()
        self._lock = threading.Lock()
        self._order = threading.Lock()
        self._closed: WeftError | None = None

    def call(self, make: Callable[[int], Called], *, inline: bool) -> Pending:
        """See ``runtime.host.Host``."""
        pending = Pending()
        token = next(self._tokens)
        event = make(token)
        with self._lock:
            if self._closed is not None:
                pending.halted = self._closed
                return pending
            self._register(token, pending, (event.run, event.parent, event.attempt))
        # The engine must meet the message that has a node before those that only name it.
        with self._order:
            known = event.digest in self._nodes
            if not known:
                if len(self._nodes) >= NODES_MAX:
                    self._nodes.clear()
                    self._send(Anew())
                self._nodes.add(event.digest)
            self._send(
                Calls(
                    token,
                    event.run,
                    event.parent,
                    event.attempt,
                    event.key,
                    event.ordinal,
                    event.digest,
                    None if known else event.node,
                    event.fingerprint,
                    event.inputs,
                    event.items,
                    event.items_ref,
                    event.result,
                )
            )
        return pending

    def submit(self, request: RunRequest) -> Pending:
        """See ``runtime.host.Host``."""
        pending = Pending()
        token = next(self._tokens)
        with self._lock:
            if self._closed is not None:
                raise self._closed
            self._register(token, pending, _NO_ATTEMPT)
        message = Wants(
            token,
            request.graph,
            request.params,
            request.tags,
            request.project or self._project,
            request.key,
            request.facts,
        )
        try:
            self._send(message)
        except TypeError as exc:
            self._forget(token)
            raise NotSerializable(f"the run's facts cannot be sent: {exc}") from exc
        pending.wait(lambda: pending.accepted)
        if pending.halted is not None:
            raise pending.halted
        return pending

    def run(self, request: RunRequest) -> Pending:
        """See ``runtime.host.Host``."""
        pending = self.submit(request)
        pending.wait()
        if pending.halted is not None:
            raise pending.halted
        return pending

    async def run_async(self, request: RunRequest) -> Pending:
        """See ``runtime.host.Host``. If it is cancelled, the run is left as an interrupted one is."""
        pending = self.submit(request)
        try:
            await wait_async(pending)
        except BaseException:
            hint = f"go on with it: weft runs resume {pending.uid}"
            self.leave(pending.run, RunPaused(f"run {pending.uid} was interrupted", hint=hint))
            raise
        return pending

    def leave(self, run: int, error: WeftError) -> None:
        """See ``runtime.host.Host``."""
        self._send(Leaves(run, Fault.of(error)))

    def now(self) -> float:
        """See ``runtime.host.Host``."""
        return time.time()

    # --- the other direction ------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Requests that have not been answered in full."""
        return len(self._pendings)

    def hear(self, answer: Answer) -> None:
        """Take in what the engine tells of a request; one that nobody waits for any more is ignored."""
        found = self._pendings.get(answer.token)
        if found is None:
            return
        pending = found[0]
        if isinstance(answer, ItemsSettled):
            pending.base, pending.count = answer.base, answer.count
            items = pending.items
            for index, state, result, error in answer.items:
                items[index] = Settled(state, result, error)
            if not pending.eager:
                return
        elif isinstance(answer, CallAccepted):
            pending.run, pending.idx, pending.uid = answer.run, answer.idx, answer.uid
            pending.base, pending.count = answer.base, answer.count
            pending.replayed, pending.more = answer.replayed, answer.more
            pending.accepted = True
        elif isinstance(answer, CallSettled):
            pending.settled = Settled(answer.state, answer.result, answer.error)
        elif isinstance(answer, CallRefused):
            pending.refused = answer.error
        else:
            pending.halted = answer.fault.error()
        if pending.over:
            self._forget(answer.token)
        pending.wake()

    def over(self, attempt: AttemptId) -> None:
        """A flow's attempt has ended: whoever still waits for one of its calls waits in vain."""
        with self._lock:
            tokens = self._open.pop(attempt, None)
            left = [found[0] for each in tokens or () if (found := self._pendings.pop(each, None))]
        _halt(left, TaskCancelled("this attempt of the flow is over"))

    def close(self, error: WeftError) -> None:
        """Nothing more can be asked, and nothing more comes."""
        with self._lock:
            self._closed = error
            left = [pending for pending, _ in self._pendings.values()]
            self._pendings.clear()
            self._open.clear()
        _halt(left, error)

    def _register(self, token: int, pending: Pending, attempt: AttemptId) -> None:
        self._pendings[token] = pending, attempt
        self._open.setdefault(attempt, set()).add(token)

    def _forget(self, token: int) -> None:
        with self._lock:
            found = self._pendings.pop(token, None)
            tokens = None if found is None else self._open.get(found[1])
            if found is not None and tokens is not None:
                tokens.discard(token)
                if not tokens:
                    del self._open[found[1]]


def _halt(left: list[Pending], error: WeftError) -> None:
    for pending in left:
        pending.halted = error
        pending.wake()
