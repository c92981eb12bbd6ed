"""From ready to queued: priorities, room in executors, pools, concurrency keys and rate limits.

Each executor has a heap of ready task runs. A map stands in it once, however many items it has: its items
are made as they start, a chunk at a time, so that maps of equal priority take turns. What lacks a slot is
parked in the line of the limit that it lacks; when a slot of that limit is given back, the first one in
line tries again. One rule keeps wake-ups from being lost: whoever leaves a limit's line, whether it was
woken or gives up its place, wakes the next one there, if the limit still has room. Even a cancel can
let the next one start: the first one in line keeps back those behind it that need fewer slots.

Pools, concurrency keys and rates may be shared with other engines (``State.shares``). Then the room is this
engine's share, and what is held up for want of a share, not for want of slots, is told in ``State.short``.
"""

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush

from weft.core.binding import bind_inputs
from weft.core.changes import Cause
from weft.core.commands import Prepare, Start
from weft.core.state import LOCAL, UNBOUNDED, Flow, Map, Scope, State, Task
from weft.core.turn import PAUSED, Turn, executor_of
from weft.model.attempts import Attempt
from weft.model.calls import GroupCall, WaitCall
from weft.model.errors import ErrorInfo
from weft.model.policies import RateLimit
from weft.model.states import TaskState

CHUNK = 64
"""Items that one map starts before others of its priority get their turn."""

GROUPS_AT_ONCE = 256
"""Items of a mapped group that are open at once, unless ``max_active`` says otherwise."""


def dispatch(turn: Turn) -> None:
    """Start all that is ready and has room."""
    while True:
        while turn.freed:
            wake(turn, turn.freed.popleft())
        for name, queue in turn.state.queues.items():
            if queue:
                _drain(turn, name, queue)
        if not turn.freed:
            return


def _drain(turn: Turn, name: str, queue: list[tuple[int, int, Task]]) -> None:
    state = turn.state
    if name in UNBOUNDED:
        limit = 1 << 60
    elif name in state.limits:
        limit = state.limits[name]
    else:
        _refuse(turn, name, queue)
        return
    inflight = state.inflight
    inflight.setdefault(name, 0)
    while queue and inflight[name] < limit:
        _, place, task = heappop(queue)
        body = task.body
        if task.run.state is PAUSED:
            if task.holder.queued:
                leave_queue(turn, task)
                task.run.held.append(task)
        elif isinstance(body, Map):
            if body.queued:
                body.queued = False
                _start_items(turn, task, body, min(CHUNK, limit - inflight[name]), place)
        elif task.queued:
            task.queued = False
            missing = _missing(turn, task)
            if missing:
                _park(turn, task, missing, place)
            else:
                start(turn, task)
                turn.leave_line(task)


def _refuse(turn: Turn, name: str, queue: list[tuple[int, int, Task]]) -> None:
    known = ", ".join(sorted(turn.state.limits)) or "none"
    while queue:
        _, _, task = heappop(queue)
        body = task.body
        if isinstance(body, Map):
            if body.queued:
                body.queued = False
                body.stopped = Cause.CAPACITY
                error = _no_executor(name, known)
                turn.finish(task, TaskState.FAILED, Cause.CAPACITY, error=error)
        elif task.queued:
            turn.finish(task, TaskState.FAILED, Cause.CAPACITY, error=_no_executor(name, known))


def _no_executor(name: str, known: str) -> ErrorInfo:
    return ErrorInfo(
        "weft.ExecutorError", f"no executor is called {name!r}; there are: {known}", code="W3300"
    )


def limits_of(task: Task) -> tuple[tuple[str, int], ...]:
    """The limit keys, with slots, that a live attempt of the task run holds."""
    limits = task.traits.limits
    run = task.run
    if limits and isinstance(task.body, Flow) and task.body.open:
        return ()  # It waits for its calls, and must not keep from them what they need to run.
    if not run.limited or task.is_flow or task.daemon_up:
        # A flow must not keep from its calls what they need to run, nor a daemon from what must end first.
        return limits
    # What is the run's own comes first: who waits for that keeps no other engine from anything.
    parent = task.parent
    while parent is not None:
        if isinstance(parent.body, Scope):
            if parent.body.plan.group.max_active is not None:
                limits = ((f"scope:{run.id}/{parent.idx}", 1), *limits)
            break
        parent = parent.parent
    if run.graph.max_active is not None:
        limits = ((f"run:{run.id}", 1), *limits)
    return limits


