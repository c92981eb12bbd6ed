"""What a store is: one writer's commits, leases with fencing, and reads for everyone.

Rules, which ``tests/conformance/test_stores.py`` checks on every store:

1. ``commit`` is one transaction. When it returns, the changes are durable; when it raises ``StoreBusy`` or
   ``StoreFull`` none was made; when it raises ``CommitUnknown`` the caller reads back which it was.
2. A commit that touches a run whose owner or epoch is not the caller's makes no change to that run and names
   it in the answer (I9). The other runs of the batch are committed.
3. The state rows are the fold of the event log (I6).
4. Reading never blocks the writer, and sees only committed transactions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from weft.core.changes import Change
from weft.model.attempts import Published
from weft.model.graph import Graph, Node
from weft.model.rows import MapRow, RunRow, SignalRow, Snapshot, TaskRow
from weft.model.states import TaskState
from weft.model.values import Result
from weft.store.summaries import Summaries

NOBODY = 0
"""The engine that owns runs which nobody has taken yet."""


class EventRow(msgspec.Struct, kw_only=True):
    """One committed change, as the log tells it. ``seq`` grows with each commit, over all runs.

    ``idx`` is -1 for a change of the run itself. ``change`` is the change without its ``result``, whose
    bytes stay in the state row only.
    """

    seq: int
    run: int
    idx: int
    at: float
    change: Change


class PublishedRow(msgspec.Struct, kw_only=True):
    """Something a task run published; the latest of each key."""

    run: int
    idx: int
    attempt: int
    at: float
    published: Published


class CacheRow(msgspec.Struct, kw_only=True):
    """A cache record: which task run made the result, and when."""

    key: str
    result: Result
    run: int
    idx: int
    at: float
    expires_at: float | None


class EngineRow(msgspec.Struct, kw_only=True):
    """An engine that has opened the store."""

    engine: int
    name: str
    host: str
    pid: int
    started_at: float
    expires_at: float
    process_started: str = ""


class Request(msgspec.Struct, kw_only=True):
    """What a person, or another process, asks of the engine that owns a run.

    It waits in the store until that engine has made its effect durable; if nobody runs the run, until it is
    resumed. Every kind has no effect the second time, so that an engine may crash between the two.

    Attributes:
        request_id: Chosen by who asks; a second request of the same id is ignored.
        run: The run that it is about.
        kind: ``send``, ``answer``, ``cancel``, ``pause``, ``resume``, ``cancel_task``, ``clear`` or ``mark``.
        at: When it was asked, Unix seconds.
        by: Who asked.
        name: ``send``: the event's name; ``mark``: the state.
        idx: ``answer``, ``mark``, ``cancel_task``: the task run.
        payload: ``send``, ``answer``, ``mark``: the value.
        force: ``cancel``: without teardowns and exit handlers.
        options: ``clear``: see ``engine.editing.Clearing``.
    """

    request_id: str
    run: int
    kind: str
    at: float
    by: str = ""
    name: str = ""
    idx: int = -1
    payload: Result | None = None
    force: bool = False
    options: dict[str, Any] = {}


class Record(msgspec.Struct, kw_only=True):
    """A named document: a schedule, a variable, a delivery that is due. What runs are made of is no record.

    Attributes:
        kind, name: Its identity.
        body: A struct of the kind's own, by msgpack; see ``store/records.py``.
        revision: Grows over all records with each write and never comes again, so that a change is seen.
        at: When it was last written, Unix seconds.
        due_at: When somebody has to look at it; ``None``: no time.
    """

    kind: str
    name: str
    body: bytes
    revision: int
    at: float
    due_at: float | None = None


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it shall be.

    Attributes:
        kind, name: Which.
        body: Its new body; ``None`` deletes it.
        due_at: As in ``Record``.
        expect: The revision that it must have now, 0 if it must not exist; ``None`` takes whatever is there.
    """

    kind: str
    name: str
    body: bytes | None
    due_at: float | None = None
    expect: int | None = None


