"""Deliveries are carried out: each once if all goes well, and until it works if not."""

import itertools
import threading
from pathlib import Path

import pytest
from notified import Receiver, World

from weft.model.automations import CancelRun, Notify, Pause, Resume, RunIs, StartRun
from weft.model.channels import Log, Rate, Webhook
from weft.model.deliveries import Delivery, DeliveryState, Occasion
from weft.model.errors import DeliveryFailed, DeliveryRefused, NotFound, RunNotResumable, UsageError
from weft.model.states import RunState
from weft.notifications.book import Book
from weft.notifications.courier import Courier
from weft.notifications.deliver import LEASE_S, Deliverer
from weft.notifications.outbox import (
    DELIVERIES,
    KEEP_SENT_S,
    LANES,
    delivery_name,
    post,
    resend,
    tickets,
)

SENT, DEAD, WAITING = DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.WAITING


class Scripted(Courier):
    """A courier that does what a test says, and remembers what it was given."""

    def __init__(self, world: World, outcomes: list[BaseException | None] | None = None) -> None:
        super().__init__(world.store, world.contexts, now=world.clock.now)
        self.outcomes = outcomes or []
        self.carried: list[str] = []

    def carry_out(self, name: str, delivery: Delivery) -> str:
        """See ``Courier``."""
        self.carried.append(name)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        return "done"


def put(world: World, channel: str = "me", count: int = 1) -> list[str]:
    """Deliveries are decided."""
    now = world.clock.now()
    book = Book(world.store)
    names = []
    for at in range(count):
        name = delivery_name(f"{channel} {now} {at}", "a", 0, now)
        post(book, name, "a", Notify(channel=channel), Occasion(what="x", at=now), at=now)
        names.append(name)
    world.store.write(book.writes(), at=now)
    return names


def test_a_delivery_is_carried_out_and_kept_for_a_while(world: World) -> None:
    """Then it is forgotten."""
    (name,) = put(world)
    courier = Scripted(world)
    deliverer = world.make_deliverer(courier)
    deliverer.step(world.clock.now())
    deliverer.step(world.clock.now())
    assert courier.carried == [name]
    (delivery,) = world.deliveries()
    assert (delivery.state, delivery.tries, delivery.answer, delivery.next_at) == (SENT, 1, "done", None)
    assert world.tickets() == 0
    world.clock.advance(KEEP_SENT_S + 1)
    deliverer.step(world.clock.now())
    assert world.deliveries() == []


def test_what_fails_is_tried_again_with_growing_pauses_and_then_given_up(world: World) -> None:
    """After as many tries as its channel allows."""
    world.channel("me", tries=4, delay_s=10, delay_s_max=25)
    put(world)
    courier = Scripted(world, [DeliveryFailed(f"no {at}") for at in range(4)])
    deliverer = world.make_deliverer(courier)
    pauses = []
    for _ in range(3):
        deliverer.step(world.clock.now())
        (delivery,) = world.deliveries()
        assert delivery.state is WAITING
        assert delivery.next_at is not None
        pause = delivery.next_at - world.clock.now()
        pauses.append(pause)
        world.clock.advance(pause - 0.1)
        deliverer.step(world.clock.now())
        world.clock.advance(30)
    assert [10 <= pauses[0] <= 12, 20 <= pauses[1] <= 24, 25 <= pauses[2] <= 30] == [True] * 3
    world.clock.advance(60)
    deliverer.step(world.clock.now())
    (delivery,) = world.deliveries()
    assert (delivery.state, delivery.tries) == (DEAD, 4)
    assert "no 3" in delivery.error
    assert world.tickets() == 0


@pytest.mark.parametrize("wrong", [DeliveryRefused("never"), NotFound("no such workflow"), UsageError("no")])
def test_what_is_refused_is_not_tried_again(world: World, wrong: Exception) -> None:
    """Until a person sends it again."""
    (name,) = put(world)
    courier = Scripted(world, [wrong])
    deliverer = world.make_deliverer(courier)
    deliverer.step(world.clock.now())
    assert world.states() == [DEAD]
    assert resend(world.store, name, at=world.clock.now()).value.state is WAITING
    with pytest.raises(UsageError):
        resend(world.store, name, at=world.clock.now())
    deliverer.step(world.clock.now())
    assert world.states() == [SENT]


def test_the_other_side_may_ask_for_patience(world: World) -> None:
    """A pause that it names is kept."""
    put(world)
    deliverer = world.make_deliverer(Scripted(world, [DeliveryFailed("busy", after_s=500.0)]))
    deliverer.step(world.clock.now())
    assert world.deliveries()[0].next_at == world.clock.now() + 500


class Crash(BaseException):
    """The process dies."""


