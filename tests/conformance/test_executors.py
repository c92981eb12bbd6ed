"""What every executor must do, whatever user code does to it (rules in ``executors/protocol.py``)."""

import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.executors.desk import Call as DeskCall
from weft.executors.hosted import HostedExecutor
from weft.executors.process import ProcessExecutor
from weft.executors.protocol import Executor
from weft.executors.thread import ThreadExecutor
from weft.model.attempts import Attempt, AttemptId, Ended, Report, Shown, Started
from weft.model.calls import Call, HttpCall, PythonCall, ShellCall
from weft.model.errors import WeftError
from weft.model.states import TaskState
from weft.model.values import ARGS, Plain
from weft.model.waits import TimerWait
from weft.runtime.host import Pending, RunRequest
from weft.runtime.logs import log_path

HERE = str(Path(__file__).parent)
WAIT_S = 60.0
MB = 1 << 20


class NobodysDesk:
    """The engine of executors whose attempts ask for nothing."""

    def call_all(self, calls: Sequence[DeskCall]) -> None:
        raise AssertionError("no flow runs here")

    def submit(self, request: RunRequest) -> Pending:
        raise AssertionError("nobody starts a run here")

    def leave(self, run: int, error: WeftError) -> None:
        raise AssertionError("no flow runs here")


@dataclass(frozen=True)
class Kind:
    """An executor as this suite makes it, and what it can do.

    Attributes:
        make: Home and artifact folder to executor, with two workers.
        isolated: Whether an attempt has its process to itself, so that its death, memory and children are
            its own. Threads share one process with each other and with this test.
        async_at_once: Coroutine functions that run at the same time.
        print_mb: How much is printed where much is printed.
    """

    make: Callable[[Path, Path], Executor]
    isolated: bool
    async_at_once: int
    print_mb: int


KINDS = {
    "thread": Kind(
        lambda home, blobs: ThreadExecutor(
            Artifacts(FileBlobs(blobs)), home, threads=2, tee=False, grace_s=0.3
        ),
        isolated=False,
        async_at_once=1000,
        print_mb=8,
    ),
    "hosted": Kind(
        lambda home, blobs: HostedExecutor(
            home, blobs, NobodysDesk, project=HERE, threads=2, timeout_grace_s=0.3
        ),
        isolated=False,
        async_at_once=1000,
        print_mb=100,
    ),
    "process": Kind(
        lambda home, blobs: ProcessExecutor(home, blobs, workers=2, project=HERE),
        isolated=True,
        async_at_once=2,
        print_mb=100,
    ),
}


