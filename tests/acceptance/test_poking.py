"""Tasks that ask again and again until there is something to tell, and hold no worker in between."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from embedded_weft import Weft

from weft import dag, flow, poke, task
from weft.model.errors import InvalidPolicy, TaskFailed
from weft.model.states import TaskState


@task(poke=poke("10ms", timeout="20s"))
def arrived(path: str) -> str | None:
    """The file's text, once there is a file."""
    found = Path(path)
    return found.read_text() if found.exists() else None


@task(poke="10ms", executor="process")
def arrived_there(path: str) -> bool:
    """The same in a worker process."""
    return Path(path).exists()


@task(poke=poke("5ms", timeout="30ms"))
def never() -> bool:
    """Nothing comes."""
    return False


@task(poke=poke("5ms", timeout="30ms", skip=True))
def never_mind() -> list[int]:
    """Nothing comes, and that is no failure."""
    return []


@task
def told(text: str) -> str:
    """What comes after."""
    return f"told {text}"


@flow
def waiting(path: str) -> str:
    """Waits for a file, and goes on with it."""
    assert arrived_there(path)
    return told(arrived(path))


@task(poke="10ms")
async def later(number: int, path: str) -> int | None:
    """A coroutine that pokes: many wait at once."""
    await asyncio.sleep(0)
    return number + 1 if Path(path).exists() else None


@flow
def many(path: str) -> int:
    """Two hundred of them."""
    return sum(each.result() or 0 for each in later.map(range(200), path=path))


@dag
def skipping():
    """What is skipped skips what follows."""
    told(never_mind())


def test_a_task_is_asked_until_it_has_something_to_tell(weft: Weft, tmp_path: Path) -> None:
    """Each try is an attempt; between them the task run waits."""
    path = tmp_path / "in.txt"
    store = weft.host.store

    def bring() -> None:
        while not any(
            task.attempt > 3 for row in store.runs() for task in store.tasks(row.run, "name:arrived_there")
        ):
            time.sleep(0.01)
        path.write_text("hello")

    bringer = threading.Thread(target=bring)
    bringer.start()
    assert waiting(str(path)) == "told hello"
    bringer.join()
    rows = {each.name: each for each in store.tasks(store.run("@latest").run)}
    assert rows["arrived_there"].failures == 0


def test_many_coroutines_poke_at_once(weft: Weft, tmp_path: Path) -> None:
    """They hold no thread, and all of them end."""
    path = tmp_path / "go"
    timer = threading.Timer(0.2, path.write_text, [""])
    timer.start()
    assert many(str(path)) == sum(range(1, 201))
    timer.join()


def test_past_its_time_it_fails_or_is_skipped(weft: Weft) -> None:
    """As it says itself."""
    with pytest.raises(TaskFailed, match="of poking"):
        never()
    skipping()
    store = weft.host.store
    rows = {each.name: each for each in store.tasks(store.run("@latest").run)}
    assert rows["never_mind"].state is TaskState.SKIPPED


def test_pauses_make_sense() -> None:
    """What cannot be is told where it is written."""
    assert poke("1m", backoff=2, longest="10m").interval_s_max == 600.0
    for wrong in ({"every": "0s"}, {"every": "1s", "backoff": 0.5}):
        with pytest.raises(InvalidPolicy):
            poke(**wrong)  # type: ignore[arg-type]  # that is the point
