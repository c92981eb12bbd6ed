"""When a node may start: trigger rules over its upstream's states, and conditions over its inputs' values.

The named rules are Airflow's whole set (``airflow/task/trigger_rule.py``); ``Depends`` is Argo's ``depends``
(docs/enhanced-depends-logic.md): a boolean expression over upstream states, decided once every task that it
names has ended. ``core/policies/rules.py`` decides both.
"""

from enum import StrEnum

import msgspec

from weft.model.states import TaskState


class TriggerRule(StrEnum):
    """How the states of the direct upstream decide whether a task runs."""

    ALL_SUCCESS = "all_success"
    ALL_FAILED = "all_failed"
    ALL_DONE = "all_done"
    ALL_DONE_MIN_ONE_SUCCESS = "all_done_min_one_success"
    ALL_DONE_SETUP_SUCCESS = "all_done_setup_success"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    NONE_SKIPPED = "none_skipped"
    ALL_SKIPPED = "all_skipped"
    ALWAYS = "always"


class Is(msgspec.Struct, frozen=True, tag="is"):
    """Upstream ``node`` ended in one of ``states``.

    ``items`` looks into a map's items: ``any`` or ``all`` of them must match; "" looks at the map itself.
    ``running`` also holds while the node is a ready daemon.
    """

    node: str
    states: frozenset[TaskState]
    items: str = ""


class All(msgspec.Struct, frozen=True, tag="all"):
    """Every term holds."""

    terms: tuple["Depends", ...]


class Any(msgspec.Struct, frozen=True, tag="any"):
    """At least one term holds."""

    terms: tuple["Depends", ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """The term does not hold."""

    term: "Depends"


Depends = Is | All | Any | Not


def named(rule: Depends) -> list[str]:
    """The nodes a ``depends`` expression looks at, in order of first mention."""
    if isinstance(rule, Is):
        return [rule.node]
    terms = (rule.term,) if isinstance(rule, Not) else rule.terms
    return list(dict.fromkeys(name for term in terms for name in named(term)))
