"""Bringing changes together."""

from datetime import UTC, datetime

from weft.server.changes import ChangeView
from weft.server.live import BATCH, Wanted, coalesced

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def change(seq: int, kind: str = "task", *, run: str = "run_1", idx: int = 1, state: str = "") -> ChangeView:
    """A change."""
    return ChangeView(seq=seq, kind=kind, run=run, workflow="w", at=NOW, idx=idx, state=state)


def test_few_changes_are_told_as_they_are() -> None:
    """Also those that a later one replaces."""
    few = [change(seq, idx=1) for seq in range(BATCH)]
    assert coalesced(few).changes == few


def test_of_many_the_latest_of_each_task_run_is_told() -> None:
    """The others are counted."""
    many = [change(seq, idx=seq % 100, state=str(seq)) for seq in range(BATCH * 2)]
    told = coalesced(many)
    assert [each.seq for each in told.changes] == list(range(BATCH * 2 - 100, BATCH * 2))
    assert told.skipped == BATCH * 2 - 100
    assert not told.many


def test_of_very_many_only_runs_are_told() -> None:
    """Their own changes one by one, and how many task runs changed."""
    many = [change(seq, idx=seq) for seq in range(1, BATCH * 3)]
    end = change(BATCH * 3, "run", idx=-1, state="succeeded")
    told = coalesced([*many, end])
    assert told.changes == [end]
    assert [(each.run, each.changes) for each in told.many] == [("run_1", len(many))]


def test_of_too_many_runs_nothing_is_told() -> None:
    """Whoever shows a list reads it anew."""
    many = [change(seq, "run", run=f"run_{seq}", idx=-1) for seq in range(BATCH + 1)]
    told = coalesced(many)
    assert told.refetch
    assert not told.changes


def test_a_filter_takes_what_fits_in_every_respect() -> None:
    """An empty one takes everything."""
    assert Wanted().takes(change(1))
    assert Wanted(run="run_1", workflow="w", kinds=frozenset({"task"})).takes(change(1))
    assert not Wanted(run="run_2").takes(change(1))
    assert not Wanted(workflow="v").takes(change(1))
    assert not Wanted(kinds=frozenset({"run"})).takes(change(1))
