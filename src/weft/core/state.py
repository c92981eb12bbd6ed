"""What the core keeps in memory: runs, their task runs, and the limits they share.

These are plain mutable objects that only ``step`` changes. A task run exists as an object once its scope is
instantiated or a flow called it; an item of a map only while it is live, so that a map of a million items
costs its items and results and little more.
"""

from bisect import bisect_right
from collections import deque
from typing import Any

from weft.core.changes import Cause, RunAdded
from weft.core.plan import Compiled, Plan, Traits, traits_of
from weft.core.policies.rules import Counts
from weft.model.attempts import AttemptId, Ended
from weft.model.errors import ErrorInfo
from weft.model.graph import Graph, Node
from weft.model.inputs import Input
from weft.model.states import RunState, TaskState
from weft.model.values import Bound, Result
from weft.model.waits import Wait

INLINE = "inline"
"""Carried out by the thread that called; takes no executor's room."""

FLOW = "flow"
"""Flow bodies: they hold no slot, so they can never starve the tasks that they wait for."""

CANCEL = "weft:cancel"
CANCEL_FORCED = "weft:cancel:forced"
"""Signals to a run under which it is recorded that somebody cancelled it, so that a crash does not forget."""

COMPILED_MAX = 128

UNBOUNDED = frozenset({INLINE, FLOW})

NEVER = 1 << 60
"""A place that no journal reaches."""

LOCAL = ("run:", "scope:")
"""How the keys of limits begin that only one engine has to do with: a run has one owner."""


class Scope:
    """An instance of a group.

    ``open`` counts the work that has not ended, ``exits_open`` the exit handlers; ``closing`` is set once the
    work has ended.
    """

    __slots__ = ("cancelled", "closing", "daemons", "exits_open", "failed", "open", "params", "plan", "tasks")

    def __init__(self, plan: Plan, params: dict[str, Bound]) -> None:
        self.plan = plan
        self.params = params
        self.tasks: list[Task] = []
        self.open = plan.work
        self.exits_open = len(plan.exits)
        self.failed: Task | None = None
        self.cancelled = False
        self.closing = False
        self.daemons = 0


class Map:
    """An expanded map. ``codes[i]`` is 0 until item i has ended, then ``CODE`` of its state.

    ``cleared`` are items that a person cleared: they wait for their start as new ones do, and have a row.
    """

    __slots__ = (
        "again",
        "base",
        "cancelled",
        "cleared",
        "codes",
        "count",
        "dependents",
        "done",
        "errors",
        "failed",
        "first_error",
        "items",
        "line",
        "live",
        "next",
        "queued",
        "results",
        "skipped",
        "stopped",
    )

    def __init__(self, items: tuple[Result, ...], base: int) -> None:
        self.items = items
        self.count = len(items)
        self.base = base
        self.codes = bytearray(self.count)
        self.results: list[Result | None] = [None] * self.count
        self.errors: dict[int, ErrorInfo | None] = {}
        self.next = 0
        self.again: list[int] = []
        self.live: dict[int, Task] = {}
        self.cleared: dict[int, Task] = {}
        self.done = self.failed = self.skipped = self.cancelled = 0
        self.first_error: tuple[str, ErrorInfo | None] | None = None
        self.stopped: Cause | None = None
        self.queued = False
        self.line = ""
        self.dependents: dict[int, list[Task]] | None = None

    @property
    def more(self) -> bool:
        """Whether an item waits for its first or a repeated start."""
        return self.stopped is None and (bool(self.again) or self.next < self.count)


class Flow:
    """A flow's journal: its calls by key, and in the order they were made; ``open`` have not ended.

    ``anew`` is the first place at which a call was made again after it was cleared. What follows it may
    differ from what was recorded, because the call may have come to another end.
    """

    __slots__ = ("anew", "calls", "closing", "journal", "open", "waits_for")

    def __init__(self) -> None:
        self.calls: dict[str, Task] = {}
        self.journal: list[Task] = []
        self.anew = NEVER
        self.open = 0
        self.closing: Ended | None = None
        self.waits_for: set[int] | None = None


CODES = (
    None,
    TaskState.SUCCEEDED,
    TaskState.FAILED,
    TaskState.CANCELLED,
    TaskState.SKIPPED,
    TaskState.UPSTREAM_FAILED,
    TaskState.CACHED,
)
CODE: dict[TaskState | None, int] = {state: at for at, state in enumerate(CODES)}


