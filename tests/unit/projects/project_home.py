"""A home for tests of projects: a store and blobs in memory, and a folder of code."""

import itertools
from pathlib import Path
from typing import Any

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.model.projects import Deployment, WorkflowEntry
from weft.projects.discover import Discoverer
from weft.projects.inventory import Options
from weft.projects.records import WORKFLOWS
from weft.projects.registry import deploy
from weft.projects.workflows import Workflows
from weft.store.memory import MemoryStore

T0 = 1_800_000_000.0


class Home:
    """Deploys ``code`` and says what is deployed. Every deploy is a minute later than the one before."""

    def __init__(self, folder: Path, discoverer: Discoverer) -> None:
        self.discoverer = discoverer
        self.folder = folder / "home"
        self.code = folder / "code"
        self.code.mkdir()
        self.store = MemoryStore()
        self.blobs = MemoryBlobs()
        self.artifacts = Artifacts(self.blobs, trusted=False)
        self.times = itertools.count(T0, 60.0)
        self.now = T0
        self.workflows = Workflows(self.store, self.artifacts, self.folder, lambda: self.now)

    def write(self, folder: str = "", /, **files: str) -> None:
        """Python files of the project, or of a folder of it, by name."""
        for name, text in files.items():
            self.put(f"{folder}{name}.py", text)

    def put(self, path: str, text: str) -> None:
        """One file of the project."""
        full = self.code / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text, encoding="utf-8")

    def deploy(self, folder: Path | None = None, **options: Any) -> Deployment:
        """Deploy the project."""
        self.now = next(self.times)
        chosen = Options(**{"name": "code", **options})
        source = str(folder or self.code)
        return deploy(
            self.store,
            self.artifacts,
            self.folder,
            source,
            at=self.now,
            by="me",
            options=chosen,
            discoverer=self.discoverer,
        )

    def entry(self, name: str) -> WorkflowEntry:
        """A workflow's record."""
        return WORKFLOWS.require(self.store, name).value


def what(done: Deployment) -> dict[str, str]:
    """What a deploy did, by workflow."""
    return {each.workflow: each.what for each in done.changes}


def codes(done: Deployment) -> dict[str, str]:
    """The codes of what is wrong, by file."""
    return {each.file: each.code for each in done.problems}


def flow(name: str = "etl", body: str = "return 1", top: str = "", args: str = "", options: str = "") -> str:
    """The text of a file with one flow."""
    return f"from weft import cron, dag, flow, task\n{top}\n@flow{options}\ndef {name}({args}):\n    {body}\n"
