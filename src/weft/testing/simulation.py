"""The whole of Weft in one thread and from one seed: real engines, a fake world, and everything goes wrong.

``simulate`` runs random workflows (``workload.py``) on real engines and a real store, under a clock that it
moves, executors that it answers for, and faults that it draws: crashes before, after and between commits and
commands, duplicate and late reports, errors of the store, jumps of the clock, engines that hang and are
fenced. After each step the invariants are checked; at the end every run must have ended and ``verify`` must
find nothing. The same seed gives the same event log, on every store and every machine.

A seed that failed is run again with ``python -m weft.testing.simulation --seed N``.
"""

import argparse
import logging
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
from weft.core.events import CancelTask, Mark
from weft.core.history import History
from weft.core.invariants import check_state
from weft.core.state import Task
from weft.engine.engine import Engine
from weft.engine.sharing import POOLS as POOL_RECORDS
from weft.engine.verify import verify
from weft.model.attempts import Attempt, AttemptId, Report
from weft.model.errors import InvariantViolation, StoreError, WeftError
from weft.model.graph import Graph
from weft.model.pools import Pool
from weft.model.states import RUN_TERMINAL, TERMINAL, TaskState
from weft.model.values import NONE
from weft.model.waits import ApprovalWait, EventWait
from weft.runtime.host import RunRequest
from weft.store.memory import MemoryStore
from weft.store.protocol import Store
from weft.testing.clock import FakeClock
from weft.testing.crowding import Crowding
from weft.testing.executor import FakeExecutor, Held
from weft.testing.fates import Fates
from weft.testing.faults import STORMY, Crash, Faults, FaultyStore
from weft.testing.process import Process
from weft.testing.workload import EVENTS, EXECUTORS, LANGUAGE, POOLS, Workload, evaluate

LEASE_S = 10.0
STEPS = 120
"""Steps of the stormy part of a simulation."""

CROWDED = 0.3
"""Of worlds in which several engines want the same few slots all the time."""

RUNS_MAX, RUNS_CROWDED_MAX = 5, 20
"""Runs that are submitted in a world."""

QUIET_ROUNDS_MAX = 60
"""Rounds of the calm part without a commit, after which what has not ended never will."""

ROUNDS_MAX = 10_000
"""Rounds of the calm part in all."""

CALM = Faults()


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


