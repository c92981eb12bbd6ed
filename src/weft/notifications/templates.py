"""Texts with holes: the part of Mustache (https://mustache.github.io/mustache.5.html) that holds no logic.

- ``{{name}}`` and ``{{error.message}}`` put in a value; a name that is not known puts in nothing.
- ``{{#name}}...{{/name}}`` shows what is between if the value is neither empty nor false, once for each
  item of a list. ``{{^name}}...{{/name}}`` shows it if there is none. ``{{.}}`` is the item itself.
- ``{{! a comment }}`` shows nothing.

Values are escaped for where the text goes, so that no error message can break out of a JSON body, a page or
a header. A template can reach nothing but the plain data that it is given, and takes time in proportion to
the text and that data: no sandbox is needed, because there is no code.
"""

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from weft.model.errors import InvalidTemplate

SIZE_MAX = 256 * 1024
"""Characters of a rendered text; what is beyond is cut."""

DEPTH_MAX = 20
"""Sections inside each other."""

_TAG = re.compile(r"\{\{(?:!(?P<comment>.*?)|\s*(?P<sign>[#^/]?)\s*(?P<name>[\w.\-]+)\s*)\}\}", re.DOTALL)

Escape = Callable[[str], str]


class Hole(msgspec.Struct, frozen=True):
    """A value's place."""

    name: str


class Section(msgspec.Struct, frozen=True):
    """What is shown for a value, or (``inverted``) for none."""

    name: str
    inverted: bool
    parts: tuple["Part", ...]


Part = str | Hole | Section


def plain(text: str) -> str:
    """For plain text: as it is."""
    return text


def line(text: str) -> str:
    """For subjects and headers: one line, no control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def in_html(text: str) -> str:
    """For HTML, also inside attributes."""
    return html.escape(text)


def in_json(text: str) -> str:
    """For the inside of a JSON string."""
    return json.dumps(text)[1:-1]


@lru_cache(maxsize=512)
def parse(text: str) -> tuple[Part, ...]:
    """Read a template.

    Raises:
        InvalidTemplate: A hole is not closed or makes no sense, or sections are not nested.
    """
    stack: list[tuple[str, bool, list[Part]]] = [("", False, [])]
    at = 0
    while (start := text.find("{{", at)) >= 0:
        found = _TAG.match(text, start)
        if found is None:
            raise _wrong(f"'{{{{{text[start + 2 : start + 22]}' is no hole", text, start)
        if start > at:
            stack[-1][2].append(text[at:start])
        at = found.end()
        if found["comment"] is not None:
            continue
        sign, name = found["sign"], found["name"]
        if not sign:
            stack[-1][2].append(Hole(name))
        elif sign != "/":
            if len(stack) > DEPTH_MAX:
                raise _wrong(f"sections are nested deeper than {DEPTH_MAX}", text, start)
            stack.append((name, sign == "^", []))
        else:
            opened, inverted, parts = stack.pop()
            if not stack or opened != name:
                raise _wrong(f"'{{{{/{name}}}}}' closes nothing that is open", text, start)
            stack[-1][2].append(Section(opened, inverted, tuple(parts)))
    if len(stack) > 1:
        raise _wrong(f"'{{{{#{stack[-1][0]}}}}}' is never closed", text, len(text))
    stack[0][2].append(text[at:])
    return tuple(stack[0][2])


def render(text: str, context: Mapping[str, Any], escape: Escape = plain) -> str:
    """Fill a template's holes.

    Args:
        text: The template.
        context: Plain data by name: texts, numbers, lists and mappings.
        escape: For where the result goes.

    Raises:
        InvalidTemplate: As ``parse``.
    """
    out: list[str] = []
    _render(parse(text), [context], escape, out, [SIZE_MAX])
    return "".join(out)


def fill(value: Any, context: Mapping[str, Any]) -> Any:
    """The same for every text in plain data. A text that is a single hole gives the value itself."""
    if isinstance(value, str):
        parts = [part for part in parse(value) if part != ""]
        if len(parts) == 1 and isinstance(parts[0], Hole):
            return _look_up(parts[0].name, [context])
        return render(value, context)
    if isinstance(value, dict):
        return {key: fill(each, context) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [fill(each, context) for each in value]
    return value


def _render(parts: Sequence[Part], stack: list[Any], escape: Escape, out: list[str], left: list[int]) -> None:
    for part in parts:
        if left[0] <= 0:
            return
        if isinstance(part, Section):
            value = _look_up(part.name, stack)
            if part.inverted:
                if not value:
                    _render(part.parts, stack, escape, out, left)
            elif value:
                for item in value if isinstance(value, list | tuple) else (value,):
                    left[0] -= 1  # An empty section in an empty section takes time too.
                    _render(part.parts, [*stack, item], escape, out, left)
            continue
        text = part if isinstance(part, str) else escape(_text(_look_up(part.name, stack)))
        out.append(text[: left[0]])
        left[0] -= len(text)


def _look_up(name: str, stack: Sequence[Any]) -> Any:
    if name == ".":
        return stack[-1]
    first, *rest = name.split(".")
    for scope in reversed(stack):
        if isinstance(scope, Mapping) and first in scope:
            value = scope[first]
            for step in rest:
                value = value.get(step) if isinstance(value, Mapping) else None
            return value
    return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(value, default=str, ensure_ascii=False)


def _wrong(what: str, text: str, at: int) -> InvalidTemplate:
    row = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return InvalidTemplate(
        f"the template cannot be read: {what}",
        where=f"line {row}, column {column}",
        hint="holes are {{name}}, {{#name}}...{{/name}} and {{^name}}...{{/name}}",
    )
