"""Signatures of outgoing requests, so that a receiver knows who sent them and that nobody changed them.

``Weft-Timestamp`` holds the Unix seconds at which the request was made, and ``Weft-Signature`` holds
``v1=`` and the hex digits of HMAC-SHA256, keyed with the shared secret, over the timestamp, a full stop and
the body. A receiver computes the same, compares in constant time, and refuses timestamps that are old.
"""

import hashlib
import hmac

TOLERANCE_S = 300.0
"""Age at which a receiver should refuse a request."""

TIMESTAMP = "Weft-Timestamp"
SIGNATURE = "Weft-Signature"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``Weft-Signature``."""
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={mac.hexdigest()}"


def verify(
    secret: str,
    timestamp: str,
    signature: str,
    body: bytes,
    *,
    now: float,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Whether a request was signed with this secret, and not long ago.

    Several signatures may stand in the header, separated by blanks: one is enough, which is how a secret is
    changed without a gap.
    """
    if not timestamp.isdecimal() or len(timestamp) > 15 or abs(now - int(timestamp)) > tolerance_s:
        return False
    right = sign(secret, timestamp, body).encode()
    return any(hmac.compare_digest(each.encode(), right) for each in signature.split())
