"""The host whose engine is elsewhere, and its counterpart beside the engine, with no process between them."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.core.events import Called
from weft.core.turn import digest_of
from weft.executors.desk import Call, Counter
from weft.model.calls import PythonCall
from weft.model.errors import ErrorInfo, RunPaused, StoreBusy, TaskCancelled, WeftError
from weft.model.graph import Graph, Node
from weft.model.states import TaskState
from weft.model.values import NONE, Result
from weft.runtime import remote_host
from weft.runtime.host import Pending, RunRequest, Settled
from weft.runtime.remote_host import RemoteHost
from weft.wire.hosting import Anew, Calls, Leaves, Wants, decode_from_host, decode_to_host, encode

ATTEMPT = (7, 0, 2)


class Line:
    """Both ends of a channel; the test plays the engine."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.asked: list[tuple[Pending, Called]] = []
        self.left: list[tuple[int, WeftError]] = []
        self.runs: list[tuple[RunRequest, Pending]] = []
        self.refusal: WeftError | None = None
        self.rings = 0
        self.host = RemoteHost(self._send, Artifacts(MemoryBlobs()), "process", "/project")
        self.counter = Counter(self, self._ring)

    def _ring(self) -> None:
        self.rings += 1

    def _send(self, message: Any) -> None:
        message = decode_from_host(encode(message))
        self.sent.append(message)
        if isinstance(message, Calls):
            self.call_all([self.counter.called(message)])
        elif isinstance(message, Anew):
            self.counter.anew()
        elif isinstance(message, Leaves):
            self.leave(message.run, message.fault.error())
        elif isinstance(message, Wants):
            self.host.hear(decode_to_host(encode(self.counter.wants(message))))

    def answer(self) -> int:
        """Let the host hear what the engine told; returns in how many messages."""
        answers = self.counter.answers()
        for each in answers:
            self.host.hear(decode_to_host(encode(each)))
        return len(answers)

    # The desk.

    def call_all(self, calls: Sequence[Call]) -> None:
        for handle, make in calls:
            self.asked.append((handle, make(len(self.asked) + 100)))

    def submit(self, request: RunRequest) -> Pending:
        if self.refusal is not None:
            raise self.refusal
        pending = Pending(9, 0)
        pending.uid = "run_9"
        pending.accepted = True
        self.runs.append((request, pending))
        return pending

    def leave(self, run: int, error: WeftError) -> None:
        self.left.append((run, error))


@pytest.fixture
def line() -> Line:
    return Line()


NODE = Node(key="n", call=PythonCall("m", "f"))


def call(line: Line, key: str = "n-0", node: Node = NODE, **fields: Any) -> Pending:
    def make(token: int) -> Called:
        return Called(*ATTEMPT, token, key, 0, node, digest_of(node), "f", {}, inline=True, **fields)

    return line.host.call(make, inline=True)


def accept(handle: Pending, idx: int, *, base: int = -1, count: int = 0) -> None:
    handle.run, handle.idx, handle.base, handle.count = ATTEMPT[0], idx, base, count
    handle.accepted = True
    handle.wake()


def test_a_call(line: Line) -> None:
    """A call is made beside the engine, never inline, and its acceptance and end come back."""
    pending = call(line)
    ((handle, event),) = line.asked
    assert (event.run, event.parent, event.attempt) == ATTEMPT
    assert (event.token, event.key, event.node, event.inline) == (100, "n-0", NODE, False)
    accept(handle, 4)
    line.answer()
    assert (pending.accepted, pending.run, pending.idx, pending.over) == (True, 7, 4, False)
    handle.settled = Settled(TaskState.SUCCEEDED, NONE, None)
    handle.wake()
    assert line.answer() == 1
    assert pending.settled is not None
    assert (pending.settled.state, pending.settled.result) == (TaskState.SUCCEEDED, NONE)
    assert line.host.waiting == 0
    assert line.answer() == 0


def test_a_refusal(line: Line) -> None:
    """A call that the engine refuses is refused here with the same error."""
    pending = call(line)
    line.asked[0][0].refused = ErrorInfo("weft.NonDeterminism", "it differs", "W1400")
    line.asked[0][0].wake()
    line.answer()
    assert pending.refused == ErrorInfo("weft.NonDeterminism", "it differs", "W1400")


def test_items_come_in_batches(line: Line) -> None:
    """However many items of a map end between two looks, they are one message; who wants each is woken."""
    pending = call(line, items=(NONE,) * 500)
    (handle, _) = line.asked[0]
    accept(handle, 1, base=2, count=500)
    line.answer()
    for at in range(300):
        handle.items[at] = Settled(TaskState.SUCCEEDED, Result("msgpack", bytes([at % 100]), None, 1), None)
        handle.wake()
    assert line.answer() == 1
    assert sorted(pending.items) == list(range(300))
    pending.eager = True
    woken = threading.Event()
    pending.when(woken.set)
    handle.items[300] = Settled(TaskState.FAILED, None, ErrorInfo("E", "no"))
    handle.settled = Settled(TaskState.FAILED, None, None)
    handle.wake()
    assert line.answer() == 2
    assert woken.is_set()
    assert pending.items[300].error == ErrorInfo("E", "no")
    assert handle.items == {}


