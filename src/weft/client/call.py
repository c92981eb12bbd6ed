"""One operation that is about to be asked, as data: nothing is sent here.

Rules, and why:

1. A ``Call`` is made once and may be sent several times, so whatever makes a repetition harmless (an
   idempotency key) is chosen when the call is made.
2. ``repeatable`` says whether sending it again is known to be harmless: a reading operation, or one with an
   idempotency key. A ``PUT`` or ``DELETE`` of a document is not: when the first one came through and only its
   answer was lost, the second finds another revision and reports a conflict that is none.
3. Answers decode into structs that ignore fields they do not know, so an older client reads a newer service.
"""

import secrets
from collections.abc import Generator, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec

from weft.client.problems import raise_problem, unreadable

T = TypeVar("T")

PREFIX = "/api/v1"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"

Value: TypeAlias = str | int | bool | datetime | None


class Page(msgspec.Struct, Generic[T], kw_only=True):
    """A page of a list.

    Attributes:
        items: In the list's order.
        next: Give it as ``page`` to get the next page; ``None`` on the last one.
    """

    items: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire.

    Attributes:
        method: The HTTP method.
        target: Path and query, percent-encoded.
        headers: By name.
        body: Its bytes; ``None`` sends none.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: By name in lower case.
        body: All of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came.

    Attributes:
        why: What the transport says.
        sent: Whether the service may have got the request.
    """

    why: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Send:
    """A step: send this. It is answered with an ``Answer`` or ``Lost``."""

    request: Request


@dataclass(frozen=True, slots=True)
class Sleep:
    """A step: wait so long. It is answered with the time afterwards, in seconds of any clock."""

    seconds: float


Steps: TypeAlias = Generator[Send | Sleep, Any, T]
"""Something to do in steps that somebody else carries out; it returns a ``T``."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """An operation with everything that it needs, ready to be sent.

    Attributes:
        operation: Its id in the API's description.
        request: What to send.
        answer: The type of what it answers; ``bytes`` are not decoded.
        repeatable: Whether it may be sent again when nobody knows if it came through.
    """

    operation: str
    request: Request
    answer: type[T]
    repeatable: bool

    def take(self, answer: Answer) -> T:
        """What the service answered.

        Raises:
            WeftError: It refused, by the class of the problem's code.
            ServiceUnreachable: The answer is none of this API's.
        """
        if answer.status >= 300:
            raise_problem(answer.status, answer.headers, answer.body, self.operation)
        if self.answer is type(None):
            return None
        if self.answer is bytes:
            return cast(T, answer.body)
        try:
            found: T = _decoder(cast(Hashable, self.answer)).decode(answer.body)
            return found
        except (msgspec.DecodeError, msgspec.ValidationError) as exc:
            raise unreadable(self.operation, str(exc)) from exc


def call(
    operation: str,
    method: str,
    path: str,
    *,
    answer: type[T],
    query: Mapping[str, Value] | None = None,
    headers: Mapping[str, str | None] | None = None,
    body: Any = None,
    media_type: str = JSON,
    accept: str = JSON,
) -> Call[T]:
    """Make a call.

    Args:
        operation: Its id.
        method: The HTTP method.
        path: Below ``PREFIX``, its parts encoded with ``part``.
        answer: The type of what it answers.
        query: Parameters; those that are ``None`` are left out.
        headers: The same for headers.
        body: A struct, sent as JSON, or bytes or text, sent as they are; ``None`` sends none.
        media_type: Of the body.
        accept: Of the answer.
    """
    words = [(name, _word(value)) for name, value in (query or {}).items() if value is not None]
    sent = {"Accept": accept}
    sent |= {name: value for name, value in (headers or {}).items() if value is not None}
    data: bytes | None = None
    if body is not None:
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else _json(body)
        sent["Content-Type"] = media_type
    target = PREFIX + path + (f"?{urlencode(words)}" if words else "")
    repeatable = method == "GET" or "Idempotency-Key" in sent
    return Call(operation, Request(method, target, sent, data), answer, repeatable)


def part(value: str | int) -> str:
    """A part of a path, encoded: a schedule's name has ``#`` in it."""
    return quote(str(value), safe="")


def new_key() -> str:
    """An idempotency key that nobody else has."""
    return f"client-{secrets.token_hex(16)}"


def _word(value: str | int | bool | datetime) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


_json = msgspec.json.Encoder().encode


@cache
def _decoder(answer: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cast(type[Any], answer))
