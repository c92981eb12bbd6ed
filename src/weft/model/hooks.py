"""Incoming webhooks: addresses at which other services tell of events, and how they prove that it is them."""

from enum import StrEnum

import msgspec

HOOK = "hook"
"""The kind of record."""


class Scheme(StrEnum):
    """How a request is signed; each is what services of that name send."""

    WEFT = "weft"
    """``Weft-Timestamp`` and ``Weft-Signature``: see ``notifications/signing.py``."""
    GITHUB = "github"
    """``X-Hub-Signature-256: sha256=`` and HMAC-SHA256 of the body."""
    STRIPE = "stripe"
    """``Stripe-Signature: t=,v1=``: HMAC-SHA256 of ``t.body``."""
    SLACK = "slack"
    """``X-Slack-Signature: v0=``: HMAC-SHA256 of ``v0:timestamp:body``."""
    TOKEN = "token"
    """The secret itself, in ``X-Gitlab-Token`` or ``X-Weft-Token``."""


class Hook(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A webhook.

    Attributes:
        event: The name of the event that a request becomes.
        scheme: How requests are signed.
        sealed: The shared secret, sealed.
        description: For people.
    """

    event: str
    scheme: Scheme
    sealed: bytes
    description: str = ""
