"""What the application is given. Nothing in this package is global: two services may live in one process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from weft.artifacts.artifacts import Artifacts
from weft.engine.clock import Clock, entropy
from weft.engine.control import Control
from weft.observability.metrics import Metrics
from weft.observability.readiness import Readiness
from weft.runtime.host import RunRequest
from weft.server.auth.authority import Authority
from weft.server.auth.trail import Trail
from weft.server.cells import Cells
from weft.server.counting import Counts
from weft.server.live import Live
from weft.server.logfiles import LogReader
from weft.settings import Settings
from weft.store.protocol import Store


class Workflows(Protocol):
    """From a workflow's name to something that can be submitted, without running its code."""

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
        """A run of the workflow's current version, or of another.

        Raises:
            NotFound: There is no such workflow, or version.
            ParameterError: The parameters do not fit.
        """

    def ready(self, name: str) -> bool:
        """Whether schedules and triggers may run a workflow now."""

    def forget(self, name: str) -> None:
        """Delete a workflow with versions, schedules and triggers; its runs stay. Raises ``NotFound``."""

    def pause(self, name: str, *, by: str) -> None:
        """Let a workflow's schedules and triggers rest. Raises ``NotFound``."""

    def resume(self, name: str, *, by: str) -> None:
        """Let them go on. Raises ``NotFound``."""


class Vault(Protocol):
    """Seals secrets, and opens the few that the API itself checks something with: webhooks'."""

    def seal(self, kind: str, name: str, text: str) -> bytes:
        """What may be stored; bound to the record's kind and name, so that it opens nowhere else."""

    def open(self, kind: str, name: str, sealed: bytes) -> str:
        """What was sealed. Raises ``SecretUnreadable``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that the API stands on.

    Attributes:
        store: Where runs and records live.
        artifacts: Results; must not be trusted, because the server opens no pickles.
        control: The one way in for what is wanted of runs.
        workflows: What can be run by name.
        clock: Time.
        settings: Those in force.
        authority: Who may do what.
        trail: Who did what.
        logs: What attempts printed.
        live: Committed events as they come.
        metrics: What is counted; ``None``: nothing is shown.
        readiness: Tells whether the process can do its work; ``None``: the store and engine are asked.
        vault: Seals secrets; ``None``: none can be stored.
        entropy: Ten random bytes a call, for ids.
        counts: Counts task runs.
        cells: Counts them by task.
    """

    store: Store
    artifacts: Artifacts
    control: Control
    workflows: Workflows
    clock: Clock
    settings: Settings
    authority: Authority
    trail: Trail
    logs: LogReader
    live: Live
    metrics: Metrics | None = None
    readiness: Readiness | None = None
    vault: Vault | None = None
    entropy: Callable[[], bytes] = field(default=entropy)
    counts: Counts = field(default_factory=Counts)
    cells: Cells = field(default_factory=Cells)