def note_maxima(state: State, task: Task) -> None:
    """Learn how many slots the limits of a task run have."""
    run = task.run
    for each in task.node.concurrency:
        state.maxima[f"key:{each.key}"] = each.limit
    if run.graph.max_active is not None:
        state.maxima[f"run:{run.id}"] = run.graph.max_active
    parent = task.parent
    while parent is not None:
        if isinstance(parent.body, Scope):
            limit = parent.body.plan.group.max_active
            if limit is not None:
                state.maxima[f"scope:{run.id}/{parent.idx}"] = limit
            break
        parent = parent.parent


def hold(state: State, task: Task) -> None:
    """Take the slots of a live attempt's limits."""
    limits = limits_of(task)
    if limits:
        _hold(state, task, [(key, min(slots, max(state.slots(key), 1))) for key, slots in limits])


def hold_found(state: State, task: Task) -> None:
    """Take the slots of an attempt that was found alive, whether or not they are in this engine's share.

    It has as many as it asked for, or as there were when it began. A pool's size may be another since, or not
    be known here yet; so it counts for all that it asked for.
    """
    _hold(state, task, limits_of(task))
    if state.shares is not None:
        for key, _ in task.held:
            if state.used[key] > state.room(key) and not key.startswith(LOCAL):
                state.short.add(key)


def _hold(state: State, task: Task, slots: Iterable[tuple[str, int]]) -> None:
    task.held = tuple(slots)
    for key, taken in task.held:
        used = state.used[key] = state.used.get(key, 0) + taken
        if state.shares is not None and used > state.peaks.get(key, 0) and not key.startswith(LOCAL):
            state.peaks[key] = used


def _missing(turn: Turn, task: Task) -> str:
    """The first limit that has no room for the task run; "" if it may start."""
    limits = limits_of(task)
    state = turn.state
    if limits:
        note_maxima(state, task)
        for key, slots in limits:
            limit = room = state.slots(key)
            if state.shares is not None and not key.startswith(LOCAL):
                room = min(limit, state.shares.get(key, 0))
            # A task that wants more slots than there are takes them all rather than waiting for ever.
            if state.used.get(key, 0) + min(slots, max(limit, 1)) > room:
                if room < limit:
                    state.short.add(key)
                return key
    for rate in task.traits.rates:
        if not _rate_allows(turn, rate):
            return f"rate:{rate.key}"
    return ""


def _rate_allows(turn: Turn, rate: RateLimit) -> bool:
    """Whether another start is within the limit; one start takes a slot for as long as it counts."""
    state = turn.state
    note_rate(state, rate)
    times = state.starts(rate.key, turn.now)
    counted = len(times)
    if state.windows[rate.key] > rate.per_s:
        counted = sum(at > turn.now - rate.per_s for at in times)
    if counted >= rate.count:
        return False
    if state.shares is not None and len(times) >= state.shares.get(f"rate:{rate.key}", 0):
        state.short.add(f"rate:{rate.key}")
        return False
    return True


def _rate_due(turn: Turn, rate: RateLimit) -> float | None:
    """When a start stops counting that keeps another from happening; ``None``: a share must come first."""
    state = turn.state
    times = state.starts(rate.key, turn.now)
    if len(times) >= rate.count and times[-rate.count] + rate.per_s > turn.now:
        return times[-rate.count] + rate.per_s
    share = 0 if state.shares is None else state.shares.get(f"rate:{rate.key}", 0)
    return times[-share] + state.windows[rate.key] if share > 0 else None


def note_rate(state: State, rate: RateLimit) -> None:
    """Learn how many starts a rate limit allows, and for how long each of them counts."""
    state.maxima[f"rate:{rate.key}"] = rate.count
    if rate.per_s > state.windows.get(rate.key, 0.0):
        state.windows[rate.key] = rate.per_s


def _park(turn: Turn, task: Task, key: str, place: int) -> None:
    """Put a task run into the line for a limit; who was woken for it in vain keeps its ``place``, if any."""
    state = turn.state
    holder = task.holder
    before, holder.line = holder.line, key
    if before != key or not place:
        state.sequence += 1
        place = state.sequence
    parked = state.parked.setdefault(key, [])
    heappush(parked, (-task.node.priority, place, task))
    holder.queued = True
    if key.startswith("rate:"):
        due = _rate_due(turn, next(each for each in task.node.rate_limits if each.key == key[5:]))
        if due is not None:
            turn.timer(due, key, task, 0)
    if before and before != key:
        turn.freed.append(before)