class Bench:
    """An executor at work, and everything it reported."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.home = folder / "home"
        self.artifacts = Artifacts(FileBlobs(folder / "artifacts"))
        self.executor = kind.make(self.home, folder / "artifacts")
        self.reports: list[Report] = []
        self.ended: dict[AttemptId, Ended] = {}
        self.submitted: list[AttemptId] = []
        self.news = threading.Condition()
        self.inside: set[int] = set()
        self.closed = False
        self.faults: list[str] = []
        self.executor.start(self.sink)

    def sink(self, reports: Sequence[Report]) -> None:
        with self.news:
            if threading.get_ident() in self.inside:
                self.faults.append("the sink was called from inside submit or cancel")
            if self.closed:
                self.faults.append("the sink was called after close")
            for report in reports:
                self.reports.append(report)
                if isinstance(report, Ended):
                    if report.id in self.ended:
                        self.faults.append(f"{report.id} was answered twice")
                    self.ended[report.id] = report
                elif report.id in self.ended:
                    self.faults.append(f"{report} came after its end")
            self.news.notify_all()

    def attempt(
        self, task: str | Call, *args: Any, inputs: dict[str, Any] | None = None, **more: Any
    ) -> Attempt:
        """An attempt at one of ``executor_tasks``, or at any call."""
        number = len(self.submitted)
        call = PythonCall("executor_tasks", task) if isinstance(task, str) else task
        kwargs = more.pop("kwargs", {})
        bound = {name: Plain(self.artifacts.dumps(value)) for name, value in (inputs or {}).items()}
        if args or kwargs:
            bound[ARGS] = Plain(self.artifacts.dumps((args, kwargs)))
        name = task if isinstance(task, str) else "call"
        attempt_id = (1, number, 1)
        self.submitted.append(attempt_id)
        return Attempt(
            attempt_id, "run_1", "suite", f"{name}[{number}]", name, call, bound, project=HERE, **more
        )

    def submit(self, *attempts: Attempt) -> None:
        self.inside.add(threading.get_ident())
        self.executor.submit(attempts)
        self.inside.discard(threading.get_ident())

    def cancel(self, *attempts: Attempt, grace_s: float = 0.3) -> None:
        self.inside.add(threading.get_ident())
        self.executor.cancel([each.id for each in attempts], grace_s=grace_s)
        self.inside.discard(threading.get_ident())

    def wait_until(self, holds: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(holds, WAIT_S), f"nothing of it came in {WAIT_S} s"

    def end_of(self, attempt: Attempt) -> Ended:
        self.wait_until(lambda: attempt.id in self.ended)
        return self.ended[attempt.id]

    def run(self, task: str | Call, *args: Any, **more: Any) -> Ended:
        attempt = self.attempt(task, *args, **more)
        self.submit(attempt)
        return self.end_of(attempt)

    def value(self, ended: Ended) -> Any:
        assert ended.state is TaskState.SUCCEEDED, ended.error
        assert ended.result is not None
        return self.artifacts.loads(ended.result)

    def log(self, ended: Ended) -> bytes:
        return log_path(self.home, "run_1", ended.id[1], ended.id[2]).read_bytes()

    def close(self, *, grace_s: float = 5.0) -> None:
        self.executor.close(grace_s=grace_s)
        with self.news:
            self.closed = True

    def check(self) -> None:
        """Each attempt was answered once, and nothing came that must not come."""
        assert not self.faults
        assert set(self.ended) == set(self.submitted)


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def bench(kind: Kind, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(kind, tmp_path)
    yield bench
    bench.close(grace_s=1.0)
    bench.check()
    shutil.rmtree(tmp_path)


@pytest.fixture
def isolated(bench: Bench) -> Bench:
    """For what would take the whole process down, this test's own included, where attempts share it."""
    if not bench.kind.isolated:
        pytest.skip("attempts of this executor share one process, and its documentation says so")
    return bench


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait for something outside this process, which cannot notify it."""
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up, f"it did not happen in {WAIT_S} s"
        time.sleep(0.005)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# Results


def test_a_result_comes_back(bench: Bench) -> None:
    """What the function returns is readable when its end is reported, with times, worker and id."""
    before = time.time()
    ended = bench.run("identity", {"a": [1, 2.5, None]})
    assert bench.value(ended) == {"a": [1, 2.5, None]}
    assert before - 1 <= ended.started_at <= ended.ended_at <= time.time() + 1
    assert ended.worker


def test_arguments_arrive(bench: Bench) -> None:
    """Positional and keyword arguments of the pair, and inputs by name, all reach the function."""
    ended = bench.run("describe", 1, "b", kwargs={"c": 3}, inputs={"d": [4]})
    assert bench.value(ended) == "(1, 'b') [('c', 3), ('d', [4])]"


def test_a_generator_is_exhausted(bench: Bench) -> None:
    """A generator function's result is the list of what it yields."""
    assert bench.value(bench.run("count", 3)) == [0, 1, 2]


def test_current_knows_the_attempt(bench: Bench) -> None:
    """``current()`` answers with the ids of the attempt that runs."""
    attempt = bench.attempt("who", map_index=4, try_number=2, max_tries=5)
    bench.submit(attempt)
    facts = bench.value(bench.end_of(attempt))
    assert facts == {
        "run": "run_1",
        "workflow": "suite",
        "key": attempt.key,
        "name": "who",
        "map_index": 4,
        "attempt": 1,
        "try": 2,
        "tries": 5,
        "idempotency_key": f"run_1/{attempt.id[1]}",
    }


