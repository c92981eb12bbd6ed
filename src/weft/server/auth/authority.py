"""The one place that decides who asks, whether their request is their own, and whether they may.

Bound to loopback or to a Unix socket, whoever is on this machine is its user and needs no token, because they
could read the store's file as well; a token that is shown all the same is checked, and its role holds. Bound
to anything else, every request needs a token, and the service does not start without an administrator's.

Everything else asks here: the gate in front of the application (``server/gate.py``) for each request's
identity, the guard of each route for its role. Sessions, OIDC and scopes by project will be other ways of
making an ``Identity``.
"""

from collections.abc import Mapping, Sequence

from weft.engine.clock import Clock
from weft.model.errors import NotAllowed, NotAuthenticated, OpenToAll
from weft.model.tokens import Role
from weft.server.auth.identity import Identity
from weft.server.auth.origin import LOOPBACK, check_host, check_origin, host_name
from weft.server.auth.tokens import PREFIX, TOKENS, digest_of, has_admin
from weft.store.protocol import Reader

REMEMBERED_S = 2.0
"""How long a token is trusted without a look at the store: a revoked one may be used so much longer."""

_REMEMBERED_MAX = 1000

HOOKS = "/api/v1/hooks/"
"""Where other services send what they sign."""

METRICS = "/metrics"

_SENDER = Identity(name="hook", role=Role.SENDER, method="signature")
_VISITOR = Identity(name="visitor", role=Role.SENDER, method="none")


class Authority:
    """See the module.

    Args:
        store: Where tokens are.
        clock: Time.
        local_user: Who is on this machine; "" if nobody is trusted for that, so that all need a token.
        hosts: Names under which the service may be reached, beside loopback's; ``*`` is any.
        origins: Other origins whose pages may use it.
    """

    def __init__(
        self,
        store: Reader,
        clock: Clock,
        *,
        local_user: str = "",
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._local = Identity(name=local_user, role=Role.ADMIN, method="local") if local_user else None
        self._hosts = (*LOOPBACK, *(host_name(each) if each != "*" else each for each in hosts))
        # A token is proof enough: without local trust, a host that was not named is no danger.
        self._any_host = self._local is None and not hosts
        self._origins = tuple(origins)
        self._known: dict[str, tuple[Identity, float]] = {}

    def check_source(self, method: str, headers: Mapping[str, str], *, unix: bool = False) -> None:
        """Refuse a request that a browser was tricked into making.

        Args:
            method: The request's method.
            headers: Its headers, by lower-case name.
            unix: Whether it came through a Unix socket, which no browser reaches.

        Raises:
            ForeignRequest: It was.
        """
        if not unix and not self._any_host:
            check_host(headers.get("host", ""), self._hosts)
        check_origin(method, headers, self._origins)

    def greet(self, method: str, path: str) -> Identity | None:
        """Who asks, where no token is needed: the route checks a signature, or gives a page without data."""
        if method == "POST" and path.startswith(HOOKS):
            return _SENDER
        page = method in ("GET", "HEAD") and not path.startswith("/api/") and path != METRICS
        return _VISITOR if page else None

    def recall(self, authorization: str) -> Identity | None:
        """Who asks, if that is known without the store."""
        if not authorization:
            return self._local
        identity, until = self._known.get(digest_of(authorization), (None, 0.0))
        return identity if identity is not None and self._clock.now() < until else None

    def identify(self, authorization: str) -> Identity:
        """Who asks. Reads the store.

        Args:
            authorization: The header; "" if there is none.

        Raises:
            NotAuthenticated: Nobody that is known.
        """
        if not authorization:
            if self._local is not None:
                return self._local
            raise NotAuthenticated(
                "this service needs a token",
                where="Authorization",
                hint="send Authorization: Bearer weft_...",
            )
        scheme, _, text = authorization.partition(" ")
        text = text.strip()
        now = self._clock.now()
        if scheme.lower() == "bearer" and text.startswith(PREFIX):
            entry = TOKENS.get(self._store, digest_of(text))
            if entry is not None and (entry.value.expires_at is None or now < entry.value.expires_at):
                identity = Identity(name=entry.value.name, role=entry.value.role, method="token")
                until = min(now + REMEMBERED_S, entry.value.expires_at or now + REMEMBERED_S)
                if len(self._known) >= _REMEMBERED_MAX:
                    self._known.clear()
                self._known[digest_of(authorization)] = identity, until
                return identity
        raise NotAuthenticated(
            "the token is not valid", where="Authorization", hint="it may have expired or been revoked"
        )

    def forget(self) -> None:
        """Ask the store about every token again: one was revoked."""
        self._known.clear()

    @staticmethod
    def require(identity: Identity, role: Role) -> None:
        """Refuse what a role does not allow.

        Raises:
            NotAllowed: It does not.
        """
        if not identity.role.covers(role):
            raise NotAllowed(
                f"{identity.name} is {identity.role}, and this needs {role}",
                hint=f"use a token of role {role}",
                role=str(identity.role),
                needed=str(role),
            )


def is_loopback(host: str | None) -> bool:
    """Whether an address to listen on is reached from this machine only; ``None`` is a Unix socket."""
    if host is None:
        return True
    name = host.strip("[]").lower()
    return name in LOOPBACK or name.startswith("127.")


def check_bind(host: str | None, store: Reader, now: float) -> None:
    """Refuse to listen where others can reach, unless they have to say who they are.

    Args:
        host: The address; ``None`` for a Unix socket.
        store: Where tokens are.
        now: The time.

    Raises:
        OpenToAll: There is no administrator's token.
    """
    if not is_loopback(host) and not has_admin(store, now):
        raise OpenToAll(
            f"{host} can be reached from other machines, and there is no token to get in with",
            where=str(host),
            hint="weft tokens create NAME --role admin, or listen on 127.0.0.1",
        )
