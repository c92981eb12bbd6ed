"""What tests of notifications use: a store whose log they write, real receivers, and secrets."""

import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.core.changes import Cause, Change, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.engine.follower import Follower
from weft.model.automations import Action, AllOf, AnyOf, Automation, Leaf
from weft.model.calls import PythonCall
from weft.model.channels import Channel, Log, Way
from weft.model.deliveries import Delivery, DeliveryState
from weft.model.errors import ErrorInfo, NotFound
from weft.model.graph import Graph, Node
from weft.model.states import RunState, TaskState
from weft.model.values import Result
from weft.notifications.conditions import check
from weft.notifications.context import Contexts
from weft.notifications.courier import CHANNELS, Courier, check_channel
from weft.notifications.deliver import Deliverer
from weft.notifications.joining import AUTOMATIONS
from weft.notifications.outbox import DELIVERIES, EVER, LANES, tickets
from weft.notifications.reactor import Reactor
from weft.notifications.watcher import Watcher
from weft.store.open import open_store
from weft.store.protocol import Store
from weft.testing.clock import FakeClock

FAILED = ErrorInfo("builtins.ValueError", 'no <such> "file"', traceback="Traceback: line 1\nValueError")


class Acts:
    """Operations that are written down."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.refuse: Exception | None = None

    def start_run(
        self, workflow: str, params: dict[str, Any], *, key: str, tags: tuple[str, ...], facts: dict[str, Any]
    ) -> str:
        """See ``Operations``."""
        self._do("start", workflow, params, key, tags, facts)
        return "run_new"

    def ask(self, run: int, kind: str, *, request_id: str, by: str, force: bool = False) -> None:
        """See ``Operations``."""
        self._do(kind, run, request_id, by, force)

    def pause(self, what: str, name: str, *, by: str) -> None:
        """See ``Operations``."""
        self._do("pause", what, name, by)

    def resume(self, what: str, name: str, *, by: str) -> None:
        """See ``Operations``."""
        self._do("resume", what, name, by)

    def _do(self, *what: Any) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.done.append(what)


class Safe:
    """Secrets by name."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def reveal(self, name: str) -> str:
        """See ``Secrets``."""
        try:
            return self.values[name]
        except KeyError:
            raise NotFound(f"there is no secret {name!r}", where=name) from None


class Tails:
    """A log that says whose it is."""

    def tail(self, run: str, idx: int, attempt: int, size: int) -> str:
        """See ``Logs``."""
        return f"the log of {run}, task {idx}, attempt {attempt}"


