"""One process of the service: an engine with its loops, an API, or both.

Rules:

1. The socket is bound and the store opened before anything runs: what is wrong with either is an error at
   the start, not a line in a log.
2. On the way down the API stops first, then the loops that start runs, then the engine: it takes no new
   runs, lets attempts under way end for as long as it may, and gives the rest back to the store.
3. User code is in worker processes only: the engine and the API never import it.
"""

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.core.changes import Change, RunAdded, RunChanged
from weft.engine.backfills import Backfills
from weft.engine.clock import SystemClock, entropy
from weft.engine.control import QUEUE, Control
from weft.engine.engine import Engine
from weft.engine.follower import Follower
from weft.engine.gauges import check_engine, check_store, watch_engine, watch_store
from weft.engine.recovery import process_start
from weft.engine.resources import ResourceServer, StoredResources
from weft.engine.scheduler import Scheduler
from weft.engine.triggers import Reactions, Triggers
from weft.executors.hosted import HostedExecutor
from weft.executors.process import ProcessExecutor
from weft.model.errors import NotFound
from weft.model.states import RUN_TERMINAL
from weft.notifications.lineage_outbox import LineageOutbox, sender
from weft.notifications.service import Notifications
from weft.observability.metrics import Metrics
from weft.observability.readiness import Readiness
from weft.observability.service_logs import configure_logs
from weft.observability.tracing import open_tracing
from weft.projects.unpack import restore
from weft.projects.workflows import Workflows
from weft.server.auth.trail import Trail
from weft.service.operations import LogTails, RunOperations, Unsealed
from weft.service.retention import Retention
from weft.settings import Settings
from weft.store.open import make_home, open_store
from weft.store.protocol import Store
from weft.store.vault import Vault, open_vault

if TYPE_CHECKING:
    from weft.service.api import ApiServer


class Part(Protocol):
    """Something that the service starts and stops."""

    def start(self) -> object:
        """Begin."""

    def close(self) -> object:
        """Stop; what is left is gone on with by whoever starts next."""


