"""The loop: drain events, step, commit, then act.

One engine turns at a time, on whatever thread brings an event while no other turns (decision 0002): the
caller that wants an answer does the work of getting it, and a burst of events becomes one transaction.
Everything a step decides is committed before anything acts on it; nothing in memory outranks the store.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from weft.artifacts.artifacts import Artifacts
from weft.core.changes import Cause, Change, MapExpanded, RunAdded, RunChanged, TaskChanged
from weft.core.commands import Accepted, Command, Prepare, Refused, Start, Stop, run_of
from weft.core.events import (
    Answered,
    Called,
    CancelRun,
    CapacityChanged,
    Dropped,
    Event,
    PauseRun,
    ResumeRun,
    Sent,
    Submitted,
    Tick,
)
from weft.core.state import FLOW, INLINE, UNBOUNDED, Run, State
from weft.core.step import step_all
from weft.engine.claiming import Claimer
from weft.engine.clock import Clock, SystemClock, entropy
from weft.engine.committing import BUSY_PATIENCE_S, Committer
from weft.engine.duties import Duties
from weft.engine.intake import Intake
from weft.engine.preparing import Evaluator, Preparer
from weft.engine.recovery import root_end
from weft.engine.sharing import Sharing
from weft.engine.watchers import Watchers
from weft.executors.protocol import Executor
from weft.model.attempts import Attempt, AttemptId, Ended, Report
from weft.model.errors import ErrorInfo, RunPaused, StaleOwner, WeftError
from weft.model.states import RUN_TERMINAL, TERMINAL, TaskState
from weft.model.values import Result
from weft.runtime.host import Pending, RunRequest
from weft.store.protocol import Store

BATCH = 4096
"""Events taken into one transaction at most, so that a commit stays short."""

FLOWS = "thread"
"""The executor that runs flows' bodies, each on a thread of its own."""

Listener = Callable[[Sequence[Change]], None]


