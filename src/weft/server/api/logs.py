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
from weft.server.logfiles import CHUNK_MAX, MATCHES_MAX, PATTERN_MAX, Found, LogFile, Place
from weft.server.paging import Page, make_token, read_token
from weft.server.parameters import NUMBER_MAX, SEQ_MAX, AttemptNumber, LastEventId, PageToken, RunRef, TaskIdx
from weft.server.routing import read

LOOK_S = 0.25
"""Between two looks at a log that is followed."""

HEARTBEAT_S = 15.0
EVENT_STREAM = "text/event-stream"

LIVE_TASKS = "state:queued,running"
LIVE_MAX = 1000
"""Attempts that are being carried out whose logs are searched too."""

Pattern = Annotated[
    str,
    QueryParameter(
        description="What to look for.", min_length=1, max_length=PATTERN_MAX, pattern=r"^[^\x00]+$"
    ),
]
Start = Annotated[int, QueryParameter(description="First byte.", ge=0, le=SEQ_MAX)]


class LogChunk(msgspec.Struct, kw_only=True):
    """A part of a log.

    Attributes:
        attempt: Which try's.
        start: Its first byte.
        end: The byte after its last one; go on from there.
        size: Bytes in the whole log now.
        text: The part as text; what is no UTF-8 is replaced.
        line: Number, from 1, of the line in which it begins.
        lines: Number of the line in which the log ends now, which is empty if all lines are whole.
        finished: Whether nothing more will come.
    """

    attempt: int
    start: int
    end: int
    size: int
    text: str
    line: int
    lines: int
    finished: bool


class RunMatch(msgspec.Struct, kw_only=True, gc=False):
    """A line that a search in all logs of a run found.

    Attributes:
        idx: Index of the task run.
        key: Key of the task run.
        attempt: Which try.
        line: Its number in the log, from 1.
        start: Its first byte in the log.
        text: The line, cut at 2,000 characters.
    """

    idx: int
    key: str
    attempt: int
    line: int
    start: int
    text: str


class FoundInRun(msgspec.Struct, kw_only=True):
    """What a search in all logs of a run found.

    Attributes:
        matches: In order of task runs, attempts and lines.
        next: Give it as `page` to go on; null if every log was looked at.
        stopped: Why it did not go on: `matches`, `time` or `logs`; empty if it reached the end.
        logs: How many logs the run has.
        searched: How many of them are done with, those of earlier pages included.
    """

    matches: list[RunMatch]
    next: str | None
    stopped: str
    logs: int
    searched: int


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
    return _chunk(context, row, task, number, start, data, size)


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
        return _chunk(context, row, task, number, 0, b"", 0)
    start, data = logs.lines(row, task, number, first, count)
    return _chunk(context, row, task, number, start, data, logs.size(row, task, number))


@read("/runs/{run:str}/tasks/{idx:int}/log/search")
def search_log(
    context: Given,
    run: RunRef,
    idx: TaskIdx,
    pattern: Pattern,
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


@read("/runs/{run:str}/log/search")
def search_run_logs(
    context: Given,
    run: RunRef,
    pattern: Pattern,
    regex: FromQuery[bool] = False,
    limit: Annotated[int, QueryParameter(description="Lines at most.", ge=1, le=MATCHES_MAX)] = 100,
    page_token: PageToken = None,
) -> FoundInRun:
    """Find the lines of all logs of a run that contain a text or match a regular expression of Python's.

    It looks at the logs in order of task runs and attempts, takes two seconds at most, and says where to go
    on: an answer may hold few lines, even none, and a `next` all the same.
    """
    store = context.store
    row = store.run(run)
    query = ("run log", row.uid, pattern, regex)
    place = read_token(query, page_token, str)
    after = None if place is None else msgspec.convert(place.split("."), Place, strict=False)
    live = {task.idx: task for task in store.tasks(row.run, LIVE_TASKS, limit=LIVE_MAX)}
    found = context.services.logs.search_all(row, live, pattern, regex=regex, after=after, limit=limit)
    keys = store.task_keys(row.run, sorted({each.idx for each in found.lines}))
    return FoundInRun(
        matches=[
            RunMatch(
                idx=each.idx,
                key=keys.get(each.idx, ""),
                attempt=each.attempt,
                line=each.line,
                start=each.start,
                text=each.text,
            )
            for each in found.lines
        ],
        next=None if found.at is None else make_token(query, ".".join(map(str, found.at))),
        stopped=found.stopped,
        logs=found.logs,
        searched=found.searched,
    )


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
        return _chunk(context, row, task, max(number, 1), start, b"", 0) if ended else None
    data = logs.read(row, task, number, start, 1 << 16)
    return _chunk(context, row, task, number, start, data, start + len(data))


def _chunk(
    context: Context, row: RunRow, task: TaskRow, attempt: int, start: int, data: bytes, size: int
) -> LogChunk:
    logs = context.services.logs
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
        line=logs.line_at(row, task, attempt, start) if size else 1,
        lines=logs.line_at(row, task, attempt, size) if size else 1,
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


ROUTES = [list_logs, read_log, read_log_lines, search_log, search_run_logs, follow_log]