class World:
    """A store with a log, and the parts of notifications over it, driven step by step."""

    def __init__(self, folder: Path, *, url: str = "") -> None:
        self.store: Store = open_store(url or str(folder / "weft.db"), durability="relaxed")
        self.clock = FakeClock(1_800_000_000.0)
        self.artifacts = Artifacts(FileBlobs(folder / "artifacts"), trusted=False)
        self.acts = Acts()
        self.safe = Safe(key="s3cret", password="hunter2")
        self.contexts = Contexts(self.store, self.artifacts, Tails(), "http://weft.test/")
        self.courier = Courier(self.store, self.contexts, self.acts, self.safe, now=self.clock.now)
        self.reactor = Reactor(self.store, self.artifacts, self.clock.now)
        self.follower = Follower("automations", self.store, self.reactor, clock=self.clock, from_start=True)
        self.watcher = Watcher(self.store, self.clock.now)
        self.deliverer = self.make_deliverer()
        self.graph(Graph(workflow="etl", root=Node(key="etl", call=PythonCall("m", "etl"))))
        self.runs = 0

    def make_deliverer(self, courier: Courier | None = None) -> Deliverer:
        """One that works in place, without threads."""
        return Deliverer(self.store, courier or self.courier, self.clock.now, spawn=lambda work: work())

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    # --- what people set up -------------------------------------------------------------------------------

    def automate(self, name: str, when: Leaf | AnyOf | AllOf, *then: Action, **options: Any) -> None:
        """Store an automation."""
        made = Automation(when=when, then=then, **options)
        check(name, made)
        AUTOMATIONS.save(self.store, name, made, at=self.clock.now())

    def channel(self, name: str, way: Way | None = None, **options: Any) -> None:
        """Store a channel."""
        made = Channel(way=way or Log(), **options)
        check_channel(name, made)
        CHANNELS.save(self.store, name, made, at=self.clock.now())

    def graph(self, graph: Graph) -> None:
        """Store a workflow, under its name as the digest."""
        self.store.put_graph(graph.workflow, graph, at=self.clock.now())

    # --- what happens -------------------------------------------------------------------------------------

    def commit(self, *changes: Change) -> None:
        """Something happens to runs."""
        runs = {each.run for each in changes}
        assert not self.store.commit(changes, engine=0, epochs=dict.fromkeys(runs, 0))

    def add(
        self,
        workflow: str = "etl",
        *,
        tags: Sequence[str] = (),
        params: dict[str, Any] | None = None,
        **more: Any,
    ) -> int:
        """A run is accepted; returns its id."""
        run = self.store.reserve_runs(1)
        self.runs += 1
        values: dict[str, Result] = {k: self.artifacts.dumps(v) for k, v in (params or {}).items()}
        uid, now = f"run_{run}", self.clock.now()
        self.commit(RunAdded(run, uid, workflow, workflow, now, tags=tuple(tags), params=values, **more))
        return run

    def run(self, run: int, state: RunState, *, cause: Cause = Cause.STARTED) -> None:
        """A run comes to a state."""
        error = FAILED if state is RunState.FAILED else None
        self.commit(RunChanged(run, state, self.clock.now(), cause, error=error))

    def begin(self, workflow: str = "etl", **options: Any) -> int:
        """A run is accepted and starts; returns its id."""
        run = self.add(workflow, **options)
        self.run(run, RunState.RUNNING)
        return run

    def task(self, run: int, idx: int, key: str, **more: Any) -> None:
        """A task run gets its row."""
        self.commit(TaskAdded(run, idx, key, key.partition("[")[0], self.clock.now(), **more))

    def move(self, run: int, idx: int, state: TaskState, **more: Any) -> None:
        """A task run comes to a state."""
        error = FAILED if state is TaskState.FAILED else None
        self.commit(TaskChanged(run, idx, state, 1, self.clock.now(), Cause.STARTED, error=error, **more))

    # --- what follows -------------------------------------------------------------------------------------

    def follow(self) -> None:
        """React to everything that was committed."""
        while self.follower.step():
            pass

    def look(self) -> None:
        """Follow, then look at what is due."""
        self.follow()
        self.watcher.step(self.clock.now())

    def deliveries(self) -> list[Delivery]:
        """Everything in the outbox, and what has left it, oldest first."""
        return [each.value for each in DELIVERIES.all(self.store)]

    def told(self) -> list[str]:
        """What the deliveries are about."""
        return [each.occasion.what for each in self.deliveries()]

    def states(self) -> list[DeliveryState]:
        """How the deliveries stand."""
        return [each.state for each in self.deliveries()]

    def tickets(self) -> int:
        """How many tickets there are."""
        lanes = LANES.all(self.store)
        return sum(len(tickets(each.name).due(self.store, before=EVER, limit=99_999)) for each in lanes)


class Receiver:
    """A real HTTP server that answers as it is told, and remembers what it was sent.

    Args:
        answer: From how many requests came before to a status; or a function that handles the request.
    """

    def __init__(
        self, answer: Callable[[int], int] = lambda _: 200, *, headers: dict[str, str] | None = None
    ) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with receiver.came:
                    count = len(receiver.requests)
                    receiver.requests.append((self.path, dict(self.headers.items()), body))
                    receiver.came.notify_all()
                self.send_response(answer(count))
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "3")
                self.end_headers()
                self.wfile.write(b"so!")

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def wait(self, count: int) -> None:
        """Until so many requests have come."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.requests) >= count, timeout=20)

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
