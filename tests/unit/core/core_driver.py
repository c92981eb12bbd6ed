"""A tiny engine for tests of the core: it steps, commits to a memory store, and plays executors and flows.

Nothing here runs by itself. ``Driver.step`` takes in events and keeps every change and command; attempts
that the core starts lie in ``live`` until a test, or ``finish``, ends them. A flow's body is a generator
function that yields ``Ask`` and ``Await``, so that a test writes one in a few lines and crashes it anywhere.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

from core_bodies import Ask, Await, Body, Failure, Outcome, Running, Suspend
from core_graphs import packed, plain, unpacked

from weft.core.binding import bind, bind_inputs, value
from weft.core.changes import Change, MapExpanded, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.core.commands import Accepted, Command, Prepare, Refused, Start, Stop
from weft.core.events import Called, Event, Prepared, Restored, Submitted, Tick
from weft.core.history import History
from weft.core.state import Flow, State, Task
from weft.core.step import step_all
from weft.core.transitions import RUN, TASK
from weft.core.turn import digest_of
from weft.model.attempts import Attempt, AttemptId, Ended
from weft.model.calls import PythonCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Graph, MapMode, Node
from weft.model.inputs import Compare
from weft.model.rows import TaskRow
from weft.model.states import LIVE, TERMINAL, RunState, TaskState
from weft.model.values import Named, Plain
from weft.model.waits import ChildrenWait
from weft.store.memory import MemoryStore

S = TaskState
LEASE_S = 1e9


class Crash(Exception):
    """The engine died here."""


Behaviour = Callable[[Attempt], Any]
"""How an attempt ends: an ``Ended``, an ``ErrorInfo`` to fail with, or anything else as its result."""


class Driver:
    """One engine after another over one store.

    Attributes:
        live: Attempts that were started and have not ended, oldest first.
        stopped: Attempts that the core asked to stop.
        log: Every committed change.
        answers: The core's answer to each call, by token.
        flows: Flow bodies by name.
        crash_after: Commits after which ``Crash`` is raised, before anything acts on them.
    """

    def __init__(self, *, room: int = 1000, pools: dict[str, int] | None = None) -> None:
        self.now = 1000.0
        self.store = MemoryStore(clock=lambda: self.now)
        self.room = room
        self.pools = pools
        self.log: list[Change] = []
        self.graphs: dict[str, Graph] = {}
        self.history = History(self.graphs)
        self.flows: dict[str, Callable[[dict[str, Any]], Body]] = {}
        self.crash_after = -1
        self.commits = 0
        self.runs = 0
        self.auto_prepare = True
        self._start_engine()

    def _start_engine(self) -> None:
        self.engine = self.store.open_engine(
            name="test", host="", pid=0, process_started="", at=self.now, expires_at=self.now + LEASE_S
        )
        self.state = State(pools=self.pools)
        self.state.limits["default"] = self.room
        self.live: dict[AttemptId, Attempt] = {}
        self.stopped: set[AttemptId] = set()
        self.answers: dict[int, Accepted | Refused] = {}
        self.prepares: list[Prepare] = []
        self.bodies: dict[AttemptId, Running] = {}
        self.settled: dict[int, Outcome] = {}
        self.tokens = 0
        self.epochs: dict[int, int] = {}
        self._advancing = False

    # --- events -------------------------------------------------------------------------------------------

    def submit(self, graph: Graph, *, executor: str = "", **params: Any) -> int:
        """Submit a run; returns its id."""
        self.runs += 1
        run = self.store.reserve_runs(1)
        digest = f"g{self.runs}"
        self.store.put_graph(digest, graph, at=self.now)
        self.graphs[digest] = graph
        self.epochs[run] = 1
        facts = {"executor": executor} if executor else {}
        added = RunAdded(
            run,
            f"run_{run}",
            graph.workflow,
            digest,
            self.now,
            params={name: value(each) for name, each in params.items()},
            facts=facts,
        )
        self.step(Submitted(added, graph, 1))
        return run

    def step(self, *events: Event) -> tuple[list[Change], list[Command]]:
        """Take in events, commit, act; and answer what the core asks to have prepared."""
        changes, commands = step_all(self.state, events, self.now)
        self._commit(changes)
        self._act(changes, commands)
        while self.prepares and self.auto_prepare:
            wanted, self.prepares = self.prepares, []
            answers = [self.prepare(each) for each in wanted]
            more = self.step(*[each for each in answers if each is not None])
            changes, commands = changes + more[0], commands + more[1]
        return changes, commands

    def _commit(self, changes: list[Change]) -> None:
        if not changes:
            return
        check_moves(self.store, changes)
        refused = self.store.commit(changes, engine=self.engine, epochs=self.epochs)
        assert not refused
        for change in changes:
            self.history.feed(change)
        self.log += changes
        self.commits += 1
        if self.commits == self.crash_after:
            raise Crash

    def _act(self, changes: list[Change], commands: list[Command]) -> None:
        started: list[Attempt] = []
        for command in commands:
            if isinstance(command, Start):
                assert command.attempt.id not in self.live
                self.live[command.attempt.id] = command.attempt
                started.append(command.attempt)
            elif isinstance(command, Stop):
                self.stopped.add(command.id)
            elif isinstance(command, Prepare):
                self.prepares.append(command)
            elif isinstance(command, Accepted | Refused):
                self.answers[command.token] = command
                if isinstance(command, Accepted) and command.state is None:
                    self.settled.pop(command.idx, None)
        self.check()
        for change in changes:
            if isinstance(change, TaskChanged) and change.state in TERMINAL:
                self.settled[change.idx] = Outcome(change.state, change.result, change.error)
        for attempt in started:
            call = attempt.call
            if isinstance(call, PythonCall) and call.flow and call.qualname in self.flows:
                given = {name: plain(each) for name, each in attempt.inputs.items()}
                self.bodies[attempt.id] = Running(self.flows[call.qualname](given))
        self._advance_flows()

    def check(self) -> None:
        """What the core counts is what is there (I5), and no limit is exceeded."""
        inflight: dict[str, int] = {}
        used: dict[str, int] = {}
        for run in self.state.runs.values():
            for each in run.tasks.values():
                closing = isinstance(each.body, Flow) and each.body.closing is not None
                marked = each.state in TERMINAL and not each.executor
                assert closing or marked or bool(each.executor) == (each.id in self.live), each
                assert not each.executor or each.state in LIVE, each
                if each.executor:
                    inflight[each.executor] = inflight.get(each.executor, 0) + 1
                    for key, slots in each.held:
                        used[key] = used.get(key, 0) + slots
        assert inflight == {name: n for name, n in self.state.inflight.items() if n}
        assert used == {key: n for key, n in self.state.used.items() if n}
        for key, count in used.items():
            assert count <= max(self.state.slots(key), 1), key
        for name, count in inflight.items():
            assert count <= self.state.limits.get(name, count)

    # --- preparing ----------------------------------------------------------------------------------------

    def prepare(self, wanted: Prepare) -> Prepared | None:
        """What the engine's preparer would answer, for plain values."""
        task = self.state.task(wanted.run, wanted.idx)
        if task is None:
            return None
        node = task.node
        whole_map = node.map is not None and task.kind != "item"
        base = (wanted.run, wanted.idx, wanted.generation)
        here = node.when is not None and not (whole_map and task.traits.prepares_items)
        if here and isinstance(node.when, Compare) and not self._holds(node.when, task):
            return Prepared(*base, skip=True, reason="its condition is false")
        if whole_map:
            assert node.map is not None
            try:
                items = tuple(value(each) for each in self._items(task))
            except TypeError as exc:
                return Prepared(*base, error=ErrorInfo("builtins.TypeError", str(exc)))
            return Prepared(*base, items=items, items_ref=packed(items))
        if node.cache is not None:
            key = f"{node.key}{plain(Named(bind_inputs(task)))}"
            record = self.store.cached(key, now=self.now)
            if record is not None:
                return Prepared(
                    *base, cache_key=key, cached=record.result, origin=f"{record.run}/{record.idx}"
                )
            return Prepared(*base, cache_key=key)
        return Prepared(*base)

    @staticmethod
    def _holds(condition: Compare, task: Task) -> bool:
        left = plain(bind(condition.left, task))
        right = None if condition.right is None else plain(bind(condition.right, task))
        return bool(left) if condition.op == "truthy" else bool(left == right)

    @staticmethod
    def _items(task: Task) -> list[Any]:
        spec = task.node.map
        assert spec is not None
        if spec.mode is MapMode.SEQUENCE:
            assert spec.count is not None
            return list(range(plain(bind(spec.count, task))))
        if list(spec.over) == [""]:
            return list(plain(bind(spec.over[""], task)))
        columns = [plain(bind(source, task)) for source in spec.over.values()]
        rows: Iterator[tuple[Any, ...]] = product(*columns)
        if spec.mode is MapMode.ZIP:
            rows = iter(zip(*columns, strict=True))
        return [dict(zip(spec.over, row, strict=True)) for row in rows]

    # --- flows --------------------------------------------------------------------------------------------

    def _advance_flows(self) -> None:
        if self._advancing:
            return  # A step that a body caused: the loop below sees to what it let happen.
        self._advancing = moved = True
        try:
            while moved:
                moved = False
                for aid, running in list(self.bodies.items()):
                    if aid in self.bodies and aid in self.live and self._advance(aid, running):
                        moved = True
        finally:
            self._advancing = False

    def _advance(self, aid: AttemptId, running: Running) -> bool:
        """Send a body what it waits for, if that is there; act on what it yields."""
        send: Any = None
        if running.begun:
            if running.token >= 0:
                answer = self.answers.get(running.token)
                if answer is None:
                    return False
                running.token = -1
                if isinstance(answer, Refused):
                    return self._resume(aid, running, throw=Failure(answer.error))
                if running.ask is not None and running.ask.wait:
                    if answer.state is not None:
                        return self._resume(aid, running, Outcome(answer.state, answer.result, answer.error))
                    running.awaits = answer.idx
                    return True
                if answer.state is not None:
                    self.settled[answer.idx] = Outcome(answer.state, answer.result, answer.error)
                return self._resume(aid, running, answer.idx)
            if running.awaits in self.settled:
                send = self.settled[running.awaits]
                running.awaits = -1
            else:
                return False
        running.begun = True
        return self._resume(aid, running, send)

    def _resume(
        self, aid: AttemptId, running: Running, send: Any = None, throw: Failure | None = None
    ) -> bool:
        try:
            wanted = running.body.throw(throw) if throw is not None else running.body.send(send)
        except StopIteration as stop:
            self.end(aid, result=stop.value)
            return True
        except Failure as failure:
            self.end(aid, error=failure.error)
            return True
        if isinstance(wanted, Await):
            running.awaits = wanted.idx
        elif isinstance(wanted, Suspend) and any(idx in self.settled for idx in wanted.tasks):
            return self._resume(aid, running)
        elif isinstance(wanted, Suspend):
            self.end(aid, Ended(aid, S.WAITING, wait=ChildrenWait(wanted.tasks)))
        else:
            self._ask(aid, running, wanted)
        return True

    def _ask(self, aid: AttemptId, running: Running, ask: Ask) -> None:
        name = ask.node.name or ask.node.key
        count = running.names[name] = running.names.get(name, 0) + 1
        self.tokens += 1
        running.token, running.ask = self.tokens, ask
        self.step(
            Called(
                aid[0],
                aid[1],
                aid[2],
                self.tokens,
                ask.key or f"{name}-{count}",
                -1 if ask.key else running.ordinal,
                ask.node,
                digest_of(ask.node),
                digest_of(Node(key="arguments", call=ask.node.call, inputs=ask.inputs)),
                ask.inputs,
                ask.items,
                None if ask.items is None else packed(ask.items),
                ask.mark,
            )
        )
        if not ask.key:
            running.ordinal += 1

    # --- ending attempts ----------------------------------------------------------------------------------

    def end(
        self,
        attempt: AttemptId | str,
        ended: Ended | None = None,
        *,
        result: Any = None,
        error: ErrorInfo | None = None,
        **extra: Any,
    ) -> tuple[list[Change], list[Command]]:
        """End a live attempt, by id or by key: as told, as failed, or with a result."""
        aid = self.find(attempt) if isinstance(attempt, str) else attempt
        del self.live[aid]
        self.bodies.pop(aid, None)
        if ended is None:
            if error is not None:
                ended = Ended(aid, S.FAILED, error=error, ended_at=self.now, **extra)
            else:
                ended = Ended(aid, S.SUCCEEDED, result=value(result), ended_at=self.now, **extra)
        return self.step(ended)

    def find(self, key: str) -> AttemptId:
        """The live attempt of the task run called ``key``."""
        return next(aid for aid, attempt in self.live.items() if attempt.key == key)

    def running(self) -> list[str]:
        """The keys of live attempts, oldest first; flows with a body are left out."""
        return [attempt.key for aid, attempt in self.live.items() if aid not in self.bodies]

    def finish(self, behave: Behaviour = lambda attempt: attempt.key, *, steps: int = 100_000) -> None:
        """End attempts, oldest first, and let timers fire when nothing else is left, until all is quiet."""
        for _ in range(steps):
            aid = next((aid for aid in self.live if aid not in self.bodies), None)
            stopped = next((aid for aid in self.live if aid in self.stopped), None)
            if stopped is not None:
                self.end(stopped, Ended(stopped, S.CANCELLED, ended_at=self.now))
            elif aid is not None:
                outcome = behave(self.live[aid])
                if isinstance(outcome, Ended):
                    self.end(aid, outcome)
                elif isinstance(outcome, ErrorInfo):
                    self.end(aid, error=outcome)
                else:
                    self.end(aid, result=outcome)
            elif self.state.next_due() is not None and self.state.runs:
                self.now = max(self.now, self.state.next_due() or 0.0)
                self.step(Tick())
            else:
                return
        raise AssertionError("it never became quiet")

    # --- crashes ------------------------------------------------------------------------------------------

    def crash(self, *, alive: Iterable[AttemptId] = (), resume: bool = True) -> None:
        """Lose the engine and all its attempts but ``alive``; go on with a new one from the rows."""
        self.crash_after = -1
        old_live = self.live
        self.store.close_engine(self.engine)
        self._start_engine()
        kept = frozenset(alive)
        self.live = {aid: attempt for aid, attempt in old_live.items() if aid in kept}
        for run, epoch in self.store.claim(self.engine, now=self.now).items():
            self.restore(run, epoch, kept, resume=resume)

    def restore(
        self, run: int, epoch: int, alive: frozenset[AttemptId] = frozenset(), *, resume: bool = True
    ) -> None:
        """Go on with one run from its rows."""
        self.epochs[run] = epoch
        snapshot = self.store.load(run)
        items = {each.idx: unpacked(each.items) for each in snapshot.maps if each.count}
        self.step(Restored(snapshot, epoch, items, alive, resume))

    def clear(self, run: int, changes: list[Change]) -> None:
        """Commit what a person's clear does to an ended run, and go on with it."""
        (epoch,) = self.store.claim(self.engine, now=self.now, runs=[run], dead=[self.engine]).values()
        self.epochs[run] = epoch
        self._commit(changes)
        self.settled.clear()
        self.restore(run, epoch)

    # --- looking ------------------------------------------------------------------------------------------

    def run_state(self, run: int = 1) -> RunState:
        """How a run stands, as stored."""
        return self.store.run_by_id(run).state

    def rows(self, run: int = 1) -> list[TaskRow]:
        """A run's task rows, as stored."""
        return self.store.tasks(run, limit=1_000_000)

    def row(self, key: str, run: int = 1) -> TaskRow:
        """One task run's row; the latest, if a group was retried."""
        return [each for each in self.rows(run) if each.key == key][-1]

    def states(self, run: int = 1) -> dict[str, str]:
        """State by key."""
        return {row.key: row.state.value for row in self.rows(run)}

    def result(self, key: str | None = None, run: int = 1) -> Any:
        """A task run's result as a plain value; of the root without ``key``."""
        row = self.store.task(run, 0) if key is None else self.row(key, run)
        return None if row.result is None else plain(Plain(row.result))

    def attempts(self, key: str, run: int = 1) -> int:
        """How often the task run was handed to an executor."""
        idx = self.row(key, run).idx
        return sum(
            isinstance(each, TaskChanged) and each.run == run and each.idx == idx and each.state is S.QUEUED
            for each in self.log
        )

    def causes(self, key: str, run: int = 1) -> list[str]:
        """The task run's moves: ``state:cause`` in order."""
        idx = self.row(key, run).idx
        return [
            f"{each.state}:{each.cause}"
            for each in self.log
            if isinstance(each, TaskChanged) and each.run == run and each.idx == idx
        ]


