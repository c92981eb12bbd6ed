"""``step(state, event, now) -> (changes, commands)``: the whole engine's thinking, as one function.

Synchronous and deterministic: the same state and event at the same time always give the same answer. It
alters ``state`` in place and tells what it decided twice: as changes, which must be durable before anything
else happens, and as commands, which are performed after that.

The cost of an event grows with the edges it touches, never with the size of the run.
"""

from collections.abc import Callable, Iterable
from heapq import heappop
from typing import Any

from msgspec.structs import replace

from weft.core.advance import activate, propagate
from weft.core.cancelling import cancel
from weft.core.changes import Cached, Cause, Change, RunChanged, Showed, Signalled
from weft.core.commands import Command, Stop
from weft.core.dispatch import dispatch, leave_queue, wake
from weft.core.events import (
    Answered,
    Called,
    CancelRun,
    CancelTask,
    CapacityChanged,
    Dropped,
    Event,
    Mark,
    PauseRun,
    PoolChanged,
    Prepared,
    Restored,
    ResumeRun,
    Sent,
    ShareChanged,
    Submitted,
    Tick,
)
from weft.core.failing import again, end_flow, fail
from weft.core.flows import called
from weft.core.maps import expand
from weft.core.restore import restore
from weft.core.run_end import forget_run
from weft.core.scopes import daemon_started
from weft.core.state import CANCEL, CANCEL_FORCED, Flow, Map, Run, Scope, State, Task
from weft.core.turn import PAUSED, Turn
from weft.core.waits import begin_wait, consume, satisfy, wait_due
from weft.model.attempts import Ended, Shown, Started
from weft.model.errors import ErrorInfo
from weft.model.graph import Branch, HookOn
from weft.model.states import LIVE, TERMINAL, RunState, TaskState
from weft.model.values import NONE
from weft.model.waits import ApprovalWait, EventWait

_T = TaskState


def step(state: State, event: Event, now: float) -> tuple[list[Change], list[Command]]:
    """Take in one event. See the module's docstring."""
    return step_all(state, (event,), now)


def step_all(state: State, events: Iterable[Event], now: float) -> tuple[list[Change], list[Command]]:
    """Take in several events at once, as one transaction: the same as one after the other, and cheaper."""
    turn = Turn(state, now)
    for event in events:
        _HANDLERS[type(event)](turn, event)
        settle(turn)
    dispatch(turn)
    while turn.ended or turn.ready:
        settle(turn)
        dispatch(turn)
    return turn.changes, turn.commands


def settle(turn: Turn) -> None:
    """Draw every consequence of what has ended and what is ready."""
    ended, ready = turn.ended, turn.ready
    while True:
        if ended:
            propagate(turn, ended.popleft())
        elif ready:
            activate(turn, ready.popleft())
        else:
            return


# --- runs -------------------------------------------------------------------------------------------------


def _submitted(turn: Turn, event: Submitted) -> None:
    state = turn.state
    run = Run(event.added, state.compiled(event.added.graph, event.graph), event.epoch, state.executor)
    turn.state.runs[run.id] = run
    turn.changes.append(event.added)
    run.state = RunState.RUNNING
    turn.changes.append(RunChanged(run.id, run.state, turn.now, Cause.SUBMITTED))
    root = run.root
    root.inline = event.inline
    root.state = _T.READY
    if event.graph.timeout_s is not None:
        turn.timer(turn.now + event.graph.timeout_s, "run", root, 0)
    turn.ready.append(root)


def _restored(turn: Turn, event: Restored) -> None:
    restore(turn, event)


def _dropped(turn: Turn, event: Dropped) -> None:
    run = turn.state.runs.get(event.run)
    if run is not None:
        for task in run.tasks.values():
            turn.release(task)
            leave_queue(turn, task)
        forget_run(turn, run)


def _cancel_run(turn: Turn, event: CancelRun) -> None:
    run = turn.state.runs.get(event.run)
    if run is None or (run.cancelling and not event.force):
        return
    run.cancelling = True
    run.force = run.force or event.force
    signal_id = CANCEL_FORCED if event.force else CANCEL
    if signal_id not in run.seen_signals:
        run.seen_signals.add(signal_id)
        turn.changes.append(Signalled(run.id, CANCEL, turn.now, NONE, signal_id))
    if run.state is PAUSED:
        _go_on(turn, run, Cause.CANCELLED)
    cancel(turn, run.root, Cause.CANCELLED)


