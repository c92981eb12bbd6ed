"""What a module of native Python defines: its flows, dags and tasks, and what each takes.

The command line finds what to run with this, and discovery what to deploy.
"""

from types import ModuleType
from typing import Any, Protocol

from weft.dialects.native.dag import Dag
from weft.dialects.native.flow import Flow
from weft.dialects.native.parameters import Parameters
from weft.dialects.native.task import Task
from weft.runtime import load
from weft.runtime.host import Host, RunRequest


class Workflow(Protocol):
    """What can be run by name: a ``Flow``, a ``Dag`` or a ``Task``."""

    name: str

    def request(self, engine: Host, args: Any, kwargs: Any) -> RunRequest:
        """A run of it with these arguments."""


def workflows(module: ModuleType) -> dict[str, Workflow]:
    """The flows, dags and tasks that a module itself defines, by variable, in order of definition."""
    own = (module.__name__, load.SCRIPT, "__main__")
    found: dict[str, Workflow] = {}
    for variable, value in vars(module).items():
        if not isinstance(value, Task | Dag) or any(value is known for known in found.values()):
            continue
        if getattr(value.fn, "__module__", None) in own:
            found[variable] = value
    return found


def kind_of(workflow: object) -> str:
    """``flow``, ``dag`` or ``task``."""
    if isinstance(workflow, Dag):
        return "dag"
    return "flow" if isinstance(workflow, Flow) else "task"


def parameters_of(workflow: Any) -> Parameters:
    """What a flow, dag or task takes."""
    known = getattr(workflow, "parameters", None)
    return known if isinstance(known, Parameters) else Parameters(workflow.fn, workflow.name)


def line_of(workflow: Any) -> int:
    """The line of its definition; 0 if it has none."""
    code = getattr(getattr(workflow, "fn", None), "__code__", None)
    return 0 if code is None else int(code.co_firstlineno)
