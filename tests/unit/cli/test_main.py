"""The command line in this process: how words are taken apart, and what wrong ones get."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weft._version import __version__
from weft.cli.app import root
from weft.cli.index import COMMANDS, EXIT_CODES
from weft.cli.main import main
from weft.embedded import close_host
from weft.model import errors

FLOWS = """\
from weft import dag, flow, task

@task
def double(x: int) -> int:
    return 2 * x

@flow
def numbers(n: int = 3) -> int:
    return sum(double(x) for x in range(n))

@dag
def graph(x: int = 1) -> int:
    return double(double(x))
"""

Weft = Callable[..., tuple[str, str]]


@pytest.fixture
def weft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Weft]:
    """``weft(*words, code=...)``: carry out a command in a folder that has ``flows.py``; its two outputs."""
    (tmp_path / "flows.py").write_text(FLOWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WEFT_PROGRESS", "off")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "path", [*sys.path])
    close_host()

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        found = main(words)
        shown = capsys.readouterr()
        assert found == code, shown
        return shown.out, shown.err

    yield run
    close_host()


def test_version_loads_nothing() -> None:
    """``--version`` is asked for by scripts all the time: it imports neither the parser nor the store."""
    script = (
        "import sys; from weft.cli.main import main; main(['--version']); "
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in "
        "('cyclopts', 'rich', 'apsw', 'msgspec', 'attrs', 'inspect')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"weft {__version__}", "[]"]


def test_help_loads_no_command() -> None:
    """The overview comes from the index; no parser, no command's file."""
    script = (
        "import sys; from weft.cli.main import main; main(['--help']); "
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in ('cyclopts', 'rich', 'apsw')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for each in COMMANDS:
        assert f"  {each.name} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=[each.name for each in COMMANDS])
def test_the_index_says_what_the_command_says(command: object) -> None:
    """The overview's line is the first line of the command's own help."""
    name, _, summary, _ = command  # type: ignore[misc]  # a named tuple, for the ids' sake
    assert root()[name].help.splitlines()[0] == summary


def test_exit_codes_are_those_of_the_errors() -> None:
    """Every exit code of an error class is one that the overview explains."""
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.exit_code for each in kinds if issubclass(each, errors.WeftError)}
    assert codes <= {code for code, _ in EXIT_CODES}


def test_a_run_in_process(weft: Weft) -> None:
    """The result is on standard output, and nothing else."""
    assert weft("run", "flows.py:numbers", "-p", "n=4") == ("12\n", "")


def test_global_options_may_stand_anywhere(weft: Weft) -> None:
    """``--quiet`` and ``--no-color`` are taken before and after the command's own words."""
    assert weft("--quiet", "runs", "list", "--no-color") == ("", "")


def test_help_of_a_command_names_its_options(weft: Weft) -> None:
    """Each command explains itself."""
    out, _ = weft("runs", "retry", "--help")
    assert "--from" in out
    assert "Usage: weft runs retry" in out


def test_no_words_is_a_question(weft: Weft) -> None:
    """Without words the overview is shown, and the exit code says that nothing was done."""
    out, _ = weft(code=2)
    assert "Usage: weft COMMAND" in out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "flows.py:numbers", "-p", "m=1"), 2, "W1201: numbers has no parameter 'm'"),
        (("run", "flows.py:numbers", "-p", "n=many"), 2, "W1203: numbers: 'n' must be int"),
        (("run", "flows.py:numbers", "-p", "n"), 2, "hint: write -p name=value"),
        (("run", "flows.py:nmbers"), 3, "did you mean 'numbers'?"),
        (("run", "flwos.py"), 3, "did you mean flows.py?"),
        (("run", "nowhere:x"), 3, "there is no module 'nowhere'"),
        (("run",), 2, "weft run --help"),
        (("run", "flows.py:numbers", "--selct", "x"), 2, "error: W1000"),
        (("rnu", "flows.py"), 2, "did you mean weft run?"),
        (("flows.py",), 2, "to run it: weft run flows.py"),
        (("runs", "lst"), 2, 'Did you mean "list"?'),
        (("runs", "show", "@latest"), 3, "there are no runs yet"),
        (("runs", "show", "run_X"), 3, "W1001: no run run_X"),
        (("runs", "list", "stat:failed"), 2, "state"),
        (("tasks", "list", "zz"), 3, "W1001"),
        (("run", "flows.py:graph", "--select", "duble"), 3, "did you mean 'double'?"),
        (("run", "flows.py:numbers", "--select", "x"), 2, "--select works on a @dag"),
        (("send", "@latest", "built", "--payload", "{"), 2, "--payload is not JSON"),
        (("runs", "delete"), 3, "no run was named"),
    ],
)
def test_wrong_words_have_a_code_and_a_hint(weft: Weft, words: tuple[str, ...], code: int, says: str) -> None:
    """What cannot be is refused with a coded error, a hint and the exit code of its kind."""
    out, err = weft(*words, code=code)
    assert says in err
    assert err.startswith("error: W1")
    assert out == ""