class Task:
    """A task run in memory. See ``TaskAdded`` and ``TaskChanged`` for what the fields of those names mean.

    Attributes:
        pos: Position in its scope's plan; -1 outside one.
        body: What it holds while it runs: a scope, a map or a flow.
        counts: Upstream counts, of a node in a scope.
        unmet: Upstream that have not ended, of a flow's call.
        upstream: Indexes of the task runs whose results a call reads, and whether it accepts their failure.
        dependents: Calls that read this one's result.
        executor: Where its live attempt is; "" without one.
        line: The limit in whose line it stands or from which it was woken; "" without one.
        inline: Whether the caller's thread carries out its attempts.
        added: Whether its row exists.
        queued: Whether it stands in a ready queue.
        held: Limits that its live attempt holds.
        cancelling: Why it is being stopped, while that is under way.
        prepared: Whether ``Prepared`` came for its next attempt.
        bound: Inputs whose expressions were evaluated.
        checked: Whether its outputs were found missing, so that it must run.
        forgotten: Whether it was cleared, and waits until its flow calls it again.
    """

    __slots__ = (
        "added",
        "attempt",
        "body",
        "bound",
        "cache_key",
        "cancelling",
        "checked",
        "chosen",
        "counts",
        "daemon_up",
        "dependents",
        "due_at",
        "error",
        "executor",
        "failures",
        "fingerprint",
        "first_at",
        "forgotten",
        "generation",
        "held",
        "idx",
        "inline",
        "inputs",
        "key",
        "kind",
        "line",
        "losts",
        "map_index",
        "node",
        "node_ref",
        "ordinal",
        "parent",
        "pos",
        "prepared",
        "queued",
        "result",
        "run",
        "state",
        "traits",
        "unmet",
        "upstream",
        "wait",
    )

    def __init__(
        self,
        run: "Run",
        idx: int,
        key: str,
        node: Node,
        kind: str,
        parent: "Task | None",
        traits: Traits | None = None,
    ) -> None:
        self.run = run
        self.idx = idx
        self.key = key
        self.node = node
        self.kind = kind
        self.parent = parent
        self.traits = run.traits_of(node) if traits is None else traits
        self.pos = -1
        self.map_index = -1
        self.ordinal = -1
        self.node_ref = ""
        self.fingerprint = ""
        self.inputs: dict[str, Input] = node.inputs
        self.state = TaskState.PENDING
        self.attempt = 0
        self.generation = 0
        self.failures = 0
        self.losts = 0
        self.counts: Counts | None = None
        self.unmet = 0
        self.upstream: list[tuple[int, bool]] | None = None
        self.dependents: list[Task] | None = None
        self.body: Scope | Map | Flow | None = None
        self.result: Result | None = None
        self.error: ErrorInfo | None = None
        self.chosen: tuple[str, ...] | None = None
        self.first_at: float | None = None
        self.due_at: float | None = None
        self.wait: Wait | None = None
        self.executor = ""
        self.held: tuple[tuple[str, int], ...] = ()
        self.cache_key = ""
        self.bound: dict[str, Bound] | None = None
        self.cancelling: Cause | None = None
        self.line = ""
        self.inline = self.added = self.queued = self.prepared = self.checked = self.daemon_up = (
            self.forgotten
        ) = False

    @property
    def id(self) -> AttemptId:
        """The latest attempt's id."""
        return (self.run.id, self.idx, self.attempt)

    @property
    def holder(self) -> "Task | Map":
        """What stands for it in queues and lines: its map, if it is one."""
        return self.body if isinstance(self.body, Map) else self

    @property
    def name(self) -> str:
        """The task's name, as many task runs share it."""
        return self.node.name or self.node.key

    @property
    def is_flow(self) -> bool:
        """Whether its call is a flow."""
        return getattr(self.node.call, "flow", False) is True

    def upstream_states(self) -> list[tuple[tuple[TaskState, ErrorInfo | None], bool]]:
        """How the task runs that a call reads stand, and whether it accepts their failure."""
        return [(self.run.state_of(idx), tolerated) for idx, tolerated in self.upstream or ()]

    def __repr__(self) -> str:
        return f"<Task {self.run.id}/{self.idx} {self.key} {self.state}>"