class Engine:
    """Owns runs and steps them.

    Args:
        store: Where runs live.
        artifacts: Opens values for conditions, maps and cache keys.
        executors: By name; ``default`` is the one for tasks that name none.
        default: Name of the default executor.
        clock: Time.
        entropy: Ten random bytes a call, for ids.
        evaluators: Of dialects' expressions, by language.
        pools: Slots by pool name, where no record of the store says otherwise.
        share_limits: Whether pools, concurrency keys and rates hold over all engines of the store.
        name, host, pid, process_started: How the store knows this engine.
        lease_s: How long after its last heartbeat another engine may take over.
        busy_patience_s: How long the store may be away before the engine gives up.
        queues: Queues whose runs it takes over by itself, once it is started; by default none.
        fetch: Called with the project of each run that is taken over, before anything of it starts here.

    Attributes:
        commit_s: How long the latest commit took; listeners are told of its changes next.
    """

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        executors: Mapping[str, Executor],
        *,
        default: str = "thread",
        clock: Clock | None = None,
        entropy: Callable[[], bytes] = entropy,
        evaluators: Mapping[str, Evaluator] | None = None,
        pools: dict[str, int] | None = None,
        share_limits: bool = True,
        name: str = "engine",
        host: str = "",
        pid: int = 0,
        process_started: str = "",
        lease_s: float = 10.0,
        busy_patience_s: float = BUSY_PATIENCE_S,
        queues: Sequence[str] = (),
        fetch: Callable[[str], object] | None = None,
    ) -> None:
        self.store = store
        self.artifacts = artifacts
        self.executors = dict(executors)
        self.default = default
        self.clock: Clock = clock or SystemClock()
        self.state = State(pools=pools, executor=default, shared=share_limits)
        self.watchers = Watchers()
        self.halted: WeftError | None = None
        self.epochs: dict[int, int] = {}
        self.turning = threading.Lock()
        self.duties = Duties(self, lease_s=lease_s, queues=queues)
        self.sharing = Sharing(self, pools=pools or {})
        self.id = 0
        self._preparer = Preparer(store, artifacts, evaluators or {})
        self._identity = (name, host, pid, process_started)
        self._lease_s = lease_s
        self._inbox: deque[Event] = deque()
        self._committer = Committer(store, self.clock, patience_s=busy_patience_s)
        self.claimer = Claimer(self, fetch)
        self._intake = Intake(store, self.clock, entropy, writing=self.turning)
        self._turner = 0
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closing = False
        self.leaving = False
        self.commit_s = 0.0
        self._listeners: list[Listener] = []
        self._capacities: dict[str, int] = {}
        self._asleep_until = 0.0

    # --- life ---------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Register with the store and start the executors; no thread yet."""
        now = self.clock.now()
        name, host, pid, process_started = self._identity
        self.id = self.store.open_engine(
            name=name,
            host=host,
            pid=pid,
            process_started=process_started,
            at=now,
            expires_at=now + self._lease_s,
        )
        self.duties.begin(now)
        for executor in self.executors.values():
            executor.start(self.report)

    def start(self) -> None:
        """Open, and turn in a thread of its own as well as in callers'."""
        self.open()
        if self.duties.queues:
            self.store.listen(self.hurry)
        self._thread = threading.Thread(target=self._run, name="weft-engine", daemon=True)
        self._thread.start()

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop the executors, let go of the runs, and stop turning. Open runs can be resumed by anyone.

        What ends within the grace is recorded; the rest is left as it is, for whoever goes on with the run.
        """
        if self._closing:
            return
        self.leaving = True
        for executor in self.executors.values():
            executor.close(grace_s=grace_s)
        self.pump()
        self._closing = True
        healthy = self.halted is None
        self.halt(self.halted or RunPaused("the engine was closed", hint="weft runs resume goes on"))
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if healthy and self.sharing.close():
            self.store.close_engine(self.id)

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with every batch of committed changes, in order, from whichever thread turns."""
        self._listeners.append(listener)

    # --- asking -------------------------------------------------------------------------------------------

    def submit(self, request: RunRequest, *, carry_out: Callable[[Attempt], None] | None = None) -> Pending:
        """Accept a run; when this returns it is durable.

        Raises:
            StoreError: It could not be made so.
        """
        return self.submit_all((request,), carry_out=carry_out)[0]

    def submit_all(
        self, requests: Sequence[RunRequest], *, carry_out: Callable[[Attempt], None] | None = None
    ) -> list[Pending]:
        """Accept several runs in one transaction; when this returns they are durable.

        Raises:
            StoreError: They could not be made so.
        """
        handles: list[Pending] = []
        events: list[Event] = []
        for request in requests:
            added = self._intake.accept(request, {"executor": self.default})
            run = added.run
            pending = Pending(run, 0, carry_out)
            pending.uid = added.uid
            pending.of_run = True
            self.watchers.add(pending)
            self.epochs[run] = 1
            handles.append(pending)
            events.append(Submitted(added, request.graph, 1, request.inline))
        self._inbox.extend(events)
        self.pump()
        for pending in handles:
            pending.wait(lambda pending=pending: pending.accepted)  # type: ignore[misc]  # mypy cannot infer a default's type
            if pending.halted is not None:
                raise pending.halted
        return handles

    def call(
        self, make: Callable[[int], Called], *, carry_out: Callable[[Attempt], None] | None = None
    ) -> Pending:
        """Post a flow's call; the handle is accepted or refused when it wakes."""
        pending = Pending(carry_out=carry_out)
        token = self.watchers.token(pending)
        self.post(make(token))
        return pending

    def call_all(self, calls: Sequence[tuple[Pending, Callable[[int], Called]]]) -> None:
        """Post flows' calls on handles of the caller's, as one batch; turns once at most.

        Whoever carries calls between processes has other things to do than to turn until the inbox is empty.
        """
        token = self.watchers.token
        self._inbox.extend([make(token(pending)) for pending, make in calls])
        if self.turning.acquire(blocking=False):
            try:
                self._turner = threading.get_ident()
                self.turn()
            finally:
                self._turner = 0
                self.turning.release()
        if self._inbox:
            self._wake.set()

    def watch(self, run: int, idx: int) -> Pending:
        """A handle on a task run of a run that this engine owns."""
        pending = Pending(run, idx)
        pending.accepted = True
        self.watchers.add(pending)
        return pending

    def cancel(self, run: int, *, force: bool = False) -> None:
        """Stop a run."""
        self.post(CancelRun(run, force))

    def pause(self, run: int) -> None:
        """Start nothing new in a run."""
        self.post(PauseRun(run))

    def resume(self, run: int) -> None:
        """Let a paused run that this engine owns go on."""
        self.post(ResumeRun(run))

    def leave(self, run: int, error: WeftError) -> None:
        """Pause a run, and tell whoever waits for it here that it does not go on."""
        self.post(PauseRun(run, Cause.INTERRUPTED))
        with self.turning:
            self.watchers.halt_run(run, error)

    def send(self, run: int, name: str, payload: Result, signal_id: str) -> None:
        """Send an event to a run."""
        self.post(Sent(run, name, payload, signal_id))

    def answer(self, run: int, idx: int, result: Result, by: str = "") -> None:
        """Answer an approval."""
        self.post(Answered(run, idx, result, by))

    def recover(
        self,
        runs: Sequence[int] | None = None,
        *,
        dead: Iterable[int] = (),
        resume: bool = True,
        inline: Sequence[int] = (),
        carry_out: Callable[[Attempt], None] | None = None,
        queues: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> dict[int, Pending]:
        """Take over runs whose owner is gone or nobody, and go on with them.

        Args:
            runs: Only these; ``None``: every one there is.
            dead: Engines known to be dead before their leases are over.
            resume: Whether paused runs go on too.
            inline: Runs whose root this thread carries out itself.
            carry_out: How it does that.
            queues: Only runs of these queues.
            limit: Only so many, the oldest.
        """
        events, failed = self.claimer.claim(
            runs, dead=dead, resume=resume, inline=inline, queues=queues, limit=limit
        )
        handles: dict[int, Pending] = {}
        for event in events:
            run = event.snapshot.run.run
            pending = handles[run] = Pending(run, 0, carry_out)
            pending.uid = event.snapshot.run.uid
            pending.accepted = True
            pending.of_run = True
            pending.ending = root_end(event.snapshot)
            self.watchers.add(pending)
        with self.turning:
            for event in events:
                # What this engine still remembers of the run is from before another one owned it.
                self._drop(event.snapshot.run.run)
                self.epochs[event.snapshot.run.run] = event.epoch
            # All at once: nothing new may take the slots of attempts that still live, whosever they are.
            self._inbox.extend(events)
        self.pump()
        if failed is not None:
            raise failed
        return handles

    def busy(self, run: int) -> bool:
        """Whether executors have attempts of the run; flows' bodies and callers' own threads do not count."""
        with self.turning:
            found = self.state.runs.get(run)
            if found is None:
                return False
            return any(task.executor and task.executor not in UNBOUNDED for task in found.tasks.values())

    def working(self) -> bool:
        """Whether executors have any attempt; flows' bodies do not count, since they can wait for ever."""
        with self.turning:
            return any(count for name, count in self.state.inflight.items() if name not in UNBOUNDED)

    # --- turning ------------------------------------------------------------------------------------------

    def post(self, event: Event) -> None:
        """Take in an event, and deal with it now unless another thread is turning."""
        self._inbox.append(event)
        self.pump()

    def report(self, reports: Iterable[Report]) -> None:
        """Take in what executors say, and let the engine's own thread deal with it."""
        self.tell([each for each in reports if not self._given_up(each)] if self.leaving else reports)

    def _given_up(self, report: Report) -> bool:
        """Whether an attempt ended only because this engine leaves: so it has not ended, for the store."""
        if not isinstance(report, Ended) or report.state not in (TaskState.CANCELLED, TaskState.LOST):
            return False
        task = self.state.task(report.id[0], report.id[1])
        return task is None or task.cancelling is None

    def tell(self, events: Iterable[Event]) -> None:
        """Take in events without turning here: safe in a signal handler."""
        self._inbox.extend(events)
        if self._thread is not None:
            self._wake.set()

    @property
    def coming(self) -> list[Event]:
        """What has been taken in and not dealt with yet."""
        return list(self._inbox)

    @property
    def turning_here(self) -> bool:
        """Whether the current thread is inside a turn: a signal handler must not raise then."""
        return self._turner == threading.get_ident()

    def pump(self) -> None:
        """Turn until the inbox is empty, or another thread is at it (which then sees to the rest)."""
        while self._inbox and self.turning.acquire(blocking=False):
            try:
                self._turner = threading.get_ident()
                while self._inbox:
                    self.turn()
            finally:
                self._turner = 0
                self.turning.release()

    def turn(self) -> bool:
        """Take in what there is as one transaction, and act on it. Returns whether there was anything."""
        inbox = self._inbox
        events: list[Event] = []
        while inbox and len(events) < BATCH:
            events.append(inbox.popleft())
        now = self.clock.now()
        if self.halted is not None:
            self.watchers.halt(self.halted)
            return False
        due = self.state.next_due()
        if due is not None and due <= now:
            events.append(Tick())
        self._capacity(events)
        self.sharing.tell(events, now)
        if not events:
            return False
        try:
            changes, commands = step_all(self.state, events, now)
            if changes and (refused := self._commit(changes)):
                changes = [change for change in changes if change.run not in refused]
                commands = [command for command in commands if run_of(command) not in refused]
            self._publish(changes, commands)
            self._perform(commands, now)
            if self.sharing.urgent:
                self.sharing.ask()
            due = self.state.next_due()
            if due is not None and due < self._asleep_until:
                self._wake.set()  # The engine's own thread sleeps past a timer that is new.
        except WeftError as exc:
            self.halt(exc)
        except BaseException as exc:
            what = f"the engine failed: {type(exc).__name__}: {exc}"
            self.halt(WeftError(what, hint="this is a bug in Weft"))
            raise
        return True

    def _capacity(self, events: list[Event]) -> None:
        for name, executor in self.executors.items():
            limit = executor.capacity()
            if self._capacities.get(name) != limit:
                self._capacities[name] = limit
                events.append(CapacityChanged(name, limit))

    def _commit(self, changes: list[Change]) -> frozenset[int]:
        """Make a step durable. Returns the runs that are another engine's by now, and were left out."""
        touched = {change.run for change in changes}
        runs = self.state.runs
        epochs = {run: self.epochs[run] for run in touched}
        began = self.clock.now()
        refused = self._committer.commit(changes, self.id, epochs)
        self.commit_s = self.clock.now() - began
        for run in touched:
            if run not in runs:
                self.epochs.pop(run, None)
        if refused:
            self.lose(refused)
        return refused

    def record(self, changes: list[Change]) -> bool:
        """Make changes durable that no step made, and tell of them. For who holds ``turning``.

        Returns:
            Whether the runs are still this engine's.
        """
        if self._commit(changes):
            return False
        self._publish(changes, [])
        return True

    def stop_flow(self, attempt: AttemptId) -> None:
        """Have a flow's body end soon; what it still says is ignored."""
        executor = self.executors.get(FLOWS)
        if executor is not None:
            executor.cancel([attempt])

    def _publish(self, changes: list[Change], commands: list[Command]) -> None:
        """Tell whoever listens, and then whoever waits: who is woken by an end finds that it was told of."""
        for listener in self._listeners:
            listener(changes)
        watchers = self.watchers
        for command in commands:
            if type(command) is Accepted:
                watchers.accepted(command)
            elif type(command) is Refused:
                watchers.refused(command)
        if watchers.any:
            for change in changes:
                if type(change) is TaskChanged:
                    if change.state in TERMINAL:
                        watchers.settled(change)
                elif type(change) is RunChanged:
                    if change.state in RUN_TERMINAL:
                        watchers.run_ended(change.run)
                elif type(change) is RunAdded:
                    watchers.run_accepted(change.run)
                elif type(change) is MapExpanded:
                    watchers.expanded(change)

    def _perform(self, commands: list[Command], now: float) -> None:
        starts: dict[str, list[Attempt]] = {}
        performed_at = self.clock.now()
        for command in commands:
            if type(command) is Start:
                attempt = command.attempt
                if self.sharing.too_late(attempt, performed_at):
                    self._inbox.append(_gone(attempt, now))
                elif attempt.executor == INLINE:
                    if not self.watchers.hand(attempt):
                        self._inbox.append(_gone(attempt, now))
                else:
                    starts.setdefault(attempt.executor, []).append(attempt)
            elif type(command) is Prepare:
                task = self.state.task(command.run, command.idx)
                if task is not None:
                    self._inbox.append(self._preparer.prepare(task, now))
        if self.leaving:
            starts.clear()  # They are queued in the store, and whoever goes on with the run starts them.
        for name, attempts in starts.items():
            try:
                self.executors[FLOWS if name == FLOW else name].submit(attempts)
            except WeftError as exc:
                error = ErrorInfo(f"weft.{type(exc).__name__}", str(exc), exc.code)
                self._inbox.extend(
                    Ended(each.id, TaskState.LOST, error=error, ended_at=now) for each in attempts
                )
        for command in commands:
            if type(command) is Stop:
                self._stop(command)

    def _stop(self, command: Stop) -> None:
        if command.executor == INLINE:
            return  # The thread that carries it out is the caller's own; its next call is refused.
        name = FLOWS if command.executor == FLOW else command.executor
        executor = self.executors.get(name)
        if executor is not None:
            executor.cancel([command.id])

    # --- trouble ------------------------------------------------------------------------------------------

    def lose(self, runs: Iterable[int]) -> None:
        """Another engine owns these runs now: forget them, and tell whoever waits for them here."""
        for run in runs:
            if (lost := self.state.runs.get(run)) is not None:
                self.sharing.part(lost)
            gone = self._drop(run)
            # One that has just ended here is not remembered any more, but somebody may wait for it.
            error = StaleOwner(
                f"run {run if gone is None else gone.uid} was taken over by another engine",
                hint="weft runs watch shows it; it goes on there",
            )
            self.watchers.halt_run(run, error)

    def _drop(self, run: int) -> Run | None:
        """Forget a run before anything else happens, and stop what this process carries out for it."""
        self.epochs.pop(run, None)
        gone = self.state.runs.get(run)
        if gone is None:
            return None
        for task in gone.tasks.values():
            name = FLOWS if task.executor == FLOW else task.executor
            executor = self.executors.get(name)
            # Attempts that outlive this process are the new owner's.
            if executor is not None and not executor.durable:
                executor.cancel([task.id])
        self._inbox.appendleft(Dropped(run))
        return gone

    def halt(self, error: WeftError) -> None:
        """Stop for good, and tell everybody who waits why."""
        self.halted = error
        self.watchers.halt(error)

    # --- the engine's own thread --------------------------------------------------------------------------

    def _run(self) -> None:
        duties = self.duties
        while True:
            patience_s = self._patience()
            self._asleep_until = self.clock.now() + patience_s
            self._wake.wait(patience_s)
            self._wake.clear()
            self._asleep_until = 0.0
            if self._closing:
                return
            duties.beat()
            self.sharing.look()
            asked = duties.hear()
            due = self.state.next_due()
            if due is not None and due <= self.clock.now():
                self._inbox.append(Tick())
            self.pump()
            if asked:
                duties.heard(asked)
            duties.claim()

    def hurry(self) -> None:
        """Something may have come for this engine from another process: look now."""
        self.duties.hurry()
        self.sharing.hurry()
        self._wake.set()

    def _patience(self) -> float:
        now = self.clock.now()
        patience_s = self.duties.patience_s(now)
        due = self.state.next_due()
        return patience_s if due is None else min(patience_s, max(due - now, 0.0))


def _gone(attempt: Attempt, now: float) -> Ended:
    """An attempt that nobody waits for any more, or that may not begin any more."""
    return Ended(attempt.id, TaskState.LOST, ended_at=now)
