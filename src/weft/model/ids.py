"""Public ids: prefixed ULIDs (https://github.com/ulid/spec), sortable by time of creation.

Pure: the clock and the randomness are arguments.
"""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(prefix: str, time_ms: int, randomness: bytes) -> str:
    """Return ``prefix_`` and 26 characters of Crockford base32.

    Args:
        prefix: What the id names (``run``).
        time_ms: Milliseconds since the Unix epoch, 48 bits.
        randomness: 10 bytes.
    """
    number = (time_ms & (1 << 48) - 1) << 80 | int.from_bytes(randomness[:10], "big")
    return prefix + "_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
