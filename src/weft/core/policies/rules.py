"""Trigger rules: from counts of upstream states to a decision.

Source of the named rules: Airflow 3, ``ti_deps/deps/trigger_rule_dep.py``. Rules that may fire before every
upstream has ended (``one_*``, ``always``, and each rule's early "no") do so here as there.
"""

from collections.abc import Callable
from enum import Enum

from weft.model.rules import All, Any, Depends, Is, TriggerRule
from weft.model.states import TaskState


class Decision(Enum):
    """What a rule says of a node now."""

    WAIT = 0
    RUN = 1
    SKIP = 2
    UPSTREAM_FAILED = 3


class Counts:
    """How many direct upstream there are, and how those that ended did."""

    __slots__ = ("done", "failed", "ok", "setup_ok", "setups", "skipped", "total")

    def __init__(self, total: int = 0, setups: int = 0) -> None:
        self.total = total
        self.setups = setups
        self.ok = self.failed = self.skipped = self.done = self.setup_ok = 0

    def add(self, state: TaskState, *, setup: bool = False) -> None:
        """Count one upstream that ended."""
        self.done += 1
        if state is TaskState.SUCCEEDED or state is TaskState.CACHED:
            self.ok += 1
            self.setup_ok += setup
        elif state is TaskState.SKIPPED:
            self.skipped += 1
        else:
            self.failed += 1


_WAIT, _RUN, _SKIP, _FAIL = Decision.WAIT, Decision.RUN, Decision.SKIP, Decision.UPSTREAM_FAILED


def _all_success(c: Counts) -> Decision:
    if c.failed:
        return _FAIL
    if c.skipped:
        return _SKIP
    return _RUN if c.ok == c.total else _WAIT


def _all_failed(c: Counts) -> Decision:
    if c.ok or c.skipped:
        return _SKIP
    return _RUN if c.failed == c.total else _WAIT


def _all_done(c: Counts) -> Decision:
    return _RUN if c.done == c.total else _WAIT


def _all_done_min_one_success(c: Counts) -> Decision:
    if c.done < c.total:
        return _WAIT
    if c.ok or not c.total:
        return _RUN
    return _FAIL if c.failed else _SKIP


def _all_done_setup_success(c: Counts) -> Decision:
    if c.done < c.total:
        return _WAIT
    if c.setup_ok or not c.setups:
        return _RUN
    return _FAIL if c.failed else _SKIP


def _one_success(c: Counts) -> Decision:
    if c.ok:
        return _RUN
    if c.done < c.total:
        return _WAIT
    return _FAIL if c.failed else _SKIP


def _one_failed(c: Counts) -> Decision:
    if c.failed:
        return _RUN
    return _WAIT if c.done < c.total else _SKIP


def _one_done(c: Counts) -> Decision:
    if c.ok or c.failed:
        return _RUN
    return _WAIT if c.done < c.total else _SKIP


def _none_failed(c: Counts) -> Decision:
    if c.failed:
        return _FAIL
    return _RUN if c.done == c.total else _WAIT


def _none_failed_min_one_success(c: Counts) -> Decision:
    if c.failed:
        return _FAIL
    if c.done < c.total:
        return _WAIT
    return _RUN if c.ok or not c.total else _SKIP


def _none_skipped(c: Counts) -> Decision:
    if c.skipped:
        return _SKIP
    return _RUN if c.done == c.total else _WAIT


def _all_skipped(c: Counts) -> Decision:
    if c.ok or c.failed:
        return _SKIP
    return _RUN if c.skipped == c.total else _WAIT


def _always(c: Counts) -> Decision:
    return _RUN


DECIDE: dict[TriggerRule, Callable[[Counts], Decision]] = {
    TriggerRule.ALL_SUCCESS: _all_success,
    TriggerRule.ALL_FAILED: _all_failed,
    TriggerRule.ALL_DONE: _all_done,
    TriggerRule.ALL_DONE_MIN_ONE_SUCCESS: _all_done_min_one_success,
    TriggerRule.ALL_DONE_SETUP_SUCCESS: _all_done_setup_success,
    TriggerRule.ONE_SUCCESS: _one_success,
    TriggerRule.ONE_FAILED: _one_failed,
    TriggerRule.ONE_DONE: _one_done,
    TriggerRule.NONE_FAILED: _none_failed,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS: _none_failed_min_one_success,
    TriggerRule.NONE_SKIPPED: _none_skipped,
    TriggerRule.ALL_SKIPPED: _all_skipped,
    TriggerRule.ALWAYS: _always,
}


def holds(rule: Depends, state_of: Callable[[str, str], frozenset[TaskState]]) -> bool:
    """Whether a ``depends`` expression is true.

    ``state_of(node, items)`` gives the set of states to look at: one for a plain node; for ``items="any"``
    or ``"all"`` those of a map's items.
    """
    if isinstance(rule, Is):
        states = state_of(rule.node, rule.items)
        if rule.items == "any":
            return bool(states & rule.states)
        return bool(states) and states <= rule.states
    if isinstance(rule, All):
        return all(holds(term, state_of) for term in rule.terms)
    if isinstance(rule, Any):
        return any(holds(term, state_of) for term in rule.terms)
    return not holds(rule.term, state_of)
