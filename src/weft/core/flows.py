"""Calls made by flows: the journal, and its replay.

A flow is a task run whose children appear as its body calls them. Each call has a key under its parent and,
unless the user chose the key, an ordinal: its place in the journal. When the body runs again (after a crash,
a retry, a suspension) each call is looked up instead of made, and answered from the journal if it ended. A
call that differs from what the journal holds at its place, in name, key or arguments, is refused as
``NonDeterminism``: the code no longer does what was recorded.

A call that was cleared (by a person, or because its flow is retried after it failed) is made again, and may
come to another end. From its place on the flow is free to do something else: a call that differs there is
made again too, and what is no longer called is left alone.

A flow holds slots of pools and concurrency keys until it makes its first call that has to run, and none after
that: what waits for others must not keep from them what they need. See decision 0018.

The journal is not the cache: it is never shared between runs, and never expires.
"""

import msgspec

from weft.core.changes import Cause, MapExpanded, TaskRemade
from weft.core.commands import Accepted, Item, Refused
from weft.core.events import Called
from weft.core.failing import forget_call, forget_journal
from weft.core.maps import install_map, ready_call
from weft.core.state import CODES, Flow, Map, Run, Task
from weft.core.turn import Turn
from weft.model.calls import MarkCall
from weft.model.errors import ErrorInfo
from weft.model.inputs import Input, TaskOutput, Template
from weft.model.states import LIVE, TERMINAL, TaskState
from weft.model.values import Result

_T = TaskState


def called(turn: Turn, event: Called) -> None:
    """Handle a flow's call."""
    run = turn.state.runs.get(event.run)
    parent = None if run is None else run.tasks.get(event.parent)
    if run is None or parent is None or parent.attempt != event.attempt or parent.state not in LIVE:
        _refuse(turn, event, "W2003", "weft.TaskCancelled", "this attempt of the flow is over")
        return
    if parent.cancelling is not None:
        _refuse(turn, event, "W2003", "weft.TaskCancelled", f"{parent.key} is being cancelled")
        return
    if not isinstance(parent.body, Flow):
        parent.body = Flow()
    flow = parent.body
    known = flow.calls.get(event.key)
    if isinstance(event.node.call, MarkCall) and event.node.call.kind == "patch":
        if known is None and event.ordinal < len(flow.journal):
            # Recorded before the change was made: this run stays on the old path.
            no = Result("msgpack", b"\xc2", None, 1)
            turn.commands.append(Accepted(event.token, run.id, -1, True, _T.SUCCEEDED, no))
            return
        event = msgspec.structs.replace(event, ordinal=-1)
    if event.ordinal >= 0 and event.ordinal < len(flow.journal):
        recorded = flow.journal[event.ordinal]
        if recorded is known or event.ordinal > flow.anew:
            pass
        elif recorded.forgotten:
            flow.anew = event.ordinal
        else:
            was = recorded.key[len(prefix_of_calls(parent)) :]
            _refuse(
                turn,
                event,
                "W1400",
                "weft.NonDeterminism",
                f"call {event.ordinal + 1} of {parent.key} was {was!r} when it was recorded, "
                f"and is {event.key!r} now",
            )
            return
    if known is None:
        _accept(turn, run, parent, flow, event)
    else:
        _replay(turn, run, known, event)
    if flow.open and parent.held:
        turn.let_go(parent)  # It waits for its calls, which may need these slots to run.


def _refuse(turn: Turn, event: Called, code: str, kind: str, message: str) -> None:
    turn.commands.append(Refused(event.token, event.run, ErrorInfo(kind, message, code)))


def _accept(turn: Turn, run: Run, parent: Task, flow: Flow, event: Called) -> None:
    node = event.node
    task = Task(run, run.next_idx, prefix_of_calls(parent) + event.key, node, "call", parent)
    run.next_idx += 1
    task.ordinal = event.ordinal
    task.fingerprint = event.fingerprint
    task.inputs = event.inputs
    task.inline = event.inline
    task.result = event.result
    task.node_ref = turn.intern(run, node, event.digest)
    run.tasks[task.idx] = task
    flow.calls[event.key] = task
    parent.losts = 0  # It gets on: bodies share a process, and one may lose it often without being at fault.
    _place(flow, task)
    flow.open += 1
    turn.introduce(task)
    base = _expand_now(turn, run, task, event)
    turn.commands.append(Accepted(event.token, run.id, task.idx, base=base, count=len(event.items or ())))
    if task.state is _T.PENDING:
        link(task)
        if task.unmet == 0:
            ready_call(turn, task)


def prefix_of_calls(flow: Task) -> str:
    """How the keys of a flow's calls begin; the rest is the call's own key, which may be any text."""
    return "" if flow.kind == "root" else f"{flow.key}/"


def _place(flow: Flow, task: Task) -> None:
    """Put a call in its place in the journal; one that is no longer called gives way."""
    if task.ordinal < 0:
        return
    if task.ordinal < len(flow.journal):
        flow.journal[task.ordinal] = task
    else:
        flow.journal.append(task)


def _expand_now(turn: Turn, run: Run, task: Task, event: Called) -> int:
    """A ``.map`` knows its items: give them their indexes with the call."""
    if event.items is None:
        return -1
    if isinstance(task.body, Map) and task.body.count == len(event.items):
        return task.body.base  # Expanded already, before a crash: its items keep their indexes.
    base = run.next_idx
    run.next_idx += len(event.items)
    assert event.items_ref is not None
    body = install_map(run, task, event.items, base)
    turn.changes.append(
        MapExpanded(run.id, task.idx, turn.now, base, len(event.items), event.items_ref, task.generation)
    )
    if not event.items:
        turn.finish(task, _T.SUCCEEDED, Cause.EMPTY)
    task.body = body
    return base


