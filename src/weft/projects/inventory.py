"""What workflows a project's files define now, and which files had to be loaded to know it.

A file is loaded again only if something that loading it took in has changed: a module of the project, a file
that it read, or a new file of the project that would now be imported in place of a module from elsewhere. One
with problems always is.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from weft._version import __version__
from weft.artifacts.artifacts import Artifacts
from weft.model.errors import DuplicateWorkflow, ModuleClash, WeftError
from weft.model.graph import Graph
from weft.model.projects import (
    Environment,
    FoundWorkflow,
    Look,
    Problem,
    ProjectEntry,
    ProjectFile,
    WorkflowEntry,
)
from weft.projects import environment as environments
from weft.projects.discover import MEMORY_BYTES, TIMEOUT_S, Discoverer, candidates
from weft.projects.loaders import Loader
from weft.projects.records import WORKFLOWS
from weft.projects.snapshot import Snapshot, read
from weft.store.protocol import Reader
from weft.store.records import Entry


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to deploy.

    Attributes:
        name: The project's name; "" is what it says of itself, or its folder's.
        tasks: Whether lone tasks count as workflows.
        timeout_s: The longest that loading one file may take.
        memory_bytes: The largest address space that loading one file may have.
        dry_run: Only say what would change.
    """

    name: str = ""
    tasks: bool = False
    timeout_s: float = TIMEOUT_S
    memory_bytes: int = MEMORY_BYTES
    dry_run: bool = False


class Defined(msgspec.Struct):
    """A workflow as the project defines it now.

    ``found`` is ``None`` if its file was not loaded again: then ``known`` tells.
    """

    file: str
    found: FoundWorkflow | None
    known: Entry[WorkflowEntry] | None


