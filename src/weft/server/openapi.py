"""The API's description, OpenAPI 3.1: what Litestar sees in the routes, completed by what only we know.

Added here: what each field and status means (from docstrings), every error answer, which headers an answer
has, how to authenticate, which role an operation needs. Clients are generated from the result, so it is kept
in ``docs/reference/openapi.json`` and a test compares: a change of the API is seen in a diff.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from weft._version import __version__
from weft.server.live import LiveBatch
from weft.server.problems import MEDIA_TYPE, Problem

Json = dict[str, Any]

DESCRIPTION = """\
Everything that Weft's command line and pages do.

- Lists are paged: give `next` of one page as `page` of the next, with the same filters.
- `where` is the filter language of `weft runs list`: terms such as `state:failed since:1d`; all must hold.
- Errors are problem details (RFC 9457) with Weft's stable code, what is wrong, where, and a hint.
- Documents that people write have an `ETag`; writing one needs `If-Match`, or `If-None-Match: *` if new.
- On loopback no login is needed. Elsewhere send `Authorization: Bearer weft_...`.
"""

ERRORS: Mapping[int, str] = {
    400: "The request cannot be read, or its paging token belongs to another list.",
    401: "A valid token is needed.",
    403: "The role does not allow it, or another site's page asks.",
    404: "There is no such thing.",
    405: "The address does not know the method.",
    409: "It does not go with how things stand.",
    412: "It was changed meanwhile: the ETag is not the latest.",
    413: "The body is too large.",
    415: "The body is not of the media type that is read here.",
    422: "What was sent does not fit.",
    428: "The request must say which revision it replaces.",
    429: "There are too many at once.",
    503: "The store does not answer just now: try again.",
}
_ALWAYS = (400, 401, 403, 422, 503)
_ANSWER = "Error{}"
_EMPTY_PHRASES = frozenset(
    {
        "Request fulfilled, document follows",
        "Document created, URL follows",
        "Request fulfilled, nothing follows",
        "Stream Response",
    }
)
_HEADINGS = re.compile(r"^(Args|Raises|Returns|Attributes):$", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): ", re.MULTILINE)


def describe(router: Router, dependencies: Mapping[str, Provide]) -> Json:
    """The description of these routes.

    Args:
        router: The routes.
        dependencies: What they are given beside what the request says.
    """
    config = OpenAPIConfig(title="Weft", version=__version__, description=DESCRIPTION)
    app = Litestar([router], dependencies=dict(dependencies), openapi_config=config, logging_config=None)
    document: Json = msgspec.to_builtins(app.openapi_schema.to_schema())
    schemas: Json = document.setdefault("components", {}).setdefault("schemas", {})
    structs = {each.__name__: each for each in _structs(msgspec.Struct)}
    for name, schema in schemas.items():
        _explain_schema(schema, structs.get(re.sub(r"_.*", "", name)))
    for struct in (Problem, LiveBatch):
        _add_schemas(schemas, struct)
    document["components"]["responses"] = {
        _ANSWER.format(status): _error(text)
        for status, text in (*ERRORS.items(), ("default", "Another error."))
    }
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token."}
    }
    document["security"] = [{"token": []}, {}]
    declared = {str(each.operation_id): each.opt for each in _operations(app) if "role" in each.opt}
    for path, item in document["paths"].items():
        for operation in item.values():
            _complete(path, operation, declared[operation["operationId"]])
    document["servers"] = [{"url": "/"}]
    complete: Json = _sorted(_renamed(document))
    return complete


def _operations(app: Litestar) -> Iterator[HTTPRouteHandler]:
    for route in app.routes:
        yield from getattr(route, "route_handlers", ())


def _complete(path: str, operation: Json, declared: Mapping[str, Any]) -> None:
    """Errors, headers and roles of one operation."""
    name = operation["operationId"]
    operation["x-weft-role"] = str(declared["role"])
    operation.pop("deprecated", None)
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        _tidy_parameter(parameter)
    names = {each["name"] for each in parameters}
    body = operation.get("requestBody")
    if "takes" in declared:
        operation["requestBody"] = {
            "required": True,
            "content": {declared["takes"]: {"schema": {"type": "string"}}},
        }
        body = operation["requestBody"]
    if "gives" in declared:
        content = {declared["gives"]: {"schema": {"type": "string", "format": "binary"}}}
        operation["responses"]["200"]["content"] = content
    statuses = set(_ALWAYS)
    statuses |= {404} if "{" in path else set()
    statuses |= {413, 415} if body else set()
    statuses |= {409} if name.split("_")[0] not in ("list", "show", "read", "search", "explain") else set()
    statuses |= {412, 428} if "If-Match" in names else set()
    statuses |= {429} if name.startswith("follow") else set()
    answers: Json = operation["responses"]
    for answer in answers.values():
        if answer["description"] in _EMPTY_PHRASES:
            answer["description"] = operation["summary"] + "."
        answer.setdefault("headers", {})["X-Request-ID"] = _header("The request's id, as in the logs.")
    if name.split("_")[-1] in ("pool", "variable", "connection", "secret") and "200" in answers:
        answers["200"]["headers"]["ETag"] = _header("The revision, for `If-Match`.")
    for status in (*sorted(statuses), "default"):
        answers[str(status)] = {"$ref": f"#/components/responses/{_ANSWER.format(status)}"}


def _error(text: str) -> Json:
    return {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "headers": {"X-Request-ID": _header("The request's id, as in the logs.")},
    }


def _header(text: str) -> Json:
    return {"description": text, "schema": {"type": "string"}}


def _tidy_parameter(parameter: Json) -> None:
    """Leave out what says nothing, and bounds as floats; an optional one is absent, never null."""
    for name in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(name, None)
    schema = parameter["schema"]
    schema.pop("description", None)
    variants = [each for each in schema.pop("oneOf", []) if each != {"type": "null"}]
    for each in variants:
        schema.update(each)
    if schema.get("default", "") is None:
        del schema["default"]
    for name in ("minimum", "maximum"):
        if name in schema:
            schema[name] = int(schema[name])


def _explain_schema(schema: Json, struct: type[msgspec.Struct] | None) -> None:
    """A struct's docstring as descriptions; unknown fields refused where the struct refuses them."""
    schema.pop("title", None)
    if struct is None:
        return
    text = inspect.getdoc(struct) or ""
    schema["description"] = " ".join(_HEADINGS.split(text)[0].split())
    fields = {field.encode_name for field in msgspec.structs.fields(struct)}
    told: dict[str, str] = {}
    for each in reversed(struct.__mro__):
        told |= _attributes(each.__doc__ or "")
    for name, property_schema in schema.get("properties", {}).items():
        if name in told and name in fields:
            _describe_property(schema["properties"], name, property_schema, told[name])
    if struct.__struct_config__.forbid_unknown_fields:
        schema["additionalProperties"] = False


