"""The attempts that wait for a worker, and how they are dealt out.

Sending ahead keeps workers busy while the executor's process has other things to do, but what was sent is out
of the hands of priorities and of other workers. So it is done by experience: about ``AHEAD_S`` of work for
each worker, never more than its share of what there is, nothing behind a task whose duration is unknown.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence

from weft.executors.interpreter import Held, Interpreter
from weft.executors.pace import Pace

AHEAD_S = 0.004
"""Expected work that a worker holds: more than the time in which the executor may be busy elsewhere."""
AHEAD_MAX = 256


class Backlog:
    """A queue for each project. Whoever uses it holds the executor's lock.

    Args:
        recycle_after: Attempts that one worker gets in its life; ``None``: any number.
    """

    def __init__(self, *, recycle_after: int | None = None) -> None:
        self.pace = Pace()
        self._recycle_after = recycle_after
        self._queues: dict[str, deque[Held]] = {}

    def __len__(self) -> int:
        return sum([len(queue) for queue in self._queues.values()])

    @property
    def projects(self) -> Collection[str]:
        """Those that have had attempts since they were last forgotten."""
        return self._queues.keys()

    def waiting(self, project: str) -> int:
        """How many attempts of a project are queued."""
        return len(self._queues.get(project, ()))

    def forget_idle(self, staffed: Collection[str]) -> list[str]:
        """Forget the projects that have nothing queued and are not among these; returns them."""
        idle = [each for each, queue in self._queues.items() if not queue and each not in staffed]
        for project in idle:
            del self._queues[project]
        return idle

    def add(self, held: Held) -> None:
        """Put an attempt behind the others."""
        self._queue(held.project).append(held)

    def put_back(self, taken: Sequence[Held]) -> None:
        """Put what was taken back from a worker before everything else, in its order."""
        for held in reversed(taken):
            self._queue(held.project).appendleft(held)

    def clear(self, project: str | None = None) -> list[Held]:
        """Take everything out, or all of one project."""
        found: list[Held] = []
        for name, queue in self._queues.items():
            if project is None or name == project:
                found += [held for held in queue if not held.gone]
                queue.clear()
        return found

    def deal(self, interpreters: Iterable[Interpreter]) -> None:
        """Send work to every worker that should have more: first to the idle ones, then ahead."""
        for project, queue in self._queues.items():
            while queue and queue[0].gone:
                queue.popleft()
            if queue:
                takers = [each for each in interpreters if each.takes_more and each.project == project]
                if takers:
                    self._deal(queue, takers)

    def _queue(self, project: str) -> deque[Held]:
        queue = self._queues.get(project)
        if queue is None:
            queue = self._queues[project] = deque()
        return queue

    def _deal(self, queue: deque[Held], takers: Sequence[Interpreter]) -> None:
        share = -(-len(queue) // len(takers))
        firsts: dict[Interpreter, Held] = {}
        for interpreter in takers:
            if not interpreter.held and (held := self._next(queue)) is not None:
                firsts[interpreter] = held
        for interpreter in takers:
            first = firsts.get(interpreter)
            batch = [] if first is None else [first]
            if queue:
                self._fill(queue, batch, interpreter, share)
            if batch:
                sent = interpreter.give(batch)
                if sent < len(batch):
                    self.put_back(batch[sent:])

    def _fill(self, queue: deque[Held], batch: list[Held], interpreter: Interpreter, share: int) -> None:
        """Add to a batch what may be sent ahead."""
        backlog_s = interpreter.backlog_s + sum(held.expected_s for held in batch)
        count = min(share, AHEAD_MAX - len(interpreter.held))
        if self._recycle_after is not None:
            count = min(count, self._recycle_after - interpreter.given)
        room = interpreter.room - sum(len(held.data) for held in batch)
        while len(batch) < count and (held := self._next(queue)) is not None:
            backlog_s += held.expected_s
            room -= len(held.data)
            if backlog_s > AHEAD_S or room < 0:
                queue.appendleft(held)
                return
            batch.append(held)

    def _next(self, queue: deque[Held]) -> Held | None:
        while queue:
            held = queue.popleft()
            if not held.gone:
                held.expected_s = self.pace.expected_s(held.attempt)
                return held
        return None
