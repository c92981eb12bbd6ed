"""What follows from committed events: the function that a follower carries out.

It reads and decides, and changes nothing: the writes that it returns are committed together with the
follower's place in the log, so each event has its consequences once.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from weft.artifacts.artifacts import Artifacts
from weft.core.changes import Change, NodeAdded, RunAdded, RunChanged, Showed, TaskAdded, TaskChanged
from weft.model.automations import Leaf, Measured, Missing, TaskIs
from weft.model.errors import NotFound, WeftError
from weft.model.states import RunState
from weft.notifications.book import Book
from weft.notifications.conditions import beyond, happens, pattern
from weft.notifications.facts import Facts, RunFacts, occasion_of_event
from weft.notifications.joining import Rule, Rules, act
from weft.notifications.timing import GOES_ON, named, note, timed
from weft.store.protocol import EventRow, Reader, Write


class Reactor:
    """Automations' reaction to events, for ``Follower(..., react=...)``.

    Args:
        store: Where automations, runs and what was decided before are read.
        artifacts: Opens the numbers that tasks publish; need not be trusted.
        now: The time.
    """

    def __init__(self, store: Reader, artifacts: Artifacts, now: Callable[[], float]) -> None:
        self._store = store
        self._artifacts = artifacts
        self._now = now
        self._rules = Rules()
        self._facts = Facts(store)

    def __call__(self, events: Sequence[EventRow]) -> list[Write]:
        """The writes that a batch of events causes."""
        rules = self._rules.read(self._store)
        if not rules:
            return []
        book = Book(self._store)
        listening: dict[type[Change], list[Rule]] = {}
        for rule in rules:
            for kind in rule.by_change:
                listening.setdefault(kind, []).append(rule)
        names = TaskChanged in listening or TaskAdded in listening
        now = self._now()
        for event in events:
            kind = type(event.change)
            if kind is RunAdded or (names and kind in (TaskAdded, NodeAdded)):
                self._facts.learn(event.change)
            for rule in listening.get(kind, ()):
                self._react(book, rule, event, now)
        return book.writes()

    def _react(self, book: Book, rule: Rule, event: EventRow, now: float) -> None:
        run: RunFacts | None = None
        hits: set[str] = set()
        value: float | None = None
        what = ""
        for path, leaf in rule.by_change[type(event.change)]:
            waits = timed(leaf)
            if not waits and not happens(leaf, event.change):
                continue
            run = run or self._facts.run(event.run)
            if run is None or not _about(leaf, run):
                continue
            if waits:
                overdue = note(book, self._facts, rule, path, leaf, event, run)
                what = what or overdue
                hit = bool(overdue)
            elif isinstance(leaf, Measured):
                measured = self._measure(leaf, event, run)
                hit = measured is not None and beyond(leaf, measured)
                value = measured if hit else value
            else:
                hit = not isinstance(leaf, TaskIs) or self._task(leaf.task, event)
            if hit:
                hits.add(path)
        if hits:
            occasion = occasion_of_event(self._store, event, value)
            if occasion is not None:
                if what:
                    occasion = replace(occasion, what=what)
                act(book, rule, hits, occasion, f"event {event.seq}", now=now)

    def _task(self, text: str, event: EventRow) -> bool:
        return text == "*" or named(text, self._facts.names(event.run, event.idx))

    def _measure(self, leaf: Measured, event: EventRow, run: RunFacts) -> float | None:
        """The number that the leaf is about; ``None`` if the event has none."""
        change = event.change
        if isinstance(change, Showed):
            if leaf.task and not self._task(leaf.task, event):
                return None
            return self._number(change)
        if isinstance(change, TaskChanged):
            if change.started_at is None or not self._task(leaf.task, event):
                return None
            numbers = {
                "duration": change.at - change.started_at,
                "cpu": change.cpu_s,
                "memory": change.rss_peak,
            }
            return numbers.get(leaf.what)
        if not isinstance(change, RunChanged):
            return None
        try:
            started_at = self._store.run_by_id(event.run).started_at
        except NotFound:
            return None
        if started_at is None:
            return None
        if leaf.what == "wait":
            began = change.state is RunState.RUNNING and change.cause not in GOES_ON
            return started_at - run.created_at if began else None
        return change.at - started_at if leaf.what == "duration" else None

    def _number(self, change: Showed) -> float | None:
        body = change.published.body
        if body.inline is None:
            return None
        try:
            value = self._artifacts.loads(body)
        except WeftError:
            return None
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _about(leaf: Leaf, run: RunFacts) -> bool:
    """Whether a leaf is about this run at all."""
    if leaf.workflow != "*" and not pattern(leaf.workflow)(run.workflow):
        return False
    return isinstance(leaf, Missing) or all(each in run.tags for each in leaf.tags)
