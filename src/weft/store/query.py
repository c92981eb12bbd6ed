"""The small query language that the command line, the API and the UI share to pick runs and task runs.

A query is terms separated by blanks; all of them must hold::

    state:failed,lost workflow:etl* key:"a b" tag:prod started>2026-01-01T00:00Z ended<-2h -error:Timeout

- ``field:value`` (or ``=``): equal. ``a,b`` is either. ``*`` stands for any text, unless it is quoted.
- ``field>value`` and ``>=  <  <=`` compare numbers and times.
- ``-`` before a term negates it: what has no such field at all matches the negated term.
- A time is ISO 8601 (UTC unless it says otherwise), Unix seconds, ``now``, or a distance from now in
  ``s m h d w``: ``-2h``. ``since:1d`` is short for "at most a day ago".
- ``error:text`` looks for the text anywhere in the error's type, message or code, whatever the case of ASCII
  letters.

One parse, two readers: ``to_sql`` compiles to a parameterised condition and ``predicate`` to a function of a
row, for the store that has no SQL. A conformance test holds the two equal. The clock is an argument.
"""

import difflib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, StrEnum
from operator import attrgetter, ge, gt, le, lt
from typing import Any

import msgspec

from weft.model.errors import ErrorInfo, UsageError
from weft.model.rows import RunRow, TaskRow
from weft.model.states import RunState, TaskState

MAX_LENGTH = 4096
"""Longest query, in characters."""

MAX_VALUES = 200
"""Most values in a query. SQLite bounds the depth of an expression, and each value is up to three levels."""

Predicate = Callable[[Any], bool]


class Kind(Enum):
    """What values a field takes."""

    STATE = "state"
    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    SINCE = "since"
    TAGS = "tags"
    ERROR = "error"


class Field(msgspec.Struct, frozen=True):
    """A word of the language: its kind, and the column (and attribute) that it reads."""

    kind: Kind
    column: str


class Target(msgspec.Struct, frozen=True):
    """What is picked: the fields of a row type, and the states it can have."""

    noun: str
    fields: dict[str, Field]
    states: type[StrEnum]


RUNS = Target(
    "runs",
    {
        "state": Field(Kind.STATE, "state"),
        "id": Field(Kind.TEXT, "uid"),
        "workflow": Field(Kind.TEXT, "workflow"),
        "dialect": Field(Kind.TEXT, "dialect"),
        "project": Field(Kind.TEXT, "project"),
        "key": Field(Kind.TEXT, "key"),
        "parent": Field(Kind.TEXT, "parent_run"),
        "tag": Field(Kind.TAGS, "tags"),
        "version": Field(Kind.NUMBER, "version"),
        "created": Field(Kind.TIME, "created_at"),
        "started": Field(Kind.TIME, "started_at"),
        "ended": Field(Kind.TIME, "ended_at"),
        "since": Field(Kind.SINCE, "created_at"),
        "error": Field(Kind.ERROR, "error"),
    },
    RunState,
)
TASKS = Target(
    "task runs",
    {
        "state": Field(Kind.STATE, "state"),
        "key": Field(Kind.TEXT, "key"),
        "name": Field(Kind.TEXT, "name"),
        "kind": Field(Kind.TEXT, "kind"),
        "cause": Field(Kind.TEXT, "cause"),
        "worker": Field(Kind.TEXT, "worker"),
        "attempt": Field(Kind.NUMBER, "attempt"),
        "failures": Field(Kind.NUMBER, "failures"),
        "generation": Field(Kind.NUMBER, "generation"),
        "index": Field(Kind.NUMBER, "map_index"),
        "added": Field(Kind.TIME, "first_at"),
        "changed": Field(Kind.TIME, "changed_at"),
        "started": Field(Kind.TIME, "started_at"),
        "ended": Field(Kind.TIME, "ended_at"),
        "since": Field(Kind.SINCE, "changed_at"),
        "error": Field(Kind.ERROR, "error"),
    },
    TaskState,
)


class Pattern(msgspec.Struct, frozen=True):
    """Text with wildcards: the literal pieces between its stars. A single piece is matched whole."""

    pieces: tuple[str, ...]


class Term(msgspec.Struct, frozen=True):
    """One condition. ``op`` is ``:`` (any of ``values``) or one of ``> >= < <=`` (the only value)."""

    field: str
    op: str
    values: tuple[Pattern | float, ...]
    negated: bool = False


