"""What the worker processes of ``test_process.py`` carry out."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def pid():
    return os.getpid()


def add(a, b):
    return a + b


def length(data):
    return len(data)


def big(size):
    return b"x" * size


def say(text):
    print(text)


def nap(seconds):
    time.sleep(seconds)


def hold_lock(seconds):
    """Sleep without letting go of the interpreter's lock, as bad C code does."""
    if seconds:
        ctypes.PyDLL(None).sleep(seconds)


async def coroutine(value):
    await asyncio.sleep(0)
    return value


def leave(code):
    os._exit(code)


def exit_politely(code):
    sys.exit(code)


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


def segfault():
    print("before the fault")
    ctypes.string_at(0)


class Odd(Exception):
    """An exception that no pickle can hold."""

    def __reduce__(self):
        raise TypeError("no")


def raise_odd():
    raise Odd("odd")


def stubborn(where):
    """Have a child, tell its pid, and listen to nothing."""
    child = subprocess.Popen(["sleep", "300"])
    Path(where).write_text(f"{os.getpid()} {child.pid}\n")
    while True:
        try:
            time.sleep(300)
        except BaseException:
            pass


def hang_in_c(where):
    """Have a child, tell its pid, and keep the interpreter's lock."""
    child = subprocess.Popen(["sleep", "300"])
    Path(where).write_text(f"{os.getpid()} {child.pid}\n")
    sum(range(10**12))  # One call of C code, during which Python runs no signal handler.


def nap_with_child(where):
    """Have a child, tell its pid, and sleep."""
    child = subprocess.Popen(["sleep", "300"])
    Path(where).write_text(f"{os.getpid()} {child.pid}\n")
    time.sleep(300)


def leave_child():
    return subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid


def wait_for_file(path):
    while not Path(path).exists():
        time.sleep(0.005)


def fork_and_return():
    """Return twice: in the parent and in the child."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return child


def close_all_descriptors():
    os.closerange(3, 256)
