"""Pools, variables, connections and secrets: documents that people write, with ETags.

They are all kept, listed and guarded in the same way; ``Kept`` holds that, and each noun's routes say what is
its own. What is secret goes in and never comes out.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Response
from litestar.params import JSONBody

from weft.model.connections import CONNECTION, SECRET, Connection, Secret
from weft.model.errors import NotConfigured
from weft.model.pools import POOL, Pool
from weft.model.tokens import Role
from weft.model.variables import VARIABLE, Variable
from weft.server.context import Context, Given
from weft.server.etags import etag, expected, written
from weft.server.paging import Page, page_of_records
from weft.server.parameters import NUMBER_MAX, IfMatch, IfNoneMatch, Limit, Name, PageToken, Prefix
from weft.server.routing import read, remove, replace
from weft.server.views import moment
from weft.store.records import Collection, Entry

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")

Description = Annotated[str, msgspec.Meta(max_length=10_000)]
Short = Annotated[str, msgspec.Meta(max_length=1000)]
Sensitive = Annotated[str, msgspec.Meta(max_length=1_000_000)]


class PoolBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A pool as it shall be.

    Attributes:
        slots: Slots that live attempts may hold at once.
        description: For people.
    """

    slots: Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
    description: Description = ""


class PoolView(msgspec.Struct, kw_only=True):
    """A pool.

    Attributes:
        name: Its name.
        slots: Slots that live attempts may hold at once.
        description: For people.
        changed_at: When it was last written.
        etag: For `If-Match`.
    """

    name: str
    slots: int
    description: str
    changed_at: datetime
    etag: str


class VariableBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A variable as it shall be.

    Attributes:
        value: Any JSON.
        description: For people.
    """

    value: Any
    description: Description = ""


class VariableView(msgspec.Struct, kw_only=True):
    """A variable.

    Attributes:
        name: Its name.
        value: Any JSON.
        description: For people.
        changed_at: When it was last written.
        etag: For `If-Match`.
    """

    name: str
    value: Any
    description: str
    changed_at: datetime
    etag: str


class ConnectionBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A connection as it shall be.

    Attributes:
        type: What it leads to: `postgres`, `http`, `s3`...
        host: Where.
        port: Where.
        path: The database, bucket or base path.
        login: As whom.
        password: Never shown again. Null or left out keeps the one that is there; empty removes it.
        extra: Whatever else its type needs; nothing secret.
        description: For people.
    """

    type: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    host: Short = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    path: Short = ""
    login: Short = ""
    password: Sensitive | None = None
    extra: dict[str, Any] = {}
    description: Description = ""


class ConnectionView(msgspec.Struct, kw_only=True):
    """A connection, without its password.

    Attributes:
        name: Its name.
        type: What it leads to.
        host: Where.
        port: Where.
        path: The database, bucket or base path.
        login: As whom.
        has_password: Whether it has a password.
        extra: Whatever else its type needs.
        description: For people.
        changed_at: When it was last written.
        etag: For `If-Match`.
    """

    name: str
    type: str
    host: str
    port: int | None
    path: str
    login: str
    has_password: bool
    extra: dict[str, Any]
    description: str
    changed_at: datetime
    etag: str


class SecretBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A secret as it shall be.

    Attributes:
        value: Never shown again.
        description: For people.
    """

    value: Sensitive
    description: Description = ""


class SecretView(msgspec.Struct, kw_only=True):
    """A secret, without its value.

    Attributes:
        name: Its name.
        description: For people.
        changed_at: When it was last written.
        etag: For `If-Match`.
    """

    name: str
    description: str
    changed_at: datetime
    etag: str


class Kept(Generic[T, V]):
    """Documents of one kind.

    Args:
        kind: The records' kind.
        shape: The struct of their bodies.
        view: What is shown of one.
    """

    def __init__(self, kind: str, shape: type[T], view: Callable[[Entry[T]], V]) -> None:
        self.collection = Collection(kind, shape)
        self._view = view

    def page(self, context: Context, prefix: str, limit: int, token: str | None) -> Page[V]:
        """A page of them, by name."""
        return page_of_records(
            context.store, self.collection, self._view, limit=limit, token=token, prefix=prefix
        )

    def show(self, context: Context, name: str) -> Response[V]:
        """One of them."""
        return self._answer(self.collection.require(context.store, name))

    def put(
        self, context: Context, name: str, value: T, if_match: str | None, if_none_match: str | None
    ) -> Response[V]:
        """Write one of them."""
        expect = expected(if_match, if_none_match)
        if expect is None:
            self.collection.require(context.store, name)
        entry = written(
            lambda: self.collection.save(context.store, name, value, at=context.now, expect=expect)
        )
        return self._answer(entry)

    def drop(self, context: Context, name: str, if_match: str | None) -> None:
        """Delete one of them."""
        expect = expected(if_match)
        if expect is None:
            expect = self.collection.require(context.store, name).revision
        write = self.collection.drop(name, expect=expect)
        written(lambda: context.store.write([write], at=context.now))

    def _answer(self, entry: Entry[T]) -> Response[V]:
        return Response(self._view(entry), headers={"etag": etag(entry.revision)})


def _common(entry: Entry[Any]) -> dict[str, Any]:
    return {
        "name": entry.name,
        "description": entry.value.description,
        "changed_at": moment(entry.at),
        "etag": etag(entry.revision),
    }


def _pool(entry: Entry[Pool]) -> PoolView:
    return PoolView(slots=entry.value.slots, **_common(entry))


def _variable(entry: Entry[Variable]) -> VariableView:
    return VariableView(value=entry.value.value, **_common(entry))


def _connection(entry: Entry[Connection]) -> ConnectionView:
    value = entry.value
    return ConnectionView(
        type=value.type,
        host=value.host,
        port=value.port,
        path=value.path,
        login=value.login,
        has_password=value.sealed is not None,
        extra=value.extra,
        **_common(entry),
    )


def _secret(entry: Entry[Secret]) -> SecretView:
    return SecretView(**_common(entry))


POOLS = Kept(POOL, Pool, _pool)
VARIABLES = Kept(VARIABLE, Variable, _variable)
CONNECTIONS = Kept(CONNECTION, Connection, _connection)
SECRETS = Kept(SECRET, Secret, _secret)


def seal(context: Context, kind: str, name: str, text: str) -> bytes:
    """Seal something secret.

    Raises:
        NotConfigured: Nothing here can.
    """
    vault = context.services.vault
    if vault is None:
        raise NotConfigured("this service has no key, so it stores no secrets", hint="weft doctor")
    return vault.seal(kind, name, text)


@read("/pools")
def list_pools(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[PoolView]:
    """List pools by name."""
    return POOLS.page(context, prefix, limit, page_token)


@read("/pools/{name:str}")
def show_pool(context: Given, name: Name) -> Response[PoolView]:
    """Show a pool."""
    return POOLS.show(context, name)


@replace("/pools/{name:str}", Role.EDITOR)
def put_pool(
    context: Given,
    name: Name,
    data: JSONBody[PoolBody],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[PoolView]:
    """Write a pool."""
    value = Pool(slots=data.slots, description=data.description)
    return POOLS.put(context, name, value, if_match, if_none_match)


@remove("/pools/{name:str}", Role.EDITOR)
def delete_pool(context: Given, name: Name, if_match: IfMatch = None) -> None:
    """Delete a pool."""
    POOLS.drop(context, name, if_match)


@read("/variables")
def list_variables(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[VariableView]:
    """List variables by name."""
    return VARIABLES.page(context, prefix, limit, page_token)


@read("/variables/{name:str}")
def show_variable(context: Given, name: Name) -> Response[VariableView]:
    """Show a variable."""
    return VARIABLES.show(context, name)


@replace("/variables/{name:str}", Role.EDITOR)
def put_variable(
    context: Given,
    name: Name,
    data: JSONBody[VariableBody],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[VariableView]:
    """Write a variable."""
    value = Variable(value=data.value, description=data.description)
    return VARIABLES.put(context, name, value, if_match, if_none_match)


@remove("/variables/{name:str}", Role.EDITOR)
def delete_variable(context: Given, name: Name, if_match: IfMatch = None) -> None:
    """Delete a variable."""
    VARIABLES.drop(context, name, if_match)


@read("/connections")
def list_connections(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[ConnectionView]:
    """List connections by name, without their passwords."""
    return CONNECTIONS.page(context, prefix, limit, page_token)


@read("/connections/{name:str}")
def show_connection(context: Given, name: Name) -> Response[ConnectionView]:
    """Show a connection, without its password."""
    return CONNECTIONS.show(context, name)


@replace("/connections/{name:str}", Role.EDITOR)
def put_connection(
    context: Given,
    name: Name,
    data: JSONBody[ConnectionBody],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[ConnectionView]:
    """Write a connection. A password that is left out stays as it is."""
    before = CONNECTIONS.collection.get(context.store, name)
    sealed = before.value.sealed if before is not None and data.password is None else None
    if data.password:
        sealed = seal(context, CONNECTION, name, data.password)
    value = Connection(
        type=data.type,
        host=data.host,
        port=data.port,
        path=data.path,
        login=data.login,
        extra=data.extra,
        sealed=sealed,
        description=data.description,
    )
    return CONNECTIONS.put(context, name, value, if_match, if_none_match)


@remove("/connections/{name:str}", Role.EDITOR)
def delete_connection(context: Given, name: Name, if_match: IfMatch = None) -> None:
    """Delete a connection."""
    CONNECTIONS.drop(context, name, if_match)


@read("/secrets", Role.EDITOR)
def list_secrets(
    context: Given, prefix: Prefix = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[SecretView]:
    """List secrets by name, without their values."""
    return SECRETS.page(context, prefix, limit, page_token)


@read("/secrets/{name:str}", Role.EDITOR)
def show_secret(context: Given, name: Name) -> Response[SecretView]:
    """Show a secret, without its value."""
    return SECRETS.show(context, name)


@replace("/secrets/{name:str}", Role.EDITOR)
def put_secret(
    context: Given,
    name: Name,
    data: JSONBody[SecretBody],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[SecretView]:
    """Write a secret. Nothing in this API gives its value back."""
    value = Secret(sealed=seal(context, SECRET, name, data.value), description=data.description)
    return SECRETS.put(context, name, value, if_match, if_none_match)


@remove("/secrets/{name:str}", Role.EDITOR)
def delete_secret(context: Given, name: Name, if_match: IfMatch = None) -> None:
    """Delete a secret."""
    SECRETS.drop(context, name, if_match)


ROUTES = [
    list_pools,
    show_pool,
    put_pool,
    delete_pool,
    list_variables,
    show_variable,
    put_variable,
    delete_variable,
    list_connections,
    show_connection,
    put_connection,
    delete_connection,
    list_secrets,
    show_secret,
    put_secret,
    delete_secret,
]
