"""The states of runs and task runs.

The legal moves between them are the tables in ``core/transitions.py``; here are only the words.
"""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task run stands.

    ``PENDING`` and ``READY`` follow from the states of a task run's upstream, so the store never holds
    them for a node of a static graph or an item of a map: a row is written when a task run leaves them.
    """

    PENDING = "pending"
    READY = "ready"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    LOST = "lost"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UPSTREAM_FAILED = "upstream_failed"
    CACHED = "cached"

    @property
    def terminal(self) -> bool:
        """Whether nothing but a person moves a task run on from here."""
        return self in TERMINAL

    @property
    def ok(self) -> bool:
        """Whether downstream may use a result from here."""
        return self is TaskState.SUCCEEDED or self is TaskState.CACHED


class RunState(StrEnum):
    """Where a run stands."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the run has ended."""
        return self in RUN_TERMINAL


TERMINAL = frozenset(
    {
        TaskState.SUCCEEDED,
        TaskState.FAILED,
        TaskState.CANCELLED,
        TaskState.SKIPPED,
        TaskState.UPSTREAM_FAILED,
        TaskState.CACHED,
    }
)
LIVE = frozenset({TaskState.QUEUED, TaskState.RUNNING})
"""States in which an attempt exists and holds its slots."""

RUN_TERMINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