def link(task: Task) -> None:
    """Make a call wait for the task runs whose results it reads."""
    run = task.run
    reads: dict[int, bool] = {}
    for source in task.inputs.values():
        for output in task_outputs(source):
            reads[output.idx] = reads.get(output.idx, True) and output.allow_failure
    task.upstream = list(reads.items())
    task.unmet = 0
    for idx in reads:
        if run.state_of(idx)[0] in TERMINAL:
            continue
        task.unmet += 1
        upstream = run.tasks.get(idx)
        if upstream is not None:
            if upstream.dependents is None:
                upstream.dependents = []
            upstream.dependents.append(task)
            continue
        found = run.map_at(idx)
        if found is None:
            task.unmet -= 1
            continue
        owner, index = found
        body = owner.body
        assert isinstance(body, Map)
        if body.dependents is None:
            body.dependents = {}
        body.dependents.setdefault(index, []).append(task)


def task_outputs(source: Input) -> list[TaskOutput]:
    """The task runs that an input reads."""
    if isinstance(source, TaskOutput):
        return [source]
    if isinstance(source, Template):
        return [each for ref in source.refs for each in task_outputs(ref)]
    return []


def _replay(turn: Turn, run: Run, task: Task, event: Called) -> None:
    if task.forgotten:
        _remake(turn, run, task, event)
        return
    if not _same(task, event):
        if task.state in TERMINAL and _may_differ(task, event):
            forget_call(turn, task, Cause.RETRY)
            _remake(turn, run, task, event)
            return
        _refuse(
            turn,
            event,
            "W1400",
            "weft.NonDeterminism",
            f"the arguments of {event.key!r} differ from those that were recorded "
            f"(fingerprint {task.fingerprint} then, {event.fingerprint} now)",
        )
        return
    body = task.body
    base = body.base if isinstance(body, Map) else -1
    ended = task.state in TERMINAL
    items: tuple[Item, ...] = ()
    if isinstance(body, Map):
        items = tuple(
            Item(at, state, body.results[at], body.errors.get(at))
            for at, state in enumerate(CODES[code] for code in body.codes)
            if state is not None
        )
    turn.commands.append(
        Accepted(
            event.token,
            run.id,
            task.idx,
            True,
            task.state if ended else None,
            task.result if ended else None,
            task.error if ended else None,
            base,
            body.count if isinstance(body, Map) else 0,
            items,
            _more(task),
        )
    )


def _more(task: Task) -> bool:
    """Whether the flow must go on to another call: it was recorded, and nothing before it was cleared."""
    flow = task.parent.body if task.parent is not None else None
    assert isinstance(flow, Flow)
    after = task.ordinal + 1
    if task.ordinal < 0 or after >= len(flow.journal) or after > flow.anew:
        return False
    return not flow.journal[after].forgotten


def _same(task: Task, event: Called) -> bool:
    return task.fingerprint == event.fingerprint and task.name == (event.node.name or event.node.key)


def _may_differ(task: Task, event: Called) -> bool:
    """Whether the call comes after one that was made again."""
    flow = task.parent.body if task.parent is not None else None
    assert isinstance(flow, Flow)
    if event.ordinal >= 0:
        return event.ordinal > flow.anew
    return flow.anew < len(flow.journal) and flow.journal[flow.anew].idx < task.idx


def _remake(turn: Turn, run: Run, task: Task, event: Called) -> None:
    """Make a cleared call again, perhaps with other arguments and newer code."""
    flow = task.parent.body if task.parent is not None else None
    assert isinstance(flow, Flow)
    same = _same(task, event)
    if not same and isinstance(task.body, Flow):
        forget_journal(turn, task.body, Cause.RETRY)
    elif not isinstance(task.body, Flow) and not (same and isinstance(task.body, Map)):
        task.body = None
    was = (task.name, task.node_ref, task.ordinal, task.fingerprint, task.inputs)
    task.forgotten = False
    task.ordinal = event.ordinal
    _place(flow, task)
    flow.anew = min(flow.anew, _place_of(flow, task))
    task.node = event.node
    task.traits = run.traits_of(event.node)
    task.node_ref = turn.intern(run, event.node, event.digest)
    task.fingerprint = event.fingerprint
    task.inputs = event.inputs
    task.inline = event.inline
    task.result = event.result
    task.error = None
    if was != (task.name, task.node_ref, task.ordinal, task.fingerprint, task.inputs):
        turn.changes.append(
            TaskRemade(
                run.id,
                task.idx,
                task.name,
                turn.now,
                task.node_ref,
                task.ordinal,
                task.fingerprint,
                task.inputs,
            )
        )
    base = _expand_now(turn, run, task, event)
    turn.commands.append(Accepted(event.token, run.id, task.idx, base=base, count=len(event.items or ())))
    if task.state is _T.PENDING:
        link(task)
        if task.unmet == 0:
            ready_call(turn, task)


def _place_of(flow: Flow, task: Task) -> int:
    """Its place in the journal; of a call with a key of its own, that of the next one recorded after it."""
    if task.ordinal >= 0:
        return task.ordinal
    return next((at for at, call in enumerate(flow.journal) if call.idx > task.idx), len(flow.journal)) - 1