def test_a_big_result(bench: Bench) -> None:
    """200 MB go to the artifact store, and the report holds their address only."""
    ended = bench.run("return_bytes", 200 * MB)
    assert ended.result is not None
    assert ended.result.inline is None
    assert len(bench.value(ended)) == 200 * MB


@pytest.mark.slow
def test_a_huge_result(bench: Bench) -> None:
    """1 GB comes back whole."""
    assert len(bench.value(bench.run("return_bytes", 1 << 30))) == 1 << 30


def test_thousands_at_once(bench: Bench) -> None:
    """Thousands of attempts submitted in one call each give their own result."""
    attempts = [bench.attempt("identity", number) for number in range(5000)]
    bench.submit(*attempts)
    bench.wait_until(lambda: len(bench.ended) == 5000)
    assert [bench.value(bench.ended[each.id]) for each in attempts] == list(range(5000))


def test_capacity_grows_with_short_attempts(bench: Bench) -> None:
    """There is room for at least one attempt a worker, and for many while they are short."""
    assert bench.executor.capacity() >= 2
    bench.submit(*(bench.attempt("identity", number) for number in range(2000)))
    bench.wait_until(lambda: len(bench.ended) == 2000)
    assert bench.executor.capacity() >= 50


# Failures


def test_a_failure_is_described(bench: Bench) -> None:
    """A raised exception is a failure with type, classes, text and the user's own frames."""
    error = bench.run("fail", "boom").error
    assert error is not None
    assert (error.type, error.message) == ("builtins.ValueError", "boom")
    assert error.mro == ("builtins.ValueError", "builtins.Exception", "builtins.BaseException")
    assert "executor_tasks.py" in error.traceback
    assert "raise ValueError(text)" in error.traceback
    assert "runner.py" not in error.traceback
    assert error.pickled is not None


@pytest.mark.parametrize(("task", "name"), [("fail_unpicklable", "Unpicklable"), ("fail_mute", "Mute")])
def test_an_awkward_exception_is_a_failure(bench: Bench, task: str, name: str) -> None:
    """An exception that cannot be pickled, or whose text cannot be made, is described as far as it goes."""
    ended = bench.run(task)
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.type == f"executor_tasks.{name}"
    if name == "Unpicklable":
        assert ended.error.message == "cannot travel"
        assert ended.error.pickled is None


def test_a_result_that_cannot_be_stored(bench: Bench) -> None:
    """A result that no serializer takes fails the attempt for good and names the task."""
    ended = bench.run("return_lock")
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.code == "W1300"
    assert "return_lock[0]" in ended.error.message
    assert ended.retry is False


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (PythonCall("no_such_module_anywhere", "f"), "W1105"),
        (PythonCall("executor_tasks", "identidy"), "W1103"),
        (HttpCall("http://localhost"), "W1000"),
    ],
)
def test_code_that_is_not_there(bench: Bench, call: Call, code: str) -> None:
    """A missing module, a missing name and a call of another kind fail with their code, for good."""
    ended = bench.run(call)
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.code == code
    if isinstance(call, PythonCall):
        assert ended.retry is False


def test_endless_recursion(bench: Bench) -> None:
    """Recursion without end is an ordinary failure."""
    ended = bench.run("recurse")
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.type == "builtins.RecursionError"
    assert len(ended.error.traceback) <= 16384
    assert bench.value(bench.run("identity", 1)) == 1


def test_too_much_memory_asked_for(bench: Bench) -> None:
    """``MemoryError`` is an ordinary failure."""
    ended = bench.run("ask_too_much")
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.type == "builtins.MemoryError"


