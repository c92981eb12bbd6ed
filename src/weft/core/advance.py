"""What follows from what: from ready to underway, and from ended to whatever that lets happen.

``activate`` takes a task run whose upstream lets it start and opens its group, expands its map, begins its
wait or queues it. ``propagate`` takes one that ended and tells its downstream, its map, its group, its flow
and its run. Both work on one task run and its direct edges; ``step`` calls them until nothing is left.
"""

from collections.abc import Callable
from typing import Any

from weft.core.binding import bind_inputs, scope_result
from weft.core.changes import Cause, MapExpanded, RunChanged
from weft.core.commands import Prepare, Stop
from weft.core.events import RUN_ENDS
from weft.core.plan import counts_for_group, prefix_of
from weft.core.policies.retrying import retries
from weft.core.policies.rules import Counts, Decision, holds
from weft.core.state import CODE, CODES, Flow, Map, Run, Scope, Task
from weft.core.turn import PAUSED, Turn
from weft.core.waits import begin_wait
from weft.model.attempts import Ended
from weft.model.calls import GroupCall, MarkCall, WaitCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Branch, HookOn, Node, Outcome, Role
from weft.model.rules import TriggerRule
from weft.model.states import LIVE, TERMINAL, RunState, TaskState
from weft.model.values import NONE, Plain, Result

DEPTH_MAX = 100
"""Groups inside groups, so that an endless recursion ends with an error (Argo's bound too)."""

_T = TaskState
_SURVIVES_CANCEL = (Role.TEARDOWN, Role.EXIT)


# --- from ready to underway -------------------------------------------------------------------------------


def activate(turn: Turn, task: Task) -> None:
    """Begin a task run whose upstream allows it."""
    if task.state in TERMINAL or task.state in LIVE or task.forgotten:
        return
    run = task.run
    if run.state is PAUSED:
        run.held.append(task)
        return
    node = task.node
    item = task.kind == "item"
    wants = task.traits.prepares_items if item else task.traits.prepares and task.body is None
    if wants and not task.prepared:
        if task.state is _T.PENDING:
            task.state = _T.READY
        turn.commands.append(Prepare(run.id, task.idx, task.generation))
        return
    call = node.call
    if isinstance(task.body, Map):
        turn.move(task, _T.RUNNING, Cause.ITEMS)
        turn.enqueue(task)
    elif node.map is not None and not item:
        expand(turn, task, node.map.fixed or (), None)
    elif isinstance(call, GroupCall):
        open_scope(turn, task, call)
    elif isinstance(call, WaitCall):
        begin_wait(turn, task, call.wait)
    elif isinstance(call, MarkCall):
        turn.finish(task, _T.SUCCEEDED, Cause.CALLED, result=task.result or NONE)
    else:
        turn.enqueue(task)


def expand(turn: Turn, task: Task, items: tuple[Result, ...], stored: Result | None) -> None:
    """Give a map its items."""
    run = task.run
    spec = task.node.map
    assert spec is not None
    if spec.max_items is not None and len(items) > spec.max_items:
        message = f"{len(items)} items are more than max_items={spec.max_items}"
        turn.finish(task, _T.FAILED, Cause.ITEMS, error=ErrorInfo("weft.InvalidPolicy", message, "W1106"))
        return
    base = run.next_idx
    run.next_idx += len(items)
    if not items:
        skip = spec.empty == "skip"
        task.body = Map((), base)
        turn.finish(task, _T.SKIPPED if skip else _T.SUCCEEDED, Cause.EMPTY)
        return
    body = install_map(run, task, items, base)
    turn.move(task, _T.RUNNING, Cause.ITEMS, detail=f"{len(items)} items")
    reference = stored if stored is not None else NONE
    turn.changes.append(MapExpanded(run.id, task.idx, turn.now, base, len(items), reference, task.generation))
    task.body = body
    turn.enqueue(task)


