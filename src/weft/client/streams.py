"""Server-sent events without a connection: bytes in, events out, and where to go on after a loss.

The format is WHATWG's (HTML, section 9.2): fields by line, an empty line ends an event, a line that begins
with a colon is a sign of life. The id of the latest event is what ``Last-Event-ID`` goes on from, so no event
is missed or told twice, however often the connection is lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import msgspec

from weft.client.call import EVENT_STREAM, Answer, Call, Lost, Request
from weft.client.patience import Patience, retry_after_s
from weft.client.problems import error_of, lost, unreadable

T = TypeVar("T")

_EVENT_MAX = 64 << 20
"""Bytes of one event; beyond that the other side is no service of ours."""

_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """One message.

    Attributes:
        name: What kind of message it is.
        id: Give it as ``last_event_id`` to go on after it.
        data: What it tells.
    """

    name: str
    id: str
    data: T


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """An operation that answers with events for as long as somebody listens.

    Attributes:
        call: What is sent to begin; its ``answer`` is the type of one event's data.
        silent: Names of messages that only tell about the stream itself.
        last: Name of the message after which nothing comes; "" if there is none.
    """

    call: Call[T]
    silent: frozenset[str] = frozenset()
    last: str = ""


class Listening(Generic[T]):
    """Where a listener stands.

    Args:
        stream: What is listened to.
        patience: How often a lost connection is made anew without any news in between.
    """

    def __init__(self, stream: Stream[T], patience: Patience) -> None:
        self._over = False
        self._stream = stream
        self._patience = patience
        self._decoder = msgspec.json.Decoder(stream.call.answer)
        self._id = stream.call.request.headers.get("Last-Event-ID", "")
        self._buffer = b""
        self._losses = 0
        self._pause_s = 0.0

    def over(self) -> bool:
        """Whether the last event has come."""
        return self._over

    @property
    def request(self) -> Request:
        """What to send now."""
        first = self._stream.call.request
        headers = {**first.headers, "Accept": EVENT_STREAM}
        if self._id:
            headers["Last-Event-ID"] = self._id
        self._buffer = b""
        return replace(first, headers=headers)

    def feed(self, data: bytes) -> Iterator[Event[T]]:
        """The events that are complete with these bytes."""
        self._buffer += data
        if b"\r" in self._buffer:
            self._buffer = self._buffer.replace(b"\r\n", b"\n")
        if len(self._buffer) > _EVENT_MAX:
            raise unreadable(self._stream.call.operation, f"an event of more than {_EVENT_MAX} bytes")
        *blocks, self._buffer = self._buffer.split(b"\n\n")
        for block in blocks:
            event = self._event(block)
            if event is None:
                continue
            self._losses = 0
            if event.name == self._stream.last != "":
                self._over = True
            yield event

    def lost(self, came: Answer | Lost) -> float:
        """The connection ended, or was refused: how many seconds to wait before it is made anew.

        Raises:
            WeftError: It was refused, or lost too often.
        """
        self._losses += 1
        refused = isinstance(came, Answer) and came.status not in (200, *_AGAIN)
        if refused or self._losses > self._patience.retries + 1:
            if isinstance(came, Answer) and came.status != 200:
                raise error_of(came.status, came.body, self._stream.call.operation)
            raise lost(came.why if isinstance(came, Lost) else "the connection was closed again and again")
        return max(self._pause_s, self._patience.pause_s(self._losses - 1, retry_after_s(came)))

    def _event(self, block: bytes) -> Event[T] | None:
        name, data = "message", []
        for line in block.decode("utf-8", "replace").split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self._id = value
            elif field == "retry" and value.isdecimal():
                self._pause_s = int(value) / 1000
        if not data:
            return None
        if name in self._stream.silent:
            self._losses = 0
            return None
        try:
            return Event(name, self._id, self._decoder.decode("\n".join(data)))
        except (msgspec.DecodeError, msgspec.ValidationError) as exc:
            raise unreadable(self._stream.call.operation, str(exc)) from exc
