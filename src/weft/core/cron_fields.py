"""The text of cron expressions: six fields, each as the numbers and days that it lists.

``core/cron.py`` says what is understood, and finds the times.
"""

import re
from hashlib import blake2b

from weft.model.errors import InvalidSchedule

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Field:
    """What one field may hold.

    Attributes:
        name: For people.
        low, high: Its numbers.
        names: Words for numbers.
        circular: Whether a range may go over the end.
        hash_high: The highest number that ``H`` chooses.
    """

    __slots__ = ("circular", "hash_high", "high", "low", "name", "names")

    def __init__(
        self,
        name: str,
        low: int,
        high: int,
        *,
        names: str = "",
        circular: bool = False,
        hash_high: int | None = None,
    ) -> None:
        self.name = name
        self.low = low
        self.high = high
        self.names = {word: low + at for at, word in enumerate(names.split())}
        self.circular = circular
        self.hash_high = high if hash_high is None else hash_high


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23, circular=True)
DAY = Field("day of month", 1, 31, hash_high=28)
MONTH = Field("month", 1, 12, names="jan feb mar apr may jun jul aug sep oct nov dec", circular=True)
WEEKDAY = Field("day of week", 0, 7, names="sun mon tue wed thu fri sat", circular=True, hash_high=6)

_FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
_WORD = r"\d{1,4}|[a-z]{3}"
_RANGE = re.compile(rf"(?P<first>\*|{_WORD})(?:-(?P<last>{_WORD}))?(?:/(?P<step>\d+))?")
_HASH = re.compile(rf"h(?:\((?P<first>{_WORD})-(?P<last>{_WORD})\))?(?:/(?P<step>\d+))?")
_LAST_DAY = re.compile(r"l(?:-(\d{1,2}))?")
_NEAREST = re.compile(r"(\d{1,2}|l)w|w(\d{1,2}|l)")
_NTH = re.compile(rf"({_WORD})#(\d+)")
_LAST_WEEKDAY = re.compile(rf"({_WORD})l")


class Parsed:
    """A field as written.

    Attributes:
        numbers: What it lists.
        open: Whether it begins with ``*`` or is ``?``.
        from_last: ``L-n``: these numbers of days before the last.
        nearest: ``nW``; 0 is ``LW``.
        nth: ``d#n``: weekday and number.
        last: ``dL``: weekdays.
    """

    __slots__ = ("from_last", "last", "nearest", "nth", "numbers", "open")

    def __init__(self, *, open_: bool) -> None:
        self.numbers: frozenset[int] = frozenset()
        self.open = open_
        self.from_last: list[int] = []
        self.nearest: list[int] = []
        self.nth: list[tuple[int, int]] = []
        self.last: list[int] = []


def parse(expression: str, identity: str) -> list[tuple[int, Parsed]]:
    """The six fields from seconds to weekdays, each with its position in the expression.

    Raises:
        InvalidSchedule: With ``position``, the index of what is wrong.
    """
    return [
        (at, _parse(expression, at, text, field, identity))
        for (at, text), field in zip(_split(expression), _FIELDS, strict=True)
    ]


def _split(expression: str) -> list[tuple[int, str]]:
    """The six fields, each with its position; those of a macro are where the macro is."""
    words = [(found.start(), found[0].lower()) for found in re.finditer(r"\S+", expression)]
    if len(words) == 1 and words[0][1].startswith("@"):
        at, macro = words[0]
        if macro not in MACROS:
            near = "every() or a run by hand" if macro in ("@every", "@reboot") else ", ".join(MACROS)
            raise _wrong(f"there is no {macro}", expression, at, f"use {near}")
        words = [(at, word) for word in MACROS[macro].split()]
    if len(words) == 5:
        words.insert(0, (words[0][0], "0"))
    if len(words) != 6:
        at = words[6][0] if len(words) > 6 else len(expression)
        raise _wrong(
            f"it has {len(words)} field{'s' if len(words) != 1 else ''}, not 5 or 6",
            expression,
            at,
            'write minute hour day month weekday, as in "0 6 * * 1-5"; seconds may come first',
        )
    return words


def _parse(expression: str, at: int, text: str, field: Field, identity: str) -> Parsed:
    """One field."""
    parsed = Parsed(open_=text.startswith("*") or text == "?")
    if text == "?":
        if field not in (DAY, WEEKDAY):
            raise _wrong(f"? stands for no {field.name}", expression, at, "write *")
        text = "*"
    numbers: set[int] = set()
    for part in text.split(","):
        _part(expression, at, part, field, identity, parsed, numbers)
        at += len(part) + 1
    if field is WEEKDAY and 7 in numbers:
        numbers = numbers - {7} | {0}
    parsed.numbers = frozenset(numbers)
    return parsed


