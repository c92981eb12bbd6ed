"""The answers to "why?" and "what happened?" as the API gives them."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from weft.core.story import Step
from weft.engine.explain import Explanation
from weft.server.views import moment


class BlockerView(msgspec.Struct, kw_only=True):
    """Something that a run or a task run waits for.

    Attributes:
        kind: What kind of thing it is.
        text: The same as a sentence.
        tasks: Keys of the task runs that it is about.
    """

    kind: str
    text: str
    tasks: list[str] = []


class StepView(msgspec.Struct, kw_only=True):
    """One thing that happened.

    Attributes:
        at: When.
        idx: Index of the task run that it happened to.
        key: That task run's key.
        state: What it became; empty for its beginning.
        cause: Why.
        text: The same as a sentence.
        depth: 0 for what was asked about, 1 for what led to that, and so on.
    """

    at: datetime
    idx: int
    key: str
    state: str
    cause: str
    text: str
    depth: int


class WhyView(msgspec.Struct, kw_only=True):
    """Why a run or a task run is where it is.

    Attributes:
        run: Id of the run.
        task: Key of the task run; empty for the run itself.
        state: Where it stands; `not reached` for a task run that does not exist yet.
        answer: In one sentence.
        blockers: What it waits for; none when it has ended.
        steps: What happened to it, oldest first, each step followed by what led to it.
    """

    run: str
    task: str
    state: str
    answer: str
    blockers: list[BlockerView]
    steps: list[StepView]


def why_view(told: Explanation) -> WhyView:
    """An explanation."""
    return WhyView(
        run=told.run,
        task=told.task,
        state=told.state,
        answer=told.answer,
        blockers=[
            BlockerView(kind=each.kind, text=each.text, tasks=list(each.tasks)) for each in told.blockers
        ],
        steps=story_view(told.steps),
    )


def story_view(steps: Iterable[Step]) -> list[StepView]:
    """A story."""
    return [
        StepView(
            at=moment(each.at),
            idx=each.idx,
            key=each.key,
            state=str(each.state) if each.state is not None else "",
            cause=str(each.cause),
            text=each.text,
            depth=each.depth,
        )
        for each in steps
    ]
