"""What automations may do to runs, and where they find secrets: the service's parts in their words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from weft.engine.control import Control
from weft.engine.schedules import pause_schedule, resume_schedule
from weft.model.connections import SECRET, Secret
from weft.projects.workflows import Workflows
from weft.runtime.logs import log_path
from weft.store.protocol import Reader
from weft.store.records import Collection
from weft.store.vault import Vault

SECRETS = Collection(SECRET, Secret)


class RunOperations:
    """``notifications.protocol.Operations`` over the one way in.

    Args:
        control: Starts and steers runs.
        workflows: Say what to run; may be told to rest.
    """

    def __init__(self, control: Control, workflows: Workflows) -> None:
        self._control = control
        self._workflows = workflows

    def start_run(
        self, workflow: str, params: dict[str, Any], *, key: str, tags: tuple[str, ...], facts: dict[str, Any]
    ) -> str:
        """See ``Operations.start_run``."""
        request = self._workflows.request(workflow, params, facts=facts, key=key, tags=tags)
        return self._control.submit([request])[0].uid

    def ask(self, run: int, kind: str, *, request_id: str, by: str, force: bool = False) -> None:
        """See ``Operations.ask``."""
        row = self._control.store.run_by_id(run)
        self._control.ask(row, kind, by=by, force=force, request_id=request_id)

    def pause(self, what: str, name: str, *, by: str) -> None:
        """See ``Operations.pause``."""
        if what == "schedule":
            now = self._control.clock.now()
            pause_schedule(self._control.store, name, now=now, by=by)
        else:
            self._workflows.pause(name, by=by)

    def resume(self, what: str, name: str, *, by: str) -> None:
        """See ``Operations.resume``."""
        if what == "schedule":
            now = self._control.clock.now()
            resume_schedule(self._control.store, name, now=now, by=by)
        else:
            self._workflows.resume(name, by=by)


class Unsealed:
    """``notifications.protocol.Secrets`` over sealed records.

    Args:
        store: Where they are.
        vault: Opens the vault, which a service without secrets need not have.
    """

    def __init__(self, store: Reader, vault: Callable[[], Vault]) -> None:
        self._store = store
        self._vault = vault

    def reveal(self, name: str) -> str:
        """See ``Secrets.reveal``."""
        entry = SECRETS.require(self._store, name)
        return self._vault().open(SECRET, name, entry.value.sealed)


class LogTails:
    """``notifications.protocol.Logs`` over the files in Weft's folder.

    Args:
        home: The folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def tail(self, run: str, idx: int, attempt: int, size: int) -> str:
        """See ``Logs.tail``."""
        path = log_path(self._home, run, idx, attempt)
        try:
            with path.open("rb") as file:
                file.seek(max(path.stat().st_size - size, 0))
                return file.read(size).decode("utf-8", "replace")
        except OSError:
            return ""
