"""The executor of flows and threads in processes of their projects: what happens to those processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.executors import hosted
from weft.executors.desk import Call
from weft.executors.hosted import HostedExecutor
from weft.model.attempts import Attempt, Ended, Report, Shown, Started
from weft.model.calls import PythonCall
from weft.model.errors import ExecutorError, WeftError
from weft.model.states import TaskState
from weft.model.values import ARGS, Plain
from weft.runtime.host import Pending, RunRequest

WAIT_S = 30.0

TASKS = '''
import ctypes
import os
import sys
import threading
import time

NAME = "here"


def pid():
    return os.getpid()


def first_path():
    return sys.path[0]


def name():
    return NAME


def sleep(seconds):
    time.sleep(seconds)


def hold_lock(seconds, mark):
    """Is announced, and then keeps the interpreter's lock as bad C code does."""
    time.sleep(0.2)
    library = ctypes.PyDLL(None)
    open(mark, "w").close()
    library.sleep(seconds)


def fork_and_return():
    """Return twice: in the parent and in the child."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return child


def length(data):
    return len(data)
'''


class NoDesk:
    """The engine of attempts that ask for nothing."""

    def call_all(self, calls: Sequence[Call]) -> None:
        raise AssertionError

    def submit(self, request: RunRequest) -> Pending:
        raise AssertionError

    def leave(self, run: int, error: WeftError) -> None:
        raise AssertionError


class Rig:
    """An executor and everything it said."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.artifacts = Artifacts(FileBlobs(self.home / "artifacts"))
        self.project = self.make_project("project", TASKS)
        self.executor = HostedExecutor(self.home, self.home / "artifacts", NoDesk, **options)
        self.ended: dict[Any, list[Ended]] = {}
        self.started: list[Started] = []
        self._total = 0
        self._said = threading.Condition()
        self.executor.start(self._sink)

    def make_project(self, name: str, text: str) -> str:
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "hosted_tasks.py").write_text(text)
        return str(self.folder / name)

    def _sink(self, reports: Sequence[Report]) -> None:
        with self._said:
            for report in reports:
                if isinstance(report, Ended):
                    self.ended.setdefault(report.id, []).append(report)
                elif not isinstance(report, Shown):
                    self.started.append(report)
            self._said.notify_all()

    def submit(self, task: str, *args: Any, project: str = "", **fields: Any) -> Attempt:
        self._total += 1
        attempt = Attempt(
            (1, self._total, 1),
            "run_1",
            "tests",
            f"t{self._total}",
            task,
            PythonCall("hosted_tasks", task),
            {ARGS: Plain(self.artifacts.dumps((args, {})))},
            project=project or self.project,
            **fields,
        )
        self.executor.submit([attempt])
        return attempt

    def until(self, holds: Callable[[], bool]) -> None:
        with self._said:
            assert self._said.wait_for(holds, WAIT_S), "nothing of the kind was reported"

    def until_started(self, attempt: Attempt) -> None:
        self.until(lambda: any(each.id == attempt.id for each in self.started))

    def end(self, attempt: Attempt) -> Ended:
        self.until(lambda: attempt.id in self.ended)
        (ended,) = self.ended[attempt.id]
        return ended

    def value(self, attempt: Attempt) -> Any:
        ended = self.end(attempt)
        assert ended.state is TaskState.SUCCEEDED, ended.error
        assert ended.result is not None
        return self.artifacts.loads(ended.result)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes rigs and closes them."""
    rigs: list[Rig] = []

    def build(**options: Any) -> Rig:
        rigs.append(Rig(tmp_path, **options))
        return rigs[-1]

    yield build
    for rig in rigs:
        rig.executor.close(grace_s=0.0)
        assert all(len(each) == 1 for each in rig.ended.values())


def dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_one_host_for_a_project(make: Callable[..., Rig]) -> None:
    """Attempts of one project share a process, which starts with the first of them; others have their own."""
    rig = make()
    assert rig.executor._hosts == []
    other = rig.make_project("other", TASKS.replace('"here"', '"there"'))
    assert len({rig.value(rig.submit("pid")) for _ in range(3)}) == 1
    assert rig.value(rig.submit("pid", project=other)) != rig.value(rig.submit("pid"))
    assert rig.value(rig.submit("name")) == "here"
    assert rig.value(rig.submit("name", project=other)) == "there"
    assert rig.value(rig.submit("first_path", project=other)) == other


def test_attempts_without_a_project(make: Callable[..., Rig], tmp_path: Path) -> None:
    """Attempts that name no project belong to the executor's."""
    rig = make(project=str(tmp_path / "default"))
    rig.make_project("default", TASKS.replace('"here"', '"default"'))
    attempt = Attempt((1, 1, 9), "run_1", "tests", "t", "name", PythonCall("hosted_tasks", "name"))
    rig.executor.submit([attempt])
    assert rig.value(attempt) == "default"


