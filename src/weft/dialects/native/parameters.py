"""A workflow's parameters: what its signature takes, checked before anything runs.

Annotations are read once; one that cannot be resolved counts as none. Values are checked and converted with
msgspec (``"2026-01-01"`` becomes a ``date``), pydantic models with pydantic. Without an annotation a value
passes as it is.
"""

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from weft.artifacts.conversion import converted
from weft.model.errors import InvalidWorkflow, MissingParameter, UnknownParameter, WrongParameterType

_EMPTY = inspect.Parameter.empty
_KEYWORD_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Parameters:
    """The parameters of one workflow.

    Args:
        fn: Its function.
        name: The workflow's name, for messages.
    """

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.name = name
        self.signature = inspect.signature(fn)
        hints = _hints(fn)
        self.types: dict[str, Any] = {}
        for each in self.signature.parameters.values():
            if each.kind not in _KEYWORD_KINDS:
                raise InvalidWorkflow(
                    f"{name} takes {each}, but a workflow's parameters have names",
                    where=_where(fn),
                    hint="write each parameter out",
                )
            self.types[each.name] = hints.get(each.name, Any)

    def __iter__(self) -> typing.Iterator[inspect.Parameter]:
        return iter(self.signature.parameters.values())

    def bind(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, convert: bool = True
    ) -> dict[str, Any]:
        """Values by name, with defaults filled in, checked and converted (or left as they are).

        Raises:
            UnknownParameter, MissingParameter, WrongParameterType: See the message.
        """
        names = list(self.signature.parameters)
        if len(args) > len(names):
            raise UnknownParameter(
                f"{self.name} takes {len(names)} parameters, and {len(args)} were given", hint=self.usage()
            )
        given: dict[str, Any] = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in self.types:
                near = difflib.get_close_matches(name, names, n=1)
                raise UnknownParameter(
                    f"{self.name} has no parameter {name!r}",
                    hint=f"did you mean {near[0]!r}?" if near else self.usage(),
                    parameter=name,
                )
            if name in given:
                raise UnknownParameter(f"{self.name} got {name!r} twice", parameter=name)
            given[name] = value
        bound: dict[str, Any] = {}
        for each in self:
            if each.name in given:
                value = given[each.name]
                bound[each.name] = self.convert(each.name, value) if convert else value
            elif each.default is not _EMPTY:
                bound[each.name] = each.default
            else:
                raise MissingParameter(
                    f"{self.name} needs a value for {each.name!r}", hint=self.usage(), parameter=each.name
                )
        return bound

    def convert(self, name: str, value: Any) -> Any:
        """The value as its annotation wants it."""
        wanted = self.types[name]
        try:
            return converted(value, wanted)
        except msgspec.ValidationError as exc:
            raise self._wrong(name, wanted, value, str(exc)) from exc

    def parse(self, name: str, text: str) -> Any:
        """A value from a command line: JSON if it is, else the text itself; then converted."""
        if name not in self.types:
            return text
        wanted = self.types[name]
        if wanted is str:
            return text
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
        return self.convert(name, value)

    def schema(self, name: str) -> dict[str, Any]:
        """JSON Schema of a parameter; empty where there is none to tell."""
        wanted = self.types[name]
        if wanted is Any:
            return {}
        try:
            if hasattr(wanted, "model_json_schema"):
                schema: dict[str, Any] = wanted.model_json_schema()
                return schema
            return msgspec.json.schema(wanted)
        except (TypeError, RuntimeError, ValueError):
            return {}

    def usage(self) -> str:
        """The signature, for hints."""
        return f"it takes {self.name}{self.signature}"

    def _wrong(self, name: str, wanted: Any, value: Any, why: str) -> WrongParameterType:
        shown = getattr(wanted, "__name__", str(wanted))
        return WrongParameterType(
            f"{self.name}: {name!r} must be {shown}, and {value!r:.80} is not: {why}",
            hint=self.usage(),
            parameter=name,
        )


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except Exception:
        pass  # One of them names what is not there: the others still count.
    found: dict[str, Any] = {}
    names = getattr(inspect.unwrap(fn), "__globals__", {})
    for name, hint in getattr(fn, "__annotations__", {}).items():
        alone = types.SimpleNamespace(__annotations__={name: hint})
        try:
            found |= typing.get_type_hints(alone, names, include_extras=True)
        except Exception:
            continue
    return found


def _where(fn: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""
