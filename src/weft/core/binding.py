"""From where a task run's inputs come (``model.inputs``) to the values it gets (``model.values.Bound``)."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from weft.core.state import CODES, Map, Run, Scope, Task
from weft.model.bound import encode_bound
from weft.model.inputs import Const, Expr, Fact, HookEvent, Input, Item, Output, Param, TaskOutput, Template
from weft.model.states import TaskState
from weft.model.values import (
    AFTER,
    NONE,
    Absent,
    Bound,
    Named,
    Packed,
    Pick,
    Plain,
    Result,
    ResultList,
)

_encode = msgspec.msgpack.encode


def value(plain: Any) -> Result:
    """A JSON-like value as a result."""
    data = _encode(plain)
    return Result("msgpack", data, None, len(data))


def bind_inputs(task: Task) -> dict[str, Bound]:
    """The values of all inputs of a task run that is about to start."""
    bound = {name: bind(source, task) for name, source in task.inputs.items() if not name.startswith(AFTER)}
    if task.bound:
        bound.update(task.bound)
    return bound


def bind(source: Input, task: Task) -> Bound:
    """The value of one input."""
    if isinstance(source, Const):
        return Plain(source.value)
    if isinstance(source, Template):
        return Packed(source.data, tuple(bind(each, task) for each in source.refs))
    if isinstance(source, Item):
        return _pick(Plain(_item(task, source.depth)), source.path)
    if isinstance(source, Output):
        scope = _scope_of(task)
        producer = scope.tasks[scope.plan.position[source.node]]
        return _output(producer, source)
    if isinstance(source, TaskOutput):
        return _pick(_by_index(task.run, source.idx), source.path)
    if isinstance(source, Param):
        return _pick(_param(task, source.name), source.path)
    if isinstance(source, HookEvent):
        return _hook_event(task)
    if isinstance(source, Fact):
        return _pick(Plain(value(_fact(task, source.name))), source.path)
    return _expression(source, task)


def _expression(source: Expr, task: Task) -> Bound:
    # An expression is evaluated when the task run is prepared, and comes back in ``task.bound``.
    return Absent("unevaluated", source.text)


def _pick(bound: Bound, path: tuple[str | int, ...]) -> Bound:
    return Pick(bound, path) if path else bound


def _item(task: Task, depth: int) -> Result:
    at: Task | None = task
    while at is not None:
        if at.kind == "item" and at.parent is not None and isinstance(at.parent.body, Map):
            if depth == 0:
                return at.parent.body.items[at.map_index]
            depth -= 1
        at = at.parent
    return NONE


def _scope_of(task: Task) -> Scope:
    at = task.parent
    while at is not None and not isinstance(at.body, Scope):
        at = at.parent
    assert at is not None
    assert isinstance(at.body, Scope)
    return at.body


def _param(task: Task, name: str) -> Bound:
    at = task.parent
    while at is not None:
        if isinstance(at.body, Scope) and name in at.body.params:
            return at.body.params[name]
        at = at.parent
    result = task.run.added.params.get(name)
    return Plain(result) if result is not None else Absent("missing", name)


def bound_result(task: Task) -> Bound:
    """What a task run that ended gives to its readers."""
    if isinstance(task.body, Map) and (task.state.ok or task.state is TaskState.FAILED):
        # Who reads a map that failed accepts its failures, and gets what there is.
        return ResultList(tuple(task.body.results))
    if task.state.ok:
        return Plain(task.result or NONE)
    return Absent(str(task.state), task.error.message if task.error else "")


def _output(producer: Task, source: Output) -> Bound:
    bound = bound_result(producer)
    if isinstance(bound, Absent):
        if source.default is not None:
            return Plain(source.default)
        return bound
    if source.name:
        bound = Pick(bound, (source.name,))
    return _pick(bound, source.path)


def _by_index(run: Run, idx: int) -> Bound:
    task = run.tasks.get(idx)
    if task is not None:
        return bound_result(task)
    found = run.map_at(idx)
    if found is None:
        return Absent("missing")
    owner, index = found
    body = owner.body
    assert isinstance(body, Map)
    state = CODES[body.codes[index]]
    if state is not None and state.ok:
        return Plain(body.results[index] or NONE)
    error = body.errors.get(index)
    return Absent(str(state or TaskState.PENDING), error.message if error else "")


def _fact(task: Task, name: str) -> Any:
    run = task.run
    if name == "run_id":
        return run.uid
    if name == "workflow":
        return run.graph.workflow
    if name == "key":
        return task.key
    if name == "map_index":
        return task.map_index
    if name == "attempt":
        return task.attempt + 1
    if name in ("status", "failures"):
        scope = _scope_of(task)
        failed = [each for each in scope.tasks if each.state is TaskState.FAILED]
        if name == "failures":
            return [
                {"key": each.key, "name": each.name, "message": each.error.message if each.error else ""}
                for each in failed
            ]
        if scope.cancelled:
            return "cancelled"
        return "failed" if scope.failed is not None else "succeeded"
    found = run.facts.get(name)
    if found is None and name == "logical_date":
        return datetime.fromtimestamp(run.added.at, UTC)
    return found


def _hook_event(hook: Task) -> Bound:
    task = hook.parent
    assert task is not None
    error = task.error.message if task.error is not None else None
    plain = {
        "run_id": task.run.uid,
        "workflow": task.run.graph.workflow,
        "key": task.key,
        "name": task.name,
        "state": str(task.state),
        "attempt": task.attempt,
        "error": error,
        "idempotency_key": f"{task.run.uid}/{task.idx}",
    }
    event: dict[str, Bound] = {name: Plain(value(each)) for name, each in plain.items()}
    event["result"] = bound_result(task)
    return Named(event)


def scope_result(owner: Task, scope: Scope) -> Result | None:
    """A group's result, from its ``returns`` and ``outputs``; ``None`` when it has neither."""
    group = scope.plan.group
    if group.returns is None and not group.outputs:
        return None
    # Bound as if by a node of the group.
    reader = Task(owner.run, -1, "", owner.node, "node", owner, owner.traits)
    if group.returns is not None:
        bound = bind(group.returns, reader)
    else:
        bound = Named({name: bind(source, reader) for name, source in group.outputs.items()})
    return bound.result if isinstance(bound, Plain) else encode_bound(bound)
