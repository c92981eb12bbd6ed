"""What Weft counts, for Prometheus: fed with committed changes, shown as text.

``Metrics.take`` is a listener of the engine, so it runs between a commit and what follows from it. It must
cost next to nothing: a change of a task run is a look-up and two additions in the series of its workflow.
Everything that can be read where it is (queues, pools, leases) is a gauge, and is read when somebody asks.

The number of series is bounded: the first ``WORKFLOWS_MAX`` workflows have their own, the rest share one
that is called ``other``. No label holds a run, a task or anything that a user types without end.
"""

import os
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

from weft._version import __version__
from weft.core.changes import Change, RunAdded, RunChanged, TaskChanged
from weft.model.states import RunState, TaskState
from weft.observability.exposition import Counter, Family, Gauge, Histogram, Labels, Meter, Reading, Registry

F = TypeVar("F", bound=Family)

WORKFLOWS_MAX = 200
"""Workflows that have series of their own."""

OTHER = "other"
"""The label of the workflows beyond."""

SECONDS = (
    *(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0),
)
"""Buckets of what takes from a millisecond to hours. All floats: comparing with whole numbers is slow."""

QUICK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets of what should take milliseconds: commits and requests."""

SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000)
"""Buckets of how many changes a commit has."""

_QUEUED = TaskState.QUEUED
_RUNNING = TaskState.RUNNING


class _Workflow:
    """The series of one workflow, at hand."""

    __slots__ = ("label", "states", "task_s", "wait_s")

    def __init__(self, label: str, task_s: list[float], wait_s: list[float]) -> None:
        self.label = label
        self.states: dict[TaskState, int] = dict.fromkeys(TaskState, 0)
        self.task_s = task_s
        self.wait_s = wait_s


class _Run:
    """A run that is under way: whose series its changes go to, and when its task runs were queued."""

    __slots__ = ("accepted_at", "queued", "started_at", "workflow")

    def __init__(self, workflow: _Workflow, accepted_at: float | None = None) -> None:
        self.workflow = workflow
        self.accepted_at = accepted_at
        self.started_at: float | None = None
        self.queued: dict[int, float] = {}


class Metrics:
    """The metrics of a process.

    Args:
        workflow_of: The workflow's name of a run that ``take`` has not seen begin (one taken over from
            another engine); ``None`` if nobody knows.
        commit_s: Seconds that the latest commit took.
        is_open: Whether this engine still has a run; others are forgotten with the next scrape.
    """

    def __init__(
        self,
        *,
        workflow_of: Callable[[int], str | None] | None = None,
        commit_s: Callable[[], float] | None = None,
        is_open: Callable[[int], bool] | None = None,
    ) -> None:
        self.workflow_of = workflow_of
        self.commit_s = commit_s
        self.is_open = is_open
        self.registry = Registry()
        self._workflows: dict[str, _Workflow] = {}
        self._runs: dict[int, _Run] = {}
        self._declare()

    # --- what is counted ----------------------------------------------------------------------------------

    def _declare(self) -> None:
        by_workflow = ("workflow",)
        self._accepted = self._add(Counter("weft_runs_accepted_total", "Runs accepted here.", by_workflow))
        self._ended = self._add(
            Counter("weft_runs_ended_total", "Runs that ended, by how.", ("workflow", "state"))
        )
        self._changes = self._add(
            Meter(
                "weft_task_changes_total",
                "Changes of task runs, by the state that they led to; groups, maps and items count too.",
                ("workflow", "state"),
            )
        )
        self._changes.read = self._by_state
        self._run_start_s = self._add(
            Histogram(
                "weft_run_start_seconds",
                "From a run's acceptance to its start, in seconds.",
                by_workflow,
                bounds=SECONDS,
            )
        )
        self._run_s = self._add(
            Histogram(
                "weft_run_seconds", "From a run's start to its end, in seconds.", by_workflow, bounds=SECONDS
            )
        )
        self._queue_s = self._add(
            Histogram(
                "weft_task_queue_seconds",
                "From an attempt's hand-over to its executor to its start, in seconds.",
                by_workflow,
                bounds=SECONDS,
            )
        )
        self._task_s = self._add(
            Histogram(
                "weft_task_seconds",
                "From an attempt's start until the engine knew how it ended, in seconds.",
                by_workflow,
                bounds=SECONDS,
            )
        )
        self._commit_changes = self._add(
            Histogram("weft_commit_changes", "Changes in one commit of the engine.", bounds=SIZES)
        )
        self._commit_seconds = self._add(
            Histogram("weft_commit_seconds", "How long a commit of the engine took.", bounds=QUICK)
        )
        for gauge in GAUGES:
            kind = Meter if gauge[0].endswith("_total") else Gauge
            self._add(kind(*gauge))
        self._requests = self._add(
            Counter(
                "weft_http_requests_total",
                "Requests to the API, by route and status.",
                ("method", "route", "status"),
                shared=True,
            )
        )
        self._request_s = self._add(
            Histogram(
                "weft_http_request_seconds",
                "How long a request to the API took.",
                ("method", "route"),
                bounds=QUICK,
                shared=True,
            )
        )
        self.watch("weft_build_info", lambda: {(__version__, sys.version.split()[0]): 1.0})
        for name, read in _process().items():
            self.watch(name, read)

    def _add(self, family: F) -> F:
        self.registry.families[family.name] = family
        return family

    def _by_state(self) -> dict[Labels, float]:
        return {
            (each.label, str(state)): number
            for each in list(self._workflows.values())
            for state, number in each.states.items()
            if number
        }

    # --- feeding ------------------------------------------------------------------------------------------

    def take(self, changes: Sequence[Change]) -> None:
        """Count a batch of committed changes; a listener of the engine."""
        if not changes:
            return
        runs = self._runs
        bounds = SECONDS
        least = bounds[0]
        latest = -1
        states: dict[TaskState, int] = {}
        queued: dict[int, float] = {}
        task_s: list[float] = []
        wait_s: list[float] = []
        for change in changes:
            if type(change) is TaskChanged:
                run = change.run
                if run != latest:
                    # Changes of one run come together, so what belongs to it is looked up seldom.
                    latest = run
                    found = runs.get(run) or self._meet(run)
                    queued = found.queued
                    states, task_s, wait_s = (
                        found.workflow.states,
                        found.workflow.task_s,
                        found.workflow.wait_s,
                    )
                state = change.state
                states[state] += 1
                if state is _QUEUED:
                    queued[change.idx] = change.at
                    continue
                started = change.started_at
                if started is not None:
                    since = queued.pop(change.idx, None)
                    if since is not None:
                        spent = started - since
                        if spent < 0.0:  # The clock was set back: a sum must not shrink.
                            spent = 0.0
                        wait_s[0 if spent <= least else bisect_left(bounds, spent)] += 1
                        wait_s[-1] += spent
                    if state is not _RUNNING:
                        spent = change.at - started
                        if spent < 0.0:
                            spent = 0.0
                        task_s[0 if spent <= least else bisect_left(bounds, spent)] += 1
                        task_s[-1] += spent
                elif queued:
                    queued.pop(change.idx, None)
            elif type(change) is RunChanged:
                self._run_changed(change)
                latest = -1
            elif type(change) is RunAdded:
                workflow = self._workflow(change.workflow)
                runs[change.run] = _Run(workflow, change.at)
                self._accepted.add((workflow.label,))
        self._commit_changes.add(len(changes))
        if self.commit_s is not None:
            self._commit_seconds.add(self.commit_s())

    def _run_changed(self, change: RunChanged) -> None:
        run = self._runs.get(change.run) or self._meet(change.run)
        label = (run.workflow.label,)
        if change.state is RunState.RUNNING:
            if run.started_at is None:
                run.started_at = change.at
                if run.accepted_at is not None:
                    self._run_start_s.add(change.at - run.accepted_at, label)
        elif change.state.terminal:
            self._ended.add((*label, str(change.state)))
            if run.started_at is not None:
                self._run_s.add(change.at - run.started_at, label)
            self._runs.pop(change.run, None)

    def _meet(self, run: int) -> _Run:
        """A run that began elsewhere."""
        name = None if self.workflow_of is None else self.workflow_of(run)
        found = self._runs[run] = _Run(self._workflow(name if name is not None else OTHER))
        return found

    def _workflow(self, name: str) -> _Workflow:
        found = self._workflows.get(name)
        if found is None:
            if len(self._workflows) >= WORKFLOWS_MAX and name != OTHER:
                return self._workflow(OTHER)
            label = (name,)
            found = self._workflows[name] = _Workflow(
                name, self._task_s.series(label), self._queue_s.series(label)
            )
        return found

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request to the API. ``route`` is the pattern, never the path: paths are without number."""
        self._requests.add((method, route, str(status)))
        self._request_s.add(seconds, (method, route))

    def watch(self, name: str, read: Callable[[], Reading]) -> None:
        """Say where one of ``GAUGES`` is read; those that nobody watches are not shown."""
        self.registry.watch(name, read)

    # --- showing ------------------------------------------------------------------------------------------

    def render(self) -> bytes:
        """All of it as text for Prometheus (``exposition.CONTENT_TYPE``)."""
        if self.is_open is not None:
            for run in list(self._runs):
                if not self.is_open(run):
                    self._runs.pop(run, None)
        return self.registry.render()


