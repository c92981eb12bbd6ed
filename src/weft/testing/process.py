"""A process of the simulation: an engine, its executors, and what they carry out, until it is killed."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from weft.artifacts.artifacts import Artifacts
from weft.engine.engine import Engine
from weft.model.attempts import Attempt, AttemptId, Ended, Published, Report, Shown
from weft.model.calls import PythonCall
from weft.model.values import NONE
from weft.runtime.host import Pending
from weft.testing.bodies import Body
from weft.testing.clock import FakeClock
from weft.testing.executor import FakeExecutor, Held
from weft.testing.fates import Fates
from weft.testing.workload import Op


class Process:
    """One engine and what it knows of the world.

    Args:
        engine, executors: Its own.
        rng, clock, fates, artifacts: The world's.
        scripts: Of flows, by name.
        reports: What executors have said lately, for those that say it again.
        accept: Called with each attempt that the callers' threads take.
    """

    def __init__(
        self,
        engine: Engine,
        executors: dict[str, FakeExecutor],
        *,
        rng: Random,
        clock: FakeClock,
        fates: Fates,
        artifacts: Artifacts,
        scripts: dict[str, tuple[Op, ...]],
        reports: deque[Report],
        accept: Callable[[Attempt], None],
    ) -> None:
        self.engine = engine
        self.executors = executors
        self.handles: list[Pending] = []
        self.hangs = False
        self._inline: dict[AttemptId, Attempt] = {}
        self._bodies: dict[AttemptId, Body] = {}
        self._rng = rng
        self._clock = clock
        self._fates = fates
        self._artifacts = artifacts
        self._scripts = scripts
        self._reports = reports
        self._accept = accept

    def claim(self, *, dead: Sequence[int] = (), resume: bool = True) -> None:
        """Take over what has no live owner."""
        claimed = self.engine.recover(dead=dead, resume=resume, carry_out=self.carry_out)
        self.handles += claimed.values()

    def carry_out(self, attempt: Attempt) -> None:
        """Take an attempt as a caller's own thread does."""
        self._accept(attempt)
        self._inline[attempt.id] = attempt

    def poll(self) -> None:
        """Let callers' threads take the attempts that they are to carry out themselves."""
        for pending in self.handles:
            pending.wait(timeout_s=0)

    def die(self) -> None:
        """Nothing is left but what is in the store and on durable executors."""
        for executor in self.executors.values():
            executor.close()

    # --- attempts -----------------------------------------------------------------------------------------

    def work(self) -> None:
        """One attempt goes on."""
        entries: list[Held | Attempt] = [*self._held(), *self._inline.values()]
        if entries:
            self._go_on(self._rng.choice(entries))

    def work_all(self) -> bool:
        """Every attempt goes on; whether one ended."""
        entries: list[Held | Attempt] = [*self._held(), *self._inline.values()]
        return sum(self._go_on(entry) for entry in entries) > 0

    def _held(self) -> list[Held]:
        """What its executors have; attempts on a durable one may report to another process."""
        return [
            held
            for executor in self.executors.values()
            for held in executor.held.values()
            if held.executor is executor
        ]

    def _go_on(self, entry: Held | Attempt) -> bool:
        return self._held_on(entry) if isinstance(entry, Held) else self._inline_on(entry)

    def _held_on(self, held: Held) -> bool:
        attempt, executor, rng = held.attempt, held.executor, self._rng
        calm = self._fates.calm
        body = self._body(attempt)
        daemon = getattr(attempt.call, "qualname", "") == "daemon"
        if body is not None:
            ended = self._fates.of_body(body, held.cancelling)
        elif not held.started and (daemon or (not calm and rng.random() < 0.4)):
            self._reports.append(executor.begin(held, self._clock.now()))
            return False
        elif not calm and rng.random() < 0.05:
            executor.report(Shown(attempt.id, Published("p", "markdown", NONE)))
            return False
        else:
            ended = self._fates.of_task(attempt, held.cancelling)
        if ended is None or attempt.id not in executor.held:
            return False
        self._over(ended)
        executor.end(ended)
        return True

    def _inline_on(self, attempt: Attempt) -> bool:
        body = self._body(attempt)
        if body is None:
            ended = self._fates.of_task(attempt, False)
        else:
            ended = self._fates.of_body(body, False)
        if ended is None:
            return False
        self._over(ended)
        self._inline.pop(attempt.id, None)
        self.engine.report([ended])
        return True

    def _over(self, ended: Ended) -> None:
        self._bodies.pop(ended.id, None)
        self._reports.append(ended)

    def _body(self, attempt: Attempt) -> Body | None:
        """The body of a flow's attempt, begun if it was not."""
        call = attempt.call
        if not isinstance(call, PythonCall) or not call.flow or attempt.phase != "run":
            return None
        body = self._bodies.get(attempt.id)
        if body is None:
            script = self._scripts[call.qualname]
            body = self._bodies[attempt.id] = Body(self.engine, attempt, script, self._artifacts)
        return body
