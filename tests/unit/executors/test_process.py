"""The process executor: what user code can do to a worker, and what the engine then hears."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.executors import process
from weft.executors.interpreter import Held
from weft.executors.process import ProcessExecutor
from weft.model.attempts import Attempt, Ended, Report, Started
from weft.model.calls import PythonCall
from weft.model.errors import ExecutorError
from weft.model.states import TaskState
from weft.model.values import ARGS, Bound, Plain
from weft.runtime.logs import log_path

WAIT_S = 30


class Rig:
    """An executor and everything it said."""

    def __init__(self, home: Path, **options: Any) -> None:
        self.home = home
        self.artifacts = Artifacts(FileBlobs(home / "artifacts"))
        self.executor = ProcessExecutor(home, home / "artifacts", **{"workers": 2, **options})
        self.ended: dict[Any, list[Ended]] = {}
        self.started: list[Started] = []
        self._total = 0
        self._said = threading.Condition()
        self.executor.start(self._sink)

    def _sink(self, reports: Any) -> None:
        with self._said:
            for report in reports:
                if isinstance(report, Ended):
                    self.ended.setdefault(report.id, []).append(report)
                elif isinstance(report, Started):
                    self.started.append(report)
            self._said.notify_all()

    def attempt(self, task: str, *args: Any, **fields: Any) -> Attempt:
        self._total += 1
        call = PythonCall("process_tasks", task)
        inputs: dict[str, Bound] = {ARGS: Plain(self.artifacts.dumps((args, {})))}
        return Attempt((1, self._total, 1), "run_1", "tests", f"t{self._total}", task, call, inputs, **fields)

    def submit(self, *attempts: Attempt) -> list[Attempt]:
        self.executor.submit(attempts)
        return list(attempts)

    def until(self, holds: Callable[[], bool]) -> None:
        with self._said:
            assert self._said.wait_for(holds, WAIT_S), "nothing of the kind was reported"

    def answers(self, attempts: list[Attempt]) -> list[Ended]:
        """The answers to all, in their order; fails if one has more than one."""
        self.until(lambda: all(each.id in self.ended for each in attempts))
        assert all(len(self.ended[each.id]) == 1 for each in attempts)
        return [self.ended[each.id][0] for each in attempts]

    def run(self, task: str, *args: Any, **fields: Any) -> Ended:
        return self.answers(self.submit(self.attempt(task, *args, **fields)))[0]

    def value(self, ended: Ended) -> Any:
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


def gone(pid: int) -> bool:
    """Wait for the end of a process that is not our child; True once it is dead."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], WAIT_S)[0])
    finally:
        os.close(fd)


def read_pids(path: Path) -> list[int]:
    """The pids that a task wrote into a file, once it has."""
    deadline = time.monotonic() + WAIT_S
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return [int(each) for each in path.read_text().split()]


def test_value(make: Callable[..., Rig]) -> None:
    """A function's value comes back, with when and where it ran."""
    rig = make()
    before = time.time()
    ended = rig.run("add", 2, 3)
    assert rig.value(ended) == 5
    assert before <= ended.started_at <= ended.ended_at <= time.time()
    assert ended.worker


def test_coroutine(make: Callable[..., Rig]) -> None:
    """A coroutine function is run to its end."""
    rig = make()
    assert rig.value(rig.run("coroutine", "done")) == "done"


