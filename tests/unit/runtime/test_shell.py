"""Shell commands: quoting, output, exit codes, and what is left behind."""

import ctypes
import pickle
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from weft.model.calls import ShellCall
from weft.model.errors import UsageError
from weft.runtime.shell import ShellFailed, fill, run_shell
from weft.runtime.signals import Cancelled
from weft.runtime.undisturbed import put_off


def run(script: str, inputs: dict[str, Any] | None = None, **more: Any) -> tuple[str, bytes]:
    output: list[bytes] = []
    last = run_shell(
        ShellCall(script, **more), inputs or {}, write=output.append, env={"A": "1"}, cwd=None, own_group=True
    )
    return last, b"".join(output)


def test_fill() -> None:
    """Inputs are quoted, lists become words, mappings JSON; other braces stay."""
    inputs = {"name": "a b; rm -rf /", "files": ["x y", "z"], "n": 3, "d": {"k": [1]}}
    assert fill("echo {name}", inputs) == "echo 'a b; rm -rf /'"
    assert fill("cat {files}", inputs) == "cat 'x y' z"
    assert fill("{n} {d}", inputs) == "3 '{\"k\":[1]}'"
    assert fill("${name} {a,b} {other} awk '{print $1}'", inputs) == "${name} {a,b} {other} awk '{print $1}'"


@pytest.mark.parametrize("text", ["", "'", "$(echo no)", "`echo no`", "a\nb", "{name}", "\\", "*"])
def test_no_value_escapes_its_quotes(text: str) -> None:
    """Whatever an input holds, the command sees exactly that."""
    assert run("printf %s {name}", {"name": text})[1].decode() == text


def test_the_last_line_is_the_result() -> None:
    """The result is the last line of standard output; standard error is output only."""
    last, output = run("echo one; echo two; echo err >&2")
    assert last == "two"
    assert sorted(output.split()) == [b"err", b"one", b"two"]
    assert run("true") == ("", b"")


def test_environment_and_folder(tmp_path: Path) -> None:
    """The call's variables come on top of the attempt's, and it runs in its folder."""
    assert run("echo $A$B", env={"B": "2"})[0] == "12"
    assert run("echo $A", env={"A": "9"})[0] == "9"
    assert Path(run("pwd", cwd=str(tmp_path))[0]).resolve() == tmp_path.resolve()


@pytest.mark.parametrize(
    ("script", "code", "text"),
    [("exit 3", 3, "exit code 3"), ("kill -TERM $$", -15, "SIGTERM"), ("echo why >&2; exit 1", 1, "why")],
)
def test_failures(script: str, code: int, text: str) -> None:
    """The exit code, or the signal, is told, with the last that was said."""
    with pytest.raises(ShellFailed, match=text) as caught:
        run(script)
    assert caught.value.exit_code == code
    assert pickle.loads(pickle.dumps(caught.value)).exit_code == code


@pytest.mark.parametrize("more", [{"shell": "/no/such/shell"}, {"cwd": "/no/such/folder"}])
def test_what_cannot_start(more: dict[str, str]) -> None:
    """A missing shell or folder is the caller's fault and is named."""
    with pytest.raises(UsageError, match="could not be started") as caught:
        run("true", **more)
    assert caught.value.where == next(iter(more.values()))


def test_a_child_left_behind_does_not_hold_the_result_up() -> None:
    """A background process that keeps the output open does not keep the task from ending."""
    assert run("sleep 2 & echo done")[0] == "done"


def test_much_output_is_not_kept_in_memory() -> None:
    """Output of any size is passed on, and its last line found."""
    last, output = run("i=0; while [ $i -lt 2000 ]; do printf '%01000d\\n' $i; i=$((i+1)); done")
    assert int(last) == 1999
    assert len(output) == 2000 * 1001


def test_struck_while_the_command_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel that comes when the command runs and is not known yet ends the command too."""
    begun: list[subprocess.Popen[bytes]] = []

    class Struck(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            begun.append(self)
            me = threading.get_ident()
            if not put_off(me, Cancelled):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(me), ctypes.py_object(Cancelled))
            time.sleep(0)

    monkeypatch.setattr(subprocess, "Popen", Struck)
    with pytest.raises(Cancelled):
        run("sleep 1000")
    assert begun[0].poll() == -15
