"""Watches for what was there before an automation: runs that are open, workflows that have not run for long.

The follower sets watches at events, and an automation that is new, or was changed, has missed some. Whoever
looks first after the change reads what is open and sets them. A follower that does the same for an event of
that moment writes the same watch, so it does not matter which comes first.
"""

from collections.abc import Mapping, Sequence

from weft.model.automations import Armed, Late, Missing, RunIs, TaskIs, Watch
from weft.model.errors import Conflict
from weft.model.rows import RunRow
from weft.notifications.book import Book
from weft.notifications.conditions import pattern
from weft.notifications.facts import Facts, RunFacts
from weft.notifications.joining import ARMED, WATCHES, Rule
from weft.notifications.timing import held_name, late_watches, named, timed, watch_name
from weft.store.protocol import Reader, Store, Write

_PAGE = 500
_OPEN = "state:scheduled,queued,running,paused"


def arm(store: Store, facts: Facts, rules: Mapping[str, Rule], now: float) -> None:
    """Set the watches of automations that are new or changed; drop those of automations that are gone."""
    armed = {entry.name: entry for entry in ARMED.all(store)}
    for name in armed.keys() - rules.keys():
        book = Book(store)
        book.expect(ARMED, armed[name])
        book.drop(ARMED, name)
        _drop_watches(book, name)
        attempt(store, book.writes(), now)
    for rule in rules.values():
        if not any(timed(leaf) for leaf in rule.leaves.values()):
            continue
        entry = armed.get(rule.name)
        book = Book(store)
        if entry is None or entry.value.revision != rule.revision:
            _drop_watches(book, rule.name)
            book.get(ARMED, rule.name)
            book.put(ARMED, rule.name, Armed(rule.revision))
            _arm_runs(book, store, facts, rule)
            _arm_missing(book, store, rule, now)
        elif _open_ended(rule):
            _arm_missing(book, store, rule, now)  # There may be a workflow that was not there before.
        attempt(store, book.writes(), now)


def attempt(store: Store, writes: Sequence[Write], now: float) -> bool:
    """Write, unless somebody else has changed any of it: then they have seen to it, or the next look does."""
    if not writes:
        return True
    try:
        store.write(writes, at=now)
    except Conflict:
        return False
    return True


def latest_run(store: Reader, leaf: Missing, workflow: str) -> RunRow | None:
    """The run of a workflow that was the last to come to where it should."""
    states = ",".join(str(each) for each in leaf.states)
    name = workflow.replace("\\", "\\\\").replace('"', '\\"')
    found = store.runs(f'workflow:"{name}" state:{states}', limit=20)
    return max(found, key=lambda row: row.ended_at or row.created_at, default=None)


def _open_ended(rule: Rule) -> bool:
    return any(isinstance(leaf, Missing) and "*" in leaf.workflow for leaf in rule.leaves.values())


def _drop_watches(book: Book, rule: str) -> None:
    for name, _ in list(book.under(WATCHES, f"{rule}#")):
        book.drop(WATCHES, name)


def _arm_missing(book: Book, store: Store, rule: Rule, now: float) -> None:
    for path, leaf in rule.leaves.items():
        if not isinstance(leaf, Missing):
            continue
        names = [leaf.workflow]
        if "*" in leaf.workflow:
            names = [name for name, *_ in store.workflows() if pattern(leaf.workflow)(name)]
        for workflow in names:
            name = watch_name(rule.name, path, workflow)
            if book.get(WATCHES, name) is None:
                latest = latest_run(store, leaf, workflow)
                since = now if latest is None else latest.ended_at or now
                watch = Watch(automation=rule.name, path=path, what="missing", workflow=workflow, since=since)
                book.put(WATCHES, name, watch, due_at=since + leaf.for_s)


def _arm_runs(book: Book, store: Store, facts: Facts, rule: Rule) -> None:
    if all(isinstance(leaf, Missing) or not timed(leaf) for leaf in rule.leaves.values()):
        return
    before: int | None = None
    while rows := store.runs(_OPEN, limit=_PAGE, before=before):
        for row in rows:
            _arm_run(book, store, facts, rule, row)
        before = rows[-1].run


def _arm_run(book: Book, store: Store, facts: Facts, rule: Rule, row: RunRow) -> None:
    run = RunFacts(row.uid, row.workflow, row.tags, row.graph, row.created_at)
    for path, leaf in rule.leaves.items():
        if isinstance(leaf, Missing) or not timed(leaf) or not pattern(leaf.workflow)(row.workflow):
            continue
        if not all(each in row.tags for each in leaf.tags):
            continue
        if isinstance(leaf, RunIs):
            if row.state in leaf.states:
                since = row.created_at if row.started_at is None else row.started_at
                watch = _watch(rule, path, "held", row, since)
                book.put(WATCHES, held_name(rule.name, path, row.uid, -1), watch, due_at=since + leaf.for_s)
        elif isinstance(leaf, TaskIs):
            _arm_tasks(book, store, rule, path, leaf, row)
        elif isinstance(leaf, Late):
            if row.started_at is None and leaf.not_started_s is not None:
                watch = _watch(rule, path, "start", row, row.created_at)
                name = watch_name(rule.name, path, row.uid, "start")
                book.put(WATCHES, name, watch, due_at=row.created_at + leaf.not_started_s)
            elif row.started_at is not None:
                for name, watch, due_at in late_watches(
                    facts, rule.name, path, leaf, run, row.run, row.started_at
                ):
                    book.put(WATCHES, name, watch, due_at=due_at)


def _arm_tasks(book: Book, store: Store, rule: Rule, path: str, leaf: TaskIs, row: RunRow) -> None:
    states = ",".join(str(each) for each in leaf.states)
    after = -1
    while tasks := store.tasks(row.run, f"state:{states}", after=after, limit=_PAGE):
        for task in tasks:
            if named(leaf.task, (task.key, task.name)):
                watch = _watch(rule, path, "held", row, task.changed_at, idx=task.idx, key=task.key)
                name = held_name(rule.name, path, row.uid, task.idx)
                book.put(WATCHES, name, watch, due_at=task.changed_at + leaf.for_s)
        after = tasks[-1].idx


def _watch(
    rule: Rule, path: str, what: str, row: RunRow, since: float, *, idx: int = -1, key: str = ""
) -> Watch:
    return Watch(
        automation=rule.name,
        path=path,
        what=what,
        workflow=row.workflow,
        run=row.run,
        idx=idx,
        key=key,
        since=since,
    )
