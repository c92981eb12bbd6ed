"""A run with everything, as JSON lines: out of one store and into another.

Lines are objects with a ``kind``: ``export`` (the first), ``run``, ``graph``, ``node``, ``task``, ``event``,
``blob``, ``log``, and ``end`` (the last, with their number, so that a bundle that was cut is noticed).

An import makes the same rows from the events, under a new internal id and the same public one. What the log
leaves out, because it stays in the rows (results), comes from the ``task`` and ``run`` lines. Records of the
cache are left behind: what they promise was true of the other store.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import digest_of
from weft.compile.fingerprint import digest as graph_digest
from weft.core.changes import Cached, Change, RunAdded, RunChanged, TaskChanged
from weft.model.errors import Conflict, InvalidRequest, MalformedRequest, NotFound, RequestTooLarge
from weft.model.graph import Graph, Node
from weft.model.rows import RunRow, TaskRow
from weft.model.values import Result
from weft.server.logfiles import CHUNK_MAX, LogReader
from weft.store.protocol import Store

FORMAT = 2
LINE_MAX = 64 << 20
"""Bytes of one line."""

BLOB_MAX = 32 << 20
"""Bytes of a value that a bundle takes along; what is larger stays behind."""

EVENTS_MAX = 500_000
"""Events of a run that is imported: they become one transaction."""

_PAGE = 2000
_RUN_ID = re.compile(r"run_[0-9A-HJKMNP-TV-Z]{26}")
_encode = msgspec.json.Encoder().encode


class Export(msgspec.Struct, tag_field="kind", tag="export"):
    """The first line."""

    format: int
    id: str


class RunLine(msgspec.Struct, tag_field="kind", tag="run"):
    """The run's row."""

    row: RunRow


class GraphLine(msgspec.Struct, tag_field="kind", tag="graph"):
    """What it runs."""

    digest: str
    graph: Graph


class NodeLine(msgspec.Struct, tag_field="kind", tag="node"):
    """A node that one of its flows called."""

    digest: str
    node: Node


class TaskLine(msgspec.Struct, tag_field="kind", tag="task"):
    """A task run's row."""

    row: TaskRow


class EventLine(msgspec.Struct, tag_field="kind", tag="event"):
    """A committed change."""

    seq: int
    idx: int
    at: float
    change: Change


class BlobLine(msgspec.Struct, tag_field="kind", tag="blob"):
    """The bytes of a value that rows name by digest."""

    digest: str
    data: bytes


class LogLine(msgspec.Struct, tag_field="kind", tag="log"):
    """A part of an attempt's log."""

    idx: int
    attempt: int
    start: int
    text: str


class End(msgspec.Struct, tag_field="kind", tag="end"):
    """The last line."""

    lines: int


Line = Export | RunLine | GraphLine | NodeLine | TaskLine | EventLine | BlobLine | LogLine | End
_decode = msgspec.json.Decoder(Line).decode


def export(store: Store, artifacts: Artifacts, logs: LogReader, row: RunRow) -> Iterator[bytes]:
    """The lines of a run's bundle."""
    count = 0
    for line in _lines(store, artifacts, logs, row):
        count += 1
        yield _encode(line) + b"\n"
    yield _encode(End(count)) + b"\n"


def _lines(store: Store, artifacts: Artifacts, logs: LogReader, row: RunRow) -> Iterator[Line]:
    digests: dict[str, None] = {}

    def noted(line: Line) -> Line:
        digests.update(dict.fromkeys(each.digest for each in results_in(line) if each.digest is not None))
        return line

    yield Export(FORMAT, row.uid)
    yield noted(RunLine(row))
    yield noted(GraphLine(row.graph, store.graph(row.graph)))
    for digest, node in store.nodes(row.run).items():
        yield noted(NodeLine(digest, node))
    tasks: dict[int, TaskRow] = {}
    for task in _pages(
        lambda after: store.tasks(row.run, after=after, limit=_PAGE), -1, lambda each: each.idx
    ):
        tasks[task.idx] = task
        yield noted(TaskLine(task))
    for event in _pages(
        lambda after: store.events(row.run, after=after, limit=_PAGE), 0, lambda each: each.seq
    ):
        yield noted(EventLine(event.seq, event.idx, event.at, event.change))
    for digest in digests:
        try:
            kept = artifacts.blobs.view(digest)
        except NotFound:
            continue
        if len(kept) <= BLOB_MAX:
            yield BlobLine(digest, bytes(kept))
    for log in logs.files(row):
        task = tasks[log.idx]
        start = 0
        while data := logs.read(row, task, log.attempt, start, CHUNK_MAX):
            yield LogLine(log.idx, log.attempt, start, data.decode("utf-8", "replace"))
            start += len(data)


def _pages(read: Callable[[int], list[Any]], after: int, place: Callable[[Any], int]) -> Iterator[Any]:
    while found := read(after):
        yield from found
        after = place(found[-1])