@pytest.mark.parametrize("code", [0, 3])
def test_sys_exit(bench: Bench, code: int) -> None:
    """``sys.exit`` in a task is a failure that records the code, and costs nothing else."""
    ended = bench.run("exit_softly", code)
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.exit_code == code
    assert bench.value(bench.run("identity", 1)) == 1


def test_keyboard_interrupt(bench: Bench) -> None:
    """``KeyboardInterrupt`` in a task means that it was cancelled."""
    assert bench.run("interrupt_itself").state is TaskState.CANCELLED


def test_signals_of_user_code(bench: Bench) -> None:
    """``Skip``, ``Fail`` and ``WaitFor`` end the attempt as they say."""
    assert bench.run("skip").state is TaskState.SKIPPED
    failed = bench.run("fail_for_good")
    assert (failed.state, failed.retry) == (TaskState.FAILED, False)
    waits = bench.run("defer")
    assert (waits.state, waits.wait) == (TaskState.WAITING, TimerWait(delay_s=5.0))


@pytest.mark.parametrize(
    ("value", "chosen"), [("left", ("left",)), (["a", "b"], ("a", "b")), (False, ()), (True, None)]
)
def test_branches(bench: Bench, value: object, chosen: tuple[str, ...] | None) -> None:
    """A branching attempt reports which branches its value follows."""
    assert bench.run("identity", value, branch=True).chosen == chosen


# Death


@pytest.mark.parametrize(
    ("task", "args", "exit_code"),
    [("exit_hard", (7,), 7), ("exit_hard", (0,), 0), ("kill_itself", (), -9), ("segfault", (), -11)],
)
def test_a_crash_costs_one_attempt(isolated: Bench, task: str, args: tuple[int, ...], exit_code: int) -> None:
    """When user code takes its process down, that attempt is lost, with the exit code, and no other."""
    fine = [isolated.attempt("identity", number) for number in range(20)]
    fatal = isolated.attempt(task, *args)
    more = [isolated.attempt("identity", number) for number in range(20)]
    isolated.submit(*fine, fatal, *more)
    ended = isolated.end_of(fatal)
    assert ended.state is TaskState.LOST
    assert ended.error is not None
    assert (ended.error.code, ended.error.exit_code) == ("W2002", exit_code)
    assert [isolated.value(isolated.end_of(each)) for each in [*fine, *more]] == [*range(20), *range(20)]


def test_a_worker_killed_from_outside(isolated: Bench, tmp_path: Path) -> None:
    """A worker process that someone kills costs the attempt that it carried out."""
    before = set(psutil.Process().children(recursive=True))
    attempt = isolated.attempt("wait_for_file", str(tmp_path / "never"), str(tmp_path / "began"))
    isolated.submit(attempt)
    wait_for((tmp_path / "began").exists)
    for process in set(psutil.Process().children(recursive=True)) - before:
        process.kill()
    assert isolated.end_of(attempt).state is TaskState.LOST
    assert isolated.value(isolated.run("identity", 1)) == 1


def test_out_of_memory(isolated: Bench) -> None:
    """Running into the memory limit fails or loses one attempt, and the next one runs."""
    ended = isolated.run("exhaust_memory")
    assert ended.state in {TaskState.FAILED, TaskState.LOST}
    assert isolated.value(isolated.run("identity", 1)) == 1


# Timeouts and cancelling


@pytest.mark.parametrize(
    ("task", "args"), [("spin", ()), ("sleep", (5.0,)), ("stubborn", (5.0,)), ("async_hang", ())]
)
def test_a_hang_ends_at_the_timeout(bench: Bench, task: str, args: tuple[float, ...]) -> None:
    """An attempt that hangs, in Python or in C, fails with W2001, and its worker or another works on."""
    ended = bench.run(task, *args, timeout_s=0.1)
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.code == "W2001"
    assert bench.value(bench.run("identity", 1)) == 1


def test_a_timeout_that_is_not_reached(bench: Bench) -> None:
    """An attempt within its timeout is left alone, and so is what runs after it in the same worker."""
    attempts = [bench.attempt("identity", number, timeout_s=30.0) for number in range(200)]
    bench.submit(*attempts)
    assert [bench.value(bench.end_of(each)) for each in attempts] == list(range(200))


