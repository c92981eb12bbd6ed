"""The trigger service: happenings become runs, each once, whatever breaks in between."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from weft.core.changes import Cause, Change, NodeAdded, RunAdded, RunChanged, TaskAdded, TaskChanged
from weft.core.triggering import due_at
from weft.engine.follower import Follower
from weft.engine.triggers import ASSETS, HAPPENINGS, LAUNCHES, Reactions, Triggers, happen
from weft.model.calls import GroupCall, PythonCall
from weft.model.errors import ParameterError, StoreBusy
from weft.model.graph import MAIN, Declared, Graph, Group, MapSpec, Node
from weft.model.rows import RunRow
from weft.model.states import RunState, TaskState
from weft.model.triggers import (
    AllOf,
    Armed,
    Condition,
    FromHappening,
    Happening,
    OnAsset,
    OnEvent,
    OnFile,
    OnRun,
    Source,
    Trigger,
)
from weft.projects.records import TRIGGERS
from weft.runtime.host import RunRequest
from weft.store.memory import MemoryStore
from weft.testing.clock import FakeClock

TABLE = Declared("table", uri="db://table", metadata={"rows": 3})
LOAD = Node(key="load", call=PythonCall("m", "load"), outputs=(TABLE, Declared("note", kind="artifact")))
SPREAD = Node(key="spread", call=PythonCall("m", "f"), map=MapSpec(), outputs=(Declared("parts"),))
DAG = Graph(
    workflow="etl",
    root=Node(key="etl", call=GroupCall(MAIN)),
    groups={MAIN: Group(nodes=(LOAD, SPREAD, Node(key="plain", call=PythonCall("m", "f"))))},
)
FLOW = Graph(workflow="flow", root=Node(key="flow", call=PythonCall("m", "flow", flow=True)))


class World:
    """A store, a control that only keeps what it is given, and the service over them."""

    def __init__(self) -> None:
        self.clock = FakeClock(1000.0)
        self.store = MemoryStore(clock=self.clock.now)
        self.store.put_graph("dag", DAG, at=1.0)
        self.store.put_graph("flow", FLOW, at=1.0)
        self.keys: dict[str, RunRequest] = {}
        self.submitted: list[RunRequest] = []
        self.broken: Exception | None = None
        self.resting: set[str] = set()
        self.service = Triggers(self.store, self, self, clock=self.clock)
        reactions = Reactions(self.store)
        self.follower = Follower("triggers", self.store, reactions, clock=self.clock, from_start=True)

    def ready(self, name: str) -> bool:
        """See ``triggers.Workflows``."""
        return name not in self.resting

    def request(
        self, name: str, *, params: dict[str, Any], facts: dict[str, Any], key: str, tags: tuple[str, ...]
    ) -> RunRequest:
        """See ``triggers.Workflows``."""
        if "bad" in params:
            raise ParameterError("no such parameter")
        return RunRequest(DAG, params, facts=facts, key=key, tags=tags)

    def submit(self, requests: Sequence[RunRequest]) -> list[RunRow]:
        """See ``triggers.Submits``."""
        if self.broken is not None:
            raise self.broken
        for each in requests:
            if each.key not in self.keys:
                self.keys[str(each.key)] = each
                self.submitted.append(each)
        return [self.run(1) for _ in requests]

    def run(self, run: int, graph: str = "dag") -> RunRow:
        """A run, made if it is not there."""
        if not any(row.run == run for row in self.store.all_runs()):
            workflow = "etl" if graph == "dag" else "flow"
            self.commit(RunAdded(run, f"run_{run:026}", workflow, graph, 5.0))
        return self.store.run_by_id(run)

    def commit(self, *changes: Change) -> None:
        """Changes of nobody's run."""
        self.store.commit(changes, engine=0, epochs={change.run: 0 for change in changes})

    def arm(self, when: Condition, workflow: str = "w", **given: Any) -> None:
        """Keep a trigger."""
        value = Armed(workflow=workflow, trigger=Trigger(when=when, **given))
        due = due_at(value, self.clock.now())
        TRIGGERS.save(self.store, value.name, value, at=1.0, due_at=due)

    def armed(self, name: str = "w#default") -> Armed:
        """How a trigger stands."""
        return TRIGGERS.require(self.store, name).value

    def send(self, name: str, payload: Any = None, *, id_: str = "") -> None:
        """Somebody sends an event."""
        event = Happening(source=Source.EVENT, name=name, at=self.clock.now(), payload=payload, key=id_)
        happen(self.store, event, clock=self.clock)

    def work(self) -> list[RunRequest]:
        """Follow the log and step until all is done; the runs that this started."""
        while self.follower.step():
            pass
        while self.service.step(self.clock.now()):
            pass
        found, self.submitted = self.submitted, []
        return found

    def happened(self) -> list[str]:
        """Sources and names of all that happened."""
        return [f"{each.value.source} {each.value.name}" for each in HAPPENINGS.all(self.store)]


