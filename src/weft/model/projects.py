"""Projects, deployed workflows and versions: what the service knows of people's code without running it.

A *project* is a folder of code. Deploying it takes a *snapshot* of its files, loads the workflow files in a
process of their own, and keeps what they define as records. Everything here is data: whoever runs, schedules
or shows a workflow reads these and never imports the project.
"""

import msgspec

from weft.model.graph import Graph, Parameter
from weft.model.schedules import Schedule
from weft.model.triggers import Trigger


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something wrong with one file, or with one workflow in it.

    Attributes:
        code: As in ``model.errors``.
        what: One sentence.
        file: The file, relative to the project.
        where: File and line, or whatever tells the place best.
        hint: How to mend it.
        traceback: Of the user's code, if there is one.
        workflow: The workflow that it is about; "" is the whole file.
    """

    code: str
    what: str
    file: str
    where: str = ""
    hint: str = ""
    traceback: str = ""
    workflow: str = ""


class FoundWorkflow(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A workflow as a file defines it, found by a dialect's loader.

    Attributes:
        name: Its name, unique over all projects.
        variable: Its name in the file.
        kind: ``flow``, ``dag`` or ``task``; a dialect may have others.
        line: Where it is defined; 0 if nobody knows.
        graph: What a run of it runs. Its ``params`` are the workflow's.
        schedules: When it runs by itself.
        triggers: What else makes it run.
        max_active_runs: Runs that may be open at once; ``None`` is no limit.
    """

    name: str
    variable: str
    kind: str
    graph: Graph
    line: int = 0
    schedules: tuple[Schedule, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    max_active_runs: int | None = None


class Look(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What loading one file showed.

    Attributes:
        file: The file, relative to the project.
        workflows: What it defines.
        problems: What is wrong; one without ``workflow`` means that the file did not load.
        modules: Modules of the project that were loaded, by name, with their files. The file itself is one.
        reads: Other files of the project that were read meanwhile.
        outside: Top-level modules from elsewhere that were loaded.
        blobs: Bytes that the graphs refer to by digest.
    """

    file: str
    workflows: tuple[FoundWorkflow, ...] = ()
    problems: tuple[Problem, ...] = ()
    modules: dict[str, str] = {}
    reads: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    blobs: tuple[bytes, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the file did not load."""
        return any(not each.workflow for each in self.problems)


class Environment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What code runs with, as far as it makes a version.

    Attributes:
        python: The version, ``3.12``.
        requirements: The file that says what is installed (``uv.lock``, ``requirements.txt``...); "" if none.
        digest: Of both.
    """

    python: str
    requirements: str = ""
    digest: str = ""


class ProjectFile(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A workflow file of a deployed project, and what has to be equal so that it need not be loaded again.

    Attributes:
        workflows: Names of the workflows that it defines.
        problems: See ``Look``.
        needs: Files of the project that loading it took in, itself included, with their digests.
        modules, outside: See ``Look``.
    """

    workflows: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    needs: dict[str, str] = {}
    modules: dict[str, str] = {}
    outside: tuple[str, ...] = ()


class ProjectEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A deployed project: the body of a ``project`` record, whose name is the project's.

    Attributes:
        source: Where it came from: a folder, or a git address.
        revision: The commit, if it came from one.
        snapshot: Digest of its files.
        environment: What it runs with.
        files: Workflow files, by path.
        weft: Version of Weft that loaded them.
        tasks: Whether lone tasks count as workflows.
        deployed_at, deployed_by: The latest deploy that changed anything.
    """

    source: str
    snapshot: str
    environment: Environment
    revision: str = ""
    files: dict[str, ProjectFile] = {}
    weft: str = ""
    tasks: bool = False
    deployed_at: float = 0.0
    deployed_by: str = ""


class WorkflowEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A deployed workflow: the body of a ``workflow`` record, whose name is the workflow's.

    A new run uses ``graph`` and ``snapshot``. The snapshot is the newest of the project in which the file
    loaded; the version changes only with the graph, the code that the file takes in, or the environment.

    Attributes:
        name: The workflow's name.
        project: The project's name.
        snapshot: Digest of the files that a new run uses.
        file, variable, line: Where it is defined, in the project.
        kind, dialect: How it is written.
        graph: Digest of its graph; ``Reader.graph`` gives it.
        version: Number of the version, from 1.
        code: Digest of the code that its file takes in.
        environment: Digest of what it runs with.
        params: What it takes.
        schedules: When it runs by itself, as its code says.
        triggers: What else makes it run, as its code says.
        max_active_runs: Runs that may be open at once; ``None`` is no limit.
        tags, doc: For people.
        paused: Whether its schedules and triggers rest. A person's choice, which a deploy keeps.
        gone: Whether its project does not define it any more.
        deployed_at, deployed_by: When its version, or anything else here, last changed, and by whom.
    """

    name: str
    project: str
    snapshot: str
    file: str
    variable: str
    graph: str
    version: int
    code: str
    environment: str
    line: int = 0
    kind: str = "flow"
    dialect: str = "native"
    params: tuple[Parameter, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    max_active_runs: int | None = None
    tags: tuple[str, ...] = ()
    doc: str = ""
    paused: bool = False
    gone: bool = False
    deployed_at: float = 0.0
    deployed_by: str = ""


class VersionEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A version of a workflow: the body of a ``version`` record, named by ``version_name``.

    Attributes:
        workflow, version: Which.
        project, file: Where it was defined.
        graph, code, environment: What made it differ from the one before.
        snapshot: Digest of the files that it was first seen in.
        revision: The commit, if there is one.
        changed: What differed: some of ``graph``, ``code`` and ``environment``.
        files: Digest of the code of each file that counts, so that two versions can be compared.
        at, by: When it was deployed, and by whom.
    """

    workflow: str
    version: int
    project: str
    file: str
    graph: str
    code: str
    environment: str
    snapshot: str
    revision: str = ""
    changed: tuple[str, ...] = ()
    files: dict[str, str] = {}
    at: float = 0.0
    by: str = ""


class Change(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a deploy does to one workflow.

    Attributes:
        workflow: Its name.
        what: ``new``, ``changed``, ``unchanged``, ``gone``, ``back`` or ``kept`` (its file failed to load).
        version: The version that it has now.
        changed: As in ``VersionEntry``.
        file: Where it is, or was, defined.
    """

    workflow: str
    what: str
    version: int
    changed: tuple[str, ...] = ()
    file: str = ""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What a deploy did, or would do.

    Attributes:
        project: The project's name.
        source, revision, snapshot: As in ``ProjectEntry``.
        changes: One for each workflow, by name.
        problems: What is wrong, by file.
        loaded: How many files were loaded; the others had not changed.
        files: How many workflow files there are.
    """

    project: str
    source: str
    revision: str
    snapshot: str
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    loaded: int
    files: int


def version_name(workflow: str, version: int) -> str:
    """The name of a version's record: names sort as versions do."""
    return f"{workflow}@{version:08}"
