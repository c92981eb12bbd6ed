"""Checks plain values against a parameter's JSON Schema, in a process that must not import its type.

The schemas come from msgspec and pydantic, so the part of JSON Schema 2020-12 that those write is what is
checked; a keyword that is not known here is left to the type itself, which the worker has. ``format`` too:
the conversion to the type finds what is no date.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from weft.model.errors import WrongParameterType

_DEPTH_MAX = 100


def check(parameter: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Refuse a value that does not fit.

    Args:
        parameter: Its name, for the error.
        value: Plain data.
        schema: What it must be like.

    Raises:
        WrongParameterType: It does not fit; the error names the place in it.
    """
    found = _Checker(schema).problem(value, schema, parameter, 0)
    if found is not None:
        where, what = found
        raise WrongParameterType(f"{where!r} {what}", parameter=parameter, at=where)


_Found = tuple[str, str] | None


class _Checker:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def problem(self, value: Any, schema: Any, at: str, depth: int) -> _Found:
        """Where the value does not fit, and why; ``None`` if it does."""
        if schema is True or not schema:
            return None
        if schema is False or depth > _DEPTH_MAX:
            return at, "must not be there" if schema is False else "is nested too deeply"
        if "$ref" in schema:
            found = self.problem(value, self._resolve(schema["$ref"]), at, depth + 1)
            if found is not None:
                return found
        for check in (self._kind, self._choice, self._number, self._text, self._items, self._fields):
            found = check(value, schema, at, depth)
            if found is not None:
                return found
        return None

    def _resolve(self, ref: str) -> Any:
        found: Any = self._root
        for part in ref.removeprefix("#/").split("/"):
            found = (
                found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
            )
        return found

    def _kind(self, value: Any, schema: Mapping[str, Any], at: str, depth: int) -> _Found:
        wanted = schema.get("type")
        kinds = [wanted] if isinstance(wanted, str) else wanted or []
        if kinds and not any(_KINDS.get(each, _anything)(value) for each in kinds):
            return (
                at,
                f"must be {' or '.join(_WORDS.get(each, each) for each in kinds)}, and is {_shown(value)}",
            )
        return None

    def _choice(self, value: Any, schema: Mapping[str, Any], at: str, depth: int) -> _Found:
        if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
            return at, f"must be one of {', '.join(map(_shown, schema['enum']))}, and is {_shown(value)}"
        if "const" in schema and not _same(value, schema["const"]):
            return at, f"must be {_shown(schema['const'])}, and is {_shown(value)}"
        for each in schema.get("allOf", ()):
            found = self.problem(value, each, at, depth + 1)
            if found is not None:
                return found
        choices = schema.get("anyOf") or schema.get("oneOf")
        if not choices:
            return None
        misfits = [self.problem(value, each, at, depth + 1) for each in choices]
        if None in misfits:
            return None
        # The choice that got furthest says most: of several, the one whose misfit lies deepest in the value.
        deepest = max((each for each in misfits if each is not None), key=lambda each: len(each[0]))
        if deepest[0] != at:
            return deepest
        whys = dict.fromkeys(
            each[1].partition(", and is")[0].removeprefix("must be ") for each in misfits if each
        )
        return at, f"must be {' or '.join(whys)}, and is {_shown(value)}"

    def _number(self, value: Any, schema: Mapping[str, Any], at: str, depth: int) -> _Found:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        for keyword, (fits, words) in _BOUNDS.items():
            if keyword in schema and not fits(value, schema[keyword]):
                return at, f"must be {words} {schema[keyword]}, and is {value}"
        step = schema.get("multipleOf")
        if step and value % step:
            return at, f"must be a multiple of {step}, and is {value}"
        return None

    def _text(self, value: Any, schema: Mapping[str, Any], at: str, depth: int) -> _Found:
        if not isinstance(value, str):
            return None
        if (found := _length(value, schema, at, "Length", "characters")) is not None:
            return found
        pattern = schema.get("pattern")
        if pattern is not None and not _compiled(pattern).search(value):
            return at, f"must match {pattern!r}, and is {_shown(value)}"
        return None

    def _items(self, value: Any, schema: Mapping[str, Any], at: str, depth: int) -> _Found:
        if not isinstance(value, list | tuple):
            return None
        if (found := _length(value, schema, at, "Items", "items")) is not None:
            return found
        first = schema.get("prefixItems", ())
        rest = schema.get("items", True)
        for number, each in enumerate(value):
            found = self.problem(
                each, first[number] if number < len(first) else rest, f"{at}[{number}]", depth + 1
            )
            if found is not None:
                return found
        return None

    def _fields(self, value: Any, schema: Mapping[str, Any], at: str, depth: int) -> _Found:
        if not isinstance(value, Mapping):
            return None
        for name in schema.get("required", ()):
            if name not in value:
                return at, f"needs {name!r}"
        if (found := _length(value, schema, at, "Properties", "entries")) is not None:
            return found
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        for name, each in value.items():
            if name not in known and others is False:
                return at, f"has no {name!r}: it takes {', '.join(map(repr, known)) or 'nothing'}"
            found = self.problem(each, known.get(name, others), f"{at}.{name}", depth + 1)
            if found is not None:
                return found
        return None


def _length(value: Any, schema: Mapping[str, Any], at: str, what: str, words: str) -> _Found:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is not None and len(value) < least:
        return at, f"must have at least {least} {words}, and has {len(value)}"
    if most is not None and len(value) > most:
        return at, f"must have at most {most} {words}, and has {len(value)}"
    return None


_KINDS: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool)
        and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list | tuple),
    "object": lambda value: isinstance(value, Mapping),
}
_WORDS = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
}
_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (lambda value, bound: value >= bound, "at least"),
    "maximum": (lambda value, bound: value <= bound, "at most"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "more than"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "less than"),
}


def _anything(_value: Any) -> bool:
    return True


def _same(one: Any, other: Any) -> bool:
    """JSON's equality: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _shown(value: Any) -> str:
    return f"{value!r:.60}"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile("")  # Of another dialect of patterns: the type itself will tell.