class Run:
    """A run in memory.

    Attributes:
        tasks: Live and remembered task runs by index; items that ended are only in their ``Map``.
        maps: Every expanded map by the first index of its items, ascending in ``map_bases``.
        open_hooks: Hooks and rollbacks that have not ended.
        rollbacks: Task runs with a rollback hook, in the order in which they succeeded.
        signals: Events that no wait has consumed, oldest first.
        held: Task runs that became ready while the run was paused.
        limited: Whether the run, or a group in it, bounds how many task runs are live.
        born: ``State.sequence`` when this engine came to have the run; older timers are not its own.
    """

    __slots__ = (
        "added",
        "born",
        "by_key",
        "cancelling",
        "compiled",
        "default_executor",
        "ending",
        "epoch",
        "facts",
        "force",
        "graph",
        "held",
        "id",
        "limited",
        "map_bases",
        "maps",
        "next_idx",
        "node_refs",
        "open_hooks",
        "plans",
        "rollbacks",
        "root",
        "seen_signals",
        "signals",
        "started_at",
        "state",
        "tasks",
        "traits",
        "uid",
        "waiting_events",
    )

    def __init__(self, added: RunAdded, compiled: Compiled, epoch: int, executor: str) -> None:
        self.added = added
        self.id = added.run
        self.uid = added.uid
        self.compiled = compiled
        self.limited = compiled.limited
        self.born = 0
        self.graph = graph = compiled.graph
        self.epoch = epoch
        self.state = RunState.QUEUED
        self.started_at: float = added.at
        self.default_executor: str = added.facts.get("executor", executor)
        self.tasks: dict[int, Task] = {}
        self.by_key: dict[str, Task] = {}
        self.next_idx = 0
        self.maps: dict[int, Task] = {}
        self.map_bases: list[int] = []
        self.traits: dict[int, tuple[Node, Traits]] = {}
        self.plans: dict[tuple[int, str], Plan] = {}
        self.node_refs: dict[str, Node] = {}
        self.signals: list[tuple[str, str, Result]] = []
        self.seen_signals: set[str] = set()
        self.waiting_events: dict[str, deque[Task]] = {}
        self.open_hooks = 0
        self.rollbacks: list[Task] = []
        self.cancelling = False
        self.force = False
        self.ending: RunState | None = None
        self.held: list[Task] = []
        self.facts: dict[str, Any] = added.facts
        self.root: Task = Task(self, 0, graph.root.key, graph.root, "root", None)
        self.tasks[0] = self.root
        self.next_idx = 1

    def traits_of(self, node: Node) -> Traits:
        """The traits of a node that is in no plan."""
        known = self.traits.get(id(node))
        if known is None:
            # The node is kept beside its traits, so that its id stays its own.
            known = self.traits[id(node)] = (node, traits_of(node))
        return known[1]

    def plan_of(self, task: "Task", group: str) -> Plan:
        """The plan of a group: from a call around the task run that brings groups, else the graph's."""
        at: Task | None = task
        while at is not None:
            if at.node.groups:
                known = self.plans.get((id(at.node), group))
                if known is None:
                    # The node stays alive, and its id its own, because its traits are kept.
                    known = self.plans[id(at.node), group] = Plan(at.node.groups[group])
                return known
            at = at.parent
        return self.compiled.plan(group)

    def state_of(self, idx: int) -> tuple[TaskState, ErrorInfo | None]:
        """How a task run stands, whether it is in memory or an item that ended."""
        task = self.tasks.get(idx)
        if task is not None:
            return task.state, task.error
        found = self.map_at(idx)
        if found is None:
            return TaskState.PENDING, None
        owner, index = found
        body = owner.body
        assert isinstance(body, Map)
        state = CODES[body.codes[index]]
        if state is None:
            ended = body.stopped is not None and not body.live
            return (TaskState.CANCELLED if ended else TaskState.PENDING), None
        return state, body.errors.get(index)

    def map_at(self, idx: int) -> tuple[Task, int] | None:
        """The map whose items include index ``idx``, and the item's number."""
        at = bisect_right(self.map_bases, idx) - 1
        if at < 0:
            return None
        base = self.map_bases[at]
        owner = self.maps[base]
        body = owner.body
        if isinstance(body, Map) and body.base == base and idx < base + body.count:
            return owner, idx - base
        return None


