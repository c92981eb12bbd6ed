"""Where the service is, and who asks: from arguments, else from the environment."""

import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from weft.model.errors import UsageError

DEFAULT = "http://127.0.0.1:4200"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send requests.

    Attributes:
        url: Scheme, host and port, and a path where a proxy has the service below one.
        socket: The Unix socket's path; "" is TCP.
        token: The API token; "" sends none.
    """

    url: str
    socket: str
    token: str

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine, where no proxy leads."""
        return bool(self.socket) or urlsplit(self.url).hostname in _LOOPBACK

    @property
    def headers(self) -> dict[str, str]:
        """What every request says."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def address(url: str | None = None, token: str | None = None) -> Address:
    """The service's address.

    Args:
        url: ``http://host:port``, ``https://...``, ``host:port`` or ``unix:///path/of.sock``; by default the
            environment's ``WEFT_SERVER``, else a service on this machine.
        token: An API token; by default the environment's ``WEFT_TOKEN``.

    Raises:
        UsageError: The address is none, or the token cannot be one.
    """
    text = url or os.environ.get("WEFT_SERVER") or DEFAULT
    secret = token if token is not None else os.environ.get("WEFT_TOKEN", "")
    if not secret.isascii() or any(each.isspace() for each in secret):
        raise UsageError("the API token has characters that none has", hint="copy it again")
    if text.startswith("unix:"):
        path = unquote(text.removeprefix("unix:").removeprefix("//"))
        if not path.startswith("/"):
            raise _wrong(text)
        return Address("http://localhost", path, secret)
    whole = text if "://" in text else f"http://{text}"
    try:
        split = urlsplit(whole)
        named = split.hostname and (split.port or True)
    except ValueError as exc:
        raise _wrong(text) from exc
    if split.scheme not in ("http", "https") or not named or split.query or split.fragment or split.username:
        raise _wrong(text)
    return Address(whole.rstrip("/").removesuffix("/api/v1"), "", secret)


def _wrong(text: str) -> UsageError:
    return UsageError(
        f"{text!r} is no address of a service", hint="write http://host:4200, or unix:///path/of.sock"
    )
