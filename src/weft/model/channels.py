"""Channels: ways to reach people and services.

A channel's name is its record's. Texts may hold ``${secret:NAME}``, which is put in when something is sent
and never stored or shown; a password or a token stands nowhere else.
"""

import msgspec

CHANNEL = "channel"
"""The kind of record."""


class Rate(msgspec.Struct, frozen=True):
    """``count`` messages in ``per_s`` seconds on the average, over all processes; so many at once at most."""

    count: int
    per_s: float


class Smtp(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="smtp"):
    """Mail by a server of one's own.

    Attributes:
        host, port: The server; port 0 is the usual one for ``security``.
        sender: The address it comes from, also as ``Weft <weft@example.com>``.
        to, cc, bcc: Addresses.
        security: ``starttls``, ``tls`` (from the first byte) or ``none``.
        user, password: How to log in; "" does not.
        ca_file: Certificates to trust beside the system's.
    """

    host: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    port: int = 0
    security: str = "starttls"
    user: str = ""
    password: str = ""
    ca_file: str = ""


class Webhook(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="webhook"):
    """An HTTP receiver; see ``Call`` in ``model/automations.py`` for the fields.

    ``body`` here is the template for messages that bring none of their own.
    """

    url: str
    method: str = "POST"
    headers: dict[str, str] = {}
    body: str = ""
    secret: str = ""
    allow_private: bool = False


class Apprise(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="apprise"):
    """Anything that Apprise knows (Slack, Teams, PagerDuty, Telegram, ntfy...): its addresses."""

    urls: tuple[str, ...]


class Log(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="log"):
    """The service's own log, at ``level`` (``info``, ``warning``, ``error``)."""

    level: str = "warning"


Way = Smtp | Webhook | Apprise | Log


class Channel(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A channel.

    Attributes:
        way: How it reaches whom it reaches.
        enabled: Whether anything is sent; what comes meanwhile is refused.
        parallel: Messages sent at once by one process.
        rate: A bound on how many are sent; ``None``: none.
        tries: How often a message is tried before it is given up.
        delay_s: The pause after the first try; it doubles with each, up to ``delay_s_max``.
        description: For people.
    """

    way: Way
    enabled: bool = True
    parallel: int = 2
    rate: Rate | None = None
    tries: int = 8
    delay_s: float = 10.0
    delay_s_max: float = 3600.0
    description: str = ""
