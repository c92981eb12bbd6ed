"""What happens by time alone: watches are set when the time begins to count, and called off when it stops.

A watch is a record whose ``due_at`` is when its leaf will have happened. The follower sets it and calls it
off in the transaction of the event that does so; ``watcher.py`` finds those that have come due. An event that
calls off a watch which was due before finds that it did happen: so a service that was away tells late, but
tells.
"""

from collections.abc import Iterator

from weft.core.changes import Cause, Change, RunAdded, RunChanged, TaskAdded
from weft.model.automations import Late, Leaf, Missing, RunIs, TaskIs, Watch
from weft.model.states import RunState
from weft.notifications.book import Book
from weft.notifications.conditions import pattern, state_of
from weft.notifications.facts import Facts, RunFacts
from weft.notifications.joining import WATCHES, Rule
from weft.store.protocol import EventRow

GOES_ON = (Cause.RESUMED, Cause.RECOVERED)
"""Causes for which a run that runs again has not begun again."""


def timed(leaf: Leaf) -> bool:
    """Whether time alone can make it happen."""
    return isinstance(leaf, Late | Missing) or (isinstance(leaf, RunIs | TaskIs) and leaf.for_s > 0)


def watch_name(rule: str, path: str, of: str, *more: str) -> str:
    """The name of a watch: of a run's or a workflow's, and what else tells it from others."""
    return "#".join((rule, path, of, *more))


def note(book: Book, facts: Facts, rule: Rule, path: str, leaf: Leaf, event: EventRow, run: RunFacts) -> str:
    """Set or call off a leaf's watches for an event.

    Returns:
        What happened, if one that is called off was due before; else "".
    """
    if isinstance(leaf, RunIs | TaskIs):
        return _note_held(book, facts, rule, path, leaf, event, run)
    if isinstance(leaf, Late):
        return _note_late(book, facts, rule, path, leaf, event, run)
    if isinstance(leaf, Missing) and state_of(event.change) in leaf.states:
        name = watch_name(rule.name, path, run.workflow)
        watch = Watch(automation=rule.name, path=path, what="missing", workflow=run.workflow, since=event.at)
        book.put(WATCHES, name, watch, due_at=event.at + leaf.for_s)
    return ""


def sentence(watch: Watch, due_at: float) -> str:
    """What has happened when a watch is due, without a full stop."""
    time = seconds(due_at - watch.since)
    whose = f"task {watch.key}" if watch.key else "run"
    return {
        "held": f"{whose} in the same state for {time}",
        "start": f"run not started {time} after it was created",
        "end": f"run not ended {time} after it started",
        "deadline": f"run not ended by its deadline, {time} after it started",
        "node": f"{whose} not ended by its deadline, {time} after the run started",
        "missing": f"no run of {watch.workflow} came to where it should for {time}",
    }[watch.what]


def seconds(amount: float) -> str:
    """A length of time for people."""
    if amount < 60:
        return f"{amount:.3g} s"
    whole = round(amount)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2])


def held_name(rule: str, path: str, run: str, idx: int) -> str:
    """The name of the watch of a state that a run (``idx`` -1) or a task run is in."""
    return watch_name(rule, path, run) if idx < 0 else watch_name(rule, path, run, str(idx))


def late_watches(
    facts: Facts, rule: str, path: str, leaf: Late, run: RunFacts, run_id: int, started_at: float
) -> Iterator[tuple[str, Watch, float]]:
    """Name, watch and due time of all that can be late about a run that has started."""
    bounds: list[tuple[str, str, float | None]] = [("end", "", leaf.not_ended_s)]
    if leaf.deadline:
        whole, of_nodes = facts.deadlines(run.graph)
        bounds.append(("deadline", "", whole))
        bounds += [("node", key, each) for key, each in of_nodes.items()]
    for what, key, bound in bounds:
        if bound is not None:
            watch = Watch(
                automation=rule,
                path=path,
                what=what,
                workflow=run.workflow,
                run=run_id,
                key=key,
                since=started_at,
            )
            yield watch_name(rule, path, run.uid, what, *([key] if key else [])), watch, started_at + bound


def _note_held(
    book: Book, facts: Facts, rule: Rule, path: str, leaf: RunIs | TaskIs, event: EventRow, run: RunFacts
) -> str:
    name = held_name(rule.name, path, run.uid, event.idx)
    kept = book.get(WATCHES, name)
    if state_of(event.change) not in leaf.states:
        return _call_off(book, event.at, [name])
    if kept is None and (isinstance(leaf, RunIs) or named(leaf.task, facts.names(event.run, event.idx))):
        watch = Watch(
            automation=rule.name,
            path=path,
            what="held",
            workflow=run.workflow,
            run=event.run,
            idx=event.idx,
            key=facts.names(event.run, event.idx)[0] if event.idx >= 0 else "",
            since=event.at,
            seq=event.seq,
        )
        book.put(WATCHES, name, watch, due_at=event.at + leaf.for_s)
    return ""


def _note_late(
    book: Book, facts: Facts, rule: Rule, path: str, leaf: Late, event: EventRow, run: RunFacts
) -> str:
    change: Change = event.change
    if isinstance(change, RunAdded) and leaf.not_started_s is not None:
        watch = Watch(
            automation=rule.name,
            path=path,
            what="start",
            workflow=run.workflow,
            run=event.run,
            since=event.at,
        )
        name = watch_name(rule.name, path, run.uid, "start")
        book.put(WATCHES, name, watch, due_at=event.at + leaf.not_started_s)
    elif isinstance(change, RunChanged):
        if change.state.terminal:
            prefix = watch_name(rule.name, path, run.uid, "")
            return _call_off(book, event.at, [name for name, _ in book.under(WATCHES, prefix)])
        if change.state is RunState.RUNNING and change.cause not in GOES_ON:
            for name, watch, due_at in late_watches(facts, rule.name, path, leaf, run, event.run, event.at):
                book.put(WATCHES, name, watch, due_at=due_at)
            return _call_off(book, event.at, [watch_name(rule.name, path, run.uid, "start")])
    elif isinstance(change, TaskAdded) and change.kind == "call":
        _note_call(book, facts, rule, path, event, change, run)
    return ""


def _note_call(
    book: Book, facts: Facts, rule: Rule, path: str, event: EventRow, change: TaskAdded, run: RunFacts
) -> None:
    """A flow called a task: it may have a deadline, which counts from the run's start."""
    bound = facts.node_deadline(event.run, change.node)
    if bound is None:
        return
    started_at = book.store.run_by_id(event.run).started_at or event.at
    watch = Watch(
        automation=rule.name,
        path=path,
        what="node",
        workflow=run.workflow,
        run=event.run,
        idx=change.idx,
        key=change.key,
        since=started_at,
    )
    name = watch_name(rule.name, path, run.uid, "node", change.key)
    book.put(WATCHES, name, watch, due_at=started_at + bound)


def _call_off(book: Book, at: float, names: list[str]) -> str:
    overdue = ""
    for name in names:
        kept = book.get(WATCHES, name)
        if kept is not None:
            book.drop(WATCHES, name)
            # A task's deadline is judged when it is due: the run's end says nothing about its tasks.
            if kept.due_at is not None and kept.due_at <= at and kept.value.what != "node":
                overdue = overdue or sentence(kept.value, kept.due_at)
    return overdue


def named(text: str, names: tuple[str, str]) -> bool:
    """Whether a pattern is for a task run of this key, or of a task of this name."""
    return text == "*" or any(pattern(text)(each) for each in names)