def install_map(run: Run, task: Task, items: tuple[Result, ...], base: int) -> Map:
    """Make the map's body and let its items be found by index."""
    body = task.body = Map(items, base)
    run.maps[base] = task
    bases = run.map_bases
    if bases and bases[-1] > base:
        bases.append(base)
        bases.sort()
    else:
        bases.append(base)
    return body


def open_scope(turn: Turn, task: Task, call: GroupCall) -> None:
    """Make an instance of a group and start the nodes that need nothing."""
    if depth_of(task) > DEPTH_MAX:
        error = ErrorInfo(
            "weft.InvalidWorkflow",
            f"groups are nested more than {DEPTH_MAX} deep: {call.group} recurses",
            "W1100",
        )
        turn.finish(task, _T.FAILED, Cause.CALLED, error=error)
        return
    task.attempt += 1
    if task.first_at is None:
        task.first_at = turn.now
        timeout = task.node.timeout
        if timeout is not None and timeout.total_s is not None:
            turn.timer(turn.now + timeout.total_s, "total", task, task.generation)
    scope = install_scope(task, call)
    turn.move(task, _T.RUNNING, Cause.STARTED)
    turn.hook(task, HookOn.START)
    if not scope.tasks:
        _close_scope(turn, task, scope)
        return
    for made in scope.tasks:
        if made.node.role is not Role.EXIT and needs_nothing(made):
            consider(turn, made)
    check_scope(turn, task, scope)


def install_scope(task: Task, call: GroupCall) -> Scope:
    """Make the task runs of a group's nodes, all pending."""
    run = task.run
    plan = run.plan_of(task, call.group)
    params = bind_inputs(task)
    for parameter in plan.group.params:
        if parameter.name not in params and parameter.default is not None:
            params[parameter.name] = Plain(parameter.default)
    scope = task.body = Scope(plan, params)
    prefix = prefix_of(task.key, task.kind, task.attempt)
    for at, node in enumerate(plan.nodes):
        made = Task(run, run.next_idx, prefix + node.key, node, "node", task, plan.traits[at])
        run.next_idx += 1
        made.pos = at
        made.counts = Counts(len(plan.up[at]), plan.setups[at] if plan.setups is not None else 0)
        scope.tasks.append(made)
        run.tasks[made.idx] = made
    return scope


def needs_nothing(task: Task) -> bool:
    """Whether a node of a group can start with it."""
    return task.counts is None or not task.counts.total or task.node.rule is TriggerRule.ALWAYS


def depth_of(task: Task) -> int:
    """How many task runs hold this one, one inside the other."""
    depth = 0
    at = task.parent
    while at is not None:
        depth += 1
        at = at.parent
    return depth


def consider(turn: Turn, task: Task) -> None:
    """Let a node's rule decide from its upstream's states."""
    if task.state is not _T.PENDING or task.counts is None:
        return
    scope = task.parent.body if task.parent is not None else None
    assert isinstance(scope, Scope)
    node = task.node
    if node.role is Role.EXIT and not scope.closing:
        return  # Whatever it reads, it waits for the whole group.
    counts = task.counts
    if scope.cancelled and (task.run.force or node.role not in _SURVIVES_CANCEL):
        turn.finish(task, _T.CANCELLED, Cause.SCOPE_ENDED)
        return
    if task.traits.decide is not None:
        decision = task.traits.decide(counts)
    elif counts.done < counts.total:
        return
    else:
        assert not isinstance(node.rule, TriggerRule)
        decision = Decision.RUN if holds(node.rule, _states_in(scope)) else Decision.SKIP
    if decision is Decision.WAIT:
        return
    if decision is Decision.RUN:
        task.state = _T.READY
        turn.ready.append(task)
        return
    by = _culprit(scope, task, decision)
    if decision is Decision.SKIP:
        turn.finish(task, _T.SKIPPED, Cause.RULE, by=by.idx if by else -1, detail=_rule_text(node))
        return
    reason = f"{by.key} {by.state}" if by is not None else "upstream failed"
    if by is not None and by.error is not None and by.error.message:
        reason += f": {by.error.message}"
    error = ErrorInfo("weft.UpstreamFailed", reason[:500], "W2004")
    turn.finish(task, _T.UPSTREAM_FAILED, Cause.UPSTREAM, by=by.idx if by else -1, error=error)


