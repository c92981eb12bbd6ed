"""What a person can do wrong, and what the world can: each is a clear coded error, and nothing is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from embedded_weft import CRASHED, Said, Weft

import weft as w
from weft import flow, task
from weft.embedded import LocalHost
from weft.model.errors import (
    NotSerializable,
    RunNotResumable,
    StoreFull,
    TaskFailed,
    TaskLost,
    TaskTimeout,
)
from weft.model.states import RunState, TaskState
from weft.settings import Settings

TESTS = str(Path(__file__).parents[1])


@task
def echo(x: Any) -> Any:
    return x


@task
def double(x: int) -> int:
    return 2 * x


def run_script(folder: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the user's."""
    script = folder / "script.py"
    script.write_text(text)
    full = {**os.environ, "WEFT_HOME": str(folder / "home"), "WEFT_PROGRESS": "off", **env}
    return subprocess.run(
        [sys.executable, str(script)], env=full, capture_output=True, text=True, timeout=100, check=False
    )


SCRIPT = """
from weft import flow, task

@task
def double(x): return 2 * x

@flow
def main(): return double(2)

print(main())
"""


# --- values -----------------------------------------------------------------------------------------------


def test_argument_that_cannot_be_stored(weft: Weft) -> None:
    """The error names the argument, also inside a container, for calls, items and parameters."""

    @task
    def save(row: Any, conn: Any = None) -> None: ...

    @flow
    def main(what: Any = None) -> None:
        with pytest.raises(NotSerializable, match="'conn'") as caught:
            save(1, conn=threading.Lock())
        assert caught.value.code == "W1300"
        with pytest.raises(NotSerializable, match=r"'row'.*tables"):
            save.submit({"tables": [threading.Lock()]})
        with pytest.raises(NotSerializable, match="'conn'"):
            save.map([1, 2], conn=w.unmapped(threading.Lock()))
        with pytest.raises(NotSerializable, match="item 1"):
            save.map([1, threading.Lock()])

    main()
    with pytest.raises(NotSerializable, match="'what'"):
        main(threading.Lock())


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_result_that_cannot_be_stored(weft: Weft, executor: str) -> None:
    """A task whose result cannot be stored fails with its name; retries do not help and are not tried."""
    weft.open(executor=executor)

    @task(retries=3)
    def opens() -> Any:
        return {"file": threading.Lock()}

    @flow
    def main() -> str:
        with pytest.raises(NotSerializable, match=r"the result of task 'opens-0'.*file"):
            opens()
        return "went on"

    assert main() == "went on"
    assert weft.task("opens-0").attempt == 1


# --- tasks that misbehave ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["exit", "segfault", "kill"])
def test_task_that_takes_its_process_along(weft: Weft, how: str) -> None:
    """A worker that dies costs its task: tried a few times, then lost; the others and the flow go on."""
    weft.open(executor="process")

    @task
    def dies(how: str) -> None:
        if how == "exit":
            os._exit(3)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        import ctypes

        ctypes.string_at(0)

    @flow
    def main() -> list[int]:
        others = double.map(range(20))
        with pytest.raises(TaskLost):
            dies(how)
        return others.result()

    assert main() == [2 * x for x in range(20)]
    assert weft.task("dies-0").attempt == 4