class Service:
    """See the module.

    Args:
        settings: Those in force.
        engine: Whether runs are run here.
        server: Whether the API is served here.

    Raises:
        StoreError: The store cannot be opened.
        PortTaken, OpenToAll: The API cannot be served there.
    """

    def __init__(self, settings: Settings, *, engine: bool = True, server: bool = True) -> None:
        configure_logs(settings)
        self.settings = settings
        self.home = settings.home_path
        make_home(self.home)
        self.clock = SystemClock()
        self.store: Store = open_store(settings.store_url, durability=settings.durability)
        self.artifacts = Artifacts(FileBlobs(self.home / "artifacts"))
        # What is shown to people may come from anywhere: no pickle of it is opened in this process.
        self.shown = Artifacts(self.artifacts.blobs, trusted=False)
        self.metrics = Metrics()
        self.readiness = Readiness()
        self._closing: list[Callable[[], object]] = []
        self.engine = self._make_engine() if engine else None
        self.control = Control(self.store, self.engine, clock=self.clock)
        self.workflows = Workflows(self.store, self.artifacts, self.home, self.clock.now)
        self._parts: list[Part] = self._make_parts() if engine else []
        self._stopping = threading.Event()
        check_store(self.readiness, self.store)
        watch_store(self.metrics, self.store, self.clock)
        self.http = self._make_server() if server else None

    @cached_property
    def vault(self) -> Vault:
        """Opens secrets; the key is made when there is a first one."""
        return open_vault(self.home, self.settings.secret_key)

    def seal(self, kind: str, name: str, text: str) -> bytes:
        """See ``server.services.Vault``."""
        return self.vault.seal(kind, name, text)

    def open(self, kind: str, name: str, sealed: bytes) -> str:
        """See ``server.services.Vault``."""
        return self.vault.open(kind, name, sealed)

    # --- what it is made of -------------------------------------------------------------------------------

    def _make_engine(self) -> Engine:
        settings = self.settings
        # Before any worker is made: they read from the environment whether attempts are traced.
        tracing = open_tracing(settings, self.store)
        folder = self.home / "artifacts"
        resources = ResourceServer(StoredResources(self.store, lambda: self.vault))
        resources.start()
        self._closing.append(resources.close)
        hosted = HostedExecutor(
            self.home,
            folder,
            lambda: made,
            threads=settings.threads or None,
            suspend_after_s=settings.suspend_after_s,
            resources=resources.path,
        )
        process = ProcessExecutor(
            self.home, folder, workers=settings.workers or None, resources=resources.path
        )
        pid = os.getpid()
        made = Engine(
            self.store,
            self.artifacts,
            {"process": process, "thread": hosted},
            default="process",
            clock=self.clock,
            pools=settings.pools,
            name=f"{socket.gethostname()}:{pid}",
            host=socket.gethostname(),
            pid=pid,
            process_started=process_start(pid),
            lease_s=settings.lease_s,
            # It waits for its store as long as it takes: there is nobody else to do its work.
            busy_patience_s=math.inf,
            queues=settings.queues or (QUEUE,),
            fetch=lambda project: restore(project, self.artifacts.blobs),
        )
        watch_engine(self.metrics, made)
        check_engine(self.readiness, made)
        if tracing is not None:
            made.listen(tracing.take)
            self.metrics.watch("weft_traces_spans_total", lambda: tracing.sent)
            self.metrics.watch("weft_traces_dropped_total", lambda: tracing.dropped)
            self._closing.append(tracing.close)
        return made

    def _make_parts(self) -> list[Part]:
        """The loops beside the engine, in the order in which they start."""
        engine, store, clock = self.engine, self.store, self.clock
        assert engine is not None
        notifications = Notifications(
            store,
            self.shown,
            clock.now,
            operations=RunOperations(self.control, self.workflows),
            secrets=Unsealed(store, lambda: self.vault),
            logs=LogTails(self.home),
            base_url=self.settings.base_url,
        )
        scheduler = Scheduler(store, self.control, self.workflows, clock=clock)
        triggers = Triggers(store, self.control, self.workflows, clock=clock)
        followers = [
            Follower("automations", store, notifications.reactor, clock=clock),
            Follower("triggers", store, Reactions(store), clock=clock),
        ]
        lineage: list[Part] = []
        if self.settings.lineage:
            outbox = LineageOutbox(
                store, sender(self.settings.lineage), clock=clock, namespace=self.settings.lineage_namespace
            )
            lineage.append(outbox)
            followers.append(Follower("lineage", store, outbox.react, clock=clock))
        ends = _Ends(store, scheduler)

        def committed(changes: Sequence[Change]) -> None:
            for each in followers:
                each.hurry()
            ends.take(changes)

        trail = Trail(store, clock, entropy)
        engine.listen(committed)
        return [
            notifications,
            *lineage,
            *followers,
            triggers,
            Backfills(store, self.control, self.workflows, clock=clock),
            scheduler,
            Retention(store, self.home, self.settings.keep_days, clock=clock, also=[trail.prune]),
        ]

    def _make_server(self) -> "ApiServer":
        # Half a second to load: an engine alone does without it.
        from weft.service.api import ApiServer  # noqa: PLC0415 - see above

        return ApiServer(self)

    # --- its life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run everything; returns when requests are answered."""
        if self.engine is not None:
            self.engine.start()
            for each in self._parts:
                each.start()
        if self.http is not None:
            self.http.start()

    def wait(self) -> None:
        """Wait for a signal to stop, or for ``stop``. Only in the main thread."""

        def ask(number: int, frame: object) -> None:
            if self._stopping.is_set():
                os.write(2, b"\nstopped at once; runs go on at the next start\n")
                os._exit(128 + number)
            self._stopping.set()

        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, ask)
        while not self._stopping.wait(1.0):
            if self.engine is not None and self.engine.halted is not None:
                raise self.engine.halted

    def stop(self) -> None:
        """Let ``wait`` return."""
        self._stopping.set()

    def close(self) -> None:
        """Go down in good order; see the module."""
        if self.http is not None:
            self.http.close()
        for each in reversed(self._parts):
            each.close()
        if self.engine is not None:
            _drain(self.engine, self.settings.drain_s)
            self.engine.close(grace_s=2.0)
        for close in self._closing:
            close()
        self.store.close()


def _drain(engine: Engine, drain_s: float) -> None:
    """Start nothing more, and let what is under way end."""
    engine.leaving = True
    until = time.monotonic() + drain_s
    while engine.working() and time.monotonic() < until:
        time.sleep(0.02)


class _Ends:
    """Tells the scheduler which workflows' runs have ended: schedules may wait for them."""

    def __init__(self, store: Store, scheduler: Scheduler) -> None:
        self._store = store
        self._scheduler = scheduler
        self._workflows: dict[int, str] = {}

    def take(self, changes: Sequence[Change]) -> None:
        """Committed changes of this process's engine."""
        for change in changes:
            if type(change) is RunAdded:
                self._workflows[change.run] = change.workflow
            elif type(change) is RunChanged and change.state in RUN_TERMINAL:
                workflow = self._workflows.pop(change.run, None)
                try:
                    self._scheduler.ended(workflow or self._store.run_by_id(change.run).workflow)
                except NotFound:
                    continue