class State:
    """Everything that one engine's core knows.

    Attributes:
        runs: Open runs by id.
        executor: Where tasks run that name no executor, in runs that do not say.
        limits: Attempts that each executor takes at once.
        inflight: Attempts that each executor has.
        queues: Per executor, a heap of what is ready: ``(-priority, sequence, task)``.
        pools: Slots by pool; a pool that is not named here has ``default_slots``.
        used: Slots in use by limit key (``pool:p``, ``key:k``, ``run:7``, ``scope:7/3``).
        shares: How many slots this engine may use of each limit that engines share (``pool:p``, ``key:k``,
            ``rate:r``), 0 of one that is not named; ``None``: it has all of them to itself.
        peaks: Of those limits, the most slots in use since somebody looked.
        short: Those limits for want of whose share something was held up since somebody looked.
        parked: Per limit key, a heap of what waits for a slot of it.
        rates: Per rate-limit key, the start times that still count.
        windows: Per rate-limit key, for how long they do, in seconds.
        timers: A heap of ``(due_at, sequence, kind, run, idx, guard)``; of a rate limit, its key is the kind.
    """

    __slots__ = (
        "_compiled",
        "default_slots",
        "executor",
        "inflight",
        "limits",
        "maxima",
        "parked",
        "peaks",
        "pools",
        "queues",
        "rates",
        "runs",
        "sequence",
        "shares",
        "short",
        "timers",
        "used",
        "windows",
    )

    def __init__(
        self,
        *,
        pools: dict[str, int] | None = None,
        default_slots: int = 128,
        executor: str = "default",
        shared: bool = False,
    ) -> None:
        self._compiled: dict[str, Compiled] = {}
        self.executor = executor
        self.runs: dict[int, Run] = {}
        self.limits: dict[str, int] = {}
        self.inflight: dict[str, int] = {}
        self.queues: dict[str, list[tuple[int, int, Task]]] = {}
        self.pools = dict(pools or {})
        self.default_slots = default_slots
        self.maxima: dict[str, int] = {}
        self.used: dict[str, int] = {}
        self.shares: dict[str, int] | None = {} if shared else None
        self.peaks: dict[str, int] = {}
        self.short: set[str] = set()
        self.parked: dict[str, list[tuple[int, int, Task]]] = {}
        self.rates: dict[str, deque[float]] = {}
        self.windows: dict[str, float] = {}
        self.timers: list[tuple[float, int, str, int, int, int]] = []
        self.sequence = 0

    def compiled(self, digest: str, graph: Graph) -> Compiled:
        """The graph of a workflow version, compiled; the newest ``COMPILED_MAX`` versions are kept."""
        known = self._compiled.pop(digest, None)
        if known is None:
            known = Compiled(graph)
            if len(self._compiled) >= COMPILED_MAX:
                del self._compiled[next(iter(self._compiled))]
        self._compiled[digest] = known
        return known

    def next_due(self) -> float | None:
        """When the next timer is due, in Unix seconds."""
        return self.timers[0][0] if self.timers else None

    def slots(self, key: str) -> int:
        """How many slots a limit key has."""
        if key.startswith("pool:"):
            return self.pools.get(key[5:], self.default_slots)
        return self.maxima.get(key, 1)

    def room(self, key: str) -> int:
        """How many slots of a limit key may be in use here."""
        limit = self.slots(key)
        if self.shares is None or key.startswith(LOCAL):
            return limit
        return min(limit, self.shares.get(key, 0))

    def taken(self, key: str, now: float) -> int:
        """How many slots of a limit key are in use here; of a rate limit, the starts that still count."""
        return len(self.starts(key[5:], now)) if key.startswith("rate:") else self.used.get(key, 0)

    def starts(self, rate: str, now: float) -> deque[float]:
        """When the starts happened that still count under a rate limit, oldest first.

        Those after ``now`` are from before the clock was set back, and are taken for this very moment: they
        count for as long as the others, and not until the clock has caught up.
        """
        times = self.rates.setdefault(rate, deque())
        since = now - self.windows.get(rate, 0.0)
        while times and times[0] <= since:
            times.popleft()
        at = len(times)
        while at and times[at - 1] > now:
            at -= 1
            times[at] = now
        return times

    def task(self, run: int, idx: int) -> Task | None:
        """The live or remembered task run, if this engine has it."""
        found = self.runs.get(run)
        return None if found is None else found.tasks.get(idx)