class Simulation:
    """One seed's world. See the module's docstring.

    Args:
        seed: Of everything.
        store: Empty.
        steps: Steps of the stormy part.
        faults: What goes wrong in it.
        engine: Makes engines; a test puts a broken one here.
        crowded: Whether several engines want the same few slots all the time; by default some seeds' do.
    """

    def __init__(
        self,
        seed: int,
        store: Store,
        *,
        steps: int = STEPS,
        faults: Faults = STORMY,
        engine: Callable[..., Engine] = Engine,
        crowded: bool | None = None,
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.steps = steps
        self.faults = faults
        self.clock = FakeClock()
        self.inner = store
        self.store = FaultyStore(store, self.rng, CALM, self._committed, self._race)
        self.artifacts = Artifacts(MemoryBlobs())
        self.crowded = self.rng.random() < CROWDED if crowded is None else crowded
        self.workload = Workload(self.rng, crowded=self.crowded)
        self.graphs: dict[str, Graph] = {}
        self.history = History(self.graphs)
        self.fates = Fates(self.rng, self.clock, self.artifacts)
        self.processes: list[Process] = []
        self.cluster: dict[AttemptId, Held] = {}
        self.crowding = Crowding(store, self.cluster)
        self.accepted: list[int] = []
        self.attempts: set[AttemptId] = set()
        self.reports: deque[Report] = deque(maxlen=30)
        self.crashes = 0
        self.alone = True
        self.violation: InvariantViolation | None = None
        self.acting: Process
        self._engine = engine
        self._signals = 0

    # --- the whole ----------------------------------------------------------------------------------------

    def go(self) -> Simulated:
        """Run it.

        Raises:
            InvariantViolation: A promise was broken; the message ends with the story of the run.
        """
        try:
            for _ in range(self.rng.randint(2, 3) if self.crowded else 1):
                self._open()
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
        for process in list(self.processes):
            halted = process.engine.halted
            if halted is None:
                self._check(process)
            elif isinstance(halted, StoreError):
                self._kill(process)
            else:
                raise halted
        if not self.processes:
            self._open()
        if self.violation is not None:
            raise self.violation

    def _check(self, process: Process) -> None:
        check_state(process.engine.state, process.engine.coming, alone=self.alone)

    def _open(self) -> None:
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
        process = self.acting = Process(
            engine,
            executors,
            rng=self.rng,
            clock=self.clock,
            fates=self.fates,
            artifacts=self.artifacts,
            scripts=self.workload.scripts,
            reports=self.reports,
            accept=self._accept,
        )
        try:
            engine.open()
            self.processes.append(process)
            self._recover(process)
        except (Crash, StoreError):
            self._kill(process)
            if self.violation is None:
                self._open()

    def _executor(self, name: str) -> FakeExecutor:
        held = self.cluster if name == "cluster" else None
        limit = self.rng.choice((1, 2, 4, 16))
        return FakeExecutor(name, limit=limit, held=held, durable=name == "cluster", accept=self._accept)

    def _recover(self, process: Process) -> None:
        live = {each.engine.id for each in self.processes}
        dead = [row.engine for row in self.inner.engines() if row.engine not in live]
        process.claim(dead=dead, resume=self.fates.calm or self.rng.random() < 0.7)

    def _kill(self, process: Process) -> None:
        """The process dies: nothing of it is left but what is in the store and on the cluster."""
        self.crashes += 1
        process.engine.halted = process.engine.halted or WeftError("it died")
        self.crowding.died(process)
        process.die()
        if process in self.processes:
            self.processes.remove(process)

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
        elif row.attempt == number:
            what = self.crowding.begin(attempt, self.acting, self.processes, row.changed_at)
        if what:
            # An engine would take an error of Weft's for the executor's.
            self.violation = InvariantViolation(what, run=run, idx=idx, invariant=what[:2])
            raise Crash(what)
        self.attempts.add(attempt.id)

    # --- a step in the storm ------------------------------------------------------------------------------

    def _step(self) -> None:
        rng = self.rng
        for process in self.processes:
            process.hangs = process.hangs and rng.random() < 0.9
            if not process.hangs:
                self._duties(process)
        process = self.acting = rng.choice(self.processes)
        if rng.random() < self.faults.jump:
            jump = rng.choice((-3600.0, -5.0, 3600.0, 90.0))
            self.clock.advance(jump)
            self.crowding.set_back(max(-jump, 0.0))
        if rng.random() < self.faults.crash_idle:
            self._kill(process)
            return
        if rng.random() < self.faults.takeover:
            self._take_over(process)
            return
        share = rng.random()
        if share < 0.10:
            self._submit(process)
        elif share < (0.40 if self.crowded else 0.60):
            process.work()
        elif share < 0.75:
            self.clock.advance(rng.choice((0.0, 0.1, 1.0, 5.0)))
        elif share < 0.81:
            self._meddle(process)
        elif share < 0.81 + self.faults.duplicate and self.reports:
            process.engine.report([rng.choice(self.reports)])
        else:
            process.work()
        self._turn(process)
        process.poll()

    def _duties(self, process: Process) -> None:
        """What an engine's own thread does when it wakes."""
        self.acting = process
        process.engine.duties.beat()
        process.engine.sharing.look()

    def _race(self) -> None:
        """Another engine writes records at this very moment."""
        racing, others = self.acting, [each for each in self.processes if each is not self.acting]
        other = self.rng.choice(others) if others else racing
        if other is not racing and not other.hangs:
            try:
                other.engine.sharing.hurry()
                self._duties(other)
            except Crash:
                self._kill(other)
            self.acting = racing

    def _turn(self, process: Process) -> bool:
        """Let an engine deal with what it has; whether there was anything."""
        engine, turned = process.engine, False
        while engine.halted is None and engine.turn():
            turned = True
            if engine.halted is None:
                self._check(process)
        return turned

    def _submit(self, process: Process) -> None:
        if len(self.accepted) >= (RUNS_CROWDED_MAX if self.crowded else RUNS_MAX):
            return
        graph = self.rng.choice(self.workload.graphs)
        request = RunRequest(graph, {"n": self.artifacts.dumps(7)}, inline=self.rng.random() < 0.3)
        pending = process.engine.submit(request, carry_out=process.carry_out)
        process.handles.append(pending)
        self.accepted.append(pending.run)

    def _take_over(self, process: Process) -> None:
        """One engine's heart stops past its lease; another takes over, and the first does not notice."""
        self.alone = False
        if len(self.processes) == 1:
            self._open()
            return
        process.hangs = True
        self.clock.advance(LEASE_S + 1.0)
        for each in self.processes:
            if each is not process:
                each.hangs = False
                self._duties(each)
                each.claim()

    def _meddle(self, process: Process) -> None:
        """A person does something."""
        rng, engine = self.rng, process.engine
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
            self._resize(rng.choice(tuple(POOLS)), rng.choice((0, 1, 3, 5)))
        elif share < 0.94:
            rng.choice(list(process.executors.values())).limit = rng.choice((0, 1, 3, 16))
        else:
            self._answer(process)

    def _resize(self, name: str, slots: int) -> None:
        """Somebody says how many slots a pool has; its usual number is left to the settings."""
        if slots != POOLS[name]:
            POOL_RECORDS.save(self.inner, name, Pool(slots=slots), at=self.clock.now())
        elif POOL_RECORDS.get(self.inner, name) is not None:
            POOL_RECORDS.delete(self.inner, [name], at=self.clock.now())

    def _answer(self, process: Process) -> bool:
        """Answer one thing that waits for a person or an event; whether there was one."""
        for run in list(process.engine.state.runs.values()):
            for task in list(run.tasks.values()):
                if task.state is not TaskState.WAITING:
                    continue
                if isinstance(task.wait, ApprovalWait):
                    process.engine.answer(run.id, task.idx, NONE)
                    return True
                if isinstance(task.wait, EventWait):
                    self._signals += 1
                    process.engine.send(run.id, task.wait.name, NONE, f"s{self._signals}")
                    return True
        return False

    # --- the calm after -----------------------------------------------------------------------------------

    def _settle(self) -> None:
        """No more faults, and everybody does what is asked: now all must end."""
        self.fates.calm = True
        self.store.faults = CALM
        for each in self.processes:
            each.hangs = False
        commits = quiet = 0
        for _ in range(ROUNDS_MAX):
            over = self._over()
            # When all is over there is one more, in which engines learn of runs that others ended.
            self._guarded(self._round)
            if over:
                return
            quiet = quiet + 1 if self.store.commits == commits else 0
            commits = self.store.commits
            if quiet > QUIET_ROUNDS_MAX:
                break
        raise self._stuck()

    def _over(self) -> bool:
        return all(row.state in RUN_TERMINAL for row in self.inner.runs(limit=100))

    def _round(self) -> None:
        moved = False
        self.clock.advance(LEASE_S / 3)
        for process in list(self.processes):
            engine = process.engine
            self._duties(process)
            self._recover(process)
            for executor in process.executors.values():
                executor.limit = max(executor.limit, 2)
            for pool, slots in POOLS.items():
                self._resize(pool, slots)
            for run in list(engine.state.runs):
                engine.resume(run)
            moved = process.work_all() or moved
            moved = self._answer(process) or moved
            moved = self._turn(process) or moved
            process.poll()
        if not moved:
            due = [each.engine.state.next_due() for each in self.processes]
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
        for process in self.processes:
            engine = process.engine
            if engine.state.runs or any(engine.state.inflight.values()) or any(engine.state.used.values()):
                raise InvariantViolation(
                    "I5: all runs have ended, and an engine still counts attempts or slots"
                )
            for pending in process.handles:
                if not pending.over:
                    raise InvariantViolation(
                        "I1: a run has ended, and who waits for it is not told", run=pending.run
                    )
        for problem in verify(self.inner, blobs=self.artifacts.blobs):
            raise InvariantViolation(f"{problem.code}: verify found: {problem.what}", where=problem.where)

    def _told(self, exc: InvariantViolation) -> InvariantViolation:
        """The violation with its seed and story."""
        lines = [exc.what, f"  where: {exc.where}" if exc.where else ""]
        run, idx = exc.fields.get("run"), exc.fields.get("idx")
        if run is not None:
            events = self.inner.events(run, idx if idx is not None and idx >= 0 else None, limit=100_000)
            lines += [f"  {each.seq} {_words(each.change)}" for each in events[-25:]]
        lines.append(f"  again: python -m weft.testing.simulation --seed {self.seed}")
        return InvariantViolation("\n".join(line for line in lines if line), seed=self.seed, **exc.fields)


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
    crowded: bool | None = None,
) -> Simulated:
    """Run one seed on a new store. See the module's docstring.

    Raises:
        InvariantViolation: A promise was broken.
    """
    store = store_factory()
    try:
        world = Simulation(seed, store, steps=steps, faults=faults, engine=engine, crowded=crowded)
        return world.go()
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
    # Whatever goes wrong is meant to: only broken promises are worth a line. Forked processes inherit this.
    logging.getLogger("weft").setLevel(logging.CRITICAL)
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
