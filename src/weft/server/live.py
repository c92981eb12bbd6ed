"""Committed events as they come, for any number of clients.

Rules:

1. One follower reads the log for everybody, and only while somebody listens. It is woken by the engine's
   commits where there is one in the process, and looks by itself all the same: other processes commit too.
2. A client is a cursor and a filter, not a buffer: what it has not read stays in the ring of recent events,
   and behind that in the store. So a client that reads slowly costs no memory, however far it falls behind.
3. A client gets at most ``PACE`` messages a second. What happens meanwhile comes as one; when that is more
   than ``BATCH`` changes, those that a later one replaces are left out, then task runs are only counted run
   by run, and a client that is ``BEHIND_MAX`` events behind is told to read everything anew. A client that
   wants every change says so, and gets each of them, as fast as it reads.
4. Every message has the ``seq`` of the last change that it covers as its id, so a client that was dropped
   goes on where it was with ``Last-Event-ID``.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from time import monotonic

import msgspec
from anyio import to_thread

from weft.core.changes import RunAdded
from weft.model.errors import NotFound, TooMany, WeftError
from weft.server.changes import ChangeView, change_view
from weft.store.protocol import EventRow, Store

PACE = 4
"""Messages a second to one client at most."""

BATCH = 500
"""Changes in a message, beyond which they are brought together."""

WHOLE_BATCH = 2000
"""Changes in a message for a client that wants every one."""

RING = 20_000
"""Recent changes that are kept for clients that are a little behind."""

BEHIND_MAX = 200_000
"""Changes that a client may be behind before it is told to read everything anew."""

HEARTBEAT_S = 15.0
POLL_S = 0.25
CLIENTS_MAX = 1000

_PAGE = 5000
_NAMES_MAX = 20_000
_encode = msgspec.json.Encoder().encode


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants to hear of.

    Attributes:
        run: Id of a run; "" is every one.
        workflow: Name of a workflow; "" is every one.
        kinds: Kinds of changes; none is all.
        whole: Whether it wants every single change.
    """

    run: str = ""
    workflow: str = ""
    kinds: frozenset[str] = frozenset()
    whole: bool = False

    def takes(self, change: ChangeView) -> bool:
        """Whether it wants to hear of this one."""
        return (
            (not self.run or change.run == self.run)
            and (not self.workflow or change.workflow == self.workflow)
            and (not self.kinds or change.kind in self.kinds)
        )


class ManyView(msgspec.Struct, frozen=True, kw_only=True):
    """A run in which more happened than a message holds: read its task runs anew.

    Attributes:
        run: Its id.
        workflow: Its workflow.
        changes: How many changes of its task runs are not told one by one.
    """

    run: str
    workflow: str
    changes: int


