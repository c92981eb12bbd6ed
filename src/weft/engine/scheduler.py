"""The scheduler: looks for schedules that are due, and has their ticks' runs submitted.

Rules:

1. A record is decided about (``core/ticking.py``), written, acted on, and written again. Each write expects
   the revision that was read, so that any number of schedulers may share a store: the one that comes late
   finds the record changed and leaves it.
2. A tick's run is submitted with the key of its schedule and tick. Submitting it again, after a crash or by
   another scheduler, finds the run that is there.
3. A schedule that cannot go on never holds up another: it is looked at again later, and says why.

``max_active_runs`` is counted from the store. Two schedulers that decide about two schedules of one workflow
in the same moment may each see the last free place; a single schedule never exceeds it.
"""

import logging
from collections.abc import Sequence
from threading import Event, Lock, Thread
from time import sleep
from typing import Any, Protocol

from msgspec.structs import replace

from weft.core import ticking
from weft.core.ticking import Standing
from weft.engine.clock import Clock
from weft.model.errors import Conflict, NotFound, RunNotResumable, UsageError, WeftError, WorldError
from weft.model.rows import RunRow
from weft.model.schedules import KIND, Overlap, Scheduled, run_key
from weft.runtime.host import RunRequest
from weft.store.protocol import Store, Write
from weft.store.records import Collection, Entry

SCHEDULES = Collection(KIND, Scheduled)

ROUND = 200
"""Schedules that are decided about together: two writes of the store for all of them."""

RUNS_MAX = 2000
"""Runs that one round submits at most."""

GATHER_S = 0.02
"""How long what follows a call to look is waited for: many runs may end at once."""

LOOK_S = 1.0
"""How often to look for what other processes wrote."""

_BACK_OFF_MAX_S = 30.0
_OPEN = "state:scheduled,queued,running,paused"
_log = logging.getLogger("weft.scheduler")


class Workflows(Protocol):
    """What the scheduler must know of workflows."""

    def ready(self, name: str) -> bool:
        """Whether schedules may run it now: it is neither paused nor gone."""

    def request(
        self, name: str, *, params: dict[str, Any], facts: dict[str, Any], key: str, tags: tuple[str, ...]
    ) -> RunRequest:
        """A run of its newest version.

        Raises:
            NotFound: There is no such workflow.
            ParameterError: The parameters do not fit.
        """


class Submits(Protocol):
    """The way in for runs and for what is asked of them."""

    def submit(self, requests: Sequence[RunRequest]) -> list[RunRow]:
        """Have runs accepted, durably; a key that is known gives the run that has it."""

    def ask(self, row: RunRow, kind: str, *, by: str = "", request_id: str | None = None) -> object:
        """Ask something of whoever owns a run; an id that is known is ignored.

        Raises:
            RunNotResumable: The run has ended.
        """


