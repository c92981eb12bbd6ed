"""A map's items as one stored value: the list of their references, so that item i stays item i for ever."""

import msgspec

from weft.artifacts.blobs import Blobs
from weft.model.values import INLINE_MAX, Result

FORMAT = "items"

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[tuple[Result, ...]] = msgspec.msgpack.Decoder(tuple[Result, ...])


def pack_items(items: tuple[Result, ...], blobs: Blobs) -> Result:
    """Store the references of a map's items; inline if they are few."""
    data = _encoder.encode(items)
    if len(data) <= INLINE_MAX:
        return Result(FORMAT, data, None, len(data))
    return Result(FORMAT, None, blobs.put(data), len(data))


def unpack_items(stored: Result, blobs: Blobs) -> tuple[Result, ...]:
    """The references in what ``pack_items`` returned. Raises ``ArtifactMissing`` if its bytes are gone."""
    data = stored.inline if stored.inline is not None else blobs.get(stored.digest or "")
    return _decoder.decode(data)
