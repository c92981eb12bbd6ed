"""Attempts and what comes back from them: the words between engine, executors and runtime."""

from typing import Any

import msgspec

from weft.model.calls import Call
from weft.model.errors import ErrorInfo
from weft.model.policies import Retry
from weft.model.states import TaskState
from weft.model.values import Bound, Result
from weft.model.waits import Wait

AttemptId = tuple[int, int, int]
"""Run id, task index in the run, attempt number: unique for ever, and the key of idempotency."""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that a worker needs to carry out one try of a task run.

    Attributes:
        id: See ``AttemptId``.
        run: The run's public id.
        workflow: The workflow's name.
        key: The task run's key in the run.
        name: The task's name.
        call: What to do.
        inputs: Bound by name.
        executor: Where to do it ("" is the default).
        map_index: Of an item of a map; -1 otherwise.
        try_number: 1 for the first try that counts for the retry limit, and so on.
        max_tries: Tries allowed in all; -1 is no limit.
        timeout_s: Longest execution.
        retry: For the retry condition, which is evaluated beside user code.
        branch: Whether the outcome must carry ``chosen``.
        phase: ``run``, or ``check`` to ask only whether the outputs are there already.
        project: Folder put on ``sys.path`` before user code loads.
        env: Environment variables for the attempt.
        facts: Facts for ``current()`` and ``Fact`` inputs (logical date, tags, parameters...).
        options: The placement's options.
    """

    id: AttemptId
    run: str
    workflow: str
    key: str
    name: str
    call: Call
    inputs: dict[str, Bound] = {}
    executor: str = ""
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 1
    timeout_s: float | None = None
    retry: Retry | None = None
    branch: bool = False
    phase: str = "run"
    project: str = ""
    env: dict[str, str] = {}
    facts: dict[str, Any] = {}
    options: dict[str, Any] = {}

    @property
    def idempotency_key(self) -> str:
        """The same for every try of the task run: give it to services that must not act twice."""
        return f"{self.run}/{self.id[1]}"


class Published(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something a task run shows to people.

    ``kind`` is ``markdown``, ``table``, ``image``, ``link`` or ``progress``; ``body`` holds the text, the
    rows as JSON, the image, the address or the number. A later one with the same key replaces it.
    """

    key: str
    kind: str
    body: Result
    title: str = ""


class Started(msgspec.Struct, frozen=True, omit_defaults=True):
    """An attempt is being carried out.

    Executors may leave it out when ``Ended`` follows within 50 ms, because that carries the times too.
    """

    id: AttemptId
    at: float
    worker: str = ""


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A running attempt published something."""

    id: AttemptId
    published: Published


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """An attempt is over.

    Attributes:
        state: ``SUCCEEDED``, ``FAILED``, ``SKIPPED``, ``CANCELLED``, ``LOST`` or ``WAITING`` (then ``wait``
            says for what).
        result: Of a success.
        error: Of a failure or loss.
        started_at, ended_at: Unix seconds.
        worker: Where it ran.
        retry: The retry condition's verdict, when there is one.
        chosen: Keys that a branch follows; ``()`` follows none. ``None``: not a branch.
        cpu_s: CPU time used.
        rss_peak: Highest memory of the process during the attempt, bytes.
        log_size: Bytes in the attempt's log.
        outputs: Named results, of a call that has several.
    """

    id: AttemptId
    state: TaskState
    result: Result | None = None
    error: ErrorInfo | None = None
    started_at: float = 0.0
    ended_at: float = 0.0
    worker: str = ""
    retry: bool | None = None
    chosen: tuple[str, ...] | None = None
    wait: Wait | None = None
    cpu_s: float = 0.0
    rss_peak: int = 0
    log_size: int = 0
    outputs: dict[str, Result] = {}


Report = Started | Shown | Ended