def _cancel_task(turn: Turn, event: CancelTask) -> None:
    task = turn.state.task(event.run, event.idx)
    if task is not None and not task.forgotten:
        cancel(turn, task, Cause.CANCELLED)


def _pause_run(turn: Turn, event: PauseRun) -> None:
    run = turn.state.runs.get(event.run)
    if run is None or run.state is not RunState.RUNNING:
        return
    run.state = PAUSED
    turn.changes.append(RunChanged(run.id, PAUSED, turn.now, event.cause))
    # Who is first in a limit's line steps aside, as all do that come to their turn while the run is paused.
    turn.freed.extend({task.holder.line for task in run.tasks.values()} - {""})


def _resume_run(turn: Turn, event: ResumeRun) -> None:
    run = turn.state.runs.get(event.run)
    if run is not None and run.state is PAUSED:
        _go_on(turn, run, Cause.RESUMED)


def _go_on(turn: Turn, run: Run, cause: Cause) -> None:
    run.state = RunState.RUNNING
    turn.changes.append(RunChanged(run.id, run.state, turn.now, cause))
    held, run.held = run.held, []
    for task in held:
        if isinstance(task.body, Map) and task.state is _T.RUNNING:
            turn.enqueue(task)
        else:
            turn.ready.append(task)


# --- attempts ---------------------------------------------------------------------------------------------


def _started(turn: Turn, event: Started) -> None:
    task = turn.state.task(event.id[0], event.id[1])
    if task is None or task.attempt != event.id[2] or task.state is not _T.QUEUED:
        return
    turn.move(task, _T.RUNNING, Cause.STARTED, worker=event.worker, started_at=event.at)
    turn.hook(task, HookOn.START)
    if task.node.daemon:
        daemon_started(turn, task)


def _shown(turn: Turn, event: Shown) -> None:
    run, idx, attempt = event.id
    if run in turn.state.runs:
        turn.changes.append(Showed(run, idx, attempt, turn.now, event.published))


def _ended(turn: Turn, event: Ended) -> None:
    task = turn.state.task(event.id[0], event.id[1])
    if task is None or task.attempt != event.id[2] or task.state not in LIVE or not task.executor:
        return  # A stale or repeated report: its attempt was given up, or has been answered (I2, I9).
    state = event.state
    body = task.body
    if isinstance(body, Flow) and state not in (_T.LOST, _T.WAITING):
        _flow_returned(turn, task, body, event)
        return
    facts: dict[str, Any] = {"started_at": event.started_at or None}
    if event.worker:
        facts["worker"] = event.worker
    if event.cpu_s:
        facts["cpu_s"] = event.cpu_s
    if event.rss_peak:
        facts["rss_peak"] = event.rss_peak
    if event.log_size:
        facts["log_size"] = event.log_size
    if state is _T.SUCCEEDED:
        _succeeded(turn, task, event, facts)
    elif state is _T.FAILED:
        fail(turn, task, _failure_cause(event), event.error, verdict=event.retry, **facts)
    elif state is _T.SKIPPED:
        turn.finish(task, _T.SKIPPED, Cause.RAISED, error=event.error, **facts)
    elif state is _T.LOST:
        _lost(turn, task, event, facts)
    elif state is _T.WAITING and event.wait is not None:
        if task.cancelling is None:
            begin_wait(turn, task, event.wait, **facts)
        elif isinstance(body, Flow):
            _flow_returned(turn, task, body, replace(event, state=_T.CANCELLED))
        else:
            turn.finish(task, _T.CANCELLED, task.cancelling, **facts)
    elif task.daemon_up and task.cancelling is Cause.SCOPE_ENDED:
        turn.finish(task, _T.SUCCEEDED, Cause.SCOPE_ENDED, **facts)
    else:
        turn.finish(task, _T.CANCELLED, task.cancelling or Cause.CANCELLED, error=event.error, **facts)


def _failure_cause(event: Ended) -> Cause:
    return Cause.TIMEOUT if event.error is not None and event.error.code == "W2001" else Cause.RAISED


