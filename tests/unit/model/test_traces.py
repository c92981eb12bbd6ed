"""Ids of traces and spans."""

import pytest

from weft.model.traces import FACT, SpanRef, attempt_span, parse, run_span, task_span

INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_there_and_back() -> None:
    """A ``traceparent`` is read and written as the standard has it."""
    found = parse(INCOMING)
    assert found == SpanRef("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
    assert str(found) == INCOMING
    assert parse(INCOMING[:-1] + "0") == SpanRef(found.trace, found.span, False)
    assert parse(f"  {INCOMING.upper()} ") == found
    # A later version may say more behind what is known.
    assert parse(f"cc-{INCOMING[3:]}-what-comes-later") == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        None,
        7,
        INCOMING[:-3],
        "ff" + INCOMING[2:],
        INCOMING + "-more",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
    ],
)
def test_what_is_none_is_ignored(text: object) -> None:
    """The standard has a wrong header count as none."""
    assert parse(text) is None


def test_ids_follow_from_the_run() -> None:
    """The same run has the same ids everywhere; everything in it has one of its own."""
    run = run_span("run_A", {})
    assert run == run_span("run_A", {"executor": "thread"})
    spans = {
        run.span,
        run_span("run_B", {}).span,
        task_span(run, "run_A", 1).span,
        task_span(run, "run_A", 1, 1).span,
        task_span(run, "run_A", 2).span,
        attempt_span(run, "run_A", 1, 1).span,
        attempt_span(run, "run_A", 1, 2).span,
    }
    assert len(spans) == 7
    assert task_span(run, "run_A", 1).trace == run.trace
    assert parse(str(run)) == run


def test_a_run_joins_the_trace_it_was_submitted_from() -> None:
    """Its trace and whether that is recorded are the submitter's; a wrong header begins a new one."""
    run = run_span("run_A", {FACT: INCOMING}, ratio=0.0)
    assert (run.trace, run.sampled) == ("0af7651916cd43dd8448eb211c80319c", True)
    assert not run_span("run_A", {FACT: INCOMING[:-1] + "0"}).sampled
    assert run_span("run_A", {FACT: "nonsense"}) == run_span("run_A", {})


def test_share_of_runs() -> None:
    """About the share that was asked for is recorded, none at 0 and all at 1."""
    names = [f"run_{number}" for number in range(2000)]
    assert 400 < sum(run_span(name, {}, 0.25).sampled for name in names) < 600
    assert not any(run_span(name, {}, 0.0).sampled for name in names)
    assert all(run_span(name, {}, 1.0).sampled for name in names)
