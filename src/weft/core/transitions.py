"""The state machines, as tables. The tables are the document; ``step.py`` may not move any other way.

A task run::

    pending --> ready --> queued --> running --> succeeded | failed | cancelled
       |          |                     |
       |          +--> cached           +--> cached                 (its outputs were there already)
       |                                +--> retrying --> ready      (its policy tries again)
       +--> skipped | upstream_failed   +--> waiting  --> ready      (timer, event, answer, poke: no worker)
                                        +--> lost     --> ready      (its worker died)

Five rules are above the table:

1. ``pending`` and ``ready`` follow from upstream states and free slots. They are kept in memory and never
   written for nodes and items; what is written first is the state a task run leaves them for. A row for a
   flow's call or a hook starts as ``pending``, because nothing else tells that it exists.
2. ``queued`` is written before an executor hears of the attempt. ``running`` is written when the executor
   says that it began, which it may leave out for a short attempt: then ``queued`` goes straight to the
   outcome, whose change carries the start time.
3. Groups, maps, waits and marks use no executor: they go to ``running`` or ``waiting`` alone.
4. Only a person moves a terminal task run, back to ``pending``, and then its generation grows (I10).
5. A run is terminal when its root is, and its hooks and rollbacks have ended.
"""

from weft.model.errors import InvalidTransition
from weft.model.states import RunState, TaskState

_T = TaskState
_ANY_END = (_T.SUCCEEDED, _T.FAILED, _T.CANCELLED, _T.SKIPPED)

TASK: dict[TaskState, frozenset[TaskState]] = {
    _T.PENDING: frozenset(
        {_T.READY, _T.QUEUED, _T.RUNNING, _T.WAITING, _T.CACHED, _T.UPSTREAM_FAILED, *_ANY_END}
    ),
    _T.READY: frozenset({_T.QUEUED, _T.RUNNING, _T.WAITING, _T.CACHED, _T.PENDING, *_ANY_END}),
    _T.QUEUED: frozenset({_T.RUNNING, _T.RETRYING, _T.WAITING, _T.LOST, _T.CACHED, *_ANY_END}),
    _T.RUNNING: frozenset({_T.RETRYING, _T.WAITING, _T.LOST, _T.PENDING, _T.CACHED, *_ANY_END}),
    _T.WAITING: frozenset({_T.READY, _T.QUEUED, _T.RUNNING, _T.PENDING, *_ANY_END}),
    _T.RETRYING: frozenset({_T.READY, _T.QUEUED, _T.RUNNING, _T.CACHED, _T.PENDING, _T.WAITING, *_ANY_END}),
    _T.LOST: frozenset({_T.READY, _T.QUEUED, _T.RUNNING, _T.RETRYING, _T.CACHED, _T.PENDING, *_ANY_END}),
    _T.SUCCEEDED: frozenset({_T.PENDING, _T.FAILED}),
    _T.FAILED: frozenset({_T.PENDING, _T.SUCCEEDED}),
    _T.CANCELLED: frozenset({_T.PENDING}),
    _T.SKIPPED: frozenset({_T.PENDING}),
    _T.UPSTREAM_FAILED: frozenset({_T.PENDING}),
    _T.CACHED: frozenset({_T.PENDING}),
}
"""From a state to the states that may follow it. From a terminal state: by a person only."""

_R = RunState
RUN: dict[RunState, frozenset[RunState]] = {
    _R.SCHEDULED: frozenset({_R.QUEUED, _R.RUNNING, _R.CANCELLED}),
    _R.QUEUED: frozenset({_R.RUNNING, _R.PAUSED, _R.CANCELLED, _R.FAILED}),
    _R.RUNNING: frozenset({_R.PAUSED, _R.SUCCEEDED, _R.FAILED, _R.CANCELLED}),
    _R.PAUSED: frozenset({_R.RUNNING, _R.CANCELLED, _R.FAILED, _R.SUCCEEDED}),
    _R.SUCCEEDED: frozenset({_R.RUNNING}),
    _R.FAILED: frozenset({_R.RUNNING}),
    _R.CANCELLED: frozenset({_R.RUNNING}),
}
"""The same for runs. A terminal run runs again only when a person clears some of its task runs."""


def check_task(old: TaskState, new: TaskState) -> None:
    """Raise ``InvalidTransition`` unless the table allows the move."""
    if new not in TASK[old]:
        raise InvalidTransition(f"a task run cannot go from {old} to {new}", old=str(old), new=str(new))


def check_run(old: RunState, new: RunState) -> None:
    """Raise ``InvalidTransition`` unless the table allows the move."""
    if new not in RUN[old]:
        raise InvalidTransition(f"a run cannot go from {old} to {new}", old=str(old), new=str(new))
