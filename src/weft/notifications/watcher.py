"""What comes due by time: late runs, states held too long, workflows that do not succeed.

A watch that is due is compared with what is true before anybody is told, because the event that calls it off
may be committed and not yet followed. What follows is written together with the watch's end, so of two
watchers one tells. An automation that is new or was changed is *armed*: what runs already is watched too.
"""

from collections.abc import Callable

from msgspec.structs import replace

from weft.model.automations import Missing, RunIs, TaskIs, Watch
from weft.model.deliveries import Occasion
from weft.model.errors import NotFound
from weft.model.rows import TaskRow
from weft.notifications.arming import arm, attempt, latest_run
from weft.notifications.book import Book
from weft.notifications.facts import Facts, occasion_of_run, with_task
from weft.notifications.joining import COOLDOWNS, MET, WATCHES, Rule, Rules, act
from weft.notifications.loop import Loop
from weft.notifications.outbox import EVER
from weft.notifications.timing import sentence
from weft.store.protocol import Store
from weft.store.records import Entry

LOOK_S = 1.0
"""Between two looks: others set watches too."""

_BATCH = 200


class Watcher(Loop):
    """See the module.

    Args:
        store: Where watches and runs are.
        now: The time.
        told: Called when there is something new in the outbox.
    """

    def __init__(
        self, store: Store, now: Callable[[], float], told: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__("watcher", now)
        self._store = store
        self._told = told
        self._rules = Rules()
        self._facts = Facts(store)

    def step(self, now: float) -> float:
        """Look once. Returns when to look again, at the latest."""
        rules = {rule.name: rule for rule in self._rules.read(self._store)}
        arm(self._store, self._facts, rules, now)
        due = WATCHES.due(self._store, before=now, limit=_BATCH)
        for entry in due:
            self._judge(rules.get(entry.value.automation), entry, now)
        old = [MET.drop(each.name, expect=each.revision) for each in MET.due(self._store, before=now)]
        old += [
            COOLDOWNS.drop(each.name, expect=each.revision) for each in COOLDOWNS.due(self._store, before=now)
        ]
        if old:
            attempt(self._store, old, now)
        if len(due) == _BATCH:
            return now
        head = WATCHES.due(self._store, before=EVER, limit=1)
        next_due = head[0].due_at if head else None
        return now + LOOK_S if next_due is None else min(max(next_due, now), now + LOOK_S)

    # --- watches that are due -----------------------------------------------------------------------------

    def _judge(self, rule: Rule | None, entry: Entry[Watch], now: float) -> None:
        book = Book(self._store)
        book.expect(WATCHES, entry)
        watch = entry.value
        assert entry.due_at is not None
        leaf = None if rule is None else rule.leaves.get(watch.path)
        told = False
        if rule is None or leaf is None:
            book.drop(WATCHES, entry.name)
        elif watch.what == "missing":
            told = self._judge_missing(book, rule, entry, now)
        else:
            occasion, open_still = self._occasion(rule, watch, entry.due_at)
            if open_still:
                # It stays, without a time, so that the same stay in the state is not told twice.
                book.put(WATCHES, entry.name, watch)
            else:
                book.drop(WATCHES, entry.name)
            if occasion is not None:
                cause = f"watch {entry.name} {watch.since!r}"
                told = act(book, rule, {watch.path}, occasion, cause, now=now)
        if attempt(self._store, book.writes(), now) and told:
            self._told()

    def _occasion(self, rule: Rule, watch: Watch, due_at: float) -> tuple[Occasion | None, bool]:
        """What to tell about a watch, if it is true; and whether the watch has to be kept."""
        try:
            run = self._store.run_by_id(watch.run)
        except NotFound:
            return None, False
        leaf = rule.leaves[watch.path]
        occasion = occasion_of_run(run, sentence(watch, due_at), at=due_at)
        if watch.what == "held":
            if watch.idx >= 0:
                task = self._task(watch)
                if task is None:
                    return None, False
                held = isinstance(leaf, TaskIs) and task.state in leaf.states and task.changed_at <= due_at
                return (with_task(occasion, task), not task.state.terminal) if held else (None, False)
            held = isinstance(leaf, RunIs) and run.state in leaf.states
            return (occasion, not run.state.terminal) if held else (None, False)
        if watch.what == "start":
            late = run.started_at is None and not run.state.terminal
            late = late or (run.started_at is not None and run.started_at > due_at)
            return (occasion if late else None), False
        if watch.what == "node":
            task = self._task(watch)
            ended = None if task is None or not task.state.terminal else task.ended_at or task.changed_at
            if ended is None and run.state.terminal:
                ended = run.ended_at
            if ended is not None and ended <= due_at:
                return None, False
            return (occasion if task is None else with_task(occasion, task)), False
        on_time = run.state.terminal and run.ended_at is not None and run.ended_at <= due_at
        return (None if on_time else occasion), False

    def _task(self, watch: Watch) -> TaskRow | None:
        try:
            if watch.idx >= 0:
                return self._store.task(watch.run, watch.idx)
            return self._store.task_by_key(watch.run, watch.key)
        except NotFound:
            return None  # A pending task has no row yet.

    def _judge_missing(self, book: Book, rule: Rule, entry: Entry[Watch], now: float) -> bool:
        leaf = rule.leaves[entry.value.path]
        assert isinstance(leaf, Missing)
        assert entry.due_at is not None
        watch = entry.value
        latest = latest_run(self._store, leaf, watch.workflow)
        if latest is not None and (latest.ended_at or 0.0) > watch.since:
            since = latest.ended_at or now
            book.put(WATCHES, entry.name, replace(watch, since=since), due_at=since + leaf.for_s)
            return False
        book.put(WATCHES, entry.name, watch)
        what = sentence(watch, entry.due_at)
        occasion = Occasion(what=what, at=entry.due_at, workflow=watch.workflow)
        if latest is not None:
            occasion = replace(occasion_of_run(latest, what, at=entry.due_at), error=None)
        cause = f"watch {entry.name} {watch.since!r}"
        return act(book, rule, {watch.path}, occasion, cause, now=now)