def _rule_text(node: Node) -> str:
    return f"rule {node.rule}" if isinstance(node.rule, str) else "depends is false"


def _states_in(scope: Scope) -> Callable[[str, str], frozenset[TaskState]]:
    def state_of(key: str, items: str) -> frozenset[TaskState]:
        task = scope.tasks[scope.plan.position[key]]
        body = task.body
        if items and isinstance(body, Map):
            return frozenset(state for state in (CODES[code] for code in body.codes) if state is not None)
        return frozenset({task.state})

    return state_of


def _culprit(scope: Scope, task: Task, decision: Decision) -> Task | None:
    """The upstream that made the rule say no."""
    up = [scope.tasks[at] for at in scope.plan.up[task.pos]]
    if decision is Decision.UPSTREAM_FAILED:
        up = [each for each in up if each.state in (_T.FAILED, _T.UPSTREAM_FAILED, _T.CANCELLED)] or up
    else:
        up = [each for each in up if each.state is _T.SKIPPED] or up
    return next((each for each in up if each.state in TERMINAL), None)


# --- from ended to what follows ---------------------------------------------------------------------------

_HOOKS = {
    _T.SUCCEEDED: HookOn.SUCCESS,
    _T.CACHED: HookOn.SUCCESS,
    _T.FAILED: HookOn.FAILURE,
    _T.UPSTREAM_FAILED: HookOn.FAILURE,
    _T.SKIPPED: HookOn.SKIP,
    _T.CANCELLED: HookOn.CANCEL,
}


def propagate(turn: Turn, task: Task) -> None:
    """Draw the consequences of a task run's end."""
    if task.node.hooks and (task.node.map is None or task.kind == "item"):
        if task.state is not _T.UPSTREAM_FAILED:
            turn.hook(task, _HOOKS[task.state])
            turn.hook(task, HookOn.END)
        if task.state is _T.SUCCEEDED and any(hook.on is HookOn.ROLLBACK for hook in task.node.hooks):
            task.run.rollbacks.append(task)
    kind = task.kind
    if kind == "item":
        _item_ended(turn, task)
    elif kind == "node":
        _node_ended(turn, task)
    elif kind == "call":
        _call_ended(turn, task)
    elif kind == "hook":
        task.run.open_hooks -= 1
        task.run.tasks.pop(task.idx, None)
        end_run(turn, task.run)
    else:
        task.run.ending = RUN_ENDS[task.state]
        end_run(turn, task.run)
    if task.dependents:
        _tell_dependents(turn, task.dependents, task.idx)
        task.dependents = None


def _tell_dependents(turn: Turn, dependents: list[Task], by: int) -> None:
    for each in dependents:
        each.unmet -= 1
        if each.unmet == 0:
            ready_call(turn, each, by=by)


def ready_call(turn: Turn, task: Task, *, by: int = -1) -> None:
    """Start a flow's call whose upstream has all ended, or end it if it cannot use how they did."""
    if task.state is not _T.PENDING or task.forgotten:
        return
    for upstream, tolerated in task.upstream_states():
        state, error = upstream
        if not state.ok and not tolerated:
            reason = f"an argument's task {state}" + (f": {error.message}" if error and error.message else "")
            info = ErrorInfo("weft.UpstreamFailed", reason[:500], "W2004")
            if state is _T.SKIPPED:
                turn.finish(task, _T.SKIPPED, Cause.UPSTREAM, by=by)
            else:
                turn.finish(task, _T.UPSTREAM_FAILED, Cause.UPSTREAM, by=by, error=info)
            return
    task.state = _T.READY
    turn.ready.append(task)