def _part(
    expression: str, at: int, part: str, field: Field, identity: str, parsed: Parsed, numbers: set[int]
) -> None:
    """One item of a field's list."""
    if found := _RANGE.fullmatch(part):
        numbers |= _range(expression, at, found, field)
    elif found := _HASH.fullmatch(part):
        numbers |= _hashed(expression, at, found, field, identity)
    elif field is DAY and (found := _LAST_DAY.fullmatch(part)):
        before = int(found[1] or 0)
        if before > 30:
            raise _wrong(f"no month has a day {before} before its last", expression, at, "from L-0 to L-30")
        parsed.from_last.append(before)
    elif field is DAY and (found := _NEAREST.fullmatch(part)):
        day = found[1] or found[2]
        parsed.nearest.append(0 if day == "l" else _number(expression, at, day, field))
    elif field is WEEKDAY and (found := _NTH.fullmatch(part)):
        number = int(found[2])
        if not 1 <= number <= 5:
            raise _wrong(f"no month has a weekday number {number}", expression, at, "from #1 to #5")
        parsed.nth.append((_number(expression, at, found[1], field) % 7, number))
    elif field is WEEKDAY and (found := _LAST_WEEKDAY.fullmatch(part)):
        parsed.last.append(_number(expression, at, found[1], field) % 7)
    else:
        raise _wrong(f"{part!r} is no {field.name}", expression, at, _hint(part, field))


def _range(expression: str, at: int, found: re.Match[str], field: Field) -> set[int]:
    step = _step(expression, at, found, field)
    high = 6 if field is WEEKDAY else field.high
    if found["first"] == "*":
        if found["last"]:
            raise _wrong("* has no end", expression, at, f"write {field.low}-{found['last']} or *")
        return set(range(field.low, high + 1, step))
    first = _number(expression, at, found["first"], field)
    if found["last"] is None:
        # "7/10" goes from 7 to the end, as in Quartz and Jenkins.
        return set(range(first, high + 1, step)) if found["step"] else {first}
    last = _number(expression, at + len(found["first"]) + 1, found["last"], field)
    if last >= first:
        return set(range(first, last + 1, step))
    if not field.circular:
        hint = f"write {found['last']}-{found['first']}, or two ranges"
        raise _wrong(f"the range {found[0]} goes backwards", expression, at, hint)
    size = high - field.low + 1
    return {field.low + (each - field.low) % size for each in range(first, last + size + 1, step)}


def _hashed(expression: str, at: int, found: re.Match[str], field: Field, identity: str) -> set[int]:
    step = _step(expression, at, found, field)
    low, high = field.low, field.hash_high
    if found["first"]:
        low = _number(expression, at + 2, found["first"], field)
        high = _number(expression, at + 3 + len(found["first"]), found["last"], field)
        if high < low:
            raise _wrong(f"the range {low}-{high} goes backwards", expression, at, f"write H({high}-{low})")
    chosen = _hash(f"{field.name}\0{identity}")
    if not found["step"]:
        return {low + chosen % (high - low + 1)}
    if step > high - low + 1:
        raise _wrong(f"the step {step} is longer than {low}-{high}", expression, at, "write H alone")
    return set(range(low + chosen % step, high + 1, step))


def _step(expression: str, at: int, found: re.Match[str], field: Field) -> int:
    step = int(found["step"] or 1)
    if not 1 <= step <= field.high:
        raise _wrong(
            f"the step {step} of the {field.name} is not from 1 to {field.high}",
            expression,
            at + found[0].index("/") + 1,
            "write it as */5",
        )
    return step


def _number(expression: str, at: int, text: str, field: Field) -> int:
    number = int(text) if text.isdecimal() else field.names.get(text)
    if number is None:
        raise _wrong(f"{text!r} is no {field.name}", expression, at, _hint(text, field))
    if not field.low <= number <= field.high:
        raise _wrong(
            f"{number} is no {field.name}", expression, at, f"it goes from {field.low} to {field.high}"
        )
    return number


def _hint(part: str, field: Field) -> str:
    if part == "l" and field is WEEKDAY:
        return "write 5L for the last Friday"
    if part == "":
        return "there is a comma too many"
    if "#" in part or part.endswith("l"):
        return "# and L after a number belong in the day of week: 5#3, 5L"
    if "w" in part and field is not DAY:
        return "W belongs in the day of month: 15W"
    names = f", or {'/'.join(field.names)}" if field.names else ""
    return f"it goes from {field.low} to {field.high}{names}; also a-b, a,b and */n"


def _wrong(what: str, expression: str, at: int, hint: str) -> InvalidSchedule:
    return InvalidSchedule(
        f"{expression!r} is no cron expression: {what}",
        where=f"column {at + 1}",
        hint=hint,
        expression=expression,
        position=at,
    )


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
