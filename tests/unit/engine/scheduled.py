"""What tests of the scheduler share: workflows, a way in for runs, and a world that fails."""

from collections.abc import Sequence
from random import Random
from typing import Any

from weft import dag
from weft.core import ticking
from weft.core.changes import Cause, RunChanged
from weft.engine.scheduler import SCHEDULES
from weft.model.errors import NotFound, ParameterError, StoreBusy
from weft.model.rows import RunRow
from weft.model.schedules import Schedule, Scheduled
from weft.model.states import RunState
from weft.runtime.host import RunRequest
from weft.store.protocol import Store
from weft.testing.faults import Crash


@dag
def nothing() -> None:
    """A workflow to make runs of."""


class Books:
    """Workflows, whatever their name; some are paused, gone or cannot be run."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.gone: set[str] = set()
        self.wrong: set[str] = set()
        self._graphs: dict[str, Any] = {}

    def ready(self, name: str) -> bool:
        """See ``Workflows.ready``."""
        return name not in self.paused

    def request(
        self, name: str, *, params: dict[str, Any], facts: dict[str, Any], key: str, tags: tuple[str, ...]
    ) -> RunRequest:
        """See ``Workflows.request``."""
        if name in self.gone:
            raise NotFound(f"there is no workflow {name!r}")
        if name in self.wrong:
            raise ParameterError(f"{name} takes no such parameter")
        if name not in self._graphs:
            self._graphs[name] = nothing.with_options(name=name).graph()
        return RunRequest(self._graphs[name], {}, key=key, tags=tags, facts=facts)


class Ledger:
    """A way in that only remembers the keys, durably, and how often each came."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self.order: list[str] = []

    def submit(self, requests: Sequence[RunRequest]) -> list[RunRow]:
        """See ``Submits.submit``."""
        rows = []
        for request in requests:
            key = request.key or ""
            if key not in self.keys:
                self.order.append(key)
            self.keys[key] = self.keys.get(key, 0) + 1
            rows.append(row(key, request.graph.workflow))
        return rows

    def ask(self, row: RunRow, kind: str, *, by: str = "", request_id: str | None = None) -> None:
        """See ``Submits.ask``."""


class Faulty:
    """A store, or a way in, in front of another: its calls fail before or after they are carried out."""

    def __init__(self, inner: Any, rng: Random, *, crash: float, busy: float = 0.0) -> None:
        self.inner = inner
        self.rng = rng
        self.crash = crash
        self.busy = busy
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return self._faulty(found) if name in ("write", "submit") else found

    def _faulty(self, call: Any) -> Any:
        def attempt(*args: Any, **kwargs: Any) -> Any:
            roll = self.rng.random()
            if roll < self.crash + self.busy:
                self.failed += 1
            if roll < self.crash / 2:
                raise Crash("before")
            if self.crash <= roll < self.crash + self.busy:
                raise StoreBusy("another process writes")
            done = call(*args, **kwargs)
            if roll < self.crash:
                raise Crash("after")
            return done

        return attempt


def row(uid: str, workflow: str) -> RunRow:
    """A run that is only named."""
    return RunRow(
        run=0,
        uid=uid,
        workflow=workflow,
        dialect="native",
        graph="",
        version=1,
        state=RunState.QUEUED,
        params={},
        tags=(),
        project="",
        key=uid,
        parent_run="",
        parent_task=-1,
        facts={},
        created_at=0.0,
    )


def enrolled(store: Store, workflow: str, schedule: Schedule, now: float) -> str:
    """Keep a schedule as a deployment does; returns its record's name."""
    name = f"{workflow}#{schedule.name}"
    before = SCHEDULES.get(store, name)
    state = ticking.enrol(workflow, schedule, None if before is None else before.value, now)
    SCHEDULES.save(
        store,
        name,
        state,
        at=now,
        due_at=ticking.due_at(state, now),
        expect=0 if before is None else before.revision,
    )
    return name


def state_of(store: Store, name: str) -> Scheduled:
    """What is kept of a schedule."""
    return SCHEDULES.require(store, name).value


def end(store: Store, row: RunRow, state: RunState, now: float) -> None:
    """Let a run that nobody owns begin and end."""
    engine = store.open_engine(
        name="test", host="here", pid=1, process_started="", at=now, expires_at=now + 60
    )
    epochs = store.claim(engine, now=now, runs=[row.run])
    store.commit(
        [
            RunChanged(row.run, RunState.RUNNING, now, Cause.STARTED),
            RunChanged(row.run, state, now, Cause.RETURNED),
        ],
        engine=engine,
        epochs=epochs,
    )
    store.close_engine(engine)
