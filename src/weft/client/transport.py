"""What httpx says, in this package's words."""

import httpx

from weft._version import __version__
from weft.client.call import Answer, Lost

USER_AGENT = f"weft-client/{__version__}"

SILENT_MAX = httpx.Timeout(30.0, read=60.0)
"""Seconds: a stream sends a sign of life every fifteen."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def answer(response: httpx.Response) -> Answer:
    """An answer that has been read."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def lost(exc: httpx.TransportError) -> Lost:
    """No answer."""
    try:
        place = f" ({exc.request.url.scheme}://{exc.request.url.netloc.decode()})"
    except RuntimeError:
        place = ""
    return Lost((str(exc) or type(exc).__name__) + place, sent=not isinstance(exc, _NOT_SENT))
