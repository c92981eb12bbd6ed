"""Which project the next worker process is for, and who makes room for it when the pool is full.

A worker belongs to one project, so a pool of a few has to be shared out. Whoever calls this holds the
executor's lock.

1. While there is room, a project gets as many workers as it has attempts; the one with fewest comes first.
2. When there is none, a worker that is idle, and whose project has nothing waiting, retires: at once for a
   project that has no worker at all, else after ``KEEP_IDLE_S``, so that projects which take turns in bursts
   do not throw each other's warm workers out.
3. When all have work, the projects share the pool alike. A project with more than its share is given nothing
   new (``draining``) until its first worker is idle, which then retires.
4. When there are more projects than workers, a share is a turn: a worker makes room after ``TURN_S`` if some
   project has none. So every project gets its turn, as long as attempts end.

Nothing that runs is interrupted for this.
"""

from collections import Counter
from collections.abc import Sequence

from weft.executors.backlog import Backlog
from weft.executors.interpreter import Interpreter

KEEP_IDLE_S = 1.0
TURN_S = 1.0
"""Long beside the start of a worker (0.1 s), or a pool would do nothing but start workers."""
RETIRE_GRACE_S = 5.0
STARTS_MAX = 3
"""Workers that die in a row before saying hello until the attempts that wait for one are given up."""


class Staffing:
    """Who gets a worker.

    Args:
        workers: Processes at most.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._failures: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
        self._started_at: dict[str, float] = {}
        self.claims = False

    def missing(self, interpreters: Sequence[Interpreter], backlog: Backlog, now: float) -> bool:
        """Whether a worker should be started; cheap while one project has the pool to itself."""
        staying = [each for each in interpreters if not each.retiring]
        if len(backlog.projects) < 2:
            held = len(backlog) + sum([len(each.held) for each in staying])
            return held > len(staying) < self._workers and now >= self._not_before.get(
                next(iter(backlog.projects), ""), 0.0
            )
        return bool(self._wants(staying, backlog, now)) and len(staying) < self._workers

    def settle(self, interpreters: Sequence[Interpreter], backlog: Backlog, now: float) -> list[str]:
        """Decide who makes room. Returns the projects for which a worker is to be started now."""
        if len(backlog.projects) < 2 and not self.claims and not self.missing(interpreters, backlog, now):
            return []
        staying = [each for each in interpreters if not each.retiring]
        wants = self._wants(staying, backlog, now)
        room = self._workers - len(staying)
        for interpreter in staying:
            interpreter.draining = False
        self.claims = False
        staffed = Counter(each.project for each in staying)
        starts: list[str] = []
        while wants:
            project = min(wants, key=lambda each: (staffed[each], self._started_at.get(each, 0.0)))
            if room > 0:
                room -= 1
            elif not self._make_room(project, staying, staffed, backlog, now):
                del wants[project]
                continue
            starts.append(project)
            self._started_at[project] = now
            staffed[project] += 1
            wants[project] -= 1
            if not wants[project]:
                del wants[project]
        return starts

    def failed(self, project: str, now: float) -> None:
        """A worker of the project could not be started."""
        self._failures[project] += 1
        self._not_before[project] = now + min(10.0, 0.05 * 2 ** self._failures[project])

    def hopeless(self, project: str, interpreters: Sequence[Interpreter]) -> bool:
        """Whether attempts of the project wait for workers that do not start."""
        return self._failures[project] >= STARTS_MAX and all(each.project != project for each in interpreters)

    def succeeded(self, project: str) -> None:
        """A worker of the project has started."""
        del self._failures[project]
        self._not_before.pop(project, None)

    def next_try(self, backlog: Backlog, now: float) -> float:
        """When a project that waits after a failed start may have another."""
        due = [at for project, at in self._not_before.items() if at > now and backlog.waiting(project)]
        return min(due, default=float("inf"))

    def forget(self, projects: Sequence[str]) -> None:
        """These have neither work nor workers any more."""
        for project in projects:
            self._started_at.pop(project, None)

    def _wants(self, staying: Sequence[Interpreter], backlog: Backlog, now: float) -> dict[str, int]:
        """How many workers each project lacks."""
        demand = Counter({project: backlog.waiting(project) for project in backlog.projects})
        staffed: Counter[str] = Counter()
        for each in staying:
            demand[each.project] += len(each.held)
            staffed[each.project] += 1
        return {
            project: lacks
            for project, count in demand.items()
            if (lacks := min(self._workers, count) - staffed[project]) > 0
            and now >= self._not_before.get(project, 0.0)
        }

    def _make_room(
        self,
        project: str,
        staying: list[Interpreter],
        staffed: Counter[str],
        backlog: Backlog,
        now: float,
    ) -> bool:
        """Retire a worker of another project; False if none can go now."""
        none = not staffed[project]
        active = {each.project for each in staying if each.held} | {
            each for each in backlog.projects if backlog.waiting(each)
        }
        share = max(1, self._workers // max(1, len(active | {project})))
        spare: list[Interpreter] = []
        due: list[Interpreter] = []
        for each in staying:
            if each.project == project or not each.ready:
                continue
            if not backlog.waiting(each.project):
                if not each.held and (none or now - each.idle_since >= KEEP_IDLE_S):
                    spare.append(each)
            elif (staffed[each.project] > share > staffed[project]) or (
                none and now - each.ready_at >= TURN_S
            ):
                due.append(each)
        self.claims = True
        idle = spare or [each for each in due if not each.held]
        if not idle:
            for each in due:
                each.draining = True
            return False
        gone = min(idle, key=lambda each: each.idle_since)
        gone.retire(grace_s=RETIRE_GRACE_S)
        staying.remove(gone)
        staffed[gone.project] -= 1
        return True