def test_a_node_travels_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node is sent with the first call that names it, and the engine meets one object for all of them."""
    monkeypatch.setattr(remote_host, "NODES_MAX", 2)
    for number in range(3):
        call(line, f"n-{number}")
    assert [each.node is None for each in line.sent] == [False, True, True]
    assert len({id(event.node) for _, event in line.asked}) == 1
    for name in ("a", "b"):
        call(line, name, Node(key=name, call=PythonCall("m", name)))
    assert [type(each).__name__ for each in line.sent[3:]] == ["Calls", "Anew", "Calls"]
    call(line, "n-3")
    assert line.asked[-1][1].node == NODE


def test_the_end_of_a_flow_frees_its_calls(line: Line) -> None:
    """Once a flow's attempt is over, nobody waits in vain, and the engine's side remembers nothing of it."""
    pending = call(line)
    (handle, _) = line.asked[0]
    line.host.over(ATTEMPT)
    assert isinstance(pending.halted, TaskCancelled)
    line.counter.over(ATTEMPT)
    accept(handle, 1)
    assert line.answer() == 0
    assert line.rings == 0


def test_halted(line: Line) -> None:
    """The error that stopped the engine, or the run here, arrives as it was, hint and fields included."""
    pending = call(line)
    handle = line.asked[0][0]
    handle.halted = RunPaused("the engine was closed", hint="resume it", run="run_7", odd={1})
    handle.wake()
    line.answer()
    assert isinstance(pending.halted, RunPaused)
    assert (pending.halted.what, pending.halted.hint) == ("the engine was closed", "resume it")
    assert pending.halted.fields == {"run": "run_7", "odd": "{1}"}


def test_leave(line: Line) -> None:
    """A flow that cannot go on leaves its run beside the engine."""
    line.host.leave(7, StoreBusy("busy"))
    ((run, error),) = line.left
    assert run == 7
    assert isinstance(error, StoreBusy)


def test_a_run(line: Line) -> None:
    """A run that user code starts is started by the engine, for the host's own project, and seen through."""
    request = RunRequest(Graph(workflow="w", root=NODE), {"x": NONE}, tags=("t",), inline=True)
    pending = line.host.submit(request)
    ((asked, run),) = line.runs
    assert (asked.project, asked.tags, asked.params, asked.inline) == ("/project", ("t",), {"x": NONE}, False)
    assert (pending.run, pending.uid, pending.accepted) == (9, "run_9", True)
    assert line.counter.runs == 1
    run.wake()
    assert line.answer() == 0
    run.settled = Settled(TaskState.SUCCEEDED, NONE, None)
    run.wake()
    line.answer()
    assert pending.settled is not None
    assert line.counter.runs == 0


def test_a_run_that_is_not_accepted(line: Line) -> None:
    """What keeps the engine from accepting a run is raised where it was asked for."""
    line.refusal = StoreBusy("the disk is busy")
    with pytest.raises(StoreBusy, match="the disk is busy"):
        line.host.submit(RunRequest(Graph(workflow="w", root=NODE), {}))
    assert line.counter.runs == 0


def test_closed(line: Line) -> None:
    """After the end nothing can be asked, and what was asked is halted."""
    pending = call(line)
    error = RunPaused("the engine was closed")
    line.host.close(error)
    assert pending.halted is error
    assert call(line).halted is error
    with pytest.raises(RunPaused):
        line.host.submit(RunRequest(Graph(workflow="w", root=NODE), {}))


def test_rings_once_for_many_changes(line: Line) -> None:
    """Whoever sends the answers is woken once, not for each change."""
    for number in range(50):
        call(line, f"n-{number}")
    for number, (handle, _) in enumerate(line.asked):
        accept(handle, number)
    assert line.rings == 1
    assert line.answer() == 50


def test_no_ring_is_missed(line: Line) -> None:
    """Changes that come from other threads while answers are taken are all found, without looking again."""
    calls = [call(line, f"n-{number}") for number in range(2000)]
    rung = threading.Event()
    line.counter._ring = rung.set

    def change() -> None:
        for number, (handle, _) in enumerate(line.asked):
            accept(handle, number)

    thread = threading.Thread(target=change)
    thread.start()
    while not all(each.accepted for each in calls):
        assert rung.wait(30.0), "a change was noted and nobody was woken for it"
        rung.clear()
        line.answer()
    thread.join()
