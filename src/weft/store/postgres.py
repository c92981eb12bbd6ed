"""The store in PostgreSQL: any number of engines and servers on any number of machines share one.

See ``protocol.py`` for the rules, ``postgres_connection.py`` for transactions and lost connections,
``postgres_commit.py`` for what a commit sends and ``migrations/postgres/`` for the schema. Fencing is inside
each commit: it locks the rows of the runs that it touches, and a claim needs the same locks. Decision 0011.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import msgspec

from weft.core.changes import Change, RunAdded
from weft.model.errors import StaleOwner
from weft.model.graph import Graph
from weft.store.batch import Batch, plan
from weft.store.event_log import EMPTY
from weft.store.postgres_arrays import int8s, texts
from weft.store.postgres_commit import planned
from weft.store.postgres_connection import Writer
from weft.store.postgres_listen import Listener
from weft.store.postgres_place import GRAPH_LOCK, LOG_LOCK, place
from weft.store.postgres_read import PostgresReader
from weft.store.postgres_records import write_records
from weft.store.postgres_schema import SCHEMA_VERSION
from weft.store.postgres_session import Rows, Session, Statement
from weft.store.postgres_transfer import PostgresRows, reading, writing
from weft.store.protocol import Request, Write
from weft.store.rows import decode_request
from weft.store.statements import statements
from weft.store.transfer import About

DELETE_ROWS = 10_000
"""Rows deleted in one transaction. They block nobody; only the writer of this process waits for it."""

CLOSED = 0.0
"""Expiry of a lease that was given up."""


class PostgresStore(PostgresReader):
    """``Store`` on a PostgreSQL database (14 or newer); its schema is made if it is not there.

    Args:
        url: ``postgresql://user:password@host:port/database``, with libpq's options and ``schema=``.
        durability: ``full``: a commit survives a power cut; ``relaxed``: a crash of the server may take the
            latest (``synchronous_commit = off``).
        patience_s: How long to wait for a lock, or for a database that is away, before ``StoreBusy``.
        clock: Unix seconds, for relative times in queries.

    Raises:
        UsageError: The URL is wrong, or the database does not let us in or is none that we can use.
        StoreBusy, StoreReadOnly, StoreCorrupt, StoreTooNew: The store cannot be opened.
    """

    def __init__(
        self,
        url: str,
        *,
        durability: str = "full",
        patience_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.place = place(url)
        self._writer = Writer(self.place, durability=durability, patience_s=patience_s)
        self._do = statements("postgres_write")
        self._listeners: list[Listener] = []
        super().__init__(self.place, patience_s=patience_s, clock=clock)

    def commit(self, changes: Sequence[Change], *, engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        """See ``Store.commit``. One round trip, and two more when some runs are refused."""
        refused = _out_of_question(changes, epochs)
        batch = _plan(changes, refused)
        while batch.blocks and not self._commit(batch, engine, epochs):
            # Found out anew each time: another run of the same key may come in between.
            refused |= self._refused(batch, engine, epochs)
            batch = _plan(changes, refused)
        return frozenset(refused)

    def put_graph(self, digest: str, graph: Graph, *, at: float) -> int:
        """See ``Store.put_graph``."""
        known = self._fetch("graph_version", digest)
        if not known:
            body = msgspec.msgpack.encode(graph)

            def work(db: Session) -> None:
                db.ask(self._do["lock"], GRAPH_LOCK, self.place.key)
                db.ask(self._do["add_graph"], digest, graph.workflow, float(at), body)

            self._writer.transaction(work)
            known = self._fetch("graph_version", digest)
        return int(known[0][0])

    def reserve_runs(self, count: int) -> int:
        """See ``Store.reserve_runs``."""
        return int(self._write("reserve_runs", count)[0][0])

    def open_engine(
        self, *, name: str, host: str, pid: int, process_started: str, at: float, expires_at: float
    ) -> int:
        """See ``Store.open_engine``."""
        values = (name, host, pid, process_started, float(at), float(expires_at))
        return int(self._write("add_engine", *values)[0][0])

    def heartbeat(self, engine: int, *, expires_at: float) -> None:
        """See ``Store.heartbeat``."""
        if not self._write("set_expiry", engine, float(expires_at)):
            raise StaleOwner(
                f"the store does not know engine {engine}", hint="it was away too long: restart it"
            )

    def close_engine(self, engine: int) -> None:
        """See ``Store.close_engine``."""
        self._write("set_expiry", engine, CLOSED, tell=True)

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
        """See ``Store.claim``. Of runs that are not named, those that somebody else is claiming are left."""
        gone = int8s(dead)
        if runs is not None:
            picked: Statement = self._do["claimable_of"], (gone, float(now), int8s(runs), limit)
        else:
            served = None if queues is None else texts(queues)
            # Asked again and again by idle engines: nothing is locked when there is nothing to claim.
            if not self._fetch("any_claimable", gone, float(now), served):
                return {}
            picked = self._do["claimable"], (gone, float(now), served, limit)

        def work(db: Session) -> dict[int, int]:
            found = db.ask(picked[0], *picked[1])
            if not found:
                return {}
            epochs: dict[int, int] = dict(db.ask(self._do["claim"], engine, int8s([run for (run,) in found])))
            if note is not None and any(epoch > 1 for epoch in epochs.values()):
                write_records(db, self._do, [note], now)
            # In the order in which they were named, or by age: the same on every store.
            return {run: epochs[run] for run in (sorted(epochs) if runs is None else runs) if run in epochs}

        return self._writer.transaction(work)

    def assign(self, runs: Sequence[int], queue: str) -> None:
        """See ``Store.assign``."""
        if runs:
            self._write("assign", int8s(runs), queue, tell=True)

    def write(self, writes: Sequence[Write], *, at: float) -> list[int]:
        """See ``Store.write``."""
        if not writes:
            return []

        def work(db: Session) -> list[int]:
            revisions = write_records(db, self._do, writes, at)
            db.exchange([self._notify])
            return revisions

        return self._writer.transaction(work)

    def listen(self, wake: Callable[[], None]) -> None:
        """See ``Store.listen``."""
        self._listeners.append(Listener(self.place, self._writer.token, wake))

    def ask(self, request: Request) -> bool:
        """See ``Store.ask``."""
        body = msgspec.msgpack.encode(request)
        return bool(self._write("add_request", request.request_id, request.run, body, tell=True))

    def requests(self, engine: int) -> list[Request]:
        """See ``Store.requests``."""
        return [decode_request(body) for (body,) in self._fetch("requests", engine)]

    def drop_requests(self, request_ids: Sequence[str]) -> None:
        """See ``Store.drop_requests``."""
        if request_ids:
            self._write("drop_requests", texts(request_ids))

    def delete_runs(self, runs: Sequence[int]) -> int:
        """See ``Store.delete_runs``. A crash in the middle leaves rows that the next call deletes."""
        ended = self._write("doom_runs", int8s(runs)) if runs else []
        for (run,) in self._fetch("doomed"):
            self._delete_rows(run)
        return len(ended)

    def prune(self, *, ended_before: float, limit: int = 1000) -> list[str]:
        """See ``Store.prune``. Cache records and engines of the same age go too."""
        found = self._fetch("ended_before", float(ended_before), limit)
        self.delete_runs([run for run, _ in found])
        self._write("delete_expired_cache", float(ended_before))
        self._write("delete_engines", float(ended_before))
        self._write("forget_old_writers")
        return [uid for _, uid in found]

    def close(self) -> None:
        """See ``Store.close``."""
        for each in self._listeners:
            each.close()
        self._readers.close()
        self._writer.close()

    def outgoing(self) -> AbstractContextManager[PostgresRows]:
        """See ``transfer.Movable``."""
        return reading(self.place)

    def incoming(self) -> AbstractContextManager[PostgresRows]:
        """See ``transfer.Movable``."""
        return writing(self.place)

    def about(self) -> About:
        """See ``transfer.Movable``."""
        version, size, now = self._fetch("about", self.place.schema)[0]
        return About(kind="postgresql", server=version, schema=SCHEMA_VERSION, size=size, now=now)

    @property
    def _notify(self) -> Statement:
        """Tells the other processes that there is something for them."""
        return self._do["notify"], (self.place.schema, self._writer.token)

    def _write(self, name: str, *values: object, tell: bool = False) -> Rows:
        """A transaction of one statement, of which others are told if need be."""
        told = [self._notify] if tell else []
        return self._writer.transaction(lambda db: db.exchange([(self._do[name], values), *told])[0])

    def _commit(self, batch: Batch, engine: int, epochs: Mapping[int, int]) -> bool:
        """Make a batch durable, all of it or, if a run of it is not the caller's, nothing."""
        plan_ = planned(batch, engine=engine, epochs=epochs, key=self.place.key)
        # A run without an owner waits for whoever claims it first.
        told = [self._notify] if engine == 0 else []
        run, body, following = plan_.first
        seen = newest = self._writer.newest_seq

        def made(db: Session) -> bool:
            nonlocal newest
            found = db.ask(self._do["was_committed"], run, seen, body)
            if found:
                newest = found[0][0] + following
            return bool(found)

        try:
            rows = self._writer.commit([*plan_.statements, *told], made)
        except StaleOwner:
            return False
        if rows is not None:
            newest = rows[plan_.logged][-1][0]
        self._writer.newest_seq = max(newest, self._writer.newest_seq)
        return True

    def _refused(self, batch: Batch, engine: int, epochs: Mapping[int, int]) -> set[int]:
        """The runs of the batch that the caller may not touch."""
        new = {change.run: change.key for _, change in batch.others if isinstance(change, RunAdded)}
        keys = texts([key for key in new.values() if key is not None])
        held = [run for run in batch.blocks if run not in new]
        taken, owners = self._writer.transaction(
            lambda db: db.exchange([(self._do["keys_taken"], (keys,)), (self._do["owners"], (int8s(held),))])
        )
        owned = {run for run, owner, epoch in owners if (owner, epoch) == (engine, epochs[run])}
        return {run for run, key in new.items() if (key,) in taken} | (set(held) - owned)

    def _delete_rows(self, run: int) -> None:
        """Delete what is left of a run, in transactions short enough for commits to pass between."""
        while len(self._write("delete_tasks", run, DELETE_ROWS)) == DELETE_ROWS:
            pass
        do = self._do

        def delete_events(db: Session) -> bool:
            db.ask(do["lock"], LOG_LOCK, self.place.key)
            *_, gone, _ = db.exchange(
                [
                    (do["keep_seq"], (run, EMPTY)),
                    (do["delete_events"], (run, DELETE_ROWS)),
                    (do["delete_old_keepers"], ()),
                ]
            )
            return len(gone) == DELETE_ROWS

        while self._writer.transaction(delete_events):
            pass
        tables = ("nodes", "maps", "signals", "published", "cache", "requests")
        rest = [(do[f"delete_{table}"], (run,)) for table in tables]
        self._writer.transaction(lambda db: db.exchange([*rest, (do["end_doomed"], (run,))]))


def _out_of_question(changes: Sequence[Change], epochs: Mapping[int, int]) -> set[int]:
    """The runs that are refused whatever the database holds: no epoch is given, or a key comes twice."""
    refused = {change.run for change in changes if change.run not in epochs}
    keys: set[str] = set()
    for change in changes:
        if isinstance(change, RunAdded) and change.key is not None and change.run not in refused:
            if change.key in keys:
                refused.add(change.run)
            keys.add(change.key)
    return refused


def _plan(changes: Sequence[Change], refused: set[int]) -> Batch:
    return plan(change for change in changes if change.run not in refused) if refused else plan(changes)
