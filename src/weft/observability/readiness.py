"""Named checks that tell whether a process is alive and whether it can do its work.

*Healthy* means that the process is worth keeping: an orchestrator restarts one that is not. *Ready* means
that work may be sent to it now. A database that is away makes a process unready and not unhealthy, because
starting it anew would help nobody. So a check counts for health only if it is ``vital``.
"""

import threading
from collections.abc import Callable

import msgspec

from weft.model.errors import WeftError

Check = Callable[[], str]
"""Says what is wrong; "" is nothing. One that raises is wrong too. It must return within a moment."""


class Checked(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a check said; ``problem`` is "" when all is well."""

    name: str
    vital: bool = False
    problem: str = ""
    code: str = ""


class Readiness:
    """The checks of a process."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[Check, bool]] = {}
        self._lock = threading.Lock()

    def add(self, name: str, check: Check, *, vital: bool = False) -> None:
        """Ask this too; one of the same name is replaced.

        Args:
            name: What is checked: ``store``, ``engine``.
            check: See ``Check``.
            vital: Whether a problem means that the process should be started anew.
        """
        with self._lock:
            self._checks[name] = (check, vital)

    def remove(self, name: str) -> None:
        """Ask this no more."""
        with self._lock:
            self._checks.pop(name, None)

    def ask(self, *, vital_only: bool = False) -> list[Checked]:
        """What every check says now, in the order in which they were added."""
        with self._lock:
            checks = list(self._checks.items())
        return [_asked(name, check, vital) for name, (check, vital) in checks if vital or not vital_only]

    @property
    def ready(self) -> bool:
        """Whether nothing is wrong."""
        return not any(each.problem for each in self.ask())

    @property
    def healthy(self) -> bool:
        """Whether nothing vital is wrong."""
        return not any(each.problem for each in self.ask(vital_only=True))


def _asked(name: str, check: Check, vital: bool) -> Checked:
    try:
        return Checked(name=name, vital=vital, problem=check())
    except WeftError as exc:
        return Checked(name=name, vital=vital, problem=exc.what, code=exc.code)
    except Exception as exc:
        return Checked(name=name, vital=vital, problem=f"{type(exc).__name__}: {exc}")
