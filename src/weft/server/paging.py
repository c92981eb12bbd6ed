"""Paging tokens: opaque to clients, and good only for the list and the filters that gave them.

A token says where the next page begins, in the list's own order: pages neither repeat nor skip what was there
when the first was read, whatever is added meanwhile. It carries a checksum over the query, so that a token
of another list, or of this list with other filters, is refused instead of giving a page of nonsense. It holds
no secret and grants nothing: whoever makes one up gets what the query would give.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

from weft.model.errors import InvalidPageToken
from weft.store.protocol import Reader
from weft.store.records import Collection, Entry

T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R", bound=msgspec.Struct)

TOKEN_MAX = 1024
"""Longest token, in characters."""

LOOKED_AT_ONCE = 1000
LOOKED_MAX = 20_000
"""Records that a page of a filtered list looks at."""

_CHECK = 8


class Page(msgspec.Struct, Generic[T], kw_only=True):
    """A page of a list.

    Attributes:
        items: In the list's order.
        next: Give it as ``page`` to get the next page; null on the last one.
    """

    items: list[T]
    next: str | None = None


def make_token(query: Sequence[object], position: int | str) -> str:
    """The token for the page after ``position``.

    Args:
        query: What tells one query from another: the list's name and every filter.
        position: The last item's place in the list's order.
    """
    body = msgspec.msgpack.encode(position)
    return base64.urlsafe_b64encode(_check(query, body) + body).decode().rstrip("=")


def read_token(query: Sequence[object], token: str | None, kind: type[T]) -> T | None:
    """The position in a token; ``None`` for the first page.

    Raises:
        InvalidPageToken: It was not made for this query.
    """
    if token is None:
        return None
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, body = data[:_CHECK], data[_CHECK:]
        if len(token) <= TOKEN_MAX and check == _check(query, body):
            return msgspec.msgpack.decode(body, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass  # Said below, like any other token that is not ours.
    raise InvalidPageToken(
        "the paging token does not belong to this list with these filters",
        where="page",
        hint="begin again without it, and change no filter from page to page",
    )


def page_of(items: list[T], limit: int, query: Sequence[object], position: int | str | None) -> Page[T]:
    """A page of what was read with ``limit + 1``; ``position`` is that of the last item kept."""
    more = len(items) > limit and position is not None
    return Page(
        items=items[:limit], next=make_token(query, position) if more and position is not None else None
    )


def page_of_records(
    store: Reader,
    collection: Collection[R],
    view: Callable[[Entry[R]], V],
    *,
    limit: int,
    token: str | None,
    prefix: str = "",
) -> Page[V]:
    """A page of the records of one kind, by name.

    Raises:
        InvalidPageToken: ``token`` was not made for these records.
    """
    query = (collection.kind, prefix)
    after = read_token(query, token, str) or ""
    entries = collection.page(store, prefix=prefix, after=after, limit=limit + 1)
    page = page_of(entries, limit, query, entries[limit - 1].name if len(entries) > limit else None)
    return Page(items=[view(each) for each in page.items], next=page.next)


class Order(StrEnum):
    """Which end of a list in the order of time comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"


def page_in_time(
    store: Reader,
    collection: Collection[R],
    view: Callable[[Entry[R]], V],
    *,
    order: Order,
    limit: int,
    token: str | None,
    keep: Callable[[R], bool] | None = None,
    filters: Sequence[object] = (),
    floor: str = "",
) -> Page[V]:
    """A page of records whose names sort by time.

    A page of a filtered list looks at ``LOOKED_MAX`` records at most: it may hold fewer than ``limit``, or
    none, and still name a next page.

    Args:
        store: Where they are.
        collection: What they are.
        view: What is shown of one.
        order: Which end comes first.
        limit: How many at most.
        token: Of the page before.
        keep: Whether one belongs to the list; all by default.
        filters: What ``keep`` and ``floor`` were made from, for the token.
        floor: Names before it are left out.

    Raises:
        InvalidPageToken: ``token`` was not made for these records in this order with these filters.
    """
    query = (collection.kind, order, *filters)
    place = read_token(query, token, str) or ""
    found: list[Entry[R]] = []
    looked, more = 0, True
    while more and len(found) <= limit and looked < LOOKED_MAX:
        size = LOOKED_AT_ONCE if keep is not None else limit + 1
        if order is Order.NEWEST:
            read = collection.last_page(store, before=place, limit=size)
            within = [each for each in read if each.name >= floor]
        else:
            read = within = collection.page(store, after=max(place, floor), limit=size)
        more = len(read) == size and len(within) == len(read)
        looked += len(read)
        found += [each for each in within if keep is None or keep(each.value)]
        place = read[-1].name if read else place
    if len(found) > limit:
        found, more, place = found[:limit], True, found[limit - 1].name
    return Page(items=[view(each) for each in found], next=make_token(query, place) if more else None)


def has(text: str, *parts: str) -> bool:
    """Whether every word of a text is in one of these, in any case."""
    within = "\n".join(parts).casefold()
    return all(word in within for word in text.casefold().split())


def _check(query: Sequence[object], body: bytes) -> bytes:
    asked = msgspec.msgpack.encode([str(each) for each in query])
    return blake2b(body, key=blake2b(asked, digest_size=32).digest(), digest_size=_CHECK).digest()
