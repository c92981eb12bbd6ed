"""How routes are declared: always with a role, and documented by their function's name and docstring.

A route without a role cannot be written here, and the guard refuses one that came about otherwise. Functions
that are no coroutines run in a thread of the pool: they may touch the store.
"""

import inspect
from collections.abc import Callable
from typing import Any

from litestar import delete, get, patch, post, put
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from weft.model.errors import NotAllowed, WrongMediaType
from weft.model.tokens import Role
from weft.server.auth.authority import Authority

JSON = "application/json"
NDJSON = "application/x-ndjson"
ANYTHING = "*/*"

Declared = Callable[[Callable[..., Any]], HTTPRouteHandler]


def read(path: str, role: Role = Role.VIEWER, **options: Any) -> Declared:
    """A route that changes nothing."""
    return _declare(get, path, role, options)


def create(path: str, role: Role, **options: Any) -> Declared:
    """A route that makes something, or does something."""
    return _declare(post, path, role, options)


def act(path: str, role: Role, **options: Any) -> Declared:
    """A route that does something to what is there, and answers with how it stands then."""
    return _declare(post, path, role, {"status_code": 200, **options})


def replace(path: str, role: Role, **options: Any) -> Declared:
    """A route that writes a whole document."""
    return _declare(put, path, role, options)


def change(path: str, role: Role, **options: Any) -> Declared:
    """A route that writes parts of a document."""
    return _declare(patch, path, role, options)


def remove(path: str, role: Role, **options: Any) -> Declared:
    """A route that deletes something."""
    return _declare(delete, path, role, options)


def _declare(method: Any, path: str, role: Role, options: dict[str, Any]) -> Declared:
    def declare(function: Callable[..., Any]) -> HTTPRouteHandler:
        summary, _, text = (inspect.getdoc(function) or "").partition("\n\n")
        sync = not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function))
        handler: HTTPRouteHandler = method(
            path,
            tags=[function.__module__.rpartition(".")[2]],
            operation_id=function.__name__,
            summary=summary.replace("\n", " ").rstrip("."),
            description=text or None,
            sync_to_thread=True if sync else None,
            role=role,
            **options,
        )(function)
        return handler

    return declare


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse who may not, and a body that is not what the route reads.

    Raises:
        NotAllowed: Their role does not cover the route's.
        WrongMediaType: The body is not JSON.
    """
    role = handler.opt.get("role")
    if role is None:
        raise NotAllowed("nobody may use this route")
    Authority.require(connection.scope["state"]["identity"], role)
    takes = handler.opt.get("takes", JSON)
    if connection.scope.get("method") in ("POST", "PUT", "PATCH") and takes != ANYTHING:
        _check_media_type(connection, takes)


def _check_media_type(connection: ASGIConnection[Any, Any, Any, Any], takes: str) -> None:
    headers = connection.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != takes:
        raise WrongMediaType(
            f"the body is {given or 'of no media type'}, and this takes {takes}",
            where="Content-Type",
            hint=f"send Content-Type: {takes}",
        )