def _describe_property(properties: Json, name: str, schema: Json, text: str) -> None:
    schema.pop("title", None)
    if "$ref" in schema:
        properties[name] = {"allOf": [schema], "description": text}
    else:
        schema["description"] = text


def _attributes(docstring: str) -> dict[str, str]:
    """What a docstring says of each attribute."""
    _, _, rest = inspect.cleandoc(docstring).partition("Attributes:\n")
    section = rest.split("\n\n")[0]
    parts = _ATTRIBUTE.split(section)[1:]
    found = {}
    for names, text in zip(parts[::2], parts[1::2], strict=True):
        for name in names.split(", "):
            found[name] = " ".join(text.split()).replace("``", "`")
    return found


def _add_schemas(schemas: Json, struct: type[msgspec.Struct]) -> None:
    """Add a struct that no route returns by its type, and the structs that it holds."""
    _, components = msgspec.json.schema_components([struct], ref_template="#/components/schemas/{name}")
    structs = {each.__name__: each for each in _structs(msgspec.Struct)}
    for name, schema in components.items():
        if name not in schemas:
            _explain_schema(schema, structs.get(name))
            schemas[name] = schema


def _renamed(document: Json) -> Json:
    """The same, with generic structs named for what they hold: a page of ``RunView`` is ``RunViewPage``."""
    text = msgspec.json.encode(document).decode()
    text = re.sub(r"Page_(?:\w+\.)*(\w+?)_(?=\W)", r"\1Page", text)
    renamed: Json = msgspec.json.decode(text)
    return renamed


def _structs(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in base.__subclasses__():
        if each.__module__.startswith("weft.server"):
            yield each
        yield from _structs(each)


def _sorted(value: Any) -> Any:
    """The same with paths, schemas and statuses in one order on every machine."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    return value
