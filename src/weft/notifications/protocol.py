"""What this package needs of the layers above it; the composition root provides them."""

from typing import Any, Protocol


class Operations(Protocol):
    """What an automation may do to runs and workflows. Each may be asked for twice and acts once."""

    def start_run(
        self, workflow: str, params: dict[str, Any], *, key: str, tags: tuple[str, ...], facts: dict[str, Any]
    ) -> str:
        """Run a workflow; a second call with one key gives the same run. Returns its public id.

        Raises:
            UsageError: There is no such workflow, or the parameters do not fit.
        """

    def ask(self, run: int, kind: str, *, request_id: str, by: str, force: bool = False) -> None:
        """``cancel``, ``pause`` or ``resume`` a run, by its internal id.

        Raises:
            UsageError: The run is not there, or has ended.
        """

    def pause(self, what: str, name: str, *, by: str) -> None:
        """Let a ``workflow`` or ``schedule`` rest. Raises ``NotFound``."""

    def resume(self, what: str, name: str, *, by: str) -> None:
        """Let a ``workflow`` or ``schedule`` go on. Raises ``NotFound``."""


class Secrets(Protocol):
    """Where secrets are opened."""

    def reveal(self, name: str) -> str:
        """The secret's value. Raises ``NotFound``."""


class Logs(Protocol):
    """What attempts have printed."""

    def tail(self, run: str, idx: int, attempt: int, size: int) -> str:
        """At most the last ``size`` bytes of an attempt's log, as text; "" if there is none."""
