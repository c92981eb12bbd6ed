"""Carries out a ``ShellCall``: a script, run by the shell, with the inputs quoted into it.

The whole output goes to the attempt's log as it comes; memory holds only the end of the standard output,
whose last line is the result. The command's children die with it: in a process group of its own here, or in
the worker's where the worker process is killed as a group.
"""

import os
import re
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from weft.model.calls import ShellCall
from weft.model.errors import UsageError
from weft.runtime.undisturbed import undisturbed

TAIL_MAX = 65536
"""Bytes of standard output that are kept for the result."""

_HOLE = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_POLL_S = 0.1
_TERM_S = 2.0


class ShellFailed(Exception):
    """The command ended with another exit code than 0.

    Attributes:
        exit_code: ``-N`` for signal N.
    """

    def __init__(self, exit_code: int, last: str) -> None:
        how = f"exit code {exit_code}" if exit_code >= 0 else f"signal {_signal_name(-exit_code)}"
        super().__init__(f"the command ended with {how}" + (f": {last}" if last else ""))
        self.exit_code = exit_code
        self.last = last

    def __reduce__(self) -> tuple[Any, ...]:
        return ShellFailed, (self.exit_code, self.last)


def fill(script: str, inputs: Mapping[str, Any]) -> str:
    """The script with every ``{name}`` that is an input replaced by its value, quoted for the shell.

    Text is passed as it is, lists as several words, mappings as JSON, the rest as Python prints it. Braces
    that name no input are left alone, since shells and awk use them too.
    """

    def quoted(match: re.Match[str]) -> str:
        name = match[1]
        return _quote(inputs[name]) if name in inputs else match[0]

    return _HOLE.sub(quoted, script)


def run_shell(
    call: ShellCall,
    inputs: Mapping[str, Any],
    *,
    write: Callable[[bytes], None],
    env: Mapping[str, str],
    cwd: str | None,
    own_group: bool,
) -> str:
    """Run the command to its end.

    Args:
        call: What to run.
        inputs: For the holes in the script.
        write: Takes the output as it comes.
        env: Added to the environment; the call's own comes on top.
        cwd: Folder to run in, unless the call names one.
        own_group: Whether the command leads a process group of its own.

    Returns:
        The last line of its standard output, without the line's end.

    Raises:
        ShellFailed: Its exit code is not 0.
        UsageError: The shell or the folder does not exist.
    """
    process: subprocess.Popen[bytes] | None = None
    try:
        with undisturbed():  # Struck between its start and its name, nobody could end it any more.
            process = _start(call, inputs, env, call.cwd or cwd or None, own_group=own_group)
        tail, last_error = _pump(process, write)
        exit_code = process.wait()
    except BaseException:
        if process is not None:
            _kill(process, own_group=own_group)
        raise
    finally:
        for pipe in (process.stdout, process.stderr) if process is not None else ():
            if pipe is not None:
                pipe.close()
    if exit_code:
        raise ShellFailed(exit_code, _last_line(last_error) or _last_line(tail))
    return _last_line(tail)


def _start(
    call: ShellCall, inputs: Mapping[str, Any], env: Mapping[str, str], folder: str | None, *, own_group: bool
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [call.shell, "-c", fill(call.script, inputs)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, **env, **call.env},
            process_group=0 if own_group else None,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as exc:
        raise UsageError(
            f"the command could not be started: {exc.strerror}",
            where=str(exc.filename),
            hint="the shell and the folder must exist where the worker runs",
        ) from exc


def _pump(process: subprocess.Popen[bytes], write: Callable[[bytes], None]) -> tuple[bytes, bytes]:
    """Copy both outputs until they close; returns the end of each.

    It wakes every ``_POLL_S`` so that an exception thrown into this thread is met. A child that the command
    left behind may keep the pipes open: once the command itself has ended, only what is there is read.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    tails = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    with selectors.DefaultSelector() as selector:
        for fd in tails:
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(_POLL_S)
            if not ready and process.poll() is not None:
                break
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fd)
                    continue
                write(data)
                tails[key.fd] = (tails[key.fd] + data)[-TAIL_MAX:]
    out, err = tails.values()
    return out, err


def _kill(process: subprocess.Popen[bytes], *, own_group: bool) -> None:
    """End the command and, in a group of its own, its children: first politely."""
    _send(process, signal.SIGTERM, own_group=own_group)
    give_up = time.monotonic() + _TERM_S
    while process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.01)
    _send(process, signal.SIGKILL, own_group=own_group)
    process.wait()


def _send(process: subprocess.Popen[bytes], number: int, *, own_group: bool) -> None:
    try:
        if own_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass


def _quote(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(_quote(each) for each in value)
    if isinstance(value, Mapping):
        return shlex.quote(msgspec.json.encode(value).decode())
    return shlex.quote(str(value))


def _last_line(data: bytes) -> str:
    lines = data.rstrip(b"\r\n").splitlines()
    return lines[-1].decode("utf-8", "replace") if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
