"""A bound tree as a ``Result``: how the engine hands on a value that it never opens.

The result of a map, or of a group that returns a part of a node's result, is a ``Bound``. Wrapped as a
result of format ``bound`` it travels like any other, and is resolved beside user code.
"""

import msgspec

from weft.model.errors import ArtifactCorrupt
from weft.model.values import Bound, Result

BOUND = "bound"
"""The format of a result whose inline bytes are a bound tree, whatever their number."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Bound] = msgspec.msgpack.Decoder(Bound)


def encode_bound(bound: Bound) -> Result:
    """Wrap a bound tree as a result."""
    data = _ENCODER.encode(bound)
    return Result(BOUND, data, None, len(data))


def decode_bound(result: Result) -> Bound:
    """The tree inside a result of format ``bound``.

    Raises:
        ArtifactCorrupt: The bytes are no such tree.
    """
    try:
        return _DECODER.decode(result.inline or b"")
    except msgspec.MsgspecError as exc:
        raise ArtifactCorrupt("a bound value's bytes are damaged", where=f"{result.size} bytes") from exc
