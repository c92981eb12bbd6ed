"""Deliveries: what an automation decided to do outside, and how that goes.

A delivery is written in the transaction that decides on it, together with a *ticket* in the queue of its
*lane*. The ticket is what is claimed, leased, put off and finally torn up; the delivery tells people about it
and is kept for a while. Lanes keep a channel that does not answer from holding up the others.
"""

from enum import StrEnum

import msgspec

from weft.model.automations import Action
from weft.model.errors import ErrorInfo

DELIVERY = "delivery"
"""The kind of record. Names are ULIDs made from what caused them; ``due_at`` is when to forget one."""

LANE = "lane"
"""The kind of the records that name lanes."""


class Occasion(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What happened, as it was then: later changes of the run do not change what people are told.

    Attributes:
        what: One sentence without a full stop.
        at: When.
        seq: The event in the log; 0 if it was the time that passed.
        workflow: The workflow's name.
        run, run_id: The run's public and internal id; "" and -1 for none.
        state: The run's state.
        tags, project: The run's.
        created_at, started_at, ended_at: The run's.
        task, task_name, idx, attempt, task_state: The task run that it is about; "" and -1 for none.
        task_started_at: When its attempt started.
        error: The failure, its traceback cut short.
        value: The number that was measured, or the name of the event.
        chain: How many automations led from one to the next up to this run.
        suppressed: How often the automation would have acted since the time before, but rested.
    """

    what: str
    at: float
    seq: int = 0
    workflow: str = ""
    run: str = ""
    run_id: int = -1
    state: str = ""
    tags: tuple[str, ...] = ()
    project: str = ""
    created_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    task: str = ""
    task_name: str = ""
    idx: int = -1
    attempt: int = 0
    task_state: str = ""
    task_started_at: float | None = None
    error: ErrorInfo | None = None
    value: float | str | None = None
    chain: int = 0
    suppressed: int = 0


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"
    """Given up: refused, or tried too often."""


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One action of one automation on one occasion.

    Attributes:
        automation: Who decided it; "" for a test.
        lane: Its queue.
        action: What to do.
        occasion: About what.
        created_at: When it was decided.
        state: Where it stands.
        tries: How often it was tried.
        tried_at: When it was last tried.
        next_at: When it is tried next.
        error: Why it failed the last time.
        answer: What the other side said when it took it, or what came of it.
    """

    automation: str
    lane: str
    action: Action
    occasion: Occasion
    created_at: float
    state: DeliveryState = DeliveryState.WAITING
    tries: int = 0
    tried_at: float | None = None
    next_at: float | None = None
    error: str = ""
    answer: str = ""


class Ticket(msgspec.Struct, frozen=True):
    """A delivery's place in its lane; the record's ``due_at`` is when to try, or when a lease is over."""

    at: float


class Lane(msgspec.Struct, frozen=True):
    """That there is a lane of this name."""


class Pace(msgspec.Struct, frozen=True):
    """How far a channel has used up its rate.

    ``even_at`` is the time up to which what was sent so far would last, sent evenly (the "theoretical arrival
    time" of the generic cell rate algorithm, ITU-T I.371).
    """

    even_at: float
