"""``weft plan``: what a run would do, and why, without doing it.

Of a ``@dag``: its tasks in order, with what is known of each: a cache record that would stand in (where the
inputs follow from parameters and from other cached tasks), and how it went the last time. Of a flow: its
parameters and, of a run to be resumed, what its journal answers without running it again.
"""

import time
from collections.abc import Mapping, Set
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.artifacts.artifacts import Artifacts
from weft.cli.app import Json, noun
from weft.cli.outcome import work
from weft.cli.output import emit, value_of
from weft.cli.reading import Home, home
from weft.cli.select import pick, upstream
from weft.cli.style import say, table
from weft.cli.target import Target, find
from weft.dialects.native.dag import Dag
from weft.engine.preparing import cache_key
from weft.model.errors import UsageError
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.inputs import Const, Input, Output, Param, Template
from weft.model.rules import TriggerRule
from weft.model.values import Bound, Packed, Plain, Result
from weft.observability.terminal import duration

app = noun("plan")


@app.default
def plan(
    target: Annotated[str, Parameter(help="file.py, file.py:name or module:name.")],
    /,
    *,
    param: Annotated[
        list[str] | None, Parameter(name=["--param", "-p"], help="A parameter, name=value.")
    ] = None,
    params_json: Annotated[str | None, Parameter(help="Parameters as a JSON object.")] = None,
    select: Annotated[str | None, Parameter(help="As in weft run.")] = None,
    resume: Annotated[
        str | None, Parameter(help="A run of this flow: what its journal answers already.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what would run, and why, without running it."""
    found = find(target)
    given = found.bind(param or (), params_json) if param or params_json or not resume else {}
    with home() as opened:
        if isinstance(found.workflow, Dag):
            _plan_dag(opened, found, found.workflow, given, select, json=json)
        elif select is not None:
            raise UsageError(f"{found.workflow.name} is a {found.kind}", hint="--select works on a @dag")
        else:
            _plan_flow(opened, found, given, resume, json=json)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One task of a dag, as planned: ``will`` is ``run``, ``cached`` or ``left out``."""

    key: str
    needs: list[str]
    will: str
    why: str
    policies: list[str]
    last: str


# --- dags -------------------------------------------------------------------------------------------------


def _plan_dag(
    opened: Home, found: Target, dag: Dag[Any, Any], given: dict[str, Any], select: str | None, *, json: bool
) -> None:
    graph = dag.graph()
    group = graph.groups[MAIN]
    chosen = {node.key for node in group.nodes} if select is None else pick(group, select)
    artifacts = Artifacts(opened.artifacts.blobs)
    bound = dag.values((), given)
    params = {name: artifacts.dumps(value, what=f"parameter {name!r}") for name, value in bound.items()}
    cached = _cached(opened, artifacts, graph, group, params)
    last = _last(opened, graph.workflow)
    steps = [
        Step(
            key=node.key,
            needs=list(dict.fromkeys(upstream(node))),
            will="left out" if node.key not in chosen else "cached" if node.key in cached else "run",
            why=_why(node, chosen, cached),
            policies=_policies(node),
            last=last.get(node.key, ""),
        )
        for node in _in_order(group)
    ]
    if json:
        shown = {name: value_of(each, opened.artifacts) for name, each in params.items()}
        emit({"workflow": graph.workflow, "kind": "dag", "params": shown, "steps": steps})
        return
    rows = [
        (
            str(number),
            step.key,
            step.will,
            ", ".join(step.needs),
            ", ".join(each for each in (step.why, *step.policies) if each),
            step.last,
        )
        for number, step in enumerate(steps, 1)
    ]
    table(rows, ("", "TASK", "WILL", "AFTER", "BECAUSE, POLICIES", "LAST TIME"))


def _in_order(group: Group) -> list[Node]:
    """The nodes so that each comes after what it needs, else as they were written."""
    nodes = {node.key: node for node in group.nodes}
    placed: dict[str, Node] = {}
    while len(placed) < len(nodes):
        for key, node in nodes.items():
            if key not in placed and all(each in placed for each in upstream(node)):
                placed[key] = node
    return list(placed.values())


def _cached(
    opened: Home, artifacts: Artifacts, graph: Graph, group: Group, params: Mapping[str, Result]
) -> dict[str, tuple[Result, str]]:
    """Of each task with a valid cache record: its result, and whose it is."""
    found: dict[str, tuple[Result, str]] = {}
    for node in _in_order(group):
        cache = node.cache
        if cache is None or cache.refresh or node.map is not None or node.when is not None:
            continue
        inputs = {name: _known(source, params, found) for name, source in node.inputs.items()}
        if any(bound is None for bound in inputs.values()):
            continue
        whole = {name: bound for name, bound in inputs.items() if bound is not None}
        key = cache_key(artifacts, node, cache, whole, workflow=graph.workflow, run="")
        record = opened.store.cached(key, now=time.time())
        if record is not None:
            run = opened.store.run_by_id(record.run)
            age = duration(time.time() - record.at)
            found[node.key] = record.result, f"result of {run.uid}, {age} old"
    return found


def _known(
    source: Input, params: Mapping[str, Result], cached: Mapping[str, tuple[Result, str]]
) -> Bound | None:
    """What an input is bound to, if that is known before anything runs."""
    if isinstance(source, Const):
        return Plain(source.value)
    if isinstance(source, Param) and not source.path and source.name in params:
        return Plain(params[source.name])
    if isinstance(source, Output) and not source.path and not source.name and source.node in cached:
        return Plain(cached[source.node][0])
    if isinstance(source, Template):
        parts = [_known(each, params, cached) for each in source.refs]
        whole = tuple(each for each in parts if each is not None)
        return Packed(source.data, whole) if len(whole) == len(parts) else None
    return None


def _why(node: Node, chosen: Set[str], cached: Mapping[str, tuple[Result, str]]) -> str:
    if node.key not in chosen:
        return "not selected"
    if node.key in cached:
        return cached[node.key][1]
    if node.map is not None:
        return "once for each item"
    return "if its condition holds" if node.when is not None else ""


def _policies(node: Node) -> list[str]:
    """What a person should know of a task's policies, in words."""
    words = []
    if node.retry is not None:
        words.append("retries without end" if node.retry.limit < 0 else f"{node.retry.limit} retries")
    if node.timeout is not None and node.timeout.execution_s is not None:
        words.append(f"timeout {duration(node.timeout.execution_s)}")
    if node.cache is not None:
        words.append("cache")
    if isinstance(node.rule, TriggerRule):
        if node.rule is not TriggerRule.ALL_SUCCESS:
            words.append(f"rule {node.rule}")
    else:
        words.append("rule of its own")
    if node.branch is not None:
        words.append("branch")
    if node.pools:
        words.append("pool " + ", ".join(node.pools))
    if str(node.role) != "work":
        words.append(str(node.role))
    return words


def _last(opened: Home, workflow: str) -> dict[str, str]:
    """How each task went in the workflow's latest run."""
    rows = opened.store.runs(f'workflow:"{workflow}"', limit=1)
    if not rows:
        return {}
    found = {}
    for task in work(opened.store, rows[0].run):
        if task.kind == "node":
            took = ""
            if task.started_at is not None and task.ended_at is not None:
                took = " in " + duration(task.ended_at - task.started_at)
            found[task.key] = f"{task.state}{took}"
    return found


# --- flows ------------------------------------------------------------------------------------------------


def _plan_flow(opened: Home, found: Target, given: dict[str, Any], resume: str | None, *, json: bool) -> None:
    name = found.workflow.name
    if resume is None:
        bound = found.parameters.bind((), given)
        if json:
            emit(
                {
                    "workflow": name,
                    "kind": found.kind,
                    "params": {key: repr(each) for key, each in bound.items()},
                }
            )
            return
        say(f"{name} is a {found.kind}: which tasks it calls is known only as it runs.")
        rows = [(key, repr(each), "given" if key in given else "default") for key, each in bound.items()]
        table(rows, ("PARAMETER", "VALUE", "FROM"))
        return
    row = opened.store.run(resume)
    if row.workflow != name:
        raise UsageError(f"run {row.uid} is of {row.workflow}, not of {name}")
    steps = []
    for task in work(opened.store, row.run):
        if task.state.terminal:
            will, why = "return at once", f"the journal has it: {task.state}"
        elif task.state == "waiting":
            will, why = "wait on", "it has not come yet"
        else:
            will, why = "run", f"it was {task.state}" + (f", attempt {task.attempt}" if task.attempt else "")
        steps.append({"key": task.key, "will": will, "why": why})
    if json:
        emit({"workflow": name, "kind": found.kind, "run": row.uid, "state": str(row.state), "steps": steps})
        return
    table([(step["key"], step["will"], step["why"]) for step in steps], ("STEP", "WILL", "BECAUSE"))
    say("what the flow calls after these is known only as it runs")
