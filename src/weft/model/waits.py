"""What a task run can wait for without holding a worker."""

from typing import Any

import msgspec


class TimerWait(msgspec.Struct, frozen=True, omit_defaults=True, tag="timer"):
    """Until a moment: ``until_s`` in Unix seconds, or ``delay_s`` from when the wait begins."""

    until_s: float | None = None
    delay_s: float | None = None


class EventWait(msgspec.Struct, frozen=True, omit_defaults=True, tag="event"):
    """Until an event called ``name`` is sent to the run; an event sent earlier counts.

    Past ``timeout_s`` the wait ends with ``None`` as its result if ``optional``, else it fails.
    """

    name: str
    timeout_s: float | None = None
    optional: bool = False


class ApprovalWait(msgspec.Struct, frozen=True, omit_defaults=True, tag="approval"):
    """Until a person answers.

    Attributes:
        prompt: What the person is asked, Markdown.
        form: JSON Schema of the answer's ``input``; empty: only yes or no.
        assignees: Who may answer; empty: anyone.
        timeout_s: After this long ``default`` is the answer, or the wait fails when there is none.
        default: ``approve``, ``reject`` or "".
    """

    prompt: str = ""
    form: dict[str, Any] = {}
    assignees: tuple[str, ...] = ()
    timeout_s: float | None = None
    default: str = ""


class PokeWait(msgspec.Struct, frozen=True, omit_defaults=True, tag="poke"):
    """Until the task, run again every ``interval_s``, says that it is done.

    Between pokes nothing is held. ``soft_fail`` skips instead of failing past ``timeout_s``.
    ``factor`` above 1 lets the interval grow up to ``interval_s_max``.
    """

    interval_s: float = 60.0
    factor: float = 1.0
    interval_s_max: float | None = None
    timeout_s: float | None = None
    soft_fail: bool = False


class ChildrenWait(msgspec.Struct, frozen=True, omit_defaults=True, tag="children"):
    """Until one of a suspended flow's children, by index in the run, has ended."""

    tasks: tuple[int, ...]


Wait = TimerWait | EventWait | ApprovalWait | PokeWait | ChildrenWait
