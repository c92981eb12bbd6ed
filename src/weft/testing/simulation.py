"""The whole of Weft in one thread and from one seed: real engines, a fake world, and everything goes wrong.

``simulate`` runs random workflows (``workload.py``) on real engines and a real store, under a clock that it
moves, executors that it answers for, and faults that it draws: crashes before, after and between commits and
commands, duplicate and late reports, errors of the store, jumps of the clock, engines that hang and are
fenced. After each step the invariants are checked; at the end every run must have ended and ``verify`` must
find nothing. The same seed gives the same event log, on every store and every machine.

A seed that failed is run again with ``python -m weft.testing.simulation --seed N``.
"""

import argparse
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from random import Random
from typing import cast

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.core.changes import Change, RunAdded
from weft.core.events import CancelTask, Mark, PoolChanged
from weft.core.history import History
from weft.core.invariants import check_state
from weft.core.state import INLINE, Task
from weft.engine.engine import Engine
from weft.engine.verify import verify
from weft.model.attempts import Attempt, AttemptId, Ended, Published, Report, Shown
from weft.model.calls import PythonCall
from weft.model.errors import ErrorInfo, InvariantViolation, StoreError, WeftError
from weft.model.graph import Graph
from weft.model.states import RUN_TERMINAL, TERMINAL, TaskState
from weft.model.values import NONE, Result
from weft.model.waits import ApprovalWait, EventWait, PokeWait, TimerWait
from weft.runtime.host import Pending, RunRequest
from weft.store.memory import MemoryStore
from weft.store.protocol import Store
from weft.testing.bodies import Body
from weft.testing.clock import FakeClock
from weft.testing.executor import FakeExecutor, Held
from weft.testing.faults import STORMY, Crash, Faults, FaultyStore
from weft.testing.workload import EVENTS, EXECUTORS, LANGUAGE, POOLS, RETURNS, Workload, evaluate

LEASE_S = 10.0
STEPS = 120
"""Steps of the stormy part of a simulation."""

ROUNDS_MAX = 400
"""Rounds of the calm part, after which a run that has not ended never will."""

CALM = Faults()
BOOM = ErrorInfo("builtins.ValueError", "boom", mro=("builtins.ValueError", "builtins.Exception"))


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulation came to.

    Attributes:
        seed: Its seed.
        runs, attempts, commits, crashes: How much happened.
        log: Digest of the event log.
    """

    seed: int
    runs: int
    attempts: int
    commits: int
    crashes: int
    log: str


class Host:
    """An engine's process: the engine, its executors, and the bodies of flows that it carries out."""

    def __init__(self, engine: Engine, executors: dict[str, FakeExecutor]) -> None:
        self.engine = engine
        self.executors = executors
        self.bodies: dict[AttemptId, Body] = {}
        self.inline: dict[AttemptId, Attempt] = {}
        self.handles: list[Pending] = []
        self.hangs = False


