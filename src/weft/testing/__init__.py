"""For tests of workflows, and of Weft itself: a clock, executors and stores that do as they are told.

``survive_crashes`` kills a workflow of yours at its commits and resumes it. ``simulation`` runs a real engine
through random workloads and faults, from one seed, in one thread. ``weft_home`` is a pytest fixture.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.testing.clock import FakeClock as FakeClock
    from weft.testing.crashing import Survived as Survived
    from weft.testing.crashing import survive_crashes as survive_crashes

_WHERE = {
    "FakeClock": "weft.testing.clock",
    "Survived": "weft.testing.crashing",
    "survive_crashes": "weft.testing.crashing",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    # Pytest loads this package for its fixture: it must cost nothing until something is used.
    if name not in _WHERE:
        raise AttributeError(f"module 'weft.testing' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
