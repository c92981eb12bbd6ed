"""The tasks that ``test_executors.py`` has executors carry out: the good, the bad and the murderous."""

import asyncio
import ctypes
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from weft.model.attempts import Published
from weft.model.values import NONE
from weft.model.waits import TimerWait
from weft.runtime.context import current
from weft.runtime.signals import Fail, Skip, WaitFor


def identity(value: object) -> object:
    return value


def describe(*args: object, **kwargs: object) -> str:
    return f"{args} {sorted(kwargs.items())}"


def fail(text: str) -> None:
    raise ValueError(text)


class Unpicklable(Exception):
    def __reduce__(self) -> str:
        raise TypeError("this exception cannot be pickled")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def fail_unpicklable() -> None:
    raise Unpicklable("cannot travel")


def fail_mute() -> None:
    raise Mute


def return_lock() -> object:
    return threading.Lock()


def exit_hard(code: int) -> None:
    os._exit(code)


def exit_softly(code: int) -> None:
    sys.exit(code)


def interrupt_itself() -> None:
    raise KeyboardInterrupt


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault() -> None:
    ctypes.string_at(0)


def exhaust_memory() -> int:
    limit = 1 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    return len(bytearray(2 * limit))


def ask_too_much() -> int:
    return len(bytearray(1 << 62))


def recurse(depth: int = 0) -> int:
    return recurse(depth + 1) + 1


def spin() -> None:
    while True:
        pass


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def stubborn(seconds: float) -> None:
    """Ignores whatever is raised in it; not for ever, because a thread cannot be killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            while time.monotonic() < until:
                time.sleep(0.001)
        except BaseException:
            pass


def wait_for_file(path: str, began: str = "") -> str:
    if began:
        Path(began).touch()
    while not Path(path).exists():
        time.sleep(0.002)
    return path


def write_number(path: str, number: int) -> None:
    with open(path, "a") as file:
        file.write(f"{number}\n")


def print_much(lines: int, width: int) -> None:
    line = "x" * (width - 1)
    for _ in range(lines):
        print(line)


def speak() -> None:
    print("to stdout")
    print("to stderr", file=sys.stderr)
    sys.stdout.buffer.write(b"bytes to stdout\n")
    sys.stdout.flush()
    logging.getLogger("some.library").info("a record with %s", "arguments")
    logging.getLogger("some.library").debug("too fine")
    current().logger.warning("from the task's logger")
    print("no line's end", end="")


def speak_then_fail() -> None:
    print("said before failing")
    raise ValueError("failed after speaking")


def return_bytes(size: int) -> bytes:
    return bytes(size)


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def hold_memory(size: int) -> int:
    return sum(memoryview(bytearray(b"x") * size)[::4096])


def spawn_and_hang(pid_file: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    Path(pid_file + ".part").write_text(str(child.pid))
    os.rename(pid_file + ".part", pid_file)
    time.sleep(1000)


def fork_and_hang(pid_file: str) -> None:
    pid = os.fork()
    if pid == 0:
        while True:
            time.sleep(1000)
    Path(pid_file + ".part").write_text(str(pid))
    os.rename(pid_file + ".part", pid_file)
    while True:
        time.sleep(1000)


def publish_twice() -> None:
    current().publish(Published("a", "markdown", NONE))
    current().publish(Published("b", "markdown", NONE, "second"))


def who() -> dict[str, object]:
    context = current()
    return {
        "run": context.run_id,
        "workflow": context.workflow,
        "key": context.key,
        "name": context.name,
        "map_index": context.map_index,
        "attempt": context.attempt,
        "try": context.try_number,
        "tries": context.max_tries,
        "idempotency_key": context.idempotency_key,
    }


def skip() -> None:
    raise Skip("nothing to do")


def fail_for_good() -> None:
    raise Fail("no use trying again")


def defer() -> None:
    raise WaitFor(TimerWait(delay_s=5.0))


def count(upto: int) -> Iterator[int]:
    yield from range(upto)


async def async_identity(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def async_count(upto: int) -> AsyncIterator[int]:
    for number in range(upto):
        await asyncio.sleep(0)
        yield number


async def async_fail(text: str) -> None:
    await asyncio.sleep(0)
    raise ValueError(text)


async def async_hang() -> None:
    await asyncio.sleep(1000)


async def async_stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass


async def async_block(seconds: float) -> None:
    time.sleep(seconds)


_met: list[asyncio.Event] = []


async def meet(number: int) -> int:
    """Ends only when ``number`` of these run at once."""
    event = asyncio.Event()
    _met.append(event)
    if len(_met) == number:
        for each in _met:
            each.set()
    await event.wait()
    return len(_met)
