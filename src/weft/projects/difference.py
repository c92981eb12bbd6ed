"""What differs between two versions of a workflow, for people."""

import difflib

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.model.errors import WeftError
from weft.model.graph import Graph, Node
from weft.model.projects import VersionEntry
from weft.projects.snapshot import Snapshot, read
from weft.store.protocol import Reader

_TEXT_MAX = 200_000


class FileDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the workflow takes in and that differs; ``diff`` is a unified diff of it."""

    file: str
    what: str
    diff: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two versions.

    Attributes:
        workflow, first, second: Which.
        changed: Some of ``graph``, ``code`` and ``environment``.
        added, removed: Keys of tasks that only the second, or only the first, has.
        tasks: Of those that both have and that differ, the fields that do.
        params: Names of parameters that differ.
        files: Of the code.
    """

    workflow: str
    first: int
    second: int
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    tasks: dict[str, tuple[str, ...]]
    params: tuple[str, ...]
    files: tuple[FileDifference, ...]


def difference(store: Reader, artifacts: Artifacts, first: VersionEntry, second: VersionEntry) -> Difference:
    """What differs between two versions of one workflow. Raises ``NotFound`` if a graph is not there."""
    graphs = store.graph(first.graph), store.graph(second.graph)
    one, other = map(_nodes, graphs)
    both = {key: _fields(one[key], other[key]) for key in one.keys() & other.keys()}
    fields = ("graph", "code", "environment")
    return Difference(
        workflow=first.workflow,
        first=first.version,
        second=second.version,
        changed=tuple(each for each in fields if getattr(first, each) != getattr(second, each)),
        added=tuple(sorted(other.keys() - one.keys())),
        removed=tuple(sorted(one.keys() - other.keys())),
        tasks={key: found for key, found in sorted(both.items()) if found},
        params=_params(*graphs),
        files=tuple(_files(artifacts, first, second)),
    )


def _nodes(graph: Graph) -> dict[str, Node]:
    """Every node by its key, with its group's name in front of it if that is no graph's main one."""
    found = {"(run)": graph.root}
    for name, group in graph.groups.items():
        found |= {each.key if name == "main" else f"{name}.{each.key}": each for each in group.nodes}
    return found


def _fields(one: Node, other: Node) -> tuple[str, ...]:
    return tuple(each for each in one.__struct_fields__ if getattr(one, each) != getattr(other, each))


def _params(one: Graph, other: Graph) -> tuple[str, ...]:
    before, after = ({each.name: each for each in graph.params} for graph in (one, other))
    names = dict.fromkeys((*before, *after))
    return tuple(each for each in names if before.get(each) != after.get(each))


def _files(artifacts: Artifacts, first: VersionEntry, second: VersionEntry) -> list[FileDifference]:
    found: list[FileDifference] = []
    snapshots = _snapshot(artifacts, first), _snapshot(artifacts, second)
    for file in sorted(first.files.keys() | second.files.keys()):
        if first.files.get(file) == second.files.get(file):
            continue
        what = "added" if file not in first.files else "removed" if file not in second.files else "changed"
        one, other = (_lines(artifacts, each, file) for each in snapshots)
        diff = difflib.unified_diff(
            one, other, f"{file}@{first.version}", f"{file}@{second.version}", lineterm=""
        )
        found.append(FileDifference(file=file, what=what, diff="\n".join(diff)))
    return found


def _snapshot(artifacts: Artifacts, version: VersionEntry) -> Snapshot | None:
    try:
        return read(version.snapshot, artifacts.blobs)
    except WeftError:
        return None  # Its files were pruned: the digests still tell which of them differ.


def _lines(artifacts: Artifacts, snapshot: Snapshot | None, file: str) -> list[str]:
    entry = None if snapshot is None else snapshot.files.get(file)
    if entry is None or entry.link or entry.size > _TEXT_MAX:
        return []
    try:
        return artifacts.blobs.get(entry.digest).decode(errors="replace").splitlines()
    except WeftError:
        return []
