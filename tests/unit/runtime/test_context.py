"""``current()`` inside and outside a task."""

import threading
from contextvars import copy_context
from typing import Any

import pytest

from weft.model.errors import UsageError
from weft.runtime.context import Context, current


def test_outside_a_task() -> None:
    """Outside a task it says so, with a hint."""
    with pytest.raises(UsageError, match="outside a task") as caught:
        current()
    assert "copy_context" in caught.value.hint


def test_facts_and_parameters(desk: Any) -> None:
    """Facts of the run are there, and its parameters among them."""

    def look() -> list[Any]:
        context = current()
        return [context.facts["logical_date"], context.params["day"], context.worker]

    ended = desk.run(look, facts={"logical_date": "2026-11-23", "params": {"day": 4}})
    assert desk.value(ended) == ["2026-11-23", 4, "worker-1"]


def test_it_ends_with_the_attempt(desk: Any) -> None:
    """After the attempt there is no current task again."""
    desk.run(lambda: None)
    with pytest.raises(UsageError):
        current()


def test_a_thread_with_a_copied_context(desk: Any) -> None:
    """A thread that the task starts knows the attempt if it runs in a copy of the task's context."""

    def start() -> str:
        keys: list[str] = []
        context = copy_context()
        thread = threading.Thread(target=lambda: keys.append(context.run(lambda: current().key)))
        thread.start()
        thread.join()
        return keys[0]

    assert desk.value(desk.run(start)) == "task_1"


def test_publishing(desk: Any) -> None:
    """Each kind of thing to show reaches whoever listens, under the attempt's id."""

    def show() -> None:
        context = current()
        context.markdown("*hello*", key="m")
        context.table([{"a": 1}], title="T")
        context.link("https://example.org", "there")
        context.progress(0.5, "half")
        context.image(b"\x89PNG\r\n\x1a\n", key="i")

    ended = desk.run(show)
    assert ended.error is None
    assert [each.published.kind for each in desk.shown] == ["markdown", "table", "link", "progress", "image"]
    assert {each.id for each in desk.shown} == {ended.id}


def test_a_frame_for_the_dialect(desk: Any) -> None:
    """What the caller of the runner puts in ``frame`` is what user code's frame is."""
    seen: list[Context] = []
    attempt = desk.attempt(lambda: seen.append(current()))
    desk.runner.run(attempt, frame="journal")
    assert seen[0].frame == "journal"
    assert seen[0].spec is attempt
    assert "task_1" in repr(seen[0])
