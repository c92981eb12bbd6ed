"""The store in one SQLite file: the default.

See ``protocol.py`` for the rules, ``sqlite_connection.py`` for transactions and durability, ``batch.py`` for
what a commit writes and ``migrations/`` for the schema. Any number of processes may open the file at once;
SQLite's write lock makes their commits one after another, and fencing makes them harmless to each other.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from weft.core.changes import (
    Cached,
    Change,
    MapExpanded,
    NodeAdded,
    RunAdded,
    RunChanged,
    Showed,
    Signalled,
    TaskRemade,
)
from weft.model.errors import InvariantViolation, StaleOwner
from weft.model.graph import Graph
from weft.model.states import RunState
from weft.store.batch import Batch, encode, error_json, plan
from weft.store.event_log import EMPTY, bounds, encode_block
from weft.store.protocol import Request, Write
from weft.store.rows import decode_request
from weft.store.sqlite_connection import SCHEMA_VERSION, Writer, sqlite_version
from weft.store.sqlite_read import SqliteReader
from weft.store.sqlite_records import write_record, write_records
from weft.store.sqlite_transfer import SqliteRows, copy_file
from weft.store.statements import statements
from weft.store.transfer import About

DELETE_ROWS = 2000
"""Rows deleted in one transaction: some 5 ms, which is how long a commit may have to wait."""

CLOSED = 0.0
"""Expiry of a lease that was given up."""


class SqliteStore(SqliteReader):
    """``Store`` on an SQLite file, made if it is not there.

    Args:
        path: The file. Its folder is made too.
        durability: ``full``: a commit survives a power cut; ``relaxed``: it survives a crash of the process,
            and a power cut may take the latest.
        busy_timeout_s: How long to wait for another process's write lock before ``StoreBusy``.
        clock: Unix seconds, for relative times in queries.

    Raises:
        StoreReadOnly, StoreCorrupt, StoreTooNew, StoreBusy: The file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: str = "full",
        busy_timeout_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._writer = Writer(path, durability=durability, busy_timeout_s=busy_timeout_s)
        self._do = statements("sqlite_write")
        super().__init__(path, busy_timeout_s=busy_timeout_s, clock=clock)

    def commit(self, changes: Sequence[Change], *, engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        """See ``Store.commit``."""
        if not changes:
            return frozenset()
        batch = plan(changes)
        with self._writer.transaction() as db:
            refused = self._refused(db, batch, engine, epochs)
            if refused:
                batch = plan(change for change in changes if change.run not in refused)
            self._write(db, batch, engine, epochs)
        return frozenset(refused)

    def put_graph(self, digest: str, graph: Graph, *, at: float) -> int:
        """See ``Store.put_graph``."""
        known = self._fetch("graph_version", digest)
        if not known:
            body = msgspec.msgpack.encode(graph)
            with self._writer.transaction() as db:
                db.execute(self._do["add_graph"], (digest, graph.workflow, at, body))
            known = self._fetch("graph_version", digest)
        return int(known[0][0])

    def reserve_runs(self, count: int) -> int:
        """See ``Store.reserve_runs``."""
        with self._writer.transaction() as db:
            return int(db.execute(self._do["reserve_runs"], (count,)).get)

    def open_engine(
        self, *, name: str, host: str, pid: int, process_started: str, at: float, expires_at: float
    ) -> int:
        """See ``Store.open_engine``."""
        with self._writer.transaction() as db:
            values = (name, host, pid, process_started, at, expires_at)
            return int(db.execute(self._do["add_engine"], values).get)

    def heartbeat(self, engine: int, *, expires_at: float) -> None:
        """See ``Store.heartbeat``."""
        with self._writer.transaction() as db:
            known = db.execute(self._do["set_expiry"], (expires_at, engine)).fetchall()
        if not known:
            raise StaleOwner(
                f"the store does not know engine {engine}", hint="it was away too long: restart it"
            )

    def close_engine(self, engine: int) -> None:
        """See ``Store.close_engine``."""
        with self._writer.transaction() as db:
            db.execute(self._do["set_expiry"], (CLOSED, engine)).fetchall()

    def claim(
        self,
        engine: int,
        *,
        now: float,
        runs: Sequence[int] | None = None,
        dead: Sequence[int] = (),
        queues: Sequence[str] | None = None,
        limit: int | None = None,
        note: Write | None = None,
    ) -> dict[int, int]:
        """See ``Store.claim``."""
        gone = json.dumps(list(dead))
        if runs is None:
            # Asked again and again by idle engines: without a write lock when there is nothing to claim.
            served = None if queues is None else json.dumps(list(queues))
            most = -1 if limit is None else limit
            runs = [run for (run,) in self._fetch("claimable", gone, now, served, most)]
        if not runs:
            return {}
        claimed: dict[int, int] = {}
        with self._writer.transaction() as db:
            for run in dict.fromkeys(runs):
                taken: list[Any] = db.execute(self._do["claim_run"], (engine, run, gone, now)).fetchall()
                if taken:
                    claimed[run] = taken[0][0]
            if note is not None and any(epoch > 1 for epoch in claimed.values()):
                write_record(db, self._do, note, now)
        return claimed

    def assign(self, runs: Sequence[int], queue: str) -> None:
        """See ``Store.assign``."""
        with self._writer.transaction() as db:
            db.executemany(self._do["assign_run"], [(queue, run) for run in runs])

    def write(self, writes: Sequence[Write], *, at: float) -> list[int]:
        """See ``Store.write``."""
        return write_records(self._writer, self._do, writes, at)

    def listen(self, wake: Callable[[], None]) -> None:
        """See ``Store.listen``. A file tells nobody that it changed."""

    def ask(self, request: Request) -> bool:
        """See ``Store.ask``."""
        values = (request.request_id, request.run, msgspec.msgpack.encode(request))
        with self._writer.transaction() as db:
            return bool(db.execute(self._do["add_request"], values).fetchall())

    def requests(self, engine: int) -> list[Request]:
        """See ``Store.requests``."""
        return [decode_request(body) for (body,) in self._fetch("requests", engine)]

    def drop_requests(self, request_ids: Sequence[str]) -> None:
        """See ``Store.drop_requests``."""
        with self._writer.transaction() as db:
            db.executemany(self._do["drop_request"], [(each,) for each in request_ids])

    def delete_runs(self, runs: Sequence[int]) -> int:
        """See ``Store.delete_runs``. A crash in the middle leaves rows that the next call deletes."""
        with self._writer.transaction() as db:
            ended = [run for run in runs if db.execute(self._do["doom_run"], (run,)).fetchall()]
            db.executemany(self._do["add_doomed"], [(run,) for run in ended])
        for (run,) in self._fetch("doomed"):
            self._delete_rows(run)
        return len(ended)

    def prune(self, *, ended_before: float, limit: int = 1000) -> list[str]:
        """See ``Store.prune``. Cache records and engines of the same age go too."""
        found = self._fetch("ended_before", ended_before, limit)
        self.delete_runs([run for run, _ in found])
        with self._writer.transaction() as db:
            db.execute(self._do["delete_expired_cache"], (ended_before,))
            db.execute(self._do["delete_engines"], (ended_before,))
        return [uid for _, uid in found]

    def close(self) -> None:
        """See ``Store.close``."""
        self._readers.close()
        self._writer.close()

    @contextmanager
    def outgoing(self) -> Iterator[SqliteRows]:
        """See ``transfer.Movable``."""
        with self._readers.connection(snapshot=True) as db:
            yield SqliteRows(db)

    @contextmanager
    def incoming(self) -> Iterator[SqliteRows]:
        """See ``transfer.Movable``."""
        with self._writer.transaction() as db:
            yield SqliteRows(db)

    def about(self) -> About:
        """See ``transfer.Movable``."""
        files = [self.path, self.path.with_name(f"{self.path.name}-wal")]
        size = sum(each.stat().st_size for each in files if each.exists())
        return About(
            kind="sqlite", server=sqlite_version(), schema=SCHEMA_VERSION, size=size, now=time.time()
        )

    def backup(self, path: Path, progress: Callable[[int, int], object] = lambda *_: None) -> None:
        """Write the store as it is now into a new SQLite file; others may go on writing meanwhile."""
        with self._readers.connection(snapshot=True) as db:
            copy_file(db, path, progress)

    def _refused(self, db: apsw.Connection, batch: Batch, engine: int, epochs: Mapping[int, int]) -> set[int]:
        """The runs of the batch that the caller may not touch."""
        refused: set[int] = set()
        new: set[int] = set()
        keys: set[str] = set()
        for _, change in batch.others:
            if isinstance(change, RunAdded):
                new.add(change.run)
                key = change.key
                taken = key is not None and (
                    key in keys or db.execute(self._do["key_taken"], (key,)).fetchall()
                )
                if taken or change.run not in epochs:
                    refused.add(change.run)
                elif key is not None:
                    keys.add(key)
        for run in batch.blocks:
            if run in new:
                continue
            epoch = epochs.get(run)
            if epoch is None or not db.execute(self._do["owned"], (run, engine, epoch)).fetchall():
                refused.add(run)
        return refused

    def _write(self, db: apsw.Connection, batch: Batch, engine: int, epochs: Mapping[int, int]) -> None:
        """Put a batch into an open transaction."""
        do = self._do
        last = db.execute(do["newest_seq"]).get
        first: dict[int, int] = {}
        for run, block in batch.blocks.items():
            first[run] = last + 1
            last += len(block)
            db.execute(do["add_event"], (last, run, *bounds(block), encode_block(block)))
        for place, change in batch.others:
            self._write_other(db, change, first[change.run] + place, engine, epochs)
        if batch.added:
            db.executemany(do["add_task"], batch.added)
        for _, change in batch.others:
            if isinstance(change, TaskRemade):
                self._remake(db, change)
        if batch.changed:
            before = db.total_changes()
            db.executemany(do["change_task"], batch.changed)
            if db.total_changes() - before != len(batch.changed):
                raise InvariantViolation(
                    "a task run was changed that was never added", where=f"one of runs {sorted(batch.blocks)}"
                )

    def _write_other(
        self, db: apsw.Connection, change: Change, seq: int, engine: int, epochs: Mapping[int, int]
    ) -> None:
        """The row of a change that is not a task run's."""
        do = self._do
        run = change.run
        if isinstance(change, RunChanged):
            ran = change.at if change.state is RunState.RUNNING else None
            ended = change.at if change.state.terminal else None
            result = None if change.result is None else encode(change.result)
            error = None if change.error is None else error_json(change.error)
            db.execute(do["change_run"], (change.state, ran, ended, result, error, run))
        elif isinstance(change, RunAdded):
            self._add_run(db, change, engine, epochs[run])
        elif isinstance(change, NodeAdded):
            db.execute(do["add_node"], (run, change.digest, encode(change.node)))
        elif isinstance(change, MapExpanded):
            count, items = change.count, encode(change.items)
            db.execute(
                do["put_map"], (run, change.idx, change.at, change.base, count, change.generation, items)
            )
        elif isinstance(change, Signalled):
            payload = encode(change.payload)
            name, consumer = change.name, change.consumer
            db.execute(do["put_signal"], (run, change.signal_id, seq, name, change.at, consumer, payload))
        elif isinstance(change, Cached):
            result = encode(change.result)
            db.execute(do["put_cache"], (change.key, run, change.idx, change.at, change.expires_at, result))
        elif isinstance(change, Showed):
            key, body = change.published.key, encode(change.published)
            db.execute(do["put_published"], (run, change.idx, key, seq, change.attempt, change.at, body))

    def _remake(self, db: apsw.Connection, change: TaskRemade) -> None:
        """Give a task run's row its new identity."""
        inputs = encode(change.inputs) if change.inputs else None
        identity = (change.name, change.node, change.ordinal, change.fingerprint, inputs)
        if not db.execute(self._do["remake_task"], (*identity, change.run, change.idx)).fetchall():
            where = f"run {change.run}, task run {change.idx}"
            raise InvariantViolation("a task run was made again that was never added", where=where)

    def _add_run(self, db: apsw.Connection, change: RunAdded, engine: int, epoch: int) -> None:
        db.execute(
            self._do["add_run"],
            (
                change.run,
                change.uid,
                change.workflow,
                change.dialect,
                change.graph,
                RunState.SCHEDULED,
                engine,
                epoch,
                change.at,
                change.project,
                change.key,
                change.parent_run,
                change.parent_task,
                json.dumps(change.tags),
                encode(change.params) if change.params else None,
                encode(change.facts) if change.facts else None,
                change.queue,
            ),
        )

    def _delete_rows(self, run: int) -> None:
        """Delete what is left of a run, in transactions short enough for the writer to pass between."""
        for statement in ("delete_tasks", "delete_events"):
            more = True
            while more:
                with self._writer.transaction() as db:
                    newest = db.execute(self._do["newest_seq"]).get
                    gone = db.execute(self._do[statement], (run, DELETE_ROWS)).fetchall()
                    if statement == "delete_events" and gone:
                        db.execute(self._do["keep_seq"], (newest, EMPTY))
                        db.execute(self._do["delete_old_keepers"])
                more = len(gone) == DELETE_ROWS
        with self._writer.transaction() as db:
            for table in ("nodes", "maps", "signals", "published", "cache", "requests"):
                db.execute(self._do[f"delete_{table}"], (run,))
            db.execute(self._do["end_doomed"], (run,))