@pytest.fixture
def world() -> World:
    """A new one."""
    return World()


def test_an_event_starts_a_run_once(world: World) -> None:
    """With parameters of its payload; a second event of the same id is the same event."""
    world.arm(OnEvent("order.*"), given={"order": FromHappening("payload.id")})
    world.send("order.paid", {"id": 7}, id_="hap_1")
    world.send("order.paid", {"id": 7}, id_="hap_1")
    world.send("other")
    (request,) = world.work()
    assert request.params == {"order": 7}
    assert request.facts["happenings"][0]["name"] == "order.paid"
    assert world.work() == []
    assert list(LAUNCHES.all(world.store)) == []
    assert (world.armed().fired, world.armed().last_run) == (1, f"run_{1:026}")
    world.send("order.paid", {"id": 8})
    assert [each.key for each in world.work()] == ["trigger:w#default:1"]


def test_two_assets_may_have_to_be_there(world: World) -> None:
    """Each update that the log tells of counts once, also if the log is followed again."""
    world.arm(AllOf((OnAsset("table"), OnAsset("parts"))))
    world.run(1)
    world.commit(TaskAdded(1, 0, "etl", "etl", 6.0, kind="root"))
    world.commit(TaskAdded(1, 1, "load", "load", 6.0, parent=0, node="load"))
    world.commit(TaskChanged(1, 1, TaskState.SUCCEEDED, 1, 7.0, Cause.STARTED))
    assert world.work() == []
    world.commit(
        TaskAdded(1, 2, "spread", "f", 6.0, parent=0, node="spread"),
        TaskAdded(1, 3, "spread[0]", "f", 6.0, parent=2, kind="item", map_index=0),
        TaskChanged(1, 3, TaskState.SUCCEEDED, 1, 8.0, Cause.STARTED),
        TaskChanged(1, 2, TaskState.SUCCEEDED, 1, 8.0, Cause.CHILDREN),
    )
    (request,) = world.work()
    assert {each["name"] for each in request.facts["happenings"]} == {"table", "parts"}
    assert world.happened() == ["asset table", "asset parts"]
    table = ASSETS.require(world.store, "table").value
    assert (table.uri, table.updates, table.run, table.task) == ("db://table", 1, f"run_{1:026}", 1)
    before = world.happened()
    again = Follower("again", world.store, Reactions(world.store), clock=world.clock, from_start=True)
    again.step()
    assert world.happened() == before


def test_a_task_that_a_flow_called_updates_its_assets(world: World) -> None:
    """Its node is known only to the run."""
    world.arm(OnAsset("table"))
    world.run(2, "flow")
    world.commit(
        TaskAdded(2, 0, "flow", "flow", 6.0, kind="root"),
        NodeAdded(2, "n", LOAD),
        TaskAdded(2, 1, "load-1", "load", 6.0, parent=0, kind="call", node="n"),
        TaskChanged(2, 1, TaskState.FAILED, 1, 7.0, Cause.STARTED),
    )
    assert world.work() == []
    world.commit(TaskChanged(2, 1, TaskState.SUCCEEDED, 2, 8.0, Cause.STARTED))
    assert len(world.work()) == 1


