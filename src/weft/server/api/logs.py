"""What attempts printed and logged: by bytes, by lines, by search, and as it comes."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec
from anyio import to_thread
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from weft.model.rows import RunRow, TaskRow
from weft.server.api.tasks import find_task
from weft.server.context import Context, Given
from weft.server.logfiles import CHUNK_MAX, MATCHES_MAX, PATTERN_MAX, Found, LogFile
from weft.server.paging import Page
from weft.server.parameters import NUMBER_MAX, SEQ_MAX, AttemptNumber, LastEventId, RunRef, TaskIdx
from weft.server.routing import read

LOOK_S = 0.25
"""Between two looks at a log that is followed."""

HEARTBEAT_S = 15.0
EVENT_STREAM = "text/event-stream"

Start = Annotated[int, QueryParameter(description="First byte.", ge=0, le=SEQ_MAX)]


class LogChunk(msgspec.Struct, kw_only=True):
    """A part of a log.

    Attributes:
        attempt: Which try's.
        start: Its first byte.
        end: The byte after its last one; go on from there.
        size: Bytes in the whole log now.
        text: The part as text; what is no UTF-8 is replaced.
        finished: Whether nothing more will come.
    """

    attempt: int
    start: int
    end: int
    size: int
    text: str
    finished: bool


@read("/runs/{run:str}/logs")
def list_logs(context: Given, run: RunRef) -> Page[LogFile]:
    """List the logs that a run has, in the order in which they began. Who said nothing has none."""
    return Page(items=context.services.logs.files(context.store.run(run)))


@read("/runs/{run:str}/tasks/{idx:int}/log")
def read_log(
    context: Given,
    run: RunRef,
    idx: TaskIdx,
    attempt: AttemptNumber = None,
    start: Start = 0,
    limit: Annotated[int, QueryParameter(description="Bytes at most.", ge=1, le=CHUNK_MAX)] = 1 << 16,
    tail: FromQuery[bool] = False,
) -> LogChunk:
    """Read a part of an attempt's log, by bytes. With `tail` it is the last `limit` bytes."""
    row, task = find_task(context, run, idx)
    number = attempt or max(task.attempt, 1)
    logs = context.services.logs
    size = logs.size(row, task, number) if task.attempt else 0
    if tail:
        start = max(size - limit, 0)
    data = logs.read(row, task, number, start, limit) if task.attempt else b""
    return _chunk(task, number, start, data, size)


@read("/runs/{run:str}/tasks/{idx:int}/log/lines")
def read_log_lines(
    context: Given,
    run: RunRef,
    idx: TaskIdx,
    attempt: AttemptNumber = None,
    first: Annotated[int, QueryParameter(description="The first line, from 1.", ge=1, le=NUMBER_MAX)] = 1,
    count: Annotated[int, QueryParameter(description="How many lines.", ge=1, le=10_000)] = 1000,
) -> LogChunk:
    """Read lines of an attempt's log, up to 1 MB of them."""
    row, task = find_task(context, run, idx)
    number = attempt or max(task.attempt, 1)
    logs = context.services.logs
    if not task.attempt:
        return _chunk(task, number, 0, b"", 0)
    start, data = logs.lines(row, task, number, first, count)
    return _chunk(task, number, start, data, logs.size(row, task, number))


@read("/runs/{run:str}/tasks/{idx:int}/log/search")
def search_log(
    context: Given,
    run: RunRef,
    idx: TaskIdx,
    pattern: Annotated[
        str,
        QueryParameter(
            description="What to look for.", min_length=1, max_length=PATTERN_MAX, pattern=r"^[^\x00]+$"
        ),
    ],
    regex: FromQuery[bool] = False,
    attempt: AttemptNumber = None,
    start: Start = 0,
    limit: Annotated[int, QueryParameter(description="Lines at most.", ge=1, le=MATCHES_MAX)] = 100,
) -> Found:
    """Find the lines of an attempt's log that contain a text or match a regular expression of Python's.

    It takes at most two seconds, and says how far it came.
    """
    row, task = find_task(context, run, idx)
    if not task.attempt:
        return Found(matches=[], searched=0, complete=True)
    logs = context.services.logs
    number = attempt or task.attempt
    return logs.search(row, task, number, pattern, regex=regex, start=start, limit=limit)


@read("/runs/{run:str}/tasks/{idx:int}/log/follow", media_type=EVENT_STREAM)
async def follow_log(
    context: Given,
    run: RunRef,
    idx: TaskIdx,
    attempt: AttemptNumber = None,
    start: Start = 0,
    last_event_id: LastEventId = None,
) -> Stream:
    """Follow an attempt's log as server-sent events until the attempt has ended.

    Each event is named `log`, holds a part as `read_log` gives it, and has its end as the id, so that
    `Last-Event-ID` goes on where a connection was lost. The last one is named `end`.
    """
    row, task = await to_thread.run_sync(find_task, context, run, idx)
    if attempt is not None and task.attempt:
        await to_thread.run_sync(context.services.logs.size, row, task, attempt)
    if last_event_id is not None and last_event_id.isdecimal():
        start = min(int(last_event_id), SEQ_MAX)
    context.services.live.check_room()
    return context.stream(_follow(context, row, idx, attempt, start), EVENT_STREAM)


async def _follow(
    context: Context, row: RunRow, idx: int, attempt: int | None, start: int
) -> AsyncGenerator[bytes, None]:
    silent_s = 0.0
    yield b"retry: 1000\n\n"
    while not context.services.live.closed:
        part = await to_thread.run_sync(_next_part, context, row, idx, attempt, start)
        if part is not None and part.end > part.start:
            start = part.end
            silent_s = 0.0
            yield _event("log", part)
            continue
        if part is not None and part.finished:
            yield _event("end", part)
            return
        await asyncio.sleep(LOOK_S)
        silent_s += LOOK_S
        if silent_s >= HEARTBEAT_S:
            silent_s = 0.0
            yield b": \n\n"


def _next_part(context: Context, row: RunRow, idx: int, attempt: int | None, start: int) -> LogChunk | None:
    """What follows in the log; ``None`` if the task run has not begun."""
    logs = context.services.logs
    # First how it stands, then what it wrote: the other way round its last words could be missed.
    task = context.store.task(row.run, idx)
    number = attempt or task.attempt
    if not task.attempt or number > task.attempt:
        ended = task.state.terminal
        return _chunk(task, max(number, 1), start, b"", 0) if ended else None
    data = logs.read(row, task, number, start, 1 << 16)
    return _chunk(task, number, start, data, start + len(data))


def _chunk(task: TaskRow, attempt: int, start: int, data: bytes, size: int) -> LogChunk:
    end = start + len(data)
    over = task.state.terminal or attempt < task.attempt
    if end < size or not over:
        data = _whole_characters(data)
        end = start + len(data)
    return LogChunk(
        attempt=attempt,
        start=start,
        end=end,
        size=max(size, end) if data else size,
        text=data.decode("utf-8", "replace"),
        finished=over and end >= size,
    )


def _whole_characters(data: bytes) -> bytes:
    """Without the beginning of a character whose end is not there yet."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needs = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if needs > back and len(data) > back else data
    return data


def _event(name: str, part: LogChunk) -> bytes:
    return f"id: {part.end}\nevent: {name}\ndata: ".encode() + msgspec.json.encode(part) + b"\n\n"


ROUTES = [list_logs, read_log, read_log_lines, search_log, follow_log]
