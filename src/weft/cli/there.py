"""A service elsewhere, as commands see it: ``--server URL``.

Commands ask the same questions of it as of the store on this machine, and print what comes back with the same
code. So ``Distant`` answers the part of ``Store`` that they ask, through the API; whatever else is asked of
it needs the store itself, and is refused with one error (``NotRemote``).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeVar, cast

from msgspec import UNSET

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.cli import there_rows as rows
from weft.cli.reading import Home
from weft.client import Client
from weft.client.call import Page
from weft.client.face import Pager
from weft.client.models import Answer, Cancel, Signal, ValueView
from weft.model.attempts import Published
from weft.model.errors import NotFound, NotRemote, UntrustedValue
from weft.model.rows import MapRow, RunRow, TaskRow
from weft.model.schedules import Schedule
from weft.model.states import TaskState
from weft.model.values import NONE, Result
from weft.projects.records import SCHEDULES, WORKFLOWS
from weft.settings import Settings
from weft.store.protocol import EngineRow, EventRow, PublishedRow, Record, Request, Store

T = TypeVar("T")

_PAGE = 1000
_CHUNK = 1 << 18


class ThereHome(Home):
    """A service's runs, workflows and schedules, for commands.

    Args:
        settings: Those in force here; only what is about printing counts.
        url: The service.
    """

    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings
        self.service = Client(url)
        self._artifacts = Shown(self.service)
        self.distant = Distant(self.service, self._artifacts)
        # It answers what commands ask; anything else raises NotRemote.
        self.store = cast(Store, self.distant)

    @property
    def artifacts(self) -> Artifacts:
        """Values, as far as the service shows them."""
        return self._artifacts

    @property
    def me(self) -> str:
        """Who the service takes us for."""
        assert self.service is not None
        return self.service.system.me().name

    def logs(self, run: RunRow) -> list[tuple[int, int]]:
        """Index and attempt of every log of a run."""
        return [(each.idx, each.attempt) for each in self.distant.client.logs.list(run.uid)]

    def lines(
        self, run: RunRow, idx: int, attempt: int, at: int, *, whole: bool
    ) -> Iterator[tuple[str, int]]:
        """The lines of a log after a place, each with the place where it ends."""
        while True:
            try:
                chunk = self.distant.client.logs.read(run.uid, idx, attempt=attempt, start=at, limit=_CHUNK)
            except NotFound:
                return
            over = chunk.end >= chunk.size
            *lines, rest = chunk.text.split("\n")
            # What the text shows in place of bytes that are no text may be longer: count from the end.
            at = chunk.end - len(rest.encode())
            for line in lines:
                yield line.rstrip("\r"), at
            if over and rest and whole:
                yield rest, chunk.end
            if over or not lines:
                return

    def forget(self, runs: Sequence[RunRow]) -> int:
        """Delete ended runs with their logs."""
        for each in runs:
            self.distant.client.runs.delete(each.uid)
        return len(runs)


class Shown(Artifacts):
    """Values as the API shows them: plain ones whole, others by a preview.

    Args:
        client: Where a value can be asked for whose place is known.
    """

    def __init__(self, client: Client) -> None:
        super().__init__(MemoryBlobs(), trusted=False)
        self._client = client
        self._views: dict[str, ValueView] = {}

    def keep(self, view: ValueView | None, place: str = "") -> Result | None:
        """A reference to a value of an answer."""
        if view is None:
            return None
        if view.value is not UNSET:
            return self.dumps(view.value, what="the value")
        digest = f"there:{place}:{len(self._views)}"
        self._views[digest] = view
        return Result(view.format, None, digest, view.size)

    def loads(self, result: Result) -> Any:
        """The value, if the service shows it."""
        view = self._views.get(result.digest or "")
        if view is None:
            return super().loads(result)
        run, _, idx = (result.digest or "").split(":")[1].rpartition("/")
        if run:
            found = self._client.tasks.show_result(run, int(idx)).value
            if found is not None and found.value is not UNSET:
                return found.value
        raise UntrustedValue(f"the value is {view.format} of {view.size:,} bytes, and is not sent")

    def preview(self, result: Result, limit: int = 1000) -> str:
        """The value as short text."""
        view = self._views.get(result.digest or "")
        return super().preview(result, limit=limit) if view is None else view.preview[:limit]


class Distant:
    """The part of ``Store`` that commands ask, answered by the API.

    Args:
        client: The service.
        artifacts: Where the values of its answers go.
    """

    def __init__(self, client: Client, artifacts: Shown) -> None:
        self.client = client
        self._artifacts = artifacts
        self._uids: list[str] = []
        self._numbers: dict[str, int] = {}
        self._tokens: dict[tuple[object, ...], str | None] = {}

    def __getattr__(self, name: str) -> NoReturn:
        raise refused(name.replace("_", " "))

    # --- runs ------------------------------------------------------------------------------------------

    def run(self, ref: str) -> RunRow:
        """A run by its id, the beginning of one, or ``@latest``."""
        view = self.client.runs.show(ref)
        return rows.run_row(self._number(view.id), view, self._artifacts.keep)

    def run_by_id(self, run: int) -> RunRow:
        """A run that was met before."""
        return self.run(self._uids[run])

    def runs(self, where: str = "", *, limit: int = 50, before: int | None = None) -> list[RunRow]:
        """Runs, newest first."""
        asked = self.client.runs.list(where=where, page_size=_size(limit))
        views = self._page(("runs", where), before, asked, limit)
        found = [rows.run_row(self._number(each.id), each, self._artifacts.keep) for each in views]
        self._mark(("runs", where), found[-1].run if found else None)
        return found

    def counts(self, run: int) -> dict[TaskState, int]:
        """Task runs by state."""
        counted = self.client.tasks.count(self._uids[run])
        return {TaskState(state): number for state, number in counted.items()}

    def published(self, run: int, idx: int | None = None) -> list[PublishedRow]:
        """What the run's task runs show to people, without the bodies."""
        return [
            PublishedRow(
                run=run,
                idx=each.idx,
                attempt=each.attempt,
                at=each.at.timestamp(),
                published=Published(each.key, each.kind, NONE, each.title),
            )
            for each in self.client.tasks.list_published(self._uids[run], task=idx)
        ]

    # --- task runs -------------------------------------------------------------------------------------

    def tasks(
        self, run: int, where: str = "", *, after: int = -1, limit: int = 1000, parent: int | None = None
    ) -> list[TaskRow]:
        """Task runs by index."""
        uid = self._uids[run]
        asked = self.client.tasks.list(uid, where=where, parent=parent, page_size=_size(limit))
        key = ("tasks", run, where, parent)
        # After the root is where everybody begins who asks for a run's work; no page ended there.
        begin = None if after <= 0 else after
        views = self._page(key, begin, asked, limit, lambda each: each.idx > after)
        found = [rows.task_row(run, uid, each, self._artifacts.keep) for each in views]
        self._mark(key, found[-1].idx if found else None)
        return found

    def task(self, run: int, idx: int) -> TaskRow:
        """One task run."""
        uid = self._uids[run]
        return rows.task_row(run, uid, self.client.tasks.show(uid, idx), self._artifacts.keep)

    def task_by_key(self, run: int, key: str) -> TaskRow:
        """The latest task run with this key."""
        uid = self._uids[run]
        if '"' not in key:
            found = list(self.client.tasks.list(uid, where=f'key:"{key}"'))
            exact = [each for each in found if each.key == key]
            if exact:
                return self.task(run, exact[-1].idx)
        raise NotFound(f"run {uid} has no task run {key!r}", where=key, hint=f"weft tasks list {uid}")

    def maps(self, run: int) -> list[MapRow]:
        """The maps of a run, known by their items."""
        parents = dict.fromkeys(
            each.parent
            for each in self.client.tasks.list(self._uids[run], page_size=_PAGE)
            if each.map_index is not None
        )
        return [MapRow(run=run, idx=each, at=0.0, base=0, count=0, items=NONE) for each in parents]

    def events(
        self, run: int, idx: int | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[EventRow]:
        """What happened, in order."""
        asked = self.client.runs.list_events(self._uids[run], after=after, task=idx, page_size=_size(limit))
        made = (rows.event_row(run, each) for each in islice(asked, limit))
        return [each for each in made if each is not None]

    def graph(self, digest: str) -> NoReturn:
        """Not told: the API shows a graph in a form of its own."""
        raise refused("reading a graph")

    # --- engines and requests --------------------------------------------------------------------------

    def engines(self) -> list[EngineRow]:
        """Every engine."""
        return [rows.engine_row(each) for each in self.client.engines.list()]

    def requests(self, engine: int) -> list[Request]:
        """None: what the service took it has done, or will do without us."""
        return []

    def ask(self, request: Request) -> bool:
        """Ask something of the engine that owns a run."""
        uid = self._uids[request.run]
        runs = self.client.runs
        value: Any = None if request.payload is None else self._artifacts.loads(request.payload)
        if request.kind == "cancel":
            runs.cancel(uid, Cancel(force=request.force))
        elif request.kind == "pause":
            runs.pause(uid)
        elif request.kind == "resume":
            runs.resume(uid)
        elif request.kind == "send":
            runs.send_signal(uid, Signal(name=request.name, payload=value, id=request.request_id[:200]))
        elif request.kind == "answer":
            given = Answer(approved=value["approved"], comment=value["comment"])
            if value["input"] is not None:
                given.input = value["input"]
            self.client.approvals.answer(uid, request.idx, given)
        else:
            raise refused(request.kind)
        return True

    # --- records ---------------------------------------------------------------------------------------

    def record(self, kind: str, name: str) -> Record | None:
        """A schedule or a workflow."""
        try:
            if kind == SCHEDULES.kind:
                view = self.client.schedules.show(name)
                due_at = None if view.due_at is None else view.due_at.timestamp()
                return _record(SCHEDULES.put(name, rows.scheduled(view), due_at=due_at))
            if kind == WORKFLOWS.kind:
                found = self.client.workflows.show(name)
                return _record(
                    WORKFLOWS.put(name, rows.workflow_entry(found, self._schedules(f"{name}#").get(name, ())))
                )
        except NotFound:
            return None
        raise refused(f"{kind}s")

    def records(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Record]:
        """Schedules or workflows by name, all at once."""
        if after:
            return []
        if kind == SCHEDULES.kind:
            return [
                _record(
                    SCHEDULES.put(
                        each.name,
                        rows.scheduled(each),
                        due_at=None if each.due_at is None else each.due_at.timestamp(),
                    )
                )
                for each in self.client.schedules.list(prefix=prefix or None, page_size=_PAGE)
            ]
        if kind == WORKFLOWS.kind:
            schedules = self._schedules("")
            return [
                _record(WORKFLOWS.put(each.name, rows.workflow_entry(each, schedules.get(each.name, ()))))
                for each in self.client.workflows.list(prefix=prefix or None, gone=True, page_size=_PAGE)
            ]
        raise refused(f"{kind}s")

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()

    # --- within ----------------------------------------------------------------------------------------

    def _schedules(self, prefix: str) -> dict[str, tuple[Schedule, ...]]:
        found: dict[str, tuple[Schedule, ...]] = {}
        for each in self.client.schedules.list(prefix=prefix or None, page_size=_PAGE):
            found[each.workflow] = (*found.get(each.workflow, ()), rows.scheduled(each).schedule)
        return found

    def _number(self, uid: str) -> int:
        """The number by which a run is known in this process."""
        number = self._numbers.setdefault(uid, len(self._uids))
        if number == len(self._uids):
            self._uids.append(uid)
        return number

    def _page(
        self,
        key: tuple[object, ...],
        after: int | None,
        asked: Pager[T],
        limit: int,
        wanted: Callable[[T], bool] = lambda each: True,
    ) -> list[T]:
        """Some of a list after a place: where a page before ended, or ``None`` for the beginning.

        At least ``limit``, unless the list ends; what a last page has beyond that is no reason to ask for it
        again.
        """
        token = None if after is None else self._tokens.get((*key, after))
        if after is not None and token is None:
            return []
        found: list[T] = []
        while True:
            page: Page[T] = asked.page(token)
            found += filter(wanted, page.items)
            token = page.next
            if token is None or len(found) >= limit:
                self._tokens[key] = token
                return found

    def _mark(self, key: tuple[object, ...], last: int | None) -> None:
        """Remember the token of the page after the one that ended here."""
        if last is not None:
            self._tokens[(*key, last)] = self._tokens.pop(key, None)


def refused(what: str) -> NotRemote:
    """The error for what needs the store itself."""
    return NotRemote(
        f"{what}: this is done on the machine of the store, not through a service",
        hint="type it there, without --server (and without WEFT_SERVER)",
    )


def _size(limit: int) -> int:
    return max(1, min(limit, _PAGE))


def _record(write: Any) -> Record:
    """A record as a store would give it."""
    return Record(kind=write.kind, name=write.name, body=write.body, revision=1, at=0.0, due_at=write.due_at)
