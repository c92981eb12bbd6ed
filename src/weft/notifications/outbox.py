"""The outbox: deliveries, their tickets in lanes, and how both are written.

A lane is the queue of one channel, of one web host, or of what is done to runs. Its tickets are records of a
kind of their own, so that the deliverer asks each lane for its first few and never has to walk past the
thousands that another lane has waiting.
"""

import hashlib
from urllib.parse import urlsplit

from weft.model.automations import Action, Call, Notify
from weft.model.deliveries import DELIVERY, LANE, Delivery, DeliveryState, Lane, Occasion, Ticket
from weft.model.errors import Conflict, UsageError
from weft.model.ids import ulid
from weft.notifications.book import Book
from weft.store.protocol import Reader, Store
from weft.store.records import Collection, Entry

DELIVERIES = Collection(DELIVERY, Delivery)
LANES = Collection(LANE, Lane)

KEEP_SENT_S = 7 * 86400.0
"""How long a delivery that was sent is kept for people to see."""

KEEP_DEAD_S = 30 * 86400.0
"""The same for one that was given up."""

RUNS_LANE = "runs"
"""What is done to runs, workflows and schedules."""


def tickets(lane: str) -> Collection[Ticket]:
    """The tickets of a lane; a ticket has its delivery's name."""
    return Collection(f"outbox.{lane}", Ticket)


def lane_of(action: Action) -> str:
    """Where an action waits its turn: a lane for each thing outside that may not answer."""
    if isinstance(action, Notify):
        return f"channel.{action.channel}"
    if isinstance(action, Call):
        host = urlsplit(action.url).hostname if "${" not in action.url else None
        return f"host.{host or 'secret'}"[:120]
    return RUNS_LANE


def delivery_name(cause: str, automation: str, place: int, at: float) -> str:
    """An id that sorts by time and is the same whenever the same decision is made again.

    Args:
        cause: The event's number, or the name of what was being watched and since when.
        automation: Who decides.
        place: The action's place.
        at: When it happened.
    """
    digest = hashlib.sha256(f"{cause}\0{automation}\0{place}".encode()).digest()
    return ulid("dlv", int(at * 1000), digest[:10])


def post(book: Book, name: str, automation: str, action: Action, occasion: Occasion, *, at: float) -> bool:
    """Put a delivery into the outbox; False if it was put there before, whatever became of it."""
    if book.get(DELIVERIES, name) is not None:
        return False
    lane = lane_of(action)
    delivery = Delivery(
        automation=automation, lane=lane, action=action, occasion=occasion, created_at=at, next_at=at
    )
    book.put(DELIVERIES, name, delivery)
    book.put(tickets(lane), name, Ticket(at), due_at=at)
    book.put(LANES, lane, Lane())
    return True


def resend(store: Store, name: str, *, at: float) -> Entry[Delivery]:
    """Try a delivery again that was given up.

    Raises:
        NotFound: There is none of this name.
        UsageError: It was not given up.
        Conflict: Somebody else did so at the same time.
    """
    entry = DELIVERIES.require(store, name)
    if entry.value.state is not DeliveryState.DEAD:
        raise UsageError(f"delivery {name} is {entry.value.state}", where=name, hint="it needs no help")
    old = entry.value
    again = Delivery(
        automation=old.automation,
        lane=old.lane,
        action=old.action,
        occasion=old.occasion,
        created_at=old.created_at,
        next_at=at,
        error=old.error,
    )
    book = Book(store)
    book.expect(DELIVERIES, entry)
    book.put(DELIVERIES, name, again)
    book.put(tickets(old.lane), name, Ticket(at), due_at=at)
    book.put(LANES, old.lane, Lane())
    store.write(book.writes(), at=at)
    return DELIVERIES.require(store, name)


def waiting(store: Reader, lane: str, *, limit: int = 100) -> list[Entry[Ticket]]:
    """A lane's tickets, the first to be tried first, also those whose time has not come."""
    return tickets(lane).due(store, before=EVER, limit=limit)


def tidy(store: Store, *, now: float, limit: int = 500) -> int:
    """Forget deliveries that were kept long enough; returns how many."""
    old = DELIVERIES.due(store, before=now, limit=limit)
    if old:
        try:
            store.write([DELIVERIES.drop(each.name, expect=each.revision) for each in old], at=now)
        except Conflict:
            return 0
    return len(old)


EVER = 1e11
"""A time that does not come: the year 5138."""
