"""Reactions to committed events: each exactly once."""

from collections.abc import Sequence

import msgspec
import pytest

from weft.core.changes import Cause, RunAdded, RunChanged
from weft.engine.follower import CURSORS, Follower
from weft.model.calls import PythonCall
from weft.model.errors import StoreBusy
from weft.model.graph import Graph, Node
from weft.model.states import RunState
from weft.store.memory import MemoryStore
from weft.store.protocol import EventRow, Write
from weft.store.records import Collection
from weft.testing.clock import FakeClock


class Tally(msgspec.Struct):
    """A reaction: what was counted."""

    seq: int


TALLIES = Collection("tally", Tally)


class World:
    """A store whose log grows by a run's change at a time."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock(5.0)
        self.store.put_graph("g", Graph(workflow="w", root=Node(key="w", call=PythonCall("m", "w"))), at=1.0)
        self.store.commit([RunAdded(1, "run_1", "w", "g", 1.0)], engine=0, epochs={1: 0})

    def happen(self, count: int = 1) -> None:
        """More changes are committed, one by one."""
        for _ in range(count):
            self.store.commit(
                [RunChanged(1, RunState.RUNNING, 2.0, Cause.SUBMITTED)], engine=0, epochs={1: 0}
            )

    def follower(self, *, from_start: bool = True) -> Follower:
        """One that writes a record, which must not exist, for each event."""
        return Follower("tally", self.store, _tally, clock=self.clock, from_start=from_start)

    def tallied(self) -> list[int]:
        """The events that were reacted to."""
        return [each.value.seq for each in TALLIES.all(self.store)]


def _tally(events: Sequence[EventRow]) -> list[Write]:
    return [TALLIES.put(f"{each.seq:09}", Tally(each.seq), expect=0) for each in events]


def test_each_event_is_reacted_to_once_in_order() -> None:
    """Also across followers that come and go."""
    world = World()
    world.happen(3)
    first = world.follower()
    assert first.step() == 4
    assert first.step() == 0
    world.happen(2)
    second = world.follower()
    assert second.step() == 2
    first.step()  # It does not know yet that the second was here: its writes are refused.
    assert first.step() == 0
    assert world.tallied() == [1, 2, 3, 4, 5, 6]


def test_a_new_follower_begins_with_what_comes_next() -> None:
    """Unless it is told to begin with the first event."""
    world = World()
    follower = world.follower(from_start=False)
    assert follower.step() == 0
    world.happen()
    assert follower.step() == 1
    assert world.tallied() == [2]


def test_of_two_followers_that_read_the_same_events_one_reacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other's writes are refused with its cursor, and it goes on from there."""
    world = World()
    late, early = world.follower(), world.follower()
    read = world.store.events_since

    def overtaken(after: int, *, limit: int = 1000) -> list[EventRow]:
        monkeypatch.setattr(world.store, "events_since", read)
        early.step()
        return read(after, limit=limit)

    monkeypatch.setattr(world.store, "events_since", overtaken)
    late.step()
    world.happen()
    late.step()
    assert world.tallied() == [1, 2]


def test_a_place_that_caused_nothing_is_written_now_and_then() -> None:
    """A burst of events that nobody waits for costs no transaction each; it is known a second later."""
    world = World()
    follower = Follower("idle", world.store, lambda events: [], clock=world.clock, from_start=True)
    follower.step()
    before = CURSORS.require(world.store, "idle")
    for _ in range(3):
        world.happen()
        assert follower.step() == 1
    assert CURSORS.require(world.store, "idle") == before
    world.clock.advance(1.0)
    assert follower.step() == 0
    assert CURSORS.require(world.store, "idle").value.seq == world.store.last_seq()


def test_a_reaction_that_could_not_be_written_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither it nor the cursor was written, so nothing is lost and nothing doubled."""
    world = World()
    follower = world.follower()
    assert CURSORS.get(world.store, "tally") is None
    follower.step()
    world.happen(2)

    def busy(writes: Sequence[Write], *, at: float) -> list[int]:
        raise StoreBusy("not now")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "write", busy)
        with pytest.raises(StoreBusy):
            follower.step()
    assert follower.step() == 2
    assert world.tallied() == [1, 2, 3]
