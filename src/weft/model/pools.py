"""Pools: named numbers of slots that attempts share, over all runs."""

import msgspec

POOL = "pool"
"""The kind of record."""


class Pool(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A pool.

    Attributes:
        slots: Slots that live attempts may hold at once.
        description: For people.
    """

    slots: int
    description: str = ""