def test_a_crash_between_sending_and_saying_so_sends_again(world: World) -> None:
    """After the lease, under the same name, which is the idempotency key."""
    (name,) = put(world)
    courier = Scripted(world)
    write = world.store.write

    def die(writes: list[object], *, at: float) -> list[int]:
        if courier.carried:
            raise Crash
        return write(writes, at=at)  # type: ignore[arg-type]

    world.store.write = die  # type: ignore[method-assign, assignment]
    with pytest.raises(Crash):
        world.make_deliverer(courier).step(world.clock.now())
    world.store.write = write  # type: ignore[method-assign]
    deliverer = world.make_deliverer(courier)
    world.clock.advance(LEASE_S - 1)
    deliverer.step(world.clock.now())
    assert courier.carried == [name]
    world.clock.advance(1)
    deliverer.step(world.clock.now())
    assert courier.carried == [name, name]
    assert world.states() == [SENT]


def test_a_crash_before_sending_sends_once(world: World) -> None:
    """After the lease."""
    put(world)
    with pytest.raises(Crash):
        world.make_deliverer(Scripted(world, [Crash()])).step(world.clock.now())
    world.clock.advance(LEASE_S)
    courier = Scripted(world)
    world.make_deliverer(courier).step(world.clock.now())
    assert len(courier.carried) == 1
    assert world.states() == [SENT]


def test_who_lost_its_lease_changes_nothing(world: World) -> None:
    """A delivery that took longer than the lease was another's meanwhile."""
    put(world)
    second = Scripted(world)

    class Slow(Scripted):
        """Takes longer than the lease."""

        def carry_out(self, name: str, delivery: Delivery) -> str:
            """See ``Courier``."""
            world.clock.advance(LEASE_S + 1)
            world.make_deliverer(second).step(world.clock.now())
            raise DeliveryFailed("too late")

    world.make_deliverer(Slow(world)).step(world.clock.now())
    assert len(second.carried) == 1
    assert world.states() == [SENT]
    assert world.tickets() == 0


