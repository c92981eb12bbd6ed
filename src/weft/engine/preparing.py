"""Looks into values for a task run that is about to start: its condition, its map's items, its cache record.

The core cannot, because it never opens a value. What comes back is one ``Prepared`` event, whatever happens.
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import product
from typing import Any

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.items import pack_items
from weft.core.binding import bind, bind_inputs
from weft.core.events import Prepared
from weft.core.state import Task
from weft.model.calls import PythonCall, ShellCall
from weft.model.errors import ErrorInfo, UsageError, WeftError
from weft.model.graph import MapMode, MapSpec, Node
from weft.model.inputs import AllOf, AnyOf, Compare, Condition, Expr, Input, NotOf, When
from weft.model.policies import Cache, CacheScope
from weft.model.values import ARGS, Bound, Packed, Plain, Result
from weft.store.protocol import Store

Evaluator = Callable[[Expr, dict[str, Any]], Any]
"""Evaluates an expression of one language, given the values of its ``refs``."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "in": lambda left, right: left in right,
    "not_in": lambda left, right: left not in right,
    "truthy": lambda left, right: bool(left),
}


class Preparer:
    """Answers ``Prepare`` commands."""

    def __init__(self, store: Store, artifacts: Artifacts, evaluators: Mapping[str, Evaluator]) -> None:
        self._store = store
        self._artifacts = artifacts
        self._evaluators = evaluators

    def prepare(self, task: Task, now: float) -> Prepared:
        """What the core needs to know about a task run before it starts."""
        try:
            return self._prepare(task, now)
        except WeftError as exc:
            error = ErrorInfo(f"weft.{type(exc).__name__}", exc.what, exc.code)
        except Exception as exc:
            error = ErrorInfo(f"{type(exc).__module__}.{type(exc).__qualname__}", str(exc)[:4000], "W1103")
        return Prepared(task.run.id, task.idx, task.generation, error=error)

    def _prepare(self, task: Task, now: float) -> Prepared:
        node = task.node
        run, idx, generation = task.run.id, task.idx, task.generation
        whole_map = node.map is not None and task.kind != "item"
        # A map's condition that reads the item is asked of each item, not of the map.
        here = node.when is not None and not (whole_map and task.traits.prepares_items)
        if here and node.when is not None and not self._holds(node.when, task):
            return Prepared(run, idx, generation, skip=True, reason="its condition is false")
        if whole_map:
            assert node.map is not None
            items = self._items(node.map, task)
            stored = pack_items(items, self._artifacts.blobs)
            return Prepared(run, idx, generation, items=items, items_ref=stored)
        evaluated = {
            name: Plain(self._artifacts.dumps(self._value(source, task), what=f"input {name!r}"))
            for name, source in node.inputs.items()
            if isinstance(source, Expr)
        }
        if node.cache is None:
            return Prepared(run, idx, generation, inputs=dict(evaluated) or None)
        bound = {**bind_inputs(task), **evaluated}
        key = cache_key(
            self._artifacts, node, node.cache, bound, workflow=task.run.graph.workflow, run=task.run.uid
        )
        record = None if node.cache.refresh else self._store.cached(key, now=now)
        if record is None or not self._readable(record.result):
            return Prepared(run, idx, generation, cache_key=key, inputs=dict(evaluated) or None)
        origin = f"{record.run}/{record.idx}"
        return Prepared(
            run,
            idx,
            generation,
            cache_key=key,
            cached=record.result,
            origin=origin,
            inputs=dict(evaluated) or None,
        )

    def _readable(self, result: Result) -> bool:
        return result.digest is None or self._artifacts.blobs.exists(result.digest)

    def _value(self, source: Input, task: Task) -> Any:
        if isinstance(source, Expr):
            evaluator = self._evaluators.get(source.language)
            if evaluator is None:
                raise UsageError(f"nothing evaluates expressions in {source.language!r}", where=source.text)
            return evaluator(source, {name: self._value(ref, task) for name, ref in source.refs.items()})
        return self._artifacts.resolve(bind(source, task))

    def _holds(self, condition: Condition, task: Task) -> bool:
        if isinstance(condition, AllOf):
            return all(self._holds(term, task) for term in condition.terms)
        if isinstance(condition, AnyOf):
            return any(self._holds(term, task) for term in condition.terms)
        if isinstance(condition, NotOf):
            return not self._holds(condition.term, task)
        if isinstance(condition, When):
            return bool(self._value(condition.expr, task))
        assert isinstance(condition, Compare)
        left = self._value(condition.left, task)
        right = None if condition.right is None else self._value(condition.right, task)
        return _COMPARE[condition.op](left, right)

    def _items(self, spec: MapSpec, task: Task) -> tuple[Result, ...]:
        if spec.mode is MapMode.SEQUENCE:
            return tuple(
                self._artifacts.split_value(_sequence(spec, lambda source: self._value(source, task)))
            )
        names = list(spec.over)
        if names == [""]:
            return tuple(self._artifacts.split_value(self._value(spec.over[""], task)))
        columns = [list(self._value(spec.over[name], task)) for name in names]
        rows: Iterator[tuple[Any, ...]]
        if spec.mode is MapMode.PRODUCT:
            rows = product(*columns)
        else:
            if len({len(column) for column in columns}) > 1:
                sizes = zip(names, map(len, columns), strict=True)
                lengths = ", ".join(f"{name}: {size}" for name, size in sizes)
                raise UsageError(
                    f"the mapped arguments differ in length ({lengths})",
                    where=task.key,
                    hint="wrap what is the same for every item in unmapped()",
                )
            rows = iter(zip(*columns, strict=True))
        dumps = self._artifacts.dumps
        return tuple(dumps(dict(zip(names, row, strict=True)), what="an item") for row in rows)


