"""Flows of a service: their bodies run in processes of their projects; this process never loads user code."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from embedded_weft import Said

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.engine.engine import Engine
from weft.executors.hosted import HostedExecutor
from weft.executors.process import ProcessExecutor
from weft.model.calls import PythonCall
from weft.model.errors import NonDeterminism
from weft.model.graph import Graph, Node, Parameter
from weft.model.inputs import Param
from weft.model.states import RunState, TaskState
from weft.runtime.host import Pending, RunRequest
from weft.store.open import open_store

WAIT_S = 60.0

FLOWS = '''
"""Workflows of a project; the service never imports this."""

import asyncio
import os
import threading
import time
from pathlib import Path

import weft as w
from weft import flow, task


def say(path, line):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{line}\\n".encode())
    os.close(fd)


@task
def inc(x):
    return x + 1


@task
def where():
    return os.getpid()


@task(executor="thread")
def thread_pid():
    return os.getpid()


@task
def total(xs):
    return sum(xs)


@task
def tell(path, line):
    say(path, line)
    return line


@task
def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.005)
    return path


@task
def broken():
    raise LookupError("no such thing")


@flow
def mapped(n):
    """A map, reduced by a task and looked at one by one."""
    futures = inc.map(range(n))
    return [total(futures), sum(each.result() for each in futures)]


@flow
def pids():
    """Where the body, a task and a thread task ran."""
    return [os.getpid(), where(), thread_pid.submit().result()]


@flow
def nested(depth):
    """Flows inside flows, side by side."""
    if depth == 0:
        return inc(0)
    futures = [nested.submit(depth - 1), nested.submit(depth - 1)]
    return sum(each.result() for each in futures)


@flow
def sleeper(said):
    """Sleeps longer than a wait may hold the thread."""
    say(said, "body")
    before = inc(1)
    w.sleep(0.4)
    return [before, inc(before)]


@flow
def asks(said):
    """Waits for an event, then for a person."""
    say(said, "waits")
    order = w.wait_for_event("order")
    answer = w.approval(f"ship {order}?")
    return [order, bool(answer), answer.by]


@flow
def catches():
    """A task's own exception arrives as what it is."""
    try:
        broken()
    except LookupError as exc:
        return str(exc)


@flow
def half_way(said, go):
    """Three tasks, a wait, and three more."""
    say(said, f"body {os.getpid()}")
    for at in range(3):
        tell(said, f"task {at}")
    wait_for(go)
    return [tell(said, f"task {at}") for at in range(3, 6)]


@flow
async def together(said):
    """Tasks that are awaited side by side, twice."""
    first = await asyncio.gather(*[inc.submit(x) for x in range(20)])
    second = inc.map(first)
    return sum([await each for each in second])


@flow
def changes(said, marker):
    """Calls something else once the marker is there."""
    say(said, f"body {os.getpid()}")
    if Path(marker).exists():
        inc(1)
    tell(said, "called")
    w.wait_for_event("never")


