"""Deploying: from a project's files to the records that say what can be run, and in which version.

One deploy is: take a snapshot of the files, unpack it, load the workflow files *from there* that may have
changed, compare what they define with what is deployed, and write all records in one transaction. What was
loaded is what will run: a file that the snapshot leaves out is missing at once, and not in the night.

A new version is made when the graph, the code that the file takes in (``code.py``) or the environment
(``environment.py``) changed. Everything else only moves the workflow to the newest files.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec

from weft._version import __version__
from weft.artifacts.artifacts import Artifacts
from weft.compile.fingerprint import digest as graph_digest
from weft.core import ticking, triggering
from weft.model.errors import Conflict, ProjectError, WeftError
from weft.model.graph import Graph
from weft.model.projects import (
    Change,
    Deployment,
    Look,
    ProjectEntry,
    ProjectFile,
    VersionEntry,
    WorkflowEntry,
    version_name,
)
from weft.model.schedules import Schedule, record_name
from weft.model.triggers import Trigger, trigger_name
from weft.projects import environment as environments
from weft.projects.code import Code
from weft.projects.comparing import same_but_for_noise
from weft.projects.discover import Discoverer
from weft.projects.inventory import Defined, Inventory, Options
from weft.projects.records import PROJECTS, SCHEDULES, TRIGGERS, VERSIONS, WORKFLOWS
from weft.projects.snapshot import Snapshot, take
from weft.projects.source import Source, opened
from weft.projects.unpack import FOLDER, unpack
from weft.store.protocol import Store, Write

LOOKS = 3
"""How often a file is loaded again to tell what in its graphs is noise."""

_TRIES = 5


def deploy(
    store: Store,
    artifacts: Artifacts,
    home: Path,
    source: str,
    *,
    at: float,
    by: str = "",
    options: Options | None = None,
    discoverer: Discoverer | None = None,
) -> Deployment:
    """Make a project's workflows what can be run.

    Args:
        store: Where the records go.
        artifacts: Keeps the files and what graphs refer to.
        home: Weft's folder.
        source: A folder, ``folder@revision`` or ``git+https://...@revision``.
        at: Now, Unix seconds.
        by: Who deploys.
        options: How.
        discoverer: Loads the files, if there is one that is kept from deploy to deploy.

    Raises:
        ProjectError, NotFound, GitFailed: The project cannot be taken in.
        Conflict: Others keep changing the same workflows.
        StoreError: Nothing was changed.
    """
    options = options or Options()
    with opened(source) as found:
        snapshot = take(found.folder, artifacts.blobs, cache=home / FOLDER / "cache")
    root = unpack(home, artifacts.blobs, snapshot.digest, snapshot=snapshot)
    with nullcontext(discoverer) if discoverer is not None else Discoverer() as looking:
        deploying = _Deploy(store, artifacts, found, snapshot, root, options, looking, at, by)
        for _ in range(_TRIES - 1):
            try:
                return deploying.run()
            except Conflict:
                continue  # Somebody paused a workflow, or deployed too: compare with what is there now.
        return deploying.run()


class _Deploy:
    """One deploy. Files are loaded once, however often the registration is tried."""

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        source: Source,
        snapshot: Snapshot,
        root: Path,
        options: Options,
        discoverer: Discoverer,
        at: float,
        by: str,
    ) -> None:
        self.store = store
        self.artifacts = artifacts
        self.source = source
        self.snapshot = snapshot
        self.options = options
        self.at = at
        self.by = by
        said = environments.options(root)
        self.project = options.name or _name(said, root, source)
        self.code = Code(root, snapshot.digests())
        self.inventory = Inventory(store, artifacts, snapshot, root, options, discoverer)
        self.environment = self.inventory.environment

    def run(self) -> Deployment:
        """Compare and write, once. Raises ``Conflict`` if somebody else was writing too."""
        self.writes: list[Write] = []
        self.changes: list[Change] = []
        self.before = PROJECTS.get(self.store, self.project)
        self.known = {
            each.name: each for each in WORKFLOWS.all(self.store) if each.value.project == self.project
        }
        inventory = self.inventory
        inventory.take(self.project, None if self.before is None else self.before.value, self.known)
        for name, each in sorted(inventory.defined.items()):
            self._register(name, each, inventory.files[each.file])
        self._keep_or_drop()
        self._write_project(inventory.files)
        self.changes.sort(key=lambda each: each.workflow)
        if self.writes and not self.options.dry_run:
            self.store.write(self.writes, at=self.at)
        return Deployment(
            project=self.project,
            source=self.source.address,
            revision=self.source.revision,
            snapshot=self.snapshot.digest,
            changes=tuple(self.changes),
            problems=tuple(inventory.problems),
            loaded=len(inventory.looks),
            files=len(inventory.files),
        )

    def _register(self, name: str, defined: Defined, file: ProjectFile) -> None:
        entry = defined.known
        before = None if entry is None else entry.value
        codes: dict[str, str] = {}
        if before is not None and defined.found is None and self._is_same_code():
            code = before.code
        else:
            codes = {each: self.code.digest(each) for each in self.code.files(file.needs)}
            code = self.code.digest_of(codes)
        changed = ["code"] if before is None or before.code != code else []
        if before is None or before.environment != self.environment.digest:
            changed.append("environment")
        graph = "" if before is None else before.graph
        if defined.found is not None:
            new = graph_digest(defined.found.graph)
            if before is None or (new != graph and not self._is_noise(before, defined, bool(changed))):
                changed.append("graph")
            if changed:
                graph = new
                self._put_graph(defined, graph)
        version = 1 if before is None else before.version + bool(changed)
        after = self._entry(name, defined, before, graph, version, code)
        if before is None or _plain(after) != _plain(before):
            self.writes.append(WORKFLOWS.put(name, after, expect=0 if entry is None else entry.revision))
        if changed:
            what = VersionEntry(
                workflow=name,
                version=version,
                project=self.project,
                file=defined.file,
                graph=graph,
                code=code,
                environment=self.environment.digest,
                snapshot=self.snapshot.digest,
                revision=self.source.revision,
                changed=tuple(sorted(changed)),
                files=codes,
                at=self.at,
                by=self.by,
            )
            self.writes.append(VERSIONS.put(version_name(name, version), what))
        self._reconcile(name, after.schedules, gone=False)
        self._arm(name, after.triggers, gone=False)
        what_happened = (
            "new" if before is None else "back" if before.gone else "changed" if changed else "unchanged"
        )
        self._say(
            name, what_happened, version, defined.file, () if before is None else tuple(sorted(changed))
        )

    def _is_same_code(self) -> bool:
        """Whether no file at all has changed since the last deploy."""
        return self.before is not None and self.before.value.snapshot == self.snapshot.digest

    def _entry(
        self,
        name: str,
        defined: Defined,
        before: WorkflowEntry | None,
        graph: str,
        version: int,
        code: str,
    ) -> WorkflowEntry:
        found = defined.found
        if found is None:
            assert before is not None, "only what is deployed is not loaded again"
            return msgspec.structs.replace(
                before,
                snapshot=self.snapshot.digest,
                code=code,
                version=version,
                environment=self.environment.digest,
            )
        stored = before is not None and graph == before.graph
        shown = self.store.graph(graph) if stored else found.graph
        return WorkflowEntry(
            name=name,
            project=self.project,
            snapshot=self.snapshot.digest,
            file=defined.file,
            variable=found.variable,
            line=found.line,
            kind=found.kind,
            dialect=found.graph.dialect,
            graph=graph,
            version=version,
            code=code,
            environment=self.environment.digest,
            # Of the graph that runs: a default that is noise must not differ between the two.
            params=shown.params,
            schedules=found.schedules,
            triggers=found.triggers,
            max_active_runs=found.max_active_runs,
            tags=shown.tags,
            doc=shown.doc,
            paused=before is not None and before.paused,
            deployed_at=self.at,
            deployed_by=self.by,
        )

    def _is_noise(self, before: WorkflowEntry, defined: Defined, changed: bool) -> bool:
        """Whether a graph that differs means the same; asked only if the code and the rest are the same."""
        if changed or before.gone or before.file != defined.file:
            return False
        again = self.inventory.graphs_of(before.name, defined.file, LOOKS)
        try:
            deployed: Graph = self.store.graph(before.graph)
        except WeftError:
            return False
        self._put_blobs(self.inventory.looks[defined.file])
        return same_but_for_noise(deployed, again, self.artifacts)

    def _keep_or_drop(self) -> None:
        """What is deployed and was not found: kept if it or its file failed, else gone."""
        failing = {(each.file, each.workflow) for each in self.inventory.problems}
        for name, entry in self.known.items():
            if name in self.inventory.defined or entry.value.gone:
                continue
            before = entry.value
            if {(before.file, ""), (before.file, name)} & failing:
                self._say(name, "kept", before.version, before.file)
                continue
            gone = msgspec.structs.replace(before, gone=True, deployed_at=self.at, deployed_by=self.by)
            self.writes.append(WORKFLOWS.put(name, gone, expect=entry.revision))
            self._reconcile(name, (), gone=True)
            self._arm(name, (), gone=True)
            self._say(name, "gone", before.version, before.file)

    # --- what is written ----------------------------------------------------------------------------------

    def _put_graph(self, defined: Defined, digest: str) -> None:
        assert defined.found is not None
        if not self.options.dry_run:
            self._put_blobs(self.inventory.looks[defined.file])
            self.store.put_graph(digest, defined.found.graph, at=self.at)

    def _put_blobs(self, look: Look) -> None:
        for each in look.blobs:
            self.artifacts.blobs.put(each)

    def _reconcile(self, workflow: str, wanted: tuple[Schedule, ...], *, gone: bool) -> None:
        """Make the schedules' records those that the code says. What a person did to one is kept."""
        names = {record_name(workflow, each.name): each for each in wanted}
        known = {each.name: each for each in SCHEDULES.all(self.store, prefix=f"{workflow}#")}
        for name, each in names.items():
            entry = known.get(name)
            before = None if entry is None else entry.value
            after = ticking.enrol(workflow, each, before, self.at)
            due = ticking.due_at(after, self.at)
            if entry is None or after != before or (entry.due_at is None and due is not None):
                expect = 0 if entry is None else entry.revision
                self.writes.append(SCHEDULES.put(name, after, due_at=due, expect=expect))
        for name, entry in known.items():
            if name not in names and not gone:
                self.writes.append(SCHEDULES.drop(name, expect=entry.revision))
            elif gone and entry.due_at is not None:
                self.writes.append(SCHEDULES.put(name, entry.value, due_at=None, expect=entry.revision))

    def _arm(self, workflow: str, wanted: tuple[Trigger, ...], *, gone: bool) -> None:
        """Make the triggers' records those that the code says. What a person did to one is kept."""
        names = {trigger_name(workflow, each.name): each for each in wanted}
        known = {each.name: each for each in TRIGGERS.all(self.store, prefix=f"{workflow}#")}
        for name, each in names.items():
            entry = known.get(name)
            before = None if entry is None else entry.value
            after = triggering.arm(workflow, each, before)
            due = triggering.due_at(after, self.at)
            if entry is None or after != before or (entry.due_at is None and due is not None):
                expect = 0 if entry is None else entry.revision
                self.writes.append(TRIGGERS.put(name, after, due_at=due, expect=expect))
        for name, entry in known.items():
            if name not in names and not gone:
                self.writes.append(TRIGGERS.drop(name, expect=entry.revision))
            elif gone and entry.due_at is not None:
                self.writes.append(TRIGGERS.put(name, entry.value, due_at=None, expect=entry.revision))

    def _write_project(self, files: dict[str, ProjectFile]) -> None:
        after = ProjectEntry(
            source=self.source.address,
            revision=self.source.revision,
            snapshot=self.snapshot.digest,
            environment=self.environment,
            files=files,
            weft=__version__,
            tasks=self.options.tasks,
            deployed_at=self.at,
            deployed_by=self.by,
        )
        before = None if self.before is None else self.before.value
        if before is None or _plain(after) != _plain(before):
            expect = 0 if self.before is None else self.before.revision
            self.writes.append(PROJECTS.put(self.project, after, expect=expect))

    def _say(self, name: str, what: str, version: int, file: str, changed: tuple[str, ...] = ()) -> None:
        self.changes.append(Change(workflow=name, what=what, version=version, changed=changed, file=file))


def _plain(entry: Any) -> Any:
    """An entry without who wrote it and when: what tells whether there is anything to write."""
    return msgspec.structs.replace(entry, deployed_at=0.0, deployed_by="")


def _name(said: Mapping[str, Any], root: Path, source: Source) -> str:
    for found in (said.get("name"), environments.pyproject(root).get("project", {}).get("name"), source.name):
        if found:
            if not isinstance(found, str) or not found.isprintable():
                raise ProjectError(f"{found!r} is no name for a project", hint="weft deploy --name NAME")
            return found
    raise ProjectError("the project has no name", hint="weft deploy --name NAME")
