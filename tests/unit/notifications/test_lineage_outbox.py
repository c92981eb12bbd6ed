"""Lineage events on their way to a receiver."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from weft.core.changes import Cause, RunAdded, RunChanged
from weft.engine.follower import Follower
from weft.model.calls import PythonCall
from weft.model.errors import StoreBusy, UsageError
from weft.model.graph import Graph, Node
from weft.model.states import RunState
from weft.notifications.lineage_outbox import (
    DELAY_S,
    EVENTS_MAX,
    KEPT_S,
    LEASE_S,
    OUTGOING,
    LineageOutbox,
    Refused,
    sender,
)
from weft.store.memory import MemoryStore
from weft.testing.clock import FakeClock


class World:
    """A store with a run, a receiver that may fail, and the way between them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock(5000.0)
        self.got: list[bytes] = []
        self.fail: Exception | None = None
        self.outbox = LineageOutbox(self.store, self.send, clock=self.clock)
        self.follower = self.follow(self.outbox)
        self.store.put_graph("g", Graph(workflow="w", root=Node(key="w", call=PythonCall("m", "w"))), at=1.0)
        uid = "run_01M84RZNV89DXW36E8R3QR666M"
        self.store.commit([RunAdded(1, uid, "w", "g", 1.0)], engine=0, epochs={1: 0})

    def follow(self, outbox: LineageOutbox) -> Follower:
        """A follower that feeds the outbox."""
        return Follower("lineage", self.store, outbox.react, clock=self.clock, from_start=True)

    def send(self, event: bytes) -> None:
        """Take an event, or fail."""
        if self.fail is not None:
            raise self.fail
        self.got.append(event)

    def happen(self, count: int = 1) -> None:
        """The run goes on ``count`` times, in one commit, and the follower reacts."""
        changes = [RunChanged(1, RunState.RUNNING, 2.0 + number, Cause.RESUMED) for number in range(count)]
        self.store.commit(changes, engine=0, epochs={1: 0})
        while self.follower.step():
            pass

    @property
    def waiting(self) -> int:
        """Events that have not been sent."""
        return sum(len(each.value.events) for each in OUTGOING.all(self.store))


def test_from_commit_to_receiver() -> None:
    """Each committed change that means something is sent once, in order, and then forgotten."""
    world = World()
    world.happen(2)
    assert world.waiting == 2
    assert world.outbox.step(world.clock.now()) is None
    times = [json.loads(each)["eventTime"] for each in world.got]
    assert times == ["1970-01-01T00:00:02.000Z", "1970-01-01T00:00:03.000Z"]
    assert world.waiting == 0
    world.outbox.step(world.clock.now())
    assert len(world.got) == 2


def test_many_events_are_a_few_records() -> None:
    """A burst is kept in records of a hundred events, and comes in the order of the log."""
    world = World()
    world.happen(250)
    assert [len(each.value.events) for each in OUTGOING.all(world.store)] == [EVENTS_MAX, EVENTS_MAX, 50]
    world.outbox.step(world.clock.now())
    times = [json.loads(each)["eventTime"] for each in world.got]
    assert len(times) == 250
    assert times == sorted(times)


def test_a_receiver_that_is_away() -> None:
    """Events wait for it with growing pauses, and nothing is lost."""
    world = World()
    world.fail = ConnectionRefusedError("nobody there")
    world.happen()
    due_at = world.outbox.step(world.clock.now())
    assert due_at == world.clock.now() + DELAY_S
    world.clock.advance(DELAY_S)
    due_at = world.outbox.step(world.clock.now())
    assert due_at == world.clock.now() + 2 * DELAY_S
    (kept,) = OUTGOING.all(world.store)
    assert (kept.value.tries, kept.value.error) == (2, "nobody there")
    world.fail = None
    world.clock.advance(2 * DELAY_S)
    world.outbox.step(world.clock.now())
    assert (len(world.got), world.waiting) == (1, 0)


def test_it_goes_on_where_it_stopped() -> None:
    """What was sent before the receiver failed is not sent again."""
    world = World()
    world.happen(5)
    taken = world.got

    def third_fails(event: bytes) -> None:
        if len(taken) == 2:
            raise OSError("busy")
        taken.append(event)

    outbox = LineageOutbox(world.store, third_fails, clock=world.clock)
    outbox.step(world.clock.now())
    assert (len(taken), world.waiting) == (2, 3)
    world.clock.advance(DELAY_S)
    world.outbox.step(world.clock.now())
    assert len({*taken}) == len(taken) == 5