class Reader(Summaries, Protocol):
    """The questions anyone may ask, at any time, beside any engine."""

    def run(self, ref: str) -> RunRow:
        """The run with this public id, a unique prefix of one, or ``@latest``. Raises ``NotFound``."""

    def run_by_id(self, run: int) -> RunRow:
        """The run with this internal id. Raises ``NotFound``."""

    def run_by_key(self, key: str) -> RunRow | None:
        """The run that was submitted with this idempotency key; ``None`` if there is none."""

    def runs(self, where: str = "", *, limit: int = 50, before: int | None = None) -> list[RunRow]:
        """Newest first; ``where`` is the language of ``store/query.py``; ``before`` a run id for paging."""

    def counts(self, run: int) -> dict[TaskState, int]:
        """Rows by state, items and groups included."""

    def tasks(
        self, run: int, where: str = "", *, after: int = -1, limit: int = 1000, parent: int | None = None
    ) -> list[TaskRow]:
        """By index; ``after`` is an index for paging."""

    def task(self, run: int, idx: int) -> TaskRow:
        """One task run. Raises ``NotFound``."""

    def task_by_key(self, run: int, key: str) -> TaskRow:
        """The latest task run with this key. Raises ``NotFound``."""

    def events(
        self, run: int, idx: int | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[EventRow]:
        """The log of a run, or of one task run, in order; ``after`` is a ``seq``."""

    def events_since(self, after: int, *, limit: int = 1000) -> list[EventRow]:
        """The log of every run from ``seq`` ``after`` on: what a live viewer follows."""

    def published(self, run: int, idx: int | None = None) -> list[PublishedRow]:
        """What the run's task runs show to people."""

    def maps(self, run: int) -> list[MapRow]:
        """The run's expanded maps (their latest generation)."""

    def signals(self, run: int) -> list[SignalRow]:
        """The events sent to the run, with who consumed them."""

    def graph(self, digest: str) -> Graph:
        """A workflow version's graph. Raises ``NotFound``."""

    def nodes(self, run: int) -> dict[str, Node]:
        """The nodes that the run's flows added, by digest."""

    def engines(self) -> list[EngineRow]:
        """Every engine that the store remembers."""

    def workflows(self) -> list[tuple[str, int, str, float]]:
        """Name, newest version number, its graph's digest and when it was stored, for each workflow."""

    def record(self, kind: str, name: str) -> Record | None:
        """The record of this kind and name; ``None`` if there is none."""

    def records(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Record]:
        """By name (byte order); ``prefix`` narrows them, ``after`` is a name for paging."""

    def last_records(
        self, kind: str, *, prefix: str = "", before: str = "", limit: int = 1000
    ) -> list[Record]:
        """By name, the last first; ``prefix`` narrows them, ``before`` is a name for paging."""

    def some_records(self, kind: str, names: Sequence[str]) -> list[Record]:
        """Those of these names that there are, by name (byte order)."""

    def names_with(self, kind: str, text: str, *, limit: int) -> list[str]:
        """Names that hold a text (ASCII letters of it small, of either case in the name), best find first."""

    def due(self, kind: str, *, before: float, limit: int = 100) -> list[Record]:
        """Those with ``due_at`` not after ``before``, the earliest first."""

    def all_runs(self) -> Iterator[RunRow]:
        """Every run, oldest first, read in pages (``weft verify``)."""


class Store(Reader, Protocol):
    """A reader that can also write, for engines."""

    def commit(self, changes: Sequence[Change], *, engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        """Make the changes durable in one transaction.

        ``epochs`` gives the fencing epoch under which the caller owns each run touched; a ``RunAdded`` makes
        the caller the owner under the epoch given. With engine 0, which is nobody, that is a run for
        whichever engine claims it first.

        Returns:
            The runs that were refused because another engine owns them now; usually none.

        Raises:
            StoreBusy, StoreFull, StoreReadOnly, StoreCorrupt: Nothing was changed.
            CommitUnknown: Whether it was made has to be read back (``seq`` of the last event tells).
        """

    def last_seq(self) -> int:
        """The newest event's ``seq``; 0 for an empty log."""

    def put_graph(self, digest: str, graph: Graph, *, at: float) -> int:
        """Store a workflow version unless its digest is known; returns its number, from 1, per workflow."""

    def reserve_runs(self, count: int) -> int:
        """The first of ``count`` internal run ids that nobody else will get."""

    def open_engine(
        self, *, name: str, host: str, pid: int, process_started: str, at: float, expires_at: float
    ) -> int:
        """Register an engine; returns its id."""

    def heartbeat(self, engine: int, *, expires_at: float) -> None:
        """Prolong the engine's lease on all its runs."""

    def close_engine(self, engine: int) -> None:
        """Give up the engine's lease: its open runs may be claimed at once."""

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
        """Take over open runs whose owner's lease is over (or whose owner is in ``dead``), or is nobody.

        ``runs`` limits it to these, which may have ended; ``queues`` to the runs of these queues, the oldest
        ``limit`` of them. Each claimed run's epoch grows by one, which fences the old owner. ``note`` is
        written in the same transaction if any of them has had an owner before.

        Returns:
            Run to its new epoch. A run that a live engine owns is left out.
        """

    def assign(self, runs: Sequence[int], queue: str) -> None:
        """Put open runs into a queue, from which its engines may take them; "" keeps them from all."""

    def write(self, writes: Sequence[Write], *, at: float) -> list[int]:
        """Write records in one transaction: all of them or, if one is not as expected, none.

        Returns:
            Their new revisions, in the order given.

        Raises:
            Conflict: A record's revision is not the expected one.
            StoreBusy, StoreFull, StoreReadOnly, StoreCorrupt: Nothing was changed.
        """

    def listen(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` soon after another process left something for engines: requests, runs, records.

        Never the only way to learn of it: a store that cannot tell (a file) never calls it, and any may miss
        one. ``wake`` is called from a thread of the store's and must return at once.
        """

    def ask(self, request: Request) -> bool:
        """Leave a request for the engine that owns the run, durably. False if its id is known already."""

    def requests(self, engine: int) -> list[Request]:
        """The requests about open runs that the engine owns, oldest first; cheap when there are none."""

    def drop_requests(self, request_ids: Sequence[str]) -> None:
        """Forget requests whose effects are durable."""

    def load(self, run: int) -> Snapshot:
        """Everything of one run. Raises ``NotFound``."""

    def cached(self, key: str, *, now: float) -> CacheRow | None:
        """The record of this key that has not expired."""

    def delete_runs(self, runs: Sequence[int]) -> int:
        """Forget ended runs, in batches that do not block the writer; returns how many."""

    def prune(self, *, ended_before: float, limit: int = 1000) -> list[str]:
        """Delete up to ``limit`` runs that ended before; returns their public ids: files can follow."""

    def check(self) -> list[str]:
        """Problems of the storage itself (SQLite's integrity check); empty is healthy."""

    def close(self) -> None:
        """Let go of the files."""