def _succeeded(turn: Turn, task: Task, event: Ended, facts: dict[str, Any]) -> None:
    node = task.node
    if node.outputs and not task.checked and node.outputs[0].check is not None:
        # The attempt only asked whether the outputs are there already.
        if event.result is not None and event.result.inline == b"\xc3":
            turn.finish(task, _T.CACHED, Cause.SATISFIED, detail=node.outputs[0].name, **facts)
        else:
            task.checked = True
            again(turn, task, 0.0, Cause.PREPARE, **facts)
        return
    if node.branch is Branch.CHOOSE and event.chosen:
        unknown = _unknown_choices(task, event.chosen)
        if unknown:
            fail(turn, task, Cause.BRANCH, unknown, verdict=False, **facts)
            return
    if event.chosen is not None:
        task.chosen = facts["chosen"] = event.chosen
    if task.cache_key and event.result is not None:
        cache = node.cache
        expires = None if cache is None or cache.ttl_s is None else turn.now + cache.ttl_s
        turn.changes.append(Cached(task.run.id, task.idx, task.cache_key, event.result, turn.now, expires))
    turn.finish(task, _T.SUCCEEDED, Cause.RETURNED, result=event.result, **facts)


def _unknown_choices(task: Task, chosen: tuple[str, ...]) -> ErrorInfo | None:
    scope = task.parent.body if task.parent is not None else None
    if not isinstance(scope, Scope):
        return None
    nodes = scope.plan.nodes
    after = [nodes[at] for at in scope.plan.down[task.pos]]
    names = {node.key for node in after} | {node.name for node in after}
    unknown = [name for name in chosen if name not in names]
    if not unknown:
        return None
    known = ", ".join(sorted(node.key for node in after))
    message = f"chose {unknown[0]!r}, which is not directly downstream; there are: {known}"
    return ErrorInfo("weft.UnknownReference", message, "W1103")


def _lost(turn: Turn, task: Task, event: Ended, facts: dict[str, Any]) -> None:
    run = task.run
    retry = task.node.retry
    given_up = task.losts >= (3 if retry is None else retry.lost_limit)
    body = task.body
    if isinstance(body, Flow) and body.open and (given_up or task.cancelling is not None):
        state = _T.FAILED if task.cancelling is None else _T.CANCELLED
        _flow_returned(turn, task, body, replace(event, state=state, retry=False))
        return
    turn.release(task)
    if task.cancelling is not None:
        turn.finish(task, _T.CANCELLED, task.cancelling, error=event.error, **facts)
        return
    turn.move(task, _T.LOST, Cause.WORKER_DIED, error=event.error, **facts)
    task.inline = False  # Whoever was to carry it out is gone.
    if run.state is PAUSED:
        run.held.append(task)
        return
    task.losts += 1
    if not given_up:
        turn.enqueue(task)
    else:
        fail(turn, task, Cause.WORKER_DIED, event.error, **facts)


def _flow_returned(turn: Turn, task: Task, flow: Flow, event: Ended) -> None:
    """A flow's body is over: its calls end first, then the flow."""
    flow.closing = event
    for call in list(flow.calls.values()):
        call.forgotten = False
        cancel(turn, call, Cause.SCOPE_ENDED)
    if flow.open == 0 and flow.closing is not None:
        end_flow(turn, task, flow)


# --- preparation, events, answers -------------------------------------------------------------------------


def _prepared(turn: Turn, event: Prepared) -> None:
    task = turn.state.task(event.run, event.idx)
    if task is None or task.generation != event.generation or task.prepared or task.forgotten:
        return
    if task.state in TERMINAL or task.state in LIVE:
        return
    task.prepared = True
    if event.error is not None:
        fail(turn, task, Cause.PREPARE, event.error, verdict=False)
    elif event.skip:
        turn.finish(task, _T.SKIPPED, Cause.CONDITION, detail=event.reason)
    elif event.cached is not None and not _half_done(task):
        turn.finish(task, _T.CACHED, Cause.CACHE_HIT, result=event.cached, detail=event.origin)
    elif event.items is not None:
        if task.run.state is PAUSED:
            task.prepared = False
            task.run.held.append(task)
        else:
            expand(turn, task, event.items, event.items_ref)
    else:
        task.cache_key = event.cache_key
        task.bound = event.inputs
        turn.ready.append(task)


def _half_done(task: Task) -> bool:
    """Whether an earlier attempt left something open, so that its work must be finished, not found."""
    return task.state is _T.WAITING or (isinstance(task.body, Flow) and task.body.open > 0)