@pytest.mark.parametrize("task", ["spin", "async_hang"])
def test_cancel_a_running_attempt(bench: Bench, task: str) -> None:
    """A running attempt that is cancelled ends as cancelled."""
    attempt = bench.attempt(task)
    bench.submit(attempt)
    bench.wait_until(
        lambda: any(isinstance(each, Started) and each.id == attempt.id for each in bench.reports)
    )
    bench.cancel(attempt)
    bench.cancel(attempt)
    ended = bench.end_of(attempt)
    assert ended.state is TaskState.CANCELLED
    assert ended.error is not None
    assert ended.error.code == "W2003"
    assert bench.value(bench.run("identity", 1)) == 1


def test_cancel_a_queued_attempt(bench: Bench, tmp_path: Path) -> None:
    """Attempts that wait for a worker are cancelled at once, never run, and leave the others alone."""
    go = str(tmp_path / "go")
    busy = [bench.attempt("wait_for_file", go) for _ in range(2)]
    queued = [bench.attempt("write_number", str(tmp_path / "ran"), number) for number in range(50)]
    bench.submit(*busy, *queued)
    bench.cancel(*queued)
    assert {bench.end_of(each).state for each in queued} == {TaskState.CANCELLED}
    Path(go).touch()
    assert {bench.end_of(each).state for each in busy} == {TaskState.SUCCEEDED}
    assert not (tmp_path / "ran").exists()


def test_cancel_what_is_not_there(bench: Bench) -> None:
    """Ids that are unknown or have ended are ignored."""
    attempt = bench.attempt("identity", 1)
    bench.submit(attempt)
    bench.end_of(attempt)
    bench.cancel(attempt)
    bench.executor.cancel([(9, 9, 9)])
    assert bench.value(bench.run("identity", 2)) == 2


@pytest.mark.parametrize("task", ["spawn_and_hang", "fork_and_hang"])
@pytest.mark.parametrize("how", ["timeout", "cancel", "close"])
def test_grandchildren_die_too(isolated: Bench, tmp_path: Path, task: str, how: str) -> None:
    """Processes that a task started are gone with it after a timeout, a cancel or a close."""
    pid_file = tmp_path / "pid"
    attempt = isolated.attempt(task, str(pid_file), timeout_s=1.5 if how == "timeout" else None)
    isolated.submit(attempt)
    wait_for(pid_file.exists)
    pid = int(pid_file.read_text())
    if how == "cancel":
        isolated.cancel(attempt)
    if how == "close":
        isolated.close(grace_s=0.3)
    isolated.end_of(attempt)
    wait_for(lambda: gone(pid))


def test_children_of_a_shell_task_die_too(bench: Bench, tmp_path: Path) -> None:
    """Cancelling a shell task ends the shell and what it started."""
    pid_file = tmp_path / "pid"
    attempt = bench.attempt(
        ShellCall("sleep 1000 & echo $! > {file}.part; mv {file}.part {file}; wait"),
        inputs={"file": str(pid_file)},
    )
    bench.submit(attempt)
    wait_for(pid_file.exists)
    bench.cancel(attempt, grace_s=5.0)
    assert bench.end_of(attempt).state is TaskState.CANCELLED
    wait_for(lambda: gone(int(pid_file.read_text())))


def test_close_while_running(bench: Bench, tmp_path: Path) -> None:
    """Closing answers everything that runs or is queued, leaves no process, and ends all reports."""
    before = set(psutil.Process().children(recursive=True))
    began = [tmp_path / "began0", tmp_path / "began1"]
    running = [bench.attempt("wait_for_file", str(tmp_path / "never"), str(each)) for each in began]
    queued = [bench.attempt("identity", number) for number in range(100)]
    bench.submit(*running, *queued)
    wait_for(lambda: all(each.exists() for each in began))
    bench.close(grace_s=2.0)
    assert {bench.ended[each.id].state for each in running} <= {TaskState.CANCELLED, TaskState.LOST}
    assert {bench.ended[each.id].state for each in queued} <= {TaskState.CANCELLED, TaskState.LOST}
    left = set(psutil.Process().children(recursive=True)) - before
    assert not [each for each in left if not gone(each.pid)]


