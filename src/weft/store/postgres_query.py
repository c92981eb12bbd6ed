"""Queries of the small language (``query.py``) as conditions of PostgreSQL: the third reader of one parse."""

import re

from weft.store.query import ASCII_LOWER, ERROR_PARTS, Field, Kind, Pattern, Target, Term

_LITERAL = re.compile(r"([\\%_])")

_READABLE = r"replace(replace({}, '\u001a', '\u001a\u001c'), '\u0000', '\u001a\u001b')::json"
"""JSON text whose strings can be taken out of it: see ``postgres_text.py``."""


def to_sql(terms: tuple[Term, ...], target: Target, *, first: int) -> tuple[str, tuple[str | float, ...]]:
    """A condition for ``WHERE`` with holes from ``$first`` on, and what fills them."""
    conditions: list[str] = []
    holes = _Holes(first)
    for term in terms:
        condition = _condition(term, target.fields[term.field], holes)
        conditions.append(f"({condition}) IS NOT TRUE" if term.negated else f"({condition})")
    return " AND ".join(conditions) or "TRUE", tuple(holes.values)


class _Holes:
    """The values so far, each known by its number."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.values: list[str | float] = []

    def fill(self, value: str | float) -> str:
        self.values.append(value)
        return f"${self._first + len(self.values) - 1}"


def _condition(term: Term, field: Field, holes: _Holes) -> str:
    column = field.column
    if field.kind is Kind.SINCE or term.op != ":":
        (value,) = (value for value in term.values if not isinstance(value, Pattern))
        return f"{column} {'>=' if field.kind is Kind.SINCE else term.op} {holes.fill(value)}"
    return " OR ".join(_alternative(field, column, value, holes) for value in term.values)


def _alternative(field: Field, column: str, value: Pattern | float, holes: _Holes) -> str:
    if not isinstance(value, Pattern):
        return f"{column} = {holes.fill(value)}"
    if field.kind is Kind.TAGS:
        tags = f"json_array_elements_text({_READABLE.format(column)}) AS tag (value)"
        return f"EXISTS (SELECT 1 FROM {tags} WHERE {_matches('value', value, holes)})"
    if field.kind is Kind.ERROR:
        hole = holes.fill("%" + _like(value).translate(ASCII_LOWER) + "%")
        error = _READABLE.format(column)
        return " OR ".join(f"lower(({error} ->> '{part}') COLLATE \"C\") LIKE {hole}" for part in ERROR_PARTS)
    return _matches(column, value, holes)


def _matches(column: str, pattern: Pattern, holes: _Holes) -> str:
    if len(pattern.pieces) == 1:
        return f"{column} = {holes.fill(pattern.pieces[0])}"
    return f"{column} LIKE {holes.fill(_like(pattern))}"


def _like(pattern: Pattern) -> str:
    """The pattern for ``LIKE``, in which only our stars are special."""
    return "%".join(_LITERAL.sub(r"\\\1", piece) for piece in pattern.pieces)
