"""One HTTP request to somewhere that people configured, made so that it can do no harm.

The standard library's client is enough, and gives what matters here: the address that was checked is the
address that is connected to, so that a name which changes its mind between the two (DNS rebinding) leads
nowhere. Redirects are not followed, proxies of the environment are not used, answers are read a little way.
"""

import http.client
import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

import msgspec

from weft.model.errors import DeliveryFailed, DeliveryRefused
from weft.notifications.patience import within

DEADLINE_S = 15.0
"""The longest that a request may take as a whole."""

_ANSWER_MAX = 1000
_TRY_AGAIN = frozenset({408, 425, 429})
_AFTER_MAX_S = 3600.0


class Answer(msgspec.Struct, frozen=True):
    """What the other side said: its status, and the beginning of its body."""

    status: int
    text: str


def request(
    url: str,
    *,
    method: str,
    headers: dict[str, str],
    body: bytes,
    allow_private: bool = False,
    deadline_s: float = DEADLINE_S,
) -> Answer:
    """Make a request, and take anything but a status of 200 to 299 as an error.

    Args:
        url: Where to.
        method, headers, body: As HTTP has them.
        allow_private: Whether it may go to loopback and private addresses. Link-local ones, where clouds
            give out credentials, are never allowed.
        deadline_s: The longest it may take.

    Raises:
        DeliveryFailed: It could not be made, took too long, or the status says that later may be better.
        DeliveryRefused: The address is not allowed, or the status says that this request is wrong.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise DeliveryRefused(
            "this is no web address to send to", hint="https://host/path, logins in headers"
        )
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise DeliveryRefused("the address has no proper port") from exc
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = _address(parts.hostname, port, allow_private)
    connection = _Pinned(parts.hostname, port, address, secure=parts.scheme == "https", timeout_s=deadline_s)
    with within(deadline_s, lambda: connection.sock) as over:
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            if over.is_set():
                raise TimeoutError  # The end of the headers is where the connection was cut.
            text = _beginning(response)
        except ValueError as exc:
            raise DeliveryRefused(f"the request cannot be made: {exc}", where=parts.hostname) from exc
        except (OSError, http.client.HTTPException) as exc:
            late = over.is_set() or isinstance(exc, TimeoutError)
            what = f"no answer within {deadline_s:g} s" if late else f"{type(exc).__name__}: {exc}"
            raise DeliveryFailed(f"{parts.hostname} could not be told: {what}", where=parts.hostname) from exc
        finally:
            connection.close()
    _judge(response, parts.hostname, text)
    return Answer(response.status, text)


def _beginning(response: http.client.HTTPResponse) -> str:
    """What people may want to read of the answer; the status has been heard, so nothing here is a failure."""
    try:
        return response.read(_ANSWER_MAX).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""


def _judge(response: http.client.HTTPResponse, host: str, text: str) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    what = f"{host} answered {status} {response.reason}"
    if text.strip():
        what += f": {' '.join(text.split())[:200]}"
    if status >= 500 or status in _TRY_AGAIN:
        after = response.headers.get("Retry-After", "")
        if after.isdecimal():
            raise DeliveryFailed(what, where=host, after_s=min(float(after), _AFTER_MAX_S))
        raise DeliveryFailed(what, where=host)
    hint = "redirects are not followed: give the address itself" if 300 <= status < 400 else ""
    raise DeliveryRefused(what, where=host, hint=hint)


def _address(host: str, port: int, allow_private: bool) -> str:
    """An address of the host that may be connected to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise DeliveryFailed(f"the name {host} leads nowhere: {exc}", where=host) from exc
    addresses = [str(each[4][0]) for each in found]
    for each in addresses:
        if _allowed(each, allow_private):
            return each
    raise DeliveryRefused(
        f"{host} is at {addresses[0]}, where nothing is sent",
        where=host,
        hint="allow_private permits private addresses" if not allow_private else "",
    )


def _allowed(text: str, allow_private: bool) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return allow_private or address.is_global


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever the name may lead to by now."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool, timeout_s: float) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._address = address
        self._secure = secure
        self.default_port = 443 if secure else 80

    def connect(self) -> None:
        """Connect to the address; the certificate has to be the name's."""
        sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            # Kept before the handshake, so that a peer which is slow at it can be ended too.
            self.sock = sock
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self.host)
        self.sock = sock