def _item_ended(turn: Turn, item: Task) -> None:
    owner = item.parent
    assert owner is not None
    body = owner.body
    assert isinstance(body, Map)
    index = item.map_index
    state = item.state
    body.live.pop(index, None)
    item.run.tasks.pop(item.idx, None)
    _drop_scope(item)
    body.codes[index] = CODE[state]
    body.done += 1
    spec = owner.node.map
    assert spec is not None
    if state.ok:
        body.results[index] = item.result if item.result is not None else NONE
    elif state is _T.SKIPPED:
        body.skipped += 1
    else:
        body.errors[index] = item.error
        if state is _T.CANCELLED:
            body.cancelled += 1
        else:
            body.failed += 1
            if body.first_error is None:
                body.first_error = (item.key, item.error)
            if spec.fail_fast and body.failed > spec.tolerate and body.stopped is None:
                body.stopped = Cause.FAIL_FAST
                for other in list(body.live.values()):
                    cancel(turn, other, Cause.FAIL_FAST)
    if body.dependents:
        waiting = body.dependents.pop(index, None)
        if waiting:
            _tell_dependents(turn, waiting, item.idx)
    if body.done == body.count or (body.stopped is not None and not body.live):
        end_map(turn, owner, body)
    elif body.more and not body.queued:
        turn.enqueue(owner)


def end_map(turn: Turn, owner: Task, body: Map) -> None:
    """End a map whose items have."""
    if owner.state in TERMINAL:
        return
    spec = owner.node.map
    assert spec is not None
    if body.dependents:
        # Items that will never start leave nobody waiting.
        for waiting in body.dependents.values():
            _tell_dependents(turn, waiting, owner.idx)
        body.dependents = None
    if body.failed > spec.tolerate:
        key, first = body.first_error or ("", None)
        message = f"{body.failed} of {body.count} items failed; {key}: {first.message if first else ''}"
        error = ErrorInfo(
            first.type if first else "weft.TaskFailed",
            message[:2000],
            first.code if first else "W2000",
            first.traceback if first else "",
        )
        turn.finish(owner, _T.FAILED, Cause.ITEMS, by=body.base, error=error)
    elif body.stopped is not None:
        turn.finish(owner, _T.CANCELLED, body.stopped)
    elif body.skipped == body.count:
        turn.finish(owner, _T.SKIPPED, Cause.ITEMS)
    else:
        turn.finish(owner, _T.SUCCEEDED, Cause.ITEMS)


def _node_ended(turn: Turn, task: Task) -> None:
    owner = task.parent
    assert owner is not None
    scope = owner.body
    if not isinstance(scope, Scope):
        return
    node = task.node
    state = task.state
    _drop_scope(task)
    if node.role is Role.EXIT:
        scope.exits_open -= 1
    elif task.daemon_up:
        scope.daemons -= 1
    else:
        scope.open -= 1
        note_outcome(scope, task)
        if state is _T.FAILED and scope.plan.group.fail_fast and scope.failed is None:
            scope.failed = task
        if node.branch is not None and state.ok:
            _follow_branch(turn, scope, task)
        _tell_downstream(turn, scope, task)
        if state is _T.FAILED and scope.plan.group.fail_fast and not scope.cancelled:
            _cancel_scope(turn, scope, Cause.FAIL_FAST)
    if node.role is Role.EXIT:
        _tell_downstream(turn, scope, task)
    check_scope(turn, owner, scope)


def note_outcome(scope: Scope, task: Task) -> None:
    """Let a node's end count for its group's."""
    if scope.failed is not None or task.state not in (_T.FAILED, _T.UPSTREAM_FAILED, _T.CANCELLED):
        return
    if scope.plan.group.outcome is Outcome.ALL:
        decides = counts_for_group(task.node) and task.state is _T.FAILED
    else:
        decides = task.pos in scope.plan.leaf_set
    if decides and not (task.state is _T.CANCELLED and scope.cancelled):
        scope.failed = task


