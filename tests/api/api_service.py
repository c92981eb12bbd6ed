"""What tests of the API use: a whole service on a store of its own, and clients for it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.compile.fingerprint import digest as graph_digest
from weft.embedded import LocalHost
from weft.engine.clock import entropy
from weft.engine.control import Control
from weft.model.projects import VersionEntry, WorkflowEntry, version_name
from weft.model.rows import RunRow
from weft.projects.records import VERSIONS, WORKFLOWS
from weft.projects.workflows import Workflows
from weft.runtime.host import RunRequest
from weft.server.app import create_app
from weft.server.auth.authority import Authority
from weft.server.auth.trail import Trail
from weft.server.live import Live
from weft.server.logfiles import FileLogs
from weft.server.serve import HttpServer
from weft.server.services import Services

BASE = "http://127.0.0.1:4200"


class Known(Workflows):
    """Workflows of the test's own module: deployed by name, run from where they are."""

    def request(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        key: str | None = None,
        tags: Sequence[str] = (),
        version: int | None = None,
    ) -> RunRequest:
        """As ``Workflows.request``, without a snapshot."""
        entry = self.get(name).value
        graph = self._store.graph(entry.graph)
        moment = self._now()
        values = self.encode(graph, params or {}, datetime.fromtimestamp(moment, UTC))
        return RunRequest(graph, values, key=key, tags=tuple(tags), facts=dict(facts or {}))


class FakeVault:
    """Seals so that a test sees that it was done."""

    def seal(self, kind: str, name: str, text: str) -> bytes:
        """The text, turned round."""
        return f"{kind}/{name}:{text[::-1]}".encode()

    def open(self, kind: str, name: str, sealed: bytes) -> str:
        """Turned round again."""
        return sealed.decode().removeprefix(f"{kind}/{name}:")[::-1]


class Service:
    """A service around an embedded engine.

    Args:
        host: The engine's process.
        home: Weft's folder.
    """

    def __init__(self, host: LocalHost, home: Path) -> None:
        self.host = host
        self.store = host.store
        self.engine = host.engine
        host.engine.duties.queues = ("default",)
        self._committed = threading.Condition()
        host.engine.listen(self._notify)
        artifacts = Artifacts(FileBlobs(home / "artifacts"), trusted=False)
        clock = host.engine.clock
        self.workflows = Known(host.store, artifacts, home, clock.now)
        self.services = Services(
            store=host.store,
            artifacts=artifacts,
            control=Control(host.store, host.engine, clock=clock),
            workflows=self.workflows,
            clock=clock,
            settings=host.settings,
            authority=Authority(host.store, clock, local_user="me"),
            trail=Trail(host.store, clock, entropy),
            logs=FileLogs(home),
            live=Live(host.store, lambda wake: host.engine.listen(lambda changes: wake())),
            vault=FakeVault(),
        )

    def until(self, holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait until something holds; commits, which bring most things about, make it look again at once."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, "it never came about"
            with self._committed:
                self._committed.wait(0.05)

    def ended(self, run: str) -> RunRow:
        """Wait for a run's end."""
        self.until(lambda: self.store.run(run).state.terminal)
        return self.store.run(run)

    def start(self, workflow: str, **params: Any) -> str:
        """Start a run; gives its id."""
        return self.services.control.submit([self.workflows.request(workflow, params)])[0].uid

    def _notify(self, _changes: object) -> None:
        with self._committed:
            self._committed.notify_all()

    def with_(self, **changes: Any) -> Services:
        """The services with something else in them."""
        return replace(self.services, **changes)

    def app(self, **changes: Any) -> Litestar:
        """The application, with something else in its services."""
        return create_app(self.with_(**changes))

    def deploy(self, *workflows: Any) -> None:
        """Register flows and dags of the test."""
        now = self.engine.clock.now()
        for each in workflows:
            graph = each.graph(self.host)
            digest = graph_digest(graph)
            self.store.put_graph(digest, graph, at=now)
            entry = WorkflowEntry(
                name=graph.workflow,
                project="tests",
                snapshot="",
                file="flows.py",
                variable=graph.workflow,
                graph=digest,
                version=1,
                code="c",
                environment="e",
                params=graph.params,
                deployed_at=now,
            )
            version = VersionEntry(
                workflow=graph.workflow,
                version=1,
                project="tests",
                file="flows.py",
                graph=digest,
                code="c",
                environment="e",
                snapshot="",
                at=now,
            )
            self.store.write(
                [
                    WORKFLOWS.put(graph.workflow, entry),
                    VERSIONS.put(version_name(graph.workflow, 1), version),
                ],
                at=now,
            )


@contextmanager
def client_of(app: Litestar, base_url: str = BASE) -> Iterator[TestClient[Litestar]]:
    """A client inside the process."""
    with TestClient(app, base_url=base_url, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def serving(service: Service, **changes: Any) -> Iterator[str]:
    """The service on a socket; gives its address."""
    services = service.with_(**changes)
    server = HttpServer(create_app(services, stalled_s=1.0), services, port=0, grace_s=1.0)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