def test_two_deliverers_send_each_message_once(tmp_path: Path) -> None:
    """Over two connections to one store, at the same time."""
    one, two = World(tmp_path), World(tmp_path)
    names = put(one, count=60) + put(one, "you", count=60)
    carried: list[str] = []
    together = threading.Barrier(2)

    def work(world: World) -> None:
        courier = Scripted(world)
        deliverer = world.make_deliverer(courier)
        together.wait()
        while world.tickets():
            deliverer.step(world.clock.now())
        carried.extend(courier.carried)

    threads = [threading.Thread(target=work, args=(each,)) for each in (one, two)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(carried) == sorted(names)
    assert set(one.states()) == {SENT}
    one.close()
    two.close()


def test_a_channel_that_hangs_holds_up_nobody(world: World) -> None:
    """With real threads: its messages wait, those of others go out."""
    world.channel("stuck", parallel=2)
    put(world, "stuck", 500)
    free = put(world, "free", 5)
    stuck, done = threading.Event(), threading.Semaphore(0)

    class Hangs(Scripted):
        """One channel never comes back."""

        def carry_out(self, name: str, delivery: Delivery) -> str:
            """See ``Courier``."""
            if delivery.lane == "channel.stuck":
                stuck.wait()
            else:
                done.release()
            return super().carry_out(name, delivery)

    courier = Hangs(world)
    deliverer = Deliverer(world.store, courier, world.clock.now)
    deliverer.start()
    try:
        for _ in free:
            assert done.acquire(timeout=20)
        assert sum(each.name == "weft-delivery" for each in threading.enumerate()) <= 2 + 5
    finally:
        deliverer._closing = True
        stuck.set()
        deliverer.close()
    assert set(free) <= set(courier.carried)
    assert len(courier.carried) <= len(free) + 2


def test_a_channel_that_is_down_rests_as_a_whole(world: World) -> None:
    """Its messages do not use up their tries on it, and go out when it is back."""
    world.channel("down", tries=5)
    put(world, "down", 100)
    courier = Scripted(world, [DeliveryFailed("down") for _ in range(6)])
    deliverer = world.make_deliverer(courier)
    deliverer.step(world.clock.now())
    assert len(courier.carried) == 3
    for _ in range(20):
        world.clock.advance(30)
        deliverer.step(world.clock.now())
    assert world.states() == [SENT] * 100
    assert max(each.tries for each in world.deliveries()) <= 5


def test_a_rate_holds_over_all_processes(world: World) -> None:
    """So many at once, and so many in that time on the average."""
    world.channel("me", rate=Rate(5, 60))
    put(world, count=20)
    couriers = [Scripted(world), Scripted(world)]
    deliverers = [world.make_deliverer(each) for each in couriers]
    sent = []
    for _ in range(16):
        for each in deliverers:
            each.step(world.clock.now())
        sent.append(sum(len(each.carried) for each in couriers))
        world.clock.advance(12)
    assert sent == [min(5 + at, 20) for at in range(16)]


def test_ten_thousand_waiting_messages_do_not_slow_the_loop(world: World) -> None:
    """A step reads as few records with them as without, and other lanes are served in that step."""
    world.channel("slow", rate=Rate(1, 3600))
    for _ in range(10):
        put(world, "slow", 1000)
        world.clock.advance(0.001)
    courier = Scripted(world)
    deliverer = world.make_deliverer(courier)
    deliverer.step(world.clock.now())
    put(world, "me")
    read: list[int] = []
    due, records = world.store.due, world.store.records
    world.store.due = lambda *a, **k: _count(read, due(*a, **k))  # type: ignore[method-assign]
    world.store.records = lambda *a, **k: _count(read, records(*a, **k))  # type: ignore[method-assign]
    deliverer.step(world.clock.now())
    assert len(courier.carried) == 2
    assert sum(read) < 20
    assert world.tickets() == 9999


def _count(read: list[int], found: list[object]) -> list[object]:
    read.append(len(found))
    return found


def test_an_empty_lane_is_forgotten_and_comes_back(world: World) -> None:
    """With the next delivery."""
    courier = Scripted(world)
    deliverer = world.make_deliverer(courier)
    for again in range(2):
        put(world)
        deliverer.step(world.clock.now())
        deliverer.step(world.clock.now())
        assert len(courier.carried) == again + 1
        world.clock.advance(601)
        deliverer.step(world.clock.now())
        assert list(LANES.all(world.store)) == []


def test_a_ticket_without_a_delivery_is_torn_up(world: World) -> None:
    """Somebody deleted what it was for."""
    (name,) = put(world)
    DELIVERIES.delete(world.store, [name], at=world.clock.now())
    courier = Scripted(world)
    world.make_deliverer(courier).step(world.clock.now())
    assert courier.carried == []
    assert tickets("channel.me").get(world.store, name) is None


def test_the_loop_sleeps_until_something_is_due(world: World) -> None:
    """And no longer than others may have filled the outbox."""
    world.channel("me", delay_s=0.5)
    put(world)
    deliverer = world.make_deliverer(Scripted(world, [DeliveryFailed("no")]))
    now = world.clock.now()
    deliverer.step(now)
    assert now + 0.5 <= deliverer.step(now) <= now + 0.6
    world.clock.advance(1)
    deliverer.step(world.clock.now())
    assert deliverer.step(world.clock.now()) == world.clock.now() + 1


# --- what is done to runs -------------------------------------------------------------------------------


def test_actions_on_runs_carry_keys_that_make_them_happen_once(world: World) -> None:
    """And say on whose behalf."""
    then = (
        StartRun(workflow="repair", params={"day": "{{params.day}}", "why": "{{what}}"}, tags=("auto",)),
        CancelRun(force=True),
        Pause(what="workflow"),
        Pause(what="schedule", name="etl#nightly"),
        Resume(what="run"),
    )
    world.automate("fix", RunIs(states=(RunState.FAILED,)), *then)
    run = world.begin(params={"day": 17})
    world.run(run, RunState.FAILED)
    world.follow()
    world.deliverer.step(world.clock.now())
    names = [each.name for each in DELIVERIES.all(world.store)]
    assert world.states() == [SENT] * 5
    start = next(each for each in world.acts.done if each[0] == "start")
    assert start[1:3] == ("repair", {"day": 17, "why": "run failed"})
    assert start[3].removeprefix("automation:") in names
    assert start[5] == {"automation_chain": 1, "automation": "fix", "cause_run": f"run_{run}"}
    cancel = next(each for each in world.acts.done if each[0] == "cancel")
    assert cancel[1] == run
    assert cancel[2] in names
    assert cancel[3:] == ("automation fix", True)
    assert ("pause", "workflow", "etl", "automation fix") in world.acts.done
    assert ("pause", "schedule", "etl#nightly", "automation fix") in world.acts.done


def test_automations_that_start_each_other_come_to_an_end(world: World) -> None:
    """A run that comes from eight of them starts no ninth."""
    world.automate("again", RunIs(states=(RunState.FAILED,)), StartRun(workflow="etl"))
    for chain in itertools.count():
        run = world.begin(facts={"automation_chain": chain})
        world.run(run, RunState.FAILED)
        world.follow()
        world.deliverer.step(world.clock.now())
        if DEAD in world.states():
            break
    assert chain == 8
    assert "circle" in next(each.error for each in world.deliveries() if each.state is DEAD)


def test_cancelling_a_run_that_has_ended_is_no_failure(world: World) -> None:
    """An earlier try may have done it."""
    world.acts.refuse = RunNotResumable("it has ended")
    world.automate("stop", RunIs(states=(RunState.RUNNING,)), CancelRun())
    world.begin()
    world.follow()
    world.deliverer.step(world.clock.now())
    assert world.states() == [SENT]


def test_all_of_it_with_threads(world: World, receiver: Receiver) -> None:
    """From the event to a web service, through the real loops."""
    world.channel("hook", Webhook(url=receiver.url, allow_private=True))
    world.channel("log", Log(level="info"))
    when = RunIs(states=(RunState.FAILED,))
    world.automate("fails", when, Notify(channel="hook"), Notify(channel="log"))
    deliverer = Deliverer(world.store, world.courier, world.clock.now)
    deliverer.start()
    try:
        for _ in range(20):
            world.run(world.begin(), RunState.FAILED)
        world.follow()
        deliverer.hurry()
        receiver.wait(20)
    finally:
        deliverer.close()
    ids = {headers["Idempotency-Key"] for _, headers, _ in receiver.requests}
    assert len(ids) == len(receiver.requests) == 20