def test_a_dead_host_loses_its_attempts(make: Callable[..., Rig]) -> None:
    """When a host is killed, all it carried out is lost with the exit code, and the next host goes on."""
    rig = make()
    pid = rig.value(rig.submit("pid"))
    attempts = [rig.submit("sleep", 60) for _ in range(5)]
    for each in attempts:
        rig.until_started(each)
    os.kill(pid, signal.SIGKILL)
    for each in attempts:
        ended = rig.end(each)
        assert ended.state is TaskState.LOST
        assert ended.error is not None
        assert (ended.error.code, ended.error.exit_code) == ("W2002", -signal.SIGKILL)
    assert rig.value(rig.submit("pid")) != pid


def test_an_idle_host_ends(make: Callable[..., Rig]) -> None:
    """A host with nothing to do ends after a while; the next attempt gets another."""
    rig = make(idle_s=0.1)
    pid = rig.value(rig.submit("pid"))
    wait_for(lambda: dead(pid))
    assert rig.value(rig.submit("pid")) != pid


def test_a_busy_host_stays(make: Callable[..., Rig]) -> None:
    """A host that carries something out is not idle, however long that takes."""
    rig = make(idle_s=0.05)
    long = rig.submit("sleep", 0.5)
    rig.until_started(long)
    assert rig.end(long).state is TaskState.SUCCEEDED


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_stuck_host_is_killed(make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """C code that keeps the interpreter's lock cannot outlive its grace; its neighbours are lost with it."""
    monkeypatch.setattr(hosted, "MARGIN_S", 0.3)
    rig = make(timeout_grace_s=0.1)
    neighbour = rig.submit("sleep", 60)
    rig.until_started(neighbour)
    mark = rig.folder / "mark"
    stuck = rig.submit("hold_lock", 60, str(mark), timeout_s=0.5 if how == "timeout" else None)
    wait_for(mark.exists)
    if how == "cancel":
        rig.executor.cancel([stuck.id], grace_s=0.1)
    ended = rig.end(stuck)
    assert ended.state is (TaskState.CANCELLED if how == "cancel" else TaskState.FAILED)
    assert ended.error is not None
    assert "killed" in ended.error.message
    assert rig.end(neighbour).state is TaskState.LOST


def test_cancel_before_the_host_is_ready(make: Callable[..., Rig]) -> None:
    """What waits for its host to start is cancelled at once."""
    rig = make()
    attempt = rig.submit("sleep", 60)
    rig.executor.cancel([attempt.id])
    assert rig.end(attempt).state is TaskState.CANCELLED
    assert rig.value(rig.submit("name")) == "here"


def test_a_fork_does_not_return_into_the_host(make: Callable[..., Rig]) -> None:
    """A child that a task forks and that comes back ends, and the parent's answer is the only one."""
    rig = make()
    assert rig.value(rig.submit("fork_and_return")) > 0
    assert rig.value(rig.submit("name")) == "here"


def test_big_attempts(make: Callable[..., Rig]) -> None:
    """Attempts far bigger than a socket's buffer arrive whole, many at once."""
    rig = make(threads=2)
    facts = {"x": "y" * 3_000_000}
    attempts = [rig.submit("length", "abc", facts=facts) for _ in range(20)]
    assert [rig.value(each) for each in attempts] == [3] * 20


def test_a_host_that_cannot_start(make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """When no host starts, attempts are answered as lost with the reason, and not kept for ever."""
    rig = make()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    ended = rig.end(rig.submit("pid"))
    assert ended.state is TaskState.LOST
    assert ended.error is not None
    assert "could not start" in ended.error.message
    monkeypatch.undo()
    assert rig.value(rig.submit("name")) == "here"


def test_an_attempt_that_cannot_be_sent(make: Callable[..., Rig]) -> None:
    """An attempt that cannot be encoded fails by itself."""
    rig = make()
    ended = rig.end(rig.submit("name", facts={"lock": threading.Lock()}))
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.code == "W1300"


def test_closed(make: Callable[..., Rig]) -> None:
    """A closed executor takes nothing, and its hosts are gone."""
    rig = make()
    pid = rig.value(rig.submit("pid"))
    waiting = rig.submit("sleep", 60)
    rig.executor.close(grace_s=1.0)
    assert rig.end(waiting).state in (TaskState.CANCELLED, TaskState.LOST)
    assert dead(pid)
    with pytest.raises(ExecutorError):
        rig.submit("pid")


def test_hosts_die_with_their_parent(tmp_path: Path) -> None:
    """When the engine's process is killed, its hosts die, whatever they do."""
    script = tmp_path / "engine.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from pathlib import Path\n"
        "from test_hosted import Rig\n"
        f"rig = Rig(Path({str(tmp_path)!r}))\n"
        "print(rig.value(rig.submit('pid')), flush=True)\n"
        f"rig.until_started(rig.submit('hold_lock', 60, {str(tmp_path / 'mark')!r}))\n"
        "print('busy', flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "busy\n"
    parent.kill()
    parent.communicate()
    wait_for(lambda: dead(pid))
