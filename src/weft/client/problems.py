"""A service's problem details (RFC 9457) as the exceptions of Weft's one tree.

The same class is raised here as was raised there, found by its code. A code that this version does not know
becomes the class whose fault it is, by the status. What is no problem of Weft's (a proxy's page) is
``ServiceUnreachable``.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NoReturn

import msgspec

from weft.model.errors import ServiceUnreachable, UsageError, WeftError, WorldError

_TEXT_MAX = 200


class Problem(msgspec.Struct, kw_only=True):
    """What is read of a problem.

    Attributes:
        code: Weft's code.
        detail: What is wrong.
        where: What it is about.
        hint: How to mend it.
        fields: Facts for machines.
        request_id: Under which the service's log tells more.
    """

    code: str
    detail: str
    where: str = ""
    hint: str = ""
    fields: dict[str, Any] = {}
    request_id: str = ""


def raise_problem(status: int, headers: Mapping[str, str], body: bytes, operation: str) -> NoReturn:
    """Raise what the service said.

    Args:
        status: The answer's HTTP status.
        headers: Its headers, by name in lower case.
        body: Its body.
        operation: What was asked for, for the error.
    """
    raise error_of(status, body, operation)


def error_of(status: int, body: bytes, operation: str) -> WeftError:
    """The exception for an answer that is no success."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, msgspec.ValidationError):
        text = " ".join(body.decode("utf-8", "replace").split())[:_TEXT_MAX]
        return ServiceUnreachable(
            f"the answer to {operation} is not the service's: status {status}"
            + (f", {text}" if text else ""),
            hint="is there a proxy in between, or another program at this address?",
            status=status,
        )
    fields = {**problem.fields, "status": status, "request_id": problem.request_id}
    known = _classes().get(problem.code)
    if known is None:
        known = UsageError if status < 500 else WorldError
        fields["code"] = problem.code
    # A fact may have the name of one of the arguments, and then it is only in the text.
    for name in ("what", "where", "hint"):
        fields.pop(name, None)
    return known(problem.detail, where=problem.where, hint=problem.hint, **fields)


def unreadable(operation: str, why: str) -> ServiceUnreachable:
    """The exception for an answer that does not fit."""
    return ServiceUnreachable(
        f"the answer to {operation} cannot be read: {why}",
        hint="is it a Weft service, of a version that this client knows?",
    )


def lost(why: str, address: str = "") -> ServiceUnreachable:
    """The exception for no answer at all."""
    return ServiceUnreachable(
        f"the service cannot be reached: {why}", where=address, hint="is it running? weft up starts one here"
    )


@cache
def _classes() -> dict[str, type[WeftError]]:
    return {each.code: each for each in _below(WeftError)}


def _below(base: type[WeftError]) -> Iterator[type[WeftError]]:
    yield base
    for each in base.__subclasses__():
        yield from _below(each)
