"""``shell``: a command line as a task."""

import textwrap
from hashlib import sha256
from typing import Any, Unpack

from weft.dialects.native.options import TaskOptions
from weft.dialects.native.task import Task
from weft.model.calls import Call, ShellCall
from weft.runtime.host import Host


class ShellTask(Task[..., str]):
    """A task that runs a command line. See ``shell``."""

    def __init__(self, call: ShellCall, options: TaskOptions, *, bound: tuple[Any, ...] = ()) -> None:
        self._shell = call
        super().__init__(_keywords, options, bound=bound)

    def call_of(self, artifacts_of: Host | None) -> Call:
        """What its node does."""
        return self._shell


def shell(
    script: str,
    *,
    env: dict[str, str] | None = None,
    cwd: str | None = None,
    interpreter: str = "/bin/sh",
    **options: Unpack[TaskOptions],
) -> ShellTask:
    """Make a command line a task; its result is the last line that it prints.

    ``{name}`` in the script is filled with the argument of that name, quoted for the shell. It fails when
    the exit code is not 0, and ``retry_exit_codes`` can say which codes are worth another try.

    Args:
        script: One or more lines for the shell.
        env: Environment variables beside the process's own.
        cwd: Folder to run in.
        interpreter: The shell.
        options: As for ``task``; ``name`` is needed if the script is more than one word.
    """
    text = textwrap.dedent(script).strip()
    options.setdefault("name", text.split()[0].rpartition("/")[2] if text else "shell")
    given = repr((text, sorted((env or {}).items()), cwd, interpreter))
    version = options.get("version") or sha256(given.encode()).hexdigest()[:16]
    return ShellTask(ShellCall(text, env or {}, cwd, interpreter, version), options)


def _keywords(**inputs: Any) -> str:
    """The signature of every shell task: inputs by name."""
    raise AssertionError("a shell task runs its command line, not a function")
