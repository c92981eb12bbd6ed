"""A service as far as deployed workflows need one: a store, executors and an engine that knows no code."""

import sys
import time
from pathlib import Path
from typing import Any

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.engine.engine import Engine
from weft.executors.hosted import HostedExecutor
from weft.executors.process import ProcessExecutor
from weft.model.projects import Deployment
from weft.model.states import RunState
from weft.projects.inventory import Options
from weft.projects.registry import deploy
from weft.projects.workflows import Workflows
from weft.runtime.host import Pending
from weft.store.open import open_store

WAIT_S = 60.0


class Service:
    """Deploys projects and runs their workflows."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        artifacts = home / "artifacts"
        self.store = open_store(home / "weft.db", durability="relaxed")
        self.artifacts = Artifacts(FileBlobs(artifacts, durable=False), trusted=False)
        self.engine = Engine(
            self.store,
            self.artifacts,
            {
                "process": ProcessExecutor(home, artifacts, workers=3),
                "thread": HostedExecutor(home, artifacts, lambda: self.engine),
            },
            default="process",
        )
        self.workflows = Workflows(self.store, self.artifacts, home, time.time)
        self.modules = set(sys.modules)
        self.engine.start()

    def deploy(self, folder: Path, **options: Any) -> Deployment:
        """Deploy a folder."""
        return deploy(
            self.store,
            self.artifacts,
            self.home,
            str(folder),
            at=time.time(),
            by="tester",
            options=Options(**options),
        )

    def submit(self, workflow: str, params: dict[str, Any] | None = None, **options: Any) -> Pending:
        """Start a run."""
        return self.engine.submit(self.workflows.request(workflow, params, **options))

    def value(self, pending: Pending) -> Any:
        """Wait for a run; its result."""
        assert pending.wait(timeout_s=WAIT_S), "the run did not end"
        row = self.store.run_by_id(pending.run)
        assert row.state is RunState.SUCCEEDED, row.error
        assert row.result is not None
        return Artifacts(self.artifacts.blobs).loads(row.result)

    def run(self, workflow: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        """Run a workflow; its result."""
        return self.value(self.submit(workflow, params, **options))

    def close(self) -> None:
        """Stop everything."""
        self.engine.close(grace_s=0.5)
        self.store.close()


def write(folder: Path, files: dict[str, str]) -> Path:
    """Files of a project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
