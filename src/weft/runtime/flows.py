"""Carries out a flow: its body runs here, and what it calls is journaled by the engine.

Each call gets its key when it is made: the parent's key, the called name and a counter, or the key that the
user chose. So a body that runs again makes the same keys in the same order, and the engine answers from the
journal. See ``core/flows.py`` for the other side.
"""

import threading
from collections.abc import Callable

from weft.core.events import Called
from weft.model.attempts import Attempt, AttemptId, Ended
from weft.model.errors import ErrorInfo, InvalidWorkflow, NonDeterminism, TaskCancelled, WeftError
from weft.model.graph import Node
from weft.model.inputs import Input
from weft.model.states import TaskState
from weft.model.values import Result
from weft.model.waits import ChildrenWait
from weft.runtime.context import CURRENT
from weft.runtime.host import Host, Pending
from weft.runtime.signals import Interrupt

DEPTH_MAX = 200
"""Flows inside flows, so that an endless recursion ends with an error and not with the machine."""

INLINE_DEPTH_MAX = 10
"""Flows that one thread carries out inside each other; the next one gets a thread of its own.

Each takes about ten frames of Python's stack, which has room for a thousand.
"""


class Interrupted(BaseException):
    """The process is asked to stop: the flow is left as it is, to be resumed."""


class Suspended(BaseException):
    """The flow waits long enough that its thread is better freed: it is replayed when it can go on."""

    def __init__(self, tasks: tuple[int, ...]) -> None:
        super().__init__(",".join(map(str, tasks)))
        self.tasks = tasks


class Frame:
    """A flow's body in progress.

    Attributes:
        host: The engine.
        id: The flow's attempt.
        key: The flow's key, for messages.
        depth: Flows around it that this same thread carries out.
        leaving: Set once the body is left without an end, because it waits or the run stops here: what it
            does on its way out is not recorded.
        ordinal: Calls made so far.
        open: Handles, by index, that nobody has looked at yet.
        held: Whatever must live as long as the body runs.
        suspend_after_s: How long a wait may hold the thread; ``None``: for ever.
    """

    __slots__ = (
        "_counters",
        "_more",
        "_nested",
        "_numbering",
        "_stopped",
        "_waiting",
        "depth",
        "held",
        "host",
        "id",
        "key",
        "leaving",
        "open",
        "ordinal",
        "suspend_after_s",
    )

    def __init__(self, host: Host, attempt: Attempt, *, suspend_after_s: float | None = None) -> None:
        self._numbering = threading.Lock()
        self.host = host
        self.id: AttemptId = attempt.id
        self.key = attempt.key
        self.ordinal = 0
        self.open: dict[int, Pending] = {}
        self.held: set[object] = set()
        self.suspend_after_s = suspend_after_s
        self._counters: dict[str, int] = {}
        self._stopped: type[Interrupt] | None = None
        self._waiting: Pending | None = None
        self._nested = attempt.key.count("/")
        outer = CURRENT.get()
        self.depth: int = 0 if outer is None or outer.frame is None else outer.frame.depth + 1
        self.leaving: Suspended | WeftError | None = None
        self._more = ""

    def inlines(self) -> bool:
        """Whether this thread's stack has room for a flow inside this one."""
        return self.depth < INLINE_DEPTH_MAX

    def patch(self, node: Node, digest: str, key: str, result: Result) -> Pending:
        """Ask whether this run takes the new path of a change; takes no place in the journal."""
        with self._numbering:
            pending = self._post(key, self.ordinal, node, digest, "", {}, None, None, result, False)
        return self._answered(pending, key, -1)

    def call(
        self,
        node: Node,
        digest: str,
        name: str,
        *,
        fingerprint: str,
        inputs: dict[str, Input],
        key: str | None = None,
        items: tuple[Result, ...] | None = None,
        items_ref: Result | None = None,
        result: Result | None = None,
        inline: bool = False,
    ) -> Pending:
        """Make a call and return its handle, accepted.

        Raises:
            NonDeterminism: It differs from what the journal recorded.
            TaskCancelled: The flow is being cancelled.
        """
        # A body may call from threads of its own: the journal takes calls in the order of their numbers.
        with self._numbering:
            if key is None:
                number = self._counters.get(name, 0)
                self._counters[name] = number + 1
                step, ordinal = f"{name}-{number}", self.ordinal
                self.ordinal += 1
            else:
                step, ordinal = key, -1
            pending = self._post(
                step, ordinal, node, digest, fingerprint, inputs, items, items_ref, result, inline
            )
        return self._answered(pending, step, ordinal)

    def _post(
        self,
        step: str,
        ordinal: int,
        node: Node,
        digest: str,
        fingerprint: str,
        inputs: dict[str, Input],
        items: tuple[Result, ...] | None,
        items_ref: Result | None,
        result: Result | None,
        inline: bool,
    ) -> Pending:
        run, parent, attempt = self.id
        if self.leaving is not None:
            raise self.leaving
        if self._nested > DEPTH_MAX:
            raise InvalidWorkflow(
                f"flows are nested more than {DEPTH_MAX} deep: {step.rpartition('-')[0]} recurses",
                where=self.key[:200],
                hint="call tasks in a loop, or map over a list",
            )

        def make(token: int) -> Called:
            return Called(
                run,
                parent,
                attempt,
                token,
                step,
                ordinal,
                node,
                digest,
                fingerprint,
                inputs,
                items,
                items_ref,
                result,
                inline,
            )

        return self.host.call(make, inline=inline)

    def _answered(self, pending: Pending, step: str, ordinal: int) -> Pending:
        if not pending.accepted:
            pending.wait(lambda: pending.accepted)
        if pending.refused is not None:
            error = refusal(pending.refused)
            if isinstance(error, NonDeterminism):
                self.diverge(error)
            raise error
        self.check(pending)
        if ordinal >= 0:
            self._more = step if pending.more else ""
        return pending

    def check(self, pending: Pending) -> None:
        """Leave the flow if the engine stopped, or the run here: nobody will answer any more."""
        if pending.halted is not None:
            self.leaving = pending.halted
            raise pending.halted

    def diverge(self, error: NonDeterminism) -> None:
        """The code is not the one that was recorded: leave the run as it is, for the right code to go on."""
        self.leaving = error
        self.host.leave(self.id[0], error)

    def end(self) -> None:
        """The body returned: it must have made all the calls that were recorded.

        Raises:
            NonDeterminism: It made fewer.
        """
        if self._more:
            error = NonDeterminism(
                f"{self.key} returned after {self._more!r}, and had made another call when it was recorded",
                hint=_GUARD,
            )
            self.diverge(error)
            raise error

    def wait(
        self, pending: Pending, ready: Callable[[], bool] | None = None, timeout_s: float | None = None
    ) -> bool:
        """Wait for a handle; a long wait may end in ``Suspended``.

        Raises:
            Interrupt: The flow was stopped meanwhile.
        """
        limit = self.suspend_after_s
        # What waits for one item of a map would be woken only when all of them have ended.
        suspends = limit is not None and timeout_s is None and (ready is None or pending.base < 0)
        self._waiting = pending
        try:
            while True:
                done = pending.wait(
                    lambda: self._stopped is not None or (ready is not None and ready()),
                    limit if suspends else timeout_s,
                )
                if done or not suspends or pending.abandon():
                    break
        finally:
            self._waiting = None
        if self._stopped is not None and not pending.over:
            raise self._stopped
        if not done and suspends:
            self.leaving = Suspended((pending.idx,))
            raise self.leaving
        return done

    def stop(self, kind: type[Interrupt]) -> None:
        """End the flow at its next wait, or out of the one that it is in; from any thread."""
        self._stopped = kind
        waiting = self._waiting
        if waiting is not None:
            waiting.wake()

    def join(self) -> ErrorInfo | None:
        """Wait for what the body left running; the first failure that nobody looked at."""
        failure: ErrorInfo | None = None
        for pending in list(self.open.values()):
            self.wait(pending)
            self.check(pending)
            settled = pending.settled
            if settled is None or settled.state is not TaskState.FAILED or failure is not None:
                continue
            if not pending.seen or _unseen(pending):
                failure = settled.error
        self.open.clear()
        return failure


