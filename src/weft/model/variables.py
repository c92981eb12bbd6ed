"""Variables: named plain values that tasks read while they run."""

from typing import Any

import msgspec

VARIABLE = "variable"
"""The kind of record."""


class Variable(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A variable.

    Attributes:
        value: Anything that JSON can say.
        description: For people.
    """

    value: Any = None
    description: str = ""