def test_exactly_one_end_each(bench: Bench) -> None:
    """A mixture of ends with cancels at random moments gives each attempt one answer."""
    tasks: list[tuple[str, tuple[Any, ...]]] = [
        ("identity", (1,)),
        ("fail", ("x",)),
        ("sleep", (0.003,)),
        ("async_identity", (2,)),
        ("exit_softly", (1,)),
        ("count", (3,)),
    ]
    attempts = [bench.attempt(*_flat(tasks[number % len(tasks)])) for number in range(600)]
    for first in range(0, 600, 60):
        bench.submit(*attempts[first : first + 60])
        bench.cancel(*attempts[first + 10 : first + 60 : 7])
    bench.wait_until(lambda: len(bench.ended) == 600)
    states = {bench.ended[each.id].state for each in attempts}
    assert states <= {TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED}
    assert TaskState.SUCCEEDED in states


def _flat(task: tuple[str, tuple[Any, ...]]) -> tuple[Any, ...]:
    return task[0], *task[1]


# Coroutines


def test_coroutine_functions(bench: Bench) -> None:
    """Coroutine functions and async generators give results and failures as plain ones do."""
    assert bench.value(bench.run("async_identity", 5)) == 5
    assert bench.value(bench.run("async_count", 4)) == [0, 1, 2, 3]
    error = bench.run("async_fail", "boom").error
    assert error is not None
    assert (error.type, error.message) == ("builtins.ValueError", "boom")
    assert "runner.py" not in error.traceback


def test_coroutines_run_at_once(bench: Bench) -> None:
    """Where the executor has an event loop, a thousand coroutines that wait for each other all end."""
    number = bench.kind.async_at_once
    if number < 100:
        pytest.skip("this executor runs one attempt a process")
    bench.submit(*(bench.attempt("meet", number) for _ in range(number)))
    bench.wait_until(lambda: len(bench.ended) == number)
    assert {bench.value(each) for each in bench.ended.values()} == {number}


# Reports


def test_a_long_attempt_is_announced(bench: Bench, tmp_path: Path) -> None:
    """``Started`` comes while an attempt runs for more than 50 ms, and before its end."""
    attempt = bench.attempt("wait_for_file", str(tmp_path / "go"))
    bench.submit(attempt)
    bench.wait_until(
        lambda: any(isinstance(each, Started) and each.id == attempt.id for each in bench.reports)
    )
    (tmp_path / "go").touch()
    ended = bench.end_of(attempt)
    started = next(each for each in bench.reports if isinstance(each, Started))
    assert abs(started.at - ended.started_at) < 1.0
    assert started.worker == ended.worker


def test_what_is_published_arrives(bench: Bench) -> None:
    """Everything that an attempt publishes is reported, in order and before its end."""
    attempt = bench.attempt("publish_twice")
    bench.submit(attempt)
    bench.end_of(attempt)
    shown = [each.published for each in bench.reports if isinstance(each, Shown)]
    assert [(each.key, each.title) for each in shown] == [("a", ""), ("b", "second")]


def test_reattach(bench: Bench) -> None:
    """An executor whose attempts die with it claims none of an earlier one's."""
    assert not bench.executor.durable
    assert bench.executor.reattach([(1, 1, 1)]) == set()


# Logs and measures