class Simulation:
    """One seed's world. See the module's docstring.

    Args:
        seed: Of everything.
        store: Empty.
        steps: Steps of the stormy part.
        faults: What goes wrong in it.
        engine: Makes engines; a test puts a broken one here.
    """

    def __init__(
        self,
        seed: int,
        store: Store,
        *,
        steps: int = STEPS,
        faults: Faults = STORMY,
        engine: Callable[..., Engine] = Engine,
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.steps = steps
        self.faults = faults
        self.clock = FakeClock()
        self.inner = store
        self.store = FaultyStore(store, self.rng, CALM, self._committed)
        self.artifacts = Artifacts(MemoryBlobs())
        self.workload = Workload(self.rng)
        self.graphs: dict[str, Graph] = {}
        self.history = History(self.graphs)
        self.hosts: list[Host] = []
        self.cluster: dict[AttemptId, Held] = {}
        self.accepted: list[int] = []
        self.attempts: set[AttemptId] = set()
        self.reports: deque[Report] = deque(maxlen=30)
        self.crashes = 0
        self.calm = False
        self.alone = True
        self.violation: InvariantViolation | None = None
        self.acting: Host
        self._engine = engine
        self._signals = 0
        self._values = {name: self.artifacts.dumps(value) for name, value in RETURNS.items()}

    # --- the whole ----------------------------------------------------------------------------------------

    def go(self) -> Simulated:
        """Run it.

        Raises:
            InvariantViolation: A promise was broken; the message ends with the story of the run.
        """
        try:
            self._open_host()
            self.store.faults = self.faults
            for _ in range(self.steps):
                self._guarded(self._step)
            self._settle()
            self._end()
        except InvariantViolation as exc:
            raise self._told(exc) from exc
        return Simulated(
            seed=self.seed,
            runs=len(self.accepted),
            attempts=len(self.attempts),
            commits=self.store.commits,
            crashes=self.crashes,
            log=log_digest(self.inner),
        )

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do one thing; a crash in it kills the process that did it, and another one takes over."""
        try:
            action()
        except Crash:
            self._kill(self.acting)
        except StoreError:
            pass  # Told to whoever asked the engine for something.
        if self.violation is not None:
            raise self.violation
        for host in list(self.hosts):
            halted = host.engine.halted
            if halted is None:
                self._check(host)
            elif isinstance(halted, StoreError):
                self._kill(host)
            else:
                raise halted
        if not self.hosts:
            self._open_host()

    def _check(self, host: Host) -> None:
        check_state(host.engine.state, host.engine.coming, alone=self.alone)

    def _open_host(self) -> None:
        """Start a process, which takes over what dead ones left."""
        executors = {name: self._executor(name) for name in EXECUTORS}
        engine = self._engine(
            cast(Store, self.store),
            self.artifacts,
            executors,
            clock=self.clock,
            entropy=lambda: self.rng.randbytes(10),
            evaluators={LANGUAGE: evaluate},
            pools=dict(POOLS),
            default="pool",
            lease_s=LEASE_S,
        )
        host = self.acting = Host(engine, executors)
        try:
            engine.open()
            self.hosts.append(host)
            self._recover(host)
        except (Crash, StoreError):
            self._kill(host)
            self._open_host()

    def _executor(self, name: str) -> FakeExecutor:
        held = self.cluster if name == "cluster" else None
        limit = self.rng.choice((1, 2, 4, 16))
        return FakeExecutor(name, limit=limit, held=held, durable=name == "cluster", accept=self._accept)

    def _recover(self, host: Host) -> None:
        live = {each.engine.id for each in self.hosts}
        dead = [row.engine for row in self.inner.engines() if row.engine not in live]
        resume = self.calm or self.rng.random() < 0.7
        handles = host.engine.recover(
            dead=dead, resume=resume, carry_out=lambda attempt: self._take_inline(host, attempt)
        )
        host.handles += handles.values()

    def _kill(self, host: Host) -> None:
        """The process dies: nothing of it is left but what is in the store and on the cluster."""
        self.crashes += 1
        host.engine.halted = host.engine.halted or WeftError("it died")
        for executor in host.executors.values():
            executor.close()
        if host in self.hosts:
            self.hosts.remove(host)

    # --- what the world sees ------------------------------------------------------------------------------

    def _committed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, RunAdded):
                self.graphs[change.graph] = self.inner.graph(change.graph)
            self.history.feed(change)

    def _accept(self, attempt: Attempt) -> None:
        """An executor is given an attempt: its cause must be durable, and it must be the first time."""
        if self.rng.random() < self.store.faults.crash_between:
            raise Crash("between two commands")
        run, idx, number = attempt.id
        row = self.history.state.tasks.get((run, idx))
        what = ""
        if attempt.id in self.attempts:
            what = "I2: an attempt was carried out twice"
        elif row is None or row.attempt < number:
            what = f"I7: attempt {number} of {attempt.key} was given to an executor before it was durable"
        if what:
            # An engine would take an error of Weft's for the executor's.
            self.violation = InvariantViolation(what, run=run, idx=idx, invariant=what[:2])
            raise Crash(what)
        self.attempts.add(attempt.id)

    def _take_inline(self, host: Host, attempt: Attempt) -> None:
        self._accept(attempt)
        host.inline[attempt.id] = attempt

    # --- a step in the storm ------------------------------------------------------------------------------

    def _step(self) -> None:
        rng = self.rng
        for host in self.hosts:
            host.hangs = host.hangs and rng.random() < 0.9
            if not host.hangs:
                self.acting = host
                host.engine.beat()
        host = self.acting = rng.choice(self.hosts)
        if rng.random() < self.faults.jump:
            self.clock.advance(rng.choice((-3600.0, -5.0, 3600.0, 90.0)))
        if rng.random() < self.faults.crash_idle:
            self._kill(host)
            return
        if rng.random() < self.faults.takeover:
            self._take_over(host)
            return
        share = rng.random()
        if share < 0.10:
            self._submit(host)
        elif share < 0.60:
            self._work(host)
        elif share < 0.75:
            self.clock.advance(rng.choice((0.0, 0.1, 1.0, 5.0)))
        elif share < 0.81:
            self._meddle(host)
        elif share < 0.81 + self.faults.duplicate and self.reports:
            host.engine.report([rng.choice(self.reports)])
        else:
            self._work(host)
        self._turn(host)
        self._poll(host)

    def _turn(self, host: Host) -> bool:
        """Let an engine deal with what it has; whether there was anything."""
        engine, turned = host.engine, False
        while engine.halted is None and engine.turn():
            turned = True
            if engine.halted is None:
                self._check(host)
        return turned

    def _poll(self, host: Host) -> None:
        """Let callers' threads take the attempts that they are to carry out themselves."""
        for pending in host.handles:
            pending.wait(timeout_s=0)

    def _submit(self, host: Host) -> None:
        if len(self.accepted) >= 5:
            return
        graph = self.rng.choice(self.workload.graphs)
        request = RunRequest(graph, {"n": self._values["int"]}, inline=self.rng.random() < 0.3)
        pending = host.engine.submit(request, carry_out=lambda attempt: self._take_inline(host, attempt))
        host.handles.append(pending)
        self.accepted.append(pending.run)

    def _take_over(self, host: Host) -> None:
        """One engine's heart stops past its lease; another takes over, and the first goes on as if it owned."""
        self.alone = False
        if len(self.hosts) == 1:
            self._open_host()
            return
        host.hangs = True
        self.clock.advance(LEASE_S + 1.0)
        for each in self.hosts:
            if each is not host:
                each.hangs = False
                self.acting = each
                each.engine._beat_at = 0.0
                each.engine.beat()
                handles = each.engine.recover(
                    carry_out=lambda attempt, to=each: self._take_inline(to, attempt)
                )
                each.handles += handles.values()

    def _meddle(self, host: Host) -> None:
        """A person does something."""
        rng, engine = self.rng, host.engine
        runs = list(engine.state.runs)
        if not runs:
            return
        run = rng.choice(runs)
        share = rng.random()
        tasks = [task for task in engine.state.runs[run].tasks.values() if task.state not in TERMINAL]
        task = rng.choice(tasks) if tasks else None
        if share < 0.12:
            engine.cancel(run, force=rng.random() < 0.3)
        elif share < 0.30:
            engine.pause(run)
        elif share < 0.50:
            engine.resume(run)
        elif share < 0.65:
            self._signals += 1
            engine.send(run, rng.choice(EVENTS), NONE, f"s{self._signals}")
        elif share < 0.72 and task is not None and task.idx:
            engine.post(CancelTask(run, task.idx))
        elif share < 0.78 and task is not None and _may_be_marked(task):
            state = rng.choice((TaskState.SUCCEEDED, TaskState.FAILED, TaskState.SKIPPED))
            engine.post(Mark(run, task.idx, state))
        elif share < 0.88:
            engine.post(PoolChanged(rng.choice(tuple(POOLS)), rng.choice((0, 1, 3))))
        elif share < 0.94:
            rng.choice(list(host.executors.values())).limit = rng.choice((0, 1, 3, 16))
        else:
            self._answer(host)

    def _answer(self, host: Host) -> bool:
        """Answer one thing that waits for a person or an event; whether there was one."""
        for run in list(host.engine.state.runs.values()):
            for task in list(run.tasks.values()):
                if task.state is not TaskState.WAITING:
                    continue
                if isinstance(task.wait, ApprovalWait):
                    host.engine.answer(run.id, task.idx, NONE)
                    return True
                if isinstance(task.wait, EventWait):
                    self._signals += 1
                    host.engine.send(run.id, task.wait.name, NONE, f"s{self._signals}")
                    return True
        return False

    # --- attempts -----------------------------------------------------------------------------------------

    def _work(self, host: Host) -> None:
        """One attempt somewhere goes on."""
        rng = self.rng
        entries: list[Held | Attempt] = [
            held
            for executor in host.executors.values()
            for held in executor.held.values()
            if held.executor is executor
        ]
        entries += host.inline.values()
        if not entries:
            host.engine.report(())
            return
        entry = rng.choice(entries)
        if isinstance(entry, Held):
            self._go_on(host, entry)
        else:
            self._go_on_inline(host, entry)

    def _go_on(self, host: Host, held: Held) -> None:
        attempt, executor = held.attempt, held.executor
        if held.ended is not None:
            self._end_attempt(host, held, held.ended)
            return
        body = self._body(host, attempt)
        if body is not None:
            ended = self._advance(body, held.cancelling)
        elif (not held.started and self.rng.random() < 0.4 and not self.calm) or (
            not held.started and _is_daemon(attempt)
        ):
            self._note(executor.begin(held, self.clock.now()))
            return
        elif self.rng.random() < 0.05 and not self.calm:
            executor.show(Shown(attempt.id, Published("p", "markdown", NONE)))
            return
        else:
            ended = self._outcome(attempt, held.cancelling)
        if ended is not None and attempt.id in executor.held:
            self._end_attempt(host, held, ended)

    def _go_on_inline(self, host: Host, attempt: Attempt) -> None:
        body = self._body(host, attempt)
        ended = self._advance(body, False) if body is not None else self._outcome(attempt, False)
        if ended is not None:
            host.inline.pop(attempt.id, None)
            host.bodies.pop(attempt.id, None)
            self._note(ended)
            host.engine.report([ended])

    def _end_attempt(self, host: Host, held: Held, ended: Ended) -> None:
        host.bodies.pop(ended.id, None)
        if not held.executor.heard and held.executor.durable:
            held.ended = ended
            return
        self._note(ended)
        held.executor.end(ended)

    def _note(self, report: Report) -> None:
        self.reports.append(report)

    def _body(self, host: Host, attempt: Attempt) -> Body | None:
        call = attempt.call
        if not isinstance(call, PythonCall) or not call.flow or attempt.phase != "run":
            return None
        body = host.bodies.get(attempt.id)
        if body is None:
            script = self.workload.scripts[call.qualname]
            body = host.bodies[attempt.id] = Body(host.engine, attempt, script, self.artifacts)
        return body

    def _advance(self, body: Body, cancelling: bool) -> Ended | None:
        now, rng = self.clock.now(), self.rng
        if cancelling and rng.random() < 0.6:
            return Ended(body.attempt.id, TaskState.CANCELLED, ended_at=now)
        if not self.calm and rng.random() < 0.03:
            return Ended(body.attempt.id, TaskState.FAILED, error=BOOM, ended_at=now)
        if body.waits_for:
            suspends = body.attempt.executor != INLINE and rng.random() < (0.05 if self.calm else 0.3)
            return body.suspend(now) if suspends else None
        return body.advance(now)

    def _outcome(self, attempt: Attempt, cancelling: bool) -> Ended | None:
        """How a fake attempt ends; ``None`` while it goes on."""
        rng, now, kind = self.rng, self.clock.now(), getattr(attempt.call, "qualname", "int")
        if cancelling and rng.random() < 0.7:
            return Ended(attempt.id, TaskState.CANCELLED, ended_at=now)
        if attempt.phase == "check":
            return self._ended(attempt, self.artifacts.dumps(rng.random() < 0.4))
        chance = 1.0 if self.calm else rng.random()
        if chance < 0.05:
            return Ended(attempt.id, TaskState.LOST, ended_at=now)
        # In the calm part too one ends by itself now and then: it may hold the last slot that its group needs.
        if kind == "daemon" and rng.random() < (0.9 if self.calm else 0.8):
            return None
        if chance < 0.08:
            return Ended(attempt.id, TaskState.SKIPPED, ended_at=now)
        fails = kind == "boom" or (kind == "flaky" and chance < 0.5) or chance < 0.12
        # A task that is tried again for ever must succeed in the end.
        if fails and not (self.calm and attempt.max_tries < 0):
            return Ended(attempt.id, TaskState.FAILED, error=BOOM, started_at=now, ended_at=now)
        if kind == "poke" and not self.calm and chance < 0.6:
            wait = rng.choice(
                (PokeWait(interval_s=5.0, timeout_s=60.0), TimerWait(delay_s=2.0), EventWait("green"))
            )
            return Ended(attempt.id, TaskState.WAITING, wait=wait, ended_at=now)
        return self._ended(attempt, self._values.get(kind, NONE))

    def _ended(self, attempt: Attempt, result: Result) -> Ended:
        now = self.clock.now()
        chosen: tuple[str, ...] | None = None
        if attempt.branch:
            chosen = self.rng.choice((None, (), ()))
            if self.rng.random() < 0.3:
                chosen = ("n1",)
        return Ended(attempt.id, TaskState.SUCCEEDED, result, started_at=now, ended_at=now, chosen=chosen)

    # --- the calm after -----------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No more faults, and everybody does what is asked: now all must end."""
        self.calm = True
        self.store.faults = CALM
        for each in self.hosts:
            each.hangs = False
        for _ in range(ROUNDS_MAX):
            if self._over():
                # One more, in which engines learn of runs that others ended.
                self._guarded(self._round)
                return
            self._guarded(self._round)
        raise self._stuck()

    def _over(self) -> bool:
        return all(row.state in RUN_TERMINAL for row in self.inner.runs(limit=100))

    def _round(self) -> None:
        moved = False
        for host in list(self.hosts):
            engine = host.engine
            self.acting = host
            engine._beat_at = 0.0
            engine.beat()
            self._recover(host)
            for executor in host.executors.values():
                executor.limit = max(executor.limit, 2)
            for pool, slots in POOLS.items():
                if engine.state.pools.get(pool) != slots:
                    engine.post(PoolChanged(pool, slots))
            for run in list(engine.state.runs):
                engine.resume(run)
            for held in [held for each in host.executors.values() for held in each.held.values()]:
                if held.executor in host.executors.values():
                    self._go_on(host, held)
                    moved = moved or held.attempt.id not in held.executor.held
            for attempt in list(host.inline.values()):
                self._go_on_inline(host, attempt)
            moved = self._answer(host) or moved
            moved = self._turn(host) or moved
            self._poll(host)
        if not moved:
            due = [each.engine.state.next_due() for each in self.hosts]
            later = [each - self.clock.now() for each in due if each is not None]
            self.clock.advance(max(min(later, default=1.0), 0.0))

    def _stuck(self) -> InvariantViolation:
        row = next(row for row in self.inner.runs(limit=100) if row.state not in RUN_TERMINAL)
        rows = [each for each in self.inner.tasks(row.run, limit=10_000) if each.state not in TERMINAL]
        told = "; ".join(f"{each.idx} {each.key} {each.state} attempt {each.attempt}" for each in rows)
        return InvariantViolation(f"I3: the run never ends ({row.state}). Open: {told}", run=row.run)

    def _end(self) -> None:
        for run in self.accepted:
            self.inner.run_by_id(run)  # Raises when an accepted run is lost (I1).
        for host in self.hosts:
            engine = host.engine
            if engine.state.runs or any(engine.state.inflight.values()) or any(engine.state.used.values()):
                raise InvariantViolation(
                    "I5: all runs have ended, and an engine still counts attempts or slots"
                )
            for pending in host.handles:
                if not pending.over:
                    raise InvariantViolation(
                        "I1: a run has ended, and who waits for it is not told", run=pending.run
                    )
        problems = verify(self.inner, blobs=self.artifacts.blobs)
        if problems:
            raise InvariantViolation(
                f"verify found: {'; '.join(f'{each.code} {each.what} ({each.where})' for each in problems)}"
            )

    def _told(self, exc: InvariantViolation) -> InvariantViolation:
        """The violation with its seed and story."""
        lines = [exc.what, f"  where: {exc.where}" if exc.where else ""]
        run, idx = exc.fields.get("run"), exc.fields.get("idx")
        if run is not None:
            events = self.inner.events(run, idx if idx is not None and idx >= 0 else None, limit=100_000)
            lines += [f"  {each.seq} {_words(each.change)}" for each in events[-25:]]
        lines.append(f"  again: python -m weft.testing.simulation --seed {self.seed}")
        return InvariantViolation("\n".join(line for line in lines if line), seed=self.seed, **exc.fields)


def _is_daemon(attempt: Attempt) -> bool:
    return getattr(attempt.call, "qualname", "") == "daemon"


def _may_be_marked(task: Task) -> bool:
    return task.kind in ("node", "call") and task.body is None and task.state is not TaskState.PENDING


def _words(change: Change) -> str:
    fields = {name: getattr(change, name) for name in change.__struct_fields__ if name not in ("run", "node")}
    return f"{type(change).__name__} " + " ".join(
        f"{k}={v}" for k, v in fields.items() if v not in (None, "", -1, 0, {}, ())
    )


def log_digest(store: Store) -> str:
    """A digest of the whole event log, the same whenever the logs are."""
    digest, seq = sha256(), 0
    while events := store.events_since(seq, limit=5000):
        seq = events[-1].seq
        digest.update(msgspec.msgpack.encode(events, order="deterministic"))
    return digest.hexdigest()


def simulate(
    seed: int,
    store_factory: Callable[[], Store] = MemoryStore,
    *,
    steps: int = STEPS,
    faults: Faults = STORMY,
    engine: Callable[..., Engine] = Engine,
) -> Simulated:
    """Run one seed on a new store. See the module's docstring.

    Raises:
        InvariantViolation: A promise was broken.
    """
    store = store_factory()
    try:
        return Simulation(seed, store, steps=steps, faults=faults, engine=engine).go()
    finally:
        store.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: one seed, or many on several processes."""
    parser = argparse.ArgumentParser(prog="python -m weft.testing.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one and print its log's digest")
    parser.add_argument("--seeds", type=int, default=0, help="run so many")
    parser.add_argument("--first", type=int, default=0, help="from this one on")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args(arguments)
    if given.seed is not None:
        print(simulate(given.seed, steps=given.steps))
        return 0
    failed = 0
    work = [(seed, given.steps) for seed in range(given.first, given.first + given.seeds)]
    with ProcessPoolExecutor(given.jobs) as processes:
        for seed, error in processes.map(_try, work, chunksize=50):
            if error:
                failed += 1
                print(f"seed {seed}: {error}\n", flush=True)
    print(f"{given.seeds} seeds, {failed} failed")
    return 1 if failed else 0


def _try(work: tuple[int, int]) -> tuple[int, str]:
    seed, steps = work
    try:
        simulate(seed, steps=steps)
    except Exception as exc:
        return seed, f"{type(exc).__name__}: {exc}"
    return seed, ""


if __name__ == "__main__":
    sys.exit(main())