def _tell_downstream(turn: Turn, scope: Scope, task: Task) -> None:
    setup = task.node.role is Role.SETUP
    tasks = scope.tasks
    for at in scope.plan.down[task.pos]:
        after = tasks[at]
        counts = after.counts
        assert counts is not None
        counts.add(task.state, setup=setup)
        if after.state is _T.PENDING:
            consider(turn, after)


def _follow_branch(turn: Turn, scope: Scope, task: Task) -> None:
    """Skip what a branch did not choose."""
    if task.chosen is None or (task.chosen and task.node.branch is not Branch.CHOOSE):
        return  # It chose to go on with all.
    plan = scope.plan
    direct = plan.down[task.pos]
    if task.node.branch is Branch.SHORT_CIRCUIT:
        doomed = plan.reachable(task.pos)
    elif task.node.branch is Branch.SHORT_CIRCUIT_DIRECT:
        doomed = set(direct)
    else:
        chosen = {
            at for at in direct if plan.nodes[at].key in task.chosen or plan.nodes[at].name in task.chosen
        }
        kept = set(chosen)
        for at in chosen:
            kept |= plan.reachable(at)
        doomed = set(direct) - kept
    for at in sorted(doomed):
        after = scope.tasks[at]
        if (
            after.node.role not in _SURVIVES_CANCEL
            and after.state in (_T.PENDING, _T.READY)
            and not after.queued
        ):
            turn.finish(after, _T.SKIPPED, Cause.BRANCH, by=task.idx)


def daemon_started(turn: Turn, task: Task) -> None:
    """Count a daemon that runs as done, so that what needs it can start."""
    owner = task.parent
    if owner is None or not isinstance(owner.body, Scope) or task.daemon_up:
        return
    scope = owner.body
    task.daemon_up = True
    scope.open -= 1
    scope.daemons += 1
    for at in scope.plan.down[task.pos]:
        after = scope.tasks[at]
        assert after.counts is not None
        after.counts.add(_T.SUCCEEDED)
        if after.state is _T.PENDING:
            consider(turn, after)
    check_scope(turn, owner, scope)


def check_scope(turn: Turn, owner: Task, scope: Scope) -> None:
    """Start a group's exit handlers once its work has ended, and end it once they have."""
    if owner.state in TERMINAL or owner.body is not scope:
        return
    if scope.open == 0 and not scope.closing:
        scope.closing = True
        for task in scope.tasks:
            if task.daemon_up and task.state in LIVE and task.cancelling is None:
                cancel(turn, task, Cause.SCOPE_ENDED)
        for at in scope.plan.exits:
            consider(turn, scope.tasks[at])
    if scope.closing and scope.exits_open == 0 and scope.daemons == 0:
        _close_scope(turn, owner, scope)


def _close_scope(turn: Turn, owner: Task, scope: Scope) -> None:
    if owner.state in TERMINAL:
        return
    failed = scope.failed
    if owner.cancelling is not None or owner.run.cancelling:
        turn.finish(owner, _T.CANCELLED, owner.cancelling or Cause.CANCELLED)
    elif failed is not None:
        message = f"{failed.key} {failed.state}"
        if failed.error is not None and failed.error.message:
            message += f": {failed.error.message}"
        code = failed.error.code if failed.error is not None and failed.error.code else "W2000"
        kind = failed.error.type if failed.error is not None else "weft.TaskFailed"
        error = ErrorInfo(kind, message[:2000], code, failed.error.traceback if failed.error else "")
        fail(turn, owner, Cause.UPSTREAM, error, by=failed.idx)
    else:
        turn.finish(owner, _T.SUCCEEDED, Cause.CHILDREN, result=scope_result(owner, scope))


def _drop_scope(task: Task) -> None:
    """Forget the task runs of a group that has ended; what reads it has its result."""
    scope = task.body
    if isinstance(scope, Scope):
        for each in scope.tasks:
            task.run.tasks.pop(each.idx, None)
        task.body = None


