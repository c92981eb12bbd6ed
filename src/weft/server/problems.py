"""Errors as HTTP says them: RFC 9457 problem details, with Weft's code, what, where and hint.

The one place that chooses a status. An error of Weft's own tree gets the status of its nearest class in
``STATUS``; Litestar's errors become errors of that tree first; anything else is a bug, told as W9000 without
its text, which may hold what is not the client's to read (it is in the log, under the request's id).
"""

import logging
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from weft.model import errors
from weft.model.errors import WeftError

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[WeftError], int] = {
    WeftError: 500,
    errors.UsageError: 422,
    errors.NotFound: 404,
    errors.InvalidRequest: 422,
    errors.MalformedRequest: 400,
    errors.InvalidPageToken: 400,
    errors.RequestTooLarge: 413,
    errors.WrongMediaType: 415,
    errors.WrongMethod: 405,
    errors.PreconditionRequired: 428,
    errors.PreconditionFailed: 412,
    errors.KeyReused: 409,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.ForeignRequest: 403,
    errors.NotConfigured: 409,
    errors.TooMany: 429,
    errors.InvalidTransition: 409,
    errors.RunNotResumable: 409,
    errors.WorldError: 503,
    errors.StaleOwner: 409,
    errors.Conflict: 409,
    errors.StoreFull: 507,
    errors.ArtifactMissing: 410,
    errors.ArtifactCorrupt: 500,
}

_log = logging.getLogger("weft.server")


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Why a request failed (RFC 9457).

    Attributes:
        type: Names the kind of error: ``urn:weft:error:`` and its code.
        title: The HTTP status in words.
        status: The HTTP status.
        detail: What is wrong, one sentence.
        code: Weft's stable code, such as ``W1001``.
        where: What it is about: a run, a parameter, a place in a query.
        hint: How to mend it.
        fields: Facts about it for machines.
        request_id: Under which the service's log tells more.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    where: str = ""
    hint: str = ""
    fields: dict[str, Any] = {}
    request_id: str = ""


def status_of(error: type[WeftError]) -> int:
    """The HTTP status of a class of errors."""
    return next(STATUS[each] for each in error.__mro__ if each in STATUS)


def problem_of(error: WeftError, request_id: str = "") -> Problem:
    """An error as a problem."""
    status = status_of(type(error))
    return Problem(
        type=f"urn:weft:error:{error.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.what,
        code=error.code,
        where=error.where,
        hint=error.hint,
        fields={name: _plain(value) for name, value in error.fields.items()},
        request_id=request_id,
    )


def headers_of(error: WeftError) -> dict[str, str]:
    """The headers that go with an error."""
    headers = {"cache-control": "no-store"}
    if isinstance(error, errors.NotAuthenticated):
        headers["www-authenticate"] = 'Bearer realm="weft"'
    elif isinstance(error, errors.StoreBusy | errors.TooMany):
        headers["retry-after"] = "1"
    return headers


def translated(exc: Exception) -> WeftError:
    """Any exception of a handler as an error of Weft's tree."""
    if isinstance(exc, WeftError):
        return exc
    if isinstance(exc, ValidationException):
        return _invalid(exc)
    if isinstance(exc, MethodNotAllowedException):
        return errors.WrongMethod("this address does not know the method", hint="/api/v1/openapi.json")
    if isinstance(exc, NotFoundException):
        return errors.NotFound(
            "there is nothing at this address", hint="/api/v1/openapi.json lists what there is"
        )
    if isinstance(exc, HTTPException) and exc.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return errors.RequestTooLarge("the body is larger than the service takes")
    if isinstance(exc, ClientException):
        return errors.MalformedRequest(f"the request cannot be read: {exc.detail}", where="body")
    return errors.InvariantViolation(
        "the service failed unexpectedly", hint="its log tells more under the request's id; please report it"
    )


def answer(request: Request[Any, Any, Any], exc: Exception) -> Response[Problem]:
    """The exception handler of the application."""
    error = translated(exc)
    state: dict[str, Any] = request.scope.get("state") or {}
    request_id = state.get("request_id", "")
    state["code"] = error.code
    if status_of(type(error)) == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request %s failed", request_id, exc_info=sys.exc_info()[1] or exc)
    problem = problem_of(error, request_id)
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers_of(error))


def _invalid(exc: ValidationException) -> WeftError:
    """Parameters or a body that do not fit."""
    found = [each for each in exc.extra if isinstance(each, dict)] if isinstance(exc.extra, list) else []
    fields = [
        {
            "in": str(each.get("source", "")),
            "name": str(each.get("key", "")),
            "problem": str(each.get("message", "")),
        }
        for each in found
    ]
    if not fields:
        return errors.MalformedRequest(f"the request cannot be read: {exc.detail}")
    first = fields[0]
    if first["name"] == "data":
        what = "a JSON body is needed" if first["problem"] == "'data'" else first["problem"]
        return errors.InvalidRequest(f"the body does not fit: {what}", where="body", problems=fields)
    return errors.InvalidRequest(
        f"{first['name']} does not fit: {first['problem']}", where=first["in"], problems=fields
    )


def _source(problem: dict[str, Any]) -> str:
    """Where a parameter is: Litestar gives an enum for some, and a text for others."""
    source = problem.get("source", "")
    return str(getattr(source, "value", source))


def _plain(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError):
        return str(value)
