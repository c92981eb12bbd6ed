"""A message: what a channel is given to bring to people."""

from typing import Any

import msgspec

from weft.model.deliveries import Occasion


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message, rendered.

    Attributes:
        id: The delivery's name: the same for every try, so that the other side can tell a repeat.
        at: When it is sent, Unix seconds.
        subject: One line.
        text: The body as plain text.
        html: The body as HTML; "" if there is none.
        bad: Whether it is about something that went wrong.
        occasion: What it is about.
        context: What templates may name.
    """

    id: str
    at: float
    subject: str
    text: str
    html: str
    bad: bool
    occasion: Occasion
    context: dict[str, Any]