def test_what_is_refused_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """An event that the receiver will never take keeps no others back."""
    world = World()
    world.happen(3)
    sent: list[bytes] = []

    def picky(event: bytes) -> None:
        sent.append(event)
        if len(sent) == 2:
            raise Refused("422: no such field")

    LineageOutbox(world.store, picky, clock=world.clock).step(world.clock.now())
    assert (len(sent), world.waiting) == (3, 0)
    assert "422" in caplog.text


def test_given_up_after_days() -> None:
    """A receiver that stays away does not fill the store for ever."""
    world = World()
    world.fail = OSError("gone")
    world.happen()
    world.clock.advance(KEPT_S + 1)
    world.outbox.step(world.clock.now())
    assert (world.got, world.waiting) == ([], 0)


def test_two_processes_share_the_work() -> None:
    """A record that one process is sending is left alone by the others, until its lease is over."""
    world = World()
    world.happen()
    other = LineageOutbox(world.store, world.send, clock=world.clock)
    seen: list[int] = []

    def meanwhile(event: bytes) -> None:
        other.step(world.clock.now())
        seen.append(len(world.got))
        world.got.append(event)

    LineageOutbox(world.store, meanwhile, clock=world.clock).step(world.clock.now())
    assert (seen, len(world.got), world.waiting) == ([0], 1, 0)


def test_a_crash_while_sending() -> None:
    """Another process sends what a dead one had begun to, once its lease is over."""
    world = World()
    world.happen()

    def dies(event: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LineageOutbox(world.store, dies, clock=world.clock).step(world.clock.now())
    world.outbox.step(world.clock.now())
    assert world.got == []
    world.clock.advance(LEASE_S)
    world.outbox.step(world.clock.now())
    assert len(world.got) == 1


def test_a_crash_while_following(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are written down with the follower's place in the log: neither is lost or doubled."""
    world = World()
    write = world.store.write
    failures = iter([True, False])

    def busy(*args: object, **kwargs: object) -> list[int]:
        if args[0] and next(failures, False):
            raise StoreBusy("another process writes")
        return write(*args, **kwargs)  # type: ignore[arg-type]

    world.follower.step()
    monkeypatch.setattr(world.store, "write", busy)
    with pytest.raises(StoreBusy):
        world.happen()
    world.follow(world.outbox).step()
    world.outbox.step(world.clock.now())
    assert len(world.got) == 1


class Receiver(BaseHTTPRequestHandler):
    """Takes events over HTTP, with the answers that it was given."""

    got: list[tuple[str, str | None, bytes]]
    answers: list[int]

    def do_POST(self) -> None:
        """Take one."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.answers.pop(0) if self.answers else 201)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A receiver that listens here."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Receiver.got, Receiver.answers = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http(receiver: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are posted to the standard path with the key; a 5xx is tried again, a 4xx is final."""
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "k")
    where = f"http://127.0.0.1:{receiver.server_port}"
    send = sender(where)
    send(b'{"a": 1}')
    assert Receiver.got == [("/api/v1/lineage", "Bearer k", b'{"a": 1}')]
    Receiver.answers[:] = [503, 429, 404, 422]
    for kind in (OSError, OSError, OSError, Refused):
        with pytest.raises(kind):
            send(b"{}")
    sender(where + "/elsewhere")(b"{}")
    assert Receiver.got[-1][0] == "/elsewhere"
    receiver.shutdown()
    receiver.server_close()
    with pytest.raises(OSError, match="refused"):
        send(b"{}")


def test_threads_of_the_service(receiver: ThreadingHTTPServer) -> None:
    """In its own threads everything arrives without a step being asked for."""
    world = World()
    Receiver.answers[:] = []
    arrived = threading.Event()
    there = sender(f"http://127.0.0.1:{receiver.server_port}")

    def send(event: bytes) -> None:
        there(event)
        arrived.set()

    outbox = LineageOutbox(world.store, send, clock=world.clock)
    world.happen()
    outbox.start()
    outbox.hurry()
    assert arrived.wait(20)
    outbox.close()
    assert len(Receiver.got) == 1


def test_to_a_file(tmp_path: Path) -> None:
    """A file gets a line for each event; its folder is made."""
    path = tmp_path / "deep" / "lineage.jsonl"
    send = sender(str(path))
    send(b'{"a": 1}')
    send(b'{"b": 2}')
    assert path.read_text().splitlines() == ['{"a": 1}', '{"b": 2}']
    assert os.listdir(path.parent) == ["lineage.jsonl"]


def test_to_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    """The console gets a line for each event."""
    sender("console")(b'{"a": 1}')
    assert capsys.readouterr().out == '{"a": 1}\n'


@pytest.mark.parametrize("where", ["kafka://broker/topic", "http://"])
def test_somewhere_else(where: str) -> None:
    """What cannot be sent to is refused when the service starts."""
    with pytest.raises(UsageError):
        sender(where)