class Scheduler:
    """The loop over schedules.

    Args:
        store: Keeps them.
        control: Takes their runs.
        workflows: Say what to run.
        clock: The time.
    """

    def __init__(self, store: Store, control: Submits, workflows: Workflows, *, clock: Clock) -> None:
        self._store = store
        self._control = control
        self._workflows = workflows
        self._clock = clock
        self._woken = Event()
        self._closed = False
        self._thread: Thread | None = None
        self._lock = Lock()
        self._ended: set[str] = set()

    # --- the loop -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on by itself, in a thread, until ``close``."""
        self._thread = Thread(target=self._run, name="weft-scheduler", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at once: something about schedules was written."""
        self._woken.set()

    def ended(self, workflow: str) -> None:
        """Tell that a run of this workflow has ended, which its schedules may wait for."""
        with self._lock:
            self._ended.add(workflow)
        self._woken.set()

    def close(self) -> None:
        """Stop after the round that is under way."""
        self._closed = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        back_off_s = 0.0
        while not self._closed:
            now = self._clock.now()
            try:
                due = self.step(now)
                wait_s = LOOK_S if due is None else min(max(due - now, 0.0), LOOK_S)
                back_off_s = 0.0
            except WorldError as exc:
                wait_s = back_off_s = min(max(back_off_s * 2, 0.5), _BACK_OFF_MAX_S)
                _log.warning("schedules wait %.1f s for the store: %s", wait_s, exc.what)
            except Exception:
                # A bug must not stop every schedule in silence; what is decided is durable.
                wait_s = back_off_s = _BACK_OFF_MAX_S
                _log.exception("a round of the scheduler failed")
            if wait_s and self._woken.wait(wait_s) and not self._closed:
                sleep(GATHER_S)
            self._woken.clear()

    # --- one round ------------------------------------------------------------------------------------------

    def step(self, now: float) -> float | None:
        """Act on all that is due; returns when the next schedule is due, ``None`` if none is.

        Raises:
            StoreError: Nothing is lost: what was decided is acted on by the next step.
        """
        self._look_at_blocked(now)
        while True:
            due = SCHEDULES.due(self._store, before=now, limit=ROUND)
            if not due:
                following = SCHEDULES.due(self._store, before=float("inf"), limit=1)
                return following[0].due_at if following else None
            self._round(due, now)
            if self._closed:
                return now

    def _look_at_blocked(self, now: float) -> None:
        with self._lock:
            ended, self._ended = self._ended, set()
        for workflow in ended:
            found = SCHEDULES.all(self._store, prefix=f"{workflow}#")
            self._round([each for each in found if each.value.blocked and not each.value.paused], now)

    def _round(self, entries: list[Entry[Scheduled]], now: float) -> None:
        """Decide about these, write it, submit, write how it went."""
        standings = _Standings(self._store)
        decided: list[Entry[Scheduled]] = []
        room = RUNS_MAX
        for entry in entries:
            state = self._decide(entry.value, now, standings, room)
            room = max(room - len(state.submitting), 1)
            decided.append(Entry(entry.name, state, entry.revision, entry.at, ticking.due_at(state, now)))
        written = self._write(decided, now)
        for entry in written:
            if entry.value.cancelled:
                self._cancel(entry.value)
        self._submit([each for each in written if each.value.submitting], now)

    def _decide(self, state: Scheduled, now: float, standings: "_Standings", room: int) -> Scheduled:
        if not state.submitting and not self._workflows.ready(state.workflow):
            return replace(state, blocked=f"workflow {state.workflow} is paused or gone")
        standing = standings.of(state)
        decided = ticking.decide(state, now, standing, room=min(room, ticking.BATCH))
        if not state.submitting:
            standings.count(state, len(decided.submitting))
        return decided

    def _submit(self, entries: list[Entry[Scheduled]], now: float) -> None:
        """Submit the runs of decided ticks, and write that they are."""
        requests: list[RunRequest] = []
        ready: list[Entry[Scheduled]] = []
        settled: list[Entry[Scheduled]] = []
        for entry in entries:
            try:
                requests += self._requests(entry.value)
                ready.append(entry)
            except WeftError as exc:
                settled.append(_failed(entry, exc, now))
        try:
            rows = iter(self._control.submit(requests) if requests else ())
            settled += [
                _settled(each, [next(rows).uid for _ in each.value.submitting], now) for each in ready
            ]
        except UsageError:
            # One of them is at fault; alone, it does not keep the others.
            settled += [self._submit_one(each, now) for each in ready]
        self._write(settled, now)

    def _submit_one(self, entry: Entry[Scheduled], now: float) -> Entry[Scheduled]:
        try:
            rows = self._control.submit(self._requests(entry.value))
        except UsageError as exc:
            return _failed(entry, exc, now)
        return _settled(entry, [each.uid for each in rows], now)

    def _requests(self, state: Scheduled) -> list[RunRequest]:
        schedule = state.schedule
        return [
            self._workflows.request(
                state.workflow,
                params=schedule.params,
                facts=ticking.facts(state, tick),
                key=run_key(state.workflow, schedule.name, tick),
                tags=(f"schedule:{schedule.name}",),
            )
            for tick in state.submitting
        ]

    def _cancel(self, state: Scheduled) -> None:
        """Ask the run before to make room. The request's id makes asking again harmless."""
        try:
            row = self._store.run(state.cancelled)
            request_id = f"schedule:{state.name}:{row.uid}"
            self._control.ask(row, "cancel", by=f"schedule {state.name}", request_id=request_id)
        except (NotFound, RunNotResumable):
            pass  # It made room already.

    def _write(self, entries: list[Entry[Scheduled]], now: float) -> list[Entry[Scheduled]]:
        """Write records that nobody else has changed; returns these, with their new revisions."""
        if not entries:
            return []
        try:
            return self._write_all(entries, now)
        except Conflict:
            pass
        written: list[Entry[Scheduled]] = []
        for entry in entries:
            try:
                written += self._write_all([entry], now)
            except Conflict:
                pass  # Whoever changed it wrote when it is due; it is read again then.
        return written

    def _write_all(self, entries: list[Entry[Scheduled]], now: float) -> list[Entry[Scheduled]]:
        writes: list[Write] = [
            SCHEDULES.put(each.name, each.value, due_at=each.due_at, expect=each.revision) for each in entries
        ]
        revisions = self._store.write(writes, at=now)
        return [
            Entry(each.name, each.value, revision, now, each.due_at)
            for each, revision in zip(entries, revisions, strict=True)
        ]


class _Standings:
    """How runs stand in one round; each workflow is counted once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open_runs: dict[str, dict[int, int]] = {}

    def of(self, state: Scheduled) -> Standing:
        schedule = state.schedule
        previous = None
        if state.last_run and (schedule.overlap is not Overlap.ALLOW or schedule.depends_on_previous):
            try:
                previous = self._store.run(state.last_run).state
            except NotFound:
                pass  # It was deleted, so it is neither open nor failed.
        open_runs = 0
        if schedule.max_active_runs is not None:
            open_runs = self._count(state.workflow, schedule.max_active_runs)
        return Standing(previous, open_runs)

    def count(self, state: Scheduled, more: int) -> None:
        """Runs of this workflow will be submitted in this round."""
        counts = self._open_runs.get(state.workflow, {})
        for most in counts:
            counts[most] += more

    def _count(self, workflow: str, most: int) -> int:
        counts = self._open_runs.setdefault(workflow, {})
        if most not in counts:
            quoted = workflow.replace("\\", "\\\\").replace('"', '\\"')
            counts[most] = len(self._store.runs(f'workflow:"{quoted}" {_OPEN}', limit=most))
        return counts[most]


def _settled(entry: Entry[Scheduled], runs: list[str], now: float) -> Entry[Scheduled]:
    state = ticking.settle(entry.value, runs)
    return Entry(entry.name, state, entry.revision, entry.at, ticking.due_at(state, now))


def _failed(entry: Entry[Scheduled], error: WeftError, now: float) -> Entry[Scheduled]:
    state = replace(entry.value, error=f"{error.code}: {error.what}")
    return Entry(entry.name, state, entry.revision, entry.at, ticking.due_at(state, now))