GAUGES: tuple[tuple[str, str, Labels], ...] = (
    ("weft_runs_open", "Runs that this engine owns and that have not ended.", ("state",)),
    ("weft_executor_capacity", "Attempts that an executor wants to hold at once.", ("executor",)),
    ("weft_executor_in_use", "Attempts that an executor has.", ("executor",)),
    (
        "weft_executor_ready",
        "Task runs that wait for an executor; a map counts once, however many items it has.",
        ("executor",),
    ),
    ("weft_pool_slots", "Slots that a pool has.", ("pool",)),
    ("weft_pool_used", "Slots of a pool that live attempts hold.", ("pool",)),
    ("weft_pool_waiting", "Task runs that wait for a slot of a pool.", ("pool",)),
    ("weft_engine_inbox_events", "Events that the engine has not dealt with yet.", ()),
    ("weft_engine_lease_seconds", "Until this engine's lease ends, unless it is prolonged.", ()),
    ("weft_engine_halted", "1 when the engine has stopped for good after an error, else 0.", ()),
    ("weft_engines_live", "Engines whose lease is good, over the whole store.", ()),
    ("weft_scheduler_lag_seconds", "How overdue the most overdue schedule is.", ()),
    ("weft_trigger_lag_seconds", "How overdue the most overdue trigger is.", ()),
    ("weft_deliveries_due", "Deliveries that are due and not done; up to 1000 of each lane are counted.", ()),
    ("weft_delivery_lag_seconds", "How overdue the most overdue delivery is.", ()),
    ("weft_lineage_lag_seconds", "How overdue the most overdue lineage events are.", ()),
    ("weft_follower_lag_events", "Committed events that a follower has not reacted to.", ("follower",)),
    ("weft_traces_spans_total", "Spans that were handed to the exporter of traces.", ()),
    ("weft_traces_dropped_total", "Changes that made no span because tracing could not keep up.", ()),
    ("weft_build_info", "Always 1; the labels tell the versions.", ("version", "python")),
    ("process_cpu_seconds_total", "CPU time of this process, in seconds.", ()),
    ("process_resident_memory_bytes", "Memory of this process.", ()),
    ("process_open_fds", "Open file descriptors of this process.", ()),
    ("process_start_time_seconds", "When this process started, in Unix seconds.", ()),
)
"""What is read when somebody asks: name, help, labels. ``engine/gauges.py`` watches the engine's."""


def _process() -> dict[str, Callable[[], float]]:
    """What Prometheus expects of every process, as far as this system tells it."""
    started = time.time() - (time.monotonic() - _uptime_origin())
    found: dict[str, Callable[[], float]] = {
        "process_cpu_seconds_total": lambda: sum(os.times()[:2]),
        "process_start_time_seconds": lambda: started,
    }
    if os.path.exists("/proc/self/statm"):
        page = os.sysconf("SC_PAGE_SIZE")
        found["process_resident_memory_bytes"] = lambda: _resident_pages() * page
        found["process_open_fds"] = lambda: len(os.listdir("/proc/self/fd"))
    return found


def _resident_pages() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1])


def _uptime_origin() -> float:
    """When this process started by the monotonic clock, or now where nobody tells."""
    try:
        with open("/proc/self/stat", encoding="ascii") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        return ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.monotonic()
