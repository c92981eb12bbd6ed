"""``weft runs diff``: what differs between two runs."""

from typing import Any

from weft.cli.outcome import work
from weft.cli.output import emit, value_of
from weft.cli.reading import Home
from weft.cli.style import table
from weft.model.rows import RunRow, TaskRow
from weft.model.values import Result
from weft.observability.terminal import duration

_FACTOR = 1.5
_FLOOR_S = 0.1


def compare(opened: Home, first: RunRow, second: RunRow, *, json: bool) -> int:
    """Print the differences; 0 if there are none that matter (times do not)."""
    found: list[dict[str, Any]] = []

    def note(what: str, key: str, one: Any, other: Any) -> None:
        found.append({"what": what, "key": key, "first": one, "second": other})

    for name in ("workflow", "version", "state"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            note(name, "", str(one), str(other))
    for name in sorted({*first.params, *second.params}):
        pair = first.params.get(name), second.params.get(name)
        if not _same(opened, *pair):
            note("parameter", name, *(_value(opened, each) for each in pair))
    if not _same(opened, first.result, second.result):
        note("result", "", _value(opened, first.result), _value(opened, second.result))
    here = {task.key: task for task in work(opened.store, first.run)}
    there = {task.key: task for task in work(opened.store, second.run)}
    for key in dict.fromkeys((*here, *there)):
        _compare_tasks(opened, key, here.get(key), there.get(key), note)
    differs = [each for each in found if each["what"] != "time"]
    if json:
        emit({"first": first.uid, "second": second.uid, "same": not differs, "differences": found})
    elif not found:
        print("no difference")
    else:
        rows = [(each["what"], each["key"], _cell(each["first"]), _cell(each["second"])) for each in found]
        table(rows, ("WHAT", "OF", first.uid, second.uid), cut=40)
    return 1 if differs else 0


def _compare_tasks(opened: Home, key: str, one: TaskRow | None, other: TaskRow | None, note: Any) -> None:
    if one is None or other is None:
        note("task", key, one and str(one.state), other and str(other.state))
        return
    if one.state != other.state:
        note("state", key, str(one.state), str(other.state))
    if not _same(opened, one.result, other.result):
        note("result", key, _value(opened, one.result), _value(opened, other.result))
    spans = _span(one), _span(other)
    if None not in spans:
        short, long = sorted(each or 0.0 for each in spans)
        if long > max(short * _FACTOR, short + _FLOOR_S):
            note("time", key, *(duration(each) for each in spans))


def _span(task: TaskRow) -> float | None:
    if task.started_at is None or task.ended_at is None:
        return None
    return task.ended_at - task.started_at


def _same(opened: Home, one: Result | None, other: Result | None) -> bool:
    """Whether two values are equal, by their bytes: nothing is opened."""
    if one is None or other is None:
        return one is other
    return opened.artifacts.fingerprint(one) == opened.artifacts.fingerprint(other)


def _value(opened: Home, result: Result | None) -> Any:
    return value_of(result, opened.artifacts)


def _cell(value: Any) -> str:
    if isinstance(value, dict) and "preview" in value:
        return str(value["preview"])
    return "-" if value is None else str(value)