def test_output_is_kept(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Both outputs, raw bytes and log records from INFO up are in the attempt's log, in order."""
    caplog.set_level(logging.INFO)  # Pytest's handler makes the root logger look configured by the user.
    ended = bench.run("speak")
    lines = bench.log(ended).decode().splitlines()
    assert lines[:3] == ["to stdout", "to stderr", "bytes to stdout"]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    assert re.fullmatch(stamp + r"INFO some\.library: a record with arguments", lines[3])
    assert re.fullmatch(stamp + r"WARNING weft\.task: from the task's logger", lines[4])
    assert lines[5:] == ["no line's end"]
    assert ended.log_size == len(bench.log(ended))


def test_output_of_a_failure_is_kept(bench: Bench) -> None:
    """What was said before failing is in the log."""
    assert bench.log(bench.run("speak_then_fail")) == b"said before failing\n"


def test_silence_costs_no_file(bench: Bench) -> None:
    """An attempt that says nothing has no log."""
    ended = bench.run("identity", 1)
    assert ended.log_size == 0
    assert not log_path(bench.home, "run_1", ended.id[1], ended.id[2]).exists()


def test_logs_of_neighbours_are_apart(bench: Bench) -> None:
    """Many attempts that print at once each find their own lines in their log."""
    attempts = [bench.attempt("print_much", number + 1, 10 + number) for number in range(50)]
    bench.submit(*attempts)
    for number, attempt in enumerate(attempts):
        line = b"x" * (9 + number) + b"\n"
        assert bench.log(bench.end_of(attempt)) == line * (number + 1)


def test_much_output(bench: Bench) -> None:
    """Output of any size is kept whole and stops nothing."""
    lines = bench.kind.print_mb * MB // 1024
    ended = bench.run("print_much", lines, 1024)
    assert ended.state is TaskState.SUCCEEDED
    assert ended.log_size == bench.kind.print_mb * MB
    assert log_path(bench.home, "run_1", ended.id[1], 1).stat().st_size == bench.kind.print_mb * MB


def test_cpu_and_memory_are_measured(bench: Bench) -> None:
    """CPU time is the attempt's own, and memory a plausible peak."""
    ended = bench.run("burn", 0.2)
    assert 0.15 <= ended.cpu_s <= ended.ended_at - ended.started_at + 0.1
    assert bench.run("identity", 1).cpu_s < 0.1
    assert 4 * MB < ended.rss_peak < 1 << 40


def test_memory_is_the_attempts_own(isolated: Bench) -> None:
    """An attempt that takes 150 MB reports it, and the next in the same process does not."""
    big = [isolated.run("hold_memory", 150 * MB) for _ in range(2)]
    assert min(each.rss_peak for each in big) > 150 * MB
    small = [isolated.run("sleep", 0.005) for _ in range(4)]
    assert max(each.rss_peak for each in small) < 150 * MB


# Shell tasks


def test_a_shell_task(bench: Bench) -> None:
    """The last line of the output is the result, the whole output the log, and inputs are quoted."""
    ended = bench.run(
        ShellCall("echo first; echo oops >&2; echo {text} $GREETING", env={"GREETING": "hej"}),
        inputs={"text": "it's; $(date)"},
    )
    assert bench.value(ended) == "it's; $(date) hej"
    assert sorted(bench.log(ended).splitlines()) == [b"first", b"it's; $(date) hej", b"oops"]


def test_a_shell_task_that_fails(bench: Bench) -> None:
    """A non-zero exit code fails the attempt and is recorded."""
    ended = bench.run(ShellCall("echo too bad >&2; exit 4"))
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.exit_code == 4
    assert "too bad" in ended.error.message


def test_a_shell_task_past_its_timeout(bench: Bench) -> None:
    """A shell task that hangs fails with W2001."""
    error = bench.run(ShellCall("sleep 1000"), timeout_s=0.2).error
    assert error is not None
    assert error.code == "W2001"


def test_the_environment_of_the_test_is_untouched(bench: Bench) -> None:
    """Environment variables of one attempt are not seen by this process."""
    bench.run(ShellCall("true"), env={"WEFT_SUITE_MARK": "1"})
    assert "WEFT_SUITE_MARK" not in os.environ