@flow
def starts_another():
    """A thread that is no part of the flow starts a run of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(mapped(3)))
    thread.start()
    thread.join()
    return found[0]


@task(executor="thread", retries=0)
def murderous():
    os._exit(3)


@flow
def endures():
    """Calls a task that takes its own process down, however often it is tried."""
    try:
        murderous.submit().result()
    except w.TaskFailed as exc:
        return [os.getpid(), type(exc).__name__]


@flow
def long(said, n):
    """Many tasks, one after another and side by side."""
    for at in range(n):
        tell(said, f"one {at}")
    return len(tell.map([said] * 5, [f"many {at}" for at in range(5)]).result())


@flow
def prints():
    print("from the body")
    return None
'''


class Service:
    """An engine as the server has it, with a project, in folders of its own."""

    def __init__(self, folder: Path, **hosted: Any) -> None:
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.project = make_project(folder / "project", FLOWS)
        self.artifacts = Artifacts(FileBlobs(self.home / "artifacts"))
        self.store = open_store(str(self.home / "weft.db"), durability="relaxed")
        blobs = self.home / "artifacts"
        self.hosted = HostedExecutor(self.home, blobs, lambda: self.engine, **hosted)
        process = ProcessExecutor(self.home, blobs, workers=2)
        self.engine = Engine(
            self.store,
            self.artifacts,
            {"thread": self.hosted, "process": process},
            default="process",
            lease_s=1.0,
        )
        self.engine.start()

    def submit(self, name: str, *, project: str = "", **params: Any) -> Pending:
        call = PythonCall("hosted_project", name, flow=True)
        root = Node(key=name, call=call, inputs={each: Param(each) for each in params})
        parameters = tuple(Parameter(each, required=True) for each in params)
        values = {each: self.artifacts.dumps(value) for each, value in params.items()}
        request = RunRequest(
            Graph(workflow=name, root=root, params=parameters), values, project=project or self.project
        )
        return self.engine.submit(request)

    def value(self, pending: Pending) -> Any:
        assert pending.wait(timeout_s=WAIT_S), "it did not end"
        assert pending.settled is not None, pending.halted
        assert pending.settled.state is TaskState.SUCCEEDED, pending.settled.error
        assert pending.settled.result is not None
        return self.artifacts.loads(pending.settled.result)

    def run(self, name: str, **params: Any) -> Any:
        return self.value(self.submit(name, **params))

    def states(self, pending: Pending) -> dict[str, TaskState]:
        return {each.key: each.state for each in self.store.tasks(pending.run)[1:]}

    def until(self, pending: Pending, key: str, state: TaskState) -> int:
        """Wait until a task run is in this state; returns its index."""
        wait_for(lambda: self.states(pending).get(key) is state)
        return self.store.task_by_key(pending.run, key).idx

    def hosts(self) -> list[psutil.Process]:
        return [
            each for each in psutil.Process().children() if "weft.executors.hosting" in " ".join(cmd(each))
        ]

    def close(self) -> None:
        self.engine.close(grace_s=2.0)
        self.store.close()


def cmd(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def make_project(folder: Path, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "hosted_project.py").write_text(text)
    return str(folder)


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait for what other processes do, who cannot notify this one."""
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up, f"it did not happen in {WAIT_S} s"
        time.sleep(0.005)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes services and closes them."""
    made: list[Service] = []

    def build(**hosted: Any) -> Service:
        made.append(Service(tmp_path, **hosted))
        return made[-1]

    yield build
    for each in made:
        each.close()
    assert "hosted_project" not in sys.modules


@pytest.fixture
def service(make: Callable[..., Service]) -> Service:
    return make()


def test_a_map(service: Service) -> None:
    """A flow's map runs in other processes, and its items' values come back to it, in both ways."""
    assert service.run("mapped", n=1000) == [500500, 500500]


def test_processes(service: Service) -> None:
    """Bodies share a host, thread tasks another, so that no task takes flows down; nothing runs here."""
    body, task, thread_task = service.run("pids")
    assert len({os.getpid(), body, task, thread_task}) == 4
    again = service.run("pids")
    assert (again[0], again[2]) == (body, thread_task)


def test_nested_flows(service: Service) -> None:
    """Flows that wait for flows that wait for flows all end, however few threads there are for tasks."""
    assert service.run("nested", depth=4) == 16


def test_sleep_suspends(make: Callable[..., Service], said: Said) -> None:
    """A flow that sleeps longer than it may hold a thread leaves it, and is replayed when it is time."""
    service = make(suspend_after_s=0.05)
    assert service.run("sleeper", said=str(said.path)) == [2, 3]
    assert len(said.lines) >= 2


@pytest.mark.parametrize("suspend_after_s", [0.05, 30.0])
def test_events_and_approvals(make: Callable[..., Service], said: Said, suspend_after_s: float) -> None:
    """An event and a person's answer reach a flow in its host, whether it holds its thread or not."""
    service = make(suspend_after_s=suspend_after_s)
    pending = service.submit("asks", said=str(said.path))
    service.until(pending, "wait_for_event-0", TaskState.WAITING)
    service.engine.send(pending.run, "order", service.artifacts.dumps("tea"), "signal-1")
    approval = service.until(pending, "approval-0", TaskState.WAITING)
    answer = service.artifacts.dumps({"approved": True, "by": "ann"})
    service.engine.answer(pending.run, approval, answer, "ann")
    assert service.value(pending) == ["tea", True, "ann"]


def test_exceptions(service: Service) -> None:
    """What a task raised in one process is raised in the flow in another."""
    assert service.run("catches") == "no such thing"


def test_async_flow(service: Service, said: Said) -> None:
    """An async flow awaits its tasks' futures on its own event loop."""
    assert service.run("together", said=str(said.path)) == sum(range(20)) + 40