_HEAD = re.compile(r"(-?)([A-Za-z_]+)(>=|<=|[:=<>])")
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s,"]+)', re.DOTALL)
_BLANKS = re.compile(r"\s*")
_SPAN = re.compile(r"([+-]?)(\d{1,9})([smhdw])")
_UNIX = re.compile(r"\d{9,11}(\.\d{1,9})?")
_NUMBER = re.compile(r"-?\d{1,15}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
ERROR_PARTS = ("type", "message", "code")


def parse(text: str, target: Target, *, now: float) -> tuple[Term, ...]:
    """Read a query.

    Args:
        text: The query; empty picks everything.
        target: ``RUNS`` or ``TASKS``.
        now: Unix seconds that relative times count from.

    Raises:
        UsageError: With the position of what is wrong and what would be right.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(
            f"the query is longer than {MAX_LENGTH} characters", where="query", position=MAX_LENGTH
        )
    terms = []
    values = 0
    at = _skip_blanks(text, 0)
    while at < len(text):
        term, at = _term(text, at, target, now)
        terms.append(term)
        values += len(term.values)
        if values > MAX_VALUES:
            raise _wrong(f"the query has more than {MAX_VALUES} values", text, at, "ask in several queries")
        at = _skip_blanks(text, at)
    return tuple(terms)


def to_sql(terms: tuple[Term, ...], target: Target) -> tuple[str, tuple[str | float, ...]]:
    """A condition for ``WHERE`` with ``?`` holes, and what fills them. No text of the query is in the SQL."""
    conditions: list[str] = []
    values: list[str | float] = []
    for term in terms:
        condition = _condition(term, target.fields[term.field], values)
        conditions.append(f"({condition}) IS NOT TRUE" if term.negated else f"({condition})")
    return " AND ".join(conditions) or "TRUE", tuple(values)


def predicate(terms: tuple[Term, ...], target: Target) -> Callable[[RunRow | TaskRow], bool]:
    """The same condition as a function of a row."""
    tests = [_test(term, target.fields[term.field]) for term in terms]

    def holds(row: RunRow | TaskRow) -> bool:
        return all(test(row) for test in tests)

    return holds


def _term(text: str, start: int, target: Target, now: float) -> tuple[Term, int]:
    """One term and where it ends."""
    head = _HEAD.match(text, start)
    if head is None:
        word = text[start:].split(maxsplit=1)[0]
        raise _wrong(f"{word!r} is not a term", text, start, "write field:value, such as state:failed")
    negated, name, op = bool(head[1]), head[2].lower(), ":" if head[3] == "=" else head[3]
    field = target.fields.get(name)
    if field is None:
        raise _unknown("field", name, list(target.fields), text, head.start(2), f" of {target.noun}")
    values, end = _values(text, head.end())
    if op != ":" and field.kind not in (Kind.NUMBER, Kind.TIME):
        raise _wrong(f"{name} cannot be compared with {op}", text, head.start(3), f"write {name}:value")
    if op == ":" and field.kind is Kind.TIME:
        hint = f"write {name}>2026-01-01 or {name}<-2h"
        raise _wrong(f"{name} is a time and is compared with > or <", text, head.start(3), hint)
    if len(values) > 1 and (op != ":" or field.kind is Kind.SINCE):
        raise _wrong(f"{name}{op} takes one value", text, values[1][2], f"give {name} again for each")
    read = tuple(_read(field.kind, value, quoted, target, now, text, at) for value, quoted, at in values)
    return Term(name, op, read, negated), end


def _values(text: str, at: int) -> tuple[list[tuple[str, bool, int]], int]:
    """The values at ``at``: each with whether it was quoted and where it stands; and where they end."""
    values = []
    while True:
        found = _VALUE.match(text, at)
        if found is None:
            unclosed = text[at : at + 1] == '"'
            what = "a quoted value is not closed" if unclosed else "a value is missing"
            raise _wrong(what, text, at, 'end it with "' if unclosed else 'the empty text is ""')
        quoted = found[1] is not None
        value = re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) if quoted else found[2]
        values.append((value, quoted, at))
        at = found.end()
        if text[at : at + 1] != ",":
            break
        at += 1
    if at < len(text) and not text[at].isspace():
        raise _wrong("a value ends here, but no blank follows", text, at, "quote the whole value")
    return values, at


def _read(
    kind: Kind, value: str, quoted: bool, target: Target, now: float, text: str, at: int
) -> Pattern | float:
    """A value as its field's kind wants it."""
    if kind is Kind.STATE:
        states = [state.value for state in target.states]
        if value not in states:
            raise _unknown("state", value, states, text, at, "")
        return Pattern((value,))
    if kind is Kind.NUMBER:
        if _NUMBER.fullmatch(value) is None:
            raise _wrong(f"{value!r} is not a whole number", text, at, "such as 3")
        return int(value)
    if kind in (Kind.TIME, Kind.SINCE):
        return _time(value, kind is Kind.SINCE, now, text, at)
    return Pattern((value,) if quoted else tuple(value.split("*")))


def _time(value: str, since: bool, now: float, text: str, at: int) -> float:
    """A moment in Unix seconds. Without a sign only ``since`` takes a distance, and means the past."""
    if value == "now":
        return now
    span = _SPAN.fullmatch(value)
    if span is not None and (span[1] or since):
        seconds = int(span[2]) * _SECONDS[span[3]]
        return now + seconds if span[1] == "+" else now - seconds
    if _UNIX.fullmatch(value):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        hint = "such as 2026-01-31, 2026-01-31T06:00Z, -2h (two hours ago) or now"
        raise _wrong(f"{value!r} is not a time", text, at, hint) from None


def _condition(term: Term, field: Field, values: list[str | float]) -> str:
    """A term in SQL; its values are appended to ``values`` in the order of their holes."""
    column = field.column
    if field.kind is Kind.SINCE or term.op != ":":
        values.extend(value for value in term.values if not isinstance(value, Pattern))
        return f"{column} {'>=' if field.kind is Kind.SINCE else term.op} ?"
    alternatives = []
    for value in term.values:
        if not isinstance(value, Pattern):
            values.append(value)
            alternatives.append(f"{column} = ?")
        elif field.kind is Kind.TAGS:
            condition = _text_condition("value", value, values)
            alternatives.append(f"EXISTS (SELECT 1 FROM json_each({column}) WHERE {condition})")
        elif field.kind is Kind.ERROR:
            within = "*" + _glob(value).translate(ASCII_LOWER) + "*"
            for part in ERROR_PARTS:
                values.append(within)
                alternatives.append(f"lower(json_extract({column}, '$.{part}')) GLOB ?")
        else:
            alternatives.append(_text_condition(column, value, values))
    return " OR ".join(alternatives)


def _text_condition(column: str, pattern: Pattern, values: list[str | float]) -> str:
    if len(pattern.pieces) == 1:
        values.append(pattern.pieces[0])
        return f"{column} = ?"
    values.append(_glob(pattern))
    return f"{column} GLOB ?"


def _glob(pattern: Pattern) -> str:
    """The pattern for ``GLOB``, in which only our stars are special: keys are full of brackets."""
    return "*".join(re.sub(r"([*?\[])", r"[\1]", piece) for piece in pattern.pieces)


def _test(term: Term, field: Field) -> Predicate:
    """A term as a function of a row."""
    holds = _positive_test(term, field)
    if not term.negated:
        return holds
    return lambda row: not holds(row)


def _positive_test(term: Term, field: Field) -> Predicate:
    read = attrgetter(field.column)
    if field.kind is Kind.SINCE or term.op != ":":
        compare: Callable[[Any, Any], bool] = _COMPARE.get(term.op, ge)
        bound = term.values[0]
        return lambda row: (value := read(row)) is not None and compare(value, bound)
    if field.kind is Kind.NUMBER:
        numbers = frozenset(term.values)
        return lambda row: read(row) in numbers
    patterns = [value for value in term.values if isinstance(value, Pattern)]
    if field.kind is Kind.ERROR:
        finders = [re.compile(_regex(each).translate(ASCII_LOWER), re.DOTALL) for each in patterns]
        return lambda row: any(finder.search(part) for part in _error_parts(read(row)) for finder in finders)
    matchers = [re.compile(_regex(each), re.DOTALL) for each in patterns]
    if field.kind is Kind.TAGS:
        return lambda row: any(matcher.fullmatch(tag) for tag in read(row) for matcher in matchers)
    return lambda row: (value := read(row)) is not None and any(each.fullmatch(value) for each in matchers)


def _regex(pattern: Pattern) -> str:
    return ".*".join(re.escape(piece) for piece in pattern.pieces)


def _error_parts(error: ErrorInfo | None) -> list[str]:
    """The texts that ``error:`` looks into. Defaults are not stored, so an empty part does not exist."""
    if error is None:
        return []
    parts = [error.type, error.message, error.code]
    return [part.translate(ASCII_LOWER) for number, part in enumerate(parts) if part or number == 0]


def _skip_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _wrong(what: str, text: str, position: int, hint: str) -> UsageError:
    where = f"query, position {position + 1}: {text[:position]}»{text[position : position + 40]}"
    return UsageError(what, where=where, hint=hint, position=position)


def _unknown(noun: str, word: str, known: list[str], text: str, position: int, of: str) -> UsageError:
    close = difflib.get_close_matches(word, known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return _wrong(f"unknown {noun} {word!r}", text, position, f"{meant}known {noun}s{of}: {', '.join(known)}")
