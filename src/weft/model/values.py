"""References to values, and the shapes in which a task run's inputs are bound.

The engine never opens a value. It moves ``Result`` references: at most 4 KB of bytes inline, else the
digest of an artifact. What a task run receives is a tree of these (``Bound``), resolved beside user code.
"""

import msgspec

INLINE_MAX = 4096
"""Bytes up to which a result travels and is stored inline."""


class Result(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A reference to a stored value.

    Attributes:
        format: The serializer that wrote it (``msgpack``, ``arrow``, ``numpy``, ``pickle``...).
        inline: The bytes themselves, when there are at most ``INLINE_MAX``.
        digest: Else the content address (SHA-256, hex) of the artifact.
        size: Bytes of the serialised value.
    """

    format: str
    inline: bytes | None = None
    digest: str | None = None
    size: int = 0


class ResultList(msgspec.Struct, frozen=True, array_like=True, tag="many"):
    """The results of a map's items in item order; ``None`` for an item that was skipped or failed."""

    items: tuple[Result | None, ...]


class Pick(msgspec.Struct, frozen=True, array_like=True, tag="pick"):
    """A part of a value: ``.field`` and ``[i]`` steps, applied in order."""

    of: "Bound"
    path: tuple[str | int, ...]


class Packed(msgspec.Struct, frozen=True, array_like=True, tag="packed"):
    """A serialised value with holes: hole number i is filled by ``refs[i]``."""

    data: Result
    refs: tuple["Bound", ...]


class Plain(msgspec.Struct, frozen=True, array_like=True, tag="plain"):
    """A whole stored value."""

    result: Result


class Absent(msgspec.Struct, frozen=True, array_like=True, tag="absent"):
    """No value: the upstream was skipped or failed and the reader accepts that.

    ``error`` is the upstream's failure for readers that asked for it (``allow_failure``).
    """

    state: str
    error: str = ""


class Named(msgspec.Struct, frozen=True, array_like=True, tag="named"):
    """A mapping of named values: a group's outputs."""

    items: dict[str, "Bound"]


Bound = Plain | ResultList | Pick | Packed | Absent | Named

ARGS = "*"
"""The input name under which a Python call's ``(args, kwargs)`` pair travels as one value."""

AFTER = "after:"
"""Inputs whose names begin so are only waited for: they give the call no value."""

NONE = Result("msgpack", b"\xc0", None, 1)
"""The value ``None``."""
