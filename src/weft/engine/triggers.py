"""The trigger service: from what happened to the runs that it starts, each exactly once.

Three steps, each one transaction of records:

1. *Something happens*: a ``happening`` record is written. Runs' ends and updates of assets are read from the
   event log by a follower (``reactions``); events are sent by people and programs; files are looked for.
2. *Triggers see it*: every trigger that waits for it is written together with the happening, which is done
   with then, and with a ``launch`` for each one that fires.
3. *Runs are started*: a launch is submitted under its own key, and deleted.

Whatever crashes in between leaves records that the next loop goes on with, in this process or another.
"""

import glob
import logging
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from threading import Event, Thread
from typing import Any, Protocol

from msgspec.structs import replace

from weft.core.changes import RunChanged, TaskChanged
from weft.core.nodes import NodesByRow
from weft.core.triggering import due_at, fire, leaves, patterns_of, see
from weft.engine.clock import Clock, entropy
from weft.model.errors import Conflict, NotFound, UsageError, WeftError, WorldError
from weft.model.graph import Declared
from weft.model.ids import ulid
from weft.model.rows import RunRow
from weft.model.states import RUN_TERMINAL, TaskState
from weft.model.triggers import (
    ASSET,
    HAPPENING,
    LAUNCH,
    TOLD,
    Armed,
    AssetEntry,
    Happening,
    Launch,
    OnFile,
    OnRun,
    Source,
    Told,
)
from weft.projects.records import TRIGGERS
from weft.runtime.host import RunRequest
from weft.store.protocol import EventRow, Reader, Store, Write
from weft.store.records import Collection, Entry

HAPPENINGS = Collection(HAPPENING, Happening)
TELLINGS = Collection(TOLD, Told)
LAUNCHES = Collection(LAUNCH, Launch)
ASSETS = Collection(ASSET, AssetEntry)

LOOK_S = 0.5
"""How often to look for what other processes wrote."""

ROUND = 200
"""Happenings and launches dealt with at once."""

TRIES_MAX = 20
"""How often starting a run is tried when the world is at fault."""

_log = logging.getLogger("weft.triggers")


class Workflows(Protocol):
    """What the trigger service must know of workflows; see ``scheduler.Workflows``."""

    def ready(self, name: str) -> bool:
        """Whether triggers may run it now: it is neither paused nor gone."""

    def request(
        self, name: str, *, params: dict[str, Any], facts: dict[str, Any], key: str, tags: tuple[str, ...]
    ) -> RunRequest:
        """A run of its newest version."""


class Submits(Protocol):
    """The way in for runs; see ``engine/control.py``."""

    def submit(self, requests: Sequence[RunRequest]) -> list[RunRow]:
        """Have runs accepted, durably; a key that is known gives the run that has it."""


# --- something happens ------------------------------------------------------------------------------------


def happen(
    store: Store,
    happening: Happening,
    *,
    clock: Clock,
    entropy: Callable[[], bytes] = entropy,
) -> str:
    """Let triggers know of something. A second one with the same key is ignored.

    Args:
        store: Where it is kept.
        happening: What happened.
        clock: The time.
        entropy: Ten random bytes a call, for ids.

    Returns:
        Its id, or that of the first one with its key.
    """
    name = ulid("hap", int(happening.at * 1000), entropy())
    writes = [HAPPENINGS.put(name, happening, due_at=clock.now(), expect=0)]
    if happening.key:
        writes.append(TELLINGS.put(happening.key, Told(happening=name), expect=0))
    try:
        store.write(writes, at=clock.now())
    except Conflict:
        return TELLINGS.require(store, happening.key).value.happening
    return name


def forget(store: Store, happenings: Sequence[Entry[Happening]], *, at: float) -> None:
    """Keep these happenings no longer; their keys are free again."""
    writes = [HAPPENINGS.drop(each.name) for each in happenings]
    writes += [TELLINGS.drop(each.value.key) for each in happenings if each.value.key]
    store.write(writes, at=at)


