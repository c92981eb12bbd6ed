"""ETags: a record's revision, and what a writer has to say about the one it replaces.

A write names the revision that it was made from (``If-Match``), or says that there must be none yet
(``If-None-Match: *``). One that says neither is refused: it would undo what somebody else wrote meanwhile
without anybody noticing. The store compares and writes in one step, so there is no gap in between.
"""

from collections.abc import Callable
from typing import TypeVar

from weft.model.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired

T = TypeVar("T")


def etag(revision: int) -> str:
    """The ETag of a revision."""
    return f'"{revision}"'


def expected(if_match: str | None, if_none_match: str | None = None) -> int | None:
    """The revision that a write expects: 0 for none yet, ``None`` for whatever is there.

    Raises:
        PreconditionRequired: It does not say.
        PreconditionFailed: What it says is no ETag of ours, so it cannot match.
    """
    if if_none_match is not None and if_none_match.strip() == "*":
        return 0
    if if_match is None:
        raise PreconditionRequired(
            "this write does not say what it replaces",
            where="If-Match",
            hint="send the ETag that you read as If-Match, or If-None-Match: * to make a new one",
        )
    if if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if text.isascii() and text.isdecimal() and 0 < len(text) < 19 and int(text) > 0:
        return int(text)
    raise PreconditionFailed("this is no ETag that was read here", where="If-Match", hint="read it again")


def written(write: Callable[[], T]) -> T:
    """Carry out a write under a precondition.

    Raises:
        PreconditionFailed: The record is not as expected any more.
        NotFound: It is gone.
    """
    try:
        return write()
    except Conflict as exc:
        if exc.fields.get("found") == 0:
            raise NotFound(exc.what, where=exc.where) from exc
        raise PreconditionFailed(exc.what, where="If-Match", hint="read it again, and decide anew") from exc