def test_workers_start_when_needed(make: Callable[..., Rig]) -> None:
    """No process starts before there is work, and one attempt after another needs only one."""
    rig = make(workers=4)
    assert rig.executor._interpreters == []
    assert len({rig.value(rig.run("pid")) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("task", "args", "exit_code", "words"),
    [
        ("leave", (3,), 3, "exited with code 3"),
        ("leave", (0,), 0, "exited with code 0"),
        ("kill_myself", (), -9, "out of memory"),
        ("segfault", (), -11, "SIGSEGV"),
        ("close_all_descriptors", (), -9, "SIGKILL"),
    ],
)
def test_death(make: Callable[..., Rig], task: str, args: Any, exit_code: int, words: str) -> None:
    """An attempt whose process dies is lost, and says how it died; the next one has a new process."""
    rig = make(workers=1)
    ended = rig.run(task, *args)
    assert ended.state is TaskState.LOST
    assert ended.error is not None
    assert (ended.error.code, ended.error.exit_code) == ("W2002", exit_code)
    assert words in ended.error.message
    assert rig.value(rig.run("add", 1, 1)) == 2


def test_log_of_the_dead(make: Callable[..., Rig]) -> None:
    """What an attempt printed before it crashed is in its log, with Python's own account of the crash."""
    rig = make()
    ended = rig.run("segfault")
    log = log_path(rig.home, "run_1", ended.id[1], ended.id[2]).read_text()
    assert "before the fault" in log
    assert "Fatal Python error: Segmentation fault" in log
    assert ended.log_size == len(log)


def test_log(make: Callable[..., Rig]) -> None:
    """Each attempt's output is in its own log."""
    rig = make(workers=1)
    for text in ("one", "two"):
        ended = rig.run("say", text)
        assert log_path(rig.home, "run_1", ended.id[1], ended.id[2]).read_text() == text + "\n"


def test_one_crash_costs_one_attempt(make: Callable[..., Rig]) -> None:
    """Attempts that were sent ahead to a process that dies are carried out elsewhere, once."""
    rig = make()
    rig.answers(rig.submit(*[rig.attempt("add", 0, 0) for _ in range(50)]))
    attempts = []
    for i in range(400):
        attempts.append(rig.attempt("add", i, 0))
        if i % 100 == 50:
            attempts.append(rig.attempt("kill_myself"))
    for attempt, ended in zip(attempts, rig.answers(rig.submit(*attempts)), strict=True):
        expected = TaskState.LOST if attempt.name == "kill_myself" else TaskState.SUCCEEDED
        assert ended.state is expected


def test_death_from_outside(make: Callable[..., Rig], tmp_path: Path) -> None:
    """A worker killed from outside costs its running attempt; an idle one costs nothing."""
    rig = make(workers=1)
    idle = rig.value(rig.run("pid"))
    os.kill(idle, signal.SIGKILL)
    assert gone(idle)
    assert rig.value(rig.run("pid")) != idle
    (running,) = rig.submit(rig.attempt("hang_in_c", str(tmp_path / "pids")))
    worker, child = read_pids(tmp_path / "pids")
    os.kill(worker, signal.SIGKILL)
    assert rig.answers([running])[0].state is TaskState.LOST
    assert gone(child)


@pytest.mark.parametrize("task", ["nap", "hold_lock"])
def test_nothing_waits_behind_a_long_attempt(make: Callable[..., Rig], task: str) -> None:
    """What was sent ahead to a worker that turns out busy is given to others, even if it cannot be asked."""
    rig = make()
    rig.answers(rig.submit(*[rig.attempt(task, 0) for _ in range(100)]))
    long = rig.attempt(task, 300)
    rest = [rig.attempt(task, 0) for _ in range(100)]
    rig.submit(long, *rest)
    assert {each.state for each in rig.answers(rest)} == {TaskState.SUCCEEDED}
    assert long.id not in rig.ended
    rig.executor.cancel([long.id], grace_s=0.0)
    assert rig.answers([long])[0].state is TaskState.CANCELLED


def test_started(make: Callable[..., Rig], tmp_path: Path) -> None:
    """The beginning of an attempt that takes a while is reported before its end."""
    rig = make()
    flag = tmp_path / "flag"
    (attempt,) = rig.submit(rig.attempt("wait_for_file", str(flag)))
    rig.until(lambda: bool(rig.started))
    flag.touch()
    (ended,) = rig.answers([attempt])
    assert [each.id for each in rig.started] == [attempt.id]
    assert abs(rig.started[0].at - ended.started_at) < 0.05
    assert rig.started[0].worker == ended.worker


def test_timeout(make: Callable[..., Rig]) -> None:
    """An attempt past its limit is interrupted, and its traceback shows where it was."""
    rig = make(workers=1)
    worker = rig.value(rig.run("pid"))
    ended = rig.run("nap", 300, timeout_s=0.1)
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.code == "W2001"
    assert "0.1 s" in ended.error.message
    assert "time.sleep(seconds)" in ended.error.traceback
    assert rig.value(rig.run("pid")) == worker


def test_waiting_does_not_count_for_the_timeout(make: Callable[..., Rig]) -> None:
    """The limit counts from where the attempt begins, not from where it was submitted."""
    rig = make(workers=1)
    attempts = [rig.attempt("nap", 0.15, timeout_s=0.3) for _ in range(4)]
    assert {each.state for each in rig.answers(rig.submit(*attempts))} == {TaskState.SUCCEEDED}


@pytest.mark.parametrize("task", ["stubborn", "hang_in_c"])
def test_timeout_of_what_does_not_listen(make: Callable[..., Rig], tmp_path: Path, task: str) -> None:
    """Past the grace the whole process group is killed."""
    rig = make(timeout_grace_s=0.05)
    ended = rig.run(task, str(tmp_path / "pids"), timeout_s=0.5)
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.code == "W2001"
    assert "killed" in ended.error.message
    assert all(gone(pid) for pid in read_pids(tmp_path / "pids"))


def test_cancel(make: Callable[..., Rig]) -> None:
    """Running, sent and queued attempts are all answered as cancelled; the others go on."""
    rig = make(workers=1)
    rig.answers(rig.submit(*[rig.attempt("nap", 0) for _ in range(50)]))
    attempts = rig.submit(rig.attempt("nap", 300), *[rig.attempt("nap", 0) for _ in range(20)])
    rig.until(lambda: bool(rig.started))
    rig.executor.cancel([each.id for each in attempts[:11]])
    states = [each.state for each in rig.answers(attempts)]
    assert states == [TaskState.CANCELLED] * 11 + [TaskState.SUCCEEDED] * 10
    rig.executor.cancel([attempts[0].id, (9, 9, 9)])


def test_cancel_what_does_not_listen(make: Callable[..., Rig], tmp_path: Path) -> None:
    """Past the grace a cancelled attempt's process group is killed."""
    rig = make()
    (attempt,) = rig.submit(rig.attempt("stubborn", str(tmp_path / "pids")))
    pids = read_pids(tmp_path / "pids")
    rig.executor.cancel([attempt.id], grace_s=0.05)
    assert rig.answers([attempt])[0].state is TaskState.CANCELLED
    assert all(gone(pid) for pid in pids)


def test_children_of_what_was_stopped(make: Callable[..., Rig], tmp_path: Path) -> None:
    """Children of an attempt that stopped when asked die too, and nothing else is harmed."""
    rig = make(workers=1)
    rig.answers(rig.submit(*[rig.attempt("nap", 0) for _ in range(50)]))
    attempts = rig.submit(
        rig.attempt("nap_with_child", str(tmp_path / "pids")), *[rig.attempt("nap", 0) for _ in range(50)]
    )
    pids = read_pids(tmp_path / "pids")
    rig.executor.cancel([attempts[0].id])
    first, *rest = rig.answers(attempts)
    assert first.state is TaskState.CANCELLED
    assert {each.state for each in rest} == {TaskState.SUCCEEDED}
    assert all(gone(pid) for pid in pids)


def test_exit_and_odd_exceptions(make: Callable[..., Rig]) -> None:
    """``sys.exit`` and an exception that cannot be pickled fail the attempt and spare its process."""
    rig = make(workers=1)
    worker = rig.value(rig.run("pid"))
    left = rig.run("exit_politely", 4)
    assert left.state is TaskState.FAILED
    assert left.error is not None
    assert left.error.exit_code == 4
    odd = rig.run("raise_odd")
    assert odd.state is TaskState.FAILED
    assert odd.error is not None
    assert odd.error.type == "process_tasks.Odd"
    assert rig.value(rig.run("pid")) == worker


def test_fork_that_returns(make: Callable[..., Rig]) -> None:
    """A forked child that returns from user code ends there: the attempt has one answer."""
    rig = make(workers=1)
    assert rig.value(rig.run("fork_and_return")) > 0
    assert rig.value(rig.run("add", 1, 2)) == 3


def test_left_over_children(make: Callable[..., Rig]) -> None:
    """A child left by an attempt lives on after it, and not after the executor."""
    rig = make()
    child = rig.value(rig.run("leave_child"))
    rig.run("pid")
    os.kill(child, 0)
    rig.executor.close()
    assert gone(child)


def test_large_messages(make: Callable[..., Rig]) -> None:
    """Attempts and results far larger than a socket's buffer pass, among many small ones."""
    rig = make()
    # Facts travel inside the attempt itself, unlike inputs and results.
    large = [rig.attempt("add", i, 0, facts={"big": b"x" * 20_000_000}) for i in range(4)]
    middle = [rig.attempt("add", i, 0, facts={"big": b"x" * 30_000}) for i in range(100)]
    small = [rig.attempt("add", i, 0) for i in range(100)]
    results = [rig.attempt("big", 20_000_000)]
    answers = rig.answers(rig.submit(*small, *large, *middle, *results))
    assert {each.state for each in answers} == {TaskState.SUCCEEDED}
    assert len(rig.value(answers[-1])) == 20_000_000


def test_taken_back_data_does_not_block(make: Callable[..., Rig]) -> None:
    """However much is sent ahead and taken back, there is room for the next attempt."""
    rig = make(workers=1)
    rig.answers(rig.submit(*[rig.attempt("nap", 0) for _ in range(20)]))
    attempts = rig.submit(rig.attempt("nap", 300))
    rig.until(lambda: bool(rig.started))
    interpreter = rig.executor._interpreters[0]
    ahead = [Held(each, b"x" * 30_000) for each in [rig.attempt("nap", 0)] * 100]
    with rig.executor._lock:
        while interpreter.give(ahead) == len(ahead):
            interpreter.take_back()
        interpreter.take_back()
    rig.executor.cancel([attempts[0].id])
    rig.answers(attempts)
    assert rig.run("pid").state is TaskState.SUCCEEDED


def test_cannot_be_sent(make: Callable[..., Rig]) -> None:
    """An attempt that cannot be encoded fails by itself; the others of its batch are carried out."""
    rig = make()
    bad, good = rig.submit(rig.attempt("pid", facts={"lock": threading.Lock()}), rig.attempt("pid"))
    refused, done = rig.answers([bad, good])
    assert refused.state is TaskState.FAILED
    assert refused.error is not None
    assert refused.error.code == "W1300"
    assert done.state is TaskState.SUCCEEDED


def test_submitted_twice(make: Callable[..., Rig]) -> None:
    """An attempt that is held already is not carried out a second time."""
    rig = make()
    attempt = rig.attempt("nap", 0.05)
    rig.submit(attempt, attempt)
    rig.submit(attempt)
    assert rig.executor.reattach([attempt.id, (9, 9, 9)]) == {attempt.id}
    rig.answers([attempt])
    assert rig.executor.reattach([attempt.id]) == set()


def test_recycling(make: Callable[..., Rig]) -> None:
    """A worker is replaced after so many attempts, and none is lost by it."""
    rig = make(workers=1, recycle_after=10)
    answers = rig.answers(rig.submit(*[rig.attempt("pid") for _ in range(35)]))
    pids = [rig.value(each) for each in answers]
    assert len(set(pids)) == 4
    assert max(pids.count(each) for each in set(pids)) == 10


def test_capacity(make: Callable[..., Rig]) -> None:
    """It asks for a deep backlog of short attempts and for a shallow one of long attempts."""
    rig = make()
    assert rig.executor.capacity() >= 2
    deepest = 0
    for _ in range(20):
        rig.answers(rig.submit(*[rig.attempt("add", 1, 1) for _ in range(50)]))
        deepest = max(deepest, rig.executor.capacity())
    assert deepest > 20
    rig.answers(rig.submit(*[rig.attempt("nap", 0.05) for _ in range(20)]))
    assert rig.executor.capacity() <= 4


def test_close(make: Callable[..., Rig], tmp_path: Path) -> None:
    """Closing answers everything and leaves no process, descriptor or thread behind."""
    descriptors = set(os.listdir("/proc/self/fd"))
    threads = threading.active_count()
    rig = make()
    attempts = rig.submit(
        rig.attempt("stubborn", str(tmp_path / "pids")), *[rig.attempt("nap", 300) for _ in range(5)]
    )
    pids = read_pids(tmp_path / "pids")
    rig.executor.close(grace_s=0.1)
    assert {each.state for each in rig.answers(attempts)} == {TaskState.CANCELLED}
    assert all(gone(pid) for pid in pids)
    assert set(os.listdir("/proc/self/fd")) == descriptors
    assert threading.active_count() == threads
    rig.executor.close()
    with pytest.raises(ExecutorError):
        rig.submit(rig.attempt("pid"))


def test_close_before_use(tmp_path: Path) -> None:
    """An executor that was never started closes, and one that was never used too."""
    ProcessExecutor(tmp_path, tmp_path / "artifacts").close()
    executor = ProcessExecutor(tmp_path, tmp_path / "artifacts")
    executor.start(lambda reports: None)
    executor.close()


def test_sink_that_fails(make: Callable[..., Rig], caplog: pytest.LogCaptureFixture) -> None:
    """A sink that raises does not stop the executor."""
    rig = make()
    heard = rig.executor._sink
    calls: list[Any] = []

    def fail_once(reports: Sequence[Report]) -> None:
        calls.append(reports)
        if len(calls) == 1:
            raise RuntimeError("sink")
        heard(reports)

    rig.executor._sink = fail_once
    rig.submit(rig.attempt("pid"))
    deadline = time.monotonic() + WAIT_S
    while not calls and time.monotonic() < deadline:
        time.sleep(0.005)
    assert rig.run("pid").state is TaskState.SUCCEEDED
    assert "failed to take 1 reports" in caplog.text


def test_own_session(make: Callable[..., Rig]) -> None:
    """A worker leads its own session, so Ctrl-C in the terminal does not reach it."""
    rig = make()
    worker = rig.value(rig.run("pid"))
    assert os.getsid(worker) == worker


def test_wire_version(make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of another version are refused, with a reason, and nothing hangs."""
    monkeypatch.setattr(process, "WIRE_VERSION", 99)
    ended = make().run("pid")
    assert ended.state is TaskState.LOST
    assert ended.error is not None
    assert ended.error.code == "W3300"
    assert "restart" in ended.error.message


def test_workers_that_cannot_start(make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """When no worker starts, what waits is answered with the reason; later it is tried again."""
    rig = make()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nonexistent/python")
        ended = rig.run("pid")
        assert ended.state is TaskState.LOST
        assert ended.error is not None
        assert ended.error.code == "W3300"
        patch.setattr(sys, "executable", "/bin/false")
        ended = rig.run("pid")
        assert ended.error is not None
        assert "exit code 1" in ended.error.message
    assert rig.run("pid").state is TaskState.SUCCEEDED


ENGINE = """
import os, signal, sys, threading, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_process import Rig
rig = Rig(Path(sys.argv[2]))
if sys.argv[3] == "closes":
    rig.run("pid")
    if os.fork() == 0:
        signal.pause()
    before = time.monotonic()
    rig.executor.close(grace_s=1000.0)
    print(time.monotonic() - before, flush=True)
    signal.pause()
rig.submit(rig.attempt("stubborn", sys.argv[2] + "/a"), rig.attempt("hang_in_c", sys.argv[2] + "/b"))
while not all(Path(sys.argv[2], name).exists() for name in "ab"):
    time.sleep(0.005)
if sys.argv[3] == "forks":
    child = os.fork()
    if child == 0:
        signal.pause()
    Path(sys.argv[2], "c").write_text(f"{child}\\n")
if sys.argv[3] != "exits":
    threading.Event().wait()
"""


@pytest.mark.parametrize("how", ["exits", "killed", "forks"])
def test_end_of_the_engine(tmp_path: Path, how: str) -> None:
    """However the engine's process ends, every worker and every child of one dies, whatever it does."""
    with run_engine(tmp_path, how) as engine:
        pids = read_pids(tmp_path / "a") + read_pids(tmp_path / "b")
        forked = read_pids(tmp_path / "c") if how == "forks" else []
        if how != "exits":
            engine.kill()
        engine.wait(WAIT_S)
        assert all(gone(pid) for pid in pids)
        for pid in forked:  # It lived on, and yet held nothing up.
            os.kill(pid, signal.SIGKILL)


def test_close_beside_a_fork(tmp_path: Path) -> None:
    """A process that the engine's process forked does not keep idle workers from their orderly end."""
    with run_engine(tmp_path, "closes") as engine:
        assert engine.stdout is not None
        assert float(engine.stdout.readline()) < 500


@contextmanager
def run_engine(home: Path, how: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with an executor, in a group of its own."""
    here = str(Path(__file__).parent)
    # -W ignore: exiting with live workers, and forking beside a thread, are the point here.
    engine = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", ENGINE, here, str(home), how],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with engine:
        try:
            yield engine
        finally:
            try:
                os.killpg(engine.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
