"""The trigger rules against a restatement of Airflow's documentation, and ``depends`` expressions."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.policies.rules import DECIDE, Counts, Decision, holds
from weft.model.rules import All, Any, Depends, Is, Not, TriggerRule, named
from weft.model.states import TERMINAL, TaskState

S = TaskState
R = TriggerRule
OK, SKIPPED = {S.SUCCEEDED, S.CACHED}, {S.SKIPPED}
FAILED = {S.FAILED, S.UPSTREAM_FAILED, S.CANCELLED}
ENDS = sorted(TERMINAL)

FINAL: dict[TriggerRule, Callable[[list[TaskState]], bool]] = {
    R.ALL_SUCCESS: lambda up: all(each in OK for each in up),
    R.ALL_FAILED: lambda up: all(each in FAILED for each in up),
    R.ALL_DONE: lambda up: True,
    R.ALL_DONE_MIN_ONE_SUCCESS: lambda up: not up or any(each in OK for each in up),
    R.ONE_SUCCESS: lambda up: any(each in OK for each in up),
    R.ONE_FAILED: lambda up: any(each in FAILED for each in up),
    R.ONE_DONE: lambda up: any(each in OK or each in FAILED for each in up),
    R.NONE_FAILED: lambda up: not any(each in FAILED for each in up),
    R.NONE_FAILED_MIN_ONE_SUCCESS: lambda up: (
        not any(each in FAILED for each in up) and (not up or any(each in OK for each in up))
    ),
    R.NONE_SKIPPED: lambda up: not any(each in SKIPPED for each in up),
    R.ALL_SKIPPED: lambda up: all(each in SKIPPED for each in up),
    R.ALWAYS: lambda up: True,
}
"""Whether a rule lets a task run once all its upstream have ended, as the documentation says it."""


def decide(rule: TriggerRule, total: int, ended: list[TaskState], setups: int = 0) -> Decision:
    """What a rule says after these have ended; the first ``setups`` of them are setups."""
    counts = Counts(total, setups)
    for at, state in enumerate(ended):
        counts.add(state, setup=at < setups)
    return DECIDE[rule](counts)


def test_every_rule_has_a_decision() -> None:
    """All thirteen of Airflow's."""
    assert set(DECIDE) == set(TriggerRule)
    assert len(DECIDE) == 13
    assert set(FINAL) == set(TriggerRule) - {R.ALL_DONE_SETUP_SUCCESS}


@pytest.mark.parametrize("rule", FINAL)
@given(up=st.lists(st.sampled_from(ENDS), min_size=1, max_size=6))
def test_once_all_have_ended_a_rule_decides_as_documented(rule: TriggerRule, up: list[TaskState]) -> None:
    """It runs or it does not; it never waits for what will not come."""
    decision = decide(rule, len(up), up)
    assert decision is not Decision.WAIT
    assert (decision is Decision.RUN) == FINAL[rule](up)


@pytest.mark.parametrize("rule", [rule for rule in FINAL if rule is not R.ALWAYS])
@given(up=st.lists(st.sampled_from(ENDS), min_size=1, max_size=6), cut=st.integers(0, 5))
def test_an_early_decision_is_never_taken_back(rule: TriggerRule, up: list[TaskState], cut: int) -> None:
    """Whether a task runs does not depend on how much had ended when the rule first knew."""
    early = decide(rule, len(up), up[: cut % len(up)])
    if early is not Decision.WAIT:
        assert (early is Decision.RUN) == FINAL[rule](up)


@given(up=st.lists(st.sampled_from(ENDS), min_size=1, max_size=6))
def test_always_does_not_wait(up: list[TaskState]) -> None:
    """It runs at once, whatever its upstream do."""
    assert decide(R.ALWAYS, len(up), []) is Decision.RUN


