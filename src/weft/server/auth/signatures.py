"""Whether an incoming webhook is signed by who knows the hook's secret, and not long ago.

The schemes are the senders' own, as they document them:
https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries,
https://docs.stripe.com/webhooks#verify-manually, https://api.slack.com/authentication/verifying-requests-from-slack
and https://docs.gitlab.com/user/project/integrations/webhooks. Each comparison takes the same time whatever
differs.
"""

import hashlib
import hmac
from collections.abc import Mapping

from weft.model.hooks import Scheme
from weft.notifications import signing

TOLERANCE_S = 300.0
"""Age at which a signature with a time in it is refused."""


def is_signed(scheme: Scheme, secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> bool:
    """Whether a request proves itself.

    Args:
        scheme: How the sender signs.
        secret: What both know.
        headers: Of the request, by name in lower case.
        body: Of the request, byte for byte.
        now: The time.
    """
    key = secret.encode()
    if scheme is Scheme.WEFT:
        timestamp = headers.get(signing.TIMESTAMP.lower(), "")
        signature = headers.get(signing.SIGNATURE.lower(), "")
        return signing.verify(secret, timestamp, signature, body, now=now)
    if scheme is Scheme.GITHUB:
        return _equal(headers.get("x-hub-signature-256", ""), f"sha256={_mac(key, body)}")
    if scheme is Scheme.SLACK:
        timestamp = headers.get("x-slack-request-timestamp", "")
        right = f"v0={_mac(key, b'v0:' + timestamp.encode() + b':' + body)}"
        return _recent(timestamp, now) and _equal(headers.get("x-slack-signature", ""), right)
    if scheme is Scheme.STRIPE:
        parts = [each.partition("=") for each in headers.get("stripe-signature", "").split(",")]
        timestamp = next((value for name, _, value in parts if name.strip() == "t"), "")
        right = _mac(key, timestamp.encode() + b"." + body)
        given = [value for name, _, value in parts if name.strip() == "v1"]
        return _recent(timestamp, now) and any(_equal(each, right) for each in given)
    return any(_equal(headers.get(name, ""), secret) for name in ("x-gitlab-token", "x-weft-token"))


def _mac(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())


def _recent(timestamp: str, now: float) -> bool:
    return timestamp.isdecimal() and len(timestamp) <= 15 and abs(now - int(timestamp)) <= TOLERANCE_S
