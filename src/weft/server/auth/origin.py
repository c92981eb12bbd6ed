"""Which requests a browser may have been tricked into making.

A service on loopback has no login, so any web page that the user visits could speak to it: by a form or a
script of its own (cross-site request), or under a host name of its own that it lets point at 127.0.0.1 (DNS
rebinding). Both are seen in headers that a page cannot forge:

1. ``Host`` must name the service: loopback, or a name that the settings allow. A rebound page brings its own.
2. ``Origin``, when there is one, must be the service's own, or one that the settings allow.
3. ``Sec-Fetch-Site`` must not say ``cross-site`` or ``same-site``, except for following a link to a page.

Clients that are no browsers send neither of the latter two, and nobody can trick them.
"""

from collections.abc import Mapping, Sequence

from weft.model.errors import ForeignRequest

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_host(host: str, allowed: Sequence[str]) -> None:
    """Refuse a request for a host that the service is not.

    Args:
        host: The header.
        allowed: Host names, without ports; ``*`` allows every one.

    Raises:
        ForeignRequest: It names another host, or none.
    """
    name = host_name(host)
    if "*" in allowed or name in allowed:
        return
    raise ForeignRequest(
        f"this service is not {host[:100]!r}" if host else "the request names no host",
        where="Host",
        hint=f"use {allowed[0] if allowed else 'localhost'}, or allow the name in the setting `hosts`",
    )


def check_origin(method: str, headers: Mapping[str, str], allowed: Sequence[str]) -> None:
    """Refuse a request that a page of another site makes.

    Args:
        method: The request's method.
        headers: The request's headers, by lower-case name.
        allowed: Origins that may, such as ``https://weft.example.com``.

    Raises:
        ForeignRequest: One does.
    """
    origin = headers.get("origin")
    if origin is not None:
        scheme, _, rest = origin.partition("://")
        own = scheme in ("http", "https") and rest == headers.get("host", "")
        if own or origin in allowed:
            return
        raise ForeignRequest(
            f"a page of {origin[:100]!r} may not use this service",
            where="Origin",
            hint="open the service's own page, or allow the origin in the setting `origins`",
        )
    site = headers.get("sec-fetch-site", "none")
    follows_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if site in ("cross-site", "same-site") and not follows_link:
        raise ForeignRequest(
            "a page of another site may not use this service", where="Sec-Fetch-Site", hint="open it directly"
        )


def host_name(host: str) -> str:
    """A ``Host`` header without its port, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