@pytest.mark.parametrize(
    ("rule", "partial", "decision"),
    [
        (R.ALL_SUCCESS, [S.FAILED], Decision.UPSTREAM_FAILED),
        (R.ALL_SUCCESS, [S.SKIPPED], Decision.SKIP),
        (R.ALL_SUCCESS, [S.SUCCEEDED], Decision.WAIT),
        (R.ALL_FAILED, [S.SUCCEEDED], Decision.SKIP),
        (R.ALL_DONE, [S.FAILED], Decision.WAIT),
        (R.ONE_SUCCESS, [S.SUCCEEDED], Decision.RUN),
        (R.ONE_SUCCESS, [S.FAILED], Decision.WAIT),
        (R.ONE_FAILED, [S.FAILED], Decision.RUN),
        (R.ONE_DONE, [S.FAILED], Decision.RUN),
        (R.ONE_DONE, [S.SKIPPED], Decision.WAIT),
        (R.NONE_FAILED, [S.FAILED], Decision.UPSTREAM_FAILED),
        (R.NONE_SKIPPED, [S.SKIPPED], Decision.SKIP),
        (R.ALL_SKIPPED, [S.SUCCEEDED], Decision.SKIP),
    ],
)
def test_a_rule_decides_as_soon_as_it_can(
    rule: TriggerRule, partial: list[TaskState], decision: Decision
) -> None:
    """With one of two upstream ended."""
    assert decide(rule, 2, partial) is decision


@pytest.mark.parametrize("rule", [R.ALL_SUCCESS, R.NONE_FAILED, R.ONE_SUCCESS, R.NONE_FAILED_MIN_ONE_SUCCESS])
def test_a_failure_upstream_is_told_from_a_skip(rule: TriggerRule) -> None:
    """What cannot run because of a failure is upstream_failed; because of a skip it is skipped."""
    assert decide(rule, 1, [S.FAILED]) is Decision.UPSTREAM_FAILED
    if rule is not R.NONE_FAILED:
        assert decide(rule, 1, [S.SKIPPED]) is Decision.SKIP


@pytest.mark.parametrize("states", list(itertools.product(ENDS, ENDS)))
def test_a_teardowns_rule_asks_only_whether_a_setup_succeeded(states: tuple[TaskState, TaskState]) -> None:
    """The first of both is a setup; the other is work, whose end does not matter."""
    decision = decide(R.ALL_DONE_SETUP_SUCCESS, 2, list(states), setups=1)
    assert (decision is Decision.RUN) == (states[0] in OK)
    assert decide(R.ALL_DONE_SETUP_SUCCESS, 2, list(states)) is Decision.RUN
    assert decide(R.ALL_DONE_SETUP_SUCCESS, 2, [states[0]], setups=1) is Decision.WAIT


# --- depends ----------------------------------------------------------------------------------------------

TREES: st.SearchStrategy[Depends] = st.recursive(
    st.builds(Is, st.sampled_from("abc"), st.frozensets(st.sampled_from(ENDS), min_size=1), st.just("")),
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Any, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)


def text(rule: Depends) -> str:
    """The expression as Python."""
    if isinstance(rule, Is):
        return f"(states[{rule.node!r}] in {sorted(map(str, rule.states))!r})"
    if isinstance(rule, Not):
        return f"(not {text(rule.term)})"
    return "(" + (" and " if isinstance(rule, All) else " or ").join(map(text, rule.terms)) + ")"


@given(rule=TREES, states=st.fixed_dictionaries({key: st.sampled_from(ENDS) for key in "abc"}))
def test_a_depends_expression_is_what_python_makes_of_it(rule: Depends, states: dict[str, TaskState]) -> None:
    """Any tree of and, or and not over upstream states."""
    expected = eval(text(rule), {"states": {key: str(state) for key, state in states.items()}})
    assert holds(rule, lambda key, _: frozenset({states[key]})) is expected


@pytest.mark.parametrize(
    ("items", "states", "expected"),
    [
        ("any", {S.FAILED, S.SUCCEEDED}, True),
        ("all", {S.FAILED, S.SUCCEEDED}, False),
        ("all", {S.FAILED}, True),
        ("any", {S.SUCCEEDED}, False),
        ("all", set(), False),
        ("any", set(), False),
    ],
)
def test_depends_looks_into_a_maps_items(items: str, states: set[TaskState], expected: bool) -> None:
    """``AnySucceeded`` and ``AllFailed`` of Argo; an empty map has no such item."""
    rule = Is("m", frozenset({S.FAILED}), items)
    assert holds(rule, lambda key, asked: frozenset(states) if asked == items else frozenset()) is expected


@given(rule=TREES)
def test_the_nodes_that_an_expression_names_are_found_once_each(rule: Depends) -> None:
    """They become edges."""
    found = named(rule)
    assert len(found) == len(set(found))
    assert all(f"states[{key!r}]" in text(rule) for key in found)
    assert sum(f"states[{key!r}]" in text(rule) for key in "abc") == len(found)