def _sent(turn: Turn, event: Sent) -> None:
    run = turn.state.runs.get(event.run)
    if run is None or event.signal_id in run.seen_signals:
        return
    run.seen_signals.add(event.signal_id)
    waiting = run.waiting_events.get(event.name)
    while waiting:
        task = waiting.popleft()
        if task.state is _T.WAITING and isinstance(task.wait, EventWait):
            consume(turn, task, event.name, event.signal_id, event.payload)
            return
    run.signals.append((event.name, event.signal_id, event.payload))
    turn.changes.append(Signalled(run.id, event.name, turn.now, event.payload, event.signal_id))


def _answered(turn: Turn, event: Answered) -> None:
    task = turn.state.task(event.run, event.idx)
    if task is not None and task.state is _T.WAITING and isinstance(task.wait, ApprovalWait):
        satisfy(turn, task, Cause.ANSWER, event.result)


def _mark(turn: Turn, event: Mark) -> None:
    task = turn.state.task(event.run, event.idx)
    if task is None or task.state in TERMINAL:
        return
    if task.executor:
        turn.commands.append(Stop(task.executor, task.id))
    task.forgotten = False  # The flow that calls it again gets this for an answer.
    turn.finish(task, event.state, Cause.MARKED, result=event.result)


# --- capacity and time ------------------------------------------------------------------------------------


def _capacity_changed(turn: Turn, event: CapacityChanged) -> None:
    turn.state.limits[event.executor] = event.limit
    turn.state.inflight.setdefault(event.executor, 0)


def _pool_changed(turn: Turn, event: PoolChanged) -> None:
    turn.state.pools[event.pool] = event.slots
    turn.freed.append(f"pool:{event.pool}")


def _share_changed(turn: Turn, event: ShareChanged) -> None:
    shares = turn.state.shares
    assert shares is not None, "an engine that shares nothing was given a share"
    shares[event.key] = event.slots
    turn.freed.append(event.key)


def _tick(turn: Turn, event: Tick) -> None:
    timers = turn.state.timers
    while timers and timers[0][0] <= turn.now:
        _, sequence, kind, run, idx, guard = heappop(timers)
        if kind.startswith("rate:"):
            wake(turn, kind)  # Whoever is first in line, not only who had it set.
            continue
        task = turn.state.task(run, idx)
        # Of a run that was lost, or had ended, and is here again, an index may be another task run's by now.
        if task is not None and sequence > task.run.born:
            _TIMERS[kind](turn, task, guard)
            settle(turn)


def _retry_due(turn: Turn, task: Task, guard: int) -> None:
    if task.state is _T.RETRYING and task.attempt == guard and not task.queued:
        task.due_at = None
        turn.ready.append(task)


def _wait_timer(turn: Turn, task: Task, guard: int) -> None:
    if task.state is _T.WAITING and task.attempt + task.generation == guard and task.due_at is not None:
        wait_due(turn, task)


def _queue_timer(turn: Turn, task: Task, guard: int) -> None:
    if task.state is _T.QUEUED and task.attempt == guard:
        turn.commands.append(Stop(task.executor, task.id))
        timeout = task.node.timeout
        limit = timeout.queued_s if timeout is not None else None
        error = ErrorInfo("weft.TaskTimeout", f"queued longer than {limit:g} s", "W2001")
        fail(turn, task, Cause.QUEUE_TIMEOUT, error)


def _total_timer(turn: Turn, task: Task, guard: int) -> None:
    if task.state not in TERMINAL and task.generation == guard:
        cancel(turn, task, Cause.TIMEOUT)


def _run_timer(turn: Turn, task: Task, guard: int) -> None:
    cancel(turn, task, Cause.TIMEOUT)


_TIMERS: dict[str, Callable[[Turn, Task, int], None]] = {
    "retry": _retry_due,
    "wait": _wait_timer,
    "queued": _queue_timer,
    "total": _total_timer,
    "run": _run_timer,
}

_HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
    Submitted: _submitted,
    Restored: _restored,
    Dropped: _dropped,
    Called: called,
    Prepared: _prepared,
    Sent: _sent,
    Answered: _answered,
    CancelRun: _cancel_run,
    CancelTask: _cancel_task,
    PauseRun: _pause_run,
    ResumeRun: _resume_run,
    Mark: _mark,
    CapacityChanged: _capacity_changed,
    PoolChanged: _pool_changed,
    ShareChanged: _share_changed,
    Tick: _tick,
    Started: _started,
    Shown: _shown,
    Ended: _ended,
}
