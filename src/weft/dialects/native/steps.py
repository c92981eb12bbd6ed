"""What a flow does besides calling tasks: wait, decide by chance or by time, and change while runs are open.

The waits work in a ``@dag`` too, where they are nodes.

Each of these is a step of the flow's journal, so a flow that is resumed goes on where it was: a sleep ends
when it would have ended, a random number is the same number.
"""

import random as _random
import time as _time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from weft.core.turn import digest_of
from weft.dialects.native.durations import Duration, seconds
from weft.dialects.native.futures import value_of
from weft.dialects.native.symbols import Symbol
from weft.dialects.native.tracing import current_trace
from weft.model.calls import MarkCall, WaitCall
from weft.model.errors import UsageError
from weft.model.graph import Node
from weft.model.values import NONE, Result
from weft.model.waits import ApprovalWait, EventWait, TimerWait, Wait
from weft.runtime.context import CURRENT
from weft.runtime.flows import Frame


class Approval(msgspec.Struct, frozen=True):
    """A person's answer.

    Attributes:
        approved: Yes or no.
        by: Who answered; ``timeout`` when nobody did and there was a default.
        input: What was filled in, if the approval had a form.
        comment: What they wrote beside it.
    """

    approved: bool
    by: str = ""
    input: Any = None
    comment: str = ""

    def __bool__(self) -> bool:
        return self.approved


def sleep(duration: Duration) -> Any:
    """Pause the flow, durably: a crash in between does not start the pause anew.

    In a ``@dag`` it is a node, and gives a symbol to order others by. Elsewhere it is ``time.sleep``.
    """
    pause_s = seconds(duration)
    if current_trace() is None and _frame() is None:
        _time.sleep(pause_s)
        return None
    return _wait("sleep", TimerWait(delay_s=pause_s))


def wait_for_event(name: str, timeout: Duration | None = None, *, optional: bool = False) -> Any:
    """Wait for an event that is sent to this run, and return its payload. One sent earlier counts.

    Args:
        name: The event's name.
        timeout: How long; for ever by default.
        optional: Whether to return ``None`` past the timeout instead of failing.

    Raises:
        TaskTimeout: It did not come in time.
        UsageError: Called outside a flow.
    """
    timeout_s = None if timeout is None else seconds(timeout)
    return _wait("wait_for_event", EventWait(name, timeout_s, optional))


def approval(
    prompt: str = "",
    *,
    timeout: Duration | None = None,
    default: bool | None = None,
    form: dict[str, Any] | None = None,
    assignees: tuple[str, ...] = (),
) -> Approval:
    """Wait for a person to say yes or no; nothing is held meanwhile.

    Args:
        prompt: What they are asked, Markdown.
        timeout: How long; for ever by default.
        default: The answer past the timeout; without one the wait fails.
        form: JSON Schema of what they may fill in.
        assignees: Who may answer; anyone by default.

    Raises:
        TaskTimeout: Nobody answered in time, and there is no default.
        UsageError: Called outside a flow.
    """
    wait = ApprovalWait(
        prompt,
        form or {},
        assignees,
        None if timeout is None else seconds(timeout),
        "" if default is None else "approve" if default else "reject",
    )
    answer = _wait("approval", wait)
    if isinstance(answer, Symbol):
        return cast(Approval, answer)
    return msgspec.convert(answer, Approval)


def now() -> datetime:
    """The time, in UTC; in a flow it is recorded, and the same when the flow is resumed."""
    moment = _time.time()
    frame = _frame()
    if frame is not None:
        moment = _recorded(frame, "now", lambda: moment)
    return datetime.fromtimestamp(moment, UTC)


def random() -> float:
    """A random number from 0 to 1; in a flow it is recorded, and the same when the flow is resumed."""
    frame = _frame()
    if frame is None:
        return _random.random()
    number: float = _recorded(frame, "random", _random.random)
    return number


def patch(name: str) -> bool:
    """Whether this run takes the new path of a change to the flow.

    Put the new code under ``if patch("name"):``. Runs that were recorded before the change answer False and
    stay on the old path; new ones answer True. Once no old run is open the old path can go.
    """
    frame = _flow("patch")
    node, digest = _node("patch", MarkCall("patch"))
    # An explicit key takes no place in the journal, so that old journals stay as they were.
    return bool(_settled(frame, frame.patch(node, digest, f"patch:{name}", _encode(frame, True)), "patch"))


def _frame() -> Frame | None:
    context = CURRENT.get()
    return None if context is None else context.frame


def _flow(what: str) -> Frame:
    frame = _frame()
    if frame is None:
        raise UsageError(f"{what}() was called outside a flow", hint="call it inside a function with @flow")
    return frame


def _node(name: str, what: Wait | MarkCall) -> tuple[Node, str]:
    call = what if isinstance(what, MarkCall) else WaitCall(what)
    node = Node(key=name, name=name, call=call)
    return node, digest_of(node)


def _wait(name: str, wait: Wait) -> Any:
    """A step of the flow around, or a node of the dag around, that waits."""
    node, digest = _node(name, wait)
    trace = current_trace()
    if trace is not None:
        return trace.call(name, node, (), {})
    frame = _flow(name)
    pending = frame.call(node, digest, name, fingerprint="", inputs={})
    frame.wait(pending)
    return _settled(frame, pending, name)


def _recorded(frame: Frame, name: str, make: Callable[[], Any]) -> Any:
    node, digest = _node(name, MarkCall(name))
    pending = frame.call(node, digest, name, fingerprint="", inputs={}, result=_encode(frame, make()))
    frame.wait(pending)
    return _settled(frame, pending, name)


def _encode(frame: Frame, value: Any) -> Result:
    return NONE if value is None else frame.host.artifacts.dumps(value)


def _settled(frame: Frame, pending: Any, name: str) -> Any:
    frame.check(pending)
    return value_of(pending.settled, frame, name)