def check_moves(store: MemoryStore, changes: Iterable[Change]) -> None:
    """No change goes against the tables, no attempt shrinks, and no key is used twice in a run."""
    states: dict[tuple[int, int], TaskState] = {}
    attempts: dict[tuple[int, int], int] = {}
    runs: dict[int, RunState] = {}
    for change in changes:
        if isinstance(change, TaskAdded):
            states[change.run, change.idx] = S.PENDING
            attempts[change.run, change.idx] = 0
        elif isinstance(change, TaskChanged):
            aid = (change.run, change.idx)
            if aid not in states:
                row = store.task(*aid)
                states[aid], attempts[aid] = row.state, row.attempt
            assert change.state in TASK[states[aid]], f"{states[aid]} -> {change}"
            assert change.attempt >= attempts[aid], change
            states[aid], attempts[aid] = change.state, change.attempt
        elif isinstance(change, RunAdded):
            runs[change.run] = RunState.SCHEDULED
        elif isinstance(change, RunChanged):
            before = runs.get(change.run) or store.run_by_id(change.run).state
            assert change.state in RUN[before], f"{before} -> {change}"
            runs[change.run] = change.state
        elif isinstance(change, MapExpanded):
            assert change.base > 0


def by_key(changes: Iterable[Change]) -> list[str]:
    """Task changes of a step as ``idx state``, to compare with."""
    return [f"{each.idx} {each.state}" for each in changes if isinstance(each, TaskChanged)]
