"""What a node does when it runs: one struct a kind, told apart by tag."""

from typing import Any

import msgspec

from weft.model.values import Result
from weft.model.waits import Wait


class PythonCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="python"):
    """A Python function, found by name in the project's code.

    Attributes:
        module: Dotted module; ``__main__`` for a script, whose path is ``file``.
        qualname: Name inside the module; the decorated object's ``.fn`` is called.
        file: The script or single-file workflow that holds it, when it is not importable by name.
        flow: Whether it is a flow: its body calls tasks, and holds no slot while it waits for them.
        payload: The function itself by cloudpickle, where no name leads to it (a closure, a notebook cell).
        version: Digest of its source, part of cache keys.
    """

    module: str
    qualname: str
    file: str | None = None
    flow: bool = False
    payload: Result | None = None
    version: str = ""


class ShellCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="shell"):
    """A command line for the shell; the last line of its output is the result.

    ``{name}`` holes in ``script`` are filled with the inputs, quoted for the shell.
    """

    script: str
    env: dict[str, str] = {}
    cwd: str | None = None
    shell: str = "/bin/sh"
    version: str = ""


class ContainerCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="container"):
    """A container, by image."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    workdir: str | None = None
    mounts: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = {}


class HttpCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="http"):
    """An HTTP request."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: str | None = None
    success: str = ""


class GroupCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="group"):
    """The nodes of one of the graph's groups, in a scope of their own.

    A group may name itself, directly or through others: each instance is made when it is reached.
    """

    group: str


class WorkflowCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="workflow"):
    """A run of another workflow, by name; the result is that run's."""

    workflow: str
    version: str = ""


class WaitCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="wait"):
    """Waiting: no worker takes part."""

    wait: Wait


class MarkCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="mark"):
    """A value recorded once by a flow (a random number, the time, a patch marker)."""

    kind: str = ""


class KubernetesCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="kubernetes"):
    """An action on a Kubernetes resource."""

    action: str
    manifest: str
    success: str = ""
    failure: str = ""


class DialectCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="dialect"):
    """Something only a dialect's own runner can carry out (an Airflow operator, a Luigi task)."""

    dialect: str
    body: dict[str, Any]


Call = (
    PythonCall
    | ShellCall
    | ContainerCall
    | HttpCall
    | GroupCall
    | WorkflowCall
    | WaitCall
    | MarkCall
    | KubernetesCall
    | DialectCall
)
