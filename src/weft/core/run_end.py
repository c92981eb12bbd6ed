"""The end of a run: after its hooks, and after its rollbacks if it did not succeed."""

from typing import Any

from weft.core.changes import Cause, RunChanged, Signalled
from weft.core.state import CANCEL, CANCEL_FORCED, Run
from weft.core.turn import Turn
from weft.model.graph import HookOn, Node
from weft.model.states import RunState
from weft.model.values import NONE


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
    if run.cancelling:
        for signal_id in (CANCEL, CANCEL_FORCED):
            if signal_id in run.seen_signals:
                # Carried out: a retry of the run must not be cancelled by it again.
                turn.changes.append(Signalled(run.id, CANCEL, turn.now, NONE, signal_id, run.root.idx))
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