class Reactions:
    """Finds in the event log what triggers may wait for: a reaction for ``engine/follower.py``.

    Args:
        store: Says what the changes are about.
    """

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._producers: dict[str, bool] = {}

    def __call__(self, events: Sequence[EventRow]) -> list[Write]:
        """The happenings in a batch of events, under names that are the same whoever finds them."""
        watched = self._watched()
        runs = _Runs(self._store)
        updates = _Updates(self._store)
        writes: list[Write] = []
        for event in events:
            change = event.change
            if isinstance(change, RunChanged) and change.state in RUN_TERMINAL:
                row = runs.row(change.run) if watched else None
                if row is not None and row.workflow in watched:
                    writes.append(_ended(event, change, row))
            elif isinstance(change, TaskChanged) and change.state is TaskState.SUCCEEDED:
                row = runs.row(change.run)
                if row is None or not self._produces(row):
                    continue
                for number, declared in enumerate(runs.outputs(row, change.idx)):
                    writes.append(_updated(event, number, declared, row, change.idx))
                    updates.add(event, declared, row, change.idx)
        return writes + updates.writes()

    def _watched(self) -> frozenset[str]:
        """Workflows whose end somebody waits for."""
        return frozenset(
            leaf.workflow
            for entry in TRIGGERS.all(self._store)
            for leaf in leaves(entry.value.trigger.when)
            if isinstance(leaf, OnRun)
        )

    def _produces(self, row: RunRow) -> bool:
        """Whether task runs of this graph may update assets at all."""
        known = self._producers.get(row.graph)
        if known is None:
            try:
                graph = self._store.graph(row.graph)
            except NotFound:
                return False
            nodes = [graph.root, *(node for group in graph.groups.values() for node in group.nodes)]
            # What a flow calls shows only when it is called.
            known = any(each.outputs or getattr(each.call, "flow", False) for each in nodes)
            self._producers[row.graph] = known
        return known


class _Runs:
    """What the changes of one batch are about; each run is looked up once."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._rows: dict[int, RunRow | None] = {}
        self._nodes: dict[int, NodesByRow] = {}

    def row(self, run: int) -> RunRow | None:
        """The run; ``None`` if it was deleted."""
        if run not in self._rows:
            try:
                self._rows[run] = self._store.run_by_id(run)
            except NotFound:
                self._rows[run] = None
        return self._rows[run]

    def outputs(self, row: RunRow, idx: int) -> list[Declared]:
        """The assets that a task run says it updates."""
        store, run = self._store, row.run
        nodes = self._nodes.get(run)
        if nodes is None:
            nodes = NodesByRow(
                store.graph(row.graph), store.nodes(run), lambda at: store.task(run, at) if at >= 0 else None
            )
            self._nodes[run] = nodes
        task = store.task(run, idx)
        node = nodes.of(task)
        if node.map is not None and task.kind != "item":
            return []  # Each of its items has said so.
        return [each for each in node.outputs if each.kind == "asset"]


class _Updates:
    """How assets stand after a batch."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._entries: dict[str, Entry[AssetEntry] | None] = {}
        self._values: dict[str, AssetEntry] = {}

    def add(self, event: EventRow, declared: Declared, row: RunRow, task: int) -> None:
        """A task run has updated an asset."""
        name = declared.name
        if name not in self._entries:
            entry = self._entries[name] = ASSETS.get(self._store, name)
            self._values[name] = AssetEntry() if entry is None else entry.value
        before = self._values[name]
        self._values[name] = AssetEntry(
            uri=declared.uri or before.uri,
            updates=before.updates + 1,
            updated_at=event.at,
            run=row.uid,
            task=task,
            metadata=declared.metadata,
        )

    def writes(self) -> list[Write]:
        """What to keep."""
        made: list[Write] = []
        for name, value in self._values.items():
            entry = self._entries[name]
            made.append(ASSETS.put(name, value, expect=0 if entry is None else entry.revision))
        return made


