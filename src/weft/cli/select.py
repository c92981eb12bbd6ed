"""``--select``: a part of a graph, with what the rest once gave in place of running it.

The words are dbt's: ``name``, ``+name`` (with all that it needs), ``name+`` (with all that needs it),
``tag:x``, ``*`` and ``?`` as in file names; commas or blanks join. A selected task that reads one that is not
selected gets that one's result from the workflow's latest run that has it; the same graph node must have made
it. Order-only edges to tasks that are left out are dropped.
"""

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from msgspec.structs import replace

from weft.artifacts.artifacts import Artifacts
from weft.model.errors import NotFound, UsageError
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.inputs import Const, Expr, Input, Output, Template, outputs_in
from weft.model.rules import TriggerRule, named
from weft.model.values import NONE, Result
from weft.store.protocol import Reader

_RUNS_SEARCHED = 20
_PAGE = 1000


def selected(graph: Graph, text: str, reader: Reader, artifacts: Artifacts, *, where: str) -> Graph:
    """The graph with only the selected nodes of its main group.

    Args:
        graph: Of a ``@dag``.
        text: What to select.
        reader: Has the results of earlier runs.
        artifacts: Puts the results of a map's items together.
        where: The workflow's place, for errors.

    Raises:
        UsageError: The workflow is no ``@dag``.
        NotFound: A word selects nothing, or a result that is needed was never made.
    """
    group = graph.groups.get(MAIN)
    if group is None:
        raise UsageError(
            f"{graph.workflow} is a flow, and which tasks a flow calls is known only as it runs",
            where=where,
            hint="--select works on a @dag",
        )
    chosen = pick(group, text)
    earlier = _Earlier(graph.workflow, reader, artifacts)
    nodes = tuple(_cut(node, chosen, earlier) for node in group.nodes if node.key in chosen)
    returns = group.returns
    if returns is not None and any(each.node not in chosen for each in outputs_in(returns)):
        returns = None
    outputs = {
        name: source
        for name, source in group.outputs.items()
        if all(each.node in chosen for each in outputs_in(source))
    }
    cut = replace(group, nodes=nodes, returns=returns, outputs=outputs)
    return replace(graph, groups={**graph.groups, MAIN: cut})


def pick(group: Group, text: str) -> set[str]:
    """The keys that a selection means."""
    up = {node.key: set(upstream(node)) for node in group.nodes}
    down: dict[str, set[str]] = {key: set() for key in up}
    for key, above in up.items():
        for each in above:
            down[each].add(key)
    chosen: set[str] = set()
    for word in text.replace(",", " ").split():
        found = _matching(group, word.strip("+"))
        chosen |= found
        if word.startswith("+"):
            chosen |= _reached(found, up)
        if word.endswith("+"):
            chosen |= _reached(found, down)
    if not chosen:
        raise UsageError("--select names nothing", hint="give a task's name, +name, name+ or tag:x")
    return chosen


def upstream(node: Node) -> Iterable[str]:
    """The keys that a node waits for, values and order alike."""
    yield from node.needs
    sources: list[Input] = [*node.inputs.values()]
    if node.map is not None:
        spec = node.map
        sources += spec.over.values()
        sources += [each for each in (spec.start, spec.end, spec.count, spec.step) if each is not None]
    for source in sources:
        for each in outputs_in(source):
            yield each.node
    if node.when is not None:
        for each in outputs_in(node.when):
            yield each.node
    if not isinstance(node.rule, TriggerRule):
        yield from named(node.rule)


def _matching(group: Group, word: str) -> set[str]:
    kind, _, value = word.rpartition(":")
    if kind == "tag":
        found = {node.key for node in group.nodes if any(fnmatchcase(tag, value) for tag in node.tags)}
    elif kind:
        raise UsageError(f"nothing is selected by {kind!r}", where=word, hint="write a name, or tag:x")
    else:
        found = {
            node.key for node in group.nodes if fnmatchcase(node.key, word) or fnmatchcase(node.name, word)
        }
    if not found:
        names = [node.key for node in group.nodes]
        near = difflib.get_close_matches(word, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names[:10])}"
        raise NotFound(f"--select {word}: there is no such task", hint=hint)
    return found


def _reached(start: set[str], edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    open_keys = list(start)
    while open_keys:
        for each in edges[open_keys.pop()] - found:
            found.add(each)
            open_keys.append(each)
    return found


class _Earlier:
    """Results of a workflow's earlier runs, by node."""

    def __init__(self, workflow: str, reader: Reader, artifacts: Artifacts) -> None:
        self._workflow = workflow
        self._reader = reader
        self._artifacts = artifacts
        self._runs: list[int] | None = None

    def result(self, key: str, reader_key: str) -> Result:
        """What the node gave last."""
        if self._runs is None:
            runs = self._reader.runs(f'workflow:"{self._workflow}"', limit=_RUNS_SEARCHED)
            self._runs = [row.run for row in runs]
        for run in self._runs:
            rows = self._reader.tasks(run, f'key:"{key}" state:succeeded,cached', limit=1)
            if rows and rows[0].kind == "node":
                return self._items(run, rows[0].idx) or rows[0].result or NONE
        raise NotFound(
            f"{reader_key} reads {key}, which is not selected, and no earlier run has its result",
            where=self._workflow,
            hint=f"--select +{reader_key} runs it too",
        )

    def _items(self, run: int, idx: int) -> Result | None:
        """The list of a map's results, in order of its items; ``None`` for what is no map."""
        expanded = next((each for each in self._reader.maps(run) if each.idx == idx), None)
        if expanded is None:
            return None
        values: list[object] = [None] * expanded.count
        after = -1
        while rows := self._reader.tasks(run, after=after, parent=idx, limit=_PAGE):
            for row in rows:
                if row.map_index >= 0 and row.result is not None:
                    values[row.map_index] = self._artifacts.loads(row.result)
            after = rows[-1].idx
        return self._artifacts.dumps(values, what=f"the results of {idx}")


def _cut(node: Node, chosen: set[str], earlier: _Earlier) -> Node:
    """A node whose reads of what is left out are constants."""
    if set(upstream(node)) <= chosen:
        return node

    def fill(source: Input) -> Input:
        if isinstance(source, Output) and source.node not in chosen:
            if source.path or source.name:
                raise UsageError(
                    f"{node.key} reads a part of {source.node}, which is not selected",
                    hint=f"--select +{node.key} runs it too",
                )
            return Const(earlier.result(source.node, node.key))
        if isinstance(source, Template):
            return Template(source.data, tuple(fill(each) for each in source.refs))
        if isinstance(source, Expr):
            return replace(source, refs={name: fill(each) for name, each in source.refs.items()})
        return source

    spec = node.map
    if spec is not None:
        spec = replace(spec, over={name: fill(each) for name, each in spec.over.items()})
    left = replace(
        node,
        inputs={name: fill(each) for name, each in node.inputs.items()},
        needs=tuple(each for each in node.needs if each in chosen),
        map=spec,
        rule=node.rule if isinstance(node.rule, TriggerRule) else TriggerRule.ALL_SUCCESS,
    )
    if not set(upstream(left)) <= chosen:
        raise UsageError(
            f"{node.key} decides by a task that is not selected", hint=f"--select +{node.key} runs it too"
        )
    return left