def wake(turn: Turn, key: str) -> None:
    """Let the first task run that is parked under a limit try again, if the limit has room."""
    state = turn.state
    parked = state.parked.get(key)
    if not parked:
        return
    if not key.startswith("rate:") and state.used.get(key, 0) >= state.room(key):
        if state.room(key) < state.slots(key):
            state.short.add(key)
        return
    while parked:
        priority, sequence, task = heappop(parked)
        holder = task.holder
        if holder.queued and holder.line == key:
            heappush(state.queues.setdefault(executor_of(task), []), (priority, sequence, task))
            return


def leave_queue(turn: Turn, task: Task) -> None:
    """Let a task run's place in a queue count no more."""
    task.holder.queued = False
    turn.leave_line(task)


def _start_items(turn: Turn, owner: Task, body: Map, room: int, place: int) -> None:
    """Start up to ``room`` items of a map, and put it back in the queue if more could start."""
    node = owner.node
    run = owner.run
    group = isinstance(node.call, GroupCall | WaitCall)
    most = node.map.max_active if node.map is not None else None
    if node.map is not None and node.map.chain:
        most = 1
    if most is None and (group or owner.is_flow):
        most = GROUPS_AT_ONCE
    while room > 0 and body.more and (most is None or len(body.live) < most):
        if not group:
            missing = _missing(turn, owner)
            if missing:
                _park(turn, owner, missing, place)
                return
        if body.again:
            index = body.again.pop(0)
        else:
            index = body.next
            body.next += 1
            if body.codes[index] or index in body.live:
                continue
        item = body.live.get(index)
        if item is None:
            item = make_item(owner, body, index)
        if owner.traits.prepares_items and not item.prepared:
            turn.state.sequence += 1
            turn.commands.append(Prepare(run.id, item.idx, item.generation))
        elif group:
            turn.ready.append(item)
        else:
            start(turn, item)
        room -= 1
        place = 0  # It had its turn.
    turn.leave_line(owner)
    if body.more and (most is None or len(body.live) < most):
        turn.enqueue(owner)


def make_item(owner: Task, body: Map, index: int) -> Task:
    """The task run of item ``index``."""
    run = owner.run
    item = body.cleared.pop(index, None)
    if item is not None:
        body.live[index] = item
        run.tasks[item.idx] = item
        return item
    item = Task(run, body.base + index, f"{owner.key}[{index}]", owner.node, "item", owner, owner.traits)
    item.map_index = index
    item.inputs = owner.inputs
    item.generation = owner.generation
    body.live[index] = item
    run.tasks[item.idx] = item
    return item


def start(turn: Turn, task: Task) -> None:
    """Make the next attempt of a task run: durable as ``queued``, then handed to its executor."""
    state = turn.state
    node = task.node
    run = task.run
    executor = executor_of(task)
    task.attempt += 1
    if task.first_at is None:
        task.first_at = turn.now
        if node.timeout is not None and node.timeout.total_s is not None:
            turn.timer(turn.now + node.timeout.total_s, "total", task, task.generation)
    turn.move(task, TaskState.QUEUED, Cause.CAPACITY)
    task.executor = executor
    state.inflight[executor] = state.inflight.get(executor, 0) + 1
    hold(state, task)
    for rate in node.rate_limits:
        times = state.rates.setdefault(rate.key, deque())
        times.append(turn.now)
        if state.shares is not None:
            key = f"rate:{rate.key}"
            state.peaks[key] = max(state.peaks.get(key, 0), len(times))
    if node.timeout is not None and node.timeout.queued_s is not None:
        turn.timer(turn.now + node.timeout.queued_s, "queued", task, task.attempt)
    check = bool(node.outputs) and not task.checked and node.outputs[0].check is not None
    turn.commands.append(
        Start(
            Attempt(
                (run.id, task.idx, task.attempt),
                run.uid,
                run.graph.workflow,
                task.key,
                node.name or node.key,
                node.outputs[0].check if check else node.call,  # type: ignore[arg-type]  # check is not None
                bind_inputs(task),
                executor,
                task.map_index,
                task.failures + 1,
                task.traits.tries,
                None if node.timeout is None else node.timeout.execution_s,
                node.retry,
                node.branch is not None,
                "check" if check else "run",
                run.added.project,
                {},
                run.facts,
                node.placement.options,
            )
        )
    )