class Inventory:
    """A project's workflow files and what they define. No file is loaded twice, however often it is taken.

    Args:
        store: Knows what is deployed.
        artifacts: Keeps snapshots.
        snapshot: The project's files.
        root: The folder where they are unpacked.
        options: How to load them.
        discoverer: Loads them.

    Attributes:
        environment: What the project runs with.
        candidates: Its workflow files.
        files: What each holds.
        defined: The workflows, by name.
        problems: What is wrong.
        looks: What loading files showed, of those that were loaded.
    """

    def __init__(
        self,
        store: Reader,
        artifacts: Artifacts,
        snapshot: Snapshot,
        root: Path,
        options: Options,
        discoverer: Discoverer,
    ) -> None:
        self.store = store
        self.artifacts = artifacts
        self.snapshot = snapshot
        self.root = root
        self.options = options
        self.discoverer = discoverer
        self.digests = snapshot.digests()
        self.environment: Environment = environments.environment(root)
        self.candidates = candidates(root, snapshot.files, environments.options(root).get("workflows"))
        self.files: dict[str, ProjectFile] = {}
        self.defined: dict[str, Defined] = {}
        self.problems: list[Problem] = []
        self.looks: dict[str, Look] = {}
        self._again: dict[str, list[Look]] = {}

    def take(
        self, project: str, before: ProjectEntry | None, known: Mapping[str, Entry[WorkflowEntry]]
    ) -> None:
        """Find out what there is.

        Args:
            project: The project's name.
            before: What was deployed of it, if anything.
            known: Its workflows.
        """
        self.problems = []
        kept = {} if before is None else self._kept(before, known)
        self._look(file for file in self.candidates if file not in kept)
        self.files = {file: kept.get(file) or self._loaded(self.looks[file]) for file in self.candidates}
        self._check_modules()
        self._define(project, known)

    def graphs_of(self, workflow: str, file: str, looks: int) -> list[Graph]:
        """The workflow's graph as it comes out of loading its file again, several times."""
        if file not in self._again:
            only = {file: self.candidates[file]}
            self._again[file] = [look for _ in range(looks) for look in self._discover(only)]
        return [
            each.graph
            for look in (self.looks[file], *self._again[file])
            for each in look.workflows
            if each.name == workflow
        ]

    def _kept(
        self, before: ProjectEntry, known: Mapping[str, Entry[WorkflowEntry]]
    ) -> dict[str, ProjectFile]:
        """Files that need not be loaded again."""
        if (before.weft, before.environment, before.tasks) != (
            __version__,
            self.environment,
            self.options.tasks,
        ):
            return {}
        new = self._new_names(before)
        kept: dict[str, ProjectFile] = {}
        for file in self.candidates.keys() - self.looks.keys():
            loaded = before.files.get(file)
            if (
                loaded is not None
                and not loaded.problems
                and all(self.digests.get(path) == digest for path, digest in loaded.needs.items())
                and not new.intersection(loaded.outside)
                and all(_is_current(known.get(name), file) for name in loaded.workflows)
            ):
                kept[file] = loaded
        return kept

    def _new_names(self, before: ProjectEntry) -> set[str]:
        """Names of modules that the project has now and had not: they may hide others from elsewhere."""
        if before.snapshot == self.snapshot.digest:
            return set()
        try:
            old = set(read(before.snapshot, self.artifacts.blobs).files)
        except WeftError:
            old = set()
        paths = [path for path in self.digests.keys() - old if path.endswith(".py")]
        return {part.removesuffix(".py") for path in paths for part in path.split("/")}

    def _look(self, files: Iterable[str]) -> None:
        wanted = {file: self.candidates[file] for file in files if file not in self.looks}
        for look in self._discover(wanted):
            self.looks[look.file] = look

    def _discover(self, files: dict[str, Loader]) -> list[Look]:
        return self.discoverer.look(
            self.root,
            files,
            timeout_s=self.options.timeout_s,
            memory_bytes=self.options.memory_bytes,
            tasks=self.options.tasks,
        )

    def _loaded(self, look: Look) -> ProjectFile:
        taken_in = {look.file, *look.modules.values(), *look.reads}
        self.problems += look.problems
        return ProjectFile(
            workflows=tuple(each.name for each in look.workflows),
            problems=look.problems,
            needs={path: self.digests[path] for path in sorted(taken_in) if path in self.digests},
            modules=look.modules,
            outside=look.outside,
        )

    def _check_modules(self) -> None:
        """Refuse files that want one name for different modules: a worker of the project holds only one."""
        seen: dict[str, tuple[str, str]] = {}
        for file in sorted(self.files):
            for name, path in self.files[file].modules.items():
                other, by = seen.setdefault(name, (path, file))
                if other != path:
                    error = ModuleClash(
                        f"it imports {path} as {name!r}, and {by} imports {other} so",
                        where=file,
                        hint="give one of them another name, or import it by its folder's",
                    )
                    self._fail(file, error)
                    break

    def _fail(self, file: str, error: WeftError, workflow: str = "") -> None:
        problem = Problem(
            code=error.code,
            what=error.what,
            file=file,
            where=error.where,
            hint=error.hint,
            workflow=workflow,
        )
        self.problems.append(problem)
        before = self.files[file]
        kept = () if not workflow else tuple(each for each in before.workflows if each != workflow)
        self.files[file] = msgspec.structs.replace(
            before, problems=(*before.problems, problem), workflows=kept
        )

    def _define(self, project: str, known: Mapping[str, Entry[WorkflowEntry]]) -> None:
        """Every workflow, by name; of two with one name the one that was there first counts."""
        defined = self.defined = {}
        for file in sorted(self.files):
            found = self._found(file)
            for name in self.files[file].workflows:
                entry = known.get(name) or WORKFLOWS.get(self.store, name)
                each = Defined(file, found.get(name), entry)
                if entry is not None and entry.value.project != project and not entry.value.gone:
                    where = f"{entry.value.file} of project {entry.value.project!r}"
                    self._fail(file, _duplicate(name, file, where), name)
                elif name not in defined:
                    defined[name] = each
                elif entry is not None and entry.value.file == file:
                    other, defined[name] = defined[name], each
                    self._fail(other.file, _duplicate(name, other.file, file), name)
                else:
                    self._fail(file, _duplicate(name, file, defined[name].file), name)

    def _found(self, file: str) -> dict[str, FoundWorkflow]:
        look = self.looks.get(file)
        return {} if look is None else {each.name: each for each in look.workflows}


def _is_current(entry: Entry[WorkflowEntry] | None, file: str) -> bool:
    return entry is not None and entry.value.file == file and not entry.value.gone


def _duplicate(name: str, file: str, other: str) -> DuplicateWorkflow:
    return DuplicateWorkflow(
        f"{file} and {other} both define workflow {name!r}",
        where=file,
        hint="give one of them name=..., or remove it and deploy again",
    )