def results_in(value: object) -> Iterator[Result]:
    """Every reference to a value that is somewhere in a struct."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, Result):
            yield each
        elif isinstance(each, msgspec.Struct):
            pending.extend(getattr(each, name) for name in each.__struct_fields__)
        elif isinstance(each, Mapping):
            pending.extend(each.values())
        elif isinstance(each, list | tuple):
            pending.extend(each)


class Importer:
    """Takes in the lines of one bundle, in any pieces, and makes the run when they are all there.

    Args:
        store: Where the run goes.
        artifacts: Where its values go.
        logs: Where its logs go.
    """

    def __init__(self, store: Store, artifacts: Artifacts, logs: LogReader) -> None:
        self._store = store
        self._artifacts = artifacts
        self._logs = logs
        self._rest = b""
        self._count = 0
        self._row: RunRow | None = None
        self._graph: Graph | None = None
        self._tasks: dict[int, TaskRow] = {}
        self._changes: list[Change] = []
        self._logged: list[LogLine] = []
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take in a piece.

        Raises:
            InvalidRequest: It is no bundle, or not one of a run that can be imported.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_MAX:
            raise RequestTooLarge("a line of the bundle is too long", where=f"line {self._count + 1}")
        for line in lines:
            self._take(line)

    def finish(self, *, at: float) -> str:
        """Make the run; returns its id.

        Raises:
            MalformedRequest: The bundle is not complete.
            Conflict: The store has a run of this id.
        """
        if self._rest:
            self._take(self._rest)
        row, graph = self._row, self._graph
        if not self._ended or row is None or graph is None:
            raise MalformedRequest("the bundle is not complete", where=f"after line {self._count}")
        self._check_new(row.uid)
        run = self._store.reserve_runs(1)
        self._store.put_graph(row.graph, graph, at=at)
        self._store.commit(self._rebuilt(row, run), engine=0, epochs={run: 0})
        for each in self._logged:
            self._logs.keep(row.uid, each.idx, each.attempt, each.text.encode())
        return row.uid

    def _take(self, line: bytes) -> None:
        self._count += 1
        where = f"line {self._count}"
        try:
            read = _decode(line)
        except msgspec.MsgspecError as exc:
            raise MalformedRequest(f"this is no line of a bundle: {exc}", where=where) from exc
        if self._count == 1 and not (isinstance(read, Export) and read.format == FORMAT):
            raise InvalidRequest(
                f"this is no bundle of format {FORMAT}",
                where=where,
                hint="GET /api/v1/runs/{run}/export makes one",
            )
        if isinstance(read, RunLine):
            self._row = self._importable(read.row, where)
        elif isinstance(read, GraphLine):
            if self._row is None or read.digest != self._row.graph or graph_digest(read.graph) != read.digest:
                raise InvalidRequest("the graph is not that of the run", where=where)
            self._graph = read.graph
        elif isinstance(read, TaskLine):
            self._tasks[read.row.idx] = read.row
        elif isinstance(read, EventLine):
            self._changes.append(read.change)
            if len(self._changes) > EVENTS_MAX:
                raise RequestTooLarge(f"the run has more than {EVENTS_MAX:,} events", where=where)
        elif isinstance(read, BlobLine):
            if digest_of(read.data) != read.digest:
                raise InvalidRequest("the bytes of a value are not those of its digest", where=where)
            self._artifacts.blobs.put(read.data)
        elif isinstance(read, LogLine):
            self._logged.append(read)
        elif isinstance(read, End):
            self._ended = read.lines == self._count - 1

    def _importable(self, row: RunRow, where: str) -> RunRow:
        # The id becomes the name of a folder.
        if _RUN_ID.fullmatch(row.uid) is None:
            raise InvalidRequest(f"{row.uid[:50]!r} is no run's id", where=where)
        if not row.state.terminal:
            raise InvalidRequest(
                f"run {row.uid} has not ended", where=where, hint="export it again when it has"
            )
        self._check_new(row.uid)
        return row

    def _check_new(self, uid: str) -> None:
        try:
            found = self._store.run(uid)
        except NotFound:
            return
        if found.uid == uid:
            raise Conflict(f"the store has run {uid} already", where=uid, hint="delete it first", found=1)

    def _rebuilt(self, row: RunRow, run: int) -> list[Change]:
        """The changes for this store: of its run, with the results that the log leaves out."""
        last: dict[int, int] = {}
        last_of_run = -1
        for place, change in enumerate(self._changes):
            if isinstance(change, TaskChanged):
                last[change.idx] = place
            elif isinstance(change, RunChanged):
                last_of_run = place
        made: list[Change] = []
        for place, change in enumerate(self._changes):
            if isinstance(change, Cached):
                continue
            change = replace(change, run=run)
            if isinstance(change, TaskChanged) and last[change.idx] == place:
                task = self._tasks.get(change.idx)
                change = replace(change, result=task.result if task is not None else None)
            elif isinstance(change, RunChanged) and place == last_of_run:
                change = replace(change, result=row.result)
            elif isinstance(change, RunAdded):
                change = replace(change, uid=row.uid, key=None, queue="", parent_run=row.parent_run)
            made.append(change)
        if not made or not isinstance(made[0], RunAdded):
            raise InvalidRequest("the events do not begin with the run's acceptance", where=row.uid)
        return made