class LiveBatch(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one message tells.

    Attributes:
        changes: In the order of the log.
        many: Runs whose task runs changed too often to tell.
        skipped: Changes left out because a later one of the same task run or run replaces them.
        refetch: Whether so much happened that everything has to be read anew.
    """

    changes: list[ChangeView] = []
    many: list[ManyView] = []
    skipped: int = 0
    refetch: bool = False


class Live:
    """See the module.

    Args:
        store: Whose log is followed.
        listen: Has a function called after commits of this process, from any thread; ``None``: nobody can.
        poll_s: How often the follower looks by itself.
        heartbeat_s: After how long without news a client gets a sign of life.
    """

    def __init__(
        self,
        store: Store,
        listen: Callable[[Callable[[], None]], None] | None = None,
        *,
        poll_s: float = POLL_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._store = store
        self._poll_s = poll_s
        self._heartbeat_s = heartbeat_s
        self._ring: list[ChangeView] = []
        self._ring_from = 0
        self._seq = 0
        self._names: dict[int, tuple[str, str]] = {}
        self._clients = 0
        self._follower: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None
        self._wake: asyncio.Event | None = None
        self._awake = False
        self._closed = False
        if listen is not None:
            listen(self._hurry)

    @property
    def clients(self) -> int:
        """How many listen now."""
        return self._clients

    @property
    def held(self) -> int:
        """Changes in memory now: bounded, whoever listens."""
        return len(self._ring)

    @property
    def closed(self) -> bool:
        """Whether the service is going down."""
        return self._closed

    def check_room(self) -> None:
        """Refuse a client too many.

        Raises:
            TooMany: There are as many as the service takes.
        """
        if self._clients >= CLIENTS_MAX:
            raise TooMany("too many clients listen for events", hint="try again in a moment")

    def close(self) -> None:
        """End every client's stream; call it on the loop that serves them."""
        self._closed = True
        if self._news is not None:
            self._news.set()
        if self._wake is not None:
            self._wake.set()

    # --- for clients --------------------------------------------------------------------------------------

    async def stream(self, wanted: Wanted, after: int | None) -> AsyncGenerator[bytes, None]:
        """The messages for one client, as server-sent events.

        Args:
            wanted: What it wants to hear of.
            after: The ``seq`` of the last change that it knows; ``None`` begins now.

        """
        self._clients += 1
        try:
            await self._begin()
            seq = self._seq if after is None else min(after, self._seq)
            yield _event("ready", {"seq": seq}, seq, prefix="retry: 1000\n")
            sent = -1.0
            while not self._closed:
                if not await self._news_after(seq):
                    yield f"id: {seq}\n: \n\n".encode()
                    continue
                if not wanted.whole:
                    await asyncio.sleep(max(sent + 1 / PACE - monotonic(), 0.0))
                batch, seq = await self._batch(wanted, seq)
                if batch is not None:
                    sent = monotonic()
                    yield _event("changes", batch, seq)
        finally:
            self._clients -= 1
            if self._wake is not None:
                self._wake.set()

    async def _news_after(self, seq: int) -> bool:
        """Wait until there is something after ``seq``; False if there was nothing for a while."""
        if self._seq > seq or self._closed:
            return not self._closed
        news = self._news
        assert news is not None
        try:
            await asyncio.wait_for(news.wait(), self._heartbeat_s)
        except TimeoutError:
            await self._begin()  # Should the follower have failed, another one takes its place.
            return False
        return not self._closed

    async def _batch(self, wanted: Wanted, seq: int) -> tuple[LiveBatch | None, int]:
        """The next message for a client at ``seq``, and where it is after that."""
        now = self._seq
        if not wanted.whole and now - seq > BEHIND_MAX:
            return LiveBatch(refetch=True), now
        if seq >= self._ring_from:
            changes, reached = self._after(seq), now
        else:
            limit = WHOLE_BATCH if wanted.whole else RING
            changes, reached = await to_thread.run_sync(self._read, seq, limit)
        mine = [each for each in changes if wanted.takes(each)]
        if not mine:
            return None, reached
        if not wanted.whole:
            return coalesced(mine), reached
        if len(mine) > WHOLE_BATCH:
            mine = mine[:WHOLE_BATCH]
            reached = mine[-1].seq
        return LiveBatch(changes=mine), reached

    def _after(self, seq: int) -> list[ChangeView]:
        """The changes of the ring after ``seq``."""
        low, high = 0, len(self._ring)
        while low < high:
            middle = (low + high) // 2
            if self._ring[middle].seq <= seq:
                low = middle + 1
            else:
                high = middle
        return self._ring[low:]

    # --- following ----------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Make sure that the log is being followed, on this loop."""
        loop = asyncio.get_running_loop()
        if self._follower is not None and not self._follower.done() and self._loop is loop:
            return
        self._loop, self._news, self._wake = loop, asyncio.Event(), asyncio.Event()
        self._ring.clear()
        # No await between here and the end: two clients that come at once make one follower.
        self._follower = loop.create_task(self._follow())
        self._seq = self._ring_from = self._store.last_seq()

    async def _follow(self) -> None:
        assert self._wake is not None
        assert self._news is not None
        while self._clients and not self._closed:
            self._awake = False
            found, reached = await to_thread.run_sync(self._look)
            if reached > self._seq:
                # Both at once, and on the loop: a client must not see the number without the changes.
                self._seq = reached
                self._ring += found
                if len(self._ring) > RING:
                    del self._ring[: len(self._ring) - RING]
                    self._ring_from = self._ring[0].seq - 1
                news, self._news = self._news, asyncio.Event()
                news.set()
            if len(found) < _PAGE // 2:
                try:
                    await asyncio.wait_for(self._wake.wait(), self._poll_s)
                except TimeoutError:
                    pass
                self._wake.clear()
        self._ring.clear()

    def _look(self) -> tuple[list[ChangeView], int]:
        """What is new in the log, and up to where. A store that fails is asked again later."""
        try:
            return self._read(self._seq, _PAGE)
        except WeftError:
            return [], self._seq

    def _read(self, seq: int, limit: int) -> tuple[list[ChangeView], int]:
        """The changes after ``seq``, and up to where they go."""
        rows = self._store.events_since(seq, limit=limit)
        return self._views(rows), rows[-1].seq if rows else max(seq, self._seq)

    def _views(self, rows: Sequence[EventRow]) -> list[ChangeView]:
        views = []
        for row in rows:
            name = self._name(row)
            if name is not None:
                views.append(change_view(row, *name))
        return views

    def _name(self, row: EventRow) -> tuple[str, str] | None:
        """A run's id and workflow; ``None`` if it was deleted meanwhile."""
        name = self._names.get(row.run)
        if name is None:
            if isinstance(row.change, RunAdded):
                name = row.change.uid, row.change.workflow
            else:
                try:
                    run = self._store.run_by_id(row.run)
                except NotFound:
                    return None
                name = run.uid, run.workflow
            if len(self._names) >= _NAMES_MAX:
                self._names.clear()
            self._names[row.run] = name
        return name

    def _hurry(self) -> None:
        """Something was committed; called from any thread, for every commit."""
        loop, wake = self._loop, self._wake
        if self._awake or loop is None or wake is None or not self._clients:
            return
        self._awake = True
        try:
            loop.call_soon_threadsafe(wake.set)
        except RuntimeError:
            pass  # The loop has ended, and the clients with it.


def coalesced(changes: list[ChangeView]) -> LiveBatch:
    """Changes brought together until they fit into a message."""
    if len(changes) <= BATCH:
        return LiveBatch(changes=changes)
    last = {_identity(each): each.seq for each in changes}
    kept = [each for each in changes if last[_identity(each)] == each.seq]
    skipped = len(changes) - len(kept)
    if len(kept) <= BATCH:
        return LiveBatch(changes=kept, skipped=skipped)
    counts = Counter((each.run, each.workflow) for each in kept if each.idx >= 0)
    kept = [each for each in kept if each.idx < 0]
    if len(kept) > BATCH or len(counts) > BATCH:
        return LiveBatch(refetch=True)
    many = [ManyView(run=run, workflow=name, changes=count) for (run, name), count in counts.items()]
    return LiveBatch(changes=kept, many=many, skipped=skipped)


def _identity(change: ChangeView) -> tuple[object, ...]:
    """What a later change of the same identity replaces; others are of one of their own."""
    if change.kind in ("task", "run"):
        return change.kind, change.run, change.idx
    return (change.seq,)


def _event(name: str, data: object, seq: int, *, prefix: str = "") -> bytes:
    return f"{prefix}id: {seq}\nevent: {name}\ndata: ".encode() + _encode(data) + b"\n\n"
