"""All parts together: through the real loops, and through a crash at every write."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from notified import Receiver, World

from weft.model.automations import Late, Notify, RunIs, StartRun
from weft.model.channels import Webhook
from weft.model.deliveries import DeliveryState
from weft.model.states import RunState
from weft.notifications.context import NAMES
from weft.notifications.outbox import DELIVERIES
from weft.notifications.reactor import Reactor
from weft.notifications.service import Notifications, send_test

FAILS = RunIs(states=(RunState.FAILED,))


def test_the_loops_of_a_service(world: World, receiver: Receiver) -> None:
    """A late run and a test message reach a web service; closing stops both loops."""
    world.channel("hook", Webhook(url=receiver.url, allow_private=True))
    world.automate("late", Late(not_ended_s=0.05), Notify(channel="hook"))
    notifications = Notifications(world.store, world.artifacts, time.time)
    world.clock.advance(time.time() - world.clock.now())
    world.begin()
    notifications.start()
    try:
        entry = send_test(world.store, Notify(channel="hook"), by="ann", at=time.time())
        notifications.deliverer.hurry()
        receiver.wait(2)
    finally:
        notifications.close()
    bodies = b" ".join(body for *_, body in receiver.requests)
    assert b"run not ended 0.05 s after it started" in bodies
    assert b"this is a test, wanted by ann" in bodies
    sent = DELIVERIES.get(world.store, entry.name)
    assert sent is not None
    assert sent.value.state is DeliveryState.SENT


def test_every_name_is_there_and_documented(world: World) -> None:
    """The table of the page, the list of the code and what templates get are one."""
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "notifications.md").read_text("utf-8")
    world.automate("fails", FAILS, Notify(channel="me"))
    world.run(world.begin(), RunState.FAILED)
    world.follow()
    assert tuple(world.contexts.of("dlv", world.deliveries()[0])) == NAMES
    for name in NAMES:
        assert f"`{name}" in page, name


class Crash(BaseException):
    """The process dies."""


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
def test_a_crash_at_any_write_loses_and_doubles_nothing(tmp_path: Path, after: bool) -> None:
    """Decided once, done at least once under one key; the run that is started is one."""
    for crash_at in itertools.count():
        (tmp_path / str(crash_at)).mkdir()
        world = World(tmp_path / str(crash_at))
        try:
            if not _survive(world, crash_at, after):
                break
        finally:
            world.close()
    assert crash_at > 10


def _survive(world: World, crash_at: int, after: bool) -> bool:
    """Fail three runs, crash once on the way, and go on. False if there were no more writes to crash at."""
    world.automate("late", Late(not_ended_s=60), StartRun(workflow="a"))
    world.automate("fails", FAILS, StartRun(workflow="b"), cooldown_s=1, cooldown_per="run")
    world.look()
    steps = _life(world)
    write, crashed = world.store.write, [False]
    numbers = itertools.count()

    def fragile(*args: Any, **options: Any) -> list[int]:
        if not crashed[0] and next(numbers) == crash_at:
            crashed[0] = True
            if after:
                write(*args, **options)
            raise Crash
        return write(*args, **options)

    world.store.write = fragile  # type: ignore[method-assign]
    for step in steps:
        for _ in range(5):
            try:
                step()
                break
            except Crash:
                world.reactor = Reactor(world.store, world.artifacts, world.clock.now)
                world.deliverer = world.make_deliverer()
    world.clock.advance(200)
    world.look()
    world.deliverer.step(world.clock.now())
    found = {(each.automation, each.occasion.run): each.state for each in world.deliveries()}
    assert len(found) == len(world.deliveries()) == 6
    assert set(found.values()) == {DeliveryState.SENT}
    keys = [each[3] for each in world.acts.done]
    assert len(set(keys)) == 6
    assert len(keys) <= 7
    return crashed[0]


def _life(world: World) -> Iterator[Callable[[], object]]:
    runs = [world.begin() for _ in range(3)]
    yield world.look
    world.clock.advance(61)
    yield world.look
    yield lambda: world.deliverer.step(world.clock.now())
    for run in runs:
        world.run(run, RunState.FAILED)
        yield world.look
    yield lambda: world.deliverer.step(world.clock.now())