def _unseen(pending: Pending) -> bool:
    """Whether an item of a map failed that nobody looked at."""
    failed = (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
    return any(item.state in failed and at not in pending.seen for at, item in pending.items.items())


_GUARD = 'finish old runs with the old code, or guard the change with patch("id")'


def refusal(error: ErrorInfo) -> WeftError:
    """The exception for a call that was refused."""
    if error.code == NonDeterminism.code:
        return NonDeterminism(error.message, hint=_GUARD)
    return TaskCancelled(error.message)


def run_flow(
    attempt: Attempt,
    host: Host,
    carry_out: Callable[[Attempt, Frame], Ended],
    *,
    suspend_after_s: float | None = None,
) -> Ended:
    """Carry out a flow's attempt.

    Args:
        attempt: The flow.
        host: Where its calls go.
        carry_out: Runs the body with the frame in its context (``Runner.run``).
        suspend_after_s: How long a wait may hold this thread.
    """
    frame = Frame(host, attempt, suspend_after_s=suspend_after_s)
    ended = carry_out(attempt, frame)
    kind = ended.error.type if ended.error is not None else ""
    if kind == f"{Interrupted.__module__}.{Interrupted.__qualname__}":
        return _lost(ended, "the process was asked to stop")
    failure: ErrorInfo | None = None
    if frame.leaving is None and ended.state is TaskState.SUCCEEDED:
        try:
            frame.end()
            if frame.open:
                failure = frame.join()
        except Interrupted:
            return _lost(ended, "the process was asked to stop")
        except (Suspended, WeftError):
            pass
    if isinstance(frame.leaving, Suspended):
        return _waiting(ended, frame.leaving)
    if frame.leaving is not None:
        return _lost(ended, frame.leaving.what)
    return ended if failure is None else _failed(ended, failure)


def _waiting(ended: Ended, suspended: Suspended) -> Ended:
    return Ended(
        ended.id,
        TaskState.WAITING,
        None,
        None,
        ended.started_at,
        ended.ended_at,
        ended.worker,
        wait=ChildrenWait(suspended.tasks),
    )


def _lost(ended: Ended, message: str) -> Ended:
    error = ErrorInfo("weft.TaskLost", message, "W2002")
    return Ended(ended.id, TaskState.LOST, None, error, ended.started_at, ended.ended_at, ended.worker)


def _failed(ended: Ended, failure: ErrorInfo) -> Ended:
    return Ended(
        ended.id,
        TaskState.FAILED,
        None,
        failure,
        ended.started_at,
        ended.ended_at,
        ended.worker,
        None,
        None,
        None,
        ended.cpu_s,
        ended.rss_peak,
        ended.log_size,
    )
