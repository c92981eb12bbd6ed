"""Groups: their instances, the rules that let their nodes start, and how their end follows from their nodes'.

A group's work comes first, then its exit handlers; daemons are stopped in between. What is after a node
hears of its end once, as a count.
"""

from collections.abc import Callable

from weft.core.binding import bind_inputs, scope_result
from weft.core.changes import Cause
from weft.core.failing import fail
from weft.core.plan import counts_for_group, prefix_of
from weft.core.policies.rules import Counts, Decision, holds
from weft.core.state import CODES, Map, Scope, Task
from weft.core.turn import Turn
from weft.model.calls import GroupCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Branch, HookOn, Node, Outcome, Role
from weft.model.rules import TriggerRule
from weft.model.states import LIVE, TERMINAL, TaskState
from weft.model.values import Plain

DEPTH_MAX = 100
"""Groups inside groups, so that an endless recursion ends with an error (Argo's bound too)."""

SURVIVES_CANCEL = (Role.TEARDOWN, Role.EXIT)
"""Roles of the nodes that run although their group is being stopped."""

_T = TaskState


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
    if scope.cancelled and (task.run.force or node.role not in SURVIVES_CANCEL):
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


def tell_downstream(turn: Turn, scope: Scope, task: Task) -> None:
    """Count a node's end for what comes directly after it."""
    setup = task.node.role is Role.SETUP
    tasks = scope.tasks
    for at in scope.plan.down[task.pos]:
        after = tasks[at]
        counts = after.counts
        assert counts is not None
        counts.add(task.state, setup=setup)
        if after.state is _T.PENDING:
            consider(turn, after)


def follow_branch(turn: Turn, scope: Scope, task: Task) -> None:
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
            after.node.role not in SURVIVES_CANCEL
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
    # It is done for its group, and gives its place under ``max_active`` back.
    given = [each for each in task.held if each[0].startswith(("run:", "scope:"))]
    task.held = tuple(each for each in task.held if each not in given)
    for key, slots in given:
        turn.state.used[key] -= slots
        turn.freed.append(key)
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
            if task.daemon_up and task.state in LIVE:
                turn.stop(task, Cause.SCOPE_ENDED)
            elif task.daemon_up and task.state not in TERMINAL:
                turn.finish(task, _T.SUCCEEDED, Cause.SCOPE_ENDED)  # It waited to be started again.
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