def test_logs(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    """What a flow prints is in its log, and nowhere else."""
    pending = service.submit("prints")
    service.value(pending)
    assert (service.home / "logs" / pending.uid / "0.1.log").read_text() == "from the body\n"
    assert "from the body" not in capfd.readouterr().out


def test_cancel(service: Service, said: Said) -> None:
    """A flow that waits is cancelled with its run, and its host goes on with other flows."""
    pending = service.submit("asks", said=str(said.path))
    service.until(pending, "wait_for_event-0", TaskState.WAITING)
    service.engine.cancel(pending.run)
    assert pending.wait(timeout_s=WAIT_S)
    assert pending.settled is not None
    assert pending.settled.state is TaskState.CANCELLED
    assert service.run("mapped", n=3) == [6, 6]
    assert len(service.hosts()) == 1


def test_a_host_is_killed(service: Service, said: Said, tmp_path: Path) -> None:
    """Flows whose host is killed half way are replayed in another; what was done is not done again."""
    go = tmp_path / "go"
    pending = [service.submit("half_way", said=str(said.path), go=str(go)) for _ in range(2)]
    for each in pending:
        service.until(each, "wait_for-0", TaskState.RUNNING)
    (host,) = service.hosts()
    host.send_signal(signal.SIGKILL)
    host.wait(WAIT_S)
    wait_for(lambda: sum(line.startswith("body") for line in said.lines) == 4)
    go.touch()
    for each in pending:
        assert service.value(each) == ["task 3", "task 4", "task 5"]
    assert all(said.lines.count(f"task {at}") == 2 for at in range(6))
    bodies = [line for line in said.lines if line.startswith("body")]
    assert sorted(map(bodies.count, set(bodies))) == [2, 2]


def test_hosts_are_killed_again_and_again(service: Service, said: Said) -> None:
    """Flows that get on outlive any number of deaths of their host, and each of their tasks runs once."""
    pending = [service.submit("long", said=str(said.path), n=40) for _ in range(4)]
    for lines in range(20, 160, 20):
        wait_for(lambda lines=lines: len(said.lines) >= lines)
        for host in service.hosts():
            host.kill()
    assert [service.value(each) for each in pending] == [5] * 4
    assert all(said.lines.count(f"one {at}") == 4 for at in range(40))
    assert all(said.lines.count(f"many {at}") == 4 for at in range(5))
    assert max(service.store.tasks(each.run)[0].attempt for each in pending) > 4


def test_a_task_that_kills_its_process(service: Service, said: Said) -> None:
    """A thread task that takes its host down fails in the end, and costs no flow its process."""
    waits = service.submit("asks", said=str(said.path))
    service.until(waits, "wait_for_event-0", TaskState.WAITING)
    (host,) = service.hosts()
    assert service.run("endures") == [host.pid, "TaskLost"]
    assert said.lines == ["waits"]


def test_two_projects_of_equal_names(service: Service, tmp_path: Path) -> None:
    """Flows and tasks of two projects with a module of one name each use their own, at the same time."""
    other = make_project(tmp_path / "other", FLOWS.replace("return x + 1", "return x + 100"))
    runs = [(service.submit("mapped", n=50), service.submit("mapped", n=50, project=other)) for _ in range(5)]
    for ours, theirs in runs:
        assert service.value(ours) == [1275, 1275]
        assert service.value(theirs) == [6225, 6225]
    assert len(service.hosts()) == 2


def test_changed_code(service: Service, said: Said, tmp_path: Path) -> None:
    """A replay that differs from the journal leaves the run paused, and whoever waits for it is told."""
    marker = tmp_path / "marker"
    pending = service.submit("changes", said=str(said.path), marker=str(marker))
    service.until(pending, "wait_for_event-0", TaskState.WAITING)
    marker.touch()
    service.hosts()[0].kill()
    assert pending.wait(timeout_s=WAIT_S)
    assert isinstance(pending.halted, NonDeterminism)
    wait_for(lambda: service.store.run_by_id(pending.run).state is RunState.PAUSED)


def test_a_run_from_user_code(service: Service) -> None:
    """Code in a host that is no part of a flow starts runs with the service's engine."""
    assert service.run("starts_another") == [6, 6]
    assert {each.workflow for each in service.store.runs()} == {"starts_another", "mapped"}


def test_many_flows_wait_at_once(service: Service, said: Said) -> None:
    """Hundreds of flows wait in one host at once, and all go on."""
    pending = [service.submit("asks", said=str(said.path)) for _ in range(300)]
    wait_for(lambda: len(said.lines) == 300)
    for each in pending:
        service.engine.send(each.run, "order", service.artifacts.dumps("x"), "s")
    for each in pending:
        service.engine.answer(
            each.run,
            service.until(each, "approval-0", TaskState.WAITING),
            service.artifacts.dumps({"approved": False, "by": "bob"}),
        )
    assert [service.value(each) for each in pending] == [["x", False, "bob"]] * 300
    assert len(service.hosts()) == 1


def test_an_engine_that_closes(make: Callable[..., Service], said: Said) -> None:
    """When the service stops, its flows are left as they are, and the next one goes on with them."""
    first = make()
    pending = first.submit("asks", said=str(said.path))
    first.until(pending, "wait_for_event-0", TaskState.WAITING)
    first.close()
    assert not first.hosts()
    second = make()
    resumed = second.engine.recover([pending.run], dead=[first.engine.id])[pending.run]
    second.engine.send(pending.run, "order", second.artifacts.dumps("tea"), "s")
    approval = second.until(resumed, "approval-0", TaskState.WAITING)
    second.engine.answer(
        resumed.run, approval, second.artifacts.dumps({"approved": False, "by": "bob"}), "bob"
    )
    assert second.value(resumed) == ["tea", False, "bob"]


def test_calls_from_threads_of_a_flow(service: Service) -> None:
    """Submitting from many threads of this process at once loses nothing."""
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(service.run("mapped", n=10))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[55, 55]] * 8