def _call_ended(turn: Turn, task: Task) -> None:
    flow_task = task.parent
    _drop_scope(task)
    if flow_task is None or not isinstance(flow_task.body, Flow):
        return
    flow = flow_task.body
    flow.open -= 1
    if flow.waits_for is not None and task.idx in flow.waits_for and flow_task.state is _T.WAITING:
        flow.waits_for = None
        turn.enqueue(flow_task)
    if flow.closing is not None and flow.open == 0:
        end_flow(turn, flow_task, flow)


def end_flow(turn: Turn, task: Task, flow: Flow) -> None:
    """End a flow whose body has returned and whose calls have all ended."""
    ended = flow.closing
    assert ended is not None
    flow.closing = None
    facts: dict[str, Any] = {
        "worker": ended.worker,
        "started_at": ended.started_at,
        "cpu_s": ended.cpu_s,
        "rss_peak": ended.rss_peak,
        "log_size": ended.log_size,
    }
    if ended.state is _T.FAILED and (task.cancelling is None or not _was_stopped(ended)):
        fail(turn, task, Cause.RAISED, ended.error, verdict=ended.retry, **facts)
    elif ended.state is _T.SUCCEEDED:
        turn.finish(task, _T.SUCCEEDED, Cause.RETURNED, result=ended.result, **facts)
    elif ended.state is _T.SKIPPED:
        turn.finish(task, _T.SKIPPED, Cause.RAISED, error=ended.error, **facts)
    else:
        turn.finish(task, _T.CANCELLED, task.cancelling or Cause.CANCELLED, error=ended.error, **facts)


def _was_stopped(ended: Ended) -> bool:
    """Whether a flow failed because what it waited for was cancelled."""
    return ended.error is not None and ended.error.code == "W2003"


def fail(
    turn: Turn,
    task: Task,
    cause: Cause,
    error: ErrorInfo | None,
    *,
    verdict: bool | None = None,
    by: int = -1,
    **facts: Any,
) -> None:
    """End an attempt as failed: try again if the policy says so, else end the task run."""
    task.failures += 1
    first = task.first_at if task.first_at is not None else turn.now
    seed = f"{task.run.uid}/{task.idx}"
    pause, why = retries(
        task.node.retry,
        failures=task.failures,
        error=error,
        verdict=verdict,
        first_at=first,
        now=turn.now,
        seed=seed,
    )
    if task.cancelling is not None:
        pause, why = None, "it is being cancelled"
    if pause is None:
        detail = why if task.node.retry is not None else ""
        turn.finish(task, _T.FAILED, cause, by=by, error=error, detail=detail, **facts)
        return
    again(turn, task, pause, cause, error=error, by=by, **facts)


def again(
    turn: Turn,
    task: Task,
    pause_s: float,
    cause: Cause,
    *,
    error: ErrorInfo | None = None,
    by: int = -1,
    **facts: Any,
) -> None:
    """Schedule the next attempt after a pause."""
    turn.release(task)
    forget_failures(turn, task)
    due_at = turn.now + pause_s
    task.due_at = due_at
    task.error = error
    _drop_scope(task)
    turn.move(task, _T.RETRYING, cause, by=by, error=error, due_at=due_at, **facts)
    turn.hook(task, HookOn.RETRY)
    if pause_s > 0:
        turn.timer(due_at, "retry", task, task.attempt)
    else:
        task.due_at = None
        turn.ready.append(task)


def forget_failures(turn: Turn, task: Task) -> None:
    """Before a flow is retried: its calls that failed are made again, the rest is replayed."""
    flow = task.body
    if not isinstance(flow, Flow):
        return
    for call in flow.calls.values():
        if call.state in (_T.FAILED, _T.UPSTREAM_FAILED, _T.CANCELLED):
            forget_call(turn, call, Cause.RETRY)


def forget_journal(turn: Turn, flow: Flow, cause: Cause) -> None:
    """Clear all of a flow's calls, because it is made again with other arguments."""
    for call in flow.calls.values():
        if call.state in TERMINAL:
            forget_call(turn, call, cause)
        if isinstance(call.body, Flow):
            forget_journal(turn, call.body, cause)