def _ended(event: EventRow, change: RunChanged, row: RunRow) -> Write:
    happening = Happening(
        source=Source.RUN,
        name=row.workflow,
        at=event.at,
        payload={"state": change.state.value, "run": row.uid},
        run=row.uid,
    )
    return HAPPENINGS.put(_name(event, 0), happening, due_at=event.at)


def _updated(event: EventRow, number: int, declared: Declared, run: RunRow, task: int) -> Write:
    happening = Happening(
        source=Source.ASSET,
        name=declared.name,
        at=event.at,
        payload={"uri": declared.uri, "task": task, **declared.metadata},
        run=run.uid,
    )
    return HAPPENINGS.put(_name(event, number), happening, due_at=event.at)


def _name(event: EventRow, number: int) -> str:
    """The id of what an event of the log means: made from its place there, and sorted by time."""
    place = event.seq.to_bytes(8, "big") + number.to_bytes(2, "big")
    return ulid("hap", int(event.at * 1000), place)


# --- triggers see it, and runs are started ----------------------------------------------------------------


class Triggers:
    """The loop over happenings, files and launches.

    Args:
        store: Keeps them.
        control: Takes the runs.
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

    # --- what people do -----------------------------------------------------------------------------------

    def pause(self, name: str, *, by: str = "") -> Entry[Armed]:
        """Let things pass a trigger by; ``name`` is its record's. Raises ``NotFound``."""
        return self._set(name, True, by)

    def resume(self, name: str, *, by: str = "") -> Entry[Armed]:
        """Let it watch again, from now on. Raises ``NotFound``."""
        return self._set(name, False, by)

    def _set(self, name: str, paused: bool, by: str) -> Entry[Armed]:
        while True:
            entry = TRIGGERS.require(self._store, name)
            now = self._clock.now()
            value = replace(entry.value, paused=paused, changed_by=by, looked=False)
            try:
                return TRIGGERS.save(
                    self._store, name, value, at=now, due_at=due_at(value, now), expect=entry.revision
                )
            except Conflict:
                continue

    # --- the loop's life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on by itself, in a thread, until ``close``."""
        self._thread = Thread(target=self._run, name="weft-triggers", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Something happened."""
        self._woken.set()

    def close(self) -> None:
        """Stop after the step that is under way."""
        self._closed = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            try:
                if self.step(self._clock.now()):
                    continue
            except WorldError as exc:
                _log.warning("triggers wait for the store: %s", exc.what)
            except Exception:
                _log.exception("a step of the triggers failed")
            self._woken.wait(LOOK_S)
            self._woken.clear()

    # --- one step -----------------------------------------------------------------------------------------

    def step(self, now: float) -> bool:
        """Deal with what is due. Returns whether there may be more at once.

        Raises:
            StoreError: Nothing is lost by it.
        """
        due = TRIGGERS.due(self._store, before=now, limit=ROUND)
        looked = self._look_for_files(due, now)
        happened = self._see([each.name for each in due if _rests(each.value)], now)
        launched = self._launch(now)
        return looked or happened or launched

    def _see(self, cooled: Sequence[str], now: float) -> bool:
        """Show new happenings to triggers that wait for them; let those fire that need rest no more."""
        found = HAPPENINGS.due(self._store, before=now, limit=ROUND)
        if not found and not cooled:
            return False
        entries = {each.name: each for each in TRIGGERS.all(self._store)}
        states = {name: each.value for name, each in entries.items()}
        launches: list[Launch] = []
        for happening in found:
            for name, armed in states.items():
                states[name], launch = see(armed, happening.name, happening.value, now)
                launches += [launch] if launch is not None else []
        for name in [each for each in cooled if each in states]:
            states[name], launch = fire(states[name], now)
            launches += [launch] if launch is not None else []
        writes = [HAPPENINGS.put(each.name, each.value, expect=each.revision) for each in found]
        writes += [LAUNCHES.put(each.key, each, due_at=now, expect=0) for each in launches]
        for name, entry in entries.items():
            if states[name] != entry.value:
                writes.append(
                    TRIGGERS.put(name, states[name], due_at=due_at(states[name], now), expect=entry.revision)
                )
        return self._write(writes, now)

    def _launch(self, now: float) -> bool:
        """Start the runs that are decided."""
        found = LAUNCHES.due(self._store, before=now, limit=ROUND)
        for entry in found:
            self._start(entry, now)
        return len(found) == ROUND

    def _start(self, entry: Entry[Launch], now: float) -> None:
        launch = entry.value
        run, error = "", ""
        try:
            if not self._workflows.ready(launch.workflow):
                raise UsageError(f"workflow {launch.workflow} is paused or gone")
            request = self._workflows.request(
                launch.workflow, params=launch.params, facts=launch.facts, key=launch.key, tags=launch.tags
            )
            run = self._control.submit([request])[0].uid
        except UsageError as exc:
            error = f"{exc.code}: {exc.what}"
        except WeftError as exc:
            if launch.tries < TRIES_MAX:
                again = replace(launch, tries=launch.tries + 1)
                due = now + min(60.0, 0.5 * 2**launch.tries)
                self._write([LAUNCHES.put(entry.name, again, due_at=due, expect=entry.revision)], now)
                return
            error = f"{exc.code}: {exc.what}"
        if error:
            _log.warning("trigger %s could not start a run: %s", launch.trigger, error)
        writes = [LAUNCHES.drop(entry.name, expect=entry.revision)]
        trigger = TRIGGERS.get(self._store, launch.trigger)
        if trigger is not None:
            value = replace(trigger.value, last_run=run or trigger.value.last_run, error=error)
            due = due_at(value, now)
            writes.append(TRIGGERS.put(trigger.name, value, due_at=due, expect=trigger.revision))
        self._write(writes, now)

    # --- files --------------------------------------------------------------------------------------------

    def _look_for_files(self, due: Sequence[Entry[Armed]], now: float) -> bool:
        """Look for the files of the triggers that are due."""
        more = False
        for entry in due:
            patterns = patterns_of(entry.value)
            if patterns and not entry.value.paused:
                more = self._look(entry, patterns, now) or more
        return more

    def _look(self, entry: Entry[Armed], patterns: list[OnFile], now: float) -> bool:
        armed = entry.value
        files: dict[str, tuple[float, int]] = {}
        writes: list[Write] = []
        for leaf in patterns:
            for path in glob.iglob(leaf.pattern, recursive=True, include_hidden=False):
                found = _file(path)
                if found is None:
                    continue
                known = armed.files.get(path)
                if now - found[0] < leaf.still_s and found != known:
                    if known is not None:
                        files[path] = known
                    continue  # It is being written: its turn comes.
                files[path] = found
                if armed.looked and found != known:
                    happening = Happening(
                        source=Source.FILE,
                        name=leaf.pattern,
                        at=now,
                        payload={"path": path, "modified_at": found[0], "size": found[1]},
                    )
                    seen = f"{entry.name}:{path}:{found[0]}:{found[1]}".encode(errors="surrogateescape")
                    name = ulid("hap", int(now * 1000), blake2b(seen, digest_size=10).digest())
                    writes.append(HAPPENINGS.put(name, happening, due_at=now))
        value = replace(armed, files=files, looked=True)
        writes.append(TRIGGERS.put(entry.name, value, due_at=due_at(value, now), expect=entry.revision))
        return self._write(writes, now) and len(writes) > 1

    def _write(self, writes: list[Write], now: float) -> bool:
        try:
            self._store.write(writes, at=now)
        except Conflict:
            return True  # Somebody was quicker: look at what is left.
        return True


def _rests(armed: Armed) -> bool:
    """Whether a trigger saw something while it rested, and is not due for its files."""
    return bool(armed.seen) and not patterns_of(armed)


def _file(path: str) -> tuple[float, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime, found.st_size) if not os.path.isdir(path) else None