def test_exit_in_a_thread_task_can_be_resumed(tmp_path: Path) -> None:
    """``os._exit`` in a thread task takes the whole script along; the run is there and can be resumed."""
    text = """
import os
from pathlib import Path
from weft import flow, task

@task
def first(): return 1

@task
def dies():
    if not Path("died").exists():
        Path("died").touch()
        os._exit(70)
    return 2

@flow
def main(): return first() + dies()

main()
"""
    done = run_script(tmp_path, text)
    assert done.returncode == CRASHED
    env = {**os.environ, "WEFT_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "weft", "runs", "resume", "@latest"]
    resumed = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert resumed.returncode == 0, resumed.stderr
    Path("died").unlink()


def test_sys_exit_is_a_failure(weft: Weft) -> None:
    """``sys.exit`` in a task fails that task, and neither the thread nor the process ends."""

    @task
    def leaves() -> None:
        sys.exit(3)

    @flow
    def main() -> int | None:
        with pytest.raises(TaskFailed, match="SystemExit"):
            leaves()
        row = weft.task("leaves-0")
        assert row.error is not None
        return row.error.exit_code

    assert main() == 3


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_task_that_recurses_for_ever(weft: Weft, executor: str) -> None:
    """An endless recursion fails its task with ``RecursionError``."""
    weft.open(executor=executor)

    @task
    def recurses(x: int) -> int:
        def down(n: int) -> int:
            return down(n + 1)

        return down(x)

    @flow
    def main() -> str:
        with pytest.raises(RecursionError):
            recurses(0)
        return "went on"

    assert main() == "went on"


@pytest.mark.parametrize(("executor", "megabytes"), [("thread", 5), ("process", 5)])
def test_task_that_prints_much(weft: Weft, executor: str, megabytes: int) -> None:
    """Everything is in the log, and the run is fine."""
    _prints(weft, executor, megabytes)


@pytest.mark.slow
def test_task_that_prints_very_much(weft: Weft) -> None:
    """A hundred megabytes are no trouble."""
    _prints(weft, "process", 100)


def _prints(weft: Weft, executor: str, megabytes: int) -> None:
    weft.open(executor=executor)
    weft.host.thread.capture.tee = False

    @task
    def prints(megabytes: int) -> int:
        line = "x" * 1023
        for _ in range(megabytes * 1024):
            print(line)
        return megabytes

    @flow
    def main() -> int:
        return prints(megabytes)

    assert main() == megabytes
    row = weft.task("prints-0")
    log = weft.home / "logs" / weft.run().uid / f"{row.idx}.1.log"
    assert log.stat().st_size == megabytes * 1024 * 1024


@pytest.mark.parametrize(("executor", "megabytes"), [("thread", 200), ("process", 200)])
def test_huge_result(weft: Weft, executor: str, megabytes: int) -> None:
    """A result of hundreds of megabytes is stored and read back."""
    _returns(weft, executor, megabytes)


@pytest.mark.slow
def test_result_of_a_gigabyte(weft: Weft) -> None:
    """A gigabyte too."""
    _returns(weft, "process", 1024)


def _returns(weft: Weft, executor: str, megabytes: int) -> None:
    weft.open(executor=executor)

    @task
    def large(megabytes: int) -> bytes:
        return bytes(megabytes << 20)

    @task
    def size(data: bytes) -> int:
        return len(data)

    @flow
    def main() -> int:
        return size(large.submit(megabytes))  # type: ignore[arg-type]

    assert main() == megabytes << 20


def test_children_are_killed_on_timeout(weft: Weft, said: Said) -> None:
    """Processes that a task forked die with it when its time is over."""
    weft.open(executor="process")

    @task(timeout=0.5)
    def forks(said: Said) -> None:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        said.say(child.pid)
        child.wait()

    @flow
    def main() -> str:
        with pytest.raises(TaskTimeout):
            forks(said)
        return "went on"

    assert main() == "went on"
    child = int(said.lines[0])
    give_up = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < give_up, "the child of a task that timed out still runs"
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X")


# --- two engines ------------------------------------------------------------------------------------------


def test_two_engines_on_one_run(weft: Weft) -> None:
    """A run that a live process owns is not resumed by another: it says whose it is."""
    go = threading.Event()

    @task
    def waits() -> int:
        assert go.wait(20)
        return 1

    @flow
    def main() -> int:
        return waits.submit().result()

    found: list[int] = []
    runner = threading.Thread(target=lambda: found.append(main()))
    runner.start()
    while not weft.runs() or not weft.tasks():
        time.sleep(0.002)
    other = LocalHost(Settings(home=str(weft.home), **weft.settings))
    try:
        with pytest.raises(RunNotResumable, match="is being run by") as caught:
            other.resume(weft.run().run)
        assert str(os.getpid()) in str(caught.value)
    finally:
        other.close()
        go.set()
        runner.join()
    assert found == [1]


# --- the store --------------------------------------------------------------------------------------------


def test_read_only_home(tmp_path: Path) -> None:
    """A home that cannot be written is a coded error, and one that could be read before stays as it is."""
    home = tmp_path / "home"
    home.mkdir()
    root = os.geteuid() == 0
    if root and subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(home)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        assert run_script(tmp_path, SCRIPT).stdout == "4\n"
        if root:
            subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        else:
            for each in (home, *home.rglob("*")):
                each.chmod(0o500 if each.is_dir() else 0o400)
        done = run_script(tmp_path, SCRIPT)
        assert done.returncode == 1
        assert done.stderr.startswith("error: W3103"), done.stderr
    finally:
        if root:
            subprocess.run(["umount", str(home)], check=False)
        else:
            for each in (home, *home.rglob("*")):
                each.chmod(0o700)


def test_home_that_cannot_be_made(tmp_path: Path) -> None:
    """A home below a file is a coded error that names the place."""
    (tmp_path / "file").write_text("")
    done = run_script(tmp_path, SCRIPT, WEFT_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: W3103: the folder for Weft's data cannot be made")
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_store_from_a_newer_version(tmp_path: Path) -> None:
    """A store that a newer Weft wrote is left alone, with a hint."""
    assert run_script(tmp_path, SCRIPT).stdout == "4\n"
    import apsw

    connection = apsw.Connection(str(tmp_path / "home" / "weft.db"))
    version = int(connection.pragma("user_version"))
    connection.execute(f"pragma user_version = {version + 100}")
    connection.close()
    done = run_script(tmp_path, SCRIPT)
    assert done.returncode == 1
    assert done.stderr.startswith("error: W3105")
    assert "hint:" in done.stderr


def test_corrupt_store(tmp_path: Path) -> None:
    """A store whose file is damaged is a coded error, and is not written over."""
    assert run_script(tmp_path, SCRIPT).stdout == "4\n"
    file = tmp_path / "home" / "weft.db"
    data = bytearray(file.read_bytes())
    data[:64] = b"no database, as anyone can see at once, whatever else it may be."[:64]
    file.write_bytes(data)
    done = run_script(tmp_path, SCRIPT)
    assert done.returncode == 1
    assert done.stderr.startswith("error: W3104"), done.stderr
    assert file.read_bytes() == bytes(data)


FULL = """
from weft import flow, task

@task
def work(x): return "x" * 2000

@flow
def main(): return len([work(x) for x in range(600)])

print(main())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("executor", ["thread", "process"])
def test_full_disk(tmp_path: Path, executor: str) -> None:
    """A full disk stops the run with a code; when there is room again it is resumed, and all is there."""
    home = tmp_path / "home"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(home)], check=False)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        done = run_script(tmp_path, FULL, WEFT_EXECUTOR=executor)
        assert done.returncode == 1
        assert "W3102" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", str(home)], check=True)
        env = {**os.environ, "WEFT_HOME": str(home), "WEFT_EXECUTOR": executor}
        command = [sys.executable, "-m", "weft", "runs", "resume", "@latest"]
        resumed = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        host = LocalHost(Settings(home=str(home), progress="off"))
        try:
            run = host.store.run("@latest")
            assert run.state is RunState.SUCCEEDED
            assert host.store.counts(run.run) == {TaskState.SUCCEEDED: 601}
            assert {row.attempt for row in host.store.tasks(run.run, limit=1000)[1:]} <= {1, 2}
        finally:
            host.close()
    finally:
        subprocess.run(["umount", str(home)], check=False)


def test_engine_that_meets_a_full_store_says_so(weft: Weft, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store fills up under a running flow, its calls and its caller get the coded error."""

    @flow
    def main() -> int:
        found = double(1)

        def full(*args: Any, **kwargs: Any) -> Any:
            raise StoreFull("the disk is full", where="weft.db", hint="make room")

        monkeypatch.setattr(weft.host.store, "commit", full)
        try:
            return found + double(2)
        except Exception:
            return -1

    with pytest.raises(StoreFull, match="W3102: the disk is full"):
        main()
    monkeypatch.undo()
    weft.open()
    assert weft.run().state is RunState.RUNNING
    weft.broken = True


# --- definitions ------------------------------------------------------------------------------------------


def test_import_error_in_a_worker(tmp_path: Path) -> None:
    """A module that is missing where the worker runs fails the task with the line that asks for it."""
    text = """
import os
from weft import flow, task
if os.environ.get("WEFT_TEST_PARENT") != str(os.getpid()):
    if "WEFT_TEST_PARENT" in os.environ:
        import module_that_is_not_there
    os.environ["WEFT_TEST_PARENT"] = str(os.getpid())

@task
def double(x): return 2 * x

@flow
def main(): return double(2)

main()
"""
    done = run_script(tmp_path, text, WEFT_EXECUTOR="process")
    assert done.returncode != 0
    assert "module_that_is_not_there" in done.stderr
    assert "script.py:6" in done.stderr


def test_nonsense_as_a_task() -> None:
    """What is no function cannot be a task, and says what it is."""
    with pytest.raises(w.WeftError, match="@task decorates a function, not 3"):
        task(3)  # type: ignore[call-overload]