def forget_call(turn: Turn, call: Task, cause: Cause) -> None:
    """Clear a call that ended, so that it is made anew when the flow calls it again."""
    parent = call.parent
    assert parent is not None
    assert isinstance(parent.body, Flow)
    call.generation += 1
    call.failures = 0
    call.first_at = None
    turn.move(call, _T.PENDING, cause)
    call.forgotten = True
    call.prepared = call.checked = False
    parent.body.open += 1
    if isinstance(call.body, Map):
        call.body = None
    # A flow keeps its own journal: made again with the same arguments, it is replayed up to what failed.
    forget_failures(turn, call)


# --- stopping ---------------------------------------------------------------------------------------------


def cancel(turn: Turn, task: Task, cause: Cause) -> None:
    """Stop a task run and what it holds; teardowns and exit handlers of a stopped group still run."""
    state = task.state
    if state in TERMINAL:
        return
    body = task.body
    if task.executor:
        if task.cancelling is None or task.run.force:
            task.cancelling = cause
            turn.commands.append(Stop(task.executor, task.id))
        if isinstance(body, Flow):
            for call in list(body.calls.values()):
                cancel(turn, call, cause)
        return
    task.cancelling = cause
    if isinstance(body, Scope) and state is _T.RUNNING:
        _cancel_scope(turn, body, cause)
        check_scope(turn, task, body)
    elif isinstance(body, Map) and state is _T.RUNNING:
        body.stopped = body.stopped or cause
        for item in list(body.live.values()):
            cancel(turn, item, cause)
        if not body.live:
            end_map(turn, task, body)
    elif isinstance(body, Flow) and body.open:
        # A suspended flow ends once its calls have.
        body.closing = Ended(task.id, _T.CANCELLED)
        for call in list(body.calls.values()):
            cancel(turn, call, cause)
        if body.open == 0 and body.closing is not None:
            end_flow(turn, task, body)
    else:
        turn.finish(task, _T.CANCELLED, cause)


def _cancel_scope(turn: Turn, scope: Scope, cause: Cause) -> None:
    scope.cancelled = True
    force = bool(scope.tasks) and scope.tasks[0].run.force
    for task in scope.tasks:
        if force or task.node.role not in _SURVIVES_CANCEL:
            cancel(turn, task, cause)


# --- the end of a run -------------------------------------------------------------------------------------


def end_run(turn: Turn, run: Run) -> None:
    """End a run whose root has ended, after its hooks, and its rollbacks if it did not succeed."""
    if run.ending is None or run.open_hooks:
        return
    while run.ending is not RunState.SUCCEEDED and run.rollbacks:
        task = run.rollbacks.pop()
        started = False
        for number, hook in enumerate(task.node.hooks):
            if hook.on is HookOn.ROLLBACK:
                node = Node(
                    key=f"rollback{number}",
                    call=hook.call,
                    inputs=hook.inputs,
                    name=hook.name or "on_rollback",
                )
                key = f"{task.key}!rollback{number}.{task.generation}"
                started = turn.start_hook(run, task, node, key) or started
        if started:
            return
    root = run.root
    cause = Cause.CANCELLED if run.ending is RunState.CANCELLED else Cause.CHILDREN
    turn.changes.append(RunChanged(run.id, run.ending, turn.now, cause, result=root.result, error=root.error))
    run.state = run.ending
    forget_run(turn, run)


def forget_run(turn: Turn, run: Run) -> None:
    """Drop a run from memory, with its limits."""
    state = turn.state
    state.runs.pop(run.id, None)
    prefixes = (f"run:{run.id}", f"scope:{run.id}/")
    tables: tuple[dict[str, Any], ...] = (state.used, state.maxima, state.parked)
    for table in tables:
        for key in [key for key in table if key == prefixes[0] or key.startswith(prefixes[1])]:
            del table[key]