def test_a_run_s_end_starts_another(world: World) -> None:
    """In the states that are asked for; nobody's business makes no record."""
    world.arm(OnRun("etl", (RunState.FAILED,)))
    for run, state in ((1, RunState.SUCCEEDED), (2, RunState.FAILED)):
        world.run(run)
        world.commit(RunChanged(run, state, 9.0, Cause.CHILDREN))
    world.run(3, "flow")
    world.commit(RunChanged(3, RunState.FAILED, 9.0, Cause.CHILDREN))
    (request,) = world.work()
    assert request.facts["happenings"][0]["payload"] == {"state": "failed", "run": f"run_{2:026}"}
    assert world.happened() == ["run etl", "run etl"]


def test_a_file_that_arrives_starts_a_run(world: World, tmp_path: Path) -> None:
    """What is there at first has not arrived; what is still being written waits; what is replaced counts."""
    (tmp_path / "old.csv").write_text("x")
    world.arm(
        OnFile(str(tmp_path / "*.csv"), every_s=5.0, still_s=2.0),
        given={"path": FromHappening("payload.path")},
    )

    def put(name: str, text: str, at: float) -> None:
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (at, at))

    put("old.csv", "x", 10.0)
    assert world.work() == []
    put("new.csv", "a", world.clock.now() + 4.5)
    world.clock.advance(5.0)
    assert world.work() == []
    world.clock.advance(5.0)
    assert [each.params for each in world.work()] == [{"path": str(tmp_path / "new.csv")}]
    put("old.csv", "xy", world.clock.now())
    world.clock.advance(5.0)
    assert [each.params for each in world.work()] == [{"path": str(tmp_path / "old.csv")}]
    (tmp_path / "new.csv").unlink()
    world.clock.advance(5.0)
    assert world.work() == []


def test_nothing_is_lost_or_doubled_when_the_store_is_busy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each of the writes."""
    write = world.store.write
    fails = iter(range(100))
    world.arm(OnEvent("e"))
    world.send("e")

    def flaky(writes: Any, *, at: float) -> list[int]:
        count = next(fails)
        if count % 4 == 0:
            raise StoreBusy("before")
        made = write(writes, at=at)
        if count % 4 == 2:
            raise StoreBusy("after: nobody knows")
        return made

    monkeypatch.setattr(world.store, "write", flaky)
    for _ in range(12):
        try:
            while world.service.step(world.clock.now()):
                pass
        except StoreBusy:
            continue
    assert len(world.keys) == 1
    assert world.armed().fired == 1


def test_a_run_that_cannot_be_started_is_told_of_or_tried_again(world: World) -> None:
    """The caller's faults end it; the world's are tried again, later and later."""
    world.arm(OnEvent("e"), params={"bad": 1})
    world.send("e")
    assert world.work() == []
    assert "no such parameter" in world.armed().error
    world.arm(OnEvent("f"), workflow="v")
    world.broken = StoreBusy("not now")
    world.send("f")
    assert world.work() == []
    world.broken = None
    assert world.work() == []
    world.clock.advance(1.0)
    assert len(world.work()) == 1
    world.resting.add("v")
    world.send("f")
    assert world.work() == []
    assert "paused or gone" in world.armed("v#default").error


def test_a_trigger_is_paused_and_resumed(world: World, tmp_path: Path) -> None:
    """What came meanwhile does not count; nor do files that were there when it went on."""
    world.arm(OnEvent("e"))
    world.arm(OnFile(str(tmp_path / "*")), workflow="v")
    world.work()
    world.service.pause("w#default", by="me")
    world.service.pause("v#default", by="me")
    world.send("e")
    (tmp_path / "x").write_text("")
    os.utime(tmp_path / "x", (1.0, 1.0))
    world.clock.advance(60.0)
    assert world.work() == []
    assert world.armed().changed_by == "me"
    world.service.resume("w#default")
    world.service.resume("v#default")
    assert world.work() == []
    world.send("e")
    assert len(world.work()) == 1


def test_a_trigger_that_rested_fires_when_its_rest_is_over(world: World) -> None:
    """Nothing else has to happen for it."""
    world.arm(OnEvent("e"), cooldown_s=30.0)
    world.send("e")
    assert len(world.work()) == 1
    world.send("e")
    world.send("e")
    assert world.work() == []
    world.clock.advance(30.0)
    assert len(world.work()) == 1
    world.clock.advance(30.0)
    assert world.work() == []
