"""Limits that engines share: who may use how many slots of one, as it is kept in the store."""

import msgspec

LIMIT = "limit"
"""The kind of record; its name is the limit's key: ``pool:p``, ``key:k`` or ``rate:r``."""


TAKEOVER = "takeover"
"""The kind of record that says that an engine has taken runs over; its name is the engine's id."""


class Takeover(msgspec.Struct, frozen=True):
    """An engine took runs over, and has not said yet what their living attempts hold.

    It is written in the very transaction of the takeover, so that no moment is without it.
    """


class Stake(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One engine's part in a limit.

    Attributes:
        share: Slots that it may use; never less than it does use.
        limit: Slots that the limit has, as far as this engine knows. The smallest of what is told counts.
        want: Slots that it has a use for, those in use included.
        need: Slots that its next attempt takes at once; 0 if none waits.
        since: Since when it has had, or has lacked, what its next attempt needs. Unix seconds.
        firm: Whether that attempt has what it needs here, and waits for a limit later in the order.
        until: Of an engine that is gone: until when its slots stay taken. Unix seconds, 0 for not known yet.
        outlives: Whether its attempts may go on without it.
    """

    share: int
    limit: int
    want: int = 0
    need: int = 0
    since: float = 0.0
    firm: bool = False
    until: float = 0.0
    outlives: bool = False

    @property
    def met(self) -> bool:
        """Whether the next attempt can start in the share, when what runs now has ended."""
        return self.share >= min(self.need, self.want)


class Limit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A limit that engines share.

    Attributes:
        stakes: By engine id.
        per_s: Of a rate limit: for how many seconds a start takes a slot.
    """

    stakes: dict[int, Stake] = {}
    per_s: float = 0.0
