"""Looking for lines in a log. As a program: for a regular expression, alone in a process that may be killed.

It imports the standard library only and is started by its path, so that it begins within some 20 ms. It
answers in lines: ``m``, number, first byte and text of each line found, and now and then ``at`` and the byte
up to which it has looked, all parted by tabs. Of many files, ``f`` and its number come before each, and
``end`` comes after the last if it was reached.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

TEXT_MAX = 2000
"""Characters of a line that are told."""

LINE_MAX = 1 << 16
"""Bytes of a line that a regular expression looks at; the rest of a longer line is a line of its own."""

MEMORY_MAX = 1 << 30
"""Bytes of address space that the program may use."""

_TOLD_EVERY = 1 << 20
_BLOCK = 1 << 20


def problem_of(pattern: str) -> str:
    """Why a text is no regular expression; "" if it is one."""
    try:
        re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError, ValueError) as exc:
        return str(exc)
    return ""


def find_text(path: str, text: str, start: int, limit: int, most_s: float) -> tuple[list[str], bool]:
    """The answer for a plain text, and whether the time was over before the end."""
    sought = text.encode()
    until = time.monotonic() + most_s
    told: list[str] = []
    found = 0
    with open(path, "rb") as file:
        for number, at, line in _lines(file, start):
            if sought in line:
                told.append(_match(number, at, line))
                found += 1
            if found >= limit or (number % 1000 == 0 and time.monotonic() > until):
                told.append(f"at\t{at + len(line)}")
                return told, found < limit
        told.append(f"at\t{file.tell()}")
    return told, False


def find_in_files(
    paths: list[str], text: str, start: int, limit: int, most_s: float
) -> tuple[list[str], bool]:
    """The same for many files, the first of them from ``start`` on; however short the time, it gets on."""
    sought = text.encode()
    until = time.monotonic() + most_s
    told: list[str] = []
    for number, path in enumerate(paths):
        left_s = until - time.monotonic()
        told.append(f"f\t{number}")
        if number and left_s < 0:
            return told, True
        at = start if number == 0 else 0
        try:
            if not at and _small_without(path, sought):
                continue
            found, late = find_text(path, text, at, limit, left_s)
        except FileNotFoundError:
            continue  # It was deleted, or a live one was moved: that is seen when somebody looks anew.
        told += found
        limit -= sum(line.startswith("m") for line in found)
        if late or limit <= 0:
            # The file may hold more.
            return told, late
    told.append("end")
    return told, False


def _small_without(path: str, sought: bytes) -> bool:
    """Whether a file is small and does not hold it: nearly every one, and found out in one look."""
    with open(path, "rb") as file:
        data = file.read(_BLOCK)
    return len(data) < _BLOCK and sought not in data


def _lines(file: BinaryIO, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Number, first byte and bytes of each line; a very long one comes in pieces of the same number."""
    number = _lines_before(file, start) + 1
    file.seek(start)
    at = start
    while line := file.readline(LINE_MAX):
        yield number, at, line
        at += len(line)
        number += line.endswith(b"\n")


def _lines_before(file: BinaryIO, start: int) -> int:
    ends = 0
    file.seek(0)
    while start > 0 and (block := file.read(min(_BLOCK, start))):
        ends += block.count(b"\n")
        start -= len(block)
    return ends


def _match(number: int, at: int, line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r\n")[:TEXT_MAX]
    return f"m\t{number}\t{at}\t" + text.replace("\n", " ").replace("\r", " ")


def main() -> None:
    """Search as the command line says."""
    import resource  # noqa: PLC0415 - only the program needs it

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    path, pattern, start, limit = sys.argv[1:]
    search = re.compile(pattern.encode()).search
    if path:
        _search_file(path, search, int(start), int(limit))
        return
    left = int(limit)
    names = sys.stdin.buffer.read()
    for number, name in enumerate(names.split(b"\0") if names else ()):
        print(f"f\t{number}", flush=True)
        try:
            left -= _search_file(os.fsdecode(name), search, int(start) if number == 0 else 0, left)
        except FileNotFoundError:
            continue  # It was deleted, or a live one was moved.
        if left <= 0:
            return
    print("end", flush=True)


def _search_file(path: str, search: Callable[[bytes], object], start: int, limit: int) -> int:
    """Search a file; returns how many lines were found."""
    found = told = 0
    with open(path, "rb") as file:
        for number, at, line in _lines(file, start):
            if at - told > _TOLD_EVERY:
                told = at
                print(f"at\t{at}", flush=True)
            if search(line.rstrip(b"\r\n")):
                found += 1
                print(f"{_match(number, at, line)}\nat\t{at + len(line)}", flush=True)
                if found >= limit:
                    return found
        print(f"at\t{file.tell()}", flush=True)
    return found


if __name__ == "__main__":
    main()
