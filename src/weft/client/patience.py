"""When a call is sent again, and after how long.

A call whose request never reached the service is always sent again. One that may have reached it, or that was
answered with 429, 502, 503 or 504, only if it is repeatable (``call.py``, rule 2). The pauses double, with
jitter, so that many clients do not come back all at once; what the service asks for in ``Retry-After`` is
kept to.
"""

import random
from dataclasses import dataclass
from typing import TypeVar

from weft.client.call import Answer, Call, Lost, Send, Sleep, Steps
from weft.client.problems import lost

T = TypeVar("T")

_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long.

    Attributes:
        retries: How many times more a call is sent after the first.
        first_s: The pause before the first of them; it doubles with each.
        longest_s: The longest pause.
    """

    retries: int = 4
    first_s: float = 0.1
    longest_s: float = 5.0

    def pause_s(self, tries: int, asked_s: float = 0.0) -> float:
        """The pause after so many tries: what was asked for, or between half of the doubled one and all."""
        doubled = self.first_s * 2.0 ** min(tries, 30)
        return max(asked_s, min(self.longest_s, doubled) * random.uniform(0.5, 1.0))


def exchange(call: Call[T], patience: Patience) -> Steps[T]:
    """Ask for something until it is answered, or patience ends.

    Raises:
        WeftError: The service refused.
        ServiceUnreachable: It gave no answer.
    """
    tries = 0
    while True:
        came: Answer | Lost = yield Send(call.request)
        if tries >= patience.retries or not _again(call.repeatable, came):
            break
        yield Sleep(patience.pause_s(tries, retry_after_s(came)))
        tries += 1
    if isinstance(came, Lost):
        raise lost(came.why)
    return call.take(came)


def _again(repeatable: bool, came: Answer | Lost) -> bool:
    if isinstance(came, Lost):
        return repeatable or not came.sent
    return repeatable and came.status in _AGAIN


def retry_after_s(came: Answer | Lost) -> float:
    """How long the service asks to be left alone; 0 if it does not say."""
    if isinstance(came, Lost):
        return 0.0
    text = came.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0.0
