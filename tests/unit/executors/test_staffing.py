"""How projects share a pool of worker processes: each worker has one project, and no project starves."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.executors import staffing
from weft.executors.process import ProcessExecutor
from weft.model.attempts import Attempt, AttemptId, Ended, Report
from weft.model.calls import PythonCall
from weft.model.states import TaskState
from weft.model.values import ARGS, Plain

WAIT_S = 30.0

TASKS = """
import os
import sys
import time
from pathlib import Path

NAME = "{name}"


def who():
    return [NAME, os.getpid()]


def nap(seconds):
    time.sleep(seconds)
    return [NAME, os.getpid()]


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.002)
    return [NAME, os.getpid()]


def first_path():
    return sys.path[0]
"""


class Rig:
    """A pool, projects whose modules have one name, and what became of their attempts."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.artifacts = Artifacts(FileBlobs(folder / "artifacts"))
        self.executor = ProcessExecutor(folder / "home", folder / "artifacts", workers=workers)
        self.order: list[AttemptId] = []
        self.ended: dict[AttemptId, Ended] = {}
        self._total = 0
        self._said = threading.Condition()
        self.executor.start(self._sink)

    def _sink(self, reports: Sequence[Report]) -> None:
        with self._said:
            for report in reports:
                if isinstance(report, Ended):
                    assert report.id not in self.ended
                    self.ended[report.id] = report
                    self.order.append(report.id)
            self._said.notify_all()

    def project(self, name: str) -> str:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "shared_name.py").write_text(TASKS.format(name=name))
        return str(folder)

    def attempts(self, count: int, project: str, task: str, *args: Any) -> list[Attempt]:
        found = []
        for _ in range(count):
            self._total += 1
            call = PythonCall("shared_name", task)
            inputs = {ARGS: Plain(self.artifacts.dumps((args, {})))}
            found.append(
                Attempt((1, self._total, 1), "r", "w", f"t{self._total}", task, call, inputs, project=project)
            )
        return found

    def submit(self, *attempts: Attempt) -> None:
        self.executor.submit(attempts)

    def values(self, attempts: Sequence[Attempt]) -> list[Any]:
        with self._said:
            assert self._said.wait_for(lambda: all(each.id in self.ended for each in attempts), WAIT_S)
        found = []
        for each in attempts:
            ended = self.ended[each.id]
            assert ended.state is TaskState.SUCCEEDED, ended.error
            assert ended.result is not None
            found.append(self.artifacts.loads(ended.result))
        return found

    def staff(self) -> list[str]:
        """The projects of the workers that stay, by name."""
        return sorted(
            Path(each.project).name for each in list(self.executor._interpreters) if not each.retiring
        )


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[int], Rig]]:
    """Makes pools and closes them."""
    rigs: list[Rig] = []

    def build(workers: int) -> Rig:
        rigs.append(Rig(tmp_path, workers))
        return rigs[-1]

    yield build
    for rig in rigs:
        rig.executor.close(grace_s=0.0)


def wait_for(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_a_worker_has_one_project(make: Callable[[int], Rig]) -> None:
    """Attempts of several projects that come mixed each run their own code, in their own processes."""
    rig = make(3)
    mixed = [
        (name, attempt)
        for _ in range(20)
        for name in ("a", "b", "c")
        for attempt in rig.attempts(1, rig.project(name), "who")
    ]
    rig.submit(*(attempt for _, attempt in mixed))
    values = rig.values([attempt for _, attempt in mixed])
    assert [name for name, _ in values] == [name for name, _ in mixed]
    homes: dict[int, set[str]] = {}
    for name, pid in values:
        homes.setdefault(pid, set()).add(name)
    assert all(len(names) == 1 for names in homes.values())


def test_the_project_is_first(make: Callable[[int], Rig]) -> None:
    """A project's folder is the first place where its workers look for modules."""
    rig = make(1)
    for name in ("a", "b"):
        attempts = rig.attempts(1, rig.project(name), "first_path")
        rig.submit(*attempts)
        assert rig.values(attempts) == [rig.project(name)]


def test_an_idle_worker_makes_room(make: Callable[[int], Rig]) -> None:
    """A full pool of idle workers gives one up for a project without any; the last one used stays."""
    rig = make(2)
    first = rig.attempts(2, rig.project("a"), "nap", 0.5)
    rig.submit(*first)
    pids = {pid for _, pid in rig.values(first)}
    assert len(pids) == 2
    again = rig.attempts(1, rig.project("a"), "who")
    rig.submit(*again)
    ((_, last_used),) = rig.values(again)
    other = rig.attempts(1, rig.project("b"), "who")
    rig.submit(*other)
    assert rig.values(other)[0][0] == "b"
    assert rig.staff() == ["a", "b"]
    assert {each.pid for each in rig.executor._interpreters if each.project.endswith("a")} == {last_used}


def test_a_busy_pool_is_shared(make: Callable[[int], Rig]) -> None:
    """A project that has all workers and much to do lets another have its share, before it is done."""
    rig = make(2)
    flood = rig.attempts(400, rig.project("a"), "nap", 0.01)
    rig.submit(*flood)
    rig.values(flood[:4])
    other = rig.attempts(20, rig.project("b"), "nap", 0.01)
    rig.submit(*other)
    rig.values(other)
    assert len(rig.ended) < 400
    rig.values(flood)


def test_what_runs_is_not_interrupted(make: Callable[[int], Rig], tmp_path: Path) -> None:
    """A worker with a long attempt makes room only when that has ended."""
    rig = make(1)
    long = rig.attempts(1, rig.project("a"), "wait_for", str(tmp_path / "go"))
    rig.submit(*long)
    wait_for(lambda: rig.staff() == ["a"])
    other = rig.attempts(1, rig.project("b"), "who")
    rig.submit(*other)
    (tmp_path / "go").touch()
    assert rig.values(long)[0][0] == "a"
    assert rig.values(other)[0][0] == "b"
    assert rig.order == [long[0].id, other[0].id]


def test_more_projects_than_workers(make: Callable[[int], Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker and three projects with endless work: each gets its turn long before any has finished."""
    monkeypatch.setattr(staffing, "TURN_S", 0.1)
    rig = make(1)
    work = {name: rig.attempts(2000, rig.project(name), "nap", 0.005) for name in ("a", "b", "c")}
    for attempts in work.values():
        rig.submit(*attempts)
    for attempts in work.values():
        rig.values(attempts[:5])
    assert all(attempts[-1].id not in rig.ended for attempts in work.values())
    rig.executor.cancel([each.id for attempts in work.values() for each in attempts])


def test_a_project_alone_gets_the_pool_back(
    make: Callable[[int], Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once another project has nothing to do, its worker goes to the one that has."""
    monkeypatch.setattr(staffing, "KEEP_IDLE_S", 0.1)
    rig = make(2)
    both = [*rig.attempts(1, rig.project("a"), "who"), *rig.attempts(1, rig.project("b"), "who")]
    rig.submit(*both)
    rig.values(both)
    flood = rig.attempts(200, rig.project("a"), "nap", 0.02)
    rig.submit(*flood)
    wait_for(lambda: rig.staff() == ["a", "a"])
    assert len({pid for _, pid in rig.values(flood)}) == 2


def test_what_was_forgotten_comes_back(make: Callable[[int], Rig]) -> None:
    """A project whose workers are gone and whose queue was empty is served again."""
    rig = make(1)
    for name in ("a", "b", "a", "b", "a"):
        attempts = rig.attempts(3, rig.project(name), "who")
        rig.submit(*attempts)
        assert {each[0] for each in rig.values(attempts)} == {name}
    assert rig.staff() == ["a"]
