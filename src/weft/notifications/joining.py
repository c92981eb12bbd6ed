"""From leaves that happened to what is done about it: joins, cooldowns, and the deliveries that follow."""

from collections.abc import Collection as Some

import msgspec
from msgspec.structs import replace

from weft.core.changes import Change
from weft.model.automations import (
    AUTOMATION,
    AllOf,
    AnyOf,
    Armed,
    Automation,
    Condition,
    Firing,
    Leaf,
    Met,
    Watch,
)
from weft.model.deliveries import Occasion
from weft.notifications.book import Book
from weft.notifications.conditions import below, leaves, listens
from weft.notifications.outbox import delivery_name, post
from weft.store.protocol import Reader
from weft.store.records import Collection

AUTOMATIONS = Collection(AUTOMATION, Automation)
WATCHES = Collection("automation_watch", Watch)
MET = Collection("automation_met", Met)
FIRINGS = Collection("automation_fired", Firing)
COOLDOWNS = Collection("automation_cooldown", Firing)
ARMED = Collection("automation_armed", Armed)

WEEK_S = 7 * 86400.0
_REMEMBER_S = 86400.0


class Rule(msgspec.Struct, frozen=True):
    """An automation, made ready to be asked.

    Attributes:
        name: Its name.
        revision: Of its record.
        automation: What it is.
        leaves: Its leaves by path.
        by_change: The leaves that listen to a kind of change.
    """

    name: str
    revision: int
    automation: Automation
    leaves: dict[str, Leaf]
    by_change: dict[type[Change], tuple[tuple[str, Leaf], ...]]


class Rules:
    """The automations that are enabled, made ready once for each revision."""

    def __init__(self) -> None:
        self._known: dict[str, Rule] = {}

    def read(self, store: Reader) -> list[Rule]:
        """Those in force now."""
        known: dict[str, Rule] = {}
        for entry in AUTOMATIONS.all(store):
            if entry.value.enabled:
                rule = self._known.get(entry.name)
                if rule is None or rule.revision != entry.revision:
                    rule = _ready(entry.name, entry.revision, entry.value)
                known[entry.name] = rule
        self._known = known
        return list(known.values())


def _ready(name: str, revision: int, automation: Automation) -> Rule:
    found = dict(leaves(automation.when))
    kinds = dict.fromkeys(kind for leaf in found.values() for kind in listens(leaf))
    by_change = {
        kind: tuple((path, leaf) for path, leaf in found.items() if kind in listens(leaf)) for kind in kinds
    }
    return Rule(name, revision, automation, found, by_change)


def act(book: Book, rule: Rule, hits: Some[str], occasion: Occasion, cause: str, *, now: float) -> bool:
    """Some of a rule's leaves happened at once: write what follows from it. True if it acts.

    Args:
        book: Where the writes go.
        rule: Whose leaves.
        hits: Their paths.
        occasion: What happened.
        cause: What makes this unique: the same cause never acts twice.
        now: The time.
    """
    if not _joined(book, rule.name, rule.automation.when, "", hits, occasion):
        return False
    rested = _rested(book, rule, occasion)
    if rested is None:
        return False
    occasion = replace(occasion, suppressed=rested)
    for place, action in enumerate(rule.automation.then):
        name = delivery_name(cause, rule.name, place, occasion.at)
        post(book, name, rule.name, action, occasion, at=now)
    before = book.get(FIRINGS, rule.name)
    count = 1 if before is None else before.value.count + 1
    book.put(FIRINGS, rule.name, Firing(at=occasion.at, count=count))
    return True


def _joined(
    book: Book, name: str, condition: Condition, path: str, hits: Some[str], occasion: Occasion
) -> bool:
    """Whether the whole condition has happened now; every ``AllOf`` on the way takes note."""
    if not isinstance(condition, AnyOf | AllOf):
        return path in hits
    new = [
        at
        for at, term in enumerate(condition.terms)
        if _joined(book, name, term, below(path, at), hits, occasion)
    ]
    if isinstance(condition, AnyOf) or not new:
        return bool(new)
    within = condition.within_s or WEEK_S
    record = f"{name}#{path}#{_group(condition.per, occasion)}"
    kept = book.get(MET, record)
    met = {} if kept is None else {k: at for k, at in kept.value.at.items() if occasion.at - at <= within}
    met.update((str(each), occasion.at) for each in new)
    if len(met) < len(condition.terms):
        book.put(MET, record, Met(met), due_at=min(met.values()) + within)
        return False
    if kept is not None:
        book.drop(MET, record)
    return True


def _rested(book: Book, rule: Rule, occasion: Occasion) -> int | None:
    """How often it would have acted during its last rest; ``None`` if it still rests."""
    cooldown = rule.automation.cooldown_s
    if not cooldown:
        return 0
    record = f"{rule.name}#{_group(rule.automation.cooldown_per, occasion)}"
    kept = book.get(COOLDOWNS, record)
    if kept is not None and 0 <= occasion.at - kept.value.at < cooldown:
        more = replace(kept.value, suppressed=kept.value.suppressed + 1)
        book.put(COOLDOWNS, record, more, due_at=kept.due_at)
        return None
    book.put(COOLDOWNS, record, Firing(at=occasion.at), due_at=occasion.at + cooldown + _REMEMBER_S)
    return 0 if kept is None else kept.value.suppressed


def _group(per: str, occasion: Occasion) -> str:
    if per == "run" and occasion.run:
        return occasion.run
    return "" if per == "all" else f"workflow {occasion.workflow}"
