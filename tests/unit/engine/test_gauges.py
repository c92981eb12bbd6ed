"""What is due in a store, as metrics show it."""

from weft.core.changes import RunAdded
from weft.engine.follower import Follower
from weft.engine.gauges import watch_store
from weft.model.calls import PythonCall
from weft.model.deliveries import LANE
from weft.model.graph import Graph, Node
from weft.model.schedules import KIND
from weft.notifications.lineage_outbox import OUTGOING, Outgoing
from weft.observability.metrics import Metrics
from weft.store.memory import MemoryStore
from weft.store.protocol import Write
from weft.testing.clock import FakeClock


class World:
    """A store that is watched."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock(1000.0)
        self.metrics = Metrics()
        watch_store(self.metrics, self.store, self.clock)

    def due(self, kind: str, name: str, due_at: float) -> None:
        """A record that somebody has to look at."""
        self.store.write([Write(kind=kind, name=name, body=b"\x80", due_at=due_at)], at=1.0)

    def shown(self, name: str) -> dict[str, float]:
        """A gauge's samples, by what stands in braces."""
        lines = self.metrics.render().decode().splitlines()
        found = [line.rpartition(" ") for line in lines if line.startswith(name)]
        return {sample[len(name) :]: float(value) for sample, _, value in found}


def test_nothing_is_due() -> None:
    """An idle store has no lag."""
    world = World()
    for lag in ("scheduler", "trigger", "delivery", "lineage"):
        assert world.shown(f"weft_{lag}_lag_seconds") == {"": 0.0}
    assert world.shown("weft_deliveries_due") == {"": 0.0}


def test_lags() -> None:
    """A lag is that of the most overdue; what is due later counts for nothing."""
    world = World()
    world.due(KIND, "w#a", 990.0)
    world.due(KIND, "w#b", 960.0)
    world.due(KIND, "w#c", 2000.0)
    world.due("launch", "l", 995.0)
    world.store.write([OUTGOING.put("1", Outgoing(events=(), at=900.0), due_at=900.0)], at=1.0)
    assert world.shown("weft_scheduler_lag_seconds") == {"": 40.0}
    assert world.shown("weft_trigger_lag_seconds") == {"": 5.0}
    assert world.shown("weft_lineage_lag_seconds") == {"": 100.0}
    world.clock.advance(-500.0)
    assert world.shown("weft_scheduler_lag_seconds") == {"": 0.0}


def test_deliveries_of_every_lane() -> None:
    """What waits is counted over all lanes of the outbox."""
    world = World()
    for lane in ("channel.mail", "host.example"):
        world.due(LANE, lane, 0.0)
        world.due(f"outbox.{lane}", "a", 970.0)
    world.due("outbox.host.example", "b", 1500.0)
    assert world.shown("weft_deliveries_due") == {"": 2.0}
    assert world.shown("weft_delivery_lag_seconds") == {"": 30.0}


def test_how_far_followers_have_come() -> None:
    """A follower's lag is the number of events behind the newest."""
    world = World()
    follower = Follower("lineage", world.store, lambda events: [], clock=world.clock, from_start=True)
    assert follower.step() == 0
    graph = Graph(workflow="w", root=Node(key="w", call=PythonCall("m", "w")))
    world.store.put_graph("g", graph, at=1.0)
    for run in (1, 2, 3):
        world.store.commit([RunAdded(run, f"run_{run}", "w", "g", 1.0)], engine=0, epochs={run: 0})
    assert world.shown("weft_follower_lag_events") == {'{follower="lineage"}': 3.0}
    world.clock.advance(1.0)  # A place at which nothing was caused is written now and then.
    follower.step()
    assert world.shown("weft_follower_lag_events") == {'{follower="lineage"}': 0.0}
