"""Stored rows as structs, the same for every store with SQL. Column lists and unpacking belong together."""

from collections.abc import Callable
from typing import Any

import msgspec

from weft.model.attempts import Published
from weft.model.errors import ErrorInfo
from weft.model.graph import Graph, Node
from weft.model.inputs import Input
from weft.model.rows import MapRow, RunRow, SignalRow, TaskRow
from weft.model.states import RunState, TaskState
from weft.model.values import Result
from weft.model.waits import Wait
from weft.store.protocol import Record, Request

RUN_COLUMNS = (
    "run, uid, workflow, dialect, graph, version, state, owner, epoch, created_at, started_at, ended_at, "
    "project, key, parent_run, parent_task, tags, params, facts, result, error, queue"
)
TASK_COLUMNS = (
    "run, idx, state, attempt, generation, failures, cause, by, first_at, changed_at, started_at, ended_at, "
    "due_at, parent, map_index, ordinal, key, name, kind, node, worker, fingerprint, "
    "chosen, wait, inputs, result, error"
)

decode_result: Callable[[bytes], Result] = msgspec.msgpack.Decoder(Result).decode
decode_results: Callable[[bytes], dict[str, Result]] = msgspec.msgpack.Decoder(dict[str, Result]).decode
decode_facts: Callable[[bytes], dict[str, Any]] = msgspec.msgpack.Decoder(dict[str, Any]).decode
decode_inputs: Callable[[bytes], dict[str, Input]] = msgspec.msgpack.Decoder(dict[str, Input]).decode
decode_chosen: Callable[[bytes], tuple[str, ...]] = msgspec.msgpack.Decoder(tuple[str, ...]).decode
decode_node: Callable[[bytes], Node] = msgspec.msgpack.Decoder(Node).decode
decode_graph: Callable[[bytes], Graph] = msgspec.msgpack.Decoder(Graph).decode
decode_request: Callable[[bytes], Request] = msgspec.msgpack.Decoder(Request).decode
decode_published: Callable[[bytes], Published] = msgspec.msgpack.Decoder(Published).decode
decode_error: Callable[[str], ErrorInfo] = msgspec.json.Decoder(ErrorInfo).decode
decode_tags: Callable[[str], tuple[str, ...]] = msgspec.json.Decoder(tuple[str, ...]).decode
decode_wait: Callable[[bytes], Wait] = msgspec.msgpack.Decoder[Wait](Wait).decode

_TASK_STATES = {state.value: state for state in TaskState}
_RUN_STATES = {state.value: state for state in RunState}


def run_row(columns: tuple[Any, ...]) -> RunRow:
    """A run from ``RUN_COLUMNS``."""
    # fmt: off - as RUN_COLUMNS, not one name a line
    (
        run,
        uid,
        workflow,
        dialect,
        graph,
        version,
        state,
        owner,
        epoch,
        created_at,
        started_at,
        ended_at,
        project,
        key,
        parent_run,
        parent_task,
        tags,
        params,
        facts,
        result,
        error,
        queue,
    ) = columns
    # fmt: on
    return RunRow(
        run=run,
        uid=uid,
        workflow=workflow,
        dialect=dialect,
        graph=graph,
        version=version,
        state=_RUN_STATES[state],
        params=decode_results(params) if params is not None else {},
        tags=decode_tags(tags),
        project=project,
        key=key,
        parent_run=parent_run,
        parent_task=parent_task,
        facts=decode_facts(facts) if facts is not None else {},
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        result=decode_result(result) if result is not None else None,
        error=decode_error(error) if error is not None else None,
        owner=owner,
        epoch=epoch,
        queue=queue,
    )


def task_row(columns: tuple[Any, ...]) -> TaskRow:
    """A task run from ``TASK_COLUMNS``."""
    # fmt: off - as TASK_COLUMNS, not one name a line
    (
        run,
        idx,
        state,
        attempt,
        generation,
        failures,
        cause,
        by,
        first_at,
        changed_at,
        started_at,
        ended_at,
        due_at,
        parent,
        map_index,
        ordinal,
        key,
        name,
        kind,
        node,
        worker,
        fingerprint,
        chosen,
        wait,
        inputs,
        result,
        error,
    ) = columns
    # fmt: on
    return TaskRow(
        run=run,
        idx=idx,
        key=key,
        name=name,
        kind=kind,
        node=node,
        parent=parent,
        map_index=map_index,
        ordinal=ordinal,
        fingerprint=fingerprint,
        inputs=decode_inputs(inputs) if inputs is not None else {},
        state=_TASK_STATES[state],
        attempt=attempt,
        generation=generation,
        failures=failures,
        cause=cause,
        by=by,
        first_at=first_at,
        changed_at=changed_at,
        started_at=started_at,
        ended_at=ended_at,
        due_at=due_at,
        result=decode_result(result) if result is not None else None,
        error=decode_error(error) if error is not None else None,
        wait=decode_wait(wait) if wait is not None else None,
        worker=worker,
        chosen=decode_chosen(chosen) if chosen is not None else None,
    )


def record_of(columns: tuple[Any, ...]) -> Record:
    """A record from its columns."""
    kind, name, body, revision, at, due_at = columns
    return Record(kind=kind, name=name, body=body, revision=revision, at=at, due_at=due_at)


def map_row(columns: tuple[Any, ...]) -> MapRow:
    """A map from its columns."""
    run, idx, at, base, count, generation, items = columns
    return MapRow(
        run=run, idx=idx, at=at, base=base, count=count, items=decode_result(items), generation=generation
    )


def signal_row(columns: tuple[Any, ...]) -> SignalRow:
    """A signal from its columns."""
    run, name, at, payload, signal_id, consumer = columns
    return SignalRow(
        run=run,
        name=name,
        at=at,
        payload=decode_result(payload),
        signal_id=signal_id,
        consumer=consumer,
    )
