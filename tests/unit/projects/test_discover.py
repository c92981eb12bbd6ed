"""Discovery: files that behave in every bad way, beside files that behave."""

import sys
import time
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest
from project_home import flow

from weft.model.errors import ProjectError
from weft.model.projects import Look as Found
from weft.projects.discover import Discoverer, candidates

IMPORT = "import weft\n"


class Look(Protocol):
    """Says what each Python file of a folder defines."""

    def __call__(self, folder: Path, **limits: Any) -> dict[str, Found]: ...


def ended(pid: int) -> bool:
    """Whether a process is dead, if not yet buried."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def look(discoverer: Discoverer) -> Look:
    """Looks with processes that have looked at other tests' files before."""

    def do(folder: Path, **limits: Any) -> dict[str, Found]:
        files = sorted(str(each.relative_to(folder)) for each in folder.rglob("*.py"))
        found = discoverer.look(folder, candidates(folder, files, None), **limits)
        return {each.file: each for each in found}

    return do


@pytest.mark.parametrize(
    ("text", "code", "where", "says"),
    [
        ("def (", "W1105", "bad.py:2", "syntax error"),
        ("import no_such_module_at_all", "W1105", "bad.py:2", "no_such_module_at_all"),
        ("\n1 / 0", "W1105", "bad.py:3", "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "W1612", "bad.py:2", "sys.exit(3)"),
        ("import os; os._exit(7)", "W1612", "bad.py", "exit code 7"),
        ("raise KeyboardInterrupt('no')", "W1105", "bad.py:2", "KeyboardInterrupt"),
        ("class E(BaseException): pass\nraise E('odd')", "W1105", "bad.py:3", "odd"),
        ("import os; os.fork()", "W1612", "bad.py", "forked"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "W1612", "bad.py", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "W1612", "bad.py:2", "SIGSEGV"),
    ],
    ids=["syntax", "missing", "raises", "exit", "os-exit", "interrupt", "base", "fork", "kill", "crash"],
)
def test_a_bad_file_is_its_own_problem(
    look: Look, tmp_path: Path, text: str, code: str, where: str, says: str
) -> None:
    """It has a code, a place and words, and the file beside it is found all the same."""
    (tmp_path / "bad.py").write_text(IMPORT + text)
    (tmp_path / "good.py").write_text(flow())
    found = look(tmp_path)
    assert [each.name for each in found["good.py"].workflows] == ["etl"]
    (problem,) = found["bad.py"].problems
    assert (problem.code, problem.where) == (code, where)
    assert says in problem.what
    assert str(tmp_path) not in problem.traceback


def test_a_file_that_hangs_is_given_up(look: Look, tmp_path: Path) -> None:
    """After its time the process is killed, and the error names the line."""
    (tmp_path / "bad.py").write_text(IMPORT + "import threading\nthreading.Event().wait()")
    (problem,) = look(tmp_path, timeout_s=1.0)["bad.py"].problems
    assert (problem.code, problem.where) == ("W1611", "bad.py:3")


def test_a_file_that_takes_too_much_memory_is_refused(look: Look, tmp_path: Path) -> None:
    """The limit is the file's, and the error says so."""
    (tmp_path / "bad.py").write_text(IMPORT + "x = bytearray(900_000_000)")
    (problem,) = look(tmp_path, memory_bytes=600_000_000)["bad.py"].problems
    assert problem.code == "W1613"


def test_what_a_file_prints_is_no_part_of_the_answer(look: Look, tmp_path: Path) -> None:
    """Neither much of it, nor what looks like an answer, nor a closed stream."""
    (tmp_path / "a.py").write_text(
        flow(top="import os\nprint('x' * 10**6, flush=True)\nos.write(1, b'\\0\\0')")
    )
    (tmp_path / "b.py").write_text(flow(top="import os, sys\nsys.stdout.close()\nos.close(2)"))
    found = look(tmp_path)
    assert [len(each.workflows) for each in found.values()] == [1, 1]


def test_threads_and_children_do_not_outlive_a_look(look: Look, tmp_path: Path) -> None:
    """A file that leaves a thread and a process behind is found, and they end with its process."""
    top = (
        "import subprocess, threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "open('pid', 'w').write(str(child.pid))"
    )
    (tmp_path / "a.py").write_text(flow(top=top))
    assert len(look(tmp_path)["a.py"].workflows) == 1
    pid = int((tmp_path / "pid").read_text())
    # Killed it is, but only its own parent could wait until it is dead.
    give_up = time.monotonic() + 60.0
    while not ended(pid):
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_call_at_the_files_end_runs_nothing(look: Look, tmp_path: Path) -> None:
    """A script that runs its workflow unguarded is known by what it defines above that."""
    (tmp_path / "a.py").write_text(flow() + "\netl()\nopen('ran', 'w')\n")
    assert [each.name for each in look(tmp_path)["a.py"].workflows] == ["etl"]
    assert not (tmp_path / "ran").exists()


def test_what_a_file_takes_in_is_known(look: Look, tmp_path: Path) -> None:
    """Its modules by name, the data that it reads, and what it imports from elsewhere."""
    (tmp_path / "src" / "lib").mkdir(parents=True)
    (tmp_path / "src" / "lib" / "__init__.py").write_text("")
    (tmp_path / "src" / "lib" / "a.py").write_text("import colorsys\nTEXT = open('data.txt').read()\n")
    (tmp_path / "data.txt").write_text("x")
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "near.py").write_text("")
    (tmp_path / "flows" / "etl.py").write_text(flow(top="import near\nfrom lib.a import TEXT"))
    found = look(tmp_path)["flows/etl.py"]
    assert found.modules == {
        "lib": "src/lib/__init__.py",
        "lib.a": "src/lib/a.py",
        "near": "flows/near.py",
        "flows.etl": "flows/etl.py",
    }
    assert found.reads == ("data.txt",)
    assert "colorsys" in found.outside
    assert "lib" not in sys.modules


def test_a_file_with_the_name_of_a_loaded_module_is_refused(look: Look, tmp_path: Path) -> None:
    """A worker has the other module already, whatever the file says."""
    (tmp_path / "msgspec.py").write_text(flow())
    (problem,) = look(tmp_path)["msgspec.py"].problems
    assert problem.code == "W1614"


def test_files_with_odd_names_are_found(look: Look, tmp_path: Path) -> None:
    """A name that no import statement could write is as good as any other."""
    (tmp_path / "my-flow.v2.py").write_text(flow())
    assert [each.name for each in look(tmp_path)["my-flow.v2.py"].workflows] == ["etl"]


def test_which_files_are_looked_at(tmp_path: Path) -> None:
    """Those that mention weft outside of tests; or those that the project names."""
    for name, text in {
        "a.py": flow(),
        "b.py": "import os\n",
        "tests/test_a.py": flow(),
        "test_b.py": flow(),
        "flows/c.py": "from weft import flow\n",
        "notes.txt": "import weft\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    files = [str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()]
    assert list(candidates(tmp_path, files, None)) == ["a.py", "flows/c.py"]
    assert list(candidates(tmp_path, files, ["flows/*.py"])) == ["flows/c.py"]
    assert list(candidates(tmp_path, files, ["tests/*.py", "*.py"])) == [
        "a.py",
        "test_b.py",
        "tests/test_a.py",
    ]
    for bad in (["no/*.py"], "flows/*.py", [1]):
        with pytest.raises(ProjectError):
            candidates(tmp_path, files, bad)  # type: ignore[arg-type]