def cache_key(
    artifacts: Artifacts, node: Node, cache: Cache, inputs: dict[str, Bound], *, workflow: str, run: str
) -> str:
    """Under which key a task run's result is kept.

    Args:
        artifacts: Opens inputs whose form says less than their value.
        node, cache: The task, and its policy.
        inputs: As they are bound.
        workflow, run: For the scopes that keep to them.
    """
    parts: list[Any] = [cache.key, node.name or node.key]
    if cache.scope is CacheScope.RUN:
        parts.append(run)
    if cache.scope is not CacheScope.GLOBAL:
        parts.append(workflow)
    call = node.call
    if isinstance(call, PythonCall):
        parts += [call.module, call.qualname]
    if cache.source:
        if isinstance(call, PythonCall | ShellCall):
            parts.append(call.version)
        else:
            parts.append(msgspec.to_builtins(call))
    if cache.inputs:
        parts.append(_inputs_key(artifacts, inputs, cache.exclude))
    return sha256(msgspec.msgpack.encode(parts)).hexdigest()


def _inputs_key(artifacts: Artifacts, inputs: dict[str, Bound], exclude: tuple[str, ...]) -> Any:
    kept = {name: bound for name, bound in inputs.items() if name not in exclude}
    packed = kept.get(ARGS)
    if exclude and packed is not None:
        args, kwargs = artifacts.resolve(packed)
        left = (args, {name: each for name, each in kwargs.items() if name not in exclude})
        kept[ARGS] = Plain(artifacts.dumps(left, what="the inputs"))
    elif isinstance(packed, Packed):
        # The same values give the same key whether they came as constants or from other tasks.
        kept[ARGS] = Plain(artifacts.dumps(artifacts.resolve(packed), what="the inputs"))
    return msgspec.msgpack.encode(sorted(kept.items()))


def _sequence(spec: MapSpec, value: Callable[[Input], Any]) -> list[Any]:
    start = 0 if spec.start is None else int(value(spec.start))
    step = 1 if spec.step is None else int(value(spec.step))
    if step == 0:
        raise UsageError("a sequence's step must not be 0")
    if spec.count is not None:
        numbers = [start + step * at for at in range(int(value(spec.count)))]
    elif spec.end is not None:
        end = int(value(spec.end))
        step = step if (end >= start) == (step > 0) else -step
        numbers = list(range(start, end + (1 if step > 0 else -1), step))
    else:
        raise UsageError("a sequence needs an end or a count")
    return [spec.pattern % number for number in numbers] if spec.pattern else list(numbers)
