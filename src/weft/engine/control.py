"""The one way in for whoever wants something of runs: the API, the scheduler, triggers, the command line.

It looks the same whether an engine lives in this process or not:

* With one, a run goes straight to it and begins within a millisecond.
* Without, a run is committed to the store as nobody's, and an engine that serves its queue claims it.

What is asked of a run that an engine owns is a durable ``Request``, which that engine takes in wherever it
lives. A run that has ended, or that nobody owns, is changed in the store itself, under an epoch of its own,
and left in its queue.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from weft.core.changes import Change, TaskChanged
from weft.core.clear import mark
from weft.engine.clock import Clock, SystemClock, entropy
from weft.engine.editing import Clearing, cleared
from weft.engine.engine import Engine
from weft.engine.intake import Intake
from weft.model.errors import RunNotResumable, StaleOwner, UsageError
from weft.model.ids import ulid
from weft.model.rows import RunRow, Snapshot, TaskRow
from weft.model.states import TERMINAL, TaskState
from weft.model.values import Result
from weft.runtime.host import RunRequest
from weft.store.protocol import NOBODY, Request, Store

QUEUE = "default"
"""The queue of runs that name none."""

MARKS = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.SKIPPED)
"""What a task run can be marked."""


class Control:
    """See the module.

    Args:
        store: Where runs live.
        engine: The engine of this process; ``None`` if it has none.
        clock: Time.
        entropy: Ten random bytes a call, for ids.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine | None = None,
        *,
        clock: Clock | None = None,
        entropy: Callable[[], bytes] = entropy,
    ) -> None:
        self.store = store
        self.engine = engine
        self.clock: Clock = clock or SystemClock()
        self._entropy = entropy
        self._intake = Intake(store, self.clock, entropy)

    # --- runs that begin ----------------------------------------------------------------------------------

    def submit(self, requests: Sequence[RunRequest], *, hold: bool = False) -> list[RunRow]:
        """Accept runs; when this returns they are durable.

        A request whose key has been used gives the run that has it, and makes none. A request without a
        queue goes into ``QUEUE``.

        Args:
            requests: What is wanted.
            hold: Keep them from every engine until ``release``.

        Returns:
            The runs, in the order of the requests.

        Raises:
            StoreError: They could not be made durable.
        """
        rows: list[RunRow | None] = []
        new: list[tuple[int, RunRequest]] = []
        for request in requests:
            known = None if request.key is None else self.store.run_by_key(request.key)
            rows.append(known)
            if known is None:
                new.append((len(rows) - 1, request))
        # Apart, because of those with keys some may have to be looked up.
        plain = [each for each in new if each[1].key is None]
        keyed = [each for each in new if each[1].key is not None]
        for batch in (plain, keyed):
            accepted = self._accept([request for _, request in batch], hold=hold) if batch else ()
            for (at, _), row in zip(batch, accepted, strict=True):
                rows[at] = row
        return [row for row in rows if row is not None]

    def release(self, runs: Sequence[int], queue: str = QUEUE) -> None:
        """Let engines take runs that were held."""
        self.store.assign(runs, queue)
        self._hurry()

    def _accept(self, requests: Sequence[RunRequest], *, hold: bool) -> list[RunRow]:
        """Runs that are new: all with a key, or all without."""
        for request in requests:
            request.queue = "" if hold else request.queue or QUEUE
            request.inline = False
        try:
            if self.engine is not None and not hold and self._serves(requests):
                runs = [pending.run for pending in self.engine.submit_all(requests)]
            else:
                runs = self._leave(requests)
        except StaleOwner:
            return [self._found(request, hold=hold, alone=len(requests) == 1) for request in requests]
        return [self.store.run_by_id(run) for run in runs]

    def _found(self, request: RunRequest, *, hold: bool, alone: bool) -> RunRow:
        """The run of a request, some of which were refused because somebody else has just used their key."""
        known = None if request.key is None else self.store.run_by_key(request.key)
        if known is not None:
            return known
        if alone:
            raise StaleOwner("the run was not accepted, and no other has its key", hint="submit it again")
        return self._accept([request], hold=hold)[0]

    def _serves(self, requests: Sequence[RunRequest]) -> bool:
        assert self.engine is not None
        return all(request.queue in self.engine.duties.queues for request in requests)

    def _leave(self, requests: Sequence[RunRequest]) -> list[int]:
        """Commit runs as nobody's."""
        added = [self._intake.accept(request, {}) for request in requests]
        runs = [each.run for each in added]
        refused = self.store.commit(added, engine=NOBODY, epochs=dict.fromkeys(runs, 0))
        if refused:
            raise StaleOwner(
                "a run of the same key was accepted at the same time", hint="look it up by its key"
            )
        self._hurry()
        return runs

    # --- runs that are there ------------------------------------------------------------------------------

    def ask(
        self,
        row: RunRow,
        kind: str,
        *,
        by: str = "",
        name: str = "",
        idx: int = -1,
        payload: Result | None = None,
        force: bool = False,
        options: dict[str, Any] | None = None,
        request_id: str | None = None,
    ) -> str:
        """Ask something of a run that has not ended; durable when this returns.

        Args:
            row: The run.
            kind, name, idx, payload, force, options: See ``store.protocol.Request``.
            by: Who asks.
            request_id: A second request of the same id is ignored; by default a new one.

        Returns:
            The request's id.

        Raises:
            RunNotResumable: The run has ended.
        """
        if row.state.terminal:
            raise RunNotResumable(f"run {row.uid} has {row.state} already", where=row.uid)
        now = self.clock.now()
        request = Request(
            request_id=request_id or ulid("req", int(now * 1000), self._entropy()),
            run=row.run,
            kind=kind,
            at=now,
            by=by,
            name=name,
            idx=idx,
            payload=payload,
            force=force,
            options=options or {},
        )
        self.store.ask(request)
        if kind == "cancel" and row.owner == NOBODY and not row.queue:
            self.store.assign([row.run], QUEUE)  # It was held: an engine has to see to its end.
        self._hurry()
        return request.request_id

    def clear(
        self,
        row: RunRow,
        *,
        tasks: Sequence[int] = (),
        downstream: bool = False,
        upstream: bool = False,
        only_failed: bool = False,
        dry_run: bool = False,
        by: str = "",
    ) -> list[TaskRow]:
        """Run parts of a run again, of one that has ended or of what has ended in one that goes on.

        Args:
            row: The run.
            tasks: Indexes of the task runs to run again; none is all of it.
            downstream, upstream: Whether all that comes after or before them runs again too.
            only_failed: Run again only what failed, was cancelled or could not start.
            dry_run: Only say which task runs it would be.
            by: Who asks.

        Returns:
            The task runs that run again, as they were before.

        Raises:
            RunNotResumable: There is nothing to run again.
        """
        clearing = Clearing(
            tasks=tuple(tasks), downstream=downstream, upstream=upstream, only_failed=only_failed
        )
        now = self.clock.now()
        snapshot = self.store.load(row.run)
        changes = cleared(snapshot, clearing, at=now)
        if not dry_run:
            if not changes:
                raise RunNotResumable(f"there is nothing to run again in run {row.uid}", where=row.uid)
            if row.state.terminal:
                self._rewrite(row, changes)
            else:
                self.ask(row, "clear", options=msgspec.to_builtins(clearing), by=by)
        return _touched(snapshot, changes)

    def mark(
        self,
        row: RunRow,
        idx: int,
        state: TaskState,
        *,
        result: Result | None = None,
        dry_run: bool = False,
        by: str = "",
    ) -> list[TaskRow]:
        """Say how a task run ended; what could not start because of its old end runs.

        Args:
            row: The run.
            idx: The task run. If it has not ended, its attempt is stopped.
            state: ``SUCCEEDED``, ``FAILED`` or ``SKIPPED``.
            result: Of a success.
            dry_run: Only say which task runs would change.
            by: Who asks.

        Returns:
            The task runs that change, as they were before; none if it has that end.

        Raises:
            UsageError: No task run can be marked so.
        """
        if state not in MARKS:
            names = ", ".join(MARKS)
            raise UsageError(f"a task run cannot be marked {state}", where=row.uid, hint=f"one of {names}")
        task = self.store.task(row.run, idx)
        snapshot = self.store.load(row.run)
        changes = mark(snapshot, idx, state, result=result, at=self.clock.now())
        if not dry_run:
            if row.state.terminal and changes:
                self._rewrite(row, changes)
            elif not row.state.terminal and (changes or task.state not in TERMINAL):
                self.ask(row, "mark", idx=idx, name=state, payload=result, by=by)
        return _touched(snapshot, changes) if task.state in TERMINAL else [task]

    def _rewrite(self, row: RunRow, changes: Sequence[Change]) -> None:
        """Commit changes of a run that nobody is at, and leave it to the engines of its queue."""
        engines = [each.engine for each in self.store.engines()]
        epoch = self.store.claim(NOBODY, now=self.clock.now(), runs=[row.run], dead=[*engines, NOBODY])[
            row.run
        ]
        refused = self.store.commit(changes, engine=NOBODY, epochs={row.run: epoch})
        if refused:
            raise StaleOwner(
                f"run {row.uid} was changed at the same time", where=row.uid, hint="look at it again"
            )
        if not row.queue:
            self.store.assign([row.run], QUEUE)
        self._hurry()

    def _hurry(self) -> None:
        if self.engine is not None:
            self.engine.hurry()


def _touched(snapshot: Snapshot, changes: Sequence[Change]) -> list[TaskRow]:
    """The task runs that changes are about, as they are before them."""
    indexes = {each.idx for each in changes if isinstance(each, TaskChanged)}
    return [each for each in snapshot.tasks if each.idx in indexes]
